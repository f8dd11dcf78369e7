//! What a request wants to reach.

use std::fmt;

use super::{Action, SecretPath};
use crate::Refusal;
use crate::owner::{check_id, is_id};

/// What a request wants to reach.
///
/// It borrows its parts, and costs no allocation. Project, environment and path are what the request names; the
/// organization is the one that **owns** the project, as the host's own data says.
///
/// # Security
///
/// Never take the organization from the caller: it is what keeps tenants apart.
///
/// ```
/// use keygate::{Refusal, RefusalClass, Resource};
///
/// let resource = Resource::secrets("acme", "web", "prod", "/app/db")?;
/// assert_eq!(resource.to_string(), "secrets web/prod:/app/db of acme");
///
/// let irregular = Resource::secrets("acme", "web", "prod", "/app/../db").unwrap_err();
/// assert_eq!(irregular.class(), RefusalClass::BadRequest);
/// # Ok::<(), Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource<'a>(Target<'a>);

/// The parts of a resource, each of them checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target<'a> {
    User,
    OwnCredential,
    Organization { organization: &'a str },
    Project { organization: &'a str, project: &'a str },
    Secrets { organization: &'a str, project: &'a str, environment: &'a str, path: SecretPath<'a> },
}

impl<'a> Resource<'a> {
    /// The secrets in a folder of a project's environment. The name of an entry in the folder is no part of it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: a bad request where the project or environment is not 1–64 of `A-Z a-z 0-9 - _` or the path is
    /// not a [`SecretPath`]; undecided where the organization is not an id, because the host's own data said it.
    #[inline(always)]
    pub fn secrets(
        organization: &'a str,
        project: &'a str,
        environment: &'a str,
        path: &'a str,
    ) -> Result<Self, Refusal> {
        let path = match SecretPath::plain(path) {
            Some(path) if is_id(project) && is_id(environment) && is_id(organization) => path,
            _ => check_secrets(organization, project, environment, path)?,
        };
        Ok(Self(Target::Secrets { organization, project, environment, path }))
    }

    /// The endpoints of a project.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]: a bad request where the project is not 1–64 of `A-Z a-z 0-9 - _`; undecided where the
    /// organization is not.
    pub fn project(organization: &'a str, project: &'a str) -> Result<Self, Refusal> {
        check_id("project", project).map_err(Refusal::irregular_resource)?;
        check_organization(organization)?;
        Ok(Self(Target::Project { organization, project }))
    }

    /// The endpoints of an organization.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], undecided, where the organization is not 1–64 of `A-Z a-z 0-9 - _`.
    pub fn organization(organization: &'a str) -> Result<Self, Refusal> {
        check_organization(organization)?;
        Ok(Self(Target::Organization { organization }))
    }

    /// The endpoints of a user's own account. No scope reaches them.
    #[must_use]
    pub const fn user() -> Self {
        Self(Target::User)
    }

    /// The credential that the request carries: to read its public view, and to revoke it (which is `delete`).
    #[must_use]
    pub const fn own_credential() -> Self {
        Self(Target::OwnCredential)
    }

    #[inline]
    pub(crate) const fn target(&self) -> &Target<'a> {
        &self.0
    }

    /// The access that a scope would have to give, as the narrowest scope that does.
    pub(crate) fn needed(&self, action: Action) -> Option<String> {
        match self.0 {
            Target::User | Target::OwnCredential => None,
            Target::Organization { .. } => Some(format!("{action}@/")),
            Target::Project { project, .. } => Some(format!("{action}@{project}/")),
            Target::Secrets { project, environment, path, .. } => {
                Some(format!("{action}@{project}/{environment}:{path}"))
            }
        }
    }
}

impl Target<'_> {
    #[inline]
    pub(crate) const fn organization(&self) -> Option<&str> {
        match self {
            Self::User | Self::OwnCredential => None,
            Self::Organization { organization }
            | Self::Project { organization, .. }
            | Self::Secrets { organization, .. } => Some(organization),
        }
    }
}

/// The parts of secrets one by one: what is wrong with the first that is irregular.
#[cold]
#[inline(never)]
fn check_secrets<'a>(
    organization: &str,
    project: &str,
    environment: &str,
    path: &'a str,
) -> Result<SecretPath<'a>, Refusal> {
    let path = check_id("project", project)
        .and_then(|()| check_id("environment", environment))
        .and_then(|()| SecretPath::parse(path))
        .map_err(Refusal::irregular_resource)?;
    check_organization(organization)?;
    Ok(path)
}

fn check_organization(organization: &str) -> Result<(), Refusal> {
    check_id("organization", organization).map_err(Refusal::irregular_organization)
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::User => f.write_str("the user's own account"),
            Target::OwnCredential => f.write_str("its own credential"),
            Target::Organization { organization } => write!(f, "organization {organization}"),
            Target::Project { organization, project } => write!(f, "project {project} of {organization}"),
            Target::Secrets { organization, project, environment, path } => {
                write!(f, "secrets {project}/{environment}:{path} of {organization}")
            }
        }
    }
}
