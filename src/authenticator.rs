//! Headers in, caller or refusal out: the read side of keygate, driven by a host's lookup.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use crate::credential::Methods;
use crate::header::HeaderLine;
use crate::verify::{check, refuse_unknown};
use crate::{
    Action, Caller, Clock, CredentialKey, Decision, DigestKeys, Event, HeaderPolicy, Invalid, Lookup, Method,
    Moment, NeedsParent, Observer, Owner, Peek, Presented, PresentedCredential, Reason, Record, Refusal,
    Resource, SystemClock, Timestamp, UseRecorder, Verified,
};

/// Headers in, caller or refusal out.
///
/// A cheap handle; clones share one configuration, which never changes: a service that changes its digest keys builds a
/// new authenticator over the same lookup and swaps it.
///
/// ```
/// use keygate::{
///     Action, Authenticator, DigestKeys, Issuer, Lifetime, MemoryStore, NewServiceToken, Refusal, Resource,
/// };
/// # pollster::block_on(async {
///
/// let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
/// let issuer = Issuer::new(store.clone(), keys.clone());
/// let gate = Authenticator::new(store, keys);
///
/// let new = NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope("read@web/prod:/app/**".parse()?);
/// let issued = issuer.service_tokens().issue(new).await?;
///
/// let headers = [("authorization", format!("Bearer {}", issued.text.expose()))];
/// let caller = gate.authenticate(&headers).await?;
/// let wanted = Resource::secrets("acme", "web", "prod", "/app/db")?; // the host's own row says that acme owns web
/// let permit = gate.decide(&caller, Action::Read, &wanted).granted()?;
/// assert_eq!(permit.to_string(), "read on secrets web/prod:/app/db of acme");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Cost
///
/// Where the lookup answers at once ([`Lookup::peek`]), authenticating and deciding allocate nothing and wait for
/// nothing. Else there is one `find` for the credential, after its guard has held, and one for the account that minted
/// it, if one did.
///
/// # Cancellation
///
/// A future that is dropped leaves nothing behind: nothing is written, nothing is locked between two polls.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    lookup: Box<dyn Lookup>,
    keys: DigestKeys,
    policy: HeaderPolicy,
    accepted: Methods,
    clock: TimeOfDay,
    observer: Option<Box<dyn Observer>>,
    recorder: Option<UseRecorder>,
    api_keys_reach_secrets: bool,
}

/// The system's clock is what nearly all hosts have: it is called without an indirection.
enum TimeOfDay {
    System(SystemClock),
    Own(Box<dyn Clock>),
}

impl Authenticator {
    /// An authenticator that takes issued credentials of all three kinds, by the system's clock.
    ///
    /// Whether a lookup is shared is the host's choice: `Arc<L>`, `Arc<dyn Store>` and `&'static L` are lookups too.
    #[must_use]
    pub fn new(lookup: impl Lookup + 'static, keys: DigestKeys) -> Self {
        Self(Arc::new(Self::builder(lookup, keys).inner))
    }

    /// An authenticator with a header policy, a clock, an observer of the host's own.
    pub fn builder(lookup: impl Lookup + 'static, keys: DigestKeys) -> AuthenticatorBuilder {
        AuthenticatorBuilder {
            inner: Inner {
                lookup: Box::new(lookup),
                keys,
                policy: HeaderPolicy::new(),
                accepted: Methods::ALL.without(Method::AccessToken),
                clock: TimeOfDay::System(SystemClock::new()),
                observer: None,
                recorder: None,
                api_keys_reach_secrets: false,
            },
            accepted: None,
        }
    }

