//! The cache: nothing older than its bound, nothing that an invalidation has overtaken, one call for all who ask.

mod bounds;
mod feed;
mod flights;
mod invalidation;
mod judged_at_use;
mod lessons;
mod overload;
mod simulation;
mod stale;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use keygate::{
    Cached, CachedBuilder, Clock, CredentialId, CredentialKey, Inserted, Kind, Lookup, MemoryStore, Peek,
    Record, Revocation, Store, StoreError, Timestamp, Updated,
};
use pollster::block_on;

use crate::store::of;
use crate::support::fixtures::NOW;

/// A clock that is told its monotonic time in fine steps; its wall stands still.
#[derive(Clone, Default)]
struct Ticks(Arc<Mutex<Duration>>);

impl Ticks {
    fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

/// A database: it has to be asked, counts how often it is, and answers when it is let.
#[derive(Clone, Default)]
struct Database(Arc<Inside>);

#[derive(Default)]
struct Inside {
    store: MemoryStore,
    finds: AtomicUsize,
    /// While true, an answer that was read is not given.
    holds: AtomicBool,
    held: Mutex<Vec<Waker>>,
    /// While true, what is asked of it as a store is not begun.
    stalls: AtomicBool,
    fails: Mutex<Option<StoreError>>,
}

impl Database {
    fn finds(&self) -> usize {
        self.0.finds.load(Ordering::SeqCst)
    }

    /// From now on answers are read and held back.
    fn hold(&self) {
        self.0.holds.store(true, Ordering::SeqCst);
    }

    fn release(&self) {
        self.0.holds.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.0.held.lock().unwrap()).into_iter().for_each(Waker::wake);
    }

    /// From now on nothing is written, or read as the truth; or it is again.
    fn stall(&self, stalls: bool) {
        self.0.stalls.store(stalls, Ordering::SeqCst);
    }

    fn fail(&self, error: Option<StoreError>) {
        *self.0.fails.lock().unwrap() = error;
    }

    /// A new API key's record, past any cache.
    fn put(&self, id: &str) -> CredentialKey {
        let record = Arc::new(of(&super::store::user("u-17"), id).build().unwrap());
        assert_eq!(block_on(self.0.store.insert(&record)).unwrap(), Inserted::Yes);
        record.key()
    }
}

#[async_trait]
impl Lookup for Database {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let nth = self.0.finds.fetch_add(1, Ordering::SeqCst);
        let fails = self.0.fails.lock().unwrap().clone();
        let found = match fails {
            Some(error) => Err(error),
            None => self.0.store.find(kind, id).await,
        };
        if nth.is_multiple_of(3) {
            // Between the read and its answer, somebody else writes.
            std::thread::yield_now();
        }
        poll_fn(|context| {
            // Under the lock, or a release could come between the look and the waker.
            let mut held = self.0.held.lock().unwrap();
            if self.0.holds.load(Ordering::SeqCst) {
                held.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        found
    }
}

/// The same as a store: what `Cached` passes on goes straight to the truth.
macro_rules! to_the_truth {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Database {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                // Whoever stalls it polls by hand.
                let stalls = || self.0.stalls.load(Ordering::SeqCst);
                poll_fn(|_| if stalls() { Poll::Pending } else { Poll::Ready(()) }).await;
                self.0.store.$name($($argument),*).await
            })*
        }
    };
}

to_the_truth! {
    read(kind: Kind, id: &CredentialId) -> Option<keygate::Entry>;
    insert(record: &Arc<Record>) -> Inserted;
    update(seen: u64, record: &Arc<Record>) -> Updated;
    list(owner: &keygate::Owner, after: Option<&CredentialId>, limit: usize) -> Vec<keygate::Entry>;
    count_live(owner: &keygate::Owner, now: Timestamp) -> u64;
    revoke_owned(owner: &keygate::Owner, revocation: &Revocation) -> u64;
    record_uses(uses: &[keygate::Use]) -> ();
    count_slots(now: Timestamp) -> Vec<keygate::SlotCount>;
    expiring(from: Timestamp, until: Timestamp, after: Option<&CredentialKey>, limit: usize) -> Vec<keygate::Entry>;
    unused(since: Timestamp, now: Timestamp, after: Option<&CredentialKey>, limit: usize) -> Vec<keygate::Entry>;
    purge(before: Timestamp, limit: usize) -> u64;
}

/// A database, a clock, and what the builder is told besides.
fn cached(
    set: impl FnOnce(CachedBuilder<Database>) -> CachedBuilder<Database>,
) -> (Database, Ticks, Cached<Database>) {
    let (database, clock) = (Database::default(), Ticks::default());
    let cached = set(Cached::builder(database.clone()).clock(clock.clone())).build().unwrap();
    (database, clock, cached)
}

/// What a lookup finds, without waiting for anything.
#[track_caller]
fn find(lookup: &dyn Lookup, key: CredentialKey) -> Result<Option<Arc<Record>>, StoreError> {
    let mut find = asked(lookup, key);
    ready(&mut find).expect("an answer at once")
}

type Find<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send + 'a>>;

/// The same as a future of its own, not polled yet.
fn asked(lookup: &dyn Lookup, key: CredentialKey) -> Find<'_> {
    Box::pin(async move { lookup.find(key.kind, &key.id).await })
}

/// Polls once.
fn ready<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Revokes through this store, and says so.
fn revoke(store: &dyn Store, key: CredentialKey) {
    let entry = block_on(store.read(key.kind, &key.id)).unwrap().unwrap();
    let version = entry.record.version();
    let revoked = entry.record.to_builder().revoked(Revocation::new(NOW, "left"));
    let revoked = Arc::new(revoked.version(version + 1).build().unwrap());
    assert_eq!(block_on(store.update(version, &revoked)).unwrap(), Updated::Yes);
}

fn is_revoked(found: &Result<Option<Arc<Record>>, StoreError>) -> bool {
    found.as_ref().unwrap().as_ref().unwrap().revocation().is_some()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn peeks(lookup: &dyn Lookup, key: CredentialKey) -> &'static str {
    match lookup.peek(key.kind, &key.id) {
        Peek::Known(_) => "known",
        Peek::Absent => "absent",
        Peek::Ask => "ask",
    }
}
