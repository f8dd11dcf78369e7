//! What may be set of a cache.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::admission::Admission;
use super::generations::Generations;
use super::hearing::Hearing;
use super::shelf::Shelf;
use super::{Bounds, Cached, Inner};
use crate::{Clock, Invalid, SystemClock};

/// The options of a [`Cached`]: its bounds, and its limits.
///
/// ```
/// use std::time::Duration;
/// use keygate::{Cached, MemoryStore};
///
/// let cached = Cached::builder(MemoryStore::new()).max_staleness(Duration::from_secs(2)).max_records(20_000).build()?;
/// let refused = Cached::builder(MemoryStore::new()).max_staleness(Duration::from_secs(61)).build().unwrap_err();
/// assert_eq!(refused.to_string(), "max_staleness: expected 0 to 60 s");
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct CachedBuilder<L> {
    lookup: L,
    clock: Box<dyn Clock>,
    max_staleness: Duration,
    without_feed: Duration,
    absences: Duration,
    on_failure: Duration,
    feed_silence: Duration,
    max_records: usize,
    max_loads: usize,
    max_waiting: usize,
}

const MAX_STALENESS: Duration = Duration::from_secs(60);
const MAX_ON_FAILURE: Duration = Duration::from_secs(3_600);
const MAX_SILENCE: Duration = Duration::from_secs(60);
const MAX_LOADS: usize = 65_536;

impl<L> CachedBuilder<L> {
    pub(super) fn new(lookup: L) -> Self {
        Self {
            lookup,
            clock: Box::new(SystemClock::new()),
            max_staleness: Duration::from_secs(5),
            without_feed: Duration::from_secs(1),
            absences: Duration::from_secs(1),
            on_failure: Duration::ZERO,
            feed_silence: Duration::from_secs(10),
            max_records: 100_000,
            max_loads: 64,
            max_waiting: 1_024,
        }
    }

    /// How long after a fetch began its answer may be used: 5 s unless said otherwise, 0 to 60 s. By as much may a
    /// revocation in another process be late.
    ///
    /// Zero keeps and shares nothing: each call asks.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// The same while a change feed that was [followed](Cached::follow) is not heard: 1 s unless said otherwise. A longer time than
    /// `max_staleness` counts as that.
    pub fn max_staleness_without_feed(mut self, bound: Duration) -> Self {
        self.without_feed = bound;
        self
    }

    /// How long it is kept that there is no such credential: 1 s unless said otherwise. A longer time than `max_staleness`
    /// counts as that.
    ///
    /// So long may a credential that another process just issued be refused here.
    pub fn max_absence(mut self, bound: Duration) -> Self {
        self.absences = bound;
        self
    }

    /// How long a change feed may tell nothing before it counts as lost: 10 s unless said otherwise, more than zero, at most 60 s.
    pub fn feed_silence(mut self, silence: Duration) -> Self {
        self.feed_silence = silence;
        self
    }

    /// Where the store says that it is unavailable, lets a record stand in that was fetched at most so long ago: at most an hour.
    /// Without this, none does.
    ///
    /// Not for a full queue, an answer that comes too late or a panic: there the store may be well. Nor while the bound is zero:
    /// then nothing that was kept is used. Where it should stand in
    /// for a slow store, give the store a deadline.
    ///
    /// # Security
    ///
    /// It breaks the promise of `max_staleness`: while the store is down, what another process revoked is accepted for
    /// up to this long. What was invalidated here is not accepted; deadlines and everything else are checked as ever.
    pub fn danger_stale_on_failure(mut self, bound: Duration) -> Self {
        self.on_failure = bound;
        self
    }

    /// For how many records there is room: 100,000 unless said otherwise, at least one.
    pub fn max_records(mut self, records: usize) -> Self {
        self.max_records = records;
        self
    }

    /// How many calls of the store there are at a time: 64 unless said otherwise, 1 to 65,536.
    pub fn max_loads(mut self, loads: usize) -> Self {
        self.max_loads = loads;
        self
    }

    /// How many calls may wait for their turn: 1,024 unless said otherwise; who comes then fails at once.
    pub fn max_waiting(mut self, loads: usize) -> Self {
        self.max_waiting = loads;
        self
    }

    /// A clock of the host's own: of it, only monotonic time is asked for.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The cache.
    ///
    /// # Errors
    ///
    /// [`Invalid`], naming the option that is out of its range.
    pub fn build(self) -> Result<Cached<L>, Invalid> {
        let wrong = [
            (self.max_staleness > MAX_STALENESS, "max_staleness", "0 to 60 s"),
            (self.on_failure > MAX_ON_FAILURE, "danger_stale_on_failure", "at most an hour"),
            (
                self.feed_silence.is_zero() || self.feed_silence > MAX_SILENCE,
                "feed_silence",
                "more than zero and at most 60 s",
            ),
            (self.max_records == 0, "max_records", "at least one"),
            (!(1..=MAX_LOADS).contains(&self.max_loads), "max_loads", "1 to 65,536"),
        ];
        match wrong.into_iter().find(|(is_wrong, ..)| *is_wrong) {
            Some((_, argument, expected)) => Err(Invalid::new(argument, expected)),
            None => Ok(self.cached()),
        }
    }

    pub(super) fn cached(self) -> Cached<L> {
        Cached(Arc::new(Inner {
            lookup: self.lookup,
            clock: self.clock,
            bounds: Bounds {
                records: self.max_staleness,
                without_feed: self.without_feed.min(self.max_staleness),
                absences: self.absences,
                on_failure: self.on_failure,
            },
            shelf: Shelf::new(self.max_records),
            generations: Generations::new(),
            flights: Arc::default(),
            admission: Admission::new(self.max_loads, self.max_waiting),
            hearing: Hearing::new(self.feed_silence),
        }))
    }
}

impl<L> fmt::Debug for CachedBuilder<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedBuilder").field("max_staleness", &self.max_staleness).finish_non_exhaustive()
    }
}
