//! What a replica has in front of its wire: the cache, or a simple one with a flaw.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keygate::{
    Authenticator, Cached, Caller, ChangeFeed as _, Clock as _, CredentialId, CredentialKey, Entry, Inserted,
    Kind, Lookup, Notice, Owner, Record, Refusal, Revocation, Store, StoreError, Timestamp, Updated,
};

use super::network::{Feed, ReplicaClock, Wire};

/// What a cache promises, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) staleness: u64,
    pub(super) without_feed: u64,
    pub(super) absence: u64,
    pub(super) silence: u64,
}

pub(super) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) trait Replica: Store + Clone + 'static {
    fn forget(&self, key: &CredentialKey);

    /// Follows a feed until it is lost.
    fn listen(&self, feed: Feed) -> Work<()>;

    fn authenticate(
        &self,
        gate: Authenticator,
        key: CredentialKey,
        text: String,
    ) -> Work<Result<Caller, Refusal>> {
        let _ = key;
        Box::pin(async move { gate.authenticate([("authorization", format!("Bearer {text}"))]).await })
    }
}

impl Replica for Cached<Wire> {
    fn forget(&self, key: &CredentialKey) {
        self.invalidate(key);
    }

    fn listen(&self, mut feed: Feed) -> Work<()> {
        let cached = self.clone();
        Box::pin(async move { drop(cached.follow(&mut feed).await) })
    }
}

/// The real one.
pub(super) fn cached(wire: Wire, clock: ReplicaClock, bounds: Bounds) -> Cached<Wire> {
    cached_but(wire, clock, bounds, Duration::ZERO)
}

/// The real one, told to break its promise.
pub(super) fn danger_stale_on_failure(wire: Wire, clock: ReplicaClock, bounds: Bounds) -> Cached<Wire> {
    cached_but(wire, clock, bounds, Duration::from_secs(60))
}

fn cached_but(wire: Wire, clock: ReplicaClock, bounds: Bounds, on_failure: Duration) -> Cached<Wire> {
    Cached::builder(wire)
        .clock(clock)
        .max_staleness(Duration::from_millis(bounds.staleness))
        .max_staleness_without_feed(Duration::from_millis(bounds.without_feed))
        .max_absence(Duration::from_millis(bounds.absence))
        .feed_silence(Duration::from_millis(bounds.silence))
        .danger_stale_on_failure(on_failure)
        .max_records(3)
        .max_loads(2)
        .max_waiting(4)
        .build()
        .unwrap()
}

/// What is wrong with a simple cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    /// Nothing: so it is the flaw that is found.
    None,
    /// Where the authority does not answer, what is too old is used.
    StaleOnFailure,
    /// What was fetched before an invalidation is kept after it.
    FillOverInvalidation,
    /// That a credential was accepted is remembered, instead of its record.
    VerdictKept,
    /// When its feed is back, it forgets what it hears of, and not what it may have missed.
    ReturnIsNothing,
}

/// A cache as one writes it in an afternoon: a map under a lock. Of two bounds it keeps the shorter, always.
#[derive(Clone)]
pub(super) struct Simple(Arc<Inner>);

struct Inner {
    flaw: Flaw,
    wire: Wire,
    clock: ReplicaClock,
    bound: Duration,
    /// How long a fetch may take. A bound of zero keeps nothing, and one's own answer is as new as it can be.
    latest: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    records: HashMap<CredentialKey, (Arc<Record>, Duration)>,
    verdicts: HashMap<CredentialKey, (Caller, Duration)>,
    invalidations: u64,
}

impl Simple {
    pub(super) fn new(flaw: Flaw, wire: Wire, clock: ReplicaClock, bounds: Bounds) -> Self {
        let bound = bounds.staleness.min(bounds.without_feed);
        let latest = [bound, bounds.staleness, u64::MAX].into_iter().find(|limit| *limit > 0).unwrap();
        let [bound, latest] = [bound, latest].map(Duration::from_millis);
        Self(Arc::new(Inner { flaw, wire, clock, bound, latest, kept: Mutex::default() }))
    }

    fn forget_all(&self) {
        let mut kept = self.0.kept.lock().unwrap();
        kept.records.clear();
        kept.verdicts.clear();
        kept.invalidations += 1;
    }

    fn is_new(&self, begun: Duration) -> bool {
        self.0.clock.monotonic() - begun < self.0.bound
    }

