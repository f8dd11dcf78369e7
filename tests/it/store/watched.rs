//! A memory store that is watched: it logs each call, and waits and fails as it is told.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, Kind, Lookup, MemoryStore, Owner, Peek, Record, Revocation,
    SlotCount, Store, StoreError, Timestamp, Updated, Use,
};

/// Every call that changes something, by name.
pub(crate) const WRITES: [&str; 5] = ["insert", "update", "revoke_owned", "record_uses", "purge"];

type Fault = Arc<dyn Fn(&'static str) -> Option<StoreError> + Send + Sync>;

pub(crate) struct Watched {
    /// What it holds, for tests that look past the log.
    pub(crate) store: MemoryStore,
    /// Of which kinds it knows the records at once.
    peeks: fn(Kind) -> bool,
    log: Mutex<Vec<(&'static str, String)>>,
    pauses: AtomicUsize,
    fault: Mutex<Option<Fault>>,
}

impl Watched {
    pub(crate) fn new(peeks: fn(Kind) -> bool) -> Arc<Self> {
        Arc::new(Self {
            store: MemoryStore::new(),
            peeks,
            log: Mutex::default(),
            pauses: AtomicUsize::new(0),
            fault: Mutex::default(),
        })
    }

    /// Each answer but a peek's is pending so many times.
    pub(crate) fn pause(&self, times: usize) {
        self.pauses.store(times, Ordering::Relaxed);
    }

    /// What becomes of calls, by their names, before they have an effect.
    pub(crate) fn fail(&self, fault: impl Fn(&'static str) -> Option<StoreError> + Send + Sync + 'static) {
        *self.fault.lock().unwrap() = Some(Arc::new(fault));
    }

    pub(crate) fn heal(&self) {
        *self.fault.lock().unwrap() = None;
    }

    /// The calls since this was asked last, with their arguments.
    pub(crate) fn calls(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    /// The same without the arguments.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.calls().into_iter().map(|(name, _)| name).collect()
    }

    async fn call(&self, name: &'static str, arguments: String) -> Result<(), StoreError> {
        self.log.lock().unwrap().push((name, arguments));
        // Called with no lock held: a fault may be a panic.
        let fault = self.fault.lock().unwrap().clone();
        let error = fault.and_then(|fault| fault(name));
        for _ in 0..self.pauses.load(Ordering::Relaxed) {
            pending_once().await;
        }
        error.map_or(Ok(()), Err)
    }
}

/// Pending at the first poll, and ready at the second.
pub(crate) async fn pending_once() {
    let mut polled = false;
    poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a future comes to within so many polls; else it is dropped where it is.
pub(crate) fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..times).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

#[async_trait]
impl Lookup for Watched {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.call("find", format!("{kind} {id}")).await?;
        self.store.find(kind, id).await
    }

    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        self.log.lock().unwrap().push(("peek", format!("{kind} {id}")));
        let fault = self.fault.lock().unwrap().clone();
        if let Some(fault) = fault {
            // A peek cannot fail, but it can panic.
            let _none = fault("peek");
        }
        if (self.peeks)(kind) { self.store.peek(kind, id) } else { Peek::Ask }
    }
}

#[async_trait]
impl Store for Watched {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        self.call("read", format!("{kind} {id}")).await?;
        self.store.read(kind, id).await
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.call("insert", format!("{}", record.key())).await?;
        self.store.insert(record).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        self.call("update", format!("{seen} {} {}", record.key(), record.version())).await?;
        self.store.update(seen, record).await
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.call("list", format!("{owner} {after:?} {limit}")).await?;
        self.store.list(owner, after, limit).await
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        self.call("count_live", format!("{owner} {now}")).await?;
        self.store.count_live(owner, now).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        self.call("revoke_owned", format!("{owner} {} {}", revocation.at, revocation.reason)).await?;
        self.store.revoke_owned(owner, revocation).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.call("record_uses", format!("{}", uses.len())).await?;
        self.store.record_uses(uses).await
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        self.call("count_slots", format!("{now}")).await?;
        self.store.count_slots(now).await
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.call("expiring", format!("{from} {until} {after:?} {limit}")).await?;
        self.store.expiring(from, until, after, limit).await
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.call("unused", format!("{since} {now} {after:?} {limit}")).await?;
        self.store.unused(since, now, after, limit).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.call("purge", format!("{before} {limit}")).await?;
        self.store.purge(before, limit).await
    }
}
