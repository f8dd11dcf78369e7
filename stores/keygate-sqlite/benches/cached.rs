//! `cargo bench -p keygate-sqlite --all-features --bench cached`: a verification behind a cache, as multiples of one over the
//! memory store.
//!
//! From a header line to a caller, by `Authenticator`, of service tokens with three scopes.

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

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keygate::{
    Authenticator, Cached, CredentialId, DigestKeys, Issuer, Kind, Lookup, MemoryStore, Record, Store as _,
    StoreError, SystemRandom,
};
use keygate_sqlite::{SqliteStore, Threading};

use self::common::{CREDENTIALS, Case, compare, now, token};

/// Longer than a run.
const LONG: Duration = Duration::from_secs(60);

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials.db");
    let keys = DigestKeys::ephemeral().expect("random");
    let memory = MemoryStore::new();
    let lines = filled(&path, &memory, &keys);
    let open = || SqliteStore::open(&path, Threading::inline()).expect("opens");
    let gate = |lookup: Box<dyn Lookup>| Authenticator::new(lookup, keys.clone());
    let cached =
        |bound| Cached::builder(open()).max_staleness(bound).max_absence(bound).build().expect("in range");

    // Their guards hold, and nothing has them.
    let unknown: Arc<[String]> = (0..CREDENTIALS)
        .map(|_| keys.draw(Kind::ServiceToken, &SystemRandom).expect("random"))
        .map(|drawn| format!("Bearer {}", drawn.text.expose()))
        .collect();
    let cases = [
        // The first is what the others are measured by.
        verified("memory", gate(Box::new(memory)), &lines),
        verified("hit", gate(Box::new(cached(LONG))), &lines),
        forgotten(50, "hits_98_in_100", &keys, cached(LONG), &lines),
        forgotten(1, "miss", &keys, cached(LONG), &lines),
        verified("sqlite", gate(Box::new(open())), &lines),
        refused("absent_hit", gate(Box::new(cached(LONG))), &unknown),
        refused("absent_sqlite", gate(Box::new(open())), &unknown),
    ];
    compare(&cases, "cached");
    cold(&path, &keys, &lines[0]);
}

/// The same tokens in both stores; their header lines.
fn filled(path: &Path, memory: &MemoryStore, keys: &DigestKeys) -> Arc<[String]> {
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    let issuer = Issuer::new(memory.clone(), keys.clone());
    let issue = |number: usize| {
        let issued = pollster::block_on(issuer.service_tokens().issue(token(number))).expect("is issued");
        let _inserted = now(store.insert(&issued.record)).expect("is inserted");
        format!("Bearer {}", issued.text.expose())
    };
    (0..CREDENTIALS).map(issue).collect()
}

fn verified(name: &'static str, gate: Authenticator, lines: &Arc<[String]>) -> Case {
    let lines = Arc::clone(lines);
    Case::new(name, move |at| now(gate.authenticate([("authorization", &lines[at])])).is_ok())
}

fn refused(name: &'static str, gate: Authenticator, lines: &Arc<[String]>) -> Case {
    let lines = Arc::clone(lines);
    Case::new(name, move |at| now(gate.authenticate([("authorization", &lines[at])])).is_err())
}

/// One in so many is forgotten before it is asked for.
fn forgotten(
    one_in: usize,
    name: &'static str,
    keys: &DigestKeys,
    cached: Cached<SqliteStore>,
    lines: &Arc<[String]>,
) -> Case {
    let (gate, lines) = (Authenticator::new(cached.clone(), keys.clone()), Arc::clone(lines));
    let ask = move |at: usize| now(gate.authenticate([("authorization", &lines[at])]));
    let known: Vec<_> = (0..CREDENTIALS).map(|at| ask(at).expect("is a caller").credential()).collect();
    let asked = Cell::new(0_usize);
    Case::new(name, move |at| {
        asked.set(asked.get() + 1);
        if asked.get().is_multiple_of(one_in) {
            cached.invalidate(&known[at]);
        }
        ask(at).is_ok()
    })
}

/// A store that counts how often it is asked, and answers when all are waiting.
struct Counted(SqliteStore, AtomicUsize);

#[async_trait]
impl Lookup for Counted {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.find(kind, id).await
    }
}

/// Ten thousand tasks ask for one credential that nobody asked for before.
fn cold(path: &Path, keys: &DigestKeys, line: &str) {
    const TASKS: usize = 10_000;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = SqliteStore::open(path, Threading::tokio()).expect("opens");
    let counted = Arc::new(Counted(store, AtomicUsize::new(0)));
    let gate = Authenticator::new(Cached::new(Arc::clone(&counted)), keys.clone());
    let start = Instant::now();
    let callers = runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (gate, line) = (gate.clone(), line.to_owned());
                tokio::spawn(async move { gate.authenticate([("authorization", line)]).await.is_ok() })
            })
            .collect();
        let mut callers = 0;
        for task in tasks {
            callers += usize::from(task.await.expect("no panic"));
        }
        callers
    });
    let (reads, took) = (counted.1.load(Ordering::Relaxed), start.elapsed());
    assert_eq!((callers, reads), (TASKS, 1));
    println!(
        "\n{TASKS} tasks ask for one cold credential: {callers} callers, {reads} read of the store, {took:.0?}"
    );
}
