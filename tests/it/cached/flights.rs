//! One call for all who ask for the same credential at the same time, whoever of them stays.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use async_trait::async_trait;
use keygate::{
    Authenticator, Cached, Caller, CredentialId, DigestKeys, Issuer, Kind, Lifetime, Lookup, NewApiKey,
    Record, Refusal, Store, StoreError, StoreErrorKind,
};
use pollster::block_on;

use super::{Database, asked, cached, find, peeks, ready};
use crate::store::{of, user};

/// Promise P29: ten thousand verifications of one cold credential, one read, and all are right.
#[test]
fn many_who_ask_at_once_cost_one_read() {
    let (database, _, cached) = cached(|builder| builder);
    let keys = DigestKeys::ephemeral().unwrap();
    let issuer = Issuer::new(cached.clone(), keys.clone());
    let issued = block_on(issuer.api_keys().issue(NewApiKey::new("u-17", Lifetime::days(1)))).unwrap();
    let gate = Authenticator::new(cached, keys);
    database.hold();
    type Asked<'a> = Pin<Box<dyn Future<Output = Result<Caller, Refusal>> + Send + 'a>>;
    let mut all: Vec<Asked<'_>> = Vec::new();
    all.resize_with(10_000, || Box::pin(gate.authenticate([("x-api-key", issued.text.expose())])));
    assert!(all.iter_mut().all(|one| ready(one).is_none()));
    database.release();
    for one in &mut all {
        assert_eq!(ready(one).unwrap().unwrap().credential(), issued.record.key());
    }
    assert_eq!(database.finds(), 1);
}

/// The same from threads, a new credential each time.
#[test]
fn many_threads_that_ask_at_once_cost_one_read() {
    const ROUNDS: usize = 200;
    let (database, _, cached) = cached(|builder| builder);
    let keys: Vec<_> = (0..ROUNDS).map(|at| database.put(&format!("id{at}"))).collect();
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for key in &keys {
                    barrier.wait();
                    assert!(block_on(cached.find(key.kind, &key.id)).unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(database.finds(), ROUNDS);
}

/// Each of the many cold ones costs one read at most.
#[test]
fn as_many_credentials_cost_as_many_reads() {
    let (database, _, cached) = cached(|builder| builder.max_waiting(20_000));
    let keys: Vec<_> = (0..10_000).map(|at| database.put(&format!("id{at}"))).collect();
    database.hold();
    let mut all: Vec<_> = keys.iter().chain(&keys).map(|key| asked(&cached, *key)).collect();
    assert!(all.iter_mut().all(|one| ready(one).is_none()));
    assert_eq!(database.finds(), 64, "so many at a time");
    database.release();
    // A turn that is given back wakes who is next; nobody's task sleeps here, so they are polled until all are done.
    let mut rounds = 0;
    while !all.is_empty() {
        all.retain_mut(|one| ready(one).is_none());
        rounds += 1;
        assert!(rounds < 1_000, "{} are stuck", all.len());
    }
    assert_eq!(database.finds(), 10_000);
}

#[test]
fn who_leaves_holds_nobody_back() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.hold();
    let mut asking: Vec<_> = (0..3).map(|_| asked(&cached, key)).collect();
    assert!(asking.iter_mut().all(|one| ready(one).is_none()));
    // The first made the call. It leaves; the others go on with the same call.
    drop(asking.remove(0));
    database.release();
    assert!(asking.iter_mut().all(|one| ready(one).unwrap().unwrap().is_some()));
    assert_eq!(database.finds(), 1);
}

/// A task that asked and then does something else, without looking again, stops nobody: whoever waits drives the call.
#[test]
fn who_sleeps_holds_nobody_back() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.hold();
    let mut sleeper = asked(&cached, key);
    assert!(ready(&mut sleeper).is_none());
    database.release();
    assert!(find(&cached, key).unwrap().is_some());
    assert_eq!(database.finds(), 1);
    assert!(ready(&mut sleeper).unwrap().unwrap().is_some());
}

#[test]
fn when_all_leave_the_call_is_dropped_and_the_next_one_asks_anew() {
    let (database, _, cached) = cached(|builder| builder.max_loads(1).max_waiting(0));
    let key = database.put("a");
    for round in 1..=100 {
        database.hold();
        let mut asking: Vec<_> = (0..3).map(|_| asked(&cached, key)).collect();
        assert!(asking.iter_mut().all(|one| ready(one).is_none()));
        drop(asking);
        assert_eq!(database.finds(), round, "and the one turn that there is was given back");
    }
    database.release();
    assert!(find(&cached, key).unwrap().is_some());
    assert_eq!(database.finds(), 101);
}

