//! Insert is insert-if-absent, update is compare-and-swap; what was acknowledged is found; all by kind and by the bytes of
//! ids.

use std::collections::BTreeSet;

use super::bench::{Bench, ids, same};
use super::records::{at, built, full, id, of, owner_of, renamed, revoked_at, until, user};
use super::rule::{Rule, rule};
use super::seen::{Checked, Seen, ensure, ensure_eq};
use crate::{CredentialKey, Inserted, Kind, Owner, StoreErrorKind, Updated, Use};

pub(super) const RULES: &[Rule] = &[
    rule!(
        "insert-if-absent",
        insert_if_absent,
        "of a kind and id that are there, an insert answers IdTaken and changes nothing, whosever the records are, dead or not"
    ),
    rule!("kinds-are-apart", kinds_are_apart, "one id in another kind is another credential"),
    rule!(
        "ids-are-bytes",
        ids_are_bytes,
        "ids that differ in one byte, also in case only, are of different credentials"
    ),
    rule!(
        "ids-are-data",
        ids_are_data,
        "every id that can be written is data: it finds and changes its own record alone"
    ),
    rule!(
        "update-is-compare-and-swap",
        update_is_compare_and_swap,
        "an update answers Yes where the version is the one seen, else Changed; Absent where there is none; else nothing changes"
    ),
    rule!(
        "update-rejects-a-wrong-record",
        update_rejects_a_wrong_record,
        "an update to a version that is not later, or to another owner, is a `rejected` error and changes nothing"
    ),
    rule!(
        "revocation-is-final",
        revocation_is_final,
        "an update that saw a record before it was revoked answers Changed, and the record stays revoked"
    ),
    rule!(
        "records-come-back-as-given",
        records_come_back_as_given,
        "what was inserted or updated is found, read and listed with every field as it was given"
    ),
    rule!(
        "acknowledged-is-found",
        acknowledged_is_found,
        "what a write acknowledged is what find, peek and read answer from then on, by the same handle"
    ),
];

async fn insert_if_absent(bench: Bench) -> Checked {
    let (owner, other) = (user()?, Owner::user("u-18")?);
    let held = [
        of(&owner, "live")?,
        of(&owner, "revoked")?.revoked(revoked_at(1)),
        of(&owner, "expired")?.validity(until(-9)),
        of(&owner, "disabled")?.disabled(true),
    ];
    for first in held {
        let first = built(first)?;
        let text = first.id().as_str();
        bench.holds_nothing(first.key()).await?;
        bench.put(&first).await?;
        let rivals = [
            of(&owner, text)?.name("rival"),
            of(&other, text)?,
            of(&owner, text)?.version(9),
            first.to_builder(),
        ];
        for rival in rivals {
            let inserted = bench.store.insert(&built(rival)?).await?;
            ensure_eq!(inserted, Inserted::IdTaken, "a second insert of {}", first.key());
            bench.holds(&first).await?;
        }
    }
    let listed =
        [bench.store.list(&owner, None, 9).await?.len(), bench.store.list(&other, None, 9).await?.len()];
    ensure_eq!(listed, [4, 0], "credentials listed of their owner, and of who came too late");
    Ok(())
}

async fn kinds_are_apart(bench: Bench) -> Checked {
    let mut records = Vec::new();
    for kind in Kind::ALL {
        let record = built(of(&owner_of(kind)?, "a")?)?;
        bench.holds_nothing(record.key()).await?;
        bench.put(&record).await?;
        records.push(record);
    }
    for record in &mut records {
        let next = renamed(record, "renamed")?;
        ensure_eq!(bench.store.update(1, &next).await?, Updated::Yes, "update of {}", record.key());
        *record = next;
    }
    bench
        .store
        .record_uses(&[Use { key: CredentialKey::new(Kind::ServiceAccount, id("a")?), secret: 1, at: at(1) }])
        .await?;
    for record in &records {
        bench.holds(record).await?;
        let used = bench.entry(record.key()).await?.uses.latest();
        let expected = (record.key().kind == Kind::ServiceAccount).then_some(at(1));
        ensure_eq!(used, expected, "time of use of {}", record.key());
    }
    Ok(())
}

