//! Header lines: the library and the tests' independent reading of the specification agree.
//!
//! The first byte chooses a policy. Lines are separated by 0x1E, names and values by 0x1F.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/header/library.rs"]
mod library;
#[path = "../../tests/it/header/model.rs"]
mod model;

fuzz_target!(|input: &[u8]| {
    let Some((choice, lines)) = input.split_first() else { return };
    let headers: Vec<(Vec<u8>, Vec<u8>)> = lines
        .split(|byte| *byte == 0x1e)
        .filter_map(|line| line.iter().position(|byte| *byte == 0x1f).map(|at| line.split_at(at)))
        .map(|(name, value)| (name.to_vec(), value[1..].to_vec()))
        .collect();
    let policies = library::policies();
    let policy = &policies[usize::from(*choice) % policies.len()];
    assert_eq!(library::judge(&library::policy(policy), &headers), model::judge(policy, &headers));
});
