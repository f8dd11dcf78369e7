//! Signing keys and what is configured beside them: every error by its type and words, rings, roll-overs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::{
    AccessTokens, Authenticator, DigestKey, DigestKeys, Issuer, Leeway, Lifetime, MemoryStore, RandomError,
    RandomSource, SigningKey, SigningKeyError, SigningKeys,
};
use pollster::block_on;
use sha2::{Digest as _, Sha256};

use super::{
    AUDIENCE, ISSUER, KEY, KEY_ID, Members, World, checked, fault, gating, header, issuing, leeway,
    signed_as, tokens, tokens_of,
};
use crate::digest::hmac;
use crate::support::fixtures::NOW;

fn key(id: &str, bytes: &[u8]) -> SigningKey {
    SigningKey::new(id, bytes).unwrap()
}

#[test]
fn a_key_is_checked() {
    use SigningKeyError::{AllZero, KeyId, TooLong, TooShort};
    let long_id = "k".repeat(64);
    let fine: [(&str, usize); 9] = [
        ("k", 32),
        ("k", 33),
        ("k", 64),
        ("k", 65),
        ("k", 1_024),
        (&long_id, 32),
        ("2026-11.a_B", 32),
        (".", 32),
        ("-", 32),
    ];
    for (id, length) in fine {
        assert!(SigningKey::new(id, &vec![7; length]).is_ok(), "{id} {length}");
    }
    let no_id = "expected a key id of 1 to 64 of A-Z a-z 0-9 . _ -";
    let too_long_id = "k".repeat(65);
    for id in [
        "",
        " ",
        "a b",
        "a~b",
        "~",
        "a\"b",
        "a\\b",
        "a/b",
        "a+b",
        "a:b",
        "a,b",
        "\u{e9}",
        "a\n",
        "a\0",
        &too_long_id,
    ] {
        let error = SigningKey::new(id, &[7; 32]).unwrap_err();
        assert_eq!((error, error.to_string().as_str()), (KeyId, no_id), "{id:?}");
    }
    let wrong = |bytes: &[u8]| {
        let error = SigningKey::new("k", bytes).unwrap_err();
        (error, error.to_string())
    };
    let short = |found| (TooShort { found }, format!("a signing key has {found} bytes, fewer than 32"));
    assert_eq!(wrong(&[]), short(0));
    assert_eq!(wrong(&[7; 31]), short(31));
    assert_eq!(wrong(&[0; 31]), short(31));
    let long = |found| (TooLong { found }, format!("a signing key has {found} bytes, more than 1024"));
    assert_eq!(wrong(&[7; 1_025]), long(1_025));
    assert_eq!(wrong(&[0; 1_025]), long(1_025));
    for length in [32, 33, 64, 65, 1_024] {
        assert_eq!(wrong(&vec![0; length]), (AllZero, "a signing key is all zero".to_owned()));
        let mut last = vec![0; length];
        last[length - 1] = 1;
        assert!(SigningKey::new("k", &last).is_ok());
    }
}