async fn ids_are_bytes(bench: Bench) -> Checked {
    let owner = user()?;
    let near = [
        "Tr6AWfxq_-+/",
        "tr6aWfxq_-+/",
        "tr6AWfxq_-+",
        "r6AWfxq_-+/",
        "tr6AWfxq--+/",
        "tr6AWfxq__+/",
        "tr6AWfxq_-//",
        "tr6AWfxq_-++",
        "tr6AWfxq_-+/0",
        "TR6AWFXQ_-+/",
        "tr6awfxq_-+/",
        "tr6AWfxq0-+/",
        "tr6AWfxq",
        "____________",
    ];
    let record = built(of(&owner, "tr6AWfxq_-+/")?)?;
    bench.put(&record).await?;
    for text in near {
        let other = built(of(&owner, text)?)?;
        bench.holds_nothing(other.key()).await?;
        let updated = bench.store.update(1, &renamed(&other, "near")?).await?;
        ensure_eq!(updated, Updated::Absent, "update of {}, where there is {}", other.key(), record.key());
        bench.put(&other).await?;
        bench.holds(&other).await?;
    }
    bench.holds(&record).await
}

/// Of four characters at most, all that are made of what is special; and what words and numbers become elsewhere.
fn hostile() -> (Vec<String>, Vec<String>) {
    let mut special = vec![String::new()];
    for from in [0, 1, 5, 21] {
        let longer: Vec<String> = special
            .iter()
            .skip(from)
            .flat_map(|text| ["-", "_", "+", "/"].map(|last| format!("{text}{last}")))
            .collect();
        special.extend(longer);
    }
    let words = [
        "NULL",
        "null",
        "true",
        "0",
        "00",
        "-1",
        "1e9",
        "0x1F",
        "NaN",
        "ak",
        "sa",
        "DROP",
        "index",
        "/etc/passwd",
    ];
    let words = words.map(str::to_owned).into_iter();
    let long = ["a", "-", "_", "+", "/", "Z"].map(|letter| letter.repeat(64));
    // In two parts: those that are kept, and those that are asked for in vain.
    let (short, rest): (Vec<_>, Vec<_>) = special.into_iter().skip(1).partition(|text| text.len() < 4);
    let kept: Vec<String> = short.into_iter().chain(words).chain(long).collect();
    let kept_ones: BTreeSet<&String> = kept.iter().collect();
    let doubled = kept
        .iter()
        .flat_map(|text| [format!("{text}_"), format!("/{text}"), text.repeat(2), text.to_lowercase()]);
    let absent: BTreeSet<String> = rest
        .into_iter()
        .chain(doubled)
        .flat_map(|text| [format!("{text}k"), text])
        .filter(|text| text.len() <= 64 && !kept_ones.contains(text))
        .collect();
    (kept, absent.into_iter().collect())
}

async fn ids_are_data(bench: Bench) -> Checked {
    let owner = user()?;
    let (kept, absent) = hostile();
    let mut records = Vec::new();
    for text in &kept {
        let record = built(of(&owner, text)?)?;
        bench.put(&record).await?;
        records.push(record);
    }
    for text in &absent {
        bench.holds_nothing(CredentialKey::new(Kind::ApiKey, id(text)?)).await?;
    }
    for record in &records {
        bench.holds(record).await?;
    }
    let mut expected = kept;
    expected.sort();
    ensure_eq!(ids(&bench.store.list(&owner, None, 1_000).await?), expected, "list");
    Ok(())
}

/// To who compares 32 bits the same as 0.
const NARROW: u64 = 1 << 32;

async fn update_is_compare_and_swap(bench: Bench) -> Checked {
    for kind in Kind::ALL {
        let owner = owner_of(kind)?;
        let version = |version| {
            Ok::<_, Seen>(built(of(&owner, kind.as_str())?.name(&format!("v{version}")).version(version))?)
        };
        let update = async |seen, next| Ok::<_, Seen>(bench.store.update(seen, &version(next)?).await?);
        let first = version(5)?;
        ensure_eq!(update(1, 2).await?, Updated::Absent, "update where there is no record");
        bench.holds_nothing(first.key()).await?;
        bench.put(&first).await?;
        for seen in [0, 1, 4, 6, 99, NARROW + 5] {
            ensure_eq!(
                update(seen, NARROW + 6).await?,
                Updated::Changed,
                "update of version 5 by who saw {seen}"
            );
            bench.holds(&first).await?;
        }
        ensure_eq!(update(5, 6).await?, Updated::Yes, "update by who saw the version that there is");
        bench.holds(&*version(6)?).await?;
        ensure_eq!(update(5, 7).await?, Updated::Changed, "update by who saw the version before");
        bench.holds(&*version(6)?).await?;
        ensure_eq!(update(6, NARROW).await?, Updated::Yes, "update to a version that is much later");
        bench.holds(&*version(NARROW)?).await?;
    }
    Ok(())
}

