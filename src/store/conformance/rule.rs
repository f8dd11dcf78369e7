//! A rule, as a line in a table.

use std::pin::Pin;

use super::bench::Bench;
use super::seen::Checked;

/// A rule of the contract. A new one is a function, and a line in the table of its file.
pub(super) struct Rule {
    /// Hosts may know it by this: it stays.
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) needs: Needs,
    pub(super) check: fn(Bench) -> Checking,
}

/// What a host has to be able to do. Where that is anything, the store holds what `faults::sow` gave it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Plant,
    BreakOff,
}

pub(super) type Checking = Pin<Box<dyn Future<Output = Checked> + Send>>;

/// A line in a table of rules.
macro_rules! rule {
    ($name:literal, $check:ident, $expected:literal) => {
        rule!(Nothing, $name, $check, $expected)
    };
    ($needs:ident, $name:literal, $check:ident, $expected:literal) => {
        Rule {
            name: $name,
            expected: $expected,
            needs: $crate::store::conformance::rule::Needs::$needs,
            check: |bench| Box::pin($check(bench)),
        }
    };
}
pub(super) use rule;
