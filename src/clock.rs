//! Where time comes from: the only file that reads a clock.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use crate::Timestamp;

/// A clock that a host hands to what needs one.
///
/// Everything that decides takes `now` as an argument; a clock is for what runs around it.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time that only goes forward, since a beginning of the clock's own choice: for ages, never for dates.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks.
///
/// ```
/// use keygate::{Clock, SystemClock, Timestamp};
///
/// let clock = SystemClock::new();
/// assert!(clock.now() > Timestamp::parse_rfc3339("2020-01-01T00:00:00Z")?);
/// assert!(clock.monotonic() <= clock.monotonic());
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy)]
pub struct SystemClock {
    beginning: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { beginning: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Duration {
        self.beginning.elapsed()
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemClock")
    }
}
