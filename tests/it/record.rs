//! Records as bytes: what is written is read, and what is not exactly that is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keygate::{
    ApiKeyGrant, CredentialId, DecodeError, Digest, Grant, Invalid, Kind, Network, Parent, Record,
    RecordBuilder, Retiring, Revocation, Rights, ServiceAccountGrant, ServiceTokenGrant, StoredSecret,
    Timestamp, Validity,
};
use serde_json::{Value, json};

use crate::support::random::{Random, cases, seed};

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

fn id(text: &str) -> CredentialId {
    CredentialId::parse(text).unwrap()
}

fn rights<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Rights {
    Rights::new("acme", scopes.into_iter().map(|scope| scope.as_ref().parse().unwrap())).unwrap()
}

/// A record of this kind with every field set that one of its kind can have.
fn full(kind: Kind) -> RecordBuilder {
    let digest = |byte, guard| Digest::from_parts(byte, guard, &[byte; 32]).unwrap();
    let (builder, grant): (_, Grant) = match kind {
        Kind::ApiKey => (1, ApiKeyGrant::new("u-17~!").unwrap().into()),
        Kind::ServiceAccount => {
            let account =
                ServiceAccountGrant::new(rights(["read@/", "create,update@*/", "*@web/prod:/app/**"]));
            let account = account.public_key([7; 32]).mint_generation(u64::MAX);
            (2, account.seal("web", vec![1, 2, 3]).unwrap().seal("db", vec![0xff; 40]).unwrap().into())
        }
        Kind::ServiceToken => {
            let token =
                ServiceTokenGrant::new("web", rights(["read,delete@web/*:/", "*@web/prod:/**/x-*"])).unwrap();
            (3, token.client_box(vec![9; 33]).unwrap().into())
        }
    };
    let record = Record::builder(id("tr6A/fxqt+JI"), grant, digest(builder, Some(63)), at(-1))
        .name("ci \"builder\" \u{e9}\u{1f511}")
        .metadata([("team", "core"), ("a", ""), ("ticket", "\\ / <>")])
        .created_by("u-1")
        .validity(Validity::new(Some(at(i64::MIN)), Some(at(i64::MAX))).unwrap())
        .disabled(true)
        .revoked(Revocation::new(at(1_768_373_298), "left the company"))
        .current(StoredSecret { number: u32::MAX, digest: digest(63, None) })
        .retiring(Retiring {
            secret: StoredSecret { number: 1, digest: digest(0, Some(builder)) },
            ends_at: at(0),
        })
        .networks(
            ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"].map(|network| Network::parse(network).unwrap()),
        )
        .version(u64::MAX);
    match kind {
        Kind::ServiceToken => record.parent(Parent { account: id("a"), mint_generation: 12 }),
        Kind::ApiKey | Kind::ServiceAccount => record,
    }
}

/// As little as a record of this kind can have.
fn bare(kind: Kind) -> RecordBuilder {
    let digest = Digest::from_parts(0, None, &[0; 32]).unwrap();
    let grant: Grant = match kind {
        Kind::ApiKey => ApiKeyGrant::new("u").unwrap().into(),
        Kind::ServiceAccount => ServiceAccountGrant::new(rights([""; 0])).into(),
        Kind::ServiceToken => ServiceTokenGrant::new("web", rights([""; 0])).unwrap().into(),
    };
    let record = Record::builder(id("a"), grant, digest, at(0));
    if kind == Kind::ServiceToken { record.validity(Validity::until(at(1))) } else { record }
}

fn json_of(builder: RecordBuilder) -> Value {
    serde_json::from_slice(&builder.build().unwrap().encode().unwrap()).unwrap()
}

fn decode(json: &Value) -> Result<Record, DecodeError> {
    Record::decode(json.to_string().as_bytes())
}

