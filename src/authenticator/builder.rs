//! How an authenticator is configured, and what is checked then.

use std::fmt;
use std::sync::Arc;

use super::{Authenticator, Inner, TimeOfDay};
use crate::credential::Methods;
use crate::{AccessTokens, Clock, HeaderPolicy, Invalid, Method, Observer, UseRecorder};

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
    pub(super) inner: Inner,
    pub(super) accepted: Option<Methods>,
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

    /// Access tokens are taken as well, by these keys, of this issuer and for this audience.
    pub fn access_tokens(mut self, tokens: AccessTokens) -> Self {
        self.inner.access_tokens = Some(tokens);
        self
    }

    /// Access tokens hold without a look at the account that minted them: no lookup is asked for one.
    ///
    /// # Security
    ///
    /// Gives up that revoking, disabling, purging, ending, narrowing, limiting to networks or rotating an account reaches the access
    /// tokens that it minted: each holds until its own end, from everywhere, with all that it was minted with. It does not concern
    /// minted service tokens.
    ///
    /// ```
    /// use keygate::{AccessTokens, Authenticator, DigestKeys, MemoryStore, Method, SigningKeys};
    ///
    /// // A service without a store: it takes access tokens and nothing else, so its lookup is empty and its digest keys are nobody's.
    /// let tokens = AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "https://secrets.example")?;
    /// let gate = Authenticator::builder(MemoryStore::new(), DigestKeys::ephemeral()?)
    ///     .access_tokens(tokens)
    ///     .accept([Method::AccessToken])
    ///     .danger_access_tokens_without_parent()
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn danger_access_tokens_without_parent(mut self) -> Self {
        self.inner.tokens_without_parent = true;
        self
    }

    /// API keys reach the secrets endpoints too: see [`Moment::danger_api_keys_reach_secrets`](crate::Moment::danger_api_keys_reach_secrets).
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
    /// [`Invalid`], named `accept`, where no method is left, or where access tokens are asked for and none are configured; named
    /// `access_tokens` where they share a key with the digest keys, or are to be taken without their account and none are configured.
    pub fn build(self) -> Result<Authenticator, Invalid> {
        let mut inner = self.inner;
        let verified = match &inner.access_tokens {
            Some(tokens) => tokens.check_apart_from(&inner.keys).map(|()| Methods::ALL)?,
            None if inner.tokens_without_parent => {
                return Err(Invalid::new(
                    "access_tokens",
                    "those that are taken without a look at their account",
                ));
            }
            None => Methods::ALL.without(Method::AccessToken),
        };
        let asked = self.accepted.unwrap_or(verified);
        if asked.and(verified) != asked {
            return Err(Invalid::new("accept", "no access tokens where none are configured"));
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
