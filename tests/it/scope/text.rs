//! The text of scopes, patterns and paths: round trips, and the exact words of every error.

use keygate::{Action, Actions, Level, Pattern, Refusal, Resource, Scope, SecretPath};
use proptest::prelude::*;

use super::generated;
use crate::support::random::{Random, cases, seed};

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, keygate::Invalid>, message: &str) {
    assert_eq!(answer.unwrap_err().to_string(), message);
}

const ID_OR_ANY: &str = "expected '*', or 1 to 64 of A-Z a-z 0-9 - _";
const WORD: &str = "expected create, read, update or delete, or '*' alone";

#[test]
fn what_is_not_a_scope_is_refused_in_these_words() {
    let long = "a".repeat(65);
    for (text, message) in [
        ("", format!("{WORD} (at byte 0)")),
        ("@/", format!("{WORD} (at byte 0)")),
        ("read", "expected '@' after the actions (at byte 4)".into()),
        ("READ@/", format!("{WORD} (at byte 0)")),
        (" read@/", format!("{WORD} (at byte 0)")),
        ("read, update@/", format!("{WORD} (at byte 5)")),
        ("read,@/", format!("{WORD} (at byte 5)")),
        (",read@/", format!("{WORD} (at byte 0)")),
        ("read,execute@/", format!("{WORD} (at byte 5)")),
        ("read,update,read@/", "expected each action at most once (at byte 12)".into()),
        ("read,*@/", "expected '*' alone, or the actions by name (at byte 5)".into()),
        ("*,read@/", "expected '*' alone, or the actions by name (at byte 0)".into()),
        ("*,*@/", "expected '*' alone, or the actions by name (at byte 0)".into()),
        ("read@", format!("{ID_OR_ANY} (at byte 5)")),
        ("read@//", format!("{ID_OR_ANY} (at byte 5)")),
        ("read@/web", format!("{ID_OR_ANY} (at byte 5)")),
        ("read@web", "expected '/' after the project (at byte 8)".into()),
        ("read@w*/", format!("{ID_OR_ANY} (at byte 6)")),
        ("read@**/", format!("{ID_OR_ANY} (at byte 5)")),
        ("read@wéb/", format!("{ID_OR_ANY} (at byte 6)")),
        ("read@web@x/", format!("{ID_OR_ANY} (at byte 8)")),
        ("read@web/prod", "expected ':' after the environment (at byte 13)".into()),
        ("read@web/:/", format!("{ID_OR_ANY} (at byte 9)")),
        ("read@web/prod/x:/", format!("{ID_OR_ANY} (at byte 13)")),
        ("read@web//", format!("{ID_OR_ANY} (at byte 9)")),
        ("read@web/prod:", "expected '/' at the start of a path pattern (at byte 14)".into()),
        ("read@web/prod:app", "expected '/' at the start of a path pattern (at byte 14)".into()),
        ("read@web/prod:/a//b", "expected a segment after '/' (at byte 17)".into()),
        ("read@web/prod:/a:b", "expected A-Z a-z 0-9 - . _ ~ '*' or '/' (at byte 16)".into()),
        ("read@web/prod:/**a", "expected '**' only as a whole segment (at byte 15)".into()),
        (&format!("read@{long}/"), format!("{ID_OR_ANY} (at byte 69)")),
        (&format!("read@web/{long}:/"), format!("{ID_OR_ANY} (at byte 73)")),
        (&"@".repeat(1_181), "expected at most 1180 bytes (at byte 1180)".into()),
    ] {
        refused(Scope::parse(text), &format!("scope: {message}"));
        assert_eq!(text.parse::<Scope>(), Scope::parse(text));
        assert_eq!(Scope::try_from(text), Scope::parse(text));
    }
}