#[test]
fn a_ring_is_checked() {
    let error = |keys: Vec<SigningKey>| {
        let error = SigningKeys::new(keys).unwrap_err();
        (error, error.to_string())
    };
    assert_eq!(error(vec![]), (SigningKeyError::Empty, "there is no signing key: one has to be".to_owned()));
    let twice = |other, key| {
        (SigningKeyError::KeyIdTwice { key, other }, format!("signing keys {other} and {key} have one id"))
    };
    assert_eq!(error(vec![key("a", &[1; 32]), key("a", &[2; 32])]), twice(1, 2));
    assert_eq!(error(vec![key("a", &[1; 32]), key("b", &[2; 32]), key("b", &[3; 32])]), twice(2, 3));
    assert_eq!(error(vec![key("a", &[1; 32]), key("b", &[2; 32]), key("a", &[3; 32])]), twice(1, 3));
    assert_eq!(error(vec![key("a", &[1; 32]), key("a", &[1; 32])]), twice(1, 2));
    // Ids differ also by case alone.
    assert!(SigningKeys::new([key("a", &[1; 32]), key("A", &[2; 32])]).is_ok());

    let equal = |other, key| {
        let words = format!("signing keys {other} and {key} are one key to HMAC");
        (SigningKeyError::Equal { key, other }, words)
    };
    assert_eq!(error(vec![key("a", &[1; 32]), key("b", &[1; 32])]), equal(1, 2));
    assert_eq!(error(vec![key("a", &[9; 32]), key("b", &[1; 32]), key("c", &[1; 32])]), equal(2, 3));
    // HMAC pads with zeros up to its block, and hashes what is longer.
    let padded = |zeros: usize| [vec![1; 32], vec![0; zeros]].concat();
    for zeros in [1, 16, 32] {
        assert_eq!(error(vec![key("a", &padded(0)), key("b", &padded(zeros))]), equal(1, 2), "{zeros}");
        assert_eq!(error(vec![key("a", &padded(zeros)), key("b", &padded(0))]), equal(1, 2), "{zeros}");
    }
    assert!(SigningKeys::new([key("a", &padded(0)), key("b", &padded(33))]).is_ok(), "which is hashed");
    for length in [65, 100, 1_024] {
        let long = vec![1; length];
        let hash = Sha256::digest(&long);
        assert_eq!(error(vec![key("a", &long), key("b", &hash)]), equal(1, 2), "{length}");
        let padded_hash = [&hash[..], &[0; 32]].concat();
        assert_eq!(error(vec![key("a", &padded_hash), key("b", &long)]), equal(1, 2), "{length}");
        assert!(SigningKeys::new([key("a", &long), key("b", &[1; 64])]).is_ok());
    }
    // Neither is a key that begins with zeros.
    assert!(SigningKeys::new([key("a", &[&[0; 1][..], &[1; 32]].concat()), key("b", &[1; 32])]).is_ok());
}

#[test]
fn configuration_text_is_checked() {
    let base64 = |byte: u8, length: usize| STANDARD.encode(vec![byte; length]);
    let (one, two) = (base64(1, 32), base64(2, 33));
    let unpadded = |text: &str| text.trim_end_matches('=').to_owned();
    for (text, signing) in [
        (format!("k:{one}"), "k"),
        (format!("k:{}", unpadded(&one)), "k"),
        (format!("a:{one},b:{two}"), "a"),
        (format!("b:{two},a:{one}"), "b"),
        (format!(" a:{one} ,\n\tb:{} \r\n", unpadded(&two)), "a"),
        (format!("2026-11.x_Y:{}", base64(3, 1_024)), "2026-11.x_Y"),
        (format!("{}:{one}", "k".repeat(64)), &*"k".repeat(64)),
        // The alphabet's last two.
        (format!("k:{}", STANDARD.encode([0xfb, 0xff].repeat(16))), "k"),
    ] {
        assert_eq!(SigningKeys::parse(&text).unwrap().signing_id(), signing, "{text}");
    }

    let form = "key-id:base64";
    let bytes = "standard base64 of 32 to 1024 bytes behind the colon";
    let id = "a key id of 1 to 64 of A-Z a-z 0-9 . _ - before the colon";
    let zero = "a key that is not all zero";
    let url_safe = base64::engine::general_purpose::URL_SAFE.encode([0xfb, 0xff].repeat(16));
    assert!(url_safe.contains(['-', '_']));
    let spare = one.replace("E=", "F=");
    assert_ne!(spare, one);
    for (text, entry, expected) in [
        (String::new(), 1, form),
        (" \n".to_owned(), 1, form),
        (one.clone(), 1, form),
        (format!("a:{one},"), 2, form),
        (format!(",a:{one}"), 1, form),
        (format!("a:{one},,b:{two}"), 2, form),
        (format!("a:{one};b:{two}"), 1, bytes),
        (format!("a:{one}:{two}"), 1, bytes),
        (format!("a:active:{one}"), 1, bytes),
        ("a:".to_owned(), 1, bytes),
        (format!("a:{}", base64(1, 31)), 1, bytes),
        (format!("a:{}", base64(1, 1_025)), 1, bytes),
        (format!("a:{}", base64(1, 9_000)), 1, bytes),
        (format!("a:{one},b:{}", base64(1, 31)), 2, bytes),
        (format!("a:{one}!"), 1, bytes),
        (format!("a:{url_safe}"), 1, bytes),
        (format!("a:{spare}"), 1, bytes),
        (format!("a: {one}"), 1, bytes),
        (format!("a:{} {}", &one[..8], &one[8..]), 1, bytes),
        (format!("a:{}\n{}", &one[..8], &one[8..]), 1, bytes),
        (format!("a:{}=", &one[..42]), 1, bytes),
        (format!("a:{one}="), 1, bytes),
        (format!(":{one}"), 1, id),
        (format!("a :{one}"), 1, id),
        (format!("a~:{one}"), 1, id),
        (format!("{}:{one}", "k".repeat(65)), 1, id),
        (format!("a:{}", base64(0, 32)), 1, zero),
        (format!("a:{one},b:{}", base64(0, 1_024)), 2, zero),
        (format!("\u{a0}a:{one}"), 1, id),
    ] {
        let error = SigningKeys::parse(&text).unwrap_err();
        assert_eq!(error, SigningKeyError::Entry { entry, expected }, "{text}");
        assert_eq!(error.to_string(), format!("entry {entry}: expected {expected}"));
    }
    let error = |text: &str| SigningKeys::parse(text).unwrap_err();
    assert_eq!(error(&format!("a:{one},a:{two}")), SigningKeyError::KeyIdTwice { key: 2, other: 1 });
    let padded = STANDARD.encode([vec![1; 32], vec![0; 8]].concat());
    assert_eq!(error(&format!("a:{one},b:{padded}")), SigningKeyError::Equal { key: 2, other: 1 });
}

