//! What a store does, as work that blocks: reads on one of several connections, writes on the one that writes.

mod read;
mod write;

use crate::memo::Memo;
use crate::pool::Pool;

/// The connections to a file.
#[derive(Debug)]
pub(crate) struct Database {
    writer: Pool,
    readers: Pool,
    memo: Memo,
}

impl Database {
    pub(crate) fn new(writer: Pool, readers: Pool) -> Self {
        Self { writer, readers, memo: Memo::new() }
    }
}

/// As SQLite counts rows.
fn rows(count: usize) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keygate::{
        ApiKeyGrant, CredentialId, Digest, Inserted, Lookup as _, Owner, Record, Store as _, StoreErrorKind,
        Timestamp, Updated,
    };
    use pollster::block_on;

    use crate::{SqliteStore, Threading};

    fn record(number: u32) -> Arc<Record> {
        let (id, now) = (CredentialId::parse(&format!("id-{number:05}")).unwrap(), Timestamp::from_unix(0));
        let digest = Digest::from_parts(1, None, &[7; 32]).unwrap();
        let builder = Record::builder(id, ApiKeyGrant::new("u-17").unwrap(), digest, now);
        Arc::new(builder.metadata([("of", &*"x".repeat(256))]).build().unwrap())
    }

    /// SQLite's own limit stands for a full disk: it gives the same code.
    #[test]
    fn a_full_disk_is_an_error_and_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("credentials.db"), Threading::inline()).unwrap();
        let limit = |pages: i64| {
            let set = |connection: &mut rusqlite::Connection| {
                let held: i64 =
                    connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get(0))?;
                assert_eq!(held, pages);
                Ok(())
            };
            store.database().writer.with(set).unwrap();
        };
        limit(40);
        let mut held = 0;
        let error = loop {
            match block_on(store.insert(&record(held))) {
                Ok(inserted) => assert_eq!(inserted, Inserted::Yes),
                Err(error) => break error,
            }
            held += 1;
        };
        assert_eq!(error.kind(), StoreErrorKind::Rejected);
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("make room"));
        assert!(held > 20, "{held}");

        // All of what was acknowledged, and nothing of what was not; what needs no room goes on.
        let owner = Owner::user("u-17").unwrap();
        let listed = block_on(store.list(&owner, None, usize::MAX)).unwrap();
        assert_eq!(u32::try_from(listed.len()), Ok(held));
        let refused = record(held).key();
        assert!(block_on(store.find(refused.kind, &refused.id)).unwrap().is_none());
        let next = Arc::new(record(0).to_builder().version(1).build().unwrap());
        assert_eq!(block_on(store.update(0, &next)).unwrap(), Updated::Yes);

        limit(4_000);
        assert_eq!(block_on(store.insert(&record(held))).unwrap(), Inserted::Yes);
    }

    /// What panics in the middle of a transaction leaves nothing of it, and the connection to whoever comes next.
    #[test]
    fn a_panic_ends_a_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("credentials.db"), Threading::inline()).unwrap();
        let panics = || {
            store.database().writer.with::<()>(|connection| {
                connection.execute_batch("BEGIN IMMEDIATE; DROP TABLE keygate_use")?;
                panic!("in the middle")
            })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(block_on(store.insert(&record(1))).unwrap(), Inserted::Yes);
    }
}
