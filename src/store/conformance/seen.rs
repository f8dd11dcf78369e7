//! What a check comes to, and the few ways to say what was seen.

use std::error::Error;

use crate::{Invalid, StoreError};

pub(super) type Checked<T = ()> = Result<T, Seen>;

/// What a store did instead of what was expected.
pub(super) struct Seen(pub(super) String);

/// Else this was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)*) => {
        if !$holds {
            return Err($crate::store::conformance::seen::Seen(format!($($seen)*)));
        }
    };
}
pub(super) use ensure;

/// Else the other was seen, of what is named.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)*) => {
        match (&$found, &$expected) {
            (found, expected) => $crate::store::conformance::seen::ensure!(
                found == expected,
                "{}: {found:?} instead of {expected:?}",
                format_args!($($what)*)
            ),
        }
    };
}
pub(super) use ensure_eq;

impl Seen {
    pub(super) fn error(error: &StoreError) -> Self {
        let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
        Self(format!("an error: {error}{source}"))
    }
}

impl From<StoreError> for Seen {
    fn from(error: StoreError) -> Self {
        Self::error(&error)
    }
}

impl From<Invalid> for Seen {
    fn from(invalid: Invalid) -> Self {
        Self(format!("a value that the kit itself made is not accepted: {invalid}"))
    }
}
