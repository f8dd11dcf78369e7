//! The state machine of rotations, walked through exhaustively beside a naive model.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use keygate::{
    DigestKeys, Grant, HeaderPolicy, IssueError, Issued, Issuer, Kind, Lifetime, ManualClock, Moment,
    Overlap, Owner, PresentedCredential, Record, Timestamp, verify,
};

use super::one_record::OneRecord;
use super::{error, issue, owner};
use crate::support::fixtures::{NOW, presented};
use crate::support::random::SeededSource;

/// What can happen to a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    RotateAtOnce,
    /// Its overlap ends with the second `Wait`.
    RotateShort,
    /// Its overlap would end after the credential.
    RotateLong,
    Abort,
    Retire,
    Revoke,
    Wait,
    Disable,
    Enable,
    /// Accounts only.
    RotateLeaked,
}

const WAIT: i64 = 15;
const SHORT: i64 = 30;
const LONG: i64 = 1_000;
/// With the fourth `Wait`.
const END: i64 = 60;

/// A secret as the model knows it. Its number is its place, counted from 1: it is never given again.
#[derive(Clone, Copy)]
struct Accepted {
    until: i64,
}

/// The rules of lifecycle.md, in seconds since the credential was made.
#[derive(Clone)]
struct Model {
    now: i64,
    /// Every secret that there ever was.
    secrets: Vec<Accepted>,
    current: usize,
    /// Which secret a record holds beside the current one.
    other: Option<usize>,
    revoked: bool,
    disabled: bool,
    generation: u64,
    version: u64,
}

impl Model {
    fn new() -> Self {
        Self {
            now: 0,
            secrets: vec![Accepted { until: i64::MAX }],
            current: 0,
            other: None,
            revoked: false,
            disabled: false,
            generation: 0,
            version: 1,
        }
    }

    /// What the issuer should answer.
    fn apply(&mut self, event: Event) -> &'static str {
        let version = self.version;
        let answer = match event {
            Event::Wait => {
                self.now += WAIT;
                "ok"
            }
            Event::Retire => {
                if let Some(retiring) = self.retiring() {
                    self.secrets[retiring].until = self.now;
                    self.version += 1;
                }
                "ok"
            }
            Event::Revoke => {
                self.version += u64::from(!self.revoked);
                self.revoked = true;
                "ok"
            }
            _ if self.revoked => "is revoked",
            _ if self.now >= END => "is expired",
            Event::RotateAtOnce => self.rotate(0),
            Event::RotateShort => self.rotate(SHORT),
            Event::RotateLong => self.rotate(LONG),
            Event::RotateLeaked => {
                self.generation += 1;
                self.rotate(0)
            }
            Event::Abort => match self.retiring() {
                None => "not rotating",
                Some(retiring) => {
                    self.secrets[self.current].until = self.now;
                    self.secrets[retiring].until = i64::MAX;
                    self.other = Some(std::mem::replace(&mut self.current, retiring));
                    self.version += 1;
                    "ok"
                }
            },
            Event::Disable | Event::Enable => {
                let disabled = event == Event::Disable;
                self.version += u64::from(self.disabled != disabled);
                self.disabled = disabled;
                "ok"
            }
        };
        assert!(self.version <= version + 1);
        answer
    }

    fn rotate(&mut self, overlap: i64) -> &'static str {
        if let Some(retiring) = self.retiring() {
            self.secrets[retiring].until = self.now;
        }
        self.secrets[self.current].until = END.min(self.now + overlap);
        self.secrets.push(Accepted { until: i64::MAX });
        self.other = Some(std::mem::replace(&mut self.current, self.secrets.len() - 1));
        self.version += 1;
        "ok"
    }

    fn retiring(&self) -> Option<usize> {
        self.other.filter(|other| self.now < self.secrets[*other].until)
    }

    /// What a gate should say to the holder of a secret.
    fn says(&self, secret: usize) -> &'static str {
        if self.now < self.secrets[secret].until {
            match () {
                () if self.revoked => "revoked",
                () if self.disabled => "disabled",
                () if self.now >= END => "expired",
                () => "ok",
            }
        } else if self.other == Some(secret) {
            "retired_secret"
        } else {
            "wrong_secret"
        }
    }
}

