//! Records: what a host stores of a credential, an envelope common to all kinds and the grant of its kind.

mod api_key;
mod builder;
mod encoding;
mod secret;
mod service_account;
mod service_token;
mod view;

pub use api_key::ApiKeyGrant;
pub use builder::RecordBuilder;
pub use encoding::DecodeError;
pub use secret::{Retiring, StoredSecret};
pub use service_account::ServiceAccountGrant;
pub use service_token::ServiceTokenGrant;
pub use view::RecordView;

use std::fmt;

use serde::Serialize;

use crate::{
    CredentialId, CredentialKey, Digest, Invalid, Kind, Leeway, Network, Owner, Rights, Standing, Timestamp,
    Validity,
};

/// What a host stores of a credential. Never the secret: only its [`Digest`].
///
/// A store that keeps bytes uses [`encode`](Self::encode) and [`decode`](Self::decode). A host that keeps columns of
/// its own builds one with [`Record::builder`]. Both check everything; a record that exists is sound.
///
/// ```
/// use keygate::{ApiKeyGrant, DigestKeys, Kind, Record, SystemRandom, Timestamp};
///
/// let keys = DigestKeys::ephemeral()?;
/// let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
/// let grant = ApiKeyGrant::new("u-17")?;
/// let record = Record::builder(drawn.key.id, grant, drawn.digest, Timestamp::from_unix(1_795_518_000))
///     .name("laptop")
///     .build()?;
/// let again = Record::decode(&record.encode()?)?;
/// assert_eq!(again.owner().to_string(), "user u-17");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Record {
    id: CredentialId,
    grant: Grant,
    current: StoredSecret,
    validity: Validity,
    disabled: bool,
    revocation: Option<Box<Revocation>>,
    retiring: Option<Box<Retiring>>,
    parent: Option<Box<Parent>>,
    networks: Option<Box<[Network]>>,
    version: u64,
    about: Box<About>,
}

/// What verifying does not look at, and so keeps out of the way of what it does.
#[derive(Clone, Debug)]
struct About {
    owner: Owner,
    name: Option<Box<str>>,
    metadata: Box<[(Box<str>, Box<str>)]>,
    created_at: Timestamp,
    created_by: Option<Box<str>>,
}

/// What a credential of each kind is granted: the part of a record that differs.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a kind needs no `_` arm")]
pub enum Grant {
    /// Acts as a user.
    ApiKey(ApiKeyGrant),
    /// Rights in an organization.
    ServiceAccount(ServiceAccountGrant),
    /// Rights on the secrets of one project.
    ServiceToken(ServiceTokenGrant),
}

impl Grant {
    /// The kind that this is the grant of.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::ApiKey(_) => Kind::ApiKey,
            Self::ServiceAccount(_) => Kind::ServiceAccount,
            Self::ServiceToken(_) => Kind::ServiceToken,
        }
    }

    /// The rights of an account or a service token; an API key has those of its user, which the host knows.
    #[must_use]
    pub const fn rights(&self) -> Option<&Rights> {
        match self {
            Self::ApiKey(_) => None,
            Self::ServiceAccount(account) => Some(account.rights()),
            Self::ServiceToken(token) => Some(token.rights()),
        }
    }

    fn owner(&self) -> Owner {
        match self {
            Self::ApiKey(key) => Owner::User(key.user().clone()),
            Self::ServiceAccount(account) => Owner::Organization(account.rights().organization().clone()),
            Self::ServiceToken(token) => {
                Owner::Project(token.rights().organization().clone(), token.project().clone())
            }
        }
    }
}

/// That, when and why a credential was revoked: final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why: 1–200 characters, no control characters.
    pub reason: Box<str>,
}

impl Revocation {
    /// A revocation; the reason is checked where the record is built.
    #[must_use]
    pub fn new(at: Timestamp, reason: &str) -> Self {
        Self { at, reason: reason.into() }
    }

    pub(crate) fn check(&self) -> Result<(), Invalid> {
        builder::check_reason(&self.reason)
    }
}

/// The service account that minted a credential, and the mint generation that it was made under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who minted it, and when in the account's life")]
pub struct Parent {
    /// The account's id.
    pub account: CredentialId,
    /// The value that the account's counter had. An account rotated after a leak has another, and its children die.
    pub mint_generation: u64,
}

