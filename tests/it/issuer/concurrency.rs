//! Calls that meet: none is lost, and no other call takes a revocation back.

use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use keygate::{IssueError, Kind, Overlap};
use pollster::block_on;

use super::calls::Call;
use super::{Host, error, owner};

/// A call that is always too late gives up, with nothing done; twice is not always.
#[test]
fn a_call_that_is_outrun_begins_again() {
    for (kind, call) in Call::each().filter(|(_, call)| call.writes()) {
        for (outrun, expected, updates) in
            [(2, "ok", 3), (15, "ok", 16), (16, "contended", 16), (usize::MAX, "contended", 16)]
        {
            let host = Host::new();
            let key = call.prepare(&host, kind).record.key();
            let before = host.contents();
            host.store.calls();
            host.store.outrun(outrun);
            let made = block_on(call.make(&host.issuer, kind, &owner(kind), &key.id));
            assert_eq!(error(made), expected, "{call:?} of {kind}");
            assert_eq!(host.contents() == before, expected == "contended");
            let mut calls = ["read", "update"].repeat(updates);
            // Before it gives up, it looks whether the last one was done all the same.
            calls.extend((expected == "contended").then_some("read"));
            assert_eq!(host.store.calls(), calls);
        }
    }
}

/// A store that lost its answer may repeat an update, and then says that the record changed. It did, by this very call: a new
/// text is not lost for it, and no secret is drawn twice.
#[test]
fn a_store_may_repeat_an_update() {
    for (kind, call) in Call::each().filter(|(_, call)| call.writes()) {
        let host = Host::new();
        let key = call.prepare(&host, kind).record.key();
        let version = host.record(key).version();
        host.store.repeat();
        assert_eq!(error(block_on(call.make(&host.issuer, kind, &owner(kind), &key.id))), "ok");
        assert_eq!(host.record(key).version(), version + 1, "{call:?} of {kind}");
    }
    let host = Host::new();
    let key = host.issue(Kind::ApiKey).record.key();
    host.store.repeat();
    let keys = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let rotated = block_on(keys.rotate(&key.id, Overlap::hours(1))).unwrap();
    assert_eq!((host.says(rotated.text.expose()), host.record(key).current().number), ("ok", 2));
}

/// The same where another call renames the credential between the two updates: the secret is recognised, so that none is drawn
/// in vain while its holder's dies; and who aborted is not told that there was nothing to abort.
#[test]
fn a_secret_that_is_stored_is_recognised_under_another_change() {
    for overlap in [Overlap::hours(1), Overlap::NONE] {
        let host = Host::new();
        let issued = host.issue(Kind::ApiKey);
        let key = issued.record.key();
        let keys = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
        host.store.repeat_under_a_rename();
        let rotated = block_on(keys.rotate(&key.id, overlap)).unwrap();
        let record = host.record(key);
        assert_eq!((record.current().number, record.name()), (2, Some("renamed meanwhile")));
        let old = if overlap == Overlap::NONE { "retired_secret" } else { "ok" };
        assert_eq!([issued, rotated].map(|it| host.says(it.text.expose())), [old, "ok"]);
        if overlap != Overlap::NONE {
            block_on(keys.abort_rotation(&key.id)).unwrap();
            assert_eq!(host.record(key).current().number, 1);
        }
    }
}

/// What a store lists of somebody else's is shown to nobody.
#[test]
fn a_list_of_another_owner_is_a_fault() {
    let host = Host::new();
    let foreign = host.issue(Kind::ApiKey);
    host.store.list_instead(&foreign.record);
    let own = host.issuer.api_keys().owned_by(keygate::Owner::user("somebody-else").unwrap());
    assert_eq!(error(block_on(own.list(None, 10))), "record mismatch");
}

/// A credential that is purged while a call is under way is not found, and not made anew.
#[test]
fn a_call_does_not_bring_back_what_was_purged() {
    for (kind, call) in Call::each().filter(|(_, call)| matches!(call, Call::Rename | Call::SetMetadata)) {
        let host = Host::new();
        let key = host.issue(kind).record.key();
        block_on(Call::Revoke.make(&host.issuer, kind, &owner(kind), &key.id)).unwrap();
        host.advance(1);
        host.store.pause(1);
        let owner = owner(kind);
        let mut made = pin!(call.make(&host.issuer, kind, &owner, &key.id));
        let mut context = Context::from_waker(Waker::noop());
        // It has read and waits with its write.
        while host.store.calls() != ["read"] {
            assert!(made.as_mut().poll(&mut context).is_pending());
        }
        host.store.pause(0);
        assert_eq!(block_on(host.issuer.purge(keygate::Clock::now(&host.clock), 10)).unwrap(), 1);
        assert_eq!(error(block_on(made)), "not found");
        assert_eq!(host.contents().len(), 0);
    }
}

