//! A store for tests: it counts its calls, and fails, pauses or answers wrongly where it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, Kind, Lookup, MemoryStore, Owner, Record, Revocation,
    SlotCount, Store, StoreError, Timestamp, Updated, Use,
};
use pollster::block_on;

/// Where a call that fails does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    BeforeTheWork,
    AfterTheWork,
}

#[derive(Default)]
pub(super) struct Staged {
    /// What is kept, without the staging.
    pub(super) records: MemoryStore,
    /// Every credential that was ever inserted.
    known: Mutex<BTreeSet<CredentialKey>>,
    calls: Mutex<Vec<&'static str>>,
    /// Which call fails, counted from the next one.
    failing: Mutex<Option<(usize, Failing)>>,
    /// How often a call is pending before its work, and again after it.
    pauses: AtomicUsize,
    /// How many updates still hear that another one was faster.
    outrun: AtomicUsize,
    /// Whether each update is made twice, as by a store that lost its first answer.
    repeats: AtomicBool,
    renames: AtomicBool,
    listed: Mutex<Option<Arc<Record>>>,
    /// What every read answers.
    answer: Mutex<Option<Arc<Record>>>,
}

impl Staged {
    /// The calls since this was asked last.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Everything there is, encoded; which of its secrets were used when is part of no record.
    pub(super) fn contents(&self) -> BTreeMap<CredentialKey, Vec<u8>> {
        let known = self.known.lock().unwrap();
        let found = known.iter().map(|key| (*key, block_on(self.records.read(key.kind, &key.id)).unwrap()));
        found.filter_map(|(key, entry)| Some((key, entry?.record.encode().unwrap()))).collect()
    }

    /// Lets the call behind so many others fail.
    pub(super) fn fail(&self, after: usize, failing: Failing) {
        *self.failing.lock().unwrap() = Some((after, failing));
    }

    pub(super) fn pause(&self, times: usize) {
        self.pauses.store(times, Ordering::SeqCst);
    }

    pub(super) fn repeat(&self) {
        self.repeats.store(true, Ordering::SeqCst);
    }

    /// The same, and between the two another call renames the credential.
    pub(super) fn repeat_under_a_rename(&self) {
        self.repeat();
        self.renames.store(true, Ordering::SeqCst);
    }

    /// Lets every list have this record instead of what is asked for.
    pub(super) fn list_instead(&self, record: &Arc<Record>) {
        *self.listed.lock().unwrap() = Some(Arc::clone(record));
    }

    pub(super) fn outrun(&self, updates: usize) {
        self.outrun.store(updates, Ordering::SeqCst);
    }

    pub(super) fn answer(&self, record: &Arc<Record>) {
        *self.answer.lock().unwrap() = Some(Arc::clone(record));
    }

    async fn at<T>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        Pauses(self.pauses.load(Ordering::SeqCst)).await;
        self.calls.lock().unwrap().push(call);
        let failing = self.count_down();
        let lost = || StoreError::unavailable(io::Error::other("connection reset"));
        if failing == Some(Failing::BeforeTheWork) {
            return Err(lost());
        }
        let answer = work.await;
        Pauses(self.pauses.load(Ordering::SeqCst)).await;
        if failing == Some(Failing::AfterTheWork) { Err(lost()) } else { answer }
    }

    fn count_down(&self) -> Option<Failing> {
        let mut failing = self.failing.lock().unwrap();
        match &mut *failing {
            Some((0, _)) => failing.take().map(|(_, failing)| failing),
            Some((after, _)) => {
                *after -= 1;
                None
            }
            None => None,
        }
    }
}

/// Pending so many times.
struct Pauses(usize);

impl Future for Pauses {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl Lookup for Staged {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.at("find", self.records.find(kind, id)).await
    }
}

#[async_trait]
impl Store for Staged {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        let found = self.at("read", self.records.read(kind, id)).await?;
        let answer = self.answer.lock().unwrap().clone();
        Ok(answer.map(Entry::from).or(found))
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.known.lock().unwrap().insert(record.key());
        self.at("insert", self.records.insert(record)).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let outrun = self.outrun.load(Ordering::SeqCst);
        if outrun > 0 {
            self.outrun.store(outrun - 1, Ordering::SeqCst);
            return self.at("update", async { Ok(Updated::Changed) }).await;
        }
        if self.repeats.load(Ordering::SeqCst) {
            assert_eq!(self.records.update(seen, record).await.unwrap(), Updated::Yes);
            if self.renames.load(Ordering::SeqCst) {
                let version = record.version();
                let renamed =
                    record.to_builder().name("renamed meanwhile").version(version + 1).build().unwrap();
                let renamed = self.records.update(version, &Arc::new(renamed)).await.unwrap();
                assert_eq!(renamed, Updated::Yes);
            }
        }
        self.at("update", self.records.update(seen, record)).await
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let listed = self.listed.lock().unwrap().clone();
        if let Some(record) = listed {
            return Ok(vec![record.into()]);
        }
        self.at("list", self.records.list(owner, after, limit)).await
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        self.at("count_live", self.records.count_live(owner, now)).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        self.at("revoke_owned", self.records.revoke_owned(owner, revocation)).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.at("record_uses", self.records.record_uses(uses)).await
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        self.at("count_slots", self.records.count_slots(now)).await
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.at("expiring", self.records.expiring(from, until, after, limit)).await
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.at("unused", self.records.unused(since, now, after, limit)).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.at("purge", self.records.purge(before, limit)).await
    }
}
