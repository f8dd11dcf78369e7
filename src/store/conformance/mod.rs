//! Whether a store keeps the contract of [`Lookup`](crate::Lookup) and [`Store`]: for the tests of a host that
//! brings its own.
//!
//! Behind the feature `conformance`: enable it among the dev-dependencies alone.
//!
//! ```
//! use keygate::{MemoryStore, conformance};
//!
//! # pollster::block_on(async {
//! let report = conformance::run(async || MemoryStore::new()).await?;
//! assert!(report.checked().any(|rule| rule == "insert-if-absent"));
//! # Ok::<(), conformance::Violations>(())
//! # }).unwrap();
//! ```
//!
//! Each rule gets an empty store of its own, and all are checked whatever the first ones said. An error breaks a rule that does
//! not ask for one: a conflict that a database wants to have repeated is repeated in the store. It takes some 1,500 writes, so
//! a few seconds where each is synced to a disk. It runs under any executor and blocks none: what has to happen at once happens
//! on threads of its own, unless the host [spawns](Conformance::spawn) it.
//!
//! What no trait of keygate's can bring about, the host does, or it is listed as [unchecked](Report::unchecked): a record that
//! does not decode ([`plant`](Conformance::plant)), and a store that fails ([`break_off`](Conformance::break_off)).
//!
//! # Not checked
//!
//! Durability, what several processes see of each other, and that a call ends: there is no timer here. A lookup that may be
//! behind is checked like one that is not, for one process has to see its own writes at once.

mod bench;
mod contests;
mod crowd;
mod faults;
mod owners;
mod pages;
mod records;
mod report;
mod rule;
mod seen;
mod threads;
mod uses;
mod writes;

pub use report::{Report, Violation, Violations};

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use self::bench::Bench;
use self::crowd::{Crowd, Job};
use self::rule::{Needs, Rule};
use self::seen::{Checked, Seen};
use crate::{CredentialKey, Store, Timestamp};

/// Checks every rule that needs nothing of the host but stores: empty ones, a new one each time that it is asked.
///
/// A store that needs a runtime around its calls (tokio's timer or blocking threads) is given one by
/// [`Conformance::spawn`]: the kit's own threads have none. What happens at once is found by chance, so a store that loses a
/// race may break more rules in one run than in another.
///
/// # Errors
///
/// [`Violations`]: the rules that the store breaks.
pub async fn run<S: Store + 'static>(make_store: impl AsyncFn() -> S) -> Result<Report, Violations> {
    Conformance::new(make_store).run().await
}

type Plant<S> = dyn Fn(Arc<S>, CredentialKey, Vec<u8>) -> Job + Send + Sync;
type BreakOff<S> = dyn Fn(Arc<S>) -> Job + Send + Sync;

/// The same as [`run`], with what a host can do beside making stores.
///
/// ```
/// use keygate::{MemoryStore, conformance::Conformance};
///
/// # pollster::block_on(async {
/// let report = Conformance::new(async || MemoryStore::new())
///     .spawn(|future| drop(std::thread::spawn(|| pollster::block_on(future)))) // or tokio::spawn
///     .run()
///     .await?;
/// // This store keeps no bytes and never fails; one that does gives `plant` and `break_off`, too.
/// assert!(report.unchecked().any(|rule| rule == "corrupt-is-not-absent"));
/// assert!(report.unchecked().any(|rule| rule == "a-failure-is-an-error"));
/// # Ok::<(), keygate::conformance::Violations>(())
/// # }).unwrap();
/// ```
#[must_use = "nothing is checked before `run`"]
pub struct Conformance<S, M> {
    make_store: M,
    crowd: Crowd,
    plant: Option<Box<Plant<S>>>,
    break_off: Option<Box<BreakOff<S>>>,
}

