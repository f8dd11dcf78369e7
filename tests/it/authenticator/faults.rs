//! Stores that fail, lie or panic: *undecided*, with the reason and its source, and never a caller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use async_trait::async_trait;
use keygate::{
    Authenticator, CredentialId, CredentialKey, Event, Kind, Lookup, Observer, Peek, Reason, Record,
    StoreError,
};

use super::{Heard, World, ask, code};
use crate::decision::has_the_face_of_a_failure;

/// An error of whichever kind, of whichever question: undecided, with the store's error as the source.
#[test]
fn a_failing_lookup_is_undecided() {
    type Make = fn() -> StoreError;
    let cases: [(Make, &str, bool, &str); 3] = [
        (|| StoreError::unavailable("reset"), "store_unavailable", false, "the store did not answer: reset"),
        (|| StoreError::rejected("schema 7"), "store_rejected", true, "the store cannot do this: schema 7"),
        (
            || StoreError::corrupt("not JSON"),
            "record_corrupt",
            true,
            "the store's record does not decode: not JSON",
        ),
    ];
    let world = World::asking();
    let heard = Heard::new();
    let gate = world.builder().observer(Arc::clone(&heard)).build().unwrap();
    for kind in Kind::ALL {
        let (text, record) = world.issue(kind);
        let (unknown, wrong) = (world.draw(kind).0, world.another_text(record.key()));
        for (make, reason, fault, explained) in cases {
            world.store.fail(move |name| (name == "find").then(make));
            // Whoever asks: a failure tells nobody whether there is such a credential.
            for text in [&text, &unknown, &wrong] {
                let refusal = ask(&gate, text).unwrap_err();
                has_the_face_of_a_failure(&refusal);
                assert_eq!((refusal.reason().code(), refusal.proven()), (reason, false));
                assert_eq!(refusal.credential().unwrap().kind, kind);
                assert_eq!(refusal.explain().to_string(), explained);
                assert!(std::error::Error::source(&refusal).is_some());
                let [(line, json)] = &heard.all()[..] else { panic!("one event a refusal") };
                assert!(line.starts_with("undecided: "), "{line}");
                assert_eq!((&json["reason"], &json["fault"]), (&reason.into(), &fault.into()));
            }
            world.store.heal();
            assert_eq!(code(ask(&gate, &text)), "caller");
            assert!(heard.all().is_empty());
        }
    }
}

/// A lookup that answers whatever it is asked with one record.
struct Always {
    record: Arc<Record>,
    by_peek: bool,
    /// Asked for these it answers as it should.
    honest: Option<(Kind, Arc<Record>)>,
}

impl Always {
    fn answer(&self, kind: Kind) -> Arc<Record> {
        match &self.honest {
            Some((of, record)) if *of == kind => Arc::clone(record),
            _ => Arc::clone(&self.record),
        }
    }
}

#[async_trait]
impl Lookup for Always {
    async fn find(&self, kind: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(Some(self.answer(kind)))
    }

    fn peek(&self, kind: Kind, _: &CredentialId) -> Peek {
        if self.by_peek { Peek::Known(self.answer(kind)) } else { Peek::Ask }
    }
}

/// The record of another id, or of another kind with the same id, is no proof for anybody, however good the secret is.
#[test]
fn a_record_of_another_credential_is_a_fault() {
    let world = World::peeking();
    for kind in Kind::ALL {
        let (text, record) = world.issue(kind);
        let (_, neighbour) = world.issue(kind);
        let other_kind = Kind::ALL.into_iter().find(|other| *other != kind).unwrap();
        let drawn =
            world.keys.redraw(CredentialKey::new(other_kind, record.key().id), &world.source).unwrap();
        let namesake = world
            .put(world.draw(other_kind).1.current(keygate::StoredSecret { number: 1, digest: drawn.digest }));
        for record in [&neighbour, &namesake] {
            for by_peek in [false, true] {
                let heard = Heard::new();
                let lookup = Always { record: Arc::clone(record), by_peek, honest: None };
                let gate = Authenticator::builder(lookup, world.keys.clone())
                    .clock(world.clock.clone())
                    .observer(Arc::clone(&heard))
                    .build()
                    .unwrap();
                let refusal = ask(&gate, &text).unwrap_err();
                assert_eq!((refusal.reason(), refusal.proven()), (Reason::RecordMismatch, false));
                has_the_face_of_a_failure(&refusal);
                let [(_, json)] = &heard.all()[..] else { panic!("one event a refusal") };
                assert_eq!((&json["reason"], &json["fault"]), (&"record_mismatch".into(), &true.into()));
                assert_eq!(json["owner"], serde_json::Value::Null, "the other record's owner is a stranger");
            }
        }
    }
}

