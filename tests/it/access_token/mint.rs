//! Who may mint, and how much: by an account's access key alone, never wider than the account and never longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate::{
    Authenticator, Caller, Expiry, IssueError, Issued, Issuer, Kind, Lifetime, Method, Mint, MintError,
    NewApiKey, NewServiceAccount, NewServiceToken, Overlap, Owner, RandomError, RandomSource, Revocation,
    Rights, ServiceAccountGrant, Validity,
};
use pollster::block_on;
use serde_json::json;

use super::{World, error, mint_error, parsed, payload_of, tokens};
use crate::decision::now_and;
use crate::store::watched::WRITES;
use crate::support::fixtures::NOW;
use crate::support::random::SeededSource;

const READ: &[&str] = &["read@web/prod:/**"];

fn new_token(scopes: &[&str]) -> NewServiceToken {
    NewServiceToken::new("acme", "web", Lifetime::minutes(5)).scopes(parsed(scopes))
}

/// What comes of minting either: an access token, and a service token.
fn both(world: &World, caller: &Caller, scopes: &[&str]) -> [String; 2] {
    [error(world.mint(caller, scopes)), error(world.mint_service_token(caller, new_token(scopes)))]
}

#[track_caller]
fn neither(world: &World, caller: &Caller, scopes: &[&str], expected: &str) {
    assert_eq!(both(world, caller, scopes), [expected; 2]);
}

/// A minted token, claim by claim, and it is signed as it should be.
#[test]
fn what_a_minted_token_says() {
    let world = World::peeking();
    let (account, caller) = world.minter();
    let minted = world.mint(&caller, &["update,read@web/prod:/app/**", "create@web/prod:/"]).unwrap();
    let [header, payload, signature] =
        super::parts(minted.text.expose()).map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    assert_eq!(header, super::header(super::KEY_ID).into_bytes());
    let signed = minted.text.expose().rsplit_once('.').unwrap().0;
    assert_eq!(signature, crate::digest::hmac(&super::KEY, signed.as_bytes()));
    let (id, now) = (account.record.key().id.to_string(), NOW.as_unix());
    let expected = json!({
        "iss": super::ISSUER, "aud": super::AUDIENCE, "sub": id, "client_id": id, "org": "acme",
        "jti": &*minted.id,
        "iat": now, "nbf": now, "exp": now + 900, "scope": "read,update@web/prod:/app/** create@web/prod:/",
    });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&payload).unwrap(), expected);
    assert_eq!(minted.expires_at, now_and(900));
    assert_eq!((minted.id.len(), URL_SAFE_NO_PAD.decode(&*minted.id).unwrap().len()), (22, 16));
    // Minted again, it has another id, and else the same.
    let again = world.mint(&caller, READ).unwrap();
    assert_ne!(again.id, minted.id);
    // After a leak it names the generation.
    let rotated = block_on(world.accounts().rotate_leaked(&account.record.key().id, "leaked")).unwrap();
    let minted = world.mint(&world.caller(rotated.text.expose()), READ).unwrap();
    assert_eq!(payload_of(minted.text.expose())["gen"], json!(1));
    assert_eq!(world.says(minted.text.expose()), "ok");
    assert_eq!(world.says(again.text.expose()), "parent_generation");
}

