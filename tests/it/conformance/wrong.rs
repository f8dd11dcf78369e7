//! Stores that are broken as real ones are, and the rules by whose names they are caught.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keygate::conformance::Conformance;
use keygate::{
    CredentialId, CredentialKey, Entry, Inserted, LastUses, Owner, Peek, Record, Revocation, SlotCount,
    Timestamp, Updated, Use,
};
use pollster::block_on;

use super::rows::{Answer, Flaw, Flawed, Row, Rows, holds, is_dead_before, is_live};

/// The rules that a store with this flaw breaks.
fn broken<F: Flaw>() -> Vec<&'static str> {
    let kit = Conformance::new(async || Flawed::<F>::default())
        .plant(async |store, key, bytes| store.rows.plant(key, bytes))
        .break_off(async |store| store.rows.close());
    let violations = block_on(kit.run()).unwrap_err();
    assert_eq!(violations.report().unchecked().count(), 0);
    violations.broken().iter().map(|violation| violation.rule).collect()
}

#[track_caller]
fn breaks<F: Flaw>(expected: &[&str]) {
    assert_eq!(broken::<F>(), expected);
}

/// Beside what is always broken, these may be.
#[track_caller]
fn breaks_at_least<F: Flaw>(always: &[&str], at_times: &[&str]) {
    let broken = broken::<F>();
    assert!(always.iter().all(|rule| broken.contains(rule)), "{broken:?}");
    let is_known = |rule| always.contains(rule) || at_times.contains(rule);
    assert!(broken.iter().all(is_known), "{broken:?}");
}

/// A race is caught every time, and not only now and then.
#[track_caller]
fn always_breaks<F: Flaw>(always: &[&str], at_times: &[&str]) {
    (0..10).for_each(|_| breaks_at_least::<F>(always, at_times));
}

/// A window of a race, held open until somebody came between, once. On the kit's threads alone: elsewhere nobody can.
#[derive(Default)]
struct Window {
    passed: AtomicUsize,
    was_held: AtomicBool,
}

impl Window {
    /// Somebody is here.
    fn pass(&self) {
        self.passed.fetch_add(1, Ordering::SeqCst);
    }

    /// Until so many more were here, however late they awake; or others called so often that they never will be.
    fn hold(&self, rows: &Rows, others: usize) {
        let (passed, calls) = (self.passed.load(Ordering::SeqCst) + others, rows.calls() + 30 * others);
        self.hold_until(|| self.passed.load(Ordering::SeqCst) >= passed || rows.calls() >= calls);
    }

    /// Where it is certain that somebody comes, or has come.
    fn hold_for_one(&self) {
        self.hold_until(|| self.passed.load(Ordering::SeqCst) > 0);
    }