/// Everything that the public API tells of a record, digests and boxes included.
fn told(record: &Record) -> String {
    let secret = |secret: &StoredSecret| {
        format!(
            "{} {:?} {} {:?}",
            secret.number,
            secret.digest.as_bytes(),
            secret.digest.slot(),
            secret.digest.guard_slot()
        )
    };
    let grant = match record.grant() {
        Grant::ApiKey(key) => format!("{}", key.user()),
        Grant::ServiceAccount(account) => {
            let sealed: Vec<_> = account.sealed_keys().collect();
            format!("{:?} {:?} {sealed:?} {}", account.rights(), account.key(), account.generation())
        }
        Grant::ServiceToken(token) => {
            format!("{:?} {:?} {:?}", token.project(), token.rights(), token.sealed())
        }
    };
    let metadata: Vec<_> = record.metadata().collect();
    format!(
        "{} {:?} {:?} {metadata:?} {:?} {:?} {:?} {} {:?} {} {:?} {:?} {:?} {} {grant}",
        record.key(),
        record.owner(),
        record.name(),
        record.created_at(),
        record.created_by(),
        record.validity(),
        record.is_disabled(),
        record.revocation(),
        secret(record.current()),
        record.retiring().map(|retiring| (secret(&retiring.secret), retiring.ends_at)),
        record.parent().map(|parent| (parent.account, parent.mint_generation)),
        record.networks(),
        record.version(),
    )
}

#[track_caller]
fn round_trips(record: &Record) {
    let bytes = record.encode().unwrap();
    let again = Record::decode(&bytes).unwrap();
    assert_eq!(told(&again), told(record));
    assert_eq!(again.encode().unwrap(), bytes);
}

/// Version 1 as it was first written: it decodes for ever, and it is what is written until a host raises the version.
#[test]
fn version_1_is_what_it_was() {
    for (kind, golden) in [
        (Kind::ApiKey, include_str!("golden/record-v1-api-key.json")),
        (Kind::ServiceAccount, include_str!("golden/record-v1-service-account.json")),
        (Kind::ServiceToken, include_str!("golden/record-v1-service-token.json")),
    ] {
        let record = full(kind).build().unwrap();
        assert_eq!(String::from_utf8(record.encode().unwrap()).unwrap(), golden.trim_end(), "{kind}");
        assert_eq!(told(&Record::decode(golden.as_bytes()).unwrap()), told(&record), "{kind}");
    }
}

#[test]
fn the_fullest_and_the_barest_round_trip() {
    for kind in Kind::ALL {
        round_trips(&full(kind).build().unwrap());
        round_trips(&bare(kind).build().unwrap());
    }
}

/// Any record that can be built reads back as it was, and is written as it was read.
#[test]
fn any_record_round_trips() {
    let (seed, mut random) = (seed(), Random::seeded(seed()));
    for case in 0..cases(5_000) {
        let record = any_record(&mut random);
        let bytes = record.encode().unwrap();
        let again = Record::decode(&bytes).unwrap();
        assert_eq!(told(&again), told(&record), "KEYGATE_SEED={seed} case {case}");
        assert_eq!(again.encode().unwrap(), bytes, "KEYGATE_SEED={seed} case {case}");
        // A reader does not care in which order, or how far apart, the members stand.
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        assert_eq!(told(&Record::decode(&pretty).unwrap()), told(&record), "KEYGATE_SEED={seed} case {case}");
    }
}

