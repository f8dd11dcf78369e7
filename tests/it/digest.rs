//! Digest keys: the MAC against an independent one, rings and their errors, a whole rollout, and what is drawn.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keygate::{
    CredentialId, CredentialKey, CredentialText, Digest, DigestKey, DigestKeys, Kind, Moment,
    PresentedCredential, RandomError, RandomSource, Record, Retiring, StoredSecret, SystemRandom, Upgrade,
    Validity, verify,
};
use sha2::{Digest as _, Sha256};

use crate::decision::{built, caller, has_the_face_of_a_denial, issue, key_bytes, now_and, present, ring};
use crate::support::fixtures::{END, NOW, grant};
use crate::support::random::{Random, SeededSource, cases, seed};

/// HMAC (RFC 2104) over SHA-256, as its definition reads.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// The 55 characters of these 44 with this slot and guard.
pub(crate) fn forged(guarded: &str, slot: u8, guard: &[u8]) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = char::from(alphabet.as_bytes()[usize::from(slot)]);
    let checked = format!("{guarded}{letter}{}", URL_SAFE_NO_PAD.encode(&guard[..3]));
    let checksum = crc32(checked.as_bytes()).to_be_bytes();
    checked + &URL_SAFE_NO_PAD.encode(checksum)
}

#[test]
fn the_independent_mac_is_one() {
    // RFC 4231 §4.2 and §4.3, and the check value of CRC-32.
    assert_eq!(hmac(&[0x0b; 20], b"Hi There")[..4], [0xb0, 0x34, 0x4c, 0x61]);
    let case_2 = hmac(b"Jefe", b"what do ya want for nothing?");
    assert_eq!((case_2[..4].to_vec(), case_2[31]), (vec![0x5b, 0xdc, 0xc1, 0x46], 0x43));
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

/// Promise P8, through the public API: digest and guard are HMAC-SHA-256, for keys and texts of every length.
#[test]
fn digest_and_guard_are_hmac_sha_256() {
    let source = SeededSource::new(seed());
    let mut random = Random::seeded(seed());
    for length in 32..=64 {
        let mut key = vec![0; length];
        source.fill(&mut key).unwrap();
        let slot = u8::try_from(length - 1).unwrap() % 64;
        let keys = DigestKeys::new([DigestKey::active(slot, &key).unwrap()]).unwrap();
        for kind in Kind::ALL {
            let drawn = keys.draw(kind, &source).unwrap();
            let text = drawn.text.expose();
            assert_eq!(*drawn.digest.as_bytes(), hmac(&key, text.as_bytes()));
            assert_eq!((drawn.digest.slot(), drawn.digest.guard_slot()), (slot, Some(slot)));
            let guard = hmac(&hmac(&key, b"keygate guard v1"), &text.as_bytes()[..44]);
            assert_eq!(text, forged(&text[..44], slot, &guard));
        }
        // Imported texts reach over one, two and three blocks.
        for secret_length in 16..=128 {
            let id_length = 1 + random.below(64);
            let id = random.text(id_length, "abcXYZ019-_+/");
            let text = format!("sa.{id}.{}", random.text(secret_length, "abcXYZ019-_+/"));
            if (id_length, secret_length) == (12, 39) {
                continue;
            }
            let digest = keys.digest(&present(&text));
            assert_eq!(*digest.as_bytes(), hmac(&key, text.as_bytes()), "{text}");
            assert_eq!(digest.guard_slot(), None);
        }
    }
}

/// Promise P9: 32 bytes and no other number of them, 21 random bytes, 24 bits.
#[test]
fn lengths_are_exact() {
    for length in (0..=64).filter(|length| *length != 32) {
        let error = Digest::from_parts(1, None, &vec![7; length]).unwrap_err();
        assert_eq!(error.to_string(), "digest: expected 32 bytes", "{length}");
    }
    assert!(Digest::from_parts(63, Some(63), &[7; 32]).is_ok());
    for (slot, guard) in [(64, None), (255, None), (0, Some(64)), (0, Some(255))] {
        let error = Digest::from_parts(slot, guard, &[7; 32]).unwrap_err();
        assert_eq!(error.to_string(), "slot: expected 0 to 63");
    }
    // Every bit of the guard counts, its slot as well.
    let keys = ring(1, &[2]);
    let drawn = keys.draw(Kind::ServiceToken, &SeededSource::new(seed())).unwrap();
    let (guarded, guard) =
        (&drawn.text.expose()[..44], URL_SAFE_NO_PAD.decode(&drawn.text.expose()[45..49]).unwrap());
    keys.check_guard(&present(&forged(guarded, 1, &guard))).unwrap();
    for bit in 0..24 {
        let mut other = guard.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(guarded_by(&keys, &forged(guarded, 1, &other)), "wrong_guard");
    }
    for slot in 0..64 {
        let expected = ["unknown_guard_key", "passes", "wrong_guard"][usize::from(slot).min(3) % 3];
        let expected = if slot > 2 { "unknown_guard_key" } else { expected };
        assert_eq!(guarded_by(&keys, &forged(guarded, slot, &guard)), expected, "slot {slot}");
    }
}

fn guarded_by(keys: &DigestKeys, text: &str) -> &'static str {
    match keys.check_guard(&present(text)) {
        Ok(()) => "passes",
        Err(refusal) => {
            has_the_face_of_a_denial(&refusal);
            refusal.reason().code()
        }
    }
}