    /// By one thread alone: two would wait for each other.
    fn hold_until(&self, is_enough: impl Fn() -> bool) {
        if thread::current().name() != Some("keygate-conformance")
            || self.was_held.swap(true, Ordering::SeqCst)
        {
            return;
        }
        let latest = Instant::now() + Duration::from_secs(10);
        while !is_enough() && Instant::now() < latest {
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

macro_rules! flaws {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $name;

        impl Flaw for $name {
            $($body)*
        }
    )*};
}

flaws! {
    /// `INSERT OR REPLACE`.
    InsertOverwrites {
        fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
            rows.open()?.insert(record.key(), Row::of(record));
            Ok(Inserted::Yes)
        }
    }
    /// A unique index `WHERE revoked_at IS NULL`.
    InsertReplacesTheRevoked {
        fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
            insert_over(rows, record, |held| held.revocation().is_some())
        }
    }
    InsertReplacesTheExpired {
        fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
            insert_over(rows, record, |held| held.validity().expires_at() < record.validity().expires_at())
        }
    }
    InsertReplacesTheDisabled {
        fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
            insert_over(rows, record, Record::is_disabled)
        }
    }
    /// The id alone is the primary key.
    KindIsNoPartOfTheKey {
        fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
            let mut table = rows.open()?;
            if table.keys().any(|key| key.id == record.key().id) {
                return Ok(Inserted::IdTaken);
            }
            table.insert(record.key(), Row::of(record));
            Ok(Inserted::Yes)
        }
    }
    /// A column whose collation ignores case.
    IdsIgnoreCase {
        fn read(&self, rows: &Rows, wanted: CredentialKey) -> Answer<Option<Entry>> {
            let is = |key: &CredentialKey| key.kind == wanted.kind && key.id.as_str().eq_ignore_ascii_case(wanted.id.as_str());
            let table = rows.open()?;
            let exact = table.get(&wanted);
            exact.or_else(|| table.iter().find(|(key, _)| is(key)).map(|(_, row)| row)).map(Row::entry).transpose()
        }
    }
    /// The same of the query that verifying asks, alone.
    FindIgnoresCase {
        fn find(&self, rows: &Rows, wanted: CredentialKey) -> Answer<Option<Arc<Record>>> {
            let is = |key: &CredentialKey| key.kind == wanted.kind && key.id.as_str().eq_ignore_ascii_case(wanted.id.as_str());
            let table = rows.open()?;
            let exact = table.get(&wanted);
            exact.or_else(|| table.iter().find(|(key, _)| is(key)).map(|(_, row)| row)).map(Row::record).transpose()
        }
    }
    /// `WHERE id = ?`, and no kind.
    FindForgetsTheKind {
        fn find(&self, rows: &Rows, wanted: CredentialKey) -> Answer<Option<Arc<Record>>> {
            let table = rows.open()?;
            let exact = table.get(&wanted);
            exact.or_else(|| table.iter().find(|(key, _)| key.id == wanted.id).map(|(_, row)| row)).map(Row::record).transpose()
        }
    }
    /// `UPDATE … WHERE id = ?`, without the version.
    UpdateIgnoresTheVersion {
        fn update(&self, rows: &Rows, _: u64, record: &Record) -> Answer<Updated> {
            match rows.read(record.key())? {
                Some(entry) => rows.update(entry.record.version(), record),
                None => Ok(Updated::Absent),
            }
        }
    }
    /// An upsert.
    UpdateInserts {
        fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
            let updated = rows.update(seen, record)?;
            if updated == Updated::Absent {
                rows.open()?.insert(record.key(), Row::of(record));
                return Ok(Updated::Yes);
            }
            Ok(updated)
        }
    }
    /// `UPDATE credentials SET owner = …`.
    UpdateChangesTheOwner {
        fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
            if let Some(row) = rows.open()?.get_mut(&record.key()) && row.record()?.version() == seen {
                row.owner = record.owner().clone();
            }
            rows.update(seen, record)
        }
    }
    /// A column of 32 bits.
    VersionIsNarrow {
        fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
            let is_seen = |held: u64| (held ^ seen).trailing_zeros() >= 32;
            match rows.read(record.key())?.map(|entry| entry.record.version()) {
                Some(held) if is_seen(held) && record.version() > seen => rows.update(held, record),
                _ => rows.update(seen, record),
            }
        }
    }
    /// Whoever saw the version before the revocation may still write: the version did not count that.
    UpdateRevives {
        fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
            let now = rows.read(record.key())?;
            match now.filter(|entry| entry.record.revocation().is_some() && entry.record.version() == seen + 1) {
                Some(entry) if record.version() > seen + 1 => rows.update(entry.record.version(), record),
                _ => rows.update(seen, record),
            }
        }
    }
    /// Times of use are columns of the row that is replaced.
    UpdateForgetsUses {
        fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
            let updated = rows.update(seen, record)?;
            if updated == Updated::Yes && let Some(row) = rows.open()?.get_mut(&record.key()) {
                row.uses = LastUses::default();
            }
            Ok(updated)
        }
    }
    /// `OFFSET` where a row was taken off.
    PageSkips {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let skipped = usize::from(after.is_some());
            Ok(rows.list(owner, after, limit.saturating_add(skipped))?.into_iter().skip(skipped).collect())
        }
    }
    /// `>=` for `>`.
    PageRepeats {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let all = rows.list(owner, None, usize::MAX)?.into_iter();
            Ok(all.filter(|entry| after.is_none_or(|after| entry.record.key().id >= *after)).take(limit).collect())
        }
    }
    /// The order of a language, and not of bytes.
    OrderIgnoresCase {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let folded = |id: &CredentialId| (id.as_str().to_ascii_lowercase(), id.as_str().to_owned());
            let all = rows.list(owner, None, usize::MAX)?.into_iter().map(|entry| (folded(&entry.record.key().id), entry));
            let behind = all.filter(|(id, _)| after.is_none_or(|after| *id > folded(after)));
            Ok(behind.collect::<BTreeMap<_, _>>().into_values().take(limit).collect())
        }
    }
    /// The dead are not worth a line.
    ListHidesTheDead {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let all = rows.list(owner, after, usize::MAX)?.into_iter();
            Ok(all.filter(|entry| entry.record.revocation().is_none()).take(limit).collect())
        }
    }
    /// `LIKE ?`: a pattern.
    ListTakesPatterns {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let everybody: Vec<Owner> = rows.open()?.values().map(|row| row.owner.clone()).collect();
            let all = |of: &Owner| rows.list(of, after, usize::MAX);
            match owner {
                Owner::User(user) if user.as_str() == "%" => {
                    let users = everybody.iter().filter(|of| matches!(of, Owner::User(_)));
                    Ok(users.flat_map(|of| all(of).unwrap()).take(limit).collect())
                }
                _ => rows.list(owner, after, limit),
            }
        }
    }
    /// `WHERE kind = ?`, and no owner.
    ListForgetsTheOwner {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let table = rows.open()?;
            let of_kind = table.iter().filter(|(key, _)| key.kind == owner.kind() && after.is_none_or(|after| key.id > *after));
            of_kind.take(limit).map(|(_, row)| row.entry()).collect()
        }
    }
    CountForgetsTheOwner {
        fn count_live(&self, rows: &Rows, owner: &Owner, now: Timestamp) -> Answer<u64> {
            let mut count = 0;
            for row in rows.open()?.values().filter(|row| row.owner.kind() == owner.kind()) {
                count += u64::from(is_live(&*row.record()?, now));
            }
            Ok(count)
        }
    }
    /// `<=` for `<`.
    CountsWhatEnded {
        fn count_live(&self, rows: &Rows, owner: &Owner, now: Timestamp) -> Answer<u64> {
            let just_before = Timestamp::from_unix(now.as_unix().saturating_sub(1));
            let live = rows.list(owner, None, usize::MAX)?;
            Ok(live.iter().filter(|entry| is_live(&entry.record, just_before)).count().try_into().unwrap())
        }
    }
    /// The organization's name alone, also of what is another's by the same name.
    RevokeForgetsTheOrganization {
        fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
            let is = |of: &Owner| match (owner, of) {
                (Owner::Project(_, wanted), Owner::Project(_, project)) => wanted == project,
                _ => owner.includes(of),
            };
            revoke_where(rows, revocation, is, usize::MAX)
        }
    }
    RevokeForgetsTheProjects {
        fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
            revoke_where(rows, revocation, |of| of == owner, usize::MAX)
        }
    }
    /// The first page is all that there is.
    RevokesOnePage {
        fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
            revoke_where(rows, revocation, |of| owner.includes(of), 100)
        }
    }
    /// `UPDATE … SET revoked_at = ?`, of whatever is there.
    RevokesAgain {
        fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
            let mut table = rows.open()?;
            let dead = table.values_mut().filter(|row| owner.includes(&row.owner));
            let mut revoked_again = 0;
            for row in dead {
                let Ok(record) = row.record() else { continue };
                if record.revocation().is_some() {
                    let again = record.to_builder().revoked(revocation.clone()).version(record.version() + 1);
                    row.bytes = again.build().unwrap().encode().unwrap();
                    revoked_again += 1;
                }
            }
            drop(table);
            Ok(revoke_where(rows, revocation, |of| owner.includes(of), usize::MAX)? + revoked_again)
        }
    }
    /// The column is written, the version is not.
    RevokesWithoutAVersion {
        fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
            let mut revoked = 0;
            for row in rows.open()?.values_mut().filter(|row| owner.includes(&row.owner)) {
                let version = row.record()?.version();
                if Rows::revoke(row, revocation)? {
                    row.bytes = row.record()?.to_builder().version(version).build().unwrap().encode().unwrap();
                    revoked += 1;
                }
            }
            Ok(revoked)
        }
    }
    /// One that does not decode, and the rest is left as it is.
    RevokeStopsAtCorruption {
        fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
            let mut revoked = 0;
            for row in rows.open()?.values_mut().filter(|row| owner.includes(&row.owner)) {
                revoked += u64::from(Rows::revoke(row, revocation)?);
            }
            Ok(revoked)
        }
    }
    /// `SET used_at = ?`.
    UseTimesGoBack {
        fn record_uses(&self, rows: &Rows, uses: &[Use]) -> Answer<()> {
            let mut table = rows.open()?;
            for Use { key, secret, at } in uses {
                let Some(row) = table.get_mut(key) else { continue };
                if let Ok(record) = row.record() && holds(&record, *secret) {
                    let others = [record.current().number, record.retiring().map_or(0, |retiring| retiring.secret.number)];
                    let before = std::mem::take(&mut row.uses);
                    let others = others.into_iter().filter(|other| other != secret);
                    others.filter_map(|other| Some((other, before.of(other)?))).for_each(|(other, at)| row.uses.note(other, at));
                    row.uses.note(*secret, *at);
                }
            }
            Ok(())
        }
    }
    /// As many as one statement takes.
    UsesOfOneStatement {
        fn record_uses(&self, rows: &Rows, uses: &[Use]) -> Answer<()> {
            rows.record_uses(&uses[..uses.len().min(10)])
        }
    }
    /// `ON CONFLICT` within one statement, of which the first stays.
    FirstUseOfACall {
        fn record_uses(&self, rows: &Rows, uses: &[Use]) -> Answer<()> {
            let is_first = |place: &usize| uses[..*place].iter().all(|before| (before.key, before.secret) != (uses[*place].key, uses[*place].secret));
            let first: Vec<Use> = (0..uses.len()).filter(is_first).map(|place| uses[place]).collect();
            rows.record_uses(&first)
        }
    }
    /// A table of its own without a foreign key.
    UsesOfAnything {
        fn record_uses(&self, rows: &Rows, uses: &[Use]) -> Answer<()> {
            let mut table = rows.open()?;
            uses.iter().for_each(|Use { key, secret, at }| {
                table.get_mut(key).into_iter().for_each(|row| row.uses.note(*secret, *at));
            });
            Ok(())
        }
    }
    SlotsForgetRetiringSecrets {
        fn count_slots(&self, rows: &Rows, now: Timestamp) -> Answer<Vec<SlotCount>> {
            rows.count_slots(now, false)
        }
    }
    /// `BETWEEN`.
    ExpiringIncludesItsEnd {
        fn is_expiring(&self, end: Timestamp, from: Timestamp, until: Timestamp) -> bool {
            from <= end && end <= until
        }
    }
    UnusedForgetsUses {
        fn is_used(&self, _: &LastUses, _: Timestamp) -> bool {
            false
        }
    }
    PurgeIgnoresItsLimit {
        fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
            rows.purge(if limit == 0 { 0 } else { usize::MAX }, |record| is_dead_before(record, before))
        }
    }
    /// Disabled is dead enough.
    PurgeTakesTheLiving {
        fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
            rows.purge(limit, |record| is_dead_before(record, before) || record.is_disabled())
        }
    }
    /// `.ok().flatten()`.
    FailureIsAbsence {
        fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
            match rows.read(key) {
                Err(error) if error.is_retryable() => Ok(None),
                found => Ok(found?.map(|entry| entry.record)),
            }
        }
    }
    FailureIsZero {
        fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
            Ok(rows.purge(limit, |record| is_dead_before(record, before)).unwrap_or(0))
        }
    }
    CorruptIsAbsent {
        fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
            Ok(rows.open()?.get(&key).and_then(|row| row.record().ok()))
        }
    }
    CorruptIsNotListed {
        fn list(&self, rows: &Rows, owner: &Owner, after: Option<&CredentialId>, limit: usize) -> Answer<Vec<Entry>> {
            let table = rows.open()?;
            let owned = table.iter().filter(|(key, row)| row.owner == *owner && after.is_none_or(|after| key.id > *after));
            Ok(owned.filter_map(|(_, row)| row.entry().ok()).take(limit).collect())
        }
    }
    CorruptIsNotCounted {
        fn count_live(&self, rows: &Rows, owner: &Owner, now: Timestamp) -> Answer<u64> {
            let table = rows.open()?;
            let owned = table.values().filter(|row| row.owner == *owner).filter_map(|row| row.record().ok());
            Ok(owned.filter(|record| is_live(record, now)).count().try_into().unwrap())
        }
    }
    CorruptStopsAPurge {
        fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
            rows.open()?.values().try_for_each(|row| row.record().map(drop))?;
            rows.purge(limit, |record| is_dead_before(record, before))
        }
    }
    /// The name, in a column for 8-bit characters.
    NamesAreTruncated {
        fn read(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Entry>> {
            let Some(mut entry) = rows.read(key)? else { return Ok(None) };
            if let Some(name) = entry.record.name() {
                let ascii: String = name.chars().filter(char::is_ascii).collect();
                entry.record = Arc::new(entry.record.to_builder().name(&ascii).build().unwrap());
            }
            Ok(Some(entry))
        }
    }
}

