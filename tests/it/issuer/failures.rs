//! Sources and stores that fail: what was done then is known, or may be done again.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use keygate::{
    CredentialKey, DigestKeys, IssueError, Issuer, Kind, MemoryStore, Owner, RandomError, RandomSource,
    Record,
};
use pollster::block_on;

use super::calls::Call;
use super::staged::Failing;
use super::{Host, error, issue, owner};
use crate::support::random::SeededSource;

/// Fails at the draw behind so many others, and notes how long each draw was.
struct Failures {
    source: SeededSource,
    good: AtomicUsize,
    drawn: Mutex<Vec<usize>>,
}

impl Failures {
    fn after(good: usize) -> Arc<Self> {
        let source = SeededSource::new(11);
        Arc::new(Self { source, good: AtomicUsize::new(good), drawn: Mutex::default() })
    }

    fn drawn(&self) -> Vec<usize> {
        std::mem::take(&mut self.drawn.lock().unwrap())
    }
}

impl RandomSource for Failures {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.drawn.lock().unwrap().push(out.len());
        // What a source leaves behind when it fails is not to be used.
        self.source.fill(out)?;
        let good = |good: usize| good.checked_sub(1);
        self.good
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, good)
            .map(drop)
            .map_err(|_| RandomError::new())
    }
}

/// P13: 1,000 failures of the source, at either draw of an issue and in a rotation: nothing is stored.
#[test]
fn a_failing_source_stores_nothing() {
    let source = Failures::after(0);
    let host = Host::with(|builder| builder.random(Arc::clone(&source)).hex([Kind::ServiceToken]));
    for failure in 0..1_000 {
        source.good.store(failure % 2, Ordering::SeqCst);
        let kind = Kind::ALL[failure % 3];
        assert_eq!(error(block_on(issue(&host.issuer, &owner(kind)))), "random");
        assert_eq!((host.store.calls(), host.contents().len()), (vec![], 0));
    }
    source.good.store(usize::MAX, Ordering::SeqCst);
    let issued = Kind::ALL.map(|kind| host.issue(kind));
    let before = host.contents();
    source.good.store(0, Ordering::SeqCst);
    for (kind, call) in Call::each().filter(|(_, call)| call.draws()) {
        let id = issued.iter().find(|it| it.record.key().kind == kind).unwrap().record.key().id;
        host.store.calls();
        let made = block_on(call.make(&host.issuer, kind, &owner(kind), &id));
        assert_eq!((error(made), host.store.calls()), ("random", vec!["read"]));
        assert_eq!(host.contents(), before);
    }
    assert!(issued.iter().all(|it| host.says(it.text.expose()) == "ok"));
}

/// P9, P13: one draw a part, of 72 and 168 bits; in the hex text style of 96 and 128.
#[test]
fn each_part_is_one_draw_of_its_length() {
    for hex in [false, true] {
        let source = Failures::after(usize::MAX);
        let host = Host::with(|builder| {
            builder.random(Arc::clone(&source)).hex(Kind::ALL.into_iter().filter(|_| hex))
        });
        let parts = if hex { [12, 16] } else { [9, 21] };
        for kind in Kind::ALL {
            source.drawn();
            let id = host.issue(kind).record.key().id;
            assert_eq!(source.drawn(), parts);
            for call in Call::of(kind).filter(|call| call.draws()) {
                block_on(call.make(&host.issuer, kind, &owner(kind), &id)).unwrap();
                assert_eq!(source.drawn(), parts[1..]);
            }
        }
    }
}

/// Gives the same bytes for ever.
struct Stuck;

impl RandomSource for Stuck {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(7);
        Ok(())
    }
}

/// P13, and prefixed-api-key's lesson: a source that repeats itself takes over nobody's credential.
#[test]
fn a_repeated_id_overwrites_nothing() {
    for kind in Kind::ALL {
        let host = Host::with(|builder| builder.random(Stuck));
        let first = host.issue(kind);
        let before = host.contents();
        for _ in 0..3 {
            assert_eq!(error(block_on(issue(&host.issuer, &owner(kind)))), "id taken");
        }
        assert_eq!((host.contents(), host.says(first.text.expose())), (before, "ok"));
    }
}

