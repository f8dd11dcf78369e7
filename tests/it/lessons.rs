//! Bugs that others had, and that keygate does not: a test a lesson, in the order of the manual's list, and those of
//! access tokens behind it. Lessons of stores and issuers are in `lessons_of_stores`; those of caches come with these.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keygate::header;
use keygate::{
    Action, Actions, CredentialKey, CredentialText, DigestKeys, Kind, Moment, Parent, Pattern, Presented,
    PresentedCredential, RandomError, RandomSource, Reason, Record, RecordBuilder, Refusal, RefusalClass,
    Resource, Revocation, Rights, Scope, SecretPath, ServiceAccountGrant, StoredSecret, Timestamp, Validity,
    verify,
};

use crate::access_token::{self, Members, World};
use crate::decision::{
    built, caller, face, has_the_face_of_a_denial, has_the_face_of_a_failure, issue, now_and, present, ring,
};
use crate::support::fixtures::{END, NOW, grant};
use crate::support::random::{SeededSource, seed};
use crate::support::work::work_of;

fn code(found: Result<impl Sized, Refusal>) -> &'static str {
    found.map_or_else(|refusal| refusal.reason().code(), |_| "ok")
}

fn wrong_secret_for(presented: &PresentedCredential<String>) -> PresentedCredential<String> {
    present(ring(1, &[]).redraw(presented.key(), &SeededSource::new(99)).unwrap().text.expose())
}

fn rights(organization: &str, scopes: &[&str]) -> Rights {
    Rights::new(organization, scopes.iter().map(|scope| scope.parse().unwrap())).unwrap()
}

/// Every credential that is expired or otherwise dead, by state.
fn dead(builder: &RecordBuilder) -> [RecordBuilder; 4] {
    [
        builder.clone().validity(Validity::until(NOW)),
        builder.clone().validity(Validity::new(Some(now_and(1)), Some(END)).unwrap()),
        builder.clone().disabled(true),
        builder.clone().revoked(Revocation::new(NOW, "left")),
    ]
}

/// Infisical 2023: expiry was looked at before the secret was proved.
#[test]
fn a_wrong_secret_never_learns_that_a_credential_is_dead() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    for kind in Kind::ALL {
        let (presented, builder) = issue(&keys, kind, &source);
        for record in dead(&builder).map(built) {
            let refusal =
                verify(&wrong_secret_for(&presented), Some(&record), &keys, Moment::at(NOW)).unwrap_err();
            assert_eq!((refusal.reason(), refusal.proven()), (Reason::WrongSecret, false));
            has_the_face_of_a_denial(&refusal);
        }
    }
}

/// Infisical: 404 for an unknown id, 401 for a wrong secret.
#[test]
fn an_unknown_id_looks_like_a_wrong_secret() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (presented, builder) = issue(&keys, Kind::ServiceAccount, &source);
    let unknown = verify(&presented, None, &keys, Moment::at(NOW)).unwrap_err();
    let wrong =
        verify(&wrong_secret_for(&presented), Some(&built(builder)), &keys, Moment::at(NOW)).unwrap_err();
    assert_eq!(face(&unknown), face(&wrong));
    assert_eq!((unknown.reason(), wrong.reason()), (Reason::UnknownCredential, Reason::WrongSecret));
}

/// Infisical 2023: a route that passed no environment skipped the permission check.
#[test]
fn nothing_is_permitted_for_want_of_a_part() {
    for (project, environment, path) in
        [("", "prod", "/"), ("web", "", "/"), ("web", "prod", ""), ("*", "*", "/")]
    {
        assert_eq!(Resource::secrets("acme", project, environment, path).unwrap_err().status(), 400);
    }
    assert!(Resource::project("acme", "").is_err() && Resource::organization("").is_err());
    let nobody = rights("acme", &[]);
    let everything = [
        Resource::organization("acme").unwrap(),
        Resource::project("acme", "web").unwrap(),
        Resource::secrets("acme", "web", "prod", "/").unwrap(),
        Resource::user(),
        Resource::own_credential(),
    ];
    for resource in everything {
        assert!(
            Action::ALL.into_iter().all(|action| nobody.permit(action, &resource).is_err()),
            "{resource}"
        );
    }
}