/// A credential, the real one, and everything that was ever handed out for it.
struct Walk<'e> {
    events: &'e [Event],
    depth: usize,
    kind: Kind,
    owner: Owner,
    store: Arc<OneRecord>,
    clock: ManualClock,
    keys: DigestKeys,
    issuer: Issuer,
    first: Arc<Record>,
    texts: Vec<PresentedCredential<String>>,
    path: Vec<Event>,
    steps: u64,
    sequences: u64,
}

impl<'e> Walk<'e> {
    fn new(kind: Kind, events: &'e [Event], depth: usize) -> Self {
        let random = Arc::new(SeededSource::new(7));
        let keys = DigestKeys::generate(&random).unwrap();
        let (store, clock) = (Arc::new(OneRecord::default()), ManualClock::at(NOW));
        let issuer = Issuer::builder(Arc::clone(&store), keys.clone())
            .clock(clock.clone())
            .random(random)
            .build()
            .unwrap();
        let issued = ready(issue(&issuer, &owner(kind))).unwrap();
        let ends_in_a_minute = Lifetime::seconds(u64::try_from(END).unwrap());
        let (owner, id) = (owner(kind), issued.record.key().id);
        match kind {
            Kind::ApiKey => {
                ready(issuer.api_keys().owned_by(owner.clone()).set_expiry(&id, ends_in_a_minute))
            }
            _ => ready(issuer.service_accounts().owned_by(owner.clone()).set_expiry(&id, ends_in_a_minute)),
        }
        .unwrap();
        let first = Arc::new(store.get().to_builder().version(1).build().unwrap());
        store.set(Arc::clone(&first));
        let texts = vec![present(&issued)];
        let path = Vec::new();
        Self {
            events,
            depth,
            kind,
            owner,
            store,
            clock,
            keys,
            issuer,
            first,
            texts,
            path,
            steps: 0,
            sequences: 0,
        }
    }

    /// Every event from here, and from there every event.
    fn explore(&mut self, model: &Model) {
        if self.path.len() == self.depth {
            self.sequences += 1;
            return;
        }
        let (record, known) = (self.store.get(), self.texts.len());
        for event in self.events {
            let mut model = model.clone();
            self.path.push(*event);
            self.step(*event, &mut model);
            self.explore(&model);
            self.path.pop();
            self.texts.truncate(known);
            self.store.set(Arc::clone(&record));
        }
    }

    fn step(&mut self, event: Event, model: &mut Model) {
        self.steps += 1;
        self.clock.set(Timestamp::from_unix(NOW.as_unix() + model.now));
        let (seen, writes) = (self.store.get(), self.store.writes());
        let expected = model.apply(event);
        let made = self.make(event);
        let path = &self.path;
        match made {
            Ok(issued) => {
                assert_eq!("ok", expected, "{path:?}");
                self.texts.extend(issued.iter().map(present));
            }
            Err(refused) => assert_eq!(error(Err::<(), _>(refused)), expected, "{path:?}"),
        }
        let record = self.store.get();
        assert_eq!(record.version(), model.version, "{path:?}");
        assert_eq!(self.store.writes() - writes, record.version() - seen.version(), "{path:?}");
        assert_eq!(self.texts.len(), model.secrets.len(), "{path:?}");
        self.compare(&record, model);
    }

