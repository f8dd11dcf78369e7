//! A lookup or a store behind a cache whose answers are never older than one number says.

mod admission;
mod builder;
mod flights;
mod generations;
mod hearing;
#[cfg(all(test, keygate_loom))]
mod loom_tests;
mod shelf;
mod writes;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;

use self::admission::Admission;
pub use self::builder::CachedBuilder;
use self::flights::{Failure, Fetched, Flight, Flights, Outcome, Panic, Place};
use self::generations::Generations;
use self::hearing::Hearing;
use self::shelf::{Begun, Shelf};
use super::{ChangeFeed, Entry, Lookup, Notice, Peek, StoreError, StoreErrorKind};
use crate::{Clock, CredentialId, CredentialKey, Kind, Record};

/// A lookup, or a store, behind a cache: no answer is from a fetch that began longer ago than `max_staleness`.
///
/// It is a [`Lookup`] over a lookup and a [`Store`](crate::Store) over a store. Give one handle to the authenticator and a clone to the
/// issuer: then a revocation that was acknowledged is seen by every verification that begins after it in this process, and
/// by other processes within `max_staleness` (5 s, if nothing else is said), whatever is lost between them.
///
/// ```
/// use std::time::Duration;
/// use keygate::{Authenticator, Cached, DigestKeys, Issuer, MemoryStore};
///
/// # let (database, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
/// let store = Cached::builder(database).max_staleness(Duration::from_secs(2)).build()?;
/// let issuer = Issuer::new(store.clone(), keys.clone());
/// let gate = Authenticator::new(store, keys);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it keeps
///
/// Records by kind and id, and for a shorter time that there is none; never a verdict, an error or a secret. Digest,
/// deadlines, networks and scopes are checked at each use. Absences have their own room, of 10,000: made-up ids displace
/// nothing. A hit is a [`peek`](Lookup::peek), without a future or an allocation.
///
/// # How it asks
///
/// * All who ask for one credential at the same time share one call. Whoever waits drives it, so a request that
///   is given up holds back no other; a panic of the store is that of who made the call, and *undecided* for those who waited
///   with it.
/// * What is inside does not ask the cache that it is inside of: it would wait for itself.
/// * At most 64 calls at a time and 1,024 in the queue before them (of credentials, not of callers); beyond that it fails at
///   once, as [unavailable](StoreErrorKind::Unavailable). It has no timer: give what is inside a deadline.
/// * A call that takes longer than `max_staleness` is *unavailable* too: its answer would be older than was promised.
///
/// # What makes it forget
///
/// * Each write through it, before and after, also one that failed or was given up. [`revoke_owned`](crate::Store::revoke_owned)
///   and [`purge`](crate::Store::purge) forget everything, because they do not say what they touched.
/// * A [`read`](crate::Store::read) of the truth that differs from what it knows.
/// * The host: [`invalidate`](Self::invalidate), [`invalidate_all`](Self::invalidate_all), for writes that go past it.
/// * A [`ChangeFeed`], in [`follow`](Self::follow): other processes' writes, normally within a second.
///
/// What was fetched before, or is being fetched, is then never used for a call that begins after. About one in a thousand other
/// credentials shares its counter, and is forgotten with it.
///
/// # Errors
///
/// Those of what is inside, never kept: the next call asks again.
pub struct Cached<L>(Arc<Inner<L>>);

struct Inner<L> {
    lookup: L,
    clock: Box<dyn Clock>,
    bounds: Bounds,
    shelf: Shelf,
    generations: Generations,
    flights: Arc<Flights>,
    admission: Admission,
    hearing: Hearing,
}

/// How long what was fetched may be used, from when the fetch began. Zero: not at all.
struct Bounds {
    records: Duration,
    without_feed: Duration,
    absences: Duration,
    on_failure: Duration,
}

impl<L> Cached<L> {
    /// With the defaults of [`CachedBuilder`].
    #[must_use]
    pub fn new(lookup: L) -> Self {
        CachedBuilder::new(lookup).cached()
    }

    /// To set a bound, room, a clock.
    pub fn builder(lookup: L) -> CachedBuilder<L> {
        CachedBuilder::new(lookup)
    }

    /// Forgets what is known of this credential: for a host that changed it past this cache.
    pub fn invalidate(&self, key: &CredentialKey) {
        self.0.generations.raise(key);
    }

