//! Records as bytes: what is written is read, and what is not exactly that is refused.

mod encoding;
mod limits;
mod view;

use keygate::{
    ApiKeyGrant, CredentialId, DecodeError, Digest, Grant, Kind, Network, Parent, Record, RecordBuilder,
    Retiring, Revocation, Rights, ServiceAccountGrant, ServiceTokenGrant, StoredSecret, Timestamp, Validity,
};
use serde_json::Value;

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
            let account = account.with_public_key([7; 32]).with_mint_generation(u64::MAX);
            (
                2,
                account
                    .with_sealed_key("web", vec![1, 2, 3])
                    .unwrap()
                    .with_sealed_key("db", vec![0xff; 40])
                    .unwrap()
                    .into(),
            )
        }
        Kind::ServiceToken => {
            let token =
                ServiceTokenGrant::new("web", rights(["read,delete@web/*:/", "*@web/prod:/**/x-*"])).unwrap();
            (3, token.with_client_box(vec![9; 33]).unwrap().into())
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
            leak: None,
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
            format!(
                "{:?} {:?} {sealed:?} {}",
                account.rights(),
                account.public_key(),
                account.mint_generation()
            )
        }
        Grant::ServiceToken(token) => {
            format!("{:?} {:?} {:?}", token.project(), token.rights(), token.client_box())
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
        (Kind::ApiKey, include_str!("../golden/record-v1-api-key.json")),
        (Kind::ServiceAccount, include_str!("../golden/record-v1-service-account.json")),
        (Kind::ServiceToken, include_str!("../golden/record-v1-service-token.json")),
    ] {
        let record = full(kind).build().unwrap();
        assert_eq!(String::from_utf8(record.encode().unwrap()).unwrap(), golden.trim_end(), "{kind}");
        assert_eq!(told(&Record::decode(golden.as_bytes()).unwrap()), told(&record), "{kind}");
    }
}

/// Why a secret leaked is a note that limits nothing: it is written only where there is one, so that no other record looks
/// otherwise than it did before there was this note.
#[test]
fn a_leak_is_written_where_there_is_one() {
    let told_why = full(Kind::ServiceAccount).build().unwrap();
    let mut retiring = told_why.retiring().unwrap().clone();
    assert!(!String::from_utf8(told_why.encode().unwrap()).unwrap().contains("leak"));
    retiring.leak = Some("pasted into a \"ticket\"".into());
    let leaked = told_why.to_builder().retiring(retiring.clone()).build().unwrap();
    let text = String::from_utf8(leaked.encode().unwrap()).unwrap();
    assert!(text.contains(r#""ends_at":0,"leak":"pasted into a \"ticket\""},"#), "{text}");
    let again = Record::decode(text.as_bytes()).unwrap();
    assert_eq!(again.retiring().unwrap().leak.as_deref(), Some("pasted into a \"ticket\""));
    assert_eq!(serde_json::to_value(again.view()).unwrap()["retiring_leak"], "pasted into a \"ticket\"");
    for reason in ["", "a\nb", &"x".repeat(201)] {
        retiring.leak = Some(reason.into());
        assert_eq!(
            told_why.to_builder().retiring(retiring.clone()).build().unwrap_err().argument(),
            "reason"
        );
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
            "aZ0 \"\\/<&\u{e9}\u{1f511}\u{2027}\u{feff}\u{206a}'{}[]:,".chars().collect();
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
            account = account.with_mint_generation(random.number() >> random.below(64));
            if random.one_in(2) {
                account = account.with_public_key(std::array::from_fn(|_| random.byte()));
            }
            for project in 0..random.below(4) {
                account = account.with_sealed_key(&format!("p{project}"), bytes(random, 1_024)).unwrap();
            }
            account.into()
        }
        _ => {
            let project = name(random);
            let token = ServiceTokenGrant::new(&project, rights(scopes(random, &project, true))).unwrap();
            if random.one_in(2) {
                token.with_client_box(bytes(random, 4_096)).unwrap().into()
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
        let number = u32::from(random.byte()) + 2;
        let secret = StoredSecret { number: number - 1, digest: digest(random) };
        record = record.current(StoredSecret { number, digest: digest(random) }).retiring(Retiring {
            secret,
            ends_at: time(random),
            leak: None,
        });
    }
    if kind == Kind::ServiceToken && random.one_in(2) {
        record = record.parent(Parent { account: id, mint_generation: random.number() });
    }
    let networks =
        ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.7/32", "::ffff:10.0.0.0/104"];
    let count = random.below(4);
    if count > 0 {
        record = record.networks((0..count).map(|_| Network::parse(random.pick(&networks)).unwrap()));
    }
    record.version(random.number()).build().unwrap()
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
