//! A store with room for one record, for a walk that puts it back where it was.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, Kind, Lookup, Owner, Record, Revocation, SlotCount, Store,
    StoreError, Timestamp, Updated, Use,
};

/// Room for one record: to put a walk back where it was is to put that back.
#[derive(Default)]
pub(super) struct OneRecord(Mutex<(Option<Arc<Record>>, u64)>);

impl OneRecord {
    pub(super) fn get(&self) -> Arc<Record> {
        self.0.lock().unwrap().0.clone().unwrap()
    }

    pub(super) fn set(&self, record: Arc<Record>) {
        self.0.lock().unwrap().0 = Some(record);
    }

    /// How often an update had an effect.
    pub(super) fn writes(&self) -> u64 {
        self.0.lock().unwrap().1
    }
}

#[async_trait]
impl Lookup for OneRecord {
    async fn find(&self, _kind: Kind, _id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        unasked()
    }
}

#[async_trait]
impl Store for OneRecord {
    async fn read(&self, _kind: Kind, _id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        Ok(Some(self.get().into()))
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.set(Arc::clone(record));
        Ok(Inserted::Yes)
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let mut held = self.0.lock().unwrap();
        if held.0.as_ref().unwrap().version() != seen {
            return Ok(Updated::Changed);
        }
        *held = (Some(Arc::clone(record)), held.1 + 1);
        Ok(Updated::Yes)
    }

    async fn list(
        &self,
        _owner: &Owner,
        _after: Option<&CredentialId>,
        _limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        unasked()
    }

    async fn count_live(&self, _owner: &Owner, _now: Timestamp) -> Result<u64, StoreError> {
        unasked()
    }

    async fn revoke_owned(&self, _owner: &Owner, _revocation: &Revocation) -> Result<u64, StoreError> {
        unasked()
    }

    async fn record_uses(&self, _uses: &[Use]) -> Result<(), StoreError> {
        unasked()
    }

    async fn count_slots(&self, _now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        unasked()
    }

    async fn expiring(
        &self,
        _from: Timestamp,
        _until: Timestamp,
        _after: Option<&CredentialKey>,
        _limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        unasked()
    }

    async fn unused(
        &self,
        _since: Timestamp,
        _now: Timestamp,
        _after: Option<&CredentialKey>,
        _limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        unasked()
    }

    async fn purge(&self, _before: Timestamp, _limit: usize) -> Result<u64, StoreError> {
        unasked()
    }
}

fn unasked<T>() -> Result<T, StoreError> {
    Err(StoreError::rejected("no rotation asks for this"))
}