/// Every method, both ways of minting: only an account by its access key mints, and nobody else costs the store a
/// call.
#[test]
fn only_an_access_key_mints() {
    let world = World::peeking();
    let (_, account) = world.minter();
    let key = block_on(world.issuer.api_keys().issue(NewApiKey::new("u-17", Lifetime::days(1)))).unwrap();
    let token = block_on(world.issuer.service_tokens().issue(new_token(READ))).unwrap();
    let minted_service_token = world.mint_service_token(&account, new_token(READ)).unwrap();
    let access_token = world.mint(&account, READ).unwrap();
    let callers = [
        key.text.expose(),
        token.text.expose(),
        minted_service_token.text.expose(),
        access_token.text.expose(),
    ]
    .map(|text| world.caller(text));
    let methods = [Method::ApiKey, Method::ServiceToken, Method::ServiceToken, Method::AccessToken];
    assert_eq!(callers.each_ref().map(Caller::method), methods);
    world.store.calls();
    for caller in &callers {
        neither(&world, caller, READ, "not by access key");
        // Also where nothing is asked for, or far too much.
        assert_eq!(error(world.mint(caller, &[])), "not by access key");
        neither(&world, caller, &["*@*/*:/**"], "not by access key");
    }
    assert!(world.store.calls().is_empty());
    assert_eq!(both(&world, &account, READ), ["ok", "ok"]);
    // The pure way asks the same.
    let record = account.record().unwrap();
    let mint = Mint::scopes(parsed(READ));
    for caller in &callers {
        let refused = world.tokens.mint(caller, record, &mint, NOW, &world.source).unwrap_err();
        assert_eq!(mint_error(&refused), "not by access key");
        assert_eq!(refused.to_string(), "only a service account mints, by its access key");
    }
    // An issuer that was not built with access tokens mints none, and service tokens all the same.
    let without = Issuer::builder(Arc::clone(&world.store), world.keys.clone())
        .clock(world.clock.clone())
        .build()
        .unwrap();
    world.store.calls();
    assert_eq!(error(block_on(without.mint(&account, mint))), "access_tokens");
    assert!(world.store.calls().is_empty());
    assert_eq!(error(block_on(without.service_tokens().mint(&account, new_token(READ)))), "ok");
}

/// A record that is another's never mints: not another account's, and not one of another kind.
#[test]
fn the_record_is_the_callers_own() {
    let world = World::peeking();
    let ((_, caller), (stranger, _)) = (world.minter(), world.minter());
    let token = block_on(world.issuer.service_tokens().issue(new_token(READ))).unwrap();
    let id = caller.credential().id;
    let digest = token.record.current().digest.clone();
    let of_kind = |kind| {
        let builder =
            keygate::Record::builder(id, crate::support::fixtures::grant(kind), digest.clone(), NOW);
        builder.validity(Validity::until(now_and(900))).build().unwrap()
    };
    let mint = Mint::scopes(parsed(READ));
    for record in [&*stranger.record, &token.record, &of_kind(Kind::ApiKey), &of_kind(Kind::ServiceToken)] {
        let refused = world.tokens.mint(&caller, record, &mint, NOW, &world.source).unwrap_err();
        assert_eq!(mint_error(&refused), "record mismatch");
    }
}

