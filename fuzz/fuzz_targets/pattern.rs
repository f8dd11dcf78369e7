//! Patterns: what is taken contains itself and is contained in everything.
#![no_main]

use keygate::{Containment, Pattern, Scope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(pattern) = Pattern::parse(text) else {
        assert!(Scope::parse(&format!("read@web/prod:{text}")).is_err());
        return;
    };
    assert_eq!(pattern.as_str(), text);
    assert_eq!(pattern.contains(pattern), Containment::Contained);
    assert_eq!(Pattern::parse("/**").unwrap().contains(pattern), Containment::Contained);
    let scope = format!("read@web/prod:{text}");
    assert_eq!(Scope::parse(&scope).unwrap().as_str(), scope);
});
