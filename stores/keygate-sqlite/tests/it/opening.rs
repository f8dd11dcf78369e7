//! What a file is when it is open, and which files are not opened: each error says what to do.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use keygate::Store as _;
use keygate_sqlite::{OpenError, SqliteStore, Threading};
use pollster::block_on;
use rusqlite::Connection;

use crate::support::{File, at, chain, of, put, read, user, whole};

#[track_caller]
fn refused(path: &Path) -> OpenError {
    SqliteStore::open(path, Threading::inline()).unwrap_err()
}

#[test]
fn a_file_is_made_and_found_again() {
    let file = File::new();
    let (record, uses) = {
        let store = file.open();
        let record = put(&store, of(&user("u-17"), "a").name("laptop"));
        block_on(store.record_uses(&[keygate::Use { key: record.key(), secret: 1, at: at(7) }])).unwrap();
        let entry = read(&store, record.key()).unwrap();
        assert_eq!(entry.uses.of(1), Some(at(7)));
        (record, whole(&entry))
    };
    assert_eq!(whole(&read(&file.open(), record.key()).unwrap()), uses);
}

/// What the file remembers, seen from outside; what holds for the store's own connections is asked back as it is opened.
#[test]
fn a_file_says_what_it_is() {
    let file = File::new();
    let store = file.open();
    let raw = file.raw();
    let text = |pragma| raw.pragma_query_value(None, pragma, |row| row.get::<_, String>(0)).unwrap();
    let number = |pragma| raw.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("journal_mode"), "wal");
    assert_eq!((number("application_id"), number("user_version")), (0x6b67_6174, 1));
    drop(store);
}

/// All of them are of the one user.
#[cfg(unix)]
#[test]
fn nobody_else_reads_a_new_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let file = File::new();
    let store = file.open();
    put(&store, of(&user("u-17"), "a"));
    let mut files = 0;
    for found in fs::read_dir(file.folder()).unwrap() {
        assert_eq!(found.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log and the log's index");
}

#[test]
fn threads_open_a_new_file_at_once() {
    for _ in 0..20 {
        let file = File::new();
        thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || put(&file.open(), of(&user("u-17"), &format!("id-{number}"))));
            }
        });
        assert_eq!(block_on(file.open().list(&user("u-17"), None, 99)).unwrap().len(), 8);
    }
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let file = File::new();
    for path in ["", ":memory:"] {
        let error = refused(path.as_ref());
        assert!(matches!(error, OpenError::NoFile), "{error:?}");
        assert!(error.to_string().contains("give a path"));
    }
    let error = refused(&file.folder().join("missing").join("credentials.db"));
    assert!(matches!(error, OpenError::NoFolder), "{error:?}");
    assert!(error.to_string().contains("create it"));
    let error = refused(file.folder());
    assert!(matches!(error, OpenError::CannotOpen(_)), "{error:?}");
    assert!(error.to_string().contains("it must be a file"));
    assert_eq!(fs::read_dir(file.folder()).unwrap().count(), 0);
}

/// Neither a byte nor the journal mode of a file that is not ours changes.
#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let file = File::new();
    type Case = (&'static str, fn(&Path));
    let cases: [Case; 5] = [
        ("AnotherApplication { application: 0 }", |path| {
            Connection::open(path).unwrap().execute_batch("CREATE TABLE invoice (number)").unwrap();
        }),
        ("AnotherApplication { application: 7 }", |path| {
            Connection::open(path).unwrap().execute_batch("PRAGMA application_id = 7").unwrap();
        }),
        ("AnotherApplication { application: 0 }", |path| {
            Connection::open(path).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
        }),
        ("NotADatabase", |path| fs::write(path, "name,secret\n".repeat(400)).unwrap()),
        ("NotADatabase", |path| fs::write(path, b"SQLite format 2\0 and then something else").unwrap()),
    ];
    for (expected, make) in cases {
        make(file.path());
        let before = fs::read(file.path()).unwrap();
        let error = refused(file.path());
        assert_eq!(format!("{error:?}"), expected);
        assert!(error.to_string().contains("give"), "{error}");
        assert!(fs::read(file.path()).unwrap() == before, "{expected}");
        assert_eq!(fs::read_dir(file.folder()).unwrap().count(), 1);
        fs::remove_file(file.path()).unwrap();
    }
}