/// Level by level, action by action, glob against glob: the first scope that is too wide is named, and what its
/// account lacks of it.
#[test]
fn nothing_wider_than_the_account_is_minted() {
    let world = World::peeking();
    let account = world.account(&[
        "read@/",
        "read,update@web/",
        "read,update@web/prod:/app/*",
        "delete@web/prod:/app/db",
        "create@web/*:/x/**",
    ]);
    let caller = world.caller(account.text.expose());
    let mint = |scopes: &[&str]| error(world.mint(&caller, scopes));
    for scopes in [
        &["read@/"][..],
        &["read@web/"],
        &["update@web/"],
        &["update,read@web/"],
        &["read@web/prod:/app/*"],
        &["read@web/prod:/app/x"],
        &["read,update@web/prod:/app/a-*-b"],
        &["*@web/prod:/app/db", "read@/"][1..],
        &["delete,read@web/prod:/app/db"],
        &["create@web/*:/x/**"],
        &["create@web/dev:/x"],
        &["create@web/dev:/x/**/y/*"],
        &["read@/", "update@web/", "read@/"],
    ] {
        assert_eq!(mint(scopes), "ok", "{scopes:?}");
    }
    for (scopes, expected) in [
        (&["create@/"][..], "0 lacks create@/"),
        (&["*@/"], "0 lacks create@/"),
        (&["read,delete@/"], "0 lacks delete@/"),
        (&["read@*/"], "0 lacks read@*/"),
        (&["read@api/"], "0 lacks read@api/"),
        (&["create,read@web/"], "0 lacks create@web/"),
        (&["read@web/prod:/"], "0 lacks read@web/prod:/"),
        (&["read@web/prod:/app"], "0 lacks read@web/prod:/app"),
        (&["read@web/prod:/app/*/*"], "0 lacks read@web/prod:/app/*/*"),
        (&["read@web/prod:/app/**"], "0 lacks read@web/prod:/app/**"),
        (&["read@web/prod:/*/db"], "0 lacks read@web/prod:/*/db"),
        (&["read@web/*:/app/*"], "0 lacks read@web/*:/app/*"),
        (&["read@*/prod:/app/*"], "0 lacks read@*/prod:/app/*"),
        (&["delete@web/prod:/app/*"], "0 lacks delete@web/prod:/app/*"),
        (&["*@web/prod:/app/db"], "0 lacks create@web/prod:/app/db"),
        (&["create@web/*:/**"], "0 lacks create@web/*:/**"),
        (&["create@web/dev:/y"], "0 lacks create@web/dev:/y"),
        (&["read@/", "read@web/", "delete@web/", "*@*/"], "2 lacks delete@web/"),
        (&["read@/", "*@*/*:/**", "*@/"], "1 lacks create@*/*:/**"),
    ] {
        assert_eq!(mint(scopes), expected, "{scopes:?}");
        let refused = world.mint(&caller, scopes).unwrap_err();
        let IssueError::Mint(MintError::TooWide(too_wide)) = refused else { panic!("{refused}") };
        assert_eq!(too_wide.scope(), parsed(scopes)[too_wide.rule()].as_str());
        assert!(!too_wide.is_too_complex() && !too_wide.is_other_organization());
    }
    let error = world.mint(&caller, &["read@/", "read@web/prod:/**"]).unwrap_err();
    assert_eq!(error.to_string(), "scope 1 is too wide: read@web/prod:/** is not held");

    // A service token likewise, on secrets of one project of the account's own organization.
    let service = |organization: &str, scopes: &[&str]| {
        let new = NewServiceToken::new(organization, "web", Lifetime::minutes(5)).scopes(parsed(scopes));
        super::error(world.mint_service_token(&caller, new))
    };
    assert_eq!(service("acme", &["read@web/prod:/app/*", "create@web/dev:/x/**"]), "ok");
    assert_eq!(
        service("acme", &["read@web/prod:/app/*", "read@web/prod:/app/**"]),
        "1 lacks read@web/prod:/app/**"
    );
    assert_eq!(service("acme", &["*@web/prod:/app/db"]), "0 lacks create@web/prod:/app/db");
    assert_eq!(service("other", &["read@web/prod:/app/*"]), "0 lacks read@web/prod:/app/*");
    // An account without scopes mints nothing.
    let nothing = world.account(&[]);
    assert_eq!(error_of(&world, &nothing, READ), "0 lacks read@web/prod:/**");
}

fn error_of(world: &World, account: &Issued, scopes: &[&str]) -> String {
    error(world.mint(&world.caller(account.text.expose()), scopes))
}

#[test]
fn one_to_sixty_four_scopes_and_at_most_4096_bytes() {
    let world = World::peeking();
    let account = world.account(&["*@/", "*@*/*:/**"]);
    let caller = world.caller(account.text.expose());
    let mint = |scopes: Vec<&str>| world.mint(&caller, &scopes);
    let scopes = |error: Result<_, IssueError>| {
        error.map(|minted: keygate::MintedToken| minted.text).unwrap_err().to_string()
    };
    assert_eq!(scopes(mint(vec![])), "scopes: expected 1 to 64 scopes");
    assert_eq!(scopes(mint(vec!["read@/"; 65])), "scopes: expected 1 to 64 scopes");
    assert_eq!(scopes(mint(vec!["read@/"; 1_000])), "scopes: expected 1 to 64 scopes");
    for count in [1, 63, 64] {
        let minted = mint(vec!["read@/"; count]).unwrap();
        assert_eq!(world.caller(minted.text.expose()).claims().unwrap().scopes().count(), count);
    }
    // An endless list is refused, and not waited for.
    let endless = Mint::scopes(std::iter::repeat_with(|| "read@/".parse().unwrap()));
    assert_eq!(scopes(block_on(world.issuer.mint(&caller, endless))), "scopes: expected 1 to 64 scopes");
    // Up to the last byte that is read, and not one more.
    let (mut longest, mut refused) = (0, 0);
    let path = |length: usize| -> String {
        (0..length).map(|at| if at % 100 == 0 && at + 1 < length { '/' } else { 'x' }).collect()
    };
    let full = format!("read@web/prod:{}", path(1_000));
    for length in 600..800 {
        let rest = format!("read@web/prod:{}", path(length));
        match mint(vec![&full, &full, &rest]) {
            Ok(minted) => {
                assert!(minted.text.expose().len() <= 4_096);
                longest = longest.max(minted.text.expose().len());
                assert_eq!(world.says(minted.text.expose()), "ok");
            }
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    "scopes: expected so few that the token has at most 4096 bytes"
                );
                refused += 1;
            }
        }
    }
    assert!((4_090..=4_096).contains(&longest) && refused > 10, "{longest} {refused}");
}