    /// The same for one request of this client: its own address, not a proxy's.
    ///
    /// Without it a credential that is limited to networks is *undecided*.
    pub fn client(&self, address: IpAddr) -> Gate<'_> {
        self.gate().client(address)
    }

    /// The same for one endpoint: of the methods that this authenticator takes, only these.
    pub fn accept<M: Into<Method>>(&self, methods: impl IntoIterator<Item = M>) -> Gate<'_> {
        self.gate().accept(methods)
    }

    /// Who calls, by the credential that these header lines present.
    ///
    /// The lines are read before this returns; the value that counts is kept, not copied, so borrowed lines outlive the future. What
    /// the lookup has in memory is decided then, too: await it at once. The future waits for the rest.
    ///
    /// # Errors
    ///
    /// The future: a [`Refusal`] of the class *no credential*, *bad request*, *denied* or *undecided*. The observer
    /// hears of it.
    // For the reason that `HeaderPolicy::present` is: a future that is handed over is moved through memory.
    #[inline(always)]
    pub fn authenticate<H>(
        &self,
        headers: H,
    ) -> impl Future<Output = Result<Caller, Refusal>> + Send + use<'_, H>
    where
        H: IntoIterator<Item: HeaderLine<Value: Send + Sync>>,
    {
        self.gate().authenticate(headers)
    }

    /// The same where a credential is optional: `None` where none was presented (neither header, or another scheme), also under
    /// a policy that [denies](HeaderPolicy::deny_missing) what is missing. Whatever was presented has to hold.
    ///
    /// # Errors
    ///
    /// The future: a [`Refusal`], as of [`authenticate`](Self::authenticate).
    #[inline]
    pub fn authenticate_optional<H>(
        &self,
        headers: H,
    ) -> impl Future<Output = Result<Option<Caller>, Refusal>> + Send + use<'_, H>
    where
        H: IntoIterator<Item: HeaderLine<Value: Send + Sync>>,
    {
        self.gate().authenticate_optional(headers)
    }

    /// Decides on one access, as [`Caller::decide`] does; also denies it to a caller that was kept past
    /// [`Caller::valid_until`], and tells the observer.
    #[inline(always)]
    pub fn decide<'a>(&self, caller: &'a Caller, action: Action, resource: &'a Resource<'a>) -> Decision<'a> {
        self.gate().decide(caller, action, resource)
    }

    #[inline(always)]
    fn gate(&self) -> Gate<'_> {
        Gate { inner: &self.0, accepted: self.0.accepted, client: None }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("keys", &self.0.keys)
            .field("accepted", &self.0.accepted)
            .finish_non_exhaustive()
    }
}

