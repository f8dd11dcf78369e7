//! What is listed, counted and tidied up.

use keygate::{
    Clock as _, CredentialKey, Entry, Expiry, Issuer, Kind, Lifetime, NewApiKey, NewServiceAccount, Overlap,
    Owner, SlotCount, Store as _, Timestamp, Use,
};
use pollster::block_on;

use super::calls::Call;
use super::{Host, days, error, owner};
use crate::decision::ring;
use crate::support::fixtures::NOW;

fn keys(entries: &[Entry]) -> Vec<CredentialKey> {
    entries.iter().map(|entry| entry.record.key()).collect()
}

fn sorted<K: Ord>(keys: impl IntoIterator<Item = K>) -> Vec<K> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort();
    keys
}

/// Pages of every length go through all that an owner has, in order, each once; over and revoked ones too (GitLab's
/// lesson: an expired token vanished from the list).
#[test]
fn pages_list_everything_of_an_owner_once() {
    for kind in Kind::ALL {
        let host = Host::new();
        let issued: Vec<_> = (0..7).map(|_| host.issue(kind).record.key()).collect();
        let stranger = match kind {
            Kind::ApiKey => Owner::user("u-18"),
            Kind::ServiceAccount => Owner::organization("acme-2"),
            Kind::ServiceToken => Owner::project("acme-2", "web"),
        }
        .unwrap();
        host.issue_for(&stranger);
        block_on(Call::Revoke.make(&host.issuer, kind, &owner(kind), &issued[0].id)).unwrap();
        block_on(Call::SetExpiry.make(&host.issuer, kind, &owner(kind), &issued[1].id)).unwrap();
        host.advance(3_600);
        for limit in [1, 2, 3, 6, 7, 8, 1_000] {
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let page = block_on(list(&host.issuer, kind, after.as_ref(), limit)).unwrap();
                after = page.last().map(|entry| entry.record.key().id);
                pages.extend(keys(&page));
                if page.len() < limit {
                    break;
                }
            }
            assert_eq!(pages, sorted(issued.clone()), "{kind}, {limit} a page");
        }
        for limit in [0, 1_001, usize::MAX] {
            host.store.calls();
            assert_eq!(error(block_on(list(&host.issuer, kind, None, limit))), "limit");
            assert_eq!(host.store.calls(), [""; 0]);
        }
    }
}

async fn list(
    issuer: &Issuer,
    kind: Kind,
    after: Option<&keygate::CredentialId>,
    limit: usize,
) -> Result<Vec<Entry>, keygate::IssueError> {
    let owner = owner(kind);
    match kind {
        Kind::ApiKey => issuer.api_keys().owned_by(owner).list(after, limit).await,
        Kind::ServiceAccount => issuer.service_accounts().owned_by(owner).list(after, limit).await,
        Kind::ServiceToken => issuer.service_tokens().owned_by(owner).list(after, limit).await,
    }
}

/// What is read is what is stored, with when it was used.
#[test]
fn reading_shows_the_record_and_its_uses() {
    let host = Host::new();
    let key = host.issue(Kind::ApiKey).record.key();
    block_on(host.store.record_uses(&[Use { key, secret: 1, at: days(1) }])).unwrap();
    let owned = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let entry = block_on(owned.read(&key.id)).unwrap();
    assert_eq!(entry.record.encode().unwrap(), host.record(key).encode().unwrap());
    assert_eq!((entry.uses.of(1), entry.uses.of(2)), (Some(days(1)), None));
    assert_eq!(block_on(owned.list(None, 1)).unwrap()[0].uses, entry.uses);
}