/// Infisical 2023: expiry was not enforced for one kind, and *never* was stored as −1, already past.
#[test]
fn every_kind_expires_and_never_is_no_number() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    for kind in Kind::ALL {
        let (presented, builder) = issue(&keys, kind, &source);
        let until = |seconds| built(builder.clone().validity(Validity::until(Timestamp::from_unix(seconds))));
        let at = |record: &Arc<Record>, seconds| {
            code(verify(&presented, Some(record), &keys, Moment::at(Timestamp::from_unix(seconds))))
        };
        assert_eq!([at(&until(10), 9), at(&until(10), 10), at(&until(10), 11)], ["ok", "expired", "expired"]);
        assert_eq!([at(&until(-1), -2), at(&until(-1), -1), at(&until(-1), 0)], ["ok", "expired", "expired"]);
        assert_eq!([at(&until(0), -1), at(&until(0), 0)], ["ok", "expired"]);
        let endless = builder.clone().validity(Validity::UNBOUNDED).build();
        match kind {
            Kind::ServiceToken => assert!(endless.is_err(), "a service token always ends"),
            _ => assert_eq!(at(&Arc::new(endless.unwrap()), i64::MAX), "ok"),
        }
    }
}

/// Infisical 2023–2026 and many others: delegation compared one action only, matched a requested glob as a literal, and
/// granted more than the maker held.
#[test]
fn nobody_grants_more_than_they_hold() {
    let maker = rights("acme", &["read,update@web/prod:/app/*", "read@web/"]);
    for (wanted, lacking) in [
        ("read@web/prod:/app/db", ""),
        ("update,read@web/prod:/app/x-*", ""),
        ("*@web/prod:/app/db", "create@web/prod:/app/db"),
        ("read,delete@web/prod:/app/db", "delete@web/prod:/app/db"),
        ("read@web/prod:/app/**", "read@web/prod:/app/**"),
        ("read@web/prod:/**/db", "read@web/prod:/**/db"),
        ("read@web/prod:/app", "read@web/prod:/app"),
        ("read@web/*:/app/db", "read@web/*:/app/db"),
        ("read@*/prod:/app/db", "read@*/prod:/app/db"),
        ("read@/", "read@/"),
        ("update@web/", "update@web/"),
    ] {
        let found = maker.covers(&rights("acme", &[wanted]));
        assert_eq!(found.as_ref().err().map_or("", |too_wide| too_wide.lacking()), lacking, "{wanted}");
    }
    assert!(maker.covers(&rights("other", &["read@web/prod:/app/db"])).unwrap_err().is_other_organization());
}

/// Infisical: minted tokens outlived the account that made them.
#[test]
fn what_an_account_minted_dies_with_it() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (access_key, account) = issue(&keys, Kind::ServiceAccount, &source);
    let (token, child) = issue(&keys, Kind::ServiceToken, &source);
    let child = built(child.parent(Parent { account: access_key.key().id, mint_generation: 0 }));
    let by = |account: &Arc<Record>| {
        verify(&token, Some(&child), &keys, Moment::at(NOW)).unwrap().with_parent(|_| Some(account))
    };
    let prod = Resource::secrets("acme", "web", "prod", "/").unwrap();
    assert!(by(&built(account.clone())).unwrap().decide(Action::Read, &prod).granted().is_ok());
    for (dead, expected) in dead(&account).map(built).iter().zip([
        "parent_expired",
        "parent_not_yet_valid",
        "parent_disabled",
        "parent_revoked",
    ]) {
        assert_eq!(code(by(dead)), expected);
    }
    let narrowed = built(account.grant(ServiceAccountGrant::new(rights("acme", &["read@web/dev:/**"]))));
    assert!(by(&narrowed).unwrap().decide(Action::Read, &prod).granted().is_err());
}

/// Infisical: the client key, the fourth part of a token, reached the server.
#[test]
fn the_client_key_is_cut_off_before_anything_sees_it() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let drawn = keys.draw(Kind::ServiceToken, &source).unwrap();
    let with_key = format!("{}.db156ccb0c0897abb2dee9f9e59c845b", drawn.text.expose());
    let presented = present(&with_key);
    assert!(presented.client_key_arrived());
    assert_eq!(keys.digest(&presented).as_bytes(), drawn.digest.as_bytes(), "nor is it part of the proof");
    let printed = format!("{presented:?} {:?}", verify(&presented, None, &keys, Moment::at(NOW)));
    assert!(!printed.contains("db156ccb"), "{printed}");
    let text = CredentialText::parse(&with_key).unwrap();
    assert_eq!(
        (text.to_send(), text.to_keep()),
        (drawn.text.expose(), Some("db156ccb0c0897abb2dee9f9e59c845b"))
    );
}

