//! Two requests for one credential: whatever becomes of the first, the second is served.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use keygate::RefusalClass;

use super::Stack;
use super::faulty::{Fault, Lasts};
use super::host::{Host, Text, code};

/// More polls than a request needs.
const MANY: usize = 100;

/// Lets the first request fail in every way while the second waits. The second gets the right answer or *undecided*, or
/// waits with the first for a call that never answers, until it gives up as well; whoever comes later gets the right one.
pub(crate) fn run(stack: &Stack) {
    for text in Text::ALL {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.fits("find")) {
            let case = format!("{text:?}, {fault:?}");
            let host = Host::new(stack);
            let right = host.right(host.text(text));
            host.faulty.pause(1);
            host.faulty.fail(0, fault, Lasts::OneCall);
            let (panicked, said) = stack.finish(async {
                let mut first = Box::pin(host.service.ask(host.text(text)));
                let mut second = pin!(host.service.ask(host.text(text)));
                assert!(polled(first.as_mut(), 1).is_none(), "{case}");
                let mut waiter = Waiter::default();
                let mut said = waiter.poll(second.as_mut());
                let ended = catch_unwind(AssertUnwindSafe(|| polled(first.as_mut(), MANY)));
                drop(first);
                while said.is_none() && waiter.was_woken() {
                    said = waiter.poll(second.as_mut());
                }
                // A call that never answers is given up by both.
                (ended.is_err(), said)
            });
            assert_eq!(host.faulty.fired(), 1, "{case}");
            assert_eq!(panicked, matches!(fault, Fault::Panic | Fault::PanicAfter), "{case}");
            let Some(said) = said else {
                assert!(
                    matches!(fault, Fault::Silent | Fault::SilentAfter),
                    "nobody wakes the second: {case}"
                );
                host.faulty.pause(0);
                host.is_right(&case);
                continue;
            };
            let is_undecided = said.as_ref().is_err_and(|it| it.class() == RefusalClass::Undecided);
            assert!(is_undecided || code(&said) == right, "{}: {case}", code(&said));
            host.faulty.pause(0);
            host.faulty.heal();
            host.is_right(&case);
        }
    }
}

/// What a future comes to within so many polls.
pub(crate) fn polled<F: Future + ?Sized>(mut future: Pin<&mut F>, times: usize) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    (0..times).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Polls a future, and knows whether it was woken since.
#[derive(Default)]
pub(crate) struct Waiter(Arc<Flag>);

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Waiter {
    pub(crate) fn was_woken(&self) -> bool {
        self.0.0.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn poll<F: Future + ?Sized>(&mut self, future: Pin<&mut F>) -> Option<F::Output> {
        let waker = Waker::from(Arc::clone(&self.0));
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}
