//! Embeddable authentication for machine callers: API keys, service accounts with the access tokens that they mint, and service
//! tokens.
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
//! | access token | `Authorization: Bearer <JWT>` | signed, HS256 | the service account that minted it | less than the account, for minutes |
//!
//! # One process, one screen
//!
//! ```
//! use keygate::{
//!     Action, Authenticator, DigestKeys, Issuer, Lifetime, MemoryStore, NewServiceToken, Resource,
//! };
//! # pollster::block_on(async {
//!
//! let keys = DigestKeys::ephemeral()?; // a real host loads its own: DigestKeys::parse(&config)?
//! let store = MemoryStore::new();
//! let issuer = Issuer::new(store.clone(), keys.clone());
//! let gate = Authenticator::new(store, keys);
//!
//! let new = NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope("read@web/prod:/app/**".parse()?);
//! let issued = issuer.service_tokens().issue(new).await?;
//!
//! // A request arrives; its header map fits as it is.
//! let headers = [("authorization", format!("Bearer {}", issued.text.expose()))];
//! let caller = gate.authenticate(&headers).await?;
//! let wanted = Resource::secrets("acme", "web", "prod", "/app/db")?; // the host's own row says that acme owns web
//! let permit = gate.decide(&caller, Action::Read, &wanted).granted()?;
//! assert_eq!(permit.to_string(), "read on secrets web/prod:/app/db of acme");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # The path of a request
//!
//! ```text
//!                 ┌ Authenticator ───────────────────────────────────────┐
//! header lines ───┼─▶ header ──▶ presented ─┐                            │
//!                 │             Lookup ─────┼──▶ verify ──▶ caller ──────┼──▶ decide ──▶ permit · as the user · denial
//!                 │              Clock ─────┘                            │
//!                 └──────────────────────────────────────────────────────┘
//! ```
//!
//! Everything but the authenticator, the issuer and what they are given is a **pure core**: no I/O, no async, no clock, no
//! lock. A host without async drives it itself:
//!
//! ```
//! # use std::{collections::HashMap, sync::Arc};
//! # use keygate::{
//! #     AccessTokens, ApiKeyGrant, Caller, CredentialKey, DigestKeys, Kind, Moment, Presented, Record, Refusal, SigningKeys,
//! #     SystemRandom, Timestamp,
//! # };
//! use keygate::{header, verify, verify_access_token};
//!
//! # fn authenticate(
//! #     headers: &[(&str, &str)], map: &HashMap<CredentialKey, Arc<Record>>, keys: &DigestKeys, tokens: &AccessTokens,
//! #     now: Timestamp,
//! # ) -> Result<Caller, Refusal> {
//! let caller = match header::present(headers)? {
//!     Presented::Credential(text) => {
//!         keys.check_guard(&text)?; // before a store of one's own is asked
//!         verify(&text, map.get(&text.key()), keys, Moment::at(now))?.with_parent(|key| map.get(key))?
//!     }
//!     Presented::AccessToken(text) => {
//!         verify_access_token(&text, tokens, Moment::at(now))?.with_parent(|key| map.get(key))?
//!     }
//! };
//! # Ok(caller)
//! # }
//! # let keys = DigestKeys::ephemeral()?;
//! # let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
//! # let now = Timestamp::from_unix(0);
//! # let record = Record::builder(drawn.key.id, ApiKeyGrant::new("u-17")?, drawn.digest, now).build()?;
//! # let map = HashMap::from([(record.key(), Arc::new(record))]);
//! # let tokens = AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "secrets")?;
//! # assert!(authenticate(&[("x-api-key", drawn.text.expose())], &map, &keys, &tokens, now).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The types to know
//!
//! * [`Authenticator`]: headers in, caller or refusal out. [`Lookup`] is the one method that it needs of a host.
//! * [`Issuer`]: issues, rotates, revokes, lists. [`Store`] is what it needs; [`MemoryStore`] is one, `keygate-sqlite` has another.
//!   `Cached` and `Deadline` stand before any of them, and `conformance` proves one of your own.
//! * [`Caller`] is who calls; [`Authenticator::decide`] answers for one [`Action`] on one [`Resource`], by [`Scope`]s: a
//!   [`Decision`] with three ends.
//! * [`Refusal`] is every no: five classes that never merge, a precise reason for the log, one public face.
//! * [`DigestKeys`] are the server's keys; a [`Record`] is what a store holds, and never the secret.
//! * [`AccessTokens`]: how access tokens are minted and verified, with [`SigningKeys`] of their own; [`Mint`] is what one is to
//!   permit, [`Claims`] what a verified one says.
//! * [`HeaderPolicy`], [`Observer`], [`UseRecorder`], [`ChangeFeed`], [`Clock`] and [`RandomSource`] are there when they are needed.
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
//! * **Write because of a stranger.** Verification writes nothing; uses are noted in memory, after full success only.
//! * **Run a slow hash.** Its secrets are 168 random bits, so a keyed SHA-256 is right for them; passwords are not its
//!   business, and neither are sessions, browsers or people.
//!
//! # Not promised
//!
//! Comparisons go without a branch on what is compared, and are measured for leaks; measuring can find leaks, never
//! prove their absence. Wiping memory is best effort. Whoever reads a digest key and a record can check guesses of a
//! secret, of which there are 2^168. Whoever can verify an access token can mint one: there is one symmetric key.
//!
//! # Features
//!
//! The default build has no runtime, no HTTP types, no slow hash and no `unsafe` code of ours.
//!
//! * `cache`: `Cached`, a lookup or a store behind a cache whose answers are never older than a bound.
//! * `conformance`: the kit that proves a host's own store right. Among dev-dependencies only.
//! * `tokio`: `Deadline`, which limits how long a call of a lookup or a store may take, by tokio's timer.
//! * `test-kit`: for the tests of a host's handlers, callers that nobody authenticated and randomness that a seed repeats.
//!   Among dev-dependencies only.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// From the bottom up: a layer imports only from those above it. All of them speak `refusal`, whose reasons name
// kinds and flaws of the language.
mod alphabet;
mod invalid;
mod refusal;
mod shared_text;

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
mod access_token;
mod caller;
mod decision;
mod minter;
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
#[cfg_attr(docsrs, doc(cfg(feature = "test-kit")))]
pub mod test_kit;

