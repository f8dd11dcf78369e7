//! A store that has a deadline: what comes in time is passed on, and what does not is unavailable.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keygate::{
    Authenticator, CredentialId, Deadline, Inserted, Kind, Lookup, MemoryStore, Peek, Reason, Record,
    Revocation, Store, StoreError, StoreErrorKind, Use,
};
use pollster::block_on;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::forwarding::ask_all;
use super::watched::{Watched, polled};
use super::{at, built, id, of, user};
use crate::decision::{has_the_face_of_a_failure, ring};
use crate::faults::kit::faulty::{Fault, Faulty, Lasts};
use crate::support::fixtures::{NOW, line};

const LIMIT: Duration = Duration::from_secs(2);

/// Its clock goes on by itself when everybody waits.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// A store that never answers, what is behind it, and the one record that it holds.
fn silent(fault: Fault) -> (Deadline<Arc<Faulty>>, MemoryStore, Arc<Record>) {
    let truth = MemoryStore::new();
    let faulty = Faulty::over(Arc::new(truth.clone()));
    let record = built(of(&user("u-17"), "a"));
    assert_eq!(block_on(truth.insert(&record)).unwrap(), Inserted::Yes);
    faulty.fail(0, fault, Lasts::UntilHealed);
    (Deadline::new(faulty, LIMIT).unwrap(), truth, record)
}

#[test]
fn every_method_arrives_and_so_does_its_answer() {
    let runtime = runtime();
    let direct = Watched::new(|_| true);
    let expected = (ask_all(&*direct), direct.calls());
    let store = Watched::new(|_| true);
    let deadline = Deadline::new(Arc::clone(&store), LIMIT).unwrap();
    let _entered = runtime.enter();
    assert_eq!((ask_all(&deadline), store.calls()), expected);
    assert_eq!(format!("{deadline:?}"), "Deadline { within: 2s, .. }");
}

/// An error of the store's own is passed on as it is.
#[test]
fn what_fails_in_time_fails_by_itself() {
    let runtime = runtime();
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Corrupt, StoreErrorKind::Rejected] {
        let store = Watched::new(|_| false);
        store.fail(move |_| {
            Some(match kind {
                StoreErrorKind::Corrupt => StoreError::corrupt("its own"),
                StoreErrorKind::Rejected => StoreError::rejected("its own"),
                _ => StoreError::unavailable("its own"),
            })
        });
        let deadline = Deadline::new(store, LIMIT).unwrap();
        let error = runtime.block_on(deadline.read(Kind::ApiKey, &id("a"))).unwrap_err();
        assert_eq!((error.kind(), error.source().unwrap().to_string()), (kind, "its own".to_owned()));
    }
}

/// Never that there is none, never that nothing is there to be done: of each method, that it is not known.
#[test]
fn what_does_not_come_in_time_is_unavailable() {
    let (store, _, record) = silent(Fault::Silent);
    let (key, owner, next) = (record.key(), record.owner().clone(), built(record.to_builder().version(2)));
    let uses = [Use { key, secret: 1, at: NOW }];
    let revocation = Revocation::new(NOW, "left");
    macro_rules! is_unavailable {
        ($($call:expr),* $(,)?) => {$(
            runtime().block_on(async {
                let began = Instant::now();
                let error = $call.await.map(drop).unwrap_err();
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, stringify!($call));
                assert_eq!(error.source().unwrap().to_string(), "no answer within 2 s");
                assert!((LIMIT..LIMIT + Duration::from_millis(2)).contains(&began.elapsed()));
            });
        )*};
    }
    is_unavailable!(
        store.find(key.kind, &key.id),
        store.read(key.kind, &key.id),
        store.insert(&record),
        store.update(1, &next),
        store.list(&owner, None, 1),
        store.count_live(&owner, NOW),
        store.revoke_owned(&owner, &revocation),
        store.record_uses(&uses),
        store.count_slots(NOW),
        store.expiring(NOW, at(10), None, 1),
        store.unused(at(10), NOW, None, 1),
        store.purge(NOW, 1),
    );
}

#[test]
fn a_write_that_is_given_up_may_be_done() {
    let (store, truth, record) = silent(Fault::SilentAfter);
    let next = built(record.to_builder().name("renamed").version(2));
    let error = runtime().block_on(store.update(1, &next)).unwrap_err();
    assert!(error.is_retryable());
    let found = block_on(truth.find(Kind::ApiKey, &id("a"))).unwrap().unwrap();
    assert_eq!(found.name(), Some("renamed"));
}