/// P35: of 64 threads that insert one id at once, one succeeds, and its text is the one that holds.
#[test]
fn of_many_who_draw_one_id_one_gets_it() {
    const THREADS: usize = 64;
    for round in 0..10 {
        let (store, keys) = (MemoryStore::new(), DigestKeys::generate(&SeededSource::new(round)).unwrap());
        let issuer = Issuer::builder(store.clone(), keys).random(Stuck).build().unwrap();
        let barrier = Barrier::new(THREADS);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (issuer, barrier) = (issuer.clone(), &barrier);
                    scope.spawn(move || {
                        let owner = Owner::user(&format!("u-{thread}")).unwrap();
                        barrier.wait();
                        block_on(issue(&issuer, &owner)).map(|issued| issued.record)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (issued, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(issued.len(), 1);
        assert!(refused.into_iter().all(|it| error(it) == "id taken"));
        let record = issued.into_iter().next().unwrap().unwrap();
        let found = block_on(keygate::Lookup::find(&store, Kind::ApiKey, &record.key().id)).unwrap().unwrap();
        assert_eq!(found.owner(), record.owner());
    }
}

/// P26 for each call: a store that fails before its work is an error of its own, and what is stored is what was there before;
/// then the call may be made again. One that did its work and failed after it is looked at, and the call succeeded.
#[test]
fn a_store_that_fails_leaves_before_or_after() {
    for (kind, call) in Call::each() {
        let (before, after, calls) = run(kind, call);
        for (at, name) in calls.iter().enumerate() {
            for failing in [Failing::BeforeTheWork, Failing::AfterTheWork] {
                let host = Host::new();
                let key = call.prepare(&host, kind).record.key();
                host.store.fail(at, failing);
                let make = || block_on(call.make(&host.issuer, kind, &owner(kind), &key.id));
                let made = make();
                let case = format!("{call:?} of {kind}, {name}, {failing:?}");
                let done = *name == "update" && failing == Failing::AfterTheWork;
                assert_eq!(host.contents(), if done { after.clone() } else { before.clone() }, "{case}");
                if done {
                    assert_eq!(error(made), "ok", "{case}");
                    continue;
                }
                let refused = made.unwrap_err();
                assert!(matches!(refused, IssueError::Store(_)), "{case}");
                assert_eq!(refused.to_string(), "the store did not answer");
                assert_eq!(refused.source().unwrap().to_string(), "connection reset");
                assert_eq!(error(make()), "ok", "{case}");
                if !call.draws() {
                    let wanted = Record::decode(&after[&key]).unwrap();
                    assert_eq!(view(&host.record(key)), view(&wanted), "{case}");
                }
            }
        }
    }
}

/// What a call finds, what it leaves, and what it asks of the store.
fn run(kind: Kind, call: Call) -> (Contents, Contents, Vec<&'static str>) {
    let host = Host::new();
    let key = call.prepare(&host, kind).record.key();
    let before = host.contents();
    host.store.calls();
    block_on(call.make(&host.issuer, kind, &owner(kind), &key.id)).unwrap();
    (before, host.contents(), host.store.calls())
}

/// What may be shown of a record, and so all but its version and digests.
fn view(record: &Record) -> serde_json::Value {
    serde_json::to_value(record.view()).unwrap()
}

type Contents = std::collections::BTreeMap<CredentialKey, Vec<u8>>;

/// The same for the calls that are of no one credential.
#[test]
fn a_store_that_fails_fails_every_other_call() {
    for failing in [Failing::BeforeTheWork, Failing::AfterTheWork] {
        let host = Host::with(|builder| builder.cap(Kind::ApiKey, 10));
        let issued = host.issue(Kind::ApiKey);
        let caller = host.caller(issued.text.expose()).unwrap();
        let (issuer, own) = (&host.issuer, owner(Kind::ApiKey));
        let owned = issuer.api_keys().owned_by(own.clone());
        let fails = |at| host.store.fail(at, failing);
        let (now, day) = (crate::support::fixtures::NOW, keygate::Lifetime::days(1));
        macro_rules! is_refused {
            ($at:expr, $call:expr) => {{
                fails($at);
                assert_eq!(error(block_on($call)), "store", "{failing:?}");
            }};
        }
        is_refused!(0, owned.list(None, 1));
        is_refused!(0, owned.count_live());
        is_refused!(0, issuer.expiring(day, None, 1));
        is_refused!(0, issuer.unused(now, None, 1));
        is_refused!(0, issuer.count_slots());
        is_refused!(0, issuer.purge(now, 1));
        let before = host.contents();
        is_refused!(0, issue(issuer, &own));
        assert_eq!(host.contents(), before, "the cap could not be asked for");
        is_refused!(1, issue(issuer, &own));
        let stored = usize::from(failing == Failing::AfterTheWork);
        assert_eq!(host.contents().len(), 1 + stored, "its text is nobody's");

        is_refused!(0, issuer.revoke_own(&caller, "mine"));
        assert_eq!(host.says(issued.text.expose()), "ok");
        fails(1);
        let expected = if failing == Failing::AfterTheWork { "ok" } else { "store" };
        assert_eq!(error(block_on(issuer.revoke_own(&caller, "mine"))), expected);
        assert_eq!(block_on(issuer.revoke_own(&caller, "mine")).map_err(|it| it.to_string()), Ok(()));
        assert_eq!(host.says(issued.text.expose()), "revoked");
        is_refused!(0, issuer.revoke_owned(&own, "left"));
        block_on(issuer.revoke_owned(&own, "left")).unwrap();
        assert_eq!(block_on(owned.count_live()).unwrap(), 0);
    }
}

/// A store that answers with another record than was asked for: a fault, whosever that is, and nothing is written.
#[test]
fn a_record_of_another_credential_is_a_fault() {
    for (kind, call) in Call::each() {
        for other in Kind::ALL {
            let host = Host::new();
            let (id, wrong) = (call.prepare(&host, kind).record.key().id, host.issue(other).record);
            let before = host.contents();
            host.store.calls();
            host.store.answer(&wrong);
            let made = block_on(call.make(&host.issuer, kind, &owner(kind), &id));
            assert_eq!(error(made), "record mismatch", "{call:?} of {kind}");
            assert_eq!((host.store.calls(), host.contents()), (vec!["read"], before));
        }
    }
    let host = Host::new();
    let issued = host.issue(Kind::ApiKey);
    let caller = host.caller(issued.text.expose()).unwrap();
    host.store.answer(&host.issue(Kind::ApiKey).record);
    assert_eq!(error(block_on(host.issuer.revoke_own(&caller, "mine"))), "record mismatch");
}
