//! Which fetches an invalidation has overtaken.

use std::array;
use std::hash::BuildHasher as _;
#[cfg(not(keygate_loom))]
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
#[cfg(keygate_loom)]
use loom::sync::atomic::{AtomicU64, Ordering};

use crate::CredentialKey;

/// How many generations there are: an invalidation forgets one in a thousand of the others too, and needs no memory.
const STRIPES: usize = if cfg!(keygate_loom) { 1 } else { 1024 };

/// A number for each credential, shared with a few others, that only grows: an invalidation raises it.
///
/// Whoever fetches notes the number *before* the fetch begins, and whoever uses what was fetched compares it with the number
/// of now. So what was fetched before an invalidation is worth nothing after it, however late it arrives and wherever it is
/// kept: nothing has to be removed, and a fill cannot undo an invalidation.
///
/// Why that holds across threads: a write is done before the number is raised (release), and a fetch begins after the
/// number was read (acquire). A fetch that read the raised number sees the write.
pub(super) struct Generations {
    hasher: RandomState,
    stripes: Box<[AtomicU64; STRIPES]>,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::default(), stripes: Box::new(array::from_fn(|_| AtomicU64::new(0))) }
    }

    /// The generation of this credential.
    #[inline]
    pub(super) fn of(&self, key: &CredentialKey) -> u64 {
        self.stripe(key).load(Ordering::Acquire)
    }

    /// What was fetched of this credential up to now is worth nothing any more.
    pub(super) fn raise(&self, key: &CredentialKey) {
        self.stripe(key).fetch_add(1, Ordering::AcqRel);
    }

    /// The same for all credentials.
    pub(super) fn raise_all(&self) {
        for stripe in self.stripes.iter() {
            stripe.fetch_add(1, Ordering::AcqRel);
        }
    }

    #[inline]
    fn stripe(&self, key: &CredentialKey) -> &AtomicU64 {
        let [high, low, ..] = self.hasher.hash_one(key).to_be_bytes();
        let [first, ..] = &*self.stripes;
        self.stripes.get(usize::from(u16::from_be_bytes([high, low]) >> 6) % STRIPES).unwrap_or(first)
    }
}
