//! Pages: in the order of bytes, every one once; what is counted, what expires, what is unused, and what is purged.

use std::sync::Arc;

use super::bench::{Bench, ids};
use super::records::{IN_ORDER, at, built, id, of, owner_of, revoked_at, until, user};
use super::rule::{Rule, rule};
use super::seen::{Checked, ensure, ensure_eq};
use crate::{CredentialKey, Entry, Kind, Owner, Record, RecordBuilder, Store, Timestamp, Use, Validity};

pub(super) const RULES: &[Rule] = &[
    rule!(
        "list-pages",
        list_pages,
        "pages of a list give every credential once, in the order of their bytes, behind `after` and at most `limit`"
    ),
    rule!("the-dead-are-listed", the_dead_are_listed, "revoked, expired and disabled credentials are listed"),
    rule!(
        "key-pages",
        key_pages,
        "pages of expiring and unused give every credential once, in the order of their keys"
    ),
    rule!(
        "count-live-bounds",
        count_live_bounds,
        "count_live counts what is not revoked and ends later than now, disabled or not yet valid as it may be"
    ),
    rule!(
        "expiring-bounds",
        expiring_bounds,
        "expiring gives what is not revoked and ends at `from` or later and before `until`"
    ),
    rule!(
        "unused-bounds",
        unused_bounds,
        "unused gives what is live at `now`, was made before `since` and not used at `since` or later by any secret"
    ),
    rule!(
        "purge-takes-the-dead",
        purge_takes_the_dead,
        "purge removes what was revoked or expired before the time and nothing else, at most `limit`, and counts it"
    ),
    rule!(
        "purged-is-forgotten",
        purged_is_forgotten,
        "what was purged is gone with its times of use, and its id may be inserted again"
    ),
];

/// All pages of a list of this length.
pub(super) async fn listed(store: &dyn Store, owner: &Owner, limit: usize) -> Checked<Vec<String>> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(owner, after.as_ref(), limit).await?;
        check_page(&page, limit, seen.len())?;
        seen.extend(ids(&page));
        after = page.last().map(|entry| *entry.record.id());
        if page.len() < limit {
            return Ok(seen);
        }
    }
}

/// A method that gives pages over all owners.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paged {
    Expiring,
    Unused,
}

impl Paged {
    /// Of what ends at 10, at 1.
    async fn page(
        self,
        store: &dyn Store,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Checked<Vec<Entry>> {
        Ok(match self {
            Self::Expiring => store.expiring(at(10), at(11), after, limit).await?,
            Self::Unused => store.unused(at(1), at(1), after, limit).await?,
        })
    }

    /// All pages of this length.
    pub(super) async fn all(self, store: &dyn Store, limit: usize) -> Checked<Vec<CredentialKey>> {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(store, after.as_ref(), limit).await?;
            check_page(&page, limit, seen.len())?;
            seen.extend(page.iter().map(|entry| entry.record.key()));
            after = seen.last().copied();
            if page.len() < limit {
                return Ok(seen);
            }
        }
    }
}

/// One that is too long, or one of pages without an end.
fn check_page(page: &[Entry], limit: usize, seen: usize) -> Checked {
    ensure!(page.len() <= limit, "a page of {} where the limit is {limit}", page.len());
    ensure!(seen <= 1_000, "pages without an end");
    Ok(())
}

async fn list_pages(bench: Bench) -> Checked {
    let (owner, store) = (user()?, &*bench.store);
    for place in [7, 0, 13, 4, 11, 2, 9, 5, 12, 1, 10, 3, 8, 6] {
        let text = IN_ORDER.get(place).copied().unwrap_or_default();
        bench.put(&built(of(&owner, text)?)?).await?;
    }
    for limit in [1, 2, 3, 7, 13, 14, 15] {
        ensure_eq!(listed(store, &owner, limit).await?, IN_ORDER, "pages of {limit}");
    }
    let longer = "zzzzzzzzzzzzzzzzzzzzzzzzzz";
    let behind: [(&str, &[&str]); 7] = [
        ("/", &["/0", "0"]),
        ("/1", &["0", "09"]),
        ("B", &["Z", "_"]),
        ("a+", &["a-", "aa"]),
        ("ZZ", &["_", "a"]),
        ("zz", &["zzzzzzzzzzzzzzzzzzzzzzzzz"]),
        (longer, &[]),
    ];
    for (after, expected) in behind {
        ensure_eq!(ids(&store.list(&owner, Some(&id(after)?), 2).await?), expected, "2 behind {after}");
    }
    ensure_eq!(store.list(&owner, None, 0).await?.len(), 0, "a page of 0");
    Ok(())
}

