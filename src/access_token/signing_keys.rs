//! The keys that access tokens are signed with: ids, bytes, the ring.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::alphabet::Alphabet;
use crate::digest::{BASE64, MacKey, equal};
use crate::{DigestKeys, RandomError, RandomSource, SystemRandom};

/// The longest key, in bytes. RFC 7518 §3.2 asks for 32 at least, and more than 64 are hashed first.
const LONGEST: usize = 1_024;

/// One key that access tokens are signed with, before it is put into a ring: an id, and 32..=1,024 bytes.
///
/// The id, 1–64 of `A-Z a-z 0-9 . _ -`, is public: it stands in the header of each token.
///
/// ```
/// use keygate::{SigningKey, SigningKeys};
///
/// let keys = SigningKeys::new([SigningKey::new("2026-11", &[0x22; 32])?, SigningKey::new("2026-05", &[0x11; 32])?])?;
/// # Ok::<(), keygate::SigningKeyError>(())
/// ```
pub struct SigningKey {
    id: Box<str>,
    /// What each of its tokens begins with: the encoded header and the dot behind it.
    prefix: Box<[u8]>,
    mac: MacKey,
}

impl SigningKey {
    /// A key of this id.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`] where the id is not one, there are fewer than 32 or more than 1,024 bytes, or all are zero.
    pub fn new(id: &str, bytes: &[u8]) -> Result<Self, SigningKeyError> {
        // A path's segment may have a tilde, too.
        let is_id = Alphabet::UNRESERVED.holds(id.as_bytes()) && !id.contains('~');
        if !(1..=64).contains(&id.len()) || !is_id {
            return Err(SigningKeyError::KeyId);
        }
        match bytes.len() {
            found @ ..32 => return Err(SigningKeyError::TooShort { found }),
            found if found > LONGEST => return Err(SigningKeyError::TooLong { found }),
            _ if bytes.iter().all(|byte| *byte == 0) => return Err(SigningKeyError::AllZero),
            _ => {}
        }
        let header = format!(r#"{{"alg":"HS256","kid":"{id}","typ":"at+jwt"}}"#);
        let prefix = format!("{}.", URL_SAFE_NO_PAD.encode(header));
        Ok(Self { id: id.into(), prefix: prefix.into_bytes().into(), mac: MacKey::new(bytes) })
    }

    /// What each of its tokens begins with.
    pub(super) const fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The signature of header and claims.
    #[inline]
    pub(super) fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.mac.mac(text)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The ring of signing keys: a cheap handle on something immutable. Masked in `Debug`, wiped with its last handle.
///
/// The first key signs, all of them verify. A key that is left out stops verifying with the next ring, at once: so add the new
/// key everywhere behind the old one, then put it first everywhere, then, when the last token of the old key has ended,
/// leave that one out. Digest keys are another ring, and share no key with this one.
///
/// # Security
///
/// There is one symmetric key: **whoever can verify can mint.** Give it to services that you would let mint, and to no other.
///
/// ```
/// use keygate::SigningKeys;
///
/// // key id:base64, separated by commas; a key is what `openssl rand -base64 32` prints
/// let keys = SigningKeys::parse(
///     "2026-11:tTq5NCJq6rFv8RYcF1pTLT1l0UWJvGZ7YpO0oS1wJ3k=, 2026-05:QZ9f8DkXlOZ2mmb0JrmQ5zGp3bNnTCa0cZ2kjDhYd0I=",
/// )?;
/// assert_eq!(keys.signing_id(), "2026-11");
/// # Ok::<(), keygate::SigningKeyError>(())
/// ```
#[derive(Clone)]
pub struct SigningKeys(Arc<Ring>);

struct Ring {
    signing: SigningKey,
    others: Box<[SigningKey]>,
}

impl SigningKeys {
    /// A ring of these keys, the signing one first.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`] where there is no key, an id is given twice, or two keys are one key to HMAC.
    pub fn new(keys: impl IntoIterator<Item = SigningKey>) -> Result<Self, SigningKeyError> {
        let mut known: Vec<(SigningKey, [u8; 32])> = Vec::new();
        for (at, key) in keys.into_iter().enumerate() {
            let fingerprint = key.mac.fingerprint();
            let (key_number, number_of) = (at.saturating_add(1), |other: usize| other.saturating_add(1));
            if let Some(other) = known.iter().position(|(other, _)| other.id == key.id) {
                return Err(SigningKeyError::KeyIdTwice { key: key_number, other: number_of(other) });
            }
            if let Some(other) = known.iter().position(|(_, other)| equal(other, &fingerprint)) {
                return Err(SigningKeyError::Equal { key: key_number, other: number_of(other) });
            }
            known.push((key, fingerprint));
        }
        let mut keys = known.into_iter().map(|(key, _)| key);
        let signing = keys.next().ok_or(SigningKeyError::Empty)?;
        Ok(Self(Arc::new(Ring { signing, others: keys.collect() })))
    }

    /// A ring from configuration text: `key *("," key)`, `key = key-id ":" base64`.
    ///
    /// White space around a key is ignored; the base64 is the standard alphabet, its padding may be left out.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`], which names the entry and never the key.
    pub fn parse(text: &str) -> Result<Self, SigningKeyError> {
        let entries = text.split(',').map(str::trim_ascii).enumerate();
        let keys = entries.map(|(at, entry)| parse(entry, at.saturating_add(1)));
        Self::new(keys.collect::<Result<Vec<_>, _>>()?)
    }

    /// A ring of one new key from the operating system, which lives as long as the process: for tests and examples.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the system's random source fails.
    pub fn ephemeral() -> Result<Self, RandomError> {
        Self::generate(&SystemRandom)
    }

    /// A ring of one new key, of the id `1`, from this source.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source fails, or gives nothing but zeros.
    pub fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes)?;
        let key = SigningKey::new("1", &*bytes).map_err(|_| RandomError::new())?;
        Self::new([key]).map_err(|_| RandomError::new())
    }

