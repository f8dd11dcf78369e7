//! The ordered checks of `verify`, every combination of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use keygate::{
    CredentialKey, Digest, DigestKey, DigestKeys, Kind, Moment, Network, PresentedCredential, Record,
    RecordBuilder, Refusal, Retiring, Revocation, StoredSecret, Timestamp, Validity, Verified, verify,
};

use super::{built, has_the_face_of_a_denial, has_the_face_of_a_failure, issue, now_and, present, ring};
use crate::support::fixtures::{END, NOW, grant};
use crate::support::random::{Random, SeededSource, cases, seed};

/// What is presented.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Text {
    Current,
    /// The text that a rotation replaced, whether or not the record still has its digest.
    Replaced,
    Wrong,
}

/// With which key a secret's digest was made, as the verifying ring sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Active,
    Older,
    Unknown,
}

impl Key {
    const ALL: [Self; 3] = [Self::Active, Self::Older, Self::Unknown];

    fn ring(self) -> DigestKeys {
        match self {
            Self::Active => ring(1, &[]),
            Self::Older => ring(2, &[]),
            Self::Unknown => ring(9, &[]),
        }
    }
}

type Place = (bool, Option<[u8; 4]>, Result<(), &'static str>);

/// Where the client is, and whether the record is limited to two networks; what comes of it.
const PLACES: [Place; 5] = [
    (false, None, Ok(())),
    (false, Some([192, 0, 2, 7]), Ok(())),
    (true, Some([10, 1, 2, 3]), Ok(())),
    (true, Some([11, 1, 2, 3]), Err("network")),
    (true, None, Err("client_address_unknown")),
];

type State = (&'static str, fn(RecordBuilder) -> RecordBuilder, Result<(), &'static str>);

/// Revoked before disabled before expired; the last second and the first one are in, their neighbours out.
const STATES: [State; 12] = [
    ("active", |b| b, Ok(())),
    ("ends in a second", |b| window(b, None, Some(1)), Ok(())),
    ("ends now", |b| window(b, None, Some(0)), Err("expired")),
    ("ended a second ago", |b| window(b, None, Some(-1)), Err("expired")),
    ("began a second ago", |b| window(b, Some(-1), Some(9)), Ok(())),
    ("begins now", |b| window(b, Some(0), Some(9)), Ok(())),
    ("begins in a second", |b| window(b, Some(1), Some(9)), Err("not_yet_valid")),
    ("disabled", |b| b.disabled(true), Err("disabled")),
    ("disabled and past", |b| window(b.disabled(true), None, Some(-1)), Err("disabled")),
    ("revoked", |b| b.revoked(Revocation::new(NOW, "left")), Err("revoked")),
    ("revoked in the future", |b| b.revoked(Revocation::new(now_and(9), "left")), Err("revoked")),
    (
        "all",
        |b| window(b.disabled(true), None, Some(-1)).revoked(Revocation::new(NOW, "left")),
        Err("revoked"),
    ),
];

fn window(builder: RecordBuilder, from: Option<i64>, until: Option<i64>) -> RecordBuilder {
    builder.validity(Validity::new(from.map(now_and), until.map(now_and)).unwrap())
}

/// The number of the secret that is proved, or the reason, from the rules as they are written: a secret is accepted
/// while it is current, or retiring and its overlap is not over; a text that was not compared with each of them is
/// not a wrong one; and that it *was* one is known only if it costs nothing.
fn proof(text: Text, current: Key, retiring: Option<(Key, i64)>) -> Result<u32, &'static str> {
    let accepted = [
        Some((Text::Current, current, 2)),
        retiring.and_then(|(key, ends)| (ends > 0).then_some((Text::Replaced, key, 1))),
    ];
    let accepted = accepted.into_iter().flatten();
    if let Some((_, _, number)) = accepted.clone().find(|(of, key, _)| *of == text && *key != Key::Unknown) {
        return Ok(number);
    }
    if accepted.clone().any(|(_, key, _)| key == Key::Unknown) {
        return Err("unknown_digest_key");
    }
    match retiring {
        Some((key, ..=0)) if text == Text::Replaced && key == current => Err("retired_secret"),
        _ => Err("wrong_secret"),
    }
}

