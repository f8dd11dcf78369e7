//! What a service account is granted.

use std::fmt;

use super::Grant;
use crate::{Invalid, ProjectId, Rights};

/// A service account: rights in an organization, a public key, and project keys sealed to it.
///
/// Its private key stays with the machine; keygate stores neither it nor what it would open.
///
/// ```
/// use keygate::{Rights, ServiceAccountGrant};
///
/// let rights = Rights::new("acme", ["read@/".parse()?, "*@web/prod:/**".parse()?])?;
/// let grant = ServiceAccountGrant::new(rights).with_public_key([7; 32]).with_sealed_key("web", vec![1, 2, 3])?;
/// assert_eq!(grant.sealed_key("web"), Some(&[1, 2, 3][..]));
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone)]
pub struct ServiceAccountGrant {
    rights: Rights,
    mint_generation: u64,
    keys: Box<Keys>,
}

/// What keygate carries for the account and never looks at.
#[derive(Clone, Default)]
struct Keys {
    public: Option<[u8; 32]>,
    sealed: Vec<(ProjectId, Box<[u8]>)>,
}

impl ServiceAccountGrant {
    /// These rights, and nothing else yet.
    #[must_use]
    pub fn new(rights: Rights) -> Self {
        Self { rights, mint_generation: 0, keys: Box::default() }
    }

    /// Other rights.
    #[must_use]
    pub fn with_rights(self, rights: Rights) -> Self {
        Self { rights, ..self }
    }

    /// The account's public key: 32 bytes (X25519, RFC 7748).
    #[must_use]
    pub fn with_public_key(mut self, key: [u8; 32]) -> Self {
        self.keys.public = Some(key);
        self
    }

    /// The key of a project, sealed to the account's public key: opaque, at most 1,024 bytes.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the project's id is irregular or given before, the box is empty or longer, or there are
    /// more than 256.
    pub fn with_sealed_key(mut self, project: &str, sealed: impl Into<Box<[u8]>>) -> Result<Self, Invalid> {
        let (project, sealed) = (ProjectId::parse(project)?, sealed.into());
        if !(1..=1_024).contains(&sealed.len()) {
            return Err(Invalid::new("sealed key", "1 to 1024 bytes"));
        }
        if self.keys.sealed.iter().any(|(known, _)| *known == project) {
            return Err(Invalid::new("sealed key", "one a project"));
        }
        if self.keys.sealed.len() >= 256 {
            return Err(Invalid::new("sealed keys", "at most 256"));
        }
        self.keys.sealed.push((project, sealed));
        Ok(self)
    }

    /// Without the sealed key of this project, if there was one: to replace it, or to take it away.
    #[must_use]
    pub fn without_sealed_key(mut self, project: &str) -> Self {
        self.keys.sealed.retain(|(known, _)| known.as_str() != project);
        self
    }

    /// The counter that a rotation after a leak raises: what was minted under another value is denied.
    #[must_use]
    pub fn with_mint_generation(self, generation: u64) -> Self {
        Self { mint_generation: generation, ..self }
    }

    /// What the account may do.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// The account's public key, if it has one.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8; 32]> {
        self.keys.public.as_ref()
    }

    /// The sealed key of a project.
    #[must_use]
    pub fn sealed_key(&self, project: &str) -> Option<&[u8]> {
        self.keys.sealed.iter().find(|(known, _)| known.as_str() == project).map(|(_, sealed)| &**sealed)
    }

    /// The sealed keys, by project.
    pub fn sealed_keys(&self) -> impl Iterator<Item = (&ProjectId, &[u8])> {
        self.keys.sealed.iter().map(|(project, sealed)| (project, &**sealed))
    }

    /// The mint generation of now.
    #[must_use]
    pub const fn mint_generation(&self) -> u64 {
        self.mint_generation
    }
}

impl fmt::Debug for ServiceAccountGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccountGrant")
            .field("rights", &self.rights)
            .field("mint_generation", &self.mint_generation)
            .field("sealed_keys", &self.keys.sealed.len())
            .finish_non_exhaustive()
    }
}

impl From<ServiceAccountGrant> for Grant {
    fn from(grant: ServiceAccountGrant) -> Self {
        Self::ServiceAccount(grant)
    }
}
