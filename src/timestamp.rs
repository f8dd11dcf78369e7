//! Points in time and lengths of it, in whole seconds.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Invalid;

/// A point in time: whole POSIX seconds since 1970-01-01T00:00:00Z, rounded down; any `i64`.
///
/// ```
/// use keygate::Timestamp;
///
/// let noon = Timestamp::parse_rfc3339("2026-11-24T12:00:00+01:00")?;
/// assert_eq!(noon, Timestamp::from_unix(1_795_518_000));
/// assert_eq!(noon.to_string(), "2026-11-24T11:00:00Z");
/// assert_eq!(Timestamp::from(std::time::SystemTime::try_from(noon)?), noon);
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest of all: what ended then is over by any clock.
    pub const MIN: Self = Self(i64::MIN);

    /// Seconds since 1970.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn as_unix(self) -> i64 {
        self.0
    }

    /// Reads a date and time of RFC 3339; fractions of a second are rounded down.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the text is not of that form, or the date does not exist.
    pub fn parse_rfc3339(text: &str) -> Result<Self, Invalid> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(Self::from)
            .map_err(|_| Invalid::new("timestamp", "a date and time of RFC 3339"))
    }

    /// The earlier of two ends, of which none is the latest.
    #[inline]
    pub(crate) fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }

    /// This much later; `None` past the end of `i64`.
    #[must_use]
    pub fn checked_add(self, lifetime: Lifetime) -> Option<Self> {
        self.0.checked_add_unsigned(lifetime.0).map(Self)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC for the years 0 to 9999, else `unix` and the seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = OffsetDateTime::try_from(*self).ok().and_then(|date| date.format(&Rfc3339).ok());
        match date {
            Some(date) => f.pad(&date),
            None => f.pad(&format!("unix {}", self.0)),
        }
    }
}

impl Serialize for Timestamp {
    /// Seconds since 1970, as a number: every value has one form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(date: OffsetDateTime) -> Self {
        // `unix_timestamp` rounds down, before 1970 too.
        Self(date.unix_timestamp())
    }
}

impl TryFrom<Timestamp> for OffsetDateTime {
    type Error = Invalid;

    /// # Errors
    ///
    /// [`Invalid`] outside the years −9999 to 9999.
    fn try_from(timestamp: Timestamp) -> Result<Self, Invalid> {
        Self::from_unix_timestamp(timestamp.0)
            .map_err(|_| Invalid::new("timestamp", "a date within the years -9999 to 9999"))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => {
                let before = before.duration();
                let whole = before.as_secs().saturating_add(u64::from(before.subsec_nanos() > 0));
                i64::try_from(whole).map_or(i64::MIN, i64::saturating_neg)
            }
        };
        Self(seconds)
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = Invalid;

    /// # Errors
    ///
    /// [`Invalid`] where the system's own type does not reach so far.
    fn try_from(timestamp: Timestamp) -> Result<Self, Invalid> {
        let distance = Duration::from_secs(timestamp.0.unsigned_abs());
        let time =
            if timestamp.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        time.ok_or(Invalid::new("timestamp", "a time that the system can represent"))
    }
}

/// How long something is to last: a finite number of seconds.
///
/// Zero, and an end past the end of time, are refused by whatever takes a lifetime. There is no infinite one: what
/// may be without end takes an [`Expiry`].
///
/// ```
/// use keygate::{Lifetime, Timestamp};
///
/// let now = Timestamp::from_unix(1_000);
/// assert_eq!(Lifetime::minutes(15).ends_at(now)?, Timestamp::from_unix(1_900));
/// assert!(Lifetime::seconds(0).ends_at(now).is_err());
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(u64);

impl Lifetime {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(n: u64) -> Self {
        Self(n)
    }

    /// So many minutes.
    #[must_use]
    pub const fn minutes(n: u32) -> Self {
        Self::times(n, 60)
    }

    /// So many hours.
    #[must_use]
    pub const fn hours(n: u32) -> Self {
        Self::times(n, 3_600)
    }

    /// So many days of 24 hours.
    #[must_use]
    pub const fn days(n: u32) -> Self {
        Self::times(n, 86_400)
    }

    #[expect(clippy::as_conversions, reason = "u32 to u64 loses nothing, and `From` is not const")]
    const fn times(n: u32, seconds: u32) -> Self {
        Self((n as u64).saturating_mul(seconds as u64))
    }

    /// The lifetime in seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u64 {
        self.0
    }

    /// The end of a lifetime that begins now.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the lifetime is zero or its end does not fit into a timestamp.
    pub fn ends_at(self, now: Timestamp) -> Result<Timestamp, Invalid> {
        if self.0 == 0 {
            return Err(Invalid::new("lifetime", "at least one second"));
        }
        now.checked_add(self).ok_or(Invalid::new("lifetime", "an end that fits into a timestamp"))
    }
}

/// When an API key or a service account ends: after a lifetime, or never, which has to be said.
///
/// ```
/// use keygate::{Expiry, Lifetime, Timestamp};
///
/// let now = Timestamp::from_unix(0);
/// assert_eq!(Expiry::from(Lifetime::days(1)).ends_at(now)?, Some(Timestamp::from_unix(86_400)));
/// assert_eq!(Expiry::Never.ends_at(now)?, None);
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "something ends or it does not")]
pub enum Expiry {
    /// After this long.
    After(Lifetime),
    /// Never, until it is revoked.
    Never,
}

impl Expiry {
    /// The end of what begins now, if it has one.
    ///
    /// # Errors
    ///
    /// As [`Lifetime::ends_at`].
    pub fn ends_at(self, now: Timestamp) -> Result<Option<Timestamp>, Invalid> {
        match self {
            Self::After(lifetime) => lifetime.ends_at(now).map(Some),
            Self::Never => Ok(None),
        }
    }
}

impl From<Lifetime> for Expiry {
    fn from(lifetime: Lifetime) -> Self {
        Self::After(lifetime)
    }
}
