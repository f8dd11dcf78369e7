//! A disk that fills up: what it refuses was not done, a revocation neither; what is there is verified all the while, and once
//! there is room the same open store goes on.
//!
//! `scripts/sqlite-full-disk.sh` makes a small disk and gives it to this.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

use std::env;
use std::error::Error as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use keygate::{
    Authenticator, DigestKeys, Expiry, IssueError, Issued, Issuer, NewApiKey, Owner, Store as _,
    StoreErrorKind,
};
use keygate_sqlite::{OpenError, SqliteStore, Threading};
use pollster::block_on;
use rusqlite::Connection;

fn main() {
    let disk = env::var_os("KEYGATE_SMALL_DISK").expect("KEYGATE_SMALL_DISK names a folder on a small disk");
    let disk = PathBuf::from(disk);
    let [path, new, ballast] = ["credentials.db", "new.db", "ballast"].map(|name| disk.join(name));
    fs::write(&ballast, [0; 1 << 19]).unwrap();
    let store = open(&path).unwrap();
    let mut service = Service { path, keys: DigestKeys::ephemeral().unwrap(), live: vec![], revoked: vec![] };

    let issued = until_full(|| service.issue(&store));
    assert!(issued > 20, "{issued}");
    // Too little room for an issue may be enough for a revocation.
    let revoked = until_full(|| service.revoke(&store));
    service.check(&store);
    assert_full(&new);
    service.check(&store);

    fs::remove_file(&ballast).unwrap();
    service.revoke(&store).unwrap();
    service.issue(&store).unwrap();
    service.check(&store);
    drop(store);

    // Something else fills the disk before the service is started again.
    let mut other = File::create(&ballast).unwrap();
    while other.write_all(&[0; 1 << 9]).is_ok() {}
    drop(other);
    assert_full(&service.path);
    fs::remove_file(&ballast).unwrap();
    service.check(&open(&service.path).unwrap());
    drop(open(&new).unwrap());
    println!("{issued} issued and {revoked} revoked before the disk was full: all held");
}

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Threading::inline())
}

#[track_caller]
fn assert_full(path: &Path) {
    let error = open(path).unwrap_err();
    assert!(matches!(error, OpenError::Full(_)), "{error:?}");
}

/// How often it is done until there is no room for it.
#[track_caller]
fn until_full(mut work: impl FnMut() -> Result<(), IssueError>) -> usize {
    for done in 0..1_000 {
        match work() {
            Ok(()) => {}
            Err(IssueError::Store(error)) => {
                assert_eq!(error.kind(), StoreErrorKind::Rejected);
                let advice = error.source().unwrap().to_string();
                assert!(advice.contains("make room"), "{advice}");
                return done;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the disk is not small");
}

/// What a service was told, whichever store it has open.
struct Service {
    path: PathBuf,
    keys: DigestKeys,
    live: Vec<Issued>,
    revoked: Vec<Issued>,
}

impl Service {
    fn issuer(&self, store: &SqliteStore) -> Issuer {
        Issuer::new(store.clone(), self.keys.clone())
    }

    fn issue(&mut self, store: &SqliteStore) -> Result<(), IssueError> {
        let new = NewApiKey::new("u-17", Expiry::Never);
        self.live.push(block_on(self.issuer(store).api_keys().issue(new))?);
        Ok(())
    }

    /// The one that was issued last.
    fn revoke(&mut self, store: &SqliteStore) -> Result<(), IssueError> {
        let id = self.live.last().unwrap().record.key().id;
        block_on(self.issuer(store).api_keys().owned_by(owner()).revoke(&id, "left"))?;
        self.revoked.extend(self.live.pop());
        Ok(())
    }

    /// What was acknowledged holds, nothing else is there, and the file is whole.
    #[track_caller]
    fn check(&self, store: &SqliteStore) {
        let gate = Authenticator::new(store.clone(), self.keys.clone());
        for (credentials, refused) in [(&self.live, None), (&self.revoked, Some("revoked"))] {
            for issued in credentials {
                let answer = block_on(gate.authenticate([("x-api-key", issued.text.expose())]));
                assert_eq!(answer.err().map(|refusal| refusal.reason().code()), refused);
            }
        }
        let mut expected: Vec<_> =
            self.live.iter().chain(&self.revoked).map(|issued| issued.record.key()).collect();
        expected.sort_unstable();
        let listed = block_on(store.list(&owner(), None, usize::MAX)).unwrap();
        assert_eq!(listed.iter().map(|entry| entry.record.key()).collect::<Vec<_>>(), expected);
        let raw = Connection::open(&self.path).unwrap();
        let found: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok");
    }
}

fn owner() -> Owner {
    Owner::user("u-17").unwrap()
}
