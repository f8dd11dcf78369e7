//! Bugs that others had where credentials are kept and managed, and that keygate does not: a test a lesson, in the order of
//! the manual's list. Those of requests and decisions are in `lessons`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use keygate::{
    Authenticator, CredentialId, DigestKeys, Expiry, IssueError, Issuer, Kind, Lifetime, Lookup, ManualClock,
    MemoryStore, NewApiKey, NewServiceAccount, NewServiceToken, Overlap, Owner, RandomError, RandomSource,
    Reason, Record, RefusalClass, Revocation, StoreError, UseRecorder,
};
use pollster::block_on;

use crate::support::fixtures::{NOW, line};

struct Service {
    clock: ManualClock,
    store: MemoryStore,
    issuer: Issuer,
    gate: Authenticator,
    keys: DigestKeys,
}

fn service() -> Service {
    let (clock, store) = (ManualClock::at(NOW), MemoryStore::new());
    let keys = DigestKeys::ephemeral().unwrap();
    let issuer = Issuer::builder(store.clone(), keys.clone()).clock(clock.clone()).build().unwrap();
    let gate = Authenticator::builder(store.clone(), keys.clone()).clock(clock.clone()).build().unwrap();
    Service { clock, store, issuer, gate, keys }
}

impl Service {
    fn code(&self, text: &str) -> &'static str {
        block_on(self.gate.authenticate([line(text)]))
            .map_or_else(|refusal| refusal.reason().code(), |_| "ok")
    }
}

fn api_key() -> NewApiKey {
    NewApiKey::new("u-17", Lifetime::hours(1))
}

/// Infisical 2023: the row was deleted before the secret was proved.
#[test]
fn nothing_is_written_because_of_an_unproven_secret() {
    let service = service();
    let issued = block_on(service.issuer.api_keys().issue(api_key())).unwrap();
    service.clock.advance(Lifetime::hours(2));
    let wrong = service.keys.redraw(issued.record.key(), &keygate::SystemRandom).unwrap().text;
    assert_eq!(
        [service.code(wrong.expose()), service.code(issued.text.expose())],
        ["wrong_secret", "expired"]
    );
    let keys = service.issuer.api_keys().owned_by(Owner::user("u-17").unwrap());
    let entry = block_on(keys.read(&issued.record.key().id)).unwrap();
    assert!(Arc::ptr_eq(&entry.record, &issued.record), "the very record that was inserted");
    assert_eq!(entry.uses.latest(), None);
}

/// Infisical, the Rust registry, Sanctum: last-used was written on every request.
#[test]
fn uses_are_written_in_batches_off_the_answers_path() {
    let service = service();
    let recorder = UseRecorder::builder(service.store.clone()).clock(service.clock.clone()).build().unwrap();
    let gate = Authenticator::builder(service.store.clone(), service.keys.clone())
        .clock(service.clock.clone())
        .use_recorder(recorder.clone())
        .build()
        .unwrap();
    let issued = block_on(service.issuer.api_keys().issue(api_key())).unwrap();
    let latest = || {
        let keys = service.issuer.api_keys().owned_by(Owner::user("u-17").unwrap());
        block_on(keys.read(&issued.record.key().id)).unwrap().uses.latest()
    };
    for _ in 0..1_000 {
        block_on(gate.authenticate([line(issued.text.expose())])).unwrap();
    }
    assert_eq!(latest(), None, "no request wrote");
    assert_eq!(block_on(recorder.flush_due()).unwrap().uses, 1, "one write for a thousand requests");
    assert_eq!(latest(), Some(NOW));
}

/// Infisical: any user could delete any API key by its id.
#[test]
fn an_id_alone_manages_nothing() {
    let service = service();
    let issued = block_on(service.issuer.api_keys().issue(api_key())).unwrap();
    let id = issued.record.key().id;
    let others = service.issuer.api_keys().owned_by(Owner::user("u-18").unwrap());
    let nobody = CredentialId::parse("nobodysKey12").unwrap();
    for id in [&id, &nobody] {
        assert!(matches!(block_on(others.revoke(id, "mine now")), Err(IssueError::NotFound)));
        assert!(matches!(block_on(others.rotate(id, Overlap::NONE)), Err(IssueError::NotFound)));
    }
    assert_eq!(service.code(issued.text.expose()), "ok");
}

/// prefixed-api-key: a cloned seeded generator minted the same key again. And tower-sessions: `create` was `save`.
#[test]
fn an_id_that_is_drawn_again_overwrites_nothing() {
    struct Stuck;
    impl RandomSource for Stuck {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.fill(7);
            Ok(())
        }
    }
    let service = service();
    let stuck = Issuer::builder(service.store.clone(), service.keys.clone())
        .clock(service.clock.clone())
        .random(Stuck)
        .build()
        .unwrap();
    let first = block_on(stuck.api_keys().issue(api_key())).unwrap();
    let second = block_on(stuck.api_keys().issue(NewApiKey::new("u-18", Expiry::Never)));
    assert!(matches!(second, Err(IssueError::IdTaken)));
    let caller = block_on(service.gate.authenticate([line(first.text.expose())])).unwrap();
    assert_eq!(*caller.owner(), Owner::user("u-17").unwrap());
}

