//! Promise P38: whatever is wrong with a credential, a stranger sees one answer, and the store one question.

use std::sync::Arc;

use keygate::{
    CredentialKey, HeaderPolicy, Kind, Method, Refusal, Retiring, Revocation, StoredSecret, UseRecorder,
    Validity,
};
use pollster::block_on;

use super::{Heard, World};
use crate::decision::{face, now_and};
use crate::store::watched::WRITES;
use crate::support::fixtures::{END, NOW, line};

/// Every way in which a credential of this kind does not hold, its guard does, and no parent is asked.
fn denied(world: &World, kind: Kind) -> Vec<(&'static str, String)> {
    let made = |change: &dyn Fn(keygate::RecordBuilder) -> keygate::RecordBuilder| {
        let (text, builder) = world.draw(kind);
        let record = world.put(change(builder));
        (text, record)
    };
    let (_, record) = made(&|b| b);
    let other = Kind::ALL.into_iter().find(|other| *other != kind).unwrap();
    let (_, of_other) = (world.draw(other).0, world.put(world.draw(other).1));
    let (replaced, with_new) = world.draw(kind);
    let old = with_new.clone().build().unwrap().current().clone();
    let drawn = world.keys.redraw(with_new.clone().build().unwrap().key(), &world.source).unwrap();
    let retiring = Retiring { secret: old, ends_at: NOW, leak: None };
    world.put(with_new.current(StoredSecret { number: 2, digest: drawn.digest }).retiring(retiring));
    let purged = made(&|b| b.validity(Validity::until(now_and(-100)))).0;
    assert_eq!(block_on(keygate::Store::purge(&world.store.store, now_and(-50), 10)).unwrap(), 1);
    vec![
        ("unknown_credential", world.draw(kind).0),
        ("unknown_credential", purged),
        ("unknown_credential", world.another_text(CredentialKey::new(kind, of_other.key().id))),
        ("wrong_secret", world.another_text(record.key())),
        ("retired_secret", replaced),
        ("revoked", made(&|b| b.revoked(Revocation::new(NOW, "left"))).0),
        ("disabled", made(&|b| b.disabled(true)).0),
        ("expired", made(&|b| b.validity(Validity::until(NOW))).0),
        ("not_yet_valid", made(&|b| b.validity(Validity::new(Some(now_and(1)), Some(END)).unwrap())).0),
    ]
}

/// Status, challenges, header lines, text, and all else that a refusal tells the public.
fn all_of(refusal: &Refusal) -> impl PartialEq + std::fmt::Debug + use<> {
    (face(refusal), Refusal::HEADERS, refusal.needed().is_some(), format!("{refusal:#}"))
}

#[test]
fn every_denial_looks_the_same() {
    for world in World::both() {
        let uses = UseRecorder::new(Arc::clone(&world.store));
        let heard = Heard::new();
        let policies = [HeaderPolicy::new(), HeaderPolicy::new().realm("vault").unwrap()];
        for (kind, policy) in
            Kind::ALL.into_iter().flat_map(|kind| policies.clone().map(|policy| (kind, policy)))
        {
            let builder =
                world.builder().policy(policy).use_recorder(uses.clone()).observer(Arc::clone(&heard));
            let gate = builder.build().unwrap();
            let cases = denied(&world, kind);
            for narrowed in [false, true] {
                let endpoint = gate.accept(if narrowed { vec![kind.into()] } else { Method::ALL.to_vec() });
                world.store.calls();
                let seen: Vec<_> = cases
                    .iter()
                    .map(|(reason, text)| {
                        let refusal = block_on(endpoint.authenticate([line(text)])).unwrap_err();
                        assert_eq!(refusal.reason().code(), *reason);
                        (all_of(&refusal), world.store.names())
                    })
                    .collect();
                for (found, (reason, _)) in seen.iter().zip(&cases) {
                    assert_eq!(*found, seen[0], "{kind}: {reason}");
                }
                // The host's log tells them apart.
                let told: Vec<_> = heard.all().into_iter().map(|(_, json)| json["reason"].clone()).collect();
                assert_eq!(told, cases.iter().map(|(reason, _)| *reason).collect::<Vec<_>>());
            }
        }
        // Nothing was written because of any of them, not even when all that was kept is handed over.
        block_on(uses.flush()).unwrap();
        assert!(world.store.names().iter().all(|name| !WRITES.contains(name)));
    }
}

/// A child under a parent that does not carry it looks like every other denial too.
#[test]
fn a_childs_denial_looks_the_same() {
    for world in World::both() {
        let gate = world.gate();
        let unknown = super::ask(&gate, &world.draw(Kind::ServiceToken).0).unwrap_err();
        let (account, text, _) = world.family();
        world.change(&account, |builder| builder.disabled(true));
        let child = super::ask(&gate, &text).unwrap_err();
        assert_eq!(child.reason().code(), "parent_disabled");
        assert_eq!(face(&child), face(&unknown));
    }
}
