//! Which slots' keys are still needed.

use std::collections::BTreeMap;

use crate::{Record, Timestamp};

/// How many stored secrets need the key of a slot.
///
/// While `digests` is not zero, the key stays whole: without it these credentials are *undecided*, or, where their guard is
/// checked first, *denied*. While `guards` is not zero, it stays at least as guard only
/// ([`DigestKeys::guard_only_text`](crate::DigestKeys::guard_only_text)): without it, where the lookup has to be asked, they
/// are *denied*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store makes these three values")]
pub struct SlotCount {
    /// Which slot, 0..=63.
    pub slot: u8,
    /// Secrets whose digest was made with its key.
    pub digests: u64,
    /// Secrets whose text has a guard that was made with its key.
    pub guards: u64,
}

/// Counts which slots' keys records need at a time: what [`Store::count_slots`](crate::Store::count_slots) answers.
#[derive(Clone, Debug)]
pub struct SlotTally {
    now: Timestamp,
    slots: BTreeMap<u8, SlotCount>,
}

impl SlotTally {
    /// Nothing counted yet, at this time.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { now, slots: BTreeMap::new() }
    }

    /// Counts a record: its current secret, and its retiring one while the overlap lasts.
    pub fn add(&mut self, record: &Record) {
        let retiring = record.overlapping(self.now).map(|retiring| &retiring.secret);
        for secret in [Some(record.current()), retiring].into_iter().flatten() {
            self.count(secret.digest.slot(), 1, 0);
            secret.digest.guard_slot().into_iter().for_each(|slot| self.count(slot, 0, 1));
        }
    }

    /// What was counted, in the order of slots.
    #[must_use]
    pub fn counts(self) -> Vec<SlotCount> {
        self.slots.into_values().collect()
    }

    fn count(&mut self, slot: u8, digests: u64, guards: u64) {
        let counted = self.slots.entry(slot).or_insert(SlotCount { slot, digests: 0, guards: 0 });
        counted.digests = counted.digests.saturating_add(digests);
        counted.guards = counted.guards.saturating_add(guards);
    }
}
