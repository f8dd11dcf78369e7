//! What comes of a request, for every kind and by every way of looking up; and of one that needs no credential.

use keygate::{
    HeaderPolicy, Kind, Method, Network, RecordBuilder, RefusalClass, Revocation, Timestamp, Validity,
};
use pollster::block_on;

use super::{World, ask, code};
use crate::decision::{has_the_face_of_a_denial, has_the_face_of_a_failure, now_and};
use crate::support::fixtures::{END, IMPORTED, NOW, line, presented};

type Change = fn(RecordBuilder) -> RecordBuilder;

/// The end of the road for each kind: a caller with all that is known of it, or the reason why there is none.
#[test]
fn every_outcome_of_every_kind() {
    for world in World::both() {
        let gate = world.gate();
        for kind in Kind::ALL {
            let (text, record) = world.issue(kind);
            let caller = ask(&gate, &text).unwrap();
            assert_eq!((caller.method(), caller.credential()), (kind.into(), record.key()));
            assert_eq!((caller.owner(), caller.secret_number()), (record.owner(), Some(1)));
            assert_eq!((caller.valid_until(), caller.parent().is_none()), (Some(END), true));

            let refused = |builder: Change, expected: &str| {
                let (text, record) = world.draw(kind);
                world.put(builder(record));
                let refusal = ask(&gate, &text).unwrap_err();
                assert_eq!((refusal.reason().code(), refusal.proven()), (expected, true));
                refusal
            };
            let dead: [(Change, &str); 4] = [
                (|b| b.revoked(Revocation::new(NOW, "left")), "revoked"),
                (|b| b.disabled(true), "disabled"),
                (|b| b.validity(Validity::until(NOW)), "expired"),
                (|b| b.validity(Validity::new(Some(now_and(1)), Some(END)).unwrap()), "not_yet_valid"),
            ];
            for (builder, expected) in dead {
                has_the_face_of_a_denial(&refused(builder, expected));
            }
            let limited =
                refused(|b| b.networks([Network::parse("10.0.0.0/8").unwrap()]), "client_address_unknown");
            has_the_face_of_a_failure(&limited);

            let wrong = ask(&gate, &world.another_text(record.key())).unwrap_err();
            let unknown = ask(&gate, &world.draw(kind).0).unwrap_err();
            for (refusal, expected) in [(wrong, "wrong_secret"), (unknown, "unknown_credential")] {
                assert_eq!((refusal.reason().code(), refusal.proven()), (expected, false));
                assert_eq!(refusal.credential().unwrap().kind, kind);
                has_the_face_of_a_denial(&refusal);
            }
            // The other header, and both.
            let (name, value) = line(&text);
            let (other, elsewhere) = if name == "x-api-key" {
                ("authorization", format!("Bearer {text}"))
            } else {
                ("x-api-key", text.clone())
            };
            let of = |lines: &[(&str, &str)]| code(block_on(gate.authenticate(lines)));
            assert_eq!(of(&[(other, &elsewhere)]), "wrong_channel");
            assert_eq!(of(&[(name, &value), (other, &elsewhere)]), "multiple_methods");
            assert_eq!(of(&[(name, &value), (name, &value)]), "duplicate_header");
            assert_eq!(of(&[(name, &value[..value.len() - 1])]), "malformed");
        }
        let of = |lines: &[(&str, &str)]| code(block_on(gate.authenticate(lines)));
        assert_eq!(of(&[]), "missing");
        assert_eq!(of(&[("authorization", "Basic dTpw")]), "unsupported_scheme");
        assert_eq!(of(&[("authorization", "Bearer xx.a.b")]), "unknown_kind");
        assert_eq!(of(&[("x-api-key", &"a".repeat(513))]), "too_large");
        assert_eq!(of(&[("x-api-key", "ak.\u{e9}")]), "invalid_byte");
    }
}

/// The client's address reaches the check, of the credential and of the account that minted it.
#[test]
fn networks_are_those_of_the_client() {
    for world in World::both() {
        let gate = world.gate();
        let ten = || [Network::parse("10.0.0.0/8").unwrap()];
        let from = |text: &str, client: &str| {
            code(block_on(gate.client(client.parse().unwrap()).authenticate([line(text)])))
        };
        for kind in Kind::ALL {
            let (text, builder) = world.draw(kind);
            world.put(builder.networks(ten()));
            for (client, expected) in [
                ("10.0.0.1", "caller"),
                ("::ffff:10.9.9.9", "caller"),
                ("11.0.0.1", "network"),
                ("::1", "network"),
            ] {
                assert_eq!(from(&text, client), expected, "{client}");
            }
            assert_eq!(code(ask(&gate, &text)), "client_address_unknown");
        }
        let (account, text, _) = world.family();
        assert_eq!(from(&text, "11.0.0.1"), "caller");
        world.change(&account, |builder| builder.networks(ten()));
        assert_eq!((from(&text, "10.0.0.1"), from(&text, "11.0.0.1")), ("caller", "parent_network"));
        assert_eq!(code(ask(&gate, &text)), "client_address_unknown");
    }
}

