//! Why there is no caller or no permit: five classes, a precise reason for the log, one public face.

mod challenge;
mod reason;

pub use challenge::Challenge;
pub use reason::{ParentFault, Reason, TokenFault};

use std::error::Error;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use self::challenge::Face;
use crate::alphabet::breaks_lines;
use crate::credential::Methods;
use crate::{CredentialKey, Invalid, Kind, Method};

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
    /// Beyond what the reason tells: a failure behind the proof.
    proved: bool,
    accepted: Methods,
    credential: Option<CredentialKey>,
    /// Where neither the credential nor the reason tells it.
    method: Option<Method>,
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
    /// Of an access token whose signature holds.
    TokenId(Box<str>),
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

impl Refusal {
    #[inline]
    pub(crate) const fn new(reason: Reason) -> Self {
        Self {
            reason,
            class: reason.class(),
            proved: false,
            accepted: Methods::ALL,
            credential: None,
            method: None,
            detail: Detail::None,
        }
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

    /// Of the access token with this id.
    pub(crate) fn of_token(self, id: &str) -> Self {
        Self { detail: Detail::TokenId(id.into()), ..self }
    }

    /// By what the request authenticates, where it is not the credential itself.
    pub(crate) const fn by(self, method: Method) -> Self {
        let mut refusal = self;
        refusal.method = Some(method);
        refusal
    }

    /// Of a credential whose secret was proved, whatever the reason.
    pub(crate) const fn of_proved(self) -> Self {
        let mut refusal = self;
        refusal.proved = true;
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

    /// *Undecided*: the host's store cannot do what it was asked.
    pub(crate) fn store_rejected(source: impl Into<BoxError>) -> Self {
        Self::new(Reason::StoreRejected).caused_by(source)
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
    /// unless [`proven`](Self::proven) says so. Of an access token, those of the account that minted it.
    #[must_use]
    pub const fn credential(&self) -> Option<CredentialKey> {
        self.credential
    }

    /// By what the request authenticates, as far as it got: for the log.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        let named = match self.reason {
            Reason::KindNotAccepted(method) | Reason::WrongChannel(method) => Some(method),
            _ => None,
        };
        self.method.or_else(|| self.credential.map(|key| key.kind.into())).or(named)
    }

    /// The id of the access token that is denied although its signature holds, for the log: a stolen one that its account does not
    /// carry any more, or one that has expired.
    #[must_use]
    pub const fn token_id(&self) -> Option<&str> {
        match &self.detail {
            Detail::TokenId(id) => Some(id),
            _ => None,
        }
    }

    /// Whether the secret was proved before something else was found wrong. A secret that was replaced already proves nothing.
    ///
    /// Only then may a host tell the caller more than the public face does (that the credential expired, say), and
    /// only if it wants to.
    #[must_use]
    pub const fn proven(&self) -> bool {
        self.proved
            || matches!(
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
                let mut next: Option<&(dyn Error + 'static)> = Some(&**source);
                // Bounded, should an error be its own source.
                for _ in 0..16 {
                    let Some(error) = next else { break };
                    // A store's error begins with what the reason says; a driver's may have lines of its own.
                    let text = error.to_string();
                    if text != self.0.reason.to_string() {
                        f.write_str(": ")?;
                        for character in text.chars() {
                            if breaks_lines(character) {
                                write!(f, "{}", character.escape_default())?;
                            } else {
                                f.write_char(character)?;
                            }
                        }
                    }
                    next = error.source();
                }
                Ok(())
            }
            Detail::None | Detail::Realm(_) | Detail::RetryAfter(_) | Detail::TokenId(_) => Ok(()),
        }
    }
}
