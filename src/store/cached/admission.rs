//! How many fetches there are at a time, and how many may wait for their turn.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_lock::{Semaphore, SemaphoreGuard};

use crate::StoreError;

/// So many fetches at a time; so many more wait for their turn, and who comes then is sent away at once: a store that stands
/// still costs bounded memory, and is not buried when it is back.
pub(super) struct Admission {
    loads: Semaphore,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Admission {
    pub(super) const fn new(max_loads: usize, max_waiting: usize) -> Self {
        Self { loads: Semaphore::new(max_loads), waiting: AtomicUsize::new(0), max_waiting }
    }

    pub(super) async fn enter(&self) -> Result<SemaphoreGuard<'_>, StoreError> {
        // Not past those who wait.
        if self.waiting.load(Ordering::Relaxed) == 0
            && let Some(turn) = self.loads.try_acquire()
        {
            return Ok(turn);
        }
        let one_more = |waiting: usize| (waiting < self.max_waiting).then_some(waiting.saturating_add(1));
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Err(StoreError::unavailable(Full));
        }
        let _place = Waiting(&self.waiting);
        Ok(self.loads.acquire().await)
    }
}

/// A place in the queue, left also by who goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Full;

impl std::error::Error for Full {}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many loads wait for the store")
    }
}
