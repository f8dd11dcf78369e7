//! Digest keys: slots, the active one, those that only guard; and what they do with a presented credential.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use super::mac::{MacKey, equal_guards};
use super::{Digest, config};
use crate::credential::{GUARDED_LENGTH, letter_of, slot_of};
use crate::{PresentedCredential, RandomError, RandomSource, Reason, Refusal, Secret, SystemRandom};

/// How many slots there are: a guard names its key with one base64url character.
const SLOTS: usize = 64;
/// What a guard key is derived for; a digest key itself never makes a guard.
const GUARD_LABEL: &[u8] = b"keygate guard v1";

/// One server-side HMAC key ("pepper"), before it is put into a ring: a slot (0..=63) and 32..=64 bytes.
///
/// ```
/// use keygate::{DigestKey, DigestKeys};
///
/// let old = DigestKey::new(1, &[0x11; 32])?;
/// let active = DigestKey::active(2, &[0x22; 32])?;
/// let keys = DigestKeys::new([old, active])?;
/// assert_eq!(keys.active_slot(), 2);
/// # Ok::<(), keygate::KeyError>(())
/// ```
pub struct DigestKey {
    slot: u8,
    active: bool,
    /// None: guard only.
    digest: Option<MacKey>,
    guard: MacKey,
    /// The guard key itself, because the ring can be asked for it.
    guard_bytes: Zeroizing<Vec<u8>>,
}

impl DigestKey {
    /// A key that verifies the digests made with it.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where the slot is above 63, or there are fewer than 32 or more than 64 bytes, or all are zero.
    pub fn new(slot: u8, bytes: &[u8]) -> Result<Self, KeyError> {
        check(slot, bytes)?;
        let digest = MacKey::new(bytes);
        let guard_bytes = Zeroizing::new(Zeroizing::new(digest.mac(GUARD_LABEL)).to_vec());
        Ok(Self { slot, active: false, guard: MacKey::new(&guard_bytes), digest: Some(digest), guard_bytes })
    }

