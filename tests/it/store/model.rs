//! Random operations, against a store that is a `Vec` and answers as the contract reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate::{
    CredentialId, CredentialKey, Digest, Entry, Inserted, Kind, MemoryStore, Owner, Record, Retiring,
    Revocation, SlotCount, Store, StoredSecret, Timestamp, Updated, Use, Validity,
};
use pollster::block_on;

use super::{at, built, id, of, organization, project, user};
use crate::support::random::{Random, cases, seed};

/// A record, and each use that was noted of a secret that it still holds.
struct Kept {
    record: Arc<Record>,
    uses: Vec<(u32, Timestamp)>,
    /// By a secret that it may not hold any more.
    latest: Option<Timestamp>,
}

#[derive(Default)]
struct Naive(Vec<Kept>);

fn secrets(record: &Record) -> Vec<(&StoredSecret, Option<Timestamp>)> {
    let retiring = record.retiring().map(|retiring| (&retiring.secret, Some(retiring.ends_at)));
    [Some((record.current(), None)), retiring].into_iter().flatten().collect()
}

fn is_dead(record: &Record, now: Timestamp) -> bool {
    record.revocation().is_some() || record.validity().expires_at().is_some_and(|end| end <= now)
}

impl Naive {
    fn at(&mut self, key: CredentialKey) -> Option<&mut Kept> {
        self.0.iter_mut().find(|kept| kept.record.key() == key)
    }

    fn insert(&mut self, record: &Arc<Record>) -> Inserted {
        if self.at(record.key()).is_some() {
            return Inserted::IdTaken;
        }
        self.0.push(Kept { record: Arc::clone(record), uses: Vec::new(), latest: None });
        Inserted::Yes
    }

    /// `None`: an error.
    fn update(&mut self, seen: u64, record: &Arc<Record>) -> Option<Updated> {
        let Some(kept) = self.at(record.key()) else { return Some(Updated::Absent) };
        if record.version() <= seen {
            return None;
        }
        if kept.record.version() != seen {
            return Some(Updated::Changed);
        }
        if kept.record.owner() != record.owner() {
            return None;
        }
        kept.record = Arc::clone(record);
        kept.uses.retain(|(number, _)| secrets(record).iter().any(|(secret, _)| secret.number == *number));
        Some(Updated::Yes)
    }

    fn use_one(&mut self, one: Use) {
        let Some(kept) = self.at(one.key) else { return };
        if secrets(&kept.record).iter().any(|(secret, _)| secret.number == one.secret) {
            kept.uses.push((one.secret, one.at));
            kept.latest = kept.latest.max(Some(one.at));
        }
    }

    fn revoke_owned(&mut self, owner: &Owner, revocation: &Revocation) -> u64 {
        let mut revoked = 0;
        for kept in &mut self.0 {
            let includes = match (owner, kept.record.owner()) {
                (Owner::Organization(organization), Owner::Project(of, _)) => organization == of,
                (owner, other) => owner == other,
            };
            if includes && kept.record.revocation().is_none() {
                let version = kept.record.version() + 1;
                kept.record = built(kept.record.to_builder().revoked(revocation.clone()).version(version));
                revoked += 1;
            }
        }
        revoked
    }

    fn count_slots(&self, now: Timestamp) -> Vec<SlotCount> {
        let mut counts: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        for kept in &self.0 {
            for (secret, ends_at) in secrets(&kept.record) {
                if ends_at.is_none_or(|end| now < end) {
                    counts.entry(secret.digest.slot()).or_default().0 += 1;
                    if let Some(slot) = secret.digest.guard_slot() {
                        counts.entry(slot).or_default().1 += 1;
                    }
                }
            }
        }
        counts.into_iter().map(|(slot, (digests, guards))| SlotCount { slot, digests, guards }).collect()
    }

    /// Those that are wanted, behind a key, in the order of keys.
    fn page(&self, after: Option<CredentialKey>, limit: usize, wanted: impl Fn(&Kept) -> bool) -> Vec<&Kept> {
        let order = |key: CredentialKey| {
            (Kind::ALL.iter().position(|kind| *kind == key.kind), key.id.as_str().as_bytes().to_vec())
        };
        let mut found: Vec<&Kept> = self.0.iter().filter(|kept| wanted(kept)).collect();
        found.sort_by_key(|kept| order(kept.record.key()));
        found.retain(|kept| after.is_none_or(|after| order(kept.record.key()) > order(after)));
        found.truncate(limit);
        found
    }

    fn purge(&mut self, before: Timestamp, limit: usize) -> usize {
        let doomed = |record: &Record| {
            record.revocation().is_some_and(|revocation| revocation.at < before)
                || record.validity().expires_at().is_some_and(|end| end < before)
        };
        self.0.iter().filter(|kept| doomed(&kept.record)).count().min(limit)
    }
}

/// An entry as one value: all of the record, and the latest use of each secret.
fn of_entry(entry: &Entry) -> (Vec<u8>, Vec<Option<Timestamp>>) {
    let by_secret = (0..12).map(|number| entry.uses.of(number));
    (entry.record.encode().unwrap(), by_secret.chain([entry.uses.latest()]).collect())
}

fn of_kept(kept: &Kept) -> (Vec<u8>, Vec<Option<Timestamp>>) {
    let latest = |number| kept.uses.iter().filter(|(used, _)| *used == number).map(|(_, at)| *at).max();
    (kept.record.encode().unwrap(), (0..12).map(latest).chain([kept.latest]).collect())
}

