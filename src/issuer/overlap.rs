//! How long a rotated secret is accepted beside the new one.

use crate::{Invalid, Lifetime, Timestamp};

/// How long a secret that a rotation replaces is still accepted.
///
/// ```
/// use keygate::Overlap;
///
/// assert_eq!(Overlap::minutes(5), Overlap::seconds(300));
/// assert_eq!(Overlap::NONE, Overlap::seconds(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Overlap(Lifetime);

impl Overlap {
    /// Not at all: it ends at once, by any clock.
    pub const NONE: Self = Self::seconds(0);

    /// So many seconds.
    #[must_use]
    pub const fn seconds(n: u64) -> Self {
        Self(Lifetime::seconds(n))
    }

    /// So many minutes.
    #[must_use]
    pub const fn minutes(n: u32) -> Self {
        Self(Lifetime::minutes(n))
    }

    /// So many hours.
    #[must_use]
    pub const fn hours(n: u32) -> Self {
        Self(Lifetime::hours(n))
    }

    /// So many days of 24 hours.
    #[must_use]
    pub const fn days(n: u32) -> Self {
        Self(Lifetime::days(n))
    }

    /// When an overlap that begins now ends: not after the credential does.
    pub(super) fn ends_at(self, now: Timestamp, expires_at: Option<Timestamp>) -> Result<Timestamp, Invalid> {
        if self == Self::NONE {
            return Ok(Timestamp::MIN);
        }
        Timestamp::earlier(now.checked_add(self.0), expires_at)
            .ok_or(Invalid::new("overlap", "an end that fits into a timestamp"))
    }
}
