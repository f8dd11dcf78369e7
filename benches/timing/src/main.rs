//! Does the time that a comparison takes tell how far it got? `scripts/timing.sh` runs this, in release mode.
//!
//! The method is dudect's (Reparaz, Balasch, Verbauwhede: *Dude, is my code constant time?*, 2017): two classes of
//! input, chosen at random for each sample, and Welch's t-test on the times. It can find a leak, never prove that
//! there is none. So each question has a control: the same code with a byte-by-byte comparison planted into it,
//! which must be found, or the run says nothing. The statistics are ours because the crates that have them keep the
//! samples to themselves, and the promise counts samples *after* cropping.
#![forbid(unsafe_code)]

mod leaks;
mod medians;
mod random;
mod welch;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "usage: keygate-timing [SAMPLES A CLASS [RUNS]]";

/// Above it, the times of two classes differ (dudect's threshold).
const LEAK: f64 = 4.5;
/// What a planted leak must reach.
const FOUND: f64 = 10.0;
/// How far the medians of two refusals may be apart.
const APART: f64 = 0.15;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).map(|argument| argument.parse()).collect();
    let (samples, runs) = match arguments.as_slice() {
        [] => (1_000_000, 3),
        [Ok(samples)] => (*samples, 3),
        [Ok(samples), Ok(runs)] => (*samples, *runs),
        _ => (0, 0),
    };
    if samples == 0 || runs == 0 {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match judge(samples, runs) {
        Ok(Verdict::Holds) => ExitCode::SUCCESS,
        Ok(Verdict::Leaks) => ExitCode::from(1),
        Ok(Verdict::Void) => {
            println!("a control was not found: this run says nothing, neither good nor bad");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// From good to bad, so that the worst of several is their maximum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Holds,
    Leaks,
    Void,
}

/// Answers all questions, a line each, and returns the worst verdict.
fn judge(samples: usize, runs: usize) -> Result<Verdict, Box<dyn Error>> {
    println!("{runs} runs of {samples} samples a class, after cropping");
    let mut worst = Verdict::Holds;
    for question in leaks::questions()? {
        let mut numbers = Vec::new();
        for _ in 0..runs {
            numbers.push(question.largest_t(samples)?);
        }
        let verdict = if question.is_control {
            if numbers.iter().all(|t| *t > FOUND) { Verdict::Holds } else { Verdict::Void }
        } else if numbers.iter().all(|t| *t < LEAK) {
            Verdict::Holds
        } else {
            Verdict::Leaks
        };
        let limit = if question.is_control { format!("> {FOUND}") } else { format!("< {LEAK}") };
        line(question.name, "|t|", &numbers, &limit, verdict);
        worst = worst.max(verdict);
    }
    for comparison in medians::comparisons(samples, runs)? {
        let close = comparison.ratios.iter().all(|ratio| (ratio - 1.0).abs() <= APART);
        let verdict = if close { Verdict::Holds } else { Verdict::Leaks };
        line(comparison.name, "ratio", &comparison.ratios, &format!("1 ± {APART}"), verdict);
        worst = worst.max(verdict);
    }
    Ok(worst)
}

fn line(question: &str, unit: &str, numbers: &[f64], limit: &str, verdict: Verdict) {
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:.2}")).collect();
    let verdict = match verdict {
        Verdict::Holds => "holds",
        Verdict::Leaks => "LEAKS",
        Verdict::Void => "VOID",
    };
    println!("{question:<58} {unit:>5} {:<24} {limit:<9} {verdict}", numbers.join("  "));
}
