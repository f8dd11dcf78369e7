//! Promise P27: minting, and authenticating by what was minted, dropped wherever they wait.

use std::sync::{Arc, Mutex};

use keygate::{Event, Kind, Lifetime, Mint, NewServiceToken, Observer, Owner, Store as _, UseRecorder};
use pollster::block_on;

use super::{World, parsed};
use crate::store::watched::{WRITES, polled};
use crate::support::fixtures::line;

const READ: &[&str] = &["read@web/prod:/**"];

/// Dropped at any poll, minting an access token has changed nothing, and the next one is served.
#[test]
fn minting_an_access_token_may_be_dropped_anywhere() {
    for pauses in 0..=3 {
        let world = World::asking();
        let (account, caller) = world.minter();
        world.store.calls();
        let needed = 1 + pauses;
        for polls in 0..needed {
            world.store.pause(pauses);
            assert!(polled(world.issuer.mint(&caller, Mint::scopes(parsed(READ))), polls).is_none());
            world.store.pause(0);
            assert_eq!(world.record(&account.record).version(), account.record.version());
            let minted = world.mint(&caller, READ).unwrap();
            assert_eq!(world.says(minted.text.expose()), "ok");
        }
        world.store.pause(pauses);
        let minted = polled(world.issuer.mint(&caller, Mint::scopes(parsed(READ))), needed).unwrap().unwrap();
        world.store.pause(0);
        assert_eq!(world.says(minted.text.expose()), "ok");
        assert!(world.store.names().iter().all(|name| !WRITES.contains(name)));
    }
}

/// Dropped at any poll, minting a service token has stored a whole record of nobody's, or none.
#[test]
fn minting_a_service_token_may_be_dropped_anywhere() {
    let owner = Owner::project("acme", "web").unwrap();
    let new = || NewServiceToken::new("acme", "web", Lifetime::hours(1)).scopes(parsed(READ));
    for (pauses, cap) in [(0, None), (1, None), (2, None), (3, None), (1, Some(10)), (2, Some(10))] {
        let mut dropped = 0;
        for polls in 0.. {
            let world = World::asking();
            let (account, caller) = world.minter();
            let builder = world.issuer_builder();
            let issuer = cap
                .map_or(world.issuer_builder(), |cap| builder.cap(Kind::ServiceToken, cap))
                .build()
                .unwrap();
            world.store.pause(pauses);
            let done = polled(issuer.service_tokens().mint(&caller, new()), polls);
            world.store.pause(0);
            let stored = block_on(world.store.store.list(&owner, None, 10)).unwrap();
            for entry in &stored {
                assert_eq!(entry.record.parent().unwrap().account, account.record.key().id);
                assert_eq!(entry.record.created_by(), Some(account.record.key().id.as_str()));
            }
            assert_eq!(world.record(&account.record).version(), account.record.version());
            assert_eq!(world.says(world.mint_service_token(&caller, new()).unwrap().text.expose()), "ok");
            match done {
                Some(minted) => {
                    assert_eq!(stored.len(), 1);
                    assert_eq!(world.says(minted.unwrap().text.expose()), "ok");
                    break;
                }
                None => {
                    assert!(stored.len() <= 1);
                    dropped += 1;
                }
            }
        }
        let calls = if cap.is_some() { 3 } else { 2 };
        assert_eq!(dropped, 1 + calls * pauses, "it was dropped at every poll");
    }
}

#[derive(Default)]
struct Heard(Mutex<usize>);

impl Observer for Heard {
    fn observe(&self, _: &Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }
}

/// Dropped while the account is asked for: nobody hears of it, nothing is noted, and whoever comes next is served.
#[test]
fn authenticating_may_be_dropped_anywhere() {
    for pauses in 0..=3 {
        let world = World::asking();
        let (_, caller) = world.minter();
        let minted = world.mint(&caller, READ).unwrap();
        let (heard, uses) = (Arc::new(Heard::default()), UseRecorder::new(Arc::clone(&world.store)));
        let gate =
            world.gate_builder().observer(Arc::clone(&heard)).use_recorder(uses.clone()).build().unwrap();
        let ask = || gate.authenticate([line(minted.text.expose())]);
        world.store.calls();
        world.store.pause(pauses);
        let needed = 1 + pauses;
        for polls in 0..needed {
            assert!(polled(ask(), polls).is_none());
            assert!(polled(gate.authenticate_optional([line(minted.text.expose())]), polls).is_none());
            assert!(
                polled(gate.client([127, 0, 0, 1].into()).authenticate([line(minted.text.expose())]), polls)
                    .is_none()
            );
        }
        let served = polled(ask(), needed).unwrap().unwrap();
        assert_eq!(served.claims().unwrap().id(), &*minted.id);
        assert_eq!(*heard.0.lock().unwrap(), 0);
        assert_eq!(
            block_on(uses.flush()).unwrap().uses,
            0,
            "and the one that was served is no use of the access key"
        );
        assert!(world.store.names().iter().all(|name| ["peek", "find"].contains(name)));
    }
}

/// Asking takes time: what ended meanwhile is refused, the token by its own end and by its account's.
#[test]
fn what_ends_while_the_account_is_asked_for_is_refused() {
    for (ends, expected) in [(None, "expired"), (Some(100), "parent_expired")] {
        let world = World::asking();
        let (account, caller) = world.minter();
        let minted = world.mint(&caller, READ).unwrap();
        if let Some(ends) = ends {
            let end = crate::decision::now_and(ends);
            world.change(&account.record, |builder| builder.validity(keygate::Validity::until(end)));
        }
        world.store.pause(1);
        let headers = [line(minted.text.expose())];
        let mut future = std::pin::pin!(world.gate.authenticate(&headers));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        world.at(ends.unwrap_or(900) - 1);
        world.store.pause(0);
        let later = block_on(world.gate.authenticate(&headers));
        assert_eq!(super::code(&later), "ok");
        world.at(ends.unwrap_or(900));
        let refusal = block_on(future).unwrap_err();
        assert_eq!((refusal.reason().code(), refusal.proven()), (expected, true));
        crate::decision::has_the_face_of_a_denial(&refusal);
    }
}

/// The account is read, and then it is asked what time it is: what ended meanwhile is not minted from.
#[test]
fn what_ends_while_the_account_is_read_is_not_minted_from() {
    for (overlap, expected) in
        [(None, "the account is expired"), (Some(100), "the access key that proved the account was replaced")]
    {
        for records in [false, true] {
            let world = World::asking();
            let (account, caller) = world.minter();
            match overlap {
                Some(seconds) => {
                    let overlap = keygate::Overlap::seconds(seconds);
                    block_on(world.accounts().rotate(&account.record.key().id, overlap)).unwrap();
                }
                None => {
                    let end = crate::decision::now_and(100);
                    world.change(&account.record, |builder| builder.validity(keygate::Validity::until(end)));
                }
            }
            let mint = || async {
                if records {
                    let new = NewServiceToken::new("acme", "web", Lifetime::seconds(1));
                    let new = new.scopes(parsed(READ));
                    world.issuer.service_tokens().mint(&caller, new).await.map(drop)
                } else {
                    let mint = Mint::scopes(parsed(READ)).lifetime(Lifetime::seconds(1));
                    world.issuer.mint(&caller, mint).await.map(drop)
                }
            };
            world.at(98);
            block_on(mint()).unwrap();
            world.store.pause(1);
            let mut future = std::pin::pin!(mint());
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(future.as_mut().poll(&mut context).is_pending());
            world.at(100);
            world.store.pause(0);
            assert_eq!(block_on(future).unwrap_err().to_string(), expected);
        }
    }
}
