//! What the benchmark `ratios` compares: the floor, keygate, and what a user would pick instead.

pub mod floor;
