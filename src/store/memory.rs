//! A store in memory: for one process, and for tests.

use std::array;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::BuildHasher as _;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use super::{Entry, Inserted, Lookup, Peek, SlotCount, SlotTally, Store, StoreError, Updated, Use};
use crate::{CredentialId, CredentialKey, Kind, Owner, Record, Revocation, Timestamp};

/// A store in memory: for a service of one process, and for tests. What it holds is gone with its last handle.
///
/// A cheap handle: clones share the records. It answers at once ([`Lookup::peek`]), reads take no exclusive lock, and a
/// write is seen by every read that begins after it. Finding and updating take the same time however many records there
/// are; inserting also writes the index of owners, one at a time; listing and counting of an owner's grow with what that owner
/// has; `revoke_owned` grows with what there are of owners; `purge`, `expiring`, `unused` and `count_slots` look at every
/// record.
///
/// ```
/// use keygate::{Authenticator, DigestKeys, Issuer, MemoryStore};
///
/// let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
/// let issuer = Issuer::new(store.clone(), keys.clone());
/// let gate = Authenticator::new(store, keys);
/// # Ok::<(), keygate::RandomError>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Inner>);

impl MemoryStore {
    /// A store that holds nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Enough that two threads seldom meet.
const SHARDS: usize = 64;

/// Locks are taken in this order: a shard's, then the index's; never two shards'.
struct Inner {
    hasher: RandomState,
    shards: [Shard; SHARDS],
    /// Which credentials an owner has; the kind is the owner's.
    by_owner: RwLock<BTreeMap<Owner, BTreeSet<CredentialId>>>,
}

/// Alone on its cache lines: readers of one shard do not slow down those of the next.
#[derive(Default)]
#[repr(align(128))]
struct Shard(RwLock<HashTable<Entry>>);

impl Default for Inner {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: array::from_fn(|_| Shard::default()),
            by_owner: RwLock::default(),
        }
    }
}

/// No panic of ours happens between two changes that belong together, so what a poisoned lock guards is whole.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[inline(always)]
fn is(entry: &Entry, kind: Kind, id: &CredentialId) -> bool {
    entry.record.grant().kind() == kind && entry.record.id() == id
}

impl Inner {
    #[inline(always)]
    fn hash(&self, id: &CredentialId) -> u64 {
        self.hasher.hash_one(id)
    }

    /// By bits that a table of less than 2^48 entries does not use itself.
    #[inline(always)]
    fn shard(&self, hash: u64) -> &RwLock<HashTable<Entry>> {
        let [_, shard, ..] = hash.to_be_bytes();
        let [first, ..] = &self.shards;
        &self.shards.get(usize::from(shard) % SHARDS).unwrap_or(first).0
    }

    #[inline(always)]
    fn with<T>(&self, kind: Kind, id: &CredentialId, found: impl FnOnce(Option<&Entry>) -> T) -> T {
        let hash = self.hash(id);
        let table = read(self.shard(hash));
        found(table.find(hash, |entry| is(entry, kind, id)))
    }

    /// Changes an entry under its lock; `None` where there is none.
    fn change<T>(&self, kind: Kind, id: &CredentialId, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let hash = self.hash(id);
        let mut table = write(self.shard(hash));
        table.find_mut(hash, |entry| is(entry, kind, id)).map(change)
    }

    fn insert(&self, record: &Arc<Record>) -> Inserted {
        let (kind, id) = (record.key().kind, record.id());
        let hash = self.hash(id);
        let mut table = write(self.shard(hash));
        match table.entry(hash, |entry| is(entry, kind, id), |entry| self.hash(entry.record.id())) {
            Place::Occupied(_) => Inserted::IdTaken,
            Place::Vacant(place) => {
                place.insert(Arc::clone(record).into());
                write(&self.by_owner).entry(record.owner().clone()).or_default().insert(*id);
                Inserted::Yes
            }
        }
    }

    /// Removes an entry, if it is still what it was taken for.
    fn remove_if(&self, key: CredentialKey, doomed: impl FnOnce(&Entry) -> bool) -> bool {
        let hash = self.hash(&key.id);
        let mut table = write(self.shard(hash));
        let Ok(found) = table.find_entry(hash, |entry| is(entry, key.kind, &key.id)) else { return false };
        if !doomed(found.get()) {
            return false;
        }
        let (entry, _) = found.remove();
        let mut by_owner = write(&self.by_owner);
        let owner = entry.record.owner();
        if let Some(ids) = by_owner.get_mut(owner) {
            ids.remove(&key.id);
            if ids.is_empty() {
                by_owner.remove(owner);
            }
        }
        true
    }

