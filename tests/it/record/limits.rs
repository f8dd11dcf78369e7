//! What a record may hold at most, where it is built and where bytes are read.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keygate::{
    ApiKeyGrant, DecodeError, Invalid, Kind, Network, Parent, Record, RecordBuilder, Revocation, Rights,
    ServiceAccountGrant, ServiceTokenGrant, Validity,
};
use serde_json::{Value, json};

use super::{at, bare, decode, full, id, json_of, rights, round_trips};

#[track_caller]
fn refused<T: std::fmt::Debug>(found: Result<T, Invalid>, words: &str) {
    assert_eq!(found.unwrap_err().to_string(), words);
}

/// The same limit where a record is built and where bytes are read.
#[track_caller]
fn limited(
    kind: Kind,
    edge: impl Fn(RecordBuilder) -> RecordBuilder,
    over: impl Fn(RecordBuilder) -> RecordBuilder,
    pointer: &str,
    wrong: Value,
    words: &str,
) {
    round_trips(&edge(bare(kind)).build().unwrap());
    refused(over(bare(kind)).build(), words);
    unread(full(kind), pointer, wrong, words);
}

/// This value at this place of a full record is refused on reading, with these words.
#[track_caller]
fn unread(builder: RecordBuilder, pointer: &str, wrong: Value, words: &str) {
    let mut json = json_of(builder);
    *json.pointer_mut(pointer).unwrap() = wrong;
    assert_eq!(decode(&json).unwrap_err().to_string(), format!("the record does not decode: {words}"));
}

