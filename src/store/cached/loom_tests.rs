//! Every interleaving of a fetch, a write and a call that begins after the write was acknowledged: the cache itself, over a
//! store whose steps loom sees.
//!
//! loom switches threads where a generation, the store or the flag is touched, and so runs what lies between (the shelf, the table
//! of flights) in one piece: its orders are for tests/it/cached.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};

use super::writes::Writing;
use super::*;
use crate::{ApiKeyGrant, DigestKeys, Revocation, SystemRandom, Timestamp};

/// A store of one record, which a write revokes.
struct OneRecord(Arc<Mutex<Arc<Record>>>);

#[async_trait]
impl Lookup for OneRecord {
    async fn find(&self, _: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(Some(Arc::clone(&self.0.lock().unwrap())))
    }
}

/// It stands still: what is shown here, no passing of time brings about.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Asks again instead of waiting to be woken: loom's own waker is a step, and one is cloned under a lock.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::yield_now(),
        }
    }
}

#[derive(Clone)]
struct Model {
    cached: Cached<OneRecord>,
    truth: Arc<Mutex<Arc<Record>>>,
    revoked: Arc<Record>,
    acknowledged: Arc<AtomicBool>,
}

impl Model {
    fn new(active: &Arc<Record>, revoked: &Arc<Record>) -> Self {
        let truth = Arc::new(Mutex::new(Arc::clone(active)));
        let cached =
            Cached::builder(OneRecord(Arc::clone(&truth))).clock(Still).max_records(1).build().unwrap();
        Self { cached, truth, revoked: Arc::clone(revoked), acknowledged: Arc::new(AtomicBool::new(false)) }
    }

    fn is_revoked(&self) -> bool {
        let found = block_on(self.cached.find(self.revoked.key().kind, self.revoked.id()));
        found.unwrap().unwrap().revocation().is_some()
    }

    fn write(&self) {
        *self.truth.lock().unwrap() = Arc::clone(&self.revoked);
    }

    fn is_revoked_or_was_not_acknowledged(&self) -> bool {
        let acknowledged = self.acknowledged.load(Ordering::Acquire);
        let is_revoked = self.is_revoked();
        assert!(is_revoked || !acknowledged, "the old record for a call that began after the write");
        is_revoked
    }

    fn spawn(&self, call: fn(&Self) -> bool) -> JoinHandle<bool> {
        let model = self.clone();
        thread::spawn(move || call(&model))
    }
}

/// One who fetches before, meanwhile or after; the writer; and a caller who, if it begins after the acknowledgement, gets the
/// new record. Then the same with the writer as that caller.
fn check(max_preemptions: Option<usize>, write: fn(&Model)) {
    let keys = DigestKeys::ephemeral().unwrap();
    let drawn = keys.draw(Kind::ApiKey, &SystemRandom).unwrap();
    let (grant, now) = (ApiKeyGrant::new("u-17").unwrap(), Timestamp::from_unix(0));
    let active = Record::builder(drawn.key.id, grant, drawn.digest, now).build().unwrap();
    let revoked = active.to_builder().revoked(Revocation::new(now, "leaked")).version(1).build().unwrap();
    let (active, revoked) = (Arc::new(active), Arc::new(revoked));
    for is_writer_alone in [true, false] {
        let (active, revoked) = (Arc::clone(&active), Arc::clone(&revoked));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = max_preemptions;
        builder.check(move || {
            let model = Model::new(&active, &revoked);
            let mut others = vec![model.spawn(Model::is_revoked)];
            if !is_writer_alone {
                others.push(model.spawn(Model::is_revoked_or_was_not_acknowledged));
            }
            write(&model);
            model.acknowledged.store(true, Ordering::Release);
            if is_writer_alone {
                assert!(model.is_revoked(), "the old record for the writer after its write");
            }
            for other in others {
                other.join().unwrap();
            }
            assert!(model.is_revoked(), "the old record was kept over the write");
        });
    }
}

#[test]
fn what_was_fetched_before_a_write_is_never_used_by_a_call_that_begins_after_it() {
    // More than these take minutes; the write with one invalidation below goes without a bound.
    check(Some(4), |model| {
        let _writing = Writing::of(&model.cached.0.generations, Some(model.revoked.key()));
        model.write();
    });
}

#[test]
fn an_invalidation_after_a_write_past_the_cache_is_enough() {
    check(None, |model| {
        model.write();
        model.cached.invalidate(&model.revoked.key());
    });
}

#[test]
#[should_panic(expected = "the old record")]
fn an_invalidation_before_the_write_alone_is_found() {
    check(None, |model| {
        model.cached.invalidate(&model.revoked.key());
        model.write();
    });
}
