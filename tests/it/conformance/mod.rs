//! The kit that proves a store: a right one passes, and each wrong one is caught by the rule that it breaks.

#[path = "../../../examples/own_store.rs"]
mod own_store;
mod report;
mod right;
mod rows;
mod wrong;
