//! What was fetched before an invalidation is worth nothing after it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use keygate::{
    Authenticator, Cached, Clock, CredentialId, CredentialKey, DigestKeys, Issuer, Kind, Lifetime, Lookup,
    MemoryStore, NewApiKey, Owner, Record, RefusalClass, Revocation, Store, StoreError, Timestamp, Updated,
};
use pollster::block_on;

use super::{Database, asked, cached, find, is_revoked, peeks, ready, revoke};
use crate::store::{id, of, user};
use crate::support::fixtures::{END, NOW};

/// Promise P24: what was looked for in vain a moment ago is found once it is issued here.
#[test]
fn what_is_inserted_is_found_at_once() {
    let (database, _, cached) = cached(|builder| builder);
    let key = CredentialKey::new(Kind::ApiKey, id("a"));
    assert!(find(&cached, key).unwrap().is_none());
    assert_eq!(peeks(&cached, key), "absent");
    // Also with a look under way that has read that there is none.
    cached.invalidate(&key);
    database.hold();
    let mut look = asked(&cached, key);
    assert!(ready(&mut look).is_none());
    let record = Arc::new(of(&user("u-17"), "a").build().unwrap());
    let _inserted = block_on(cached.insert(&record)).unwrap();
    database.release();
    assert!(find(&cached, key).unwrap().is_some());
    assert!(ready(&mut look).unwrap().unwrap().is_none(), "it began before");
    assert_eq!(peeks(&cached, key), "known", "and what it read is not kept");
}

#[test]
fn each_write_forgets_what_it_touches() {
    type Write = fn(&dyn Store, CredentialKey);
    let writes: [(&str, Write); 5] = [
        ("update", |store, key| revoke(store, key)),
        ("update that is too late", |store, key| {
            let record = block_on(store.read(key.kind, &key.id)).unwrap().unwrap().record;
            let next = Arc::new(record.to_builder().version(9).build().unwrap());
            assert_eq!(block_on(store.update(7, &next)).unwrap(), Updated::Changed);
        }),
        ("insert that is refused", |store, _| {
            let _taken = block_on(store.insert(&Arc::new(of(&user("u-17"), "a").build().unwrap()))).unwrap();
        }),
        ("revoke_owned", |store, _| {
            let revocation = Revocation::new(NOW, "left");
            assert_eq!(block_on(store.revoke_owned(&user("u-17"), &revocation)).unwrap(), 1);
        }),
        ("purge", |store, _| {
            assert_eq!(block_on(store.purge(END, 9)).unwrap(), 0);
        }),
    ];
    for (name, write) in writes {
        let (database, _, cached) = cached(|builder| builder);
        let key = database.put("a");
        assert!(find(&cached, key).unwrap().is_some());
        assert_eq!(peeks(&cached, key), "known");
        write(&cached, key);
        assert_eq!(peeks(&cached, key), "ask", "{name}");
    }
}

/// From its beginning on, what it touches is not known; and what is fetched meanwhile is worth nothing when it is done, or given up.
#[test]
fn a_write_forgets_when_it_begins_and_when_it_ends() {
    for is_given_up in [false, true] {
        let (database, _, cached) = cached(|builder| builder);
        let key = database.put("a");
        let record = find(&cached, key).unwrap().unwrap();
        let revoked = record.to_builder().revoked(Revocation::new(NOW, "left")).version(record.version() + 1);
        let revoked = Arc::new(revoked.build().unwrap());
        database.stall(true);
        let mut write = cached.update(record.version(), &revoked);
        assert!(ready(&mut write).is_none());
        assert_eq!(peeks(&cached, key), "ask", "it has begun");
        assert!(!is_revoked(&find(&cached, key)));
        assert_eq!(peeks(&cached, key), "known");
        database.stall(false);
        if !is_given_up {
            assert_eq!(ready(&mut write).unwrap().unwrap(), Updated::Yes);
        }
        drop(write);
        assert_eq!(peeks(&cached, key), "ask", "given up: {is_given_up}");
        assert_eq!(is_revoked(&find(&cached, key)), !is_given_up);
    }
}

