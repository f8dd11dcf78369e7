//! What a run says: the rules checked, those not checked, and those broken.

use std::error::Error;
use std::fmt;

use super::rule::{Needs, Rule};

/// Which rules were checked, and which were not because the host gave no means to.
#[derive(Clone, Default)]
pub struct Report {
    pub(super) checked: Vec<&'static Rule>,
    pub(super) unchecked: Vec<&'static Rule>,
}

impl Report {
    /// The names of the rules that were checked, broken ones too.
    pub fn checked(&self) -> impl Iterator<Item = &'static str> {
        self.checked.iter().map(|rule| rule.name)
    }

    /// The names of the rules that need what the host did not give: [`plant`](super::Conformance::plant),
    /// [`break_off`](super::Conformance::break_off).
    pub fn unchecked(&self) -> impl Iterator<Item = &'static str> {
        self.unchecked.iter().map(|rule| rule.name)
    }

    /// A line for each of the means that were not there.
    fn fmt_unchecked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (needs, means) in [(Needs::Plant, "plant"), (Needs::BreakOff, "break_off")] {
            let rules = self.unchecked.iter().filter(|rule| rule.needs == needs);
            let names: Vec<&str> = rules.map(|rule| rule.name).collect();
            if !names.is_empty() {
                write!(f, "\nnot checked without `{means}`: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store keeps {} rules", self.checked.len())?;
        self.fmt_unchecked(f)
    }
}

impl fmt::Debug for Report {
    /// By their names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |rules: &[&'static Rule]| rules.iter().map(|rule| rule.name).collect::<Vec<_>>();
        f.debug_struct("Report")
            .field("checked", &names(&self.checked))
            .field("unchecked", &names(&self.unchecked))
            .finish()
    }
}

/// A rule that a store breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The name of the rule, which stays.
    pub rule: &'static str,
    /// What the contract asks for.
    pub expected: &'static str,
    /// What the store did instead.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  expected: {}\n  seen: {}", self.rule, self.expected, self.seen)
    }
}

/// Every rule that a store breaks, and which ones were checked.
#[derive(Clone)]
pub struct Violations {
    pub(super) report: Report,
    pub(super) broken: Vec<Violation>,
}

impl Violations {
    /// What is broken; there is at least one.
    #[must_use]
    pub fn broken(&self) -> &[Violation] {
        &self.broken
    }

    /// What was checked, and what was not.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks {} of {} rules", self.broken.len(), self.report.checked.len())?;
        for violation in &self.broken {
            write!(f, "\n\n{violation}")?;
        }
        if !self.report.unchecked.is_empty() {
            f.write_str("\n")?;
        }
        self.report.fmt_unchecked(f)
    }
}

impl fmt::Debug for Violations {
    /// As `Display`: a test that unwraps the result prints this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Violations {}