    /// The id of the key that signs.
    #[must_use]
    pub fn signing_id(&self) -> &str {
        &self.0.signing.id
    }

    /// Refuses key material that both rings have, also as a guard key that was derived. An authenticator and an issuer ask this
    /// when they are built; a host that drives the core itself should, too.
    ///
    /// ```
    /// use keygate::{DigestKey, DigestKeys, SigningKey, SigningKeyError, SigningKeys};
    ///
    /// let digest_keys = DigestKeys::new([DigestKey::active(0, &[0x22; 32])?])?;
    /// let signing_keys = SigningKeys::new([SigningKey::new("k", &[0x22; 32])?])?;
    /// assert_eq!(signing_keys.check_apart_from(&digest_keys), Err(SigningKeyError::Shared));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Shared`].
    pub fn check_apart_from(&self, digest_keys: &DigestKeys) -> Result<(), SigningKeyError> {
        let fingerprints: Vec<_> = self.keys().map(|key| key.mac.fingerprint()).collect();
        if digest_keys.has_any_of(&fingerprints) { Err(SigningKeyError::Shared) } else { Ok(()) }
    }

    pub(super) fn signing(&self) -> &SigningKey {
        &self.0.signing
    }

    /// The key whose header a token begins with.
    #[inline]
    pub(super) fn of(&self, token: &[u8]) -> Option<&SigningKey> {
        self.keys().find(|key| token.starts_with(&key.prefix))
    }

    fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        [&self.0.signing].into_iter().chain(&self.0.others)
    }
}

fn parse(text: &str, entry: usize) -> Result<SigningKey, SigningKeyError> {
    let wrong = |expected| SigningKeyError::Entry { entry, expected };
    let (id, base64) = text.split_once(':').ok_or(wrong("key-id:base64"))?;
    // A buffer of ours, so that it is wiped also where the text is not base64.
    let mut buffer = Zeroizing::new([0; LONGEST]);
    let length = BASE64
        .decode_slice(base64, &mut *buffer)
        .map_err(|_| wrong("standard base64 of 32 to 1024 bytes behind the colon"))?;
    SigningKey::new(id, buffer.get(..length).unwrap_or_default()).map_err(|error| {
        wrong(match error {
            SigningKeyError::KeyId => "a key id of 1 to 64 of A-Z a-z 0-9 . _ - before the colon",
            SigningKeyError::AllZero => "a key that is not all zero",
            _ => "standard base64 of 32 to 1024 bytes behind the colon",
        })
    })
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("signing_id", &self.signing_id()).finish_non_exhaustive()
    }
}

/// What is wrong with a signing key, a ring of them or its configuration. Keys count from 1; none is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// An entry of a configuration text is not of the form that is documented.
    #[error("entry {entry}: expected {expected}")]
    Entry {
        /// Which entry.
        entry: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// The id of a key is not one.
    #[error("expected a key id of 1 to 64 of A-Z a-z 0-9 . _ -")]
    KeyId,
    /// Fewer than 32 bytes (RFC 7518 §3.2).
    #[error("a signing key has {found} bytes, fewer than 32")]
    TooShort {
        /// How many bytes there are.
        found: usize,
    },
    /// More than 1,024 bytes.
    #[error("a signing key has {found} bytes, more than 1024")]
    TooLong {
        /// How many bytes there are.
        found: usize,
    },
    /// Nothing but zeros.
    #[error("a signing key is all zero")]
    AllZero,
    /// No key at all.
    #[error("there is no signing key: one has to be")]
    Empty,
    /// One id, two keys.
    #[error("signing keys {other} and {key} have one id")]
    KeyIdTwice {
        /// The later key.
        key: usize,
        /// The earlier key.
        other: usize,
    },
    /// Two keys that are one to HMAC.
    #[error("signing keys {other} and {key} are one key to HMAC")]
    Equal {
        /// The later key.
        key: usize,
        /// The earlier key.
        other: usize,
    },
    /// A key that is among the digest keys as well.
    #[error("a signing key is a digest key too, or its guard key")]
    Shared,
}
