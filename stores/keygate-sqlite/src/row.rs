//! A credential as a row: the encoded record, beside it what it is found by, and a checksum.

use std::sync::Arc;

use keygate::{CredentialKey, DecodeError, Entry, LastUses, Owner, Record, StoreError, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::failure::Failure;
use crate::memo::Memo;

/// The columns of every `SELECT`, in the order in which they are read: those of [`Columns`], then three more.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT kind, id, owner, project, version, created_at, expires_at, revoked_at, record, checksum, number ",
            "FROM keygate_credential ",
            $condition
        )
    };
}
pub(crate) use select;

const RECORD: usize = 8;
const CHECKSUM: usize = 9;
const NUMBER: usize = 10;

/// What a record is found by. The record is the truth: a row whose columns say something else is damaged.
pub(crate) type Columns<'r> = [ValueRef<'r>; 8];

/// The columns of a record; its key, which it gives by value, has to live as long.
pub(crate) fn columns<'r>(record: &'r Record, key: &'r CredentialKey) -> Columns<'r> {
    let (owner, project) = owner(record.owner());
    [
        text(key.kind.as_str()),
        text(key.id.as_str()),
        text(owner),
        text(project),
        // Two's complement: compared for equality only.
        ValueRef::Integer(record.version().cast_signed()),
        time(Some(record.created_at())),
        time(record.validity().expires_at()),
        time(record.revocation().map(|revocation| revocation.at)),
    ]
}

/// An owner's two columns; the kind of credential tells users from organizations. No project is the empty text, which no id is.
pub(crate) fn owner(owner: &Owner) -> (&str, &str) {
    match owner {
        Owner::User(user) => (user.as_str(), ""),
        Owner::Organization(organization) => (organization.as_str(), ""),
        Owner::Project(organization, project) => (organization.as_str(), project.as_str()),
    }
}

const fn text(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

fn time(at: Option<Timestamp>) -> ValueRef<'static> {
    at.map_or(ValueRef::Null, |at| ValueRef::Integer(at.as_unix()))
}

/// Over kind, id and the encoded record: no id has the `{` that a record begins with, so none runs into the other.
pub(crate) fn checksum(kind: &[u8], id: &[u8], record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    [kind, id, record].iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// The record of a row, if all of the row says the same.
pub(crate) fn record(row: &Row<'_>) -> Result<Arc<Record>, Failure> {
    record_by(row, |_, bytes| Record::decode(bytes).map(Arc::new))
}

/// The same, where it may have been decoded before.
pub(crate) fn remembered(memo: &Memo, row: &Row<'_>) -> Result<Arc<Record>, Failure> {
    record_by(row, |sum, bytes| memo.decode(sum, bytes))
}

fn record_by(
    row: &Row<'_>,
    decode: impl FnOnce(u32, &[u8]) -> Result<Arc<Record>, DecodeError>,
) -> Result<Arc<Record>, Failure> {
    let value = |column: usize| row.get_ref(column);
    let (ValueRef::Text(kind), ValueRef::Text(id), ValueRef::Blob(bytes), ValueRef::Integer(sum)) =
        (value(0)?, value(1)?, value(RECORD)?, value(CHECKSUM)?)
    else {
        return Err(damaged());
    };
    let expected = checksum(kind, id, bytes);
    if sum != i64::from(expected) {
        return Err(damaged());
    }
    let record = decode(expected, bytes).map_err(StoreError::corrupt)?;
    let key = record.key();
    for (column, expected) in columns(&record, &key).into_iter().enumerate() {
        if value(column)? != expected {
            return Err(damaged());
        }
    }
    Ok(record)
}

pub(crate) fn damaged() -> Failure {
    StoreError::corrupt(
        "a row of keygate_credential is damaged, or was changed by something else: restore it from a backup",
    )
    .into()
}

/// The number that other tables know a row by.
pub(crate) fn number(row: &Row<'_>) -> Result<i64, Failure> {
    Ok(row.get(NUMBER)?)
}

/// The number that uses by any secret are noted under, those too that the record does not hold any more: no secret has it.
pub(crate) const ANY_SECRET: u32 = 0;

/// The entry of a row. As long as the row is being read, its uses are read as they were at the same moment.
pub(crate) fn entry(connection: &Connection, row: &Row<'_>) -> Result<Entry, Failure> {
    let record = record(row)?;
    let mut uses = LastUses::default();
    let mut statement = connection
        .prepare_cached("SELECT secret, used_at FROM keygate_use WHERE credential = ?1 ORDER BY secret")?;
    let mut rows = statement.query([number(row)?])?;
    while let Some(row) = rows.next()? {
        let (ValueRef::Integer(secret), ValueRef::Integer(at)) = (row.get_ref(0)?, row.get_ref(1)?) else {
            return Err(damaged());
        };
        let secret = u32::try_from(secret).map_err(|_| damaged())?;
        uses.note(secret, Timestamp::from_unix(at));
        if secret == ANY_SECRET {
            uses.forget_gone(&record);
        }
    }
    Ok(Entry { record, uses })
}