/// Two calls in every order of their steps: both have their effect or their error, none is lost, and whoever was told that
/// it is revoked, stays right.
#[test]
fn two_calls_in_any_order_lose_nothing() {
    let mut meetings = 0_u32;
    for ((kind, one), other) in Call::each().flat_map(|each| Call::of(each.0).map(move |other| (each, other)))
    {
        for polls in 0.. {
            let host = Host::new();
            let key = one.prepare(&host, kind).record.key();
            let before = host.record(key).version();
            let owner = owner(kind);
            host.store.pause(1);
            let (mut first, mut context) =
                (pin!(one.make(&host.issuer, kind, &owner, &key.id)), Context::from_waker(Waker::noop()));
            let early = (0..polls).find_map(|_| match first.as_mut().poll(&mut context) {
                Poll::Ready(made) => Some(made),
                Poll::Pending => None,
            });
            let is_over = early.is_some();
            let second = block_on(other.make(&host.issuer, kind, &owner, &key.id));
            host.store.pause(0);
            let first = early.unwrap_or_else(|| block_on(first));
            meetings += 1;

            let record = host.record(key);
            let case = format!("{one:?} with {other:?} of {kind} after {polls} polls");
            let revoked = [(one, &first), (other, &second)]
                .iter()
                .any(|(call, made)| *call == Call::Revoke && made.is_ok());
            assert_eq!(record.revocation().is_some(), revoked, "{case}");
            let writers = [(one, &first), (other, &second)]
                .into_iter()
                .filter(|(call, made)| call.writes() && made.is_ok());
            let most = u64::try_from(writers.count()).unwrap();
            assert!((before..=before + most).contains(&record.version()), "{case}");
            for issued in [&first, &second].into_iter().filter_map(|made| made.as_ref().ok()?.as_ref()) {
                let number = issued.record.current().number;
                let held = [Some(record.current()), record.retiring().map(|it| &it.secret)];
                // A text that was handed out is the record's, unless a later rotation or a leak replaced it twice.
                let is_held = held.iter().flatten().any(|secret| secret.number == number);
                assert!(is_held, "{case}: the text that was handed out is lost");
            }
            if is_over {
                break;
            }
        }
    }
    println!("{meetings} meetings");
}

/// The same by threads: each success is one version, and a revocation that was acknowledged is never undone.
#[test]
fn threads_lose_no_update_and_undo_no_revocation() {
    const CALLS: u64 = 40;
    for round in 0..60 {
        let host = Host::new();
        let issued = host.issue(Kind::ApiKey);
        let id = issued.record.key().id;
        let (writes, barrier) = (AtomicU64::new(0), Barrier::new(4));
        let count = |made: Result<(), IssueError>| match error(made) {
            "ok" => drop(writes.fetch_add(1, Ordering::SeqCst)),
            "is revoked" | "contended" => {}
            other => panic!("{other}"),
        };
        std::thread::scope(|scope| {
            let (issuer, barrier, count) = (&host.issuer, &barrier, &count);
            let owned = move || issuer.api_keys().owned_by(owner(Kind::ApiKey));
            scope.spawn(move || {
                barrier.wait();
                (0..CALLS).for_each(|n| count(block_on(owned().rename(&id, &format!("name {n}")))));
            });
            scope.spawn(move || {
                barrier.wait();
                (0..CALLS).for_each(|_| count(block_on(owned().rotate(&id, Overlap::hours(1))).map(drop)));
            });
            scope.spawn(move || {
                barrier.wait();
                (0..CALLS).for_each(|n| {
                    let value = n.to_string();
                    count(block_on(owned().set_metadata(&id, [("n", value.as_str())])));
                });
            });
            let (host, issued) = (&host, &issued);
            scope.spawn(move || {
                barrier.wait();
                for n in 0..round {
                    count(block_on(owned().rename(&id, &format!("other {n}"))));
                }
                // Three others may be quicker for as often as the issuer tries; a host then asks again.
                let revoked = (0..1_000).find_map(|_| {
                    let revoked = block_on(owned().revoke(&id, "left"));
                    (!matches!(revoked, Err(IssueError::Contended))).then_some(revoked)
                });
                count(revoked.expect("the others come to an end"));
                for _ in 0..CALLS {
                    assert_ne!(host.says(issued.text.expose()), "ok");
                    assert!(host.record(issued.record.key()).revocation().is_some());
                }
            });
        });
        let record = host.record(issued.record.key());
        assert_eq!(record.version(), 1 + writes.load(Ordering::SeqCst));
        assert_eq!(record.revocation().map(|it| &*it.reason), Some("left"));
    }
}