async fn update_rejects_a_wrong_record(bench: Bench) -> Checked {
    let owner = user()?;
    let first = built(of(&owner, "a")?.version(5))?;
    bench.put(&first).await?;
    let others = Owner::user("u-18")?;
    let wrong = [(&owner, 0), (&owner, 4), (&owner, 5), (&others, 6)];
    for (owner, version) in wrong {
        let record = built(of(owner, "a")?.name("wrong").version(version))?;
        match bench.store.update(5, &record).await {
            Err(error) if error.kind() == StoreErrorKind::Rejected => {}
            found => {
                return Err(Seen(format!("update of version 5 to version {version} of {owner}: {found:?}")));
            }
        }
        bench.holds(&first).await?;
    }
    ensure!(bench.store.list(&others, None, 9).await?.is_empty(), "list: a credential of who has none");
    Ok(())
}

async fn revocation_is_final(bench: Bench) -> Checked {
    let owner = user()?;
    let [by_update, by_owner] = [built(of(&owner, "a")?)?, built(of(&owner, "b")?)?];
    bench.put(&by_update).await?;
    bench.put(&by_owner).await?;
    let revoked = built(by_update.to_builder().revoked(revoked_at(1)).version(2))?;
    ensure_eq!(bench.store.update(1, &revoked).await?, Updated::Yes, "update that revokes");
    bench.store.revoke_owned(&owner, &revoked_at(2)).await?;
    for (before, revoked_at) in [(by_update, at(1)), (by_owner, at(2))] {
        for version in [2, 3, 9] {
            let late = built(before.to_builder().name("late").version(version))?;
            let updated = bench.store.update(1, &late).await?;
            ensure_eq!(
                updated,
                Updated::Changed,
                "update of {} by who saw it before it was revoked",
                late.key()
            );
            let now = bench.entry(late.key()).await?.record;
            let since = now.revocation().map(|revocation| revocation.at);
            ensure_eq!(since, Some(revoked_at), "revocation of {}", late.key());
        }
    }
    Ok(())
}

async fn records_come_back_as_given(bench: Bench) -> Checked {
    let mut records = full()?;
    for record in &records {
        bench.put(record).await?;
    }
    for updated in [false, true] {
        for record in &mut records {
            if updated {
                let next = renamed(record, "renamed")?;
                ensure_eq!(
                    bench.store.update(record.version(), &next).await?,
                    Updated::Yes,
                    "update of {}",
                    record.key()
                );
                *record = next;
            }
        }
        for record in &records {
            bench.holds(record).await?;
            let listed = bench.store.list(record.owner(), None, 99).await?;
            let listed = listed.iter().find(|entry| entry.record.key() == record.key());
            let listed = listed.ok_or_else(|| Seen(format!("list: nothing of {}", record.key())))?;
            same("list", &listed.record, record)?;
        }
    }
    Ok(())
}

async fn acknowledged_is_found(bench: Bench) -> Checked {
    for kind in Kind::ALL {
        let owner = owner_of(kind)?;
        let record = built(of(&owner, "a")?)?;
        let key = record.key();
        bench.holds_nothing(key).await?;
        bench.put(&record).await?;
        bench.holds(&record).await?;
        let next = renamed(&record, "renamed")?;
        ensure_eq!(bench.store.update(1, &next).await?, Updated::Yes, "update of {key}");
        bench.holds(&next).await?;
        ensure_eq!(bench.store.revoke_owned(&owner, &revoked_at(1)).await?, 1, "revoke_owned of {owner}");
        let revoked = next.to_builder().revoked(revoked_at(1)).version(3);
        bench.holds(&*built(revoked)?).await?;
        ensure_eq!(bench.store.purge(at(2), 9).await?, 1, "purge");
        bench.holds_nothing(key).await?;
        let again = built(of(&owner, "a")?.name("again"))?;
        bench.put(&again).await?;
        bench.holds(&again).await?;
        // An organization's reach includes the next kind's owner.
        ensure_eq!(bench.store.purge(at(9_999), 9).await?, 1, "purge");
    }
    Ok(())
}