/// What was fetched while the truth was read may be older than the truth.
#[test]
fn a_read_of_the_truth_forgets_what_was_fetched_meanwhile() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.stall(true);
    let mut read = cached.read(key.kind, &key.id);
    assert!(ready(&mut read).is_none());
    assert!(!is_revoked(&find(&cached, key)));
    database.stall(false);
    revoke(&database, key);
    assert!(ready(&mut read).unwrap().unwrap().unwrap().record.revocation().is_some());
    drop(read);
    assert!(is_revoked(&find(&cached, key)));
}

/// What reads the truth may acknowledge what it says, without a write: another process revoked it, so revoking it here changes
/// nothing, and succeeds.
#[test]
fn a_read_of_the_truth_forgets_what_it_read() {
    let (database, _, cached) = cached(|builder| builder);
    let keys = DigestKeys::ephemeral().unwrap();
    let issuers = [Issuer::new(database.clone(), keys.clone()), Issuer::new(cached.clone(), keys.clone())];
    let gate = Authenticator::new(cached, keys);
    let [elsewhere, here] = issuers;
    let issued = block_on(here.api_keys().issue(NewApiKey::new("u-17", Lifetime::days(1)))).unwrap();
    let accepts = || block_on(gate.authenticate([("x-api-key", issued.text.expose())])).is_ok();
    assert!(accepts());
    for issuer in [elsewhere, here] {
        assert!(accepts());
        let keys = issuer.api_keys().owned_by(user("u-17"));
        block_on(keys.revoke(&issued.record.key().id, "left")).unwrap();
    }
    assert!(!accepts(), "it was revoked here, too, and that returned");
}

/// A mint reads its account each time: what is known already is no news.
#[test]
fn a_read_of_what_is_known_forgets_nothing() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    let read = || block_on(cached.read(key.kind, &key.id)).unwrap().unwrap();
    assert!(find(&cached, key).unwrap().is_some());
    read();
    assert_eq!(peeks(&cached, key), "known");
    // Nor where it is not known; but for a look that is under way, which may have read something older.
    cached.invalidate(&key);
    database.hold();
    let mut look = asked(&cached, key);
    assert!(ready(&mut look).is_none());
    read();
    database.release();
    assert!(ready(&mut look).unwrap().unwrap().is_some());
    assert_eq!(peeks(&cached, key), "ask");
}

/// What only looks around forgets nothing.
#[test]
fn a_list_forgets_nothing() {
    let (database, _, cached) = cached(|builder| builder);
    let (key, owner) = (database.put("a"), user("u-17"));
    assert!(find(&cached, key).unwrap().is_some());
    block_on(async {
        assert_eq!(cached.list(&owner, None, 9).await.unwrap().len(), 1);
        assert_eq!(cached.count_live(&owner, NOW).await.unwrap(), 1);
        assert_eq!(cached.count_slots(NOW).await.unwrap().len(), 1);
        assert_eq!(cached.expiring(NOW, END, None, 9).await.unwrap().len(), 0);
        assert_eq!(cached.unused(END, NOW, None, 9).await.unwrap().len(), 1);
        cached.record_uses(&[keygate::Use { key, secret: 1, at: NOW }]).await.unwrap();
    });
    assert_eq!(peeks(&cached, key), "known");
}

#[test]
fn the_host_forgets_one_or_all() {
    let mut kept = 0;
    for _ in 0..50 {
        let (database, _, cached) = cached(|builder| builder);
        let keys: Vec<_> = (0..64).map(|at| database.put(&format!("id{at}"))).collect();
        let known = || keys.iter().filter(|key| peeks(&cached, **key) == "known").count();
        keys.iter().for_each(|key| assert!(find(&cached, *key).unwrap().is_some()));
        assert_eq!(known(), 64);
        cached.invalidate(&keys[0]);
        assert_eq!(peeks(&cached, keys[0]), "ask");
        kept += known();
        cached.invalidate_all();
        assert_eq!(known(), 0);
    }
    // Of the 63 others one in a thousand shares its generation, by chance.
    assert!(kept > 50 * 62, "{kept}");
}

