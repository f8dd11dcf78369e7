//! Containment of patterns against a second decision procedure, in both directions.

use std::time::Duration;

use keygate::{Containment, Pattern, SecretPath};

use super::{generated, model};
use crate::support::random::{Random, cases, seed};
use crate::support::work::work_of;

fn contains(wider: &str, narrower: &str) -> Containment {
    Pattern::parse(wider).unwrap().contains(Pattern::parse(narrower).unwrap())
}

/// A yes must have no path against it, and a no must have one, which both matchers agree on.
#[track_caller]
fn check(wider: &str, narrower: &str) -> Option<bool> {
    let Ok(witness) = model::witness(narrower, wider, 20_000) else { return None };
    let case = format!("{wider} contains {narrower}, seed {}", seed());
    match witness {
        Some(path) => {
            assert!(model::matches(narrower, &path) && !model::matches(wider, &path), "{case}: {path}");
            let regular = SecretPath::parse(&path).unwrap();
            assert!(Pattern::parse(narrower).unwrap().matches(regular), "{case}: {path}");
            assert!(!Pattern::parse(wider).unwrap().matches(regular), "{case}: {path}");
            assert_eq!(contains(wider, narrower), Containment::NotContained, "{case}: {path}");
            Some(false)
        }
        None => {
            assert_eq!(contains(wider, narrower), Containment::Contained, "{case}");
            Some(true)
        }
    }
}

#[test]
fn spellings_of_the_same_language_contain_each_other() {
    for (a, b) in [
        ("/*/**", "/**/*"),
        ("/*/**/*", "/**/*/*"),
        ("/**/*/**", "/*/**"),
        ("/a/**/*", "/a/*/**"),
        ("/*/*/**/*", "/**/*/*/*"),
        ("/**/*/**/*/**", "/*/*/**"),
        ("/**/a/**/*", "/**/a/*/**"),
    ] {
        assert_eq!(check(a, b), Some(true));
        assert_eq!(check(b, a), Some(true));
    }
}

#[test]
fn near_misses() {
    for (wider, narrower, contained) in [
        ("/*/**", "/**/x", true),
        ("/**/x", "/*/**", false),
        ("/a*b*", "/ab", true),
        ("/a*b*", "/a*b", true),
        ("/a*b*", "/*ab*", false),
        ("/*a*b*", "/*ab*", true),
        ("/*ab*", "/*a*b*", false),
        ("/*a*", "/*a*a*", true),
        ("/*a*a*", "/*a*", false),
        ("/a/**", "/a", true),
        ("/a/*", "/a/**", false),
        ("/a/**", "/ab/**", false),
        ("/*", "/a*", true),
        ("/*", "/", false),
        ("/*/*", "/**", false),
        ("/**/a/**", "/**/a/**/a", true),
        ("/**/a/*/**", "/**/a/**/b", true),
        // No path has a segment `.` or `..`, so these differ only in what is no path.
        ("/.*", "/..*", true),
        ("/*.*", "/.*", true),
        ("/*.*.*", "/.*.", true),
        ("/.*.", "/..*", false),
        ("/.*", "/*.", false),
    ] {
        assert_eq!(check(wider, narrower), Some(contained), "{wider} contains {narrower}");
    }
}

#[test]
fn every_pair_of_short_patterns() {
    let parts = ["*", "**", "a", "a*", "*a*"];
    let mut patterns = vec![String::new()];
    for _ in 0..3 {
        let longer: Vec<String> =
            patterns.iter().flat_map(|start| parts.map(|part| format!("{start}/{part}"))).collect();
        patterns.extend(longer);
    }
    patterns.sort();
    patterns.dedup();
    patterns.retain(|pattern| Pattern::parse(pattern).is_ok());
    let contained: usize = patterns
        .iter()
        .flat_map(|wider| patterns.iter().filter(move |narrower| check(wider, narrower) == Some(true)))
        .count();
    assert!(contained > patterns.len(), "{contained} among {}", patterns.len());
}

