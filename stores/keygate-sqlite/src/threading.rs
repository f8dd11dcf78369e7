//! On which threads the database is waited for.

use std::fmt;
use std::sync::Arc;

use futures_channel::oneshot;
use keygate::StoreError;

use crate::failure::Failure;

type Spawn = dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync;

/// On which threads the database is waited for: SQLite blocks whoever calls it.
///
/// Where finding a record on the caller's thread is 1, with the work handed to tokio's threads and back it was 3 to 8; a write, which
/// waits for the disk and for other writers, 30 to several hundred. So there is a choice (`tokio()`, with the feature, is `spawned` on
/// tokio's threads):
///
/// | | a lookup | everything else | for |
/// |---|---|---|---|
/// | [`inline`](Self::inline) | on the caller's thread | on the caller's thread | hosts without async; commands; tests |
/// | [`spawned`](Self::spawned) | on a thread of the host's | on a thread of the host's | a slow disk, or strict rules for what may block |
/// | spawned, then [`lookups_inline`](Self::lookups_inline) | on the caller's thread | on a thread of the host's | most services |
///
/// ```
/// use keygate_sqlite::Threading;
///
/// let inline = Threading::inline();
/// let own = Threading::spawned(|work| drop(std::thread::spawn(work))); // a host has a pool for this
/// let both = own.lookups_inline();
/// ```
#[derive(Clone)]
#[must_use = "a choice of threads is for `SqliteStore::open`"]
pub struct Threading {
    spawn: Option<Arc<Spawn>>,
    lookups_inline: bool,
}

impl Threading {
    /// On the thread that polls: it is blocked as long as the database takes. A future of the store is ready when it is polled
    /// first.
    pub const fn inline() -> Self {
        Self { spawn: None, lookups_inline: true }
    }

    /// On whatever thread the host runs the given work, soon and once. Work that is dropped instead is *undecided*
    /// ([`StoreError::unavailable`]); so is work that panics.
    pub fn spawned(spawn: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static) -> Self {
        Self { spawn: Some(Arc::new(spawn)), lookups_inline: false }
    }

    /// On tokio's threads for blocking work, of the runtime that polls. Outside of one, or in one that ends: *undecided*.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn tokio() -> Self {
        Self::spawned(|work| {
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                drop(runtime.spawn_blocking(work));
            }
        })
    }

    /// The same, but single records are read on the thread that polls ([`find`](keygate::Lookup::find) and
    /// [`read`](keygate::Store::read)): microseconds, where the file is in the system's memory.
    pub fn lookups_inline(self) -> Self {
        Self { lookups_inline: true, ..self }
    }

    /// Reads a single record.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.lookups_inline { Ok(work()?) } else { self.work(work).await }
    }

    /// Does whatever else there is to do.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(spawn) = &self.spawn else { return Ok(work()?) };
        let (answer, answered) = oneshot::channel();
        spawn(Box::new(move || {
            // Nobody waits any more for what was not begun: a write that is not done is what a dropped future may mean.
            if !answer.is_canceled() {
                // Nor, perhaps, for its answer.
                let _unheard = answer.send(work());
            }
        }));
        match answered.await {
            Ok(done) => Ok(done?),
            Err(oneshot::Canceled) => Err(StoreError::unavailable(
                "the store's work was dropped before it ended: see whether its threads (a runtime, if they are tokio's) are running, and whether it panicked",
            )),
        }
    }
}

impl fmt::Debug for Threading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spawned = self.spawn.is_some();
        f.debug_struct("Threading")
            .field("spawned", &spawned)
            .field("lookups_inline", &self.lookups_inline)
            .finish()
    }
}
