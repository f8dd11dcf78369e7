//! Patterns, paths, scopes and requests that have something to do with each other.

use keygate::{Action, Actions, Pattern, Rights, Scope};

use super::model::segments;
use crate::support::random::Random;

const NAMES: &[&str] = &["a", "b", "ab", "ba", "aab", "abb", "aba", ".a", "..a", "a.", "...", "z"];
const GLOBS: &[&str] = &[
    "*", "*", "**", "**", "a*", "*a", "*b", "*a*", "a*b", "*ab*", "*a*b*", "a*a", "*aa*", ".*", "*.", "*.*",
    "..*", ".*.", "a", "b", "ab", ".a",
];
const PROJECTS: &[&str] = &["web", "api", "*"];
const ENVIRONMENTS: &[&str] = &["prod", "dev", "*"];

pub(crate) fn pattern(random: &mut Random, most: usize) -> String {
    let parts: Vec<&str> = (0..random.below(most + 1)).map(|_| random.pick(GLOBS)).collect();
    written(parts)
}

pub(crate) fn path(random: &mut Random, most: usize) -> String {
    let parts: Vec<&str> = (0..random.below(most + 1)).map(|_| random.pick(NAMES)).collect();
    written(parts)
}

/// A text of segments, where it is a pattern.
fn written<T: AsRef<str>>(parts: Vec<T>) -> String {
    let mut text = String::new();
    for part in &parts {
        if part.as_ref() == "**" && text.ends_with("/**") {
            continue;
        }
        text.push('/');
        text.push_str(part.as_ref());
    }
    if Pattern::parse(&text).is_ok() { text } else { "/".to_owned() }
}

/// One change that mostly leaves less of a pattern: a star becomes a name or goes, a `**` becomes segments.
pub(crate) fn narrowed(random: &mut Random, pattern: &str) -> String {
    let mut parts: Vec<String> = segments(pattern).into_iter().map(str::to_owned).collect();
    if parts.is_empty() {
        return pattern.to_owned();
    }
    let place = random.below(parts.len());
    let part = parts[place].clone();
    if part == "**" {
        let some: &[&str] =
            random.pick(&[&[], &["*"], &["**", "a"], &["a", "**"], &["*", "**"], &["**", "*"], &["b", "*a"]]);
        parts.splice(place..=place, some.iter().map(|&part| part.to_owned()));
    } else if part.contains('*') {
        let run = random.pick(&["", "a", "b", "*a", "b*", "*a*", "ab"]);
        parts[place] = part.replacen('*', run, 1).replace("**", "*");
    }
    if parts.iter().any(|part| part.is_empty() || part == "." || part == "..") {
        return pattern.to_owned();
    }
    written(parts)
}

/// A path that the pattern matches.
pub(crate) fn instance(random: &mut Random, pattern: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for segment in segments(pattern) {
        if segment == "**" {
            parts.extend((0..random.below(3)).map(|_| random.pick(NAMES).to_owned()));
            continue;
        }
        let mut name = String::new();
        for byte in segment.chars() {
            match byte {
                '*' if segment == "*" => name.push_str(random.pick(NAMES)),
                '*' => {
                    let length = random.below(3);
                    name.push_str(&random.text(length, "abz."));
                }
                _ => name.push(byte),
            }
        }
        parts.push(if name == "." || name == ".." { format!("{name}a") } else { name });
    }
    written(parts)
}

pub(crate) fn actions(random: &mut Random) -> Actions {
    let some: Actions = Action::ALL.into_iter().filter(|_| random.one_in(2)).collect();
    if some.is_empty() { random.pick(&Action::ALL).into() } else { some }
}

pub(crate) fn scope(random: &mut Random) -> Scope {
    let actions = actions(random);
    match random.below(8) {
        0 => Scope::organization(actions).unwrap(),
        1 => Scope::project(actions, random.pick(PROJECTS)).unwrap(),
        _ => {
            let pattern = pattern(random, 3);
            Scope::secrets(actions, random.pick(PROJECTS), random.pick(ENVIRONMENTS), &pattern).unwrap()
        }
    }
}

pub(crate) fn rights(random: &mut Random) -> Rights {
    let organization = random.pick(&["acme", "acme", "acme", "other"]);
    let scopes: Vec<Scope> = (0..=random.below(3)).map(|_| scope(random)).collect();
    Rights::new(organization, scopes).unwrap()
}

/// Rights that these mostly cover.
pub(crate) fn narrowed_rights(random: &mut Random, rights: &Rights) -> Rights {
    let mut scopes: Vec<Scope> = Vec::new();
    for _ in 0..random.below(4) {
        let scope = &rights.scopes()[random.below(rights.scopes().len().max(1))..];
        let Some(scope) = scope.first() else { break };
        let held: Vec<Action> = scope.actions().iter().collect();
        let mut actions: Actions = held.iter().copied().filter(|_| random.one_in(2)).collect();
        if actions.is_empty() {
            actions = random.pick(&held).into();
        }
        let project = scope.project_name().map(|name| if random.one_in(2) { name } else { "web" });
        let environment = scope.environment().map(|name| if random.one_in(2) { name } else { "prod" });
        scopes.push(match (project, environment, scope.pattern()) {
            (Some(project), Some(environment), Some(pattern)) => {
                let pattern = narrowed(random, pattern.as_str());
                Scope::secrets(actions, project, environment, &pattern).unwrap()
            }
            (Some(project), ..) => Scope::project(actions, project).unwrap(),
            _ => Scope::organization(actions).unwrap(),
        });
    }
    Rights::new(rights.organization().as_str(), scopes).unwrap()
}

/// The parts of a request, mostly one that the scope permits.
pub(crate) fn request(random: &mut Random, scope: Option<&Scope>) -> Request {
    let own = |part: Option<&str>, random: &mut Random, others: &[&str]| match part {
        Some(part) if part != "*" && !random.one_in(8) => part.to_owned(),
        _ => random.pick(others).to_owned(),
    };
    let path = match scope.and_then(Scope::pattern) {
        Some(pattern) if !random.one_in(8) => instance(random, pattern.as_str()),
        _ => path(random, 3),
    };
    Request {
        organization: random.pick(&["acme", "acme", "acme", "acme", "other"]),
        project: own(scope.and_then(Scope::project_name), random, &["web", "api", "new"]),
        environment: own(scope.and_then(Scope::environment), random, &["prod", "dev", "new"]),
        path,
        level: scope.map_or(keygate::Level::Secrets, Scope::level),
        action: match scope {
            Some(scope) if !random.one_in(8) => {
                let held: Vec<Action> = scope.actions().iter().collect();
                random.pick(&held)
            }
            _ => random.pick(&Action::ALL),
        },
    }
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) organization: &'static str,
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) path: String,
    pub(crate) level: keygate::Level,
    pub(crate) action: Action,
}

impl Request {
    pub(crate) fn is_permitted(&self, rights: &Rights) -> bool {
        rights.permit(self.action, &self.resource()).is_ok()
    }

    fn resource(&self) -> keygate::Resource<'_> {
        let Self { organization, project, environment, path, level, .. } = self;
        match level {
            keygate::Level::Organization => keygate::Resource::organization(organization),
            keygate::Level::Project => keygate::Resource::project(organization, project),
            keygate::Level::Secrets => keygate::Resource::secrets(organization, project, environment, path),
        }
        .unwrap()
    }
}