#[test]
fn a_newer_schema_is_not_touched() {
    let file = File::new();
    let store = file.open();
    let record = put(&store, of(&user("u-17"), "a"));
    file.raw().pragma_update(None, "user_version", 2).unwrap();
    let error = refused(file.path());
    assert!(matches!(error, OpenError::NewerSchema { found: 2, known: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("upgrade keygate-sqlite"));

    // The same for a store that was open before: it writes nothing into tables that it does not know.
    let next = crate::support::built(record.to_builder().version(2));
    let error = block_on(store.update(1, &next)).unwrap_err();
    assert_eq!(error.kind(), keygate::StoreErrorKind::Rejected);
    assert!(chain(&error).contains("upgrade keygate-sqlite"), "{}", chain(&error));
    file.raw().pragma_update(None, "user_version", 1).unwrap();
    assert_eq!(read(&file.open(), record.key()).unwrap().record.version(), 1);
}

#[test]
fn a_locked_file_is_waited_for_and_then_given_up() {
    let file = File::new();
    let raw = file.raw();
    raw.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let open = || {
        SqliteStore::builder(file.path(), Threading::inline()).busy_timeout(Duration::from_millis(20)).open()
    };
    let error = open().unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)), "{error:?}");
    assert!(error.to_string().contains("raise the busy timeout"));
    raw.execute_batch("ROLLBACK").unwrap();
    drop(open().unwrap());
}

/// Permissions are nothing to the superuser, so then a process of another user tries.
#[cfg(unix)]
#[test]
fn a_file_or_a_folder_that_is_read_only_is_refused() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;

    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let file = File::new();
    let program = file.folder().join("child");
    // By another process: a child that another test starts meanwhile would have this one's copy open for writing, and what is
    // open so cannot be started.
    let copied =
        std::process::Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    put(&file.open(), of(&user("u-17"), "a"));
    let is_superuser = fs::metadata(file.path()).unwrap().uid() == 0;
    let opened = || {
        let mut command = crate::child::started(program.as_os_str(), "open", file.path());
        if is_superuser {
            command.uid(65_534).gid(65_534).current_dir(file.folder());
        }
        crate::child::said(command.output().unwrap()).remove(0)
    };

    allow(file.folder(), 0o755);
    allow(file.path(), 0o444);
    let answer = opened();
    assert!(
        answer.starts_with("ReadOnly, ") && answer.contains("make it and its folder writable"),
        "{answer}"
    );
    allow(file.path(), 0o666);
    allow(file.folder(), 0o555);
    let answer = opened();
    assert!(
        answer.starts_with("ReadOnly, ") && answer.contains("make it and its folder writable"),
        "{answer}"
    );
    // The same process opens it where it may.
    allow(file.folder(), 0o777);
    assert_eq!(opened(), "it is open");
    allow(file.folder(), 0o700);
}

#[test]
fn nothing_of_what_is_in_it_is_shown() {
    let file = File::new();
    let store = file.open();
    put(&store, of(&user("u-17"), "a").name("laptop"));
    let shown = format!("{store:?}");
    assert!(shown.starts_with("SqliteStore { path:") && !shown.contains("laptop") && !shown.contains("u-17"));
}

/// A link to where no file is yet: SQLite makes it there, and it is readable by its user alone all the same.
#[test]
#[cfg(unix)]
fn a_file_that_is_made_behind_links_is_not_for_others() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let file = File::new();
    let folder = file.folder();
    fs::create_dir(folder.join("elsewhere")).unwrap();
    symlink("second", file.path()).unwrap();
    symlink("elsewhere/real.db", folder.join("second")).unwrap();
    let store = file.open();
    put(&store, of(&user("u-17"), "a"));
    for name in ["real.db", "real.db-wal", "real.db-shm"] {
        let mode = folder.join("elsewhere").join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// What looks like a URI is the name of a file. (It needs a relative path, and so a process of its own folder.)
#[test]
fn a_path_is_never_a_uri() {
    let file = File::new();
    let name = "file:real.db?cache=shared";
    let command = &mut super::child::command("open", Path::new(name));
    super::child::said(command.current_dir(file.folder()).output().unwrap());
    assert!(file.folder().join(name).is_file());
    assert!(!file.folder().join("real.db").exists());
}
