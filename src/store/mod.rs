//! Where records are kept: the traits that a host implements, and their contract.

#[cfg(feature = "cache")]
mod cached;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
#[cfg(feature = "tokio")]
mod deadline;
mod entry;
mod error;
mod feed;
mod memory;
mod slots;

#[cfg(feature = "cache")]
pub use cached::{Cached, CachedBuilder};
#[cfg(feature = "tokio")]
pub use deadline::Deadline;
pub use entry::{Entry, LastUses, Use};
pub use error::{StoreError, StoreErrorKind};
pub use feed::{ChangeFeed, Notice};
pub use memory::MemoryStore;
pub use slots::{SlotCount, SlotTally};

use std::sync::Arc;

use async_trait::async_trait;

use crate::{CredentialId, CredentialKey, Kind, Owner, Record, Revocation, Timestamp};

/// Finds records: all that verifying needs of a host. [`Store`] is what managing needs.
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use async_trait::async_trait;
/// use keygate::{CredentialId, CredentialKey, Kind, Lookup, Record, StoreError};
///
/// struct Table(HashMap<CredentialKey, Vec<u8>>);
///
/// #[async_trait]
/// impl Lookup for Table {
///     async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
///         let row = self.0.get(&CredentialKey::new(kind, *id));
///         row.map(|row| Record::decode(row).map(Arc::new).map_err(StoreError::corrupt)).transpose()
///     }
/// }
/// ```
///
/// # What the host promises
///
/// * **Absent is not broken.** `Ok(None)` says that there is no such credential, and is a denial. Whatever else kept the
///   answer away is an error, and is *undecided*: never `None` for a lost connection or a row that does not decode.
/// * **What was acknowledged is found**, within the bound of staleness that the lookup documents (none, for a database
///   that is asked each time).
/// * **The whole record**, version included. One that leaves out what limits a credential makes it wider.
/// * **One credential by kind and id**, compared byte by byte: no case folding, no patterns. Ids are 1–64 characters of
///   `A-Z a-z 0-9 - _ + /`; a lookup binds them as data all the same.
///
/// # What keygate promises
///
/// * It checks again what a lookup returned (kind, id, digest, validity, revocation): a lookup only fetches.
/// * Before `find`, the guard of an issued credential has held, so made-up ones cost no call.
/// * `find` is called at most once for a credential, and once for the account that minted it: so accounts are found also where
///   no account is accepted as a caller.
/// * `peek` comes before any proof and before the guard, so also for ids that somebody made up: it must not keep them.
/// * A future that is dropped is dropped: nothing is kept between a call and its answer.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The record of this kind and id, or that there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where that is not known.
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError>;

    /// The same for what is in memory: an answer at once, without a future, or [`Peek::Ask`].
    ///
    /// It must not block, and answers as `find` would. The one method with a default, *ask*, which is slower than
    /// another body and never less safe.
    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        // The names are for the documentation.
        let _ = (kind, id);
        Peek::Ask
    }
}

/// What a lookup knows at once.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a match on a lookup's answer needs no `_` arm")]
pub enum Peek {
    /// This record.
    Known(Arc<Record>),
    /// That there is no such record.
    Absent,
    /// Nothing: [`Lookup::find`] has to be asked.
    Ask,
}

/// Keeps records: what an [`Issuer`](crate::Issuer) needs of a host.
///
/// # What the host promises, besides what [`Lookup`] asks for
///
/// * **Every method answers from the truth**, never from a cache or a replica that lags; only `find` and `peek` may be
///   behind.
/// * **Each write of a record is atomic**: done whole or not at all, and done when it is acknowledged (durable, as far as the
///   store is). Two writes of one record never interleave. What touches many records
///   ([`revoke_owned`](Self::revoke_owned), [`record_uses`](Self::record_uses), [`purge`](Self::purge)) is so a record at a
///   time; one transaction is allowed, and not asked for.
/// * **A record that does not decode** keeps no other from its due: `revoke_owned` does all that it can and then
///   returns the error; `purge` and `record_uses` skip it; listings and counts fail with [`StoreError::corrupt`].
/// * **Insert is insert-if-absent; update is compare-and-swap** on [`Record::version`]. A store that overwrites instead
///   loses revocations.
/// * **Records come back as they were given**, version included; a store may read a record to index it, and changes
///   nothing of it but in [`revoke_owned`](Self::revoke_owned).
/// * **Order is by bytes**, as `ORDER BY … COLLATE "C"`: pages neither lose nor repeat a credential that is there from
///   the first page to the last, whatever is inserted meanwhile.
///
/// # What keygate promises
///
/// * It never calls a write because of an unproven secret.
/// * It copes with an update that failed and was done all the same: it looks at the record before the failure counts. So a
///   store may repeat an update of its own that lost its answer (but not an insert, whose second finds the id taken).
/// * It holds no lock and no connection between two calls, so a future may be dropped at any point: the write that was
///   under way is then done or not done, as after a lost connection.
///
/// # Errors
///
/// Every method: [`StoreError`], and then nothing may be concluded, not even of a write that it was not done; but for
/// [`rejected`](StoreError::rejected), which says so of a write of one record.
#[async_trait]
pub trait Store: Lookup {
    /// What there is of this credential, from the truth.
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError>;