/// Infisical: `//foo` was checked as one path and resolved as another; `!/foo` was a legal scope.
#[test]
fn a_path_has_one_spelling_and_a_pattern_no_richer_language() {
    for path in [
        "//foo",
        "/foo/",
        "/foo//bar",
        "/./foo",
        "/foo/..",
        "foo",
        "/%66oo",
        "/foo bar",
        "/FOO\u{e9}",
        "/foo\\bar",
        "",
    ] {
        assert!(SecretPath::parse(path).is_err(), "{path}");
        assert_eq!(
            Resource::secrets("acme", "web", "prod", path).unwrap_err().class(),
            RefusalClass::BadRequest,
            "{path}"
        );
        assert!(Pattern::parse(path).is_err(), "{path}");
    }
    for pattern in ["!/foo", "/{a,b}", "/[ab]", "/a?", "/***", "/a**", "/**/**", "/(a|b)", "/+(a)", "/a,b"] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        assert!(Scope::parse(&format!("read@web/prod:{pattern}")).is_err(), "{pattern}");
    }
    assert!(SecretPath::parse("/foo").is_ok() && Pattern::parse("/foo/*/**").is_ok());
}

/// Infisical: bcrypt on every request, for a random secret. And api-keys-simplified: a slow hash behind a checksum that
/// anyone can compute. A thousand of each take a slow hash minutes; this allows a hundred times of what they take.
#[test]
fn no_slow_hash_is_on_any_way_of_a_request() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (right, builder) = issue(&keys, Kind::ServiceAccount, &source);
    let (wrong, record) = (wrong_secret_for(&right), built(builder));
    let drawn = keys.draw(Kind::ApiKey, &source).unwrap();
    let (text, damaged) = (drawn.text.expose(), drawn.text.expose().replace('.', ".a"));
    let quick = |name: &str, mut one: Box<dyn FnMut() -> bool + '_>| {
        let (is_right, took) = work_of(|| (0..1_000).all(|_| one()));
        assert!(is_right, "{name}");
        assert!(took < Duration::from_millis(500), "{name}: {took:?} for 1,000");
    };
    quick("right", Box::new(|| verify(&right, Some(&record), &keys, Moment::at(NOW)).is_ok()));
    quick("wrong", Box::new(|| verify(&wrong, Some(&record), &keys, Moment::at(NOW)).is_err()));
    quick("unknown", Box::new(|| verify(&right, None, &keys, Moment::at(NOW)).is_err()));
    quick("guard", Box::new(|| keys.check_guard(&wrong).is_ok()));
    quick("well-formed", Box::new(|| header::present([("x-api-key", text)]).is_ok()));
    quick("damaged", Box::new(|| header::present([("x-api-key", &damaged)]).is_err()));
    quick("huge", Box::new(|| header::present([("authorization", "Bearer a".repeat(1_000))]).is_err()));
}

/// Infisical: the record with its secret's hash was returned to the token's holder.
#[test]
fn the_view_of_a_record_has_no_digest() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    for kind in Kind::ALL {
        let record = built(issue(&keys, kind, &source).1);
        let view = serde_json::to_value(record.view()).unwrap();
        let names: Vec<&String> = view.as_object().unwrap().keys().collect();
        for hidden in
            ["digest", "slot", "guard", "current", "retiring", "sealed", "client_box", "v", "version"]
        {
            assert!(!names.iter().any(|name| *name == hidden), "{hidden}");
        }
        assert!(!view.to_string().contains("digest"));
    }
}

/// prefixed-api-key: a cloned generator minted the same key again, and the id was a prefix of the secret.
#[test]
fn a_source_that_repeats_itself_is_noticed_by_the_id() {
    struct Stuck;
    impl RandomSource for Stuck {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.fill(7);
            Ok(())
        }
    }
    let keys = ring(1, &[]);
    let [one, other] = [(); 2].map(|()| keys.draw(Kind::ApiKey, &Stuck).unwrap());
    assert_eq!(one.key, other.key, "what inserts if absent refuses the second");
    let drawn = keys.draw(Kind::ApiKey, &SeededSource::new(seed())).unwrap();
    let (id, secret) = drawn.text.expose()[3..].split_once('.').unwrap();
    assert!((0..9).all(|at| !secret.contains(&id[at..at + 4])), "they share no bytes");
}

