//! Header sets near the grammar: valid ones of every shape, then spoilt a little; and raw bytes.

use super::model::checksum_of;
use crate::support::random::Random;

const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const ID: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/";
const TOKEN68: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
const HEX: &str = "0123456789abcdef";

/// Bytes at which parsers of such texts went wrong.
const TELLING: &[u8] = b".=_-+/~ \t\r\n\0,;:%*'\"\\(){}@aAzZ09esk\x7f\x80\xa0\xc2\xff";

/// One request's header lines.
pub(crate) fn headers(random: &mut Random) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut lines = Vec::new();
    let count = random.pick(&[1, 1, 1, 1, 1, 1, 0, 2, 2, 3]);
    for _ in 0..count {
        let text = credential(random);
        let key = text.starts_with("ak") || text.contains("_ak.");
        let api_key = if random.one_in(8) { !key } else { key };
        let value = if api_key { text.into_bytes() } else { with_scheme(random, &text) };
        let value = if random.one_in(40) { raw_bytes(random) } else { at_the_edges(random, value) };
        lines.push((name(random, api_key), value));
    }
    for _ in 0..random.below(3) {
        let other = random.pick(&[
            "Host",
            "Accept",
            "Proxy-Authorization",
            "X_API_KEY",
            "X-API-KEY ",
            "Authorizatio\u{17f}n",
        ]);
        let position = random.below(lines.len() + 1);
        lines.insert(position, (other.into(), credential(random).into_bytes()));
    }
    lines
}

fn name(random: &mut Random, api_key: bool) -> Vec<u8> {
    let name = if api_key { "X-API-KEY" } else { "Authorization" };
    match random.below(8) {
        0 => name.to_lowercase().into(),
        1 => name.to_uppercase().into(),
        2 => {
            name.bytes().map(|byte| if random.one_in(2) { byte.to_ascii_lowercase() } else { byte }).collect()
        }
        3 if random.one_in(8) => spoilt(random, name.to_owned()).into(),
        _ => name.into(),
    }
}

fn with_scheme(random: &mut Random, text: &str) -> Vec<u8> {
    let scheme = match random.below(12) {
        0 => random.pick(&["bearer", "BEARER", "bEaReR"]),
        1 if random.one_in(3) => random.pick(&[
            "Basic",
            "ApiKey",
            "Bear",
            "Bearer-",
            "Bearer:",
            "Bearer,",
            "Bearer/1",
            "",
            "Bearer Bearer",
            "B\u{435}arer",
        ]),
        _ => "Bearer",
    };
    let gap = match random.below(12) {
        0 => random.pick(&["  ", "       "]),
        1 if random.one_in(3) => random.pick(&["", "\t", " \t", "\r\n ", ",", "\u{a0}"]),
        _ => " ",
    };
    let text = if random.one_in(60) { "" } else { text };
    format!("{scheme}{gap}{text}").into_bytes()
}

/// White space and other bytes before and behind, also up to the limits of length.
fn at_the_edges(random: &mut Random, mut value: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(3) {
        let edge = match random.below(8) {
            0 => random.pick(&["\n", "\r\n", "\0", "\u{b}", "\u{a0}", ","]),
            _ => random.pick(&[" ", "\t", "  ", " \t"]),
        };
        if random.one_in(2) {
            value.extend_from_slice(edge.as_bytes());
        } else {
            value.splice(0..0, edge.bytes());
        }
    }
    if random.one_in(40) {
        let length: usize = random.pick(&[511, 512, 513, 8191, 8192, 8193, 9000]);
        let position = random.pick(&[0, value.len(), 7.min(value.len())]);
        let filling = random.pick(b"  \ta.");
        let missing = length.saturating_sub(value.len());
        value.splice(position..position, std::iter::repeat_n(filling, missing));
    }
    value
}

fn raw_bytes(random: &mut Random) -> Vec<u8> {
    (0..random.below(80)).map(|_| random.byte()).collect()
}

/// The text of a credential or access token: mostly well-formed, often nearly so.
fn credential(random: &mut Random) -> String {
    let text = match random.below(16) {
        0 => access_token(random),
        1 => random.text(24, TOKEN68),
        _ => parts(random),
    };
    if random.one_in(3) { spoilt(random, text) } else { text }
}

