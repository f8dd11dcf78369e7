//! Faults over a store that is a SQLite file: whatever fails, nobody is let in by it.
//!
//! keygate's own matrix, from its folder beside this one; so this file is not in the published package.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

#[path = "../../../tests/it/faults/kit/mod.rs"]
mod kit;

use std::cell::RefCell;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use keygate::Cached;
use keygate_sqlite::{SqliteStore, Threading};
use tempfile::TempDir;

use self::kit::{Stack, cancellation, matrix, waiting};

/// How many combinations of operation, call and fault there are at least.
const ENOUGH: usize = 250;

/// A file of its own for each case; that of the last one is gone by then.
fn sqlite(threading: impl Fn() -> Threading + 'static) -> Stack {
    let last = RefCell::<Option<TempDir>>::default();
    Stack::over(move || {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let store = SqliteStore::open(folder.path().join("credentials.db"), threading()).unwrap();
        last.replace(Some(folder));
        Arc::new(store)
    })
}

fn inline() -> Stack {
    sqlite(Threading::inline)
}

/// Everything that does not fail is done by another thread.
fn spawned() -> Stack {
    let threading = || {
        let desk = DESK.with(Arc::clone);
        Threading::spawned(move |work| {
            desk.change(|state| state.under_way += 1);
            let done = Arc::clone(&desk);
            let work = move || {
                work();
                done.change(|state| state.under_way -= 1);
            };
            desk.worker.send(Box::new(work)).unwrap();
        })
    };
    Stack { drive: wait_or_drop, ..sqlite(threading) }
}

fn cached() -> Stack {
    Stack { on_top: Box::new(|faulty| Arc::new(Cached::new(faulty))), ..inline() }
}

type Work = Box<dyn FnOnce() + Send>;

/// Where a future waits for the other thread: until it is woken, or nothing is left that could wake it.
struct Desk {
    worker: Sender<Work>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_woken: bool,
    under_way: usize,
}

thread_local! {
    static DESK: Arc<Desk> = Desk::with_a_worker();
}

impl Desk {
    fn with_a_worker() -> Arc<Self> {
        let (worker, works) = mpsc::channel::<Work>();
        thread::spawn(move || works.into_iter().for_each(|work| work()));
        Arc::new(Self { worker, state: Mutex::default(), changed: Condvar::new() })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Whether it is woken: what ends tells whom it wakes before it counts as ended.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap();
        let mut state =
            self.changed.wait_while(state, |state| !state.is_woken && state.under_way > 0).unwrap();
        std::mem::take(&mut state.is_woken)
    }
}

impl Wake for Desk {
    fn wake(self: Arc<Self>) {
        self.change(|state| state.is_woken = true);
    }
}

fn wait_or_drop(mut future: Pin<&mut dyn Future<Output = ()>>) {
    let desk = DESK.with(Arc::clone);
    let waker = Waker::from(Arc::clone(&desk));
    while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        if !desk.wait() {
            return;
        }
    }
}

#[track_caller]
fn lets_nobody_in(stack: &Stack) {
    let combinations = matrix::run(stack);
    assert!(combinations >= ENOUGH, "{combinations}");
}

#[test]
fn a_file_that_fails_lets_nobody_in() {
    lets_nobody_in(&inline());
}

#[test]
fn a_file_that_fails_behind_threads_lets_nobody_in() {
    lets_nobody_in(&spawned());
}

#[test]
fn a_file_that_fails_under_a_cache_lets_nobody_in() {
    lets_nobody_in(&cached());
}

#[test]
fn a_call_that_is_dropped_is_whole_or_nothing() {
    for stack in [inline(), cached()] {
        let dropped = cancellation::run(&stack);
        assert!(dropped >= ENOUGH, "{dropped}");
    }
}

#[test]
fn who_waits_beside_a_request_that_fails_is_served() {
    for stack in [inline(), cached()] {
        waiting::run(&stack);
    }
}
