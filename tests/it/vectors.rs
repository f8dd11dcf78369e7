//! The published vectors, judged by the same program that a user can run: `examples/vectors.rs`.

use http::{HeaderMap, HeaderName, HeaderValue};
use keygate::header;

#[path = "../../examples/vectors.rs"]
#[expect(dead_code, reason = "its `main` belongs to the example")]
mod runner;

#[track_caller]
fn all_pass(kind: &str, json: &str, at_least: usize) {
    let outcome = runner::run(kind, json).unwrap();
    assert_eq!(outcome.failures, [""; 0]);
    assert!(outcome.passed >= at_least, "only {} cases", outcome.passed);
}

/// Promise P1, through the raw API.
#[test]
fn headers() {
    all_pass("headers", include_str!("../vectors/headers.json"), 200);
}

/// Promise P14.
#[test]
fn paths() {
    all_pass("paths", include_str!("../vectors/paths.json"), 200);
}

/// Promise P15.
#[test]
fn scopes() {
    all_pass("scopes", include_str!("../vectors/scopes.json"), 100);
}

/// Promise P19.
#[test]
fn expiry() {
    all_pass("expiry", include_str!("../vectors/expiry.json"), 60);
}

/// Promise P1, through the header map of most servers, where it can hold the names and values.
#[test]
fn headers_through_a_header_map() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../vectors/headers.json")).unwrap();
    let mut representable = 0;
    for case in &cases {
        let headers: Vec<(String, String)> = serde_json::from_value(case["headers"].clone()).unwrap();
        let lines = runner::decoded(&headers).unwrap();
        let Some(map) = header_map(&lines) else { continue };
        representable += 1;
        // Both by reference and by value, and the same as the lines themselves.
        let of_lines = answer(header::present(&lines));
        assert_eq!(answer(header::present(&map)), of_lines, "{}", case["name"]);
        let owned = map.into_iter().filter_map(|(name, value)| Some((name?, value)));
        if lines.len() < 2 {
            assert_eq!(answer(header::present(owned)), of_lines, "{}", case["name"]);
        }
    }
    assert!(representable > 120, "only {representable} fit into a header map");
}

fn header_map(lines: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}

fn answer<V: AsRef<[u8]>>(presented: Result<keygate::Presented<V>, keygate::Refusal>) -> String {
    match presented {
        Ok(presented) => format!("accept:{}", runner::name_of(&presented)),
        Err(refusal) => format!("reject:{}", refusal.reason().code()),
    }
}

#[track_caller]
fn one(kind: &str, case: &str) -> String {
    runner::run(kind, &format!("[{case}]"))
        .map_or_else(|error| format!("error: {error}"), |outcome| outcome.to_string())
}

/// The runner must be able to fail.
#[test]
fn a_case_that_differs_is_told() {
    let case =
        r#"{"name": "n", "pattern": "/a", "path": "/b", "expect": "allow", "why": "", "tier": "core"}"#;
    assert_eq!(one("paths", case), "n: expected allow, got deny\n0 passed, 1 failed\n");
    let case =
        r#"{"name": "n", "headers": [["x-api-key", "YWs="]], "expect": "accept:api_key", "tier": "core"}"#;
    assert_eq!(
        one("headers", case),
        "n: expected accept:api_key, got reject:malformed\n0 passed, 1 failed\n"
    );
    let case = r#"{"name": "n", "headers": [], "expect": "x", "also_ok": ["y", "reject:missing"]}"#;
    assert_eq!(one("headers", case), "1 passed, 0 failed\n");
    let case =
        r#"{"name": "n", "now": 5, "not_before": null, "expires_at": 5, "leeway": 0, "expect": "valid"}"#;
    assert_eq!(one("expiry", case), "n: expected valid, got expired\n0 passed, 1 failed\n");
}

/// What is no file of vectors is an error, not a failed case, and not a passed one.
#[test]
fn a_file_of_another_kind_is_an_error() {
    let path = r#"{"name": "n", "pattern": "/a", "path": "/b", "expect": "deny"}"#;
    for (kind, case) in [
        ("path", path),
        ("headers", path),
        ("expiry", path),
        ("paths", r#"{"name": "n", "pattern": "/a", "path": "/b"}"#),
        ("paths", "{"),
        ("headers", r#"{"name": "n", "headers": [["a", "?"]], "expect": "reject:missing"}"#),
        ("expiry", r#"{"name": "n", "now": 9223372036854775808, "leeway": 0, "expect": "valid"}"#),
        ("scopes", r#"{"name": "n", "parent": {}, "child": [], "expect": "subset"}"#),
    ] {
        assert!(one(kind, case).starts_with("error: "), "{kind} {case}");
    }
    assert!(runner::run("paths", "{}").is_err());
}

#[track_caller]
fn contained(parent: &str, child: &str, expected: bool) {
    let case = format!(
        r#"{{"name": "n", "parent": [{parent}], "child": [{child}], "expect": "subset", "tier": "core"}}"#
    );
    assert_eq!(one("scopes", &case) == "1 passed, 0 failed\n", expected, "{child}\nin {parent}");
}

/// Rules that are none: a child with one is never contained, a parent's grants nothing and spoils nothing.
#[test]
fn rules_that_are_none() {
    let good = r#"{"org": "o", "project": "p", "env": "e", "path": "/**", "actions": ["read", "update"]}"#;
    contained(good, good, true);
    contained(good, "", true);
    contained("", "", true);
    contained("", good, false);
    for (from, to) in [
        (r#""read", "update""#, ""),
        (r#""read", "update""#, r#""read", "read""#),
        (r#""read", "update""#, r#""read", "write""#),
        (r#""read", "update""#, r#""read", "READ""#),
        (r#""read", "update""#, r#""*""#),
        (r#"["read", "update"]"#, r#""read""#),
        (r#"["read", "update"]"#, "null"),
        (r#""org": "o""#, r#""org": "*""#),
        (r#""org": "o""#, r#""org": """#),
        (r#""org": "o""#, r#""org": "o", "role": "admin""#),
        (r#""org": "o""#, r#""org": "o", "org": "o""#),
        (r#""org": "o", "#, ""),
        (r#""env": "e", "#, ""),
        (r#""path": "/**", "#, ""),
        (r#""path": "/**""#, r#""path": null"#),
        (r#""path": "/**""#, r#""path": "a""#),
        (r#""project": "p""#, r#""project": "p/e:/x""#),
        (r#""project": "p""#, r#""project": 1"#),
    ] {
        let wrong = good.replace(from, to);
        assert_ne!(wrong, good);
        contained(good, &wrong, false);
        contained(good, &format!("{good}, {wrong}"), false);
        contained(&wrong, &wrong, false);
        contained(&format!("{wrong}, {good}"), good, true);
    }
    contained(good, r#""all""#, false);
    contained(&format!("[], {good}"), good, true);
    let elsewhere = good.replace(r#""o""#, r#""o2""#);
    contained(good, &elsewhere, false);
    contained(&format!("{good}, {elsewhere}"), &format!("{elsewhere}, {good}"), true);
}
