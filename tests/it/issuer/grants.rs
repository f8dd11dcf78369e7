//! What is granted, and how it changes: scopes, keys, a leak that ends what was minted.

use std::sync::Arc;

use keygate::{
    Expiry, Grant, Kind, Lifetime, NewServiceAccount, Overlap, Parent, Record, Rights, ServiceAccountGrant,
    ServiceTokenGrant, Store as _, Validity,
};
use pollster::block_on;

use super::{Host, days, error, owner, scope};
use crate::support::fixtures::NOW;
use crate::support::random::SeededSource;

fn account(host: &Host, key: keygate::CredentialKey) -> ServiceAccountGrant {
    match host.record(key).grant() {
        Grant::ServiceAccount(account) => account.clone(),
        other => panic!("{other:?}"),
    }
}

fn rights(organization: &str, scopes: &[&str]) -> Rights {
    Rights::new(organization, scopes.iter().map(|text| scope(text))).unwrap()
}

/// Scopes are replaced as a whole, at once, and an account may be left with none.
#[test]
fn scopes_of_an_account_are_replaced() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceAccount).record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    for scopes in [&["read@/", "delete@*/prod:/a/**"][..], &["read@/"], &[]] {
        block_on(accounts.set_scopes(&key.id, scopes.iter().map(|text| scope(text)))).unwrap();
        assert_eq!(account(&host, key).rights(), &rights("acme", scopes));
    }
}

/// A token keeps at least one scope, and all of them in its project.
#[test]
fn scopes_of_a_token_stay_in_its_project() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceToken).record.key();
    let tokens = host.issuer.service_tokens().owned_by(owner(Kind::ServiceToken));
    let before = host.contents();
    let long = ["read@web/prod:/**"; 257];
    for (scopes, argument) in [
        (&[][..], "scope"),
        (&["read@app/prod:/**"], "scope"),
        (&["read@*/prod:/**"], "scope"),
        (&["read@web/"], "scope"),
        (&["read@/"], "scope"),
        (&["read@web/prod:/**", "read@app/prod:/**"], "scope"),
        (&long[..], "scopes"),
    ] {
        let set = tokens.set_scopes(&key.id, scopes.iter().map(|text| scope(text)));
        assert_eq!(error(block_on(set)), argument, "{scopes:?}");
    }
    let endless = tokens.set_scopes(&key.id, std::iter::repeat(scope("read@web/prod:/**")));
    assert_eq!(error(block_on(endless)), "scopes", "an iterator that never ends");
    assert_eq!(host.contents(), before);
    block_on(tokens.set_scopes(&key.id, [scope("read@web/*:/x"), scope("create@web/dev:/**")])).unwrap();
    let record = host.record(key);
    assert_eq!(record.grant().rights(), Some(&rights("acme", &["read@web/*:/x", "create@web/dev:/**"])));
}

/// A closure changes what it likes of a grant, but neither whose it is nor the mint generation.
#[test]
fn a_changed_grant_keeps_its_organization_and_generation() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceAccount).record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    block_on(accounts.rotate_leaked(&key.id, "pasted")).unwrap();

    let changed = accounts.change_grant(&key.id, |grant| {
        grant.with_public_key([7; 32]).with_mint_generation(99).with_sealed_key("web", [1])
    });
    block_on(changed).unwrap();
    let grant = account(&host, key);
    assert_eq!((grant.public_key(), grant.sealed_key("web")), (Some(&[7; 32]), Some(&[1][..])));
    assert_eq!(grant.mint_generation(), 1, "the generation is not the closure's");
    block_on(accounts.change_grant(&key.id, |_| Ok(ServiceAccountGrant::new(rights("acme", &[]))))).unwrap();
    assert_eq!(account(&host, key).mint_generation(), 1, "nor is it lost with a new grant");

    let before = host.contents();
    let other = accounts.change_grant(&key.id, |_| Ok(ServiceAccountGrant::new(rights("other", &[]))));
    assert_eq!(error(block_on(other)), "grant");
    let irregular = accounts.change_grant(&key.id, |grant| grant.with_sealed_key("a.b", [1]));
    assert_eq!(error(block_on(irregular)), "project");
    assert_eq!(host.contents(), before);
}

/// A token's project is its owner's, and a closure cannot take its scopes away.
#[test]
fn a_changed_token_stays_in_its_project() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceToken).record.key();
    let tokens = host.issuer.service_tokens().owned_by(owner(Kind::ServiceToken));
    let before = host.contents();
    for (organization, project, scopes, argument) in [
        ("other", "web", &["read@web/prod:/**"][..], "grant"),
        ("acme", "app", &["read@app/prod:/**"], "grant"),
        ("acme", "web", &[], "scope"),
    ] {
        let changed =
            tokens.change_grant(&key.id, |_| ServiceTokenGrant::new(project, rights(organization, scopes)));
        assert_eq!(error(block_on(changed)), argument);
    }
    assert_eq!(host.contents(), before);
    block_on(tokens.change_grant(&key.id, |grant| grant.with_client_box([7]))).unwrap();
    let record = host.record(key);
    let Grant::ServiceToken(grant) = record.grant() else { panic!("of another kind") };
    assert_eq!(grant.client_box(), Some(&[7][..]));
}

