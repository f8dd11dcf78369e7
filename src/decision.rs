//! The decision on one access: a permit, *as the user*, or a denial.

use std::fmt;

use crate::credential::Methods;
use crate::{Action, Caller, NotPermitted, Part, Reason, Refusal, Resource, UserId};

/// The end of a decision: there are three, and none can be taken for another.
#[derive(Debug)]
#[must_use = "a decision that is not looked at protects nothing"]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a security decision needs no `_` arm")]
pub enum Decision<'a> {
    /// It is permitted.
    Permit(Permit<'a>),
    /// An API key: whatever its user may do. The host must still ask whether the user may.
    AsUser(AsUser<'a>),
    /// It is not permitted.
    Deny(Deny<'a>),
}

impl<'a> Decision<'a> {
    /// The permit, where keygate alone gives one; *as the user* is refused.
    ///
    /// # Errors
    ///
    /// [`Refusal`] of the class *forbidden*.
    #[inline(always)]
    pub fn granted(self) -> Result<Permit<'a>, Refusal> {
        match self {
            Self::Permit(permit) => Ok(permit),
            Self::AsUser(pending) => Err(pending.refuse(Reason::UserNotAsked)),
            Self::Deny(denial) => Err(denial.into()),
        }
    }

    /// The permit; for an API key, if the host's own rules permit its user.
    ///
    /// # Errors
    ///
    /// [`Refusal`] of the class *forbidden*.
    pub fn or_as_user(self, may: impl FnOnce(&UserId) -> bool) -> Result<Permit<'a>, Refusal> {
        match self {
            Self::AsUser(pending) => {
                let allowed = may(pending.user);
                pending.settle(allowed)
            }
            decided => decided.granted(),
        }
    }

    /// The permit; for an API key, if the host's database says that its user may.
    ///
    /// # Errors
    ///
    /// [`Refusal`] of the class *forbidden*; *undecided* where the host's question failed, never a denial.
    pub async fn or_ask<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        self,
        may: impl AsyncFnOnce(&UserId) -> Result<bool, E>,
    ) -> Result<Permit<'a>, Refusal> {
        match self {
            Self::AsUser(pending) => match may(pending.user).await {
                Ok(allowed) => pending.settle(allowed),
                Err(source) => {
                    let credential = pending.access.caller.credential();
                    Err(Refusal::user_rights_unavailable(source).about(credential))
                }
            },
            decided => decided.granted(),
        }
    }
}

/// A proof that one action on one resource is permitted to one caller; only a decision makes one.
///
/// ```compile_fail
/// let forged = keygate::Permit {};
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Permit<'a> {
    caller: &'a Caller,
    action: Action,
    resource: &'a Resource<'a>,
    scope: Option<&'a str>,
}

impl<'a> Permit<'a> {
    /// An access, by no scope.
    #[inline(always)]
    pub(crate) const fn new(caller: &'a Caller, action: Action, resource: &'a Resource<'a>) -> Self {
        Self { caller, action, resource, scope: None }
    }

    /// The same, by this scope.
    #[inline(always)]
    pub(crate) const fn by(self, scope: &'a str) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// The same, if this user may.
    #[inline(always)]
    pub(crate) const fn as_user(self, user: &'a UserId) -> AsUser<'a> {
        AsUser { access: self, user }
    }

    /// To whom.
    #[must_use]
    pub const fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// Which action.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// On what.
    #[must_use]
    pub const fn resource(&self) -> &'a Resource<'a> {
        self.resource
    }

    /// The text of the scope that permitted it; none where the caller's own credential is the resource, or where the host
    /// permitted it to an API key's user.
    #[must_use]
    pub const fn scope(&self) -> Option<&'a str> {
        self.scope
    }

    /// What would have been needed, as a scope text; none where no scope would help: an API key has none, a service
    /// token has them on secrets only, and no scope reaches another organization.
    fn needed(&self) -> Option<String> {
        if self.caller.could_reach(self.resource.target()) { self.resource.needed(self.action) } else { None }
    }

    #[cold]
    fn forbid(&self, reason: Reason, why: String) -> Refusal {
        self.caller.refuse(reason).forbidding(self.needed(), why)
    }
}

impl fmt::Display for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// An API key acts as its user: whether that user may, only the host knows, and this is no permit until it said so.
#[derive(Debug)]
#[must_use = "an access as the user is not permitted until the host settles it"]
pub struct AsUser<'a> {
    pub(crate) access: Permit<'a>,
    user: &'a UserId,
}

