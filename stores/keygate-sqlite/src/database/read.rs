//! What does not write. Each answer is of one moment.

use std::sync::Arc;

use keygate::{CredentialId, CredentialKey, Entry, Owner, Record, SlotCount, SlotTally, Timestamp};
use rusqlite::{Connection, Params, Row, params};

use super::{Database, rows};
use crate::failure::Failure;
use crate::row::{self, select};

/// By key.
pub(super) const ONE: &str = select!("WHERE kind = ?1 AND id = ?2");

impl Database {
    pub(crate) fn find(&self, key: &CredentialKey) -> Result<Option<Arc<Record>>, Failure> {
        self.readers.with(|connection| {
            first(connection, ONE, params![key.kind.as_str(), key.id.as_str()], |row| {
                asked_for(key, row::remembered(&self.memo, row)?, |record| record)
            })
        })
    }

    pub(crate) fn read(&self, key: &CredentialKey) -> Result<Option<Entry>, Failure> {
        self.readers.with(|connection| {
            first(connection, ONE, params![key.kind.as_str(), key.id.as_str()], |row| {
                asked_for(key, row::entry(connection, row)?, |entry| &entry.record)
            })
        })
    }

    pub(crate) fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, Failure> {
        const OWNED: &str =
            select!("WHERE kind = ?1 AND owner = ?2 AND project = ?3 AND id > ?4 ORDER BY id LIMIT ?5");
        let (of, project) = row::owner(owner);
        let after = after.map_or("", CredentialId::as_str);
        self.page(OWNED, params![owner.kind().as_str(), of, project, after, rows(limit)])
    }

    pub(crate) fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, Failure> {
        const OWNED: &str = select!("WHERE kind = ?1 AND owner = ?2 AND project = ?3");
        let (of, project) = row::owner(owner);
        let mut live = 0_u64;
        self.each(OWNED, params![owner.kind().as_str(), of, project], |row| {
            live = live.saturating_add(u64::from(row.is_live(now)));
        })?;
        Ok(live)
    }

    /// From the records themselves: by a count that trusted columns a key would be dropped that a record needs.
    pub(crate) fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, Failure> {
        let mut tally = SlotTally::new(now);
        self.each(select!(""), [], |row| tally.add(&row.record))?;
        Ok(tally.counts())
    }

    pub(crate) fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, Failure> {
        // What ends in a few days is little beside all that there is: sorted, rather than found by walking along the keys.
        const ENDING: &str = select!(
            "INDEXED BY keygate_credential_by_end
             WHERE expires_at >= ?1 AND expires_at < ?2 AND revoked_at IS NULL AND (kind, id) > (?3, ?4)
             ORDER BY kind, id LIMIT ?5"
        );
        let (kind, id) = behind(after);
        self.page(ENDING, params![from.as_unix(), until.as_unix(), kind, id, rows(limit)])
    }

    pub(crate) fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, Failure> {
        const UNUSED: &str = select!(
            "WHERE (kind, id) > (?3, ?4)
             AND created_at < ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
             AND NOT EXISTS (SELECT 1 FROM keygate_use WHERE credential = number AND secret = 0 AND used_at >= ?1)
             ORDER BY kind, id LIMIT ?5"
        );
        let (kind, id) = behind(after);
        self.page(UNUSED, params![since.as_unix(), now.as_unix(), kind, id, rows(limit)])
    }

    fn page(&self, select: &str, params: impl Params) -> Result<Vec<Entry>, Failure> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached(select)?;
            let mut rows = statement.query(params)?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                page.push(row::entry(connection, row)?);
            }
            Ok(page)
        })
    }

    /// All rows, without their uses.
    fn each(&self, select: &str, params: impl Params, mut each: impl FnMut(Entry)) -> Result<(), Failure> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached(select)?;
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                each(row::record(row)?.into());
            }
            Ok(())
        })
    }
}

/// The first row, read as this says.
pub(super) fn first<T>(
    connection: &Connection,
    select: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = connection.prepare_cached(select)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// What was found, if it is what was asked for: a table that somebody made anew may compare ids by other rules.
fn asked_for<T>(key: &CredentialKey, found: T, record: impl Fn(&T) -> &Arc<Record>) -> Result<T, Failure> {
    if record(&found).key() == *key { Ok(found) } else { Err(row::damaged()) }
}

/// The key that a page begins behind; all keys are behind two empty texts.
fn behind(after: Option<&CredentialKey>) -> (&str, &str) {
    after.map_or(("", ""), |key| (key.kind.as_str(), key.id.as_str()))
}
