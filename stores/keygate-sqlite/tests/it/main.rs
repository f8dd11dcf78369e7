//! The store in a SQLite file: what it promises, on files of every sort.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

mod child;
mod damage;
mod example;
mod full;
mod golden;
mod hostile;
mod model;
mod opening;
mod processes;
mod secrets;
mod strangers;
mod support;
mod threads;
mod uses;