    fn make(&self, event: Event) -> Result<Option<Issued>, IssueError> {
        let id = self.first.key().id;
        if event == Event::RotateLeaked {
            let accounts = self.issuer.service_accounts().owned_by(self.owner.clone());
            return ready(accounts.rotate_leaked(&id, "in a ticket")).map(Some);
        }
        let overlap = |seconds: i64| Overlap::seconds(u64::try_from(seconds).unwrap());
        macro_rules! through {
            ($owned:expr) => {{
                let owned = $owned.owned_by(self.owner.clone());
                match event {
                    Event::RotateAtOnce => return ready(owned.rotate(&id, Overlap::NONE)).map(Some),
                    Event::RotateShort => return ready(owned.rotate(&id, overlap(SHORT))).map(Some),
                    Event::RotateLong => return ready(owned.rotate(&id, overlap(LONG))).map(Some),
                    Event::Abort => ready(owned.abort_rotation(&id)),
                    Event::Retire => ready(owned.retire(&id)),
                    Event::Revoke => ready(owned.revoke(&id, "left")),
                    Event::Disable => ready(owned.disable(&id)),
                    Event::Enable => ready(owned.enable(&id)),
                    Event::Wait | Event::RotateLeaked => Ok(()),
                }
            }};
        }
        match self.kind {
            Kind::ApiKey => through!(self.issuer.api_keys()),
            _ => through!(self.issuer.service_accounts()),
        }
        .map(|()| None)
    }

    fn compare(&self, record: &Arc<Record>, model: &Model) {
        let (path, now) = (&self.path, NOW.as_unix() + model.now);
        let moment = Moment::at(Timestamp::from_unix(now));
        for (secret, text) in self.texts.iter().enumerate() {
            let verified =
                verify(text, Some(record), &self.keys, moment).and_then(|it| it.with_parent(|_| None));
            let said = match &verified {
                Ok(caller) => {
                    let until = model.secrets[secret].until.min(END);
                    let until = Some(Timestamp::from_unix(NOW.as_unix() + until));
                    assert_eq!(caller.valid_until(), until, "{path:?}");
                    assert_eq!(
                        usize::try_from(caller.secret_number().unwrap()).unwrap(),
                        secret + 1,
                        "{path:?}"
                    );
                    "ok"
                }
                Err(refusal) => refusal.reason().code(),
            };
            assert_eq!(said, model.says(secret), "secret {}, {path:?}", secret + 1);
        }
        let (first, generation) = (&self.first, generation(record));
        assert_eq!((record.key(), record.owner()), (first.key(), first.owner()), "{path:?}");
        assert_eq!(record.validity(), first.validity(), "{path:?}");
        assert_eq!(record.grant().rights(), first.grant().rights(), "{path:?}");
        assert_eq!(generation, model.generation, "{path:?}");
        assert_eq!(record.revocation().is_some(), model.revoked, "{path:?}");
    }
}

fn generation(record: &Record) -> u64 {
    match record.grant() {
        Grant::ServiceAccount(account) => account.mint_generation(),
        Grant::ApiKey(_) | Grant::ServiceToken(_) => 0,
    }
}

fn present(issued: &Issued) -> PresentedCredential<String> {
    presented(&HeaderPolicy::new(), issued.text.expose())
}

/// The result of a future that waits for nothing: an executor would cost as much as the call.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the store has no reason to wait"),
    }
}

/// lifecycle.md, "States": after every order of seven events, seven deep, exactly the right secrets hold, numbers are
/// never given again, and each effect is one version.
#[test]
fn every_order_of_events_leaves_the_right_secrets() {
    use Event::{Abort, Retire, Revoke, RotateAtOnce, RotateLong, RotateShort, Wait};
    let events = [RotateAtOnce, RotateShort, RotateLong, Abort, Retire, Revoke, Wait];
    let mut walk = Walk::new(Kind::ApiKey, &events, 7);
    walk.explore(&Model::new());
    println!("{} sequences, {} steps", walk.sequences, walk.steps);
    assert_eq!(walk.sequences, 7_u64.pow(7));
}

/// The same with what is left, six deep: a leak, a credential that is disabled.
#[test]
fn leaks_and_pauses_fit_between_all_other_events() {
    use Event::{
        Abort, Disable, Enable, Retire, Revoke, RotateAtOnce, RotateLeaked, RotateLong, RotateShort, Wait,
    };
    let events =
        [RotateAtOnce, RotateShort, RotateLong, RotateLeaked, Abort, Retire, Revoke, Wait, Disable, Enable];
    let mut walk = Walk::new(Kind::ServiceAccount, &events, 6);
    walk.explore(&Model::new());
    println!("{} sequences, {} steps", walk.sequences, walk.steps);
    assert_eq!(walk.sequences, 10_u64.pow(6));
}
