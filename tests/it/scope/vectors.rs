//! The vectors of paths and scopes through the raw API, each scope case within its time.

use std::time::{Duration, Instant};

use keygate::{Action, Actions, Pattern, Rights, Scope, SecretPath};
use serde::Deserialize;

#[derive(Deserialize)]
struct PathCase {
    name: String,
    pattern: String,
    path: String,
    expect: String,
}

/// Promise P14.
#[test]
fn paths() {
    let cases: Vec<PathCase> = serde_json::from_str(include_str!("../../vectors/paths.json")).unwrap();
    for case in &cases {
        let answer = match (Pattern::parse(&case.pattern), SecretPath::parse(&case.path)) {
            (Err(_), _) => "reject_pattern",
            (_, Err(_)) => "reject_path",
            (Ok(pattern), Ok(path)) if pattern.matches(path) => "allow",
            _ => "deny",
        };
        assert_eq!(answer, case.expect, "{}", case.name);
    }
    assert!(cases.len() > 200);
}

#[derive(Deserialize)]
struct ScopeCase {
    name: String,
    parent: Vec<serde_json::Value>,
    child: Vec<serde_json::Value>,
    expect: String,
    #[serde(default)]
    also_ok: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    org: String,
    project: String,
    env: String,
    path: String,
    actions: Vec<String>,
}

/// One rule as rights of its own, for a set may name several organizations; `None` where it is not a rule.
fn rights(rule: &serde_json::Value) -> Option<Rights> {
    let rule: Rule = serde_json::from_value(rule.clone()).ok()?;
    let mut actions = Actions::default();
    for word in &rule.actions {
        let action = Action::ALL.into_iter().find(|action| action.as_str() == word)?;
        if actions.contains(action) {
            return None;
        }
        actions = actions.iter().chain([action]).collect();
    }
    let scope = Scope::secrets(actions, &rule.project, &rule.env, &rule.path).ok()?;
    Rights::new(&rule.org, [scope]).ok()
}

/// A set of one organization's rules.
fn of_organization(rules: &[Rights], organization: &str) -> Rights {
    let own = rules.iter().filter(|rights| rights.organization().as_str() == organization);
    Rights::new(organization, own.flat_map(|rights| rights.scopes().to_vec())).unwrap()
}

/// Promise P15.
#[test]
fn scopes() {
    let cases: Vec<ScopeCase> = serde_json::from_str(include_str!("../../vectors/scopes.json")).unwrap();
    for case in &cases {
        let parent: Vec<Rights> = case.parent.iter().filter_map(rights).collect();
        let child: Option<Vec<Rights>> = case.child.iter().map(rights).collect();
        let is_subset = || {
            child.as_ref().is_some_and(|rules| {
                rules
                    .iter()
                    .all(|rule| of_organization(&parent, rule.organization().as_str()).covers(rule).is_ok())
            })
        };
        let subset = is_subset();
        // The best time counts: what else runs here is not the library's.
        let fastest = (0..3)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(is_subset(), subset);
                start.elapsed()
            })
            .min();
        assert!(fastest < Some(Duration::from_millis(50)), "{}: {fastest:?}", case.name);
        let answer = if subset { "subset" } else { "not_subset" };
        assert!(
            answer == case.expect || case.also_ok.iter().any(|ok| ok == answer),
            "{}: {answer}",
            case.name
        );
    }
    assert!(cases.len() > 100);
}
