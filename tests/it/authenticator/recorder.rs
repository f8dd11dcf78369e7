//! When credentials were used: promise P36, as far as a store in memory can show it.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use keygate::{
    Authenticator, Caller, CredentialKey, Kind, Lifetime, MemoryStore, Revocation, Store, StoreError,
    Timestamp, UseRecorder, UseRecorderBuilder, Validity,
};
use pollster::block_on;

use super::{World, ask, code};
use crate::decision::now_and;
use crate::store::watched::{WRITES, pending_once, polled};
use crate::support::fixtures::{NOW, line};

fn recorder(world: &World) -> UseRecorderBuilder {
    UseRecorder::builder(Arc::clone(&world.store)).clock(world.clock.clone())
}

fn gate(world: &World, uses: &UseRecorder) -> Authenticator {
    world.builder().use_recorder(uses.clone()).build().unwrap()
}

/// When the store knows the first secret of this credential to have been used.
fn used(world: &World, key: CredentialKey) -> Option<Timestamp> {
    block_on(world.store.store.read(key.kind, &key.id)).unwrap().unwrap().uses.of(1)
}

/// How many uses each write so far has handed over.
fn writes(world: &World) -> Vec<String> {
    let written = world.store.calls().into_iter().filter(|(name, _)| WRITES.contains(name));
    written
        .map(|(name, with)| {
            assert_eq!(name, "record_uses");
            with
        })
        .collect()
}

/// Lesson of Infisical, the Rust registry and Sanctum: however often a secret is used, it is written once a window.
#[test]
fn one_write_a_window() {
    for world in World::both() {
        let uses = recorder(&world).build().unwrap();
        let gate = gate(&world, &uses);
        let (text, record) = world.issue(Kind::ServiceToken);
        for (window, first) in [(0, 1), (1, 0), (2, 0)] {
            // The first flush is due at once: what was used before it is as old as it is.
            for _ in 0..10_000 / 50 {
                (0..50).for_each(|_| assert!(ask(&gate, &text).is_ok()));
                block_on(uses.flush_due()).unwrap();
            }
            assert_eq!(writes(&world).len(), first, "window {window}");
            world.clock.advance(Lifetime::seconds(59));
            assert!(ask(&gate, &text).is_ok());
            assert_eq!(block_on(uses.flush_due()).unwrap().uses, 0);
            world.clock.advance(Lifetime::seconds(1));
            assert_eq!(block_on(uses.flush_due()).unwrap().uses, 1, "a window has passed");
            assert_eq!(writes(&world), ["1"]);
            assert_eq!(used(&world, record.key()), Some(now_and(59 + 60 * window)));
        }
        world.clock.advance(Lifetime::hours(1));
        assert_eq!(block_on(uses.flush_due()).unwrap().uses, 0, "what was not used is not written");
        assert!(writes(&world).is_empty());
    }
}

/// A window is monotonic time; and a time of use never goes back, whatever the wall clock does.
#[test]
fn a_wall_clock_that_is_set_changes_nothing() {
    let world = World::peeking();
    let uses = recorder(&world).build().unwrap();
    let gate = gate(&world, &uses);
    let (text, record) = world.issue(Kind::ApiKey);
    assert!(ask(&gate, &text).is_ok());
    assert_eq!(block_on(uses.flush_due()).unwrap().uses, 1);
    for seconds in [-31_536_000, -3_600, -1, 100, 0] {
        world.clock.set(now_and(seconds));
        assert!(ask(&gate, &text).is_ok());
        assert_eq!(block_on(uses.flush_due()).unwrap().uses, 0, "{seconds}");
    }
    assert_eq!(used(&world, record.key()), Some(NOW));
    world.clock.advance(Lifetime::seconds(60));
    assert_eq!(block_on(uses.flush_due()).unwrap().uses, 1);
    assert_eq!(used(&world, record.key()), Some(now_and(100)), "the latest that was noted");
    world.clock.set(now_and(-500));
    assert!(ask(&gate, &text).is_ok());
    block_on(uses.flush()).unwrap();
    assert_eq!(used(&world, record.key()), Some(now_and(100)), "nor in the store");
}

