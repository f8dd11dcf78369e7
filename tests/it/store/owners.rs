//! Revoking all that an owner has: how far it reaches, what it changes, and that once is enough.

use keygate::{MemoryStore, Owner, Revocation, Store, StoreErrorKind, Use};
use pollster::block_on;

use super::{at, of, organization, project, put, read, user};

fn owners() -> [Owner; 8] {
    [
        user("u-17"),
        user("acme"),
        organization("acme"),
        organization("acm"),
        organization("acme2"),
        project("acme", "web"),
        project("acme", "api"),
        project("acme2", "web"),
    ]
}

/// An organization's reach includes its projects; a user's and a project's is itself; never a namesake.
#[test]
fn how_far_it_reaches() {
    for owner in owners() {
        let store = MemoryStore::new();
        let records: Vec<_> = owners()
            .iter()
            .flat_map(|owner| ["a", "b"].map(|text| (owner, text)))
            .enumerate()
            .map(|(at, (owner, text))| put(&store, of(owner, &format!("{text}{at}")).version(7)))
            .collect();
        let expected = owners().iter().filter(|other| owner.includes(other)).count() * 2;
        let reach = [(organization("acme"), 6), (organization("acme2"), 4)];
        assert_eq!(expected, reach.into_iter().find(|(of, _)| *of == owner).map_or(2, |(_, reach)| reach));
        let revoke = |reason| block_on(store.revoke_owned(&owner, &Revocation::new(at(3), reason))).unwrap();
        assert_eq!(revoke("closed"), u64::try_from(expected).unwrap(), "{owner}");
        assert_eq!(revoke("again"), 0, "{owner}");
        for record in records {
            let now = read(&store, record.key()).unwrap().record;
            let reached = owner.includes(record.owner());
            assert_eq!(now.version(), if reached { 8 } else { 7 }, "{owner}: {}", record.owner());
            let revoked = now.revocation().map(|revocation| (revocation.at, &*revocation.reason));
            assert_eq!(revoked, reached.then_some((at(3), "closed")), "the first reason stays");
        }
    }
    assert_eq!(
        block_on(MemoryStore::new().revoke_owned(&user("u"), &Revocation::new(at(3), "x"))).unwrap(),
        0
    );
}

/// Nothing else of a record changes, the times of use neither; what was revoked before stays as it was.
#[test]
fn what_it_changes() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    let named = put(&store, of(&owner, "a").name("laptop").metadata([("team", "red")]).disabled(true));
    let before = put(&store, of(&owner, "b").revoked(Revocation::new(at(1), "lost")).version(4));
    block_on(store.record_uses(&[Use { key: named.key(), secret: 1, at: at(2) }])).unwrap();
    assert_eq!(block_on(store.revoke_owned(&owner, &Revocation::new(at(3), "left"))).unwrap(), 1);
    let after = read(&store, named.key()).unwrap();
    let expected = named.to_builder().revoked(Revocation::new(at(3), "left")).version(2).build().unwrap();
    assert_eq!(after.record.encode().unwrap(), expected.encode().unwrap());
    assert_eq!(after.uses.of(1), Some(at(2)));
    let untouched = read(&store, before.key()).unwrap().record;
    assert_eq!((untouched.version(), &*untouched.revocation().unwrap().reason), (4, "lost"));
}

/// A reason that no record may hold is refused, and nobody is revoked.
#[test]
fn a_reason_that_is_none() {
    let (store, owner) = (MemoryStore::new(), user("u-17"));
    let record = put(&store, of(&owner, "a"));
    for reason in ["", "a\nb", &"x".repeat(201)] {
        let error = block_on(store.revoke_owned(&owner, &Revocation::new(at(3), reason))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rejected);
        let after = read(&store, record.key()).unwrap().record;
        assert!(after.revocation().is_none() && after.version() == 1);
    }
}