/// Every secret × key × overlap × state × network × kind: the first check that fires gives the reason, and before
/// the proof nothing about the record does.
#[test]
fn every_combination_is_judged_in_the_order_of_the_checks() {
    let keys = ring(1, &[2]);
    let source = SeededSource::new(seed());
    let mut seen = BTreeMap::<&str, usize>::new();
    for (kind, current) in Kind::ALL.into_iter().flat_map(|kind| Key::ALL.map(|current| (kind, current))) {
        let (right, builder) = issue(&current.ring(), kind, &source);
        let key = right.key();
        let builder = builder.current(StoredSecret { number: 2, digest: current.ring().digest(&right) });
        let wrong = present(keys.redraw(key, &source).unwrap().text.expose());
        let overlaps = Key::ALL.iter().flat_map(|key| [-1, 0, 1].map(|ends| Some((*key, ends))));
        for retiring in overlaps.chain([None]) {
            let old = retiring.map_or(current, |(key, _)| key).ring().redraw(key, &source).unwrap();
            let replaced = present(old.text.expose());
            let kept = |(_, ends): (Key, i64)| Retiring {
                secret: StoredSecret { number: 1, digest: old.digest.clone() },
                ends_at: now_and(ends),
                leak: None,
            };
            for ((state, edit, alive), (limited, client, inside)) in
                STATES.into_iter().flat_map(|state| PLACES.map(|place| (state, place)))
            {
                let networks =
                    ["10.0.0.0/8", "2001:db8::/32"].map(|network| Network::parse(network).unwrap());
                let edited = edit(builder.clone()).retiring(retiring.map(kept));
                let record = built(if limited { edited.networks(networks) } else { edited });
                let mut moment = Moment::at(NOW);
                if let Some(client) = client {
                    moment = moment.client(client.into());
                }
                for (text, presented) in
                    [(Text::Current, &right), (Text::Replaced, &replaced), (Text::Wrong, &wrong)]
                {
                    let proof = proof(text, current, retiring);
                    let expected = proof.and_then(|number| alive.and(inside).map(|()| number));
                    let found = verify(presented, Some(&record), &keys, moment);
                    *seen.entry(expected.err().unwrap_or("caller")).or_default() += 1;
                    let case = format!("{kind}, {current:?}, {retiring:?}, {state}, {client:?}, {text:?}");
                    judged(found, expected, proof.is_ok(), key, &case);
                }
            }
        }
    }
    let reasons = [
        "caller",
        "client_address_unknown",
        "disabled",
        "expired",
        "network",
        "not_yet_valid",
        "retired_secret",
        "revoked",
        "unknown_digest_key",
        "wrong_secret",
    ];
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), reasons);
    assert_eq!(seen.values().sum::<usize>(), 3 * 3 * 10 * 12 * 5 * 3);
}

fn judged(
    found: Result<Verified, Refusal>,
    expected: Result<u32, &str>,
    proven: bool,
    key: CredentialKey,
    case: &str,
) {
    match (found, expected) {
        (Ok(Verified::Caller(caller)), Ok(number)) => {
            assert_eq!((caller.credential(), caller.secret_number()), (key, Some(number)), "{case}");
        }
        (Err(refusal), Err(code)) => {
            assert_eq!(refusal.reason().code(), code, "{case}");
            assert_eq!((refusal.proven(), refusal.credential()), (proven, Some(key)), "{case}");
            match code {
                "unknown_digest_key" | "client_address_unknown" => has_the_face_of_a_failure(&refusal),
                _ => has_the_face_of_a_denial(&refusal),
            }
        }
        (found, expected) => panic!("{case}: {found:?} instead of {expected:?}"),
    }
}

