//! What several tests share.

pub(crate) mod edits;
pub(crate) mod fixtures;
pub(crate) mod random;
pub(crate) mod work;