#[test]
fn generated_pairs_agree_with_the_model() {
    let random = &mut Random::seeded(seed());
    let (mut yes, mut no, mut skipped) = (0, 0, 0);
    for _ in 0..cases(30_000) {
        let wider = generated::pattern(random, 4);
        let narrower = match random.below(4) {
            0 => generated::pattern(random, 4),
            1 => generated::narrowed(random, &wider),
            _ => {
                let once = generated::narrowed(random, &wider);
                generated::narrowed(random, &once)
            }
        };
        let (wider, narrower) = if random.one_in(4) { (narrower, wider) } else { (wider, narrower) };
        match check(&wider, &narrower) {
            Some(true) => yes += 1,
            Some(false) => no += 1,
            None => skipped += 1,
        }
    }
    assert!(yes > skipped * 20 && no > skipped * 20, "{yes} yes, {no} no, {skipped} skipped");
}

/// Promise P16, of patterns: a pattern contains itself, and what it is contained in contains what it contains.
#[test]
fn reflexive_and_transitive() {
    let random = &mut Random::seeded(seed());
    let mut chains = 0;
    for _ in 0..cases(100_000) {
        let a = generated::pattern(random, 4);
        let b = generated::narrowed(random, &a);
        let c = generated::narrowed(random, &b);
        assert_eq!(contains(&a, &a), Containment::Contained, "{a}");
        assert_eq!(contains("/**", &a), Containment::Contained, "{a}");
        if contains(&a, &b) == Containment::Contained && contains(&b, &c) == Containment::Contained {
            chains += 1;
            assert_eq!(contains(&a, &c), Containment::Contained, "{a} {b} {c}, seed {}", seed());
        }
    }
    assert!(chains > 50_000, "{chains}");
}

/// Promises P15 and P18: whatever the patterns, an answer comes soon; what has too many states is not contained.
#[test]
fn the_budget_holds() {
    let written = |parts: &[&str]| format!("/{}", parts.join("/"));
    let gaps = written(&["**", "a"].repeat(31));
    let stars = |count: usize| vec!["*"; count];
    let mut too_complex = 0;
    let mut bombs: Vec<(String, String)> = Vec::new();
    for count in [10, 20, 30, 40, 60] {
        let window = written(&[vec!["**", "a"], stars(count)].concat());
        let ended = written(&[vec!["**", "a*"], stars(count), vec!["*b", "**"]].concat());
        let open = format!("{window}/**");
        bombs.push((window.clone(), gaps.clone()));
        bombs.push((window, written(&["**", "a", "*"].repeat(20))));
        bombs.push((open, written(&["**", "a", "*"].repeat(20))));
        bombs.push((ended, written(&[["**", "a*b"].repeat(15), stars(30)].concat())));
    }
    let many = "*a".repeat(126);
    bombs.push((format!("/{many}*").repeat(4), format!("/{many}").repeat(4)));
    let (b, c) = ("a*".repeat(100), "*a*aa".repeat(40));
    bombs.push((format!("/**/{c}/**/{c}*/**"), format!("/**/{b}b").repeat(3)));
    let run = "a".repeat(200);
    bombs.push((format!("/*{run}*/*{run}b*/**"), format!("/*{run}a*").repeat(3)));
    for (wider, narrower) in &bombs {
        assert_eq!(contains(wider, wider), Containment::Contained, "{wider}");
        let answer = contains(wider, narrower);
        let (answers, fastest): (Vec<_>, Vec<_>) =
            (0..5).map(|_| work_of(|| contains(wider, narrower))).unzip();
        assert!(answers.iter().all(|again| *again == answer), "{wider} contains {narrower}");
        let fastest = fastest.into_iter().min();
        assert!(fastest < Some(Duration::from_millis(50)), "{fastest:?} for {wider} contains {narrower}");
        too_complex += usize::from(answer == Containment::TooComplex);
    }
    assert!(too_complex > 0);
}
