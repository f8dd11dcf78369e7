//! Scopes: which actions on which targets a credential permits.

mod action;
mod containment;
mod path;
mod resource;
mod rights;
mod text;
mod view;

pub use action::{Action, Actions};
pub use containment::Containment;
pub use path::{Pattern, SecretPath};
pub use resource::Resource;
pub(crate) use resource::Target;
pub(crate) use rights::permit;
pub use rights::{NotPermitted, Part, Rights, TooWide};
pub(crate) use view::View;

use std::fmt;
use std::str::FromStr;

use self::view::Compiled;
use crate::Invalid;

/// Actions on a target: what a credential permits.
///
/// There are three [levels](Level) of target, and none implies another. A scope says nothing about the organization:
/// that is the credential's ([`Rights`]), and no scope leaves it.
///
/// # Syntax
///
/// ```text
/// scope       = actions "@" ( "/" / project "/" / project "/" environment ":" pattern )
/// actions     = "*" / action *( "," action )    ; create read update delete, each at most once
/// project     = id / "*"                        ; "*": every project of the organization
/// environment = id / "*"
/// id          = 1*64( A-Z / a-z / 0-9 / "-" / "_" )
/// pattern     = "/" / 1*( "/" segment )         ; see Pattern
/// ```
///
/// Actions are read in any order, and all four may be written out; a scope is printed in the one canonical form:
/// create, read, update, delete, and `*` for all four. Every character is allowed in a scope token of RFC 6749 §3.3.
///
/// ```
/// use keygate::{Action, Level, Scope};
///
/// let scope = Scope::parse("update,read@web/prod:/app/**")?;
/// assert_eq!(scope.to_string(), "read,update@web/prod:/app/**");
/// assert_eq!(scope.level(), Level::Secrets);
/// assert!(scope.actions().contains(Action::Read));
/// # Ok::<(), keygate::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    text: Box<str>,
    compiled: Compiled,
}

/// What a scope's target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a host's match on a level needs no `_` arm")]
pub enum Level {
    /// `read@/`: the endpoints of the credential's organization.
    Organization,
    /// `read@web/`: the endpoints of one project, or of every project of the organization.
    Project,
    /// `read@web/prod:/app/**`: secrets in a project's environment.
    Secrets,
}

/// What stands for every project, or every environment.
pub(crate) const ANY: &str = "*";

impl Scope {
    /// Reads a scope, and compiles its pattern.
    ///
    /// # Errors
    ///
    /// [`Invalid`], which says what is expected and at which byte the text is not a scope.
    pub fn parse(scope: &str) -> Result<Self, Invalid> {
        text::parse(scope)
    }

    /// These actions on the organization's endpoints: `read@/`.
    ///
    /// ```
    /// use keygate::{Action, Scope};
    ///
    /// assert_eq!(Scope::organization(Action::Read.into())?.as_str(), "read@/");
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`] without any action.
    pub fn organization(actions: Actions) -> Result<Self, Invalid> {
        text::check_actions(actions)?;
        Ok(text::organization(actions))
    }

    /// These actions on a project's endpoints, or on those of every project of the organization (`*`): `read@web/`.
    ///
    /// ```
    /// use keygate::{Action, Scope};
    ///
    /// let scope = Scope::project([Action::Read, Action::Update].into(), "web")?;
    /// assert_eq!(scope.as_str(), "read,update@web/");
    /// assert!(Scope::project(Action::Read.into(), "web/prod:").is_err(), "no part can hold another");
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`] without any action, or where the project is neither an id nor `*`.
    pub fn project(actions: Actions, project: &str) -> Result<Self, Invalid> {
        text::check_actions(actions)?;
        text::check_id_or_any("project", project)?;
        Ok(text::project(actions, project))
    }

    /// These actions on the secrets of a project's environment, in the folders of a pattern:
    /// `read@web/prod:/app/**`. The project and the environment may be `*`.
    ///
    /// ```
    /// use keygate::{Actions, Scope};
    ///
    /// assert_eq!(Scope::secrets(Actions::ALL, "web", "*", "/app/**")?.as_str(), "*@web/*:/app/**");
    /// # Ok::<(), keygate::Invalid>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`] without any action, or where the project or environment is neither an id nor `*`, or where the
    /// pattern is not a [`Pattern`].
    pub fn secrets(
        actions: Actions,
        project: &str,
        environment: &str,
        pattern: &str,
    ) -> Result<Self, Invalid> {
        text::check_actions(actions)?;
        text::check_id_or_any("project", project)?;
        text::check_id_or_any("environment", environment)?;
        Ok(text::secrets(actions, project, environment, Pattern::parse(pattern)?))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it permits.
    #[must_use]
    pub const fn actions(&self) -> Actions {
        self.compiled.actions()
    }

    /// What kind of target it has.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.compiled.level()
    }

    /// The project, or `*` for every project; `None` at the level of the organization.
    #[must_use]
    pub fn project_name(&self) -> Option<&str> {
        self.view().project()
    }

    /// The environment, or `*` for every environment; `None` but at the level of secrets.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.view().environment()
    }

    /// The pattern of the folders; `None` but at the level of secrets.
    #[must_use]
    pub fn pattern(&self) -> Option<Pattern<'_>> {
        self.view().pattern()
    }

    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(&self.text, self.compiled)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(scope: &str) -> Result<Self, Invalid> {
        Self::parse(scope)
    }
}

impl TryFrom<&str> for Scope {
    type Error = Invalid;

    fn try_from(scope: &str) -> Result<Self, Invalid> {
        Self::parse(scope)
    }
}
