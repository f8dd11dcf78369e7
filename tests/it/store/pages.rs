//! Pages: in the order of bytes, every one once; what expires, what is unused, and what is purged.

use keygate::{
    CredentialKey, Kind, MemoryStore, Owner, Record, RecordBuilder, Revocation, Store, Timestamp, Use,
    Validity,
};
use pollster::block_on;

use super::{at, id, ids, of, organization, owner_of, project, put, read, user};

/// In the order of bytes, in which capitals stand before small letters and a prefix before what it begins.
const IN_ORDER: [&str; 14] =
    ["+", "-", "/", "/0", "0", "09", "9", "A", "Z", "_", "a", "a-", "aa", "zzzzzzzzzzzzzzzzzzzzzzzzz"];

fn filled(owner: &Owner) -> MemoryStore {
    let store = MemoryStore::new();
    for at in [7, 0, 13, 4, 11, 2, 9, 5, 12, 1, 10, 3, 8, 6] {
        put(&store, of(owner, IN_ORDER[at]));
    }
    store
}

#[test]
fn a_list_is_in_the_order_of_bytes() {
    for kind in Kind::ALL {
        let owner = owner_of(kind);
        let store = filled(&owner);
        for limit in 1..=IN_ORDER.len() + 1 {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = block_on(store.list(&owner, after.as_ref(), limit)).unwrap();
                seen.extend(ids(&page));
                after = page.last().map(|entry| entry.record.key().id);
                assert!(page.len() <= limit && seen.len() <= 100, "it ends: {seen:?}");
                if page.len() < limit {
                    break;
                }
            }
            assert_eq!(seen, IN_ORDER, "pages of {limit}");
        }
        let behind = |text| ids(&block_on(store.list(&owner, Some(&id(text)), 2)).unwrap());
        assert_eq!(behind("/"), ["/0", "0"], "without the one that it is behind");
        assert_eq!(behind("/1"), ["0", "09"], "which need not be there");
        assert_eq!(behind("B"), ["Z", "_"]);
        assert_eq!(behind("a+"), ["a-", "aa"]);
        assert!(
            behind("zzzzzzzzzzzzzzzzzzzzzzzzz").is_empty() && behind("zzzzzzzzzzzzzzzzzzzzzzzzzz").is_empty()
        );
        assert!(block_on(store.list(&owner, None, 0)).unwrap().is_empty());
    }
}

/// Promise P44, as far as the store: a list is of exactly this owner; an organization's is not of its projects.
#[test]
fn a_list_is_of_exactly_one_owner() {
    let store = MemoryStore::new();
    let owners = [
        user("acme"),
        user("Acme"),
        organization("acme"),
        organization("acme2"),
        project("acme", "web"),
        project("acme", "web2"),
        project("acme2", "web"),
    ];
    for (number, owner) in owners.iter().enumerate() {
        put(&store, of(owner, &format!("id{number}")));
    }
    for (number, owner) in owners.iter().enumerate() {
        assert_eq!(ids(&block_on(store.list(owner, None, 10)).unwrap()), [format!("id{number}")], "{owner}");
        assert_eq!(block_on(store.count_live(owner, at(0))).unwrap(), 1, "{owner}");
    }
    for nobody in [user("acm"), organization("ACME"), project("acme", "we")] {
        assert!(block_on(store.list(&nobody, None, 10)).unwrap().is_empty(), "{nobody}");
    }
}

/// Lesson of GitLab's users: expired, revoked and disabled ones stay listed, with the reason.
#[test]
fn what_is_dead_stays_listed() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    put(&store, of(&owner, "a").validity(Validity::until(at(-100))));
    put(&store, of(&owner, "b").revoked(Revocation::new(at(-100), "left the company")));
    put(&store, of(&owner, "c").disabled(true));
    put(&store, of(&owner, "d").validity(Validity::new(Some(at(10)), None).unwrap()));
    let page = block_on(store.list(&owner, None, 10)).unwrap();
    assert_eq!(ids(&page), ["a", "b", "c", "d"]);
    assert_eq!(&*page[1].record.revocation().unwrap().reason, "left the company");
    // Alive is what is neither revoked nor expired.
    assert_eq!(block_on(store.count_live(&owner, at(0))).unwrap(), 2);
    assert_eq!(block_on(store.count_live(&owner, at(-101))).unwrap(), 3);
}