/// Inserts, also where its owner has one like this.
fn insert_over(rows: &Rows, record: &Record, is_void: impl Fn(&Record) -> bool) -> Answer<Inserted> {
    let mut table = rows.open()?;
    let held = table.get(&record.key()).map(Row::record).transpose()?;
    if held.is_some_and(|held| held.owner() != record.owner() || !is_void(&held)) {
        return Ok(Inserted::IdTaken);
    }
    table.insert(record.key(), Row::of(record));
    Ok(Inserted::Yes)
}

/// Revokes at most so many of those owners'.
fn revoke_where(
    rows: &Rows,
    revocation: &Revocation,
    is: impl Fn(&Owner) -> bool,
    limit: usize,
) -> Answer<u64> {
    let (mut revoked, mut failed) = (0, None);
    for row in rows.open()?.values_mut().filter(|row| is(&row.owner)).take(limit) {
        match Rows::revoke(row, revocation) {
            Ok(counts) => revoked += u64::from(counts),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(revoked), Err)
}

/// `SELECT`, and then `INSERT`.
#[derive(Default)]
struct ChecksAndThenInserts(Window);

impl Flaw for ChecksAndThenInserts {
    fn insert(&self, rows: &Rows, record: &Record) -> Answer<Inserted> {
        if rows.open()?.contains_key(&record.key()) {
            return Ok(Inserted::IdTaken);
        }
        self.0.pass();
        self.0.hold(rows, 1);
        rows.open()?.insert(record.key(), Row::of(record));
        Ok(Inserted::Yes)
    }
}

/// The version is compared in the host, and not where it is written.
#[derive(Default)]
struct ChecksAndThenUpdates(Window);

impl Flaw for ChecksAndThenUpdates {
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        let now = rows.read(record.key())?.map(|entry| entry.record);
        let is_sound = |now: &Arc<Record>| {
            now.version() == seen && now.owner() == record.owner() && seen < record.version()
        };
        if !now.as_ref().is_some_and(is_sound) {
            return rows.update(seen, record);
        }
        self.0.pass();
        self.0.hold(rows, 1);
        rows.plant(record.key(), record.encode().unwrap());
        Ok(Updated::Yes)
    }
}

