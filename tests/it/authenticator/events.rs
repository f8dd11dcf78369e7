//! What an observer hears: one event for each refused authentication and for each decision, none for a success.

use std::sync::{Arc, Mutex};

use keygate::{
    Action, CredentialKey, Event, Kind, Method, Observer, Outcome, Owner, RefusalClass, Resource, StoreError,
    Validity,
};
use pollster::block_on;

use super::{Heard, World, ask, holding};
use crate::support::fixtures::{END, NOW, line};

/// All that an event tells by its methods, owned.
#[derive(Debug, PartialEq)]
struct Told {
    outcome: Outcome,
    reason: Option<&'static str>,
    method: Option<Method>,
    credential: Option<CredentialKey>,
    proven: bool,
    owner: Option<Owner>,
    access: Option<(Action, String)>,
    scope: Option<String>,
    /// Whether there is a refusal, and whether there is a caller.
    of: (bool, bool),
}

#[derive(Default)]
struct Full(Mutex<Vec<(Told, String, String)>>);

impl Observer for Full {
    fn observe(&self, event: &Event<'_>) {
        let told = Told {
            outcome: event.outcome(),
            reason: event.reason().map(keygate::Reason::code),
            method: event.method(),
            credential: event.credential(),
            proven: event.is_proven(),
            owner: event.owner().cloned(),
            access: event.action().zip(event.resource().map(ToString::to_string)),
            scope: event.scope().map(str::to_owned),
            of: (event.refusal().is_some(), event.caller().is_some()),
        };
        let json = serde_json::to_value(event).unwrap();
        // The JSON says the same, and nothing else.
        let text = |value: Option<String>| value.map_or(serde_json::Value::Null, Into::into);
        let expected = serde_json::json!({
            "event": if told.of.0 { "authentication" } else { "decision" },
            "outcome": told.outcome.code(),
            "reason": told.reason,
            "fault": event.reason().is_some_and(keygate::Reason::is_fault),
            "explanation": event.explanation(),
            "method": text(told.method.map(|method| method.to_string())),
            "credential": text(told.credential.map(|key| key.to_string())),
            "token_id": null,
            "proven": told.proven,
            "owner": text(told.owner.as_ref().map(ToString::to_string)),
            "action": text(told.access.as_ref().map(|(action, _)| action.to_string())),
            "resource": text(told.access.as_ref().map(|(_, resource)| resource.clone())),
            "scope": text(told.scope.clone()),
        });
        assert_eq!(json, expected);
        let mut heard = self.0.lock().unwrap();
        heard.push((told, event.to_string(), format!("{event:?} {event:#?} {json}")));
    }
}

impl Full {
    /// The one event since it was asked last.
    #[track_caller]
    fn one(&self) -> (Told, String) {
        let mut heard = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(heard.len(), 1, "{heard:?}");
        let (told, line, _) = heard.remove(0);
        (told, line)
    }
}

