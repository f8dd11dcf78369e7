//! Times of use, and how many secrets need which key.

use keygate::{
    CredentialKey, Digest, Kind, LastUses, MemoryStore, Retiring, Revocation, SlotCount, Store, StoredSecret,
    Use, Validity,
};
use pollster::block_on;

use super::{at, id, of, organization, put, read, user};

/// Promise P36: a time never goes back, versions stay, and what nobody has is ignored beside what somebody has.
#[test]
fn a_time_of_use_never_goes_back() {
    let store = MemoryStore::new();
    let record = put(&store, of(&user("u-17"), "a").version(3));
    let other = put(&store, of(&organization("acme"), "a"));
    let used = |key, secret, seconds| Use { key, secret, at: at(seconds) };
    let of_first = || read(&store, record.key()).unwrap().uses;
    assert_eq!(of_first(), LastUses::default());
    for (seconds, latest) in [(10, 10), (9, 10), (10, 10), (11, 11), (i64::MIN / 2, 11)] {
        block_on(store.record_uses(&[used(record.key(), 1, seconds)])).unwrap();
        assert_eq!(of_first().of(1), Some(at(latest)));
    }
    // Within one batch as well, and the unknown does not keep the known away.
    let unknown = [
        used(CredentialKey::new(Kind::ApiKey, id("b")), 1, 99),
        used(CredentialKey::new(Kind::ServiceToken, id("a")), 1, 99),
        used(record.key(), 2, 99),
        used(record.key(), 0, 99),
    ];
    let known = [used(record.key(), 1, 30), used(record.key(), 1, 20), used(other.key(), 1, 5)];
    block_on(store.record_uses(&[unknown.as_slice(), &known].concat())).unwrap();
    assert_eq!((of_first().of(1), of_first().of(2), of_first().of(0)), (Some(at(30)), None, None));
    assert_eq!(read(&store, other.key()).unwrap().uses.of(1), Some(at(5)), "kinds do not share");
    assert_eq!(read(&store, record.key()).unwrap().record.version(), 3);
    assert!(read(&store, unknown[0].key).is_none(), "a use makes no record");
    block_on(store.record_uses(&[])).unwrap();
}

/// Whose record is revoked may still be told when it was used last.
#[test]
fn a_dead_credential_keeps_its_times() {
    let store = MemoryStore::new();
    let record = put(&store, of(&user("u-17"), "a"));
    let used = |seconds| {
        block_on(store.record_uses(&[Use { key: record.key(), secret: 1, at: at(seconds) }])).unwrap();
    };
    used(10);
    block_on(store.revoke_owned(&user("u-17"), &Revocation::new(at(11), "left"))).unwrap();
    used(9);
    used(12);
    assert_eq!(read(&store, record.key()).unwrap().uses.latest(), Some(at(12)), "reported late");
}

fn secret(number: u32, slot: u8, guard: Option<u8>) -> StoredSecret {
    StoredSecret { number, digest: Digest::from_parts(slot, guard, &[9; 32]).unwrap() }
}

/// Promise P11: how many secrets need a key, of whatever state and owner; a retiring one until its overlap is over.
#[test]
fn how_many_secrets_need_which_key() {
    let store = MemoryStore::new();
    assert_eq!(block_on(store.count_slots(at(0))).unwrap(), []);
    let retiring =
        |slot, ends| Retiring { secret: secret(1, slot, Some(slot)), ends_at: at(ends), leak: None };
    put(&store, of(&user("u-17"), "a").current(secret(1, 63, Some(63))));
    put(&store, of(&user("u-17"), "b").current(secret(1, 2, None)));
    put(&store, of(&user("u-18"), "c").current(secret(2, 2, Some(1))).retiring(retiring(0, 50)));
    put(&store, of(&organization("acme"), "a").current(secret(1, 2, Some(2))).disabled(true));
    put(
        &store,
        of(&organization("acme"), "b").current(secret(1, 2, Some(2))).validity(Validity::until(at(-9))),
    );
    put(
        &store,
        of(&organization("acme"), "c").current(secret(1, 5, Some(5))).revoked(Revocation::new(at(-9), "x")),
    );
    let count = |slot, digests, guards| SlotCount { slot, digests, guards };
    let during = [count(0, 1, 1), count(1, 0, 1), count(2, 4, 2), count(5, 1, 1), count(63, 1, 1)];
    for (now, expected) in [(0, &during[..]), (49, &during), (50, &during[1..]), (51, &during[1..])] {
        assert_eq!(block_on(store.count_slots(at(now))).unwrap(), expected, "{now}");
    }
    // What is purged needs no key.
    block_on(store.purge(at(0), 9)).unwrap();
    let left = [count(1, 0, 1), count(2, 3, 1), count(63, 1, 1)];
    assert_eq!(block_on(store.count_slots(at(50))).unwrap(), left);
}
