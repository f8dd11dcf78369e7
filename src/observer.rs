//! What a host's log, metrics and alarms hear of: refused authentications and decisions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::{
    Action, Caller, Claims, CredentialKey, Decision, Method, Owner, Permit, Reason, Refusal, RefusalClass,
    Resource,
};

/// Hears of every refused authentication and of every decision, while the answer waits: be quick, and never block.
///
/// What a host settles itself it does not hear of: whether an API key's user may, and an irregular [`Resource`]. So a handler
/// logs its final refusal too.
///
/// A clone of an `Arc` is an observer too, so that a host keeps a handle on what counts.
///
/// ```
/// use keygate::{Event, Observer};
///
/// struct Log;
/// impl Observer for Log {
///     fn observe(&self, event: &Event<'_>) {
///         eprintln!("{event}"); // as text; an event serializes too
///     }
/// }
/// ```
pub trait Observer: Send + Sync {
    /// One event. What it holds is borrowed, and none of it is a secret.
    fn observe(&self, event: &Event<'_>);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event<'_>) {
        (**self).observe(event);
    }
}

/// A refused authentication, or a decision on one access of an authenticated caller.
///
/// `Display` is one line for a log. It serializes as `event` (`authentication` or `decision`), `outcome`, `reason` (a
/// [code](Reason::code)), `fault`, `explanation`, `method`, `credential`, `token_id`, `proven`, `owner`, `action`, `resource` and
/// `scope`; what an event does not have is null.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a>(Heard<'a>);

#[derive(Clone, Copy, Debug)]
enum Heard<'a> {
    Refused { refusal: &'a Refusal, owner: Option<&'a Owner> },
    Decided(&'a Decision<'a>),
}

/// How an authentication or a decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an observer's match on an outcome needs no `_` arm")]
pub enum Outcome {
    /// A decision: permitted.
    Permitted,
    /// A decision: the host has to ask whether the API key's user may.
    AsUser,
    /// A refusal, of this class.
    Refused(RefusalClass),
}

impl Outcome {
    /// The outcome's name, in snake case: stable, for metrics and log filters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::AsUser => "as_user",
            Self::Refused(RefusalClass::NoCredential) => "no_credential",
            Self::Refused(RefusalClass::BadRequest) => "bad_request",
            Self::Refused(RefusalClass::Denied) => "denied",
            Self::Refused(RefusalClass::Forbidden) => "forbidden",
            Self::Refused(RefusalClass::Undecided) => "undecided",
        }
    }
}

impl<'a> Event<'a> {
    pub(crate) const fn refused(refusal: &'a Refusal, owner: Option<&'a Owner>) -> Self {
        Self(Heard::Refused { refusal, owner })
    }

    pub(crate) const fn decided(decision: &'a Decision<'a>) -> Self {
        Self(Heard::Decided(decision))
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self.0 {
            Heard::Refused { refusal, .. } => Outcome::Refused(refusal.class()),
            Heard::Decided(Decision::Permit(_)) => Outcome::Permitted,
            Heard::Decided(Decision::AsUser(_)) => Outcome::AsUser,
            Heard::Decided(Decision::Deny(denial)) => Outcome::Refused(denial.reason().class()),
        }
    }