impl<S: Store + 'static, M: AsyncFn() -> S> Conformance<S, M> {
    /// Of the stores that this makes: empty ones, which share nothing.
    pub fn new(make_store: M) -> Self {
        Self { make_store, crowd: Crowd::default(), plant: None, break_off: None }
    }

    /// What runs at once is run by the host's executor, and not on threads of the kit's own: for a store that needs its
    /// runtime around it. Up to 64 futures at a time.
    pub fn spawn(
        mut self,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        self.crowd = Crowd::of(spawn);
        self
    }

    /// How bytes come to stand where the store keeps the record of this key. There is a sound one, which they replace; what
    /// the store keeps beside it (columns, indexes, times of use) stays.
    pub fn plant<F: Future<Output = ()> + Send + 'static>(
        mut self,
        plant: impl Fn(Arc<S>, CredentialKey, Vec<u8>) -> F + Send + Sync + 'static,
    ) -> Self {
        self.plant = Some(Box::new(move |store, key, bytes| Box::pin(plant(store, key, bytes))));
        self
    }

    /// How this store is made to fail from now on: its pool is closed, its server stopped.
    pub fn break_off<F: Future<Output = ()> + Send + 'static>(
        mut self,
        break_off: impl Fn(Arc<S>) -> F + Send + Sync + 'static,
    ) -> Self {
        self.break_off = Some(Box::new(move |store| Box::pin(break_off(store))));
        self
    }

    /// Checks every rule for which there is what it needs.
    ///
    /// # Errors
    ///
    /// [`Violations`]: the rules that the store breaks. A panic while a rule is checked breaks it.
    pub async fn run(&self) -> Result<Report, Violations> {
        let (mut report, mut broken) = (Report::default(), Vec::new());
        for rule in rules() {
            let is_able = match rule.needs {
                Needs::Nothing => true,
                Needs::Plant => self.plant.is_some(),
                Needs::BreakOff => self.break_off.is_some(),
            };
            if !is_able {
                report.unchecked.push(rule);
                continue;
            }
            report.checked.push(rule);
            let store = Arc::new((self.make_store)().await);
            let counted = without_panic(async { Ok(store.count_slots(Timestamp::MIN).await?) }).await;
            if counted.is_ok_and(|counts| !counts.is_empty()) {
                let seen = "make_store gave a store that has records in it".to_owned();
                broken.push(Violation { rule: EMPTY, expected: "each rule has a new and empty store", seen });
                break;
            }
            if let Err(Seen(seen)) = without_panic(self.check(rule, store)).await {
                broken.push(Violation { rule: rule.name, expected: rule.expected, seen });
            }
        }
        if broken.is_empty() { Ok(report) } else { Err(Violations { report, broken }) }
    }

    async fn check(&self, rule: &Rule, store: Arc<S>) -> Checked {
        let bench = Bench { store: store.clone(), crowd: self.crowd.clone() };
        if rule.needs != Needs::Nothing {
            let corrupt = faults::sow(&bench).await?;
            match (rule.needs, &self.plant, &self.break_off) {
                (Needs::Plant, Some(plant), _) => {
                    for (key, bytes) in corrupt {
                        plant(Arc::clone(&store), key, bytes).await;
                    }
                }
                (Needs::BreakOff, _, Some(break_off)) => break_off(store).await,
                _ => {}
            }
        }
        (rule.check)(bench).await
    }
}

/// The name of what goes before all rules.
const EMPTY: &str = "stores-are-empty";

/// In the order in which they are worth reading: who loses an insert has no use for a page.
fn rules() -> impl Iterator<Item = &'static Rule> {
    [writes::RULES, contests::RULES, threads::RULES, owners::RULES, pages::RULES, uses::RULES, faults::RULES]
        .into_iter()
        .flatten()
}

/// A panic within becomes what was seen.
async fn without_panic<T>(check: impl Future<Output = Checked<T>>) -> Checked<T> {
    let mut check = pin!(check);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text");
            Poll::Ready(Err(Seen(format!("a panic: {text}"))))
        })
    })
    .await
}

impl<S, M> fmt::Debug for Conformance<S, M> {
    /// What the host can do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("spawn", &self.crowd.is_spawned())
            .field("plant", &self.plant.is_some())
            .field("break_off", &self.break_off.is_some())
            .finish_non_exhaustive()
    }
}
