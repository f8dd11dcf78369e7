//! The claims as JSON: writing them, and reading what was signed.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::claims::split_scopes;
use crate::alphabet::Alphabet;
use crate::owner::is_name;
use crate::scope::View;
use crate::{Claims, CredentialId, Leeway, Parent, Timestamp, TokenFault, Validity};

/// The longest lifetime of an access token: 24 hours.
pub(super) const LONGEST_LIFETIME: u64 = 86_400;
/// The most scopes of an access token.
pub(super) const MOST_SCOPES: usize = 64;

/// The claims as they are signed.
#[derive(Serialize)]
pub(super) struct Payload<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: &'a str,
    pub(super) sub: &'a str,
    pub(super) client_id: &'a str,
    pub(super) org: &'a str,
    pub(super) jti: &'a str,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    pub(super) scope: &'a str,
    #[serde(rename = "gen", skip_serializing_if = "is_zero")]
    pub(super) generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Reads signed claims: a JSON object in which each claim stands once, has its type and is within its bounds, and the issuer and
/// the audience are these. Whether it is the time for them is another question.
pub(super) fn read(
    payload: &[u8],
    issuer: &str,
    audience: &str,
    leeway: Leeway,
) -> Result<Claims, TokenFault> {
    let payload = str::from_utf8(payload).map_err(|_| TokenFault::Claims)?;
    let at = Cell::new(None);
    let mut json = serde_json::Deserializer::from_str(payload);
    let raw = json.deserialize_map(Reader { at: &at });
    // The claim at which reading stopped; without one it is no object, or not one alone.
    let raw = raw.map_err(|_| at.get().map_or(TokenFault::Claims, TokenFault::IrregularClaim))?;
    json.end().map_err(|_| TokenFault::Claims)?;
    raw.check(issuer, audience, leeway)
}

/// A string that borrows from the payload wherever it has no escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// The claims as they were found, each of its type.
#[derive(Default)]
struct Raw<'de> {
    iss: Option<Text<'de>>,
    aud: Option<Text<'de>>,
    sub: Option<Text<'de>>,
    client_id: Option<Text<'de>>,
    org: Option<Text<'de>>,
    jti: Option<Text<'de>>,
    iat: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
    scope: Option<Text<'de>>,
    generation: Option<u64>,
}

struct Reader<'at> {
    /// The claim that is being read.
    at: &'at Cell<Option<&'static str>>,
}

impl Reader<'_> {
    fn value<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
        &self,
        claim: &'static str,
        known: &mut Option<T>,
        map: &mut M,
    ) -> Result<(), M::Error> {
        self.at.set(Some(claim));
        if known.replace(map.next_value()?).is_some() {
            return Err(M::Error::duplicate_field(claim));
        }
        self.at.set(None);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of claims")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Raw<'de>, M::Error> {
        let mut raw = Raw::default();
        let mut unknown: Vec<Text<'de>> = Vec::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match &*name.0 {
                "iss" => self.value("iss", &mut raw.iss, &mut map)?,
                "aud" => self.value("aud", &mut raw.aud, &mut map)?,
                "sub" => self.value("sub", &mut raw.sub, &mut map)?,
                "client_id" => self.value("client_id", &mut raw.client_id, &mut map)?,
                "org" => self.value("org", &mut raw.org, &mut map)?,
                "jti" => self.value("jti", &mut raw.jti, &mut map)?,
                "iat" => self.value("iat", &mut raw.iat, &mut map)?,
                "nbf" => self.value("nbf", &mut raw.nbf, &mut map)?,
                "exp" => self.value("exp", &mut raw.exp, &mut map)?,
                "scope" => self.value("scope", &mut raw.scope, &mut map)?,
                "gen" => self.value("gen", &mut raw.generation, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    unknown.push(name);
                }
            }
        }
        // What is ignored has to be unique all the same (RFC 7519 §4): two parsers must not see two tokens.
        unknown.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if unknown.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
            return Err(M::Error::custom("a member twice"));
        }
        Ok(raw)
    }
}

impl Raw<'_> {
    fn check(self, issuer: &str, audience: &str, leeway: Leeway) -> Result<Claims, TokenFault> {
        use TokenFault::IrregularClaim as Irregular;
        let (iss, aud) = (required("iss", self.iss)?.0, required("aud", self.aud)?.0);
        let (sub, client_id) = (required("sub", self.sub)?.0, required("client_id", self.client_id)?.0);
        let (org, jti) = (required("org", self.org)?.0, required("jti", self.jti)?.0);
        let (iat, nbf, exp) =
            (required("iat", self.iat)?, required("nbf", self.nbf)?, required("exp", self.exp)?);
        let scope = required("scope", self.scope)?.0;
        if *iss != *issuer {
            return Err(TokenFault::Issuer);
        }
        if *aud != *audience {
            return Err(TokenFault::Audience);
        }
        let account = Some(&sub)
            .filter(|sub| Alphabet::CREDENTIAL.holds(sub.as_bytes()))
            .and_then(|sub| CredentialId::from_checked(sub.as_bytes()))
            .ok_or(Irregular("sub"))?;
        if client_id != sub {
            return Err(Irregular("client_id"));
        }
        if !is_name(&jti) {
            return Err(Irregular("jti"));
        }
        let lifetime = i128::from(exp).saturating_sub(i128::from(iat));
        if !(1..=i128::from(LONGEST_LIFETIME)).contains(&lifetime) {
            return Err(Irregular("exp"));
        }
        let [iat, nbf, exp] = [iat, nbf, exp].map(Timestamp::from_unix);
        let validity = Validity::new(Some(nbf), Some(exp)).map_err(|_| Irregular("nbf"))?;
        let mut scopes = 0_usize;
        for text in split_scopes(&scope) {
            scopes = scopes.saturating_add(1);
            if scopes > MOST_SCOPES || View::parse(text).is_err() {
                return Err(Irregular("scope"));
            }
        }
        let parent = Parent { account, mint_generation: self.generation.unwrap_or_default() };
        Claims::new(parent, [&org, &jti, &scope], (iat, validity, leeway)).map_err(|_| Irregular("org"))
    }
}

fn required<T>(claim: &'static str, found: Option<T>) -> Result<T, TokenFault> {
    found.ok_or(TokenFault::MissingClaim(claim))
}
