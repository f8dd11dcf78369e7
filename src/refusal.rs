//! Why there is no caller or no permit: five classes, a precise reason for the log, one public face.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::credential::Methods;
use crate::{CredentialKey, Flaw, Invalid, Kind, Method};

/// An error of somebody else's, as the source of ours.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a request got no caller, or a caller no permit.
///
/// It speaks to two audiences. [`class`](Self::class), [`status`](Self::status), [`challenges`](Self::challenges),
/// [`retry_after`](Self::retry_after) and `Display` are the **public face**: they are the same for every denied
/// credential, whatever is wrong with it. [`reason`](Self::reason), [`credential`](Self::credential), `Debug` and
/// the error's source are for the host's **log**, and never for the answer. None of them holds a secret.
///
/// ```
/// use keygate::{RefusalClass, header};
///
/// let refusal = header::present([("x-api-key", "ak.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e")]).unwrap_err();
/// assert_eq!(refusal.class(), RefusalClass::BadRequest);
/// assert_eq!(refusal.status(), 400);
/// assert_eq!(refusal.to_string(), "the request's credential is malformed");            // for the caller
/// assert_eq!(refusal.reason().to_string(), "malformed: truncated: 36 of 55 characters"); // for the log
/// ```
#[derive(Debug)]
pub struct Refusal {
    reason: Reason,
    class: RefusalClass,
    accepted: Methods,
    credential: Option<CredentialKey>,
    detail: Detail,
}

/// What only some refusals carry.
#[derive(Debug)]
enum Detail {
    None,
    Realm(Arc<str>),
    Forbidden(Box<Forbidden>),
    RetryAfter(Duration),
    Source(BoxError),
}

#[derive(Debug)]
struct Forbidden {
    /// What would have been needed, as a scope text; none where no scope would help.
    needed: Option<String>,
    /// Which access it was, and how the nearest scope failed: for the log.
    why: String,
}

/// The five classes of refusal. They never merge: a failure never reads as a denial, and never as a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a security decision needs no `_` arm")]
pub enum RefusalClass {
    /// Nothing was presented that keygate could judge: no header of ours, or another scheme. 401.
    NoCredential,
    /// The request is malformed. 400, or 431 where a header is too large.
    BadRequest,
    /// The credential does not hold. 401, with one public face whatever the reason.
    Denied,
    /// The credential holds and does not permit this. 403.
    Forbidden,
    /// It could not be decided: a store is down, a record does not decode. 503, or 429 where throttled.
    Undecided,
}

/// The precise reason of a refusal, for the host's log and never for its answer.
///
/// `Display` explains it to an operator, [`code`](Self::code) names it for metrics. It quotes nothing that a caller
/// sent: only lengths, positions, slots and kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Neither `Authorization` nor `X-API-KEY` was there.
    Missing,
    /// `Authorization` holds another scheme than `Bearer`.
    UnsupportedScheme,
    /// More than one line of `Authorization`, or of `X-API-KEY`.
    DuplicateHeader,
    /// Both headers, and the policy does not choose one.
    MultipleMethods,
    /// The value is longer than 8,192 (`Authorization`) or 512 (`X-API-KEY`) bytes.
    TooLarge,
    /// A byte outside 0x20..0x7E, at this place behind the white space stripped.
    InvalidByte {
        /// Which byte of the value.
        at: usize,
    },
    /// Not the text of a credential.
    Malformed(Flaw),
    /// A project, environment or path of a resource that is irregular: never repaired, always refused. The error's
    /// source says which, and where.
    IrregularResource,
    /// A text that begins like no kind of credential.
    UnknownKind,
    /// A credential in the header of another kind.
    WrongChannel(Method),
    /// A method that this policy does not accept.
    KindNotAccepted(Method),
    /// The guard in the text was made with a digest key that the ring does not hold.
    UnknownGuardKey {
        /// The slot that the text names.
        slot: u8,
    },
    /// The guard in the text does not hold: the text was made up.
    WrongGuard,
    /// No record of this kind and id.
    UnknownCredential,
    /// The secret is not the record's.
    WrongSecret,
    /// The secret was the record's until a rotation's overlap ended.
    RetiredSecret,
    /// Revoked, for ever.
    Revoked,
    /// Disabled, until it is enabled again.
    Disabled,
    /// Past its end.
    Expired,
    /// Before its beginning.
    NotYetValid,
    /// The client's address is outside the credential's networks.
    Network,
    /// The service account that minted this credential does not carry it any more.
    Parent(ParentFault),
    /// Authenticated, and not permitted.
    NotPermitted,
    /// An API key acts as its user, and the host did not ask whether the user may.
    UserNotAsked,
    /// An API key acts as its user, and the host's own rules did not permit the user.
    UserNotPermitted,
    /// The credential is limited to networks, and the client's address was not told.
    ClientAddressUnknown,
    /// A record's digest was made with a digest key that the ring does not hold.
    UnknownDigestKey {
        /// The slot that the record names.
        slot: u8,
    },
    /// The lookup returned a record of another kind or id.
    RecordMismatch,
    /// The organization of a resource is irregular; it comes from the host's own data. The error's source says where.
    IrregularOrganization,
    /// The store did not answer.
    StoreUnavailable,
    /// The store's record does not decode.
    RecordCorrupt,
    /// The host could not tell whether its user may.
    UserRightsUnavailable,
    /// Too many attempts.
    Throttled,
}