fn any_record(random: &mut Random) -> Record {
    fn time(random: &mut Random) -> Timestamp {
        let any = i64::from_be_bytes(random.number().to_be_bytes());
        let ends = [i64::MIN, i64::MAX, 0, -1, 1_768_373_298, any];
        at(random.pick(&ends))
    }
    fn text(random: &mut Random, longest: usize) -> String {
        let alphabet: Vec<char> =
            "aZ0 \"\\/<&\u{e9}\u{1f511}\u{2028}\u{feff}\u{202e}'{}[]:,".chars().collect();
        (0..1 + random.below(longest)).map(|_| random.pick(&alphabet)).collect()
    }
    fn name(random: &mut Random) -> String {
        let length = 1 + random.below(64);
        random.text(length, "abcXYZ019-_")
    }
    fn bytes(random: &mut Random, longest: usize) -> Vec<u8> {
        (0..1 + random.below(longest)).map(|_| random.byte()).collect()
    }
    fn digest(random: &mut Random) -> Digest {
        let guard = (!random.one_in(3)).then(|| random.byte() % 64);
        let bytes: [u8; 32] = std::array::from_fn(|_| random.byte());
        Digest::from_parts(random.byte() % 64, guard, &bytes).unwrap()
    }
    fn scopes(random: &mut Random, project: &str, tokens: bool) -> Vec<String> {
        let count = random.below(6);
        let scope = |random: &mut Random| {
            let actions = random.pick(&["*", "read", "create,delete"]);
            let target = match random.below(if tokens { 1 } else { 4 }) {
                0 => format!("{project}/{}:/{}/**", name(random), name(random)),
                1 => "/".to_owned(),
                2 => format!("{}/", random.pick(&["*", project])),
                _ => "*/*:/**".to_owned(),
            };
            format!("{actions}@{target}")
        };
        (0..count).map(|_| scope(random)).collect()
    }

    let grant: Grant = match random.below(3) {
        0 => ApiKeyGrant::new(&random.text(9, "a0!~\"\\<")).unwrap().into(),
        1 => {
            let mut account = ServiceAccountGrant::new(rights(scopes(random, "web", false)));
            account = account.mint_generation(random.number() >> random.below(64));
            if random.one_in(2) {
                account = account.public_key(std::array::from_fn(|_| random.byte()));
            }
            for project in 0..random.below(4) {
                account = account.seal(&format!("p{project}"), bytes(random, 1_024)).unwrap();
            }
            account.into()
        }
        _ => {
            let project = name(random);
            let token = ServiceTokenGrant::new(&project, rights(scopes(random, &project, true))).unwrap();
            if random.one_in(2) {
                token.client_box(bytes(random, 4_096)).unwrap().into()
            } else {
                token.into()
            }
        }
    };
    let kind = grant.kind();
    let id_length = 1 + random.below(64);
    let id = id(&random.text(id_length, "abcXYZ019-_+/"));
    let mut record = Record::builder(id, grant, digest(random), time(random));
    let until = at(i64::from(random.byte()) + 1);
    record = match random.below(3) {
        0 => record.validity(Validity::new(Some(at(i64::MIN)), Some(time(random).max(at(0)))).unwrap()),
        1 => record.validity(Validity::until(until)),
        _ if kind == Kind::ServiceToken => record.validity(Validity::until(time(random))),
        _ => record.validity(Validity::new(Some(time(random)), None).unwrap()),
    };
    if random.one_in(2) {
        record = record.name(&text(random, 100));
    }
    let notes: Vec<_> =
        (0..random.below(17)).map(|at| (format!("{at}{}", text(random, 10)), text(random, 60))).collect();
    record = record.metadata(notes.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    if random.one_in(2) {
        record = record.created_by(&name(random));
    }
    if random.one_in(2) {
        record = record.disabled(true).revoked(Revocation::new(time(random), &text(random, 200)));
    }
    if random.one_in(2) {
        let number = u32::from(random.byte()) + 1;
        let secret = StoredSecret { number: number - 1, digest: digest(random) };
        record = record
            .current(StoredSecret { number, digest: digest(random) })
            .retiring(Retiring { secret, ends_at: time(random) });
    }
    if kind == Kind::ServiceToken && random.one_in(2) {
        record = record.parent(Parent { account: id, mint_generation: random.number() });
    }
    let networks =
        ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.7/32", "::ffff:10.0.0.0/104"];
    let count = random.below(4);
    record = record.networks((0..count).map(|_| Network::parse(random.pick(&networks)).unwrap()));
    record.version(random.number()).build().unwrap()
}

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
        let words = "networks: expected at most 64";
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
    for wrong in ["a\nb", "a\u{0}b", "a\u{7f}b", "a\u{85}b", "a\u{1b}[2J"] {
        let words = |argument| format!("{argument} characters, no control characters (at byte 1)");
        refused(bare(Kind::ApiKey).name(wrong).build(), &words("name: expected 1 to 100"));
        unread(full(Kind::ApiKey), "/revoked/reason", json!(wrong), &words("reason: expected 1 to 200"));
    }
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
    let sealed =
        |count| (0..count).try_fold(account(), |account, at| account.seal(&format!("p{at}"), vec![1]));
    round_trips(&bare(Kind::ServiceAccount).grant(sealed(256).unwrap()).build().unwrap());
    refused(sealed(257), "sealed keys: expected at most 256");
    let seal = |project: &str, length| account().seal(project, vec![1; length]);
    assert!(seal("web", 1_024).is_ok());
    refused(seal("web", 1_025), "sealed key: expected 1 to 1024 bytes");
    refused(seal("web", 0), "sealed key: expected 1 to 1024 bytes");
    refused(seal("*", 1), "project: expected 1 to 64 of A-Z a-z 0-9 - _ (at byte 0)");
    refused(seal("web", 1).unwrap().seal("web", vec![2]), "sealed key: expected one a project");
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
    let boxed = |length| ServiceTokenGrant::new("web", rights([""; 0])).unwrap().client_box(vec![1; length]);
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
        let next = account.clone().seal(&format!("p{project:03}"), vec![1; 1_024]).unwrap();
        let encoded = bare(Kind::ServiceAccount).grant(next.clone()).build().unwrap().encode();
        if encoded.is_ok_and(|bytes| bytes.len() <= MOST - 100) {
            account = next;
        } else {
            break;
        }
    }
    let length = |builder: &RecordBuilder| builder.clone().build().unwrap().encode().unwrap().len();
    let left = MOST - length(&bare(Kind::ServiceAccount).grant(account.clone()));
    let account = account.seal("last", vec![1; ((left - 80) / 4 * 3).min(1_000)]).unwrap();
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
        (
            "/networks/1",
            json!("10.0.0.0"),
            "network: expected an address, a slash and a length, such as 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            "/networks/1",
            json!("10.0.0.0/33"),
            "network: expected an address, a slash and a length, such as 10.0.0.0/8 or 2001:db8::/32",
        ),
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

