//! What fits where: header maps, handles on lookups, and futures that may go to another thread.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use keygate::{
    Authenticator, AuthenticatorBuilder, Caller, Gate, Kind, Lookup, MemoryStore, Observer, Refusal, Store,
    UseRecorder,
};
use pollster::block_on;

use super::World;
use crate::support::fixtures::line;

#[test]
fn handles_go_anywhere() {
    fn handle<T: Clone + Send + Sync + 'static>() {}
    fn shared<T: Send + Sync>() {}
    handle::<Authenticator>();
    handle::<MemoryStore>();
    handle::<UseRecorder>();
    shared::<Gate<'static>>();
    shared::<AuthenticatorBuilder>();
    shared::<Arc<dyn Observer>>();
    fn copied<T: Copy>() {}
    copied::<Gate<'static>>();
}

/// The answer of a future that is `Send`.
fn sent<T>(future: impl Future<Output = T> + Send) -> T {
    block_on(future)
}

/// Lines by value and by reference, of whatever a server has.
#[test]
fn every_servers_headers_fit() {
    for world in World::both() {
        let gate = world.gate();
        for kind in Kind::ALL {
            let (text, record) = world.issue(kind);
            let (name, value) = line(&text);
            let is_it =
                |caller: Result<Caller, Refusal>| assert_eq!(caller.unwrap().credential(), record.key());
            let mut map = HeaderMap::new();
            map.insert("accept", HeaderValue::from_static("*/*"));
            map.insert(name, value.parse().unwrap());
            is_it(sent(gate.authenticate(&map)));
            let array = [("host", "api.example"), (name, &value)];
            is_it(sent(gate.authenticate(array)));
            is_it(sent(gate.authenticate(&array)));
            is_it(sent(gate.authenticate(&array[..])));
            let owned =
                vec![("host".to_owned(), b"api".to_vec()), (name.to_owned(), value.clone().into_bytes())];
            is_it(sent(gate.authenticate(&owned)));
            is_it(sent(gate.authenticate(owned.as_slice())));
            is_it(sent(gate.authenticate(owned.clone())));
            is_it(sent(gate.authenticate(owned.iter().map(|(name, value)| (name, value)))));
            is_it(sent(gate.accept([kind]).client([127, 0, 0, 1].into()).authenticate(&map)));
            is_it(sent(gate.authenticate_optional(&map)).map(Option::unwrap));
            is_it(sent(gate.authenticate_optional(owned)).map(Option::unwrap));
            // The lines may be of one thread and gone before the first poll; what is awaited is not.
            let lines = Rc::new(vec![(name.to_owned(), value.clone())]);
            let future = gate.authenticate(lines.iter().cloned().collect::<Vec<_>>());
            let local = Rc::clone(&lines);
            let other = gate.authenticate((0..1).map(move |at| local[at].clone()));
            drop(lines);
            is_it(sent(future));
            is_it(sent(other));
        }
    }
}

#[test]
fn every_handle_on_a_lookup_is_one() {
    let world = World::peeking();
    let (text, record) = world.issue(Kind::ServiceToken);
    let gate = |lookup: Box<dyn Lookup>| {
        Authenticator::builder(lookup, world.keys.clone()).clock(world.clock.clone())
    };
    let (store, keys) = (&world.store, &world.keys);
    let leaked: &'static MemoryStore = Box::leak(Box::new(store.store.clone()));
    let dynamic: &'static dyn Lookup = leaked;
    let handle = Arc::clone(store);
    let (shared_store, shared): (Arc<dyn Store>, Arc<dyn Lookup>) = (handle.clone(), handle);
    let boxed: Box<dyn Lookup> = Box::new(store.store.clone());
    let boxed_store: Box<dyn Store> = Box::new(store.store.clone());
    let builders = [
        gate(Box::new(Arc::clone(store))),
        Authenticator::builder(store.store.clone(), keys.clone()),
        Authenticator::builder(shared_store, keys.clone()),
        Authenticator::builder(shared, keys.clone()),
        Authenticator::builder(boxed, keys.clone()),
        Authenticator::builder(boxed_store, keys.clone()),
        Authenticator::builder(leaked, keys.clone()),
        Authenticator::builder(dynamic, keys.clone()),
    ];
    for builder in builders {
        let gate = builder.clock(world.clock.clone()).build().unwrap();
        assert_eq!(super::ask(&gate.clone(), &text).unwrap().credential(), record.key());
    }
}

/// Nothing of keys or records is printed by what holds them.
#[test]
fn debug_shows_what_is_configured() {
    let world = World::peeking();
    let gate = world.builder().accept([Kind::ApiKey]).build().unwrap();
    let keys = "keys: DigestKeys { active_slot: 1, .. }";
    assert_eq!(format!("{gate:?}"), format!("Authenticator {{ {keys}, accepted: {{ApiKey}}, .. }}"));
    assert_eq!(format!("{:?}", gate.accept([Kind::ServiceToken])), "Gate { accepted: {}, client: None, .. }");
    assert_eq!(format!("{:?}", world.builder()), format!("AuthenticatorBuilder {{ {keys}, .. }}"));
}
