//! Promise P4 for access tokens: nothing but the token itself authenticates, whatever is changed in it and however it
//! is spelt.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate::{Method, Refusal, RefusalClass};
use pollster::block_on;

use super::{World, parts, sealed, signed_as};
use crate::decision::{face, has_the_face_of_a_denial};
use crate::support::edits::edits;

/// A world, its minted token, and another one's, which an edit could lead to if one could.
fn minted() -> (World, String, String) {
    let world = World::peeking();
    let (_, caller) = world.minter();
    let [token, other] =
        [(); 2].map(|()| world.mint(&caller, &["read@web/prod:/"]).unwrap().text.expose().to_owned());
    assert_eq!([&token, &other].map(|token| world.says(token)), ["ok"; 2]);
    (world, token, other)
}

fn ask(world: &World, token: &[u8]) -> Result<keygate::Caller, Refusal> {
    block_on(world.gate.authenticate([("authorization", [b"Bearer ", token].concat())]))
}

/// What was refused behind the header has the one face of a denial.
#[track_caller]
fn looks_like_every_refusal(refusal: &Refusal) {
    match refusal.class() {
        RefusalClass::Denied => has_the_face_of_a_denial(refusal),
        class => {
            assert_eq!(class, RefusalClass::BadRequest);
            assert_eq!(
                (refusal.status(), refusal.to_string().as_str()),
                (400, "the request's credential is malformed")
            );
        }
    }
}

#[test]
fn no_single_edit_authenticates() {
    let (world, token, _) = minted();
    let mut tried = [0; 2];
    for variant in edits(token.as_bytes()) {
        // White space at the edges belongs to the header and not to the token.
        if variant.trim_ascii() == token.as_bytes() && !variant.iter().any(|byte| b"\r\n\x0c".contains(byte))
        {
            continue;
        }
        match ask(&world, &variant) {
            Ok(_) => panic!("{}", variant.escape_ascii()),
            Err(refusal) => looks_like_every_refusal(&refusal),
        }
        tried[usize::from(variant.is_ascii())] += 1;
    }
    assert!(tried.iter().sum::<usize>() > 200_000 && tried[1] > 100_000, "{tried:?}");
}

#[test]
fn no_flipped_bit_authenticates() {
    let (world, token, _) = minted();
    let [header, payload, signature] = parts(&token);
    let mut tried = 0;
    for part in 0..3 {
        let decoded = URL_SAFE_NO_PAD.decode(parts(&token)[part]).unwrap();
        for bit in 0..decoded.len() * 8 {
            let mut flipped = decoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = URL_SAFE_NO_PAD.encode(flipped);
            let mut changed = [header, payload, signature];
            changed[part] = &flipped;
            let refusal = ask(&world, changed.join(".").as_bytes()).unwrap_err();
            let expected = match part {
                0 if flipped.starts_with("eyJ") => "token_header",
                0 => "unknown_kind",
                _ => "token_signature",
            };
            assert_eq!(refusal.reason().code(), expected, "bit {bit} of part {part}");
            has_the_face_of_a_denial(&refusal);
            tried += 1;
        }
    }
    assert!(tried > 2_000, "{tried}");
}

/// Parts of two tokens that hold are no token, and neither is a part left out or there twice.
#[test]
fn parts_of_two_tokens_are_none() {
    let (world, token, other) = minted();
    let pairs = [parts(&token), parts(&other)];
    for choice in 0..8_usize {
        let mixed: Vec<&str> = (0..3).map(|part| pairs[choice >> part & 1][part]).collect();
        let mixed = mixed.join(".");
        // Both have one header.
        assert_eq!(ask(&world, mixed.as_bytes()).is_ok(), mixed == token || mixed == other, "{choice:03b}");
    }
    let [header, payload, signature] = parts(&token);
    for joined in [
        format!("{payload}.{header}.{signature}"),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{signature}.{payload}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{token}.{token}"),
        format!("{token},{token}"),
        format!("{token} {token}"),
        format!("{header}.{header}.{signature}"),
    ] {
        looks_like_every_refusal(&ask(&world, joined.as_bytes()).unwrap_err());
    }
}

