//! A digest under the active key, for a record whose digest was made with an older one.

use std::sync::Arc;

use crate::digest::equal;
use crate::{Caller, CredentialKey, Digest, DigestKeys, PresentedCredential, Record, StoredSecret};

/// The new digest of a secret whose record still has one under an older key: for the store, off the answer's path.
///
/// A [`UseRecorder`](crate::UseRecorder) brings it there; a host that does so itself reads the record from the truth, and
/// updates it to what [`apply`](Self::apply) makes of it. The text that its holder has keeps its guard, hence
/// [`Digest::guard_slot`] stays.
#[derive(Debug)]
pub struct Upgrade {
    key: CredentialKey,
    old: StoredSecret,
    new: Digest,
}

impl Upgrade {
    /// Which record.
    #[must_use]
    pub const fn key(&self) -> CredentialKey {
        self.key
    }

    /// The record with the new digest and its next version; `None` where it does not hold the old one any more.
    ///
    /// Give it the record from the truth, not the caller's: a lookup may have left out what verifying does not need.
    #[must_use]
    pub fn apply(&self, record: &Record) -> Option<Arc<Record>> {
        let (mut current, mut retiring) = (record.current().clone(), record.retiring().cloned());
        let digest = [Some(&mut current), retiring.as_mut().map(|retiring| &mut retiring.secret)]
            .into_iter()
            .flatten()
            .find(|secret| secret.number == self.old.number)
            .map(|secret| &mut secret.digest)?;
        let is_old =
            digest.slot() == self.old.digest.slot() && equal(digest.as_bytes(), self.old.digest.as_bytes());
        if record.key() != self.key || !is_old {
            return None;
        }
        *digest = self.new.clone();
        let version = record.version().checked_add(1)?;
        record.to_builder().current(current).retiring(retiring).version(version).build().ok().map(Arc::new)
    }
}

impl Caller {
    /// The record's secret that proved this caller.
    fn secret(&self) -> Option<&StoredSecret> {
        self.record()?.secret(self.secret_number()?)
    }

    /// Whether the digest of the secret that proved this caller is under another key than the active one.
    pub(crate) fn is_under_older_key(&self, keys: &DigestKeys) -> bool {
        self.secret().is_some_and(|secret| secret.digest.slot() != keys.active_slot())
    }

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
        if !self.is_under_older_key(keys) || presented.key() != self.credential() {
            return None;
        }
        let old = self.secret()?;
        let tag = keys.mac(old.digest.slot(), presented.text())?;
        equal(&tag, old.digest.as_bytes()).then(|| Upgrade {
            key: self.credential(),
            old: old.clone(),
            new: keys.digest(presented),
        })
    }
}
