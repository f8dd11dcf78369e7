//! The bench that a rule is checked on.

use std::sync::Arc;

use super::crowd::Crowd;
use super::seen::{Checked, Seen, ensure, ensure_eq};
use crate::{CredentialKey, Entry, Inserted, Peek, Record, Store};

/// One store, and who works on it at once.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) store: Arc<dyn Store>,
    pub(super) crowd: Crowd,
}

impl Bench {
    /// Inserts what is new.
    pub(super) async fn put(&self, record: &Arc<Record>) -> Checked {
        let inserted = self.store.insert(record).await?;
        ensure_eq!(inserted, Inserted::Yes, "insert of {}", record.key());
        Ok(())
    }

    pub(super) async fn read(&self, key: CredentialKey) -> Checked<Option<Entry>> {
        Ok(self.store.read(key.kind, &key.id).await?)
    }

    /// What there has to be.
    pub(super) async fn entry(&self, key: CredentialKey) -> Checked<Entry> {
        self.read(key).await?.ok_or_else(|| Seen(format!("read: nothing of {key}")))
    }

    /// This record and no other is found.
    pub(super) async fn holds(&self, record: &Record) -> Checked {
        self.finds(record.key(), Some(record)).await
    }

    pub(super) async fn holds_nothing(&self, key: CredentialKey) -> Checked {
        self.finds(key, None).await
    }

    /// This record, or that there is none, is found in every way that there is of asking for one.
    async fn finds(&self, key: CredentialKey, expected: Option<&Record>) -> Checked {
        // A peek comes first, as on the way of a request: a find would bring it up to date.
        let peeked = match self.store.peek(key.kind, &key.id) {
            Peek::Ask => None,
            Peek::Absent => Some(None),
            Peek::Known(record) => Some(Some(record)),
        };
        let found = self.store.find(key.kind, &key.id).await?;
        let read = self.read(key).await?.map(|entry| entry.record);
        for (method, found) in [("peek", peeked), ("find", Some(found)), ("read", Some(read))] {
            match (found, expected) {
                (None, _) | (Some(None), None) => {}
                (Some(Some(found)), Some(expected)) => same(method, &found, expected)?,
                (Some(None), Some(_)) => return Err(Seen(format!("{method}: nothing of {key}"))),
                (Some(Some(_)), None) => {
                    return Err(Seen(format!("{method}: a record of {key} instead of none")));
                }
            }
        }
        Ok(())
    }
}

/// One record is the other, in all that is stored.
pub(super) fn same(what: &str, found: &Record, expected: &Record) -> Checked {
    ensure_eq!(found.version(), expected.version(), "{what}: version of {}", expected.key());
    ensure!(found.is_same(expected), "{what}: {} is not as it was given", expected.key());
    Ok(())
}

/// The ids of a page.
pub(super) fn ids(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.record.id().to_string()).collect()
}
