//! A digest under the active key, for a record whose digest was made with an older one.

use crate::digest::equal;
use crate::{Caller, CredentialKey, Digest, DigestKeys, PresentedCredential};

/// The new digest of a secret whose record still has one under an older key: for a compare-and-swap update, off the
/// answer's path.
///
/// It changes the record only: the text that its holder has keeps its guard, hence [`Digest::guard_slot`] stays.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgrade {
    /// Which record.
    pub key: CredentialKey,
    /// The record's version that was seen; an update of another version is not made.
    pub version: u64,
    /// Which of the record's secrets.
    pub secret: u32,
    /// What replaces that secret's digest.
    pub digest: Digest,
}

impl Caller {
    /// The upgrade that this caller's record is due, if it is.
    ///
    /// Verification writes nothing, so a host that rolls its digest keys over asks for this after a success: from when
    /// the new key is active in every process, else one that has it only *added* would upgrade back to the old. `None`
    /// where the digest is under the active key already, or where `presented` is not what proved this caller: the
    /// text is compared once more before a digest of it is made, at the cost of one more MAC, so that a mix-up of
    /// two requests can never put one's secret into the other's record.
    ///
    /// # Security
    ///
    /// Nothing is written because of an unproven secret: only a proved one yields an upgrade.
    #[must_use]
    pub fn upgrade<V: AsRef<[u8]>>(
        &self,
        presented: &PresentedCredential<V>,
        keys: &DigestKeys,
    ) -> Option<Upgrade> {
        let record = self.record();
        let retiring = record.retiring().map(|retiring| &retiring.secret);
        let secret = [Some(record.current()), retiring]
            .into_iter()
            .flatten()
            .find(|secret| secret.number == self.secret_number())?;
        let old = &secret.digest;
        if old.slot() == keys.active_slot() || presented.key() != self.credential() {
            return None;
        }
        let tag = keys.mac(old.slot(), presented.text())?;
        equal(&tag, old.as_bytes()).then(|| Upgrade {
            key: self.credential(),
            version: record.version(),
            secret: secret.number,
            digest: keys.digest(presented),
        })
    }
}