#[test]
fn what_is_alive_is_counted_to_the_second() {
    let (store, owner) = (MemoryStore::new(), organization("acme"));
    put(&store, of(&owner, "a").validity(Validity::until(at(10))));
    put(&store, of(&owner, "b").validity(Validity::UNBOUNDED));
    let counts = [9, 10, 11].map(|seconds| block_on(store.count_live(&owner, at(seconds))).unwrap());
    assert_eq!(counts, [2, 1, 1]);
    let ends = [i64::MIN, i64::MAX]
        .map(|now| block_on(store.count_live(&owner, Timestamp::from_unix(now))).unwrap());
    assert_eq!(ends, [2, 1]);
}

/// One of each kind that has every id, so that pages go over kinds.
fn of_all_kinds(change: impl Fn(RecordBuilder) -> RecordBuilder) -> MemoryStore {
    let store = MemoryStore::new();
    for text in ["b", "a", "B"] {
        for kind in [Kind::ServiceToken, Kind::ApiKey, Kind::ServiceAccount] {
            put(&store, change(of(&owner_of(kind), text)));
        }
    }
    store
}

const KEYS: [&str; 9] = ["ak.B", "ak.a", "ak.b", "sa.B", "sa.a", "sa.b", "st.B", "st.a", "st.b"];

/// All pages of this length.
fn paged(limit: usize, mut page: impl FnMut(Option<&CredentialKey>) -> Vec<keygate::Entry>) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let entries = page(after.as_ref());
        assert!(entries.len() <= limit && seen.len() <= 100, "it ends: {seen:?}");
        seen.extend(entries.iter().map(|entry| entry.record.key().to_string()));
        after = entries.last().map(|entry| entry.record.key());
        if entries.len() < limit {
            return seen;
        }
    }
}

#[test]
fn pages_over_all_owners_are_in_the_order_of_keys() {
    let store = of_all_kinds(|builder| builder.validity(Validity::until(at(10))));
    for limit in 1..=10 {
        let expiring = paged(limit, |after| block_on(store.expiring(at(10), at(11), after, limit)).unwrap());
        assert_eq!(expiring, KEYS, "pages of {limit}");
        let unused = paged(limit, |after| block_on(store.unused(at(1), at(1), after, limit)).unwrap());
        assert_eq!(unused, KEYS, "pages of {limit}");
    }
    assert!(block_on(store.expiring(at(10), at(11), None, 0)).unwrap().is_empty());
    assert!(block_on(store.unused(at(1), at(1), None, 0)).unwrap().is_empty());
}

/// From the first second on, before the last; without what is revoked, with what is disabled.
#[test]
fn what_expires() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    for end in [9, 10, 11, 19, 20] {
        put(&store, of(&owner, &format!("id{end:02}")).validity(Validity::until(at(end))));
    }
    put(&store, of(&owner, "never").validity(Validity::UNBOUNDED));
    put(&store, of(&owner, "id12").validity(Validity::until(at(12))).disabled(true));
    put(&store, of(&owner, "id13").validity(Validity::until(at(13))).revoked(Revocation::new(at(0), "left")));
    let expiring = |from, until| ids(&block_on(store.expiring(at(from), at(until), None, 99)).unwrap());
    assert_eq!(expiring(10, 20), ["id10", "id11", "id12", "id19"]);
    assert_eq!(expiring(10, 10), [""; 0]);
    assert_eq!(expiring(20, 10), [""; 0]);
    let all =
        block_on(store.expiring(Timestamp::from_unix(i64::MIN), Timestamp::from_unix(i64::MAX), None, 99));
    assert_eq!(all.unwrap().len(), 6);
}