/// api-keys-simplified: a forged expiry overflowed before authentication. Nothing inside an unproven text is acted on,
/// and what a record holds is computed exactly. And jsonwebtoken: `now - leeway` underflowed.
#[test]
fn no_time_overflows() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (right, builder) = issue(&keys, Kind::ServiceToken, &source);
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for (now, until) in ends.iter().flat_map(|now| ends.map(|until| (*now, until))) {
        let record = built(builder.clone().validity(Validity::until(Timestamp::from_unix(until))));
        let found =
            |presented| verify(presented, Some(&record), &keys, Moment::at(Timestamp::from_unix(now)));
        assert_eq!(code(found(&right)), if now < until { "ok" } else { "expired" });
        assert_eq!(code(found(&wrong_secret_for(&right))), "wrong_secret");
        for leeway in [0, 300] {
            let _ = record
                .validity()
                .standing(Timestamp::from_unix(now), keygate::Leeway::seconds(leeway).unwrap());
        }
    }
}

/// headers crate and others: two tokens taken as one, an empty one, the first of two headers silently used.
#[test]
fn one_request_one_credential() {
    let text = "sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ";
    let bearer = format!("Bearer {text}");
    let refused = |lines: &[(&str, &str)]| code(header::present(lines));
    assert_eq!(refused(&[("authorization", &bearer)]), "ok");
    assert_eq!(refused(&[("authorization", &format!("{bearer}, {bearer}"))]), "malformed");
    assert_eq!(refused(&[("authorization", &format!("{bearer},"))]), "malformed");
    assert_eq!(refused(&[("authorization", "Bearer ")]), "malformed");
    assert_eq!(refused(&[("authorization", "Bearer")]), "malformed");
    assert_eq!(refused(&[("authorization", &bearer), ("authorization", &bearer)]), "duplicate_header");
    assert_eq!(refused(&[("authorization", &bearer), ("Authorization", "")]), "duplicate_header");
    let Ok(presented) = header::present([("authorization", &bearer)]) else { panic!("{bearer}") };
    assert!(!format!("{presented:?}").contains("SyFLe"));
}

/// rustberg and others: a dead database looked like *no such key*.
#[test]
fn a_failure_is_no_denial() {
    let failures = [
        Refusal::store_unavailable("connection reset"),
        Refusal::record_corrupt(Record::decode(b"").unwrap_err()),
        Refusal::user_rights_unavailable("connection reset"),
    ];
    for refusal in &failures {
        has_the_face_of_a_failure(refusal);
        assert!(std::error::Error::source(refusal).is_some());
    }
}

/// The Rust registry: no scopes meant full access, and an empty list everything.
#[test]
fn empty_grants_nothing() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    for kind in [Kind::ServiceAccount, Kind::ServiceToken] {
        let (presented, builder) = issue(&keys, kind, &source);
        let nothing = match kind {
            Kind::ServiceAccount => ServiceAccountGrant::new(rights("acme", &[])).into(),
            _ => keygate::Grant::from(keygate::ServiceTokenGrant::new("web", rights("acme", &[])).unwrap()),
        };
        let caller = caller(&presented, &built(builder.grant(nothing)), &keys);
        for resource in [
            Resource::organization("acme"),
            Resource::project("acme", "web"),
            Resource::secrets("acme", "web", "prod", "/"),
        ] {
            let resource = resource.unwrap();
            assert!(
                Action::ALL.into_iter().all(|action| caller.decide(action, &resource).granted().is_err()),
                "{resource}"
            );
        }
    }
    // And nothing covers only nothing.
    assert!(rights("acme", &[]).covers(&rights("acme", &["read@web/prod:/"])).is_err());
}

/// aliri, oxide-auth: an empty required scope admitted everyone. There is no empty access to ask for.
#[test]
fn there_is_no_empty_access() {
    assert!(Scope::organization(Actions::default()).is_err());
    for empty in ["", "@/", "@web/prod:/**", " ", ","] {
        assert!(Scope::parse(empty).is_err(), "{empty:?}");
    }
}

/// macaroon crate: the key was printed by `Debug`. (How it compares is looked at in the compiled code.)
#[test]
fn keys_and_digests_print_nothing() {
    let keys = DigestKeys::parse("1:active:QZ9f8DkXlOZ2mmb0JrmQ5zGp3bNnTCa0cZ2kjDhYd0I=").unwrap();
    assert_eq!(format!("{keys:?}"), "DigestKeys { active_slot: 1, .. }");
    let drawn = keys.draw(Kind::ApiKey, &SeededSource::new(seed())).unwrap();
    assert_eq!(format!("{:?}", drawn.digest), "Digest { slot: 1, guard_slot: Some(1), .. }");
    assert_eq!(format!("{:?}", drawn.text), "Secret(***)");
}

