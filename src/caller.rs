//! Who is calling, and the decision on one access: a permit, *as the user*, or a denial.

use std::fmt;
use std::sync::Arc;

use crate::credential::Methods;
use crate::scope::Target;
use crate::{
    Action, CredentialKey, Grant, Kind, Method, Owner, ParentFault, Part, Reason, Record, Refusal, Resource,
    Scope, Timestamp, UserId,
};

/// The authenticated result: who is calling, by which credential, with which rights.
///
/// Owned, and cheap to clone: it shares the record. What it may do is decided per access, with
/// [`decide`](Self::decide).
///
/// ```
/// fn pins<T: Clone + Send + Sync + 'static>() {}
/// pins::<keygate::Caller>();
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    record: Arc<Record>,
    parent: Option<Arc<Record>>,
    secret: u32,
    api_keys_reach_secrets: bool,
}

impl Caller {
    #[inline(always)]
    pub(crate) const fn new(record: Arc<Record>, secret: u32, api_keys_reach_secrets: bool) -> Self {
        Self { record, parent: None, secret, api_keys_reach_secrets }
    }

    /// The same caller, cut to what this account holds, in rights and in time.
    pub(crate) fn under(mut self, parent: Arc<Record>) -> Self {
        self.parent = Some(parent);
        self
    }

    /// By what the request authenticated.
    #[must_use]
    pub fn method(&self) -> Method {
        self.credential().kind.into()
    }

    /// Kind and id of the credential.
    #[must_use]
    pub fn credential(&self) -> CredentialKey {
        self.record.key()
    }

    /// Whom the credential belongs to.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        self.record.owner()
    }

    /// The credential's record, as the lookup had it.
    #[must_use]
    pub const fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// The record of the service account that minted the credential, if one did and its record was asked for.
    #[must_use]
    pub const fn parent(&self) -> Option<&Arc<Record>> {
        self.parent.as_ref()
    }

    /// Which of the record's secrets proved it: the number of the current one, or of the retiring one.
    #[must_use]
    pub const fn secret_number(&self) -> u32 {
        self.secret
    }

    /// The first second at which this result does not hold any more: the end of the credential, of the overlap of a
    /// retiring secret, or of the account that minted it, whichever comes first.
    #[must_use]
    #[inline(always)]
    pub fn valid_until(&self) -> Option<Timestamp> {
        let end = |record: &Record| record.validity().expires_at();
        let retiring = self.record.retiring().filter(|retiring| retiring.secret.number == self.secret);
        let own = Timestamp::earlier(end(&self.record), retiring.map(|retiring| retiring.ends_at));
        Timestamp::earlier(own, self.parent.as_deref().and_then(end))
    }

    /// Decides on one access. Pure: it does not know the time, so a caller kept past
    /// [`valid_until`](Self::valid_until) is the host's to drop. [`Authenticator::decide`](crate::Authenticator::decide)
    /// knows it, and tells the observer.
    ///
    /// | caller | the user's own endpoints | organization | project | secrets | its own credential |
    /// |---|---|---|---|---|---|
    /// | API key | as the user | as the user | as the user | never | read, revoke |
    /// | service account | never | by its scopes | by its scopes | by its scopes | read, revoke |
    /// | service token | never | never | never | by its scopes | read, revoke |
    ///
    /// On its own credential *read* is [`Action::Read`] and *revoke* is [`Action::Delete`]. What a service account
    /// minted is permitted what it **and** the account are permitted.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use keygate::*;
    /// # let keys = DigestKeys::ephemeral()?;
    /// # let drawn = keys.draw(Kind::ServiceAccount, &SystemRandom)?;
    /// # let rights = Rights::new("acme", ["read@web/prod:/app/**".parse()?])?;
    /// # let now = Timestamp::from_unix(0);
    /// # let record = Arc::new(Record::builder(drawn.key.id, ServiceAccountGrant::new(rights), drawn.digest, now).build()?);
    /// # let bearer = format!("Bearer {}", drawn.text.expose());
    /// # let Presented::Credential(presented) = header::present([("authorization", &bearer)])? else { unreachable!() };
    /// # let caller = verify(&presented, Some(&record), &keys, Moment::at(now))?.with_parent(|_| None)?;
    /// let wanted = Resource::secrets("acme", "web", "prod", "/app/db")?;
    /// let permit = caller.decide(Action::Read, &wanted).granted()?;
    /// assert_eq!(permit.scope().unwrap().as_str(), "read@web/prod:/app/**");
    ///
    /// let refusal = caller.decide(Action::Delete, &wanted).granted().unwrap_err();
    /// assert_eq!(refusal.status(), 403);
    /// assert_eq!(refusal.needed(), Some("delete@web/prod:/app/db"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn decide<'a>(&'a self, action: Action, resource: &'a Resource<'a>) -> Decision<'a> {
        let permit = |scope| Permit { caller: self, action, resource, scope };
        let deny = |nearest, failed, by_parent| {
            Decision::Deny(Deny { access: permit(None), why: Why::Scope { nearest, failed, by_parent } })
        };
        let never = deny(None, Part::Level, false);
        let rights = match (self.record.grant(), resource.target()) {
            (_, Target::OwnCredential) => {
                return match action {
                    Action::Read | Action::Delete => Decision::Permit(permit(None)),
                    Action::Create | Action::Update => deny(None, Part::Action, false),
                };
            }
            (Grant::ApiKey(_), Target::Secrets { .. }) if !self.api_keys_reach_secrets => return never,
            (Grant::ApiKey(key), _) => {
                return Decision::AsUser(AsUser { access: permit(None), user: key.user() });
            }
            (Grant::ServiceAccount(_) | Grant::ServiceToken(_), Target::User) => return never,
            (Grant::ServiceToken(_), Target::Organization { .. } | Target::Project { .. }) => return never,
            (Grant::ServiceToken(token), Target::Secrets { .. }) => token.rights(),
            (Grant::ServiceAccount(account), _) => account.rights(),
        };
        let scope = match rights.permit(action, resource) {
            Ok(scope) => scope,
            Err(failure) => return deny(failure.nearest(), failure.part(), false),
        };
        if let Some(parent) = self.parent.as_ref() {
            // An account always has rights; a parent without any would permit nothing.
            match parent.grant().rights().map(|rights| rights.permit(action, resource)) {
                Some(Ok(_)) => {}
                Some(Err(failure)) => return deny(failure.nearest(), failure.part(), true),
                None => return deny(None, Part::Level, true),
            }
        }
        Decision::Permit(permit(Some(scope)))
    }

    /// What ended the caller, if its time is over.
    #[inline(always)]
    pub(crate) fn ended(&self, now: Timestamp) -> Option<Reason> {
        self.valid_until().filter(|end| now >= *end).map(|_| self.what_ended(now))
    }

    #[cold]
    fn what_ended(&self, now: Timestamp) -> Reason {
        let is_over = |record: &Record| record.validity().expires_at().is_some_and(|end| now >= end);
        if is_over(&self.record) {
            Reason::Expired
        } else if self.parent.as_deref().is_some_and(is_over) {
            Reason::Parent(ParentFault::Expired)
        } else {
            Reason::RetiredSecret
        }
    }

    /// The denial of an access by a caller whose time is over.
    #[cold]
    pub(crate) const fn lapsed<'a>(
        &'a self,
        action: Action,
        resource: &'a Resource<'a>,
        accepted: Methods,
        reason: Reason,
    ) -> Decision<'a> {
        let access = Permit { caller: self, action, resource, scope: None };
        Decision::Deny(Deny { access, why: Why::Lapsed { reason, accepted } })
    }
}

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
    scope: Option<&'a Scope>,
}