/// Every field of a refused authentication, as far as the request got.
#[test]
fn what_is_told_of_a_refusal() {
    for world in World::both() {
        let full = Arc::new(Full::default());
        let gate = world.builder().observer(Arc::clone(&full)).build().unwrap();
        for kind in Kind::ALL {
            let (text, record) = world.issue(kind);
            let (expired, dead) = world.draw(kind);
            let dead = world.put(dead.validity(Validity::until(NOW)));
            let unknown = world.draw(kind).0;
            let unknown_key = keygate::CredentialText::parse(&unknown).unwrap();
            let unknown_key = CredentialKey::new(kind, unknown_key.id());
            let wrong = world.another_text(record.key());
            let (name, value) = line(&text);
            let other = if name == "x-api-key" {
                ("authorization", format!("Bearer {text}"))
            } else {
                ("x-api-key", text.clone())
            };
            let told = |reason, method, credential, proven, owner: Option<&Owner>, class| Told {
                outcome: Outcome::Refused(class),
                reason: Some(reason),
                method,
                credential,
                proven,
                owner: owner.cloned(),
                access: None,
                scope: None,
                of: (true, false),
            };
            use RefusalClass::{BadRequest, Denied, NoCredential, Undecided};
            let (method, owner) = (Some(kind.into()), Some(record.owner()));
            let cases = [
                (
                    vec![],
                    told("missing", None, None, false, None, NoCredential),
                    "no_credential: neither Authorization nor X-API-KEY".to_owned(),
                ),
                (
                    vec![(name, value[..value.len() - 1].to_owned())],
                    told("malformed", None, None, false, None, BadRequest),
                    "bad_request: malformed: truncated: 54 of 55 characters".to_owned(),
                ),
                (vec![other], told("wrong_channel", method, None, false, None, Denied), String::new()),
                (
                    vec![line(&unknown)],
                    told("unknown_credential", method, Some(unknown_key), false, None, Denied),
                    format!("denied: no such credential ({unknown_key}, not proven)"),
                ),
                (
                    vec![line(&wrong)],
                    told("wrong_secret", method, Some(record.key()), false, owner, Denied),
                    format!("denied: wrong secret ({}, not proven)", record.key()),
                ),
                (
                    vec![line(&expired)],
                    told("expired", method, Some(dead.key()), true, owner, Denied),
                    format!("denied: expired ({})", dead.key()),
                ),
            ];
            for (lines, expected, words) in cases {
                for narrowed in [false, true] {
                    let endpoint = gate.accept(if narrowed { vec![kind] } else { Kind::ALL.to_vec() });
                    assert!(block_on(endpoint.authenticate(&lines)).is_err());
                    let (told, line) = full.one();
                    assert_eq!(told, expected);
                    assert!(words.is_empty() || line == words, "{line}");
                }
            }
            let elsewhere = gate.accept([Kind::ALL.into_iter().find(|other| *other != kind).unwrap()]);
            assert!(block_on(elsewhere.authenticate([line(&text)])).is_err());
            assert_eq!(full.one().0, told("kind_not_accepted", method, None, false, None, Denied));
            world.store.fail(|name| (name == "find").then(|| StoreError::unavailable("connection reset")));
            if ask(&gate, &text).is_err() {
                let (heard, line) = full.one();
                assert_eq!(
                    heard,
                    told("store_unavailable", method, Some(record.key()), false, None, Undecided)
                );
                let words = "undecided: the store did not answer: connection reset";
                assert_eq!(line, format!("{words} ({}, not proven)", record.key()));
            }
            world.store.heal();
        }
        // A success is no event, and no credential is none where it is optional.
        let (_, text, child) = world.family();
        assert!(ask(&gate, &text).is_ok());
        assert!(block_on(gate.authenticate_optional([line(&text)])).unwrap().is_some());
        assert!(block_on(gate.authenticate_optional([("accept", "*/*")])).unwrap().is_none());
        assert!(full.0.lock().unwrap().is_empty());
        assert!(block_on(gate.authenticate_optional([line("st.x")])).is_err());
        assert_eq!(full.one().0.reason, Some("malformed"));
        // A child is refused by its own name, and belongs to its own owner.
        let account = child.parent().unwrap().account;
        let account = block_on(keygate::Lookup::find(&world.store.store, Kind::ServiceAccount, &account))
            .unwrap()
            .unwrap();
        world.change(&account, |builder| builder.disabled(true));
        assert!(ask(&gate, &text).is_err());
        let (told, line) = full.one();
        assert_eq!(
            (told.reason, told.proven, told.credential),
            (Some("parent_disabled"), true, Some(child.key()))
        );
        assert_eq!(told.owner.as_ref(), Some(child.owner()));
        assert_eq!(line, format!("denied: the service account that minted it is disabled ({})", child.key()));
    }
}