/// So is a parent that is not the one that was asked for.
#[test]
fn a_parent_of_another_family_is_a_fault() {
    let world = World::peeking();
    let (_, text, child) = world.family();
    let (stranger, _, _) = world.family();
    for wrong in [&stranger, &child] {
        for by_peek in [false, true] {
            let honest = Some((Kind::ServiceToken, Arc::clone(&child)));
            let lookup = Always { record: Arc::clone(wrong), by_peek, honest };
            let gate = Authenticator::builder(lookup, world.keys.clone())
                .clock(world.clock.clone())
                .build()
                .unwrap();
            let refusal = ask(&gate, &text).unwrap_err();
            assert_eq!((refusal.reason(), refusal.credential()), (Reason::RecordMismatch, Some(child.key())));
            has_the_face_of_a_failure(&refusal);
        }
    }
}

/// A record whose digest key is gone is a fault of the host's, and not a denial.
#[test]
fn a_record_under_an_unknown_key_is_a_fault() {
    for world in World::both() {
        let (text, _) = world.issue(Kind::ApiKey);
        let guard_only = world.keys.guard_only_text(1).unwrap();
        let key = |slot| keygate::DigestKey::active(slot, &crate::decision::key_bytes(slot)).unwrap();
        let encoded = guard_only.expose().rsplit(':').next().unwrap();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
        let keys =
            keygate::DigestKeys::new([key(2), keygate::DigestKey::guard_only(1, &bytes).unwrap()]).unwrap();
        let gate = Authenticator::builder(Arc::clone(&world.store), keys)
            .clock(world.clock.clone())
            .build()
            .unwrap();
        let refusal = ask(&gate, &text).unwrap_err();
        assert_eq!(refusal.reason(), Reason::UnknownDigestKey { slot: 1 });
        assert!(refusal.reason().is_fault());
        has_the_face_of_a_failure(&refusal);
    }
}

fn panics(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

/// Promise P28: a panic of the lookup is that of its own caller, and nobody else's; the next request is served.
#[test]
fn a_panicking_lookup_takes_nobody_along() {
    for (world, at) in [(World::asking(), "find"), (World::asking(), "peek"), (World::peeking(), "peek")] {
        let gate = world.gate();
        let (text, _) = world.issue(Kind::ServiceAccount);
        let (_, child, _) = world.family();
        for nth in 0..2 {
            for text in [&text, &child] {
                let count = AtomicUsize::new(0);
                world.store.fail(move |name| {
                    assert!(
                        name != at || count.fetch_add(1, Ordering::SeqCst) != nth,
                        "the store's own panic"
                    );
                    None
                });
                // The second question of a request is for its parent.
                let panicked = panics(|| drop(ask(&gate, text)));
                assert_eq!(panicked, nth == 0 || text == &child, "{at} {nth}");
                if panicked {
                    assert_eq!(code(ask(&gate, text)), "caller");
                }
                world.store.heal();
            }
        }
    }
}

/// Meanwhile, the requests of other threads are served.
#[test]
fn a_panic_on_one_thread_is_not_seen_on_another() {
    let world = World::asking();
    let gate = world.gate();
    let texts = Kind::ALL.map(|kind| world.issue(kind).0);
    let turn = Arc::new(AtomicUsize::new(0));
    world.store.fail(move |name| {
        assert!(
            name != "find" || !turn.fetch_add(1, Ordering::SeqCst).is_multiple_of(7),
            "the store's own panic"
        );
        None
    });
    let served: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (gate, texts) = (&gate, &texts);
                scope.spawn(move || {
                    let asked =
                        (0..140).map(|at| catch_unwind(AssertUnwindSafe(|| code(ask(gate, &texts[at % 3])))));
                    asked.filter(|found| found.as_ref().is_ok_and(|code| *code == "caller")).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(served, 480, "all but one in seven");
}

/// An observer that panics when it is told to.
#[derive(Default)]
struct Fragile {
    breaks: AtomicBool,
    heard: Mutex<usize>,
}

impl Observer for Fragile {
    fn observe(&self, _: &Event<'_>) {
        *self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        assert!(!self.breaks.load(Ordering::SeqCst), "the observer's own panic");
    }
}

/// Promise P28, for observers: whoever is refused meets the panic, and whoever is not does not.
#[test]
fn a_panicking_observer_takes_nobody_along() {
    for world in World::both() {
        let observer = Arc::new(Fragile::default());
        let gate = world.builder().observer(Arc::clone(&observer)).build().unwrap();
        let (text, record) = world.issue(Kind::ServiceToken);
        let wrong = world.another_text(record.key());
        let caller = ask(&gate, &text).unwrap();
        let resource = keygate::Resource::secrets("acme", "web", "prod", "/app").unwrap();
        observer.breaks.store(true, Ordering::SeqCst);
        assert!(panics(|| drop(ask(&gate, &wrong))));
        assert!(panics(|| drop(gate.decide(&caller, keygate::Action::Read, &resource))));
        assert_eq!(code(ask(&gate, &text)), "caller", "a success is no event");
        observer.breaks.store(false, Ordering::SeqCst);
        assert_eq!(code(ask(&gate, &wrong)), "wrong_secret");
        assert!(gate.decide(&caller, keygate::Action::Read, &resource).granted().is_ok());
        assert_eq!(*observer.heard.lock().unwrap(), 4);
    }
}
