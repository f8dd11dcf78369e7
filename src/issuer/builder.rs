//! How an issuer is configured, and what is checked then.

use std::fmt;
use std::sync::Arc;

use super::{Inner, Issuer, Policy};
use crate::{AccessTokens, Clock, Invalid, Kind, Lifetime, Namespace, RandomSource};

/// An [`Issuer`] in the making; [`build`](Self::build) checks it.
///
/// ```
/// use keygate::{DigestKeys, Issuer, Kind, Lifetime, MemoryStore, Namespace};
///
/// let issuer = Issuer::builder(MemoryStore::new(), DigestKeys::ephemeral()?)
///     .namespace(Namespace::parse("acme")?)
///     .max_lifetime(Kind::ApiKey, Lifetime::days(365))
///     .cap(Kind::ApiKey, 10)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder makes an issuer when `build` is called"]
pub struct IssuerBuilder {
    pub(super) inner: Inner,
}

impl IssuerBuilder {
    /// Issued texts begin with this label: see [`HeaderPolicy::namespace`](crate::HeaderPolicy::namespace).
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.inner.namespace = Some(namespace);
        self
    }

    /// Credentials of these kinds are issued in the hex text style, `kind.<24 hex>.<32 hex>`, for clients that accept
    /// nothing else.
    ///
    /// They have 128 random bits, no guard, no checksum and no namespace. An authenticator takes them only where
    /// [imported](crate::HeaderPolicy::imported) credentials of their kind are allowed.
    pub fn hex(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.inner.hex = kinds.into_iter().collect();
        self
    }

    /// The longest lifetime of a kind; asking for more is an error. For API keys and accounts there is none unless it is
    /// set, and then they may not be without end either; for service tokens it is 30 days.
    pub const fn max_lifetime(mut self, kind: Kind, lifetime: Lifetime) -> Self {
        self.policy(kind).max_lifetime = Some(lifetime);
        self
    }

    /// How many live credentials of a kind one owner may have: any number, unless it is set.
    ///
    /// It is soft: calls that issue at the same moment may exceed it by their number.
    pub const fn cap(mut self, kind: Kind, live: u64) -> Self {
        self.policy(kind).cap = Some(live);
        self
    }

    /// The issuer [mints](Issuer::mint) access tokens, with the first of these keys, for this audience.
    pub fn access_tokens(mut self, tokens: AccessTokens) -> Self {
        self.inner.access_tokens = Some(tokens);
        self
    }

    /// A clock of the host's own, instead of the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.inner.clock = Box::new(clock);
        self
    }

    /// A random source of the host's own, instead of the operating system's. See [`RandomSource`] for what hangs on it.
    pub fn random(mut self, random: impl RandomSource + 'static) -> Self {
        self.inner.random = Box::new(random);
        self
    }

    /// The issuer.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where a maximum lifetime or a cap is zero: nothing could be issued; named `access_tokens` where they share a
    /// key with the digest keys.
    pub fn build(self) -> Result<Issuer, Invalid> {
        for policy in self.inner.policies {
            if policy.max_lifetime.is_some_and(|lifetime| lifetime.as_seconds() == 0) {
                return Err(Invalid::new("max_lifetime", "at least one second"));
            }
            if policy.cap == Some(0) {
                return Err(Invalid::new("cap", "at least one"));
            }
        }
        if let Some(tokens) = &self.inner.access_tokens {
            tokens.check_apart_from(&self.inner.keys)?;
        }
        Ok(Issuer(Arc::new(self.inner)))
    }

    const fn policy(&mut self, kind: Kind) -> &mut Policy {
        let [api_keys, accounts, tokens] = &mut self.inner.policies;
        match kind {
            Kind::ApiKey => api_keys,
            Kind::ServiceAccount => accounts,
            Kind::ServiceToken => tokens,
        }
    }
}

impl fmt::Debug for IssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerBuilder").field("keys", &self.inner.keys).finish_non_exhaustive()
    }
}
