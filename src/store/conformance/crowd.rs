//! Who works on a store at once: threads of the kit's own, or the host's executor.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::seen::{Checked, Seen};

pub(super) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs futures at once, by a host's means or else a thread each.
#[derive(Clone, Default)]
pub(super) struct Crowd {
    spawn: Option<Arc<dyn Fn(Job) + Send + Sync>>,
}

impl Crowd {
    pub(super) fn of(spawn: impl Fn(Job) + Send + Sync + 'static) -> Self {
        Self { spawn: Some(Arc::new(spawn)) }
    }

    pub(super) fn is_spawned(&self) -> bool {
        self.spawn.is_some()
    }

    /// Runs these at once; what they came to, in no order.
    pub(super) async fn all<T: Send + 'static>(
        &self,
        tasks: impl IntoIterator<Item = impl Future<Output = Checked<T>> + Send + 'static>,
    ) -> Checked<Vec<T>> {
        let tasks: Vec<_> = tasks.into_iter().collect();
        let finish = Arc::new(Finish::of(tasks.len()));
        let jobs = tasks.into_iter().map(|task| -> Job {
            let place = Place { finish: Arc::clone(&finish), answer: None };
            Box::pin(async move { place.give(task.await) })
        });
        match &self.spawn {
            Some(spawn) => jobs.for_each(|job| spawn(job)),
            None => on_threads(jobs),
        }
        poll_fn(|context| finish.poll(context)).await.into_iter().collect()
    }

    /// Does the work while three others look at what it works on, over and over. A look is told how many there were.
    pub(super) async fn watched<W, L>(
        &self,
        work: impl FnOnce(Arc<Watch>) -> W + Send + 'static,
        look: impl Fn(u64) -> L + Clone + Send + 'static,
    ) -> Checked
    where
        W: Future<Output = Checked> + Send + 'static,
        L: Future<Output = Checked> + Send + 'static,
    {
        let watch = Arc::new(Watch::of(self));
        let mut tasks: Vec<Pin<Box<dyn Future<Output = Checked> + Send>>> = Vec::new();
        for _ in 0..3 {
            let (looker, look) = (Looker::of(&watch), look.clone());
            tasks.push(Box::pin(async move { looker.look(look).await }));
        }
        let over = Over(watch);
        tasks.push(Box::pin(async move { work(Arc::clone(&over.0)).await }));
        self.all(tasks).await.map(drop)
    }
}

/// Those that look, and the one that is looked at. All that is waited for has an end: an executor may run one after the other.
pub(super) struct Watch {
    /// How long it is waited for a look. On threads of the kit's own, until nobody looks any more: they go on by themselves.
    patience: usize,
    /// How often each of them looks at the most.
    most: usize,
    looking: AtomicUsize,
    looks: AtomicU64,
    is_over: AtomicBool,
}

impl Watch {
    fn of(crowd: &Crowd) -> Self {
        let (patience, most) = if crowd.is_spawned() { (1_000, 10_000) } else { (usize::MAX, 1_000_000) };
        let (looking, looks, is_over) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self { patience, most, looking, looks, is_over }
    }

    /// Until somebody looked, where anybody does.
    pub(super) async fn looked(&self) {
        let before = self.looks.load(Ordering::SeqCst);
        for _ in 0..self.patience {
            if self.looks.load(Ordering::SeqCst) > before || self.looking.load(Ordering::SeqCst) == 0 {
                return;
            }
            others_first().await;
        }
    }
}

/// One of those that look, until it is dropped: also by a panic, or where it was never run.
struct Looker(Arc<Watch>);

impl Looker {
    fn of(watch: &Arc<Watch>) -> Self {
        watch.looking.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(watch))
    }

    async fn look<L: Future<Output = Checked>>(&self, look: impl Fn(u64) -> L) -> Checked {
        let watch = &*self.0;
        for _ in 0..watch.most {
            look(watch.looks.load(Ordering::SeqCst)).await?;
            watch.looks.fetch_add(1, Ordering::SeqCst);
            if watch.is_over.load(Ordering::SeqCst) {
                break;
            }
            others_first().await;
        }
        Ok(())
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.0.looking.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The work, which is over when this is dropped.
struct Over(Arc<Watch>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

/// Lets other tasks and threads go on.
pub(super) async fn others_first() {
    let mut is_second = false;
    poll_fn(|context| {
        if mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        thread::yield_now();
        Poll::Pending
    })
    .await;
}

/// How many are still at work, what the others came to, and who waits for them.
struct Finish<T>(Mutex<Answers<T>>);

struct Answers<T> {
    missing: usize,
    given: Vec<Checked<T>>,
    waiting: Option<Waker>,
}

impl<T> Finish<T> {
    const fn of(tasks: usize) -> Self {
        Self(Mutex::new(Answers { missing: tasks, given: Vec::new(), waiting: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Answers<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Vec<Checked<T>>> {
        let mut answers = self.lock();
        if answers.missing == 0 {
            return Poll::Ready(mem::take(&mut answers.given));
        }
        answers.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

/// A task's place among the answers. It is dropped also where the task panicked, or was never run: nobody waits in vain.
struct Place<T> {
    finish: Arc<Finish<T>>,
    answer: Option<Checked<T>>,
}

impl<T> Place<T> {
    fn give(mut self, answer: Checked<T>) {
        self.answer = Some(answer);
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let none = || {
            Err(Seen("a task without an answer: it panicked, or was dropped by who was to run it".to_owned()))
        };
        let answer = self.answer.take().unwrap_or_else(none);
        let mut answers = self.finish.lock();
        answers.given.push(answer);
        answers.missing = answers.missing.saturating_sub(1);
        let waiting = if answers.missing == 0 { answers.waiting.take() } else { None };
        drop(answers);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A thread each, which begin together. One that cannot be had drops its job.
fn on_threads(jobs: impl Iterator<Item = Job>) {
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write();
    for job in jobs {
        let gate = Arc::clone(&gate);
        let named = thread::Builder::new().name("keygate-conformance".to_owned());
        let _detached = named.spawn(move || {
            drop(gate.read());
            block_on(job);
        });
    }
    drop(closed);
}

fn block_on(mut job: Job) {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while job.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}