/// An error is the answer to those who waited for it, and to nobody who comes later.
#[test]
fn an_error_is_shared_by_those_who_waited_and_never_kept() {
    type Make = fn() -> StoreError;
    let errors: [Make; 3] = [
        || StoreError::unavailable("reset"),
        || StoreError::corrupt("not JSON"),
        || StoreError::rejected("schema 7"),
    ];
    for error in errors {
        let (database, _, cached) = cached(|builder| builder);
        let key = database.put("a");
        database.fail(Some(error()));
        database.hold();
        let mut asking: Vec<_> = (0..3).map(|_| asked(&cached, key)).collect();
        assert!(asking.iter_mut().all(|one| ready(one).is_none()));
        database.release();
        for one in &mut asking {
            let got = ready(one).unwrap().unwrap_err();
            assert_eq!(got.kind(), error().kind());
            let source = |error: &StoreError| std::error::Error::source(error).unwrap().to_string();
            assert_eq!(source(&got), source(&error()));
        }
        assert_eq!(database.finds(), 1);
        assert_eq!(peeks(&cached, key), "ask");
        database.fail(None);
        assert!(find(&cached, key).unwrap().is_some());
        assert_eq!(database.finds(), 2);
    }
}

/// Nor is it kept by one of those who waited and did not look again.
#[test]
fn an_error_is_given_to_nobody_who_comes_after_it() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.fail(Some(StoreError::unavailable("reset")));
    database.hold();
    let (mut first, mut sleeper) = (asked(&cached, key), asked(&cached, key));
    assert!(ready(&mut first).is_none() && ready(&mut sleeper).is_none());
    database.release();
    assert!(ready(&mut first).unwrap().is_err());
    database.fail(None);
    assert!(find(&cached, key).unwrap().is_some());
    assert_eq!(database.finds(), 2);
    assert!(ready(&mut sleeper).unwrap().is_err());
}

/// A call that an invalidation has overtaken ends, and who comes then joins the one that was made in its place.
#[test]
fn an_old_call_that_ends_leaves_the_new_one_in_its_place() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.hold();
    let mut old = asked(&cached, key);
    assert!(ready(&mut old).is_none());
    cached.invalidate(&key);
    let mut new = asked(&cached, key);
    assert!(ready(&mut new).is_none());
    drop(old);
    let mut joined = asked(&cached, key);
    assert!(ready(&mut joined).is_none());
    assert_eq!(database.finds(), 2);
    database.release();
    assert!(ready(&mut new).unwrap().is_ok() && ready(&mut joined).unwrap().is_ok());
}

/// A lookup that panics while it is told to, with the answer at hand.
struct Panics(Database, AtomicUsize);

#[async_trait]
impl Lookup for Panics {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let found = self.0.find(kind, id).await;
        assert_eq!(self.1.load(Ordering::SeqCst), 0, "the driver's own panic");
        found
    }
}

/// Promise P28: one caller gets the panic, who waited with it could not decide, and nothing is poisoned.
#[test]
fn a_panic_is_one_callers_and_undecided_for_the_others() {
    let database = Database::default();
    let key = database.put("a");
    let panics = Arc::new(Panics(database.clone(), AtomicUsize::new(1)));
    let cached = Cached::new(Arc::clone(&panics));
    for _ in 0..70 {
        // More often than there are turns: each is given back.
        database.hold();
        let mut asking: Vec<_> = (0..3).map(|_| asked(&cached, key)).collect();
        assert!(asking.iter_mut().all(|one| ready(one).is_none()));
        database.release();
        let ends: Vec<_> =
            asking.iter_mut().map(|one| catch_unwind(AssertUnwindSafe(|| ready(one).unwrap()))).collect();
        let panic = ends[0].as_ref().unwrap_err().downcast_ref::<String>().unwrap();
        assert!(panic.contains("the driver's own panic"), "{panic}");
        for end in &ends[1..] {
            let error = end.as_ref().unwrap().as_ref().unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        }
    }
    panics.1.store(0, Ordering::SeqCst);
    assert!(block_on(cached.find(key.kind, &key.id)).unwrap().is_some());
    assert_eq!(peeks(&cached, key), "known");
}

/// What a store mixed up is passed on, for who asked to refuse it, and not kept.
#[test]
fn another_credentials_record_is_not_kept() {
    struct Mixed(Arc<Record>, AtomicUsize);
    #[async_trait]
    impl Lookup for Mixed {
        async fn find(&self, _: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            Ok(Some(Arc::clone(&self.0)))
        }
    }
    let record = Arc::new(of(&user("u-17"), "another").build().unwrap());
    let mixed = Arc::new(Mixed(record, AtomicUsize::new(0)));
    let cached = Cached::new(Arc::clone(&mixed));
    let key = Database::default().put("a");
    for asked in 1..4 {
        assert!(find(&cached, key).unwrap().is_some());
        assert_eq!(peeks(&cached, key), "ask");
        assert_eq!(mixed.1.load(Ordering::SeqCst), asked);
    }
}

#[test]
fn it_is_a_store_over_a_store_and_a_handle_on_one_cache() {
    fn is<T: Store + Clone + Send + Sync + std::fmt::Debug>(_: &T) {}
    let (database, _, cached) = cached(|builder| builder);
    is(&cached);
    let any: Arc<dyn Store> = Arc::new(database.clone());
    is(&Cached::new(any));
    let key = database.put("a");
    assert!(find(&cached, key).unwrap().is_some());
    assert_eq!(peeks(&cached.clone(), key), "known");
    assert_eq!(format!("{cached:?}"), "Cached { max_staleness: 5s, records: 1, absences: 0, .. }");
}
