//! Every refusal in both its faces: the one for the caller, and the words for the log.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use keygate::{
    Action, DigestKey, DigestKeys, HeaderPolicy, Kind, Method, Moment, Network, Parent, PresentedCredential,
    Reason, Record, RecordBuilder, Refusal, RefusalClass, Resource, Retiring, Revocation, Rights,
    ServiceAccountGrant, StoredSecret, Validity, verify,
};

use crate::decision::{built, face, issue, now_and, ring};
use crate::support::fixtures::{NOW, line, presented};
use crate::support::random::{SeededSource, seed};

const NO_CREDENTIAL: &str = "the request carries no credential";
const MALFORMED: &str = "the request's credential is malformed";
const DENIED: &str = "the credential is not valid";
const FORBIDDEN: &str = "the credential does not permit this";
const UNDECIDED: &str = "it could not be decided whether the credential is valid";

/// Reason → class, status, `Display` for the caller, `Display` for the log.
#[rustfmt::skip]
const GOLDEN: [(&str, RefusalClass, u16, &str, &str); 44] = {
    use RefusalClass::{BadRequest, Denied, Forbidden, NoCredential, Undecided};
    [
    ("missing", NoCredential, 401, NO_CREDENTIAL, "neither Authorization nor X-API-KEY"),
    ("unsupported_scheme", NoCredential, 401, NO_CREDENTIAL, "Authorization has another scheme than Bearer"),
    ("duplicate_header", BadRequest, 400, MALFORMED, "more than one line of Authorization or of X-API-KEY"),
    ("multiple_methods", BadRequest, 400, MALFORMED, "both Authorization and X-API-KEY"),
    ("too_large", BadRequest, 431, "the request's credential is too large", "the header's value is too large"),
    ("invalid_byte", BadRequest, 400, MALFORMED, "byte 1 of the value is not visible ASCII or a space"),
    ("malformed", BadRequest, 400, MALFORMED, "malformed: truncated: 4 of 55 characters"),
    ("irregular_resource", BadRequest, 400, "the request names an irregular resource", "the resource is irregular"),
    ("unknown_kind", Denied, 401, DENIED, "the text begins like no kind of credential"),
    ("wrong_channel", Denied, 401, DENIED, "this is a service account, X-API-KEY takes an API key"),
    ("kind_not_accepted", Denied, 401, DENIED, "no access token is accepted here"),
    ("unknown_guard_key", Denied, 401, DENIED, "the text's guard names digest key 3, which is not in the ring"),
    ("wrong_guard", Denied, 401, DENIED, "the text's guard does not hold: it was made up, or made with another key"),
    ("unknown_credential", Denied, 401, DENIED, "no such credential"),
    ("wrong_secret", Denied, 401, DENIED, "wrong secret"),
    ("retired_secret", Denied, 401, DENIED, "the secret was replaced, and the overlap is over"),
    ("revoked", Denied, 401, DENIED, "revoked"),
    ("disabled", Denied, 401, DENIED, "disabled"),
    ("expired", Denied, 401, DENIED, "expired"),
    ("not_yet_valid", Denied, 401, DENIED, "not valid yet"),
    ("network", Denied, 401, DENIED, "the client's address is outside the credential's networks"),
    ("parent_absent", Denied, 401, DENIED, "the service account that minted it is absent"),
    ("parent_revoked", Denied, 401, DENIED, "the service account that minted it is revoked"),
    ("parent_disabled", Denied, 401, DENIED, "the service account that minted it is disabled"),
    ("parent_expired", Denied, 401, DENIED, "the service account that minted it is expired"),
    ("parent_not_yet_valid", Denied, 401, DENIED, "the service account that minted it is not valid yet"),
    ("parent_network", Denied, 401, DENIED, "the service account that minted it is limited to other networks"),
    ("parent_generation", Denied, 401, DENIED, "the service account that minted it has another mint generation"),
    ("not_permitted", Forbidden, 403, FORBIDDEN, "not permitted"),
    ("user_not_asked", Forbidden, 403, FORBIDDEN, "an API key acts as its user, and the host did not ask whether the user may"),
    ("user_not_permitted", Forbidden, 403, FORBIDDEN, "the host does not permit this to the API key's user"),
    ("client_address_unknown", Undecided, 503, UNDECIDED, "the credential is limited to networks, and the client's address was not told"),
    ("unknown_digest_key", Undecided, 503, UNDECIDED, "the record's digest names digest key 9, which is not in the ring"),
    ("record_mismatch", Undecided, 503, UNDECIDED, "the lookup returned a record of another kind or id"),
    ("irregular_organization", Undecided, 503, UNDECIDED, "the resource's organization, in the host's own data, is irregular"),
    ("store_unavailable", Undecided, 503, UNDECIDED, "the store did not answer"),
    ("record_corrupt", Undecided, 503, UNDECIDED, "the store's record does not decode"),
    ("user_rights_unavailable", Undecided, 503, UNDECIDED, "the host could not tell whether its user may"),
    ("throttled", Undecided, 429, "too many attempts", "throttled"),
    // The other words of the reasons that have several.
    ("wrong_channel", Denied, 401, DENIED, "this is an API key, Authorization takes a service account, service token or access token"),
    ("kind_not_accepted", Denied, 401, DENIED, "no API key is accepted here"),
    ("kind_not_accepted", Denied, 401, DENIED, "no service account is accepted here"),
    ("kind_not_accepted", Denied, 401, DENIED, "no service token is accepted here"),
    ("malformed", BadRequest, 400, MALFORMED, "malformed: empty"),
    ]
};

