//! What a store has of a credential: its record, and beside it when each secret was last used.

use std::sync::Arc;

use super::{StoreError, Updated};
use crate::{CredentialKey, Record, Revocation, Timestamp};

/// What a store has of a credential: its record, and when its secrets were last used.
///
/// ```
/// use std::sync::Arc;
/// use keygate::{ApiKeyGrant, DigestKeys, Entry, Kind, Record, Revocation, SystemRandom, Timestamp, Updated};
///
/// # let drawn = DigestKeys::ephemeral()?.draw(Kind::ApiKey, &SystemRandom)?;
/// # let now = Timestamp::from_unix(1_795_518_000);
/// # let record = Record::builder(drawn.key.id, ApiKeyGrant::new("u-17")?, drawn.digest, now).version(1).build()?;
/// let mut row = Entry::from(Arc::new(record));
/// let renamed = Arc::new(row.record.to_builder().name("deploys").version(2).build()?);
/// assert_eq!(row.update(1, &renamed)?, Updated::Yes);
/// assert_eq!(row.update(1, &renamed)?, Updated::Changed); // somebody was quicker
///
/// assert!(row.is_live(now));
/// assert!(row.revoke(&Revocation::new(now, "left the company"))?);
/// assert!(!row.revoke(&Revocation::new(now, "again"))?); // the first one stays
/// assert!(!row.is_live(now));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "every store makes these two values")]
pub struct Entry {
    /// The record.
    pub record: Arc<Record>,
    /// Beside the record and no part of it: a use does not change its version.
    pub uses: LastUses,
}

/// What the methods of [`Store`](crate::Store) ask of one entry, for stores that do it in Rust and as the words for those that do it
/// in a query.
impl Entry {
    /// Replaces the record, if its version is the one that was `seen`: [`Store::update`](crate::Store::update).
    ///
    /// # Errors
    ///
    /// [`StoreError::rejected`] for a version that is not later, or another owner; then nothing changes.
    pub fn update(&mut self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        if record.version() <= seen {
            return Err(StoreError::rejected("an update needs a later version than the one that was seen"));
        }
        if self.record.version() != seen {
            return Ok(Updated::Changed);
        }
        if self.record.owner() != record.owner() {
            return Err(StoreError::rejected("an update does not change the owner"));
        }
        self.record = Arc::clone(record);
        self.uses.forget_gone(record);
        Ok(Updated::Yes)
    }

    /// Revokes the record, with its next version (behind the last there is none), unless it is revoked already; whether it was done:
    /// [`Store::revoke_owned`](crate::Store::revoke_owned).
    ///
    /// # Errors
    ///
    /// [`StoreError::rejected`] for a reason that is too long or that no record takes; then nothing changes.
    pub fn revoke(&mut self, revocation: &Revocation) -> Result<bool, StoreError> {
        if self.record.revocation().is_some() {
            return Ok(false);
        }
        let next = self.record.to_builder().revoked(revocation.clone());
        let next = next.version(self.record.version().saturating_add(1)).build();
        self.record = Arc::new(next.map_err(StoreError::rejected)?);
        Ok(true)
    }

    /// Whether it is neither revoked nor expired; it may be disabled, or not valid yet.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.record.revocation().is_none() && self.record.validity().expires_at().is_none_or(|end| now < end)
    }

    /// Whether it is not revoked and ends at `from` or later and before `until`: [`Store::expiring`](crate::Store::expiring).
    #[must_use]
    pub fn is_expiring(&self, from: Timestamp, until: Timestamp) -> bool {
        let end = self.record.validity().expires_at();
        self.record.revocation().is_none() && end.is_some_and(|end| from <= end && end < until)
    }

    /// Whether it is live, was made before `since` and not used at `since` or later: [`Store::unused`](crate::Store::unused).
    #[must_use]
    pub fn is_unused(&self, since: Timestamp, now: Timestamp) -> bool {
        let is_used = self.uses.latest().is_some_and(|used| used >= since);
        self.is_live(now) && self.record.created_at() < since && !is_used
    }

    /// Whether it was revoked or expired before this time: [`Store::purge`](crate::Store::purge).
    #[must_use]
    pub fn is_over(&self, before: Timestamp) -> bool {
        self.record.revocation().is_some_and(|revocation| revocation.at < before)
            || self.record.validity().expires_at().is_some_and(|end| end < before)
    }

    /// Notes a use by one of the record's secrets; that of another one is ignored, and an earlier time than the known one
    /// changes nothing. What [`Store::record_uses`](crate::Store::record_uses) does.
    pub fn note_use(&mut self, secret: u32, at: Timestamp) {
        if self.record.secret(secret).is_some() {
            self.uses.note(secret, at);
        }
    }
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
        self.by_secret.retain(|(secret, _)| record.secret(*secret).is_some());
    }
}