impl<'a> AsUser<'a> {
    /// The user whose rights decide.
    #[must_use]
    pub const fn user(&self) -> &'a UserId {
        self.user
    }

    /// The host's word on whether the user may.
    ///
    /// # Errors
    ///
    /// [`Refusal`] of the class *forbidden* where the user may not.
    pub fn settle(self, allowed: bool) -> Result<Permit<'a>, Refusal> {
        if allowed { Ok(self.access) } else { Err(self.refuse(Reason::UserNotPermitted)) }
    }
}

impl AsUser<'_> {
    #[cold]
    fn refuse(&self, reason: Reason) -> Refusal {
        self.access.forbid(reason, format!("{} as user {}", self.access, self.user))
    }
}

/// Why an access is not permitted, for the host's log: the nearest scope, and which of its parts failed.
#[derive(Debug)]
pub struct Deny<'a> {
    pub(crate) access: Permit<'a>,
    why: Why<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Why<'a> {
    Scope {
        failure: NotPermitted<'a>,
        by_parent: bool,
    },
    /// The caller was kept past its end; only an authenticator, which has a clock, finds that.
    Lapsed {
        reason: Reason,
        accepted: Methods,
    },
}

impl<'a> Deny<'a> {
    /// No scope of such a caller ever reaches it.
    #[inline(always)]
    pub(crate) const fn never(access: Permit<'a>, failed: Part) -> Self {
        Self::by_scopes(access, NotPermitted::never(failed))
    }

    #[inline(always)]
    pub(crate) const fn by_scopes(access: Permit<'a>, failure: NotPermitted<'a>) -> Self {
        Self { access, why: Why::Scope { failure, by_parent: false } }
    }

    #[inline(always)]
    pub(crate) const fn by_scopes_of_parent(access: Permit<'a>, failure: NotPermitted<'a>) -> Self {
        Self { access, why: Why::Scope { failure, by_parent: true } }
    }

    /// By a caller whose time is over, where these methods are accepted.
    pub(crate) const fn lapsed(access: Permit<'a>, accepted: Methods, reason: Reason) -> Self {
        Self { access, why: Why::Lapsed { reason, accepted } }
    }

    /// The text of the scope that came nearest, where the caller has any that could.
    #[must_use]
    pub const fn nearest(&self) -> Option<&'a str> {
        match self.why {
            Why::Scope { failure, .. } => failure.nearest(),
            Why::Lapsed { .. } => None,
        }
    }

    /// Which part of it failed first; [`Part::Level`] where no scope of such a caller ever reaches the resource; `None`
    /// where it is not for a scope that the access is denied: the caller's time is over.
    #[must_use]
    pub const fn failed(&self) -> Option<Part> {
        match self.why {
            Why::Scope { failure, .. } => Some(failure.part()),
            Why::Lapsed { .. } => None,
        }
    }

    /// Whether the caller's own scopes permit it, and those of the account that minted it do not.
    #[must_use]
    pub const fn by_parent(&self) -> bool {
        matches!(self.why, Why::Scope { by_parent: true, .. })
    }

    /// The precise reason, for the log: [`Reason::NotPermitted`]; from [`Authenticator::decide`] also what ended the
    /// caller, which is *denied* and no longer *forbidden*.
    ///
    /// [`Authenticator::decide`]: crate::Authenticator::decide
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self.why {
            Why::Scope { .. } => Reason::NotPermitted,
            Why::Lapsed { reason, .. } => reason,
        }
    }

    /// What would have been needed, as a scope text; none where no scope would help.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        match self.why {
            Why::Scope { .. } => self.access.needed(),
            Why::Lapsed { .. } => None,
        }
    }
}

impl fmt::Display for Deny<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = &self.access;
        match self.why {
            Why::Scope { failure, by_parent } => {
                let whose = if by_parent { " of the account that minted it" } else { "" };
                match failure.nearest() {
                    Some(scope) => {
                        let failed = failure.part();
                        write!(f, "{access}: the {failed} of the nearest scope{whose}, {scope}, does not fit")
                    }
                    None => write!(f, "{access}: no scope{whose} reaches it"),
                }
            }
            Why::Lapsed { reason, .. } => write!(f, "{access}: {reason}"),
        }
    }
}

impl From<Deny<'_>> for Refusal {
    fn from(denial: Deny<'_>) -> Self {
        match denial.why {
            Why::Scope { .. } => denial.access.forbid(Reason::NotPermitted, denial.to_string()),
            Why::Lapsed { reason, accepted } => {
                denial.access.caller.refuse(reason).accepting(accepted).of_proved()
            }
        }
    }
}