/// Promise P10: two credentials never have one digest, also where a boundary moved between id and secret, or from
/// kind to kind.
#[test]
fn what_a_digest_covers_is_injective() {
    let keys = ring(1, &[]);
    let (seed, mut random) = (seed(), Random::seeded(seed()));
    let kinds = ["ak", "sa", "st"];
    let mut seen = HashSet::new();
    for case in 0..cases(1_000_000) {
        let length = 30 + random.below(10);
        let body = random.text(length, "0123456789abcdef");
        let (at, kind) = (1 + random.below(8), random.pick(&kinds));
        let one = format!("{kind}.{}.{}", &body[..at], &body[at..]);
        let other = match case % 4 {
            0 => format!("{kind}.{}.{}", &body[..at + 1], &body[at + 1..]),
            1 => format!(
                "{}.{}.{}",
                kinds[(kinds.iter().position(|k| *k == kind).unwrap() + 1) % 3],
                &body[..at],
                &body[at..]
            ),
            2 => one.clone() + "=",
            _ => one.clone() + "0",
        };
        let [one, other] = [one, other].map(|text| *keys.digest(&present(&text)).as_bytes());
        assert_ne!(one, other, "KEYGATE_SEED={seed} case {case}");
        seen.insert(one);
    }
    assert_eq!(seen.len(), cases(1_000_000), "or two random texts were equal: take another seed");
}