/// One spelling a token: no padding, no bits to spare, no other alphabet, no line breaks. Where the signature is over
/// the other spelling itself, and holds, it is refused too.
#[test]
fn another_spelling_is_another_text() {
    let world = World::peeking();
    let (account, _) = world.minter();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = |letter: u8| alphabet.bytes().position(|other| other == letter).unwrap();
    let mut kept = [0; 3];
    // Payloads of each length modulo three, so that each has its spare bits, or none.
    for padding in 0..3 {
        let json = super::Members::of(account.record.key().id.as_str())
            .set_text("x", &"\u{ff}~".repeat(3 + padding))
            .json()
            + &" ".repeat(padding);
        let token = super::signed(&json);
        let [header, payload, signature] = parts(&token);
        assert_eq!(world.says(&token), "ok");
        let mut variants: Vec<String> = Vec::new();
        for (part, text) in [header, payload, signature].into_iter().enumerate() {
            let put = |text: String| {
                let mut all = [header, payload, signature].map(str::to_owned);
                all[part] = text;
                all.join(".")
            };
            variants
                .extend(["=", "==", "===", "A", "AA", "AAA"].map(|behind| put(format!("{text}{behind}"))));
            variants.extend(
                ["+", "/"]
                    .map(|letter| put(text.replace(['-', '_'], letter)))
                    .into_iter()
                    .filter(|variant| *variant != token),
            );
            variants.extend(
                ["\n", "\r\n", " ", "\t", "%20"]
                    .map(|between| put(format!("{}{between}{}", &text[..8], &text[8..]))),
            );
            // The bits that no byte needs.
            let spare = match text.len() % 4 {
                2 => 4,
                3 => 2,
                _ => 0,
            };
            let last = value(*text.as_bytes().last().unwrap());
            for bits in 1..1_usize << spare {
                let letter = char::from(alphabet.as_bytes()[last ^ bits]);
                variants.push(put(format!("{}{letter}", &text[..text.len() - 1])));
                kept[part] += 1;
            }
        }
        for variant in &variants {
            looks_like_every_refusal(&ask(&world, variant.as_bytes()).unwrap_err());
        }
        // The same with a signature over them.
        for variant in variants {
            let Some((text, _)) = variant.rsplit_once('.') else { continue };
            if text == token.rsplit_once('.').unwrap().0 {
                continue;
            }
            let refusal = ask(&world, sealed(text.to_owned(), &super::KEY).as_bytes()).unwrap_err();
            looks_like_every_refusal(&refusal);
        }
    }
    assert!(kept[1] >= 15 + 3 && kept[2] == 3 * 3, "{kept:?}");
}

/// No header but the one: whatever else it says, and rightly signed.
#[test]
fn another_header_is_never_interpreted() {
    let world = World::peeking();
    let (account, _) = world.minter();
    let json = super::Members::of(account.record.key().id.as_str()).json();
    let right = super::header(super::KEY_ID);
    assert_eq!(world.says(&signed_as(&right, &super::KEY, &json)), "ok");
    for header in [
        r#"{"alg":"none","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"None","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS384","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"HS512","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"hs256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"application/at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"kid":"k1","alg":"HS256","typ":"at+jwt"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"k1"}"#,
        r#"{"alg": "HS256","kid":"k1","typ":"at+jwt"}"#,
        "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}\n",
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","alg":"none"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","x":1}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","crit":["x"]}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","b64":false}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","zip":"DEF"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","jwk":{"kty":"oct","k":"pQ"}}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at+jwt","jku":"https://evil.example"}"#,
        r#"{"alg":"HS256","kid":"K1","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k1 ","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"../k1","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k1' OR '1'='1","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":["k1"],"typ":"at+jwt"}"#,
        r#"{"\u0061lg":"HS256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at\u002bjwt"}"#,
        r#"{"alg":"HS256","kid":"k1","typ":"at\/jwt"}"#,
    ] {
        for key in [&super::KEY[..], b""] {
            let refusal = ask(&world, signed_as(header, key, &json).as_bytes()).unwrap_err();
            assert_eq!(refusal.reason().code(), "token_header", "{header}");
            has_the_face_of_a_denial(&refusal);
        }
        // Without a signature it is not even a token.
        let [header, payload, _] = parts(&signed_as(header, &super::KEY, &json)).map(str::to_owned);
        assert_eq!(world.says(&format!("{header}.{payload}.")), "malformed");
    }
    // Whatever is no base64url of an object does not even look like a token.
    assert_eq!(world.says(&signed_as("[\"HS256\"]", &super::KEY, &json)), "unknown_kind");
    assert_eq!(world.says(&signed_as(" {}", &super::KEY, &json)), "unknown_kind");
}

/// Nor is a header that differs by one character of its text, whatever that decodes to, and rightly signed.
#[test]
fn no_edit_of_the_header_holds_under_the_key() {
    let (world, token, _) = minted();
    let [header, payload, _] = parts(&token);
    let mut tried = 0;
    for variant in edits(header.as_bytes()).filter_map(|variant| String::from_utf8(variant).ok()) {
        // What is no base64url at all does not come so far.
        if variant.is_empty()
            || !variant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            continue;
        }
        let refusal =
            ask(&world, sealed(format!("{variant}.{payload}"), &super::KEY).as_bytes()).unwrap_err();
        let expected = if variant.starts_with("eyJ") { "token_header" } else { "unknown_kind" };
        assert_eq!(refusal.reason().code(), expected, "{variant}");
        has_the_face_of_a_denial(&refusal);
        tried += 1;
    }
    assert!(tried > 7_000, "{tried}");
}

/// Where access tokens are not accepted a right one looks like a wrong one.
#[test]
fn an_endpoint_without_access_tokens_tells_nothing() {
    let (world, token, _) = minted();
    let endpoint = world.gate.accept([Method::ServiceAccount]);
    let mut wrong = token.clone();
    wrong.pop();
    let [right, wrong] = [token, wrong].map(|text| {
        block_on(endpoint.authenticate([("authorization", format!("Bearer {text}"))])).unwrap_err()
    });
    assert_eq!(right.reason(), keygate::Reason::KindNotAccepted(Method::AccessToken));
    assert_eq!((right.reason(), face(&right)), (wrong.reason(), face(&wrong)));
    assert_eq!(
        face(&right),
        face(
            &world
                .ask("st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ")
                .map_or_else(|_| wrong, |_| panic!("made up"))
        )
    );
}
