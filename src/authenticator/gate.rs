//! An authenticator narrowed for one request; here a header becomes a caller.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Inner;
use crate::credential::Methods;
use crate::header::HeaderLine;
use crate::verify::{check, refuse_unknown};
use crate::{
    Action, Caller, CredentialKey, Decision, Event, Method, Moment, NeedsParent, Owner, Peek, Presented,
    PresentedAccessToken, PresentedCredential, Reason, Record, Refusal, Resource, Verified,
    verify_access_token,
};

/// An [`Authenticator`](crate::Authenticator) narrowed for one request or one endpoint: a few words on the stack.
///
/// ```
/// use keygate::{Authenticator, DigestKeys, Kind, MemoryStore, Method};
///
/// let gate = Authenticator::new(MemoryStore::new(), DigestKeys::ephemeral()?);
/// # pollster::block_on(async {
/// let for_machines = gate.accept([Method::ServiceAccount, Method::ServiceToken]);
/// let refusal = for_machines.client([192, 0, 2, 7].into()).authenticate([("accept", "*/*")]).await.unwrap_err();
/// assert_eq!(refusal.challenges().next().unwrap().to_string(), r#"Bearer realm="api""#);
/// # });
/// # Ok::<(), keygate::RandomError>(())
/// ```
#[derive(Clone, Copy)]
#[must_use = "a narrowed authenticator does nothing until it authenticates"]
pub struct Gate<'g> {
    inner: &'g Inner,
    accepted: Methods,
    client: Option<IpAddr>,
}

impl<'g> Gate<'g> {
    #[inline(always)]
    pub(super) const fn new(inner: &'g Inner) -> Self {
        Self { inner, accepted: inner.accepted, client: None }
    }

    /// See [`Authenticator::client`](crate::Authenticator::client).
    pub const fn client(self, address: IpAddr) -> Self {
        Self { client: Some(address), ..self }
    }

    /// See [`Authenticator::accept`](crate::Authenticator::accept). It narrows what is accepted so far, and never widens it.
    pub fn accept<M: Into<Method>>(self, methods: impl IntoIterator<Item = M>) -> Self {
        Self { accepted: self.accepted.and(methods.into_iter().collect()), ..self }
    }

    /// See [`Authenticator::authenticate`](crate::Authenticator::authenticate).
    ///
    /// # Errors
    ///
    /// As there.
    // For the reason that `HeaderPolicy::present` is: a future that is handed over is moved through memory.
    #[inline(always)]
    pub fn authenticate<H>(
        self,
        headers: H,
    ) -> impl Future<Output = Result<Caller, Refusal>> + Send + use<'g, H>
    where
        H: IntoIterator<Item: HeaderLine<Value: Send + Sync>>,
    {
        let presented = self.inner.policy.present_one_of(self.accepted, headers);
        let glance = self.glance(presented);
        async move {
            match glance {
                Glance::Decided(result) => result,
                glance => self.finish(glance).await,
            }
        }
    }