impl<'a> Permit<'a> {
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

    /// The scope that permitted it; none where the caller's own credential is the resource, or where the host
    /// permitted it to an API key's user.
    #[must_use]
    pub const fn scope(&self) -> Option<&'a Scope> {
        self.scope
    }

    /// What would have been needed, as a scope text; none where no scope would help: an API key has none, a service
    /// token has them on secrets only, and no scope reaches another organization.
    fn needed(&self) -> Option<String> {
        let rights = self.caller.record.grant().rights()?;
        let target = self.resource.target();
        let reachable = match target {
            Target::Secrets { .. } => true,
            Target::Organization { .. } | Target::Project { .. } => {
                self.caller.credential().kind == Kind::ServiceAccount
            }
            Target::User | Target::OwnCredential => false,
        };
        let own = target.organization() == Some(rights.organization().as_str());
        if reachable && own { self.resource.needed(self.action) } else { None }
    }

    #[cold]
    fn forbid(&self, reason: Reason, why: String) -> Refusal {
        Refusal::new(reason).about(self.caller.credential()).forbidding(self.needed(), why)
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
        nearest: Option<&'a Scope>,
        failed: Part,
        by_parent: bool,
    },
    /// The caller was kept past its end; only an authenticator, which has a clock, finds that.
    Lapsed {
        reason: Reason,
        accepted: Methods,
    },
}

impl<'a> Deny<'a> {
    /// The scope that came nearest, where the caller has any that could.
    #[must_use]
    pub const fn nearest(&self) -> Option<&'a Scope> {
        match self.why {
            Why::Scope { nearest, .. } => nearest,
            Why::Lapsed { .. } => None,
        }
    }

    /// Which part of it failed first; [`Part::Level`] where no scope of such a caller ever reaches the resource; `None`
    /// where it is not for a scope that the access is denied: the caller's time is over.
    #[must_use]
    pub const fn failed(&self) -> Option<Part> {
        match self.why {
            Why::Scope { failed, .. } => Some(failed),
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
            Why::Scope { nearest, failed, by_parent } => {
                let whose = if by_parent { " of the account that minted it" } else { "" };
                match nearest {
                    Some(scope) => {
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
                Self::new(reason).accepting(accepted).about(denial.access.caller.credential()).of_proved()
            }
        }
    }
}
