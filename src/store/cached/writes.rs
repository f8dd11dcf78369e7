//! What goes through it to a store: all of it, and around each write what it touches is forgotten.

use std::sync::Arc;

use async_trait::async_trait;

use super::Cached;
use super::generations::Generations;
use crate::store::{Entry, Inserted, SlotCount, Store, StoreError, Updated, Use};
use crate::{CredentialId, CredentialKey, Kind, Owner, Record, Revocation, Timestamp};

/// A write: what it touches is forgotten before it, and after it however it ends.
pub(super) struct Writing<'a> {
    generations: &'a Generations,
    /// None: it may be any.
    key: Option<CredentialKey>,
}

impl<'a> Writing<'a> {
    pub(super) fn of(generations: &'a Generations, key: Option<CredentialKey>) -> Self {
        let writing = Self { generations, key };
        writing.forget();
        writing
    }

    fn forget(&self) {
        match &self.key {
            Some(key) => self.generations.raise(key),
            None => self.generations.raise_all(),
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

#[async_trait]
impl<S: Store + 'static> Store for Cached<S> {
    /// Also forgets what the truth says otherwise: whoever reads it may acknowledge what it says without a write, be it another
    /// process's or one of its own that failed and was done all the same.
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        let read = self.0.lookup.read(kind, id).await;
        let key = CredentialKey::new(kind, *id);
        if !self.0.knows(&key, &read) {
            self.invalidate(&key);
        }
        read
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        let _writing = Writing::of(&self.0.generations, Some(record.key()));
        self.0.lookup.insert(record).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let _writing = Writing::of(&self.0.generations, Some(record.key()));
        self.0.lookup.update(seen, record).await
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.lookup.list(owner, after, limit).await
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        self.0.lookup.count_live(owner, now).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        let _writing = Writing::of(&self.0.generations, None);
        self.0.lookup.revoke_owned(owner, revocation).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.0.lookup.record_uses(uses).await
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        self.0.lookup.count_slots(now).await
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.lookup.expiring(from, until, after, limit).await
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.lookup.unused(since, now, after, limit).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let _writing = Writing::of(&self.0.generations, None);
        self.0.lookup.purge(before, limit).await
    }
}