/// Only a full success is a use: of the child and not of its parent, and of the secret that proved it.
#[test]
fn only_a_success_is_noted() {
    for world in World::both() {
        let uses = recorder(&world).build().unwrap();
        let gate = gate(&world, &uses);
        let (text, record) = world.issue(Kind::ServiceToken);
        let (account, child, minted) = world.family();
        let dead: [fn(keygate::RecordBuilder) -> keygate::RecordBuilder; 4] = [
            |b| b.validity(Validity::until(NOW)),
            |b| b.validity(Validity::new(Some(now_and(1)), Some(now_and(2))).unwrap()),
            |b| b.disabled(true),
            |b| b.revoked(Revocation::new(NOW, "left")),
        ];
        for change in dead {
            let (text, builder) = world.draw(Kind::ServiceToken);
            world.put(change(builder));
            assert!(ask(&gate, &text).is_err());
        }
        let parent = world.change(&account, |builder| builder.disabled(true));
        for text in [&world.another_text(record.key()), &world.draw(Kind::ApiKey).0, "st.x", &child] {
            assert!(ask(&gate, text).is_err());
        }
        assert_eq!(block_on(uses.flush()).unwrap().uses, 0);
        assert!(writes(&world).is_empty());
        world.change(&parent, |builder| builder.disabled(false));
        assert!(ask(&gate, &child).is_ok() && ask(&gate, &text).is_ok());
        assert_eq!(block_on(uses.flush()).unwrap().uses, 2);
        assert_eq!((used(&world, minted.key()), used(&world, record.key())), (Some(NOW), Some(NOW)));
        assert_eq!(used(&world, account.key()), None);
    }
}

/// A store that fails or hangs neither fails nor delays verifying, and loses nothing.
#[test]
fn a_store_that_fails_or_hangs_stops_nobody() {
    let world = World::peeking();
    let uses = recorder(&world).build().unwrap();
    let gate = gate(&world, &uses);
    let (text, record) = world.issue(Kind::ServiceAccount);
    world.store.fail(|name| (name == "record_uses").then(|| StoreError::unavailable("reset")));
    for seconds in 0..5 {
        world.clock.set(now_and(seconds));
        assert_eq!(code(ask(&gate, &text)), "caller");
        assert!(block_on(uses.flush()).unwrap_err().is_retryable());
    }
    world.store.heal();
    world.store.pause(usize::MAX);
    let mut hanging = Box::pin(uses.flush());
    let mut context = Context::from_waker(Waker::noop());
    assert!(hanging.as_mut().poll(&mut context).is_pending());
    world.clock.set(now_and(2));
    let answered = polled(gate.authenticate([line(&text)]), 1).unwrap();
    assert_eq!(answered.unwrap().credential(), record.key(), "at once, with a flush under way");
    drop(hanging);
    world.store.pause(0);
    writes(&world);
    assert_eq!(block_on(uses.flush()).unwrap().uses, 1, "both notes are one");
    assert_eq!((writes(&world), used(&world, record.key())), (vec!["1".to_owned()], Some(now_and(4))));
    assert_eq!(uses.dropped(), 0);
}

/// A lookup and a recorder of so many callers.
fn crowd(world: &World, count: usize) -> Vec<Caller> {
    let gate = world.gate();
    (0..count).map(|at| ask(&gate, &world.issue(Kind::ALL[at % 3]).0).unwrap()).collect()
}

/// Past the bound the oldest note goes, and is counted; a use of what is noted already takes no room.
#[test]
fn the_bound_drops_the_oldest() {
    let world = World::peeking();
    let callers = crowd(&world, 7);
    let uses = recorder(&world).capacity(3).build().unwrap();
    for caller in &callers[..3] {
        (0..10).for_each(|_| uses.record(caller, NOW));
    }
    assert_eq!(uses.dropped(), 0);
    uses.record(&callers[0], now_and(1));
    for (at, caller) in callers.iter().enumerate().skip(3) {
        uses.record(caller, NOW);
        assert_eq!(uses.dropped(), u64::try_from(at).unwrap() - 2);
    }
    assert_eq!(format!("{uses:?}"), "UseRecorder { noted: 3, dropped: 4, .. }");
    assert_eq!(block_on(uses.flush()).unwrap().uses, 3);
    let known: Vec<bool> = callers.iter().map(|caller| used(&world, caller.credential()).is_some()).collect();
    assert_eq!(known, [false, false, false, false, true, true, true]);
    // What was handed over makes room.
    callers[..3].iter().for_each(|caller| uses.record(caller, NOW));
    assert_eq!((uses.dropped(), block_on(uses.flush()).unwrap().uses), (4, 3));
}

