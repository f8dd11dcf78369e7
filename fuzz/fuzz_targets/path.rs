//! Paths: what is taken is in the one spelling that a folder has.
#![no_main]

use keygate::{Pattern, SecretPath};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(path) = SecretPath::parse(text) else { return };
    assert_eq!(path.as_str(), text);
    assert!(text.len() <= 1_024);
    let segments = text.strip_prefix('/').unwrap();
    assert!(text == "/" || segments.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
    assert!(segments.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)));
    // A path is a pattern for itself.
    assert!(Pattern::parse(text).unwrap().matches(path));
});
