//! The same credential from many sides at once: one of them succeeds, and the others hear that they did not.

use std::sync::Arc;

use super::bench::Bench;
use super::crowd::others_first;
use super::records::{at, built, of, renamed, until, user};
use super::rule::{Rule, rule};
use super::seen::{Checked, Seen, ensure, ensure_eq};
use crate::{Inserted, Owner, Record, Updated};

pub(super) const RULES: &[Rule] = &[
    rule!(
        "one-of-many-inserts",
        one_of_many_inserts,
        "of 64 inserts of one id at once exactly one answers Yes, and nothing of the others is left"
    ),
    rule!(
        "one-of-many-updates",
        one_of_many_updates,
        "of 64 updates at once that saw one version exactly one answers Yes, and its record is there"
    ),
    rule!(
        "purge-spares-the-prolonged",
        purge_spares_the_prolonged,
        "of purges, and updates that move an end, at once: each credential is either prolonged and there, or counted as purged and absent"
    ),
];

/// How often 64 of them are at it: the first to begin may be done before the second is awake.
const CONTESTS: usize = 4;

/// Of what every one won of each contest, the one that won it.
fn winners(won: &[Vec<Option<Arc<Record>>>], what: &str) -> Checked<Vec<Arc<Record>>> {
    let contest = |number: usize| {
        let all: Vec<_> = won.iter().filter_map(|won| won.get(number)?.as_ref()).collect();
        match all.as_slice() {
            [winner] => Ok(Arc::clone(winner)),
            _ => Err(Seen(format!("{} of 64 {what} answered Yes", all.len()))),
        }
    };
    (0..CONTESTS).map(contest).collect()
}

async fn one_of_many_inserts(bench: Bench) -> Checked {
    let mut owners = Vec::new();
    for number in 0..64 {
        owners.push(Owner::user(&format!("u-{number}"))?);
    }
    let inserts = owners.iter().cloned().map(|owner| {
        let store = Arc::clone(&bench.store);
        async move {
            let mut won = Vec::new();
            for contest in 0..CONTESTS {
                let record = built(of(&owner, &format!("contested-{contest}"))?)?;
                won.push((store.insert(&record).await? == Inserted::Yes).then_some(record));
                others_first().await;
            }
            Ok(won)
        }
    });
    let winners = winners(&bench.crowd.all(inserts).await?, "inserts")?;
    for winner in &winners {
        bench.holds(winner).await?;
    }
    for owner in &owners {
        let listed = bench.store.list(owner, None, 9).await?.len();
        let expected = winners.iter().filter(|winner| winner.owner() == owner).count();
        ensure_eq!(listed, expected, "credentials listed of {owner}, who won so many");
    }
    Ok(())
}

async fn one_of_many_updates(bench: Bench) -> Checked {
    let mut contested = Vec::new();
    for contest in 0..CONTESTS {
        let record = built(of(&user()?, &format!("contested-{contest}"))?)?;
        bench.put(&record).await?;
        contested.push(record);
    }
    let updates = (0..64).map(|number| {
        let (store, contested) = (Arc::clone(&bench.store), contested.clone());
        async move {
            let mut won = Vec::new();
            for record in &contested {
                let next = renamed(record, &format!("update {number}"))?;
                let updated = store.update(1, &next).await?;
                ensure!(updated != Updated::Absent, "update: Absent, of a record that is there");
                won.push((updated == Updated::Yes).then_some(next));
                others_first().await;
            }
            Ok(won)
        }
    });
    for winner in winners(&bench.crowd.all(updates).await?, "updates")? {
        bench.holds(&winner).await?;
    }
    Ok(())
}

/// Four prolong a quarter each, a fifth purges. What is prolonged first is what is purged first, and so on.
async fn purge_spares_the_prolonged(bench: Bench) -> Checked {
    let mut ended = Vec::new();
    for number in 0..64_i64 {
        let record = of(&user()?, &format!("id{number:02}"))?.validity(until(number / 4 % 8));
        let record = built(record)?;
        bench.put(&record).await?;
        ended.push(record);
    }
    let ended = Arc::new(ended);
    let tasks = (0..5).map(|place| {
        let (store, ended) = (Arc::clone(&bench.store), Arc::clone(&ended));
        async move {
            let (mut purged, mut prolonged) = (0_u64, Vec::new());
            if place == 4 {
                for end in 1..=8 {
                    purged = purged.saturating_add(store.purge(at(end), 64).await?);
                    others_first().await;
                }
                return Ok((purged, prolonged));
            }
            for record in ended.iter().skip(place).step_by(4) {
                let next = built(record.to_builder().validity(until(3_600)).version(2))?;
                let updated = store.update(1, &next).await?;
                // Of what is purged meanwhile a store may say either.
                if updated == Updated::Yes {
                    prolonged.push(next);
                }
                others_first().await;
            }
            Ok((purged, prolonged))
        }
    });
    let done = bench.crowd.all(tasks).await?;
    let prolonged: Vec<_> = done.iter().flat_map(|(_, prolonged)| prolonged).collect();
    for record in &prolonged {
        bench.holds(record).await?;
    }
    let is_gone = |record: &&Arc<Record>| prolonged.iter().all(|next| next.key() != record.key());
    let gone: Vec<_> = ended.iter().filter(is_gone).collect();
    for record in &gone {
        bench.holds_nothing(record.key()).await?;
    }
    let purged = done.iter().fold(0, |sum: u64, (purged, _)| sum.saturating_add(*purged));
    ensure_eq!(
        usize::try_from(purged).unwrap_or(usize::MAX),
        gone.len(),
        "credentials purged, of so many that are gone"
    );
    Ok(())
}
