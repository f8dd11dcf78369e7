//! What does it cost to draw a new credential: with the operating system's randomness, and without it?

use std::error::Error;

use criterion::Criterion;
use keygate::{DigestKeys, Kind, RandomError, RandomSource, SystemRandom};

/// No randomness at all, so that only keygate's part is measured.
struct Zeros;

impl RandomSource for Zeros {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(0);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let keys = DigestKeys::ephemeral()?;
    let sources: [(&str, &dyn RandomSource); 2] =
        [("system randomness", &SystemRandom), ("keygate's part", &Zeros)];

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("issue");
    for (name, source) in sources {
        group.bench_function(name, |bencher| bencher.iter(|| keys.draw(Kind::ServiceToken, source)));
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
