//! Random operations on a file and on the store in memory: both give the same answers, also after the file was reopened.

use std::sync::Arc;

use keygate::{
    CredentialId, CredentialKey, Digest, Entry, MemoryStore, Owner, Record, Retiring, Revocation, Store,
    StoredSecret, Timestamp, Use, Validity,
};
use pollster::block_on;

use crate::support::{File, Random, at, built, id, of, organization, project, read, seed, user, whole};

struct Draw(Random);

impl Draw {
    fn id(&mut self) -> CredentialId {
        id(self.0.pick(&[
            "a",
            "A",
            "aa",
            "a-",
            "-",
            "+",
            "/",
            "_",
            "b",
            "0",
            "a0",
            "a00000000000000000",
            "Z",
        ]))
    }

    fn owner(&mut self) -> Owner {
        match self.0.below(6) {
            0 => user("u-17"),
            1 => user("acme"),
            2 => organization("acme"),
            3 => organization("acm"),
            4 => project("acme", "web"),
            _ => project("acme", "api"),
        }
    }

    fn key(&mut self) -> CredentialKey {
        CredentialKey::new(self.owner().kind(), self.id())
    }

    fn time(&mut self) -> Timestamp {
        at(i64::try_from(self.0.below(40)).unwrap() - 20)
    }

    fn secret(&mut self, number: u32) -> StoredSecret {
        let (slot, guard) = (self.0.pick(&[1, 2, 3]), self.0.pick(&[None, Some(1), Some(2)]));
        StoredSecret { number, digest: Digest::from_parts(slot, guard, &[3; 32]).unwrap() }
    }

    fn record(&mut self, owner: &Owner, id: CredentialId, version: u64) -> Arc<Record> {
        let number = 2 + u32::try_from(self.0.below(8)).unwrap();
        let mut builder = of(owner, id.as_str()).version(version).current(self.secret(number));
        if self.0.one_in(3) {
            let (secret, ends_at) = (self.secret(number - 1), self.time());
            builder = builder.retiring(Retiring { secret, ends_at, leak: None });
        }
        if self.0.one_in(4) {
            builder = builder.revoked(Revocation::new(self.time(), "drawn"));
        }
        if self.0.one_in(2) {
            builder = builder.validity(Validity::until(self.time()));
        }
        built(builder.disabled(self.0.one_in(5)))
    }

    fn uses(&mut self) -> Vec<Use> {
        let one = |draw: &mut Self| {
            let secret = u32::try_from(draw.0.below(11)).unwrap();
            Use { key: draw.key(), secret, at: draw.time() }
        };
        (0..self.0.below(6)).map(|_| one(self)).collect()
    }
}

fn all(page: &[Entry]) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    page.iter().map(whole).collect()
}

/// The whole contract, in any order of calls.
#[test]
fn a_file_answers_as_the_store_in_memory() {
    let (seed, file, memory) = (seed(), File::new(), MemoryStore::new());
    let mut store = file.open();
    let mut draw = Draw(Random::seeded(seed));
    for step in 0..6_000 {
        let what = format!("KEYGATE_SEED={seed} step {step}");
        let (owner, id, limit) = (draw.owner(), draw.id(), draw.0.below(6));
        let key = CredentialKey::new(owner.kind(), id);
        let after = (!draw.0.one_in(3)).then_some(key);
        match draw.0.below(12) {
            0 | 1 => {
                let version = u64::try_from(draw.0.below(3)).unwrap();
                let record = draw.record(&owner, id, version);
                assert_eq!(
                    block_on(store.insert(&record)).unwrap(),
                    block_on(memory.insert(&record)).unwrap(),
                    "{what}"
                );
            }
            2 | 3 => {
                let held = read(&memory, key).map(|entry| entry.record);
                let (held_by, version) =
                    held.map_or((owner.clone(), 1), |held| (held.owner().clone(), held.version()));
                // Mostly as it should be: the same owner, what was seen last, and the next version.
                let by = if draw.0.one_in(8) { &owner } else { &held_by };
                let seen = if draw.0.one_in(6) { version.saturating_sub(1) } else { version };
                let next = if draw.0.one_in(8) { seen } else { seen + 1 };
                let record = draw.record(by, id, next);
                let (found, expected) =
                    (block_on(store.update(seen, &record)), block_on(memory.update(seen, &record)));
                assert_eq!(
                    found.map_err(|error| error.kind()),
                    expected.map_err(|error| error.kind()),
                    "{what}"
                );
            }
            4 => {
                let uses = draw.uses();
                block_on(store.record_uses(&uses)).unwrap();
                block_on(memory.record_uses(&uses)).unwrap();
            }
            5 if draw.0.one_in(4) => {
                let revocation = Revocation::new(draw.time(), "closed");
                assert_eq!(
                    block_on(store.revoke_owned(&owner, &revocation)).unwrap(),
                    block_on(memory.revoke_owned(&owner, &revocation)).unwrap(),
                    "{what}"
                );
            }
            6 if draw.0.one_in(2) => {
                // Which of the doomed go first is the store's business; how many is not.
                let before = draw.time();
                for limit in [limit, usize::MAX] {
                    assert_eq!(
                        block_on(store.purge(before, limit)).unwrap(),
                        block_on(memory.purge(before, limit)).unwrap(),
                        "{what}"
                    );
                }
            }
            7 => {
                let after = after.map(|key| key.id);
                assert_eq!(
                    all(&block_on(store.list(&owner, after.as_ref(), limit)).unwrap()),
                    all(&block_on(memory.list(&owner, after.as_ref(), limit)).unwrap()),
                    "{what}"
                );
            }
            8 => {
                let now = draw.time();
                assert_eq!(
                    block_on(store.count_slots(now)).unwrap(),
                    block_on(memory.count_slots(now)).unwrap(),
                    "{what}"
                );
                assert_eq!(
                    block_on(store.count_live(&owner, now)).unwrap(),
                    block_on(memory.count_live(&owner, now)).unwrap(),
                    "{what}"
                );
            }
            9 => {
                let (from, until) = (draw.time(), draw.time());
                assert_eq!(
                    all(&block_on(store.expiring(from, until, after.as_ref(), limit)).unwrap()),
                    all(&block_on(memory.expiring(from, until, after.as_ref(), limit)).unwrap()),
                    "{what}"
                );
            }
            10 => {
                let (since, now) = (draw.time(), draw.time());
                assert_eq!(
                    all(&block_on(store.unused(since, now, after.as_ref(), limit)).unwrap()),
                    all(&block_on(memory.unused(since, now, after.as_ref(), limit)).unwrap()),
                    "{what}"
                );
            }
            _ => {
                let key = draw.key();
                assert_eq!(
                    read(&store, key).as_ref().map(whole),
                    read(&memory, key).as_ref().map(whole),
                    "{what}"
                );
                let found = block_on(keygate::Lookup::find(&store, key.kind, &key.id)).unwrap();
                assert_eq!(
                    found.map(|record| record.encode().unwrap()),
                    read(&memory, key).map(|entry| entry.record.encode().unwrap()),
                    "{what}"
                );
                if draw.0.one_in(20) {
                    store = file.open();
                }
            }
        }
    }
}
