//! Time: clocks at their extremes, and callers that were kept too long.

use std::sync::Arc;

use async_trait::async_trait;
use keygate::{
    Action, Authenticator, Counter, CredentialId, Decision, Kind, Lifetime, Lookup, ManualClock, MemoryStore,
    Method, Reason, Record, Resource, Retiring, StoreError, StoredSecret, Timestamp, Validity,
};
use pollster::block_on;

use super::{Heard, World, ask, code};
use crate::decision::{face, has_the_face_of_a_denial, now_and};
use crate::support::fixtures::{END, NOW, line};

/// Promise P45: whatever the clock shows, each answer is what the boundaries say, and nothing panics.
#[test]
fn clocks_at_their_extremes() {
    let (min, max) = (Timestamp::from_unix(i64::MIN), Timestamp::from_unix(i64::MAX));
    let windows = [
        (None, Some(END)),
        (Some(NOW), Some(END)),
        (Some(min), Some(max)),
        (None, Some(min)),
        (Some(max), None),
        (Some(Timestamp::from_unix(-1)), Some(Timestamp::from_unix(1))),
        (None, None),
    ];
    let year = 31_536_000;
    let moments = [
        min,
        Timestamp::from_unix(i64::MIN + 1),
        Timestamp::from_unix(-1),
        Timestamp::from_unix(0),
        now_and(-3_600),
        now_and(-1),
        NOW,
        now_and(1),
        END,
        now_and(year),
        Timestamp::from_unix(i64::MAX - 1),
        max,
    ];
    for world in World::both() {
        let gate = world.gate();
        let resource = Resource::project("acme", "web").unwrap();
        for (from, until) in windows {
            let (text, builder) = world.draw(Kind::ApiKey);
            world.put(builder.validity(Validity::new(from, until).unwrap()));
            for now in moments {
                world.clock.set(now);
                let expected = if until.is_some_and(|until| now >= until) {
                    "expired"
                } else if from.is_some_and(|from| now < from) {
                    "not_yet_valid"
                } else {
                    "caller"
                };
                let found = ask(&gate, &text);
                if let Ok(caller) = &found {
                    // Kept until any other moment, it holds exactly until its end.
                    for later in moments {
                        world.clock.set(later);
                        let lapsed = until.is_some_and(|until| later >= until);
                        assert_eq!(
                            matches!(gate.decide(caller, Action::Read, &resource), Decision::Deny(_)),
                            lapsed
                        );
                    }
                }
                assert_eq!(code(found), expected, "{now} in {from:?} to {until:?}");
            }
        }
        world.clock.set(NOW);
    }
}

/// A caller that was kept: permitted until the second before its end, denied from then on, and why.
#[test]
fn a_decision_knows_the_time() {
    let resource = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    for world in World::both() {
        let heard = Heard::new();
        let gate = world.builder().observer(Arc::clone(&heard)).build().unwrap();
        let at = |end: Timestamp, seconds| Timestamp::from_unix(end.as_unix() + seconds);
        let decides = |text: &str, end: Timestamp, expected: &str| {
            world.clock.set(NOW);
            let caller = ask(&gate, text).unwrap();
            assert_eq!(caller.valid_until(), Some(end));
            world.clock.set(at(end, -1));
            assert!(gate.decide(&caller, Action::Read, &resource).granted().is_ok());
            assert_eq!(heard.all()[0].1["outcome"], "permitted");
            for seconds in [0, 1, 1_000] {
                world.clock.set(at(end, seconds));
                let Decision::Deny(denial) = gate.decide(&caller, Action::Read, &resource) else {
                    panic!("{expected} {seconds}")
                };
                assert_eq!(denial.reason().code(), expected);
                assert_eq!(
                    (denial.nearest().is_none(), denial.failed(), denial.by_parent()),
                    (true, None, false)
                );
                assert_eq!(denial.missing(), None, "no scope would help");
                assert!(denial.to_string().ends_with(&denial.reason().to_string()));
                let refusal = gate.decide(&caller, Action::Read, &resource).granted().unwrap_err();
                assert_eq!(refusal.credential(), Some(caller.credential()));
                has_the_face_of_a_denial(&refusal);
                let events = heard.all();
                assert_eq!(events.len(), 2, "one a decision");
                assert_eq!(
                    (&events[0].1["outcome"], &events[0].1["reason"]),
                    (&"denied".into(), &expected.into())
                );
                // Who is told may not be what is asked for, also where it would have been forbidden before.
                let elsewhere = Resource::secrets("other", "web", "prod", "/").unwrap();
                assert_eq!(
                    gate.decide(&caller, Action::Read, &elsewhere).granted().unwrap_err().status(),
                    401
                );
                heard.all();
                // The pure decision knows no time.
                assert!(caller.decide(Action::Read, &resource).granted().is_ok());
                assert!(heard.all().is_empty());
            }
        };
        let (text, _) = world.issue(Kind::ServiceToken);
        decides(&text, END, "expired");
        // Of the two secrets of a rotation, the retiring one ends before.
        let (text, builder) = world.draw(Kind::ServiceAccount);
        let record = builder.clone().build().unwrap();
        let new = world.keys.redraw(record.key(), &world.source).unwrap();
        let secret = record.current().clone();
        let retiring = |ends_at| Retiring { secret: secret.clone(), ends_at, leak: None };
        let builder = builder.current(StoredSecret { number: 2, digest: new.digest });
        let rotated = world.put(builder.retiring(retiring(now_and(60))));
        decides(&text, now_and(60), "retired_secret");
        decides(new.text.expose(), END, "expired");
        // Both at once: the credential itself says more.
        world.clock.set(NOW);
        world.change(&rotated, |builder| builder.retiring(retiring(END)));
        decides(&text, END, "expired");
        // A child ends with its parent.
        let (account, text, _) = world.family();
        decides(&text, END, "expired");
        world.change(&account, |builder| builder.validity(Validity::until(now_and(30))));
        decides(&text, now_and(30), "parent_expired");
        world.clock.set(NOW);
    }
}

