//! Access tokens: what a service account mints for minutes, narrower than itself, and nobody stores.
//!
//! A JWS compact serialization (RFC 7515 §3.1) with HS256, that any JWT library can check; claim names and `typ` are those of
//! RFC 9068, which is not implemented whole (it asks for RS256).

mod claims;
mod mint;
mod payload;
mod signing_keys;
mod verify;

pub use claims::Claims;
pub use mint::{Mint, MintedToken};
pub use signing_keys::{SigningKey, SigningKeyError, SigningKeys};
pub use verify::verify_access_token;

use std::sync::Arc;

use self::payload::LONGEST_LIFETIME;
use crate::alphabet::breaks_lines;
use crate::{DigestKeys, Invalid, Leeway, Lifetime};

/// The longest token, in bytes.
const LONGEST: usize = 4_096;

/// How access tokens are minted and verified: keys, issuer, audience, leeway, the longest lifetime. A cheap handle.
///
/// Issuer and audience are mandatory, and compared exactly: a token of another service that has the same key, or for another
/// one, is denied.
///
/// # Syntax
///
/// ```text
/// header = {"alg":"HS256","kid":"<key id>","typ":"at+jwt"}     ; exactly, compared as text
/// claims = iss aud sub client_id org jti iat nbf exp scope     ; all required, each once; others are ignored
///          gen                                                 ; the mint generation; absent is 0
/// ```
///
/// `aud` is one string; `sub` and `client_id` are the id of the account, `org` is its organization; times are whole seconds,
/// `iat < exp <= iat + 24 h`; `scope` is 1 to 64 [`Scope`](crate::Scope) texts with one space between them. At most 4,096 bytes in all.
///
/// # Security
///
/// Whoever can verify can mint: there is one symmetric key. A single token cannot be revoked: only its account, or, by
/// [`rotate_leaked`](crate::Owned::rotate_leaked), all that the account minted so far. That is why verifying asks for the account's record,
/// each time.
///
/// ```
/// use keygate::{AccessTokens, Leeway, Lifetime, SigningKeys};
///
/// let tokens = AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "https://secrets.example")?
///     .max_lifetime(Lifetime::minutes(30))?
///     .leeway(Leeway::seconds(5)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct AccessTokens {
    keys: SigningKeys,
    issuer: Arc<str>,
    audience: Arc<str>,
    leeway: Leeway,
    max_lifetime: Lifetime,
}

impl AccessTokens {
    /// Tokens of this issuer for this audience, each 1–256 bytes without control characters. Without leeway; at most an hour
    /// long.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which names the argument.
    pub fn new(keys: SigningKeys, issuer: &str, audience: &str) -> Result<Self, Invalid> {
        let text = |argument, text: &str| {
            if (1..=256).contains(&text.len()) && !text.chars().any(breaks_lines) {
                Ok(Arc::from(text))
            } else {
                Err(Invalid::new(argument, "1 to 256 bytes, no control characters"))
            }
        };
        Ok(Self {
            keys,
            issuer: text("issuer", issuer)?,
            audience: text("audience", audience)?,
            leeway: Leeway::NONE,
            max_lifetime: Lifetime::hours(1),
        })
    }

    /// By how much the clocks of hosts may differ: at least their spread. None, unless it is set.
    #[must_use]
    pub fn leeway(self, leeway: Leeway) -> Self {
        Self { leeway, ..self }
    }

    /// The longest lifetime that is minted, an hour unless it is set; asking for more is an error.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where it is zero or above 24 hours.
    pub fn max_lifetime(self, lifetime: Lifetime) -> Result<Self, Invalid> {
        if (1..=LONGEST_LIFETIME).contains(&lifetime.as_seconds()) {
            Ok(Self { max_lifetime: lifetime, ..self })
        } else {
            Err(Invalid::new("max_lifetime", "1 second to 24 hours"))
        }
    }

    /// Refuses a ring that shares a key with the digest keys, where both meet.
    pub(crate) fn check_apart_from(&self, digest_keys: &DigestKeys) -> Result<(), Invalid> {
        self.keys
            .check_apart_from(digest_keys)
            .map_err(|_| Invalid::new("access_tokens", "signing keys that are no digest keys"))
    }

    /// The keys that sign and verify.
    #[must_use]
    pub const fn keys(&self) -> &SigningKeys {
        &self.keys
    }
}
