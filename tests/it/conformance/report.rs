//! What a run says: in words that name the rule, and with what was not checked.

use std::thread;

use keygate::conformance::{self, Conformance, Violations};
use keygate::{Inserted, MemoryStore, Record, SlotCount, Timestamp, Updated};
use pollster::block_on;

use super::rows::{Answer, Flaw, Flawed, Row, Rows};

const UNCHECKED: &str = "
not checked without `plant`: corrupt-is-not-absent, corrupt-fails-listings, corrupt-fails-counts, corrupt-saves-nobody, \
corrupt-is-skipped
not checked without `break_off`: a-failure-is-an-error";

fn violations<F: Flaw>() -> Violations {
    block_on(conformance::run(async || Flawed::<F>::default())).unwrap_err()
}

/// What was seen where the rule of this name was checked.
fn seen(violations: &Violations, rule: &str) -> String {
    violations.broken().iter().find(|violation| violation.rule == rule).unwrap().seen.clone()
}

#[derive(Default)]
struct InsertOverwrites;

impl Flaw for InsertOverwrites {
    fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
        rows.open()?.insert(record.key(), Row::of(record));
        Ok(Inserted::Yes)
    }
}

#[test]
fn violations_tell_what_was_expected_and_what_was_seen() {
    let violations = violations::<InsertOverwrites>();
    let expected = "the store breaks 2 of 40 rules

insert-if-absent
  expected: of a kind and id that are there, an insert answers IdTaken and changes nothing, whosever the records are, dead or not
  seen: a second insert of ak.live: Yes instead of IdTaken

one-of-many-inserts
  expected: of 64 inserts of one id at once exactly one answers Yes, and nothing of the others is left
  seen: 64 of 64 inserts answered Yes
";
    assert_eq!(violations.to_string(), format!("{expected}{UNCHECKED}"));
    assert_eq!(format!("{violations:?}"), violations.to_string(), "which is what an unwrap prints");
    assert_eq!(violations.report().checked().count(), 40);
    let source: &dyn std::error::Error = &violations;
    assert!(source.source().is_none());
}

#[test]
fn a_report_names_what_was_not_checked() {
    let report = block_on(conformance::run(async || MemoryStore::new())).unwrap();
    assert_eq!(report.to_string(), format!("the store keeps 40 rules{UNCHECKED}"));
    let planted = Conformance::new(async || MemoryStore::new()).break_off(async |_| ());
    assert_eq!(format!("{planted:?}"), "Conformance { spawn: false, plant: false, break_off: true, .. }");
    let violations = block_on(planted.run()).unwrap_err();
    assert_eq!(violations.report().unchecked().count(), 5);
    assert_eq!(
        seen(&violations, "a-failure-is-an-error"),
        "read, of a store that fails: Ok, and no error",
        "a store that was not broken off is not right"
    );
    let mut names: Vec<_> = report.checked().chain(report.unchecked()).collect();
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 46, "every name is of one rule");
}

#[derive(Default)]
struct Panics;

impl Flaw for Panics {
    fn count_slots(&self, _: &Rows, _: Timestamp) -> Answer<Vec<SlotCount>> {
        panic!("not implemented: {}", "count_slots")
    }
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        assert_ne!(thread::current().name(), Some("keygate-conformance"), "no runtime");
        rows.update(seen, record)
    }
}

/// On the kit's threads as well as on the host's; the other rules are checked all the same.
#[test]
fn a_panic_breaks_the_rule_that_met_it() {
    let violations = violations::<Panics>();
    let broken: Vec<_> = violations.broken().iter().map(|violation| violation.rule).collect();
    let met = [
        "one-of-many-updates",
        "purge-spares-the-prolonged",
        "no-update-is-lost",
        "rotation-is-atomic",
        "revocation-outlasts-updates",
        "uses-and-updates-at-once",
        "purged-is-forgotten",
        "slots-are-counted",
    ];
    assert_eq!(broken, met);
    assert_eq!(seen(&violations, "slots-are-counted"), "a panic: not implemented: count_slots");
    assert_eq!(
        seen(&violations, "one-of-many-updates"),
        "a task without an answer: it panicked, or was dropped by who was to run it"
    );
}

/// Nobody waits for what will never be run.
#[test]
fn a_spawner_that_drops_what_it_is_given() {
    let violations = block_on(Conformance::new(async || MemoryStore::new()).spawn(drop).run()).unwrap_err();
    assert_eq!(violations.broken().len(), 8);
    assert!(
        violations.broken().iter().all(|violation| violation.seen.starts_with("a task without an answer"))
    );
}
