//! Stores that fail, and what stands on them: whatever a store does, nobody is let in by it.

pub(crate) mod kit;
mod planted;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use keygate::MemoryStore;

use self::kit::{Stack, cancellation, matrix, waiting};
use self::planted::{Cache, Planted};

fn memory() -> Stack {
    Stack::over(|| Arc::new(MemoryStore::new()))
}

fn cache(planted: Planted) -> Stack {
    Stack { on_top: Box::new(move |faulty| Arc::new(Cache::over(faulty, planted))), ..memory() }
}

/// Each stack goes through all three.
macro_rules! holds {
    ($stack:ident, $make:expr) => {
        mod $stack {
            use super::*;

            #[test]
            fn a_store_that_fails_lets_nobody_in() {
                let combinations = matrix::run(&$make);
                assert!(combinations >= 500, "{combinations}");
            }

            #[test]
            fn a_call_that_is_dropped_is_whole_or_nothing() {
                let dropped = cancellation::run(&$make);
                assert!(dropped >= 300, "{dropped}");
            }

            #[test]
            fn who_waits_beside_a_request_that_fails_is_served() {
                waiting::run(&$make);
            }
        }
    };
}

holds!(over_memory, memory());
holds!(under_a_right_cache, cache(Planted::Nothing));
#[cfg(feature = "cache")]
holds!(under_cached, Stack { on_top: Box::new(|faulty| Arc::new(keygate::Cached::new(faulty))), ..memory() });
#[cfg(feature = "tokio")]
holds!(behind_a_deadline, deadline::stack());

/// What is planted is found, so that what is not found elsewhere is not there.
#[test]
fn what_is_wrong_is_found() {
    let is_found = |run: &dyn Fn()| catch_unwind(AssertUnwindSafe(run)).is_err();
    for planted in Planted::ALL {
        assert!(is_found(&|| assert_ne!(matrix::run(&cache(planted)), 0)), "{planted:?}");
    }
    for planted in [Planted::ForgetsAfterSuccess, Planted::KeepsItsPlace] {
        assert!(is_found(&|| assert_ne!(cancellation::run(&cache(planted)), 0)), "{planted:?}, dropped");
    }
    assert!(is_found(&|| waiting::run(&cache(Planted::KeepsItsPlace))));
}

#[cfg(feature = "tokio")]
mod deadline {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;

    use keygate::Deadline;
    use tokio::runtime::{Builder, Runtime};
    use tokio::time::Instant;

    use super::{Stack, memory};

    const LIMIT: Duration = Duration::from_secs(2);

    thread_local! {
        /// Its clock goes on by itself when everybody waits.
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    }

    pub(super) fn stack() -> Stack {
        Stack {
            on_top: Box::new(|faulty| Arc::new(Deadline::new(faulty, LIMIT).unwrap())),
            drive,
            has_deadline: true,
            ..memory()
        }
    }

    /// No call takes longer than two of the store's do: the one that fails, and the one that looks what became of it.
    fn drive(future: Pin<&mut dyn Future<Output = ()>>) {
        let waited = RUNTIME.with(|runtime| {
            runtime.block_on(async {
                let began = Instant::now();
                future.await;
                began.elapsed()
            })
        });
        assert!(waited <= 2 * LIMIT + Duration::from_millis(2), "{waited:?}");
    }
}
