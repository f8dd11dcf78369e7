//! What the benchmark `ratios` compares: the floor, keygate, and what a user would pick instead.
//!
//! Every case does the same work, from a header's value to "who is it, and may it", over the same number of
//! credentials in the same order; a case that does less says so. All are [`Case`]s, so they differ in nothing but the
//! operation.

pub mod access_token;
pub mod account;
pub mod bcrypt;
pub mod case;
pub mod driven;
pub mod floor;
pub mod jwt;
pub mod naive;
pub mod prefixed;
pub mod pure;

pub use case::Case;

/// How many credentials each case holds and presents: more than fit into the nearest cache, as in a real host.
pub const CREDENTIALS: usize = 1_024;
