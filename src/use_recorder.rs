//! When credentials were used: kept in memory, and handed to the store in batches off the answer's path.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::HashMap;

use crate::{
    Caller, Clock, CredentialKey, DigestKeys, Invalid, Lifetime, PresentedCredential, Store, StoreError,
    SystemClock, Timestamp, Updated, Upgrade, Use,
};

/// Collects when credentials were used, and hands that to the store in batches.
///
/// Verification writes nothing. A recorder keeps, in memory, the latest use of each secret; the host drives what becomes of
/// it: it spawns [`run`](Self::run), or calls [`flush_due`](Self::flush_due) as often as it likes, and
/// [`flush`](Self::flush) at its shutdown. The library spawns nothing.
///
/// A cheap handle; clones are one recorder.
///
/// ```
/// use keygate::{Authenticator, DigestKeys, MemoryStore, UseRecorder};
///
/// let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
/// let recorder = UseRecorder::new(store.clone());
/// let gate = Authenticator::builder(store, keys).use_recorder(recorder.clone()).build()?;
/// // with tokio, on a clone: tokio::spawn(async move { clone.run(|| tokio::time::sleep(clone.window())).await });
/// # pollster::block_on(async {
/// recorder.flush().await?; // at shutdown
/// # Ok::<(), keygate::StoreError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is promised
///
/// * What is noted is the credential that was presented: an account that only mints is used by its children, whose uses are
///   theirs.
/// * At most one write for a secret and window (60 s by default), however often it is used.
/// * A recorded time never goes back, and is only that of a full success.
/// * Nothing is lost while there is room: what a store did not take, or what was under way in a future that was dropped,
///   is kept for the next flush (but for what the store says that it will never take: that is dropped and counted, too). There is room for so many secrets (10,000 by default); past that, the oldest note is
///   dropped, and [counted](Self::dropped).
/// * No answer waits for the store, or fails with it.
#[derive(Clone)]
pub struct UseRecorder(Arc<Inner>);

struct Inner {
    store: Box<dyn Store>,
    clock: Box<dyn Clock>,
    window: Duration,
    capacity: usize,
    upgrades_digests: bool,
    noted: RwLock<Noted>,
    upgrades: Mutex<HashMap<CredentialKey, Upgrade>>,
    /// By the monotonic clock.
    last_flush: Mutex<Option<Duration>>,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// A credential and the number of one of its secrets.
type Which = (CredentialKey, u32);

/// A use of what is noted already takes the lock for reading only.
#[derive(Default)]
struct Noted {
    latest: HashMap<Which, AtomicI64>,
    /// The same secrets, from when they were noted first.
    order: VecDeque<Which>,
}

/// What one flush handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flushed {
    /// Uses that the store took.
    pub uses: usize,
    /// Digests that are now under the active key.
    pub upgrades: usize,
}

impl UseRecorder {
    /// How many uses the store is handed at once.
    const BATCH: usize = 1_000;
    /// How many records wait for an upgrade at most; what finds no room asks again at its next success.
    const MOST_UPGRADES: usize = 1_000;

    /// A recorder with a window of 60 s and room for 10,000 secrets, which upgrades no digests.
    #[must_use]
    pub fn new(store: impl Store + 'static) -> Self {
        Self(Arc::new(Self::builder(store).inner))
    }

    /// A recorder with a window, room or a clock of the host's own.
    pub fn builder(store: impl Store + 'static) -> UseRecorderBuilder {
        UseRecorderBuilder {
            inner: Inner {
                store: Box::new(store),
                clock: Box::new(SystemClock::new()),
                window: Duration::from_secs(60),
                capacity: 10_000,
                upgrades_digests: false,
                noted: RwLock::default(),
                upgrades: Mutex::default(),
                last_flush: Mutex::default(),
                dropped: AtomicU64::new(0),
                failed: AtomicU64::new(0),
            },
        }
    }

    /// Notes a use, in memory: for a host that drives the core itself. An authenticator that has a recorder does it.
    ///
    /// The use of an access token is not noted: it is no use of the secret that minted it.
    pub fn record(&self, caller: &Caller, at: Timestamp) {
        if let Some(secret) = caller.secret_number() {
            self.0.note((caller.credential(), secret), at);
        }
    }

