//! Many at once: nothing is lost, nothing is half there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use super::bench::{Bench, same};
use super::crowd::{Watch, others_first};
use super::pages::{Paged, listed};
use super::records::{at, built, of, owner_of, renamed, revoked_at, rotated, until, user};
use super::rule::{Rule, rule};
use super::seen::{Checked, Seen, ensure, ensure_eq};
use crate::{CredentialKey, Kind, Record, Store, Updated, Use};

pub(super) const RULES: &[Rule] = &[
    rule!(
        "no-update-is-lost",
        no_update_is_lost,
        "a count that many count up at once, by updates, is exact in the end"
    ),
    rule!(
        "rotation-is-atomic",
        rotation_is_atomic,
        "whoever finds or reads a record while it is updated gets one of its versions, whole, and never an earlier one than before"
    ),
    rule!(
        "revocation-outlasts-updates",
        revocation_outlasts_updates,
        "once revoke_owned answered, everything that was there is revoked and stays so, whatever updates were on their way, and none that was acknowledged is lost"
    ),
    rule!(
        "pages-hold-under-inserts",
        pages_hold_under_inserts,
        "whatever is inserted meanwhile, pages give what is there from the first to the last, once each and in order"
    ),
    rule!(
        "uses-and-updates-at-once",
        uses_and_updates_at_once,
        "of uses and updates of one record at once none is lost"
    ),
    rule!(
        "a-dropped-write-is-done-or-not",
        a_dropped_write_is_done_or_not,
        "a write whose future is dropped is done whole or not at all, and the store goes on"
    ),
];

/// Reads, changes and updates until it is done so many times.
async fn update_often(
    store: &dyn Store,
    key: CredentialKey,
    times: u64,
    next: impl Fn(&Record) -> Checked<Arc<Record>>,
) -> Checked {
    let mut done = 0_u64;
    for _ in 0..20_000 {
        if done == times {
            return Ok(());
        }
        let entry = store.read(key.kind, &key.id).await?;
        let record = entry.ok_or_else(|| Seen(format!("read: nothing of {key}")))?.record;
        match store.update(record.version(), &next(&record)?).await? {
            Updated::Yes => done = done.saturating_add(1),
            Updated::Changed | Updated::Absent => others_first().await,
        }
    }
    Err(Seen(format!("of 20000 updates by who read the record just before, {done} answered Yes")))
}

fn count_in(record: &Record) -> u64 {
    record.name().and_then(|name| name.parse().ok()).unwrap_or(0)
}

fn counted_up(record: &Record) -> Checked<Arc<Record>> {
    Ok(renamed(record, &count_in(record).saturating_add(1).to_string())?)
}

async fn no_update_is_lost(bench: Bench) -> Checked {
    let first = built(of(&user()?, "counted")?)?;
    let key = first.key();
    bench.put(&first).await?;
    let counting = (0..8).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { update_often(&*store, key, 8, counted_up).await }
    });
    bench.crowd.all(counting).await?;
    let last = bench.entry(key).await?.record;
    ensure_eq!(
        (count_in(&last), last.version()),
        (64, 65),
        "count and version after 8 times 8 updates that answered Yes"
    );
    Ok(())
}

async fn rotation_is_atomic(bench: Bench) -> Checked {
    const LAST: u32 = 16;
    let first = rotated(1)?;
    let key = first.key();
    bench.put(&first).await?;
    let store = Arc::clone(&bench.store);
    let rotate = move |watch: Arc<Watch>| async move {
        for version in 2..=LAST {
            watch.looked().await;
            let seen = u64::from(version.saturating_sub(1));
            ensure_eq!(
                store.update(seen, &rotated(version)?).await?,
                Updated::Yes,
                "update to version {version}"
            );
        }
        Ok(())
    };
    let bench_of_look = bench.clone();
    let look = move |turn: u64| {
        let bench = bench_of_look.clone();
        async move {
            let before = bench.entry(key).await?.record;
            let found = if turn.is_multiple_of(2) {
                Some(bench.entry(key).await?.record)
            } else {
                bench.store.find(key.kind, &key.id).await?
            };
            let found = found.ok_or_else(|| Seen(format!("find: nothing of {key}")))?;
            for record in [&before, &found] {
                let version = record.version().try_into().unwrap_or(u32::MAX);
                ensure!((1..=LAST).contains(&version), "version {version}, which nobody wrote");
                same("a look", record, &*rotated(version)?)?;
            }
            ensure!(
                found.version() >= before.version(),
                "version {} after {}",
                found.version(),
                before.version()
            );
            Ok(())
        }
    };
    bench.crowd.watched(rotate, look).await?;
    bench.holds(&*rotated(LAST)?).await
}