/// Two statements, without a transaction.
#[derive(Default)]
struct RotatesInTwoSteps(Window);

impl RotatesInTwoSteps {
    /// It passes where it is half done.
    fn read(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Entry>> {
        let entry = rows.read(key)?;
        let is_half = |entry: &Entry| entry.record.version() > 1 && entry.record.retiring().is_none();
        entry.iter().filter(|entry| is_half(entry)).for_each(|_| self.0.pass());
        Ok(entry)
    }
}

impl Flaw for RotatesInTwoSteps {
    fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
        Ok(self.read(rows, key)?.map(|entry| entry.record))
    }
    fn read(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Entry>> {
        self.read(rows, key)
    }
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        let before = rows.read(record.key())?;
        let updated = rows.update(seen, record)?;
        if updated == Updated::Yes
            && let Some(before) = before
        {
            let half =
                record.to_builder().current(before.record.current().clone()).retiring(None).build().unwrap();
            rows.plant(record.key(), half.encode().unwrap());
            self.0.hold(rows, 1);
            rows.plant(record.key(), record.encode().unwrap());
        }
        Ok(updated)
    }
}

/// `DELETE`, and then `INSERT`.
#[derive(Default)]
struct DeletesAndThenInserts(Window);

impl DeletesAndThenInserts {
    /// It passes where it is gone.
    fn read(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Entry>> {
        let entry = rows.read(key)?;
        if entry.is_none() {
            self.0.pass();
        }
        Ok(entry)
    }
}

impl Flaw for DeletesAndThenInserts {
    fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
        Ok(self.read(rows, key)?.map(|entry| entry.record))
    }
    fn read(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Entry>> {
        self.read(rows, key)
    }
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        let updated = rows.update(seen, record)?;
        if updated == Updated::Yes {
            let row = rows.open()?.remove(&record.key());
            self.0.hold(rows, 1);
            rows.open()?.extend(row.map(|row| (record.key(), row)));
        }
        Ok(updated)
    }
}