/// Promise P23, by hand: the old value is read, the credential revoked, and only then the old value arrives.
#[test]
fn an_old_read_that_arrives_late_is_not_kept_and_nobody_joins_it() {
    let (database, _, cached) = cached(|builder| builder);
    let key = database.put("a");
    database.hold();
    let (mut old, mut joined) = (asked(&cached, key), asked(&cached, key));
    assert!(ready(&mut old).is_none() && ready(&mut joined).is_none());
    revoke(&cached, key);
    let mut later = asked(&cached, key);
    assert!(ready(&mut later).is_none());
    assert_eq!(database.finds(), 2, "it does not join what began before");
    // Who comes after it joins the new one.
    let mut after = asked(&cached, key);
    assert!(ready(&mut after).is_none());
    assert_eq!(database.finds(), 2);
    database.release();
    assert!(is_revoked(&ready(&mut later).unwrap()) && is_revoked(&ready(&mut after).unwrap()));
    // These began before the revocation, and so may see what was before it.
    assert!(!is_revoked(&ready(&mut old).unwrap()) && !is_revoked(&ready(&mut joined).unwrap()));
    assert!(is_revoked(&find(&cached, key)));
    assert_eq!(database.finds(), 2, "the new value is kept, the old one is not");
}

/// A lookup whose first answer of each round stands at two barriers: read, and let go.
struct Barred {
    store: MemoryStore,
    bars: AtomicBool,
    barrier: Barrier,
}

#[async_trait]
impl Lookup for Barred {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let found = self.store.find(kind, id).await;
        if self.bars.swap(false, Ordering::SeqCst) {
            self.barrier.wait();
            self.barrier.wait();
        }
        found
    }
}

/// Promise P23, from two threads, ten thousand times.
#[test]
fn a_read_that_is_paused_over_a_revocation_is_never_served_later() {
    const ROUNDS: usize = 10_000;
    let store = MemoryStore::new();
    let inner = Barred { store: store.clone(), bars: AtomicBool::new(false), barrier: Barrier::new(2) };
    let (cached, inner) = {
        let inner = Arc::new(inner);
        (Cached::new(Arc::clone(&inner)), inner)
    };
    let keys: Vec<_> = (0..ROUNDS)
        .map(|at| {
            let record = Arc::new(of(&user("u-17"), &format!("id{at}")).build().unwrap());
            let _inserted = block_on(store.insert(&record)).unwrap();
            record.key()
        })
        .collect();
    let start = Barrier::new(2);
    let find = |key: CredentialKey| block_on(cached.find(key.kind, &key.id));
    thread::scope(|scope| {
        scope.spawn(|| {
            for key in &keys {
                inner.bars.store(true, Ordering::SeqCst);
                start.wait();
                assert!(!is_revoked(&find(*key)), "it read before the revocation");
                start.wait();
            }
        });
        for key in &keys {
            start.wait();
            inner.barrier.wait();
            revoke(&store, *key);
            cached.invalidate(key);
            assert!(is_revoked(&find(*key)), "a later caller waits for no older read");
            inner.barrier.wait();
            assert!(is_revoked(&find(*key)));
            start.wait();
            assert!(is_revoked(&find(*key)), "and what arrived late is not kept");
        }
    });
}

/// Promise P22, in one process: 64 threads, a million verifications, a thousand revocations. None that began after a
/// revocation returned succeeds; and none that ended before it was called fails.
#[test]
fn no_verification_that_begins_after_a_revocation_succeeds() {
    const CREDENTIALS: usize = 1_000;
    const THREADS: usize = 64;
    let (database, keys) = (Database::default(), DigestKeys::ephemeral().unwrap());
    // Longer than any thread has to wait for a processor: nothing is forgotten, or refused, because it took long.
    let cached = Cached::builder(database).max_staleness(super::seconds(60)).build().unwrap();
    let issuer = Issuer::new(cached.clone(), keys.clone());
    let gate = Authenticator::new(cached, keys);
    let owner = Owner::user("u-17").unwrap();
    let credentials: Vec<_> = (0..CREDENTIALS)
        .map(|_| {
            let new = NewApiKey::new("u-17", Lifetime::days(1));
            let issued = block_on(issuer.api_keys().issue(new)).unwrap();
            (
                issued.text.expose().to_owned(),
                issued.record.key().id,
                AtomicBool::new(false),
                AtomicBool::new(false),
            )
        })
        .collect();
    let (successes, denials) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let thread = u64::try_from(thread).unwrap();
            let (gate, credentials, successes, denials) = (&gate, &credentials, &successes, &denials);
            scope.spawn(move || {
                let mut random = crate::support::random::Random::seeded(thread);
                for _ in 0..1_000_000 / THREADS {
                    let (text, _, called, returned) = &credentials[random.below(CREDENTIALS)];
                    let was_revoked = returned.load(Ordering::SeqCst);
                    match block_on(gate.authenticate([("x-api-key", text.as_str())])) {
                        Ok(_) => {
                            assert!(!was_revoked, "accepted after its revocation returned");
                            successes.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(refusal) => {
                            assert_eq!(refusal.class(), RefusalClass::Denied);
                            assert!(called.load(Ordering::SeqCst), "denied before anybody revoked it");
                            denials.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((text, id, called, returned)) =
                    credentials.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    called.store(true, Ordering::SeqCst);
                    let revoked = block_on(issuer.api_keys().owned_by(owner.clone()).revoke(id, "left"));
                    assert!(revoked.is_ok());
                    returned.store(true, Ordering::SeqCst);
                    assert!(block_on(gate.authenticate([("x-api-key", text.as_str())])).is_err());
                }
            });
        }
    });
    let (successes, denials) = (successes.into_inner(), denials.into_inner());
    assert_eq!(successes + denials, 1_000_000 / THREADS * THREADS);
    assert!(successes > 1_000 && denials > 1_000, "{successes} and {denials}: both were to be seen");
}