/// Live is neither revoked nor expired: what is disabled, or not valid yet, counts.
#[test]
fn live_credentials_are_counted() {
    let host = Host::new();
    let owned = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let count = || block_on(owned.count_live()).unwrap();
    assert_eq!(count(), 0);
    let issued: Vec<_> = (0..4).map(|_| host.issue(Kind::ApiKey).record.key().id).collect();
    let later = NewApiKey::new("u-17", Lifetime::days(1)).not_before(days(20));
    block_on(host.issuer.api_keys().issue(later)).unwrap();
    host.issue_for(&Owner::user("u-18").unwrap());
    assert_eq!(count(), 5);
    block_on(owned.disable(&issued[0])).unwrap();
    assert_eq!(count(), 5);
    block_on(owned.revoke(&issued[1], "left")).unwrap();
    assert_eq!(count(), 4);
    block_on(owned.set_expiry(&issued[2], Lifetime::seconds(10))).unwrap();
    host.advance(9);
    assert_eq!(count(), 4);
    host.advance(1);
    assert_eq!(count(), 3);
}

/// Only what is over since before a time is removed, no more at once than was asked for, and nothing by a time to come.
#[test]
fn purging_takes_what_is_long_over() {
    let host = Host::new();
    let ids: Vec<_> = Kind::ALL.iter().flat_map(|kind| [host.issue(*kind), host.issue(*kind)]).collect();
    let revoked = [0, 2].map(|at: usize| ids[at].record.key());
    for key in revoked {
        block_on(Call::Revoke.make(&host.issuer, key.kind, &owner(key.kind), &key.id)).unwrap();
    }
    let purge = |before, limit| block_on(host.issuer.purge(before, limit));
    host.store.calls();
    let next = Timestamp::from_unix(NOW.as_unix() + 1);
    assert_eq!(error(purge(next, 10)), "before");
    assert_eq!(error(purge(Timestamp::from_unix(i64::MAX), 10)), "before");
    assert_eq!([0, 10_001].map(|limit| error(purge(NOW, limit))), ["limit", "limit"]);
    assert_eq!(host.store.calls(), [""; 0]);
    assert_eq!(purge(NOW, 10_000).unwrap(), 0, "revoked in this very second");
    host.advance(1);
    let contents = host.contents();
    assert_eq!([purge(next, 1).unwrap(), purge(next, 1).unwrap(), purge(next, 1).unwrap()], [1, 1, 0]);
    let kept: Vec<_> = contents.keys().copied().filter(|key| !revoked.contains(key)).collect();
    assert_eq!(host.contents().into_keys().collect::<Vec<_>>(), kept);

    // All others end after ten days.
    host.clock.set(days(10));
    assert_eq!(purge(days(10), 10).unwrap(), 0, "over since this second");
    host.advance(1);
    let over = host.clock.now();
    assert_eq!([purge(over, 3).unwrap(), purge(over, 3).unwrap(), purge(over, 3).unwrap()], [3, 1, 0]);
    assert_eq!(host.contents().len(), 0);
}

/// What ends within a time: from now, before the end of that time, not revoked; in pages.
#[test]
fn what_ends_soon_is_listed() {
    let host = Host::new();
    let issue = |seconds| {
        let new = NewApiKey::new("u-17", Lifetime::seconds(seconds));
        block_on(host.issuer.api_keys().issue(new)).unwrap().record.key()
    };
    let [over, first, last, past] = [5, 10, 109, 110].map(issue);
    let revoked = issue(50);
    block_on(Call::Revoke.make(&host.issuer, Kind::ApiKey, &owner(Kind::ApiKey), &revoked.id)).unwrap();
    let account = NewServiceAccount::new("acme", Lifetime::seconds(60));
    let account = block_on(host.issuer.service_accounts().issue(account)).unwrap().record.key();
    block_on(host.issuer.service_accounts().issue(NewServiceAccount::new("acme", Expiry::Never))).unwrap();
    host.advance(10);
    let expiring = |within, after: Option<&CredentialKey>, limit| {
        block_on(host.issuer.expiring(within, after, limit)).map(|page| keys(&page))
    };
    let expected = sorted([first, last, account]);
    assert_eq!(expiring(Lifetime::seconds(100), None, 10).unwrap(), expected);
    assert_eq!(expiring(Lifetime::seconds(100), None, 2).unwrap(), expected[..2]);
    assert_eq!(expiring(Lifetime::seconds(100), Some(&expected[1]), 2).unwrap(), expected[2..]);
    assert_eq!(expiring(Lifetime::seconds(101), None, 10).unwrap(), sorted([first, last, past, account]));
    assert!(!expiring(Lifetime::days(10_000), None, 10).unwrap().contains(&over));
    host.store.calls();
    assert_eq!([0, 1_001].map(|limit| error(expiring(Lifetime::days(1), None, limit))), ["limit"; 2]);
    assert_eq!([0, u64::MAX].map(|n| error(expiring(Lifetime::seconds(n), None, 1))), ["lifetime"; 2]);
    assert_eq!(host.store.calls(), [""; 0]);
}