/// `SELECT`, and then `DELETE` of those ids, whatever became of them.
#[derive(Default)]
struct SelectsAndThenDeletes {
    selected: Mutex<Vec<CredentialKey>>,
    selecting: Window,
    updated: Window,
}

impl Flaw for SelectsAndThenDeletes {
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        // Where what has ended is prolonged, somebody purges.
        let has_ended = |held: &Entry| held.record.validity().expires_at() < record.validity().expires_at();
        if rows.read(record.key())?.as_ref().is_some_and(has_ended) {
            self.selecting.hold_for_one();
        }
        let updated = rows.update(seen, record)?;
        if updated == Updated::Yes && self.selected.lock().unwrap().contains(&record.key()) {
            self.updated.pass();
        }
        Ok(updated)
    }
    fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
        let is_doomed = |row: &Row| row.record().is_ok_and(|record| is_dead_before(&record, before));
        let doomed: Vec<_> =
            rows.open()?.iter().filter(|(_, row)| is_doomed(row)).map(|(key, _)| *key).take(limit).collect();
        self.selected.lock().unwrap().clone_from(&doomed);
        self.selecting.pass();
        self.updated.hold_for_one();
        let mut table = rows.open()?;
        Ok(doomed.iter().map(|key| u64::from(table.remove(key).is_some())).sum())
    }
}

