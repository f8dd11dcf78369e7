//! Why a store has no answer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::Refusal;

/// Why a store has no answer. It never says that a credential is wrong: an authenticator makes *undecided* of it.
///
/// Clones share the source: one failure may be the answer to many who waited for it.
///
/// ```
/// use keygate::{StoreError, StoreErrorKind};
///
/// let error = StoreError::unavailable(std::io::Error::other("connection reset"));
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "the store did not answer");
/// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection reset");
/// ```
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Arc<dyn Error + Send + Sync>,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store did not answer, or not in time. A write may have taken effect and may not have.
    Unavailable,
    /// What the store holds is no record: it does not decode. A fault, which no retry heals.
    Corrupt,
    /// The store cannot do this: it is read-only, full, of another schema. A write of one record had no effect, and a retry
    /// will not have one.
    Rejected,
}

impl StoreError {
    /// The store did not answer: a lost connection, a deadline, a full queue.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Unavailable, source.into())
    }

    /// What the store holds does not decode; the source is usually a [`DecodeError`](crate::DecodeError).
    #[must_use]
    pub fn corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Corrupt, source.into())
    }

    /// The store cannot do what it was asked: read-only, full, of another schema. Of one record,
    /// nothing was written.
    #[must_use]
    pub fn rejected(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StoreErrorKind::Rejected, source.into())
    }

    fn new(kind: StoreErrorKind, source: Box<dyn Error + Send + Sync>) -> Self {
        Self { kind, source: source.into() }
    }

    /// What kind of failure it was.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Unavailable)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store did not answer",
            StoreErrorKind::Corrupt => "the store's record does not decode",
            StoreErrorKind::Rejected => "the store cannot do this",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<StoreError> for Refusal {
    /// *Undecided*, with the error as its source.
    fn from(error: StoreError) -> Self {
        match error.kind {
            StoreErrorKind::Corrupt => Self::record_corrupt(error),
            StoreErrorKind::Unavailable => Self::store_unavailable(error),
            StoreErrorKind::Rejected => Self::store_rejected(error),
        }
    }
}
