//! Opening a file: its settings, each asked back.

use std::path::{Path, PathBuf, absolute};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::database::Database;
use crate::pool::Pool;
use crate::schema;
use crate::{OpenError, SqliteStore, Threading};

/// Sets a store up: [`SqliteStore::builder`].
#[derive(Debug)]
#[must_use = "a builder opens a store when `open` is called"]
pub struct SqliteStoreBuilder {
    path: PathBuf,
    threading: Threading,
    busy_timeout: Duration,
}

impl SqliteStoreBuilder {
    pub(crate) const fn new(path: PathBuf, threading: Threading) -> Self {
        Self { path, threading, busy_timeout: Duration::from_secs(5) }
    }

    /// How long a call waits for a connection, and then again for the lock of another process, before it is *undecided*: 5
    /// seconds unless set, in whole milliseconds; an hour where it is longer. Shorter than a deadline around the store, it tells a
    /// lock from a slow disk.
    pub fn busy_timeout(self, timeout: Duration) -> Self {
        const LONGEST: Duration = Duration::from_secs(3_600);
        Self { busy_timeout: timeout.min(LONGEST), ..self }
    }

    /// Opens the file, makes it where there is none (for this user's eyes only), and brings its tables up to date. It blocks as
    /// long as that takes.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do. A file that is not keygate's is left as it is.
    pub fn open(self) -> Result<SqliteStore, OpenError> {
        let Self { path, threading, busy_timeout } = self;
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(OpenError::OldSqlite { found: rusqlite::version() });
        }
        if path.as_os_str().is_empty() || path == Path::new(":memory:") {
            return Err(OpenError::NoFile);
        }
        // Absolute, it is no URI, which would carry options of somebody else's: whether SQLite reads them is set where it is built.
        let path = absolute(&path).map_err(|error| OpenError::CannotOpen(error.into()))?;
        if folder(&path).is_some_and(|folder| !folder.is_dir()) {
            return Err(OpenError::NoFolder);
        }
        create(&path);
        let mut writer = connect(&path, busy_timeout)?;
        if writer.is_readonly("main")? {
            return Err(OpenError::ReadOnly);
        }
        schema::check_owner(&writer)?;
        write_ahead(&writer, busy_timeout)?;
        settle(&writer, busy_timeout)?;
        schema::migrate(&mut writer, schema::STEPS)?;

        let readers = (0..readers()).map(|_| {
            let reader = connect(&path, busy_timeout)?;
            settle(&reader, busy_timeout)?;
            set(&reader, "query_only", 1)?;
            Ok(reader)
        });
        let readers = readers.collect::<Result<Vec<_>, OpenError>>()?;
        let database = Database::new(Pool::new(vec![writer], busy_timeout), Pool::new(readers, busy_timeout));
        Ok(SqliteStore::new(path, database, threading))
    }
}

/// Before it, two connections could damage a file in WAL mode.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Few, and no fewer than there are cores to read with: a reader is busy for microseconds.
fn readers() -> usize {
    thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

/// SQLite would make it readable for everybody; its other files get the permissions of this one. Whatever fails here fails
/// again where it is opened, and is reported there.
///
/// A file that is there is not opened: to close it would take the locks of this process's other connections to it.
fn create(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(behind_links(path)));
}

/// Where SQLite makes the file, if the path is a link to what is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = folder(&path).map_or(target.clone(), |folder| folder.join(target));
    }
    path
}

fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection, OpenError> {
    // No lock of SQLite's own, since a pool lends each to one thread.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Write-ahead logging, so that readers and the writer do not wait for each other. The file remembers it.
fn write_ahead(connection: &Connection, busy_timeout: Duration) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .map_err(OpenError::from);
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => return Err(OpenError::Setting { setting: "journal_mode = wal" }),
            // Two processes that open a new file at once: where both read, SQLite does not wait by itself.
            Err(OpenError::Locked(_)) if begun.elapsed() < busy_timeout => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
}

/// What holds for one connection.
fn settle(connection: &Connection, busy_timeout: Duration) -> Result<(), OpenError> {
    // FULL: a write that is acknowledged is on the disk, also in WAL mode.
    set(connection, "synchronous", 2)?;
    // Where fsync does not mean the disk, on macOS.
    set(connection, "fullfsync", 1)?;
    set(connection, "foreign_keys", 1)?;
    // The file may have been in other hands: nothing in its schema is run that could do harm, and its pages are checked.
    set(connection, "trusted_schema", 0)?;
    set(connection, "cell_size_check", 1)?;
    let asked = i64::try_from(busy_timeout.as_millis()).unwrap_or(i64::MAX);
    let waits: i64 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    if waits == asked { Ok(()) } else { Err(OpenError::Setting { setting: "busy_timeout" }) }
}

/// Sets a pragma and asks it back: SQLite is silent about one that it does not take.
fn set(connection: &Connection, setting: &'static str, value: i64) -> Result<(), OpenError> {
    connection.pragma_update(None, setting, value)?;
    let found: i64 = connection.pragma_query_value(None, setting, |row| row.get(0))?;
    if found == value { Ok(()) } else { Err(OpenError::Setting { setting }) }
}