/// Every field of a decision, for each of its ends; exactly one event each.
#[test]
fn what_is_told_of_a_decision() {
    let world = World::peeking();
    let full = Arc::new(Full::default());
    let gate = world.builder().observer(Arc::clone(&full)).build().unwrap();
    let (key, account) = (world.issue(Kind::ApiKey).0, world.issue(Kind::ServiceAccount).0);
    let (parent, child, _) = world.family();
    world.change(&parent, |builder| builder.grant(holding(&["read@web/prod:/**"], 0)));
    let secrets = |path| Resource::secrets("acme", "web", "prod", path).unwrap();
    let (project, app, own) =
        (Resource::project("acme", "web").unwrap(), secrets("/app"), Resource::own_credential());
    let staging = Resource::secrets("acme", "web", "staging", "/app").unwrap();
    let (mine, parents) = (Some("*@web/prod:/**"), Some("read@web/prod:/**"));
    use RefusalClass::Forbidden;
    let no = Outcome::Refused(Forbidden);
    let cases = [
        (&key, Action::Read, &project, Outcome::AsUser, None, "as_user: read on project web of acme"),
        (
            &key,
            Action::Read,
            &app,
            no,
            None,
            "forbidden: read on secrets web/prod:/app of acme: no scope reaches it",
        ),
        (
            &account,
            Action::Delete,
            &app,
            Outcome::Permitted,
            mine,
            "permitted: delete on secrets web/prod:/app of acme",
        ),
        (
            &account,
            Action::Read,
            &staging,
            no,
            mine,
            "forbidden: read on secrets web/staging:/app of acme: the environment of the nearest scope, *@web/prod:/**, does not fit",
        ),
        (&account, Action::Read, &own, Outcome::Permitted, None, "permitted: read on"),
        (&account, Action::Update, &own, no, None, "forbidden: update on"),
        (
            &child,
            Action::Read,
            &app,
            Outcome::Permitted,
            mine,
            "permitted: read on secrets web/prod:/app of acme",
        ),
        (
            &child,
            Action::Delete,
            &app,
            no,
            parents,
            "forbidden: delete on secrets web/prod:/app of acme: the action of the nearest scope of the account that minted it, read@web/prod:/**, does not fit",
        ),
    ];
    for (text, action, resource, outcome, scope, words) in cases {
        let caller = ask(&gate, text).unwrap();
        for endpoint in [false, true] {
            let decision = if endpoint {
                gate.accept([Kind::ApiKey]).client([127, 0, 0, 1].into()).decide(&caller, action, resource)
            } else {
                gate.decide(&caller, action, resource)
            };
            // What the host makes of it is no event.
            let _settled = decision.or_as_user(|_| true);
            let (told, line) = full.one();
            let expected = Told {
                outcome,
                reason: (outcome == no).then_some("not_permitted"),
                method: Some(caller.method()),
                credential: Some(caller.credential()),
                proven: true,
                owner: Some(caller.owner().clone()),
                access: Some((action, resource.to_string())),
                scope: scope.map(str::to_owned),
                of: (false, true),
            };
            assert_eq!(told, expected, "{words}");
            assert!(
                line.starts_with(words) && line.ends_with(&format!(" ({})", caller.credential())),
                "{line}"
            );
        }
        let _pure = caller.decide(action, resource);
        assert!(full.0.lock().unwrap().is_empty(), "the pure decision tells nobody");
    }
}

