//! Times of use, and how many secrets need which key.

use super::bench::Bench;
use super::records::{at, built, id, of, owner_of, renamed, retiring, revoked_at, secret, until, user};
use super::rule::{Rule, rule};
use super::seen::{Checked, ensure_eq};
use crate::{CredentialKey, Kind, LastUses, Owner, SlotCount, Updated, Use};

pub(super) const RULES: &[Rule] = &[
    rule!(
        "use-times-never-go-back",
        use_times_never_go_back,
        "of the times of use of a secret the latest stays, in whatever order they are recorded"
    ),
    rule!(
        "many-uses-in-one-call",
        many_uses_in_one_call,
        "of 1,000 uses in one call, of many secrets in no order, every one is taken, also the last"
    ),
    rule!(
        "unknown-uses-are-ignored",
        unknown_uses_are_ignored,
        "a use of a credential or a secret that is not there is ignored, and keeps no other away"
    ),
    rule!(
        "uses-are-by-secret",
        uses_are_by_secret,
        "a use is told by the secret that it was by, and the latest of all"
    ),
    rule!(
        "uses-change-no-record",
        uses_change_no_record,
        "a use changes nothing of a record, its version neither, and is taken of a revoked one too"
    ),
    rule!(
        "uses-outlast-updates",
        uses_outlast_updates,
        "an update keeps the times of use of the secrets that are still there, and the latest of all"
    ),
    rule!(
        "slots-are-counted",
        slots_are_counted,
        "count_slots counts the current secret of every record, the retiring one before its end, and guards; by slot, without zeros"
    ),
];

const fn used(key: CredentialKey, secret: u32, seconds: i64) -> Use {
    Use { key, secret, at: at(seconds) }
}

async fn use_times_never_go_back(bench: Bench) -> Checked {
    let record = built(of(&user()?, "a")?)?;
    let key = record.key();
    bench.put(&record).await?;
    ensure_eq!(bench.entry(key).await?.uses, LastUses::default(), "times of use of a new record");
    for (seconds, latest) in [(10, 10), (9, 10), (10, 10), (11, 11), (-99_999, 11)] {
        bench.store.record_uses(&[used(key, 1, seconds)]).await?;
        let uses = bench.entry(key).await?.uses;
        ensure_eq!(
            (uses.of(1), uses.latest()),
            (Some(at(latest)), Some(at(latest))),
            "time of use after one at {seconds}"
        );
    }
    bench.store.record_uses(&[used(key, 1, 30), used(key, 1, 20)]).await?;
    ensure_eq!(bench.entry(key).await?.uses.of(1), Some(at(30)), "time of use after 30 and 20 in one call");
    Ok(())
}

async fn many_uses_in_one_call(bench: Bench) -> Checked {
    let mut secrets = Vec::new();
    for number in 0..7 {
        for kind in Kind::ALL {
            let record = of(&owner_of(kind)?, &format!("{}{number}", kind.as_str()))?
                .current(secret(2, 1, None)?)
                .retiring(retiring(secret(1, 1, None)?, at(60)));
            let record = built(record)?;
            bench.put(&record).await?;
            secrets.extend([(record.key(), 1), (record.key(), 2)]);
        }
    }
    // All from 0 to 998, the latest of a secret anywhere; and then 999.
    let seconds = (0..999_i64).map(|turn| turn.saturating_mul(617) % 999).chain([999]);
    let uses: Vec<Use> =
        secrets.iter().cycle().zip(seconds).map(|((key, number), at)| used(*key, *number, at)).collect();
    bench.store.record_uses(&uses).await?;
    for (key, number) in secrets {
        let of_secret = uses.iter().filter(|each| (each.key, each.secret) == (key, number));
        let latest = of_secret.map(|each| each.at).max();
        ensure_eq!(
            bench.entry(key).await?.uses.of(number),
            latest,
            "time of use of secret {number} of {key}"
        );
    }
    Ok(())
}

async fn unknown_uses_are_ignored(bench: Bench) -> Checked {
    let record = built(of(&user()?, "a")?)?;
    let key = record.key();
    bench.put(&record).await?;
    let unknown =
        [CredentialKey::new(Kind::ApiKey, id("b")?), CredentialKey::new(Kind::ServiceToken, id("a")?)];
    let uses = [
        used(unknown[0], 1, 99),
        used(unknown[1], 1, 99),
        used(key, 2, 99),
        used(key, 0, 99),
        used(key, 1, 5),
    ];
    bench.store.record_uses(&uses).await?;
    bench.store.record_uses(&[]).await?;
    let uses = bench.entry(key).await?.uses;
    ensure_eq!(
        (uses.of(1), uses.of(2), uses.of(0), uses.latest()),
        (Some(at(5)), None, None, Some(at(5))),
        "times of use"
    );
    for key in unknown {
        bench.holds_nothing(key).await?;
    }
    Ok(())
}

