//! The store keeps the contract, on whatever threads it works.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keygate::CredentialKey;
use keygate::conformance::Conformance;
use keygate_sqlite::{SqliteStore, Threading};
use rusqlite::{Connection, params};
use tempfile::TempDir;

/// A folder for each store that the kit asks for; the last one is of the store that it works with.
#[derive(Clone, Default)]
struct Folders(Arc<Mutex<Vec<TempDir>>>);

impl Folders {
    fn open(&self, threading: Threading) -> SqliteStore {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        self.0.lock().unwrap().push(folder.unwrap());
        // Of 64 at once the last waits for all others, on a busy machine as well.
        let builder = SqliteStore::builder(self.path(), threading).busy_timeout(Duration::from_secs(60));
        builder.open().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.0.lock().unwrap().last().unwrap().path().join("credentials.db")
    }

    /// With the checksum that the store would have written: the row says of itself that it is whole.
    fn plant(&self, key: CredentialKey, bytes: &[u8]) {
        let sum =
            crc32fast::hash(&[key.kind.as_str().as_bytes(), key.id.as_str().as_bytes(), bytes].concat());
        let set = "UPDATE keygate_credential SET record = ?3, checksum = ?4 WHERE kind = ?1 AND id = ?2";
        let row = params![key.kind.as_str(), key.id.as_str(), bytes, sum];
        assert_eq!(Connection::open(self.path()).unwrap().execute(set, row), Ok(1));
    }

    /// Somebody else drops the tables.
    fn break_off(&self) {
        let drop = "DROP TABLE keygate_use; DROP TABLE keygate_credential";
        Connection::open(self.path()).unwrap().execute_batch(drop).unwrap();
    }
}

/// How a runtime runs something beside.
type Spawn = fn(Pin<Box<dyn Future<Output = ()> + Send>>);

/// Every rule of the kit, those too that need a host's help.
async fn keeps_the_contract(threading: Threading, spawn: Option<Spawn>) {
    let folders = Folders::default();
    let [making, planting, breaking] = [(); 3].map(|()| folders.clone());
    let mut kit = Conformance::new(async || making.open(threading.clone()))
        .plant(move |_, key, bytes| {
            planting.plant(key, &bytes);
            async {}
        })
        .break_off(move |_| {
            breaking.break_off();
            async {}
        });
    if let Some(spawn) = spawn {
        kit = kit.spawn(spawn);
    }
    let report = kit.run().await.unwrap_or_else(|violations| panic!("{violations}"));
    assert_eq!(report.unchecked().count(), 0);
    assert!(report.checked().count() > 20);
}

#[test]
fn on_the_callers_thread() {
    pollster::block_on(keeps_the_contract(Threading::inline(), None));
}

#[test]
fn on_threads_of_the_hosts() {
    let threading = Threading::spawned(|work| drop(std::thread::spawn(work)));
    pollster::block_on(keeps_the_contract(threading.lookups_inline(), None));
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread")]
async fn on_tokios_threads() {
    keeps_the_contract(Threading::tokio(), Some(|future| drop(tokio::spawn(future)))).await;
}
