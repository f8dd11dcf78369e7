//! A host's own store, as small as it gets: rows of bytes with a column for the owner. It is right; what is wrong in a test is
//! said by a [`Flaw`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, Kind, LastUses, Lookup, Owner, Peek, Record, Revocation,
    SlotCount, Store, StoreError, Timestamp, Updated, Use,
};

pub(crate) type Answer<T> = Result<T, StoreError>;
pub(crate) type Table = BTreeMap<CredentialKey, Row>;

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) owner: Owner,
    pub(crate) bytes: Vec<u8>,
    pub(crate) uses: LastUses,
}

impl Row {
    pub(crate) fn of(record: &Record) -> Self {
        Self { owner: record.owner().clone(), bytes: record.encode().unwrap(), uses: LastUses::default() }
    }

    pub(crate) fn record(&self) -> Answer<Arc<Record>> {
        Record::decode(&self.bytes).map(Arc::new).map_err(StoreError::corrupt)
    }

    pub(crate) fn entry(&self) -> Answer<Entry> {
        Ok(Entry { record: self.record()?, uses: self.uses.clone() })
    }
}

#[derive(Default)]
pub(crate) struct Rows {
    table: Mutex<Table>,
    closed: AtomicBool,
    calls: AtomicUsize,
}

pub(crate) fn is_live(record: &Record, now: Timestamp) -> bool {
    record.revocation().is_none() && record.validity().expires_at().is_none_or(|end| now < end)
}

pub(crate) fn is_dead_before(record: &Record, before: Timestamp) -> bool {
    record.revocation().is_some_and(|revocation| revocation.at < before)
        || record.validity().expires_at().is_some_and(|end| end < before)
}

impl Rows {
    pub(crate) fn open(&self) -> Answer<MutexGuard<'_, Table>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the pool is closed"));
        }
        Ok(self.table.lock().unwrap())
    }

    /// How often somebody came to the table.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// In the row that there is, if there is one.
    pub(crate) fn plant(&self, key: CredentialKey, bytes: Vec<u8>) {
        if let Some(row) = self.table.lock().unwrap().get_mut(&key) {
            row.bytes = bytes;
        }
    }

    pub(crate) fn read(&self, key: CredentialKey) -> Answer<Option<Entry>> {
        self.open()?.get(&key).map(Row::entry).transpose()
    }

    fn insert(&self, record: &Record) -> Answer<Inserted> {
        let mut table = self.open()?;
        if table.contains_key(&record.key()) {
            return Ok(Inserted::IdTaken);
        }
        table.insert(record.key(), Row::of(record));
        Ok(Inserted::Yes)
    }

    pub(crate) fn update(&self, seen: u64, record: &Record) -> Answer<Updated> {
        let mut table = self.open()?;
        let Some(row) = table.get_mut(&record.key()) else { return Ok(Updated::Absent) };
        if row.record()?.version() != seen {
            return Ok(Updated::Changed);
        }
        if row.owner != *record.owner() || record.version() <= seen {
            return Err(StoreError::rejected("another owner, or no later version"));
        }
        row.bytes = record.encode().unwrap();
        row.uses.forget_gone(record);
        Ok(Updated::Yes)
    }

    pub(crate) fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Answer<Vec<Entry>> {
        let table = self.open()?;
        let owned = table
            .iter()
            .filter(|(key, row)| row.owner == *owner && after.is_none_or(|after| key.id > *after));
        owned.take(limit).map(|(_, row)| row.entry()).collect()
    }

    /// Of all owners, those that are wanted.
    pub(crate) fn page(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Answer<Vec<Entry>> {
        let table = self.open()?;
        let behind = table
            .iter()
            .filter(|(key, _)| after.is_none_or(|after| *key > after))
            .map(|(_, row)| row.entry());
        behind.filter(|entry| entry.as_ref().map_or(true, &wanted)).take(limit).collect()
    }

    fn count_live(&self, owner: &Owner, now: Timestamp) -> Answer<u64> {
        let live = self.list(owner, None, usize::MAX)?;
        Ok(live.iter().filter(|entry| is_live(&entry.record, now)).count().try_into().unwrap())
    }

    /// What one row's revocation comes to: whether it counts.
    pub(crate) fn revoke(row: &mut Row, revocation: &Revocation) -> Answer<bool> {
        let record = row.record()?;
        if record.revocation().is_some() {
            return Ok(false);
        }
        let revoked = record.to_builder().revoked(revocation.clone()).version(record.version() + 1);
        row.bytes = revoked.build().map_err(StoreError::rejected)?.encode().unwrap();
        Ok(true)
    }

    fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
        let (mut revoked, mut failed) = (0, None);
        for row in self.open()?.values_mut().filter(|row| owner.includes(&row.owner)) {
            match Self::revoke(row, revocation) {
                Ok(counts) => revoked += u64::from(counts),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(revoked), Err)
    }

    pub(crate) fn record_uses(&self, uses: &[Use]) -> Answer<()> {
        let mut table = self.open()?;
        for Use { key, secret, at } in uses {
            let Some(row) = table.get_mut(key) else { continue };
            if row.record().is_ok_and(|record| holds(&record, *secret)) {
                row.uses.note(*secret, *at);
            }
        }
        Ok(())
    }

    pub(crate) fn count_slots(&self, now: Timestamp, with_retiring: bool) -> Answer<Vec<SlotCount>> {
        let mut slots: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        for row in self.open()?.values() {
            let record = row.record()?;
            let retiring = record.retiring().filter(|retiring| with_retiring && now < retiring.ends_at);
            for secret in
                [Some(record.current()), retiring.map(|retiring| &retiring.secret)].into_iter().flatten()
            {
                slots.entry(secret.digest.slot()).or_default().0 += 1;
                if let Some(guard) = secret.digest.guard_slot() {
                    slots.entry(guard).or_default().1 += 1;
                }
            }
        }
        Ok(slots.into_iter().map(|(slot, (digests, guards))| SlotCount { slot, digests, guards }).collect())
    }

    pub(crate) fn purge(&self, limit: usize, is_doomed: impl Fn(&Record) -> bool) -> Answer<u64> {
        let mut table = self.open()?;
        let doomed = table.iter().filter(|(_, row)| row.record().is_ok_and(|record| is_doomed(&record)));
        let doomed: Vec<CredentialKey> = doomed.map(|(key, _)| *key).take(limit).collect();
        doomed.iter().for_each(|key| drop(table.remove(key)));
        Ok(doomed.len().try_into().unwrap())
    }
}

