//! Headers in, caller or refusal out: the read side of keygate, driven by a host's lookup.

mod builder;
mod gate;

pub use builder::AuthenticatorBuilder;
pub use gate::Gate;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use crate::credential::Methods;
use crate::header::HeaderLine;
use crate::{
    AccessTokens, Action, Caller, Clock, Decision, DigestKeys, HeaderPolicy, Lookup, Method, Observer,
    Refusal, Resource, SystemClock, Timestamp, UseRecorder,
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
/// Where the lookup answers at once ([`Lookup::peek`]), authenticating and deciding wait for nothing, and allocate nothing for a
/// credential, twice for an access token. Else there is one `find` for the credential, after its guard has held, and one for the
/// account that minted it, if one did; for an access token the latter alone, after its signature has held.
///
/// # Cancellation
///
/// A future that is dropped leaves nothing behind: nothing is locked between two polls, and nothing was written. What the
/// lookup has in memory is decided at the call, so the observer and the recorder have heard of it, awaited or not.
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
    access_tokens: Option<AccessTokens>,
    tokens_without_parent: bool,
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
                access_tokens: None,
                tokens_without_parent: false,
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
        Gate::new(&self.0)
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

impl Inner {
    #[inline(always)]
    fn now(&self) -> Timestamp {
        match &self.clock {
            TimeOfDay::System(clock) => clock.now(),
            TimeOfDay::Own(clock) => clock.now(),
        }
    }
}
