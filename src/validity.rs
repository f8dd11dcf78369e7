//! From when until when something is valid: one function for every kind of credential and every method.

use serde::Serialize;

use crate::{Invalid, Lifetime, Timestamp};

/// A window of validity: not before, and until; either end may be open.
///
/// Valid iff `not_before - leeway <= now < expires_at + leeway`, computed exactly at both ends of `i64`
/// (RFC 7519 §4.1.4 and §4.1.5; leeway is zero but for access tokens). An open end is `None`, never a number: 0 and
/// −1 are points in time.
///
/// ```
/// use keygate::{Leeway, Standing, Timestamp, Validity};
///
/// let window = Validity::new(None, Some(Timestamp::from_unix(100)))?;
/// assert_eq!(window.standing(Timestamp::from_unix(99), Leeway::NONE), Standing::Valid);
/// assert_eq!(window.standing(Timestamp::from_unix(100), Leeway::NONE), Standing::Expired);
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Validity {
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl Validity {
    /// Without beginning and without end.
    pub const UNBOUNDED: Self = Self { not_before: None, expires_at: None };

    /// A window between these two.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where both are set and the window is empty: `expires_at <= not_before`.
    pub fn new(not_before: Option<Timestamp>, expires_at: Option<Timestamp>) -> Result<Self, Invalid> {
        match (not_before, expires_at) {
            (Some(from), Some(until)) if until <= from => {
                Err(Invalid::new("expires_at", "a time later than not_before"))
            }
            _ => Ok(Self { not_before, expires_at }),
        }
    }

    /// Until this time.
    #[must_use]
    pub const fn until(expires_at: Timestamp) -> Self {
        Self { not_before: None, expires_at: Some(expires_at) }
    }

    /// The first second at which it is valid.
    #[must_use]
    pub const fn not_before(self) -> Option<Timestamp> {
        self.not_before
    }

    /// The first second at which it is not valid any more.
    #[must_use]
    pub const fn expires_at(self) -> Option<Timestamp> {
        self.expires_at
    }

    /// How the window stands to this moment.
    #[must_use]
    #[inline]
    pub fn standing(self, now: Timestamp, leeway: Leeway) -> Standing {
        // Wide enough that no sum of an i64 and a leeway overflows.
        let now = i128::from(now.as_unix());
        let leeway = i128::from(leeway.0);
        let bound = |time: Timestamp| i128::from(time.as_unix());
        if self.expires_at.is_some_and(|until| now >= bound(until).saturating_add(leeway)) {
            return Standing::Expired;
        }
        if self.not_before.is_some_and(|from| now < bound(from).saturating_sub(leeway)) {
            return Standing::NotYetValid;
        }
        Standing::Valid
    }
}

/// How a window of validity stands to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "before, inside or past: a host's match needs no `_` arm")]
pub enum Standing {
    /// Before its beginning.
    NotYetValid,
    /// Inside.
    Valid,
    /// Past its end.
    Expired,
}

/// By how much the clocks of those who make and those who check access tokens may differ: 0 to 300 seconds.
///
/// It widens a window at both ends. Records are judged without one: they are made and checked by one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leeway(u16);

impl Leeway {
    /// None, the default.
    pub const NONE: Self = Self(0);

    /// So many seconds.
    ///
    /// # Errors
    ///
    /// [`Invalid`] outside 0..=300: a wider leeway would be a longer lifetime for every token.
    pub fn seconds(seconds: i64) -> Result<Self, Invalid> {
        u16::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= 300)
            .map(Self)
            .ok_or(Invalid::new("leeway", "0 to 300 seconds"))
    }

    /// The end of a window that it widens; `None` where that is past the end of time.
    pub(crate) fn after(self, end: Timestamp) -> Option<Timestamp> {
        end.checked_add(Lifetime::seconds(self.0.into()))
    }
}
