//! What is not exactly the encoding of a record.

use keygate::{DecodeError, Kind, Record};
use serde_json::{Value, json};

use super::{bare, decode, full, json_of, round_trips, told};
use crate::support::random::{Random, cases, seed};

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

const NULLABLE: [&str; 11] = [
    "name",
    "created_by",
    "not_before",
    "expires_at",
    "revoked",
    "retiring",
    "parent",
    "networks",
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
