//! The one or two secrets of a record.

use crate::{Digest, Timestamp};

/// A secret as a record holds it: its digest, and a number that tells it from the record's other ones.
///
/// Numbers count up by rotation and are never used again, so a use, or a caller, can say by which secret it was.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a number and a digest")]
pub struct StoredSecret {
    /// Which of the record's secrets, counted from 1.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
}

/// A secret that a rotation replaced, accepted until the overlap ends.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a secret, its end, and why")]
pub struct Retiring {
    /// The secret.
    pub secret: StoredSecret,
    /// The first second at which it is not accepted any more; [`Timestamp::MIN`] where it was ended at once, so that no
    /// clock that is behind accepts it again. Keep it as a number: no date reaches so far.
    pub ends_at: Timestamp,
    /// Why it leaked, where that is why it was replaced: 1–200 characters, no control characters.
    pub leak: Option<Box<str>>,
}