/// Promise P21: a quarter of an hour, cut to what the policy and the account allow; what was asked for is given or
/// refused.
#[test]
fn a_lifetime_is_within_the_policy_and_the_accounts_end() {
    let policy = |seconds| tokens().max_lifetime(Lifetime::seconds(seconds)).unwrap();
    for (maximum, default) in
        [(None, 900), (Some(899), 899), (Some(900), 900), (Some(901), 900), (Some(1), 1), (Some(86_400), 900)]
    {
        let tokens = maximum.map_or_else(tokens, policy);
        let maximum = maximum.unwrap_or(3_600);
        for ends in [
            None,
            Some(1),
            Some(default - 1),
            Some(default),
            Some(default + 1),
            Some(maximum),
            Some(maximum + 1),
        ] {
            if ends == Some(0) {
                continue;
            }
            let world = World::with(|_| true, tokens.clone());
            let expiry = ends.map_or(Expiry::Never, |seconds| Expiry::After(Lifetime::seconds(seconds)));
            let new = NewServiceAccount::new("acme", expiry).scopes(parsed(READ));
            let account = block_on(world.issuer.service_accounts().issue(new)).unwrap();
            let caller = world.caller(account.text.expose());
            let lived = |minted: keygate::MintedToken| {
                assert_eq!(payload_of(minted.text.expose())["exp"], json!(minted.expires_at.as_unix()));
                assert_eq!(world.says(minted.text.expose()), "ok");
                u64::try_from(minted.expires_at.as_unix() - NOW.as_unix()).unwrap()
            };
            assert_eq!(
                lived(world.mint(&caller, READ).unwrap()),
                ends.map_or(default, |ends| ends.min(default))
            );
            for asked in [
                1,
                default,
                maximum - 1,
                maximum,
                maximum + 1,
                86_400,
                86_401,
                u64::MAX,
                ends.unwrap_or(2),
                ends.unwrap_or(2) + 1,
            ] {
                if asked == 0 {
                    continue;
                }
                let mint = Mint::scopes(parsed(READ)).lifetime(Lifetime::seconds(asked));
                let found = block_on(world.issuer.mint(&caller, mint));
                if asked > maximum {
                    assert_eq!(error(found), format!("too long for {maximum}"));
                } else if let Some(ends) = ends.filter(|ends| asked > *ends) {
                    let ends_at = now_and(i64::try_from(ends).unwrap());
                    assert_eq!(error(found), format!("outlives {ends_at}"));
                } else {
                    assert_eq!(lived(found.unwrap()), asked);
                }
            }
            let none = Mint::scopes(parsed(READ)).lifetime(Lifetime::seconds(0));
            assert_ne!(error(block_on(world.issuer.mint(&caller, none))), "ok", "for no time at all");
        }
    }
    let words = |error: IssueError| error.to_string();
    let world = World::peeking();
    let (account, caller) = world.minter();
    let long = |hours| Mint::scopes(parsed(READ)).lifetime(Lifetime::hours(hours));
    let too_long = block_on(world.issuer.mint(&caller, long(2))).unwrap_err();
    assert_eq!(words(too_long), "the lifetime is longer than the maximum of 3600 s");
    world.change(&account.record, |builder| builder.validity(Validity::until(now_and(60))));
    let outlives = block_on(world.issuer.mint(&caller, long(1))).unwrap_err();
    assert_eq!(words(outlives), format!("it would outlive the account, which ends at {}", now_and(60)));
}

