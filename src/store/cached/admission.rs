//! How many calls of a store there are at a time, and how many may wait for their turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many calls at a time; so many more wait for their turn, and who comes then is sent away at once: a store that stands
/// still costs bounded memory, and is not buried when it is back.
pub(super) struct Admission {
    calls: Semaphore,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Admission {
    pub(super) const fn new(max_loads: usize, max_waiting: usize) -> Self {
        Self { calls: Semaphore::const_new(max_loads), waiting: AtomicUsize::new(0), max_waiting }
    }

    /// A turn, or nothing where the queue is full.
    ///
    /// Turns are handed to those who wait, in their order: one who was called and does not come holds back its own turn, and
    /// nobody else's.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.calls.try_acquire() {
            return Some(turn);
        }
        let one_more = |waiting: usize| (waiting < self.max_waiting).then_some(waiting.saturating_add(1));
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let _place = Waiting(&self.waiting);
        // It is never closed, so there is always a turn in the end.
        self.calls.acquire().await.ok()
    }
}

/// A place in the queue, left also by who goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
