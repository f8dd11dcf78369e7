//! The same from many threads: nothing is lost, nothing comes twice, and what was acknowledged is seen.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use keygate::{Inserted, Kind, Lookup, MemoryStore, Owner, Peek, Revocation, Store, Updated, Use, Validity};
use pollster::block_on;

use super::{at, built, id, ids, of, owner_of, put, read, user};

/// Promise P35: of 64 threads that insert one id, one succeeds, and its record is the one that is there.
#[test]
fn of_many_inserts_one_succeeds() {
    for round in 0..50 {
        let (store, barrier) = (MemoryStore::new(), Barrier::new(64));
        let winners = thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|at| {
                    let (store, barrier) = (&store, &barrier);
                    scope.spawn(move || {
                        let record = built(of(&user(&format!("u-{at}")), "a"));
                        barrier.wait();
                        let inserted = block_on(store.insert(&record)).unwrap();
                        // Whoever won, there is a record now, for every thread.
                        assert!(matches!(store.peek(Kind::ApiKey, &id("a")), Peek::Known(_)));
                        (inserted == Inserted::Yes).then_some(record)
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(winners.len(), 1, "round {round}");
        let entry = read(&store, winners[0].key()).unwrap();
        assert!(Arc::ptr_eq(&entry.record, &winners[0]));
        let listed: usize =
            (0..64).map(|at| block_on(store.list(&user(&format!("u-{at}")), None, 9)).unwrap().len()).sum();
        assert_eq!(listed, 1, "no other owner's list has it");
    }
}

/// A compare-and-swap that succeeded was the only one from that version: a count that goes through many hands is exact.
#[test]
fn of_many_updates_none_is_lost() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    let key = put(&store, of(&owner, "a")).key();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 500 {
                    let record = read(&store, key).unwrap().record;
                    let count: u64 = record.name().map_or(0, |name| name.parse().unwrap());
                    let next =
                        record.to_builder().name(&(count + 1).to_string()).version(record.version() + 1);
                    done += u64::from(
                        block_on(store.update(record.version(), &built(next))).unwrap() == Updated::Yes,
                    );
                }
            });
        }
    });
    let record = read(&store, key).unwrap().record;
    assert_eq!((record.name(), record.version()), (Some("4000"), 4_001));
}

/// Promise P22, without a cache: no look that begins after a revocation returned sees what was before it; and no update
/// that was on its way undoes it.
#[test]
fn a_revocation_is_seen_at_once_and_never_undone() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    let keys: Vec<_> = (0..64).map(|at| put(&store, of(&owner, &format!("id{at}"))).key()).collect();
    let (acknowledged, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        for from in 0..3 {
            let (store, keys, acknowledged, stop) = (&store, &keys, &acknowledged, &stop);
            scope.spawn(move || {
                for at in (from..).step_by(7) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let key = keys[at % keys.len()];
                    let was_acknowledged = acknowledged.load(Ordering::SeqCst);
                    let record = block_on(store.find(key.kind, &key.id)).unwrap().unwrap();
                    assert!(!was_acknowledged || record.revocation().is_some());
                    if record.revocation().is_none() {
                        // An update of a record that may be revoked by now: then it is refused.
                        let next = built(record.to_builder().name("renamed").version(record.version() + 1));
                        let _either = block_on(store.update(record.version(), &next)).unwrap();
                    }
                }
            });
        }
        assert_eq!(block_on(store.revoke_owned(&owner, &Revocation::new(at(0), "left"))).unwrap(), 64);
        acknowledged.store(true, Ordering::SeqCst);
        for key in keys.iter().cycle().take(20_000) {
            assert!(block_on(store.find(key.kind, &key.id)).unwrap().unwrap().revocation().is_some());
        }
        stop.store(true, Ordering::SeqCst);
    });
    for key in keys {
        assert!(read(&store, key).unwrap().record.revocation().is_some());
    }
}

