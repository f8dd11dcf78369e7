//! What writes: each piece in a transaction that holds the file's one lock for writing from its beginning.

use std::sync::Arc;

use keygate::{
    Entry, Inserted, Kind, Owner, Record, Revocation, StoreError, StoreErrorKind, Timestamp, Updated, Use,
};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params, TransactionBehavior, params, params_from_iter};

use super::read::{ONE, first};
use super::{Database, rows};
use crate::failure::Failure;
use crate::row::{self, ANY_SECRET, select};
use crate::schema;

/// How many credentials one transaction changes at most, where there are many to change: others get in between.
const CHUNK: usize = 256;

/// By number.
const NUMBERED: &str = select!("WHERE number = ?1");

impl Database {
    /// Does all of it or nothing, and is done when it is on the disk.
    fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        self.writer.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::check_version(&transaction)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    pub(crate) fn insert(&self, record: &Arc<Record>) -> Result<Inserted, Failure> {
        const INSERT: &str = "
            INSERT INTO keygate_credential
                (kind, id, owner, project, version, created_at, expires_at, revoked_at, record, checksum)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            ON CONFLICT (kind, id) DO NOTHING";
        let encoded = Encoded::of(Arc::clone(record))?;
        self.write(|connection| {
            if store(connection, INSERT, &encoded, None)? == 1 {
                return Ok(Inserted::Yes);
            }
            let key = record.key();
            let taken = first(connection, ONE, params![key.kind.as_str(), key.id.as_str()], |_| Ok(()))?;
            taken.map(|()| Inserted::IdTaken).ok_or_else(ignored)
        })
    }

    pub(crate) fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, Failure> {
        let encoded = Encoded::of(Arc::clone(record))?;
        self.write(|connection| {
            let key = record.key();
            let held = first(connection, ONE, params![key.kind.as_str(), key.id.as_str()], |row| {
                Ok((row::number(row)?, row::record(row)?))
            })?;
            let Some((number, held)) = held else { return Ok(Updated::Absent) };
            let updated = Entry::from(held).update(seen, record)?;
            if updated == Updated::Yes {
                replace(connection, number, &encoded)?;
            }
            Ok(updated)
        })
    }

    /// What cannot be revoked, because it does not decode or has no room left for it, is reported when all the others are.
    pub(crate) fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, Failure> {
        let (mut revoked, mut left) = (0_u64, Ok(()));
        for chunk in self.owned(owner)?.chunks(CHUNK) {
            let of_chunk = self.write(|connection| {
                let mut of_chunk = 0_u64;
                for number in chunk {
                    match by_number(connection, *number)? {
                        // Meanwhile a credential may have been purged, and its number be another's.
                        Ok(Some(record)) if owner.includes(record.owner()) => {
                            match revoke(record, revocation) {
                                Ok(Some(next)) => {
                                    replace(connection, *number, &next)?;
                                    of_chunk = of_chunk.saturating_add(1);
                                }
                                Ok(None) => {}
                                Err(error) => left = Err(error),
                            }
                        }
                        Ok(_) => {}
                        Err(error) => left = Err(error),
                    }
                }
                Ok(of_chunk)
            })?;
            revoked = revoked.saturating_add(of_chunk);
        }
        left?;
        Ok(revoked)
    }

    /// The numbers of all that an owner includes, whatever else their columns say.
    fn owned(&self, owner: &Owner) -> Result<Vec<i64>, Failure> {
        const OWNED: &str = "
            SELECT number FROM keygate_credential
            WHERE kind = ?1 AND owner = ?2 AND (?3 IS NULL OR project = ?3)";
        let (of, project) = row::owner(owner);
        self.readers.with(|connection| {
            let mut owned = numbers(connection, OWNED, params![owner.kind().as_str(), of, project])?;
            if matches!(owner, Owner::Organization(_)) {
                let any: Option<&str> = None;
                owned.extend(numbers(connection, OWNED, params![Kind::ServiceToken.as_str(), of, any])?);
            }
            Ok(owned)
        })
    }

