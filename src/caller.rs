//! Who is calling, and what that permits.

use std::sync::Arc;

use crate::credential::Methods;
use crate::scope::Target;
use crate::{
    Action, Claims, CredentialKey, Decision, Deny, Grant, Kind, Method, NotPermitted, OrganizationId, Owner,
    Parent, ParentFault, Part, Permit, Reason, Record, Refusal, Resource, Timestamp,
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
    proved: Proved,
    parent: Option<Arc<Record>>,
}

/// What proved it.
#[derive(Clone, Debug)]
enum Proved {
    Secret { record: Arc<Record>, number: u32, api_keys_reach_secrets: bool },
    AccessToken(Arc<Claims>),
}

impl Caller {
    /// By a secret of this number of the record.
    #[inline(always)]
    pub(crate) const fn by_secret(record: Arc<Record>, number: u32, api_keys_reach_secrets: bool) -> Self {
        Self { proved: Proved::Secret { record, number, api_keys_reach_secrets }, parent: None }
    }

    pub(crate) const fn by_access_token(claims: Arc<Claims>) -> Self {
        Self { proved: Proved::AccessToken(claims), parent: None }
    }

    /// The same caller, cut to what this account holds, in rights and in time.
    pub(crate) fn under(mut self, parent: Arc<Record>) -> Self {
        self.parent = Some(parent);
        self
    }

    /// By what the request authenticated.
    #[must_use]
    pub fn method(&self) -> Method {
        match &self.proved {
            Proved::Secret { record, .. } => record.key().kind.into(),
            Proved::AccessToken(_) => Method::AccessToken,
        }
    }

    /// Kind and id of the credential; of an access token, which is none, those of the service account that minted it: for a log, and
    /// not to manage the account by, which no access token may.
    #[must_use]
    pub fn credential(&self) -> CredentialKey {
        match &self.proved {
            Proved::Secret { record, .. } => record.key(),
            Proved::AccessToken(claims) => claims.parent().key(),
        }
    }

