//! Scopes: which actions on which targets a credential permits.

mod action;
mod containment;
mod path;
mod resource;
mod rights;
mod text;

pub use action::{Action, Actions};
pub use containment::Containment;
pub use path::{Pattern, SecretPath};
pub use resource::Resource;
pub(crate) use resource::Target;
pub use rights::{NotPermitted, Part, Rights, TooWide};

use std::fmt;
use std::str::FromStr;

use self::containment::Budget;
use self::path::{Shape, same};
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
    actions: Actions,
    reach: Reach,
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

/// The compiled target: where in the text its parts are. It owns no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reach {
    Organization,
    Project(Span),
    Secrets { project: Span, environment: Span, pattern: u8, shape: Shape },
}

/// A part of a scope's text before its pattern, which begins no later than at byte 151.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Span {
    start: u8,
    end: u8,
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
        self.actions
    }

    /// What kind of target it has.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self.reach {
            Reach::Organization => Level::Organization,
            Reach::Project(_) => Level::Project,
            Reach::Secrets { .. } => Level::Secrets,
        }
    }

    /// The project, or `*` for every project; `None` at the level of the organization.
    #[must_use]
    pub fn project_name(&self) -> Option<&str> {
        match self.reach {
            Reach::Organization => None,
            Reach::Project(project) | Reach::Secrets { project, .. } => Some(self.part(project)),
        }
    }

    /// The environment, or `*` for every environment; `None` but at the level of secrets.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        match self.reach {
            Reach::Secrets { environment, .. } => Some(self.part(environment)),
            _ => None,
        }
    }

    /// The pattern of the folders; `None` but at the level of secrets.
    #[must_use]
    pub fn pattern(&self) -> Option<Pattern<'_>> {
        match self.reach {
            Reach::Secrets { pattern, shape, .. } => Some(self.pattern_at(pattern, shape)),
            _ => None,
        }
    }

    #[inline]
    fn part(&self, span: Span) -> &str {
        self.text.get(usize::from(span.start)..usize::from(span.end)).unwrap_or_default()
    }

    /// By bytes, which need no look at where characters begin.
    #[inline(always)]
    fn part_covers(&self, span: Span, wanted: &str) -> bool {
        let own =
            self.text.as_bytes().get(usize::from(span.start)..usize::from(span.end)).unwrap_or_default();
        same(own, wanted.as_bytes()) || own == ANY.as_bytes()
    }

    #[inline(always)]
    fn pattern_at(&self, start: u8, shape: Shape) -> Pattern<'_> {
        Pattern::compiled(self.text.get(usize::from(start)..).unwrap_or_default(), shape)
    }

    /// Which part of the scope, the first in order, does not permit this; the organization was judged before.
    #[inline(always)]
    fn failing(&self, action: Action, target: &Target<'_>) -> Option<Part> {
        let failing = match (self.reach, target) {
            (Reach::Organization, Target::Organization { .. }) => None,
            (Reach::Project(own), Target::Project { project, .. }) => {
                (!self.part_covers(own, project)).then_some(Part::Project)
            }
            (
                Reach::Secrets { project: own, environment: own_environment, pattern, shape },
                Target::Secrets { project, environment, path, .. },
            ) => {
                if !self.part_covers(own, project) {
                    Some(Part::Project)
                } else if !self.part_covers(own_environment, environment) {
                    Some(Part::Environment)
                } else if !self.pattern_at(pattern, shape).matches(*path) {
                    Some(Part::Path)
                } else {
                    None
                }
            }
            _ => Some(Part::Level),
        };
        failing.or_else(|| (!self.actions.contains(action)).then_some(Part::Action))
    }

    /// Whether its target has all that the other's has, whatever the actions.
    fn target_contains(&self, narrower: &Self, budget: &mut Budget) -> Containment {
        let same_level = self.level() == narrower.level();
        let covers = |own: Option<&str>, part: Option<&str>| match (own, part) {
            (Some(own), Some(part)) => is_or_any(own, part),
            (own, part) => own == part,
        };
        if !same_level
            || !covers(self.project_name(), narrower.project_name())
            || !covers(self.environment(), narrower.environment())
        {
            return Containment::NotContained;
        }
        match (self.pattern(), narrower.pattern()) {
            (Some(own), Some(narrower)) => own.contains_within(narrower, budget),
            _ => Containment::Contained,
        }
    }
}

#[inline]
fn is_or_any(own: &str, wanted: &str) -> bool {
    own == wanted || own == ANY
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
