//! A lookup or a store that answers in time, or not at all.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{Entry, Inserted, Lookup, Peek, SlotCount, Store, StoreError, Updated, Use};
use crate::{CredentialId, CredentialKey, Invalid, Kind, Owner, Record, Revocation, Timestamp};

/// A lookup or a store whose every call has a deadline: past it, it is [unavailable](StoreError::unavailable), so that an
/// authenticator says *undecided* and never *denied*.
///
/// By tokio's timer. Each call of the store has the whole time to itself: authenticating makes two at most, and an issuer's
/// call may make several. A [`peek`](Lookup::peek) has no future to wait for, and is passed on as it is.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use async_trait::async_trait;
/// use keygate::{CredentialId, Deadline, Kind, Lookup, Record, StoreError};
///
/// struct Stuck;
///
/// #[async_trait]
/// impl Lookup for Stuck {
///     async fn find(&self, _: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
///         std::future::pending().await
///     }
/// }
///
/// let lookup = Deadline::new(Stuck, Duration::from_millis(20))?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let error = lookup.find(Kind::ApiKey, &CredentialId::parse("tr6AWfxqtcJI")?).await.unwrap_err();
/// assert!(error.is_retryable());
/// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no answer within 20 ms");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What ends
///
/// At the deadline the store's future is dropped, and what it does not do by itself then goes on: a write may have taken
/// effect and may not have, as with every store that is unavailable. An issuer looks at the record before its call fails.
///
/// A store that blocks its thread lets no timer run either: its blocking work belongs on a thread of its own.
///
/// # Outside a runtime
///
/// Where no tokio runtime is entered, nothing is asked: every call but `peek` is [rejected](StoreError::rejected), a fault.
///
/// # Panics
///
/// Its calls panic, by tokio, in a runtime that was built without `enable_time` or is being shut down.
#[derive(Clone)]
pub struct Deadline<S> {
    store: S,
    within: Duration,
}

impl<S> Deadline<S> {
    /// Gives each call of a lookup or a store this time: 1 ms to 1 hour, counted in whole milliseconds.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the time is shorter or longer.
    pub fn new(store: S, within: Duration) -> Result<Self, Invalid> {
        if (Duration::from_millis(1)..=Duration::from_secs(3_600)).contains(&within) {
            Ok(Self { store, within })
        } else {
            Err(Invalid::new("deadline", "1 ms to 1 hour"))
        }
    }

    /// The deadline of the call that comes next. Before it is made: a store may begin at the call, and not at the first poll.
    fn starts(&self) -> Result<Within, StoreError> {
        Handle::try_current().map_err(StoreError::rejected)?;
        Ok(Within(self.within))
    }
}

struct Within(Duration);

impl Within {
    async fn wait<T>(self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        timeout(self.0, call).await.unwrap_or_else(|_| Err(StoreError::unavailable(self.to_string())))
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanos() == 0 {
            write!(f, "no answer within {} s", self.0.as_secs())
        } else {
            write!(f, "no answer within {} ms", self.0.as_millis())
        }
    }
}

#[async_trait]
impl<S: Lookup> Lookup for Deadline<S> {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.starts()?.wait(self.store.find(kind, id)).await
    }

    #[inline]
    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        self.store.peek(kind, id)
    }
}

#[async_trait]
impl<S: Store> Store for Deadline<S> {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        self.starts()?.wait(self.store.read(kind, id)).await
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.starts()?.wait(self.store.insert(record)).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        self.starts()?.wait(self.store.update(seen, record)).await
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.starts()?.wait(self.store.list(owner, after, limit)).await
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        self.starts()?.wait(self.store.count_live(owner, now)).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        self.starts()?.wait(self.store.revoke_owned(owner, revocation)).await
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.starts()?.wait(self.store.record_uses(uses)).await
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        self.starts()?.wait(self.store.count_slots(now)).await
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.starts()?.wait(self.store.expiring(from, until, after, limit)).await
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.starts()?.wait(self.store.unused(since, now, after, limit)).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.starts()?.wait(self.store.purge(before, limit)).await
    }
}

impl<S> fmt::Debug for Deadline<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").field("within", &self.within).finish_non_exhaustive()
    }
}