/// Promise P37: real secrets go through, of every kind and in every state, and none is in what an observer can print.
#[test]
fn no_event_holds_a_secret() {
    let world = World::asking();
    let full = Arc::new(Full::default());
    let gate = world.builder().observer(Arc::clone(&full)).build().unwrap();
    let client_key = "db156ccb0c0897abb2dee9f9e59c845b";
    let mut texts = Vec::new();
    for kind in Kind::ALL {
        let (text, record) = world.issue(kind);
        let (expired, dead) = world.draw(kind);
        world.put(dead.validity(Validity::until(NOW)));
        let resource = Resource::secrets("acme", "web", "prod", "/app").unwrap();
        let caller = ask(&gate, &text).unwrap();
        for action in [Action::Read, Action::Create] {
            let _decided = gate.decide(&caller, action, &resource);
        }
        texts.extend([text, expired, world.another_text(record.key()), world.draw(kind).0]);
    }
    let endpoint = gate.accept([Kind::ServiceAccount]);
    for text in &texts {
        let truncated = &text[..text.len() - 1];
        for text in [
            text,
            truncated,
            &format!("{text}.{client_key}"),
            &format!("{text}\u{7f}"),
            &format!("{text} {text}"),
        ] {
            let _refused = (
                ask(&gate, text),
                block_on(endpoint.authenticate([("authorization", format!("Bearer {text}"))])),
            );
        }
    }
    world.store.fail(|name| (name == "find").then(|| StoreError::corrupt("row 7")));
    assert!(texts.iter().all(|text| ask(&gate, text).is_err()));
    let heard = full.0.lock().unwrap();
    assert!(heard.len() > 100, "{}", heard.len());
    for (_, line, all) in heard.iter() {
        for text in &texts {
            // The id is public; secret, guard and checksum are not.
            for part in [&text[16..28], &text[28..44], &text[44..]] {
                assert!(!line.contains(part) && !all.contains(part), "{line}");
            }
        }
        assert!(!line.contains(&client_key[..12]) && !all.contains(&client_key[..12]));
    }
}

/// A counter counts each outcome once, and faults besides.
#[test]
fn a_counter_counts() {
    let world = World::asking();
    let counter = Arc::new(keygate::Counter::new());
    assert_eq!(counter.counts(), keygate::Counts::default());
    let gate = world.builder().observer(Arc::clone(&counter)).build().unwrap();
    let (text, _) = world.issue(Kind::ServiceToken);
    let key = ask(&gate, &world.issue(Kind::ApiKey).0).unwrap();
    let caller = ask(&gate, &text).unwrap();
    let (app, project) =
        (Resource::secrets("acme", "web", "prod", "/a").unwrap(), Resource::project("acme", "web").unwrap());
    let times = |times, run: &dyn Fn()| (0..times).for_each(|_| run());
    times(2, &|| drop(gate.decide(&caller, Action::Read, &app)));
    times(3, &|| drop(gate.decide(&key, Action::Read, &project)));
    times(4, &|| drop(gate.decide(&caller, Action::Read, &project)));
    times(5, &|| drop(block_on(gate.authenticate([("accept", "*/*")]))));
    times(6, &|| drop(ask(&gate, "st.x")));
    times(7, &|| drop(ask(&gate, &world.draw(Kind::ApiKey).0)));
    world.store.fail(|name| (name == "find").then(|| StoreError::unavailable("reset")));
    times(8, &|| drop(ask(&gate, &text)));
    world.store.fail(|name| (name == "find").then(|| StoreError::corrupt("row")));
    times(9, &|| drop(ask(&gate, &text)));
    world.clock.set(END);
    times(10, &|| drop(gate.decide(&caller, Action::Read, &app)));
    let counts = counter.counts();
    assert_eq!((counts.permitted, counts.as_user, counts.forbidden, counts.no_credential), (2, 3, 4, 5));
    assert_eq!((counts.bad_request, counts.denied, counts.undecided, counts.faults), (6, 17, 17, 9));
}

/// A host keeps its handle on an observer, and may hand over a trait object.
#[test]
fn an_observer_is_shared() {
    let world = World::peeking();
    let heard = Heard::new();
    let handle = Arc::clone(&heard);
    let dynamic: Arc<dyn Observer> = handle;
    let gate = world.builder().observer(dynamic).build().unwrap();
    assert!(ask(&gate.clone(), "ak.x").is_err());
    assert_eq!(heard.lines().len(), 1);
}
