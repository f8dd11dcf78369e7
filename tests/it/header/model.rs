//! An independent reading of the wire format, for the library to be compared with.
//!
//! Written from the specification alone and as plainly as possible: it copies, allocates and walks the text once for
//! every rule, and computes checksum and base64 by hand. It shares no code with the library, on purpose.
//!
//! Where the specification leaves a choice:
//!
//! * "Imported shape" is a well-formed text of other lengths than an issued one. So with a namespace, a damaged
//!   imported text is `unknown_kind`: nothing about it tells that it was imported.
//! * The one or two `=` at the end of an imported secret count towards its 16 to 128 characters.
//! * A service token with an id of 40 base64url characters or more is not taken for an imported one: it may be an issued
//!   one that lost the dot behind its id, and ids are public.
//! * A duplicated header is a duplicate also where the other header takes precedence.

use keygate::{Kind, Method};

/// What the model knows of a policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) namespace: Option<&'static str>,
    pub(crate) imported: Vec<Kind>,
    pub(crate) refused: Vec<Method>,
    pub(crate) preferred: Option<Channel>,
}

/// The two headers that carry credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Authorization,
    ApiKey,
}

/// What comes of a set of headers: a presented credential, or the code of the reason why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Credential { kind: Kind, id: String, issued: bool, client_key: bool },
    AccessToken,
    Refused(&'static str),
}

/// Steps 1 to 8 of "Headers" in the specification.
pub(crate) fn judge(policy: &Policy, headers: &[(Vec<u8>, Vec<u8>)]) -> Outcome {
    match steps(policy, headers) {
        Ok(accepted) => accepted,
        Err(code) => Outcome::Refused(code),
    }
}

fn steps(policy: &Policy, headers: &[(Vec<u8>, Vec<u8>)]) -> Result<Outcome, &'static str> {
    // 1 and 2: which line, if it is one.
    let (channel, raw) = the_line(policy, headers)?;
    // 3: its size.
    if raw.len() > if channel == Channel::Authorization { 8192 } else { 512 } {
        return Err("too_large");
    }
    // 4: its characters.
    let value = visible(raw)?;
    // 5: its scheme.
    let text = match channel {
        Channel::Authorization => behind_bearer(&value)?,
        Channel::ApiKey => value,
    };
    // 6 and 7: the credential.
    let outcome = credential(policy, channel, &text)?;
    // 8: whether such a one is taken here.
    let method = match &outcome {
        Outcome::Credential { kind, .. } => Method::from(*kind),
        _ => Method::AccessToken,
    };
    if policy.refused.contains(&method) { Err("kind_not_accepted") } else { Ok(outcome) }
}

fn the_line<'a>(
    policy: &Policy,
    headers: &'a [(Vec<u8>, Vec<u8>)],
) -> Result<(Channel, &'a [u8]), &'static str> {
    let lines = |wanted: &str| -> Vec<&'a [u8]> {
        let named = |name: &[u8]| name.iter().map(u8::to_ascii_lowercase).eq(wanted.bytes());
        headers.iter().filter(|(name, _)| named(name)).map(|(_, value)| value.as_slice()).collect()
    };
    let (authorization, api_key) = (lines("authorization"), lines("x-api-key"));
    match (authorization.len(), api_key.len()) {
        (2.., _) | (_, 2..) => Err("duplicate_header"),
        (0, 0) => Err("missing"),
        (1, 0) => Ok((Channel::Authorization, authorization[0])),
        (0, 1) => Ok((Channel::ApiKey, api_key[0])),
        (1, 1) => match policy.preferred {
            None => Err("multiple_methods"),
            Some(Channel::Authorization) => Ok((Channel::Authorization, authorization[0])),
            Some(Channel::ApiKey) => Ok((Channel::ApiKey, api_key[0])),
        },
    }
}

/// The value without SP and HTAB at its ends, if it is visible ASCII and spaces.
fn visible(raw: &[u8]) -> Result<String, &'static str> {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let before = raw.iter().take_while(blank).count();
    let behind = raw.iter().skip(before).rev().take_while(blank).count();
    let bytes = raw[before..raw.len() - behind].to_vec();
    if bytes.iter().any(|byte| *byte < 0x20 || *byte > 0x7e) {
        return Err("invalid_byte");
    }
    if bytes.is_empty() {
        return Err("malformed");
    }
    Ok(bytes.into_iter().map(char::from).collect())
}

fn behind_bearer(value: &str) -> Result<String, &'static str> {
    let scheme: String = value.chars().take_while(|c| *c != ' ').collect();
    // RFC 9110 §5.6.2.
    if !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)) {
        return Err("malformed");
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err("unsupported_scheme");
    }
    let rest: String = value.chars().skip(scheme.len()).skip_while(|c| *c == ' ').collect();
    if rest.is_empty() { Err("malformed") } else { Ok(rest) }
}

