//! How old an answer may be: to the nanosecond, from before the fetch began.

use std::time::Duration;

use keygate::{Cached, CredentialKey, Kind, MemoryStore, StoreErrorKind};

use super::{asked, cached, find, peeks, ready, seconds};
use crate::store::id;

const INSTANT: Duration = Duration::from_nanos(1);

#[test]
fn a_record_is_used_up_to_the_bound_and_not_an_instant_longer() {
    for bound in [seconds(1), seconds(5), seconds(60), Duration::from_millis(20)] {
        let (database, clock, cached) = cached(|builder| builder.max_staleness(bound));
        let key = database.put("a");
        assert!(find(&cached, key).unwrap().is_some());
        clock.pass(bound);
        assert_eq!(peeks(&cached, key), "known");
        assert!(find(&cached, key).unwrap().is_some());
        assert_eq!(database.finds(), 1, "a hit asks nobody");
        clock.pass(INSTANT);
        assert_eq!(peeks(&cached, key), "ask");
        assert!(find(&cached, key).unwrap().is_some());
        assert_eq!(database.finds(), 2);
    }
}

#[test]
fn its_age_begins_before_the_fetch_and_not_with_the_answer() {
    let (database, clock, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.hold();
    let mut slow = asked(&cached, key);
    assert!(ready(&mut slow).is_none());
    clock.pass(seconds(3));
    database.release();
    assert!(ready(&mut slow).unwrap().unwrap().is_some());
    clock.pass(seconds(2));
    assert_eq!(peeks(&cached, key), "known", "5 s after the fetch began");
    clock.pass(INSTANT);
    assert_eq!(peeks(&cached, key), "ask");
}

/// The answer of a fetch that took longer is older than was promised: undecided, for who made it and for who joined.
#[test]
fn an_answer_that_comes_too_late_is_none() {
    let (database, clock, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.hold();
    let (mut first, mut joined) = (asked(&cached, key), asked(&cached, key));
    assert!(ready(&mut first).is_none());
    clock.pass(seconds(5));
    assert!(ready(&mut joined).is_none());
    clock.pass(INSTANT);
    // Who comes now has nothing of the old fetch, and makes one of its own.
    let mut own = asked(&cached, key);
    assert!(ready(&mut own).is_none());
    assert_eq!(database.finds(), 2);
    database.release();
    for late in [&mut first, &mut joined] {
        let error = ready(late).unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "the answer came later than max_staleness allows");
    }
    assert!(ready(&mut own).unwrap().unwrap().is_some());
    assert_eq!(peeks(&cached, key), "known");
}

#[test]
fn an_absence_is_kept_for_a_shorter_time() {
    let (database, clock, cached) = cached(|builder| builder.max_absence(seconds(2)));
    let nobody = CredentialKey::new(Kind::ServiceToken, id("nobody"));
    assert!(find(&cached, nobody).unwrap().is_none());
    clock.pass(seconds(2));
    assert_eq!(peeks(&cached, nobody), "absent");
    assert!(find(&cached, nobody).unwrap().is_none());
    assert_eq!(database.finds(), 1);
    clock.pass(INSTANT);
    assert_eq!(peeks(&cached, nobody), "ask");
    assert!(find(&cached, nobody).unwrap().is_none());
    assert_eq!(database.finds(), 2);
}

/// Who joins a fetch does not know yet that it finds nothing, and asks again where that is too old by then.
#[test]
fn an_absence_that_began_too_early_is_asked_for_again() {
    for (early, finds) in [(seconds(1), 1), (seconds(2), 2)] {
        let (database, clock, cached) = cached(|builder| builder);
        let key = CredentialKey::new(Kind::ApiKey, id("a"));
        database.hold();
        let mut first = asked(&cached, key);
        assert!(ready(&mut first).is_none());
        clock.pass(early);
        let mut joined = asked(&cached, key);
        assert!(ready(&mut joined).is_none());
        // Another process issues it meanwhile.
        database.put("a");
        database.release();
        assert!(ready(&mut first).unwrap().unwrap().is_none());
        assert_eq!(ready(&mut joined).unwrap().unwrap().is_some(), finds == 2);
        assert_eq!(database.finds(), finds);
    }
}

/// Promise P24, elsewhere: another process issued what was just looked for here; it is found when the absence has lapsed.
#[test]
fn an_absence_is_never_kept_longer_than_a_record() {
    let (database, clock, cached) =
        cached(|builder| builder.max_staleness(seconds(2)).max_absence(seconds(9)));
    let key = CredentialKey::new(Kind::ApiKey, id("a"));
    assert!(find(&cached, key).unwrap().is_none());
    database.put("a");
    clock.pass(seconds(2));
    assert!(find(&cached, key).unwrap().is_none());
    clock.pass(INSTANT);
    assert!(find(&cached, key).unwrap().is_some());
}

#[test]
fn a_bound_of_zero_keeps_and_shares_nothing() {
    let (database, clock, cached) = cached(|builder| builder.max_staleness(Duration::ZERO));
    let key = database.put("a");
    let nobody = CredentialKey::new(Kind::ApiKey, id("nobody"));
    for asked in [key, nobody, key, nobody] {
        assert_eq!(find(&cached, asked).unwrap().is_some(), asked == key);
        assert_eq!(peeks(&cached, asked), "ask");
    }
    assert_eq!(database.finds(), 4);
    database.hold();
    let (mut first, mut second) = (asked(&cached, key), asked(&cached, key));
    assert!(ready(&mut first).is_none() && ready(&mut second).is_none());
    assert_eq!(database.finds(), 6, "each call asks");
    // One's own answer is as new as it can be, however long it took.
    clock.pass(seconds(90));
    database.release();
    assert!(ready(&mut first).unwrap().unwrap().is_some());
    assert_eq!(format!("{cached:?}"), "Cached { max_staleness: 0ns, records: 0, absences: 0, .. }");
}

#[test]
fn options_out_of_their_range_are_refused_by_name() {
    let builder = || Cached::builder(MemoryStore::new());
    let refused = [
        (builder().max_staleness(seconds(60) + INSTANT), "max_staleness: expected 0 to 60 s"),
        (
            builder().danger_stale_on_failure(seconds(3_601)),
            "danger_stale_on_failure: expected at most an hour",
        ),
        (builder().feed_silence(Duration::ZERO), "feed_silence: expected more than zero and at most 60 s"),
        (builder().feed_silence(seconds(61)), "feed_silence: expected more than zero and at most 60 s"),
        (builder().max_records(0), "max_records: expected at least one"),
        (builder().max_loads(0), "max_loads: expected 1 to 65,536"),
    ];
    for (builder, expected) in refused {
        assert_eq!(builder.build().unwrap_err().to_string(), expected);
    }
    for builder in [
        builder().max_staleness(seconds(60)),
        builder().danger_stale_on_failure(seconds(3_600)),
        builder().feed_silence(INSTANT),
        builder().max_records(1).max_loads(1).max_waiting(0),
    ] {
        builder.build().unwrap();
    }
}

/// Also where ids differ little: a process whose hash puts most of them in the same place would have less.
#[test]
fn it_has_room_for_so_many_records_and_no_more() {
    let (database, _, cached) = cached(|builder| builder.max_records(1_000));
    let keys: Vec<_> = (0..10_000).map(|at| database.put(&format!("id{at}"))).collect();
    assert!(keys.iter().all(|key| find(&cached, *key).unwrap().is_some()));
    let shown = format!("{cached:?}");
    let records: usize = shown.split("records: ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((900..=1_024).contains(&records), "{shown}");
}

/// Made-up ids have their own room: they displace no record, however many are asked for. Of so few records none displaces
/// another, wherever they are put: the table is in parts, of 32 at least.
#[test]
fn absences_have_their_own_room_and_displace_nothing() {
    let (database, _, cached) = cached(|builder| builder.max_records(200));
    let keys: Vec<_> = (0..32).map(|at| database.put(&format!("id{at}"))).collect();
    assert!(keys.iter().all(|key| find(&cached, *key).unwrap().is_some()));
    for at in 0..30_000 {
        let nobody = CredentialKey::new(Kind::ApiKey, id(&format!("nobody{at}")));
        assert!(find(&cached, nobody).unwrap().is_none());
    }
    assert!(keys.iter().all(|key| peeks(&cached, *key) == "known"));
    let shown = format!("{cached:?}");
    let absences = shown.split("absences: ").nth(1).unwrap().split(',').next().unwrap();
    assert!((5_000..=10_000).contains(&absences.parse().unwrap()), "{shown}");
}

#[test]
fn an_absence_bound_of_zero_keeps_no_absence() {
    let (database, _, cached) = cached(|builder| builder.max_absence(Duration::ZERO));
    let nobody = CredentialKey::new(Kind::ApiKey, id("nobody"));
    for asked in 1..4 {
        assert!(find(&cached, nobody).unwrap().is_none());
        assert_eq!((peeks(&cached, nobody), database.finds()), ("ask", asked));
    }
}
