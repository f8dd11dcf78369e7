//! A store that stands still: bounded calls, a bounded queue, and the rest fails at once.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use keygate::{CredentialKey, StoreErrorKind};

use super::{Find, asked, cached, find, ready, seconds};

/// Promise P30: fifty thousand at once against a store that answers after four seconds.
#[test]
fn what_does_not_fit_fails_at_once_and_the_rest_is_answered() {
    let (database, clock, cached) = cached(|builder| builder);
    let keys: Vec<_> = (0..50_000).map(|at| database.put(&format!("id{at}"))).collect();
    database.hold();
    let mut waiting: Vec<Find<'_>> = Vec::new();
    for key in &keys {
        let mut one = asked(&cached, *key);
        match ready(&mut one) {
            None => waiting.push(one),
            Some(answer) => {
                let error = answer.unwrap_err();
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                assert_eq!(error.source().unwrap().to_string(), "too many calls wait for the store");
            }
        }
    }
    assert_eq!((waiting.len(), database.finds()), (64 + 1_024, 64));
    clock.pass(seconds(4));
    database.release();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain_mut(|one| match ready(one) {
            Some(answer) => answer.unwrap().is_none(),
            None => true,
        });
        assert!(waiting.len() < before, "{before} are stuck");
    }
    // At once there is room again.
    assert!(keys[2_000..4_000].iter().all(|key| find(&cached, *key).unwrap().is_some()));
}

#[test]
fn waiting_is_no_part_of_an_answers_age() {
    let (database, clock, cached) = cached(|builder| builder.max_loads(1));
    let (first, second) = (database.put("a"), database.put("b"));
    database.hold();
    let (mut one, mut two) = (asked(&cached, first), asked(&cached, second));
    assert!(ready(&mut one).is_none() && ready(&mut two).is_none());
    assert_eq!(database.finds(), 1);
    clock.pass(seconds(4));
    database.release();
    assert!(ready(&mut one).unwrap().unwrap().is_some());
    clock.pass(seconds(4));
    assert!(ready(&mut two).unwrap().unwrap().is_some(), "it was read now, and not eight seconds ago");
}

#[test]
fn who_leaves_the_queue_leaves_its_place() {
    let (database, _, cached) = cached(|builder| builder.max_loads(1).max_waiting(1));
    let keys: Vec<_> = (0..3).map(|at| database.put(&format!("id{at}"))).collect();
    database.hold();
    let mut loads = asked(&cached, keys[0]);
    assert!(ready(&mut loads).is_none());
    for _ in 0..100 {
        let mut waits = asked(&cached, keys[1]);
        assert!(ready(&mut waits).is_none());
        assert!(find(&cached, keys[2]).is_err(), "there is one place");
    }
    // The one whose turn it is may leave too: the turn goes on to the next.
    let mut next = asked(&cached, keys[2]);
    assert!(ready(&mut next).is_none());
    drop(loads);
    database.release();
    assert!(ready(&mut next).unwrap().unwrap().is_some());
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A turn that comes is told to who waits for it: nobody has to look again by itself.
#[test]
fn whose_turn_comes_is_woken() {
    let (database, _, cached) = cached(|builder| builder.max_loads(1));
    let keys: Vec<CredentialKey> = (0..2).map(|at| database.put(&format!("id{at}"))).collect();
    database.hold();
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut loads = asked(&cached, keys[0]);
    assert!(ready(&mut loads).is_none());
    let mut waits = asked(&cached, keys[1]);
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    database.release();
    assert!(ready(&mut loads).unwrap().is_ok());
    assert!(woken.0.load(Ordering::SeqCst) > 0);
    assert!(matches!(waits.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(Some(_)))));
}

/// One that is called and does not come, because its task does something else, keeps its own turn and nobody else's.
#[test]
fn whoever_does_not_come_when_called_holds_nobody_back() {
    let (database, _, cached) = cached(|builder| builder.max_loads(4));
    let keys: Vec<CredentialKey> = (0..10).map(|at| database.put(&format!("id{at}"))).collect();
    database.hold();
    let mut all: Vec<Find<'_>> = keys.iter().map(|key| asked(&cached, *key)).collect();
    let woken: Vec<_> = keys.iter().map(|_| Arc::new(Woken(AtomicUsize::new(1)))).collect();
    let poll = |all: &mut Vec<Find<'_>>, at: usize| {
        woken[at].0.store(0, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&woken[at]));
        all[at].as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
    };
    (0..10).for_each(|at| assert!(!poll(&mut all, at)));
    database.release();
    // The fifth is called first of all, and is not polled again.
    let mut done = [false; 10];
    for _ in 0..50 {
        for at in (0..10).filter(|at| *at != 4) {
            if !done[at] && woken[at].0.load(Ordering::SeqCst) > 0 {
                done[at] = poll(&mut all, at);
            }
        }
    }
    assert_eq!(done.iter().filter(|done| **done).count(), 9);
    assert!(poll(&mut all, 4));
}
