//! What a store has of a credential: its record, and beside it when each secret was last used.

use std::sync::Arc;

use crate::{CredentialKey, Record, Timestamp};

/// What a store has of a credential: its record, and when its secrets were last used.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "every store makes these two values")]
pub struct Entry {
    /// The record.
    pub record: Arc<Record>,
    /// Beside the record and no part of it: a use does not change its version.
    pub uses: LastUses,
}

impl From<Arc<Record>> for Entry {
    /// A record that was not used yet.
    fn from(record: Arc<Record>) -> Self {
        Self { record, uses: LastUses::default() }
    }
}

/// That a credential was used: by which of its secrets, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store takes these three values")]
pub struct Use {
    /// Which credential.
    pub key: CredentialKey,
    /// The number of the secret: [`StoredSecret::number`](crate::StoredSecret::number).
    pub secret: u32,
    /// When.
    pub at: Timestamp,
}

/// When each secret of a credential was last used, as far as it was recorded.
///
/// ```
/// use keygate::{LastUses, Timestamp};
///
/// let mut uses = LastUses::default();
/// uses.note(1, Timestamp::from_unix(20));
/// uses.note(1, Timestamp::from_unix(10)); // reported late: a time never goes back
/// assert_eq!(uses.of(1), Some(Timestamp::from_unix(20)));
/// assert_eq!(uses.of(2), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastUses {
    latest: Option<Timestamp>,
    by_secret: Vec<(u32, Timestamp)>,
}

impl LastUses {
    /// Notes a use; an earlier time than the known one changes nothing.
    pub fn note(&mut self, secret: u32, at: Timestamp) {
        self.latest = self.latest.max(Some(at));
        match self.by_secret.iter_mut().find(|(known, _)| *known == secret) {
            Some((_, latest)) => *latest = at.max(*latest),
            None => self.by_secret.push((secret, at)),
        }
    }

    /// When the secret of this number was last used.
    #[must_use]
    pub fn of(&self, secret: u32) -> Option<Timestamp> {
        self.by_secret.iter().find(|(known, _)| *known == secret).map(|(_, at)| *at)
    }

    /// When any of the credential's secrets was last used, those too that it does not have any more.
    #[must_use]
    pub const fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// Forgets the times of secrets that the record does not hold any more; the latest of all stays.
    pub fn forget_gone(&mut self, record: &Record) {
        self.by_secret.retain(|(secret, _)| holds(record, *secret));
    }
}

/// Whether one of the record's secrets has this number.
pub(super) fn holds(record: &Record, secret: u32) -> bool {
    record.current().number == secret
        || record.retiring().is_some_and(|retiring| retiring.secret.number == secret)
}

/// How many stored secrets need the key of a slot.
///
/// While `digests` is not zero, the key stays whole: without it these credentials are *undecided*, or, where their guard is
/// checked first, *denied*. While `guards` is not zero, it stays at least as guard only
/// ([`DigestKeys::guard_only_text`](crate::DigestKeys::guard_only_text)): without it, where the lookup has to be asked, they
/// are *denied*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store makes these three values")]
pub struct SlotCount {
    /// Which slot, 0..=63.
    pub slot: u8,
    /// Secrets whose digest was made with its key.
    pub digests: u64,
    /// Secrets whose text has a guard that was made with its key.
    pub guards: u64,
}
