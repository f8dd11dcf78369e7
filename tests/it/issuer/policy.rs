//! What an issuer is built with: longest lifetimes, caps, text styles, a namespace.

use keygate::{
    Authenticator, CredentialText, Expiry, HeaderPolicy, IssueError, Kind, Lifetime, Namespace, NewApiKey,
    NewServiceAccount, NewServiceToken, Overlap, Owner,
};
use pollster::block_on;

use super::calls::Call;
use super::{Host, days, error, owner, scope};
use crate::support::fixtures::line;

/// Asking for more than the policy allows is an error that says how much that is, never a silent cut; P21.
#[test]
fn a_lifetime_is_within_the_policy_or_refused() {
    let default = Host::new();
    let strict = Host::with(|builder| {
        builder
            .max_lifetime(Kind::ApiKey, Lifetime::days(90))
            .max_lifetime(Kind::ServiceAccount, Lifetime::days(400))
            .max_lifetime(Kind::ServiceToken, Lifetime::hours(8))
    });
    let just_past = |lifetime: Lifetime| Expiry::After(Lifetime::seconds(lifetime.as_seconds() + 1));
    for (kind, maximum) in [(Kind::ApiKey, Lifetime::days(90)), (Kind::ServiceAccount, Lifetime::days(400))] {
        for (expiry, allowed) in
            [(Expiry::After(maximum), true), (just_past(maximum), false), (Expiry::Never, false)]
        {
            assert_eq!(error(issue(&default, kind, expiry)), "ok", "nothing is set, so nothing is too long");
            let issued = issue(&strict, kind, expiry);
            assert_eq!(issued.is_ok(), allowed, "{kind} {expiry:?}");
            let Err(refused) = issued else { continue };
            assert_eq!(
                refused.to_string(),
                format!("the lifetime is longer than the maximum of {} s", maximum.as_seconds())
            );
            assert!(matches!(refused, IssueError::TooLong { maximum: told } if told == maximum));
        }
    }
    for (host, maximum) in [(&default, Lifetime::days(30)), (&strict, Lifetime::hours(8))] {
        assert_eq!(error(issue(host, Kind::ServiceToken, maximum.into())), "ok");
        assert_eq!(error(issue(host, Kind::ServiceToken, just_past(maximum))), "too long");
    }
    assert!(strict.store.calls().iter().all(|call| *call == "insert"));
    assert_eq!(strict.contents().len(), 3);
}

fn issue(host: &Host, kind: Kind, expiry: Expiry) -> Result<keygate::Issued, IssueError> {
    match (kind, expiry) {
        (Kind::ApiKey, _) => block_on(host.issuer.api_keys().issue(NewApiKey::new("u-17", expiry))),
        (Kind::ServiceAccount, _) => {
            block_on(host.issuer.service_accounts().issue(NewServiceAccount::new("acme", expiry)))
        }
        (Kind::ServiceToken, Expiry::After(lifetime)) => {
            let new = NewServiceToken::new("acme", "web", lifetime).scope(scope("read@web/prod:/**"));
            block_on(host.issuer.service_tokens().issue(new))
        }
        (Kind::ServiceToken, Expiry::Never) => panic!("there is no such token to ask for"),
    }
}

/// A cap counts what is live, of one owner and kind; what is over makes room.
#[test]
fn a_cap_counts_live_credentials_of_one_owner() {
    for kind in Kind::ALL {
        let host = Host::with(|builder| builder.cap(kind, 2));
        let first = host.issue(kind).record.key();
        host.issue(kind);
        let more = |owner: &Owner| block_on(super::issue(&host.issuer, owner));
        let before = host.contents();
        host.store.calls();
        let refused = more(&owner(kind)).unwrap_err();
        assert!(matches!(refused, IssueError::TooMany { cap: 2 }));
        assert_eq!((host.store.calls(), host.contents()), (vec!["count_live"], before));

        let others = ["u-18", "acme-2"];
        let other = match kind {
            Kind::ApiKey => Owner::user(others[0]),
            Kind::ServiceAccount => Owner::organization(others[1]),
            Kind::ServiceToken => Owner::project("acme", "app"),
        };
        assert_eq!(error(more(&other.unwrap())), "ok");
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            assert_eq!(error(more(&owner(other))), "ok");
        }
        let make = |call: Call| block_on(call.make(&host.issuer, kind, &owner(kind), &first.id)).unwrap();
        make(Call::Disable);
        assert_eq!(error(more(&owner(kind))), "too many", "it may be enabled again");
        make(Call::Revoke);
        assert_eq!(error(more(&owner(kind))), "ok");
        assert_eq!(error(more(&owner(kind))), "too many");
        host.clock.set(days(10));
        assert_eq!(error(more(&owner(kind))), "ok", "the others are expired");
    }
}