    /// How many notes were dropped: for want of room, or because the store said that it will never take them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// How many flushes failed, those of [`run`](Self::run) too: while this grows, times of use stay behind.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// The window.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.0.window
    }

    /// Hands over what was noted, if a window has passed since the last flush began.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; where it is retryable, the uses that were not handed over are kept. An upgrade is not: its next success asks for it again.
    pub async fn flush_due(&self) -> Result<Flushed, StoreError> {
        let now = self.0.clock.monotonic();
        let is_due = {
            let mut last = self.0.last_flush.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = last.is_none_or(|last| now.saturating_sub(last) >= self.0.window);
            if is_due {
                *last = Some(now);
            }
            is_due
        };
        if is_due { self.0.flush().await } else { Ok(Flushed::default()) }
    }

    /// Hands over all that was noted, now: at shutdown.
    ///
    /// # Errors
    ///
    /// As [`flush_due`](Self::flush_due).
    pub async fn flush(&self) -> Result<Flushed, StoreError> {
        *self.0.last_flush.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.0.clock.monotonic());
        self.0.flush().await
    }

    /// [`flush_due`](Self::flush_due) after each pause, for ever: for a task of the host's. A store's error is not the
    /// end: what it did not take is kept for the next time, and the failure is [counted](Self::failed).
    ///
    /// To end it, drop it; then [`flush`](Self::flush).
    pub async fn run<P: Future>(&self, mut pause: impl FnMut() -> P) -> Infallible {
        loop {
            pause().await;
            // What was not taken is kept for the next time; the failure was counted.
            let _flushed = self.flush_due().await;
        }
    }

    /// Notes a success, and the upgrade that the caller's digest is due.
    #[inline]
    pub(crate) fn note<V: AsRef<[u8]>>(
        &self,
        caller: &Caller,
        presented: &PresentedCredential<V>,
        keys: &DigestKeys,
        now: Timestamp,
    ) {
        self.record(caller, now);
        if self.0.upgrades_digests {
            self.0.upgrade(caller, presented, keys);
        }
    }
}

impl Inner {
    fn note(&self, which: Which, at: Timestamp) {
        {
            let noted = self.noted.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(latest) = noted.latest.get(&which) {
                latest.fetch_max(at.as_unix(), Ordering::Relaxed);
                return;
            }
        }
        self.note_first(which, at);
    }

    #[cold]
    fn note_first(&self, which: Which, at: Timestamp) {
        let mut noted = self.noted.write().unwrap_or_else(PoisonError::into_inner);
        let Noted { latest, order } = &mut *noted;
        // Another thread may have been first.
        match latest.get(&which) {
            Some(latest) => {
                latest.fetch_max(at.as_unix(), Ordering::Relaxed);
            }
            None => {
                latest.insert(which, AtomicI64::new(at.as_unix()));
                order.push_back(which);
            }
        }
        self.drop_oldest(&mut noted);
    }

    /// Notes again what did not get to the store: older than whatever was noted meanwhile.
    fn put_back(&self, uses: &[Use]) {
        let mut noted = self.noted.write().unwrap_or_else(PoisonError::into_inner);
        let Noted { latest, order } = &mut *noted;
        for Use { key, secret, at } in uses.iter().rev() {
            let which = (*key, *secret);
            match latest.get(&which) {
                Some(latest) => {
                    latest.fetch_max(at.as_unix(), Ordering::Relaxed);
                }
                None => {
                    latest.insert(which, AtomicI64::new(at.as_unix()));
                    order.push_front(which);
                }
            }
        }
        self.drop_oldest(&mut noted);
    }

