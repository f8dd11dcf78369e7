//! Owners: nobody lists, counts or revokes what is another's; and revoking all that an owner has.

use std::sync::Arc;

use super::bench::{Bench, ids};
use super::records::{at, built, look_alikes, of, renamed, revoked_at, user};
use super::rule::{Rule, rule};
use super::seen::{Checked, ensure, ensure_eq};
use crate::{Owner, Record, Revocation, Updated, Use};

pub(super) const RULES: &[Rule] = &[
    rule!(
        "list-is-of-one-owner",
        list_is_of_one_owner,
        "a list is of exactly its owner, and not of one that looks alike"
    ),
    rule!("count-is-of-one-owner", count_is_of_one_owner, "count_live counts what is exactly its owner's"),
    rule!(
        "revoke-owned-reaches-its-own",
        revoke_owned_reaches_its_own,
        "revoke_owned revokes all that the owner includes and nothing else, and counts it"
    ),
    rule!(
        "revoke-owned-takes-all",
        revoke_owned_takes_all,
        "revoke_owned revokes everything that an owner has, however much it is"
    ),
    rule!(
        "revoke-owned-changes-one-thing",
        revoke_owned_changes_one_thing,
        "revoke_owned sets the revocation and raises the version by one; all else of a record, and its times of use, stay"
    ),
    rule!(
        "first-revocation-stays",
        first_revocation_stays,
        "what is revoked already is neither changed nor counted by revoke_owned, so that a second time answers 0"
    ),
    rule!(
        "revoke-owned-needs-a-reason",
        revoke_owned_needs_a_reason,
        "with a reason that no record may hold revoke_owned is an error, and every record stays as it is and decodes"
    ),
];

/// Two records of every owner, whose ids begin with this letter.
async fn populate(bench: &Bench, letter: &str) -> Checked<Vec<Arc<Record>>> {
    let mut records = Vec::new();
    for (number, owner) in look_alikes()?.iter().enumerate() {
        for last in ["", "-2"] {
            let record = built(of(owner, &format!("{letter}{number}{last}"))?.version(7))?;
            bench.put(&record).await?;
            records.push(record);
        }
    }
    Ok(records)
}

async fn list_is_of_one_owner(bench: Bench) -> Checked {
    populate(&bench, "a").await?;
    for (number, owner) in look_alikes()?.iter().enumerate() {
        let listed = ids(&bench.store.list(owner, None, 99).await?);
        ensure_eq!(listed, [format!("a{number}"), format!("a{number}-2")], "list of {owner}");
    }
    let nobody = Owner::user("acme_")?;
    ensure!(bench.store.list(&nobody, None, 99).await?.is_empty(), "list of {nobody}, who has nothing");
    Ok(())
}

async fn count_is_of_one_owner(bench: Bench) -> Checked {
    populate(&bench, "a").await?;
    for owner in look_alikes()? {
        ensure_eq!(bench.store.count_live(&owner, at(0)).await?, 2, "count_live of {owner}");
    }
    ensure_eq!(
        bench.store.count_live(&Owner::user("acme_")?, at(0)).await?,
        0,
        "count_live of who has nothing"
    );
    Ok(())
}

async fn revoke_owned_reaches_its_own(bench: Bench) -> Checked {
    let owners = look_alikes()?;
    // From the projects to what includes them, so that each has something of its own left; and then the other way.
    for (letter, order) in [("p", owners.iter().rev().collect::<Vec<_>>()), ("q", owners.iter().collect())] {
        let mut records = populate(&bench, letter).await?;
        for owner in order {
            let mut count = 0_u64;
            for record in &mut records {
                if owner.includes(record.owner()) && record.revocation().is_none() {
                    *record = built(record.to_builder().revoked(revoked_at(3)).version(8))?;
                    count = count.saturating_add(1);
                }
            }
            ensure_eq!(
                bench.store.revoke_owned(owner, &revoked_at(3)).await?,
                count,
                "revoke_owned of {owner}"
            );
            for record in &records {
                let now = bench.entry(record.key()).await?.record;
                let (found, due) = (now.revocation().is_some(), record.revocation().is_some());
                ensure_eq!(
                    found,
                    due,
                    "after revoke_owned of {owner}: what is {}'s is revoked",
                    record.owner()
                );
            }
        }
    }
    Ok(())
}