async fn revocation_outlasts_updates(bench: Bench) -> Checked {
    let owner = user()?;
    let mut counted = Vec::new();
    for number in 0..16 {
        let record = built(of(&owner, &format!("id{number:02}"))?)?;
        bench.put(&record).await?;
        counted.push((record.key(), AtomicU64::new(0)));
    }
    let counted = Arc::new(counted);
    let is_acknowledged = Arc::new(AtomicBool::new(false));
    let (looking, looked_at, acknowledged) =
        (bench.clone(), Arc::clone(&counted), Arc::clone(&is_acknowledged));
    let tried = Arc::new(AtomicU64::new(0));
    let tried_before = Arc::clone(&tried);
    let look = move |turn: u64| {
        let bench = looking.clone();
        let counted = Arc::clone(&looked_at);
        let (acknowledged, tried) = (Arc::clone(&acknowledged), Arc::clone(&tried));
        async move {
            let place = usize::try_from(turn % 16).unwrap_or(0);
            let Some((key, count)) = counted.get(place) else { return Ok(()) };
            let key = *key;
            let was_acknowledged = acknowledged.load(Ordering::SeqCst);
            let record = bench.entry(key).await?.record;
            let is_revoked = record.revocation().is_some();
            ensure!(
                is_revoked || !was_acknowledged,
                "read: {key} without its revocation, after it was acknowledged"
            );
            // For as long as that takes, also where it has to wait for its turn; but it must not wait for ever.
            if !is_revoked && tried.fetch_add(1, Ordering::SeqCst) < 2_000 {
                // It may be revoked by now, and then nothing changes.
                let updated = bench.store.update(record.version(), &counted_up(&record)?).await?;
                count.fetch_add(u64::from(updated == Updated::Yes), Ordering::SeqCst);
            }
            Ok(())
        }
    };
    let revoking = Arc::clone(&bench.store);
    let revoke = move |watch: Arc<Watch>| async move {
        watch.looked().await;
        // What was tried before it began, however late, is not on its way.
        tried_before.store(0, Ordering::SeqCst);
        let revoked = revoking.revoke_owned(&owner, &revoked_at(1)).await?;
        is_acknowledged.store(true, Ordering::SeqCst);
        ensure_eq!(revoked, 16, "revoke_owned of {owner}");
        watch.looked().await;
        watch.looked().await;
        Ok(())
    };
    bench.crowd.watched(revoke, look).await?;
    for (key, count) in counted.iter() {
        let last = bench.entry(*key).await?.record;
        ensure!(last.revocation().is_some(), "read: {key} is not revoked in the end");
        let count = count.load(Ordering::SeqCst);
        ensure_eq!(
            (count_in(&last), last.version()),
            (count, count.saturating_add(2)),
            "count and version of {key} after {count} updates that answered Yes, and its revocation"
        );
    }
    Ok(())
}