/// What is parsed is what it says: a token signed by hand with the same bytes holds, and by the first key tokens are
/// signed.
#[test]
fn a_parsed_ring_is_the_one_that_was_written() {
    let (old, new): (Vec<u8>, Vec<u8>) = ((1..=32).collect(), (1..=100).collect());
    let text = format!("new:{},old:{}", STANDARD.encode(&new), STANDARD.encode(&old));
    let tokens = AccessTokens::new(SigningKeys::parse(&text).unwrap(), ISSUER, AUDIENCE).unwrap();
    let payload = Members::of(super::ACCOUNT).json();
    for (id, bytes, holds) in
        [("old", &old, true), ("new", &new, true), ("old", &new, false), ("new", &old, false)]
    {
        let token = signed_as(&header(id), bytes, &payload);
        assert_eq!(checked(&token, &tokens, NOW).is_ok(), holds, "{id}");
    }
}

#[test]
fn a_ring_of_a_random_key() {
    struct Filled(u8);
    impl RandomSource for Filled {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.fill(self.0);
            Ok(())
        }
    }
    struct Failing;
    impl RandomSource for Failing {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError::new())
        }
    }
    let made = SigningKeys::generate(&Filled(7)).unwrap();
    assert_eq!(made.signing_id(), "1");
    let tokens = AccessTokens::new(made, ISSUER, AUDIENCE).unwrap();
    let token = signed_as(&header("1"), &[7; 32], Members::of(super::ACCOUNT).json());
    assert!(checked(&token, &tokens, NOW).is_ok());
    assert!(SigningKeys::generate(&Filled(0)).is_err(), "nothing but zeros");
    assert!(SigningKeys::generate(&Failing).is_err());
    // Two processes do not have one key by accident.
    let two =
        [(); 2].map(|()| AccessTokens::new(SigningKeys::ephemeral().unwrap(), ISSUER, AUDIENCE).unwrap());
    let worlds = two.map(|tokens| World::with(|_| true, tokens));
    let minted = worlds[0].mint(&worlds[0].minter().1, &["read@web/prod:/**"]).unwrap();
    assert_eq!(worlds[0].says(minted.text.expose()), "ok");
    assert_eq!(worlds[1].says(minted.text.expose()), "token_signature");
}

/// The first key signs, all verify, and one that is left out stops with the next ring.
#[test]
fn the_first_key_signs_and_all_verify() {
    let keys = || [key("a", &[1; 32]), key("b", &[2; 48]), key("c", &[3; 1_024])];
    let bytes: [&[u8]; 3] = [&[1; 32], &[2; 48], &[3; 1_024]];
    let payload = Members::of(super::ACCOUNT).json();
    let signed = |at: usize| signed_as(&header(["a", "b", "c"][at]), bytes[at], &payload);
    let all = tokens_of(keys());
    for at in 0..3 {
        assert!(checked(&signed(at), &all, NOW).is_ok());
        let without =
            tokens_of(keys().into_iter().enumerate().filter(|(other, _)| *other != at).map(|(_, key)| key));
        for other in 0..3 {
            let found = checked(&signed(other), &without, NOW);
            assert_eq!(
                found.err().map(|refusal| refusal.reason().code()),
                (other == at).then_some("token_header")
            );
        }
        // Which of them signs is the order's doing.
        let mut rotated = keys().into_iter().collect::<Vec<_>>();
        rotated.rotate_left(at);
        let world = World::with(|_| true, tokens_of(rotated));
        assert_eq!(world.tokens.keys().signing_id(), ["a", "b", "c"][at]);
        let minted = world.mint(&world.minter().1, &["read@web/prod:/**"]).unwrap();
        let (text, signature) = minted.text.expose().rsplit_once('.').unwrap();
        let own = hmac(bytes[at], text.as_bytes());
        assert_eq!(signature, base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(own));
        assert_eq!(world.says(minted.text.expose()), "ok");
    }
    // A key is found by its id: another key's signature under it does not hold.
    assert!(checked(&signed_as(&header("a"), bytes[1], &payload), &all, NOW).is_err());
}