    /// See [`Authenticator::authenticate_optional`](crate::Authenticator::authenticate_optional).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn authenticate_optional<H>(
        self,
        headers: H,
    ) -> impl Future<Output = Result<Option<Caller>, Refusal>> + Send + use<'g, H>
    where
        H: IntoIterator<Item: HeaderLine<Value: Send + Sync>>,
    {
        let glance = match self.inner.policy.present_one_of(self.accepted, headers) {
            Err(refusal) if matches!(refusal.reason(), Reason::Missing | Reason::UnsupportedScheme) => None,
            presented => Some(self.glance(presented)),
        };
        async move {
            match glance {
                Some(glance) => self.finish(glance).await.map(Some),
                None => Ok(None),
            }
        }
    }

    /// See [`Authenticator::decide`](crate::Authenticator::decide).
    #[inline(always)]
    pub fn decide<'a>(self, caller: &'a Caller, action: Action, resource: &'a Resource<'a>) -> Decision<'a> {
        let decision = match caller.ended(self.inner.now()) {
            Some(reason) => caller.lapsed(action, resource, self.accepted, reason),
            None => caller.decide(action, resource),
        };
        if let Some(observer) = &self.inner.observer {
            observer.observe(&Event::decided(&decision));
        }
        decision
    }

    /// How far it comes without waiting: to the end, where the lookup has the record in memory.
    // Not in the future, whose parts would be moved through memory: written in small pieces, read in large ones.
    #[inline(always)]
    fn glance<V: AsRef<[u8]>>(self, presented: Result<Presented<V>, Refusal>) -> Glance<V> {
        let presented = match presented {
            Ok(Presented::Credential(presented)) => presented,
            Ok(Presented::AccessToken(presented)) => return self.glance_at_token(&presented),
            Err(refusal) => return Glance::Decided(Err(self.tell(refusal, None))),
        };
        let key = presented.key();
        let verified = match self.inner.lookup.peek(key.kind, &key.id) {
            Peek::Known(record) => self.prove(&presented, record),
            Peek::Absent => Err(self.refuse_unknown(&presented)),
            Peek::Ask => return Glance::Ask(presented),
        };
        match verified {
            Ok(Verified::Caller(caller)) => Glance::Decided(Ok(self.noted(caller, Some(&presented)))),
            Ok(Verified::NeedsParent(child)) => self.glance_at_parent(child, Some(presented)).into(),
            Err(refusal) => Glance::Decided(Err(refusal)),
        }
    }

    #[inline(never)]
    fn glance_at_token<V: AsRef<[u8]>>(self, presented: &PresentedAccessToken<V>) -> Glance<V> {
        let verified = match &self.inner.access_tokens {
            Some(tokens) => verify_access_token(presented, tokens, self.moment()),
            // Where none are configured none are accepted, so the shape was refused while parsing.
            None => Err(presented.refuse(Reason::KindNotAccepted(Method::AccessToken))),
        };
        match verified {
            Ok(child) if self.inner.tokens_without_parent => {
                Glance::Decided(Ok(child.danger_without_parent()))
            }
            Ok(child) => self.glance_at_parent(child, None).into(),
            Err(refusal) => Glance::Decided(Err(self.tell(refusal, None))),
        }
    }

    /// The same for the account that minted it.
    #[inline(never)]
    fn glance_at_parent<V: AsRef<[u8]>>(
        self,
        child: NeedsParent,
        presented: Option<PresentedCredential<V>>,
    ) -> GlanceAtParent<V> {
        let CredentialKey { kind, id } = child.parent();
        let parent = match self.inner.lookup.peek(kind, &id) {
            Peek::Known(record) => Some(record),
            Peek::Absent => None,
            Peek::Ask => return ControlFlow::Continue((child, presented)),
        };
        let caller = self.under_its_parent(&child, parent);
        ControlFlow::Break(caller.map(|caller| self.noted(caller, presented.as_ref())))
    }

    /// The rest, which has to be waited for.
    async fn finish<V: AsRef<[u8]> + Send + Sync>(self, glance: Glance<V>) -> Result<Caller, Refusal> {
        let (child, presented) = match glance {
            Glance::Decided(result) => return result,
            Glance::AskForParent(child, presented) => (child, presented),
            Glance::Ask(presented) => {
                let record = self.ask(&presented).await?.ok_or_else(|| self.refuse_unknown(&presented))?;
                match self.prove(&presented, record)? {
                    Verified::Caller(caller) => return Ok(self.noted(caller, Some(&presented))),
                    Verified::NeedsParent(child) => match self.glance_at_parent(child, Some(presented)) {
                        ControlFlow::Break(result) => return result,
                        ControlFlow::Continue(asked) => asked,
                    },
                }
            }
        };
        let caller = self.ask_for_parent(child).await?;
        Ok(self.noted(caller, presented.as_ref()))
    }

    #[inline(always)]
    fn prove<V: AsRef<[u8]>>(
        self,
        presented: &PresentedCredential<V>,
        record: Arc<Record>,
    ) -> Result<Verified, Refusal> {
        let moment = self.moment();
        match check(presented, &record, &self.inner.keys, moment) {
            Ok(proof) => Ok(proof.outcome(record, moment)),
            // The record of another credential has another owner, who has nothing to do with this.
            Err(Reason::RecordMismatch) => Err(self.tell(presented.refuse(Reason::RecordMismatch), None)),
            Err(reason) => Err(self.tell(presented.refuse(reason), Some(record.owner()))),
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse_unknown<V: AsRef<[u8]>>(self, presented: &PresentedCredential<V>) -> Refusal {
        self.tell(refuse_unknown(presented, &self.inner.keys), None)
    }

    #[inline(always)]
    fn noted<V: AsRef<[u8]>>(self, caller: Caller, presented: Option<&PresentedCredential<V>>) -> Caller {
        if let (Some(recorder), Some(presented)) = (&self.inner.recorder, presented) {
            recorder.note(&caller, presented, &self.inner.keys, self.inner.now());
        }
        caller
    }

    /// Asks the lookup, if the guard holds.
    async fn ask<V: AsRef<[u8]> + Send + Sync>(
        self,
        presented: &PresentedCredential<V>,
    ) -> Result<Option<Arc<Record>>, Refusal> {
        let key = presented.key();
        self.inner.keys.check_guard(presented).map_err(|refusal| self.tell(refusal, None))?;
        self.inner.lookup.find(key.kind, &key.id).await.map_err(|error| {
            let refusal = Refusal::from(error).accepting(self.accepted).about(key);
            self.tell(refusal, None)
        })
    }

    async fn ask_for_parent(self, child: NeedsParent) -> Result<Caller, Refusal> {
        let CredentialKey { kind, id } = child.parent();
        let caller = match self.inner.lookup.find(kind, &id).await {
            Ok(parent) => self.under_its_parent(&child, parent)?,
            Err(error) => return Err(self.refuse_proved(error.into(), child.caller())),
        };
        // Deadlines count at use, and asking for the parent took time.
        match caller.ended(self.inner.now()) {
            Some(reason) => Err(self.refuse_proved(caller.refuse(reason), &caller)),
            None => Ok(caller),
        }
    }

    fn under_its_parent(self, child: &NeedsParent, parent: Option<Arc<Record>>) -> Result<Caller, Refusal> {
        child.finish(parent.as_ref()).map_err(|refusal| self.refuse_proved(refusal, child.caller()))
    }

    /// The refusal of a credential that was proved.
    #[cold]
    fn refuse_proved(self, refusal: Refusal, caller: &Caller) -> Refusal {
        let refusal =
            refusal.accepting(self.accepted).about(caller.credential()).by(caller.method()).of_proved();
        self.tell(refusal, Some(caller.owner()))
    }

    #[inline(always)]
    fn moment(self) -> Moment {
        let mut moment = Moment::at(self.inner.now());
        if let Some(address) = self.client {
            moment = moment.client(address);
        }
        if self.inner.api_keys_reach_secrets { moment.danger_api_keys_reach_secrets() } else { moment }
    }

    #[cold]
    fn tell(self, refusal: Refusal, owner: Option<&Owner>) -> Refusal {
        if let Some(observer) = &self.inner.observer {
            observer.observe(&Event::refused(&refusal, owner));
        }
        refusal
    }
}

impl fmt::Debug for Gate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("accepted", &self.accepted)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// How far an authentication came without waiting.
enum Glance<V> {
    Decided(Result<Caller, Refusal>),
    Ask(PresentedCredential<V>),
    AskForParent(NeedsParent, Option<PresentedCredential<V>>),
}

/// The end, or a child whose parent has to be asked for, with the credential whose use is noted then; an access token is none.
type GlanceAtParent<V> = ControlFlow<Result<Caller, Refusal>, (NeedsParent, Option<PresentedCredential<V>>)>;

impl<V> From<GlanceAtParent<V>> for Glance<V> {
    #[inline]
    fn from(glance: GlanceAtParent<V>) -> Self {
        match glance {
            ControlFlow::Break(result) => Self::Decided(result),
            ControlFlow::Continue((child, presented)) => Self::AskForParent(child, presented),
        }
    }
}
