//! Reading a value takes time in proportion to its length, whatever is in it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use keygate::header;

/// Promise P6: a value of 8,192 bytes takes at most 20 times as long as one of 512, which is 16 times shorter.
#[test]
fn time_grows_with_length_and_no_faster() {
    for (what, filling) in [
        ("spaces before the credential", ' '),
        ("an endless id", 'a'),
        ("dots", '.'),
        ("padding", '='),
        ("other bytes", '\u{7f}'),
    ] {
        let value = |length: usize| {
            let middle: String = std::iter::repeat_n(filling, length - "Bearer sa.".len() - 2).collect();
            format!("Bearer sa.{middle}.A")
        };
        let (short, long) = (value(512), value(8_192));
        // Another process may take the processor away from any one run, hardly from the best of twenty each time.
        let mut least = f64::INFINITY;
        let is_in_proportion = (0..50).any(|_| {
            let ratio = best_of_twenty(&long).as_secs_f64() / best_of_twenty(&short).as_secs_f64();
            least = least.min(ratio);
            least <= 20.0
        });
        assert!(is_in_proportion, "{what}: sixteen times the length takes {least:.1} times as long");
    }
}

fn best_of_twenty(value: &str) -> Duration {
    let once = || {
        let start = Instant::now();
        for _ in 0..50 {
            black_box(header::present(black_box([("authorization", value)])).is_ok());
        }
        start.elapsed()
    };
    (0..20).map(|_| once()).min().unwrap()
}