/// Promise P38, without a store: each of these is told apart in the log, and nowhere else.
#[test]
fn all_denials_look_alike() {
    let keys = ring(1, &[]);
    let source = SeededSource::new(seed());
    let mut reasons = Vec::new();
    for kind in Kind::ALL {
        let (presented, builder) = issue(&keys, kind, &source);
        let (stranger, _) = issue(&keys, kind, &source);
        let other_ring = DigestKeys::new([DigestKey::active(1, &[0xee; 32]).unwrap()]).unwrap();
        let other_ring = other_ring.redraw(presented.key(), &source).unwrap();
        let other_slot = ring(3, &[]).redraw(presented.key(), &source).unwrap();
        let verified = |presented: &PresentedCredential<String>, record: &Arc<Record>| {
            verify(presented, Some(record), &keys, Moment::at(NOW)).unwrap_err()
        };
        let mut refusals = vec![
            verify(&presented, None, &keys, Moment::at(NOW)).unwrap_err(),
            verified(
                &present(keys.redraw(presented.key(), &source).unwrap().text.expose()),
                &built(builder.clone()),
            ),
            keys.check_guard(&present(other_ring.text.expose())).unwrap_err(),
            keys.check_guard(&present(other_slot.text.expose())).unwrap_err(),
            verify(&stranger, None, &keys, Moment::at(END)).unwrap_err(),
        ];
        refusals.extend(
            STATES
                .iter()
                .filter(|(_, _, alive)| alive.is_err())
                .map(|(_, edit, _)| verified(&presented, &built(edit(builder.clone())))),
        );
        for refusal in refusals {
            has_the_face_of_a_denial(&refusal);
            reasons.push(refusal.reason().code());
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    let told_apart = [
        "disabled",
        "expired",
        "not_yet_valid",
        "revoked",
        "unknown_credential",
        "unknown_guard_key",
        "wrong_guard",
        "wrong_secret",
    ];
    assert_eq!(reasons, told_apart);
}

/// A store only fetches, and is checked: whatever it returns for the key that it was asked for.
#[test]
fn a_record_of_another_kind_or_id_is_a_failure() {
    let keys = ring(1, &[]);
    let source = SeededSource::new(seed());
    for kind in Kind::ALL {
        let (presented, builder) = issue(&keys, kind, &source);
        let right = built(builder);
        assert!(verify(&presented, Some(&right), &keys, Moment::at(NOW)).is_ok());
        let digest = &right.current().digest;
        let mut wrong = vec![built(issue(&keys, kind, &source).1)];
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            let copy = Record::builder(presented.key().id, grant(other), digest.clone(), NOW);
            wrong.push(built(copy.validity(Validity::until(END))));
        }
        for record in &wrong {
            let refusal = verify(&presented, Some(record), &keys, Moment::at(NOW)).unwrap_err();
            assert_eq!((refusal.reason().code(), refusal.proven()), ("record_mismatch", false));
            has_the_face_of_a_failure(&refusal);
        }
    }
}

/// A digest binds kind and id to the secret: what holds for one record holds for no other.
#[test]
fn a_digest_copied_to_another_record_verifies_nothing() {
    const ID: &str = "63f1c2a8b9d0e1f2a3b4c5d6";
    const OTHER_ID: &str = "63f1c2a8b9d0e1f2a3b4c5d7";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let keys = ring(1, &[]);
    for (from, id, to, other_id) in [
        ("ak", ID, "ak", OTHER_ID),
        ("ak", ID, "sa", ID),
        ("sa", ID, "st", ID),
        ("st", ID, "ak", ID),
        ("st", ID, "st", OTHER_ID),
        // The boundary between id and secret is in what is covered.
        ("st", "63f1c2a8b9d0e1f2a3b4c5d60", "st", ID),
    ] {
        let digest = keys.digest(&present(&format!("{from}.{id}.{SECRET}")));
        let victim = present(&format!("{to}.{other_id}.{SECRET}"));
        let copy = Record::builder(victim.key().id, grant(victim.kind()), digest, NOW)
            .validity(Validity::until(END));
        let refusal = verify(&victim, Some(&built(copy.clone())), &keys, Moment::at(NOW)).unwrap_err();
        assert_eq!(refusal.reason().code(), "wrong_secret", "{from} to {to}");
        let honest = copy.current(StoredSecret { number: 1, digest: keys.digest(&victim) });
        assert!(verify(&victim, Some(&built(honest)), &keys, Moment::at(NOW)).is_ok(), "{from} to {to}");
    }
}

/// Promise P45: the clock may be anywhere, each decision is that of exact arithmetic, and none panics.
#[test]
fn any_clock_and_any_window() {
    let keys = ring(1, &[]);
    let (seed, source) = (seed(), SeededSource::new(seed()));
    let (presented, builder) = issue(&keys, Kind::ApiKey, &source);
    let (old, mut random) = (keys.redraw(presented.key(), &source).unwrap(), Random::seeded(seed));
    let replaced = present(old.text.expose());
    let hour_and_year =
        [-3_600, 31_536_000, 0, -NOW.as_unix(), 1 - NOW.as_unix(), -1 - NOW.as_unix()].map(now_and);
    let mut accepted = 0;
    for case in 0..cases(20_000) {
        let mut time = || match random.below(6) {
            0 => i64::MIN + i64::from(random.byte() % 3),
            1 => i64::MAX - i64::from(random.byte() % 3),
            2 => random.pick(&hour_and_year).as_unix(),
            3 => i64::from_be_bytes(random.number().to_be_bytes()),
            _ => NOW.as_unix() + i64::from(random.byte() % 5) - 2,
        };
        let (now, from, until, ends) = (time(), time(), time(), time());
        let not_before = (until > from && now % 2 == 0).then_some(from);
        let validity =
            Validity::new(not_before.map(Timestamp::from_unix), Some(Timestamp::from_unix(until))).unwrap();
        let secret = StoredSecret { number: 7, digest: old.digest.clone() };
        let retiring = Retiring { secret, ends_at: Timestamp::from_unix(ends), leak: None };
        let record = built(builder.clone().validity(validity).retiring(retiring));
        let end = match now {
            _ if not_before.is_some_and(|from| now < from) => Err("not_yet_valid"),
            _ if now >= until => Err("expired"),
            _ => Ok(until),
        };
        let code = |presented| match verify(
            presented,
            Some(&record),
            &keys,
            Moment::at(Timestamp::from_unix(now)),
        ) {
            Ok(Verified::Caller(caller)) => Ok(caller.valid_until().unwrap().as_unix()),
            Ok(Verified::NeedsParent(_)) => panic!("no parent"),
            Err(refusal) => Err(refusal.reason().code()),
        };
        let context = format!("KEYGATE_SEED={seed} case {case}: {now} {not_before:?} {until} {ends}");
        accepted += usize::from(end.is_ok());
        assert_eq!(code(&presented), end, "{context}");
        let overlap = if now >= ends { Err("retired_secret") } else { end.map(|until| until.min(ends)) };
        assert_eq!(code(&replaced), overlap, "{context}");
    }
    assert!(accepted * 20 > cases(20_000), "{accepted}");
}

/// Doorkeeper's lesson: what a thief of the table of records reads there opens nothing, however it is spelt.
#[test]
fn a_stored_digest_is_no_credential() {
    let keys = ring(1, &[]);
    let source = SeededSource::new(seed());
    for kind in Kind::ALL {
        let id = "63f1c2a8b9d0e1f2a3b4c5d6";
        let text = format!("{}.{id}.0123456789abcdef0123456789abcdef", kind.as_str());
        let (issued, builder) = issue(&keys, kind, &source);
        let imported = keys.digest(&present(&text));
        let records = [
            built(builder),
            built(
                Record::builder(present(&text).key().id, grant(kind), imported, NOW)
                    .validity(Validity::until(END)),
            ),
        ];
        assert_eq!(records[0].key(), issued.key());
        for record in records {
            let stored = record.current().digest.clone();
            let mut tried = 0;
            for secret in spellings(&stored) {
                let text = format!("{}.{secret}", record.key());
                let refusal = verify(&present(&text), Some(&record), &keys, Moment::at(NOW)).unwrap_err();
                assert_eq!(refusal.reason().code(), "wrong_secret");
                tried += 1;
            }
            assert_eq!(tried, 7);
        }
    }
}

fn spellings(digest: &Digest) -> Vec<String> {
    let bytes = digest.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        hex.to_uppercase(),
        hex[..32].to_owned(),
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        URL_SAFE_NO_PAD.encode(&bytes[..21]),
        hex,
    ]
}
