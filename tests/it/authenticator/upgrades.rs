//! Digests under older keys are made anew through the recorder: by compare-and-swap, and only of what was proved.

use std::sync::Arc;

use keygate::{
    Authenticator, CredentialKey, DigestKeys, Kind, Record, Retiring, Revocation, Store, StoreError,
    StoredSecret, UseRecorder,
};
use pollster::block_on;

use super::{World, ask};
use crate::decision::{now_and, ring};

/// The same world after the new key is active: an authenticator that upgrades, and what does it.
fn upgrading(world: &World, keys: DigestKeys) -> (Authenticator, UseRecorder) {
    let uses = UseRecorder::builder(Arc::clone(&world.store)).upgrade_digests().clock(world.clock.clone());
    let uses = uses.build().unwrap();
    let builder = Authenticator::builder(Arc::clone(&world.store), keys).clock(world.clock.clone());
    (builder.use_recorder(uses.clone()).build().unwrap(), uses)
}

fn held(world: &World, key: CredentialKey) -> Arc<Record> {
    block_on(world.store.store.read(key.kind, &key.id)).unwrap().unwrap().record
}

/// How many uses and how many upgrades were handed over.
fn flushed(uses: &UseRecorder) -> (usize, usize) {
    let flushed = block_on(uses.flush()).unwrap();
    (flushed.uses, flushed.upgrades)
}

#[test]
fn a_success_upgrades_once() {
    for world in World::both() {
        let (gate, uses) = upgrading(&world, ring(2, &[1]));
        for kind in Kind::ALL {
            let (text, record) = world.issue(kind);
            let wrong = world.another_text(record.key());
            assert!(ask(&gate, &wrong).is_err());
            assert_eq!(flushed(&uses), (0, 0), "nothing is written because of an unproven secret");
            (0..3).for_each(|_| assert!(ask(&gate, &text).is_ok()));
            assert_eq!(held(&world, record.key()).version(), 0, "and nothing before the flush");
            assert_eq!(flushed(&uses), (1, 1));
            let now = held(&world, record.key());
            let digest = &now.current().digest;
            assert_eq!((digest.slot(), digest.guard_slot(), now.version()), (2, Some(1), 1));
            assert!(ask(&gate, &text).is_ok());
            assert_eq!(flushed(&uses), (1, 0), "once");
            assert!(ask(&gate, &wrong).is_err());
        }
        // A recorder that was not told to does not.
        let quiet = UseRecorder::new(Arc::clone(&world.store));
        let builder =
            Authenticator::builder(Arc::clone(&world.store), ring(2, &[1])).clock(world.clock.clone());
        let gate = builder.use_recorder(quiet.clone()).build().unwrap();
        let (text, record) = world.issue(Kind::ApiKey);
        assert!(ask(&gate, &text).is_ok());
        assert_eq!((flushed(&quiet), held(&world, record.key()).current().digest.slot()), ((1, 0), 1));
    }
}

/// What somebody changed meanwhile is not overwritten: the new digest goes into the record as the store has it.
#[test]
fn what_changed_meanwhile_stays() {
    let world = World::peeking();
    let (gate, uses) = upgrading(&world, ring(2, &[1]));
    let (text, record) = world.issue(Kind::ServiceToken);
    assert!(ask(&gate, &text).is_ok());
    world.change(&record, |builder| builder.revoked(Revocation::new(now_and(0), "left")));
    assert_eq!(flushed(&uses), (1, 1));
    let now = held(&world, record.key());
    assert_eq!((now.revocation().is_some(), now.version(), now.current().digest.slot()), (true, 2, 2));
    assert!(ask(&gate, &text).is_err());

    // Rotated meanwhile: what is not there any more is not upgraded.
    let (text, record) = world.issue(Kind::ServiceToken);
    assert!(ask(&gate, &text).is_ok());
    let new = world.keys.redraw(record.key(), &world.source).unwrap();
    world.change(&record, |builder| builder.current(StoredSecret { number: 2, digest: new.digest }));
    assert_eq!(flushed(&uses), (1, 0));
    assert_eq!(held(&world, record.key()).version(), 1);

    // Renamed meanwhile: the name stays.
    let (text, record) = world.issue(Kind::ServiceToken);
    assert!(ask(&gate, &text).is_ok());
    world.change(&record, |builder| builder.name("renamed"));
    assert_eq!(flushed(&uses), (1, 1));
    let now = held(&world, record.key());
    assert_eq!((now.name(), now.version(), now.current().digest.slot()), (Some("renamed"), 2, 2));

    // Purged meanwhile: it does not come back.
    let (text, record) = world.issue(Kind::ServiceToken);
    assert!(ask(&gate, &text).is_ok());
    world.purge_all();
    assert_eq!(flushed(&uses), (1, 0));
    assert!(block_on(world.store.store.read(Kind::ServiceToken, &record.key().id)).unwrap().is_none());
}

/// Both secrets of a rotation are upgraded, each when it is used.
#[test]
fn each_secret_is_upgraded_by_its_own_text() {
    let world = World::peeking();
    let (gate, uses) = upgrading(&world, ring(2, &[1]));
    let (old, record) = world.issue(Kind::ServiceAccount);
    let new = world.keys.redraw(record.key(), &world.source).unwrap();
    let retiring = Retiring { secret: record.current().clone(), ends_at: now_and(60), leak: None };
    let current = StoredSecret { number: 2, digest: new.digest };
    world.change(&record, |builder| builder.current(current).retiring(retiring));
    let slots = || {
        let record = held(&world, record.key());
        (record.current().digest.slot(), record.retiring().unwrap().secret.digest.slot())
    };
    assert!(ask(&gate, &old).is_ok());
    assert_eq!((flushed(&uses), slots()), ((1, 1), (1, 2)));
    assert!(ask(&gate, &old).is_ok() && ask(&gate, new.text.expose()).is_ok());
    assert_eq!((flushed(&uses), slots()), ((2, 1), (2, 2)));
    // The old key may go: two texts, each by the new one alone.
    let (gate, _) = upgrading(&world, ring(2, &[]));
    let texts = [old.as_str(), new.text.expose()];
    assert_eq!(texts.map(|text| ask(&gate, text).ok()?.secret_number()), [Some(1), Some(2)]);
}

/// A store that fails loses no more than what a next success asks for again.
#[test]
fn an_upgrade_that_failed_is_due_again() {
    let world = World::peeking();
    let (gate, uses) = upgrading(&world, ring(2, &[1]));
    let (text, record) = world.issue(Kind::ApiKey);
    world.store.fail(|name| (name == "update").then(|| StoreError::unavailable("reset")));
    assert!(ask(&gate, &text).is_ok());
    assert!(block_on(uses.flush()).is_err());
    assert!(ask(&gate, &text).is_ok(), "it does not stop its holder");
    world.store.heal();
    assert_eq!((flushed(&uses), held(&world, record.key()).current().digest.slot()), ((1, 1), 2));
}
