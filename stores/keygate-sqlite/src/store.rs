//! The store: keygate's traits, on a database and the threads that wait for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, Kind, Lookup, Owner, Record, Revocation, SlotCount, Store,
    StoreError, Timestamp, Updated, Use,
};

use crate::database::Database;
use crate::{OpenError, SqliteStoreBuilder, Threading};

/// Credentials in a SQLite file: for a service on one machine, of one process or several.
///
/// A cheap handle: clones share the connections. What is acknowledged is on the disk. A write is seen by every read that begins
/// after it, in this process and in others.
///
/// ```
/// use keygate::{Authenticator, DigestKeys, Issuer};
/// use keygate_sqlite::{SqliteStore, Threading};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("credentials.db");
/// let store = SqliteStore::open(path, Threading::inline())?;
/// let keys = DigestKeys::ephemeral()?; // a host loads its own
/// let issuer = Issuer::new(store.clone(), keys.clone());
/// let gate = Authenticator::new(store, keys);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Finding, inserting and updating take the same time however many records there are, but for the depth of a tree. `list`,
/// `count_live` and `revoke_owned` grow with what the owner has, `purge` with what it removes, `expiring` with what ends between the two
/// times; `unused` and `count_slots` look at every record.
///
/// Nothing is answered from memory but what bytes decode to: of some two thousand records that is remembered.
///
/// The file is closed with the last handle, which may wait for the disk.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    database: Arc<Database>,
    threading: Threading,
}

impl SqliteStore {
    /// Opens the file at this path, or makes it; as [`builder`](Self::builder) with what it has by default.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do.
    pub fn open(path: impl AsRef<Path>, threading: Threading) -> Result<Self, OpenError> {
        Self::builder(path, threading).open()
    }

    /// Starts the setting-up of a store.
    pub fn builder(path: impl AsRef<Path>, threading: Threading) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.as_ref().to_owned(), threading)
    }

    pub(crate) fn new(path: PathBuf, database: Database, threading: Threading) -> Self {
        Self(Arc::new(Inner { path, database: Arc::new(database), threading }))
    }

    pub(crate) fn database(&self) -> Arc<Database> {
        Arc::clone(&self.0.database)
    }
}

#[async_trait]
impl Lookup for SqliteStore {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let (database, key) = (self.database(), CredentialKey::new(kind, *id));
        self.0.threading.look(move || database.find(&key)).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        let (database, key) = (self.database(), CredentialKey::new(kind, *id));
        self.0.threading.look(move || database.read(&key)).await
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        let (database, record) = (self.database(), Arc::clone(record));
        self.0.threading.work(move || database.insert(&record)).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let (database, record) = (self.database(), Arc::clone(record));
        self.0.threading.work(move || database.update(seen, &record)).await
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (database, owner, after) = (self.database(), owner.clone(), after.copied());
        self.0.threading.work(move || database.list(&owner, after.as_ref(), limit)).await
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        let (database, owner) = (self.database(), owner.clone());
        self.0.threading.work(move || database.count_live(&owner, now)).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        let (database, owner, revocation) = (self.database(), owner.clone(), revocation.clone());
        self.0.threading.work(move || database.revoke_owned(&owner, &revocation)).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let (database, uses) = (self.database(), uses.to_vec());
        self.0.threading.work(move || database.record_uses(&uses)).await
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        let database = self.database();
        self.0.threading.work(move || database.count_slots(now)).await
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (database, after) = (self.database(), after.copied());
        self.0.threading.work(move || database.expiring(from, until, after.as_ref(), limit)).await
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (database, after) = (self.database(), after.copied());
        self.0.threading.work(move || database.unused(since, now, after.as_ref(), limit)).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let database = self.database();
        self.0.threading.work(move || database.purge(before, limit)).await
    }
}

impl fmt::Debug for SqliteStore {
    /// Where it is, and nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.0.path)
            .field("threading", &self.0.threading)
            .finish_non_exhaustive()
    }
}