/// An [`Authenticator`] narrowed for one request or one endpoint: a few words on the stack.
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
    /// See [`Authenticator::client`].
    pub const fn client(self, address: IpAddr) -> Self {
        Self { client: Some(address), ..self }
    }

    /// See [`Authenticator::accept`]. It narrows what is accepted so far, and never widens it.
    pub fn accept<M: Into<Method>>(self, methods: impl IntoIterator<Item = M>) -> Self {
        Self { accepted: self.accepted.and(methods.into_iter().collect()), ..self }
    }

    /// See [`Authenticator::authenticate`].
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

    /// See [`Authenticator::authenticate_optional`].
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

    /// See [`Authenticator::decide`].
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
            // No access token is among the accepted methods, so its shape was refused while parsing.
            Ok(Presented::AccessToken(_)) => {
                let refusal = Refusal::new(Reason::KindNotAccepted(Method::AccessToken));
                return Glance::Decided(Err(self.tell(refusal.accepting(self.accepted), None)));
            }
            Err(refusal) => return Glance::Decided(Err(self.tell(refusal, None))),
        };
        let key = presented.key();
        let verified = match self.inner.lookup.peek(key.kind, &key.id) {
            Peek::Known(record) => self.prove(&presented, record),
            Peek::Absent => Err(self.refuse_unknown(&presented)),
            Peek::Ask => return Glance::Ask(presented),
        };
        match verified {
            Ok(Verified::Caller(caller)) => Glance::Decided(Ok(self.noted(caller, &presented))),
            Ok(Verified::NeedsParent(child)) => Glance::NeedsParent(presented, child),
            Err(refusal) => Glance::Decided(Err(refusal)),
        }
    }

    /// The rest, which has to be waited for.
    async fn finish<V: AsRef<[u8]> + Send + Sync>(self, glance: Glance<V>) -> Result<Caller, Refusal> {
        let (presented, child) = match glance {
            Glance::Decided(result) => return result,
            Glance::NeedsParent(presented, child) => (presented, child),
            Glance::Ask(presented) => {
                let record = self.ask(&presented).await?.ok_or_else(|| self.refuse_unknown(&presented))?;
                match self.prove(&presented, record)? {
                    Verified::Caller(caller) => return Ok(self.noted(caller, &presented)),
                    Verified::NeedsParent(child) => (presented, child),
                }
            }
        };
        let caller = self.under_its_parent(child).await?;
        Ok(self.noted(caller, &presented))
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
    fn noted<V: AsRef<[u8]>>(self, caller: Caller, presented: &PresentedCredential<V>) -> Caller {
        if let Some(recorder) = &self.inner.recorder {
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

    async fn under_its_parent(self, child: NeedsParent) -> Result<Caller, Refusal> {
        let CredentialKey { kind, id } = child.parent();
        let parent = match self.inner.lookup.peek(kind, &id) {
            Peek::Known(record) => Ok(Some(record)),
            Peek::Absent => Ok(None),
            Peek::Ask => self.inner.lookup.find(kind, &id).await,
        };
        let refuse = |refusal: Refusal| refusal.about(child.caller().credential());
        parent
            .map_err(|error| refuse(error.into()))
            .and_then(|parent| child.finish(parent.as_ref()))
            // Deadlines count at use, and asking for the parent took time.
            .and_then(|caller| match caller.ended(self.inner.now()) {
                Some(reason) => Err(refuse(Refusal::new(reason))),
                None => Ok(caller),
            })
            .map_err(|refusal| self.tell(refusal.accepting(self.accepted), Some(child.caller().owner())))
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

/// How far an authentication came without waiting.
enum Glance<V> {
    Decided(Result<Caller, Refusal>),
    NeedsParent(PresentedCredential<V>, NeedsParent),
    Ask(PresentedCredential<V>),
}

impl Inner {
    #[inline(always)]
    fn now(&self) -> Timestamp {
        match &self.clock {
            TimeOfDay::System(clock) => clock.now(),
            TimeOfDay::Own(clock) => clock.now(),
        }
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

/// An [`Authenticator`] in the making; [`build`](Self::build) checks it.
///
/// ```
/// use keygate::{Authenticator, DigestKeys, HeaderPolicy, MemoryStore, Method, Namespace};
///
/// let gate = Authenticator::builder(MemoryStore::new(), DigestKeys::ephemeral()?)
///     .policy(HeaderPolicy::new().namespace(Namespace::parse("acme")?).realm("acme secrets")?)
///     .accept([Method::ServiceToken])
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder makes an authenticator when `build` is called"]
pub struct AuthenticatorBuilder {
    inner: Inner,
    accepted: Option<Methods>,
}

impl AuthenticatorBuilder {
    /// Only these methods: what is said here narrows what the policy accepts, and what was said before.
    pub fn accept<M: Into<Method>>(self, methods: impl IntoIterator<Item = M>) -> Self {
        let methods: Methods = methods.into_iter().collect();
        Self { accepted: Some(self.accepted.map_or(methods, |before| before.and(methods))), ..self }
    }

    /// Namespace, imported credentials, what becomes of two headers, the realm.
    pub fn policy(mut self, policy: HeaderPolicy) -> Self {
        self.inner.policy = policy;
        self
    }

    /// A clock of the host's own, instead of the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.inner.clock = TimeOfDay::Own(Box::new(clock));
        self
    }

    /// Who hears of refused authentications and of decisions.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.inner.observer = Some(Box::new(observer));
        self
    }

    /// Notes each success in this recorder, which keeps it in memory until it is flushed. Digests under older keys are
    /// upgraded through it as well, if it was told to.
    pub fn use_recorder(mut self, recorder: UseRecorder) -> Self {
        self.inner.recorder = Some(recorder);
        self
    }

    /// API keys reach the secrets endpoints too: see [`Moment::danger_api_keys_reach_secrets`].
    ///
    /// # Security
    ///
    /// As there: a leaked key then reaches all that its user reaches.
    pub fn danger_api_keys_reach_secrets(mut self) -> Self {
        self.inner.api_keys_reach_secrets = true;
        self
    }

    /// The authenticator.
    ///
    /// # Errors
    ///
    /// [`Invalid`], named `accept`, where no method is left, or where access tokens are asked for (this version does
    /// not verify them).
    pub fn build(self) -> Result<Authenticator, Invalid> {
        let mut inner = self.inner;
        let asked = self.accepted.unwrap_or(Methods::ALL.without(Method::AccessToken));
        if asked.contains(Method::AccessToken) {
            return Err(Invalid::new(
                "accept",
                "methods other than access tokens, which are not verified yet",
            ));
        }
        inner.accepted = inner.policy.narrowed(asked);
        if inner.accepted.is_empty() {
            return Err(Invalid::new("accept", "at least one method that the policy accepts too"));
        }
        Ok(Authenticator(Arc::new(inner)))
    }
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder").field("keys", &self.inner.keys).finish_non_exhaustive()
    }
}