    /// The key that new digests and guards are made with. A ring has exactly one.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn active(slot: u8, bytes: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { active: true, ..Self::new(slot, bytes)? })
    }

    /// What is left of a key whose digests are all upgraded while texts with its guard are still out there: the
    /// derived guard key of exactly 32 bytes, as [`DigestKeys::guard_only_text`] prints it. It verifies nothing.
    ///
    /// It is another key than the one that it was derived from: under a digest key that was merely called guard only,
    /// every genuine text of its slot would be refused as made up.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), also where there are more than 32 bytes.
    pub fn guard_only(slot: u8, bytes: &[u8]) -> Result<Self, KeyError> {
        check(slot, bytes)?;
        if bytes.len() > 32 {
            return Err(KeyError::GuardTooLong { slot, found: bytes.len() });
        }
        Ok(Self {
            slot,
            active: false,
            digest: None,
            guard: MacKey::new(bytes),
            guard_bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    /// Slot letter and the first 24 bits of the guard tag, in base64url.
    fn guard(&self, guarded: &[u8]) -> [u8; 5] {
        let tag = self.guard.mac(guarded);
        let mut guard = [letter_of(self.slot).unwrap_or_default(), 0, 0, 0, 0];
        if let (Some(short), Some(letters)) = (tag.first_chunk::<3>(), guard.get_mut(1..)) {
            // Three bytes are always four characters.
            let _written = URL_SAFE_NO_PAD.encode_slice(short, letters);
        }
        guard
    }
}

fn check(slot: u8, bytes: &[u8]) -> Result<(), KeyError> {
    if usize::from(slot) >= SLOTS {
        return Err(KeyError::Slot { found: slot });
    }
    match bytes.len() {
        found @ ..32 => Err(KeyError::TooShort { slot, found }),
        found @ 65.. => Err(KeyError::TooLong { slot, found }),
        _ if bytes.iter().all(|byte| *byte == 0) => Err(KeyError::AllZero { slot }),
        _ => Ok(()),
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestKey").field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// The ring of digest keys: a cheap handle on something immutable. Masked in `Debug`, wiped with its last handle.
///
/// One key is active and makes new digests and guards; the others verify what was made with them. A verification
/// computes exactly one MAC however many keys are kept, because a record names the slot of its key.
///
/// # Rolling over to a new key, with several processes
///
/// Add the new key everywhere; then make it active everywhere; then, when no record needs the old one, drop it. While
/// only texts with its *guard* are out there, keep it as guard only ([`guard_only_text`](Self::guard_only_text)).
/// Slots are never reused. A service that changes its keys builds a new ring, and what holds it, and swaps them.
///
/// ```
/// use keygate::DigestKeys;
///
/// // slot[:active|:guard]:base64, separated by commas; a key is what `openssl rand -base64 32` prints
/// let keys = DigestKeys::parse(
///     "3:QZ9f8DkXlOZ2mmb0JrmQ5zGp3bNnTCa0cZ2kjDhYd0I=, 4:active:tTq5NCJq6rFv8RYcF1pTLT1l0UWJvGZ7YpO0oS1wJ3k=",
/// )?;
/// assert_eq!(keys.active_slot(), 4);
/// # Ok::<(), keygate::KeyError>(())
/// ```
#[derive(Clone)]
pub struct DigestKeys(Arc<Ring>);

struct Ring {
    /// By slot; the active key is among them.
    slots: [Option<Arc<DigestKey>>; SLOTS],
    active: Arc<DigestKey>,
}

impl DigestKeys {
    /// A ring of these keys.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where a slot is given twice, two keys are one key to HMAC (also where one is the derived guard
    /// key of the other), none is active, or more than one is.
    pub fn new(keys: impl IntoIterator<Item = DigestKey>) -> Result<Self, KeyError> {
        let mut slots: [Option<Arc<DigestKey>>; SLOTS] = [const { None }; SLOTS];
        let mut active: Option<Arc<DigestKey>> = None;
        let mut fingerprints: Vec<(u8, [u8; 32])> = Vec::new();
        for key in keys {
            let key = Arc::new(key);
            let slot = key.slot;
            let place = slots.get_mut(usize::from(slot)).ok_or(KeyError::Slot { found: slot })?;
            if place.is_some() {
                return Err(KeyError::SlotTwice { slot });
            }
            for fingerprint in key.digest.iter().chain([&key.guard]).map(MacKey::fingerprint) {
                if let Some((other, _)) =
                    fingerprints.iter().find(|(_, known)| super::equal(known, &fingerprint))
                {
                    return Err(KeyError::Equal { slot, other: *other });
                }
                fingerprints.push((slot, fingerprint));
            }
            if key.active
                && let Some(other) = active.replace(Arc::clone(&key))
            {
                return Err(KeyError::TwoActive { slot, other: other.slot });
            }
            *place = Some(key);
        }
        let active = active.ok_or(KeyError::NoActive)?;
        Ok(Self(Arc::new(Ring { slots, active })))
    }

    /// A ring from configuration text: `key *("," key)`, `key = slot [ ":active" / ":guard" ] ":" base64`.
    ///
    /// White space around a key is ignored; the base64 is the standard alphabet, its padding may be left out. What
    /// stands behind `:guard:` is the derived key that [`guard_only_text`](Self::guard_only_text) prints.
    ///
    /// # Errors
    ///
    /// [`KeyError`], which names the entry or the slot and never the key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        config::parse(text)
    }

    /// A ring of one new key from the operating system, which lives as long as the process: for tests and examples.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the system's random source fails.
    pub fn ephemeral() -> Result<Self, RandomError> {
        Self::generate(&SystemRandom)
    }

    /// A ring of one new key, in slot 0, from this source.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source fails, or gives nothing but zeros.
    pub fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes)?;
        let key = DigestKey::active(0, &*bytes).map_err(|_| RandomError::new())?;
        Self::new([key]).map_err(|_| RandomError::new())
    }

    /// The slot of the key that makes new digests and guards.
    #[must_use]
    pub fn active_slot(&self) -> u8 {
        self.0.active.slot
    }

    /// The configuration text of a key that from now on is guard only: `slot:guard:base64`. **Secret**, though it
    /// protects nothing but the store's peace.
    ///
    /// # Errors
    ///
    /// [`KeyError::UnknownSlot`] where the ring has no key in this slot.
    pub fn guard_only_text(&self, slot: u8) -> Result<Secret, KeyError> {
        let key = self.key(slot).ok_or(KeyError::UnknownSlot { slot })?;
        let mut text = String::with_capacity(128);
        text.push_str(&format!("{slot}:guard:"));
        STANDARD.encode_string(&*key.guard_bytes, &mut text);
        Ok(Secret::new(text))
    }

    /// Refuses made-up credentials: for a host that asks a store of its own, **before** it asks.
    ///
    /// An issued text carries a short keyed tag that only a server can make; a forger passes once in 2^24 tries. It
    /// proves nothing about the secret. An imported text has no guard and always passes.
    ///
    /// # Errors
    ///
    /// A denial: [`Reason::WrongGuard`] or [`Reason::UnknownGuardKey`], with the public face of every other.
    pub fn check_guard<V: AsRef<[u8]>>(&self, presented: &PresentedCredential<V>) -> Result<(), Refusal> {
        if !presented.is_issued() {
            return Ok(());
        }
        let guarded_and_guard = presented.text().split_at_checked(GUARDED_LENGTH);
        let Some((guarded, Some(guard))) =
            guarded_and_guard.map(|(text, rest)| (text, rest.first_chunk::<5>()))
        else {
            return Err(presented.refuse(Reason::WrongGuard));
        };
        let slot = guard.first().copied().and_then(slot_of).unwrap_or(u8::MAX);
        let Some(key) = self.key(slot) else {
            return Err(presented.refuse(Reason::UnknownGuardKey { slot }));
        };
        if equal_guards(&key.guard(guarded), guard) {
            Ok(())
        } else {
            Err(presented.refuse(Reason::WrongGuard))
        }
    }

    /// The digest of a credential that another system made, or of an old text under the active key: for importing.
    ///
    /// It covers kind, id and secret, and nothing of a client key.
    #[must_use]
    pub fn digest<V: AsRef<[u8]>>(&self, presented: &PresentedCredential<V>) -> Digest {
        let text = presented.text();
        let guard_slot =
            if presented.is_issued() { text.get(GUARDED_LENGTH).copied().and_then(slot_of) } else { None };
        self.digest_text(text, guard_slot)
    }

    /// A digest of this text with the active key.
    pub(super) fn digest_text(&self, text: &[u8], guard_slot: Option<u8>) -> Digest {
        let active = &self.0.active;
        // The active key is never guard only: `DigestKey::active` makes it.
        let bytes = active.digest.as_ref().map_or([0; 32], |key| key.mac(text));
        Digest::new(active.slot, guard_slot, bytes)
    }

    /// The guard of a new text, with the active key.
    pub(super) fn guard(&self, guarded: &[u8]) -> [u8; 5] {
        self.0.active.guard(guarded)
    }

    /// The MAC of a text under the key of this slot, if the ring holds it.
    #[inline(always)]
    pub(crate) fn mac(&self, slot: u8, text: &[u8]) -> Option<[u8; 32]> {
        Some(self.key(slot)?.digest.as_ref()?.mac(text))
    }

    /// Whether one of its keys, or a guard key derived from one, has one of these fingerprints.
    pub(crate) fn has_any_of(&self, fingerprints: &[[u8; 32]]) -> bool {
        let own = self.0.slots.iter().flatten().flat_map(|key| key.digest.iter().chain([&key.guard]));
        own.map(MacKey::fingerprint).any(|own| fingerprints.iter().any(|other| super::equal(&own, other)))
    }

    #[inline(always)]
    fn key(&self, slot: u8) -> Option<&DigestKey> {
        self.0.slots.get(usize::from(slot))?.as_deref()
    }
}

impl fmt::Debug for DigestKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestKeys").field("active_slot", &self.active_slot()).finish_non_exhaustive()
    }
}

