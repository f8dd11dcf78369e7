//! What was fetched and is kept, with what tells whether it may still be used.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::{CredentialKey, Record};

/// For how many credentials it is kept that they are not there, however many are asked for.
const ABSENCES: usize = 10_000;

/// The moment before a fetch: as old as this is what it brought.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// On the clock that only goes forward.
    pub(super) at: Duration,
    /// Of the credential that is fetched.
    pub(super) generation: u64,
}

/// Records, and apart from them absences: asking for made-up credentials displaces no record.
///
/// It forgets by room alone. Whether what it has may be used is asked at each use, of [`Begun`].
pub(super) struct Shelf {
    records: Table<(Arc<Record>, Begun)>,
    absences: Table<Begun>,
}

type Table<V> = Cache<CredentialKey, V, UnitWeighter, DefaultHashBuilder>;

fn table<V: Clone>(entries: usize) -> Table<V> {
    let capacity = entries.try_into().unwrap_or(u64::MAX);
    Cache::with(entries, capacity, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl Shelf {
    /// Room for so many records.
    pub(super) fn new(records: usize) -> Self {
        Self { records: table(records), absences: table(ABSENCES) }
    }

    #[inline]
    pub(super) fn record(&self, key: &CredentialKey) -> Option<(Arc<Record>, Begun)> {
        self.records.get(key)
    }

    pub(super) fn absence(&self, key: &CredentialKey) -> Option<Begun> {
        self.absences.get(key)
    }

    pub(super) fn keep(&self, key: CredentialKey, record: Option<&Arc<Record>>, begun: Begun) {
        match record {
            Some(record) if record.key() == key => self.records.insert(key, (Arc::clone(record), begun)),
            // A store that mixes up its records is found out by who asked; it is not believed a second time.
            Some(_) => {}
            None => self.absences.insert(key, begun),
        }
    }

    /// How many records and absences there are, those too that may not be used any more.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.records.len(), self.absences.len())
    }
}