/// What is wrong with the parent of a minted credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParentFault {
    /// There is no such service account (any more).
    Absent,
    /// It was revoked.
    Revoked,
    /// It is disabled.
    Disabled,
    /// It is past its end.
    Expired,
    /// It is before its beginning.
    NotYetValid,
    /// The client's address is outside the account's networks.
    Network,
    /// The account's mint generation was raised after a leak; this was minted under another one.
    Generation,
}

impl Refusal {
    #[inline]
    pub(crate) const fn new(reason: Reason) -> Self {
        Self { reason, class: reason.class(), accepted: Methods::ALL, credential: None, detail: Detail::None }
    }

    pub(crate) const fn accepting(self, accepted: Methods) -> Self {
        let mut refusal = self;
        refusal.accepted = accepted;
        refusal
    }

    pub(crate) const fn about(self, credential: CredentialKey) -> Self {
        let mut refusal = self;
        refusal.credential = Some(credential);
        refusal
    }

    /// The class that a host asked for instead of *no credential*.
    pub(crate) const fn into_denial(self) -> Self {
        let mut refusal = self;
        refusal.class = RefusalClass::Denied;
        refusal
    }

    pub(crate) fn in_realm(self, realm: Option<&Arc<str>>) -> Self {
        match realm {
            Some(realm) => Self { detail: Detail::Realm(Arc::clone(realm)), ..self },
            None => self,
        }
    }

    pub(crate) fn forbidding(self, needed: Option<String>, why: String) -> Self {
        Self { detail: Detail::Forbidden(Box::new(Forbidden { needed, why })), ..self }
    }

    fn caused_by(self, source: impl Into<BoxError>) -> Self {
        Self { detail: Detail::Source(source.into()), ..self }
    }

    pub(crate) fn irregular_resource(invalid: Invalid) -> Self {
        Self::new(Reason::IrregularResource).caused_by(invalid)
    }

    pub(crate) fn irregular_organization(invalid: Invalid) -> Self {
        Self::new(Reason::IrregularOrganization).caused_by(invalid)
    }