fn credential(policy: &Policy, channel: Channel, text: &str) -> Result<Outcome, &'static str> {
    if !is_token68(text) {
        return Err("malformed");
    }
    let parts: Vec<&str> = text.split('.').collect();

    if text.starts_with("eyJ") {
        let well_formed = parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && is_base64url(part));
        return match (well_formed, channel) {
            (false, _) => Err("malformed"),
            (true, Channel::ApiKey) => Err("wrong_channel"),
            (true, Channel::Authorization) => Ok(Outcome::AccessToken),
        };
    }

    // The kind, and whether the text carries the namespace of the host.
    let (named, namespaced) = match policy.namespace {
        Some(namespace) => match parts[0].strip_prefix(&format!("{namespace}_")) {
            Some(kind) => (kind, true),
            None => (parts[0], false),
        },
        None => (parts[0], false),
    };
    let kind = match named {
        "ak" => Kind::ApiKey,
        "sa" => Kind::ServiceAccount,
        "st" => Kind::ServiceToken,
        _ => return Err("unknown_kind"),
    };
    let length = |index: usize| parts.get(index).map_or(0, |part| part.len());
    let issued = length(1) == 12 && length(2) == 39;
    let may_be_imported = !namespaced && policy.imported.contains(&kind);
    let well_formed = has_its_parts(kind, &parts)
        && if issued {
            let (sealed, checksum) = (format!("{named}.{}.{}", parts[1], &parts[2][..33]), &parts[2][33..]);
            is_base64url(parts[1]) && is_base64url(parts[2]) && checksum == checksum_of(&sealed)
        } else {
            may_be_imported
                && is_imported_id(parts[1])
                && is_imported_secret(parts[2])
                && !may_be_two_parts(kind, parts[1])
        };
    if policy.namespace.is_some() && !namespaced && (issued || !well_formed) {
        return Err("unknown_kind");
    }
    if (kind == Kind::ApiKey) != (channel == Channel::ApiKey) {
        return Err("wrong_channel");
    }
    if !well_formed {
        return Err("malformed");
    }
    Ok(Outcome::Credential { kind, id: parts[1].to_owned(), issued, client_key: parts.len() == 4 })
}

/// An id, a secret, and of a service token the client key where there is one.
fn has_its_parts(kind: Kind, parts: &[&str]) -> bool {
    match parts {
        [_, _, _] => true,
        [_, _, _, key] => kind == Kind::ServiceToken && (1..=128).contains(&key.len()) && is_base64url(key),
        _ => false,
    }
}

/// RFC 9110 §11.2: at least one character, and `=` at the end alone.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
}

fn is_base64url(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// An issued token that lost its second dot: no imported token has such an id.
fn may_be_two_parts(kind: Kind, id: &str) -> bool {
    kind == Kind::ServiceToken && id.len() >= 40 && is_base64url(id)
}

fn is_imported_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_+/".contains(c))
}

fn is_imported_secret(secret: &str) -> bool {
    let mut body = secret;
    for _ in 0..2 {
        body = body.strip_suffix('=').unwrap_or(body);
    }
    (16..=128).contains(&secret.len())
        && body.chars().all(|c| c.is_ascii_alphanumeric() || "-_+/".contains(c))
}

/// The six characters of an issued credential's checksum: CRC-32 (IEEE 802.3) in base64url, big end first.
pub(crate) fn checksum_of(text: &str) -> String {
    let mut remainder = 0xffff_ffff_u32;
    for byte in text.bytes() {
        remainder ^= u32::from(byte);
        for _ in 0..8 {
            let odd = remainder % 2 == 1;
            remainder /= 2;
            if odd {
                remainder ^= 0xedb8_8320;
            }
        }
    }
    // 32 bits and four zeros are six groups of six.
    let bits = u64::from(!remainder) * 16;
    (0..6).rev().map(|group| base64url_character(bits / 64_u64.pow(group) % 64)).collect()
}

fn base64url_character(value: u64) -> char {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    alphabet.chars().nth(usize::try_from(value).unwrap()).unwrap()
}

/// The hand-made checksum against published values, and against texts of the vector file.
#[test]
fn the_models_checksum_is_the_ieee_one() {
    assert_eq!(checksum_of("123456789"), "y_Q5Jg"); // 0xCBF43926
    assert_eq!(checksum_of(""), "AAAAAA");
    assert_eq!(checksum_of("ak.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcd"), "chbwBg");
    assert_eq!(checksum_of("st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcd"), "xH9T6w");
}
