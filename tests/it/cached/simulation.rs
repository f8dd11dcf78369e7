//! Several replicas over one authority in virtual time: every answer against what the cache promises.
//!
//! A schedule is drawn from a seed. Calls stand still before or after they reach the authority, fail, lose their answer, are
//! given up, or have an effect after their failure was told; notices are late, lost, repeated, out of order; feeds fall silent
//! and break off; partitions come and go. `KEYGATE_CASES=20` runs a hundred thousand schedules.

mod model;
mod network;
mod replica;
mod world;

use std::fmt;

use self::model::Counts;
use self::network::{ReplicaClock, Wire};
use self::replica::{Bounds, Flaw, Replica, Simple, cached, danger_stale_on_failure};
use self::world::World;
use crate::support::random::{cases, seed};

/// Within how many schedules a flaw has to be found.
const FEW: u64 = 5_000;

fn schedules() -> u64 {
    cases(5_000).try_into().unwrap()
}

/// Runs schedules up to the first whose answers break a promise: its seed, and how.
fn run<R: Replica>(
    build: impl Fn(Wire, ReplicaClock, Bounds) -> R,
    schedules: u64,
) -> Result<Counts, (u64, String)> {
    let mut counts = Counts::default();
    for seed in seed()..seed() + schedules {
        World::new(&build, seed).run(&mut counts).map_err(|broken| (seed, broken))?;
    }
    Ok(counts)
}

#[track_caller]
fn assert_keeps_its_promises<R: Replica>(
    build: impl Fn(Wire, ReplicaClock, Bounds) -> R,
    schedules: u64,
) -> Counts {
    match run(build, schedules) {
        Ok(counts) => counts,
        Err((seed, broken)) => panic!("{broken}\nKEYGATE_SEED={seed} brings it back as the first schedule"),
    }
}

/// How a cache that breaks its promises is found.
#[track_caller]
fn finding<R: Replica>(what: impl fmt::Debug, build: impl Fn(Wire, ReplicaClock, Bounds) -> R) -> String {
    match run(build, FEW) {
        Ok(_) => panic!("{what:?} was not found"),
        Err((at, broken)) => {
            format!("{what:?} was found by KEYGATE_SEED={at}, of {FEW} from {}: {broken}", seed())
        }
    }
}

#[test]
fn no_replica_answers_from_longer_ago_than_was_promised_whatever_is_lost_between_them() {
    let counts = assert_keeps_its_promises(cached, schedules());
    println!("{counts:?}");
    for (what, count, in_a_thousand) in counts.table() {
        let floor = schedules() * in_a_thousand / 1_000;
        assert!(count >= floor, "only {count} of {what}, at least {floor} were expected");
    }
}

#[test]
fn a_simple_cache_without_a_flaw_passes_so_what_is_found_below_is_the_flaw() {
    assert_keeps_its_promises(|wire, clock, bounds| Simple::new(Flaw::None, wire, clock, bounds), FEW);
}

#[test]
fn a_cache_with_a_flaw_is_found() {
    let flaws = [Flaw::StaleOnFailure, Flaw::FillOverInvalidation, Flaw::VerdictKept, Flaw::ReturnIsNothing];
    for flaw in flaws {
        println!("{}", finding(flaw, |wire, clock, bounds| Simple::new(flaw, wire, clock, bounds)));
    }
}

#[test]
fn what_has_danger_in_its_name_breaks_the_promise_and_is_found() {
    println!("{}", finding("danger_stale_on_failure", danger_stale_on_failure));
}