    /// Adds a record, if there is none of its kind and id; else nothing changes.
    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError>;

    /// Replaces the record of the same kind and id, if its version is still the one that was `seen`; else nothing
    /// changes. A record of another owner, or whose version is not later, is [rejected](StoreError::rejected). Times of use stay; those of single secrets that the
    /// record does not hold any more may be [forgotten](LastUses::forget_gone).
    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError>;

    /// The next credentials of exactly this owner, revoked and expired ones too, in the order of their ids: those
    /// behind `after`, at most `limit`. Fewer than `limit` are the last.
    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// How many credentials of exactly this owner are neither revoked nor expired at this time.
    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError>;

    /// Revokes whatever is not revoked yet and belongs to what the owner [includes](Owner::includes), each with its next
    /// version; how many those were. What is issued meanwhile may be missed; what was there before is not. A reason that no record
    /// takes is an error, and changes nothing.
    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError>;

    /// Notes uses. A time never goes back, and a use of an unknown credential or secret is ignored. Versions do not
    /// change.
    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError>;

    /// How many stored secrets need each slot's key: of every record, the current one, and the retiring one while its
    /// overlap lasts at this time. In the order of slots, and without those that nothing needs.
    ///
    /// Revoked and expired records count until they are purged: under an unknown key even they are *undecided*.
    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError>;

    /// The next credentials, of all owners, that are not revoked and end at `from` or later and before `until`: in the
    /// order of their keys, those behind `after`, at most `limit`.
    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The next credentials, of all owners, that are neither revoked nor expired at this time, were made before `since`
    /// and not used at `since` or later, by [any secret](LastUses::latest): in the order of their keys, those behind
    /// `after`, at most `limit`.
    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Removes at most `limit` credentials, of all owners, that were revoked or expired before this time, which is not
    /// in the future; how many those were. Fewer than `limit` are the last.
    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError>;
}

/// Whether a record was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a record that was not added is nowhere"]
#[expect(clippy::exhaustive_enums, reason = "a match on a store's answer needs no `_` arm")]
pub enum Inserted {
    /// It was.
    Yes,
    /// There is a record of this kind and id already, and it stays as it is.
    IdTaken,
}

/// Whether a record was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a record that was not replaced is what it was"]
#[expect(clippy::exhaustive_enums, reason = "a match on a store's answer needs no `_` arm")]
pub enum Updated {
    /// It was.
    Yes,
    /// It has another version than the one that was seen, and stays as it is.
    Changed,
    /// There is no record of this kind and id.
    Absent,
}

/// Passes every method on: a handle on a store is a store.
macro_rules! forward {
    ($($handle:ty),*) => {$(
        #[async_trait]
        impl<S: Lookup + ?Sized> Lookup for $handle {
            async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
                (**self).find(kind, id).await
            }

            #[inline]
            fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
                (**self).peek(kind, id)
            }
        }

        #[async_trait]
        impl<S: Store + ?Sized> Store for $handle {
            async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
                (**self).read(kind, id).await
            }

            async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
                (**self).insert(record).await
            }

            async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
                (**self).update(seen, record).await
            }

            async fn list(
                &self,
                owner: &Owner,
                after: Option<&CredentialId>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                (**self).list(owner, after, limit).await
            }

            async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
                (**self).count_live(owner, now).await
            }

            async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
                (**self).revoke_owned(owner, revocation).await
            }

            async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
                (**self).record_uses(uses).await
            }

            async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
                (**self).count_slots(now).await
            }

            async fn expiring(
                &self,
                from: Timestamp,
                until: Timestamp,
                after: Option<&CredentialKey>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                (**self).expiring(from, until, after, limit).await
            }

            async fn unused(
                &self,
                since: Timestamp,
                now: Timestamp,
                after: Option<&CredentialKey>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                (**self).unused(since, now, after, limit).await
            }

            async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
                (**self).purge(before, limit).await
            }
        }
    )*};
}

forward!(Arc<S>, Box<S>, &S);
