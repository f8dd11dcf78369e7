//! Headers in, caller or refusal out, over a lookup that is watched.

mod cancellation;
mod edits;
mod events;
mod faces;
mod faults;
mod lapse;
mod narrowing;
mod order;
mod outcomes;
mod recorder;
mod rollout;
mod tenants;
mod types;
mod upgrades;

use std::sync::{Arc, Mutex};

use keygate::{
    Authenticator, AuthenticatorBuilder, Caller, CredentialKey, DigestKeys, Event, Grant, Inserted, Kind,
    ManualClock, Observer, Parent, Record, RecordBuilder, Refusal, Rights, ServiceAccountGrant, Store,
    Updated, Validity,
};
use pollster::block_on;

use crate::decision::ring;
use crate::store::watched::Watched;
use crate::support::fixtures::{END, NOW, grant, line};
use crate::support::random::{SeededSource, seed};

/// A host: a clock that stands at `NOW`, digest keys, and a store that is watched.
struct World {
    clock: ManualClock,
    keys: DigestKeys,
    store: Arc<Watched>,
    source: SeededSource,
}

impl World {
    /// Its lookup knows the records of these kinds at once, and has to be asked for the others.
    fn new(peeks: fn(Kind) -> bool) -> Self {
        let (clock, store) = (ManualClock::at(NOW), Watched::new(peeks));
        Self { clock, keys: ring(1, &[2]), store, source: SeededSource::new(seed()) }
    }

    fn peeking() -> Self {
        Self::new(|_| true)
    }

    fn asking() -> Self {
        Self::new(|_| false)
    }

    /// One of each.
    fn both() -> [Self; 2] {
        [Self::peeking(), Self::asking()]
    }

    fn builder(&self) -> AuthenticatorBuilder {
        Authenticator::builder(Arc::clone(&self.store), self.keys.clone()).clock(self.clock.clone())
    }

    fn gate(&self) -> Authenticator {
        self.builder().build().unwrap()
    }

    /// A new text, and its record in the making: with everything granted, until `END`.
    fn draw(&self, kind: Kind) -> (String, RecordBuilder) {
        let drawn = self.keys.draw(kind, &self.source).unwrap();
        let builder =
            Record::builder(drawn.key.id, grant(kind), drawn.digest, NOW).validity(Validity::until(END));
        (drawn.text.expose().to_owned(), builder)
    }

    /// Another text of the same kind and id, whose guard holds and whose secret is not the record's.
    fn another_text(&self, key: CredentialKey) -> String {
        self.keys.redraw(key, &self.source).unwrap().text.expose().to_owned()
    }

    /// Stores a record that is new.
    #[track_caller]
    fn put(&self, builder: RecordBuilder) -> Arc<Record> {
        let record = Arc::new(builder.build().unwrap());
        assert_eq!(block_on(self.store.store.insert(&record)).unwrap(), Inserted::Yes);
        record
    }

    fn issue(&self, kind: Kind) -> (String, Arc<Record>) {
        let (text, builder) = self.draw(kind);
        (text, self.put(builder))
    }

    /// Replaces a record by what becomes of it.
    #[track_caller]
    fn change(&self, record: &Record, change: impl FnOnce(RecordBuilder) -> RecordBuilder) -> Arc<Record> {
        let next = change(record.to_builder()).version(record.version() + 1).build().unwrap();
        let next = Arc::new(next);
        assert_eq!(block_on(self.store.store.update(record.version(), &next)).unwrap(), Updated::Yes);
        next
    }

    /// An account, and a service token that it minted.
    fn family(&self) -> (Arc<Record>, String, Arc<Record>) {
        let (_, account) = self.issue(Kind::ServiceAccount);
        let (text, child) = self.draw(Kind::ServiceToken);
        let child = self.put(child.parent(Parent { account: account.key().id, mint_generation: 0 }));
        (account, text, child)
    }

    /// Everything of an owner, taken away at once.
    fn purge_all(&self) {
        block_on(self.store.store.purge(keygate::Timestamp::from_unix(i64::MAX), usize::MAX)).unwrap();
    }
}

/// The account's grant with these scopes and this mint generation.
fn holding(scopes: &[&str], generation: u64) -> Grant {
    let rights = Rights::new("acme", scopes.iter().map(|scope| scope.parse().unwrap())).unwrap();
    ServiceAccountGrant::new(rights).with_mint_generation(generation).into()
}

/// What comes of a request with this text in its own header.
fn ask(gate: &Authenticator, text: &str) -> Result<Caller, Refusal> {
    block_on(gate.authenticate([line(text)]))
}

pub(crate) fn code(found: Result<Caller, Refusal>) -> &'static str {
    found.map_or_else(|refusal| refusal.reason().code(), |_| "caller")
}

/// An observer that keeps what it heard: as text, and as JSON.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, serde_json::Value)>>);

impl Heard {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What it heard since this was asked last.
    fn all(&self) -> Vec<(String, serde_json::Value)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn lines(&self) -> Vec<String> {
        self.all().into_iter().map(|(line, _)| line).collect()
    }
}

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push((event.to_string(), serde_json::to_value(event).unwrap()));
    }
}
