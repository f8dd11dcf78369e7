//! What SQLite's failures mean to whoever asked a store.

use keygate::StoreError;
use rusqlite::{ErrorCode, ffi};
use thiserror::Error;

/// Why a piece of work on a connection has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    /// What is known already.
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// No room for the file; or for its index in shared memory, which is what SQLite says where the file itself is long enough.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}

/// SQLite's own words, and before them what to do.
#[derive(Debug, Error)]
#[error("{advice}")]
struct Advised {
    advice: &'static str,
    source: rusqlite::Error,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let error = match failure {
            Failure::Store(error) => return error,
            Failure::Sqlite(error) => error,
        };
        let (make, advice): (fn(Advised) -> Self, _) = match error.sqlite_error_code() {
            _ if is_full(&error) => {
                (Self::rejected, "the disk or its quota is full: make room for the database file")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                Self::unavailable,
                "the database is locked: find what holds its lock for so long, or raise the busy timeout",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                (Self::corrupt, "the database file is damaged: restore it from a backup")
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
                Self::rejected,
                "the database cannot be written: make its file and its folder writable for this process",
            ),
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::SchemaChanged,
            ) => (Self::unavailable, "the database file does not answer: look at its disk"),
            // A table that is gone, a trigger of somebody else's, a value that is too long; or what is said by rusqlite itself.
            Some(
                ErrorCode::Unknown
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::ParameterOutOfRange,
            )
            | None => (
                Self::rejected,
                "the database does not take this: see whether something else changed its tables",
            ),
            _ => (Self::unavailable, "the database failed in a way that says nothing of what was done"),
        };
        make(Advised { advice, source: error })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use keygate::StoreErrorKind::{Corrupt, Rejected, Unavailable};

    /// Each code that SQLite documents for what happens to files, its kind, and a word of the advice.
    #[test]
    fn what_sqlite_says_becomes_what_to_do() {
        for (code, kind, advice) in [
            (ffi::SQLITE_BUSY, Unavailable, "busy timeout"),
            (ffi::SQLITE_BUSY_SNAPSHOT, Unavailable, "busy timeout"),
            (ffi::SQLITE_LOCKED, Unavailable, "busy timeout"),
            (ffi::SQLITE_IOERR_FSYNC, Unavailable, "disk"),
            (ffi::SQLITE_CANTOPEN, Unavailable, "disk"),
            (ffi::SQLITE_NOMEM, Unavailable, "disk"),
            (ffi::SQLITE_CORRUPT, Corrupt, "backup"),
            (ffi::SQLITE_NOTADB, Corrupt, "backup"),
            (ffi::SQLITE_FULL, Rejected, "make room"),
            (ffi::SQLITE_IOERR_SHMSIZE, Rejected, "make room"),
            (ffi::SQLITE_READONLY, Rejected, "writable"),
            (ffi::SQLITE_READONLY_DBMOVED, Rejected, "writable"),
            (ffi::SQLITE_ERROR, Rejected, "changed its tables"),
            (ffi::SQLITE_CONSTRAINT_TRIGGER, Rejected, "changed its tables"),
            (ffi::SQLITE_INTERNAL, Unavailable, "says nothing"),
            (ffi::SQLITE_PROTOCOL, Unavailable, "disk"),
        ] {
            let failure = Failure::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            let error = StoreError::from(failure);
            let source = error.source().unwrap();
            assert_eq!(error.kind(), kind, "{code}");
            assert!(source.to_string().contains(advice), "{code}: {source}");
            assert!(source.source().is_some(), "{code}: SQLite's own words are behind it");
        }
    }
}
