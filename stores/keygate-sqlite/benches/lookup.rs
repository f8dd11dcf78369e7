//! `cargo bench -p keygate-sqlite --all-features --bench lookup`: finding a record, as multiples of what the driver takes for the
//! same bytes.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that is wrong should stop, and it prints"
)]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use keygate::{
    CredentialId, CredentialKey, DigestKeys, Issuer, Kind, Lookup as _, Record, Store as _, Updated,
};
use keygate_sqlite::{SqliteStore, Threading};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::runtime::Runtime;

use self::common::{CREDENTIALS, Case, compare, now, token};

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials.db");
    let keys = filled(&path);
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let cases = [
        // The first is what the others are measured by.
        raw("raw_select", &path, &keys),
        found("find", SqliteStore::open(&path, Threading::inline()).expect("opens"), &keys),
        missed("miss", SqliteStore::open(&path, Threading::inline()).expect("opens"), &keys),
        raw_miss("raw_miss", &path, &keys),
        decoded("decode", &path, &keys),
        raw_spawned("raw_select_tokio", &path, &keys, &runtime),
        found_spawned("find_tokio", &path, &keys, &runtime, Threading::tokio()),
        found_spawned(
            "find_tokio_lookups_inline",
            &path,
            &keys,
            &runtime,
            Threading::tokio().lookups_inline(),
        ),
        // Into another file: a write empties the caches of whoever reads the same.
        written("update", &folder.path().join("written.db")),
    ];
    compare(&cases, "sqlite");
}

/// A file with service tokens.
fn filled(path: &Path) -> Arc<[CredentialKey]> {
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    let issuer = Issuer::new(store, DigestKeys::ephemeral().expect("random"));
    let issue = |number: usize| {
        pollster::block_on(issuer.service_tokens().issue(token(number))).expect("is issued").record.key()
    };
    (0..CREDENTIALS).map(issue).collect()
}

fn connection(path: &Path) -> Arc<Mutex<Connection>> {
    let connection = Connection::open(path).expect("opens");
    connection.pragma_update(None, "query_only", 1).expect("is set");
    Arc::new(Mutex::new(connection))
}

/// What a host would write by hand: the bytes of a record by its key.
fn select(connection: &Mutex<Connection>, kind: Kind, id: &str) -> Option<Vec<u8>> {
    let connection = connection.lock().expect("no panic");
    let mut statement = connection
        .prepare_cached("SELECT record FROM keygate_credential WHERE kind = ?1 AND id = ?2")
        .expect("is prepared");
    statement.query_row(params![kind.as_str(), id], |row| row.get(0)).optional().expect("is read")
}

fn raw(name: &'static str, path: &Path, keys: &Arc<[CredentialKey]>) -> Case {
    let (connection, keys) = (connection(path), Arc::clone(keys));
    Case::new(name, move |at| select(&connection, keys[at].kind, keys[at].id.as_str()).is_some())
}

fn raw_miss(name: &'static str, path: &Path, keys: &Arc<[CredentialKey]>) -> Case {
    let (connection, keys) = (connection(path), Arc::clone(keys));
    Case::new(name, move |at| select(&connection, Kind::ApiKey, keys[at].id.as_str()).is_none())
}

/// What the first finding of a record takes beside: its bytes are read. Those that were read before are recognised.
fn decoded(name: &'static str, path: &Path, keys: &Arc<[CredentialKey]>) -> Case {
    let connection = connection(path);
    let rows: Vec<Vec<u8>> =
        keys.iter().map(|key| select(&connection, key.kind, key.id.as_str()).expect("is there")).collect();
    Case::new(name, move |at| Record::decode(&rows[at]).is_ok())
}

fn found(name: &'static str, store: SqliteStore, keys: &Arc<[CredentialKey]>) -> Case {
    let keys = Arc::clone(keys);
    Case::new(name, move |at| now(store.find(keys[at].kind, &keys[at].id)).expect("answers").is_some())
}

fn missed(name: &'static str, store: SqliteStore, keys: &Arc<[CredentialKey]>) -> Case {
    let keys = Arc::clone(keys);
    Case::new(name, move |at| now(store.find(Kind::ApiKey, &keys[at].id)).expect("answers").is_none())
}

fn raw_spawned(name: &'static str, path: &Path, keys: &Arc<[CredentialKey]>, runtime: &Arc<Runtime>) -> Case {
    let (connection, keys, runtime) = (connection(path), Arc::clone(keys), Arc::clone(runtime));
    let mut case = Case::new(name, move |at| {
        let (connection, CredentialKey { kind, id }) = (Arc::clone(&connection), keys[at]);
        let work = move || select(&connection, kind, CredentialId::as_str(&id));
        runtime.block_on(async { tokio::task::spawn_blocking(work).await }).expect("is done").is_some()
    });
    case.batch = CREDENTIALS / 8;
    case
}

fn found_spawned(
    name: &'static str,
    path: &Path,
    keys: &Arc<[CredentialKey]>,
    runtime: &Arc<Runtime>,
    threading: Threading,
) -> Case {
    let store = SqliteStore::open(path, threading).expect("opens");
    let (keys, runtime) = (Arc::clone(keys), Arc::clone(runtime));
    let mut case = Case::new(name, move |at| {
        runtime.block_on(store.find(keys[at].kind, &keys[at].id)).expect("answers").is_some()
    });
    case.batch = CREDENTIALS / 8;
    case
}

/// A write, with the read that it needs, which waits for the disk.
fn written(name: &'static str, path: &Path) -> Case {
    let keys = filled(path);
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    // It takes longer than the others.
    let mut case = Case::new(name, move |at| {
        let seen = now(store.find(keys[at].kind, &keys[at].id)).expect("answers").expect("is there");
        let next = seen.to_builder().version(seen.version() + 1).build().expect("a record");
        now(store.update(seen.version(), &Arc::new(next))).expect("answers") == Updated::Yes
    });
    case.batch = 4;
    case
}