    /// *Undecided*: the host's store did not answer.
    ///
    /// ```
    /// use keygate::{Refusal, RefusalClass};
    ///
    /// let refusal = Refusal::store_unavailable(std::io::Error::other("connection reset"));
    /// assert_eq!((refusal.class(), refusal.status()), (RefusalClass::Undecided, 503));
    /// ```
    #[must_use]
    pub fn store_unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Reason::StoreUnavailable).caused_by(source)
    }

    /// *Undecided*: the host's store answered with a record that does not decode. It is a fault: raise an alarm.
    #[must_use]
    pub fn record_corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Reason::RecordCorrupt).caused_by(source)
    }

    /// *Undecided*: the host could not tell whether its user may.
    #[must_use]
    pub fn user_rights_unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Reason::UserRightsUnavailable).caused_by(source)
    }

    /// *Undecided*: too many attempts; status 429.
    #[must_use]
    pub fn throttled(retry_after: Duration) -> Self {
        Self { detail: Detail::RetryAfter(retry_after), ..Self::new(Reason::Throttled) }
    }

    /// Which of the five classes.
    #[must_use]
    pub const fn class(&self) -> RefusalClass {
        self.class
    }

    /// The precise reason, for the log.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Kind and id of the credential in question, where the text was well-formed: public, but **not proved**
    /// unless [`proven`](Self::proven) says so.
    #[must_use]
    pub const fn credential(&self) -> Option<CredentialKey> {
        self.credential
    }

    /// Whether the secret was proved before something else was found wrong.
    ///
    /// Only then may a host tell the caller more than the public face does (that the credential expired, say), and
    /// only if it wants to.
    #[must_use]
    pub const fn proven(&self) -> bool {
        matches!(
            self.reason,
            Reason::Revoked
                | Reason::Disabled
                | Reason::Expired
                | Reason::NotYetValid
                | Reason::Network
                | Reason::ClientAddressUnknown
                | Reason::Parent(_)
                | Reason::NotPermitted
                | Reason::UserNotAsked
                | Reason::UserNotPermitted
                | Reason::UserRightsUnavailable
        )
    }

    /// The HTTP status of the answer: 400, 401, 403, 429, 431 or 503.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match (self.class, self.reason) {
            (RefusalClass::BadRequest, Reason::TooLarge) => 431,
            (RefusalClass::BadRequest, _) => 400,
            (RefusalClass::NoCredential | RefusalClass::Denied, _) => 401,
            (RefusalClass::Forbidden, _) => 403,
            (RefusalClass::Undecided, Reason::Throttled) => 429,
            (RefusalClass::Undecided, _) => 503,
        }
    }

    /// The values of the answer's `WWW-Authenticate` lines, in order; none where there is nothing to challenge for.
    ///
    /// They depend on what the policy accepts, never on the request (RFC 6750 §3, RFC 9110 §11.6.1). Nothing that
    /// a caller sent is in them but the scope that would have been needed.
    ///
    /// ```
    /// let refusal = keygate::header::present([("accept", "*/*")]).unwrap_err();
    /// let values: Vec<String> = refusal.challenges().map(|challenge| challenge.to_string()).collect();
    /// assert_eq!(values, [r#"Bearer realm="api""#, r#"ApiKey realm="api""#]);
    /// ```
    pub fn challenges(&self) -> impl Iterator<Item = Challenge<'_>> {
        let bearer = !self.accepted.without(Method::ApiKey).is_empty();
        let key = self.accepted.contains(Method::ApiKey);
        let one = if key && !bearer { "ApiKey" } else { "Bearer" };
        let realm = match &self.detail {
            Detail::Realm(realm) => Face::Realm(realm),
            _ => Face::Realm(DEFAULT_REALM),
        };
        let [first, second] = match self.class {
            RefusalClass::NoCredential if bearer && key => [Some(("Bearer", realm)), Some(("ApiKey", realm))],
            RefusalClass::NoCredential => [Some((one, realm)), None],
            RefusalClass::BadRequest if matches!(self.reason, Reason::IrregularResource) => [None, None],
            RefusalClass::BadRequest => [Some((one, Face::InvalidRequest)), None],
            RefusalClass::Denied => [Some((one, Face::InvalidToken)), None],
            // No scope would help an API key.
            RefusalClass::Forbidden if self.credential.is_some_and(|key| key.kind == Kind::ApiKey) => {
                [None, None]
            }
            RefusalClass::Forbidden => [Some(("Bearer", Face::InsufficientScope(self.needed()))), None],
            RefusalClass::Undecided => [None, None],
        };
        [first, second].into_iter().flatten().map(|(scheme, face)| Challenge { scheme, face })
    }

    /// After which time the caller may try again: the value of `Retry-After`, where it is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.detail {
            Detail::RetryAfter(duration) => Some(duration),
            _ => None,
        }
    }

    /// What would have been needed, as a scope text: set where a scope would have helped.
    #[must_use]
    pub fn needed(&self) -> Option<&str> {
        match &self.detail {
            Detail::Forbidden(forbidden) => forbidden.needed.as_deref(),
            _ => None,
        }
    }

    /// All that is known beyond [`credential`](Self::credential), for the log and never for the answer: the reason; the
    /// access and how the nearest scope failed; the error underneath.
    ///
    /// ```
    /// use keygate::{Refusal, Resource};
    ///
    /// let refusal = Resource::secrets("acme", "web", "prod", "/app/../db").unwrap_err();
    /// assert_eq!(refusal.to_string(), "the request names an irregular resource");
    /// assert_eq!(
    ///     refusal.explain().to_string(),
    ///     "the resource is irregular: path: expected a segment other than '.' and '..' (at byte 5)",
    /// );
    /// ```
    #[must_use]
    pub fn explain(&self) -> impl fmt::Display {
        Explanation(self)
    }

    /// The header lines that every refusing answer carries besides the challenges.
    pub const HEADERS: [(&'static str, &'static str); 2] =
        [("Cache-Control", "no-store"), ("Vary", "Authorization, X-API-KEY")];
}

const DEFAULT_REALM: &str = "api";