#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub use store::conformance;

#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use store::{Cached, CachedBuilder};

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub use store::Deadline;

pub use access_token::{
    AccessTokens, Claims, Mint, MintedToken, SigningKey, SigningKeyError, SigningKeys, verify_access_token,
};
pub use authenticator::{Authenticator, AuthenticatorBuilder, Gate};
pub use caller::Caller;
pub use clock::{Clock, ManualClock, SystemClock};
pub use credential::{
    CredentialId, CredentialKey, CredentialText, Flaw, Kind, Method, Namespace, Secret, TextError,
};
pub use decision::{AsUser, Decision, Deny, Permit};
pub use digest::{Digest, DigestKey, DigestKeys, Drawn, KeyError};
pub use header::{
    HeaderLine, HeaderPolicy, Precedence, Presented, PresentedAccessToken, PresentedCredential,
};
pub use invalid::Invalid;
pub use issuer::{
    Credentials, IssueError, Issued, Issuer, IssuerBuilder, Managed, NewApiKey, NewServiceAccount,
    NewServiceToken, Overlap, Owned, Retirement,
};
pub use minter::MintError;
use minter::Minter;
pub use network::Network;
pub use observer::{Counter, Counts, Event, Observer, Outcome};
pub use owner::{OrganizationId, Owner, ProjectId, UserId};
pub use random::{RandomError, RandomSource, SystemRandom};
pub use record::{
    ApiKeyGrant, DecodeError, Grant, Parent, Record, RecordBuilder, RecordView, Retiring, Revocation,
    ServiceAccountGrant, ServiceTokenGrant, State, StoredSecret,
};
pub use refusal::{Challenge, ParentFault, Reason, Refusal, RefusalClass, TokenFault};
pub use scope::{
    Action, Actions, Containment, Level, NotPermitted, Part, Pattern, Resource, Rights, Scope, SecretPath,
    TooWide,
};
pub use store::{
    ChangeFeed, Entry, Inserted, LastUses, Lookup, MemoryStore, Notice, Peek, SlotCount, SlotTally, Store,
    StoreError, StoreErrorKind, Updated, Use,
};
pub use timestamp::{Expiry, Lifetime, Timestamp};
pub use upgrade::Upgrade;
pub use use_recorder::{Flushed, UseRecorder, UseRecorderBuilder};
pub use validity::{Leeway, Standing, Validity};
pub use verify::{Moment, NeedsParent, Verified, verify};

/// The code of README.md, compiled and run; it shows what these features bring.
#[cfg(all(doctest, feature = "cache", feature = "conformance", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