fn parts(random: &mut Random) -> String {
    let kind = match random.below(30) {
        0 => random.pick(&["AK", "Sa", "xx", "s", "sat", "", "sa_", "acme_acme_st"]),
        _ => random.pick(&["ak", "sa", "st", "st"]),
    };
    let namespace = match random.below(10) {
        0..=5 => "",
        6 | 7 => "acme_",
        8 => "s_",
        _ => random.pick(&["eyj0123456789abc_", "acm_", "acmee_", "ACME_", "_"]),
    };
    let (id, secret) = match random.below(12) {
        0..=4 => issued(random, kind),
        5 => (random.text(24, HEX), random.text(32, HEX)),
        6 => (uuid(random), random.text(32, HEX)),
        7 => (random.text(16, BASE64), random.text(22, BASE64) + "=="),
        // The lengths of an issued one, with what is no issued text.
        8 => (random.text(12, ID), random.text(39, BASE64)),
        9 => {
            let id = random.text(12, ID);
            let secret = random.text(33, ID);
            let checksum = checksum_of(&format!("{kind}.{id}.{secret}"));
            (id, secret + &checksum)
        }
        _ => {
            let id = random.pick(&[0, 1, 11, 12, 13, 36, 63, 64, 65]);
            let secret = random.pick(&[0, 1, 15, 16, 17, 38, 39, 40, 126, 127, 128, 129]);
            let padding = random.pick(&["", "", "", "=", "==", "==="]);
            (random.text(id, ID), random.text(secret, ID) + padding)
        }
    };
    let client_key = match random.below(8) {
        0..=4 => String::new(),
        5 => format!(".{}", random.text(32, HEX)),
        6 => {
            let length = random.pick(&[0, 1, 127, 128, 129]);
            format!(".{}", random.text(length, BASE64URL))
        }
        _ => random.pick(&[".k.x", ".k+k", ".k=", ".k~", ".", ".."]).to_owned(),
    };
    // Half of those that are no service token keep the fourth part, to see it refused.
    let client_key = if kind != "st" && random.one_in(2) { String::new() } else { client_key };
    format!("{namespace}{kind}.{id}.{secret}{client_key}")
}

fn issued(random: &mut Random, kind: &str) -> (String, String) {
    let id = random.text(12, BASE64URL);
    let secret = random.text(33, BASE64URL);
    let checksum = checksum_of(&format!("{kind}.{id}.{secret}"));
    (id, secret + &checksum)
}

fn uuid(random: &mut Random) -> String {
    [8, 4, 4, 4, 12].map(|length| random.text(length, HEX)).join("-")
}

fn access_token(random: &mut Random) -> String {
    let count = random.pick(&[3, 3, 3, 3, 1, 2, 4, 5]);
    let parts: Vec<String> = (0..count)
        .map(|_| {
            let length = random.pick(&[20, 20, 20, 43, 1, 0]);
            let alphabet = if random.one_in(12) { TOKEN68 } else { BASE64URL };
            random.text(length, alphabet)
        })
        .collect();
    let begin = if random.one_in(10) { random.pick(&["eyJ.", "eyj", "ey", "EYJ"]) } else { "eyJ" };
    format!("{begin}{}", parts.join("."))
}

/// One to three small edits. Bytes that are no UTF-8 come in by [`raw_bytes`] and the edges.
fn spoilt(random: &mut Random, text: String) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(characters.len() + 1);
        let other = char::from(random.pick(TELLING));
        match random.below(9) {
            0 => characters.insert(at, other),
            1 => characters.truncate(at),
            2 => characters = characters.split_off(at),
            3 => characters.push(other),
            4 if at + 1 < characters.len() => characters.swap(at, at + 1),
            5 if at < characters.len() => drop(characters.remove(at)),
            6 if at < characters.len() => characters[at] = flipped(characters[at]),
            7 if random.one_in(4) => characters = characters.iter().map(char::to_ascii_lowercase).collect(),
            _ if at < characters.len() => characters[at] = other,
            _ => {}
        }
    }
    characters.into_iter().collect()
}

fn flipped(c: char) -> char {
    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
}