    /// The next ids of an owner, in order.
    fn ids(&self, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Vec<CredentialId> {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let by_owner = read(&self.by_owner);
        let ids = by_owner.get(owner).into_iter().flat_map(|ids| ids.range((behind, Bound::Unbounded)));
        ids.take(limit).copied().collect()
    }

    fn for_each(&self, mut each: impl FnMut(&Entry)) {
        for shard in &self.shards {
            read(&shard.0).iter().for_each(&mut each);
        }
    }

    /// The next entries of all owners that are wanted, in order.
    fn page(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Vec<Entry> {
        let mut found = BTreeMap::new();
        self.for_each(|entry| {
            let key = entry.record.key();
            let is_full = found.len() >= limit;
            if is_full && found.last_key_value().is_none_or(|(last, _)| key > *last) {
                return;
            }
            if after.is_none_or(|after| key > *after) && wanted(entry) {
                found.insert(key, entry.clone());
                if found.len() > limit {
                    found.pop_last();
                }
            }
        });
        found.into_values().collect()
    }
}

#[async_trait]
impl Lookup for MemoryStore {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.0.with(kind, id, |entry| entry.map(|entry| Arc::clone(&entry.record))))
    }

    #[inline]
    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        self.0.with(kind, id, |entry| match entry {
            Some(entry) => Peek::Known(Arc::clone(&entry.record)),
            None => Peek::Absent,
        })
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        Ok(self.0.with(kind, id, |entry| entry.cloned()))
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        Ok(self.0.insert(record))
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let CredentialKey { kind, id } = record.key();
        let updated = self.0.change(kind, &id, |entry| entry.update(seen, record));
        updated.unwrap_or(Ok(Updated::Absent))
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (kind, mut after) = (owner.kind(), after.copied());
        let mut found = Vec::new();
        // What is purged between index and table leaves a gap, which the next ids fill: a short page is the last one.
        loop {
            let missing = limit.saturating_sub(found.len());
            let ids = self.0.ids(owner, after.as_ref(), missing);
            found.extend(ids.iter().filter_map(|id| self.0.with(kind, id, |entry| entry.cloned())));
            if ids.len() < missing || missing == 0 {
                return Ok(found);
            }
            after = ids.last().copied();
        }
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        let ids = self.0.ids(owner, None, usize::MAX);
        let live = ids.iter().filter(|id| {
            self.0.with(owner.kind(), id, |entry| entry.is_some_and(|entry| entry.is_live(now)))
        });
        Ok(count(live.count()))
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        let owned: Vec<CredentialKey> = read(&self.0.by_owner)
            .iter()
            .filter(|(of, _)| owner.includes(of))
            .flat_map(|(of, ids)| ids.iter().map(|id| CredentialKey::new(of.kind(), *id)))
            .collect();
        let mut revoked = 0_u64;
        for CredentialKey { kind, id } in owned {
            if self.0.change(kind, &id, |entry| entry.revoke(revocation)).transpose()? == Some(true) {
                revoked = revoked.saturating_add(1);
            }
        }
        Ok(revoked)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        for Use { key, secret, at } in uses {
            self.0.change(key.kind, &key.id, |entry| entry.note_use(*secret, *at));
        }
        Ok(())
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        let mut tally = SlotTally::new(now);
        self.0.for_each(|entry| tally.add(&entry.record));
        Ok(tally.counts())
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.0.page(after, limit, |entry| entry.is_expiring(from, until)))
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.0.page(after, limit, |entry| entry.is_unused(since, now)))
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut removed = 0;
        // Another purge may take of the same page: fewer than `limit` are the last, so what it took is made up for.
        loop {
            let missing = limit.saturating_sub(removed);
            let doomed = self.0.page(None, missing, |entry| entry.is_over(before));
            let taken = doomed
                .iter()
                .filter(|entry| self.0.remove_if(entry.record.key(), |entry| entry.is_over(before)));
            removed = removed.saturating_add(taken.count());
            if doomed.len() < missing || missing == 0 {
                return Ok(count(removed));
            }
        }
    }
}

fn count(items: usize) -> u64 {
    items.try_into().unwrap_or(u64::MAX)
}

impl fmt::Debug for MemoryStore {
    /// How many records it holds, and none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records =
            self.0.shards.iter().fold(0, |sum: usize, shard| sum.saturating_add(read(&shard.0).len()));
        f.debug_struct("MemoryStore").field("records", &records).finish_non_exhaustive()
    }
}