/// Whoever asks gets *undecided*, with what it waited for as the reason.
#[test]
fn a_gate_behind_a_deadline_is_undecided() {
    let keys = ring(1, &[2]);
    let (store, ..) = silent(Fault::Silent);
    let gate =
        Authenticator::builder(store, keys.clone()).clock(keygate::ManualClock::at(NOW)).build().unwrap();
    for kind in Kind::ALL {
        let text = keys.draw(kind, &keygate::SystemRandom).unwrap().text;
        let (refusal, waited) = runtime().block_on(async {
            let began = Instant::now();
            (gate.authenticate([line(text.expose())]).await.unwrap_err(), began.elapsed())
        });
        assert!(waited < LIMIT + Duration::from_millis(2), "{waited:?}");
        has_the_face_of_a_failure(&refusal);
        assert_eq!(refusal.reason(), Reason::StoreUnavailable);
        assert_eq!(refusal.explain().to_string(), "the store did not answer: no answer within 2 s");
    }
}

/// A lookup that counts the calls that are under way.
#[derive(Default)]
struct Hanging(Arc<AtomicUsize>);

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Lookup for Hanging {
    async fn find(&self, _: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _guard = Guard(Arc::clone(&self.0));
        std::future::pending().await
    }

    fn peek(&self, _: Kind, _: &CredentialId) -> Peek {
        Peek::Absent
    }
}

/// The store's future is dropped at the deadline, and with the future of whoever asks.
#[test]
fn nothing_waits_past_the_deadline() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let lookup = Deadline::new(Hanging(Arc::clone(&under_way)), LIMIT).unwrap();
    let runtime = runtime();
    runtime.block_on(async {
        assert!(lookup.find(Kind::ApiKey, &id("a")).await.is_err());
        assert_eq!(under_way.load(Ordering::SeqCst), 0);
        let id = id("a");
        let mut call = lookup.find(Kind::ApiKey, &id);
        assert!(polled(call.as_mut(), 1).is_none());
        assert_eq!(under_way.load(Ordering::SeqCst), 1);
        drop(call);
        assert_eq!(under_way.load(Ordering::SeqCst), 0);
    });
    assert!(matches!(lookup.peek(Kind::ApiKey, &id("a")), Peek::Absent), "its own, and not the default");
}

/// Outside a runtime there is no timer, so nothing is asked: an error, where tokio would panic.
#[test]
fn without_a_runtime_nothing_is_asked() {
    let store = Watched::new(|_| true);
    let deadline = Deadline::new(Arc::clone(&store), LIMIT).unwrap();
    let record = built(of(&user("u-17"), "a"));
    let read = block_on(deadline.read(Kind::ApiKey, &id("a"))).map(drop);
    let inserted = block_on(deadline.insert(&record)).map(drop);
    for error in [read.unwrap_err(), inserted.unwrap_err()] {
        assert_eq!(error.kind(), StoreErrorKind::Rejected);
        assert!(error.source().unwrap().to_string().contains("Tokio"), "{:?}", error.source());
    }
    assert!(store.names().is_empty());
    assert!(matches!(deadline.peek(Kind::ApiKey, &id("a")), Peek::Absent));
}

#[test]
fn a_deadline_is_a_millisecond_to_an_hour() {
    let made = |nanos| Deadline::new(MemoryStore::new(), Duration::from_nanos(nanos)).map(drop);
    let (ms, hour) = (1_000_000, 3_600_000_000_000);
    for good in [ms, ms + 1, hour - 1, hour] {
        assert_eq!(made(good), Ok(()));
    }
    for bad in [0, 1, ms - 1, hour + 1, u64::MAX] {
        assert_eq!(made(bad).unwrap_err().to_string(), "deadline: expected 1 ms to 1 hour");
    }
    assert!(Deadline::new(MemoryStore::new(), Duration::MAX).is_err());
}

/// What it says it waited for, in seconds where they are whole.
#[test]
fn the_error_says_how_long_it_waited() {
    for (millis, expected) in [(1, "1 ms"), (250, "250 ms"), (1_500, "1500 ms"), (60_000, "60 s")] {
        let lookup = Deadline::new(Hanging::default(), Duration::from_millis(millis)).unwrap();
        let error = runtime().block_on(lookup.find(Kind::ApiKey, &id("a"))).unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), format!("no answer within {expected}"));
    }
}
