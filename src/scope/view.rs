//! A scope as it is matched: borrowed text, and where in it the parts of the target are.

use super::containment::Budget;
use super::path::{Shape, same};
use super::{ANY, Action, Actions, Containment, Level, Part, Pattern, Target};

/// A scope without memory of its own. Its text need not be canonical: it may be part of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View<'a> {
    text: &'a str,
    compiled: Compiled,
}

/// What reading a scope's text found: its actions, and where its parts are. It owns no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Compiled {
    actions: Actions,
    reach: Reach,
}

/// What a scope's target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    Organization,
    Project(Span),
    Secrets { project: Span, environment: Span, pattern: u8, shape: Shape },
}

/// A part of a scope's text before its pattern, which begins no later than at byte 156.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) start: u8,
    pub(super) end: u8,
}

impl Compiled {
    pub(super) const fn new(actions: Actions, reach: Reach) -> Self {
        Self { actions, reach }
    }

    pub(super) const fn actions(self) -> Actions {
        self.actions
    }

    pub(super) const fn level(self) -> Level {
        match self.reach {
            Reach::Organization => Level::Organization,
            Reach::Project(_) => Level::Project,
            Reach::Secrets { .. } => Level::Secrets,
        }
    }
}

impl<'a> View<'a> {
    #[inline(always)]
    pub(super) const fn new(text: &'a str, compiled: Compiled) -> Self {
        Self { text, compiled }
    }

    #[inline(always)]
    pub(crate) const fn as_str(self) -> &'a str {
        self.text
    }

    pub(super) const fn actions(self) -> Actions {
        self.compiled.actions
    }

    pub(super) fn project(self) -> Option<&'a str> {
        match self.compiled.reach {
            Reach::Organization => None,
            Reach::Project(project) | Reach::Secrets { project, .. } => Some(self.part(project)),
        }
    }

    pub(super) fn environment(self) -> Option<&'a str> {
        match self.compiled.reach {
            Reach::Secrets { environment, .. } => Some(self.part(environment)),
            _ => None,
        }
    }

    pub(super) fn pattern(self) -> Option<Pattern<'a>> {
        match self.compiled.reach {
            Reach::Secrets { pattern, shape, .. } => Some(self.pattern_at(pattern, shape)),
            _ => None,
        }
    }

    #[inline]
    fn part(self, span: Span) -> &'a str {
        self.text.get(usize::from(span.start)..usize::from(span.end)).unwrap_or_default()
    }

    /// By bytes, which need no look at where characters begin.
    #[inline(always)]
    fn part_covers(self, span: Span, wanted: &str) -> bool {
        let own =
            self.text.as_bytes().get(usize::from(span.start)..usize::from(span.end)).unwrap_or_default();
        same(own, wanted.as_bytes()) || own == ANY.as_bytes()
    }

    #[inline(always)]
    fn pattern_at(self, start: u8, shape: Shape) -> Pattern<'a> {
        Pattern::compiled(self.text.get(usize::from(start)..).unwrap_or_default(), shape)
    }

    /// Which part of the scope, the first in order, does not permit this; the organization was judged before.
    #[inline(always)]
    pub(super) fn failing(self, action: Action, target: &Target<'_>) -> Option<Part> {
        let failing = match (self.compiled.reach, target) {
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
        failing.or_else(|| (!self.actions().contains(action)).then_some(Part::Action))
    }

    /// Whether its target has all that the other's has, whatever the actions.
    pub(super) fn target_contains(self, narrower: Self, budget: &mut Budget) -> Containment {
        let same_level = self.compiled.level() == narrower.compiled.level();
        let covers = |own: Option<&str>, part: Option<&str>| match (own, part) {
            (Some(own), Some(part)) => own == part || own == ANY,
            (own, part) => own == part,
        };
        if !same_level
            || !covers(self.project(), narrower.project())
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
