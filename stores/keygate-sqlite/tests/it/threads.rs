//! On whose threads the work is done, and what becomes of it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use keygate::{
    Inserted, Kind, Lookup as _, Peek, Revocation, Store, StoreError, StoreErrorKind, Timestamp, Updated, Use,
};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;

use crate::support::{File, at, built, chain, id, of, put, read, user};

type Work = Box<dyn FnOnce() + Send>;

fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The three choices, each with how many pieces of work reached the host's threads: a lookup, and a write.
#[test]
fn work_is_done_where_the_host_chose() {
    let file = File::new();
    drop(file.open());
    let spawned = Arc::new(AtomicUsize::new(0));
    let own = || {
        let spawned = Arc::clone(&spawned);
        Threading::spawned(move |work| {
            spawned.fetch_add(1, Ordering::Relaxed);
            thread::spawn(work);
        })
    };
    let cases = [
        (Threading::inline(), [0, 0, 0]),
        (own(), [1, 1, 1]),
        (own().lookups_inline(), [0, 0, 1]),
        (Threading::inline().lookups_inline(), [0, 0, 0]),
    ];
    for (number, (threading, expected)) in cases.into_iter().enumerate() {
        let what = format!("{threading:?}");
        let store = SqliteStore::open(file.path(), threading).unwrap();
        let record = built(of(&user("u-17"), &format!("id-{number}")));
        let key = record.key();
        let counted = |ask: &dyn Fn()| {
            spawned.store(0, Ordering::Relaxed);
            ask();
            spawned.load(Ordering::Relaxed)
        };
        let found = [
            counted(&|| assert!(block_on(store.find(key.kind, &key.id)).unwrap().is_none())),
            counted(&|| assert!(block_on(store.read(key.kind, &key.id)).unwrap().is_none())),
            counted(&|| assert_eq!(block_on(store.insert(&record)).unwrap(), Inserted::Yes)),
        ];
        assert_eq!(found, expected, "{what}");
        assert!(matches!(store.peek(key.kind, &key.id), Peek::Ask), "{what}");
    }
}

/// Inline, a future is ready when it is polled first; without a runtime, work for tokio is undecided, and nobody panics.
#[test]
fn a_choice_that_cannot_be_kept_is_undecided() {
    let file = File::new();
    let inline = file.open();
    assert!(matches!(now(inline.find(Kind::ApiKey, &id("a"))), Poll::Ready(Ok(None))));

    let dropping = SqliteStore::open(file.path(), Threading::spawned(drop)).unwrap();
    let error = block_on(dropping.find(Kind::ApiKey, &id("a"))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("dropped before it ended"), "{}", chain(&error));
}

#[cfg(feature = "tokio")]
#[test]
fn tokio_does_the_work_where_it_runs() {
    let file = File::new();
    let store = SqliteStore::open(file.path(), Threading::tokio()).unwrap();
    let error = block_on(store.find(Kind::ApiKey, &id("a"))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "there is no runtime");

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let record = built(of(&user("u-17"), "a"));
        assert_eq!(store.insert(&record).await.unwrap(), Inserted::Yes);
        assert_eq!(store.find(Kind::ApiKey, &id("a")).await.unwrap().unwrap().version(), 1);
    });
}