    // Also what the truth says is not to be contradicted by what is kept.
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        let entry = self.0.wire.read(kind, id).await;
        self.forget_all();
        entry
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        let inserted = self.0.wire.insert(record).await;
        self.forget_all();
        inserted
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let updated = self.0.wire.update(seen, record).await;
        self.forget_all();
        updated
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        let revoked = self.0.wire.revoke_owned(owner, revocation).await;
        self.forget_all();
        revoked
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let purged = self.0.wire.purge(before, limit).await;
        self.forget_all();
        purged
    }

    pub(super) fn authority(&self) -> &keygate::MemoryStore {
        self.0.wire.authority()
    }
}

#[async_trait]
impl Lookup for Simple {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let (key, now) = (CredentialKey::new(kind, *id), self.0.clock.monotonic());
        let (held, invalidations) = {
            let kept = self.0.kept.lock().unwrap();
            (kept.records.get(&key).cloned(), kept.invalidations)
        };
        if let Some((record, begun)) = &held
            && self.is_new(*begun)
        {
            return Ok(Some(Arc::clone(record)));
        }
        let found = match (self.0.wire.find(kind, id).await, held) {
            (Err(_), Some((record, _))) if self.0.flaw == Flaw::StaleOnFailure => return Ok(Some(record)),
            (found, _) => found?,
        };
        let mut kept = self.0.kept.lock().unwrap();
        if let Some(record) = &found
            && (kept.invalidations == invalidations || self.0.flaw == Flaw::FillOverInvalidation)
        {
            kept.records.insert(key, (Arc::clone(record), now));
        }
        let is_late = self.0.clock.monotonic() - now > self.0.latest;
        if is_late { Err(StoreError::unavailable("too late")) } else { Ok(found) }
    }
}

impl Replica for Simple {
    fn forget(&self, _key: &CredentialKey) {
        self.forget_all();
    }

    fn listen(&self, mut feed: Feed) -> Work<()> {
        let simple = self.clone();
        Box::pin(async move {
            if feed.subscribe().await.is_err() {
                return;
            }
            let mut notice = Notice::Alive;
            loop {
                // Whatever it hears may be the first word after a silence.
                if notice != Notice::Alive || simple.0.flaw != Flaw::ReturnIsNothing {
                    simple.forget_all();
                }
                let Ok(next) = feed.next().await else { return };
                notice = next;
            }
        })
    }

    fn authenticate(
        &self,
        gate: Authenticator,
        key: CredentialKey,
        text: String,
    ) -> Work<Result<Caller, Refusal>> {
        let simple = self.clone();
        Box::pin(async move {
            if simple.0.flaw != Flaw::VerdictKept {
                return gate.authenticate([("authorization", format!("Bearer {text}"))]).await;
            }
            let begun = simple.0.clock.monotonic();
            let (verdict, invalidations) = {
                let kept = simple.0.kept.lock().unwrap();
                (kept.verdicts.get(&key).cloned(), kept.invalidations)
            };
            match verdict {
                Some((caller, begun)) if simple.is_new(begun) => return Ok(caller),
                _ => {}
            }
            let answer = gate.authenticate([("authorization", format!("Bearer {text}"))]).await;
            let mut kept = simple.0.kept.lock().unwrap();
            if let Ok(caller) = &answer
                && kept.invalidations == invalidations
            {
                kept.verdicts.insert(key, (caller.clone(), begun));
            }
            drop(kept);
            answer
        })
    }
}

/// What is written and read through it; and what this test does not call, past everything.
macro_rules! the_rest_of_a_store {
    ($store:ty) => {
        #[async_trait]
        impl Store for $store {
            async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
                self.read(kind, id).await
            }
            async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
                self.insert(record).await
            }
            async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
                self.update(seen, record).await
            }
            async fn list(
                &self,
                owner: &Owner,
                after: Option<&CredentialId>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                self.authority().list(owner, after, limit).await
            }
            async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
                self.authority().count_live(owner, now).await
            }
            async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
                self.revoke_owned(owner, revocation).await
            }
            async fn record_uses(&self, uses: &[keygate::Use]) -> Result<(), StoreError> {
                self.authority().record_uses(uses).await
            }
            async fn count_slots(&self, now: Timestamp) -> Result<Vec<keygate::SlotCount>, StoreError> {
                self.authority().count_slots(now).await
            }
            async fn expiring(
                &self,
                from: Timestamp,
                until: Timestamp,
                after: Option<&CredentialKey>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                self.authority().expiring(from, until, after, limit).await
            }
            async fn unused(
                &self,
                since: Timestamp,
                now: Timestamp,
                after: Option<&CredentialKey>,
                limit: usize,
            ) -> Result<Vec<Entry>, StoreError> {
                self.authority().unused(since, now, after, limit).await
            }
            async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
                self.purge(before, limit).await
            }
        }
    };
}
pub(super) use the_rest_of_a_store;

the_rest_of_a_store!(Simple);
