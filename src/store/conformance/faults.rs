//! Faults: what does not decode, and a store that fails. An error each, and never that there is nothing.

use std::sync::Arc;

use super::bench::Bench;
use super::records::{at, built, id, of, renamed, revoked_at};
use super::rule::{Rule, rule};
use super::seen::{Checked, Seen, ensure, ensure_eq};
use crate::{CredentialKey, Inserted, Kind, Owner, Peek, Record, StoreError, StoreErrorKind, Updated, Use};

pub(super) const RULES: &[Rule] = &[
    rule!(
        Plant,
        "corrupt-is-not-absent",
        corrupt_is_not_absent,
        "of bytes that are no record, or one of an earlier or a later encoding, find and read are `corrupt` errors, and \
         nothing takes their place"
    ),
    rule!(
        Plant,
        "corrupt-fails-listings",
        corrupt_fails_listings,
        "list, expiring and unused are `corrupt` errors where they would come to a record that does not decode"
    ),
    rule!(
        Plant,
        "corrupt-fails-counts",
        corrupt_fails_counts,
        "count_live and count_slots are `corrupt` errors where they would come to a record that does not decode"
    ),
    rule!(
        Plant,
        "corrupt-saves-nobody",
        corrupt_saves_nobody,
        "revoke_owned revokes whatever decodes, and then is a `corrupt` error"
    ),
    rule!(
        Plant,
        "corrupt-is-skipped",
        corrupt_is_skipped,
        "purge and record_uses pass over a record that does not decode, and do the rest"
    ),
    rule!(
        BreakOff,
        "a-failure-is-an-error",
        a_failure_is_an_error,
        "where the store fails every method is an error: never that there is nothing, never zero, never done"
    ),
];

/// An owner with two sound records, a revoked one, and one between them that is to become corrupt.
struct Plot {
    owner: Owner,
    sound: [Arc<Record>; 2],
    dead: Arc<Record>,
    corrupt: Arc<Record>,
    bytes: Vec<u8>,
}

/// One for each way not to decode: cut off, and of another version of the encoding.
fn plots() -> Checked<Vec<Plot>> {
    let mut plots = Vec::new();
    for (number, version) in [None, Some(0), Some(u64::MAX)].into_iter().enumerate() {
        let owner = Owner::user(&format!("u-{number}"))?;
        let record = |letter| of(&owner, &format!("{letter}{number}"));
        let corrupt = built(record("m")?)?;
        let encoded = corrupt.encode()?;
        let rest = encoded.strip_prefix(b"{\"v\":1");
        let bytes = match (version, rest) {
            (Some(version), Some(rest)) => [format!("{{\"v\":{version}").as_bytes(), rest].concat(),
            _ => encoded.iter().take(encoded.len() / 2).copied().collect(),
        };
        ensure!(Record::decode(&bytes).is_err(), "the kit's own corrupt record, which decodes");
        let sound = [built(record("a")?)?, built(record("z")?)?];
        let dead = built(record("q")?.revoked(revoked_at(1)))?;
        plots.push(Plot { owner, sound, dead, corrupt, bytes });
    }
    Ok(plots)
}

/// Fills the store with sound records; those that the host is to make corrupt, and how.
pub(super) async fn sow(bench: &Bench) -> Checked<Vec<(CredentialKey, Vec<u8>)>> {
    let mut corrupt = Vec::new();
    for plot in plots()? {
        let [first, second] = &plot.sound;
        for record in [first, second, &plot.dead, &plot.corrupt] {
            bench.put(record).await?;
        }
        corrupt.push((plot.corrupt.key(), plot.bytes));
    }
    Ok(corrupt)
}

/// This error and no other answer.
fn is_corrupt<T>(found: &Result<T, StoreError>, what: &str) -> Checked {
    let is = found.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Corrupt);
    ensure!(is, "{what}, of a record that does not decode: {}", in_short(found));
    Ok(())
}

/// An answer without the records in it.
fn in_short<T>(found: &Result<T, StoreError>) -> String {
    found.as_ref().map_or_else(|error| Seen::error(error).0, |_| "Ok, and no error".to_owned())
}

async fn corrupt_is_not_absent(bench: Bench) -> Checked {
    for Plot { corrupt, .. } in plots()? {
        let CredentialKey { kind, id } = corrupt.key();
        is_corrupt(&bench.store.find(kind, &id).await, "find")?;
        is_corrupt(&bench.store.read(kind, &id).await, "read")?;
        let peeked = bench.store.peek(kind, &id);
        ensure!(!matches!(peeked, Peek::Absent), "peek: Absent, of a record that does not decode");
        let inserted = bench.store.insert(&corrupt).await;
        ensure!(
            !matches!(inserted, Ok(Inserted::Yes)),
            "insert: Yes, where there is a record that does not decode"
        );
        let updated = bench.store.update(99, &built(corrupt.to_builder().version(100))?).await;
        ensure!(
            !matches!(updated, Ok(Updated::Absent | Updated::Yes)),
            "update by who saw another version: {updated:?}"
        );
        is_corrupt(&bench.store.read(kind, &id).await, "read behind an insert and an update")?;
    }
    Ok(())
}

