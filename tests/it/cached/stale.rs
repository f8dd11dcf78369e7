//! Old records in place of a store that does not answer: by name only.

use keygate::{StoreError, StoreErrorKind};

use super::{asked, cached, find, peeks, ready, revoke, seconds};

/// As it is made, a store that is down is undecided, whatever was known.
#[test]
fn without_the_option_nothing_stands_in() {
    let (database, clock, cached) = cached(|builder| builder);
    let key = database.put("a");
    assert!(find(&cached, key).unwrap().is_some());
    database.fail(Some(StoreError::unavailable("reset")));
    clock.pass(seconds(5));
    assert!(find(&cached, key).is_ok(), "within the bound nobody is asked");
    clock.pass(seconds(1));
    assert_eq!(find(&cached, key).unwrap_err().kind(), StoreErrorKind::Unavailable);
}

#[test]
fn with_it_a_record_stands_in_up_to_its_own_bound() {
    let (database, clock, cached) = cached(|builder| builder.danger_stale_on_failure(seconds(60)));
    let (key, unknown) = (database.put("a"), database.put("b"));
    assert!(find(&cached, key).unwrap().is_some());
    database.fail(Some(StoreError::unavailable("reset")));
    clock.pass(seconds(60));
    assert!(find(&cached, key).unwrap().is_some());
    assert_eq!(peeks(&cached, key), "ask", "the store is asked first, each time");
    assert_eq!(database.finds(), 2);
    assert!(find(&cached, unknown).is_err(), "what was never known cannot stand in");
    clock.pass(std::time::Duration::from_nanos(1));
    assert!(find(&cached, key).is_err());
    database.fail(None);
    assert!(find(&cached, key).unwrap().is_some());
}

/// Only for a store that does not answer: another failure is a fault, which nobody should overlook.
#[test]
fn it_hides_no_fault() {
    for fault in [StoreError::corrupt("not JSON"), StoreError::rejected("schema 7")] {
        let (database, clock, cached) = cached(|builder| builder.danger_stale_on_failure(seconds(60)));
        let key = database.put("a");
        assert!(find(&cached, key).unwrap().is_some());
        clock.pass(seconds(6));
        database.fail(Some(fault.clone()));
        assert_eq!(find(&cached, key).unwrap_err().kind(), fault.kind());
    }
}

#[test]
fn what_was_invalidated_never_stands_in() {
    let (database, _, cached) = cached(|builder| builder.danger_stale_on_failure(seconds(60)));
    let (key, other) = (database.put("a"), database.put("b"));
    assert!(find(&cached, key).unwrap().is_some() && find(&cached, other).unwrap().is_some());
    revoke(&cached, key);
    database.fail(Some(StoreError::unavailable("reset")));
    assert!(find(&cached, key).is_err());
    cached.invalidate_all();
    assert!(find(&cached, other).is_err());
}

#[test]
fn it_stands_in_for_an_answer_that_comes_too_late() {
    let (database, clock, cached) = cached(|builder| builder.danger_stale_on_failure(seconds(60)));
    let key = database.put("a");
    assert!(find(&cached, key).unwrap().is_some());
    clock.pass(seconds(6));
    database.hold();
    let mut slow = asked(&cached, key);
    assert!(ready(&mut slow).is_none());
    clock.pass(seconds(6));
    database.release();
    assert!(ready(&mut slow).unwrap().unwrap().is_some());
}
