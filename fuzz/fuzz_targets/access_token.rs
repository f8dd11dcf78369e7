//! Access tokens, by the same bytes three times: what nobody signed is not taken; of what is signed exactly that is taken whose
//! claims an independent reading of the specification finds right; what is minted is verified, and permits what its scopes do.
#![no_main]

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keygate::{
    AccessTokens, Action, Caller, CredentialId, DigestKeys, Kind, Lifetime, Mint, MintError, Moment,
    NeedsParent, Owner, Presented, Record, Resource, Rights, Scope, ServiceAccountGrant, SigningKey,
    SigningKeys, SystemRandom, Timestamp, header, verify, verify_access_token,
};
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use sha2::Sha256;

/// What `examples/seed.rs` says, too.
const NOW: i64 = 1_768_373_298;
const ISSUER: &str = "https://auth.example";
const AUDIENCE: &str = "https://secrets.example";
const KEY: [u8; 32] = [7; 32];
const HEADER: &str = r#"{"alg":"HS256","kid":"k1","typ":"at+jwt"}"#;

static TOKENS: LazyLock<AccessTokens> = LazyLock::new(|| {
    let keys = SigningKeys::new([SigningKey::new("k1", &KEY).unwrap()]).unwrap();
    AccessTokens::new(keys, ISSUER, AUDIENCE).unwrap()
});

/// An account that may do everything in its organization, and the caller that its access key proves.
static ACCOUNT: LazyLock<(Caller, Arc<Record>)> = LazyLock::new(|| {
    let keys = DigestKeys::ephemeral().unwrap();
    let drawn = keys.draw(Kind::ServiceAccount, &SystemRandom).unwrap();
    let everything = ["*@/", "*@*/", "*@*/*:/**"].map(|scope| scope.parse().unwrap());
    let grant = ServiceAccountGrant::new(Rights::new("acme", everything).unwrap());
    let now = Timestamp::from_unix(NOW);
    let record = Arc::new(Record::builder(drawn.key.id, grant, drawn.digest, now).build().unwrap());
    let line = [("authorization", format!("Bearer {}", drawn.text.expose()))];
    let Presented::Credential(presented) = header::present(line).unwrap() else { unreachable!() };
    let verified = verify(&presented, Some(&record), &keys, Moment::at(now)).unwrap();
    (verified.with_parent(|_| None).unwrap(), record)
});

fuzz_target!(|bytes: &[u8]| {
    unsigned(bytes);
    signed(bytes);
    minted(bytes);
});

/// Nobody has the key, so none of these is taken, whatever it looks like.
fn unsigned(bytes: &[u8]) {
    let encoded = URL_SAFE_NO_PAD.encode(HEADER);
    for prefix in ["", "Bearer ", "Bearer eyJ", &format!("Bearer {encoded}.")] {
        let value = [prefix.as_bytes(), bytes].concat();
        if let Ok(Presented::AccessToken(token)) = header::present([("authorization", value)]) {
            assert!(verify_access_token(&token, &TOKENS, Moment::at(Timestamp::from_unix(NOW))).is_err());
        }
    }
}

/// The bytes as claims, and as what stands in the place of the encoded claims.
fn signed(bytes: &[u8]) {
    taken(&sign(&URL_SAFE_NO_PAD.encode(bytes)), Some(bytes));
    if let Ok(text) = str::from_utf8(bytes) {
        // Only one spelling of some claims is taken.
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        let decoded = decoded.filter(|decoded| URL_SAFE_NO_PAD.encode(decoded) == text);
        taken(&sign(text), decoded.as_deref());
    }
}

/// The token is taken exactly where its claims are right; then it says what they say, and permits what its scopes permit.
fn taken(token: &str, claims: Option<&[u8]>) {
    let claims = claims.filter(|_| token.len() <= 4_096).and_then(read);
    let Some(found) = verified(token) else {
        assert!(claims.is_none(), "refused: {claims:?}");
        return;
    };
    let (parent, caller) = (found.parent(), found.danger_without_parent());
    let Some(expected) = claims else { panic!("taken, and its claims are not right") };
    let claims = caller.claims().unwrap();
    assert_eq!((parent.kind, parent.id.as_str()), (Kind::ServiceAccount, expected.sub.as_str()));
    assert_eq!((claims.id(), claims.parent().mint_generation), (expected.jti.as_str(), expected.generation));
    assert_eq!(claims.issued_at().as_unix(), expected.iat);
    assert_eq!(claims.validity().expires_at().map(Timestamp::as_unix), Some(expected.exp));
    assert!(claims.scopes().eq(expected.scope.split(' ')));
    let scopes = expected.scope.split(' ').map(|scope| Scope::parse(scope).unwrap());
    permits_what_they_permit(&caller, &expected.org, &scopes.collect::<Vec<_>>());
}