#[test]
fn limits_of_the_envelope() {
    let all = Kind::ALL;
    for kind in all {
        let words = "name: expected 1 to 100 characters, no control characters";
        let long = "\u{1f511}".repeat(100);
        limited(
            kind,
            |b| b.name(&long),
            |b| b.name(&format!("{long}a")),
            "/name",
            json!("a".repeat(101)),
            words,
        );
        limited(kind, |b| b.name("a"), |b| b.name(""), "/name", json!(""), words);
        let words = "reason: expected 1 to 200 characters, no control characters";
        let revoked = |builder: RecordBuilder, text: &str| builder.revoked(Revocation::new(at(0), text));
        let long = "\u{e9}".repeat(200);
        limited(
            kind,
            |b| revoked(b, &long),
            |b| revoked(b, &format!("{long}a")),
            "/revoked/reason",
            json!("a".repeat(201)),
            words,
        );
        limited(kind, |b| revoked(b, "a"), |b| revoked(b, ""), "/revoked/reason", json!(""), words);
        let words = "networks: expected 1 to 64";
        let networks = |count| vec![Network::parse("10.0.0.0/8").unwrap(); count];
        limited(
            kind,
            |b| b.networks(networks(64)),
            |b| b.networks(networks(65)),
            "/networks",
            json!(vec!["10.0.0.0/8"; 65]),
            words,
        );
        let words = "created_by: expected 1 to 64 visible ASCII characters (at byte 64)";
        let (fits, long) = ("~".repeat(64), "~".repeat(65));
        limited(kind, |b| b.created_by(&fits), |b| b.created_by(&long), "/created_by", json!(long), words);
    }
    for wrong in
        ["a\nb", "a\u{0}b", "a\u{7f}b", "a\u{85}b", "a\u{1b}[2J", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b"]
    {
        let words = |argument| format!("{argument} characters, no control characters (at byte 1)");
        refused(bare(Kind::ApiKey).name(wrong).build(), &words("name: expected 1 to 100"));
        unread(full(Kind::ApiKey), "/revoked/reason", json!(wrong), &words("reason: expected 1 to 200"));
    }
}

/// A list that was filtered down to nothing lifts no limit; lifting it is a call of its own.
#[test]
fn no_network_is_not_everywhere() {
    let limited = full(Kind::ApiKey).build().unwrap();
    refused(limited.to_builder().networks([]).build(), "networks: expected 1 to 64");
    assert!(limited.networks().is_some());
    assert!(limited.to_builder().everywhere().build().unwrap().networks().is_none());
    assert!(bare(Kind::ApiKey).build().unwrap().networks().is_none());
}

#[test]
fn limits_of_metadata() {
    let keys: Vec<String> = (0..17).map(|key| format!("{key:64}").replace(' ', "k")).collect();
    let value = "v".repeat(256);
    let entries = |count: usize| keys.iter().take(count).map(|key| (key.as_str(), value.as_str()));
    let json = json!(keys.iter().map(|key| [key.as_str(), value.as_str()]).collect::<Vec<_>>());
    let kind = Kind::ApiKey;
    limited(
        kind,
        |b| b.metadata(entries(16)),
        |b| b.metadata(entries(17)),
        "/metadata",
        json,
        "metadata: expected at most 16 entries",
    );
    let one = |key, value| bare(kind).metadata([(key, value)]).build();
    let (long_key, long_value) = ("\u{e9}".repeat(32) + "k", "v".repeat(257));
    let (key_words, value_words) = (
        "metadata: expected keys of 1 to 64 bytes, no control characters",
        "metadata: expected values of at most 256 bytes, no control characters",
    );
    refused(one(&long_key, ""), key_words);
    refused(one("", ""), key_words);
    refused(one("k", &long_value), value_words);
    refused(one("k\n", ""), &format!("{key_words} (at byte 1)"));
    refused(one("k", "\u{7}"), &format!("{value_words} (at byte 0)"));
    refused(
        bare(kind).metadata([("k", "1"), ("l", ""), ("k", "2")]).build(),
        "metadata: expected each key once",
    );
    unread(full(kind), "/metadata", json!([["k", "1"], ["k", "2"]]), "metadata: expected each key once");
    assert!(one(&"\u{e9}".repeat(32), "").is_ok());
}

#[test]
fn limits_of_grants() {
    let scopes = |count: usize| (0..count).map(|at| format!("read@web/prod:/{at}").parse().unwrap());
    let texts: Vec<String> = (0..257).map(|at| format!("read@web/prod:/{at}")).collect();
    refused(Rights::new("acme", scopes(257)), "scopes: expected at most 256 scopes");
    let most = || Rights::new("acme", scopes(256)).unwrap();
    round_trips(&bare(Kind::ServiceAccount).grant(ServiceAccountGrant::new(most())).build().unwrap());
    let words = "scopes: expected at most 256 scopes";
    for kind in [Kind::ServiceAccount, Kind::ServiceToken] {
        unread(full(kind), &grant_at(kind, "scopes"), json!(texts), words);
    }
    let account = || ServiceAccountGrant::new(most());
    let sealed = |count| {
        (0..count).try_fold(account(), |account, at| account.with_sealed_key(&format!("p{at}"), vec![1]))
    };
    round_trips(&bare(Kind::ServiceAccount).grant(sealed(256).unwrap()).build().unwrap());
    refused(sealed(257), "sealed keys: expected at most 256");
    let seal = |project: &str, length| account().with_sealed_key(project, vec![1; length]);
    assert!(seal("web", 1_024).is_ok());
    refused(seal("web", 1_025), "sealed key: expected 1 to 1024 bytes");
    refused(seal("web", 0), "sealed key: expected 1 to 1024 bytes");
    refused(seal("*", 1), "project: expected 1 to 64 of A-Z a-z 0-9 - _ (at byte 0)");
    refused(seal("web", 1).unwrap().with_sealed_key("web", vec![2]), "sealed key: expected one a project");
    let at_sealed = grant_at(Kind::ServiceAccount, "sealed_keys");
    let many: Vec<_> = (0..257).map(|at| [format!("p{at}"), "AA==".to_owned()]).collect();
    for (wrong, words) in [
        (json!(many), "sealed keys: expected at most 256"),
        (json!([["web", STANDARD.encode([1; 1_025])]]), "sealed key: expected 1 to 1024 bytes"),
        (json!([["web", ""]]), "sealed key: expected 1 to 1024 bytes"),
        (json!([["web", "AA=="], ["web", "AA=="]]), "sealed key: expected one a project"),
        (json!([["web", "AA"]]), "sealed key: expected standard base64 with padding"),
        (json!([["web", "AB=="]]), "sealed key: expected standard base64 with padding"),
    ] {
        unread(full(Kind::ServiceAccount), &at_sealed, wrong, words);
    }
    for length in (0..=64).filter(|length| *length != 32) {
        let key = json!(STANDARD.encode(vec![1; length]));
        unread(
            full(Kind::ServiceAccount),
            &grant_at(Kind::ServiceAccount, "public_key"),
            key,
            "public key: expected 32 bytes",
        );
    }
    let boxed =
        |length| ServiceTokenGrant::new("web", rights([""; 0])).unwrap().with_client_box(vec![1; length]);
    round_trips(&bare(Kind::ServiceToken).grant(boxed(4_096).unwrap()).build().unwrap());
    let words = "client box: expected 1 to 4096 bytes";
    refused(boxed(4_097), words);
    refused(boxed(0), words);
    for length in [0, 4_097] {
        let client_box = json!(STANDARD.encode(vec![1; length]));
        unread(full(Kind::ServiceToken), &grant_at(Kind::ServiceToken, "client_box"), client_box, words);
    }
    let own = "scope: expected scopes of the service token's own project";
    let level = "scope: expected scopes on secrets only, in a service token";
    for (scope, words) in
        [("read@db/prod:/", own), ("read@*/prod:/", own), ("read@web/", level), ("read@/", level)]
    {
        refused(ServiceTokenGrant::new("web", rights([scope])), words);
        unread(full(Kind::ServiceToken), &grant_at(Kind::ServiceToken, "scopes"), json!([scope]), words);
    }
}

fn grant_at(kind: Kind, member: &str) -> String {
    let kind =
        ["api_key", "service_account", "service_token"][Kind::ALL.iter().position(|k| *k == kind).unwrap()];
    format!("/grant/{kind}/{member}")
}

/// Promise P9, at rest: a digest is 32 bytes in the one spelling of them.
#[test]
fn a_digest_is_32_bytes() {
    for (kind, pointer) in
        [(Kind::ApiKey, "/current/digest"), (Kind::ServiceToken, "/retiring/secret/digest")]
    {
        for length in (0..=64).filter(|length| *length != 32) {
            unread(full(kind), pointer, json!(STANDARD.encode(vec![1; length])), "digest: expected 32 bytes");
        }
        let spelt = "digest: expected standard base64 with padding";
        let hex = "01".repeat(32);
        for wrong in [
            STANDARD_NO_PAD.encode([1; 32]),
            URL_SAFE_NO_PAD.encode([0xfb; 32]),
            format!("{} ", STANDARD.encode([1; 32])),
            hex + "=",
            "\u{e9}".into(),
        ] {
            unread(full(kind), pointer, json!(wrong), spelt);
        }
    }
    for pointer in ["/current/slot", "/retiring/secret/slot", "/retiring/secret/guard"] {
        unread(full(Kind::ApiKey), pointer, json!(64), "slot: expected 0 to 63");
        unread(full(Kind::ApiKey), pointer, json!(255), "slot: expected 0 to 63");
    }
}

/// Neither more nor less than 256 KiB, on write and on read.
#[test]
fn a_record_has_at_most_256_kib() {
    const MOST: usize = 262_144;
    let mut account = ServiceAccountGrant::new(rights([""; 0]));
    for project in 0.. {
        let next = account.clone().with_sealed_key(&format!("p{project:03}"), vec![1; 1_024]).unwrap();
        let encoded = bare(Kind::ServiceAccount).grant(next.clone()).build().unwrap().encode();
        if encoded.is_ok_and(|bytes| bytes.len() <= MOST - 100) {
            account = next;
        } else {
            break;
        }
    }
    let length = |builder: &RecordBuilder| builder.clone().build().unwrap().encode().unwrap().len();
    let left = MOST - length(&bare(Kind::ServiceAccount).grant(account.clone()));
    let account = account.with_sealed_key("last", vec![1; ((left - 80) / 4 * 3).min(1_000)]).unwrap();
    let builder = bare(Kind::ServiceAccount).grant(account);
    let noted = |note: &str| builder.clone().metadata([("note", note)]);
    let note = "n".repeat(MOST - length(&noted("")));
    let largest = noted(&note).build().unwrap();
    assert_eq!(largest.encode().unwrap().len(), MOST);
    round_trips(&largest);
    refused(
        noted(&format!("{note}n")).build().unwrap().encode(),
        "record: expected at most 262144 bytes encoded",
    );

    let mut bytes = full(Kind::ApiKey).build().unwrap().encode().unwrap();
    bytes.resize(MOST, b' ');
    assert!(Record::decode(&bytes).is_ok());
    bytes.push(b' ');
    assert_eq!(Record::decode(&bytes).unwrap_err(), DecodeError::TooLarge);
    assert_eq!(DecodeError::TooLarge.to_string(), "the record has more than 262144 bytes");
}

#[test]
fn what_makes_no_record() {
    let token = "expires_at: expected an end: a service token always has one";
    refused(bare(Kind::ServiceToken).validity(Validity::UNBOUNDED).build(), token);
    refused(bare(Kind::ServiceToken).validity(Validity::new(Some(at(0)), None).unwrap()).build(), token);
    unread(full(Kind::ServiceToken), "/expires_at", json!(null), token);
    let window = "expires_at: expected a time later than not_before";
    unread(full(Kind::ApiKey), "/expires_at", json!(i64::MIN), window);
    let parent = "parent: expected a parent in records of service tokens only";
    let minted = || Parent { account: id("a"), mint_generation: 0 };
    for kind in [Kind::ApiKey, Kind::ServiceAccount] {
        refused(bare(kind).parent(minted()).build(), parent);
        unread(full(kind), "/parent", json!({ "account": "a", "mint_generation": 0 }), parent);
    }
    let number = "retiring: expected a secret of another number than the current one";
    unread(full(Kind::ApiKey), "/retiring/secret/number", json!(u32::MAX), number);
    let grant = "grant: expected a grant of the same kind and owner";
    for (kind, other) in [(Kind::ApiKey, Kind::ServiceAccount), (Kind::ServiceAccount, Kind::ServiceToken)] {
        refused(bare(kind).grant(bare(other).build().unwrap().grant().clone()).build(), grant);
    }
    refused(bare(Kind::ApiKey).grant(ApiKeyGrant::new("somebody-else").unwrap()).build(), grant);
    let elsewhere = Rights::new("other", []).unwrap();
    refused(bare(Kind::ServiceAccount).grant(ServiceAccountGrant::new(elsewhere.clone())).build(), grant);
    refused(bare(Kind::ServiceToken).grant(ServiceTokenGrant::new("web", elsewhere).unwrap()).build(), grant);
    refused(
        bare(Kind::ServiceToken).grant(ServiceTokenGrant::new("db", rights([""; 0])).unwrap()).build(),
        grant,
    );
    for (pointer, wrong, words) in [
        ("/id", json!("a b"), "credential id: expected 1 to 64 of A-Z a-z 0-9 - _ + / (at byte 1)"),
        ("/id", json!(""), "credential id: expected 1 to 64 of A-Z a-z 0-9 - _ + / (at byte 0)"),
        (
            "/parent/account",
            json!("a*"),
            "credential id: expected 1 to 64 of A-Z a-z 0-9 - _ + / (at byte 1)",
        ),
        ("/networks/1", json!("10.0.0.0"), "network: expected a network as it is printed"),
        ("/networks/1", json!("10.0.0.0/33"), "network: expected a network as it is printed"),
        ("/networks/0", json!("10.0.0.1/8"), "network: expected a network as it is printed"),
        ("/networks", json!([]), "networks: expected 1 to 64"),
        ("/created_by", json!("a b"), "created_by: expected 1 to 64 visible ASCII characters (at byte 1)"),
        (
            "/grant/service_token/project",
            json!("*"),
            "project: expected 1 to 64 of A-Z a-z 0-9 - _ (at byte 0)",
        ),
        (
            "/grant/service_token/organization",
            json!(""),
            "organization: expected 1 to 64 of A-Z a-z 0-9 - _ (at byte 0)",
        ),
    ] {
        unread(full(Kind::ServiceToken), pointer, wrong, words);
    }
    assert!(
        decode(&{
            let mut json = json_of(full(Kind::ServiceToken));
            json["grant"]["service_token"]["scopes"] = json!(["read@web/prod:/../x"]);
            json
        })
        .is_err()
    );
}