/// Live credentials that were made before a time and not used since.
#[test]
fn what_nobody_uses_is_listed() {
    let host = Host::new();
    let [idle, used, used_before, revoked] = [(); 4].map(|()| host.issue(Kind::ApiKey).record.key());
    let account = host.issue(Kind::ServiceAccount).record.key();
    block_on(Call::Revoke.make(&host.issuer, Kind::ApiKey, &owner(Kind::ApiKey), &revoked.id)).unwrap();
    let uses = [(used, 3), (used_before, 2)].map(|(key, day)| Use { key, secret: 1, at: days(day) });
    block_on(host.store.record_uses(&uses)).unwrap();
    host.clock.set(days(3));
    let young = host.issue(Kind::ApiKey).record.key();
    let unused = |since, after: Option<&CredentialKey>, limit| {
        block_on(host.issuer.unused(since, after, limit)).map(|page| keys(&page))
    };
    let expected = sorted([idle, used_before, account]);
    assert_eq!(unused(days(3), None, 10).unwrap(), expected);
    assert_eq!(unused(days(3), None, 2).unwrap(), expected[..2]);
    assert_eq!(unused(days(3), Some(&expected[1]), 2).unwrap(), expected[2..]);
    assert_eq!(unused(days(4), None, 10).unwrap(), sorted([idle, used_before, account, used, young]));
    assert_eq!(unused(NOW, None, 10).unwrap(), [], "made in this very second");
    host.clock.set(days(10));
    assert_eq!(unused(days(10), None, 10).unwrap(), [young], "the others are expired");
    assert_eq!([0, 1_001].map(|limit| error(unused(NOW, None, limit))), ["limit"; 2]);
}

/// P11: a key may be dropped once no secret needs it; an overlap that lasts does.
#[test]
fn slots_are_counted_while_a_secret_needs_them() {
    let host = Host::new();
    let under = |keys, hex: bool| {
        Issuer::builder(host.store.clone(), keys)
            .clock(host.clock.clone())
            .hex(hex.then_some(Kind::ApiKey))
            .build()
            .unwrap()
    };
    let (old, new) = (under(ring(5, &[]), false), under(ring(9, &[5]), false));
    let count = || block_on(new.count_slots()).unwrap();
    assert_eq!(count(), []);
    let id = block_on(super::issue(&old, &owner(Kind::ApiKey))).unwrap().record.key().id;
    block_on(super::issue(&under(ring(5, &[]), true), &owner(Kind::ApiKey))).unwrap();
    let slot = |slot, digests, guards| SlotCount { slot, digests, guards };
    assert_eq!(count(), [slot(5, 2, 1)], "the hex text style has no guard");
    block_on(new.api_keys().owned_by(owner(Kind::ApiKey)).rotate(&id, Overlap::seconds(60))).unwrap();
    assert_eq!(count(), [slot(5, 2, 1), slot(9, 1, 1)]);
    host.advance(60);
    assert_eq!(count(), [slot(5, 1, 0), slot(9, 1, 1)], "the overlap is over");
}