/// Alive, made before, and not used at that second or later by either secret.
#[test]
fn what_is_unused() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    let used = |text: &str, seconds| {
        let record = put(&store, of(&owner, text));
        block_on(store.record_uses(&[Use { key: record.key(), secret: 1, at: at(seconds) }])).unwrap();
    };
    used("u49", 49);
    used("u50", 50);
    used("u51", 51);
    put(&store, of(&owner, "unused"));
    put(&store, of(&owner, "disabled").disabled(true));
    put(&store, of(&owner, "expired").validity(Validity::until(at(60))));
    put(&store, of(&owner, "revoked").revoked(Revocation::new(at(1), "left")));
    let unused = |since, now| ids(&block_on(store.unused(at(since), at(now), None, 99)).unwrap());
    assert_eq!(unused(50, 60), ["disabled", "u49", "unused"]);
    assert_eq!(unused(50, 59), ["disabled", "expired", "u49", "unused"]);
    assert_eq!(unused(51, 60), ["disabled", "u49", "u50", "unused"]);
    assert_eq!(unused(0, 60), [""; 0], "they were made at that second");
    assert_eq!(unused(1, 60), ["disabled", "unused"]);
}

type Change = fn(RecordBuilder) -> RecordBuilder;

/// Only what was revoked or expired before the time goes, at most so many, and it is gone from everywhere.
#[test]
fn a_purge_takes_the_dead() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    let cases: [(&str, Change, bool); 9] = [
        ("revoked before", |b| b.revoked(Revocation::new(at(49), "left")), true),
        ("revoked then", |b| b.revoked(Revocation::new(at(50), "left")), false),
        ("revoked after", |b| b.revoked(Revocation::new(at(51), "left")), false),
        ("expired before", |b| b.validity(Validity::until(at(49))), true),
        ("expired then", |b| b.validity(Validity::until(at(50))), false),
        ("expires after", |b| b.validity(Validity::until(at(51))), false),
        ("never", |b| b.validity(Validity::UNBOUNDED), false),
        ("disabled", |b| b.disabled(true), false),
        (
            "both, one of them before",
            |b| b.validity(Validity::until(at(49))).revoked(Revocation::new(at(90), "left")),
            true,
        ),
    ];
    let text = |number: usize| format!("id{number}");
    let records: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(at, (_, change, _))| put(&store, change(of(&owner, &text(at)))))
        .collect();
    assert_eq!(block_on(store.purge(at(50), 0)).unwrap(), 0);
    assert_eq!(block_on(store.purge(at(50), 2)).unwrap(), 2);
    assert_eq!(block_on(store.purge(at(50), 2)).unwrap(), 1, "fewer than the limit are the last");
    assert_eq!(block_on(store.purge(at(50), 2)).unwrap(), 0);
    let listed = ids(&block_on(store.list(&owner, None, 99)).unwrap());
    for (record, (what, _, gone)) in records.iter().zip(cases) {
        assert_eq!(read(&store, record.key()).is_none(), gone, "{what}");
        assert_eq!(!listed.contains(&record.key().id.as_str().to_owned()), gone, "{what}");
    }
    // The last of an owner's takes the owner's place with it, and another one may come.
    let everything = |record: &Record| record.validity().expires_at().is_some();
    assert_eq!(records.iter().filter(|record| everything(record)).count(), 8);
    block_on(store.purge(Timestamp::from_unix(i64::MAX), 99)).unwrap();
    assert_eq!(ids(&block_on(store.list(&owner, None, 99)).unwrap()), ["id6"]);
    put(&store, of(&owner, "id0"));
    assert_eq!(ids(&block_on(store.list(&owner, None, 99)).unwrap()), ["id0", "id6"]);
}