async fn pages_hold_under_inserts(bench: Bench) -> Checked {
    let owner = owner_of(Kind::ServiceAccount)?;
    let mut stay = Vec::new();
    for number in 0..20 {
        let text = format!("k{number:02}");
        bench.put(&built(of(&owner, &text)?.validity(until(10)))?).await?;
        stay.push(text);
    }
    let (inserting, to, expected) = (bench.clone(), owner.clone(), stay.clone());
    let insert = move |watch: Arc<Watch>| async move {
        // Between those that stay, from behind and from before.
        for number in (0..20).rev().chain(20..40) {
            watch.looked().await;
            inserting
                .put(&built(of(&to, &format!("k{:02}-{number}", number % 20))?.validity(until(10)))?)
                .await?;
        }
        Ok(())
    };
    let store = Arc::clone(&bench.store);
    let look = move |turn: u64| {
        let (store, owner, expected) = (Arc::clone(&store), owner.clone(), expected.clone());
        async move {
            let limit = usize::try_from(turn % 7).unwrap_or(0).saturating_add(1);
            let mut seen = if turn.is_multiple_of(2) {
                listed(&*store, &owner, limit).await?
            } else {
                Paged::Expiring.all(&*store, limit).await?.iter().map(|key| key.id.to_string()).collect()
            };
            ensure!(
                seen.is_sorted_by(|one, next| one < next),
                "pages of {limit}: out of order, or one twice: {seen:?}"
            );
            seen.retain(|text| text.len() == 3);
            ensure_eq!(seen, expected, "pages of {limit}, of what is there from the first to the last");
            Ok(())
        }
    };
    bench.crowd.watched(insert, look).await?;
    ensure_eq!(
        listed(&*bench.store, &owner_of(Kind::ServiceAccount)?, 7).await?.len(),
        60,
        "credentials listed in the end"
    );
    Ok(())
}

async fn uses_and_updates_at_once(bench: Bench) -> Checked {
    let first = built(of(&user()?, "counted")?)?;
    let key = first.key();
    bench.put(&first).await?;
    let tasks = (0..8_i64).map(|number| {
        let store = Arc::clone(&bench.store);
        async move {
            if number % 2 == 0 {
                return update_often(&*store, key, 6, counted_up).await;
            }
            for turn in 0..6_i64 {
                // By turns each of them has the latest: 7, 5, 3, 1 and then 17, 15, …
                let seconds = turn.saturating_mul(10).saturating_add(8).saturating_sub(number);
                store.record_uses(&[Use { key, secret: 1, at: at(seconds) }]).await?;
                others_first().await;
            }
            Ok(())
        }
    });
    bench.crowd.all(tasks).await?;
    let last = bench.entry(key).await?;
    ensure_eq!(
        (count_in(&last.record), last.record.version()),
        (24, 25),
        "count and version after 24 updates that answered Yes"
    );
    ensure_eq!(last.uses.of(1), Some(at(57)), "time of use, of which the latest was 57");
    Ok(())
}

/// Polls it once, and drops it.
async fn begin(write: impl Future) {
    let mut write = pin!(write);
    poll_fn(|context| {
        let _either = write.as_mut().poll(context).is_ready();
        Poll::Ready(())
    })
    .await;
}

async fn a_dropped_write_is_done_or_not(bench: Bench) -> Checked {
    let (owner, store) = (user()?, &*bench.store);
    let [first, second] = [built(of(&owner, "a")?)?, built(of(&owner, "b")?)?];
    begin(store.insert(&first)).await;
    let _either = store.insert(&first).await?;
    bench.holds(&first).await?;
    bench.put(&second).await?;

    begin(store.update(1, &renamed(&first, "dropped")?)).await;
    update_often(store, first.key(), 1, counted_up).await?;
    let updated = bench.entry(first.key()).await?.record;
    let (name, version) = (updated.name(), updated.version());
    ensure!(
        name == Some("1") && matches!(version, 2 | 3),
        "version {version} by the name {name:?}, behind a dropped update"
    );

    begin(store.record_uses(&[Use { key: first.key(), secret: 1, at: at(30) }])).await;
    store.record_uses(&[Use { key: first.key(), secret: 1, at: at(20) }]).await?;
    let used = bench.entry(first.key()).await?.uses.of(1);
    ensure!(used == Some(at(20)) || used == Some(at(30)), "time of use {used:?} behind a dropped call");

    begin(store.revoke_owned(&owner, &revoked_at(1))).await;
    store.revoke_owned(&owner, &revoked_at(1)).await?;
    for record in [updated, second] {
        let version = record.version().saturating_add(1);
        bench.holds(&*built(record.to_builder().revoked(revoked_at(1)).version(version))?).await?;
    }

    begin(store.purge(at(2), 1)).await;
    store.purge(at(2), 9).await?;
    ensure_eq!(
        store.list(&owner, None, 9).await?.len(),
        0,
        "credentials listed behind a dropped purge and another"
    );
    Ok(())
}