/// Every member of a record's JSON, by its pointer.
fn members(json: &Value) -> Vec<String> {
    fn walk(json: &Value, at: &str, found: &mut Vec<String>) {
        for (key, value) in json.as_object().into_iter().flatten() {
            let pointer = format!("{at}/{key}");
            walk(value, &pointer, found);
            found.push(pointer);
        }
    }
    let mut found = Vec::new();
    walk(json, "", &mut found);
    found
}

fn parent_and_key(pointer: &str) -> (&str, &str) {
    pointer.rsplit_once('/').unwrap()
}

const NULLABLE: [&str; 10] = [
    "name",
    "created_by",
    "not_before",
    "expires_at",
    "revoked",
    "retiring",
    "parent",
    "guard",
    "public_key",
    "client_box",
];

#[track_caller]
fn is_syntax(found: Result<Record, DecodeError>, case: &str) {
    match found {
        Err(DecodeError::Syntax { .. }) => {}
        other => panic!("{case}: {other:?}"),
    }
}

#[test]
fn every_field_has_to_be_there_and_once_and_no_other() {
    for kind in Kind::ALL {
        let json = json_of(full(kind));
        let members = members(&json);
        assert!(members.len() >= 29, "{kind}: {}", members.len());
        for pointer in &members {
            let (parent, key) = parent_and_key(pointer);
            let mut missing = json.clone();
            missing.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
            is_syntax(decode(&missing), &format!("{kind} without {pointer}"));

            let mut unknown = json.clone();
            unknown
                .pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .insert("restriction".into(), Value::Null);
            is_syntax(decode(&unknown), &format!("{kind} with an unknown member beside {pointer}"));

            let mut null = json.clone();
            *null.pointer_mut(pointer).unwrap() = Value::Null;
            let found = decode(&null);
            if NULLABLE.contains(&key) && !(kind == Kind::ServiceToken && key == "expires_at") {
                let again = found.unwrap_or_else(|error| panic!("{kind}: null at {pointer}: {error}"));
                round_trips(&again);
            } else {
                assert!(found.is_err(), "{kind}: null at {pointer}");
            }
            let twice = twice(&json, "", pointer);
            assert_eq!(serde_json::from_str::<Value>(&twice).unwrap(), json, "only the duplicate differs");
            is_syntax(Record::decode(twice.as_bytes()), &format!("{kind}: {pointer} twice"));
        }
    }
}

