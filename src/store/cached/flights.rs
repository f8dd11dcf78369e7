//! One fetch for all who ask for the same credential at the same time.

use std::any::Any;
use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::{BoxFuture, Shared, WeakShared};

use super::shelf::Begun;
use crate::{CredentialKey, Record, StoreError};

/// A fetch that many may wait for. Whoever waits drives it, so none hangs on another's task; the last to leave drops it.
pub(super) type Flight = Shared<BoxFuture<'static, Outcome>>;

pub(super) type Outcome = Result<Fetched, Failure>;

/// What a fetch brought.
#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) record: Option<Arc<Record>>,
    pub(super) begun: Begun,
}

/// Why a fetch brought nothing.
#[derive(Clone)]
pub(super) enum Failure {
    /// What the store said.
    Store(StoreError),
    /// It was not asked: too many wait for it.
    Full,
    Panicked(Panic),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Full => Self::unavailable("too many calls wait for the store"),
            Failure::Panicked(_) => Self::unavailable(PANICKED),
        }
    }
}

/// What those get who waited with the one that gets the panic.
const PANICKED: &str = "the store panicked";

/// A store's panic, for who made the call.
#[derive(Clone)]
pub(super) struct Panic(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl Panic {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        Self(Arc::new(Mutex::new(Some(payload))))
    }

    /// Goes on with it.
    pub(super) fn resume(&self) -> ! {
        let payload = lock(&self.0).take();
        resume_unwind(payload.unwrap_or_else(|| Box::new(PANICKED)))
    }
}

/// The fetches under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<Table>);

#[derive(Default)]
struct Table {
    under_way: HashMap<CredentialKey, UnderWay>,
    /// Of the flight that was made last.
    number: u64,
}

struct UnderWay {
    number: u64,
    begun: Arc<OnceLock<Begun>>,
    flight: WeakShared<BoxFuture<'static, Outcome>>,
}

/// A flight's place in the table: given up when it ends or is dropped, by whoever drops it.
pub(super) struct Place {
    flights: Arc<Flights>,
    key: CredentialKey,
    number: u64,
    begun: Arc<OnceLock<Begun>>,
}

impl Place {
    /// The fetch begins.
    pub(super) fn begin(&self, begun: Begun) {
        // It begins once, so nothing was there.
        let _already = self.begun.set(begun);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = lock(&self.flights.0);
        if table.under_way.get(&self.key).is_some_and(|flight| flight.number == self.number) {
            table.under_way.remove(&self.key);
        }
    }
}

impl Flights {
    /// The flight that is under way for this credential, unless its fetch began too early; else a new one in its place. And whether
    /// it is the new one.
    pub(super) fn join(
        self: &Arc<Self>,
        key: CredentialKey,
        is_early: impl FnOnce(Begun) -> bool,
        make: impl FnOnce(Place) -> Flight,
    ) -> (Flight, bool) {
        // Declared before the lock, so dropped after it: the last handle on a flight drops its place, which locks too.
        let (early, made);
        let mut table = lock(&self.0);
        if let Some(known) = table.under_way.get(&key) {
            early = known.flight.upgrade();
            match &early {
                Some(flight) if !known.begun.get().is_some_and(|begun| is_early(*begun)) => {
                    return (flight.clone(), false);
                }
                _ => {}
            }
        }
        table.number = table.number.wrapping_add(1);
        let (number, begun) = (table.number, Arc::<OnceLock<Begun>>::default());
        made = make(Place { flights: Arc::clone(self), key, number, begun: Arc::clone(&begun) });
        // Nobody has driven it yet, so it has not ended, and there is a weak handle.
        if let Some(flight) = made.downgrade() {
            table.under_way.insert(key, UnderWay { number, begun, flight });
        }
        (made.clone(), true)
    }
}

/// No panic happens between two changes that belong together, so what a poisoned lock guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
