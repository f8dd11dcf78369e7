//! Caches on top of the faults: a right one, and some that are wrong as real ones were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, Kind, Lookup, Owner, Record, Revocation, SlotCount, Store,
    StoreError, Timestamp, Updated, Use,
};

use super::kit::faulty::Faulty;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    /// An error of the store reads as "there is none".
    ErrorIsAbsence,
    /// What failed once is not asked for again.
    KeepsErrors,
    /// A write forgets nothing.
    ForgetsNothing,
    /// Only a write that was acknowledged forgets.
    ForgetsAfterSuccess,
    /// While the store fails, what was known last is said.
    ServesStaleOnFailure,
    /// A record is kept without a look at whose it is.
    KeepsWhateverCame,
    /// A write that failed is reported as done.
    SaysDone,
    /// What asks keeps everybody else from asking, also after a panic, or where it was dropped.
    KeepsItsPlace,
}

impl Planted {
    pub(super) const ALL: [Self; 8] = [
        Self::ErrorIsAbsence,
        Self::KeepsErrors,
        Self::ForgetsNothing,
        Self::ForgetsAfterSuccess,
        Self::ServesStaleOnFailure,
        Self::KeepsWhateverCame,
        Self::SaysDone,
        Self::KeepsItsPlace,
    ];
}

#[derive(Default)]
struct Kept {
    /// Raised whenever something is forgotten: a record that was asked for before is not kept then.
    generation: u64,
    records: BTreeMap<CredentialKey, Option<Arc<Record>>>,
    /// Also what was forgotten.
    latest: BTreeMap<CredentialKey, Arc<Record>>,
    failed: BTreeSet<CredentialKey>,
    under_way: BTreeSet<CredentialKey>,
}

pub(super) struct Cache {
    store: Arc<Faulty>,
    planted: Planted,
    kept: Mutex<Kept>,
}

/// Forgets when it is made and when it is dropped: also where the write in between is.
struct Forgets<'c>(&'c Cache);

impl<'c> Forgets<'c> {
    fn around(cache: &'c Cache) -> Self {
        cache.forget();
        Self(cache)
    }
}

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

impl Cache {
    pub(super) fn over(store: Arc<Faulty>, planted: Planted) -> Self {
        Self { store, planted, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        let mut kept = self.kept();
        kept.generation += 1;
        kept.records.clear();
    }

    async fn write<T>(
        &self,
        write: impl Future<Output = Result<T, StoreError>>,
        done: Option<T>,
    ) -> Result<T, StoreError> {
        let forgets = match self.planted {
            Planted::ForgetsNothing | Planted::ForgetsAfterSuccess => None,
            _ => Some(Forgets::around(self)),
        };
        let written = write.await;
        drop(forgets);
        if self.planted == Planted::ForgetsAfterSuccess && written.is_ok() {
            self.forget();
        }
        match (written, done) {
            (Err(_), Some(done)) if self.planted == Planted::SaysDone => Ok(done),
            (written, _) => written,
        }
    }
}

#[async_trait]
impl Lookup for Cache {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let key = CredentialKey::new(kind, *id);
        let generation = {
            let mut kept = self.kept();
            if let Some(record) = kept.records.get(&key) {
                return Ok(record.clone());
            }
            if self.planted == Planted::KeepsErrors && kept.failed.contains(&key) {
                return Err(StoreError::unavailable("it failed before"));
            }
            if self.planted == Planted::KeepsItsPlace && !kept.under_way.insert(key) {
                return Err(StoreError::unavailable("somebody asks"));
            }
            kept.generation
        };
        let found = self.store.find(kind, id).await;
        let mut kept = self.kept();
        kept.under_way.remove(&key);
        let record = match found {
            Ok(record) => record,
            Err(_) if self.planted == Planted::ErrorIsAbsence => return Ok(None),
            Err(error) => {
                kept.failed.insert(key);
                let latest = kept.latest.get(&key).filter(|_| self.planted == Planted::ServesStaleOnFailure);
                return latest.map(|record| Some(Arc::clone(record))).ok_or(error);
            }
        };
        let is_its_own = record.as_ref().is_none_or(|record| record.key() == key);
        if kept.generation == generation && (is_its_own || self.planted == Planted::KeepsWhateverCame) {
            kept.records.insert(key, record.clone());
            kept.latest.extend(record.clone().map(|record| (key, record)));
        }
        Ok(record)
    }
}

#[async_trait]
impl Store for Cache {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        self.store.read(kind, id).await
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.write(self.store.insert(record), None).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        self.write(self.store.update(seen, record), Some(Updated::Yes)).await
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.store.list(owner, after, limit).await
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        self.store.count_live(owner, now).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        self.write(self.store.revoke_owned(owner, revocation), Some(0)).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.store.record_uses(uses).await
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        self.store.count_slots(now).await
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.store.expiring(from, until, after, limit).await
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.store.unused(since, now, after, limit).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.write(self.store.purge(before, limit), None).await
    }
}