/// Doorkeeper: with a plain fallback the stored hash itself was a valid credential.
#[test]
fn a_stored_digest_opens_nothing() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let record = built(issue(&keys, Kind::ServiceAccount, &source).1);
    let hex: String = record.current().digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let stolen = present(&format!("{}.{hex}", record.key()));
    assert_eq!(code(verify(&stolen, Some(&record), &keys, Moment::at(NOW))), "wrong_secret");
}

/// Kubernetes: a token of a deleted account worked for a new account of the same name.
#[test]
fn a_name_is_no_identity() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (old, _) = issue(&keys, Kind::ServiceAccount, &source);
    let (_, new) = issue(&keys, Kind::ServiceAccount, &source);
    let (token, child) = issue(&keys, Kind::ServiceToken, &source);
    let child = built(child.parent(Parent { account: old.key().id, mint_generation: 0 }));
    let new = built(new.name("ci"));
    let records = HashMap::from([(new.key(), new)]);
    let verified = verify(&token, Some(&child), &keys, Moment::at(NOW)).unwrap();
    assert_eq!(code(verified.with_parent(|key| records.get(key))), "parent_absent");
}

/// `OpenBao`: a cached salt was not invalidated. A ring is a value: what is given the new one uses it at once.
#[test]
fn new_keys_count_with_the_next_call() {
    let (presented, builder) = issue(&ring(1, &[]), Kind::ServiceAccount, &SeededSource::new(seed()));
    let record = built(builder);
    let with = |keys: &DigestKeys| code(verify(&presented, Some(&record), keys, Moment::at(NOW)));
    assert_eq!(
        [with(&ring(1, &[])), with(&ring(2, &[])), with(&ring(2, &[1]))],
        ["ok", "unknown_digest_key", "ok"]
    );
    let other = DigestKeys::new([keygate::DigestKey::active(1, &[0xee; 32]).unwrap()]).unwrap();
    assert_eq!(with(&other), "wrong_secret");
}

/// GitLab users: an expired token vanished, and nobody knew why automation failed.
#[test]
fn a_dead_credential_says_why_it_is_dead() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (_, builder) = issue(&keys, Kind::ServiceAccount, &source);
    let record = built(builder.revoked(Revocation::new(NOW, "the owner left")));
    let view = serde_json::to_value(record.view()).unwrap();
    assert_eq!(view["revoked"], serde_json::json!({ "at": NOW.as_unix(), "reason": "the owner left" }));
    assert_eq!(record.state(NOW), keygate::State::Revoked);
}

/// API-key stores: a key was found by scanning all hashes. One lookup, by what the text itself names.
#[test]
fn one_lookup_by_id() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (presented, builder) = issue(&keys, Kind::ServiceAccount, &source);
    let record = built(builder);
    let mut lookups = 0;
    let mut find = |key: CredentialKey| {
        lookups += 1;
        (key == record.key()).then_some(&record)
    };
    let found = find(presented.key());
    let verified = verify(&presented, found, &keys, Moment::at(NOW)).unwrap();
    assert!(verified.with_parent(|key| find(*key)).is_ok());
    assert_eq!(lookups, 1);
}

/// modo-rs, rustberg, ferro-rs: `key[..16]` panicked on characters of several bytes.
#[test]
fn characters_of_several_bytes_are_refused() {
    let text = "sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ";
    for (at, character) in
        (0..=text.len()).flat_map(|at| ['\u{e9}', '\u{2028}', '\u{1f511}', '\u{0}'].map(|c| (at, c)))
    {
        let mut wrong = text.to_owned();
        wrong.insert(at, character);
        assert_eq!(code(header::present([("authorization", format!("Bearer {wrong}"))])), "invalid_byte");
        assert!(CredentialText::parse(&wrong).is_err());
        assert!(keygate::CredentialId::parse(&wrong).is_err() && Scope::parse(&wrong).is_err());
    }
}