pub(crate) fn holds(record: &Record, secret: u32) -> bool {
    record.current().number == secret
        || record.retiring().is_some_and(|retiring| retiring.secret.number == secret)
}

/// What a store does otherwise than [`Rows`] does.
pub(crate) trait Flaw: Default + Send + Sync + 'static {
    fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
        Ok(rows.read(key)?.map(|entry| entry.record))
    }
    fn peek(&self, _: &Rows, _: CredentialKey) -> Peek {
        Peek::Ask
    }
    fn read(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Entry>> {
        rows.read(key)
    }
    fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
        rows.insert(record)
    }
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        rows.update(seen, record)
    }
    fn list(
        &self,
        rows: &Rows,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Answer<Vec<Entry>> {
        rows.list(owner, after, limit)
    }
    fn count_live(&self, rows: &Rows, owner: &Owner, now: Timestamp) -> Answer<u64> {
        rows.count_live(owner, now)
    }
    fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
        rows.revoke_owned(owner, revocation)
    }
    fn record_uses(&self, rows: &Rows, uses: &[Use]) -> Answer<()> {
        rows.record_uses(uses)
    }
    fn count_slots(&self, rows: &Rows, now: Timestamp) -> Answer<Vec<SlotCount>> {
        rows.count_slots(now, true)
    }
    fn is_expiring(&self, end: Timestamp, from: Timestamp, until: Timestamp) -> bool {
        from <= end && end < until
    }
    fn is_used(&self, uses: &LastUses, since: Timestamp) -> bool {
        uses.latest().is_some_and(|used| since <= used)
    }
    fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
        rows.purge(limit, |record| is_dead_before(record, before))
    }
}

/// Rows with a flaw.
#[derive(Default)]
pub(crate) struct Flawed<F> {
    pub(crate) rows: Rows,
    flaw: F,
}

/// None.
#[derive(Default)]
pub(crate) struct Right;

impl Flaw for Right {}

#[async_trait]
impl<F: Flaw> Lookup for Flawed<F> {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Answer<Option<Arc<Record>>> {
        self.flaw.find(&self.rows, CredentialKey::new(kind, *id))
    }
    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        self.flaw.peek(&self.rows, CredentialKey::new(kind, *id))
    }
}

#[async_trait]
impl<F: Flaw> Store for Flawed<F> {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Answer<Option<Entry>> {
        self.flaw.read(&self.rows, CredentialKey::new(kind, *id))
    }
    async fn insert(&self, record: &Arc<Record>) -> Answer<Inserted> {
        self.flaw.insert(&self.rows, record)
    }
    async fn update(&self, seen: u64, record: &Arc<Record>) -> Answer<Updated> {
        self.flaw.update(&self.rows, seen, record)
    }
    async fn list(&self, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
        self.flaw.list(&self.rows, owner, after, limit)
    }
    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Answer<u64> {
        self.flaw.count_live(&self.rows, owner, now)
    }
    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
        self.flaw.revoke_owned(&self.rows, owner, revocation)
    }
    async fn record_uses(&self, uses: &[Use]) -> Answer<()> {
        self.flaw.record_uses(&self.rows, uses)
    }
    async fn count_slots(&self, now: Timestamp) -> Answer<Vec<SlotCount>> {
        self.flaw.count_slots(&self.rows, now)
    }
    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Answer<Vec<Entry>> {
        self.rows.page(after, limit, |entry| {
            let end = entry.record.validity().expires_at();
            entry.record.revocation().is_none()
                && end.is_some_and(|end| self.flaw.is_expiring(end, from, until))
        })
    }
    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Answer<Vec<Entry>> {
        self.rows.page(after, limit, |entry| {
            let record = &entry.record;
            is_live(record, now) && record.created_at() < since && !self.flaw.is_used(&entry.uses, since)
        })
    }
    async fn purge(&self, before: Timestamp, limit: usize) -> Answer<u64> {
        self.flaw.purge(&self.rows, before, limit)
    }
}
