//! Handles on the credentials of one kind: issue one, or name an owner.

use std::fmt;
use std::marker::PhantomData;

use self::sealed::Sealed;
use super::{IssueError, Issued, Issuer, NewApiKey, NewServiceAccount, NewServiceToken, Owned};
use crate::{ApiKeyGrant, Caller, Owner, ServiceAccountGrant, ServiceTokenGrant};

/// The grant of a kind that an issuer manages; it tells the handles of the kinds apart. There are three.
pub trait Managed: Sealed {}

impl Managed for ApiKeyGrant {}
impl Managed for ServiceAccountGrant {}
impl Managed for ServiceTokenGrant {}

mod sealed {
    use crate::{ApiKeyGrant, Kind, ServiceAccountGrant, ServiceTokenGrant};

    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {
        const KIND: Kind;
        const OWNER: &'static str;
    }

    impl Sealed for ApiKeyGrant {
        const KIND: Kind = Kind::ApiKey;
        const OWNER: &'static str = "a user, who owns API keys";
    }

    impl Sealed for ServiceAccountGrant {
        const KIND: Kind = Kind::ServiceAccount;
        const OWNER: &'static str = "an organization, which owns service accounts";
    }

    impl Sealed for ServiceTokenGrant {
        const KIND: Kind = Kind::ServiceToken;
        const OWNER: &'static str = "a project of an organization, which owns service tokens";
    }
}

/// The credentials of one kind: issue one, or name the [owner](Self::owned_by) and manage theirs.
#[must_use = "a handle does nothing until it is called"]
pub struct Credentials<'i, G> {
    issuer: &'i Issuer,
    grant: PhantomData<fn() -> G>,
}

impl<'i, G: Managed> Credentials<'i, G> {
    pub(super) const fn new(issuer: &'i Issuer) -> Self {
        Self { issuer, grant: PhantomData }
    }

    /// Those that belong to this owner. An owner of another kind's credentials is an error of the calls.
    pub const fn owned_by(&self, owner: Owner) -> Owned<'i, G> {
        Owned::new(self.issuer, owner)
    }
}

/// The errors of the three calls that issue.
macro_rules! issue {
    ($grant:ty, $new:ty) => {
        impl Credentials<'_, $grant> {
            /// Issues a credential: draws it, stores its record if its id is not taken, and hands out its text.
            ///
            /// # Errors
            ///
            /// [`IssueError`] where an argument is not acceptable (it names which), the lifetime is longer than the policy
            /// allows or the owner has too many, the random source failed or repeated an id, or the store failed. Nothing
            /// was stored then; only a store that did not answer may have, and the text is nobody's.
            pub async fn issue(&self, new: $new) -> Result<Issued, IssueError> {
                self.issuer.0.issue(new.draft()?, None).await
            }
        }
    };
}

issue!(ApiKeyGrant, NewApiKey);
issue!(ServiceAccountGrant, NewServiceAccount);
issue!(ServiceTokenGrant, NewServiceToken);

impl Credentials<'_, ServiceTokenGrant> {
    /// Mints a service token for a service account: never wider than the account, never longer than it lives, and cut to what
    /// the account holds whenever it is used. Its record names the account as who made it.
    ///
    /// # Errors
    ///
    /// [`IssueError`]: as [`issue`](Self::issue); *mint*, where the caller may not mint, or not this
    /// ([`MintError`](crate::MintError)); *not found* where the account is gone.
    pub async fn mint(&self, caller: &Caller, new: NewServiceToken) -> Result<Issued, IssueError> {
        let account = self.issuer.0.minting_account(caller).await?;
        self.issuer.0.issue(new.draft()?, Some((caller, &account))).await
    }
}

impl<G> Clone for Credentials<'_, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<G> Copy for Credentials<'_, G> {}

impl<G: Managed> fmt::Debug for Credentials<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("kind", &G::KIND).finish_non_exhaustive()
    }
}
