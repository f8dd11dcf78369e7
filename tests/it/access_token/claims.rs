//! What a signed payload may be: every way to write claims that hold, and what exactly is wrong with the others.

use keygate::{Claims, CredentialId, OrganizationId, Reason, Scope, Timestamp, TokenFault};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{ACCOUNT, AUDIENCE, ISSUER, Members, checked, fault, presented, signed, tokens};
use crate::support::fixtures::NOW;
use crate::support::random::{Random, cases, seed};

use TokenFault::{IrregularClaim as Irregular, MissingClaim as Missing};

const REQUIRED: [&str; 10] = ["iss", "aud", "sub", "client_id", "org", "jti", "iat", "nbf", "exp", "scope"];
const TEXTS: [&str; 7] = ["iss", "aud", "sub", "client_id", "org", "jti", "scope"];
const TIMES: [&str; 3] = ["iat", "nbf", "exp"];

fn members() -> Members {
    Members::of(ACCOUNT)
}

/// What comes of this payload, rightly signed, at a time.
fn read_at(payload: impl AsRef<[u8]>, now: Timestamp) -> Result<Claims, Reason> {
    let found = checked(&signed(payload), &tokens(), now).map_err(|refusal| refusal.reason())?;
    Ok(found.danger_without_parent().claims().unwrap().clone())
}

fn read(payload: impl AsRef<[u8]>) -> Result<Claims, Reason> {
    read_at(payload, NOW)
}

#[track_caller]
fn refused(payload: impl AsRef<[u8]>, fault: TokenFault) {
    let shown = payload.as_ref().escape_ascii().to_string();
    assert_eq!(read(payload).unwrap_err(), Reason::AccessToken(fault), "{shown}");
}

/// It holds, and says what the plain claims say.
#[track_caller]
fn accepted(payload: impl AsRef<[u8]>) -> Claims {
    let shown = payload.as_ref().escape_ascii().to_string();
    let claims = read(payload).unwrap_or_else(|reason| panic!("{reason}: {shown}"));
    let now = NOW.as_unix();
    assert_eq!(claims.account().as_str(), ACCOUNT, "{shown}");
    assert_eq!(claims.id(), "AAECAwQFBgcICQoLDA0ODw", "{shown}");
    assert_eq!(claims.scopes().collect::<Vec<_>>(), ["read@web/prod:/app/**"], "{shown}");
    assert_eq!(claims.issued_at(), NOW, "{shown}");
    let [from, until] = [claims.validity().not_before(), claims.validity().expires_at()];
    assert_eq!([from, until], [now, now + 900].map(|time| Some(Timestamp::from_unix(time))), "{shown}");
    assert_eq!(claims.parent().account, claims.account());
    claims
}

