//! P27: futures that are dropped between any two polls, over a store that lets everybody wait.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use keygate::{Kind, Record};
use pollster::block_on;

use super::calls::Call;
use super::{Host, issue, owner};

/// Polls so many times, and drops what is not ready by then.
fn polled<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    (0..times).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    })
}

/// Dropped after any number of polls, a call has left what was there before, or all that was to be; and the next one works.
#[test]
fn a_call_that_is_dropped_leaves_before_or_after() {
    for ((kind, call), pauses) in Call::each().flat_map(|each| [(each, 1), (each, 2)]) {
        let prepared = || {
            let host = Host::new();
            let key = call.prepare(&host, kind).record.key();
            (host, key)
        };
        let (host, key) = prepared();
        let before = host.contents();
        block_on(call.make(&host.issuer, kind, &owner(kind), &key.id)).unwrap();
        let after = host.contents();
        let mut left_before = 0;
        for polls in 0.. {
            let (host, key) = prepared();
            host.store.pause(pauses);
            let owner = owner(kind);
            let done = polled(call.make(&host.issuer, kind, &owner, &key.id), polls);
            host.store.pause(0);
            let contents = host.contents();
            let case = format!("{call:?} of {kind} after {polls} polls");
            assert!(contents == before || contents == after, "{case}");
            left_before += usize::from(contents == before);
            block_on(Call::Rename.make(&host.issuer, kind, &owner, &key.id)).expect(&case);
            block_on(Call::Revoke.make(&host.issuer, kind, &owner, &key.id)).expect(&case);
            if let Some(made) = done {
                made.expect(&case);
                assert_eq!(contents, after, "{case}");
                break;
            }
        }
        assert!(left_before > 2, "it was dropped before its write");
    }
}

/// An issue that is dropped has stored a whole record or none, and no text that anybody could have.
#[test]
fn an_issue_that_is_dropped_is_whole_or_nothing() {
    for (kind, pauses) in Kind::ALL.into_iter().flat_map(|kind| [(kind, 1), (kind, 2)]) {
        let after = {
            let host = Host::new();
            host.issue(kind);
            host.contents()
        };
        let mut outcomes = [0; 2];
        for polls in 0.. {
            let host = Host::with(|builder| builder.cap(kind, 1));
            host.store.pause(pauses);
            let owner = owner(kind);
            let done = polled(issue(&host.issuer, &owner), polls);
            host.store.pause(0);
            let contents = host.contents();
            assert!(contents.is_empty() || contents == after, "after {polls} polls");
            assert!(contents.values().all(|bytes| Record::decode(bytes).is_ok()));
            outcomes[contents.len()] += 1;
            if let Some(issued) = done {
                assert_eq!(host.says(issued.unwrap().text.expose()), "ok");
                break;
            }
        }
        assert!(outcomes.iter().all(|times| *times > 0), "{outcomes:?}");
    }
}

/// Revoking is one write also where the caller does it, or all of an owner's are meant.
#[test]
fn a_revocation_that_is_dropped_is_done_or_not() {
    for everything in [false, true] {
        for polls in 0.. {
            let host = Host::new();
            let issued = host.issue(Kind::ServiceAccount);
            let caller = host.caller(issued.text.expose()).unwrap();
            let owner = owner(Kind::ServiceAccount);
            host.store.pause(2);
            let done = if everything {
                polled(host.issuer.revoke_owned(&owner, "left"), polls).map(|made| made.map(drop))
            } else {
                polled(host.issuer.revoke_own(&caller, "left"), polls)
            };
            host.store.pause(0);
            let says = host.says(issued.text.expose());
            assert!(matches!(says, "ok" | "revoked"));
            block_on(host.issuer.revoke_owned(&owner, "left")).unwrap();
            assert_eq!(host.says(issued.text.expose()), "revoked");
            if let Some(made) = done {
                made.unwrap();
                assert_eq!(says, "revoked");
                break;
            }
        }
    }
}
