//! Embeddable authentication for machine callers: API keys, service accounts and service tokens.
//!
//! A service links keygate, plugs in its own storage, and can from then on tell who calls it, by which credential, and
//! what that credential permits. keygate knows no web framework. It never opens a socket, spawns a task, reads a clock
//! or draws randomness unless the host handed it the means.
//!
//! | method | header | text | acts as | may do |
//! |---|---|---|---|---|
//! | API key | `X-API-KEY: <key>` | `ak.<id>.<secret>` | a user | what the user may do, on every endpoint but secrets |
//! | service account | `Authorization: Bearer <access key>` | `sa.<id>.<secret>` | a machine of an organization | what its scopes grant in that organization |
//! | service token | `Authorization: Bearer <token>` | `st.<id>.<secret>[.<client key>]` | itself | create, read, update, delete on the secrets of one project |
//!
//! This version is the **pure core**: no I/O, no async, no clock, no global, no lock. Storage traits, an authenticator
//! and an issuer to drive it, and minted access tokens, come in later versions; a text of an access token's shape is
//! recognised, and carried as such.
//!
//! # The path of a request
//!
//! ```text
//! header lines ── header::present ──▶ presented ─┐
//!                            the host's lookup ──┼── verify ──▶ caller ── decide ──▶ permit · as the user · denial
//!                                      moment ───┘
//! ```
//!
//! ```
//! use std::{collections::HashMap, sync::Arc};
//! use keygate::{
//!     Action, CredentialKey, DigestKeys, Kind, Lifetime, Moment, Presented, Record, Resource, Rights,
//!     ServiceTokenGrant, SystemRandom, Timestamp, Validity, header, verify,
//! };
//!
//! // Once: a ring of digest keys. A real host loads its own, with `DigestKeys::parse(&config)?`.
//! let keys = DigestKeys::ephemeral()?;
//! let now = Timestamp::parse_rfc3339("2026-11-24T12:00:00Z")?;
//!
//! // Issue a service token: the text for its holder, a record for the host's store.
//! let drawn = keys.draw(Kind::ServiceToken, &SystemRandom)?;
//! let rights = Rights::new("acme", ["read@web/prod:/app/**".parse()?])?;
//! let record = Record::builder(drawn.key.id, ServiceTokenGrant::new("web", rights)?, drawn.digest, now)
//!     .validity(Validity::until(Lifetime::hours(8).ends_at(now)?))
//!     .build()?;
//! let map = HashMap::from([(drawn.key, Arc::new(record))]);
//!
//! // A request arrives.
//! let headers = [("authorization", format!("Bearer {}", drawn.text.expose()))];
//! let caller = match header::present(&headers)? {
//!     Presented::Credential(text) => {
//!         keys.check_guard(&text)?; // before a store of one's own is asked
//!         verify(&text, map.get(&text.key()), &keys, Moment::at(now))?.with_parent(|key| map.get(key))?
//!     }
//!     Presented::AccessToken(_) => return Err("no access tokens here".into()),
//! };
//! let wanted = Resource::secrets("acme", "web", "prod", "/app/db")?; // the host's own row says that acme owns web
//! let permit = caller.decide(Action::Read, &wanted).granted()?;
//! assert_eq!(permit.to_string(), "read on secrets web/prod:/app/db of acme");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The types to know
//!
//! * [`header`] turns header lines into [`Presented`], under a [`HeaderPolicy`]. Every ambiguity is a refusal.
//! * [`DigestKeys`] draws credentials and digests them; a [`Record`] is what a host stores, and never the secret.
//! * [`verify()`] is the one ordered list of checks; [`Caller`] is its result.
//! * [`Caller::decide`] answers for one [`Action`] on one [`Resource`], by [`Scope`]s: a [`Decision`] with three ends.
//! * [`Refusal`] is every no: five classes that never merge, a precise reason for the log, one public face.
//!
//! # What it refuses to do
//!
//! * **Guess.** Two credentials, a repeated header, a path in a second spelling, a damaged text: refused, never
//!   repaired.
//! * **Tell strangers anything.** Unknown, wrong, revoked, disabled and expired look the same from outside, and an
//!   unknown id costs the same digest work as a known one.
//! * **Merge outcomes.** A store that is down is *undecided*; it never reads as a denial, and never as a permission.
//! * **Keep a secret.** Records hold keyed digests; texts are wiped when dropped and print as `***`.
//! * **Let a machine grow.** What a service account mints is cut, at each use, to what the account holds then.
//! * **Run a slow hash.** Its secrets are 168 random bits, so a keyed SHA-256 is right for them; passwords are not its
//!   business, and neither are sessions, browsers or people.
//!
//! # Not promised
//!
//! Comparisons go without a branch on what is compared, and are measured for leaks; measuring can find leaks, never
//! prove their absence. Wiping memory is best effort. Whoever reads a digest key and a record can check guesses of a
//! secret, of which there are 2^168.
//!
//! # Features
//!
//! None yet: what there is has no runtime, no HTTP types, no slow hash and no `unsafe` code.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// From the bottom up: a layer imports only from those above it. All of them speak `refusal`, whose reasons name
// kinds and flaws of the language.
mod alphabet;
mod invalid;
mod refusal;

// Language: what is written in headers, scopes and windows of time.
mod credential;
pub mod header;
mod network;
mod owner;
mod scope;
mod timestamp;
mod validity;

// Means that a host hands over.
mod clock;
mod random;

// Facts: what is stored of a credential, and the keys that bind it to its text.
mod digest;
mod record;

// Decision: who calls, and what it permits. No I/O and no async up to here.
mod caller;
mod upgrade;
mod verify;

// Stores: what a host plugs in.
mod store;

// Drivers: what a host calls.
mod authenticator;
mod issuer;
mod observer;
mod use_recorder;

#[cfg(feature = "test-kit")]
pub mod test_kit;

pub use authenticator::{Authenticator, AuthenticatorBuilder, Gate};
pub use caller::{AsUser, Caller, Decision, Deny, Permit};
pub use clock::{Clock, ManualClock, SystemClock};
pub use credential::{
    CredentialId, CredentialKey, CredentialText, Flaw, Kind, Method, Namespace, Secret, TextError,
};
pub use digest::{Digest, DigestKey, DigestKeys, Drawn, KeyError};
pub use header::{
    HeaderLine, HeaderPolicy, Precedence, Presented, PresentedAccessToken, PresentedCredential,
};
pub use invalid::Invalid;
pub use issuer::{
    Credentials, IssueError, Issued, Issuer, IssuerBuilder, Managed, NewApiKey, NewServiceAccount,
    NewServiceToken, Overlap, Owned, Retirement,
};
pub use network::Network;
pub use observer::{Counter, Counts, Event, Observer, Outcome};
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
pub use store::{
    Entry, Inserted, LastUses, Lookup, MemoryStore, Peek, SlotCount, Store, StoreError, StoreErrorKind,
    Updated, Use,
};
pub use timestamp::{Expiry, Lifetime, Timestamp};
pub use upgrade::Upgrade;
pub use use_recorder::{Flushed, UseRecorder, UseRecorderBuilder};
pub use validity::{Leeway, Standing, Validity};
pub use verify::{Moment, NeedsParent, Verified, verify};

/// The code of README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