/// rustberg, others: a dead database looked like "no such key".
#[test]
fn a_dead_database_is_no_denial() {
    struct Dead;
    #[async_trait]
    impl Lookup for Dead {
        async fn find(&self, _: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
            Err(StoreError::unavailable("connection reset"))
        }
    }
    let service = service();
    let issued = block_on(service.issuer.api_keys().issue(api_key())).unwrap();
    let gate = Authenticator::builder(Dead, service.keys).clock(service.clock).build().unwrap();
    let refusal = block_on(gate.authenticate([line(issued.text.expose())])).unwrap_err();
    assert_eq!((refusal.class(), refusal.status()), (RefusalClass::Undecided, 503));
    assert_eq!(refusal.reason(), Reason::StoreUnavailable);
}

/// biscuit users: a time limit under load turned valid tokens into "unauthorized".
#[cfg(feature = "tokio")]
#[test]
fn a_time_limit_is_no_denial() {
    struct Overloaded;
    #[async_trait]
    impl Lookup for Overloaded {
        async fn find(&self, _: Kind, _: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
            std::future::pending().await
        }
    }
    let service = service();
    let issued = block_on(service.issuer.api_keys().issue(api_key())).unwrap();
    let lookup = keygate::Deadline::new(Overloaded, std::time::Duration::from_secs(2)).unwrap();
    let gate = Authenticator::builder(lookup, service.keys).clock(service.clock).build().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let refusal = runtime.block_on(gate.authenticate([line(issued.text.expose())])).unwrap_err();
    assert_eq!((refusal.class(), refusal.status()), (RefusalClass::Undecided, 503));
    assert_eq!(refusal.reason(), Reason::StoreUnavailable);
    assert_eq!(refusal.explain().to_string(), "the store did not answer: no answer within 2 s");
}

/// Kubernetes: a token of a deleted account worked for a new account of the same name.
#[test]
fn a_name_that_is_given_again_is_another_account() {
    let service = service();
    let new = || NewServiceAccount::new("acme", Expiry::Never).name("deployer");
    let old = block_on(service.issuer.service_accounts().issue(new())).unwrap();
    let accounts = service.issuer.service_accounts().owned_by(Owner::organization("acme").unwrap());
    block_on(accounts.revoke(&old.record.key().id, "replaced")).unwrap();
    service.clock.advance(Lifetime::seconds(1));
    assert_eq!(block_on(service.issuer.purge(crate::decision::now_and(1), 10)).unwrap(), 1);
    let new = block_on(service.issuer.service_accounts().issue(new())).unwrap();
    assert_ne!(old.record.key(), new.record.key());
    assert_eq!(
        [service.code(old.text.expose()), service.code(new.text.expose())],
        ["unknown_credential", "ok"]
    );
}

/// GitLab users: an expired token vanished from the list, and nobody knew why automation failed.
#[test]
fn what_is_dead_stays_listed_with_its_reason() {
    let service = service();
    let token = || {
        NewServiceToken::new("acme", "web", Lifetime::hours(1)).scope("read@web/prod:/**".parse().unwrap())
    };
    let [expired, revoked] =
        [(); 2].map(|()| block_on(service.issuer.service_tokens().issue(token())).unwrap().record.key().id);
    let tokens = service.issuer.service_tokens().owned_by(Owner::project("acme", "web").unwrap());
    block_on(tokens.revoke(&revoked, "left in a log")).unwrap();
    service.clock.advance(Lifetime::days(400));
    let listed = block_on(tokens.list(None, 10)).unwrap();
    let found = |id| listed.iter().find(|entry| entry.record.key().id == id).unwrap();
    assert_eq!(found(expired).record.state(crate::decision::now_and(400 * 86_400)), keygate::State::Expired);
    assert_eq!(found(revoked).record.revocation(), Some(&Revocation::new(NOW, "left in a log")));
}

/// api-key stores: a key was found by scanning all hashes.
#[test]
fn verifying_asks_for_one_record_however_many_there_are() {
    struct Counted(MemoryStore, Arc<AtomicUsize>);
    #[async_trait]
    impl Lookup for Counted {
        async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.find(kind, id).await
        }
    }
    let service = service();
    let issued: Vec<_> =
        (0..100).map(|_| block_on(service.issuer.api_keys().issue(api_key())).unwrap()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let lookup = Counted(service.store.clone(), Arc::clone(&asked));
    let gate =
        Authenticator::builder(lookup, service.keys.clone()).clock(service.clock.clone()).build().unwrap();
    block_on(gate.authenticate([line(issued[50].text.expose())])).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// `OpenBao`: a cache of the hashing salt was not invalidated on standbys.
#[test]
fn an_authenticator_with_new_keys_uses_them_at_once() {
    let service = service();
    let issued = block_on(service.issuer.api_keys().issue(api_key())).unwrap();
    assert_eq!(service.code(issued.text.expose()), "ok");
    let (clock, store) = (service.clock.clone(), service.store.clone());
    let other = DigestKeys::ephemeral().unwrap();
    let gate = Authenticator::builder(store, other).clock(clock).build().unwrap();
    let refusal = block_on(gate.authenticate([line(issued.text.expose())])).unwrap_err();
    assert_eq!(refusal.reason(), Reason::WrongSecret, "under the other key of that slot");
}
