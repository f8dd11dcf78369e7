//! Randomness that a seed repeats: a failing test prints its seed, and the seed brings the failure back.

use std::sync::Mutex;

use keygate::{RandomError, RandomSource};

/// xorshift64*: small and the same everywhere, and no more than a test needs.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring streams, and zero is a fixed point.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.number().to_be_bytes()[0]
    }

    /// Any of `0..limit`; 0 for a limit of 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap().max(1);
        usize::try_from((self.number() >> 16) % limit).unwrap()
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A text of this length over these characters.
    pub(crate) fn text(&mut self, length: usize, alphabet: &str) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

/// The same as a source for drawing credentials.
#[derive(Debug)]
pub(crate) struct SeededSource(Mutex<Random>);

impl SeededSource {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Random::seeded(seed)))
    }
}

impl RandomSource for SeededSource {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut random = self.0.lock().unwrap();
        out.fill_with(|| random.byte());
        Ok(())
    }
}

/// How many cases a generated test runs: its own number, times `KEYGATE_CASES` where that is set.
pub(crate) fn cases(usual: usize) -> usize {
    usual * variable("KEYGATE_CASES").map_or(1, |times| usize::try_from(times).unwrap())
}

/// The seed of a generated test: `KEYGATE_SEED` where that is set, else the same every time.
pub(crate) fn seed() -> u64 {
    variable("KEYGATE_SEED").unwrap_or(20_260_114)
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}