/// The hex text style: 96 and 128 bits, for the kinds that were named, and still so after a rotation. P9.
#[test]
fn a_hex_text_stays_one() {
    for hex in Kind::ALL {
        let host = Host::with(|builder| builder.hex([hex]));
        let strict = Authenticator::builder(host.store.records.clone(), host.keys.clone())
            .clock(host.clock.clone())
            .build()
            .unwrap();
        for kind in Kind::ALL {
            let issued = host.issue(kind);
            let id = issued.record.key().id;
            let made = block_on(Call::Rotate.make(&host.issuer, kind, &owner(kind), &id));
            let rotated = made.unwrap().unwrap();
            for text in [issued.text.expose(), rotated.text.expose()] {
                let parsed = CredentialText::parse(text).unwrap();
                assert_eq!((parsed.kind(), parsed.id(), parsed.is_issued()), (kind, id, kind != hex));
                assert_eq!(host.says(text), "ok", "under a policy that takes imported credentials");
                let says = block_on(strict.authenticate([line(text)]));
                let says = says.map_or_else(|refusal| refusal.reason().code(), |_| "ok");
                assert_eq!(says, if kind == hex { "malformed" } else { "ok" }, "under the default policy");
                if kind == hex {
                    is_hex(text, kind);
                }
            }
            assert_ne!(issued.text.expose(), rotated.text.expose());
            assert_eq!(issued.record.current().digest.guard_slot().is_none(), kind == hex);
        }
    }
}

#[track_caller]
fn is_hex(text: &str, kind: Kind) {
    let parts: Vec<&str> = text.split('.').collect();
    let [name, id, secret] = parts[..] else { panic!("{} parts", parts.len()) };
    assert_eq!((name, id.len(), secret.len()), (kind.as_str(), 24, 32));
    assert!(id.bytes().chain(secret.bytes()).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
}

/// A namespace stands before every issued text, and before none in the hex text style.
#[test]
fn issued_texts_have_the_namespace() {
    let namespace = Namespace::parse("acme2").unwrap();
    let host = Host::with(|builder| builder.namespace(namespace.clone()).hex([Kind::ServiceToken]));
    let policy = HeaderPolicy::new().namespace(namespace).imported([Kind::ServiceToken]);
    let gate = Authenticator::builder(host.store.records.clone(), host.keys.clone())
        .policy(policy)
        .clock(host.clock.clone())
        .build()
        .unwrap();
    for kind in Kind::ALL {
        let issued = host.issue(kind);
        let id = issued.record.key().id;
        let made = block_on(Call::Rotate.make(&host.issuer, kind, &owner(kind), &id));
        for text in [issued.text.expose(), made.unwrap().unwrap().text.expose()] {
            let bare = text.strip_prefix("acme2_");
            assert_eq!(bare.is_none(), kind == Kind::ServiceToken);
            assert!(bare.unwrap_or(text).starts_with(&format!("{}.{id}.", kind.as_str())));
            let line = |text: &str| match kind {
                Kind::ApiKey => ("x-api-key", text.to_owned()),
                _ => ("authorization", format!("Bearer {text}")),
            };
            assert_eq!(block_on(gate.authenticate([line(text)])).unwrap().credential(), issued.record.key());
            if let Some(bare) = bare {
                assert!(block_on(gate.authenticate([line(bare)])).is_err(), "without its namespace");
            }
        }
    }
}

/// A client key stands behind a service token, and nowhere else; the server never needs it.
#[test]
fn a_client_key_stands_behind_a_service_token() {
    for hex in [None, Some(Kind::ServiceToken)] {
        let host = Host::with(|builder| builder.hex(hex));
        let token = host.issue(Kind::ServiceToken);
        let longest = "k".repeat(128);
        for key in ["k", "db156ccb0c0897abb2dee9f9e59c845b", "-_", &longest] {
            let text = token.with_client_key(key).unwrap();
            assert_eq!(text.expose(), format!("{}.{key}", token.text.expose()));
            assert_eq!(CredentialText::parse(text.expose()).unwrap().to_keep(), Some(key));
            assert_eq!(host.says(text.expose()), "ok");
        }
        let too_long = "k".repeat(129);
        for key in ["", " ", "a.b", "a b", "a\n", "é", "a+b", "a/b", "=", &too_long] {
            assert_eq!(token.with_client_key(key).unwrap_err().argument(), "client key", "{key:?}");
        }
        for kind in [Kind::ApiKey, Kind::ServiceAccount] {
            assert_eq!(host.issue(kind).with_client_key("k").unwrap_err().argument(), "client key");
        }
        let owned = host.issuer.service_tokens().owned_by(owner(Kind::ServiceToken));
        let rotated = block_on(owned.rotate(&token.record.key().id, Overlap::NONE)).unwrap();
        assert_eq!(host.says(rotated.with_client_key("k").unwrap().expose()), "ok");
    }
}