/// An API key whose time is over is denied, before anybody asks for its user's rights; its challenge is of the endpoint.
#[test]
fn a_lapsed_key_is_not_as_the_user() {
    let world = World::peeking();
    let counter = Arc::new(Counter::new());
    let gate = world.builder().observer(Arc::clone(&counter)).build().unwrap();
    let (text, _) = world.issue(Kind::ApiKey);
    let caller = block_on(gate.authenticate([line(&text)])).unwrap();
    let resource = Resource::user();
    assert!(matches!(gate.decide(&caller, Action::Read, &resource), Decision::AsUser(_)));
    world.clock.advance(Lifetime::hours(1));
    let decision = gate.accept([Method::ApiKey]).decide(&caller, Action::Read, &resource);
    let refusal = decision.or_as_user(|_| panic!("nobody is asked")).unwrap_err();
    assert_eq!((refusal.status(), face(&refusal).2[0].split(' ').next()), (401, Some("ApiKey")));
    let own = Resource::own_credential();
    assert!(matches!(gate.decide(&caller, Action::Delete, &own), Decision::Deny(_)));
    let counts = counter.counts();
    assert_eq!((counts.as_user, counts.denied, counts.permitted, counts.forbidden), (1, 2, 0, 0));
}

/// A caller without an end lasts; set back, a clock lets an old caller hold again, and no longer than its end.
#[test]
fn a_clock_that_is_set_back() {
    let world = World::peeking();
    let gate = world.gate();
    let (text, builder) = world.draw(Kind::ServiceAccount);
    world.put(builder.validity(Validity::UNBOUNDED));
    let caller = ask(&gate, &text).unwrap();
    assert_eq!(caller.valid_until(), None);
    let resource = Resource::secrets("acme", "web", "prod", "/app").unwrap();
    for now in [i64::MIN, 0, i64::MAX] {
        world.clock.set(Timestamp::from_unix(now));
        assert!(gate.decide(&caller, Action::Read, &resource).granted().is_ok());
        assert_eq!(code(ask(&gate, &text)), "caller");
    }
    // The authenticator reads its own clock, and no other.
    let other = world.builder().clock(ManualClock::at(END)).build().unwrap();
    world.clock.set(NOW);
    let (text, _) = world.issue(Kind::ApiKey);
    assert_eq!((code(ask(&gate, &text)), code(ask(&other, &text))), ("caller", "expired"));
}

/// A lookup that takes two hours for an account.
struct Slow {
    store: MemoryStore,
    clock: ManualClock,
}

#[async_trait]
impl Lookup for Slow {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        if kind == Kind::ServiceAccount {
            self.clock.advance(Lifetime::hours(2));
        }
        self.store.find(kind, id).await
    }
}

/// Deadlines count at use: what ended while its parent was asked for is no caller any more.
#[test]
fn what_ends_while_its_parent_is_asked_for_is_denied() {
    let world = World::peeking();
    let (_, text, _) = world.family();
    assert!(ask(&world.gate(), &text).is_ok());
    let slow = Slow { store: world.store.store.clone(), clock: world.clock.clone() };
    let gate = Authenticator::builder(slow, world.keys.clone()).clock(world.clock.clone()).build().unwrap();
    let refusal = ask(&gate, &text).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status()), (Reason::Expired, 401));
}
