//! How one process hears of what another one changed.

use async_trait::async_trait;

use crate::{CredentialKey, StoreError};

/// A store's notices to other processes that a record changed: what `Cached::follow` (feature `cache`) listens to.
///
/// `Cached` tells nobody of its writes: the store, or its database, sends the notices. The database's own means are behind a feed (LISTEN/NOTIFY, a subscription), on a connection of its own. It makes revocation
/// quick elsewhere; it is never what makes it certain: a notice may be late, lost or out of order, and the bound of staleness
/// holds all the same.
#[async_trait]
pub trait ChangeFeed: Send {
    /// Subscribes, anew after a loss: what is committed after this returned will be told by [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// [`StoreError`], and then there is no subscription.
    async fn subscribe(&mut self) -> Result<(), StoreError>;

    /// Waits for the next notice. Dropping the future loses none.
    ///
    /// A feed that has nothing to tell says [`Notice::Alive`] more often than the listener's limit of silence (10 s, unless it was
    /// set), else it is taken for lost: a connection that died silently looks the same.
    ///
    /// # Errors
    ///
    /// [`StoreError`] once a notice may have been lost, for instance with the connection.
    async fn next(&mut self) -> Result<Notice, StoreError>;
}

/// What a change feed tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a feed tells nothing else: what it cannot say exactly is `ManyChanged`"
)]
pub enum Notice {
    /// This credential was issued, changed or removed.
    Changed(CredentialKey),
    /// Credentials changed, and it is not told which.
    ManyChanged,
    /// Nothing changed, and the feed works.
    Alive,
}