    /// Forgets everything.
    pub fn invalidate_all(&self) {
        self.0.generations.raise_all();
    }

    /// Listens to a change feed and forgets what it names. It returns only when the feed is lost, and says why.
    ///
    /// One feed at a time: of two, one that is heard would hide that the other is lost.
    ///
    /// The library spawns nothing and has no timer: the host runs this in a task of its own and calls it again after a pause.
    /// From the first call on, whenever there is no feed to be heard (lost, silent for longer than
    /// [`feed_silence`](CachedBuilder::feed_silence), or this future dropped), the bound is
    /// [`max_staleness_without_feed`](CachedBuilder::max_staleness_without_feed); and when it is heard again,
    /// everything is forgotten, since notices may have been lost.
    ///
    /// ```no_run
    /// # use keygate::{Cached, ChangeFeed, MemoryStore};
    /// # async fn run(cached: Cached<MemoryStore>, mut feed: impl ChangeFeed, pause: impl AsyncFn()) {
    /// loop {
    ///     let error = cached.follow(&mut feed).await;
    ///     eprintln!("the change feed is lost: {error}");
    ///     pause().await;
    /// }
    /// # }
    /// ```
    pub async fn follow(&self, feed: &mut dyn ChangeFeed) -> StoreError {
        let inner = &*self.0;
        // Lost until it is heard: a subscription may wait long for its connection.
        let _lost_before_and_after = Lost::now_and_when_dropped(&inner.hearing);
        if let Err(error) = feed.subscribe().await {
            return error;
        }
        let mut notice = Notice::Alive;
        loop {
            let now = inner.clock.monotonic();
            // Forgotten first and heard then: nothing from within the gap is used under the longer bound.
            if notice == Notice::ManyChanged || inner.hearing.is_lost(now) {
                inner.generations.raise_all();
            } else if let Notice::Changed(key) = &notice {
                inner.generations.raise(key);
            }
            inner.hearing.hear(now);
            notice = match feed.next().await {
                Ok(notice) => notice,
                Err(error) => return error,
            };
        }
    }
}

struct Lost<'a>(&'a Hearing);

impl<'a> Lost<'a> {
    fn now_and_when_dropped(hearing: &'a Hearing) -> Self {
        hearing.lose();
        Self(hearing)
    }
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        self.0.lose();
    }
}

impl<L> Inner<L> {
    /// How old a record may be at this time.
    #[inline]
    fn bound(&self, now: Duration) -> Duration {
        if self.hearing.is_lost(now) { self.bounds.without_feed } else { self.bounds.records }
    }

    /// Whether what a fetch brought may be used at this time. Every use asks here.
    #[inline]
    fn is_usable(&self, key: &CredentialKey, begun: Begun, now: Duration, bound: Duration) -> bool {
        !bound.is_zero()
            && now.saturating_sub(begun.at) <= bound
            && begun.generation == self.generations.of(key)
    }

    /// What is known without asking.
    #[inline]
    fn held(&self, key: &CredentialKey) -> Option<Fetched> {
        if let Some((record, begun)) = self.shelf.record(key) {
            let now = self.clock.monotonic();
            if self.is_usable(key, begun, now, self.bound(now)) {
                return Some(Fetched { record: Some(record), begun });
            }
        }
        let begun = self.shelf.absence(key)?;
        let now = self.clock.monotonic();
        let bound = self.bounds.absences.min(self.bound(now));
        self.is_usable(key, begun, now, bound).then_some(Fetched { record: None, begun })
    }

    /// Whether what was read of the truth is known already.
    fn knows(&self, key: &CredentialKey, read: &Result<Option<Entry>, StoreError>) -> bool {
        match (self.held(key), read) {
            (Some(Fetched { record: Some(record), .. }), Ok(Some(entry))) => {
                record.version() == entry.record.version()
            }
            _ => false,
        }
    }

    /// A record that is too old, where the host said that it may stand in for a store that does not answer.
    fn stale(&self, key: &CredentialKey, error: &StoreError) -> Option<Arc<Record>> {
        if error.kind() != StoreErrorKind::Unavailable {
            return None;
        }
        let (record, begun) = self.shelf.record(key)?;
        self.is_usable(key, begun, self.clock.monotonic(), self.bounds.on_failure).then_some(record)
    }
}

