//! When credentials were used: written seldom, never waited for, never set back.

use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use keygate::{
    Authenticator, Clock as _, DigestKeys, Issued, Issuer, Kind, Lifetime, ManualClock, NewApiKey, Refusal,
    Store as _, SystemRandom, Timestamp, UseRecorder,
};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;
use rusqlite::Connection;

use crate::support::{File, at, chain, user};

const START: Timestamp = at(1_000_000);

/// A process over a file: what it issues, asks and notes.
struct Process {
    clock: ManualClock,
    keys: DigestKeys,
    store: SqliteStore,
    issuer: Issuer,
    gate: Authenticator,
    uses: UseRecorder,
}

impl Process {
    fn over(store: SqliteStore, keys: &DigestKeys) -> Self {
        let clock = ManualClock::at(START);
        let issuer = Issuer::builder(store.clone(), keys.clone()).clock(clock.clone()).build().unwrap();
        let uses = UseRecorder::builder(store.clone()).clock(clock.clone()).build().unwrap();
        let gate = Authenticator::builder(store.clone(), keys.clone()).clock(clock.clone());
        let gate = gate.use_recorder(uses.clone()).build().unwrap();
        Self { clock, keys: keys.clone(), store, issuer, gate, uses }
    }

    fn issue(&self) -> Issued {
        block_on(self.issuer.api_keys().issue(NewApiKey::new("u-17", Lifetime::hours(9)))).unwrap()
    }

    fn ask(&self, text: &str) -> Result<(), Refusal> {
        block_on(self.gate.authenticate([("x-api-key", text)])).map(drop)
    }

    /// How many uses a flush hands over.
    fn flush(&self) -> usize {
        block_on(self.uses.flush()).unwrap().uses
    }

    fn used(&self, issued: &Issued) -> Option<Timestamp> {
        let key = issued.record.key();
        block_on(self.store.read(key.kind, &key.id)).unwrap().unwrap().uses.latest()
    }
}

/// It waits for a lock for a moment.
fn store(file: &File) -> SqliteStore {
    let builder = SqliteStore::builder(file.path(), Threading::inline());
    builder.busy_timeout(Duration::from_millis(200)).open().unwrap()
}

fn file() -> (File, Process) {
    let file = File::new();
    let process = Process::over(store(&file), &DigestKeys::ephemeral().unwrap());
    (file, process)
}

/// Another process takes the lock for writing, and keeps it.
fn lock(file: &File) -> Connection {
    let other = file.raw();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE keygate_credential SET version = version").unwrap();
    other
}