/// What is accepted → the challenges of *no credential*, of a bad request, of a denial.
#[rustfmt::skip]
const CHALLENGES: [(&[Method], &[&str], &str, &str); 3] = [
    (
        &Method::ALL,
        &[r#"Bearer realm="api""#, r#"ApiKey realm="api""#],
        r#"Bearer error="invalid_request""#,
        r#"Bearer error="invalid_token", error_description="the credential is not valid""#,
    ),
    (
        &[Method::ApiKey],
        &[r#"ApiKey realm="api""#],
        r#"ApiKey error="invalid_request""#,
        r#"ApiKey error="invalid_token", error_description="the credential is not valid""#,
    ),
    (
        &[Method::ServiceToken, Method::AccessToken],
        &[r#"Bearer realm="api""#],
        r#"Bearer error="invalid_request""#,
        r#"Bearer error="invalid_token", error_description="the credential is not valid""#,
    ),
];

/// Promise P40: the answers of the wire format, for every reason, under each of the three configurations.
#[test]
fn every_reason_has_its_two_faces() {
    let mut seen = BTreeMap::<String, usize>::new();
    for (accepted, missing, bad, denied) in CHALLENGES {
        for refusal in all(accepted) {
            let (code, words) = (refusal.reason().code(), refusal.reason().to_string());
            let row = GOLDEN.iter().find(|row| row.0 == code && row.4 == words);
            let Some((_, class, status, public, _)) = row else {
                panic!("not in the table: {code}: {words}")
            };
            let challenges: &[&str] = match (code, class) {
                ("irregular_resource", _) | (_, RefusalClass::Undecided) => &[],
                (_, RefusalClass::NoCredential) => missing,
                (_, RefusalClass::BadRequest) => &[bad],
                (_, RefusalClass::Denied) => &[denied],
                ("not_permitted", _) if refusal.credential().unwrap().kind != Kind::ApiKey => {
                    &[r#"Bearer error="insufficient_scope", scope="read@web/""#]
                }
                (_, RefusalClass::Forbidden) => &[],
            };
            let challenges: Vec<String> = challenges.iter().map(ToString::to_string).collect();
            let expected = (*class, *status, challenges, (*public).to_owned(), code == "throttled");
            assert_eq!(face(&refusal), expected, "{code}: {words}");
            for challenge in refusal.challenges() {
                parse(&challenge.to_string());
            }
            let proven = matches!(code, "network" | "client_address_unknown" | "user_rights_unavailable")
                || *class == RefusalClass::Forbidden
                || ["revoked", "disabled", "expired", "not_yet_valid"].contains(&code)
                || code.starts_with("parent_");
            assert_eq!(refusal.proven(), proven, "{code}");
            *seen.entry(words).or_default() += 1;
        }
    }
    for (code, .., words) in GOLDEN {
        assert!(seen.contains_key(words), "no refusal made for {code}: {words}");
    }
}

/// A refusal of every reason that there is under a policy that accepts these.
fn all(accepted: &[Method]) -> Vec<Refusal> {
    let policy = HeaderPolicy::new().accept(accepted.iter().copied());
    let mut refusals = by_headers(&policy);
    for kind in
        [Kind::ApiKey, Kind::ServiceToken].into_iter().filter(|kind| accepted.contains(&(*kind).into()))
    {
        refusals.extend(by_records(&policy, kind));
    }
    if accepted.contains(&Method::ServiceToken) {
        refusals.extend(by_parents(&policy));
    }
    refusals.extend(by_decisions(accepted.contains(&Method::ApiKey)));
    let io = || std::io::Error::other("connection reset");
    refusals.extend([
        Resource::project("acme", "..").unwrap_err(),
        Resource::project("", "web").unwrap_err(),
        Refusal::store_unavailable(io()),
        Refusal::record_corrupt(Record::decode(b"{}").unwrap_err()),
        Refusal::user_rights_unavailable(io()),
        Refusal::throttled(Duration::from_secs(7)),
    ]);
    refusals
}

fn by_headers(policy: &HeaderPolicy) -> Vec<Refusal> {
    let drawn = ring(1, &[]).draw(Kind::ServiceAccount, &SeededSource::new(seed())).unwrap();
    let account = drawn.text.expose().to_owned();
    let bearer = |text: &str| ("authorization", format!("Bearer {text}"));
    let key = |text: &str| ("x-api-key", text.to_owned());
    let of = |kind| {
        let drawn = ring(1, &[]).draw(kind, &SeededSource::new(seed())).unwrap();
        line(drawn.text.expose())
    };
    let lines = vec![
        vec![],
        vec![("authorization", "Basic dTpw".to_owned())],
        vec![key("a"), key("a")],
        vec![key("a"), bearer("a")],
        vec![key(&" ".repeat(513))],
        vec![key("a\u{7f}")],
        vec![key("ak.a")],
        vec![key(" ")],
        vec![key("zz.a")],
        vec![key(&account)],
        vec![bearer("ak.a.b")],
        vec![bearer("eyJ.a.b")],
        vec![of(Kind::ApiKey)],
        vec![of(Kind::ServiceAccount)],
        vec![of(Kind::ServiceToken)],
    ];
    lines.into_iter().filter_map(|lines| policy.present(lines).err()).collect()
}

fn by_records(policy: &HeaderPolicy, kind: Kind) -> Vec<Refusal> {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (credential, builder) = issue(&keys, kind, &source);
    let text =
        |keys: &DigestKeys| presented(policy, keys.redraw(credential.key(), &source).unwrap().text.expose());
    let old = keys.redraw(credential.key(), &source).unwrap();
    let (right, replaced) = (text(&keys), presented(policy, old.text.expose()));
    let current = StoredSecret { number: 2, digest: keys.digest(&right) };
    let retiring =
        Retiring { secret: StoredSecret { number: 1, digest: old.digest }, ends_at: NOW, leak: None };
    let record = || builder.clone().current(current.clone()).retiring(retiring.clone());
    let limited = || record().networks([Network::parse("10.0.0.0/8").unwrap()]);
    let refused = |presented: &PresentedCredential<String>, record: RecordBuilder, moment| {
        verify(presented, Some(&built(record)), &keys, moment).unwrap_err()
    };
    let now = Moment::at(NOW);
    let future = Validity::new(Some(now_and(1)), Some(now_and(2))).unwrap();
    let elsewhere = StoredSecret { number: 2, digest: ring(9, &[]).digest(&right) };
    let made_up = DigestKeys::new([DigestKey::active(1, &[0xee; 32]).unwrap()]).unwrap();
    vec![
        keys.check_guard(&text(&ring(3, &[]))).unwrap_err(),
        keys.check_guard(&text(&made_up)).unwrap_err(),
        verify(&right, None, &keys, now).unwrap_err(),
        refused(&text(&keys), record(), now),
        refused(&replaced, record(), now),
        refused(&right, record().revoked(Revocation::new(NOW, "left")), now),
        refused(&right, record().disabled(true), now),
        refused(&right, record().validity(Validity::until(NOW)), now),
        refused(&right, record().validity(future), now),
        refused(&right, limited(), now.client([11, 0, 0, 1].into())),
        refused(&right, limited(), now),
        refused(&right, record().current(elsewhere), now),
        refused(&right, issue(&keys, kind, &source).1, now),
    ]
}

fn by_parents(policy: &HeaderPolicy) -> Vec<Refusal> {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let drawn = keys.draw(Kind::ServiceToken, &source).unwrap();
    let token = presented(policy, drawn.text.expose());
    let (access_key, account) = issue(&keys, Kind::ServiceAccount, &source);
    let child =
        Record::builder(drawn.key.id, crate::support::fixtures::grant(Kind::ServiceToken), drawn.digest, NOW)
            .validity(Validity::until(now_and(9)))
            .parent(Parent { account: access_key.key().id, mint_generation: 0 });
    let child = built(child);
    let next = ServiceAccountGrant::new(Rights::new("acme", []).unwrap()).with_mint_generation(1);
    let future = Validity::new(Some(now_and(1)), None).unwrap();
    let accounts = [
        None,
        Some(account.clone().revoked(Revocation::new(NOW, "left"))),
        Some(account.clone().disabled(true)),
        Some(account.clone().validity(Validity::until(NOW))),
        Some(account.clone().validity(future)),
        Some(account.clone().networks([Network::parse("10.0.0.0/8").unwrap()])),
        Some(account.grant(next)),
    ];
    let moment = Moment::at(NOW).client([192, 0, 2, 7].into());
    let refused = |account: Option<RecordBuilder>| {
        let account = account.map(built);
        let verified = verify(&token, Some(&child), &keys, moment).unwrap();
        verified.with_parent(|_| account.as_ref()).unwrap_err()
    };
    accounts.map(refused).into()
}

fn by_decisions(keys_accepted: bool) -> Vec<Refusal> {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let web = Resource::project("acme", "web").unwrap();
    let caller = |kind| {
        let (presented, builder) = issue(&keys, kind, &source);
        crate::decision::caller(&presented, &built(builder), &keys)
    };
    let account = caller(Kind::ServiceAccount);
    let mut refusals = vec![account.decide(Action::Read, &web).granted().unwrap_err()];
    if keys_accepted {
        let key = caller(Kind::ApiKey);
        let secrets = Resource::secrets("acme", "web", "prod", "/").unwrap();
        refusals.push(key.decide(Action::Read, &web).granted().unwrap_err());
        refusals.push(key.decide(Action::Read, &web).or_as_user(|_| false).unwrap_err());
        refusals.push(key.decide(Action::Read, &secrets).granted().unwrap_err());
    }
    refusals
}

/// `challenge = auth-scheme [ 1*SP #auth-param ]`, `auth-param = token BWS "=" BWS ( token / quoted-string )` (RFC 9110
/// §11.3, §11.4, §5.6.4), read character by character; each attribute at most once.
#[track_caller]
fn parse(challenge: &str) -> (String, Vec<(String, String)>) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let mut rest = challenge.chars().peekable();
    let token = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut token = String::new();
        while let Some(c) = rest.next_if(|c| is_token(*c)) {
            token.push(c);
        }
        assert!(!token.is_empty(), "no token: {challenge}");
        token
    };
    let scheme = token(&mut rest);
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut separator = Some(' ');
    while let Some(expected) = separator {
        assert_eq!(rest.next(), Some(expected), "{challenge}");
        while rest.next_if_eq(&' ').is_some() {}
        let name = token(&mut rest).to_ascii_lowercase();
        assert_eq!(rest.next(), Some('='), "{challenge}");
        let mut value = String::new();
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next() {
                    Some('"') => break,
                    Some('\\') => value.push(rest.next().filter(|c| (' '..='~').contains(c)).unwrap()),
                    Some(c @ ' '..='~') => value.push(c),
                    other => panic!("{other:?} in a quoted string: {challenge}"),
                }
            }
        } else {
            value = token(&mut rest);
        }
        assert!(parameters.iter().all(|(known, _)| *known != name), "{name} twice: {challenge}");
        parameters.push((name, value));
        separator = rest.peek().copied().inspect(|c| assert_eq!(*c, ',', "{challenge}"));
    }
    (scheme, parameters)
}

