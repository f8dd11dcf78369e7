//! What an issue is told of a new credential, by kind.

use std::fmt;

use crate::{
    ApiKeyGrant, Expiry, Grant, Invalid, Lifetime, Network, Rights, Scope, ServiceAccountGrant,
    ServiceTokenGrant, Timestamp,
};

/// What all kinds have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    pub(super) name: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) created_by: Option<String>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) networks: Option<Vec<Network>>,
}

/// What is sealed for somebody else: of it, a log sees the length.
#[derive(Clone)]
struct Opaque(Box<[u8]>);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A new credential of any kind, its grant checked.
pub(super) struct Draft {
    pub(super) common: Common,
    pub(super) grant: Grant,
    pub(super) expiry: Expiry,
}

// Of whatever may be endless, one more is taken than is allowed: enough to refuse it.
macro_rules! common_options {
    () => {
        /// A name for people: 1–100 characters, no control characters.
        pub fn name(mut self, name: &str) -> Self {
            self.common.name = Some(name.to_owned());
            self
        }

        /// The host's own notes: at most 16, keys of 1–64 and values of at most 256 bytes, no control characters.
        pub fn metadata<'m>(mut self, metadata: impl IntoIterator<Item = (&'m str, &'m str)>) -> Self {
            self.common.metadata = metadata
                .into_iter()
                .take(17)
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            self
        }

        /// Who makes it: 1–64 bytes of 0x21–0x7E.
        pub fn created_by(mut self, creator: &str) -> Self {
            self.common.created_by = Some(creator.to_owned());
            self
        }

        /// The first second at which it is valid. Its lifetime counts from then.
        pub fn not_before(mut self, time: Timestamp) -> Self {
            self.common.not_before = Some(time);
            self
        }

        /// From where it may be used: 1 to 64 networks. An empty list is an error, and not *everywhere*.
        pub fn networks(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
            self.common.networks = Some(networks.into_iter().take(65).collect());
            self
        }
    };
}

/// A new API key: whose, and until when. What is wrong with it, the issue says.
///
/// ```
/// use keygate::{Expiry, Lifetime, NewApiKey};
///
/// let new = NewApiKey::new("u-17", Lifetime::days(90)).name("laptop").created_by("u-17");
/// let endless = NewApiKey::new("u-17", Expiry::Never); // has to be said
/// # let _ = (new, endless);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a new credential is made when it is issued"]
pub struct NewApiKey {
    common: Common,
    user: String,
    expiry: Expiry,
}

impl NewApiKey {
    /// To act as this user: 1–64 bytes of 0x21–0x7E.
    pub fn new(user: &str, expiry: impl Into<Expiry>) -> Self {
        Self { common: Common::default(), user: user.to_owned(), expiry: expiry.into() }
    }

    common_options!();

    pub(super) fn draft(self) -> Result<Draft, Invalid> {
        Ok(Draft { common: self.common, grant: ApiKeyGrant::new(&self.user)?.into(), expiry: self.expiry })
    }
}

/// A new service account: in which organization, until when, with which scopes. What is wrong with it, the issue says.
///
/// ```
/// use keygate::{Expiry, NewServiceAccount};
///
/// let new = NewServiceAccount::new("acme", Expiry::Never)
///     .scope("read@/".parse()?)
///     .scope("*@web/prod:/**".parse()?)
///     .public_key([7; 32])
///     .name("deployer");
/// # let _ = new;
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a new credential is made when it is issued"]
pub struct NewServiceAccount {
    common: Common,
    organization: String,
    expiry: Expiry,
    scopes: Vec<Scope>,
    public_key: Option<[u8; 32]>,
    sealed_keys: Vec<(String, Opaque)>,
}

impl NewServiceAccount {
    /// A machine of this organization: 1–64 of `A-Z a-z 0-9 - _`. Without a scope it may do nothing yet.
    pub fn new(organization: &str, expiry: impl Into<Expiry>) -> Self {
        Self {
            common: Common::default(),
            organization: organization.to_owned(),
            expiry: expiry.into(),
            scopes: Vec::new(),
            public_key: None,
            sealed_keys: Vec::new(),
        }
    }

    /// One more scope, of any level.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// More scopes, of any level; at most 256 in all.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes.into_iter().take(257));
        self
    }

    /// The machine's public key: 32 bytes (X25519, RFC 7748). Its private key stays with it.
    pub fn public_key(mut self, key: [u8; 32]) -> Self {
        self.public_key = Some(key);
        self
    }

    /// The key of a project, sealed to the public key: opaque, 1–1,024 bytes, at most 256 of them.
    pub fn sealed_key(mut self, project: &str, sealed: impl Into<Box<[u8]>>) -> Self {
        self.sealed_keys.push((project.to_owned(), Opaque(sealed.into())));
        self
    }

    common_options!();

    pub(super) fn draft(self) -> Result<Draft, Invalid> {
        let mut grant = ServiceAccountGrant::new(Rights::new(&self.organization, self.scopes)?);
        if let Some(key) = self.public_key {
            grant = grant.with_public_key(key);
        }
        for (project, Opaque(sealed)) in self.sealed_keys {
            grant = grant.with_sealed_key(&project, sealed)?;
        }
        Ok(Draft { common: self.common, grant: grant.into(), expiry: self.expiry })
    }
}

/// A new service token: of which project, for how long, with which scopes. What is wrong with it, the issue says.
///
/// ```
/// use keygate::{Lifetime, NewServiceToken};
///
/// let new = NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope("read@web/prod:/app/**".parse()?);
/// # let _ = new;
/// # Ok::<(), keygate::Invalid>(())
/// ```
///
/// One without end cannot be written:
///
/// ```compile_fail
/// let endless = keygate::NewServiceToken::new("acme", "web", keygate::Expiry::Never);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a new credential is made when it is issued"]
pub struct NewServiceToken {
    common: Common,
    organization: String,
    project: String,
    lifetime: Lifetime,
    scopes: Vec<Scope>,
    client_box: Option<Opaque>,
}

impl NewServiceToken {
    /// For the secrets of this project of this organization: each 1–64 of `A-Z a-z 0-9 - _`. It always ends.
    pub fn new(organization: &str, project: &str, lifetime: Lifetime) -> Self {
        Self {
            common: Common::default(),
            organization: organization.to_owned(),
            project: project.to_owned(),
            lifetime,
            scopes: Vec::new(),
            client_box: None,
        }
    }

    /// One more scope, on secrets of the project. A token without one is not issued: it could do nothing.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// More scopes, on secrets of the project; at most 256 in all.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes.into_iter().take(257));
        self
    }

    /// What the token's client needs and only it can open: opaque, 1–4,096 bytes.
    pub fn client_box(mut self, sealed: impl Into<Box<[u8]>>) -> Self {
        self.client_box = Some(Opaque(sealed.into()));
        self
    }

    common_options!();

    pub(super) fn draft(self) -> Result<Draft, Invalid> {
        check_not_empty(&self.scopes)?;
        let rights = Rights::new(&self.organization, self.scopes)?;
        let mut grant = ServiceTokenGrant::new(&self.project, rights)?;
        if let Some(Opaque(sealed)) = self.client_box {
            grant = grant.with_client_box(sealed)?;
        }
        Ok(Draft { common: self.common, grant: grant.into(), expiry: self.lifetime.into() })
    }
}

/// A service token without a scope could do nothing, so it is a mistake of whoever asks for it.
pub(super) fn check_not_empty(scopes: &[Scope]) -> Result<(), Invalid> {
    if scopes.is_empty() {
        Err(Invalid::new("scope", "at least one scope, in a service token"))
    } else {
        Ok(())
    }
}
