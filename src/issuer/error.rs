//! Why a management call did nothing.

use thiserror::Error;

use crate::{Invalid, Lifetime, MintError, RandomError, StoreError};

/// Why a management call did nothing.
///
/// It quotes nothing of what it was given but the scope that is too wide, and can be shown to whoever manages credentials. Only after
/// [`Store`](Self::Store) may there have been an effect all the same: a store that did not answer may have written. Then
/// the call may be repeated; but before an issue or a rotation is, look, as [`Issuer`](crate::Issuer) says.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// An argument is not acceptable; it names which, and what was expected.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The owner has no credential of this id: there is none, or it is somebody else's.
    #[error("no such credential")]
    NotFound,
    /// It was revoked, which is final.
    #[error("the credential was revoked")]
    Revoked,
    /// It is expired: issue another one.
    #[error("the credential is expired")]
    Expired,
    /// There is no rotation under way: no retiring secret whose overlap lasts.
    #[error("no rotation is under way")]
    NotRotating,
    /// A longer lifetime than the policy has for this kind.
    #[error("the lifetime is longer than the maximum of {} s", maximum.as_seconds())]
    TooLong {
        /// The policy's maximum.
        maximum: Lifetime,
    },
    /// The owner has as many live credentials of this kind as the policy allows.
    #[error("the owner has {cap} live credentials of this kind already, as many as allowed")]
    TooMany {
        /// The policy's cap.
        cap: u64,
    },
    /// The id that was drawn is taken: the random source repeats itself. Nothing was overwritten.
    #[error("the id that was drawn is taken: the random source repeats itself")]
    IdTaken,
    /// Other calls changed the record each time between reading and writing it; nothing of this one was done.
    #[error("other calls changed the credential meanwhile, each time anew")]
    Contended,
    /// The caller's secret is not the record's any more: it was rotated out since the caller was proved.
    #[error("the secret that proved the caller was replaced")]
    CallerReplaced,
    /// An access token authenticated the caller: it manages no credential, not even the account's that minted it.
    #[error("an access token manages no credential")]
    ByAccessToken,
    /// It was not minted.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The store answered with another record than the one that it was asked for: a fault.
    #[error("the store answered with the record of another credential")]
    RecordMismatch,
    /// The random source failed; nothing was made.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The store did not do it, or did not say so.
    #[error(transparent)]
    Store(#[from] StoreError),
}