async fn the_dead_are_listed(bench: Bench) -> Checked {
    let owner = user()?;
    let records = [
        of(&owner, "a")?.validity(until(-100)),
        of(&owner, "b")?.revoked(revoked_at(-100)),
        of(&owner, "c")?.disabled(true),
        of(&owner, "d")?.validity(Validity::new(Some(at(1_000)), None)?),
    ];
    for record in records {
        bench.put(&built(record)?).await?;
    }
    ensure_eq!(ids(&bench.store.list(&owner, None, 9).await?), ["a", "b", "c", "d"], "list");
    Ok(())
}

async fn key_pages(bench: Bench) -> Checked {
    for text in ["b", "a", "B"] {
        for kind in [Kind::ServiceToken, Kind::ApiKey, Kind::ServiceAccount] {
            bench.put(&built(of(&owner_of(kind)?, text)?.validity(until(10)))?).await?;
        }
    }
    let in_order = ["ak.B", "ak.a", "ak.b", "sa.B", "sa.a", "sa.b", "st.B", "st.a", "st.b"];
    for paged in [Paged::Expiring, Paged::Unused] {
        for limit in [1, 2, 3, 7, 9, 10] {
            let seen: Vec<_> =
                paged.all(&*bench.store, limit).await?.iter().map(ToString::to_string).collect();
            ensure_eq!(seen, in_order, "pages of {limit} of {paged:?}");
        }
        ensure_eq!(paged.page(&*bench.store, None, 0).await?.len(), 0, "a page of 0 of {paged:?}");
        let absent = CredentialKey::new(Kind::ServiceAccount, id("C")?);
        let page = paged.page(&*bench.store, Some(&absent), 1).await?;
        ensure_eq!(ids(&page), ["a"], "one behind a key that is not there, of {paged:?}");
    }
    Ok(())
}

async fn count_live_bounds(bench: Bench) -> Checked {
    let owner = owner_of(Kind::ServiceAccount)?;
    let records = [
        of(&owner, "ends")?.validity(until(10)),
        of(&owner, "never")?.validity(Validity::UNBOUNDED),
        of(&owner, "disabled")?.validity(until(20)).disabled(true),
        of(&owner, "begins")?.validity(Validity::new(Some(at(1_000)), None)?),
        of(&owner, "revoked")?.revoked(revoked_at(5)),
    ];
    ensure_eq!(bench.store.count_live(&owner, at(0)).await?, 0, "count_live of who has nothing");
    for record in records {
        bench.put(&built(record)?).await?;
    }
    for (now, expected) in [(0, 4), (9, 4), (10, 3), (11, 3), (19, 3), (20, 2)] {
        ensure_eq!(
            bench.store.count_live(&owner, at(now)).await?,
            expected,
            "count_live at {now}, of ends at 10 and 20"
        );
    }
    for (now, expected) in [(i64::MIN, 4), (i64::MAX, 2)] {
        ensure_eq!(
            bench.store.count_live(&owner, Timestamp::from_unix(now)).await?,
            expected,
            "count_live at {now} s"
        );
    }
    Ok(())
}

async fn expiring_bounds(bench: Bench) -> Checked {
    let owner = user()?;
    for end in [9, 10, 11, 19, 20] {
        bench.put(&built(of(&owner, &format!("at{end:02}"))?.validity(until(end)))?).await?;
    }
    let others = [
        of(&owner, "never")?.validity(Validity::UNBOUNDED),
        of(&owner, "disabled")?.validity(until(12)).disabled(true),
        of(&owner, "revoked")?.validity(until(13)).revoked(revoked_at(0)),
    ];
    for record in others {
        bench.put(&built(record)?).await?;
    }
    let cases: [(i64, i64, &[&str]); 4] =
        [(10, 20, &["at10", "at11", "at19", "disabled"]), (10, 11, &["at10"]), (10, 10, &[]), (20, 10, &[])];
    for (from, until, expected) in cases {
        let found = ids(&bench.store.expiring(at(from), at(until), None, 99).await?);
        ensure_eq!(found, expected, "expiring from {from} until {until}");
    }
    let ever = bench
        .store
        .expiring(Timestamp::from_unix(i64::MIN), Timestamp::from_unix(i64::MAX), None, 99)
        .await?;
    ensure_eq!(ever.len(), 6, "expiring at any time");
    Ok(())
}

