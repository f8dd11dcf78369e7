//! Insert is insert-if-absent, update is compare-and-swap; what was written is read at once.

use std::sync::Arc;

use keygate::{
    CredentialKey, Inserted, Kind, Lookup, MemoryStore, Peek, Record, Retiring, Revocation, Store,
    StoreErrorKind, StoredSecret, Updated, Use,
};
use pollster::block_on;

use super::{at, built, of, owner_of, put, read, user};

/// The very record that every way of reading gives.
#[track_caller]
fn holds(store: &MemoryStore, record: &Arc<Record>) {
    let CredentialKey { kind, id } = record.key();
    let found = block_on(store.find(kind, &id)).unwrap().unwrap();
    let Peek::Known(peeked) = store.peek(kind, &id) else { panic!("it is not peeked") };
    let entry = read(store, record.key()).unwrap();
    let listed = block_on(store.list(record.owner(), None, 1_000)).unwrap();
    let listed = listed.iter().find(|entry| entry.record.key() == record.key()).unwrap();
    for same in [&found, &peeked, &entry.record, &listed.record] {
        assert!(Arc::ptr_eq(same, record), "version {} and not {}", same.version(), record.version());
    }
}

#[track_caller]
fn holds_nothing(store: &MemoryStore, key: CredentialKey) {
    assert!(block_on(store.find(key.kind, &key.id)).unwrap().is_none());
    assert!(matches!(store.peek(key.kind, &key.id), Peek::Absent));
    assert!(read(store, key).is_none());
}

fn insert(store: &MemoryStore, record: &Arc<Record>) -> Inserted {
    block_on(store.insert(record)).unwrap()
}

fn update(store: &MemoryStore, seen: u64, record: &Arc<Record>) -> Updated {
    block_on(store.update(seen, record)).unwrap()
}

/// Lesson of tower-sessions: a second record of an id replaces nothing, whosever it is and whatever its version.
#[test]
fn insert_is_insert_if_absent() {
    let store = MemoryStore::new();
    let first = built(of(&user("u-17"), "a"));
    holds_nothing(&store, first.key());
    assert_eq!(insert(&store, &first), Inserted::Yes);
    holds(&store, &first);
    for other in [of(&user("u-17"), "a"), of(&user("u-18"), "a"), of(&user("u-17"), "a").version(9)] {
        assert_eq!(insert(&store, &built(other)), Inserted::IdTaken);
        holds(&store, &first);
    }
    assert_eq!(insert(&store, &first), Inserted::IdTaken, "nor does the same one twice");
    assert!(block_on(store.list(&user("u-18"), None, 10)).unwrap().is_empty());
    // An id is unique within its kind only.
    for kind in [Kind::ServiceAccount, Kind::ServiceToken] {
        let namesake = built(of(&owner_of(kind), "a"));
        holds_nothing(&store, namesake.key());
        assert_eq!(insert(&store, &namesake), Inserted::Yes);
        holds(&store, &namesake);
    }
    holds(&store, &first);
}

#[test]
fn update_is_compare_and_swap() {
    for kind in Kind::ALL {
        let (store, owner) = (MemoryStore::new(), owner_of(kind));
        let version = |version| built(of(&owner, "a").name(&format!("v{version}")).version(version));
        assert_eq!(update(&store, 1, &version(2)), Updated::Absent);
        holds_nothing(&store, version(1).key());
        let first = put(&store, of(&owner, "a").version(5));
        for seen in [0, 1, 4, 6, u64::MAX - 1] {
            assert_eq!(update(&store, seen, &version(u64::MAX)), Updated::Changed, "{seen}");
            holds(&store, &first);
        }
        let second = version(6);
        assert_eq!(update(&store, 5, &second), Updated::Yes);
        holds(&store, &second);
        assert_eq!(update(&store, 5, &version(7)), Updated::Changed, "it was seen before the last one");
        assert_eq!(update(&store, 6, &version(100)), Updated::Yes, "later, by whatever number");
        assert_eq!(read(&store, second.key()).unwrap().record.version(), 100);
    }
}

/// What breaks the contract of an update is refused by a typed error, and changes nothing.
#[test]
fn an_update_has_a_later_version_and_the_same_owner() {
    let store = MemoryStore::new();
    let first = put(&store, of(&user("u-17"), "a").version(5));
    let rejected = |seen, record: &Arc<Record>, words: &str| {
        let error = block_on(store.update(seen, record)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rejected);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), words);
        holds(&store, &first);
    };
    for version in [0, 4, 5] {
        let same = built(of(&user("u-17"), "a").version(version));
        rejected(5, &same, "an update needs a later version than the one that was seen");
    }
    let others = built(of(&user("u-18"), "a").version(6));
    rejected(5, &others, "an update does not change the owner");
    assert_eq!(update(&store, 4, &others), Updated::Changed, "which nobody learns who has not seen it");
    assert!(block_on(store.list(&user("u-18"), None, 10)).unwrap().is_empty());
}

/// A revocation and whatever else is in a record come back as they were given; times of use stay.
#[test]
fn an_update_replaces_the_record_and_no_times_of_use() {
    let store = MemoryStore::new();
    let first = put(&store, of(&user("u-17"), "a"));
    let used = |secret, seconds| Use { key: first.key(), secret, at: at(seconds) };
    block_on(store.record_uses(&[used(1, 10)])).unwrap();
    // Rotated: both secrets are there, so both may have been used.
    let secret = |number| StoredSecret { number, digest: first.current().digest.clone() };
    let retiring = |number| Retiring { secret: secret(number), ends_at: at(60), leak: None };
    let second = built(first.to_builder().current(secret(2)).retiring(retiring(1)).version(2));
    assert_eq!(update(&store, 1, &second), Updated::Yes);
    block_on(store.record_uses(&[used(2, 20)])).unwrap();
    let uses = read(&store, first.key()).unwrap().uses;
    assert_eq!((uses.of(1), uses.of(2), uses.latest()), (Some(at(10)), Some(at(20)), Some(at(20))));
    holds(&store, &second);
    // Rotated again: the first one is gone, and what is known of it.
    let third = built(second.to_builder().current(secret(3)).retiring(retiring(2)).version(3));
    assert_eq!(update(&store, 2, &third), Updated::Yes);
    let uses = read(&store, first.key()).unwrap().uses;
    assert_eq!((uses.of(1), uses.of(2), uses.of(3)), (None, Some(at(20)), None));
    // A record that comes back from the dead has forgotten it.
    let revoked = built(third.to_builder().revoked(Revocation::new(at(1), "left")).version(4));
    assert_eq!(update(&store, 3, &revoked), Updated::Yes);
    assert_eq!(block_on(store.purge(at(2), 10)).unwrap(), 1);
    holds_nothing(&store, first.key());
    let again = put(&store, of(&user("u-17"), "a"));
    assert_eq!(read(&store, again.key()).unwrap().uses.latest(), None);
}

/// Clones of the store are one store; its `Debug` counts, and shows nothing.
#[test]
fn a_store_is_a_handle() {
    let store = MemoryStore::new();
    let other = store.clone();
    let record = put(&store, of(&user("u-17"), "a"));
    holds(&other, &record);
    assert_eq!(format!("{other:?}"), "MemoryStore { records: 1, .. }");
    assert!(block_on(MemoryStore::new().read(Kind::ApiKey, &record.key().id)).unwrap().is_none());
}
