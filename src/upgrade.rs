//! A digest under the active key, for a record whose digest was made with an older one.

use std::sync::Arc;

use crate::digest::equal;
use crate::{Caller, DigestKeys, PresentedCredential, Record};

/// The record that a caller's is due to become: the digest of its secret is under the active key.
///
/// For a compare-and-swap update, off the answer's path: `store.update(upgrade.seen, &upgrade.record)`; a
/// [`UseRecorder`](crate::UseRecorder) makes it. It changes the record only: the text that its holder has keeps its guard,
/// hence [`Digest::guard_slot`](crate::Digest::guard_slot) stays.
#[derive(Debug)]
#[non_exhaustive]
pub struct Upgrade {
    /// The version that the record had; of another version the update is not made.
    pub seen: u64,
    /// The record as it is to be, with the next version.
    pub record: Arc<Record>,
}

impl Caller {
    /// Whether the digest of the secret that proved this caller is under another key than the active one.
    pub(crate) fn is_under_older_key(&self, keys: &DigestKeys) -> bool {
        let record = self.record();
        let secrets = [Some(record.current()), record.retiring().map(|retiring| &retiring.secret)];
        let mut proved = secrets.into_iter().flatten().filter(|secret| secret.number == self.secret_number());
        proved.any(|secret| secret.digest.slot() != keys.active_slot())
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
        let record = self.record();
        let (mut current, mut retiring) = (record.current().clone(), record.retiring().cloned());
        let secret = [Some(&mut current), retiring.as_mut().map(|retiring| &mut retiring.secret)]
            .into_iter()
            .flatten()
            .find(|secret| secret.number == self.secret_number())?;
        let old = &secret.digest;
        let tag = keys.mac(old.slot(), presented.text())?;
        if !equal(&tag, old.as_bytes()) {
            return None;
        }
        secret.digest = keys.digest(presented);
        let seen = record.version();
        let builder = record.to_builder().current(current).retiring(retiring).version(seen.checked_add(1)?);
        Some(Upgrade { seen, record: Arc::new(builder.build().ok()?) })
    }
}
