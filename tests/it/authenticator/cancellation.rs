//! Promise P27: a future may be dropped wherever it waits, and nothing is left of it.

use std::sync::Arc;

use keygate::{Kind, MemoryStore, UseRecorder};
use pollster::block_on;

use super::{Heard, World, ask, code};
use crate::store::watched::{WRITES, polled};
use crate::support::fixtures::line;

/// Dropped at every place where it waits for a lookup that is slow by so much: no event, no write, no note of a use, and
/// whoever comes next is served.
#[test]
fn a_request_may_be_dropped_wherever_it_waits() {
    for (world, questions) in
        [(World::asking(), 2), (World::new(|kind| kind == Kind::ServiceToken), 1), (World::peeking(), 0)]
    {
        let (heard, uses) = (Heard::new(), UseRecorder::new(MemoryStore::new()));
        let builder = world.builder().observer(Arc::clone(&heard)).use_recorder(uses.clone());
        let gate = builder.build().unwrap();
        let (_, text, record) = world.family();
        let wrong = world.another_text(record.key());
        for pauses in 0..=3 {
            world.store.pause(pauses);
            let needed = 1 + questions * pauses;
            for polls in 0..needed {
                assert!(polled(gate.authenticate([line(&text)]), polls).is_none() || questions == 0);
                assert!(polled(gate.authenticate_optional([line(&text)]), polls).is_none());
                assert!(
                    polled(gate.client([127, 0, 0, 1].into()).authenticate([line(&text)]), polls).is_none()
                );
            }
            // A wrong secret needs no second question.
            let needed_to_refuse = if questions == 2 { 1 + pauses } else { 1 };
            for polls in (0..needed_to_refuse).filter(|_| questions == 2) {
                assert!(polled(gate.authenticate([line(&wrong)]), polls).is_none());
            }
            assert!(heard.all().is_empty(), "nobody was refused");
            if questions > 0 {
                assert_eq!(block_on(uses.flush()).unwrap().uses, 0, "nobody was let in");
            }
            assert!(world.store.names().iter().all(|name| !WRITES.contains(name)));
            let served = polled(gate.authenticate([line(&text)]), needed).unwrap();
            assert_eq!(served.unwrap().credential(), record.key());
            assert_eq!(block_on(uses.flush()).unwrap().uses, 1);
            assert_eq!(
                polled(gate.authenticate([line(&wrong)]), needed_to_refuse).unwrap().unwrap_err().status(),
                401
            );
            assert_eq!(heard.lines().len(), 1);
        }
    }
}

/// Nothing is held between two polls: one request that waits for ever does not stop another.
#[test]
fn a_request_that_hangs_stops_nobody() {
    let world = World::asking();
    let gate = world.gate();
    let (text, _) = world.issue(Kind::ServiceAccount);
    let mut hanging: Vec<_> = (0..64).map(|_| Box::pin(gate.authenticate([line(&text)]))).collect();
    world.store.pause(usize::MAX);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for future in &mut hanging {
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    world.store.pause(0);
    assert_eq!(code(ask(&gate, &text)), "caller");
    drop(hanging);
    assert_eq!(code(ask(&gate, &text)), "caller");
}

/// Promise P24, in one process: what was issued is accepted at once, also where it was asked for a moment ago and was not
/// there; and what was revoked is not.
#[test]
fn what_was_issued_or_revoked_counts_at_once() {
    for world in World::both() {
        let gate = world.gate();
        for kind in Kind::ALL {
            let (text, builder) = world.draw(kind);
            assert_eq!(code(ask(&gate, &text)), "unknown_credential");
            let record = world.put(builder);
            assert_eq!(code(ask(&gate, &text)), "caller");
            let record = world.change(&record, |builder| builder.disabled(true));
            assert_eq!(code(ask(&gate, &text)), "disabled");
            let revocation = keygate::Revocation::new(crate::support::fixtures::NOW, "left");
            world.change(&record, |builder| builder.disabled(false).revoked(revocation));
            assert_eq!(code(ask(&gate, &text)), "revoked");
        }
    }
}
