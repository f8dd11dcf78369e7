//! `cargo bench -p keygate-sqlite --bench locked`: a verification while another process holds the file's lock for writing, as a
//! multiple of one without.
//!
//! From a header line to a caller, by `Authenticator`, each noted by a `UseRecorder`; of each batch the 99th percentile.

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

use std::env;
use std::fs;
use std::io::{Read as _, Write as _, stdin, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use keygate::{Authenticator, DigestKeys, Issuer, UseRecorder};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;
use rusqlite::Connection;

use self::common::{CREDENTIALS, Case, compare, now, token};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", path] => child(path.as_ref()),
        _ => parent(),
    }
}

/// Takes the lock, says so, and keeps it until it is told to end.
fn child(path: &Path) {
    let connection = Connection::open(path).expect("opens");
    connection
        .execute_batch("BEGIN IMMEDIATE; UPDATE keygate_credential SET version = version")
        .expect("takes the lock");
    stdout().write_all(b"!").expect("says so");
    stdout().flush().expect("says so");
    stdin().read_to_end(&mut Vec::new()).expect("is told to end");
}

/// A process of its own: within one, SQLite saves those who read beside the lock's holder some calls of the system.
fn locking(path: &Path) -> Child {
    let mut child = Command::new(env::current_exe().expect("its path"))
        .args(["child".as_ref(), path.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdout.as_mut().expect("is piped").read_exact(&mut [0]).expect("takes the lock");
    child
}

fn parent() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = DigestKeys::ephemeral().expect("random");
    let [free, again, held] = ["free", "free_again", "held"].map(|name| folder.path().join(name));
    let lines = filled(&free, &keys);
    for copy in [&again, &held] {
        fs::copy(&free, copy).expect("is copied");
    }
    let (free, _) = verified("free", &free, &keys, &lines);
    // How far two that do the same are apart.
    let (again, _) = verified("free_again", &again, &keys, &lines);

    let mut child = locking(&held);
    let (held, uses) = verified("held", &held, &keys, &lines);
    let flushing = uses.clone();
    // One after the other waits for the lock, and fails.
    let flushes = thread::spawn(move || while block_on(flushing.flush()).is_err() {});
    compare(&[free, again, held], "locked_p99");
    assert!(!flushes.is_finished(), "the lock was held all the while");
    println!("\nflushes that failed meanwhile: {}", uses.failed());
    child.kill().expect("is there still");
    child.wait().expect("has ended");
    flushes.join().expect("gets the lock at last");
}

/// A file with service tokens; their header lines.
fn filled(path: &Path, keys: &DigestKeys) -> Arc<[String]> {
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    let issuer = Issuer::new(store, keys.clone());
    let issue = |number| {
        let issued = block_on(issuer.service_tokens().issue(token(number))).expect("is issued");
        format!("Bearer {}", issued.text.expose())
    };
    (0..CREDENTIALS).map(issue).collect()
}

/// Verifying over a file, each credential having been verified once; and what notes the uses.
fn verified(
    name: &'static str,
    path: &Path,
    keys: &DigestKeys,
    lines: &Arc<[String]>,
) -> (Case, UseRecorder) {
    let store = SqliteStore::open(path, Threading::inline()).expect("opens");
    let uses = UseRecorder::new(store.clone());
    let gate = Authenticator::builder(store, keys.clone()).use_recorder(uses.clone()).build();
    let (gate, lines) = (gate.expect("in range"), Arc::clone(lines));
    let is_caller = move |at: usize| now(gate.authenticate([("authorization", &lines[at])])).is_ok();
    assert!((0..CREDENTIALS).all(&is_caller));
    let mut case = Case::new(name, is_caller);
    case.percentile = Some(99);
    (case, uses)
}
