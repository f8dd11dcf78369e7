//! How long something works, on a machine that does other things as well.

use std::fs;
use std::time::{Duration, Instant};

/// What this comes to, and how long it takes: without what the thread waits for a processor, where the system tells that, to a
/// few milliseconds.
pub(crate) fn work_of<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let (before, began) = (worked().unwrap_or_default(), Instant::now());
    let result = run();
    let elapsed = began.elapsed();
    (result, worked().map_or(elapsed, |worked| worked.saturating_sub(before).min(elapsed)))
}

/// Of this thread; none in its first milliseconds, and elsewhere than on Linux.
fn worked() -> Option<Duration> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = told.split(' ').next()?.parse().ok()?;
    (nanoseconds > 0).then_some(Duration::from_nanos(nanoseconds))
}
