//! What the benches do alike: credentials, and cases, taken in turn, with their ratios to the first of them.

use std::future::Future;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use keygate::{Lifetime, NewServiceToken};

pub(crate) const CREDENTIALS: usize = 1_024;
const ROUNDS: usize = 201;

/// A service token of three scopes.
pub(crate) fn token(number: usize) -> NewServiceToken {
    let scopes = ["read@web/prod:/app/**", "read,update@web/staging:/**", "*@web/dev:/**"];
    NewServiceToken::new("acme", "web", Lifetime::hours(8))
        .name(&format!("deploy {number}"))
        .scopes(scopes.map(|scope| scope.parse().expect("a scope")))
}

/// Times the cases in one interleaved run, and prints their ratios to the first.
pub(crate) fn compare(cases: &[Case], prefix: &str) {
    // `cargo bench` says `--bench`; without it one round shows that all cases work.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let order = order();
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for _ in 0..rounds {
        cases.iter().zip(&mut times).for_each(|(case, times)| times.push(case.time(&order)));
    }

    let first = cases[0].name;
    println!(
        "one interleaved run, one process: {rounds} rounds of all cases, {CREDENTIALS} credentials in a shuffled order"
    );
    println!("a ratio is the median over rounds of (time of the case / time of {first} in the same round)\n");
    println!("{:<26} {:>10} {:>10} {:>10} {:>16}", "case", "ratio", "10 %", "90 %", "us, this machine");
    let mut lines = String::new();
    for (case, case_times) in cases.iter().zip(&times) {
        let ratios = sorted(case_times.iter().zip(&times[0]).map(|(case, first)| case / first));
        let [low, median, high] = [10, 50, 90].map(|percent| ratios[(ratios.len() - 1) * percent / 100]);
        let times = sorted(case_times.iter().copied());
        let (name, time) = (case.name, times[times.len() / 2] * 1e6);
        println!("{name:<26} {median:>10.2} {low:>10.2} {high:>10.2} {time:>16.2}");
        lines += &format!("ratio {prefix}_{name} {median:.2}\n");
    }
    print!("\n{lines}");
}

/// An operation on the credential of a number, and on how many of them it runs in one batch.
pub(crate) struct Case {
    name: &'static str,
    pub(crate) batch: usize,
    /// Which of its times counts for a batch, each operation timed by itself; without it, their mean.
    pub(crate) percentile: Option<usize>,
    operation: Box<dyn Fn(usize) -> bool>,
}

impl Case {
    pub(crate) fn new(name: &'static str, operation: impl Fn(usize) -> bool + 'static) -> Self {
        Self { name, batch: CREDENTIALS, percentile: None, operation: Box::new(operation) }
    }

    /// Seconds an operation, over one batch. A batch before it keeps a case from paying for the caches that its neighbour left.
    fn time(&self, order: &[usize]) -> f64 {
        let batch = &order[..self.batch];
        let run = |batch: &[usize]| {
            let start = Instant::now();
            batch.iter().for_each(|&at| assert!(black_box((self.operation)(black_box(at)))));
            start.elapsed().as_secs_f64()
        };
        run(batch);
        match self.percentile {
            None => run(batch) / self.batch as f64,
            Some(percentile) => sorted(batch.chunks(1).map(run))[(self.batch - 1) * percentile / 100],
        }
    }
}

/// All credentials, each once, in an order that no prefetcher guesses and that is the same in every run.
fn order() -> Vec<usize> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut order: Vec<usize> = (0..CREDENTIALS).collect();
    order.sort_by_cached_key(|credential| hasher.hash_one(credential));
    order
}

/// The answer of a future that is ready.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("inline, an answer is there at once"),
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
