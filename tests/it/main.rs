//! The integration tests: one binary, a module a subject.
//!
//! Generated tests are seeded. `KEYGATE_CASES=10` multiplies their numbers of cases, `KEYGATE_SEED=1` gives other
//! cases; a failure prints the seed that brings it back.

mod header;
mod support;
mod time;
mod vectors;