#[track_caller]
fn same(found: &[Entry], expected: &[&Kept], what: &str) {
    let found: Vec<_> = found.iter().map(of_entry).collect();
    let expected: Vec<_> = expected.iter().map(|kept| of_kept(kept)).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    assert!(found == expected, "{what}");
}

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

    fn time(&mut self) -> Timestamp {
        at(i64::try_from(self.0.below(40)).unwrap() - 20)
    }

    fn secret(&mut self, number: u32) -> StoredSecret {
        let (slot, guard) = (self.0.pick(&[1, 2, 3]), self.0.pick(&[None, Some(1), Some(2)]));
        StoredSecret { number, digest: Digest::from_parts(slot, guard, &[self.0.byte(); 32]).unwrap() }
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
}

/// The whole contract, in any order of calls: 20,000 steps.
#[test]
fn a_store_answers_as_the_naive_one() {
    let (seed, store, mut naive) = (seed(), MemoryStore::new(), Naive::default());
    let mut draw = Draw(Random::seeded(seed));
    for step in 0..cases(20_000) {
        let what = format!("KEYGATE_SEED={seed} step {step}");
        let (owner, id, limit) = (draw.owner(), draw.id(), draw.0.below(6));
        let key = CredentialKey::new(owner.kind(), id);
        match draw.0.below(12) {
            0 | 1 => {
                let version = 1 + u64::from(draw.0.byte() % 3);
                let record = draw.record(&owner, id, version);
                assert_eq!(block_on(store.insert(&record)).unwrap(), naive.insert(&record), "{what}");
            }
            2 | 3 => {
                let held = naive.at(key).map(|kept| (kept.record.owner().clone(), kept.record.version()));
                let (held_by, version) = held.unwrap_or((owner.clone(), 1));
                // Mostly as it should be: the same owner, what was seen last, and the next version.
                let by = if draw.0.one_in(8) { &owner } else { &held_by };
                let seen = if draw.0.one_in(6) { version - 1 } else { version };
                let next = if draw.0.one_in(8) { seen } else { seen + 1 };
                let record = draw.record(by, id, next);
                assert_eq!(block_on(store.update(seen, &record)).ok(), naive.update(seen, &record), "{what}");
            }
            4 => {
                let uses: Vec<Use> = (0..limit)
                    .map(|_| {
                        let (owner, id) = (draw.owner(), draw.id());
                        let secret = u32::try_from(draw.0.below(11)).unwrap();
                        Use { key: CredentialKey::new(owner.kind(), id), secret, at: draw.time() }
                    })
                    .collect();
                block_on(store.record_uses(&uses)).unwrap();
                uses.iter().for_each(|one| naive.use_one(*one));
            }
            5 if draw.0.one_in(4) => {
                let revocation = Revocation::new(draw.time(), "closed");
                let revoked = block_on(store.revoke_owned(&owner, &revocation)).unwrap();
                assert_eq!(revoked, naive.revoke_owned(&owner, &revocation), "{what}");
            }
            6 => {
                // Which of the doomed go first is the store's business; how many is not.
                let before = draw.time();
                let purged = block_on(store.purge(before, limit)).unwrap();
                assert_eq!(usize::try_from(purged).unwrap(), naive.purge(before, limit), "{what}");
                naive.0.retain(|kept| {
                    let key = kept.record.key();
                    block_on(store.read(key.kind, &key.id)).unwrap().is_some()
                });
                assert_eq!(
                    format!("{store:?}"),
                    format!("MemoryStore {{ records: {}, .. }}", naive.0.len()),
                    "{what}"
                );
            }
            7 => {
                let after = (!draw.0.one_in(3)).then_some(id);
                let expected =
                    naive.page(after.map(|id| CredentialKey::new(owner.kind(), id)), limit, |kept| {
                        *kept.record.owner() == owner
                    });
                same(&block_on(store.list(&owner, after.as_ref(), limit)).unwrap(), &expected, &what);
            }
            8 => {
                let now = draw.time();
                assert_eq!(block_on(store.count_slots(now)).unwrap(), naive.count_slots(now), "{what}");
                let live = naive.page(None, usize::MAX, |kept| {
                    *kept.record.owner() == owner && !is_dead(&kept.record, now)
                });
                let counted = block_on(store.count_live(&owner, now)).unwrap();
                assert_eq!(usize::try_from(counted).unwrap(), live.len(), "{what}");
            }
            9 => {
                let (from, until, after) = (draw.time(), draw.time(), (!draw.0.one_in(3)).then_some(key));
                let expected = naive.page(after, limit, |kept| {
                    let end = kept.record.validity().expires_at();
                    kept.record.revocation().is_none() && end.is_some_and(|end| (from..until).contains(&end))
                });
                same(
                    &block_on(store.expiring(from, until, after.as_ref(), limit)).unwrap(),
                    &expected,
                    &what,
                );
            }
            10 => {
                let (since, now, after) = (draw.time(), draw.time(), (!draw.0.one_in(3)).then_some(key));
                let expected = naive.page(after, limit, |kept| {
                    !is_dead(&kept.record, now)
                        && kept.record.created_at() < since
                        && kept.latest.is_none_or(|used| used < since)
                });
                same(&block_on(store.unused(since, now, after.as_ref(), limit)).unwrap(), &expected, &what);
            }
            _ => {
                let found = block_on(store.read(key.kind, &key.id)).unwrap();
                let expected = naive.at(key).map(|kept| of_kept(kept));
                assert!(found.as_ref().map(of_entry) == expected, "{what}");
            }
        }
    }
    let (all, everyone) = (naive.page(None, usize::MAX, |_| true), store.clone());
    for kept in all {
        let key = kept.record.key();
        let entry = block_on(everyone.read(key.kind, &key.id)).unwrap().unwrap();
        assert!(of_entry(&entry) == of_kept(kept));
    }
}