/// The JSON with one member written twice, both times the same.
fn twice(json: &Value, at: &str, duplicate: &str) -> String {
    let Value::Object(members) = json else { return json.to_string() };
    let mut texts = Vec::new();
    for (key, value) in members {
        let pointer = format!("{at}/{key}");
        let text = format!("{}:{}", json!(key), twice(value, &pointer, duplicate));
        texts.extend(vec![text; if pointer == duplicate { 2 } else { 1 }]);
    }
    format!("{{{}}}", texts.join(","))
}

/// Each value replaced by one of each other type: no number in a string, no list for an object, nothing converted.
#[test]
fn every_wrong_type_is_refused() {
    let others = [
        json!("1"),
        json!(""),
        json!(true),
        json!(false),
        json!(1.5),
        json!(1.0),
        json!([]),
        json!({}),
        json!([1]),
        json!({ "a": 1 }),
        json!(-1),
        json!(1),
        json!(1e300),
        json!(u64::MAX),
        json!([[]]),
        json!(["1"]),
    ];
    for kind in Kind::ALL {
        let json = json_of(full(kind));
        for pointer in members(&json) {
            let right = json.pointer(&pointer).unwrap();
            for other in &others {
                let same = std::mem::discriminant(right) == std::mem::discriminant(other);
                // A guard may be there where there was none; and lists of the right members have a test of their own.
                let guard = pointer.ends_with("/guard") && *other == json!(1);
                let list = right.is_object() && *other == json!(["1"]);
                if guard || list || same && !other.is_f64() {
                    continue;
                }
                let mut wrong = json.clone();
                *wrong.pointer_mut(&pointer).unwrap() = other.clone();
                let found = decode(&wrong);
                assert!(found.is_err(), "{kind}: {other} at {pointer}");
            }
        }
        for (pointer, wrong) in [
            ("/version", json!(-1)),
            ("/current/number", json!(-1)),
            ("/current/number", json!(1_u64 << 32)),
            ("/current/slot", json!(256)),
            ("/current/slot", json!(-1)),
            ("/created_at", json!(1_u64 << 63)),
        ] {
            let mut json = json.clone();
            *json.pointer_mut(pointer).unwrap() = wrong.clone();
            is_syntax(decode(&json), &format!("{kind}: {wrong} at {pointer}"));
        }
        let mut none = json.clone();
        none["grant"] = json!({});
        assert!(decode(&none).is_err());
        let mut two = json.clone();
        two["grant"]["api_key"] = json!({ "user": "u" });
        two["grant"]["service_account"] = json!({});
        assert!(decode(&two).is_err(), "two grants");
    }
}

/// The members of an object in their order, without their names, are no object: that a writer and a reader agree on
/// what a value means is never left to its place.
#[test]
fn a_list_of_members_is_no_object() {
    const ORDER: [&str; 17] = [
        "at",
        "reason",
        "secret",
        "ends_at",
        "account",
        "number",
        "slot",
        "guard",
        "digest",
        "user",
        "organization",
        "project",
        "scopes",
        "public_key",
        "sealed_keys",
        "mint_generation",
        "client_box",
    ];
    let mut taken = Vec::new();
    for kind in Kind::ALL {
        let json = json_of(full(kind));
        for pointer in members(&json) {
            let Some(members) = json.pointer(&pointer).unwrap().as_object() else { continue };
            let values: Vec<_> = ORDER.iter().filter_map(|name| members.get(*name).cloned()).collect();
            if values.len() == members.len() {
                let mut list = json.clone();
                *list.pointer_mut(&pointer).unwrap() = values.into();
                taken.extend(decode(&list).is_ok().then_some(pointer));
            }
        }
    }
    assert_eq!(taken, [""; 0], "lists that were taken for objects");
}