/// A ring of one process after another: the old key, the new one behind it, the new one first, the new one alone. In
/// the documented order of steps, however two processes interleave within each, no token is lost; out of order one
/// is.
#[test]
fn a_roll_over_in_the_documented_order_loses_no_token() {
    let (old, new) = (|| key("old", &[0x71; 32]), || key("new", &[0x72; 32]));
    let ring = |stage: usize| match stage {
        0 => tokens_of([old()]),
        1 => tokens_of([old(), new()]),
        2 => tokens_of([new(), old()]),
        _ => tokens_of([new()]),
    };
    let world = World::with(|_| true, ring(0));
    let (_, caller) = world.minter();
    let process = |stage: usize| {
        let tokens = ring(stage);
        let issuer =
            issuing(&world.store, &world.keys, &world.clock, &world.source, &tokens).build().unwrap();
        (issuer, gating(&world.store, &world.keys, &world.clock, &tokens).build().unwrap())
    };
    let mint = |issuer: &Issuer| {
        let mint =
            keygate::Mint::scopes(super::parsed(&["read@web/prod:/**"])).lifetime(Lifetime::minutes(1));
        block_on(issuer.mint(&caller, mint)).unwrap()
    };
    let holds = |gate: &Authenticator, token: &keygate::MintedToken| {
        block_on(gate.authenticate([("authorization", format!("Bearer {}", token.text.expose()))])).is_ok()
    };
    let mut checks = 0;
    for order in 0..8 {
        world.clock.set(NOW);
        let mut stages = [0, 0];
        let mut minted = Vec::new();
        for step in 1..=3 {
            if step == 3 {
                // The last token of the old key has to have ended.
                world.clock.advance(Lifetime::minutes(1));
                minted.clear();
            }
            let first = (order >> (step - 1)) & 1;
            for moving in [first, 1 - first] {
                stages[moving] = step;
                let processes = stages.map(process);
                minted.extend(processes.iter().map(|(issuer, _)| mint(issuer)));
                for (_, gate) in &processes {
                    assert!(minted.iter().all(|token| holds(gate, token)), "order {order:03b}: {stages:?}");
                    checks += minted.len();
                }
            }
        }
    }
    assert!(checks > 200, "{checks}");
    // A control: whoever skips a step, or does not wait, loses some.
    for stages in [[0, 2], [1, 3], [0, 3]] {
        world.clock.set(NOW);
        let processes = stages.map(process);
        let lost = processes.iter().flat_map(|(issuer, _)| {
            let token = mint(issuer);
            processes.iter().map(move |(_, gate)| holds(gate, &token)).collect::<Vec<_>>()
        });
        assert!(lost.into_iter().any(|holds| !holds), "{stages:?}");
    }
}