impl<L: Lookup + 'static> Inner<L> {
    async fn ask(self: &Arc<Self>, key: CredentialKey) -> Result<Option<Arc<Record>>, StoreError> {
        let generation = self.generations.of(&key);
        let asked = self.clock.monotonic();
        let bound = self.bound(asked);
        if bound.is_zero() {
            // Nothing is shared then, and what one's own call brought is as new as it can be.
            let Fetched { record, begun } = self.fetch(key, |_| {}).await?;
            return if self.bounds.records.is_zero() {
                Ok(record)
            } else {
                self.in_time(record, begun, self.bounds.records)
            };
        }
        let is_early = |begun: Begun, longest: Duration| {
            begun.generation < generation || asked.saturating_sub(begun.at) > longest
        };
        let mut longest = bound;
        loop {
            let (flight, is_own) =
                self.flights.join(key, |begun| is_early(begun, longest), |place| self.flight(key, place));
            let Fetched { record, begun } = match flight.await {
                Ok(fetched) => fetched,
                Err(Failure::Store(error)) => return self.stale(&key, &error).map(Some).ok_or(error),
                Err(Failure::Panicked(panic)) if is_own => panic.resume(),
                Err(failure) => return Err(failure.into()),
            };
            // What it would bring was not known when it was joined: an absence is old sooner, and what was kept already may
            // be from before this call. The next one is made after it, so there is no third.
            longest = if record.is_some() { bound } else { bound.min(self.bounds.absences) };
            if !is_early(begun, longest) {
                return self.in_time(record, begun, self.bound(self.clock.monotonic()));
            }
        }
    }

    /// What was fetched, if it may still be said.
    fn in_time(
        &self,
        record: Option<Arc<Record>>,
        begun: Begun,
        longest: Duration,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        if self.clock.monotonic().saturating_sub(begun.at) <= longest {
            return Ok(record);
        }
        Err(StoreError::unavailable("the answer came later than max_staleness allows"))
    }

    fn flight(self: &Arc<Self>, key: CredentialKey, place: Place) -> Flight {
        let inner = Arc::clone(self);
        let flight = async move {
            // Given up at the end, before anybody sees the answer: who comes later asks anew.
            let place = place;
            let fetched = AssertUnwindSafe(inner.fetch(key, |begun| place.begin(begun))).catch_unwind().await;
            let outcome: Outcome = match fetched {
                Ok(fetched) => fetched,
                Err(payload) => Err(Failure::Panicked(Panic::new(payload))),
            };
            outcome
        };
        flight.boxed().shared()
    }

    /// Asks what is inside, once it is this fetch's turn, and keeps the answer.
    async fn fetch(&self, key: CredentialKey, begin: impl FnOnce(Begun)) -> Outcome {
        let _turn = self.admission.enter().await.ok_or(Failure::Full)?;
        // Another fetch may have ended since somebody looked.
        if let Some(held) = self.held(&key) {
            return Ok(held);
        }
        let begun = Begun { at: self.clock.monotonic(), generation: self.generations.of(&key) };
        begin(begun);
        let record = self.lookup.find(key.kind, &key.id).await?;
        if !self.bounds.records.is_zero() && begun.generation == self.generations.of(&key) {
            self.shelf.keep(key, record.as_ref(), begun);
        }
        Ok(Fetched { record, begun })
    }
}

#[async_trait]
impl<L: Lookup + 'static> Lookup for Cached<L> {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let key = CredentialKey::new(kind, *id);
        match self.0.held(&key) {
            Some(held) => Ok(held.record),
            None => self.0.ask(key).await,
        }
    }

    #[inline]
    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        match self.0.held(&CredentialKey::new(kind, *id)) {
            Some(Fetched { record: Some(record), .. }) => Peek::Known(record),
            Some(Fetched { record: None, .. }) => Peek::Absent,
            None => self.0.lookup.peek(kind, id),
        }
    }
}

impl<L> Clone for Cached<L> {
    /// Another handle on the same cache.
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> fmt::Debug for Cached<L> {
    /// How much it keeps, and none of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, absences) = self.0.shelf.sizes();
        f.debug_struct("Cached")
            .field("max_staleness", &self.0.bounds.records)
            .field("records", &records)
            .field("absences", &absences)
            .finish_non_exhaustive()
    }
}
