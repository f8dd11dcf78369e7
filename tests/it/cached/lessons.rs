//! Other systems' caches, and what they got wrong.

use std::time::Duration;

use keygate::{Authenticator, DigestKeys, Issuer, Lifetime, ManualClock, NewApiKey, Notice, StoreError};
use pollster::block_on;

use super::feed::{Feed, following};
use super::{cached, find, is_revoked, peeks, ready, revoke, seconds};
use crate::authenticator::code;
use crate::support::fixtures::{NOW, line};

/// Unkey, Hydra: revocation took minutes because of a cache. The bound is one number, and it holds with the change feed cut.
#[test]
fn revocation_elsewhere_takes_no_longer_than_the_bound() {
    for feed_is_cut in [false, true] {
        let (database, clock, cached) = cached(|builder| builder.max_staleness(seconds(5)));
        let feed = Feed::default();
        let mut following = following(&cached, &feed);
        if feed_is_cut {
            assert!(ready(&mut following).is_none());
        }
        let key = database.put("a");
        assert!(!is_revoked(&find(&cached, key)));
        revoke(&database, key);
        // Notices are lost without a word; or there never was a feed.
        for _ in 0..50 {
            clock.pass(Duration::from_millis(100));
            find(&cached, key).unwrap();
        }
        clock.pass(Duration::from_nanos(1));
        assert!(is_revoked(&find(&cached, key)), "feed cut: {feed_is_cut}");
    }
}

/// Fly.io: a lost revocation feed left stale entries. A broken feed is noticed, the bound drops, and its return forgets all.
#[test]
fn a_broken_feed_is_noticed() {
    let (database, clock, cached) =
        cached(|builder| builder.max_staleness(seconds(60)).max_staleness_without_feed(seconds(1)));
    let key = database.put("a");
    let feed = Feed::default();
    let mut first = following(&cached, &feed);
    assert!(ready(&mut first).is_none());
    assert!(!is_revoked(&find(&cached, key)));
    feed.tell(Err(StoreError::unavailable("reset")));
    assert!(ready(&mut first).is_some());
    revoke(&database, key);
    clock.pass(seconds(1) + Duration::from_nanos(1));
    assert!(is_revoked(&find(&cached, key)));
    // What was fetched in the gap is forgotten as well.
    let mut again = following(&cached, &feed);
    assert!(ready(&mut again).is_none());
    assert_eq!(peeks(&cached, key), "ask");
    feed.tell(Ok(Notice::Alive));
    assert!(ready(&mut again).is_none());
}

/// `OpenBao`: a cache of the hashing salt was not invalidated on standbys. A new authenticator over the same warm cache has the
/// keys that it was given, and nothing of the old one's: no verdict is kept.
#[test]
fn an_authenticator_with_new_keys_over_a_warm_cache_uses_them_at_once() {
    let (_database, _, cached) = cached(|builder| builder);
    let (old, clock) = (DigestKeys::ephemeral().unwrap(), ManualClock::at(NOW));
    let issuer = Issuer::builder(cached.clone(), old.clone()).clock(clock.clone()).build().unwrap();
    let issued = block_on(issuer.api_keys().issue(NewApiKey::new("u-17", Lifetime::days(1)))).unwrap();
    let gate = |keys: &DigestKeys| {
        Authenticator::builder(cached.clone(), keys.clone()).clock(clock.clone()).build().unwrap()
    };
    let ask = |gate: &Authenticator| code(block_on(gate.authenticate([line(issued.text.expose())])));
    assert_eq!(ask(&gate(&old)), "caller");
    let new = DigestKeys::ephemeral().unwrap();
    assert_eq!(ask(&gate(&new)), "wrong_secret");
    assert_eq!(ask(&gate(&old)), "caller");
}