impl Parent {
    pub(crate) const fn key(&self) -> CredentialKey {
        CredentialKey::new(Kind::ServiceAccount, self.account)
    }
}

/// How a credential stands to a moment, its secret apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a state needs no `_` arm")]
pub enum State {
    /// Usable.
    Active,
    /// Disabled, until it is enabled again.
    Disabled,
    /// Revoked, for ever.
    Revoked,
    /// Past its end.
    Expired,
    /// Before its beginning.
    NotYetValid,
}

impl fmt::Display for State {
    /// In words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotYetValid => "not valid yet",
        })
    }
}

impl Record {
    /// Starts a record: for a new credential, or from a host's own columns.
    pub fn builder(
        id: CredentialId,
        grant: impl Into<Grant>,
        digest: Digest,
        created_at: Timestamp,
    ) -> RecordBuilder {
        RecordBuilder::new(id, grant.into(), digest, created_at)
    }

    /// Starts a changed record from this one.
    pub fn to_builder(&self) -> RecordBuilder {
        RecordBuilder::from(self.clone())
    }

    /// Kind and id.
    #[must_use]
    #[inline(always)]
    pub const fn key(&self) -> CredentialKey {
        CredentialKey::new(self.grant.kind(), self.id)
    }

    pub(crate) const fn id(&self) -> &CredentialId {
        &self.id
    }

    /// Whom it belongs to.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        &self.about.owner
    }

    /// What it is granted.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The name that people gave it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.about.name.as_deref()
    }

    /// The host's own notes, in the order given.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.about.metadata.iter().map(|(key, value)| (&**key, &**value))
    }

    /// When it was made.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.about.created_at
    }

    /// Who made it, where that was said.
    #[must_use]
    pub fn created_by(&self) -> Option<&str> {
        self.about.created_by.as_deref()
    }

    /// From when until when it is valid.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether it is disabled.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// Its revocation, if it was revoked.
    #[must_use]
    pub fn revocation(&self) -> Option<&Revocation> {
        self.revocation.as_deref()
    }

    /// The secret that it has now.
    #[must_use]
    pub const fn current(&self) -> &StoredSecret {
        &self.current
    }

    /// The secret that a rotation replaced, and when it ends.
    #[must_use]
    pub fn retiring(&self) -> Option<&Retiring> {
        self.retiring.as_deref()
    }

    /// The secret of this number, current or retiring, if the record holds it.
    #[must_use]
    pub fn secret(&self, number: u32) -> Option<&StoredSecret> {
        let retiring = self.retiring().map(|retiring| &retiring.secret);
        [Some(&self.current), retiring].into_iter().flatten().find(|secret| secret.number == number)
    }

    /// The account that minted it, if one did.
    #[must_use]
    pub fn parent(&self) -> Option<&Parent> {
        self.parent.as_deref()
    }

    /// From where it may be used; `None`: from everywhere.
    #[must_use]
    #[inline]
    pub fn networks(&self) -> Option<&[Network]> {
        self.networks.as_deref()
    }

    /// The version that a compare-and-swap update has seen.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The retiring secret, while its overlap lasts.
    pub(crate) fn overlapping(&self, now: Timestamp) -> Option<&Retiring> {
        self.retiring().filter(|retiring| now < retiring.ends_at)
    }

    /// Whether the secret of this number is one of its secrets, and holds.
    pub(crate) fn accepts(&self, secret: u32, now: Timestamp) -> bool {
        self.current.number == secret
            || self.overlapping(now).is_some_and(|retiring| retiring.secret.number == secret)
    }

    /// How it stands at this time: revoked before disabled before expired.
    #[must_use]
    #[inline]
    pub fn state(&self, now: Timestamp) -> State {
        if self.revocation.is_some() {
            return State::Revoked;
        }
        if self.disabled {
            return State::Disabled;
        }
        match self.validity.standing(now, Leeway::NONE) {
            Standing::Valid => State::Active,
            Standing::Expired => State::Expired,
            Standing::NotYetValid => State::NotYetValid,
        }
    }

    /// What may be shown of it: everything but digests and key slots. It serializes.
    #[must_use]
    pub const fn view(&self) -> RecordView<'_> {
        RecordView::new(self)
    }
}
