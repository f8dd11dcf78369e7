//! The text of scopes: reading it, and writing the one canonical form.

use super::path::LONGEST as LONGEST_PATTERN;
use super::view::{Compiled, Reach, Span};
use super::{ANY, Action, Actions, Pattern, Scope, View};
use crate::Invalid;
use crate::owner::{check_id, is_id};

const ARGUMENT: &str = "scope";

/// `create,read,update,delete@` + 64 + `/` + 64 + `:` + a pattern of 1,024.
const LONGEST: usize = 26 + 64 + 1 + 64 + 1 + LONGEST_PATTERN;

impl<'a> View<'a> {
    /// Reads a scope where it stands, without an allocation.
    ///
    /// The length is judged before anything else: nothing works on a text without a bound.
    pub(crate) fn parse(scope: &'a str) -> Result<Self, Invalid> {
        let expected = |expected, position| Invalid::new(ARGUMENT, expected).at(position);
        if scope.len() > LONGEST {
            return Err(expected("at most 1180 bytes", LONGEST));
        }
        let (words, target) = split(scope, b'@');
        let actions = parse_actions(words)?;
        let found = |reach| Ok(Self::new(scope, Compiled::new(actions, reach)));
        let target = target.ok_or(expected("'@' after the actions", scope.len()))?;
        if target == "/" {
            return found(Reach::Organization);
        }
        let (name, rest) = split(target, b'/');
        let project = span(scope, name);
        check_id_or_any(ARGUMENT, name).map_err(|invalid| invalid.within(ARGUMENT, project.start.into()))?;
        let rest = rest.ok_or(expected("'/' after the project", scope.len()))?;
        if rest.is_empty() {
            return found(Reach::Project(project));
        }
        let (name, pattern) = split(rest, b':');
        let environment = span(scope, name);
        check_id_or_any(ARGUMENT, name)
            .map_err(|invalid| invalid.within(ARGUMENT, environment.start.into()))?;
        let pattern = pattern.ok_or(expected("':' after the environment", scope.len()))?;
        let start = offset(scope, pattern);
        let shape =
            Pattern::parse(pattern).map_err(|invalid| invalid.within(ARGUMENT, start.into()))?.shape();
        found(Reach::Secrets { project, environment, pattern: start, shape })
    }
}

/// The same, in the one canonical form and with memory of its own.
pub(super) fn parse(scope: &str) -> Result<Scope, Invalid> {
    let view = View::parse(scope)?;
    Ok(match (view.project(), view.environment(), view.pattern()) {
        (Some(name), Some(environment), Some(pattern)) => secrets(view.actions(), name, environment, pattern),
        (Some(name), ..) => project(view.actions(), name),
        (None, ..) => organization(view.actions()),
    })
}

fn parse_actions(words: &str) -> Result<Actions, Invalid> {
    if words == ANY {
        return Ok(Actions::ALL);
    }
    if let Some(action) = Action::named(words) {
        return Ok(action.into());
    }
    let mut actions = Actions::default();
    for word in words.split(',') {
        let expected = |expected| Invalid::new(ARGUMENT, expected).at(offset(words, word).into());
        let action = match Action::named(word) {
            Some(action) => action,
            None if word == ANY => return Err(expected("'*' alone, or the actions by name")),
            None => return Err(expected("create, read, update or delete, or '*' alone")),
        };
        if actions.contains(action) {
            return Err(expected("each action at most once"));
        }
        actions = actions.with(action);
    }
    Ok(actions)
}

/// What is before the first separator, and what is after it.
#[inline]
fn split(text: &str, separator: u8) -> (&str, Option<&str>) {
    // By bytes: the parts are so short that a search for a character would be most of the work.
    match text.bytes().position(|byte| byte == separator) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(1)..)),
        None => (text, None),
    }
}

/// Where a part stands in the text that it was cut from.
fn span(whole: &str, part: &str) -> Span {
    let start = offset(whole, part);
    Span { start, end: position(usize::from(start).saturating_add(part.len())) }
}

/// Where a part begins in the text that it was cut from.
fn offset(whole: &str, part: &str) -> u8 {
    position(part.as_ptr().addr().saturating_sub(whole.as_ptr().addr()))
}

/// At most 156 where a part begins or ends whose length was checked. Were it more, the part would be read as empty, which permits
/// nothing.
fn position(at: usize) -> u8 {
    u8::try_from(at).unwrap_or(u8::MAX)
}

pub(super) fn check_actions(actions: Actions) -> Result<(), Invalid> {
    if actions.is_empty() { Err(Invalid::new("actions", "at least one action")) } else { Ok(()) }
}

pub(super) fn check_id_or_any(argument: &'static str, id: &str) -> Result<(), Invalid> {
    if id == ANY || is_id(id) {
        return Ok(());
    }
    check_id(argument, id).map_err(|invalid| {
        Invalid::new(argument, "'*', or 1 to 64 of A-Z a-z 0-9 - _")
            .at(invalid.position().unwrap_or_default())
    })
}

pub(super) fn organization(actions: Actions) -> Scope {
    let mut writer = Writer::new(actions, 1);
    writer.text.push('/');
    writer.finish(actions, Reach::Organization)
}

pub(super) fn project(actions: Actions, project: &str) -> Scope {
    let mut writer = Writer::new(actions, project.len().saturating_add(1));
    let project = writer.part(project, '/');
    writer.finish(actions, Reach::Project(project))
}

pub(super) fn secrets(actions: Actions, project: &str, environment: &str, pattern: Pattern<'_>) -> Scope {
    let parts = [project.len(), environment.len(), pattern.as_str().len(), 2];
    let mut writer = Writer::new(actions, parts.into_iter().fold(0, usize::saturating_add));
    let project = writer.part(project, '/');
    let environment = writer.part(environment, ':');
    let start = writer.position();
    writer.text.push_str(pattern.as_str());
    writer.finish(actions, Reach::Secrets { project, environment, pattern: start, shape: pattern.shape() })
}

/// Writes the parts, each checked before, and notes where they are.
struct Writer {
    text: String,
}

impl Writer {
    fn new(actions: Actions, target: usize) -> Self {
        let mut text = actions.to_string();
        text.reserve_exact(target.saturating_add(1));
        text.push('@');
        Self { text }
    }

    fn part(&mut self, part: &str, end: char) -> Span {
        let start = self.position();
        self.text.push_str(part);
        let span = Span { start, end: self.position() };
        self.text.push(end);
        span
    }

    fn position(&self) -> u8 {
        position(self.text.len())
    }

    fn finish(self, actions: Actions, reach: Reach) -> Scope {
        Scope { text: self.text.into(), compiled: Compiled::new(actions, reach) }
    }
}
