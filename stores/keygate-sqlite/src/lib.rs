#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// From the bottom up, as in keygate: a file uses only what stands above it.
mod failure;
mod memo;
mod open_error;
mod pool;
mod row;
mod schema;
mod threading;

mod database;
mod open;
mod store;

pub use open::SqliteStoreBuilder;
pub use open_error::OpenError;
pub use store::SqliteStore;
pub use threading::Threading;
