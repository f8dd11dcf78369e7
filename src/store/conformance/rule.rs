//! A rule, the bench that it is checked on, and the few ways to say what was seen.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

use super::crowd::Crowd;
use crate::{CredentialKey, Entry, Inserted, Invalid, Peek, Record, Store, StoreError};

/// A rule of the contract. A new one is a function, and a line in the table of its file.
pub(super) struct Rule {
    /// Hosts may know it by this: it stays.
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) needs: Needs,
    pub(super) check: fn(Bench) -> Checking,
}

/// What a host has to be able to do. Where that is anything, the store holds what `faults::sow` gave it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Plant,
    BreakOff,
}

pub(super) type Checking = Pin<Box<dyn Future<Output = Checked> + Send>>;
pub(super) type Checked<T = ()> = Result<T, Seen>;

/// What a store did instead of what was expected.
pub(super) struct Seen(pub(super) String);

/// A line in a table of rules.
macro_rules! rule {
    ($name:literal, $check:ident, $expected:literal) => {
        rule!(Nothing, $name, $check, $expected)
    };
    ($needs:ident, $name:literal, $check:ident, $expected:literal) => {
        Rule {
            name: $name,
            expected: $expected,
            needs: $crate::store::conformance::rule::Needs::$needs,
            check: |bench| Box::pin($check(bench)),
        }
    };
}
pub(super) use rule;

/// Else this was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)*) => {
        if !$holds {
            return Err($crate::store::conformance::rule::Seen(format!($($seen)*)));
        }
    };
}
pub(super) use ensure;

/// Else the other was seen, of what is named.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)*) => {
        match (&$found, &$expected) {
            (found, expected) => $crate::store::conformance::rule::ensure!(
                found == expected,
                "{}: {found:?} instead of {expected:?}",
                format_args!($($what)*)
            ),
        }
    };
}
pub(super) use ensure_eq;

impl Seen {
    pub(super) fn error(error: &StoreError) -> Self {
        let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
        Self(format!("an error: {error}{source}"))
    }
}

impl From<StoreError> for Seen {
    fn from(error: StoreError) -> Self {
        Self::error(&error)
    }
}

impl From<Invalid> for Seen {
    fn from(invalid: Invalid) -> Self {
        Self(format!("a value that the kit itself made is not accepted: {invalid}"))
    }
}

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

    /// This record and no other is read.
    pub(super) async fn holds(&self, record: &Record) -> Checked {
        same("read", &self.entry(record.key()).await?.record, record)
    }

    pub(super) async fn holds_nothing(&self, key: CredentialKey) -> Checked {
        let found = self.read(key).await?;
        ensure!(found.is_none(), "read: a record of {key} instead of none");
        Ok(())
    }

    /// This record, or that there is none, is found in every way that there is of asking for one.
    pub(super) async fn finds(&self, key: CredentialKey, expected: Option<&Record>) -> Checked {
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
