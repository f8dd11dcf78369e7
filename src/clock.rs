//! Where time comes from: the only file that reads a clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
#[cfg(not(target_os = "linux"))]
use std::time::{Instant, SystemTime};

#[cfg(target_os = "linux")]
use rustix::time::{ClockId, clock_gettime};

use crate::{Lifetime, Timestamp};

/// A clock that a host hands to what needs one.
///
/// Everything that decides takes `now` as an argument; a clock is for what runs around it.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time that only goes forward, since a beginning of the clock's own choice: for ages, never for dates. It goes on while the
    /// machine sleeps, where the system has such a clock: what was known before a sleep is old after it.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
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
    #[cfg(target_os = "linux")]
    beginning: Duration,
    #[cfg(not(target_os = "linux"))]
    beginning: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            beginning: since_boot(),
            #[cfg(not(target_os = "linux"))]
            beginning: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    /// On Linux the kernel's coarse clock: at most a tick (1–10 ms) behind, and several times cheaper to read; whole
    /// seconds are all that is asked of it.
    #[inline]
    fn now(&self) -> Timestamp {
        #[cfg(target_os = "linux")]
        return Timestamp::from_unix(clock_gettime(ClockId::RealtimeCoarse).tv_sec);
        #[cfg(not(target_os = "linux"))]
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        SystemTime::now().into()
    }

    /// On Linux with the time that the machine slept.
    #[inline]
    fn monotonic(&self) -> Duration {
        #[cfg(target_os = "linux")]
        return since_boot().saturating_sub(self.beginning);
        #[cfg(not(target_os = "linux"))]
        self.beginning.elapsed()
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.try_into().unwrap_or(0))
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemClock")
    }
}

/// A clock that stands still until it is told: for tests and examples. A cheap handle; clones are one clock.
///
/// ```
/// use keygate::{Clock, Lifetime, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_unix(1_795_518_000));
/// clock.advance(Lifetime::minutes(5));
/// assert_eq!(clock.now(), Timestamp::from_unix(1_795_518_300));
/// clock.set(Timestamp::from_unix(0)); // as when somebody sets the system's clock back
/// assert_eq!(clock.monotonic().as_secs(), 300);
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Hands>);

struct Hands {
    now: AtomicI64,
    monotonic: AtomicU64,
}

impl ManualClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Hands { now: AtomicI64::new(now.as_unix()), monotonic: AtomicU64::new(0) }))
    }

    /// Sets the time of day, forward or back; monotonic time stays.
    pub fn set(&self, now: Timestamp) {
        self.0.now.store(now.as_unix(), Ordering::SeqCst);
    }

    /// Lets time pass: the time of day and monotonic time. Both stop at their ends.
    pub fn advance(&self, time: Lifetime) {
        let (hands, seconds) = (&self.0, time.as_seconds());
        let wall = |now: i64| Some(now.saturating_add_unsigned(seconds));
        let monotonic = |now: u64| Some(now.saturating_add(seconds));
        // Neither closure gives up, so neither update fails.
        let _before = hands.now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, wall);
        let _before = hands.monotonic.fetch_update(Ordering::SeqCst, Ordering::SeqCst, monotonic);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.monotonic.load(Ordering::SeqCst))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
