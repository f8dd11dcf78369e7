//! What a service token is granted.

use std::fmt;

use super::Grant;
use crate::{Invalid, Level, ProjectId, Rights};

/// A service token: rights on the secrets of one project, and a box that only its client can open.
///
/// ```
/// use keygate::{Rights, ServiceTokenGrant};
///
/// let rights = Rights::new("acme", ["read@web/prod:/app/**".parse()?])?;
/// let grant = ServiceTokenGrant::new("web", rights)?;
/// assert_eq!(grant.project().as_str(), "web");
///
/// let elsewhere = Rights::new("acme", ["read@billing/prod:/**".parse()?])?;
/// assert!(ServiceTokenGrant::new("web", elsewhere).is_err(), "a scope of another project");
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone)]
pub struct ServiceTokenGrant {
    project: ProjectId,
    rights: Rights,
    client_box: Option<Box<[u8]>>,
}

impl ServiceTokenGrant {
    /// These rights, all of them on secrets of this project.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the project's id is irregular, or a scope is of another level, of another project or of
    /// every project (`*`).
    pub fn new(project: &str, rights: Rights) -> Result<Self, Invalid> {
        let project = ProjectId::parse(project)?;
        check_scopes(&project, &rights)?;
        Ok(Self { project, rights, client_box: None })
    }

    /// Other rights on the same project.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), for a scope.
    pub fn with_rights(self, rights: Rights) -> Result<Self, Invalid> {
        check_scopes(&self.project, &rights)?;
        Ok(Self { rights, ..self })
    }

    /// What the token's client needs and only it can open: opaque, at most 4,096 bytes.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the box is empty or longer.
    pub fn with_client_box(self, sealed: impl Into<Box<[u8]>>) -> Result<Self, Invalid> {
        let sealed = sealed.into();
        if !(1..=4_096).contains(&sealed.len()) {
            return Err(Invalid::new("client box", "1 to 4096 bytes"));
        }
        Ok(Self { client_box: Some(sealed), ..self })
    }

    /// The one project.
    #[must_use]
    pub const fn project(&self) -> &ProjectId {
        &self.project
    }

    /// What the token may do.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// The box for its client, if it has one.
    #[must_use]
    pub fn client_box(&self) -> Option<&[u8]> {
        self.client_box.as_deref()
    }
}

fn check_scopes(project: &ProjectId, rights: &Rights) -> Result<(), Invalid> {
    for scope in rights.scopes() {
        if scope.level() != Level::Secrets {
            return Err(Invalid::new("scope", "scopes on secrets only, in a service token"));
        }
        if scope.project_name() != Some(project.as_str()) {
            return Err(Invalid::new("scope", "scopes of the service token's own project"));
        }
    }
    Ok(())
}

impl fmt::Debug for ServiceTokenGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceTokenGrant")
            .field("project", &self.project)
            .field("rights", &self.rights)
            .field("client_box", &self.client_box.as_ref().map(|sealed| sealed.len()))
            .finish_non_exhaustive()
    }
}

impl From<ServiceTokenGrant> for Grant {
    fn from(grant: ServiceTokenGrant) -> Self {
        Self::ServiceToken(grant)
    }
}