/// Promise P10: what a MAC is for is separated by its key. Each tag, at the place of each other, is refused.
#[test]
fn no_tag_stands_in_for_another() {
    let (key, other) = (key_bytes(1), key_bytes(2));
    let keys = ring(1, &[2]);
    let drawn = keys.draw(Kind::ServiceAccount, &SeededSource::new(seed())).unwrap();
    let text = drawn.text.expose();
    let (guarded, guard_key) = (&text[..44], hmac(&key, b"keygate guard v1"));
    let over = |key: &[u8], text: &str| hmac(key, text.as_bytes());

    let guards = [
        ("passes", over(&guard_key, guarded)),
        ("wrong_guard", over(&key, guarded)),
        ("wrong_guard", over(&key, text)),
        ("wrong_guard", over(&guard_key, text)),
        ("wrong_guard", over(&guard_key, &text[..49])),
        ("wrong_guard", over(&hmac(&other, b"keygate guard v1"), guarded)),
        ("wrong_guard", over(&hmac(&key, b"keygate guard v2"), guarded)),
        ("wrong_guard", Sha256::digest(guarded).into()),
        ("wrong_guard", hmac(&[], guarded.as_bytes())),
    ];
    for (at, (expected, tag)) in guards.into_iter().enumerate() {
        assert_eq!(guarded_by(&keys, &forged(guarded, 1, &tag)), expected, "guard {at}");
    }
    let mut padded = [0; 32];
    padded[..3].copy_from_slice(&over(&guard_key, guarded)[..3]);
    let digests = [
        ("caller", 1, over(&key, text)),
        ("wrong_secret", 1, over(&guard_key, text)),
        ("wrong_secret", 1, over(&guard_key, guarded)),
        ("wrong_secret", 1, over(&key, guarded)),
        ("wrong_secret", 1, over(&key, &text[3..])),
        ("wrong_secret", 1, over(&other, text)),
        ("wrong_secret", 2, over(&key, text)),
        ("wrong_secret", 1, padded),
        ("wrong_secret", 1, Sha256::digest(text).into()),
        ("wrong_secret", 1, [0; 32]),
        ("unknown_digest_key", 3, over(&key, text)),
    ];
    for (at, (expected, slot, tag)) in digests.into_iter().enumerate() {
        let digest = Digest::from_parts(slot, Some(1), &tag).unwrap();
        let record = built(Record::builder(drawn.key.id, grant(Kind::ServiceAccount), digest, NOW));
        let found = verify(&present(text), Some(&record), &keys, Moment::at(NOW));
        assert_eq!(
            found.map_or_else(|refusal| refusal.reason().code(), |_| "caller"),
            expected,
            "digest {at}"
        );
    }
}

#[track_caller]
fn no_ring(keys: impl IntoIterator<Item = DigestKey>, words: &str) {
    assert_eq!(DigestKeys::new(keys).unwrap_err().to_string(), words);
}

/// Promise P11: what is wrong with a key is told where it is loaded, by its slot and never by its bytes.
#[test]
fn what_is_wrong_with_a_key() {
    let new = |slot, bytes: &[u8]| DigestKey::new(slot, bytes);
    for (at, make) in [DigestKey::new, DigestKey::active, DigestKey::guard_only].into_iter().enumerate() {
        let error = |slot, bytes: &[u8]| make(slot, bytes).unwrap_err().to_string();
        for length in 0..32 {
            assert_eq!(
                error(5, &vec![1; length]),
                format!("the key in slot 5 has {length} bytes, fewer than 32")
            );
        }
        for length in [65, 128, 1 << 20] {
            assert_eq!(
                error(5, &vec![1; length]),
                format!("the key in slot 5 has {length} bytes, more than 64")
            );
        }
        for length in 32..=64 {
            let mut bytes = vec![0; length];
            assert_eq!(error(63, &bytes), "the key in slot 63 is all zero");
            bytes[length - 1] = 1;
            if at == 2 && length > 32 {
                assert_eq!(
                    error(63, &bytes),
                    format!(
                        "the guard-only key in slot 63 has {length} bytes: it is not a derived one, which has 32"
                    )
                );
            } else {
                assert!(make(63, &bytes).is_ok());
            }
        }
        assert_eq!(error(64, &[1; 32]), "slot 64: slots are 0 to 63");
        assert_eq!(error(255, &[]), "slot 255: slots are 0 to 63");
    }

    let active = || DigestKey::active(7, &[1; 32]).unwrap();
    no_ring([], "no key is active: one has to be");
    no_ring([new(7, &[1; 32]).unwrap()], "no key is active: one has to be");
    no_ring(
        [active(), DigestKey::active(3, &[2; 32]).unwrap()],
        "the keys in slots 3 and 7 are both active: one has to be",
    );
    no_ring([active(), new(7, &[2; 32]).unwrap()], "slot 7 is given twice");
    no_ring([active(), active()], "slot 7 is given twice");
    let equal = "the keys in slots 8 and 7 are one key to HMAC";
    no_ring([active(), new(8, &[1; 32]).unwrap()], equal);
    // HMAC pads with zeros.
    for zeros in [1, 31, 32] {
        no_ring([active(), new(8, &[[1; 32].as_slice(), &vec![0; zeros]].concat()).unwrap()], equal);
    }
    // A guard key protects nothing, so it must be no other key, in either order.
    let guard_key = hmac(&[1; 32], b"keygate guard v1");
    no_ring([active(), new(8, &guard_key).unwrap()], equal);
    no_ring([active(), DigestKey::guard_only(8, &guard_key).unwrap()], equal);
    no_ring([active(), DigestKey::guard_only(8, &[1; 32]).unwrap()], equal);
    no_ring([new(8, &guard_key).unwrap(), active()], "the keys in slots 7 and 8 are one key to HMAC");
    let near = new(8, &[[1; 32].as_slice(), &[1]].concat()).unwrap();
    assert!(DigestKeys::new([active(), near]).is_ok());

    let all = (0..64).map(|slot| if slot == 7 { active() } else { new(slot, &[slot + 100; 40]).unwrap() });
    assert_eq!(DigestKeys::new(all).unwrap().active_slot(), 7);
    assert_eq!(ring(1, &[]).guard_only_text(2).unwrap_err().to_string(), "there is no key in slot 2");
    assert_eq!(ring(1, &[]).guard_only_text(200).unwrap_err().to_string(), "there is no key in slot 200");
}