/// `SELECT`, and then `UPDATE` of the whole record.
#[derive(Default)]
struct RevokesOverUpdates(Window);

impl Flaw for RevokesOverUpdates {
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        let updated = rows.update(seen, record)?;
        if updated == Updated::Yes {
            self.0.pass();
        }
        Ok(updated)
    }
    fn revoke_owned(&self, rows: &Rows, owner: &Owner, revocation: &Revocation) -> Answer<u64> {
        let before: Vec<_> = rows.open()?.iter().map(|(key, row)| (*key, row.clone())).collect();
        // As many updates as there are others may have been done before.
        self.0.hold(rows, 4);
        let (mut revoked, mut failed) = (0, None);
        for (key, mut row) in before.into_iter().filter(|(_, row)| owner.includes(&row.owner)) {
            match Rows::revoke(&mut row, revocation) {
                Ok(true) => {
                    rows.plant(key, row.bytes);
                    revoked += 1;
                }
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(revoked), Err)
    }
}

/// What was found once is what is found.
#[derive(Default)]
struct FindIsStale(Mutex<HashMap<CredentialKey, Arc<Record>>>);

impl Flaw for FindIsStale {
    fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
        let found = rows.read(key)?;
        let mut known = self.0.lock().unwrap();
        Ok(found.map(|entry| Arc::clone(known.entry(key).or_insert(entry.record))))
    }
}

/// A cache of which revoking all of an owner knows nothing. All else it keeps under one lock with the rows, so that no find which
/// is late breaks another rule now and then.
#[derive(Default)]
struct PeekIsStaleAfterRevoking(Mutex<HashMap<CredentialKey, Arc<Record>>>);