#[test]
fn what_is_neither_a_path_nor_a_pattern_is_refused_in_these_words() {
    let long = |length| format!("/{}", "a".repeat(length));
    for (text, message) in [
        ("/a//b", "a segment after '/' (at byte 3)"),
        ("//", "a segment after '/' (at byte 1)"),
        ("/a/", "a segment after '/' (at byte 3)"),
        ("/.", "a segment other than '.' and '..' (at byte 1)"),
        ("/a/../b", "a segment other than '.' and '..' (at byte 3)"),
        (&long(256), "at most 255 bytes in a segment (at byte 256)"),
        (&"/a".repeat(65), "at most 64 segments (at byte 129)"),
        (&long(1_024), "at most 1024 bytes (at byte 1024)"),
    ] {
        refused(SecretPath::parse(text), &format!("path: expected {message}"));
        refused(Pattern::parse(text), &format!("pattern: expected {message}"));
        refused(Scope::secrets(Actions::ALL, "web", "prod", text), &format!("pattern: expected {message}"));
    }
    for (path, message) in [
        ("", "'/' at the start of a path (at byte 0)"),
        ("a/b", "'/' at the start of a path (at byte 0)"),
        ("/*", "A-Z a-z 0-9 - . _ ~ or '/' (at byte 1)"),
        ("/a/b%2f", "A-Z a-z 0-9 - . _ ~ or '/' (at byte 4)"),
        ("/a\0", "A-Z a-z 0-9 - . _ ~ or '/' (at byte 2)"),
        ("/é", "A-Z a-z 0-9 - . _ ~ or '/' (at byte 1)"),
    ] {
        refused(SecretPath::parse(path), &format!("path: expected {message}"));
    }
    for (pattern, message) in [
        ("", "'/' at the start of a path pattern (at byte 0)"),
        ("**", "'/' at the start of a path pattern (at byte 0)"),
        ("/a?", "A-Z a-z 0-9 - . _ ~ '*' or '/' (at byte 2)"),
        ("/{a,b}", "A-Z a-z 0-9 - . _ ~ '*' or '/' (at byte 1)"),
        ("/a/b**", "'**' only as a whole segment (at byte 4)"),
        ("/***", "'**' only as a whole segment (at byte 1)"),
        ("/**/a/**/**", "no '**' after a '**' (at byte 9)"),
    ] {
        refused(Pattern::parse(pattern), &format!("pattern: expected {message}"));
    }
}

#[test]
fn the_limits_themselves_are_allowed() {
    let longest = format!("/{}", "a".repeat(255)).repeat(4);
    assert_eq!(longest.len(), 1_024);
    let most = "/*".repeat(64);
    for text in [&longest, &most] {
        assert_eq!(Pattern::parse(text).unwrap().as_str(), text);
    }
    SecretPath::parse(&longest).unwrap();
    let id = "a".repeat(64);
    let scope = format!("create,read,update,delete@{id}/{id}:{longest}");
    assert_eq!(scope.len(), 1_180);
    assert_eq!(Scope::parse(&scope).unwrap().as_str(), format!("*@{id}/{id}:{longest}"));
    let scope = format!("create,update,delete@{id}/{id}:{longest}");
    assert_eq!(Scope::parse(&scope).unwrap().pattern().unwrap().as_str(), longest);
}

#[test]
fn no_part_can_hold_another() {
    let read = Actions::from(Action::Read);
    refused(Scope::organization(Actions::default()), "actions: expected at least one action");
    refused(Scope::project(Actions::default(), "web"), "actions: expected at least one action");
    refused(Scope::secrets(Actions::default(), "web", "prod", "/"), "actions: expected at least one action");
    refused(Scope::project(read, "web/prod:"), &format!("project: {ID_OR_ANY} (at byte 3)"));
    refused(Scope::project(read, ""), &format!("project: {ID_OR_ANY} (at byte 0)"));
    refused(Scope::secrets(read, "web/x", "prod", "/"), &format!("project: {ID_OR_ANY} (at byte 3)"));
    refused(Scope::secrets(read, "web", "prod:/", "/"), &format!("environment: {ID_OR_ANY} (at byte 4)"));
    refused(Scope::secrets(read, "web", "", "/"), &format!("environment: {ID_OR_ANY} (at byte 0)"));
}

#[test]
fn the_parts_of_a_scope() {
    for (text, canonical, level, project, environment, pattern) in [
        ("delete,create@/", "create,delete@/", Level::Organization, None, None, None),
        ("read@*/", "read@*/", Level::Project, Some("*"), None, None),
        ("delete,update,read,create@web/", "*@web/", Level::Project, Some("web"), None, None),
        ("read@web/*:/", "read@web/*:/", Level::Secrets, Some("web"), Some("*"), Some("/")),
        ("*@a-b/c_d:/**", "*@a-b/c_d:/**", Level::Secrets, Some("a-b"), Some("c_d"), Some("/**")),
    ] {
        let scope = Scope::parse(text).unwrap();
        assert_eq!(scope.as_str(), canonical);
        assert_eq!(scope.to_string(), canonical);
        assert_eq!(scope.level(), level);
        assert_eq!(scope.project_name(), project);
        assert_eq!(scope.environment(), environment);
        assert_eq!(scope.pattern().map(Pattern::as_str), pattern);
        assert_eq!(scope.pattern(), pattern.map(|pattern| Pattern::parse(pattern).unwrap()));
    }
}