#[track_caller]
fn parses(text: &str, active: u8) {
    match DigestKeys::parse(text) {
        Ok(keys) => assert_eq!(keys.active_slot(), active),
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn no_keys(text: &str, words: &str) {
    let error = DigestKeys::parse(text).unwrap_err();
    assert_eq!(error.to_string(), words);
    assert!(std::error::Error::source(&error).is_none());
}

#[test]
fn keys_from_configuration() {
    let [one, two] = [[1; 32], [2; 32]].map(|bytes| STANDARD.encode(bytes));
    let bare = STANDARD_NO_PAD.encode([1; 32]);
    parses(&format!("0:active:{one}"), 0);
    parses(&format!("63:active:{bare}"), 63);
    parses(&format!("3:{two},4:active:{one}"), 4);
    parses(&format!(" 3:{two} ,\n\t4:active:{one}\r\n"), 4);
    parses(&format!("3:guard:{two},4:active:{one}"), 4);
    parses(&format!("1:active:{}", STANDARD.encode([0xfb; 64])), 1);

    let form = "entry 1: expected slot[:active|:guard]:base64";
    no_keys("", form);
    no_keys(&one, form);
    no_keys(",", form);
    no_keys(&format!("4:active:{one},"), "entry 2: expected slot[:active|:guard]:base64");
    no_keys(&format!("4:active:{one},,3:{two}"), "entry 2: expected slot[:active|:guard]:base64");
    let slot = "entry 1: expected a slot of 0 to 63 before the first colon";
    for wrong in ["", "64", "255", "256", "-1", "+1", "01", "00", " 1", "1 ", "0x1", "active", "\u{661}"] {
        let expected = if wrong.starts_with(' ') { "no key is active: one has to be" } else { slot };
        no_keys(&format!("{wrong}:{one}"), expected);
    }
    let role = "entry 1: expected active or guard between the colons";
    for wrong in ["", "Active", "guarded", "active ", " active", "retired", "active:guard"] {
        let expected = if wrong == "active:guard" {
            "entry 1: expected standard base64 of 32 to 64 bytes"
        } else {
            role
        };
        no_keys(&format!("1:{wrong}:{one}"), expected);
    }
    let base64 = "entry 1: expected standard base64 of 32 to 64 bytes";
    for wrong in
        ["!", "a", &one[1..], &format!("{bare}=="), &format!("{one} {one}"), &one.replace('=', "-"), "\u{e9}"]
    {
        no_keys(&format!("1:active:{wrong}"), base64);
    }
    let url_safe = URL_SAFE_NO_PAD.encode([0xfb; 32]);
    no_keys(&format!("1:active:{url_safe}"), base64);
    no_keys("1:active:", "the key in slot 1 has 0 bytes, fewer than 32");
    no_keys("1:", "the key in slot 1 has 0 bytes, fewer than 32");
    no_keys(&format!("1:{}", STANDARD.encode([1; 31])), "the key in slot 1 has 31 bytes, fewer than 32");
    no_keys(&format!("1:{}", STANDARD.encode([1; 65])), "the key in slot 1 has 65 bytes, more than 64");
    no_keys(&format!("1:active:{}", STANDARD.encode([0; 32])), "the key in slot 1 is all zero");
    no_keys(&format!("1:{one}"), "no key is active: one has to be");
    no_keys(&format!("1:guard:{one}"), "no key is active: one has to be");
    no_keys(&format!("1:active:{one},1:{two}"), "slot 1 is given twice");
    no_keys(&format!("1:active:{one},2:{one}"), "the keys in slots 2 and 1 are one key to HMAC");
    no_keys(
        &format!("1:active:{one},2:active:{two}"),
        "the keys in slots 2 and 1 are both active: one has to be",
    );
}

/// What the ring prints of a key to be guard only is what its configuration takes, and all that is left of the key.
#[test]
fn a_guard_only_key_guards_and_verifies_nothing() {
    let old = ring(1, &[]);
    let (presented, builder) = issue(&old, Kind::ServiceAccount, &SeededSource::new(seed()));
    let text = ring(2, &[1]).guard_only_text(1).unwrap();
    let text = text.expose();
    assert_eq!(text, format!("1:guard:{}", STANDARD.encode(hmac(&key_bytes(1), b"keygate guard v1"))));
    let keys = DigestKeys::parse(&format!("{text}, 2:active:{}", STANDARD.encode(key_bytes(2)))).unwrap();
    keys.check_guard(&presented).unwrap();
    let refusal = verify(&presented, Some(&built(builder)), &keys, Moment::at(NOW)).unwrap_err();
    assert_eq!(refusal.reason().code(), "unknown_digest_key");
    assert_eq!(keys.guard_only_text(1).unwrap().expose(), text, "a guard-only key prints itself");
}

/// One credential out there, and its record in the one store of all processes.
struct Issued {
    presented: PresentedCredential<String>,
    record: Arc<Record>,
}

impl Issued {
    fn by(keys: &DigestKeys, source: &SeededSource) -> Self {
        let (presented, builder) = issue(keys, Kind::ServiceAccount, source);
        Self { presented, record: built(builder) }
    }

    /// What a process with a cold cache does; it writes the upgrade where one is due.
    fn verified_by(&mut self, keys: &DigestKeys, upgrading: bool) -> Result<(), &'static str> {
        keys.check_guard(&self.presented).map_err(|refusal| refusal.reason().code())?;
        let verified = verify(&self.presented, Some(&self.record), keys, Moment::at(NOW));
        let caller = verified.map_err(|refusal| refusal.reason().code())?.with_parent(|_| None).unwrap();
        if let Some(upgrade) = caller.upgrade(&self.presented, keys).filter(|_| upgrading) {
            self.record = upgraded(&self.record, upgrade);
        }
        Ok(())
    }
}

fn upgraded(record: &Record, upgrade: Upgrade) -> Arc<Record> {
    let upgraded = upgrade.apply(record).unwrap();
    assert_eq!((upgrade.key(), upgraded.key()), (record.key(), record.key()));
    assert_eq!(upgraded.version(), record.version() + 1);
    assert!(upgrade.apply(&upgraded).is_none(), "once");
    let (before, after) = (record.current(), upgraded.current());
    assert_eq!(after.digest.guard_slot(), before.digest.guard_slot(), "the text keeps its guard");
    upgraded
}

/// The rings of a rollout from key 1 to key 2: as it was, added, activated, guard only, dropped.
fn rings() -> [DigestKeys; 5] {
    let guard_only = |slot| {
        let text = ring(slot, &[]).guard_only_text(slot).unwrap();
        DigestKeys::parse(&format!("2:active:{},{}", STANDARD.encode(key_bytes(2)), text.expose())).unwrap()
    };
    [ring(1, &[]), ring(1, &[2]), ring(2, &[1]), guard_only(1), ring(2, &[])]
}

/// Promise P11: processes restart with the next ring one by one, in any order; each issues, and each verifies all that
/// is out there, with cold caches, at every step; and no valid credential is refused.
#[test]
fn a_rollout_refuses_nobody() {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let (rings, source) = (rings(), SeededSource::new(seed()));
    for plan in 0..6_usize.pow(4) {
        let mut stages = [0; 3];
        let mut issued = vec![Issued::by(&rings[0], &source)];
        for step in 0..4 {
            for (restarts, process) in ORDERS[plan / 6_usize.pow(step) % 6].into_iter().enumerate() {
                stages[process] += 1;
                issued.push(Issued::by(&rings[stages[(restarts + plan) % 3]], &source));
                for credential in &mut issued {
                    for stage in stages {
                        let found = credential.verified_by(&rings[stage], true);
                        assert_eq!(found, Ok(()), "plan {plan}, step {step}, stages {stages:?}");
                    }
                }
            }
            match step {
                // What the store counts before the key becomes guard only,
                1 => assert!(issued.iter().all(|one| one.record.current().digest.slot() == 2)),
                // and before it is dropped: the texts with its guard were rotated away.
                2 => issued.retain(|one| one.record.current().digest.guard_slot() == Some(2)),
                _ => {}
            }
        }
        assert!(issued.len() > 3 && stages == [4; 3]);
    }
}

/// The order of a rollout is what makes it refuse nobody: each step too early refuses somebody.
#[test]
fn a_step_too_early_refuses_somebody() {
    let ([before, added, _, guard_only, dropped], source) = (rings(), SeededSource::new(seed()));
    let mut old = Issued::by(&added, &source);
    let mut new = Issued::by(&ring(2, &[1]), &source);
    assert_eq!(
        new.verified_by(&before, false),
        Err("unknown_guard_key"),
        "made active before it was added everywhere"
    );
    assert_eq!(
        old.verified_by(&guard_only, false),
        Err("unknown_digest_key"),
        "guard only before all were upgraded"
    );
    assert_eq!(old.verified_by(&ring(2, &[1]), true), Ok(()));
    assert_eq!(old.verified_by(&guard_only, false), Ok(()));
    assert_eq!(
        old.verified_by(&dropped, false),
        Err("unknown_guard_key"),
        "dropped while texts were out there"
    );
}

/// Only a proved text yields an upgrade, only of the record that it proved, and of the secret that it is.
#[test]
fn an_upgrade_is_of_what_was_proved() {
    let (old, new, source) = (ring(1, &[]), ring(2, &[1]), SeededSource::new(seed()));
    let (presented, builder) = issue(&old, Kind::ServiceAccount, &source);
    let replaced = old.redraw(presented.key(), &source).unwrap();
    let secret = StoredSecret { number: 3, digest: replaced.digest };
    let retiring = Retiring { secret, ends_at: now_and(60), leak: None };
    let current = StoredSecret { number: 4, digest: old.digest(&presented) };
    let record = built(builder.current(current).retiring(retiring).version(17));
    let replaced = present(replaced.text.expose());

    let by_current = caller(&presented, &record, &new);
    let by_replaced = caller(&replaced, &record, &new);
    assert!(caller(&presented, &record, &old).upgrade(&presented, &old).is_none(), "nothing is due");
    for (proved, text, number) in [(&by_current, &presented, 4), (&by_replaced, &replaced, 3)] {
        let upgrade = proved.upgrade(text, &new).unwrap();
        let upgraded = upgrade.apply(&record).unwrap();
        assert_eq!((upgraded.key(), upgraded.version()), (record.key(), 18));
        let secrets = |record: &Record| {
            let (current, retiring) = (record.current().clone(), record.retiring().unwrap().clone());
            assert_eq!((current.number, retiring.secret.number, retiring.ends_at), (4, 3, now_and(60)));
            [current, retiring.secret]
        };
        for (before, after) in secrets(&record).iter().zip(secrets(&upgraded)) {
            let (is_it, digest) = (after.number == number, after.digest);
            assert_eq!((digest.slot(), digest.guard_slot()), (if is_it { 2 } else { 1 }, Some(1)));
            let expected = if is_it { new.digest(text) } else { before.digest.clone() };
            assert_eq!(digest.as_bytes(), expected.as_bytes());
        }
    }
    // The two texts of one credential, mixed up.
    assert!(by_current.upgrade(&replaced, &new).is_none());
    assert!(by_replaced.upgrade(&present(&forged_secret(&presented, &source)), &new).is_none());
    assert!(by_replaced.upgrade(&presented, &new).is_none());
    // Two requests, mixed up.
    let (other, other_record) = issue(&old, Kind::ServiceAccount, &source);
    let other_record = built(other_record);
    assert!(by_current.upgrade(&other, &new).is_none());
    assert!(caller(&other, &other_record, &new).upgrade(&presented, &new).is_none());
    // The old key is gone already, or is guard only.
    assert!(by_current.upgrade(&presented, &ring(2, &[])).is_none());
    assert!(by_current.upgrade(&presented, &rings()[3]).is_none());

    // After the upgrade: the old text proves the new record, by the new key alone, and passes the guard by the old.
    let after = upgraded(&record, by_current.upgrade(&presented, &new).unwrap());
    assert!(verify(&presented, Some(&after), &ring(2, &[]), Moment::at(NOW)).is_ok());
    new.check_guard(&presented).unwrap();
    rings()[3].check_guard(&presented).unwrap();
    assert!(caller(&presented, &after, &new).upgrade(&presented, &new).is_none(), "once");
}

fn forged_secret(presented: &PresentedCredential<String>, source: &SeededSource) -> String {
    ring(1, &[]).redraw(presented.key(), source).unwrap().text.expose().to_owned()
}

/// An imported text has no guard, and its upgrade none either.
#[test]
fn an_imported_text_is_upgraded_without_a_guard() {
    let (old, new) = (ring(1, &[]), ring(2, &[1]));
    let presented = present("st.63f1c2a8b9d0e1f2a3b4c5d6.0123456789abcdef0123456789abcdef");
    let builder = Record::builder(presented.key().id, grant(Kind::ServiceToken), old.digest(&presented), NOW);
    let record = built(builder.validity(Validity::until(END)));
    let upgrade = caller(&presented, &record, &new).upgrade(&presented, &new).unwrap();
    let upgraded_record = upgrade.apply(&record).unwrap();
    let digest = &upgraded_record.current().digest;
    assert_eq!((digest.slot(), digest.guard_slot()), (2, None));
    let record = upgraded(&record, upgrade);
    assert!(verify(&presented, Some(&record), &ring(2, &[]), Moment::at(NOW)).is_ok());
    ring(9, &[]).check_guard(&presented).unwrap();
    // Its rotation keeps id and shape; the new text alone verifies.
    let source = SeededSource::new(seed());
    let drawn = new.redraw(presented.key(), &source).unwrap();
    let text = CredentialText::parse(drawn.text.expose()).unwrap();
    assert_eq!((text.is_issued(), text.id(), drawn.digest.guard_slot()), (false, presented.key().id, None));
    assert_eq!(drawn.text.expose().rsplit('.').next().unwrap().len(), 32, "its id is hex");
}

/// Counts its calls and what they ask for, and fails at those that it is told to.
#[derive(Default)]
struct Counting {
    asked: Mutex<Vec<usize>>,
    calls: AtomicUsize,
    fails_at: Option<usize>,
}

impl RandomSource for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.asked.lock().unwrap().push(out.len());
        out.fill(0x5a);
        if self.fails_at == Some(call) { Err(RandomError::new()) } else { Ok(()) }
    }
}