/// The closure sees the grant as it is, also where another change came between.
#[test]
fn a_grant_is_changed_as_it_is_when_it_is_written() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceAccount).record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    let mut calls = 0;
    let changed = accounts.change_grant(&key.id, |grant| {
        calls += 1;
        if calls == 1 {
            // Another process is faster, once.
            let faster = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
            block_on(faster.change_grant(&key.id, |grant| grant.with_sealed_key("app", [2]))).unwrap();
        }
        grant.with_sealed_key("web", [1])
    });
    block_on(changed).unwrap();
    let sealed: Vec<_> = account(&host, key).sealed_keys().map(|(project, _)| project.to_string()).collect();
    assert_eq!((calls, sealed), (2, vec!["app".to_owned(), "web".to_owned()]));
}

/// P48: after a leak the old secret and all that it minted are dead at once, and the reason is kept until the next rotation.
#[test]
fn a_leak_ends_the_secret_and_what_it_minted() {
    let host = Host::new();
    let issued = host.issue(Kind::ServiceAccount);
    let key = issued.record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    let children = [mint(&host, key, 0), mint(&host, key, 1)];
    let says = |texts: &[&str]| texts.iter().map(|text| host.says(text)).collect::<Vec<_>>();
    assert_eq!(says(&[issued.text.expose(), &children[0], &children[1]]), ["ok", "ok", "parent_generation"]);

    // A rotation for another reason ends none of that.
    let second = block_on(accounts.rotate(&key.id, Overlap::hours(1))).unwrap();
    assert_eq!(says(&[issued.text.expose(), second.text.expose(), &children[0]]), ["ok"; 3]);

    let third = block_on(accounts.rotate_leaked(&key.id, "pasted into a ticket")).unwrap();
    let record = host.record(key);
    let retiring = record.retiring().unwrap();
    assert_eq!(
        (retiring.leak.as_deref(), retiring.ends_at),
        (Some("pasted into a ticket"), keygate::Timestamp::MIN)
    );
    assert_eq!(account(&host, key).mint_generation(), 1);
    assert_eq!(says(&[issued.text.expose(), second.text.expose()]), ["wrong_secret", "retired_secret"]);
    assert_eq!(
        says(&[third.text.expose(), &children[0], &children[1]]),
        ["ok", "parent_generation", "ok"],
        "what is minted from now on has the new generation"
    );
    assert_eq!(error(block_on(accounts.abort_rotation(&key.id))), "not rotating", "a leak is not taken back");
    assert_eq!(block_on(accounts.retirement(&key.id)).unwrap(), None);
    block_on(accounts.rotate(&key.id, Overlap::NONE)).unwrap();
    assert_eq!(host.record(key).retiring().unwrap().leak, None);
    assert_eq!(account(&host, key).mint_generation(), 1);
}

/// A reason that is not acceptable rotates nothing.
#[test]
fn a_leak_has_a_reason() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceAccount).record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    let before = host.contents();
    for reason in ["", &"x".repeat(201), "a\nb", "\u{202E}"] {
        assert_eq!(error(block_on(accounts.rotate_leaked(&key.id, reason))), "reason", "{reason:?}");
    }
    assert_eq!(host.contents(), before);
    block_on(accounts.rotate_leaked(&key.id, &"é".repeat(200))).unwrap();
}

/// Revoking, disabling and narrowing an account are one write each, and reach what it minted.
#[test]
fn what_was_minted_lives_with_its_account() {
    let host = Host::new();
    let new = NewServiceAccount::new("acme", Expiry::Never).scope(scope("*@web/prod:/**"));
    let key = block_on(host.issuer.service_accounts().issue(new)).unwrap().record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    let child = mint(&host, key, 0);
    let untouched = host.contents().into_iter().find(|(other, _)| *other != key);
    block_on(accounts.disable(&key.id)).unwrap();
    assert_eq!(host.says(&child), "parent_disabled");
    block_on(accounts.enable(&key.id)).unwrap();
    assert_eq!(host.says(&child), "ok");
    block_on(accounts.set_expiry(&key.id, Lifetime::seconds(1))).unwrap();
    assert_eq!(host.caller(&child).unwrap().valid_until().unwrap().as_unix(), NOW.as_unix() + 1);
    block_on(accounts.revoke(&key.id, "left")).unwrap();
    assert_eq!(host.says(&child), "parent_revoked");
    assert_eq!(host.contents().into_iter().find(|(other, _)| *other != key), untouched);
}

/// The text of a service token that an account minted under a generation; what mints is of a later version.
fn mint(host: &Host, parent: keygate::CredentialKey, mint_generation: u64) -> String {
    let drawn = host.keys.draw(Kind::ServiceToken, &SeededSource::new(100 + mint_generation)).unwrap();
    let grant = ServiceTokenGrant::new("web", rights("acme", &["read@web/prod:/**"])).unwrap();
    let record = Record::builder(drawn.key.id, grant, drawn.digest, NOW)
        .parent(Parent { account: parent.id, mint_generation })
        .validity(Validity::until(days(1)))
        .version(1)
        .build()
        .unwrap();
    assert_eq!(block_on(host.store.insert(&Arc::new(record))).unwrap(), keygate::Inserted::Yes);
    drawn.text.expose().to_owned()
}