/// In batches of a thousand; where one fails, what went before it is done and the rest is kept. But what the store will never
/// take is dropped, and keeps nothing else from it.
#[test]
fn batches() {
    let world = World::peeking();
    let callers = crowd(&world, 2_500);
    let uses = recorder(&world).build().unwrap();
    let note_all = || callers.iter().for_each(|caller| uses.record(caller, NOW));
    note_all();
    assert_eq!(block_on(uses.flush()).unwrap().uses, 2_500);
    assert_eq!(writes(&world), ["1000", "1000", "500"]);
    note_all();
    let second = AtomicUsize::new(0);
    world.store.fail(move |name| {
        let turn = second.fetch_add(usize::from(name == "record_uses"), Ordering::SeqCst);
        (name == "record_uses" && turn == 1).then(|| StoreError::unavailable("reset"))
    });
    assert!(block_on(uses.flush()).unwrap_err().is_retryable());
    assert_eq!((writes(&world), uses.failed()), (vec!["1000".to_owned(), "1000".to_owned()], 1));
    assert_eq!(block_on(uses.flush()).unwrap().uses, 1_500);
    assert_eq!(writes(&world), ["1000", "500"]);
    assert_eq!(block_on(uses.flush()).unwrap().uses, 0);
    assert!(writes(&world).is_empty(), "nothing is no write");

    note_all();
    let second = AtomicUsize::new(0);
    world.store.fail(move |name| {
        let turn = second.fetch_add(usize::from(name == "record_uses"), Ordering::SeqCst);
        (name == "record_uses" && turn == 1).then(|| StoreError::rejected("a row that never decodes"))
    });
    assert!(!block_on(uses.flush()).unwrap_err().is_retryable());
    assert_eq!(writes(&world), ["1000", "1000", "500"]);
    assert_eq!((uses.dropped(), uses.failed()), (1_000, 2));
    assert_eq!(block_on(uses.flush()).unwrap().uses, 0);
}

/// Promise P27: a flush that is dropped wherever it waits loses nothing; with what was noted meanwhile.
#[test]
fn a_flush_may_be_dropped_wherever_it_waits() {
    for polls in 0..=7 {
        let world = World::peeking();
        let callers = crowd(&world, 2_100);
        let uses = recorder(&world).build().unwrap();
        callers.iter().for_each(|caller| uses.record(caller, now_and(5)));
        world.store.pause(2);
        let done = {
            let mut flush = pin!(uses.flush());
            let mut context = Context::from_waker(Waker::noop());
            let done = (0..polls).any(|_| flush.as_mut().poll(&mut context).is_ready());
            // Later for some, earlier for others.
            uses.record(&callers[0], now_and(9));
            uses.record(&callers[2_099], now_and(1));
            done
        };
        assert_eq!(done, polls == 7, "three batches, each pending twice");
        world.store.pause(0);
        block_on(uses.flush()).unwrap();
        assert_eq!(uses.dropped(), 0);
        for (at, caller) in callers.iter().enumerate() {
            let expected = if at == 0 { now_and(9) } else { now_and(5) };
            assert_eq!(used(&world, caller.credential()), Some(expected), "{polls} polls, caller {at}");
        }
    }
}