/// The first words that are scopes, minted, presented and verified.
fn minted(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let scopes = text.split_ascii_whitespace().filter_map(|word| Scope::parse(word).ok());
    let scopes: Vec<Scope> = scopes.take(64).collect();
    let ((caller, account), now) = (&*ACCOUNT, Timestamp::from_unix(NOW));
    let mint = Mint::scopes(scopes.iter().cloned()).lifetime(Lifetime::minutes(5));
    let minted = match TOKENS.mint(caller, account, &mint, now, &SystemRandom) {
        Ok(minted) => minted,
        // None, or so many that the token is too long, or such that to compare them with the account's is too much.
        Err(MintError::Invalid(invalid)) => {
            let length: usize = scopes.iter().map(|scope| scope.as_str().len() + 1).sum();
            assert!(invalid.argument() == "scopes" && (scopes.is_empty() || length > 2_500));
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let token = minted.text.expose();
    assert!(token.len() <= 4_096);
    let child = verified(token).expect("what was minted holds").finish(Some(account)).unwrap();
    let claims = child.claims().unwrap();
    assert_eq!((claims.id(), claims.account()), (&*minted.id, account.key().id));
    assert!(claims.scopes().eq(scopes.iter().map(Scope::as_str)));
    permits_what_they_permit(&child, "acme", &scopes);
}

fn sign(claims: &str) -> String {
    let text = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(HEADER));
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// What becomes of a token in its header.
fn verified(token: &str) -> Option<NeedsParent> {
    match header::present([("authorization", format!("Bearer {token}"))]) {
        Ok(Presented::AccessToken(token)) => {
            verify_access_token(&token, &TOKENS, Moment::at(Timestamp::from_unix(NOW))).ok()
        }
        _ => None,
    }
}

/// On a resource that one of these scopes is about, and on the same of another organization.
fn permits_what_they_permit(caller: &Caller, organization: &str, scopes: &[Scope]) {
    let rights = Rights::new(organization, scopes.iter().cloned()).unwrap();
    let plain = |part: Option<&str>| part.filter(|part| *part != "*").unwrap_or("web").to_owned();
    let about = scopes.last().unwrap();
    let path = about.pattern().map_or("/".to_owned(), |pattern| pattern.to_string().replace('*', "a"));
    let (project, environment) = (plain(about.project_name()), plain(about.environment()));
    let resources = [
        Resource::secrets(organization, &project, &environment, &path),
        Resource::secrets(organization, "web", "prod", "/app/db"),
        Resource::secrets("other", &project, &environment, &path),
        Resource::project(organization, &project),
        Resource::organization(organization),
    ];
    for resource in resources.into_iter().flatten() {
        for action in Action::ALL {
            let permitted = caller.decide(action, &resource).granted().is_ok();
            assert_eq!(permitted, rights.permit(action, &resource).is_ok(), "{action:?} {resource}");
        }
    }
    for resource in [Resource::user(), Resource::own_credential()] {
        assert!(Action::ALL.into_iter().all(|action| caller.decide(action, &resource).granted().is_err()));
    }
}

/// Claims that are right.
#[derive(Debug)]
struct Expected {
    sub: String,
    org: String,
    jti: String,
    iat: i64,
    exp: i64,
    scope: String,
    generation: u64,
}

/// The claims, if they are right in every respect, by the specification and without keygate's reader of them.
fn read(bytes: &[u8]) -> Option<Expected> {
    let Members(members) = serde_json::from_str(str::from_utf8(bytes).ok()?).ok()?;
    let names: HashSet<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let each_is_there_once = names.len() == members.len();
    let get = |name: &str| members.iter().find(|member| member.0 == name).map(|(_, value)| value);
    let text = |name| get(name)?.as_str().map(str::to_owned);
    let time = |name| get(name)?.as_i64();
    let (sub, org, jti, scope) = (text("sub")?, text("org")?, text("jti")?, text("scope")?);
    let (iat, nbf, exp) = (time("iat")?, time("nbf")?, time("exp")?);
    let generation = get("gen").map_or(Some(0), Value::as_u64)?;

    let lifetime = i128::from(exp) - i128::from(iat);
    let scopes: Vec<&str> = scope.split(' ').collect();
    let is_right = each_is_there_once
        && (text("iss")?, text("aud")?) == (ISSUER.to_owned(), AUDIENCE.to_owned())
        && text("client_id")? == sub
        && CredentialId::parse(&sub).is_ok()
        && Owner::organization(&org).is_ok()
        && (1..=64).contains(&jti.len())
        && jti.bytes().all(|byte| byte.is_ascii_graphic())
        && (1..=86_400).contains(&lifetime)
        && nbf < exp
        && (nbf..exp).contains(&NOW)
        && (1..=64).contains(&scopes.len())
        && scopes.iter().all(|scope| Scope::parse(scope).is_ok());
    is_right.then_some(Expected { sub, org, jti, iat, exp, scope, generation })
}

/// The members of an object, each as often as it is there; the values of those that are ignored are none.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                const CLAIMS: [&str; 11] =
                    ["iss", "aud", "sub", "client_id", "org", "jti", "iat", "nbf", "exp", "scope", "gen"];
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = if CLAIMS.contains(&name.as_str()) {
                        map.next_value()?
                    } else {
                        map.next_value::<IgnoredAny>().map(|_| Value::Null)?
                    };
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
