//! The integration tests: one binary, a module a subject.
//!
//! Generated tests are seeded. `KEYGATE_CASES=10` multiplies their numbers of cases, `KEYGATE_SEED=1` gives other
//! cases; a failure prints the seed that brings it back.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

mod access_token;
mod authenticator;
#[cfg(feature = "cache")]
mod cached;
#[cfg(feature = "conformance")]
mod conformance;
mod decision;
mod digest;
mod examples;
mod examples_drivers;
mod faults;
mod header;
mod issuer;
mod leaks;
mod lessons;
mod lessons_of_stores;
mod network;
mod record;
mod refusal;
mod scope;
mod store;
mod support;
#[cfg(feature = "test-kit")]
mod test_kit;
mod time;
mod vectors;