/// A service token follows the service tokens' policy, and never outlives its account.
#[test]
fn a_minted_service_token_follows_its_own_policy() {
    let world = World::peeking();
    let (account, caller) = world.minter();
    let mint = |issuer: &Issuer, seconds: u64, begins: Option<i64>| {
        let mut new = NewServiceToken::new("acme", "web", Lifetime::seconds(seconds)).scopes(parsed(READ));
        if let Some(begins) = begins {
            new = new.not_before(now_and(begins));
        }
        block_on(issuer.service_tokens().mint(&caller, new))
    };
    let month = 30 * 86_400;
    // Access tokens' policy has nothing to do with it.
    assert_eq!(error(mint(&world.issuer, month, None)), "ok");
    let too_long = mint(&world.issuer, month + 1, None).unwrap_err();
    assert!(matches!(too_long, IssueError::TooLong { maximum } if maximum.as_seconds() == month));
    let strict = world
        .issuer_builder()
        .max_lifetime(Kind::ServiceToken, Lifetime::seconds(60))
        .cap(Kind::ServiceToken, 2)
        .build()
        .unwrap();
    assert!(matches!(mint(&strict, 61, None).unwrap_err(), IssueError::TooLong { .. }));
    assert_eq!(error(mint(&strict, 60, None)), "ok");
    assert!(matches!(mint(&strict, 60, None).unwrap_err(), IssueError::TooMany { cap: 2 }));

    world.change(&account.record, |builder| builder.validity(Validity::until(now_and(1_000))));
    for (seconds, begins, expected) in [
        (1_000, None, "ok".to_owned()),
        (1_001, None, format!("outlives {}", now_and(1_000))),
        (500, Some(500), "ok".to_owned()),
        (501, Some(500), format!("outlives {}", now_and(1_000))),
        (1_000, Some(-500), "ok".to_owned()),
    ] {
        let minted = mint(&world.issuer, seconds, begins);
        if let Ok(minted) = &minted {
            assert!(minted.record.validity().expires_at().unwrap() <= now_and(1_000));
        }
        assert_eq!(error(minted), expected, "{seconds} {begins:?}");
    }
}

/// Its record names the account twice: as its parent, with the generation, and as who made it; nobody else may be
/// named.
#[test]
fn a_minted_service_token_names_its_account() {
    let world = World::peeking();
    let (account, caller) = world.minter();
    let id = account.record.key().id;
    let minted = world.mint_service_token(&caller, new_token(READ).name("ci")).unwrap();
    let record = world.record(&minted.record);
    let parent = *record.parent().unwrap();
    assert_eq!((parent.account, parent.mint_generation, record.created_by()), (id, 0, Some(id.as_str())));
    assert_eq!((record.owner(), record.name()), (&Owner::project("acme", "web").unwrap(), Some("ci")));
    assert_eq!(world.caller(minted.text.expose()).parent().unwrap().key(), account.record.key());
    let issued = block_on(world.issuer.service_tokens().issue(new_token(READ))).unwrap();
    assert!(issued.record.parent().is_none() && issued.record.created_by().is_none());

    world.store.calls();
    for creator in ["u-17", id.as_str()] {
        let refused = world.mint_service_token(&caller, new_token(READ).created_by(creator)).unwrap_err();
        assert_eq!(refused.to_string(), "created_by: expected nothing: minting names the account");
    }
    assert!(world.store.names().iter().all(|name| !WRITES.contains(name)));
    let rotated = block_on(world.accounts().rotate_leaked(&id, "leaked")).unwrap();
    let minted = world.mint_service_token(&world.caller(rotated.text.expose()), new_token(READ)).unwrap();
    assert_eq!(minted.record.parent().unwrap().mint_generation, 1);
    assert_eq!(world.says(minted.text.expose()), "ok");
}