#[test]
fn the_parser_of_challenges_can_fail() {
    let (scheme, parameters) = parse(r#"Bearer a="x\"\\y, z=",  b=c"#);
    let expected =
        [("a", r#"x"\y, z="#), ("b", "c")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((scheme.as_str(), parameters.as_slice()), ("Bearer", expected.as_slice()));
    for wrong in [
        "",
        "Bearer ",
        "Bearer a",
        "Bearer a=",
        r#"Bearer a="x"#,
        r#"Bearer a="x" b=c"#,
        "Bearer a=b,a=c",
        "B a=b,",
    ] {
        assert!(std::panic::catch_unwind(|| parse(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_realm_is_quoted() {
    for realm in
        ["a", " ", r#"""#, r"\", r#"a"b\c"#, r#"", error="x"#, "a=b, c", &"r".repeat(128), &"\\\"".repeat(64)]
    {
        let policy = HeaderPolicy::new().realm(realm).unwrap();
        let refusal = policy.present([("accept", "*/*")]).unwrap_err();
        let challenges: Vec<_> =
            refusal.challenges().map(|challenge| parse(&challenge.to_string())).collect();
        let expected = |scheme: &str| (scheme.to_owned(), vec![("realm".to_owned(), realm.to_owned())]);
        assert_eq!(challenges, [expected("Bearer"), expected("ApiKey")]);
        // It is for those without a credential; a denial says the same everywhere.
        let denied = policy.present([("x-api-key", "zz")]).unwrap_err();
        crate::decision::has_the_face_of_a_denial(&denied);
    }
    for (realm, position) in
        [("", 0), ("\n", 0), ("ab\r\nSet-Cookie: x", 2), ("a\u{e9}", 1), (&"r".repeat(129), 128)]
    {
        assert_eq!(HeaderPolicy::new().realm(realm).unwrap_err().position(), Some(position), "{realm:?}");
    }
}

/// The longest scope that can be needed still makes a challenge that reads back.
#[test]
fn a_needed_scope_reads_back_from_its_challenge() {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (presented, builder) = issue(&keys, Kind::ServiceAccount, &source);
    let caller = crate::decision::caller(&presented, &built(builder), &keys);
    let (id, path) = ("-".repeat(64), format!("/{}", "~".repeat(255)).repeat(4));
    for resource in [
        Resource::secrets("acme", &id, &id, &path).unwrap(),
        Resource::secrets("acme", "web", "dev", "/").unwrap(),
        Resource::organization("acme").unwrap(),
    ] {
        let refusal = caller.decide(Action::Delete, &resource).granted().unwrap_err();
        let needed = refusal.needed().unwrap().to_owned();
        let challenge = refusal.challenges().next().unwrap().to_string();
        let parameters = [("error", "insufficient_scope"), ("scope", &needed)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(parse(&challenge), ("Bearer".to_owned(), parameters));
        let scope = keygate::Scope::parse(&needed).unwrap();
        let rights = Rights::new("acme", [scope]).unwrap();
        assert!(
            rights.permit(Action::Delete, &resource).is_ok(),
            "what is needed would have been enough: {needed}"
        );
        assert!(rights.permit(Action::Read, &resource).is_err(), "and no more");
    }
}

/// What only the log gets to see: the reason, the access that it was, and every error underneath.
#[test]
fn a_refusal_explains_itself_to_the_log() {
    #[derive(Debug, thiserror::Error)]
    #[error("pool exhausted")]
    struct Pool(#[source] std::io::Error);
    let failed = Refusal::store_unavailable(Pool(std::io::Error::other("connection reset")));
    assert_eq!(failed.explain().to_string(), "the store did not answer: pool exhausted: connection reset");
    assert_eq!(failed.source().unwrap().to_string(), "pool exhausted");
    let corrupt = Refusal::record_corrupt(Record::decode(br#"{"v":2}"#).unwrap_err());
    let words = "the store's record does not decode: the record has version 2, this reader knows version 1";
    assert_eq!(corrupt.explain().to_string(), words);
    assert_eq!(corrupt.to_string(), UNDECIDED);
    let missing = HeaderPolicy::new().realm("r").unwrap().present([("accept", "")]).unwrap_err();
    assert_eq!(missing.explain().to_string(), "neither Authorization nor X-API-KEY");
    let throttled = Refusal::throttled(Duration::from_secs(7));
    assert_eq!(
        (throttled.retry_after(), throttled.reason()),
        (Some(Duration::from_secs(7)), Reason::Throttled)
    );

    // However long the chain, the explanation is not.
    let chain = (0..1_000).fold(Link(None), |link, _| Link(Some(Box::new(link))));
    assert!(Refusal::store_unavailable(chain).explain().to_string().len() < 200);
}

#[derive(Debug, thiserror::Error)]
#[error("link")]
struct Link(#[source] Option<Box<Self>>);

#[test]
fn a_refusal_is_an_error_like_others_and_small() {
    fn pins<T: Error + Send + Sync + 'static>() {}
    pins::<Refusal>();
    assert!(size_of::<Refusal>() <= 128, "{}", size_of::<Refusal>());
    assert!(size_of::<Result<(), Refusal>>() <= 128);
    assert_eq!(Refusal::HEADERS, [("Cache-Control", "no-store"), ("Vary", "Authorization, X-API-KEY")]);
}