/// Promise P13: one draw a part, of 9 and of 21 bytes.
#[test]
fn each_part_is_one_draw() {
    let (keys, source) = (ring(1, &[]), Counting::default());
    let drawn = keys.draw(Kind::ApiKey, &source).unwrap();
    assert_eq!(*source.asked.lock().unwrap(), [9, 21]);
    keys.redraw(drawn.key, &source).unwrap();
    assert_eq!(*source.asked.lock().unwrap(), [9, 21, 21]);
    DigestKeys::generate(&source).unwrap();
    assert_eq!(*source.asked.lock().unwrap(), [9, 21, 21, 32]);
    // A source that repeats itself repeats the id, which is what a store that inserts-if-absent refuses.
    let again = keys.draw(Kind::ApiKey, &Counting::default()).unwrap();
    assert_eq!((again.key, again.text.expose()), (drawn.key, drawn.text.expose()));
    // Id and secret share no byte: one draw each, so neither tells of the other.
    let one = keys.draw(Kind::ApiKey, &SeededSource::new(1)).unwrap();
    let text = one.text.expose();
    assert!(!text[16..].contains(&text[3..7]), "{}", one.key);
}

/// Promise P13: a source that fails makes the call fail, whichever draw it was, a thousand times.
#[test]
fn a_failing_source_makes_nothing() {
    let keys = ring(1, &[]);
    let id = CredentialId::parse("tr6AWfxqtcJI").unwrap();
    for round in 0..1_000 {
        let kind = Kind::ALL[round % 3];
        let failing = |at| Counting { fails_at: Some(at), ..Counting::default() };
        for at in 0..2 {
            let source = failing(at);
            assert_eq!(keys.draw(kind, &source).unwrap_err(), RandomError::new());
            assert_eq!(source.calls.into_inner(), at + 1, "no second try");
        }
        assert!(keys.redraw(CredentialKey::new(kind, id), &failing(0)).is_err());
        assert!(DigestKeys::generate(&failing(0)).is_err());
        assert!(keys.draw(kind, &failing(2)).is_ok());
    }
    assert_eq!(RandomError::new().to_string(), "the random source failed");
    struct Zeros;
    impl RandomSource for Zeros {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Ok(())
        }
    }
    assert!(DigestKeys::generate(&Zeros).is_err(), "a key of zeros is no key");
}

