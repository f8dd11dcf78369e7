//! What several tests share: folders, records, and randomness that a seed repeats.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keygate::{
    ApiKeyGrant, CredentialId, CredentialKey, Digest, Entry, Grant, Inserted, Owner, Record, RecordBuilder,
    Rights, ServiceAccountGrant, ServiceTokenGrant, Store, Timestamp, Validity,
};
use keygate_sqlite::{SqliteStore, Threading};
use pollster::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder of a test's own, with a file to be in it.
pub(crate) struct File {
    folder: TempDir,
    path: PathBuf,
}

impl File {
    /// In memory where the system has a place for that: these tests ask what is written, not whether a disk keeps it.
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        Self { path: folder.path().join("credentials.db"), folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    #[track_caller]
    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path, Threading::inline()).unwrap()
    }

    /// A connection past the store.
    pub(crate) fn raw(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }
}

pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

pub(crate) fn id(text: &str) -> CredentialId {
    CredentialId::parse(text).unwrap()
}

pub(crate) fn user(id: &str) -> Owner {
    Owner::user(id).unwrap()
}

pub(crate) fn organization(id: &str) -> Owner {
    Owner::organization(id).unwrap()
}

pub(crate) fn project(organization: &str, id: &str) -> Owner {
    Owner::project(organization, id).unwrap()
}

/// A record of this owner, version 1, made at 0; where it has to end, at the end of time.
pub(crate) fn of(owner: &Owner, id: &str) -> RecordBuilder {
    let digest = Digest::from_parts(1, Some(1), &[7; 32]).unwrap();
    let builder = Record::builder(self::id(id), granted(owner), digest, at(0)).version(1);
    match owner {
        Owner::Project(..) => builder.validity(Validity::until(at(i64::MAX))),
        _ => builder,
    }
}

fn granted(owner: &Owner) -> Grant {
    let rights = |organization: &str| Rights::new(organization, []).unwrap();
    match owner {
        Owner::User(user) => ApiKeyGrant::new(user.as_str()).unwrap().into(),
        Owner::Organization(organization) => ServiceAccountGrant::new(rights(organization.as_str())).into(),
        Owner::Project(organization, project) => {
            ServiceTokenGrant::new(project.as_str(), rights(organization.as_str())).unwrap().into()
        }
    }
}

pub(crate) fn built(builder: RecordBuilder) -> Arc<Record> {
    Arc::new(builder.build().unwrap())
}

#[track_caller]
pub(crate) fn put(store: &impl Store, builder: RecordBuilder) -> Arc<Record> {
    let record = built(builder);
    assert_eq!(block_on(store.insert(&record)).unwrap(), Inserted::Yes);
    record
}

#[track_caller]
pub(crate) fn read(store: &impl Store, key: CredentialKey) -> Option<Entry> {
    block_on(store.read(key.kind, &key.id)).unwrap()
}

pub(crate) fn ids(page: &[Entry]) -> Vec<String> {
    page.iter().map(|entry| entry.record.key().id.to_string()).collect()
}

/// An error and what it comes from, as a log has it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// An entry as one value: all of the record, and the latest use of each secret.
pub(crate) fn whole(entry: &Entry) -> impl PartialEq + Debug + use<> {
    let by_secret = (0..12).map(|number| entry.uses.of(number));
    (entry.record.encode().unwrap(), by_secret.chain([entry.uses.latest()]).collect::<Vec<_>>())
}

/// xorshift64*: small and the same everywhere, and no more than a test needs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring streams, and zero is a fixed point.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Any of `0..limit`; 0 for a limit of 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap().max(1);
        usize::try_from((self.number() >> 16) % limit).unwrap()
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// From `KEYGATE_SEED`, or the same as always.
pub(crate) fn seed() -> u64 {
    std::env::var("KEYGATE_SEED").map_or(1, |seed| seed.parse().unwrap())
}