impl fmt::Display for Refusal {
    /// The public face in words: one text a class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.class {
            RefusalClass::NoCredential => "the request carries no credential",
            RefusalClass::BadRequest => match self.reason {
                Reason::TooLarge => "the request's credential is too large",
                Reason::IrregularResource => "the request names an irregular resource",
                _ => "the request's credential is malformed",
            },
            RefusalClass::Denied => DENIED,
            RefusalClass::Forbidden => "the credential does not permit this",
            RefusalClass::Undecided => match self.reason {
                Reason::Throttled => "too many attempts",
                _ => "it could not be decided whether the credential is valid",
            },
        })
    }
}

/// The one description of a denied credential, whatever is wrong with it.
const DENIED: &str = "the credential is not valid";

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.detail {
            Detail::Source(source) => Some(&**source),
            _ => None,
        }
    }
}

struct Explanation<'a>(&'a Refusal);

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.reason)?;
        match &self.0.detail {
            Detail::Forbidden(forbidden) => write!(f, ": {}", forbidden.why),
            Detail::Source(source) => {
                write!(f, ": {source}")?;
                // Bounded, should an error be its own source.
                let mut next = source.source();
                for _ in 0..16 {
                    let Some(error) = next else { break };
                    write!(f, ": {error}")?;
                    next = error.source();
                }
                Ok(())
            }
            Detail::None | Detail::Realm(_) | Detail::RetryAfter(_) => Ok(()),
        }
    }
}

/// The value of one `WWW-Authenticate` line; `Display` writes it, quoted as RFC 9110 §11.4 asks.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    scheme: &'static str,
    face: Face<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Face<'a> {
    Realm(&'a str),
    InvalidRequest,
    InvalidToken,
    InsufficientScope(Option<&'a str>),
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme;
        match self.face {
            Face::Realm(realm) => write!(f, "{scheme} realm=\"{}\"", quoted(realm)),
            Face::InvalidRequest => write!(f, "{scheme} error=\"invalid_request\""),
            Face::InvalidToken => {
                write!(f, "{scheme} error=\"invalid_token\", error_description=\"{DENIED}\"")
            }
            Face::InsufficientScope(Some(scope)) => {
                write!(f, "{scheme} error=\"insufficient_scope\", scope=\"{}\"", quoted(scope))
            }
            Face::InsufficientScope(None) => write!(f, "{scheme} error=\"insufficient_scope\""),
        }
    }
}

/// The inside of a quoted-string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', '\\']) {
        text.replace('\\', "\\\\").replace('"', "\\\"").into()
    } else {
        text.into()
    }
}

impl Reason {
    const fn class(self) -> RefusalClass {
        match self {
            Self::Missing | Self::UnsupportedScheme => RefusalClass::NoCredential,
            Self::DuplicateHeader
            | Self::MultipleMethods
            | Self::TooLarge
            | Self::InvalidByte { .. }
            | Self::Malformed(_)
            | Self::IrregularResource => RefusalClass::BadRequest,
            Self::UnknownKind
            | Self::WrongChannel(_)
            | Self::KindNotAccepted(_)
            | Self::UnknownGuardKey { .. }
            | Self::WrongGuard
            | Self::UnknownCredential
            | Self::WrongSecret
            | Self::RetiredSecret
            | Self::Revoked
            | Self::Disabled
            | Self::Expired
            | Self::NotYetValid
            | Self::Network
            | Self::Parent(_) => RefusalClass::Denied,
            Self::NotPermitted | Self::UserNotAsked | Self::UserNotPermitted => RefusalClass::Forbidden,
            Self::ClientAddressUnknown
            | Self::UnknownDigestKey { .. }
            | Self::RecordMismatch
            | Self::IrregularOrganization
            | Self::StoreUnavailable
            | Self::RecordCorrupt
            | Self::UserRightsUnavailable
            | Self::Throttled => RefusalClass::Undecided,
        }
    }