/// Credentials that another system made, where they are allowed; they have no guard, so they reach the lookup.
#[test]
fn imported_credentials() {
    for world in World::both() {
        let policy = HeaderPolicy::new().imported(Kind::ALL);
        let gate = world.builder().policy(policy.clone()).build().unwrap();
        for text in IMPORTED {
            assert_eq!(code(ask(&gate, text)), "unknown_credential");
            let presented = presented(&policy, text);
            let key = presented.key();
            let grant = crate::support::fixtures::grant(key.kind);
            let builder = keygate::Record::builder(key.id, grant, world.keys.digest(&presented), NOW);
            world.put(builder.validity(Validity::until(END)));
            assert_eq!(ask(&gate, text).unwrap().credential(), key);
            assert_eq!(ask(&world.gate(), text).unwrap_err().class(), RefusalClass::BadRequest);
        }
    }
}

/// A text of an access token's shape is recognised, and not accepted yet: a denial, whatever is in it.
#[test]
fn an_access_token_is_not_accepted() {
    for world in World::both() {
        for builder in [world.builder(), world.builder().policy(HeaderPolicy::new())] {
            let refusal = ask(&builder.build().unwrap(), "eyJhbGciOiJub25lIn0.e30.AA").unwrap_err();
            assert_eq!(refusal.reason(), keygate::Reason::KindNotAccepted(Method::AccessToken));
            has_the_face_of_a_denial(&refusal);
        }
        assert!(world.store.calls().is_empty());
        // By default too.
        let gate = keygate::Authenticator::new(world.store.store.clone(), world.keys.clone());
        assert_eq!(code(ask(&gate, "eyJhbGciOiJub25lIn0.e30.AA")), "kind_not_accepted");
    }
}

/// No credential is none, also where that is denied elsewhere; whatever was presented has to hold.
#[test]
fn an_optional_credential() {
    for world in World::both() {
        let (text, record) = world.issue(Kind::ServiceToken);
        let wrong = world.another_text(record.key());
        let dead = world.draw(Kind::ServiceToken);
        world.put(dead.1.validity(Validity::until(Timestamp::from_unix(0))));
        for policy in [HeaderPolicy::new(), HeaderPolicy::new().deny_missing()] {
            let denies = ask_nothing(&world.builder().policy(policy.clone()).build().unwrap());
            let gate = world.builder().policy(policy).build().unwrap();
            let optional = |lines: &[(&str, &str)]| match block_on(gate.authenticate_optional(lines)) {
                Ok(None) => "none",
                Ok(Some(caller)) => {
                    assert_eq!(caller.credential(), record.key());
                    "caller"
                }
                Err(refusal) => refusal.reason().code(),
            };
            let bearer = |text: &str| format!("Bearer {text}");
            for (lines, expected) in [
                (&[][..], "none"),
                (&[("accept", "*/*")], "none"),
                (&[("authorization", "Basic dTpw")], "none"),
                (&[("authorization", "Bearerx dTpw")], "none"),
                (&[("authorization", &bearer(&text))], "caller"),
                (&[("authorization", &bearer(&wrong))], "wrong_secret"),
                (&[("authorization", &bearer(&dead.0))], "expired"),
                (&[("authorization", "Bearer")], "malformed"),
                (&[("authorization", "Bearer x")], "unknown_kind"),
                (&[("authorization", "")], "malformed"),
                (&[("x-api-key", "")], "malformed"),
                (&[("x-api-key", &text)], "wrong_channel"),
                (&[("authorization", "Basic dTpw"), ("authorization", "Basic dTpw")], "duplicate_header"),
                (&[("authorization", "Basic dTpw"), ("x-api-key", "ak")], "multiple_methods"),
                (&[("authorization", "Bearer eyJh.e30.AA")], "kind_not_accepted"),
            ] {
                assert_eq!(optional(lines), expected, "{lines:?} ({denies:?})");
            }
        }
    }
}

fn ask_nothing(gate: &keygate::Authenticator) -> RefusalClass {
    block_on(gate.authenticate([("accept", "*/*")])).unwrap_err().class()
}

#[test]
fn what_is_missing_is_denied_where_the_policy_says_so() {
    let world = World::peeking();
    assert_eq!(ask_nothing(&world.gate()), RefusalClass::NoCredential);
    let gate = world.builder().policy(HeaderPolicy::new().deny_missing()).build().unwrap();
    assert_eq!(ask_nothing(&gate), RefusalClass::Denied);
}