impl Flaw for PeekIsStaleAfterRevoking {
    fn find(&self, rows: &Rows, key: CredentialKey) -> Answer<Option<Arc<Record>>> {
        let mut known = self.0.lock().unwrap();
        let found = rows.read(key)?.map(|entry| entry.record);
        known.extend(found.iter().map(|record| (key, Arc::clone(record))));
        Ok(found)
    }
    fn peek(&self, _: &Rows, key: CredentialKey) -> Peek {
        self.0.lock().unwrap().get(&key).map_or(Peek::Ask, |record| Peek::Known(Arc::clone(record)))
    }
    fn update(&self, rows: &Rows, seen: u64, record: &Record) -> Answer<Updated> {
        let mut known = self.0.lock().unwrap();
        known.remove(&record.key());
        rows.update(seen, record)
    }
    fn purge(&self, rows: &Rows, before: Timestamp, limit: usize) -> Answer<u64> {
        let mut known = self.0.lock().unwrap();
        known.clear();
        rows.purge(limit, |record| is_dead_before(record, before))
    }
}

#[test]
fn a_wrong_insert_is_caught() {
    breaks::<InsertOverwrites>(&["insert-if-absent", "one-of-many-inserts", "corrupt-is-not-absent"]);
    breaks::<InsertReplacesTheRevoked>(&["insert-if-absent"]);
    breaks::<InsertReplacesTheExpired>(&["insert-if-absent"]);
    breaks::<InsertReplacesTheDisabled>(&["insert-if-absent"]);
    breaks::<KindIsNoPartOfTheKey>(&["kinds-are-apart", "key-pages"]);
    breaks::<IdsIgnoreCase>(&["ids-are-bytes", "ids-are-data"]);
    breaks::<FindIgnoresCase>(&["ids-are-bytes", "ids-are-data"]);
    breaks::<FindForgetsTheKind>(&["kinds-are-apart", "unknown-uses-are-ignored"]);
    breaks::<NamesAreTruncated>(&["records-come-back-as-given"]);
    always_breaks::<ChecksAndThenInserts>(&["one-of-many-inserts"], &[]);
}

#[test]
fn a_wrong_update_is_caught() {
    breaks_at_least::<UpdateInserts>(
        &["ids-are-bytes", "update-is-compare-and-swap"],
        &["purge-spares-the-prolonged"],
    );
    breaks::<VersionIsNarrow>(&["update-is-compare-and-swap"]);
    breaks::<UpdateChangesTheOwner>(&["update-rejects-a-wrong-record"]);
    breaks_at_least::<UpdateForgetsUses>(&["uses-outlast-updates"], &AT_ONCE);
    breaks_at_least::<UpdateIgnoresTheVersion>(
        &["update-is-compare-and-swap", "revocation-is-final", "one-of-many-updates"],
        &AT_ONCE,
    );
    breaks_at_least::<UpdateRevives>(&["revocation-is-final"], &AT_ONCE);
}

/// What a race may break, and need not.
const AT_ONCE: [&str; 4] = [
    "no-update-is-lost",
    "revocation-outlasts-updates",
    "uses-and-updates-at-once",
    "purge-spares-the-prolonged",
];

#[test]
fn a_lost_update_is_caught() {
    always_breaks::<ChecksAndThenUpdates>(&["one-of-many-updates", "no-update-is-lost"], &AT_ONCE);
}

#[test]
fn an_update_that_a_revocation_undoes_is_caught() {
    always_breaks::<RevokesOverUpdates>(&["revocation-outlasts-updates"], &[]);
}

#[test]
fn a_rotation_in_two_steps_is_caught() {
    always_breaks::<RotatesInTwoSteps>(&["rotation-is-atomic"], &AT_ONCE);
}

#[test]
fn a_record_that_is_gone_for_a_moment_is_caught() {
    let at_times = [&AT_ONCE[..], &["one-of-many-updates"]].concat();
    always_breaks::<DeletesAndThenInserts>(&["rotation-is-atomic"], &at_times);
}