/// Multi-tenant services: *all projects* of one tenant matched another tenant's project of the same name.
#[test]
fn all_projects_are_those_of_one_organization() {
    let all = rights("acme", &["*@/", "*@*/", "*@*/*:/**"]);
    let resources = |organization| {
        [
            Resource::organization(organization).unwrap(),
            Resource::project(organization, "web").unwrap(),
            Resource::secrets(organization, "web", "prod", "/app").unwrap(),
        ]
    };
    for (own, other) in resources("acme").iter().zip(resources("acme2")) {
        assert!(all.permit(Action::Read, own).is_ok(), "{own}");
        assert!(all.permit(Action::Read, &other).is_err(), "{other}");
    }
}

/// Access keys that leaked: rotation replaced the key, and what the thief had minted lived on.
#[test]
fn a_rotation_for_a_leak_ends_what_was_minted() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (stolen, account) = issue(&keys, Kind::ServiceAccount, &source);
    let (token, child) = issue(&keys, Kind::ServiceToken, &source);
    let child = built(child.parent(Parent { account: stolen.key().id, mint_generation: 0 }));
    let drawn = keys.redraw(stolen.key(), &source).unwrap();
    let next = ServiceAccountGrant::new(rights("acme", &["*@web/prod:/**"])).with_mint_generation(1);
    let rotated = built(account.grant(next).current(StoredSecret { number: 2, digest: drawn.digest }));
    let verified = verify(&token, Some(&child), &keys, Moment::at(NOW)).unwrap();
    assert_eq!(code(verified.with_parent(|_| Some(&rotated))), "parent_generation");
    assert_eq!(code(verify(&stolen, Some(&rotated), &keys, Moment::at(NOW))), "wrong_secret");
    assert_eq!(code(verify(&present(drawn.text.expose()), Some(&rotated), &keys, Moment::at(NOW))), "ok");
}

/// Pepper rotations: a key was dropped while credentials out there still needed it. Guard only keeps what they need.
#[test]
fn a_retired_pepper_leaves_its_guard() {
    let (old, new) = (ring(1, &[]), ring(2, &[1]));
    let (presented, builder) = issue(&old, Kind::ServiceAccount, &SeededSource::new(seed()));
    let record = built(builder);
    let upgrade = caller(&presented, &record, &new).upgrade(&presented, &new).unwrap();
    let record = upgrade.apply(&record).unwrap();
    let text = new.guard_only_text(1).unwrap();
    let left = [keygate::DigestKey::active(2, &crate::decision::key_bytes(2)).unwrap()];
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &text.expose()[8..]).unwrap();
    let left = DigestKeys::new(left.into_iter().chain([keygate::DigestKey::guard_only(1, &bytes).unwrap()]))
        .unwrap();
    left.check_guard(&presented).unwrap();
    assert_eq!(code(verify(&presented, Some(&record), &left, Moment::at(NOW))), "ok");
}

/// models-as-a-service, `LightRAG`, others: authenticated by one credential, authorized by the other.
#[test]
fn the_caller_is_who_was_proved() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let drawn = [Kind::ApiKey, Kind::ServiceAccount].map(|kind| keys.draw(kind, &source).unwrap());
    let [key, account] = [drawn[0].text.expose(), drawn[1].text.expose()];
    let both = [("x-api-key", key.to_owned()), ("authorization", format!("Bearer {account}"))];
    assert_eq!(code(header::present(&both)), "multiple_methods");
    let policy = keygate::HeaderPolicy::new().precedence(keygate::Precedence::Authorization);
    let Ok(Presented::Credential(presented)) = policy.present(&both) else { panic!("one of them counts") };
    let builder = Record::builder(drawn[1].key.id, grant(Kind::ServiceAccount), drawn[1].digest.clone(), NOW);
    let verified = verify(&presented, Some(&built(builder)), &keys, Moment::at(NOW)).unwrap();
    let caller = verified.with_parent(|_| None).unwrap();
    assert_eq!((caller.credential(), caller.method()), (drawn[1].key, keygate::Method::ServiceAccount));
    let web = Resource::secrets("acme", "web", "prod", "/").unwrap();
    let permit = caller.decide(Action::Read, &web).granted().unwrap();
    assert_eq!(permit.caller().credential(), drawn[1].key, "a permit names whom it was given to");
}