/// Promise P13: no duplicate among so many secrets, and each symbol is as likely as each other at each of the 28
/// positions: chi-square over 64 symbols stays below its quantile.
fn look_random(source: &dyn RandomSource, count: usize, quantile: f64) {
    let keys = ring(1, &[]);
    let (mut secrets, mut ids) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut seen = vec![[0_u32; 128]; 28];
    for round in 0..count {
        let drawn = keys.draw(Kind::ALL[round % 3], source).unwrap();
        let secret: [u8; 28] = drawn.text.expose().as_bytes()[16..44].try_into().unwrap();
        for (counts, symbol) in seen.iter_mut().zip(secret) {
            counts[usize::from(symbol)] += 1;
        }
        secrets.push(secret);
        ids.push(drawn.text.expose().as_bytes()[3..15].to_vec());
    }
    for values in [&mut secrets.iter().map(|s| s.to_vec()).collect::<Vec<_>>(), &mut ids] {
        values.sort_unstable();
        assert!(values.windows(2).all(|pair| pair[0] != pair[1]), "a duplicate");
    }
    let expected = f64::from(u32::try_from(count).unwrap()) / 64.0;
    for (position, counts) in seen.iter().enumerate() {
        let used = counts.iter().filter(|count| **count > 0).count();
        assert_eq!(used, 64, "position {position}");
        let used = counts.iter().filter(|count| **count > 0);
        let chi_square: f64 = used.map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        assert!(chi_square < quantile, "position {position}: {chi_square}");
    }
}

#[test]
fn a_million_secrets() {
    // 63 degrees of freedom, p = 1e-6.
    look_random(&SeededSource::new(seed()), cases(1_000_000), 131.7);
}

#[test]
fn secrets_of_the_systems_source() {
    // p = 1e-9: this one differs every time, and must not fail by chance.
    look_random(&SystemRandom, 20_000, 155.9);
}

/// A ring is a handle: what holds a new one uses it at once, and what holds the old one keeps that.
#[test]
fn a_new_ring_counts_at_once() {
    let (old, source) = (ring(1, &[]), SeededSource::new(seed()));
    let mut credential = Issued::by(&old, &source);
    let held = old.clone();
    let new = ring(2, &[]);
    assert_eq!(credential.verified_by(&new, false), Err("unknown_guard_key"));
    assert_eq!(credential.verified_by(&held, false), Ok(()));
}