/// The store's record decides, read at that moment: not the one that the caller was proved by, and not a lookup's.
#[test]
fn the_account_is_read_from_the_store() {
    type Change = fn(keygate::RecordBuilder) -> keygate::RecordBuilder;
    let narrowed = |scopes: &[&str]| ServiceAccountGrant::new(Rights::new("acme", parsed(scopes)).unwrap());
    let changes: [(Change, &str); 5] = [
        (|builder| builder.revoked(Revocation::new(NOW, "left")), "not active: revoked"),
        (|builder| builder.disabled(true), "not active: disabled"),
        (|builder| builder.validity(Validity::until(NOW)), "not active: expired"),
        (
            |builder| builder.validity(Validity::new(Some(now_and(1)), None).unwrap()),
            "not active: not valid yet",
        ),
        (
            |builder| {
                let rights =
                    Rights::new("acme", parsed(&["read@web/prod:/app/**", "update@web/prod:/**"])).unwrap();
                builder.grant(ServiceAccountGrant::new(rights))
            },
            "0 lacks read@web/prod:/**",
        ),
    ];
    for (change, expected) in changes {
        let world = World::peeking();
        let (account, caller) = world.minter();
        // Whatever a stale lookup says, an authenticator over it makes the same caller as before.
        let stale = keygate::MemoryStore::new();
        let inserted = block_on(keygate::Store::insert(&stale, &account.record));
        assert_eq!(inserted.unwrap(), keygate::Inserted::Yes);
        let stale =
            Authenticator::builder(stale, world.keys.clone()).clock(world.clock.clone()).build().unwrap();
        assert_eq!(both(&world, &caller, READ), ["ok", "ok"]);
        world.change(&account.record, change);
        neither(&world, &caller, READ, expected);
        let again =
            block_on(stale.authenticate([crate::support::fixtures::line(account.text.expose())])).unwrap();
        neither(&world, &again, READ, expected);
        // What is still held is still minted.
        if expected.contains("lacks") {
            assert_eq!(both(&world, &again, &["read@web/prod:/app/**", "update@web/prod:/x"]), ["ok", "ok"]);
        }
        world.change(&account.record, |builder| builder.grant(narrowed(&[])));
        assert!(both(&world, &caller, READ).iter().all(|error| error != "ok"));
    }
    // Widened meanwhile, it mints what the store says, too.
    let world = World::peeking();
    let (account, caller) = world.minter();
    world.change(&account.record, |builder| builder.grant(narrowed(&["*@*/"])));
    assert_eq!(error(world.mint(&caller, &["read@api/"])), "ok");
    // Purged: not found.
    world.change(&account.record, |builder| builder.revoked(Revocation::new(NOW, "left")));
    assert_eq!(block_on(keygate::Store::purge(&world.store.store, now_and(1), 10)).unwrap(), 1);
    neither(&world, &caller, READ, "no such credential");
}

/// A secret that was rotated out mints until its overlap ends, and not a second longer; the new one at once.
#[test]
fn a_replaced_secret_mints_until_its_overlap_ends() {
    let world = World::peeking();
    let (account, old) = world.minter();
    let id = account.record.key().id;
    let rotated = block_on(world.accounts().rotate(&id, Overlap::seconds(100))).unwrap();
    let new = world.caller(rotated.text.expose());
    for (at, expected) in
        [(0, "ok"), (1, "ok"), (99, "ok"), (100, "secret replaced"), (101, "secret replaced")]
    {
        world.at(at);
        neither(&world, &old, READ, expected);
        assert_eq!(both(&world, &new, READ), ["ok", "ok"]);
    }
    // Without an overlap: at once, also by a caller proved a moment ago.
    let (account, old) = world.minter();
    let rotated = block_on(world.accounts().rotate(&account.record.key().id, Overlap::NONE)).unwrap();
    neither(&world, &old, READ, "secret replaced");
    let new = world.caller(rotated.text.expose());
    assert_eq!(both(&world, &new, READ), ["ok", "ok"]);
    // Nor does it learn what became of the account since.
    world.change(&rotated.record, |builder| builder.disabled(true));
    neither(&world, &old, READ, "secret replaced");
    world.change(&rotated.record, |builder| builder.disabled(false));
    // Two rotations: the first secret is gone, the second retires, the third is current.
    let twice = block_on(world.accounts().rotate(&account.record.key().id, Overlap::seconds(100))).unwrap();
    assert_eq!(both(&world, &new, READ), ["ok", "ok"]);
    block_on(world.accounts().rotate(&account.record.key().id, Overlap::seconds(100))).unwrap();
    neither(&world, &new, READ, "secret replaced");
    let second = world.caller(twice.text.expose());
    assert_eq!(both(&world, &second, READ), ["ok", "ok"]);
    // An aborted rotation: the new secret mints no more, the old one again.
    block_on(world.accounts().retire(&account.record.key().id)).unwrap();
    neither(&world, &second, READ, "secret replaced");
    assert_eq!(
        world.mint(&second, READ).unwrap_err().to_string(),
        "the access key that proved the account was replaced"
    );
}

