//! A right store passes, whoever runs the kit.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use keygate::conformance::{self, Conformance};
use keygate::{MemoryStore, Record, Store, Updated};
use pollster::block_on;

use super::rows::{Answer, Flaw, Flawed, Right, Rows};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn the_memory_store_keeps_every_rule() {
    for _ in 0..100 {
        block_on(conformance::run(async || MemoryStore::new())).unwrap();
    }
}

/// With all that a host can do, nothing is left unchecked.
#[test]
fn a_hosts_own_store_keeps_every_rule() {
    let kit = Conformance::new(async || Flawed::<Right>::default())
        .plant(async |store, key, bytes| store.rows.plant(key, bytes))
        .break_off(async |store| store.rows.close());
    for _ in 0..10 {
        let report = block_on(kit.run()).unwrap();
        assert_eq!((report.checked().count(), report.unchecked().count()), (46, 0));
    }
}

/// The store of the README and of the example, which is the same text.
#[test]
fn the_store_on_one_page_keeps_every_rule() {
    block_on(conformance::run(async || super::own_store::Table::default())).unwrap();

    let readme = include_str!("../../../README.md");
    let example = include_str!("../../../examples/own_store.rs");
    let (_, store) = example.split_once("/// Stands for a table").unwrap();
    let (store, _) = store.split_once("\n#[allow(dead_code").unwrap();
    let shown: String = store.replace("#[rustfmt::skip]\n", "").replace("pub(crate) ", "");
    assert!(readme.contains(shown.trim()), "the README shows another store than the one that is proved");
    let lines = shown.trim().lines().count();
    assert!(lines < 80, "{lines} lines");
}

/// One store for all rules, a likely mistake, is told at once, and nothing else is.
#[test]
fn a_store_that_is_not_empty_is_told_at_once() {
    let store = MemoryStore::new();
    let violations = block_on(conformance::run(async || store.clone())).unwrap_err();
    let broken: Vec<_> = violations.broken().iter().map(|broken| (broken.rule, &*broken.seen)).collect();
    assert_eq!(broken, [("stores-are-empty", "make_store gave a store that has records in it")]);
}

/// A cache over a store is a store: also where it has to be asked each time, and where it makes one call at a time.
#[test]
#[cfg(feature = "cache")]
fn a_cache_over_a_store_keeps_every_rule() {
    use std::time::Duration;

    use keygate::Cached;

    let kit = Conformance::new(async || Cached::new(Flawed::<Right>::default()));
    for _ in 0..10 {
        block_on(kit.run()).unwrap();
    }
    type Set = fn(keygate::CachedBuilder<Flawed<Right>>) -> keygate::CachedBuilder<Flawed<Right>>;
    let sets: [Set; 3] = [
        |builder| builder.max_staleness(Duration::ZERO),
        |builder| builder.max_staleness(Duration::from_secs(60)).max_absence(Duration::from_secs(60)),
        |builder| builder.max_loads(1).max_records(1),
    ];
    for set in sets {
        let make_store = async || set(Cached::builder(Flawed::<Right>::default())).build().unwrap();
        block_on(conformance::run(make_store)).unwrap();
    }
}

/// Behind a deadline, by tokio's own threads.
#[test]
#[cfg(feature = "tokio")]
fn a_store_behind_a_deadline_keeps_every_rule() {
    use std::time::Duration;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let make_store = async || keygate::Deadline::new(MemoryStore::new(), Duration::from_secs(60)).unwrap();
    let kit = Conformance::new(make_store).spawn(|job| drop(tokio::spawn(job)));
    runtime.block_on(kit.run()).unwrap();
}

/// A handle on a store is a store here, too; each rule asks for a new one.
#[test]
fn a_store_behind_a_handle() {
    let made = AtomicUsize::new(0);
    let make_store = async || {
        made.fetch_add(1, Ordering::SeqCst);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        store
    };
    block_on(conformance::run(make_store)).unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 40);
}

/// A runtime of one thread, which would stand still if the kit blocked it, or looked on without an end.
#[test]
fn a_runtime_of_one_thread() {
    let (queue, spawned) = (Arc::new(Mutex::new(VecDeque::<Job>::new())), Arc::new(AtomicUsize::new(0)));
    let (jobs, count) = (Arc::clone(&queue), Arc::clone(&spawned));
    let kit = Conformance::new(async || MemoryStore::new()).spawn(move |job| {
        count.fetch_add(1, Ordering::SeqCst);
        jobs.lock().unwrap().push_back(job);
    });
    let mut run = pin!(kit.run());
    let mut context = Context::from_waker(Waker::noop());
    let result = loop {
        if let Poll::Ready(result) = run.as_mut().poll(&mut context) {
            break result;
        }
        let job = queue.lock().unwrap().pop_front();
        let mut job = job.expect("what is waited for was spawned");
        if job.as_mut().poll(&mut context).is_pending() {
            queue.lock().unwrap().push_back(job);
        }
    };
    result.unwrap();
    assert!(spawned.load(Ordering::SeqCst) > 128);
}

/// Which test's host was free while threads of the kit's own were at work.
static WAS_FREE: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];

/// On the kit's threads it waits for that, so that they are not done before the host looks.
#[derive(Default)]
struct WaitsForTheHost<const TEST: usize>;

impl<const TEST: usize> Flaw for WaitsForTheHost<TEST> {
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        let latest = Instant::now() + Duration::from_secs(10);
        while thread::current().name() == Some("keygate-conformance")
            && !WAS_FREE[TEST].load(Ordering::SeqCst)
            && Instant::now() < latest
        {
            thread::park_timeout(Duration::from_millis(1));
        }
        rows.update(seen, record)
    }
}

/// Where threads of the kit's own are at work, the host's executor is free, and is woken when they are done.
#[test]
fn the_executor_is_free_meanwhile() {
    let mut run = Box::pin(conformance::run(async || Flawed::<WaitsForTheHost<0>>::default()));
    let mut pending = 0;
    let result = block_on(std::future::poll_fn(|context| {
        let polled = run.as_mut().poll(context);
        pending += usize::from(polled.is_pending());
        WAS_FREE[0].fetch_or(polled.is_pending(), Ordering::SeqCst);
        polled
    }));
    result.unwrap();
    assert!((1..=40).contains(&pending), "{pending}");
}

/// The future goes wherever a runtime of many threads takes it; dropped halfway, it leaves nothing to wait for.
#[test]
fn a_run_may_be_sent_and_dropped() {
    let run = async { conformance::run(async || MemoryStore::new()).await };
    thread::spawn(move || block_on(run)).join().unwrap().unwrap();
    let mut run = Box::pin(conformance::run(async || Flawed::<WaitsForTheHost<1>>::default()));
    let polled = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it waits for threads");
    drop(run);
    WAS_FREE[1].store(true, Ordering::SeqCst);
}
