//! A handle on a store is a store: every method arrives, with its arguments, and what it answers comes back.

use std::sync::Arc;

use keygate::{Inserted, Kind, Lookup, Peek, Revocation, Store, Updated, Use};
use pollster::block_on;

use super::watched::Watched;
use super::{at, built, id, of, organization, user};

/// All that a store is asked for, once each; what it answered, as text.
pub(super) fn ask_all(store: &dyn Store) -> Vec<String> {
    let (kind, owner) = (Kind::ApiKey, user("u-17"));
    let record = built(of(&owner, "a"));
    let other = built(of(&owner, "b").validity(keygate::Validity::until(at(50))));
    let key = record.key();
    let uses = [Use { key, secret: 1, at: at(3) }];
    let mut answers = Vec::new();
    let mut note = |answer: &dyn std::fmt::Debug| answers.push(format!("{answer:?}"));
    block_on(async {
        assert_eq!(store.insert(&record).await.unwrap(), Inserted::Yes);
        assert_eq!(store.insert(&other).await.unwrap(), Inserted::Yes);
        note(&store.insert(&record).await.unwrap());
        let next = built(record.to_builder().name("renamed").version(2));
        assert_eq!(store.update(1, &next).await.unwrap(), Updated::Yes);
        note(&store.update(1, &next).await.unwrap());
        store.record_uses(&uses).await.unwrap();
        note(&store.find(kind, &key.id).await.unwrap().map(|record| record.version()));
        note(&store.read(kind, &key.id).await.unwrap().map(|entry| entry.uses));
        note(&matches!(store.peek(kind, &key.id), Peek::Known(found) if found.version() == 2));
        note(&super::ids(&store.list(&owner, Some(&id("A")), 1).await.unwrap()));
        note(&store.count_live(&owner, at(50)).await.unwrap());
        note(&store.count_slots(at(1)).await.unwrap());
        note(&super::ids(&store.expiring(at(50), at(51), None, 9).await.unwrap()));
        note(&super::ids(&store.unused(at(2), at(4), Some(&key), 9).await.unwrap()));
        note(&store.revoke_owned(&owner, &Revocation::new(at(7), "left")).await.unwrap());
        note(&store.purge(at(8), 1).await.unwrap());
    });
    answers
}

fn shared(store: Arc<Watched>) -> Arc<dyn Store> {
    store
}

fn boxed(store: Arc<Watched>) -> Box<dyn Store> {
    Box::new(store)
}

/// Through `Arc`, `Box`, `&` and a pile of them, also where a peek's default body would have answered otherwise.
#[test]
fn every_method_arrives() {
    let new = || Watched::new(|_| true);
    let direct = new();
    let expected = (ask_all(&*direct), direct.calls());
    let names: Vec<&str> = expected.1.iter().map(|(name, _)| *name).collect();
    let all = [
        "insert",
        "update",
        "record_uses",
        "find",
        "read",
        "peek",
        "list",
        "count_live",
        "count_slots",
        "expiring",
        "unused",
        "revoke_owned",
        "purge",
    ];
    assert!(all.iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(expected.0.len(), 12);

    let through = |wrap: &dyn Fn(Arc<Watched>) -> Box<dyn Store>| {
        let store = new();
        let answers = ask_all(&wrap(Arc::clone(&store)));
        assert_eq!((answers, store.calls()), expected);
    };
    through(&|store| Box::new(store));
    through(&|store| Box::new(shared(store)));
    through(&|store| Box::new(boxed(store)));
    through(&|store| Box::new(Arc::new(boxed(store))));

    let store = new();
    assert_eq!((ask_all(&&*store), store.calls()), expected);
    let store = new();
    let borrowed: &dyn Store = &*store;
    assert_eq!((ask_all(&borrowed), store.calls()), expected);
}

/// Of a handle on a lookup, the peek is the lookup's own and not the default; find as well.
#[test]
fn a_lookup_behind_a_handle_is_asked_itself() {
    let store = Watched::new(|kind| kind == Kind::ServiceAccount);
    let record = built(of(&organization("acme"), "a"));
    assert_eq!(block_on(store.store.insert(&record)).unwrap(), Inserted::Yes);
    let handle = Arc::clone(&store);
    let shared: Arc<dyn Lookup> = handle.clone();
    let boxed: Box<dyn Lookup> = Box::new(handle.clone());
    let borrowed: &dyn Lookup = &*store;
    let lookups: [&dyn Lookup; 3] = [&shared, &boxed, &borrowed];
    for lookup in lookups {
        assert!(matches!(lookup.peek(Kind::ServiceAccount, &id("a")), Peek::Known(_)));
        assert!(matches!(lookup.peek(Kind::ServiceAccount, &id("b")), Peek::Absent));
        assert!(matches!(lookup.peek(Kind::ApiKey, &id("a")), Peek::Ask));
        assert!(block_on(lookup.find(Kind::ServiceAccount, &id("a"))).unwrap().is_some());
        assert!(block_on(lookup.find(Kind::ServiceToken, &id("a"))).unwrap().is_none());
        assert_eq!(store.names(), ["peek", "peek", "peek", "find", "find"]);
    }
}
