//! A host's own store, whole and in under 80 lines, and the kit that proves it right.
//!
//! `cargo run --example own_store --features conformance`
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::collections::btree_map::{BTreeMap, Entry as Row};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keygate::*;

/// Stands for a table `(kind, id) → record, uses` and a database's transactions.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<BTreeMap<CredentialKey, Entry>>>);

#[rustfmt::skip]
impl Table {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<CredentialKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn page(&self, after: Option<CredentialKey>, limit: usize, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        self.rows().range(behind).map(|(_, row)| row).filter(|row| wanted(row)).take(limit).cloned().collect()
    }
}

#[async_trait]
#[rustfmt::skip]
impl Lookup for Table {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.rows().get(&CredentialKey::new(kind, *id)).map(|row| Arc::clone(&row.record)))
    }
}

#[async_trait]
#[rustfmt::skip]
impl Store for Table {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        Ok(self.rows().get(&CredentialKey::new(kind, *id)).cloned())
    }
    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        let mut rows = self.rows();
        let Row::Vacant(row) = rows.entry(record.key()) else { return Ok(Inserted::IdTaken) };
        row.insert(Arc::clone(record).into());
        Ok(Inserted::Yes)
    }
    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        self.rows().get_mut(&record.key()).map_or(Ok(Updated::Absent), |row| row.update(seen, record))
    }
    async fn list(&self, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let after = after.map(|id| CredentialKey::new(owner.kind(), *id));
        Ok(self.page(after, limit, |row| row.record.owner() == owner))
    }
    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.rows().values().map(|row| u64::from(row.record.owner() == owner && row.is_live(now))).sum())
    }
    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let owned = rows.values_mut().filter(|row| owner.includes(row.record.owner()));
        owned.map(|row| row.revoke(revocation).map(u64::from)).sum()
    }
    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        for Use { key, secret, at } in uses {
            rows.get_mut(key).into_iter().for_each(|row| row.note_use(*secret, *at));
        }
        Ok(())
    }
    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        let mut tally = SlotTally::new(now);
        self.rows().values().for_each(|row| tally.add(&row.record));
        Ok(tally.counts())
    }
    async fn expiring(&self, from: Timestamp, until: Timestamp, after: Option<&CredentialKey>, limit: usize)
        -> Result<Vec<Entry>, StoreError> {
        Ok(self.page(after.copied(), limit, |row| row.is_expiring(from, until)))
    }
    async fn unused(&self, since: Timestamp, now: Timestamp, after: Option<&CredentialKey>, limit: usize)
        -> Result<Vec<Entry>, StoreError> {
        Ok(self.page(after.copied(), limit, |row| row.is_unused(since, now)))
    }
    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let over: Vec<_> = rows.iter().filter(|(_, row)| row.is_over(before)).map(|(key, _)| *key).take(limit).collect();
        Ok(over.iter().map(|key| u64::from(rows.remove(key).is_some())).sum())
    }
}

#[allow(dead_code, reason = "the tests prove the store and leave the report")]
fn main() -> Result<(), conformance::Violations> {
    let report = pollster::block_on(conformance::run(async || Table::default()))?;
    println!("{report}");
    report.checked().for_each(|rule| println!("  {rule}"));
    Ok(())
}