async fn uses_are_by_secret(bench: Bench) -> Checked {
    let record = of(&user()?, "a")?
        .current(secret(4_000_000_000, 1, None)?)
        .retiring(retiring(secret(7, 1, None)?, at(60)));
    let record = built(record)?;
    let key = record.key();
    bench.put(&record).await?;
    bench.store.record_uses(&[used(key, 7, 20), used(key, 4_000_000_000, 10)]).await?;
    let uses = bench.entry(key).await?.uses;
    let found = (uses.of(7), uses.of(4_000_000_000), uses.latest());
    ensure_eq!(
        found,
        (Some(at(20)), Some(at(10)), Some(at(20))),
        "time of use of the two secrets, and the latest"
    );
    let listed = bench.store.list(record.owner(), None, 1).await?;
    ensure_eq!(listed.first().map(|entry| &entry.uses), Some(&uses), "times of use that are listed");
    Ok(())
}

async fn uses_change_no_record(bench: Bench) -> Checked {
    for kind in Kind::ALL {
        let owner = owner_of(kind)?;
        let [record, revoked] = [
            built(of(&owner, kind.as_str())?.version(3))?,
            built(of(&owner, &format!("{}-revoked", kind.as_str()))?.revoked(revoked_at(1)))?,
        ];
        bench.put(&record).await?;
        bench.put(&revoked).await?;
        bench.store.record_uses(&[used(record.key(), 1, 5), used(revoked.key(), 1, 6)]).await?;
        bench.holds(&record).await?;
        bench.holds(&revoked).await?;
        let found = [record, revoked].map(|record| record.key());
        let found = (bench.entry(found[0]).await?.uses.of(1), bench.entry(found[1]).await?.uses.of(1));
        ensure_eq!(found, (Some(at(5)), Some(at(6))), "times of use of a live and a revoked {kind:?}");
    }
    Ok(())
}

async fn uses_outlast_updates(bench: Bench) -> Checked {
    let first = built(of(&user()?, "a")?)?;
    let key = first.key();
    bench.put(&first).await?;
    bench.store.record_uses(&[used(key, 1, 10)]).await?;
    let renamed = renamed(&first, "renamed")?;
    ensure_eq!(bench.store.update(1, &renamed).await?, Updated::Yes, "update");
    ensure_eq!(bench.entry(key).await?.uses.of(1), Some(at(10)), "time of use after an update");
    let rotated =
        renamed.to_builder().current(secret(2, 1, None)?).retiring(retiring(first.current().clone(), at(60)));
    ensure_eq!(
        bench.store.update(2, &built(rotated.version(3))?).await?,
        Updated::Yes,
        "update that rotates"
    );
    bench.store.record_uses(&[used(key, 2, 5)]).await?;
    let uses = bench.entry(key).await?.uses;
    let found = (uses.of(1), uses.of(2), uses.latest());
    ensure_eq!(
        found,
        (Some(at(10)), Some(at(5)), Some(at(10))),
        "times of use of both secrets after a rotation"
    );
    let ended = renamed.to_builder().current(secret(2, 1, None)?).version(4);
    ensure_eq!(bench.store.update(3, &built(ended)?).await?, Updated::Yes, "update that ends the overlap");
    let uses = bench.entry(key).await?.uses;
    ensure_eq!(
        (uses.of(2), uses.latest()),
        (Some(at(5)), Some(at(10))),
        "time of use of what is left, and the latest of all"
    );
    Ok(())
}

async fn slots_are_counted(bench: Bench) -> Checked {
    let (owner, other) = (user()?, Owner::organization("acme")?);
    ensure_eq!(bench.store.count_slots(at(0)).await?, [], "slots of no records");
    let records = [
        of(&owner, "a")?.current(secret(1, 63, Some(63))?),
        of(&owner, "b")?.current(secret(1, 2, None)?),
        of(&owner, "c")?.current(secret(2, 2, Some(1))?).retiring(retiring(secret(1, 0, Some(0))?, at(50))),
        of(&other, "d")?.current(secret(1, 10, Some(2))?).disabled(true),
        of(&other, "e")?.current(secret(1, 10, Some(2))?).validity(until(-9)),
        of(&other, "f")?.current(secret(1, 5, Some(5))?).revoked(revoked_at(-9)),
    ];
    for record in records {
        bench.put(&built(record)?).await?;
    }
    let counted = [(0, 1, 1), (1, 0, 1), (2, 2, 2), (5, 1, 1), (10, 2, 0), (63, 1, 1)];
    let counted = counted.map(|(slot, digests, guards)| SlotCount { slot, digests, guards });
    let [_, after @ ..] = &counted;
    for (now, expected) in [(0, &counted[..]), (49, &counted), (50, after), (51, after)] {
        ensure_eq!(
            bench.store.count_slots(at(now)).await?,
            expected,
            "slots at {now}, where a secret of slot 0 ends at 50"
        );
    }
    Ok(())
}