/// JWT libraries: `alg` confusion, `none`, key-id injection. No header is interpreted but one that is known as text.
#[test]
fn no_header_chooses_an_algorithm_or_a_key() {
    let world = World::peeking();
    let (account, _) = world.minter();
    let json = Members::of(account.record.key().id.as_str()).json();
    let signed = |header: &str, key: &[u8]| world.says(&access_token::signed_as(header, key, &json));
    assert_eq!(signed(&access_token::header("k1"), &access_token::KEY), "ok");
    for header in [
        r#"{"alg":"none","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"nOnE","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"HS512","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"../../dev/null","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"' UNION SELECT 'k","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","jwk":{"kty":"oct","k":"pQ"},"kid":"k1","typ":"at+jwt"}"#,
    ] {
        for key in [&access_token::KEY[..], b"", b"k", b"a key of the caller's own, in jwk"] {
            assert_eq!(signed(header, key), "token_header", "{header}");
        }
    }
}

/// jsonwebtoken, `rusty_paseto`: a claim of the wrong type was treated as absent, and passed.
#[test]
fn a_claim_of_the_wrong_type_is_not_absent() {
    let world = World::peeking();
    let (account, _) = world.minter();
    let members = || Members::of(account.record.key().id.as_str());
    assert_eq!(world.says(&members().signed()), "ok");
    let times = ["\"99999999999\"", "99999999999.0", "9.9e10", "null", "[99999999999]", "{}", "true"];
    let texts = ["null", "1", "[]", "{}", "true", "[\"https://secrets.example\"]"];
    for (claim, values) in [
        ("exp", &times[..]),
        ("nbf", &times),
        ("iat", &times),
        ("aud", &texts),
        ("iss", &texts),
        ("scope", &texts),
    ] {
        for value in values {
            assert_eq!(world.says(&members().set(claim, value).signed()), "token_claims", "{claim} {value}");
        }
    }
    assert_eq!(world.says(&members().set("gen", "\"0\"").signed()), "token_claims");
}

/// jsonwebtoken: `now - leeway` underflowed.
#[test]
fn no_leeway_underflows() {
    let tokens = access_token::tokens().leeway(access_token::leeway(300));
    let world = World::with(|_| true, tokens);
    let (account, _) = world.minter();
    let token = |begin: i64, end: i64| {
        Members::of(account.record.key().id.as_str()).times(begin, begin, end).signed()
    };
    let (first, last) = (token(i64::MIN, i64::MIN + 60), token(i64::MAX - 60, i64::MAX));
    for (now, of_first, of_last) in [
        (i64::MIN, "ok", "not_yet_valid"),
        (i64::MIN + 359, "ok", "not_yet_valid"),
        (i64::MIN + 360, "expired", "not_yet_valid"),
        (0, "expired", "not_yet_valid"),
        (299, "expired", "not_yet_valid"),
        (i64::MAX - 361, "expired", "not_yet_valid"),
        (i64::MAX - 360, "expired", "ok"),
        (i64::MAX, "expired", "ok"),
    ] {
        world.clock.set(Timestamp::from_unix(now));
        assert_eq!([world.says(&first), world.says(&last)], [of_first, of_last], "{now}");
    }
}

/// GCP: a short-lived credential could refresh itself for ever.
#[test]
fn an_access_token_cannot_refresh_itself() {
    let world = World::peeking();
    let (account, caller) = world.minter();
    let minted = world.mint(&caller, &["read@web/prod:/**"]).unwrap();
    let itself = world.caller(minted.text.expose());
    world.store.calls();
    let new = keygate::NewServiceToken::new("acme", "web", keygate::Lifetime::minutes(1))
        .scope("read@web/prod:/**".parse().unwrap());
    assert_eq!(access_token::error(world.mint(&itself, &["read@web/prod:/**"])), "not by access key");
    assert_eq!(access_token::error(world.mint_service_token(&itself, new)), "not by access key");
    assert!(world.store.calls().is_empty(), "and asks nobody");
    // Neither is there anything else of the account's that it manages.
    assert!(itself.decide(Action::Read, &Resource::own_credential()).granted().is_err());
    assert_eq!(world.at(900).says(minted.text.expose()), "expired");
    assert_eq!(world.says(account.text.expose()), "ok");
}

