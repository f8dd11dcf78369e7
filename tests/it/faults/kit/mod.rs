//! What hosts do, over a store that fails in every way at each of its calls: for any store, and for what stands on one.
//!
//! It needs nothing of the other tests, so that a store's own package takes it in by `#[path]` and says what its stack is:
//!
//! ```text
//! let stack = Stack::over(|| Arc::new(MyStore::open()));                                    // the store alone
//! let stack = Stack { on_top: Box::new(|faulty| Arc::new(MyCache::new(faulty))), ..stack }; // and what stands on it
//! matrix::run(&stack);
//! cancellation::run(&stack);
//! waiting::run(&stack);
//! ```

pub(crate) mod cancellation;
pub(crate) mod faulty;
mod host;
pub(crate) mod matrix;
mod operation;
pub(crate) mod waiting;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};

use keygate::Store;

use self::faulty::Faulty;

/// A store, the faults over it, and what stands on top of these.
pub(crate) struct Stack {
    pub(crate) base: Box<dyn Fn() -> Arc<dyn Store>>,
    pub(crate) on_top: Box<dyn Fn(Arc<Faulty>) -> Arc<dyn Store>>,
    /// Runs a future to its end, or drops it where it never ends.
    pub(crate) drive: fn(Pin<&mut dyn Future<Output = ()>>),
    /// Whether a store that is silent is unavailable after a while, so that nothing has to be dropped.
    pub(crate) has_deadline: bool,
}

/// How a future ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    With(T),
    /// It waited for ever, and was dropped.
    Dropped,
    Panicked,
}

impl Stack {
    /// A store on which nothing stands; it answers whenever it is polled.
    pub(crate) fn over(base: impl Fn() -> Arc<dyn Store> + 'static) -> Self {
        Self {
            base: Box::new(base),
            on_top: Box::new(|faulty| faulty),
            drive: poll_or_drop,
            has_deadline: false,
        }
    }

    fn build(&self) -> (Arc<Faulty>, Arc<dyn Store>) {
        let faulty = Faulty::over((self.base)());
        (Arc::clone(&faulty), (self.on_top)(faulty))
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> Ended<T> {
        let mut output = None;
        let driven = catch_unwind(AssertUnwindSafe(|| {
            (self.drive)(pin!(async { output = Some(future.await) }));
        }));
        match (driven, output) {
            (Err(_), _) => Ended::Panicked,
            (Ok(()), Some(output)) => Ended::With(output),
            (Ok(()), None) => Ended::Dropped,
        }
    }

    /// What a future comes to that nothing keeps from its end.
    #[track_caller]
    fn finish<T>(&self, future: impl Future<Output = T>) -> T {
        match self.run(future) {
            Ended::With(output) => output,
            Ended::Dropped => panic!("it waits for ever"),
            Ended::Panicked => panic!("it panicked"),
        }
    }
}

/// Polls more often than any call here needs.
fn poll_or_drop(mut future: Pin<&mut dyn Future<Output = ()>>) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2_000 {
        if future.as_mut().poll(&mut context).is_ready() {
            return;
        }
    }
}