/// One of 64 at once adds it; then one of 64 replaces it.
#[test]
fn one_of_many_wins() {
    let file = File::new();
    let store = file.open();
    for round in 0..5 {
        let record = built(of(&user("u-17"), &format!("id-{round}")));
        let next = built(record.to_builder().version(2));
        let (inserted, updated) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let barrier = Barrier::new(64);
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    barrier.wait();
                    if block_on(store.insert(&record)).unwrap() == Inserted::Yes {
                        inserted.fetch_add(1, Ordering::Relaxed);
                    }
                    barrier.wait();
                    if block_on(store.update(1, &next)).unwrap() == Updated::Yes {
                        updated.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((inserted.into_inner(), updated.into_inner()), (1, 1));
    }
}

/// A future that is dropped before its work began does nothing, one whose work is under way does all of it; the store goes on.
#[test]
fn a_dropped_future_holds_nothing() {
    let file = File::new();
    let (to_host, host) = mpsc::channel::<Work>();
    let to_host = Mutex::new(to_host);
    let threading = Threading::spawned(move |work| to_host.lock().unwrap().send(work).unwrap());
    let store = SqliteStore::open(file.path(), threading).unwrap();
    let insert = |name: &str| {
        let (store, record) = (store.clone(), built(of(&user("u-17"), name)));
        Box::pin(async move { store.insert(&record).await })
    };
    let mut context = Context::from_waker(Waker::noop());

    let mut early = insert("early");
    assert!(early.as_mut().poll(&mut context).is_pending());
    drop(early);
    host.recv().unwrap()();

    let mut late = insert("late");
    assert!(late.as_mut().poll(&mut context).is_pending());
    host.recv().unwrap()();
    drop(late);

    let found = file.open();
    assert!(block_on(found.find(Kind::ApiKey, &id("early"))).unwrap().is_none());
    assert!(block_on(found.find(Kind::ApiKey, &id("late"))).unwrap().is_some());

    let mut last = insert("last");
    assert!(last.as_mut().poll(&mut context).is_pending());
    host.recv().unwrap()();
    assert!(matches!(last.as_mut().poll(&mut context), Poll::Ready(Ok(Inserted::Yes))));
}

/// A host whose threads panic gets *undecided*, and no connection is lost by it.
#[test]
fn a_panic_of_the_hosts_threads_poisons_nothing() {
    let file = File::new();
    let threading = Threading::spawned(|work| {
        drop(thread::spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            assert!(outcome.is_ok());
        }));
    });
    let store = SqliteStore::open(file.path(), threading).unwrap();
    put(&store, of(&user("u-17"), "a"));
    // More often than there are connections.
    for _ in 0..40 {
        assert!(catch_unwind(AssertUnwindSafe(|| panic_while_polling(&store))).is_err());
        assert!(block_on(store.find(Kind::ApiKey, &id("a"))).unwrap().is_some());
    }
}

fn panic_while_polling(store: &SqliteStore) {
    let key = id("a");
    let mut future = store.find(Kind::ApiKey, &key);
    let _pending = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    panic!("the host's handler");
}

/// Another process holds the file's lock for writing: reads go on, a write is undecided after the busy timeout, and is done once
/// the lock is free.
#[test]
fn a_lock_of_another_process_stops_writes_only() {
    let file = File::new();
    let store = SqliteStore::builder(file.path(), Threading::inline())
        .busy_timeout(Duration::from_millis(20))
        .open()
        .unwrap();
    let record = put(&store, of(&user("u-17"), "a"));
    let next = built(record.to_builder().version(2));
    let raw = file.raw();
    raw.execute_batch("BEGIN IMMEDIATE; UPDATE keygate_credential SET version = 9").unwrap();
    assert_eq!(read(&store, record.key()).unwrap().record.version(), 1);
    assert_eq!(block_on(store.list(&user("u-17"), None, 9)).unwrap().len(), 1);
    let writes: [Result<(), StoreError>; 4] = [
        block_on(store.update(1, &next)).map(drop),
        block_on(store.revoke_owned(&user("u-17"), &Revocation::new(at(1), "gone"))).map(drop),
        block_on(store.record_uses(&[Use { key: record.key(), secret: 1, at: at(1) }])),
        block_on(store.purge(at(1), 9)).map(drop),
    ];
    for write in writes {
        let error = write.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(chain(&error).contains("raise the busy timeout"), "{}", chain(&error));
    }
    raw.execute_batch("ROLLBACK").unwrap();
    assert_eq!(block_on(store.update(1, &next)).unwrap(), Updated::Yes);
}

/// A pages' reader beside writers: nothing that is there from the first page to the last is lost or seen twice.
#[test]
fn pages_lose_nothing_beside_a_writer() {
    let file = File::new();
    let store = file.open();
    let owner = user("u-17");
    for number in 0..100 {
        put(&store, of(&owner, &format!("old-{number:03}")));
    }
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..200 {
                put(&store, of(&owner, &format!("{}-{number:03}", ["a", "old-5", "z"][number % 3])));
            }
        });
        while !writer.is_finished() {
            let (mut after, mut old) = (None, 0);
            loop {
                let page = block_on(store.list(&owner, after.as_ref(), 7)).unwrap();
                old += page
                    .iter()
                    .filter(|entry| {
                        entry
                            .record
                            .key()
                            .id
                            .as_str()
                            .strip_prefix("old-")
                            .is_some_and(|rest| rest.len() == 3)
                    })
                    .count();
                if page.len() < 7 {
                    break;
                }
                after = page.last().map(|entry| entry.record.key().id);
            }
            assert_eq!(old, 100);
        }
    });
    fn live(store: &impl Store, now: Timestamp) -> u64 {
        block_on(store.count_live(&user("u-17"), now)).unwrap()
    }
    assert_eq!(live(&store, at(1)), 300);
}
