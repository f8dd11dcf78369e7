//! Rights: the scopes of a credential and the organization at which they end.

use std::fmt;

use thiserror::Error;

use super::containment::Budget;
use super::path::same;
use super::{Action, Containment, Resource, Scope, Target, View};
use crate::{Invalid, OrganizationId};

/// The most scopes of one credential.
const MOST_SCOPES: usize = 256;

/// What a credential may do: scopes, and the organization at which they end.
///
/// Scopes add up, and there are no deny rules. At most 256 of them.
///
/// # Security
///
/// `*` for projects means every project of *this* organization. That is why both are one value: neither a decision nor
/// a comparison of rights can leave the organization out.
///
/// ```
/// use keygate::{Action, Resource, Rights, Scope};
///
/// let rights = Rights::new("acme", [Scope::parse("read@*/prod:/app/**")?])?;
/// # let resource = |organization, path| Resource::secrets(organization, "web", "prod", path).unwrap();
/// assert!(rights.permit(Action::Read, &resource("acme", "/app/db")).is_ok());
/// assert!(rights.permit(Action::Read, &resource("other", "/app/db")).is_err());
/// assert!(rights.permit(Action::Update, &resource("acme", "/app/db")).is_err());
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    organization: OrganizationId,
    scopes: Box<[Scope]>,
}

impl Rights {
    /// These scopes in this organization.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the organization is not 1–64 of `A-Z a-z 0-9 - _`, or where there are more than 256 scopes.
    pub fn new(organization: &str, scopes: impl IntoIterator<Item = Scope>) -> Result<Self, Invalid> {
        let organization = OrganizationId::parse(organization)?;
        let scopes: Box<[Scope]> = scopes.into_iter().take(MOST_SCOPES.saturating_add(1)).collect();
        if scopes.len() > MOST_SCOPES {
            return Err(Invalid::new("scopes", "at most 256 scopes"));
        }
        Ok(Self { organization, scopes })
    }

    /// The organization that no scope leaves.
    #[must_use]
    pub const fn organization(&self) -> &OrganizationId {
        &self.organization
    }