/// Promise P48, all of it: thief and owner hold one access key, and the thief mints before, during and after the
/// rotation for leaks, also by a caller proved long before, and by clocks an hour off. None of it lives, and all that
/// the owner mints from then on does.
#[test]
fn what_a_thief_minted_dies_with_the_rotation() {
    for (world, thiefs_hour) in [World::both(), World::both(), World::both()]
        .into_iter()
        .zip([-3_600, 0, 3_600])
        .flat_map(|(worlds, hour)| worlds.map(|world| (world, hour)))
    {
        let (account, owner) = world.minter();
        let id = account.record.key().id;
        // The thief has processes of its own, with another clock.
        let (thiefs_clock, thief) =
            (keygate::ManualClock::at(now_and(thiefs_hour)), world.caller(account.text.expose()));
        let thiefs_issuer = world.issuer_builder().clock(thiefs_clock.clone()).build().unwrap();
        let steal = |caller: &Caller, issuer: &Issuer| -> Vec<String> {
            let long = Mint::scopes(parsed(READ)).lifetime(Lifetime::hours(1));
            let mut minted = Vec::new();
            minted.extend(block_on(issuer.mint(caller, long)).map(|token| token.text.expose().to_owned()));
            let new = NewServiceToken::new("acme", "web", Lifetime::days(2)).scopes(parsed(READ));
            minted.extend(
                block_on(issuer.service_tokens().mint(caller, new))
                    .map(|token| token.text.expose().to_owned()),
            );
            minted
        };
        let before = [steal(&thief, &thiefs_issuer), steal(&thief, &world.issuer)].concat();
        assert_eq!(before.len(), 4);
        assert_eq!(
            before.iter().filter(|text| world.says(text) == "ok").count(),
            if thiefs_hour == 0 { 4 } else { 3 },
            "or there is nothing to take away"
        );

        // During: the thief's issuer has read the account, and the rotation is written before it signs.
        let read_before = Arc::clone(&world.record(&account.record));
        let new = NewServiceToken::new("acme", "web", Lifetime::days(2)).scopes(parsed(READ));
        let handle = thiefs_issuer.service_tokens();
        let mut late = std::pin::pin!(handle.mint(&thief, new));
        world.store.pause(1);
        world.store.calls();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..2 {
            assert!(late.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(world.store.names(), ["read", "insert"], "it has read, and not written yet");
        world.store.pause(0);
        let rotated = block_on(world.accounts().rotate_leaked(&id, "leaked")).unwrap();
        let mut during = vec![block_on(late).unwrap().text.expose().to_owned()];
        for tokens_of in [-3_600, 0, 3_600] {
            let mint = Mint::scopes(parsed(READ)).lifetime(Lifetime::hours(1));
            let minted =
                world.tokens.mint(&thief, &read_before, &mint, now_and(tokens_of), &world.source).unwrap();
            during.push(minted.text.expose().to_owned());
        }

        // After: nothing more, by a caller proved earlier, by the owner's old caller, or with the key again.
        for (caller, issuer) in [(&thief, &thiefs_issuer), (&thief, &world.issuer), (&owner, &world.issuer)] {
            assert!(steal(caller, issuer).is_empty());
            assert_eq!(error(block_on(issuer.mint(caller, Mint::scopes(parsed(READ))))), "secret replaced");
        }
        assert_eq!(world.says(account.text.expose()), "retired_secret");

        let owner = world.caller(rotated.text.expose());
        let own = steal(&owner, &world.issuer);
        assert_eq!(own.len(), 2);
        // Whatever the time is for whoever verifies.
        for at in [-3_600, -1, 0, 1, 3_000, 3_599] {
            world.at(at);
            for stolen in before.iter().chain(&during) {
                assert!(
                    matches!(world.says(stolen), "parent_generation" | "expired" | "not_yet_valid"),
                    "{at}"
                );
            }
            if at >= 0 {
                assert!(own.iter().all(|text| world.says(text) == "ok"), "{at}");
            }
        }
        // By an hour in which each of them would hold, it is the generation that ends it.
        let mut by_generation = 0;
        for at in [-3_600, 0, 3_600] {
            world.at(at);
            by_generation += before
                .iter()
                .chain(&during)
                .filter(|stolen| world.says(stolen) == "parent_generation")
                .count();
        }
        assert!(by_generation >= before.len() + during.len());
        // A second rotation, an ordinary one, takes nothing away.
        world.at(0);
        block_on(world.accounts().rotate(&id, Overlap::NONE)).unwrap();
        assert!(own.iter().all(|text| world.says(text) == "ok"));
    }
}

/// A random source that fails when told to.
struct Moody(SeededSource, AtomicBool);

impl RandomSource for Moody {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        if self.1.load(Ordering::Relaxed) { Err(RandomError::new()) } else { self.0.fill(out) }
    }
}

/// Without randomness nothing is minted, and nothing was stored.
#[test]
fn without_randomness_nothing_is_minted() {
    let world = World::peeking();
    let (_, caller) = world.minter();
    let source = Arc::new(Moody(SeededSource::new(3), AtomicBool::new(true)));
    let issuer = world.issuer_builder().random(Arc::clone(&source)).build().unwrap();
    let mint = || {
        [
            error(block_on(issuer.mint(&caller, Mint::scopes(parsed(READ))))),
            error(block_on(issuer.service_tokens().mint(&caller, new_token(READ)))),
        ]
    };
    let owner = Owner::project("acme", "web").unwrap();
    let stored = || block_on(keygate::Store::count_live(&world.store.store, &owner, NOW)).unwrap();
    world.store.calls();
    let failed = RandomError::new().to_string();
    for _ in 0..1_000 {
        assert_eq!(mint(), ["random", failed.as_str()]);
    }
    assert_eq!(stored(), 0);
    assert!(world.store.names().iter().all(|name| *name == "read"));
    source.1.store(false, Ordering::Relaxed);
    assert_eq!(mint(), ["ok", "ok"]);
    assert_eq!(stored(), 1);
}

/// An access token is stored nowhere: minting one is one read of the account, and no write.
#[test]
fn minting_an_access_token_writes_nothing() {
    for world in World::both() {
        let (account, caller) = world.minter();
        world.store.calls();
        let minted = world.mint(&caller, READ).unwrap();
        let read = format!("{} {}", Kind::ServiceAccount, account.record.key().id);
        assert_eq!(world.store.calls(), [("read", read)]);
        assert!(world.mint(&caller, &["*@*/*:/**"]).is_err());
        assert_eq!(world.store.names(), ["read"]);
        assert_eq!(world.record(&account.record).version(), account.record.version());
        assert_eq!(world.says(minted.text.expose()), "ok");
        world.store.calls();
        world.mint_service_token(&caller, new_token(READ)).unwrap();
        assert_eq!(world.store.names(), ["read", "insert"]);
        assert!(world.mint_service_token(&caller, new_token(&["*@web/*:/**"])).is_err());
        assert_eq!(world.store.names(), ["read"]);
    }
}
