//! Keyed digests: what a record holds instead of a secret, and the keys that they are made with.

mod config;
mod draw;
mod keys;
mod mac;

pub(crate) use config::BASE64;
pub use draw::Drawn;
pub use keys::{DigestKey, DigestKeys, KeyError};
pub(crate) use mac::{MacKey, equal};

use std::fmt;

use crate::Invalid;

/// The keyed hash of a credential's text that a record holds: HMAC-SHA-256 (RFC 2104), 32 bytes.
///
/// It binds kind and id to the secret, so a digest copied to another record verifies nothing. It carries the slot of
/// its digest key and, for issued texts, the slot of the key that the text's guard was made with.
///
/// # Security
///
/// A digest is not a credential: presenting it authenticates nothing. It has no `PartialEq`, because comparing it is
/// keygate's business, and prints nothing of itself.
///
/// ```
/// use keygate::{Digest, DigestKeys, Kind, SystemRandom};
///
/// let keys = DigestKeys::ephemeral()?;
/// let digest = keys.draw(Kind::ApiKey, &SystemRandom)?.digest;
/// // A host that keeps its own columns:
/// let again = Digest::from_parts(digest.slot(), digest.guard_slot(), digest.as_bytes())?;
/// assert_eq!(again.as_bytes(), digest.as_bytes());
/// assert_eq!(format!("{digest:?}"), "Digest { slot: 0, guard_slot: Some(0), .. }");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Digest {
    slot: u8,
    guard_slot: Option<u8>,
    bytes: [u8; 32],
}

impl Digest {
    pub(crate) const fn new(slot: u8, guard_slot: Option<u8>, bytes: [u8; 32]) -> Self {
        Self { slot, guard_slot, bytes }
    }

    /// A digest that a host keeps in columns of its own.
    ///
    /// # Errors
    ///
    /// [`Invalid`] unless there are exactly 32 bytes and both slots are 0..=63.
    pub fn from_parts(slot: u8, guard_slot: Option<u8>, bytes: &[u8]) -> Result<Self, Invalid> {
        if slot > 63 || guard_slot.is_some_and(|slot| slot > 63) {
            return Err(Invalid::new("slot", "0 to 63"));
        }
        let bytes = bytes.try_into().map_err(|_| Invalid::new("digest", "32 bytes"))?;
        Ok(Self { slot, guard_slot, bytes })
    }

    /// The slot (0..=63) of the digest key that it was made with.
    #[must_use]
    pub const fn slot(&self) -> u8 {
        self.slot
    }

    /// The slot of the digest key that the text's guard was made with; imported texts have no guard.
    #[must_use]
    pub const fn guard_slot(&self) -> Option<u8> {
        self.guard_slot
    }

    /// The 32 bytes, for a host that keeps its own columns.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest")
            .field("slot", &self.slot)
            .field("guard_slot", &self.guard_slot)
            .finish_non_exhaustive()
    }
}
