//! Embeddable authentication for machine callers: API keys, service accounts and service tokens.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod caller;
mod clock;
mod credential;
mod digest;
pub mod header;
mod invalid;
mod network;
mod owner;
mod random;
mod record;
mod refusal;
mod scope;
mod timestamp;
mod upgrade;
mod validity;
mod verify;

pub use caller::{AsUser, Caller, Decision, Deny, Permit};
pub use clock::{Clock, SystemClock};
pub use credential::{
    CredentialId, CredentialKey, CredentialText, Flaw, Kind, Method, Namespace, Secret, TextError,
};
pub use digest::{Digest, DigestKey, DigestKeys, Drawn, KeyError};
pub use header::{HeaderLine, HeaderPolicy, Presented, PresentedAccessToken, PresentedCredential};
pub use invalid::Invalid;
pub use network::Network;
pub use owner::{OrganizationId, Owner, ProjectId, UserId};
pub use random::{RandomError, RandomSource, SystemRandom};
pub use record::{
    ApiKeyGrant, DecodeError, Grant, Parent, Record, RecordBuilder, RecordView, Retiring, Revocation,
    ServiceAccountGrant, ServiceTokenGrant, State, StoredSecret,
};
pub use refusal::{Challenge, ParentFault, Reason, Refusal, RefusalClass};
pub use scope::{
    Action, Actions, Containment, Level, NotPermitted, Part, Pattern, Resource, Rights, Scope, SecretPath,
    TooWide,
};
pub use timestamp::{Expiry, Lifetime, Timestamp};
pub use upgrade::Upgrade;
pub use validity::{Leeway, Standing, Validity};
pub use verify::{Moment, NeedsParent, Verified, verify};
