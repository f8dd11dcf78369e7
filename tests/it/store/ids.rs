//! Ids that mean to be more than data: they cannot be written, and near-misses find nothing.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};

use keygate::{
    CredentialId, CredentialKey, Kind, Lookup, MemoryStore, OrganizationId, Owner, Peek, ProjectId, Store,
    Updated, Use, UserId,
};
use pollster::block_on;

use super::{at, built, id, of, organization, owner_of, put, read};
use crate::support::random::{Random, seed};

/// Promise P43: an id outside its alphabet or its length does not exist as a value, so no store ever sees one.
#[test]
fn a_hostile_id_cannot_be_written() {
    let mut hostile: Vec<String> = [
        "",
        "'",
        "\"",
        "%",
        "a%",
        "a_b*",
        "*",
        "?",
        "a b",
        " a",
        "a ",
        "a\r\nb",
        "\0",
        "a\0",
        "{tag}",
        "a{b}c",
        "x' OR '1'='1",
        "$1",
        ":id",
        "a;b",
        "a,b",
        "a.b",
        "..",
        "a=b",
        "a\\b",
        "a:b",
        "k\u{e9}y",
        "\u{661}",
        "\u{ff21}",
        "a\u{301}",
        "a\u{200b}",
        "\u{202e}a",
        "~",
        "a~",
        "`a`",
        "(a)",
        "[a-z]",
        "a|b",
        "#",
        "@a",
        "!",
        "&a",
        "<a>",
    ]
    .map(str::to_owned)
    .into();
    hostile.extend([65, 66, 128, 1_000, 1 << 20].map(|length| "a".repeat(length)));
    let mut random = Random::seeded(seed());
    while hostile.len() < 1_000 {
        let (length, bad) =
            (1 + random.below(64), random.pick(&['\'', '%', '*', '\r', '\n', '\0', '{', '.', '\u{130}']));
        let mut text = random.text(length, "abcXYZ019-_+/");
        text.insert(random.below(length), bad);
        hostile.push(text);
    }
    for text in &hostile {
        assert!(CredentialId::parse(text).is_err(), "{}", text.escape_default());
    }
    for fine in ["a", "-_+/", &"a".repeat(64)] {
        assert_eq!(CredentialId::parse(fine).unwrap().as_str(), fine);
    }
}

/// Neither case nor a prefix, neither a pattern nor another kind finds, changes or removes what is not named.
#[test]
fn a_near_miss_finds_nothing() {
    let text = "tr6AWfxq_-+/";
    let mut near: Vec<String> = (0..text.len())
        .filter(|at| text.as_bytes()[*at].is_ascii_alphabetic())
        .map(|at| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 0x20;
            String::from_utf8(bytes).unwrap()
        })
        .collect();
    near.extend((1..text.len()).flat_map(|at| [text[..at].to_owned(), text[at..].to_owned()]));
    near.extend("aZ0-_+/".chars().flat_map(|letter| [format!("{text}{letter}"), format!("{letter}{text}")]));
    near.extend([text.replace('_', "-"), text.replace('-', "_"), text.replace('+', "-"), text.repeat(2)]);
    near.extend([text.to_uppercase(), text.to_lowercase(), "_".repeat(12), text.replace('r', "_")]);
    near.sort();
    near.dedup();
    assert!(near.len() > 40 && !near.contains(&text.to_owned()));

    for kind in Kind::ALL {
        let (store, owner) = (MemoryStore::new(), owner_of(kind));
        let record = put(&store, of(&owner, text));
        let others = near.iter().map(|near| CredentialKey::new(kind, id(near)));
        let other_kinds = Kind::ALL.into_iter().filter(|other| *other != kind);
        for key in others.chain(other_kinds.map(|other| CredentialKey::new(other, id(text)))) {
            assert!(block_on(store.find(key.kind, &key.id)).unwrap().is_none(), "{key}");
            assert!(matches!(store.peek(key.kind, &key.id), Peek::Absent), "{key}");
            assert!(read(&store, key).is_none(), "{key}");
            let update = built(of(&owner_of(key.kind), key.id.as_str()).version(2));
            assert_eq!(block_on(store.update(1, &update)).unwrap(), Updated::Absent, "{key}");
            block_on(store.record_uses(&[Use { key, secret: 1, at: at(1) }])).unwrap();
        }
        let entry = read(&store, record.key()).unwrap();
        assert_eq!((entry.record.version(), entry.uses.latest()), (1, None));
    }
    assert!(block_on(MemoryStore::new().list(&organization("acme"), Some(&id(text)), 9)).unwrap().is_empty());
}

/// Ids are what tenants and records are told apart by: of two texts that differ in one byte, wherever it stands and however long
/// they are, the ids differ, are ordered as the bytes are, and find nothing of each other. Equal ones have one hash.
#[test]
fn ids_that_differ_in_one_byte_differ() {
    fn apart<I: Clone + Ord + Hash + Debug>(parse: impl Fn(&str) -> I) {
        let hash = |id: &I| BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        for length in 1..=64 {
            let text = "m".repeat(length);
            let id = parse(&text);
            assert!(id == parse(&text) && id.cmp(&parse(&text)).is_eq() && hash(&id) == hash(&parse(&text)));
            for place in 0..length {
                for (letter, order) in [("A", Ordering::Less), ("z", Ordering::Greater)] {
                    let other = parse(&[&text[..place], letter, &text[place + 1..]].concat());
                    assert!(other != id, "{length}: {other:?}");
                    assert_eq!((other.cmp(&id), id.cmp(&other)), (order, order.reverse()), "{other:?}");
                    assert!(!HashSet::from([id.clone()]).contains(&other), "{other:?}");
                }
            }
            if length < 64 {
                let longer = parse(&format!("{text}A"));
                assert!(longer > id, "{longer:?}");
            }
        }
    }
    apart(|id| CredentialId::parse(id).unwrap());
    apart(|id| OrganizationId::parse(id).unwrap());
    apart(|id| ProjectId::parse(id).unwrap());
    apart(|id| UserId::parse(id).unwrap());
    apart(|id| Owner::project(id, "web").unwrap());
    apart(|id| Owner::project("acme", id).unwrap());
}