/// What did not get to the store is older than what was noted meanwhile: past the bound, it goes first.
#[test]
fn what_a_flush_gives_back_is_the_oldest() {
    let world = World::peeking();
    let callers = crowd(&world, 4);
    let uses = recorder(&world).capacity(3).build().unwrap();
    callers[..3].iter().for_each(|caller| uses.record(caller, now_and(5)));
    world.store.pause(1);
    {
        let mut flush = pin!(uses.flush());
        assert!(flush.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        uses.record(&callers[3], now_and(6));
    }
    world.store.pause(0);
    assert_eq!(uses.dropped(), 1);
    assert_eq!(block_on(uses.flush()).unwrap().uses, 3);
    let found: Vec<_> = callers.iter().map(|caller| used(&world, caller.credential())).collect();
    assert_eq!(found, [None, Some(now_and(5)), Some(now_and(5)), Some(now_and(6))]);
}

/// The loop that a host spawns: it flushes after each pause, outlives errors, and ends where it is dropped.
#[test]
fn the_loop_of_a_host() {
    let world = World::peeking();
    let uses = recorder(&world).build().unwrap();
    let gate = gate(&world, &uses);
    let (text, record) = world.issue(Kind::ApiKey);
    let clock = world.clock.clone();
    let mut run = Box::pin(uses.run(|| {
        clock.advance(Lifetime::seconds(60));
        pending_once()
    }));
    let mut context = Context::from_waker(Waker::noop());
    for round in 0..5 {
        // Each round is a pause, which ends at the next poll.
        assert!(ask(&gate, &text).is_ok());
        if round == 2 {
            world.store.fail(|name| (name == "record_uses").then(|| StoreError::unavailable("reset")));
        }
        assert!(run.as_mut().poll(&mut context).is_pending());
        assert_eq!(writes(&world).len(), usize::from(round > 0), "round {round}");
        world.store.heal();
    }
    assert_eq!(used(&world, record.key()), Some(now_and(240)));
    drop(run);
    assert!(ask(&gate, &text).is_ok());
    assert_eq!(block_on(uses.flush()).unwrap().uses, 1, "at shutdown");
    assert_eq!(used(&world, record.key()), Some(now_and(300)));
}

/// From many threads, with a flush under way all the time: nothing is lost, and the latest time stays.
#[test]
fn many_threads() {
    let world = World::peeking();
    let store = world.store.store.clone();
    let uses = UseRecorder::builder(store.clone()).clock(world.clock.clone()).build().unwrap();
    let gate = Authenticator::builder(store, world.keys.clone())
        .clock(world.clock.clone())
        .use_recorder(uses.clone())
        .build()
        .unwrap();
    let issued: Vec<_> = (0..6).map(|at| world.issue(Kind::ALL[at % 3])).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let flusher = scope.spawn(|| {
            let mut flushed = 0;
            while !stop.load(Ordering::SeqCst) {
                flushed += block_on(uses.flush()).unwrap().uses;
            }
            flushed
        });
        let threads: Vec<_> = (0..4)
            .map(|from| {
                let (gate, issued, clock) = (&gate, &issued, &world.clock);
                scope.spawn(move || {
                    for at in 0..5_000 {
                        assert!(ask(gate, &issued[(at + from) % issued.len()].0).is_ok());
                        if from == 0 && at % 50 == 0 {
                            clock.advance(Lifetime::seconds(1));
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        stop.store(true, Ordering::SeqCst);
        flusher.join().unwrap();
    });
    issued.iter().for_each(|(text, _)| assert!(ask(&gate, text).is_ok()));
    block_on(uses.flush()).unwrap();
    for (_, record) in &issued {
        assert_eq!(used(&world, record.key()), Some(now_and(100)));
    }
    assert_eq!(uses.dropped(), 0);
    assert_eq!(issued.iter().map(|(_, record)| record.key()).collect::<HashSet<_>>().len(), 6);
}

#[test]
fn what_a_recorder_may_be_told() {
    let builder = || UseRecorder::builder(MemoryStore::new());
    for seconds in [0, 86_401, u64::MAX] {
        let error = builder().window(Lifetime::seconds(seconds)).build().unwrap_err();
        assert_eq!(error.to_string(), "window: expected 1 second to 1 day");
    }
    for seconds in [1, 60, 86_400] {
        let uses = builder().window(Lifetime::seconds(seconds)).build().unwrap();
        assert_eq!(uses.window(), Duration::from_secs(seconds));
    }
    assert_eq!(UseRecorder::new(MemoryStore::new()).window(), Duration::from_secs(60));
    let error = builder().capacity(0).build().unwrap_err();
    assert_eq!(error.to_string(), "capacity: expected room for at least one secret");
    assert_eq!(format!("{:?}", builder()), "UseRecorderBuilder { window: 60s, .. }");
}
