//! Revoking: one credential, one's own, all of an owner's.

use keygate::{Kind, Overlap, Owner, State};
use pollster::block_on;

use super::calls::Call;
use super::{Host, days, error, owner};
use crate::support::fixtures::NOW;

/// From every state, and once and for all: the first reason and time stay.
#[test]
fn revoking_is_final_from_every_state() {
    type Prepare = fn(&Host, Kind, &keygate::CredentialId);
    let states: [(&str, Prepare); 7] = [
        ("active", |_, _, _| {}),
        ("rotating", |host, kind, id| make(host, kind, Call::Rotate, id)),
        ("retired", |host, kind, id| {
            make(host, kind, Call::Rotate, id);
            make(host, kind, Call::Retire, id);
        }),
        ("disabled", |host, kind, id| make(host, kind, Call::Disable, id)),
        ("limited", |host, kind, id| make(host, kind, Call::SetNetworks, id)),
        ("expired", |host, _, _| host.clock.set(days(10))),
        ("before its time", |host, _, _| host.clock.set(days(-1))),
    ];
    for (kind, (state, prepare)) in Kind::ALL.into_iter().flat_map(|kind| states.map(|state| (kind, state))) {
        let host = Host::new();
        let issued = host.issue(kind);
        let key = issued.record.key();
        prepare(&host, kind, &key.id);
        let at = keygate::Clock::now(&host.clock);
        let version = host.record(key).version();
        make(&host, kind, Call::Revoke, &key.id);
        let revoked = host.record(key);
        let revocation = revoked.revocation().unwrap();
        assert_eq!((&*revocation.reason, revocation.at), ("left", at), "{state}");
        assert_eq!((revoked.version(), revoked.state(at)), (version + 1, State::Revoked), "{state}");
        assert_ne!(host.says(issued.text.expose()), "ok", "{state}");

        host.advance(1);
        let before = host.contents();
        host.store.calls();
        let owned = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
        match kind {
            Kind::ApiKey => block_on(owned.revoke(&key.id, "another reason")).unwrap(),
            _ => make(&host, kind, Call::Revoke, &key.id),
        }
        assert_eq!((host.contents(), host.store.calls()), (before, vec!["read"]), "{state}");
    }
}

fn make(host: &Host, kind: Kind, call: Call, id: &keygate::CredentialId) {
    block_on(call.make(&host.issuer, kind, &owner(kind), id)).unwrap();
}

/// What is over has no new secrets, rights or ends; it may still be read, named, noted on, retired and revoked.
#[test]
fn what_is_revoked_or_expired_does_not_come_back() {
    for (kind, call) in Call::each() {
        let allowed = matches!(
            call,
            Call::Read | Call::Rename | Call::SetMetadata | Call::Retire | Call::Retirement | Call::Revoke
        );
        for (over, expected) in [("revoked", "is revoked"), ("expired", "is expired"), ("both", "is revoked")]
        {
            let host = Host::new();
            let issued = call.prepare(&host, kind);
            let key = issued.record.key();
            if over != "expired" {
                make(&host, kind, Call::Revoke, &key.id);
            }
            if over != "revoked" {
                host.clock.set(days(10));
            }
            let before = host.contents();
            let made = block_on(call.make(&host.issuer, kind, &owner(kind), &key.id));
            let expected = if allowed { "ok" } else { expected };
            assert_eq!(error(made), expected, "{call:?} of a {kind} that is {over}");
            if !allowed {
                assert_eq!(host.contents(), before);
            }
            assert_ne!(host.says(issued.text.expose()), "ok");
        }
    }
}

/// Any caller may end its own credential, and once it is revoked, again.
#[test]
fn a_caller_revokes_its_own_credential() {
    for kind in Kind::ALL {
        let host = Host::new();
        let (issued, other) = (host.issue(kind), host.issue(kind));
        let caller = host.caller(issued.text.expose()).unwrap();
        block_on(host.issuer.revoke_own(&caller, "I leaked it")).unwrap();
        assert_eq!([&issued, &other].map(|it| host.says(it.text.expose())), ["revoked", "ok"]);
        let key = issued.record.key();
        assert_eq!(&*host.record(key).revocation().unwrap().reason, "I leaked it");
        let before = host.contents();
        host.store.calls();
        block_on(host.issuer.revoke_own(&caller, "again")).unwrap();
        assert_eq!((host.contents(), host.store.calls()), (before, vec!["read"]));
    }
}