#[test]
fn what_is_printed_is_read_again() {
    let random = &mut Random::seeded(seed());
    for _ in 0..cases(50_000) {
        let scope = generated::scope(random);
        let again = Scope::parse(scope.as_str()).unwrap();
        assert_eq!(again, scope, "seed {}", seed());
        assert_eq!(again.as_str(), scope.as_str());
        // Any order of the actions is the same scope.
        let mut words: Vec<&str> = scope.actions().iter().map(Action::as_str).collect();
        let turn = random.below(words.len());
        words.rotate_left(turn);
        let (_, target) = scope.as_str().split_once('@').unwrap();
        assert_eq!(Scope::parse(&format!("{}@{target}", words.join(","))).unwrap(), scope);
    }
}

#[test]
fn irregular_resources_say_who_is_at_fault() {
    use keygate::RefusalClass::{BadRequest, Undecided};

    #[track_caller]
    fn refused(answer: Result<Resource<'_>, Refusal>, class: keygate::RefusalClass, message: &str) {
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.class(), class);
        assert_eq!(std::error::Error::source(&refusal).unwrap().to_string(), message);
    }

    const ID: &str = "expected 1 to 64 of A-Z a-z 0-9 - _";
    let secrets = Resource::secrets;
    refused(secrets("acme", "*", "prod", "/"), BadRequest, &format!("project: {ID} (at byte 0)"));
    refused(secrets("acme", "web", "*", "/"), BadRequest, &format!("environment: {ID} (at byte 0)"));
    refused(
        secrets("acme", "web", "prod", "/*"),
        BadRequest,
        "path: expected A-Z a-z 0-9 - . _ ~ or '/' (at byte 1)",
    );
    refused(secrets("", "web", "prod", "/"), Undecided, &format!("organization: {ID} (at byte 0)"));
    // A caller cannot turn its own fault into an alarm.
    refused(secrets("", "", "prod", "/"), BadRequest, &format!("project: {ID} (at byte 0)"));
    refused(Resource::project("acme", ""), BadRequest, &format!("project: {ID} (at byte 0)"));
    refused(Resource::project("*", "web"), Undecided, &format!("organization: {ID} (at byte 0)"));
    refused(Resource::organization("a b"), Undecided, &format!("organization: {ID} (at byte 1)"));
}

#[test]
fn resources_for_the_log() {
    for (resource, text) in [
        (Resource::secrets("acme", "web", "prod", "/app/db"), "secrets web/prod:/app/db of acme"),
        (Resource::project("acme", "web"), "project web of acme"),
        (Resource::organization("acme"), "organization acme"),
        (Ok(Resource::user()), "the user's own account"),
        (Ok(Resource::own_credential()), "its own credential"),
    ] {
        assert_eq!(resource.unwrap().to_string(), text);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}") {
        never_repaired(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        never_repaired(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_near_the_grammar_is_read_or_refused(text in "(read|create|\\*|,|delete|@|/|:|a|\\*\\*|\\.|é|_){0,14}") {
        never_repaired(&text);
        never_repaired(&format!("read@web/prod:/{text}"));
    }
}

/// What is read is what was written, or the canonical form of it.
fn never_repaired(text: &str) {
    if let Ok(path) = SecretPath::parse(text) {
        assert_eq!(path.as_str(), text);
        assert!(Pattern::parse(text).unwrap().matches(path));
    }
    if let Ok(pattern) = Pattern::parse(text) {
        assert_eq!(pattern.as_str(), text);
    }
    if let Ok(scope) = Scope::parse(text) {
        assert_eq!(Scope::parse(scope.as_str()).unwrap(), scope);
        assert_eq!(scope.as_str().split_once('@').unwrap().1, text.split_once('@').unwrap().1);
    }
}
