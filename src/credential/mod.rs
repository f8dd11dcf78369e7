//! Credentials as texts: what kinds there are, how they are named, written and read.

mod checksum;
mod id;
mod layout;
mod secret;
mod text;

pub(crate) use checksum::{GUARDED_LENGTH, letter_of, slot_of};
pub use id::{CredentialId, CredentialKey};
pub use layout::{Flaw, Namespace};
pub(crate) use layout::{Layout, Prefix, Shape, prefix};
pub use secret::Secret;
pub use text::{CredentialText, TextError};
pub(crate) use text::{assemble, assemble_hex, assemble_imported, hex};

use std::fmt;

/// Which of the three kinds a credential is: what has a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a kind needs no `_` arm")]
pub enum Kind {
    /// `ak`: acts as the user it belongs to; sent in `X-API-KEY`.
    ApiKey,
    /// `sa`: a machine of an organization; sent as `Bearer`.
    ServiceAccount,
    /// `st`: the secrets of one project; sent as `Bearer`.
    ServiceToken,
}

impl Kind {
    /// All three, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::ServiceAccount, Self::ServiceToken];

    /// `ak`, `sa` or `st`: how a credential's text begins and how a record names its kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "ak",
            Self::ServiceAccount => "sa",
            Self::ServiceToken => "st",
        }
    }

    /// The kind of this name, if there is one. Case matters.
    ///
    /// ```
    /// use keygate::Kind;
    ///
    /// assert_eq!(Kind::from_name("sa"), Some(Kind::ServiceAccount));
    /// assert_eq!(Kind::from_name("SA"), None);
    /// ```
    #[must_use]
    pub const fn from_name(name: &str) -> Option<Self> {
        Self::from_bytes(name.as_bytes())
    }

    pub(crate) const fn from_bytes(name: &[u8]) -> Option<Self> {
        match name {
            b"ak" => Some(Self::ApiKey),
            b"sa" => Some(Self::ServiceAccount),
            b"st" => Some(Self::ServiceToken),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    /// In words, for people: `API key`, `service account`, `service token`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Method::from(*self).fmt(f)
    }
}

/// By what a request authenticates: one of the three kinds, or a minted access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a method needs no `_` arm")]
pub enum Method {
    /// `X-API-KEY: ak.…`
    ApiKey,
    /// `Authorization: Bearer sa.…`
    ServiceAccount,
    /// `Authorization: Bearer st.…`
    ServiceToken,
    /// `Authorization: Bearer eyJ…`
    AccessToken,
}

impl Method {
    /// All four, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::ApiKey, Self::ServiceAccount, Self::ServiceToken, Self::AccessToken];
}

impl From<Kind> for Method {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ApiKey => Self::ApiKey,
            Kind::ServiceAccount => Self::ServiceAccount,
            Kind::ServiceToken => Self::ServiceToken,
        }
    }
}

impl fmt::Display for Method {
    /// In words, for people: `API key`, `service account`, `service token`, `access token`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ApiKey => "API key",
            Self::ServiceAccount => "service account",
            Self::ServiceToken => "service token",
            Self::AccessToken => "access token",
        })
    }
}

/// A set of methods: which ones a policy accepts. One byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Methods(u8);

impl Methods {
    pub(crate) const ALL: Self = Self(0b1111);
    pub(crate) const NONE: Self = Self(0);

    const fn bit(method: Method) -> u8 {
        match method {
            Method::ApiKey => 1,
            Method::ServiceAccount => 2,
            Method::ServiceToken => 4,
            Method::AccessToken => 8,
        }
    }

    pub(crate) const fn contains(self, method: Method) -> bool {
        self.0 & Self::bit(method) != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn without(self, method: Method) -> Self {
        Self(self.0 & !Self::bit(method))
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<M: Into<Method>> FromIterator<M> for Methods {
    fn from_iter<I: IntoIterator<Item = M>>(methods: I) -> Self {
        Self(methods.into_iter().fold(0, |bits, method| bits | Self::bit(method.into())))
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Method::ALL.iter().filter(|method| self.contains(**method))).finish()
    }
}