type Errand = Box<dyn FnOnce() + Send>;

/// A clock that does an errand when it is read next: it is read at each step that matters.
#[derive(Clone, Default)]
struct Errands(Arc<Mutex<Option<Errand>>>);

impl Errands {
    fn next(&self, errand: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(errand));
    }
}

impl Clock for Errands {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn monotonic(&self) -> Duration {
        let errand = self.0.lock().unwrap().take();
        errand.into_iter().for_each(|errand| errand());
        Duration::ZERO
    }
}

/// A waker that does an errand.
struct Wakes(Mutex<Option<Errand>>);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let errand = self.0.lock().unwrap().take();
        errand.into_iter().for_each(|errand| errand());
    }
}

/// A call that missed a record by a moment finds it kept when its turn comes, and brings that. Whoever joins it at that very
/// moment, after a revocation was acknowledged, asks anew.
#[test]
fn what_was_kept_meanwhile_is_not_for_who_came_later() {
    type Asked = Pin<Box<dyn Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send>>;
    let own = |cached: &Cached<Database>, key: CredentialKey| -> Asked {
        let cached = cached.clone();
        Box::pin(async move { cached.find(key.kind, &key.id).await })
    };
    let (database, errands) = (Database::default(), Errands::default());
    let cached = Cached::builder(database.clone()).clock(errands.clone()).max_loads(1).build().unwrap();
    let [key, busy, queued] = ["a", "b", "c"].map(|id| database.put(id));

    database.hold();
    let mut first = own(&cached, key);
    assert!(ready(&mut first).is_none());
    // Between the second's miss and its joining, the first ends, and another call takes the only turn.
    let takes_the_turn: Arc<Mutex<Option<Asked>>> = Arc::default();
    errands.next({
        let (database, mut other, taken) =
            (database.clone(), own(&cached, busy), Arc::clone(&takes_the_turn));
        move || {
            database.release();
            assert!(ready(&mut first).is_some());
            database.hold();
            assert!(ready(&mut other).is_none());
            *taken.lock().unwrap() = Some(other);
        }
    });
    let mut second = own(&cached, key);
    assert!(ready(&mut second).is_none());

    // When the second gives its turn to the next in the queue, the revocation is acknowledged, and a later call joins it.
    let later: Arc<Mutex<Option<Asked>>> = Arc::default();
    let wakes = Arc::new(Wakes(Mutex::new(Some(Box::new({
        let (database, cached, later) = (database.clone(), cached.clone(), Arc::clone(&later));
        move || {
            revoke(&database, key);
            cached.invalidate(&key);
            let mut call: Asked = Box::pin(async move { cached.find(key.kind, &key.id).await });
            assert!(ready(&mut call).is_none());
            *later.lock().unwrap() = Some(call);
        }
    })))));
    let mut in_the_queue = own(&cached, queued);
    let polled = in_the_queue.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&wakes))));
    assert!(polled.is_pending());
    database.release();
    assert!(ready(takes_the_turn.lock().unwrap().as_mut().unwrap()).is_some());
    assert!(!is_revoked(&ready(&mut second).unwrap()), "it began before");
    assert!(ready(&mut in_the_queue).is_some());
    let mut later = later.lock().unwrap().take().expect("the second gave its turn to the queue");
    assert!(is_revoked(&ready(&mut later).unwrap()));
}