    fn drop_oldest(&self, Noted { latest, order }: &mut Noted) {
        while latest.len() > self.capacity {
            let Some(oldest) = order.pop_front() else { break };
            latest.remove(&oldest);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn upgrade<V: AsRef<[u8]>>(
        &self,
        caller: &Caller,
        presented: &PresentedCredential<V>,
        keys: &DigestKeys,
    ) {
        if !caller.is_under_older_key(keys) {
            return;
        }
        let key = caller.credential();
        let mut upgrades = self.upgrades.lock().unwrap_or_else(PoisonError::into_inner);
        if upgrades.len() < UseRecorder::MOST_UPGRADES
            && !upgrades.contains_key(&key)
            && let Some(upgrade) = caller.upgrade(presented, keys)
        {
            upgrades.insert(key, upgrade);
        }
    }

    async fn flush(&self) -> Result<Flushed, StoreError> {
        let flushed = self.hand_over().await;
        if flushed.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        flushed
    }

    async fn hand_over(&self) -> Result<Flushed, StoreError> {
        let mut flushed = Flushed::default();
        let mut batch = Batch::take(self);
        let mut refused = Ok(());
        while let Some(next) = batch.next() {
            let count = next.len();
            match self.store.record_uses(next).await {
                Ok(()) => flushed.uses = flushed.uses.saturating_add(count),
                Err(error) if error.is_retryable() => return Err(error),
                // What the store will never take must not keep the rest from it.
                Err(error) => {
                    self.dropped.fetch_add(count.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
                    refused = Err(error);
                }
            }
            batch.done();
        }
        loop {
            // One at a time, so that what a dropped future loses is one upgrade, which its next success is due again.
            let Some(upgrade) = self.next_upgrade() else { return refused.map(|()| flushed) };
            let CredentialKey { kind, id } = upgrade.key();
            let Some(entry) = self.store.read(kind, &id).await? else { continue };
            let Some(record) = upgrade.apply(&entry.record) else { continue };
            if self.store.update(entry.record.version(), &record).await? == Updated::Yes {
                flushed.upgrades = flushed.upgrades.saturating_add(1);
            }
        }
    }

    fn next_upgrade(&self) -> Option<Upgrade> {
        let mut upgrades = self.upgrades.lock().unwrap_or_else(PoisonError::into_inner);
        let key = *upgrades.keys().next()?;
        upgrades.remove(&key)
    }
}

/// Uses on their way to the store; what did not get there goes back, also when the future is dropped.
struct Batch<'r> {
    recorder: &'r Inner,
    uses: Vec<Use>,
    done: usize,
}

impl<'r> Batch<'r> {
    fn take(recorder: &'r Inner) -> Self {
        let noted = mem::take(&mut *recorder.noted.write().unwrap_or_else(PoisonError::into_inner));
        let Noted { latest, order } = noted;
        let at = |which| latest.get(&which).map(|at| Timestamp::from_unix(at.load(Ordering::Relaxed)));
        let uses = order
            .into_iter()
            .filter_map(|which| at(which).map(|at| Use { key: which.0, secret: which.1, at }))
            .collect();
        Self { recorder, uses, done: 0 }
    }

    fn rest(&self) -> &[Use] {
        self.uses.get(self.done..).unwrap_or_default()
    }

    fn next(&self) -> Option<&[Use]> {
        self.rest().chunks(UseRecorder::BATCH).next()
    }

    fn done(&mut self) {
        self.done = self.done.saturating_add(UseRecorder::BATCH);
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.recorder.put_back(self.rest());
    }
}

impl fmt::Debug for UseRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noted = self.0.noted.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("UseRecorder")
            .field("noted", &noted.latest.len())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// A [`UseRecorder`] in the making; [`build`](Self::build) checks it.
#[must_use = "a builder makes a recorder when `build` is called"]
pub struct UseRecorderBuilder {
    inner: Inner,
}

impl UseRecorderBuilder {
    /// How often a secret's use is written at most: 1 s to a day.
    pub fn window(mut self, window: Lifetime) -> Self {
        self.inner.window = Duration::from_secs(window.as_seconds());
        self
    }

    /// For how many secrets there is room: at least one.
    pub fn capacity(mut self, secrets: usize) -> Self {
        self.inner.capacity = secrets;
        self
    }

    /// After a success, digests under an older key are made anew under the active one, and written with the uses.
    ///
    /// Only from when the new key is active in every process: see [`Caller::upgrade`].
    pub fn upgrade_digests(mut self) -> Self {
        self.inner.upgrades_digests = true;
        self
    }

    /// A clock of the host's own: of it, only monotonic time is asked for.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.inner.clock = Box::new(clock);
        self
    }

    /// The recorder.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the window is shorter than a second or longer than a day, or there is room for nothing.
    pub fn build(self) -> Result<UseRecorder, Invalid> {
        if !(1..=86_400).contains(&self.inner.window.as_secs()) {
            return Err(Invalid::new("window", "1 second to 1 day"));
        }
        if self.inner.capacity == 0 {
            return Err(Invalid::new("capacity", "room for at least one secret"));
        }
        Ok(UseRecorder(Arc::new(self.inner)))
    }
}

impl fmt::Debug for UseRecorderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UseRecorderBuilder").field("window", &self.inner.window).finish_non_exhaustive()
    }
}
