//! A pattern and a path, one a line: the matcher agrees with the definition, tried out letter by letter.
#![no_main]

use std::collections::HashMap;

use keygate::{Pattern, SecretPath};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some((pattern, path)) = text.split_once('\n') else { return };
    let (Ok(read), Ok(path)) = (Pattern::parse(pattern), SecretPath::parse(path)) else { return };
    let segments = |text: &str| {
        text.split('/').skip(1).filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
    };
    let (pattern, segments_of_path): (Vec<String>, Vec<String>) =
        (segments(pattern), segments(path.as_str()));
    assert_eq!(read.matches(path), matches(&pattern, &segments_of_path, &mut HashMap::new()));
});

/// `**` is any number of whole segments, also none.
fn matches(pattern: &[String], path: &[String], known: &mut HashMap<(usize, usize), bool>) -> bool {
    if let Some(known) = known.get(&(pattern.len(), path.len())) {
        return *known;
    }
    let answer = match (pattern, path) {
        ([], path) => path.is_empty(),
        ([any, rest @ ..], path) if any == "**" => {
            matches(rest, path, known) || (!path.is_empty() && matches(pattern, &path[1..], known))
        }
        (_, []) => false,
        ([first, pattern @ ..], [segment, path @ ..]) => {
            matches_segment(first.as_bytes(), segment.as_bytes()) && matches(pattern, path, known)
        }
    };
    known.insert((pattern.len(), path.len()), answer);
    answer
}

/// `*` is any run of characters, also an empty one: each row says which beginnings of the segment are matched.
fn matches_segment(pattern: &[u8], segment: &[u8]) -> bool {
    let mut row: Vec<bool> = (0..=segment.len()).map(|length| length == 0).collect();
    for letter in pattern {
        row = match letter {
            b'*' => (0..row.len()).map(|length| row[..=length].contains(&true)).collect(),
            _ => (0..row.len())
                .map(|length| length > 0 && row[length - 1] && segment[length - 1] == *letter)
                .collect(),
        };
    }
    row.last() == Some(&true)
}
