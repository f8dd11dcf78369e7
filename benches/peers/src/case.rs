//! One thing to measure, timed and counted in the same way for all.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::time::Instant;

use crate::CREDENTIALS;

/// An operation on the credential of a number, and how often it runs in one batch.
pub struct Case {
    name: &'static str,
    batch: usize,
    run: Box<Batch>,
}

/// Runs the operation on each of these credentials.
type Batch = dyn Fn(&[usize]);

impl Case {
    /// A case whose batch is one pass over all credentials. The operation tells whether it ended as it should.
    pub fn new(name: &'static str, operation: impl Fn(usize) -> bool + 'static) -> Self {
        let run = move |order: &[usize]| {
            for &credential in order {
                assert!(black_box(operation(black_box(credential))), "{name} ended otherwise");
            }
        };
        Self { name, batch: CREDENTIALS, run: Box::new(run) }
    }

    /// The same with a smaller batch, for what takes milliseconds.
    pub fn batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// What it is called in the output.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs one batch.
    pub fn run(&self, order: &[usize]) {
        (self.run)(&order[..self.batch]);
    }

    /// Nanoseconds an operation, over one batch; a full batch runs once before, so that no case pays for the
    /// caches that its neighbour left behind.
    pub fn time(&self, order: &[usize]) -> f64 {
        if self.batch == CREDENTIALS {
            self.run(order);
        }
        let start = Instant::now();
        self.run(order);
        start.elapsed().as_secs_f64() * 1e9 / self.batch as f64
    }

    /// Heap allocations an operation, over one batch.
    pub fn allocations(&self, order: &[usize]) -> f64 {
        let counted = allocation_counter::measure(|| self.run(order));
        counted.count_total as f64 / self.batch as f64
    }
}

/// All credentials, each once, in an order that no prefetcher guesses and that is the same in every run.
pub fn order() -> Vec<usize> {
    order_of(CREDENTIALS)
}

/// The same of so many.
pub fn order_of(credentials: usize) -> Vec<usize> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut order: Vec<usize> = (0..credentials).collect();
    order.sort_by_cached_key(|credential| hasher.hash_one(credential));
    order
}
