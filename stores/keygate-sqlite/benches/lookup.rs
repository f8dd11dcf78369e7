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

use std::future::Future;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use keygate::{
    CredentialId, CredentialKey, DigestKeys, Issuer, Kind, Lifetime, Lookup as _, NewServiceToken, Record,
    Store as _, Updated,
};
use keygate_sqlite::{SqliteStore, Threading};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::runtime::Runtime;

const CREDENTIALS: usize = 1_024;
const ROUNDS: usize = 201;

fn main() {
    // `cargo bench` says `--bench`; without it one round shows that all cases work.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
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
        // Cases of a cache in front of the store belong here.
        // Into another file: a write empties the caches of whoever reads the same.
        written("update", &folder.path().join("written.db")),
    ];
    let order = order();
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for _ in 0..rounds {
        cases.iter().zip(&mut times).for_each(|(case, times)| times.push(case.time(&order)));
    }

    println!(
        "one interleaved run, one process: {rounds} rounds of all cases, {CREDENTIALS} credentials in a shuffled order"
    );
    println!(
        "a ratio is the median over rounds of (time of the case / time of the raw SELECT in the same round)\n"
    );
    println!("{:<26} {:>10} {:>10} {:>10} {:>16}", "case", "x raw", "10 %", "90 %", "us, this machine");
    let mut lines = String::new();
    for (case, case_times) in cases.iter().zip(&times) {
        let ratios = sorted(case_times.iter().zip(&times[0]).map(|(case, raw)| case / raw));
        let [low, median, high] = [10, 50, 90].map(|percent| ratios[(ratios.len() - 1) * percent / 100]);
        let times = sorted(case_times.iter().copied());
        let (name, time) = (case.name, times[times.len() / 2] * 1e6);
        println!("{name:<26} {median:>10.2} {low:>10.2} {high:>10.2} {time:>16.2}");
        lines += &format!("ratio sqlite_{name} {median:.2}\n");
    }
    print!("\n{lines}");
}

/// An operation on the credential of a number, and on how many of them it runs in one batch.
struct Case {
    name: &'static str,
    batch: usize,
    operation: Box<dyn Fn(usize) -> bool>,
}

impl Case {
    fn new(name: &'static str, operation: impl Fn(usize) -> bool + 'static) -> Self {
        Self { name, batch: CREDENTIALS, operation: Box::new(operation) }
    }

    /// A smaller batch, for what takes longer.
    fn batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// Seconds an operation, over one batch. A batch before it keeps a case from paying for the caches that its neighbour left.
    fn time(&self, order: &[usize]) -> f64 {
        let run = || {
            order[..self.batch].iter().for_each(|&at| assert!(black_box((self.operation)(black_box(at)))));
        };
        run();
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() / self.batch as f64
    }
}

/// A file with service tokens of three scopes.
fn filled(path: &Path) -> Arc<[CredentialKey]> {
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    let issuer = Issuer::new(store, DigestKeys::ephemeral().expect("random"));
    let issue = |number: usize| {
        let new =
            NewServiceToken::new("acme", "web", Lifetime::hours(8)).name(&format!("deploy {number}")).scopes(
                ["read@web/prod:/app/**", "read,update@web/staging:/**", "*@web/dev:/**"]
                    .map(|it| it.parse().expect("a scope")),
            );
        pollster::block_on(issuer.service_tokens().issue(new)).expect("is issued").record.key()
    };
    (0..CREDENTIALS).map(issue).collect()
}

/// All credentials, each once, in an order that no prefetcher guesses and that is the same in every run.
fn order() -> Vec<usize> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut order: Vec<usize> = (0..CREDENTIALS).collect();
    order.sort_by_cached_key(|credential| hasher.hash_one(credential));
    order
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

/// The answer of a future that is ready.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("inline, an answer is there at once"),
    }
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
    Case::new(name, move |at| {
        let (connection, CredentialKey { kind, id }) = (Arc::clone(&connection), keys[at]);
        let work = move || select(&connection, kind, CredentialId::as_str(&id));
        runtime.block_on(async { tokio::task::spawn_blocking(work).await }).expect("is done").is_some()
    })
    .batch(CREDENTIALS / 8)
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
    Case::new(name, move |at| {
        runtime.block_on(store.find(keys[at].kind, &keys[at].id)).expect("answers").is_some()
    })
    .batch(CREDENTIALS / 8)
}

/// A write, with the read that it needs, which waits for the disk.
fn written(name: &'static str, path: &Path) -> Case {
    let keys = filled(path);
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    Case::new(name, move |at| {
        let seen = now(store.find(keys[at].kind, &keys[at].id)).expect("answers").expect("is there");
        let next = seen.to_builder().version(seen.version() + 1).build().expect("a record");
        now(store.update(seen.version(), &Arc::new(next))).expect("answers") == Updated::Yes
    })
    .batch(4)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