    pub(crate) fn record_uses(&self, uses: &[Use]) -> Result<(), Failure> {
        const NOTE: &str = "
            INSERT INTO keygate_use (credential, secret, used_at) VALUES (?1, ?2, ?4), (?1, ?3, ?4)
            ON CONFLICT DO UPDATE SET used_at = excluded.used_at WHERE excluded.used_at > used_at";
        if uses.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            for Use { key, secret, at } in uses {
                let found = first(connection, ONE, params![key.kind.as_str(), key.id.as_str()], |row| {
                    Ok((row::number(row)?, row::record(row)?))
                });
                if let Ok(Some((number, record))) = unless_all_fails(found)?
                    && record.secret(*secret).is_some()
                {
                    let mut note = connection.prepare_cached(NOTE)?;
                    note.execute(params![number, secret, ANY_SECRET, at.as_unix()])?;
                }
            }
            Ok(())
        })
    }

    pub(crate) fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, Failure> {
        const REVOKED: &str = "
            SELECT number FROM keygate_credential WHERE revoked_at < ?1
            ORDER BY revoked_at, number LIMIT ?2 OFFSET ?3";
        const ENDED: &str = "
            SELECT number FROM keygate_credential WHERE expires_at < ?1
            ORDER BY expires_at, number LIMIT ?2 OFFSET ?3";
        let mut removed = 0_usize;
        for select in [REVOKED, ENDED] {
            // What does not decode stays and is stepped over, and what something else does not let go.
            let mut damaged = 0_usize;
            loop {
                let wanted = limit.saturating_sub(removed).min(CHUNK);
                let (found, gone) = self.write(|connection| {
                    let found =
                        numbers(connection, select, params![before.as_unix(), rows(wanted), rows(damaged)])?;
                    let mut gone = 0_usize;
                    for number in &found {
                        if by_number(connection, *number)?.is_ok() {
                            let mut delete = connection
                                .prepare_cached("DELETE FROM keygate_credential WHERE number = ?1")?;
                            gone = gone.saturating_add(delete.execute([number])?);
                        }
                    }
                    Ok((found.len(), gone))
                })?;
                removed = removed.saturating_add(gone);
                damaged = damaged.saturating_add(found.saturating_sub(gone));
                if found < wanted || wanted == 0 {
                    break;
                }
            }
        }
        Ok(removed.try_into().unwrap_or(u64::MAX))
    }
}

/// The record of this number, or that its row is damaged.
fn by_number(
    connection: &Connection,
    number: i64,
) -> Result<Result<Option<Arc<Record>>, StoreError>, Failure> {
    unless_all_fails(first(connection, NUMBERED, [number], row::record))
}

/// Tells damage of one row, which keeps no other from its due, from what ends the whole piece of work.
fn unless_all_fails<T>(found: Result<T, Failure>) -> Result<Result<T, StoreError>, Failure> {
    match found.map_err(StoreError::from) {
        Err(error) if error.kind() != StoreErrorKind::Corrupt => Err(error.into()),
        found => Ok(found),
    }
}

/// A record, and its bytes as a row has them.
struct Encoded {
    record: Arc<Record>,
    bytes: Vec<u8>,
}

impl Encoded {
    fn of(record: Arc<Record>) -> Result<Self, StoreError> {
        let bytes = record.encode().map_err(StoreError::rejected)?;
        Ok(Self { record, bytes })
    }
}

/// The record's next version, revoked; nothing where it is revoked already.
fn revoke(record: Arc<Record>, revocation: &Revocation) -> Result<Option<Encoded>, StoreError> {
    let mut entry = Entry::from(record);
    if entry.revoke(revocation)? { Encoded::of(entry.record).map(Some) } else { Ok(None) }
}

/// Puts another record in the place of a row's, and forgets the uses of secrets that it does not hold.
fn replace(connection: &Connection, number: i64, next: &Encoded) -> Result<(), Failure> {
    const REPLACE: &str = "
        UPDATE keygate_credential
        SET version = ?5, created_at = ?6, expires_at = ?7, revoked_at = ?8, record = ?9, checksum = ?10
        WHERE number = ?11";
    const FORGET: &str = "DELETE FROM keygate_use WHERE credential = ?1 AND secret NOT IN (?2, ?3, ?4)";
    if store(connection, REPLACE, next, Some(number))? != 1 {
        return Err(ignored());
    }
    let current = next.record.current().number;
    let retiring = next.record.retiring().map_or(current, |retiring| retiring.secret.number);
    connection.prepare_cached(FORGET)?.execute(params![number, ANY_SECRET, current, retiring])?;
    Ok(())
}

/// Runs a statement with all of a row's values; how many rows it changed.
fn store(
    connection: &Connection,
    statement: &str,
    Encoded { record, bytes }: &Encoded,
    number: Option<i64>,
) -> Result<usize, Failure> {
    let key = record.key();
    let sum = row::checksum(key.kind.as_str().as_bytes(), key.id.as_str().as_bytes(), bytes);
    let values = row::columns(record, &key)
        .into_iter()
        .chain([ValueRef::Blob(bytes), ValueRef::Integer(sum.into())])
        .chain(number.map(ValueRef::Integer));
    let changed =
        connection.prepare_cached(statement)?.execute(params_from_iter(values.map(ToSqlOutput::Borrowed)))?;
    Ok(changed)
}

fn numbers(connection: &Connection, select: &str, params: impl Params) -> Result<Vec<i64>, Failure> {
    let mut statement = connection.prepare_cached(select)?;
    let numbers = statement.query_map(params, |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// A trigger of somebody else's says to ignore what it does not like, and SQLite calls that done.
fn ignored() -> Failure {
    StoreError::rejected(
        "the database did not take a row: see whether something else has put a trigger on its tables",
    )
    .into()
}