#[test]
fn one_object_has_many_spellings() {
    let plain = members().json();
    assert_eq!(accepted(&plain).parent().mint_generation, 0);
    // Any order.
    let Members(mut list) = members();
    for _ in 0..list.len() {
        list.rotate_left(1);
        accepted(Members(list.clone()).json());
        let reversed = list.iter().rev().cloned().collect();
        accepted(Members(reversed).json());
    }
    // White space between any two tokens.
    let spaced: Vec<_> =
        members().0.iter().map(|(name, value)| format!("\n\"{name}\"\t:\r\n {value} ")).collect();
    accepted(format!(" \t\r\n{{{}}}\n\n ", spaced.join(" ,")));
    // Escapes in names and values, whatever they stand for.
    let everything = |text: &str| -> String { text.bytes().map(|byte| format!("\\u00{byte:02x}")).collect() };
    let escaped: Vec<_> = members()
        .0
        .iter()
        .map(|(name, value)| match value.strip_prefix('"') {
            Some(text) => format!("\"{}\":\"{}\"", everything(name), everything(&text[..text.len() - 1])),
            None => format!("\"{}\":{value}", everything(name)),
        })
        .collect();
    accepted(format!("{{{}}}", escaped.join(",")));
    accepted(plain.replace('/', "\\/"));
    accepted(plain.replace("\"aud\"", r#""\u0061ud""#).replace("\"acme\"", r#""\u0061\u0063me""#));
}

#[test]
fn unknown_members_are_ignored() {
    // But each stands once, wherever the other one is.
    for twice in [&["x", "x"][..], &["x", "y", "x"], &["x", "z", "y", "a", "x"], &["b", "a", "a", "b"]] {
        let mut all = members();
        twice.iter().for_each(|name| all.0.push(((*name).to_owned(), "1".to_owned())));
        assert_eq!(fault(&all.signed()), Some(TokenFault::Claims), "{twice:?}");
    }
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let objects = "{\"a\":".repeat(400) + "1" + &"}".repeat(400);
    for value in [
        "null",
        "true",
        "\"\"",
        "-0",
        "0.5",
        "1e9",
        "-1E-9",
        "99999999999999999999",
        "1e999",
        "[]",
        "{}",
        "[1,[2,{\"exp\":0}]]",
        "{\"exp\":1,\"exp\":2}",
        "\"\u{e9}\\n\\u00e9\\ud83d\\ude00\"",
        &deep(100),
        &deep(1_000),
        &objects,
    ] {
        accepted(members().set("x", value).json());
        let mut first = vec![("x".to_owned(), value.to_owned())];
        first.extend(members().0);
        accepted(Members(first).json());
    }
    // Near misses of the known names are unknown.
    for name in [
        "EXP",
        "Exp",
        "exp ",
        " exp",
        "exp\\u0000",
        "ex",
        "expp",
        "",
        "generation",
        "iss/",
        "scopes",
        "roles",
    ] {
        accepted(members().set(name, "\"*@*/*:/**\"").json());
    }
    // Each is there once, however it is written.
    for (one, other) in
        [("x", "x"), ("", ""), ("a", "\\u0061"), ("\\u0061", "\\u0061"), ("\u{e9}", "\\u00e9")]
    {
        let Members(mut list) = members();
        list.insert(0, (one.to_owned(), "1".to_owned()));
        list.push((other.to_owned(), "1".to_owned()));
        refused(Members(list).json(), TokenFault::Claims);
    }
    let Members(mut list) = members();
    list.extend(["x", "X", "x "].map(|name| (name.to_owned(), "1".to_owned())));
    accepted(Members(list).json());
}

#[test]
fn the_generation_may_be_absent() {
    for (value, generation) in
        [("0", 0), ("1", 1), ("9223372036854775808", 1 << 63), ("18446744073709551615", u64::MAX)]
    {
        assert_eq!(accepted(members().set("gen", value).json()).parent().mint_generation, generation);
    }
    for value in [
        "-1",
        "-0",
        "0.0",
        "1.0",
        "1e0",
        "\"1\"",
        "true",
        "null",
        "[]",
        "[1]",
        "{}",
        "18446744073709551616",
        "01",
    ] {
        refused(members().set("gen", value).json(), Irregular("gen"));
    }
    refused(members().json().replace('{', "{\"gen\":1,\"gen\":1,"), Irregular("gen"));
}

#[test]
fn each_claim_is_there_once_and_of_its_type() {
    for name in REQUIRED {
        refused(members().without(name).json(), Missing(name));
        let Members(mut list) = members();
        let value = list.iter().find(|(known, _)| known == name).unwrap().1.clone();
        list.push((name.to_owned(), value));
        refused(Members(list.clone()).json(), Irregular(name));
        let spelt = name.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<String>();
        list.last_mut().unwrap().0 = spelt;
        refused(Members(list).json(), Irregular(name));
        for value in ["null", "true", "false", "[]", "{}", "", "nul", "\u{feff}1", "'x'", "NaN", "-"] {
            refused(members().set(name, value).json(), Irregular(name));
        }
    }
    for name in TEXTS {
        let text = members().0.iter().find(|(known, _)| known == name).unwrap().1.clone();
        for value in [
            "0",
            "1.5",
            "-1",
            &format!("[{text}]"),
            &format!("[{text},{text}]"),
            &format!("{{\"a\":{text}}}"),
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\ud800x\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "\"a\0\"",
        ] {
            refused(members().set(name, value).json(), Irregular(name));
        }
    }
    let now = NOW.as_unix();
    for name in TIMES {
        for value in [
            format!("{now}.0"),
            format!("{now}.5"),
            format!("{now}e0"),
            format!("\"{now}\""),
            "1e3".to_owned(),
            "1E9".to_owned(),
            "-0".to_owned(),
            "-0.0".to_owned(),
            "9223372036854775808".to_owned(),
            "18446744073709551616".to_owned(),
            "-9223372036854775809".to_owned(),
            "1e400".to_owned(),
            format!("0{now}"),
            format!("+{now}"),
            format!("[{now}]"),
            "Infinity".to_owned(),
        ] {
            refused(members().set(name, &value).json(), Irregular(name));
        }
    }
    // The first that is wrong in the text is told, and what is missing behind it does not matter.
    refused(members().without("jti").set("exp", "\"1\"").set("iat", "null").json(), Irregular("iat"));
    // Nested, a claim is none.
    refused(members().without("exp").set("x", "{\"exp\":99999999999}").json(), Missing("exp"));
    // What is missing comes before what is out of bounds.
    refused(members().without("scope").set_text("iss", "x").set_text("sub", "").json(), Missing("scope"));
}

#[test]
fn claims_are_one_json_object() {
    let json = members().json();
    let inner = &json[1..json.len() - 1];
    for payload in [
        " ".to_owned(),
        "null".to_owned(),
        "1".to_owned(),
        format!("\"{}\"", "x"),
        "[]".to_owned(),
        format!("[{json}]"),
        format!("[[\"iss\",\"{ISSUER}\"]]"),
        format!("\u{feff}{json}"),
        format!("\0{json}"),
        format!("\u{a0}{json}"),
        format!("\u{b}{json}"),
        format!("{json}\0"),
        format!("{json}x"),
        format!("{json}{json}"),
        format!("{json},"),
        format!("{json}//"),
        format!("{json}\u{a0}"),
        format!("{{,{inner}}}"),
        format!("{{{inner},}}"),
        format!("{{{inner}"),
        format!("{{{inner},\"x\"}}"),
        format!("{{{inner},\"x\":}}"),
        format!("{{{inner},\"x\":01}}"),
        format!("{{{inner},\"x\":\"\n\"}}"),
        format!("{{{inner},\"x\":{}}}", "[".repeat(1_500)),
        format!("{{{inner},\"x\":{}}}", "{\"a\":".repeat(400)),
        format!("{{{inner},x:1}}"),
        format!("{{{inner},'x':1}}"),
        format!("{{{inner},1:1}}"),
        format!("{{{inner},null:1}}"),
        format!("{{{inner},\"\\ud800\":1}}"),
        format!("{{{inner}/**/}}"),
        format!("{{{inner} \"x\":1}}"),
        format!("{{{inner}; \"x\":1}}"),
        "[".repeat(2_900),
        "{\"a\":".repeat(580),
    ] {
        refused(payload, TokenFault::Claims);
    }
    refused("{}", Missing("iss"));
    refused("{\"iss\"}", Irregular("iss"));
    // More levels do not fit into the longest token.
    refused(format!("{{{inner},\"x\":{}}}", "[".repeat(3_000)), TokenFault::TooLong);
    // And a claim does not nest, however deep.
    refused(members().set("exp", "[".repeat(2_000)).json(), Irregular("exp"));
    refused(members().set("jti", "[".repeat(500) + &"]".repeat(500)).json(), Irregular("jti"));
    // UTF-8, everywhere.
    for (bad, at) in [
        (&b"\xff"[..], "acme"),
        (b"\xc0\xaf", "acme"),
        (b"\xed\xa0\x80", "acme"),
        (b"\x80", "aud"),
        (b"\xf5\x80\x80\x80", ISSUER),
    ] {
        let place = json.find(at).unwrap();
        let payload = [&json.as_bytes()[..place], bad, &json.as_bytes()[place..]].concat();
        refused(payload, TokenFault::Claims);
        let payload = [json.as_bytes(), bad].concat();
        refused(payload, TokenFault::Claims);
        let unknown = [&b"{\"x\":\""[..], bad, b"\",", inner.as_bytes(), b"}"].concat();
        refused(unknown, TokenFault::Claims);
    }
}

#[test]
fn names_and_ids_are_within_their_alphabets() {
    let text = |name: &str, text: &str| members().set_text(name, text).json();
    let both = |id: &str| members().set_text("sub", id).set_text("client_id", id).json();
    for id in ["a", "-_+/", &"a".repeat(64), "0d6a3c1e-5b7f-4c21-9a80-1f2e3d4c5b6a"] {
        assert_eq!(read(both(id)).unwrap().account().as_str(), id);
    }
    for id in ["", &"a".repeat(65), "a b", "a.b", "a=", "\u{e9}", "a\\u0000", "a\\n", "sa.tr6AWfxqtcJI", "*"]
    {
        refused(both(id), Irregular("sub"));
    }
    for (name, value) in
        [("client_id", "tr6AWfxqtcJi"), ("client_id", ""), ("client_id", "tr6AWfxqtcJI "), ("sub", "a")]
    {
        refused(text(name, value), Irregular("client_id"));
    }
    for org in ["a", "A-_9", &"a".repeat(64)] {
        assert!(read(text("org", org)).is_ok());
    }
    for org in ["", &"a".repeat(65), "a b", "a.b", "a/b", "*", "\u{e9}", "acme\\u0000"] {
        refused(text("org", org), Irregular("org"));
    }
    for id in ["a", "!~", &"x".repeat(64), "\\\"\\\\", "a,b;c"] {
        let expected: String = serde_json::from_str(&format!("\"{id}\"")).unwrap();
        assert_eq!(read(text("jti", id)).unwrap().id(), expected);
    }
    for id in ["", &"x".repeat(65), "a b", " a", "a ", "\u{e9}", "\\u007f", "a\\nb", "a\\u0000", "a\u{2028}"]
    {
        refused(text("jti", id), Irregular("jti"));
    }
    for audience in [
        format!("[\"{AUDIENCE}\"]"),
        format!("[\"{AUDIENCE}\",\"x\"]"),
        "[]".to_owned(),
        format!("{{\"{AUDIENCE}\":1}}"),
    ] {
        refused(members().set("aud", audience).json(), Irregular("aud"));
    }
}

#[test]
fn scopes_are_scope_texts_with_one_space_between_them() {
    let scope = |text: &str| members().set_text("scope", text).json();
    let many = |count: usize| vec!["read@/"; count].join(" ");
    for text in [
        "read@/",
        "*@web/",
        "*@*/*:/**",
        "read@/ read@/",
        "update,read@web/prod:/",
        &many(64),
        "create,read,update,delete@/",
        "read@/ update@web/ delete@web/prod:/a/*/b-*",
    ] {
        assert_eq!(read(scope(text)).unwrap().scopes().collect::<Vec<_>>().join(" "), text);
    }
    for text in [
        "",
        " ",
        "  ",
        "read@/  read@/",
        " read@/",
        "read@/ ",
        "read@/\\tread@/",
        "read@/\\nread@/",
        "read@/\\u00a0read@/",
        "read@/,update@web/",
        "read@/;read@web/",
        "read@/+read@web/",
        "openid",
        "read",
        "@/",
        "read,@/",
        "read,read@/",
        "READ@/",
        "read@web",
        "read@web/prod",
        "read@web/prod:",
        "read@web/prod:/app/",
        "read@web/prod:/../x",
        "read@web/prod:/{a,b}",
        "read@web/prod:/***",
        "read@web/prod:/**/**",
        "read@we b/",
        "read@\u{e9}/",
        "read@/ *",
        "read@/\\u0000",
        &many(65),
        &many(300),
    ] {
        refused(scope(text), Irregular("scope"));
    }
}

/// The lifetime is 1 second to 24 hours, whatever the other times are; and the window is not empty.
#[test]
fn times_are_within_their_bounds() {
    let now = NOW.as_unix();
    let times = |iat, nbf, exp| members().times(iat, nbf, exp).json();
    for (iat, nbf, exp) in [
        (now, now, now + 1),
        (now, now, now + 86_400),
        (now - 86_399, now, now + 1),
        (now, now - 86_400, now + 1),
        (now, i64::MIN, now + 1),
        // Whose clock is ahead minted it: `nbf` alone decides.
        (now + 100, now, now + 101),
    ] {
        assert!(read(times(iat, nbf, exp)).is_ok(), "{iat} {nbf} {exp}");
    }
    for (iat, nbf, exp) in [
        (now, now - 1, now),
        (now + 1, now, now),
        (now, now, now + 86_401),
        (now - 86_400, now, now + 1),
        (i64::MIN, now, now + 1),
        (i64::MIN, i64::MIN, i64::MAX),
        (0, now, now + 1),
        (i64::MAX, now, now + 1),
    ] {
        refused(times(iat, nbf, exp), Irregular("exp"));
    }
    for (iat, nbf, exp) in [
        (now, now + 1, now + 1),
        (now, now + 2, now + 1),
        (now, i64::MAX, now + 1),
        (now, now + 86_400, now + 86_400),
    ] {
        refused(times(iat, nbf, exp), Irregular("nbf"));
    }
    let ends =
        [i64::MIN, i64::MIN + 1, i64::MIN + 86_400, -1, 0, 1, now, i64::MAX - 86_400, i64::MAX - 1, i64::MAX];
    let mut held = 0;
    for (iat, nbf, exp) in ends.iter().flat_map(|a| ends.iter().flat_map(move |b| ends.map(|c| (*a, *b, c))))
    {
        let payload = times(iat, nbf, exp);
        for at in ends {
            let lifetime = i128::from(exp) - i128::from(iat);
            let expected = if !(1..=86_400).contains(&lifetime) {
                Err(Reason::AccessToken(Irregular("exp")))
            } else if nbf >= exp {
                Err(Reason::AccessToken(Irregular("nbf")))
            } else if at >= exp {
                Err(Reason::Expired)
            } else if at < nbf {
                Err(Reason::NotYetValid)
            } else {
                Ok(())
            };
            let found = read_at(&payload, Timestamp::from_unix(at)).map(drop);
            assert_eq!(found, expected, "{iat} {nbf} {exp} at {at}");
            held += usize::from(found.is_ok());
        }
    }
    assert!(held > 10, "{held}");
}

/// At most 4,096 bytes, the last of them included.
#[test]
fn the_longest_token_is_read() {
    let padded = |bytes: usize| signed(members().set_text("x", &"x".repeat(bytes)).json());
    let lengths: Vec<usize> = (2_400..2_900).map(|bytes| padded(bytes).len()).collect();
    assert!(lengths.contains(&4_096), "or the boundary is not tried");
    for bytes in 2_400..2_900 {
        let token = padded(bytes);
        let expected = (token.len() > 4_096).then_some(TokenFault::TooLong);
        assert_eq!(fault(&token), expected, "{}", token.len());
    }
    // Too long comes before everything, also before the header.
    let long = format!("eyJ{}.e30.AA", "a".repeat(4_097 - 10));
    assert_eq!((long.len(), fault(&long)), (4_097, Some(TokenFault::TooLong)));
    assert_eq!(fault(&long.replacen("aa", "a", 1)), Some(TokenFault::Header));
}

/// A payload as another reader sees it: all members, in order, those that keygate knows with their values.
struct Pairs(Vec<(String, Option<Value>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs: Vec<(String, Option<Value>)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(M::Error::custom("twice"));
                    }
                    let value = if REQUIRED.contains(&&*name) || name == "gen" {
                        Some(map.next_value()?)
                    } else {
                        // Of what is ignored the syntax counts, and not whether a number or a surrogate means
                        // something.
                        map.next_value::<IgnoredAny>()?;
                        None
                    };
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Whether the payload says what a token has to say, read member by member.
fn model(payload: &[u8]) -> bool {
    // All of it is UTF-8 (RFC 8259 §8.1), what is ignored too.
    let Ok(payload) = str::from_utf8(payload) else { return false };
    let Ok(Pairs(pairs)) = serde_json::from_str(payload) else { return false };
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name)?.1.as_ref();
    let text = |name: &str| value(name).and_then(Value::as_str);
    let time = |name: &str| value(name).and_then(Value::as_i64).map(i128::from);
    let (Some(iss), Some(aud), Some(sub), Some(client_id), Some(org), Some(jti), Some(scope)) =
        (text("iss"), text("aud"), text("sub"), text("client_id"), text("org"), text("jti"), text("scope"))
    else {
        return false;
    };
    let (Some(iat), Some(nbf), Some(exp)) = (time("iat"), time("nbf"), time("exp")) else { return false };
    let scopes: Vec<&str> = scope.split(' ').collect();
    value("gen").is_none_or(Value::is_u64)
        && iss == ISSUER
        && aud == AUDIENCE
        && CredentialId::parse(sub).is_ok()
        && sub == client_id
        && OrganizationId::parse(org).is_ok()
        && (1..=64).contains(&jti.len())
        && jti.bytes().all(|byte| byte.is_ascii_graphic())
        && iat < exp
        && exp <= iat + 86_400
        && nbf < exp
        && scopes.len() <= 64
        && scopes.iter().all(|scope| Scope::parse(scope).is_ok())
}

/// Values that are right somewhere, nearly right, or wrong everywhere.
const VALUES: [&str; 38] = [
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1e3",
    "1768373298",
    "1768373299",
    "1768374198",
    "1768459698",
    "1768459699",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "1e999",
    "null",
    "true",
    "[]",
    "{}",
    "[[[1]]]",
    "{\"exp\":1}",
    "\"\"",
    "\" \"",
    "\"acme\"",
    "\"tr6AWfxqtcJI\"",
    "\"https://auth.example\"",
    "\"https:\\/\\/secrets.example\"",
    "\"read@/\"",
    "\"read@/ read@web/\"",
    "\"read@/  read@web/\"",
    "\"\\u0061\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{e9}\"",
    "\"a\nb\"",
    "nul",
    "",
];
const NAMES: [&str; 16] = [
    "iss",
    "aud",
    "sub",
    "client_id",
    "org",
    "jti",
    "iat",
    "nbf",
    "exp",
    "scope",
    "gen",
    "x",
    "",
    "\\u0065xp",
    "\\u0078",
    "EXP",
];

fn mutated(random: &mut Random) -> Vec<u8> {
    let Members(mut list) = members();
    for _ in 0..random.below(3) {
        let at = random.below(list.len());
        match random.below(6) {
            0 => drop(list.remove(at)),
            1 => list.swap(at, 0),
            2 => list.push((random.pick(&NAMES).to_owned(), random.pick(&VALUES).to_owned())),
            3 => list.insert(at, list[random.below(list.len())].clone()),
            4 => list[at].0 = random.pick(&NAMES).to_owned(),
            _ => list[at].1 = random.pick(&VALUES).to_owned(),
        }
        if list.is_empty() {
            break;
        }
    }
    let mut bytes = Members(list).json().into_bytes();
    for _ in 0..random.below(3).saturating_sub(1) {
        let at = random.below(bytes.len());
        let byte =
            if random.one_in(2) { random.byte() } else { random.pick(b" \t\n\r\"\\{}[]:,0-9.eu/*\0\xff") };
        match random.below(4) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Whatever was signed: no panic, and it is read exactly where another reader finds all that has to be there.
#[test]
fn a_payload_is_read_only_where_another_reader_agrees() {
    let seed = seed();
    let mut random = Random::seeded(seed);
    let mut outcomes = [0, 0];
    for case in 0..cases(60_000) {
        let payload = if random.one_in(20) {
            let length = random.below(300);
            (0..length).map(|_| random.byte()).collect()
        } else {
            mutated(&mut random)
        };
        let token = signed(&payload);
        if payload.is_empty() {
            assert!(keygate::header::present([crate::support::fixtures::line(&token)]).is_err());
            continue;
        }
        drop(presented(&token));
        let found = read_at(&payload, NOW);
        let is_read = matches!(found, Ok(_) | Err(Reason::Expired | Reason::NotYetValid));
        let shown = payload.escape_ascii();
        assert_eq!(is_read, model(&payload), "KEYGATE_SEED={seed} case {case}: {shown}: {found:?}");
        outcomes[usize::from(is_read)] += 1;
    }
    assert!(outcomes.iter().all(|times| *times > 5_000), "{outcomes:?}");
}