#[test]
fn a_stale_answer_is_caught() {
    breaks_at_least::<FindIsStale>(
        &[
            "update-is-compare-and-swap",
            "records-come-back-as-given",
            "acknowledged-is-found",
            "a-dropped-write-is-done-or-not",
            "first-revocation-stays",
        ],
        &["rotation-is-atomic"],
    );
    breaks::<PeekIsStaleAfterRevoking>(&["acknowledged-is-found"]);
}

#[test]
fn a_wrong_page_is_caught() {
    breaks::<PageSkips>(&["pages-hold-under-inserts", "list-pages"]);
    breaks::<PageRepeats>(&["pages-hold-under-inserts", "list-pages"]);
    breaks::<OrderIgnoresCase>(&["ids-are-data", "list-pages"]);
    breaks::<ListHidesTheDead>(&[
        "insert-if-absent",
        "records-come-back-as-given",
        "the-dead-are-listed",
        "purge-takes-the-dead",
    ]);
    breaks::<ExpiringIncludesItsEnd>(&["expiring-bounds"]);
    breaks::<UnusedForgetsUses>(&["unused-bounds"]);
}

#[test]
fn a_forgotten_owner_is_caught() {
    let rules =
        ["insert-if-absent", "update-rejects-a-wrong-record", "one-of-many-inserts", "list-is-of-one-owner"];
    breaks::<ListForgetsTheOwner>(&rules);
    breaks::<ListTakesPatterns>(&["list-is-of-one-owner"]);
    breaks::<CountForgetsTheOwner>(&["count-is-of-one-owner"]);
    breaks::<CountsWhatEnded>(&["count-live-bounds"]);
    breaks::<RevokeForgetsTheOrganization>(&["revoke-owned-reaches-its-own"]);
}

#[test]
fn a_wrong_revocation_is_caught() {
    breaks::<RevokeForgetsTheProjects>(&["revoke-owned-reaches-its-own", "revoke-owned-takes-all"]);
    breaks::<RevokesOnePage>(&["revoke-owned-takes-all"]);
    let rules = [
        "revocation-is-final",
        "a-dropped-write-is-done-or-not",
        "revoke-owned-reaches-its-own",
        "first-revocation-stays",
    ];
    breaks::<RevokesAgain>(&rules);
    let rules = [
        "revocation-is-final",
        "acknowledged-is-found",
        "a-dropped-write-is-done-or-not",
        "revoke-owned-takes-all",
        "revoke-owned-changes-one-thing",
        "first-revocation-stays",
        "corrupt-saves-nobody",
    ];
    breaks_at_least::<RevokesWithoutAVersion>(&rules, &AT_ONCE);
}

#[test]
fn a_wrong_time_of_use_is_caught() {
    breaks_at_least::<UseTimesGoBack>(&["use-times-never-go-back", "many-uses-in-one-call"], &AT_ONCE);
    breaks::<UsesOfOneStatement>(&["many-uses-in-one-call"]);
    breaks::<FirstUseOfACall>(&["many-uses-in-one-call"]);
    breaks::<UsesOfAnything>(&["unknown-uses-are-ignored"]);
    breaks::<SlotsForgetRetiringSecrets>(&["slots-are-counted"]);
}

#[test]
fn a_wrong_purge_is_caught() {
    breaks::<PurgeIgnoresItsLimit>(&["purge-takes-the-dead"]);
    breaks::<PurgeTakesTheLiving>(&["purge-takes-the-dead"]);
}

#[test]
fn a_purge_of_what_was_prolonged_is_caught() {
    always_breaks::<SelectsAndThenDeletes>(&["purge-spares-the-prolonged"], &[]);
}

#[test]
fn a_fault_that_reads_as_absence_is_caught() {
    breaks::<FailureIsAbsence>(&["a-failure-is-an-error"]);
    breaks::<FailureIsZero>(&["a-failure-is-an-error"]);
    breaks::<CorruptIsAbsent>(&["corrupt-is-not-absent"]);
    breaks::<CorruptIsNotListed>(&["corrupt-fails-listings"]);
    breaks::<CorruptIsNotCounted>(&["corrupt-fails-counts"]);
    breaks::<CorruptStopsAPurge>(&["corrupt-is-skipped"]);
    breaks::<RevokeStopsAtCorruption>(&["corrupt-saves-nobody"]);
}