    /// The precise reason of a refusal.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self.0 {
            Heard::Refused { refusal, .. } => Some(refusal.reason()),
            Heard::Decided(Decision::Deny(denial)) => Some(denial.reason()),
            Heard::Decided(Decision::Permit(_) | Decision::AsUser(_)) => None,
        }
    }

    /// All that is known of why it was refused, for people; of what was not refused, nothing.
    #[must_use]
    pub fn explanation(&self) -> Option<String> {
        match self.0 {
            Heard::Refused { refusal, .. } => Some(refusal.explain().to_string()),
            Heard::Decided(Decision::Deny(denial)) => Some(denial.to_string()),
            Heard::Decided(Decision::Permit(_) | Decision::AsUser(_)) => None,
        }
    }

    /// By what the request authenticates, as far as it got.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        match self.0 {
            Heard::Refused { refusal, .. } => refusal.method(),
            Heard::Decided(_) => self.caller().map(Caller::method),
        }
    }

    /// Kind and id of the credential: well-formed, and a caller's own only where it [is proven](Self::is_proven).
    #[must_use]
    pub fn credential(&self) -> Option<CredentialKey> {
        match self.0 {
            Heard::Refused { refusal, .. } => refusal.credential(),
            Heard::Decided(_) => self.caller().map(Caller::credential),
        }
    }

    /// Whether the secret was proved: else somebody merely named that credential.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        match self.0 {
            Heard::Refused { refusal, .. } => refusal.proven(),
            Heard::Decided(_) => true,
        }
    }

    /// Whom the credential belongs to, where its record was found.
    #[must_use]
    pub fn owner(&self) -> Option<&'a Owner> {
        match self.0 {
            Heard::Refused { owner, .. } => owner,
            Heard::Decided(_) => self.caller().map(Caller::owner),
        }
    }

    /// The refusal of an authentication, with the error underneath; a decision has none.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'a Refusal> {
        match self.0 {
            Heard::Refused { refusal, .. } => Some(refusal),
            Heard::Decided(_) => None,
        }
    }

    /// The caller of a decision.
    #[must_use]
    pub fn caller(&self) -> Option<&'a Caller> {
        self.access().map(Permit::caller)
    }

    /// The id of the access token, where its signature held.
    #[must_use]
    pub fn token_id(&self) -> Option<&'a str> {
        match self.0 {
            Heard::Refused { refusal, .. } => refusal.token_id(),
            Heard::Decided(_) => self.caller().and_then(Caller::claims).map(Claims::id),
        }
    }

    /// The action of a decision.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        self.access().map(Permit::action)
    }

    /// The resource of a decision.
    #[must_use]
    pub fn resource(&self) -> Option<&'a Resource<'a>> {
        self.access().map(Permit::resource)
    }

    /// The text of the scope that permitted, or that came nearest.
    #[must_use]
    pub const fn scope(&self) -> Option<&'a str> {
        match self.0 {
            Heard::Decided(Decision::Permit(permit)) => permit.scope(),
            Heard::Decided(Decision::Deny(denial)) => denial.nearest(),
            Heard::Decided(Decision::AsUser(_)) | Heard::Refused { .. } => None,
        }
    }

    /// Who wanted what, whether it was permitted or not.
    const fn access(&self) -> Option<&'a Permit<'a>> {
        match self.0 {
            Heard::Refused { .. } => None,
            Heard::Decided(Decision::Permit(permit)) => Some(permit),
            Heard::Decided(Decision::AsUser(pending)) => Some(&pending.access),
            Heard::Decided(Decision::Deny(denial)) => Some(&denial.access),
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outcome().code())?;
        match (self.explanation(), self.access()) {
            (Some(explanation), _) => write!(f, ": {explanation}")?,
            (None, Some(access)) => write!(f, ": {access}")?,
            (None, None) => {}
        }
        let Some(key) = self.credential() else { return Ok(()) };
        let what = if self.method() == Some(Method::AccessToken) { "access token of " } else { "" };
        write!(f, " ({what}{key}{})", if self.is_proven() { "" } else { ", not proven" })
    }
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |value: &dyn fmt::Display| value.to_string();
        let mut event = serializer.serialize_struct("Event", 13)?;
        let name = if self.refusal().is_some() { "authentication" } else { "decision" };
        event.serialize_field("event", name)?;
        event.serialize_field("outcome", self.outcome().code())?;
        event.serialize_field("reason", &self.reason().map(Reason::code))?;
        event.serialize_field("fault", &self.reason().is_some_and(Reason::is_fault))?;
        event.serialize_field("explanation", &self.explanation())?;
        event.serialize_field("method", &self.method().map(|method| text(&method)))?;
        event.serialize_field("credential", &self.credential().map(|key| text(&key)))?;
        event.serialize_field("token_id", &self.token_id())?;
        event.serialize_field("proven", &self.is_proven())?;
        event.serialize_field("owner", &self.owner().map(|owner| text(owner)))?;
        event.serialize_field("action", &self.action().map(|action| text(&action)))?;
        event.serialize_field("resource", &self.resource().map(|resource| text(resource)))?;
        event.serialize_field("scope", &self.scope())?;
        event.end()
    }
}

/// An observer that counts: how often each outcome was, and how often it was a fault of the host's own.
///
/// ```
/// use std::sync::Arc;
/// use keygate::{Authenticator, Counter, DigestKeys, MemoryStore};
///
/// let counter = Arc::new(Counter::new());
/// let gate = Authenticator::builder(MemoryStore::new(), DigestKeys::ephemeral()?)
///     .observer(Arc::clone(&counter))
///     .build()?;
/// # pollster::block_on(async {
/// assert!(gate.authenticate([("accept", "*/*")]).await.is_err());
/// # });
/// assert_eq!(counter.counts().no_credential, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Counter {
    permitted: AtomicU64,
    as_user: AtomicU64,
    no_credential: AtomicU64,
    bad_request: AtomicU64,
    denied: AtomicU64,
    forbidden: AtomicU64,
    undecided: AtomicU64,
    faults: AtomicU64,
}

/// What a [`Counter`] has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Decisions that permitted.
    pub permitted: u64,
    /// Decisions that left it to the host.
    pub as_user: u64,
    /// Requests without a credential.
    pub no_credential: u64,
    /// Malformed requests.
    pub bad_request: u64,
    /// Denied credentials.
    pub denied: u64,
    /// Decisions that forbade.
    pub forbidden: u64,
    /// What could not be decided.
    pub undecided: u64,
    /// Those of the undecided that are [faults](Reason::is_fault): raise an alarm when this grows.
    pub faults: u64,
}

impl Counter {
    /// A counter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            permitted: of(&self.permitted),
            as_user: of(&self.as_user),
            no_credential: of(&self.no_credential),
            bad_request: of(&self.bad_request),
            denied: of(&self.denied),
            forbidden: of(&self.forbidden),
            undecided: of(&self.undecided),
            faults: of(&self.faults),
        }
    }
}

impl Observer for Counter {
    fn observe(&self, event: &Event<'_>) {
        let counter = match event.outcome() {
            Outcome::Permitted => &self.permitted,
            Outcome::AsUser => &self.as_user,
            Outcome::Refused(RefusalClass::NoCredential) => &self.no_credential,
            Outcome::Refused(RefusalClass::BadRequest) => &self.bad_request,
            Outcome::Refused(RefusalClass::Denied) => &self.denied,
            Outcome::Refused(RefusalClass::Forbidden) => &self.forbidden,
            Outcome::Refused(RefusalClass::Undecided) => &self.undecided,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if event.reason().is_some_and(Reason::is_fault) {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
    }
}