async fn corrupt_fails_listings(bench: Bench) -> Checked {
    for Plot { owner, .. } in plots()? {
        is_corrupt(&bench.store.list(&owner, None, 99).await, "list")?;
    }
    is_corrupt(&bench.store.expiring(at(3_600), at(3_601), None, 99).await, "expiring")?;
    is_corrupt(&bench.store.unused(at(1), at(1), None, 99).await, "unused")
}

async fn corrupt_fails_counts(bench: Bench) -> Checked {
    for Plot { owner, .. } in plots()? {
        is_corrupt(&bench.store.count_live(&owner, at(1)).await, "count_live")?;
    }
    is_corrupt(&bench.store.count_slots(at(1)).await, "count_slots")
}

async fn corrupt_saves_nobody(bench: Bench) -> Checked {
    for Plot { owner, sound, .. } in plots()? {
        is_corrupt(&bench.store.revoke_owned(&owner, &revoked_at(3)).await, "revoke_owned")?;
        for record in sound {
            bench.holds(&*built(record.to_builder().revoked(revoked_at(3)).version(2))?).await?;
        }
    }
    Ok(())
}

async fn corrupt_is_skipped(bench: Bench) -> Checked {
    let used = |record: &Record| Use { key: record.key(), secret: 1, at: at(5) };
    let plots = plots()?;
    let uses: Vec<Use> = plots
        .iter()
        .flat_map(|plot| [used(&plot.corrupt), used(&plot.sound[0]), used(&plot.sound[1])])
        .collect();
    bench.store.record_uses(&uses).await?;
    ensure_eq!(bench.store.purge(at(2), 99).await?, 3, "purge of three, with three that do not decode");
    for Plot { sound, dead, corrupt, .. } in plots {
        bench.holds_nothing(dead.key()).await?;
        for record in sound {
            ensure_eq!(
                bench.entry(record.key()).await?.uses.of(1),
                Some(at(5)),
                "time of use of {}",
                record.key()
            );
        }
        let CredentialKey { kind, id } = corrupt.key();
        is_corrupt(&bench.store.read(kind, &id).await, "read behind a purge")?;
    }
    Ok(())
}

async fn a_failure_is_an_error(bench: Bench) -> Checked {
    fn fails<T>(found: &Result<T, StoreError>, what: &str) -> Checked {
        ensure!(found.is_err(), "{what}, of a store that fails: {}", in_short(found));
        Ok(())
    }
    let store = &*bench.store;
    let (never, new) = (id("never")?, built(of(&Owner::user("u-0")?, "new")?)?);
    for Plot { owner, sound: [record, _], .. } in plots()? {
        let CredentialKey { kind, id } = record.key();
        // Where it is known from before, the answer may be that: within the bound of a lookup.
        let found = store.find(kind, &id).await;
        ensure!(!matches!(found, Ok(None)), "find, of a store that fails: nothing of {kind} {id}");
        ensure!(
            !matches!(store.peek(kind, &id), Peek::Absent),
            "peek, of a store that fails: nothing of {kind} {id}"
        );
        fails(&store.read(kind, &id).await, "read")?;
        fails(&store.insert(&record).await, "insert")?;
        fails(&store.update(1, &renamed(&record, "renamed")?).await, "update")?;
        fails(&store.list(&owner, None, 9).await, "list")?;
        fails(&store.count_live(&owner, at(1)).await, "count_live")?;
        fails(&store.revoke_owned(&owner, &revoked_at(3)).await, "revoke_owned")?;
        fails(&store.record_uses(&[Use { key: record.key(), secret: 1, at: at(5) }]).await, "record_uses")?;
    }
    fails(&store.find(Kind::ApiKey, &never).await, "find")?;
    fails(&store.read(Kind::ApiKey, &never).await, "read")?;
    fails(&store.insert(&new).await, "insert")?;
    fails(&store.count_slots(at(1)).await, "count_slots")?;
    fails(&store.expiring(at(0), at(9_999), None, 9).await, "expiring")?;
    fails(&store.unused(at(1), at(1), None, 9).await, "unused")?;
    fails(&store.purge(at(2), 9).await, "purge")
}