/// Infisical: minted tokens outlived the account that made them. Also those that have no record of their own.
#[test]
fn what_has_no_record_dies_with_its_account() {
    let world = World::peeking();
    let (account, caller) = world.minter();
    let minted = world.mint(&caller, &["read@web/prod:/**"]).unwrap();
    let id = account.record.key().id;
    let prod = Resource::secrets("acme", "web", "prod", "/").unwrap();
    pollster::block_on(world.accounts().disable(&id)).unwrap();
    assert_eq!(world.says(minted.text.expose()), "parent_disabled");
    pollster::block_on(world.accounts().enable(&id)).unwrap();
    assert!(world.caller(minted.text.expose()).decide(Action::Read, &prod).granted().is_ok());
    let narrower = ["read@web/dev:/**".parse().unwrap()];
    pollster::block_on(world.accounts().set_scopes(&id, narrower)).unwrap();
    assert!(world.caller(minted.text.expose()).decide(Action::Read, &prod).granted().is_err());
    pollster::block_on(world.accounts().revoke(&id, "left")).unwrap();
    assert_eq!(world.says(minted.text.expose()), "parent_revoked");
}

/// Infisical PR 6443: minting compared one action only, and matched a requested glob as a literal.
#[test]
fn minting_compares_every_action_and_globs_as_globs() {
    let world = World::peeking();
    let account = world.account(&["read@web/prod:/app/*", "read,update@web/prod:/etc/**"]);
    let caller = world.caller(account.text.expose());
    for (wanted, expected) in [
        ("read@web/prod:/app/*", "ok"),
        ("read@web/prod:/app/a*", "ok"),
        ("read@web/prod:/app/**", "0 lacks read@web/prod:/app/**"),
        ("read@web/prod:/*/*", "0 lacks read@web/prod:/*/*"),
        ("read,delete@web/prod:/app/*", "0 lacks delete@web/prod:/app/*"),
        ("*@web/prod:/app/db", "0 lacks create@web/prod:/app/db"),
        ("update,read@web/prod:/etc/x/**", "ok"),
        ("update,delete@web/prod:/etc/x", "0 lacks delete@web/prod:/etc/x"),
    ] {
        assert_eq!(access_token::error(world.mint(&caller, &[wanted])), expected, "{wanted}");
        let new = keygate::NewServiceToken::new("acme", "web", keygate::Lifetime::minutes(1))
            .scope(wanted.parse().unwrap());
        assert_eq!(access_token::error(world.mint_service_token(&caller, new)), expected, "{wanted}");
    }
}

/// models-as-a-service: authenticated by one credential, authorized by the other. A token beside a key is two
/// credentials, and where one of them is chosen the other counts for nothing.
#[test]
fn an_access_token_beside_a_key_is_not_both() {
    let world = World::peeking();
    let (_, caller) = world.minter();
    let minted = world.mint(&caller, &["read@web/prod:/**"]).unwrap();
    let new = keygate::NewApiKey::new("u-17", keygate::Lifetime::days(1));
    let key = pollster::block_on(world.issuer.api_keys().issue(new)).unwrap();
    let wrong = "ak.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ";
    for beside in [key.text.expose(), wrong, ""] {
        let both =
            [("x-api-key", beside.to_owned()), ("authorization", format!("Bearer {}", minted.text.expose()))];
        let refused = pollster::block_on(world.gate.authenticate(&both)).unwrap_err();
        assert_eq!(refused.reason().code(), "multiple_methods");
        let policy = keygate::HeaderPolicy::new().precedence(keygate::Precedence::Authorization);
        let gate = world.gate_builder().policy(policy).build().unwrap();
        let caller = pollster::block_on(gate.authenticate(&both)).unwrap();
        assert_eq!(caller.method(), keygate::Method::AccessToken);
        assert_eq!(caller.claims().unwrap().id(), &*minted.id);
        assert!(caller.decide(Action::Read, &Resource::user()).granted().is_err(), "as no user");
    }
}

/// Access keys that leaked: what the thief had minted lived on. Also what has no record that could be revoked.
#[test]
fn a_rotation_for_a_leak_ends_access_tokens_too() {
    let world = World::peeking();
    let (account, thief) = world.minter();
    let stolen = world.mint(&thief, &["*@web/prod:/**"]).unwrap();
    assert_eq!(world.says(stolen.text.expose()), "ok");
    let id = account.record.key().id;
    let rotated = pollster::block_on(world.accounts().rotate_leaked(&id, "found in a repository")).unwrap();
    assert_eq!(world.says(stolen.text.expose()), "parent_generation");
    assert_eq!(access_token::error(world.mint(&thief, &["read@web/prod:/**"])), "secret replaced");
    let own = world.mint(&world.caller(rotated.text.expose()), &["*@web/prod:/**"]).unwrap();
    assert_eq!(world.says(own.text.expose()), "ok");
}