/// Promise P49: a reader of version 1 refuses every other one, whatever else is in it; a failure, not a denial.
#[test]
fn every_other_version_is_refused() {
    let json = json_of(full(Kind::ApiKey));
    assert_eq!(json["v"], json!(1), "and it is what a writer writes");
    for version in [0, 2, 3, 255, u64::from(u32::MAX) + 2, u64::MAX] {
        let mut other = json.clone();
        other["v"] = json!(version);
        let error = DecodeError::Version { found: version };
        assert_eq!(decode(&other).unwrap_err(), error);
        // A newer one has fields that this reader does not know, and lacks some that it does.
        assert_eq!(decode(&json!({ "v": version, "future": { "x": [1] } })).unwrap_err(), error);
        assert_eq!(
            error.to_string(),
            format!("the record has version {version}, this reader knows version 1")
        );
    }
    for version in [
        "\"1\"",
        "1.0",
        "1e0",
        "-1",
        "null",
        "true",
        "[1]",
        "18446744073709551616",
        "01",
        "1,\"v\":1",
        "1,\"v\":2",
    ] {
        let text = json.to_string().replace("\"v\":1,", &format!("\"v\":{version},"));
        let text = if text.contains(&format!("\"v\":{version}")) {
            text
        } else {
            json.to_string().replace("\"v\":1}", &format!("\"v\":{version}}}"))
        };
        assert!(text.contains(&format!("\"v\":{version}")), "{text}");
        is_syntax(Record::decode(text.as_bytes()), version);
    }
    let refusal = keygate::Refusal::record_corrupt(DecodeError::Version { found: 2 });
    crate::decision::has_the_face_of_a_failure(&refusal);
}

#[test]
fn what_is_no_json_is_refused_by_its_place() {
    for bytes in [
        &b""[..],
        b"null",
        b"1",
        b"[]",
        b"{}",
        b"{",
        b"\"\"",
        b"\xff",
        b"\xef\xbb\xbf{\"v\":1}",
        b"{\"v\":1}{\"v\":1}",
        b"{'v':1}",
        b"{\"v\":1,}",
        b"\0",
        b"{\"v\":1, // one\n}",
    ] {
        is_syntax(Record::decode(bytes), &String::from_utf8_lossy(bytes));
    }
    let deep = [b"{\"v\":1,\"name\":".to_vec(), vec![b'['; 100_000]].concat();
    is_syntax(Record::decode(&deep), "100,000 lists");
    let mut bytes = full(Kind::ApiKey).build().unwrap().encode().unwrap();
    bytes.extend(b" \n");
    assert!(Record::decode(&bytes).is_ok());
    bytes.extend(b"x");
    let error = Record::decode(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "the record does not decode at line 2, column 1");
    assert!(std::error::Error::source(&error).is_none(), "nothing of the record is in the error");
}