/// Where both rings meet a shared key is refused: as a digest key, as the guard key that is derived from one, as a
/// guard only key, and all of them also as HMAC pads or hashes them.
#[test]
fn no_key_is_in_both_rings() {
    const SHARED: [u8; 32] = [0x22; 32];
    let guard = |bytes: &[u8]| hmac(bytes, b"keygate guard v1");
    let with_zeros = |bytes: &[u8], zeros: usize| [bytes, &vec![0; zeros]].concat();
    let only = |key: DigestKey| DigestKeys::new([key]).unwrap();
    let beside = |key: DigestKey| DigestKeys::new([DigestKey::active(0, &[9; 32]).unwrap(), key]).unwrap();
    let long: Vec<u8> = (0..200).map(|byte: u8| byte).collect();
    let hash: [u8; 32] = Sha256::digest(&long).into();
    let guard_only_text = only(DigestKey::active(3, &SHARED).unwrap()).guard_only_text(3).unwrap();
    let printed = STANDARD.decode(&guard_only_text.expose()[8..]).unwrap();
    assert_eq!(printed, guard(&SHARED));
    let shared: Vec<(DigestKeys, Vec<u8>)> = vec![
        (only(DigestKey::active(0, &SHARED).unwrap()), SHARED.into()),
        (only(DigestKey::active(0, &SHARED).unwrap()), with_zeros(&SHARED, 32)),
        (only(DigestKey::active(0, &with_zeros(&SHARED, 32)).unwrap()), SHARED.into()),
        (only(DigestKey::active(0, &with_zeros(&SHARED, 5)).unwrap()), with_zeros(&SHARED, 7)),
        (beside(DigestKey::new(7, &SHARED).unwrap()), SHARED.into()),
        (only(DigestKey::active(0, &SHARED).unwrap()), guard(&SHARED).into()),
        (only(DigestKey::active(0, &SHARED).unwrap()), with_zeros(&guard(&SHARED), 32)),
        (beside(DigestKey::new(7, &SHARED).unwrap()), guard(&SHARED).into()),
        (beside(DigestKey::guard_only(7, &printed).unwrap()), guard(&SHARED).into()),
        (beside(DigestKey::guard_only(7, &SHARED).unwrap()), SHARED.into()),
        (beside(DigestKey::guard_only(7, &SHARED).unwrap()), with_zeros(&SHARED, 1)),
        (only(DigestKey::active(0, &hash).unwrap()), long.clone()),
        (beside(DigestKey::guard_only(7, &hash).unwrap()), long.clone()),
    ];
    for (at, (digest_keys, bytes)) in shared.iter().enumerate() {
        // Also where the key does not sign.
        for keys in [vec![key("k", bytes)], vec![key("j", &[0xee; 32]), key("k", bytes)]] {
            let keys = SigningKeys::new(keys).unwrap();
            let error = keys.check_apart_from(digest_keys).unwrap_err();
            assert_eq!(error, SigningKeyError::Shared, "{at}");
            assert_eq!(error.to_string(), "a signing key is a digest key too, or its guard key");
            let tokens = AccessTokens::new(keys, ISSUER, AUDIENCE).unwrap();
            let gate =
                Authenticator::builder(MemoryStore::new(), digest_keys.clone()).access_tokens(tokens.clone());
            let issuer = Issuer::builder(MemoryStore::new(), digest_keys.clone()).access_tokens(tokens);
            for error in [gate.build().err().unwrap(), issuer.build().err().unwrap()] {
                assert_eq!(error.argument(), "access_tokens");
                assert_eq!(error.to_string(), "access_tokens: expected signing keys that are no digest keys");
            }
        }
    }
    let apart: Vec<(DigestKeys, Vec<u8>)> = vec![
        (only(DigestKey::active(0, &SHARED).unwrap()), [0x23; 32].into()),
        (only(DigestKey::active(0, &SHARED).unwrap()), with_zeros(&SHARED, 33)),
        (beside(DigestKey::guard_only(7, &printed).unwrap()), SHARED.into()),
        (beside(DigestKey::guard_only(7, &SHARED).unwrap()), guard(&SHARED).into()),
    ];
    for (at, (digest_keys, bytes)) in apart.into_iter().enumerate() {
        let tokens = tokens_of([key("k", &bytes)]);
        assert_eq!(tokens.keys().check_apart_from(&digest_keys), Ok(()), "{at}");
        let gate =
            Authenticator::builder(MemoryStore::new(), digest_keys.clone()).access_tokens(tokens.clone());
        assert!(gate.build().is_ok());
        assert!(Issuer::builder(MemoryStore::new(), digest_keys).access_tokens(tokens).build().is_ok());
    }
}