/// Another one after each commit of somebody else's.
fn commits(watching: &Connection) -> i64 {
    watching.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn ten_thousand_uses_within_a_window_are_one_write() {
    let (file, process) = file();
    let issued = process.issue();
    // The first flush is due at once; the window begins with it.
    assert_eq!(block_on(process.uses.flush_due()).unwrap().uses, 0);
    let watching = file.raw();
    let (mut last, mut writes) = (commits(&watching), 0);
    for second in 0..=60 {
        if second > 0 {
            process.clock.advance(Lifetime::seconds(1));
        }
        for _ in 0..if second < 60 { 167 } else { 0 } {
            process.ask(issued.text.expose()).unwrap();
            assert_eq!(commits(&watching), last, "verifying writes nothing");
        }
        block_on(process.uses.flush_due()).unwrap();
        let now = commits(&watching);
        writes += i64::from(now != last);
        assert!(writes == 0 || second == 60, "within the window, after {second} s");
        last = now;
    }
    assert_eq!(writes, 1);
    assert_eq!(process.used(&issued), Some(at(START.as_unix() + 59)));
}

/// A flush waits for another process's lock, which is held until all have verified: none of them waits with it.
#[test]
fn ten_thousand_verify_while_a_flush_waits_for_a_lock() {
    let file = File::new();
    let threading = Threading::spawned(|work| drop(thread::spawn(work))).lookups_inline();
    let store = SqliteStore::builder(file.path(), threading).busy_timeout(Duration::from_secs(60)).open();
    let process = Process::over(store.unwrap(), &DigestKeys::ephemeral().unwrap());
    let issued = process.issue();
    process.ask(issued.text.expose()).unwrap();
    let other = lock(&file);
    let mut flush = pin!(process.uses.flush());
    let mut context = Context::from_waker(Waker::noop());
    assert!(flush.as_mut().poll(&mut context).is_pending());
    process.clock.advance(Lifetime::seconds(1));
    for _ in 0..10_000 {
        process.ask(issued.text.expose()).unwrap();
    }
    assert!(flush.as_mut().poll(&mut context).is_pending());
    assert_eq!(process.used(&issued), None);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(block_on(flush).unwrap().uses, 1);
    assert_eq!(process.used(&issued), Some(START), "when it was used, not when it was written");
    assert_eq!(process.flush(), 1, "what was noted meanwhile");
    assert_eq!(process.used(&issued), Some(process.clock.now()));
}

/// Its flushes fail, and what they did not write is kept.
#[test]
fn while_another_process_holds_the_lock_a_write_is_tried_once_in_a_window() {
    let (file, process) = file();
    let issued = process.issue();
    let other = lock(&file);
    for failed in 1..=3 {
        process.ask(issued.text.expose()).unwrap();
        let error = block_on(process.uses.flush_due()).unwrap_err();
        assert!(error.is_retryable(), "{}", chain(&error));
        process.clock.advance(Lifetime::seconds(59));
        assert_eq!(block_on(process.uses.flush_due()).unwrap().uses, 0);
        assert_eq!((process.uses.failed(), process.uses.dropped()), (failed, 0));
        assert_eq!(process.used(&issued), None);
        process.clock.advance(Lifetime::seconds(1));
    }
    other.execute_batch("ROLLBACK").unwrap();
    let watching = file.raw();
    let before = commits(&watching);
    assert_eq!(block_on(process.uses.flush_due()).unwrap().uses, 1);
    let after = commits(&watching);
    assert_ne!(after, before);
    assert_eq!(process.used(&issued), Some(at(START.as_unix() + 120)));
    assert_eq!(process.flush(), 0);
    assert_eq!(commits(&watching), after, "one write");
}

/// Neither by another process that is late, nor by a wall clock that is set back.
#[test]
fn a_time_of_use_never_goes_back() {
    let (file, first) = file();
    let second = Process::over(store(&file), &first.keys);
    let issued = first.issue();
    let text = issued.text.expose();

    second.ask(text).unwrap();
    first.clock.advance(Lifetime::seconds(100));
    first.ask(text).unwrap();
    assert_eq!(first.flush(), 1);
    let latest = first.clock.now();
    assert_eq!(second.flush(), 1);
    assert_eq!(second.used(&issued), Some(latest), "an older note came later");

    first.clock.set(at(START.as_unix() + 50));
    first.ask(text).unwrap();
    assert_eq!(first.flush(), 1);
    assert_eq!(first.used(&issued), Some(latest), "the wall clock was set back");

    first.clock.set(at(latest.as_unix() + 1));
    first.ask(text).unwrap();
    assert_eq!(first.flush(), 1);
    assert_eq!(first.used(&issued), Some(first.clock.now()));
}

#[test]
fn what_is_refused_is_no_use() {
    let (file, process) = file();
    let [expired, revoked, fine] = [(); 3].map(|()| process.issue());
    let owned = process.issuer.api_keys().owned_by(user("u-17"));
    block_on(owned.revoke(&revoked.record.key().id, "left")).unwrap();
    let wrong = process.keys.redraw(fine.record.key(), &SystemRandom).unwrap().text;
    let unknown = process.keys.draw(Kind::ApiKey, &SystemRandom).unwrap().text;
    let watching = file.raw();
    let before = commits(&watching);
    let refused = |text: &str, code: &str| {
        for _ in 0..100 {
            assert_eq!(process.ask(text).unwrap_err().reason().code(), code);
        }
        assert_eq!(process.flush(), 0, "{code}");
    };
    refused(revoked.text.expose(), "revoked");
    refused(wrong.expose(), "wrong_secret");
    refused(unknown.expose(), "unknown_credential");
    process.clock.advance(Lifetime::hours(9));
    refused(expired.text.expose(), "expired");
    assert_eq!(commits(&watching), before, "nothing was written");
    for issued in [&expired, &revoked, &fine] {
        assert_eq!(process.used(issued), None);
    }
}