/// Promise P42, for encodings: damage gives a typed error, or a sound record; never a panic.
#[test]
fn damage_is_an_error_or_a_sound_record() {
    let (seed, mut random) = (seed(), Random::seeded(seed()));
    let (mut errors, mut records) = (0, 0);
    let originals: Vec<Vec<u8>> = Kind::ALL
        .into_iter()
        .flat_map(|kind| [full(kind), bare(kind)])
        .map(|b| b.build().unwrap().encode().unwrap())
        .collect();
    for case in 0..cases(30_000) {
        let mut bytes = originals[random.below(6)].clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len());
            match random.below(8) {
                0 => bytes.truncate(at),
                1 => drop(bytes.remove(at.min(bytes.len().saturating_sub(1)))),
                2 => bytes.insert(at, random.byte()),
                3 => {
                    let end = at + random.below(bytes.len() - at);
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                4 => {
                    let digit = random.pick(b"0123456789-.e\"{}[],:n");
                    bytes[at] = digit;
                }
                _ => bytes[at] ^= 1 << random.below(8),
            }
            if bytes.is_empty() {
                break;
            }
        }
        match Record::decode(&bytes) {
            Err(error) => {
                errors += 1;
                let words = error.to_string();
                assert!(words.starts_with("the record"), "{words}");
            }
            Ok(record) => {
                records += 1;
                let encoded = record.encode().unwrap();
                let again = Record::decode(&encoded)
                    .unwrap_or_else(|e| panic!("KEYGATE_SEED={seed} case {case}: {e}"));
                assert_eq!(told(&again), told(&record), "KEYGATE_SEED={seed} case {case}");
                assert_eq!(again.encode().unwrap(), encoded, "KEYGATE_SEED={seed} case {case}");
            }
        }
    }
    assert!(errors > records && records > 500, "{errors} {records}");
}

/// Promise P37: what is shown of a record has no digest, no slot and no sealed box in it.
#[test]
fn the_view_shows_no_digest() {
    for kind in Kind::ALL {
        for builder in [full(kind), bare(kind)] {
            let record = builder.build().unwrap();
            let view = serde_json::to_value(record.view()).unwrap();
            let names: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
            let shown = [
                "created_at",
                "created_by",
                "disabled",
                "expires_at",
                "id",
                "kind",
                "metadata",
                "mint_generation",
                "name",
                "networks",
                "not_before",
                "owner",
                "parent",
                "retiring_secret",
                "retiring_until",
                "revoked",
                "scopes",
                "secret",
            ];
            assert_eq!(names, shown);
            let text = view.to_string();
            for byte in [0_u8, 1, 2, 3, 7, 9, 63] {
                let hex = format!("{byte:02x}").repeat(16);
                for spelling in [
                    STANDARD.encode([byte; 24]),
                    hex,
                    format!("{byte},{byte},{byte}"),
                    format!("{byte}, {byte}, {byte}"),
                ] {
                    assert!(!text.contains(&spelling), "{kind}: {spelling}");
                }
            }
        }
    }
    let view = serde_json::to_value(full(Kind::ServiceToken).build().unwrap().view()).unwrap();
    let expected = json!({
        "kind": "st", "id": "tr6A/fxqt+JI", "owner": { "organization": "acme", "project": "web" },
        "name": "ci \"builder\" \u{e9}\u{1f511}", "metadata": { "a": "", "team": "core", "ticket": "\\ / <>" },
        "created_at": -1, "created_by": "u-1", "not_before": i64::MIN, "expires_at": i64::MAX, "disabled": true,
        "revoked": { "at": 1_768_373_298, "reason": "left the company" }, "secret": u32::MAX, "retiring_secret": 1,
        "retiring_until": 0, "parent": "a", "networks": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"],
        "scopes": ["read,delete@web/*:/", "*@web/prod:/**/x-*"], "mint_generation": null,
    });
    assert_eq!(view, expected);
    let owner = |kind| serde_json::to_value(bare(kind).build().unwrap().view()).unwrap()["owner"].clone();
    assert_eq!(owner(Kind::ApiKey), json!({ "user": "u" }));
    assert_eq!(owner(Kind::ServiceAccount), json!({ "organization": "acme" }));
}

/// A changed record is the old one but for what was changed.
#[test]
fn a_builder_from_a_record_changes_what_it_is_told() {
    for kind in Kind::ALL {
        let record = full(kind).build().unwrap();
        assert_eq!(told(&record.to_builder().build().unwrap()), told(&record));
        let changed = record.to_builder().retiring(None).disabled(false).version(3).build().unwrap();
        assert!(changed.retiring().is_none());
        assert_eq!((changed.is_disabled(), changed.version(), changed.key()), (false, 3, record.key()));
    }
}
