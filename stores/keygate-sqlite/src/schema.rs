//! The tables, how they came to be, and whose file it is.

use keygate::StoreError;
use rusqlite::{Connection, OptionalExtension as _, Result, Transaction, TransactionBehavior};

use crate::OpenError;
use crate::failure::Failure;

/// The steps from an empty file to the tables of today; a file's `user_version` is how many it has behind it.
///
/// A step that is released is never changed. One after which an older release would read something wrong, and not merely fail
/// or miss what is new, gives the table another name: an older process that runs beside is then refused.
pub(crate) const STEPS: &[&str] = &[include_str!("schema/1.sql")];

/// `kgat`: in a file's header, for `file` and for us.
pub(crate) const APPLICATION: i32 = 0x6b67_6174;

/// What a file says of itself.
struct Header {
    application: i32,
    version: i32,
    is_empty: bool,
}

impl Header {
    /// Inside a transaction: between two of its values another process may make the tables.
    fn read(connection: &Transaction<'_>) -> Result<Self> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
        let table = connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(())).optional()?;
        Ok(Self {
            application: number("application_id")?,
            version: number("user_version")?,
            is_empty: table.is_none(),
        })
    }

    /// How many of the steps the file has behind it.
    fn steps_done(&self, steps: &[&str]) -> Result<usize, OpenError> {
        match *self {
            Self { application: 0, version: 0, is_empty: true } => Ok(0),
            Self { application: APPLICATION, version, .. } => usize::try_from(version)
                .ok()
                .filter(|done| *done <= steps.len())
                .ok_or(OpenError::NewerSchema { found: version, known: known(steps) }),
            Self { application, .. } => Err(OpenError::AnotherApplication { application }),
        }
    }
}

fn known(steps: &[&str]) -> i32 {
    i32::try_from(steps.len()).unwrap_or(i32::MAX)
}

/// Whether the file is ours or empty: asked before anything is changed, the journal mode of somebody else's file too.
pub(crate) fn check_owner(connection: &Connection) -> Result<(), OpenError> {
    Header::read(&connection.unchecked_transaction()?)?.steps_done(STEPS).map(drop)
}

/// Brings the tables up to date, in one transaction: whoever opens the file at the same moment waits, and finds it done.
pub(crate) fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), OpenError> {
    if Header::read(&connection.transaction()?)?.steps_done(steps)? == steps.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = Header::read(&transaction)?.steps_done(steps)?;
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known(steps))?;
    Ok(transaction.commit()?)
}

/// Inside a transaction that writes: that no newer release has changed the tables meanwhile.
pub(crate) fn check_version(connection: &Connection) -> Result<(), Failure> {
    let version: i32 = connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    if version == known(STEPS) {
        return Ok(());
    }
    let error = OpenError::NewerSchema { found: version, known: known(STEPS) };
    Err(StoreError::rejected(error).into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keygate::{
        ApiKeyGrant, Authenticator, DigestKeys, Kind, Lookup as _, Record, Store as _, SystemRandom,
        Timestamp,
    };
    use pollster::block_on;

    use super::*;
    use crate::{SqliteStore, Threading};

    const LATER: &[&str] = &[
        "ALTER TABLE keygate_credential ADD COLUMN note TEXT; UPDATE keygate_credential SET note = 'migrated';",
        "CREATE TABLE keygate_more (number INTEGER PRIMARY KEY) STRICT;",
    ];

    fn version(connection: &Connection) -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    /// From each schema to each later one, in one go or step by step; what was written before verifies.
    #[test]
    fn a_migrated_file_verifies_what_it_held() {
        for hops in [&[1, 2][..], &[1, 3], &[2, 3], &[1, 2, 3], &[3]] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("credentials.db");
            let (keys, steps) = (DigestKeys::ephemeral().unwrap(), [STEPS, LATER].concat());
            let drawn = keys.draw(Kind::ApiKey, &SystemRandom).unwrap();
            let now = Timestamp::from_unix(0);
            let record = Record::builder(drawn.key.id, ApiKeyGrant::new("u-17").unwrap(), drawn.digest, now)
                .build()
                .unwrap();
            {
                let store = SqliteStore::open(&path, Threading::inline()).unwrap();
                let _inserted = block_on(store.insert(&Arc::new(record))).unwrap();
            }
            let store = SqliteStore::open(&path, Threading::inline()).unwrap();
            let mut connection = Connection::open(&path).unwrap();
            for hop in hops {
                migrate(&mut connection, &steps[..*hop]).unwrap();
                assert_eq!(version(&connection), i32::try_from(*hop).unwrap());
            }
            // What had the file open before reads on, since these steps only add.
            assert!(block_on(store.find(Kind::ApiKey, &drawn.key.id)).unwrap().is_some());
            let gate = Authenticator::new(store, keys);
            block_on(gate.authenticate([("x-api-key", drawn.text.expose())])).unwrap();
        }
    }

    /// A step that fails takes those before it with it.
    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS).unwrap();
        let steps = [STEPS, LATER, &["DROP TABLE nothing"]].concat();
        assert!(matches!(migrate(&mut connection, &steps), Err(OpenError::Sqlite(_))));
        assert_eq!(version(&connection), 1);
        let more =
            connection.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'keygate_more'", [], |_| Ok(()));
        assert_eq!(more.optional(), Ok(None));
        migrate(&mut connection, &[STEPS, LATER].concat()).unwrap();
        assert!(matches!(
            migrate(&mut connection, STEPS),
            Err(OpenError::NewerSchema { found: 3, known: 1 })
        ));
    }
}
