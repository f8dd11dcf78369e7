//! Whether it is safe to retire the secret that a rotation replaced.

use crate::{Lifetime, Timestamp};

/// Whether a rotated secret may be retired: when the two secrets were last used, as far as was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retirement {
    /// When this was asked.
    pub asked_at: Timestamp,
    /// When the retiring secret ends by itself.
    pub ends_at: Timestamp,
    /// When it was last used.
    pub retiring_used_at: Option<Timestamp>,
    /// When the new secret was last used.
    pub current_used_at: Option<Timestamp>,
}

impl Retirement {
    /// Whether the new secret is in use, and the retiring one was used, and then not for this long.
    ///
    /// Of a secret of which no use was recorded nothing is known, so it is not safe: its overlap ends by itself. A
    /// [`UseRecorder`](crate::UseRecorder) reports with a delay of its window: ask for more than that.
    ///
    /// ```
    /// # use keygate::{DigestKeys, Expiry, Issuer, Lifetime, MemoryStore, NewApiKey, Overlap, Owner};
    /// # pollster::block_on(async {
    /// # let issuer = Issuer::new(MemoryStore::new(), DigestKeys::ephemeral()?);
    /// # let id = issuer.api_keys().issue(NewApiKey::new("u-17", Expiry::Never)).await?.record.key().id;
    /// # let keys = issuer.api_keys().owned_by(Owner::user("u-17")?);
    /// keys.rotate(&id, Overlap::days(7)).await?;
    /// let retirement = keys.retirement(&id).await?.expect("it was just rotated");
    /// assert!(!retirement.is_safe(Lifetime::hours(1)), "nobody has used the new one yet");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn is_safe(&self, quiet: Lifetime) -> bool {
        let quiet_until = self.retiring_used_at.and_then(|used| used.checked_add(quiet));
        self.current_used_at.is_some() && quiet_until.is_some_and(|end| end <= self.asked_at)
    }
}