/// What is wrong with a key, a ring of keys or its configuration. It names slots and entries, never a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An entry of a configuration text is not of the form that is documented; entries count from 1.
    #[error("entry {entry}: expected {expected}")]
    Entry {
        /// Which entry.
        entry: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// A slot above 63.
    #[error("slot {found}: slots are 0 to 63")]
    Slot {
        /// The slot given.
        found: u8,
    },
    /// Fewer than 32 bytes.
    #[error("the key in slot {slot} has {found} bytes, fewer than 32")]
    TooShort {
        /// Of which key.
        slot: u8,
        /// How many bytes there are.
        found: usize,
    },
    /// More than 64 bytes, which HMAC would hash first.
    #[error("the key in slot {slot} has {found} bytes, more than 64")]
    TooLong {
        /// Of which key.
        slot: u8,
        /// How many bytes there are.
        found: usize,
    },
    /// A guard-only key of more than 32 bytes: not one that was derived.
    #[error("the guard-only key in slot {slot} has {found} bytes: it is not a derived one, which has 32")]
    GuardTooLong {
        /// Of which key.
        slot: u8,
        /// How many bytes there are.
        found: usize,
    },
    /// Nothing but zeros.
    #[error("the key in slot {slot} is all zero")]
    AllZero {
        /// Of which key.
        slot: u8,
    },
    /// Two keys that are one to HMAC, or one that is the other's guard key.
    #[error("the keys in slots {slot} and {other} are one key to HMAC")]
    Equal {
        /// Of the later key.
        slot: u8,
        /// Of the earlier key.
        other: u8,
    },
    /// One slot, two keys.
    #[error("slot {slot} is given twice")]
    SlotTwice {
        /// Which slot.
        slot: u8,
    },
    /// No key is active.
    #[error("no key is active: one has to be")]
    NoActive,
    /// More than one key is active.
    #[error("the keys in slots {slot} and {other} are both active: one has to be")]
    TwoActive {
        /// Of the later key.
        slot: u8,
        /// Of the earlier key.
        other: u8,
    },
    /// The ring has no key in this slot.
    #[error("there is no key in slot {slot}")]
    UnknownSlot {
        /// Which slot.
        slot: u8,
    },
}