    /// Whom the credential belongs to.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        match &self.proved {
            Proved::Secret { record, .. } => record.owner(),
            Proved::AccessToken(claims) => claims.owner(),
        }
    }

    /// The credential's record, as the lookup had it; `None` of an access token, which has none: what it may do is not what its
    /// account's record says. That one is the [parent](Self::parent).
    #[must_use]
    pub const fn record(&self) -> Option<&Arc<Record>> {
        match &self.proved {
            Proved::Secret { record, .. } => Some(record),
            Proved::AccessToken(_) => None,
        }
    }

    /// The record of the service account that minted the credential or the access token, if one did and its record was asked
    /// for.
    #[must_use]
    pub const fn parent(&self) -> Option<&Arc<Record>> {
        self.parent.as_ref()
    }

    /// What the access token says, if one authenticated the request.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        match &self.proved {
            Proved::Secret { .. } => None,
            Proved::AccessToken(claims) => Some(claims),
        }
    }

    /// Which of the record's secrets proved it: the number of the current one, or of the retiring one. An access token is proved
    /// by none.
    #[must_use]
    pub const fn secret_number(&self) -> Option<u32> {
        match &self.proved {
            Proved::Secret { number, .. } => Some(*number),
            Proved::AccessToken(_) => None,
        }
    }

    /// The account that minted it and the generation that it was made under, if one did.
    pub(crate) fn minted_by(&self) -> Option<Parent> {
        match &self.proved {
            Proved::Secret { record, .. } => record.parent().copied(),
            Proved::AccessToken(claims) => Some(claims.parent()),
        }
    }

    /// The organization that its scopes do not leave; an API key, which has none, acts in many.
    pub(crate) fn organization(&self) -> Option<&OrganizationId> {
        match &self.proved {
            Proved::Secret { record, .. } => record.grant().rights().map(|rights| rights.organization()),
            Proved::AccessToken(claims) => Some(claims.organization()),
        }
    }

    /// The first second at which this result does not hold any more: the end of the credential or the access token, of the
    /// overlap of a retiring secret, or of the account that minted it, whichever comes first.
    #[must_use]
    #[inline(always)]
    pub fn valid_until(&self) -> Option<Timestamp> {
        let end = |record: &Record| record.validity().expires_at();
        let own = match &self.proved {
            Proved::Secret { record, number, .. } => {
                let retiring = record.retiring().filter(|retiring| retiring.secret.number == *number);
                Timestamp::earlier(end(record), retiring.map(|retiring| retiring.ends_at))
            }
            Proved::AccessToken(claims) => claims.ends_at(),
        };
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
    /// | access token | never | by its scopes | by its scopes | by its scopes | never |
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
    /// assert_eq!(permit.scope(), Some("read@web/prod:/app/**"));
    ///
    /// let refusal = caller.decide(Action::Delete, &wanted).granted().unwrap_err();
    /// assert_eq!(refusal.status(), 403);
    /// assert_eq!(refusal.needed(), Some("delete@web/prod:/app/db"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn decide<'a>(&'a self, action: Action, resource: &'a Resource<'a>) -> Decision<'a> {
        let access = Permit::new(self, action, resource);
        let never = |part| Decision::Deny(Deny::never(access, part));
        let (record, api_keys_reach_secrets) = match &self.proved {
            Proved::Secret { record, api_keys_reach_secrets, .. } => (record, *api_keys_reach_secrets),
            Proved::AccessToken(claims) => return self.decide_by_token(claims, access),
        };
        let rights = match (record.grant(), resource.target()) {
            (_, Target::OwnCredential) => {
                return match action {
                    Action::Read | Action::Delete => Decision::Permit(access),
                    Action::Create | Action::Update => never(Part::Action),
                };
            }
            (Grant::ApiKey(_), Target::Secrets { .. }) if !api_keys_reach_secrets => {
                return never(Part::Level);
            }
            (Grant::ApiKey(key), _) => return Decision::AsUser(access.as_user(key.user())),
            (Grant::ServiceAccount(_) | Grant::ServiceToken(_), Target::User) => return never(Part::Level),
            (Grant::ServiceToken(_), Target::Organization { .. } | Target::Project { .. }) => {
                return never(Part::Level);
            }
            (Grant::ServiceToken(token), Target::Secrets { .. }) => token.rights(),
            (Grant::ServiceAccount(account), _) => account.rights(),
        };
        match rights.permit(action, resource) {
            Ok(scope) => self.decide_by_parent(access.by(scope)),
            Err(failure) => Decision::Deny(Deny::by_scopes(access, failure)),
        }
    }

    #[inline(never)]
    fn decide_by_token<'a>(&'a self, claims: &'a Claims, access: Permit<'a>) -> Decision<'a> {
        match access.resource().target() {
            Target::OwnCredential | Target::User => Decision::Deny(Deny::never(access, Part::Level)),
            Target::Organization { .. } | Target::Project { .. } | Target::Secrets { .. } => {
                match claims.permit(access.action(), access.resource()) {
                    Ok(scope) => self.decide_by_parent(access.by(scope)),
                    Err(failure) => Decision::Deny(Deny::by_scopes(access, failure)),
                }
            }
        }
    }

    /// What its own scopes permit, the account that minted it has to permit, too.
    #[inline(always)]
    fn decide_by_parent<'a>(&'a self, permit: Permit<'a>) -> Decision<'a> {
        let Some(parent) = &self.parent else { return Decision::Permit(permit) };
        // An account always has rights; a parent without any would permit nothing.
        let rights = parent.grant().rights();
        match rights.map(|rights| rights.permit(permit.action(), permit.resource())) {
            Some(Ok(_)) => Decision::Permit(permit),
            Some(Err(failure)) => Decision::Deny(Deny::by_scopes_of_parent(permit, failure)),
            None => Decision::Deny(Deny::by_scopes_of_parent(permit, NotPermitted::NO_SCOPES)),
        }
    }

    /// Whether a scope could reach such a target at all.
    pub(crate) fn could_reach(&self, target: &Target<'_>) -> bool {
        let kind = match &self.proved {
            Proved::Secret { record, .. } => record.key().kind,
            // As the account, cut to what it was minted with.
            Proved::AccessToken(_) => Kind::ServiceAccount,
        };
        let of_level = match target {
            Target::Secrets { .. } => kind != Kind::ApiKey,
            Target::Organization { .. } | Target::Project { .. } => kind == Kind::ServiceAccount,
            Target::User | Target::OwnCredential => false,
        };
        of_level && target.organization() == self.organization().map(OrganizationId::as_str)
    }

    /// A refusal of this caller.
    #[cold]
    pub(crate) fn refuse(&self, reason: Reason) -> Refusal {
        let refusal = Refusal::new(reason).about(self.credential()).by(self.method());
        match self.claims() {
            Some(claims) => refusal.of_token(claims.id()),
            None => refusal,
        }
    }

    /// What ended the caller, if its time is over.
    #[inline(always)]
    pub(crate) fn ended(&self, now: Timestamp) -> Option<Reason> {
        self.valid_until().filter(|end| now >= *end).map(|_| self.what_ended(now))
    }

    #[cold]
    fn what_ended(&self, now: Timestamp) -> Reason {
        let is_over = |end: Option<Timestamp>| end.is_some_and(|end| now >= end);
        let own = match &self.proved {
            Proved::Secret { record, .. } => record.validity().expires_at(),
            Proved::AccessToken(claims) => claims.ends_at(),
        };
        if is_over(own) {
            Reason::Expired
        } else if is_over(self.parent.as_deref().and_then(|parent| parent.validity().expires_at())) {
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
        Decision::Deny(Deny::lapsed(Permit::new(self, action, resource), accepted, reason))
    }
}