    /// The reason's name, in snake case: stable, for metrics and log filters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::DuplicateHeader => "duplicate_header",
            Self::MultipleMethods => "multiple_methods",
            Self::TooLarge => "too_large",
            Self::InvalidByte { .. } => "invalid_byte",
            Self::Malformed(_) => "malformed",
            Self::IrregularResource => "irregular_resource",
            Self::UnknownKind => "unknown_kind",
            Self::WrongChannel(_) => "wrong_channel",
            Self::KindNotAccepted(_) => "kind_not_accepted",
            Self::UnknownGuardKey { .. } => "unknown_guard_key",
            Self::WrongGuard => "wrong_guard",
            Self::UnknownCredential => "unknown_credential",
            Self::WrongSecret => "wrong_secret",
            Self::RetiredSecret => "retired_secret",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Network => "network",
            Self::Parent(fault) => match fault {
                ParentFault::Absent => "parent_absent",
                ParentFault::Revoked => "parent_revoked",
                ParentFault::Disabled => "parent_disabled",
                ParentFault::Expired => "parent_expired",
                ParentFault::NotYetValid => "parent_not_yet_valid",
                ParentFault::Network => "parent_network",
                ParentFault::Generation => "parent_generation",
            },
            Self::NotPermitted => "not_permitted",
            Self::UserNotAsked => "user_not_asked",
            Self::UserNotPermitted => "user_not_permitted",
            Self::ClientAddressUnknown => "client_address_unknown",
            Self::UnknownDigestKey { .. } => "unknown_digest_key",
            Self::RecordMismatch => "record_mismatch",
            Self::IrregularOrganization => "irregular_organization",
            Self::StoreUnavailable => "store_unavailable",
            Self::RecordCorrupt => "record_corrupt",
            Self::UserRightsUnavailable => "user_rights_unavailable",
            Self::Throttled => "throttled",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("neither Authorization nor X-API-KEY"),
            Self::UnsupportedScheme => f.write_str("Authorization has another scheme than Bearer"),
            Self::DuplicateHeader => f.write_str("more than one line of Authorization or of X-API-KEY"),
            Self::MultipleMethods => f.write_str("both Authorization and X-API-KEY"),
            Self::TooLarge => f.write_str("the header's value is too large"),
            Self::InvalidByte { at } => write!(f, "byte {at} of the value is not visible ASCII or a space"),
            Self::Malformed(flaw) => write!(f, "malformed: {flaw}"),
            Self::IrregularResource => f.write_str("the resource is irregular"),
            Self::IrregularOrganization => {
                f.write_str("the resource's organization, in the host's own data, is irregular")
            }
            Self::UnknownKind => f.write_str("the text begins like no kind of credential"),
            Self::WrongChannel(Method::ApiKey) => f.write_str(
                "this is an API key, Authorization takes a service account, service token or access token",
            ),
            Self::WrongChannel(Method::AccessToken) => {
                f.write_str("this is an access token, X-API-KEY takes an API key")
            }
            Self::WrongChannel(method) => write!(f, "this is a {method}, X-API-KEY takes an API key"),
            Self::KindNotAccepted(method) => write!(f, "no {method} is accepted here"),
            Self::UnknownGuardKey { slot } => {
                write!(f, "the text's guard names digest key {slot}, which is not in the ring")
            }
            Self::WrongGuard => f.write_str("the text's guard does not hold: it was made up"),
            Self::UnknownCredential => f.write_str("no such credential"),
            Self::WrongSecret => f.write_str("wrong secret"),
            Self::RetiredSecret => f.write_str("the secret was replaced, and the overlap is over"),
            Self::Revoked => f.write_str("revoked"),
            Self::Disabled => f.write_str("disabled"),
            Self::Expired => f.write_str("expired"),
            Self::NotYetValid => f.write_str("not valid yet"),
            Self::Network => f.write_str("the client's address is outside the credential's networks"),
            Self::Parent(fault) => write!(f, "the service account that minted it {fault}"),
            Self::NotPermitted => f.write_str("not permitted"),
            Self::UserNotAsked => {
                f.write_str("an API key acts as its user, and the host did not ask whether the user may")
            }
            Self::UserNotPermitted => f.write_str("the host does not permit this to the API key's user"),
            Self::ClientAddressUnknown => {
                f.write_str("the credential is limited to networks, and the client's address was not told")
            }
            Self::UnknownDigestKey { slot } => {
                write!(f, "the record's digest names digest key {slot}, which is not in the ring")
            }
            Self::RecordMismatch => f.write_str("the lookup returned a record of another kind or id"),
            Self::StoreUnavailable => f.write_str("the store did not answer"),
            Self::RecordCorrupt => f.write_str("the store's record does not decode"),
            Self::UserRightsUnavailable => f.write_str("the host could not tell whether its user may"),
            Self::Throttled => f.write_str("throttled"),
        }
    }
}

impl fmt::Display for ParentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "is absent",
            Self::Revoked => "is revoked",
            Self::Disabled => "is disabled",
            Self::Expired => "is expired",
            Self::NotYetValid => "is not valid yet",
            Self::Network => "is limited to other networks",
            Self::Generation => "has another mint generation",
        })
    }
}