async fn unused_bounds(bench: Bench) -> Checked {
    let owner = user()?;
    let records = [
        (of(&owner, "at49")?, Some(49)),
        (of(&owner, "at50")?, Some(50)),
        (of(&owner, "at51")?, Some(51)),
        (of(&owner, "disabled")?.disabled(true), None),
        (of(&owner, "expired")?.validity(until(60)), None),
        (of(&owner, "never")?, None),
        (of(&owner, "revoked")?.revoked(revoked_at(1)), None),
    ];
    for (record, used) in records {
        let record = built(record)?;
        bench.put(&record).await?;
        if let Some(seconds) = used {
            bench.store.record_uses(&[Use { key: record.key(), secret: 1, at: at(seconds) }]).await?;
        }
    }
    let cases: [(i64, i64, &[&str]); 5] = [
        (50, 60, &["at49", "disabled", "never"]),
        (50, 59, &["at49", "disabled", "expired", "never"]),
        (51, 60, &["at49", "at50", "disabled", "never"]),
        (1, 60, &["disabled", "never"]),
        (0, 60, &[]),
    ];
    for (since, now, expected) in cases {
        let found = ids(&bench.store.unused(at(since), at(now), None, 99).await?);
        ensure_eq!(found, expected, "unused since {since}, at {now}, of what was made at 0");
    }
    Ok(())
}

async fn purge_takes_the_dead(bench: Bench) -> Checked {
    let (owner, store) = (user()?, &*bench.store);
    let of = |text| of(&owner, text);
    let records: [(RecordBuilder, bool); 9] = [
        (of("revoked-before")?.revoked(revoked_at(49)), true),
        (of("revoked-then")?.revoked(revoked_at(50)), false),
        (of("revoked-after")?.revoked(revoked_at(51)), false),
        (of("expired-before")?.validity(until(49)), true),
        (of("expired-then")?.validity(until(50)), false),
        (of("expires-after")?.validity(until(51)), false),
        (of("never")?.validity(Validity::UNBOUNDED), false),
        (of("disabled")?.disabled(true), false),
        (of("expired-before-it-was-revoked")?.validity(until(49)).revoked(revoked_at(90)), true),
    ];
    let mut kept: Vec<(Arc<Record>, bool)> = Vec::new();
    for (record, is_doomed) in records {
        let record = built(record)?;
        bench.put(&record).await?;
        kept.push((record, is_doomed));
    }
    for (limit, expected) in [(0, 0), (2, 2), (2, 1), (2, 0)] {
        ensure_eq!(store.purge(at(50), limit).await?, expected, "purge of at most {limit}, of 3 in all");
    }
    let mut left = Vec::new();
    for (record, is_doomed) in &kept {
        if *is_doomed {
            bench.holds_nothing(record.key()).await?;
        } else {
            bench.holds(record).await?;
            left.push(record.id().to_string());
        }
    }
    left.sort();
    ensure_eq!(ids(&store.list(&owner, None, 99).await?), left, "list after a purge");
    Ok(())
}

async fn purged_is_forgotten(bench: Bench) -> Checked {
    let owner = user()?;
    let dead = built(of(&owner, "a")?.revoked(revoked_at(1)))?;
    bench.put(&dead).await?;
    bench.store.record_uses(&[Use { key: dead.key(), secret: 1, at: at(1) }]).await?;
    ensure_eq!(bench.store.purge(at(2), 9).await?, 1, "purge");
    bench.holds_nothing(dead.key()).await?;
    let counts =
        (bench.store.list(&owner, None, 9).await?.len(), bench.store.count_slots(at(0)).await?.len());
    ensure_eq!(counts, (0, 0), "credentials listed and slots counted after a purge of all");
    let again = built(of(&owner, "a")?.name("again"))?;
    bench.put(&again).await?;
    bench.holds(&again).await?;
    ensure_eq!(
        bench.entry(again.key()).await?.uses.latest(),
        None,
        "time of use of a new record of a purged id"
    );
    Ok(())
}