/// Pages neither lose nor repeat what is there from the first to the last, whatever comes and goes meanwhile.
#[test]
fn pages_hold_under_inserts_and_purges() {
    let (store, owner) = (MemoryStore::new(), owner_of(Kind::ServiceAccount));
    let expected: Vec<String> = (0..40).map(|at| format!("k{at:02}")).collect();
    for text in &expected {
        put(&store, of(&owner, text));
    }
    let (stop, purged) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let purging = scope.spawn(|| {
            for round in 0..u64::MAX {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                // Between those that stay; expired, so that a purge takes them again.
                for place in 0..40 {
                    let text = format!("k{place:02}-{}", round % 5);
                    put(&store, of(&owner, &text).validity(Validity::until(at(-10))));
                }
                let taken = block_on(store.purge(at(0), 1_000)).unwrap();
                assert!(taken > 0);
                purged.fetch_add(taken, Ordering::SeqCst);
            }
        });
        while purged.load(Ordering::SeqCst) == 0 && !purging.is_finished() {
            thread::yield_now();
        }
        let stays = |text: &String| text.len() == 3;
        for round in 0..400 {
            let limit = 1 + round % 7;
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = block_on(store.list(&owner, after.as_ref(), limit)).unwrap();
                seen.extend(ids(&page));
                after = page.last().map(|entry| entry.record.key().id);
                if page.len() < limit {
                    break;
                }
            }
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, and none twice");
            seen.retain(stays);
            assert_eq!(seen, expected, "round {round}");
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = block_on(store.unused(at(1), at(0), after.as_ref(), limit)).unwrap();
                seen.extend(ids(&page));
                after = page.last().map(|entry| entry.record.key());
                if page.len() < limit {
                    break;
                }
            }
            assert_eq!(seen, expected, "round {round}");
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(purged.load(Ordering::SeqCst) > 0);
    assert_eq!(ids(&block_on(store.list(&owner, None, 1_000)).unwrap()), expected);
}

/// Promise P36: whoever reports last, the latest time stays.
#[test]
fn the_latest_of_many_times_stays() {
    let store = MemoryStore::new();
    let keys: Vec<_> = (0..16).map(|at| put(&store, of(&user("u-17"), &format!("id{at}"))).key()).collect();
    let turn = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let turn = turn.fetch_add(1, Ordering::SeqCst);
                    if turn >= 4_000 {
                        break;
                    }
                    let seconds = i64::try_from(turn * 7_919 % 4_000).unwrap();
                    let uses: Vec<Use> =
                        keys.iter().map(|key| Use { key: *key, secret: 1, at: at(seconds) }).collect();
                    block_on(store.record_uses(&uses)).unwrap();
                    assert!(read(&store, keys[0]).unwrap().uses.of(1).unwrap() >= at(seconds));
                }
            });
        }
    });
    for key in keys {
        assert_eq!(read(&store, key).unwrap().uses.of(1), Some(at(3_999)));
    }
}

/// Owners come and go with their last credential, from many threads, and the index is what the records are.
#[test]
fn lists_agree_with_records_after_a_storm() {
    let store = MemoryStore::new();
    let owners: Vec<Owner> = (0..5).map(|at| user(&format!("u-{at}"))).collect();
    thread::scope(|scope| {
        for from in 0..4 {
            let (store, owners) = (&store, &owners);
            scope.spawn(move || {
                for round in 0..2_000 {
                    let turn = round * 4 + from;
                    let owner = &owners[turn % owners.len()];
                    let dead = round % 2 == 0;
                    let end = if dead { at(-10) } else { at(10) };
                    let record = built(of(owner, &format!("id{}", turn % 97)).validity(Validity::until(end)));
                    let _either = block_on(store.insert(&record)).unwrap();
                    if round % 8 == 0 {
                        block_on(store.purge(at(0), 3)).unwrap();
                    }
                }
            });
        }
    });
    let mut listed = 0;
    for owner in &owners {
        for entry in block_on(store.list(owner, None, 1_000)).unwrap() {
            assert_eq!(entry.record.owner(), owner);
            assert!(read(&store, entry.record.key()).is_some());
            listed += 1;
        }
    }
    assert_eq!(format!("{store:?}"), format!("MemoryStore {{ records: {listed}, .. }}"));
}

/// Fewer than `limit` are the last, also where two purge at once.
#[test]
fn purges_at_once_leave_nothing_behind() {
    for round in 0..20 {
        let (store, owner) = (MemoryStore::new(), user("u-17"));
        for number in 0..300 {
            put(&store, of(&owner, &format!("id-{number}")).revoked(Revocation::new(at(0), "left")));
        }
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| while block_on(store.purge(at(1), 10)).unwrap() == 10 {});
            }
        });
        assert_eq!(block_on(store.list(&owner, None, 1)).unwrap().len(), 0, "round {round}");
    }
}
