//! Why a file is not opened as a store.

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::failure::is_full;

/// Why a file is not opened as a store; each says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The path names no file: it is empty, or SQLite's name for a database in memory.
    #[error("a store needs a file of its own: give a path, or use keygate's MemoryStore")]
    NoFile,
    /// The folder of the file is not there.
    #[error("the folder of the database file does not exist, or is no folder: create it")]
    NoFolder,
    /// The file, or those that SQLite has to make beside it, cannot be opened.
    #[error(
        "the database file cannot be opened: it must be a file, and its folder be writable for this process"
    )]
    CannotOpen(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file can be read and not be written.
    #[error("the database file is read-only: make it and its folder writable for this process")]
    ReadOnly,
    /// The file is something else.
    #[error("the file is no SQLite database, or is damaged: give another path, or restore it from a backup")]
    NotADatabase,
    /// The database belongs to another program. Nothing of it was changed.
    #[error("the database belongs to another application (id {application}): give keygate a file of its own")]
    AnotherApplication {
        /// The application that its header names; 0 where it names none.
        application: i32,
    },
    /// A newer release has changed the tables.
    #[error(
        "the database has schema {found}, this release of keygate-sqlite knows schema {known}: upgrade keygate-sqlite"
    )]
    NewerSchema {
        /// The file's.
        found: i32,
        /// The newest that this release knows.
        known: i32,
    },
    /// A setting did not take: some file systems, those of networks above all, cannot do what it needs.
    #[error("the database does not take {setting}: put its file on a local disk")]
    Setting {
        /// The setting, as a pragma of SQLite's.
        setting: &'static str,
    },
    /// The program was linked with a SQLite that can damage a file which several connections write.
    #[error("the program has SQLite {found}, keygate-sqlite needs 3.51.3: build with its bundled SQLite")]
    OldSqlite {
        /// The version that it has.
        found: &'static str,
    },
    /// Another process kept the file locked for longer than the busy timeout.
    #[error("the database is locked: find what holds its lock for so long, or raise the busy timeout")]
    Locked(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no room for the file, or for the index that SQLite makes beside it.
    #[error("the disk or its quota is full: make room for the database file")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else that SQLite says.
    #[error("the database file does not answer: look at its disk")]
    Sqlite(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            _ if is_full(&error) => Self::Full(error.into()),
            Some(ErrorCode::CannotOpen) => Self::CannotOpen(error.into()),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::NotADatabase,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(error.into()),
            _ => Self::Sqlite(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// A word of what each says to do.
    #[test]
    fn what_sqlite_says_becomes_what_to_do() {
        for (code, advice) in [
            (ffi::SQLITE_FULL, "make room"),
            (ffi::SQLITE_IOERR_SHMSIZE, "make room"),
            (ffi::SQLITE_IOERR_SHMOPEN, "look at its disk"),
            (ffi::SQLITE_CANTOPEN, "cannot be opened"),
            (ffi::SQLITE_READONLY, "writable"),
            (ffi::SQLITE_PERM, "writable"),
            (ffi::SQLITE_NOTADB, "backup"),
            (ffi::SQLITE_CORRUPT, "backup"),
            (ffi::SQLITE_BUSY, "busy timeout"),
            (ffi::SQLITE_LOCKED, "busy timeout"),
        ] {
            let error = OpenError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(error.to_string().contains(advice), "{code}: {error}");
        }
    }
}