/// Promise P10: what one key made is nothing where another one's is expected, also where it is of the right length.
#[test]
fn no_tag_holds_in_anothers_place() {
    let world = World::peeking();
    let (account, _) = world.minter();
    let json = Members::of(account.record.key().id.as_str()).json();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    let text =
        format!("{}.{payload}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header(KEY_ID)));
    let digest_key = crate::decision::key_bytes(1);
    let signatures = [
        (KEY.to_vec(), "ok"),
        (digest_key.to_vec(), "token_signature"),
        (hmac(&digest_key, b"keygate guard v1").to_vec(), "token_signature"),
        (hmac(&KEY, b"keygate guard v1").to_vec(), "token_signature"),
    ];
    for (bytes, expected) in signatures {
        assert_eq!(world.says(&super::sealed(text.clone(), &bytes)), expected);
    }
    // A stored digest as a signature, and a signature as a secret's digest.
    let with =
        |tag: &[u8]| format!("{text}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(world.says(&with(account.record.current().digest.as_bytes())), "token_signature");
    let secret = account.text.expose();
    assert_eq!(world.says(&with(&hmac(&KEY, secret.as_bytes()))), "token_signature");
    world.change(&account.record, |builder| {
        let digest = keygate::Digest::from_parts(1, Some(1), &hmac(&KEY, secret.as_bytes())).unwrap();
        builder.current(keygate::StoredSecret { number: 1, digest })
    });
    assert_eq!(world.says(secret), "wrong_secret");
}

#[test]
fn issuer_audience_and_times_are_checked() {
    let keys = || SigningKeys::new([key(KEY_ID, &KEY)]).unwrap();
    let longest = "\u{e9}".repeat(128);
    for text in ["a", "https://auth.example", "any text, with spaces \" and \\", &"x".repeat(256), &longest] {
        assert!(
            AccessTokens::new(keys(), text, AUDIENCE).is_ok()
                && AccessTokens::new(keys(), ISSUER, text).is_ok()
        );
    }
    let too_long = "x".repeat(257);
    let too_long_in_bytes = format!("{longest}x");
    for text in ["", &too_long, &too_long_in_bytes, "a\nb", "a\0", "\u{7f}", "\u{85}", "a\u{2028}b", "\r"] {
        let error = AccessTokens::new(keys(), text, AUDIENCE).unwrap_err();
        assert_eq!(error.to_string(), "issuer: expected 1 to 256 bytes, no control characters", "{text:?}");
        let error = AccessTokens::new(keys(), ISSUER, text).unwrap_err();
        assert_eq!(error.to_string(), "audience: expected 1 to 256 bytes, no control characters", "{text:?}");
    }
    for seconds in [1, 900, 3_600, 3_601, 86_400] {
        assert!(tokens().max_lifetime(Lifetime::seconds(seconds)).is_ok());
    }
    for seconds in [0, 86_401, u64::MAX] {
        let error = tokens().max_lifetime(Lifetime::seconds(seconds)).unwrap_err();
        assert_eq!(error.to_string(), "max_lifetime: expected 1 second to 24 hours");
    }
    assert!(Leeway::seconds(300).is_ok());
    for seconds in [-1, 301, i64::MIN, i64::MAX] {
        assert_eq!(Leeway::seconds(seconds).unwrap_err().to_string(), "leeway: expected 0 to 300 seconds");
    }
    assert!(checked(&Members::of(super::ACCOUNT).signed(), &tokens().leeway(leeway(300)), NOW).is_ok());
}

/// Issuer and audience are compared whole and as they are.
#[test]
fn issuer_and_audience_are_compared_exactly() {
    let odd = "a \"quoted\" \\ text, \u{e9}";
    let world = World::with(
        |_| true,
        AccessTokens::new(SigningKeys::new([key(KEY_ID, &KEY)]).unwrap(), odd, odd).unwrap(),
    );
    let minted = world.mint(&world.minter().1, &["read@web/prod:/**"]).unwrap();
    assert_eq!(world.says(minted.text.expose()), "ok");
    assert_eq!(super::payload_of(minted.text.expose())["iss"], odd);
    assert_eq!(fault(minted.text.expose()), Some(keygate::TokenFault::Issuer));
    for (claim, right, expected) in
        [("iss", ISSUER, keygate::TokenFault::Issuer), ("aud", AUDIENCE, keygate::TokenFault::Audience)]
    {
        let upper = right.to_uppercase();
        let slash = format!("{right}/");
        let space = format!(" {right}");
        for text in ["", &upper, &slash, &space, &right[1..], &right[..right.len() - 1], "*"] {
            let token = Members::of(super::ACCOUNT).set_text(claim, text).signed();
            assert_eq!(fault(&token), Some(expected), "{claim} {text}");
        }
    }
}