/// A thief with a replaced secret cannot shut its owner out; during an overlap both secrets are the credential's.
#[test]
fn a_caller_whose_secret_was_replaced_revokes_nothing() {
    let keys = owner(Kind::ApiKey);
    // What happened since the caller was proved by the first secret, and what its revoking answers then.
    type Since = fn(&Host, &keygate::Owned<'_, keygate::ApiKeyGrant>, &keygate::CredentialId);
    let cases: [(Since, &str); 6] = [
        (|_, owned, id| drop(block_on(owned.rotate(id, Overlap::NONE)).unwrap()), "caller replaced"),
        (|_, owned, id| drop(block_on(owned.rotate(id, Overlap::seconds(60))).unwrap()), "ok"),
        (
            |host, owned, id| {
                block_on(owned.rotate(id, Overlap::seconds(60))).unwrap();
                host.advance(59);
            },
            "ok",
        ),
        (
            |host, owned, id| {
                block_on(owned.rotate(id, Overlap::seconds(60))).unwrap();
                host.advance(60);
            },
            "caller replaced",
        ),
        (
            |_, owned, id| {
                block_on(owned.rotate(id, Overlap::seconds(60))).unwrap();
                block_on(owned.retire(id)).unwrap();
            },
            "caller replaced",
        ),
        (
            |_, owned, id| {
                block_on(owned.rotate(id, Overlap::seconds(60))).unwrap();
                block_on(owned.rotate(id, Overlap::seconds(60))).unwrap();
            },
            "caller replaced",
        ),
    ];
    for (at, (since, expected)) in cases.into_iter().enumerate() {
        let host = Host::new();
        let issued = host.issue(Kind::ApiKey);
        let caller = host.caller(issued.text.expose()).unwrap();
        since(&host, &host.issuer.api_keys().owned_by(keys.clone()), &issued.record.key().id);
        let before = host.contents();
        assert_eq!(error(block_on(host.issuer.revoke_own(&caller, "mine"))), expected, "case {at}");
        assert_eq!(host.contents() == before, expected != "ok", "case {at}");
    }

    // The new secret of a rotation that was aborted is nobody's any more, and the first one is current again.
    let host = Host::new();
    let issued = host.issue(Kind::ApiKey);
    let (id, owned) = (issued.record.key().id, host.issuer.api_keys().owned_by(keys));
    let rotated = block_on(owned.rotate(&id, Overlap::seconds(60))).unwrap();
    let [first, second] = [&issued, &rotated].map(|it| host.caller(it.text.expose()).unwrap());
    block_on(owned.abort_rotation(&id)).unwrap();
    assert_eq!(error(block_on(host.issuer.revoke_own(&second, "mine"))), "caller replaced");
    assert_eq!(error(block_on(host.issuer.revoke_own(&first, "mine"))), "ok");
    host.advance(1);
    assert_eq!(block_on(host.issuer.purge(keygate::Clock::now(&host.clock), 10)).unwrap(), 1);
    assert_eq!(error(block_on(host.issuer.revoke_own(&first, "mine"))), "not found", "it was purged since");
}

/// A reason that is not acceptable writes nothing.
#[test]
fn a_revocation_has_a_reason() {
    let host = Host::new();
    let issued = host.issue(Kind::ApiKey);
    let caller = host.caller(issued.text.expose()).unwrap();
    let owned = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let before = host.contents();
    for reason in ["", &"x".repeat(201), "a\nb", "\u{2028}"] {
        host.store.calls();
        assert_eq!(error(block_on(owned.revoke(&issued.record.key().id, reason))), "reason");
        assert_eq!(error(block_on(host.issuer.revoke_owned(&owner(Kind::ApiKey), reason))), "reason");
        assert_eq!(error(block_on(host.issuer.revoke_own(&caller, reason))), "reason");
        assert_eq!(host.store.calls(), ["read", "read"], "{reason:?}");
    }
    assert_eq!(host.contents(), before);
    assert_eq!(error(block_on(host.issuer.revoke_own(&caller, &"é".repeat(200)))), "ok");
}

/// All of an owner's, an organization's projects with it, and of nobody else's that bears the same names.
#[test]
fn all_of_an_owner_is_revoked() {
    let owners = || {
        let projects = [("acme", "web"), ("acme", "app"), ("other", "web"), ("acme-2", "web")];
        let projects = projects.map(|(organization, project)| Owner::project(organization, project).unwrap());
        let organizations = ["acme", "other", "acme-2"].map(|name| Owner::organization(name).unwrap());
        // A user may be called like an organization.
        let users = ["u-17", "acme"].map(|name| Owner::user(name).unwrap());
        projects.into_iter().chain(organizations).chain(users)
    };
    for revoked in owners().chain([Owner::project("acme", "unknown").unwrap()]) {
        let host = Host::new();
        // Two each, and one of the two is revoked already, for a reason of its own.
        let issued: Vec<_> =
            owners().map(|owner| (owner.clone(), [host.issue_for(&owner), host.issue_for(&owner)])).collect();
        for (owner, [_, second]) in &issued {
            make_for(&host, owner, &second.record.key().id);
        }
        host.advance(1);
        let belongs = |owner: &Owner| match (&revoked, owner) {
            (Owner::Organization(organization), Owner::Project(of, _)) => organization == of,
            (revoked, owner) => *revoked == *owner,
        };
        let expected = issued.iter().filter(|(owner, _)| belongs(owner)).count();
        let count = block_on(host.issuer.revoke_owned(&revoked, "tenant closed")).unwrap();
        assert_eq!(count, u64::try_from(expected).unwrap(), "{revoked}");
        for (owner, [first, second]) in &issued {
            let (one, two) = (host.record(first.record.key()), host.record(second.record.key()));
            assert_eq!(one.revocation().is_some(), belongs(owner), "{owner} where {revoked} is revoked");
            assert_eq!(one.version(), 1 + u64::from(belongs(owner)));
            assert_eq!((&*two.revocation().unwrap().reason, two.revocation().unwrap().at), ("left", NOW));
            assert_eq!(two.version(), 2);
            if let Some(revocation) = one.revocation() {
                assert_eq!(
                    (&*revocation.reason, revocation.at.as_unix()),
                    ("tenant closed", NOW.as_unix() + 1)
                );
            }
        }
        let before = host.contents();
        assert_eq!(block_on(host.issuer.revoke_owned(&revoked, "again")).unwrap(), 0);
        assert_eq!(host.contents(), before);
    }
}

fn make_for(host: &Host, owner: &Owner, id: &keygate::CredentialId) {
    block_on(Call::Revoke.make(&host.issuer, owner.kind(), owner, id)).unwrap();
}