    /// The scopes, in the order in which they were given.
    #[must_use]
    pub const fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The text of the first scope that permits the action on the resource.
    ///
    /// ```
    /// use keygate::{Action, Part, Resource, Rights, Scope};
    ///
    /// let scopes = ["read@web/", "read@web/prod:/app/**"].map(|scope| Scope::parse(scope).unwrap());
    /// let rights = Rights::new("acme", scopes)?;
    /// # let db = Resource::secrets("acme", "web", "prod", "/db").unwrap();
    /// let denied = rights.permit(Action::Read, &db).unwrap_err();
    /// assert_eq!(denied.to_string(), "the nearest scope, read@web/prod:/app/**, has another path");
    /// assert_eq!(denied.part(), Part::Path);
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotPermitted`], which names the scope that came nearest. No scope reaches [`Resource::user`] or
    /// [`Resource::own_credential`].
    #[inline]
    pub fn permit(&self, action: Action, resource: &Resource<'_>) -> Result<&str, NotPermitted<'_>> {
        permit(self.organization.as_bytes(), self.views(), action, resource.target())
    }

    #[inline(always)]
    fn views(&self) -> impl Iterator<Item = View<'_>> + Clone {
        self.scopes.iter().map(Scope::view)
    }

    /// Whether everything that `narrower` permits, these permit as well: the one relation of all that is granted. Minting asks it of
    /// an account; a host that lets its users create credentials asks it of what the creator holds.
    ///
    /// For each of its scopes and each action of that scope, one scope of these must cover it: have the action, be at
    /// the same level, cover project and environment, and [contain](super::Pattern::contains) the pattern. Rights without scopes
    /// are covered by any.
    ///
    /// ```
    /// use keygate::{Rights, Scope};
    ///
    /// let rights = |scope| Rights::new("acme", [Scope::parse(scope)?]);
    /// let account = rights("create,read@web/prod:/app/**")?;
    /// assert!(account.covers(&rights("read@web/prod:/app/db")?).is_ok());
    ///
    /// let error = account.covers(&rights("read,delete@web/prod:/app/db")?).unwrap_err();
    /// assert_eq!(error.lacking(), "delete@web/prod:/app/db");
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TooWide`], which names the first scope of `narrower`, and its first action, that no scope covers.
    pub fn covers(&self, narrower: &Self) -> Result<(), TooWide> {
        let mut budget = Budget::of_a_set();
        for (index, scope) in narrower.scopes.iter().enumerate() {
            if self.organization != narrower.organization {
                return Err(TooWide::new(
                    index,
                    scope,
                    scope.actions().iter().next(),
                    Cause::OtherOrganization,
                ));
            }
            let mut uncovered = scope.actions();
            let mut undecided = None;
            for own in self.scopes.iter().filter(|own| own.actions().meets(scope.actions())) {
                if !own.actions().meets(uncovered) {
                    continue;
                }
                match own.view().target_contains(scope.view(), &mut budget) {
                    Containment::Contained => uncovered = uncovered.without(own.actions()),
                    Containment::TooComplex => undecided = Some(own.actions()),
                    Containment::NotContained => {}
                }
            }
            if let Some(action) = uncovered.iter().next() {
                let cause = match undecided {
                    Some(actions) if actions.contains(action) => Cause::TooComplex,
                    _ => Cause::NotHeld,
                };
                return Err(TooWide::new(index, scope, Some(action), cause));
            }
        }
        Ok(())
    }
}

/// The text of the first of these scopes that permits the action on the target, where they end at this organization.
#[inline(always)]
pub(crate) fn permit<'a>(
    organization: &[u8],
    scopes: impl Iterator<Item = View<'a>> + Clone,
    action: Action,
    target: &Target<'_>,
) -> Result<&'a str, NotPermitted<'a>> {
    let own = target.organization().is_some_and(|wanted| same(wanted.as_bytes(), organization));
    if own && let Some(scope) = scopes.clone().find(|scope| scope.failing(action, target).is_none()) {
        return Ok(scope.as_str());
    }
    Err(nearest(own, scopes, action, target))
}

/// The scope whose first failing part comes latest; among equals the first.
#[cold]
fn nearest<'a>(
    own: bool,
    scopes: impl Iterator<Item = View<'a>>,
    action: Action,
    target: &Target<'_>,
) -> NotPermitted<'a> {
    let mut denied = NotPermitted { nearest: None, part: Part::Level };
    for scope in scopes {
        let part = match scope.failing(action, target) {
            Some(Part::Level) => Part::Level,
            _ if !own => Part::Organization,
            Some(part) => part,
            None => continue,
        };
        if denied.nearest.is_none() || part > denied.part {
            denied = NotPermitted { nearest: Some(scope.as_str()), part };
        }
    }
    denied
}

/// Why no scope permitted an access: the scope that came nearest, and its first part that did not fit.
///
/// For the host's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPermitted<'a> {
    nearest: Option<&'a str>,
    part: Part,
}

impl<'a> NotPermitted<'a> {
    /// There are no scopes.
    pub(crate) const NO_SCOPES: Self = Self::never(Part::Level);

    /// For this part, whatever the scopes.
    #[inline(always)]
    pub(crate) const fn never(part: Part) -> Self {
        Self { nearest: None, part }
    }

    /// The text of the scope whose first failing part comes latest in the order of [`Part`]; `None` where there is no scope.
    #[must_use]
    pub const fn nearest(self) -> Option<&'a str> {
        self.nearest
    }

    /// The first part of that scope that does not fit.
    #[must_use]
    pub const fn part(self) -> Part {
        self.part
    }
}

impl fmt::Display for NotPermitted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nearest {
            None => f.write_str("there are no scopes"),
            Some(scope) if self.part == Part::Action => {
                write!(f, "the nearest scope, {scope}, lacks the action")
            }
            Some(scope) => write!(f, "the nearest scope, {scope}, has another {}", self.part),
        }
    }
}

/// The parts of a scope, in the order in which they are compared with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Organization, project or secrets.
    Level,
    /// The credential's organization.
    Organization,
    /// The project.
    Project,
    /// The environment.
    Environment,
    /// The path of the folder.
    Path,
    /// The action.
    Action,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => "level",
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Path => "path",
            Self::Action => "action",
        })
    }
}

/// Rights that somebody wants to give are wider than those of whom they come from.
///
/// ```
/// use keygate::{Rights, Scope};
///
/// let account = Rights::new("acme", [Scope::parse("*@web/prod:/app/*")?])?;
/// let wanted = Rights::new("acme", [Scope::parse("read@web/prod:/app/**")?])?;
/// assert_eq!(
///     account.covers(&wanted).unwrap_err().to_string(),
///     "scope 0 is too wide: read@web/prod:/app/** is not held",
/// );
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("scope {rule} is too wide: {lacking} {cause}")]
pub struct TooWide {
    rule: usize,
    scope: Box<str>,
    action: Action,
    lacking: Box<str>,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    NotHeld,
    OtherOrganization,
    TooComplex,
}

impl TooWide {
    /// A scope has an action; were there none, it would be refused all the same.
    fn new(rule: usize, scope: &Scope, action: Option<Action>, cause: Cause) -> Self {
        let action = action.unwrap_or(Action::Create);
        let target = scope.as_str().split_once('@').map_or("", |(_, target)| target);
        Self {
            rule,
            scope: scope.as_str().into(),
            action,
            lacking: format!("{action}@{target}").into(),
            cause,
        }
    }

    /// Which scope is too wide: its index, from 0.
    #[must_use]
    pub const fn rule(&self) -> usize {
        self.rule
    }

    /// The text of that scope.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Its first action that is too wide.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The access that the grantor lacks, as the text of a scope: `delete@web/prod:/app/**`.
    #[must_use]
    pub fn lacking(&self) -> &str {
        &self.lacking
    }

    /// Whether the grantor's rights are another organization's.
    #[must_use]
    pub fn is_other_organization(&self) -> bool {
        self.cause == Cause::OtherOrganization
    }

    /// Whether it was not decided within the budget of work, and is refused for that: *too complex*.
    #[must_use]
    pub fn is_too_complex(&self) -> bool {
        self.cause == Cause::TooComplex
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHeld => "is not held",
            Self::OtherOrganization => "is of another organization",
            Self::TooComplex => "is too complex to compare with what is held",
        })
    }
}
