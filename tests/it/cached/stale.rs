//! Old records in place of a store that does not answer: by name only.

use std::sync::atomic::Ordering;

use keygate::{Store, StoreError, StoreErrorKind, Timestamp};
use pollster::block_on;

use super::{asked, cached, find, is_revoked, peeks, ready, revoke, seconds};

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

/// The store may be well then: it answered late, its queue was full. What it said late may even be that there is none.
#[test]
fn it_does_not_stand_in_where_the_store_said_nothing_of_a_failure() {
    let (database, clock, cached) =
        cached(|builder| builder.danger_stale_on_failure(seconds(3_600)).max_loads(1).max_waiting(0));
    let (key, other) = (database.put("a"), database.put("b"));
    assert!(find(&cached, key).unwrap().is_some());
    clock.pass(seconds(6));
    database.hold();
    let mut slow = asked(&cached, key);
    assert!(ready(&mut slow).is_none());
    clock.pass(seconds(6));
    database.release();
    assert_eq!(ready(&mut slow).unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);

    database.hold();
    let mut busy = asked(&cached, other);
    assert!(ready(&mut busy).is_none());
    assert_eq!(find(&cached, key).unwrap_err().kind(), StoreErrorKind::Unavailable);
}

/// What this cache saw revoked or gone does not come back: an absence takes the record's place, and an older answer that
/// arrives late takes nobody's.
#[test]
fn what_is_known_to_be_over_does_not_come_back() {
    let (database, clock, cached) = cached(|builder| builder.danger_stale_on_failure(seconds(60)));
    let (gone, revoked) = (database.put("a"), database.put("b"));
    assert!(find(&cached, gone).unwrap().is_some());
    // An answer from before the revocation stands still on its way.
    database.hold();
    let mut slow = asked(&cached, revoked);
    assert!(ready(&mut slow).is_none());
    revoke(&database, revoked);
    revoke(&database, gone);
    clock.pass(seconds(6));
    database.0.holds.store(false, Ordering::SeqCst);
    assert!(is_revoked(&find(&cached, revoked)));
    assert!(ready(&mut slow).unwrap().is_err(), "it is too late");
    // Another process purges what is dead.
    block_on(database.purge(Timestamp::from_unix(i64::MAX), 9)).unwrap();
    clock.pass(seconds(6));
    assert!(find(&cached, gone).unwrap().is_none());
    database.fail(Some(StoreError::unavailable("reset")));
    clock.pass(seconds(2));
    assert!(find(&cached, gone).is_err(), "this cache knows that it is gone");
    assert!(is_revoked(&find(&cached, revoked)), "and that this one is revoked");
}