async fn revoke_owned_takes_all(bench: Bench) -> Checked {
    let (organization, project) = (Owner::organization("acme")?, Owner::project("acme", "web")?);
    let mut records = Vec::new();
    for number in 0..500 {
        let owner = if number % 10 == 0 { &project } else { &organization };
        let record = built(of(owner, &format!("id{number}"))?)?;
        bench.put(&record).await?;
        records.push(record);
    }
    ensure_eq!(
        bench.store.revoke_owned(&organization, &revoked_at(3)).await?,
        500,
        "revoke_owned of what has 500"
    );
    for record in &records {
        let now = bench.entry(record.key()).await?.record;
        ensure_eq!(
            (now.version(), now.revocation().is_some()),
            (2, true),
            "version and revocation of {}",
            record.key()
        );
    }
    for owner in [organization, project] {
        ensure_eq!(bench.store.count_live(&owner, at(0)).await?, 0, "count_live of {owner}, all revoked");
    }
    Ok(())
}

async fn revoke_owned_changes_one_thing(bench: Bench) -> Checked {
    let owner = user()?;
    let record =
        built(of(&owner, "a")?.name("laptop").metadata([("team", "red")]).disabled(true).version(4))?;
    bench.put(&record).await?;
    bench.store.record_uses(&[Use { key: record.key(), secret: 1, at: at(2) }]).await?;
    let revocation = Revocation::new(at(3), "it's over: 100 %");
    ensure_eq!(bench.store.revoke_owned(&owner, &revocation).await?, 1, "revoke_owned");
    bench.holds(&*built(record.to_builder().revoked(revocation).version(5))?).await?;
    ensure_eq!(bench.entry(record.key()).await?.uses.of(1), Some(at(2)), "time of use after revoke_owned");
    Ok(())
}

async fn first_revocation_stays(bench: Bench) -> Checked {
    let owner = user()?;
    let [before, live] =
        [built(of(&owner, "a")?.revoked(revoked_at(1)).version(4))?, built(of(&owner, "b")?)?];
    bench.put(&before).await?;
    bench.put(&live).await?;
    let revocation = |seconds| Revocation::new(at(seconds), "again");
    ensure_eq!(
        bench.store.revoke_owned(&owner, &revocation(3)).await?,
        1,
        "revoke_owned of two, one of them revoked"
    );
    bench.holds(&before).await?;
    ensure_eq!(bench.store.revoke_owned(&owner, &revocation(5)).await?, 0, "revoke_owned a second time");
    bench.holds(&before).await?;
    let revoked = built(live.to_builder().revoked(revocation(3)).version(2))?;
    bench.holds(&revoked).await?;
    // Whoever reads what was revoked may go on with it.
    let renamed = renamed(&revoked, "renamed")?;
    ensure_eq!(bench.store.update(2, &renamed).await?, Updated::Yes, "update of a revoked record");
    bench.holds(&renamed).await
}

async fn revoke_owned_needs_a_reason(bench: Bench) -> Checked {
    let owner = user()?;
    let record = built(of(&owner, "a")?)?;
    bench.put(&record).await?;
    for reason in ["", "a\nb", &"x".repeat(201)] {
        let revoked = bench.store.revoke_owned(&owner, &Revocation::new(at(3), reason)).await;
        ensure!(revoked.is_err(), "revoke_owned with a reason of {} characters: {revoked:?}", reason.len());
        bench.holds(&record).await?;
    }
    Ok(())
}
