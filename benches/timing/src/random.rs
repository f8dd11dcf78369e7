//! Random choices: which class is next, which bytes.

use keygate::{RandomError, RandomSource as _, SystemRandom};

/// SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014), seeded by the system.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Result<Self, RandomError> {
        let mut seed = [0; 8];
        SystemRandom.fill(&mut seed)?;
        Ok(Self(u64::from_le_bytes(seed)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A byte that changes whatever it is XORed into.
    pub(crate) fn nonzero(&mut self) -> u8 {
        (1 + self.next() % 255) as u8
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        bytes
    }
}
