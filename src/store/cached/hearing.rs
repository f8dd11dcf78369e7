//! Whether the change feed is heard.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// When the change feed was last heard, on the clock that only goes forward.
///
/// Nobody watches it: whoever uses what is kept compares, so a feed that fell silent is noticed without a timer.
pub(super) struct Hearing {
    /// In nanoseconds, or one of the two below.
    heard: AtomicU64,
    silence: Duration,
}

/// There never was a feed.
const NEVER: u64 = u64::MAX;
/// There was one, and it is lost.
const LOST: u64 = NEVER - 1;

impl Hearing {
    /// A feed that tells nothing for longer than this is lost.
    pub(super) const fn new(silence: Duration) -> Self {
        Self { heard: AtomicU64::new(NEVER), silence }
    }

    /// Whether there is a feed to be heard and it is not.
    #[inline]
    pub(super) fn is_lost(&self, now: Duration) -> bool {
        match self.heard.load(Ordering::Acquire) {
            NEVER => false,
            LOST => true,
            heard => now.saturating_sub(Duration::from_nanos(heard)) > self.silence,
        }
    }

    pub(super) fn hear(&self, now: Duration) {
        let now = now.as_nanos().try_into().unwrap_or(LOST);
        self.heard.store(now.min(LOST - 1), Ordering::Release);
    }

    pub(super) fn lose(&self) {
        self.heard.store(LOST, Ordering::Release);
    }
}
