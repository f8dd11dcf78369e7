//! How a record is made, and everything that is checked then.

use super::{About, Grant, Parent, Record, Retiring, Revocation, StoredSecret};
use crate::alphabet::breaks_lines;
use crate::owner::check_name;
use crate::{CredentialId, Digest, Invalid, Kind, Network, Timestamp, Validity};

/// A record in the making; [`build`](Self::build) checks it.
#[derive(Clone, Debug)]
#[must_use = "a builder makes a record when `build` is called"]
pub struct RecordBuilder {
    record: Record,
}

impl RecordBuilder {
    pub(super) fn new(id: CredentialId, grant: Grant, digest: Digest, created_at: Timestamp) -> Self {
        Self {
            record: Record {
                id,
                about: Box::new(About {
                    owner: grant.owner(),
                    name: None,
                    metadata: Box::default(),
                    created_at,
                    created_by: None,
                }),
                grant,
                current: StoredSecret { number: 1, digest },
                validity: Validity::UNBOUNDED,
                disabled: false,
                revocation: None,
                retiring: None,
                parent: None,
                networks: None,
                version: 0,
            },
        }
    }

    /// A name for people: 1–100 characters, no control characters.
    pub fn name(mut self, name: &str) -> Self {
        self.record.about.name = Some(name.into());
        self
    }

    /// The host's own notes: at most 16, keys of 1–64 and values of at most 256 bytes, no control characters.
    pub fn metadata<'m>(mut self, metadata: impl IntoIterator<Item = (&'m str, &'m str)>) -> Self {
        self.record.about.metadata =
            metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Who made it: 1–64 bytes of 0x21–0x7E.
    pub fn created_by(mut self, creator: &str) -> Self {
        self.record.about.created_by = Some(creator.into());
        self
    }

    /// From when until when it is valid. A service token always ends.
    pub fn validity(mut self, validity: Validity) -> Self {
        self.record.validity = validity;
        self
    }

    /// Whether it is disabled.
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.record.disabled = disabled;
        self
    }

    /// That it was revoked.
    pub fn revoked(mut self, revocation: Revocation) -> Self {
        self.record.revocation = Some(Box::new(revocation));
        self
    }

    /// The number and the digest of its current secret: after a rotation, or from a host's own columns.
    pub fn current(mut self, secret: StoredSecret) -> Self {
        self.record.current = secret;
        self
    }

    /// The secret that a rotation replaced, or none any more.
    pub fn retiring(mut self, retiring: impl Into<Option<Retiring>>) -> Self {
        self.record.retiring = retiring.into().map(Box::new);
        self
    }

    /// The service account that minted it; service tokens only.
    pub fn parent(mut self, parent: Parent) -> Self {
        self.record.parent = Some(Box::new(parent));
        self
    }

    /// From where it may be used: 1 to 64 networks. An empty list is an error and not *everywhere*, so that a list
    /// that was filtered down to nothing lifts no limit.
    pub fn networks(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.record.networks = Some(networks.into_iter().collect());
        self
    }

    /// It may be used from everywhere, as a new record may.
    pub fn everywhere(mut self) -> Self {
        self.record.networks = None;
        self
    }

    /// The version that a compare-and-swap update has seen.
    pub fn version(mut self, version: u64) -> Self {
        self.record.version = version;
        self
    }

    /// Another grant of the same kind and owner.
    pub fn grant(mut self, grant: impl Into<Grant>) -> Self {
        self.record.grant = grant.into();
        self
    }

    /// The record.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which names the argument that is not acceptable and what was expected.
    pub fn build(self) -> Result<Record, Invalid> {
        let record = self.record;
        if let Some(name) = &record.about.name {
            check_text("name", name, "1 to 100 characters, no control characters", 1..=100)?;
        }
        if let Some(creator) = &record.about.created_by {
            check_name("created_by", creator)?;
        }
        if let Some(revocation) = &record.revocation {
            revocation.check()?;
        }
        check_metadata(&record.about.metadata)?;
        if record.networks.as_ref().is_some_and(|networks| !(1..=64).contains(&networks.len())) {
            return Err(Invalid::new("networks", "1 to 64"));
        }
        if record.grant.owner() != record.about.owner {
            return Err(Invalid::new("grant", "a grant of the same kind and owner"));
        }
        if let Some(leak) = record.retiring.as_ref().and_then(|retiring| retiring.leak.as_deref()) {
            check_reason(leak)?;
        }
        if record.current.number == 0
            || record.retiring.as_ref().is_some_and(|retiring| retiring.secret.number == 0)
        {
            return Err(Invalid::new("secret number", "1 or more"));
        }
        if record.retiring.as_ref().is_some_and(|retiring| retiring.secret.number == record.current.number) {
            return Err(Invalid::new("retiring", "a secret of another number than the current one"));
        }
        let is_token = record.grant.kind() == Kind::ServiceToken;
        if record.parent.is_some() && !is_token {
            return Err(Invalid::new("parent", "a parent in records of service tokens only"));
        }
        if is_token && record.validity.expires_at().is_none() {
            return Err(Invalid::new("expires_at", "an end: a service token always has one"));
        }
        Ok(record)
    }
}

impl From<Record> for RecordBuilder {
    fn from(record: Record) -> Self {
        Self { record }
    }
}

/// Why something was revoked, or replaced.
pub(super) fn check_reason(reason: &str) -> Result<(), Invalid> {
    check_text("reason", reason, "1 to 200 characters, no control characters", 1..=200)
}

fn check_metadata(metadata: &[(Box<str>, Box<str>)]) -> Result<(), Invalid> {
    if metadata.len() > 16 {
        return Err(Invalid::new("metadata", "at most 16 entries"));
    }
    for (at, (key, value)) in metadata.iter().enumerate() {
        check_bytes("metadata", key, "keys of 1 to 64 bytes, no control characters", 1..=64)?;
        check_bytes("metadata", value, "values of at most 256 bytes, no control characters", 0..=256)?;
        if metadata.iter().take(at).any(|(earlier, _)| earlier == key) {
            return Err(Invalid::new("metadata", "each key once"));
        }
    }
    Ok(())
}

type Lengths = std::ops::RangeInclusive<usize>;

fn check_text(
    argument: &'static str,
    text: &str,
    expected: &'static str,
    characters: Lengths,
) -> Result<(), Invalid> {
    // Counting stops where it is too much already.
    let found = text.chars().take(characters.end().saturating_add(1)).count();
    check(argument, text, expected, characters.contains(&found))
}

fn check_bytes(
    argument: &'static str,
    text: &str,
    expected: &'static str,
    bytes: Lengths,
) -> Result<(), Invalid> {
    check(argument, text, expected, bytes.contains(&text.len()))
}

fn check(argument: &'static str, text: &str, expected: &'static str, fits: bool) -> Result<(), Invalid> {
    let invalid = Invalid::new(argument, expected);
    if !fits {
        return Err(invalid);
    }
    // A name in a log must not begin a line of its own, nor turn the rest of its line around.
    match text.char_indices().find(|(_, character)| breaks_lines(*character)) {
        Some((position, _)) => Err(invalid.at(position)),
        None => Ok(()),
    }
}
