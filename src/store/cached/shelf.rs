//! What was fetched and is kept, with what tells whether it may still be used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::quality::RandomState;
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
    /// Held while something is put there, after what it replaces was looked at.
    keeping: Mutex<()>,
}

type Table<V> = Cache<CredentialKey, V, UnitWeighter, RandomState>;

fn table<V: Clone>(entries: usize) -> Table<V> {
    let capacity = entries.try_into().unwrap_or(u64::MAX);
    Cache::with(entries, capacity, UnitWeighter, RandomState::default(), DefaultLifecycle::default())
}

impl Shelf {
    /// Room for so many records.
    pub(super) fn new(records: usize) -> Self {
        Self { records: table(records), absences: table(ABSENCES), keeping: Mutex::default() }
    }

    #[inline]
    pub(super) fn record(&self, key: &CredentialKey) -> Option<(Arc<Record>, Begun)> {
        self.records.get(key)
    }

    pub(super) fn absence(&self, key: &CredentialKey) -> Option<Begun> {
        self.absences.get(key)
    }

    /// Keeps what a fetch brought, unless a later one brought something already: what is known to be gone does not come back.
    pub(super) fn keep(&self, key: CredentialKey, record: Option<&Arc<Record>>, begun: Begun) {
        let _one_at_a_time = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let is_later = |known: Begun| (known.generation, known.at) > (begun.generation, begun.at);
        if self.record(&key).is_some_and(|(_, known)| is_later(known))
            || self.absence(&key).is_some_and(is_later)
        {
            return;
        }
        match record {
            Some(record) if record.key() == key => {
                self.absences.remove(&key);
                self.records.insert(key, (Arc::clone(record), begun));
            }
            // A store that mixes up its records is found out by who asked; it is not believed a second time.
            Some(_) => {}
            None => {
                self.records.remove(&key);
                self.absences.insert(key, begun);
            }
        }
    }

    /// How many records and absences there are, those too that may not be used any more.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.records.len(), self.absences.len())
    }
}
