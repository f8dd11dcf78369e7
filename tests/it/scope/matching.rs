//! Matching against the model, and its worst cases.

use std::time::{Duration, Instant};

use keygate::{Pattern, SecretPath};

use super::{generated, model};
use crate::support::random::{Random, cases, seed};

#[track_caller]
fn check(pattern: &str, path: &str) -> bool {
    let matched = Pattern::parse(pattern).unwrap().matches(SecretPath::parse(path).unwrap());
    assert_eq!(matched, model::matches(pattern, path), "{pattern} on {path}, seed {}", seed());
    matched
}

/// Near-misses beside every match.
#[test]
fn the_table_of_wildcards() {
    for (pattern, yes, no) in [
        ("/", &["/"][..], &["/a"][..]),
        ("/a/b", &["/a/b"], &["/", "/a", "/a/b/c", "/a/B", "/a/bb", "/a/"]),
        ("/app/**", &["/app", "/app/a", "/app/a/b"], &["/", "/ap", "/app2", "/app-x/a", "/x/app"]),
        ("/**", &["/", "/a", "/.a/..b"], &[]),
        ("/*", &["/a", "/.env", "/..."], &["/", "/a/b"]),
        ("/**/db", &["/db", "/a/db", "/a/b/db"], &["/", "/a", "/adb", "/db/a"]),
        ("/app-*", &["/app-", "/app-a"], &["/app", "/app-a/b", "/xapp-"]),
        ("/*a*b*", &["/ab", "/xaxbx", "/aab"], &["/ba", "/a", "/b", "/a/b"]),
        ("/a*a", &["/aa", "/aba"], &["/a", "/ab"]),
        ("/**/a/**/b/**", &["/a/b", "/x/a/y/b/z", "/a/a/b/b"], &["/b/a", "/a", "/b", "/xa/b"]),
        ("/**/a/*/b", &["/a/a/b", "/a/a/a/b"], &["/a/b", "/a/a/a/a", "/a/x/x/b"]),
    ] {
        for path in yes {
            assert!(check(pattern, path), "{pattern} matches {path}");
        }
        for path in no.iter().filter(|path| SecretPath::parse(path).is_ok()) {
            assert!(!check(pattern, path), "{pattern} does not match {path}");
        }
    }
}

#[test]
fn generated_pairs_agree_with_the_model() {
    let random = &mut Random::seeded(seed());
    let mut matched = 0;
    let cases = cases(200_000);
    for _ in 0..cases {
        let pattern = generated::pattern(random, 6);
        let path = match random.below(4) {
            0 => generated::path(random, 6),
            1 => {
                let wider = generated::instance(random, &pattern);
                let more = generated::path(random, 2);
                if more == "/" { wider } else { format!("{}{more}", wider.trim_end_matches('/')) }
            }
            _ => generated::instance(random, &pattern),
        };
        matched += usize::from(check(&pattern, &path));
    }
    assert!(matched > cases / 4 && matched < cases - cases / 20, "{matched} of {cases}");
}

#[test]
fn long_segments_agree_with_the_model() {
    let random = &mut Random::seeded(seed());
    for _ in 0..cases(50_000) {
        let length = 1 + random.below(24);
        let mut segment = random.text(length, "aab*");
        while segment.contains("**") {
            segment = segment.replace("**", "*");
        }
        let length = 1 + random.below(24);
        check(&format!("/{segment}"), &format!("/{}", random.text(length, "aab")));
    }
}

/// As many of the unit as fit.
fn repeated(head: &str, unit: &str, tail: &str, most: usize) -> String {
    let fitting = (1_024 - head.len() - tail.len()) / unit.len();
    format!("{head}{}{tail}", unit.repeat(fitting.min(most)))
}

/// Promise P18. Each case is timed until it was quick enough, for most of a second: what else runs here is not the matcher's.
#[test]
fn the_worst_cases_take_less_than_200_microseconds() {
    let a15 = repeated("", "/aaaaaaaaaaaaaaa", "", 64);
    let long = format!("/{}", "a".repeat(254)).repeat(4);
    for (pattern, path) in [
        (repeated("/**", &format!("/{}*", "*a".repeat(14)), "/X/**", 31), a15.clone()),
        (repeated("/**", &format!("/{}*", "*aa".repeat(7)), "/X/**", 33), a15.clone()),
        (repeated("/**", &format!("/{}*", "*a".repeat(11)), "/X/**", 38), a15.clone()),
        (repeated("/**", "/*aaaaaaab*", "/X/**", 31), repeated("", "/aaaaaaaaaaaaaab", "", 64)),
        (
            repeated("/**", &format!("/{}*", "*ab".repeat(7)), "/X/**", 33),
            repeated("", "/aabababababaab", "", 64),
        ),
        (repeated("/**", "/*a*/**", "/X", 30), a15.clone()),
        (repeated("/**", "/*", "/X/**", 31), a15),
        (repeated("/**/*", "a", "b*/**", 200), long.clone()),
        (repeated("/**/*", "a*", "b/**", 120), long.clone()),
        (format!("/**{}", format!("/*{}b*", "a".repeat(127)).repeat(4)), long),
        (repeated("/", "a*", "b", 120), repeated("/", "a", "", 255)),
    ] {
        let (pattern, path) = (Pattern::parse(&pattern).unwrap(), SecretPath::parse(&path).unwrap());
        let mut fastest = Duration::MAX;
        let is_quick = (0..4_000).any(|_| {
            let start = Instant::now();
            assert!(!pattern.matches(path));
            fastest = start.elapsed().min(fastest);
            fastest < Duration::from_micros(200)
        });
        assert!(is_quick, "{fastest:?} for {pattern} on {path}");
    }
}
