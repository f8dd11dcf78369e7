#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// From the bottom up, as in keygate: a file uses only what stands above it.
mod failure;
mod memo;
mod pool;
mod row;
mod schema;
mod threading;

mod database;
mod open;
mod store;

pub use open::{OpenError, SqliteStoreBuilder};
pub use store::SqliteStore;
pub use threading::Threading;
