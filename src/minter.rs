//! The account that mints: who may, and that nothing grows by it.

use thiserror::Error;

use crate::{
    Caller, Grant, Invalid, Lifetime, Method, Parent, RandomError, Record, Rights, ServiceAccountGrant,
    State, Timestamp, TooWide,
};

/// A service account that may mint now, by the record that was read just now.
///
/// One rule for all that is minted, with a record or without: never wider than the account, never longer.
pub(crate) struct Minter<'r> {
    record: &'r Record,
    grant: &'r ServiceAccountGrant,
}

impl<'r> Minter<'r> {
    /// The caller as one that mints: proved by an access key, which the account's record still accepts.
    pub(crate) fn of(caller: &Caller, account: &'r Record, now: Timestamp) -> Result<Self, MintError> {
        let Some(secret) = caller.secret_number().filter(|_| caller.method() == Method::ServiceAccount)
        else {
            return Err(MintError::NotByAccessKey);
        };
        let Grant::ServiceAccount(grant) = account.grant() else { return Err(MintError::RecordMismatch) };
        if account.key() != caller.credential() {
            return Err(MintError::RecordMismatch);
        }
        // First: a secret that was replaced proves nothing any more, and learns nothing.
        if !account.accepts(secret, now) {
            return Err(MintError::SecretReplaced);
        }
        match account.state(now) {
            State::Active => Ok(Self { record: account, grant }),
            state => Err(MintError::NotActive { state }),
        }
    }

    pub(crate) const fn rights(&self) -> &'r Rights {
        self.grant.rights()
    }

    /// When the account ends, if it does.
    pub(crate) const fn ends_at(&self) -> Option<Timestamp> {
        self.record.validity().expires_at()
    }

    /// What a child says of where it comes from.
    pub(crate) const fn as_parent(&self) -> Parent {
        Parent { account: self.record.key().id, mint_generation: self.grant.mint_generation() }
    }

    /// Refuses rights that the account does not hold.
    pub(crate) fn check_rights(&self, asked: &Rights) -> Result<(), MintError> {
        Ok(self.rights().covers(asked)?)
    }

    /// Refuses an end after the account's.
    pub(crate) fn check_end(&self, asked: Timestamp) -> Result<(), MintError> {
        match self.ends_at() {
            Some(ends_at) if asked > ends_at => Err(MintError::OutlivesAccount { ends_at }),
            _ => Ok(()),
        }
    }
}

/// Why nothing was minted.
///
/// It can be shown to whoever asked: its secret was proved. An endpoint that mints answers, with
/// [`Refusal::HEADERS`](crate::Refusal::HEADERS) beside it also where it succeeds, because that answer carries a secret:
///
/// | | status |
/// |---|---|
/// | *secret replaced*, *not active* (and the issuer's *not found*: the account is gone) | 401 |
/// | *not by access key*, *too wide* | 403 |
/// | *too long*, *outlives account*, *invalid* | 400 |
/// | *record mismatch*, *random* (and what the store failed with) | 503 |
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MintError {
    /// The caller is no service account, or was not proved by its access key: an access token cannot mint.
    #[error("only a service account mints, by its access key")]
    NotByAccessKey,
    /// The account is disabled, revoked, expired or not valid yet, by the record that was read.
    #[error("the account is {state}")]
    NotActive {
        /// How it stands.
        state: State,
    },
    /// The access key is not the account's any more: it was rotated out since the caller was proved.
    #[error("the access key that proved the account was replaced")]
    SecretReplaced,
    /// The record is that of another credential: a fault.
    #[error("the record is that of another credential")]
    RecordMismatch,
    /// The account does not hold this: which scope is too wide, and what the account lacks.
    #[error(transparent)]
    TooWide(#[from] TooWide),
    /// A longer lifetime than the policy has.
    #[error("the lifetime is longer than the maximum of {} s", maximum.as_seconds())]
    TooLong {
        /// The policy's maximum.
        maximum: Lifetime,
    },
    /// It would live longer than the account that mints it.
    #[error("it would outlive the account, which ends at {ends_at}")]
    OutlivesAccount {
        /// When the account ends.
        ends_at: Timestamp,
    },
    /// An argument is not acceptable; it names which, and what was expected.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The random source failed; nothing was made.
    #[error(transparent)]
    Random(#[from] RandomError),
}
