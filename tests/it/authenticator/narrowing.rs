//! Which methods are accepted: what is said at each place narrows, and nothing widens.

use keygate::{HeaderPolicy, Kind, Method};
use pollster::block_on;

use super::{World, ask, code};
use crate::decision::face;
use crate::support::fixtures::line;

/// Those kinds whose bit is set.
fn of_bits(bits: usize) -> Vec<Kind> {
    Kind::ALL.into_iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, kind)| kind).collect()
}

/// What a builder was told before is not forgotten.
#[test]
fn a_builder_narrows_each_time() {
    let world = World::peeking();
    let builder = || world.builder().accept([Kind::ApiKey, Kind::ServiceToken]);
    let gate = builder().accept([Kind::ServiceToken, Kind::ServiceAccount]).build().unwrap();
    let found = Kind::ALL.map(|kind| code(ask(&gate, &world.issue(kind).0)));
    assert_eq!(found, ["kind_not_accepted", "kind_not_accepted", "caller"]);
    let nothing = builder().accept([Kind::ServiceAccount]).build().unwrap_err();
    assert_eq!(nothing.argument(), "accept");
}

/// Policy, builder and two endpoints, every set at each: accepted is what all of them accept.
#[test]
fn every_place_narrows() {
    let world = World::peeking();
    let texts = Kind::ALL.map(|kind| world.issue(kind).0);
    for (policy, asked) in (0..8).flat_map(|policy| (0..9).map(move |asked| (policy, asked))) {
        let builder = world.builder().policy(HeaderPolicy::new().accept(of_bits(policy)));
        // 8: nothing is said to the builder.
        let (builder, asked) =
            if asked == 8 { (builder, 7) } else { (builder.accept(of_bits(asked)), asked) };
        let configured = policy & asked;
        let built = builder.build();
        if configured == 0 {
            let error = built.unwrap_err();
            assert_eq!(error.argument(), "accept");
            assert_eq!(error.to_string(), "accept: expected at least one method that the policy accepts too");
            continue;
        }
        let gate = built.unwrap();
        for (first, second) in (0..8).flat_map(|first| (0..8).map(move |second| (first, second))) {
            let endpoint = gate.accept(of_bits(first)).accept(of_bits(second));
            for (at, (kind, text)) in Kind::ALL.into_iter().zip(&texts).enumerate() {
                let accepted = configured & first & second & (1 << at) != 0;
                let expected = if accepted { "caller" } else { "kind_not_accepted" };
                let found = block_on(endpoint.client([127, 0, 0, 1].into()).authenticate([line(text)]));
                assert_eq!(code(found), expected, "{kind}: {policy:b} {asked:b} {first:b} {second:b}");
            }
        }
        // Narrowing is of a copy: the authenticator takes what it took.
        for (at, text) in texts.iter().enumerate() {
            let found = code(block_on(gate.authenticate([line(text)])));
            assert_eq!(found == "caller", configured & (1 << at) != 0);
        }
    }
}

/// The order in which a builder is told does not matter.
#[test]
fn a_policy_said_late_narrows_too() {
    let world = World::peeking();
    let (text, _) = world.issue(Kind::ApiKey);
    let policy = || HeaderPolicy::new().accept([Kind::ServiceToken]);
    for builder in [
        world.builder().accept(Kind::ALL).policy(policy()),
        world.builder().policy(policy()).accept(Kind::ALL),
    ] {
        assert_eq!(code(ask(&builder.build().unwrap(), &text)), "kind_not_accepted");
    }
}

/// Where no access tokens are configured nobody can ask for them; a policy that has them is cut.
#[test]
fn access_tokens_that_are_not_configured_cannot_be_asked_for() {
    let world = World::peeking();
    let access_tokens = "accept: expected no access tokens where none are configured";
    for methods in
        [vec![Method::AccessToken], vec![Method::ApiKey, Method::AccessToken], Method::ALL.to_vec()]
    {
        assert_eq!(world.builder().accept(methods).build().unwrap_err().to_string(), access_tokens);
    }
    let gate = world.builder().policy(HeaderPolicy::new().accept(Method::ALL)).build().unwrap();
    let (text, _) = world.issue(Kind::ServiceAccount);
    assert_eq!(code(ask(&gate, &text)), "caller");
    for endpoint in [gate.accept(Method::ALL), gate.accept([Method::AccessToken])] {
        let found = block_on(endpoint.authenticate([("authorization", "Bearer eyJh.e30.AA")]));
        assert_eq!(code(found), "kind_not_accepted");
    }
    let only = world.builder().policy(HeaderPolicy::new().accept([Method::AccessToken])).build();
    assert_eq!(only.unwrap_err().argument(), "accept");
    let unconfigured = world.builder().danger_access_tokens_without_parent().build();
    assert_eq!(unconfigured.unwrap_err().argument(), "access_tokens");
    let none = world.builder().accept([Kind::ApiKey; 0]).build();
    assert_eq!(none.unwrap_err().argument(), "accept");
}

/// A challenge is for what is accepted at that endpoint, whatever the request carries.
#[test]
fn a_challenge_is_for_what_is_accepted() {
    for world in World::both() {
        let gate = world.builder().policy(HeaderPolicy::new().realm("vault").unwrap()).build().unwrap();
        let (key, token) = (world.issue(Kind::ApiKey).0, world.issue(Kind::ServiceToken).0);
        let unknown = world.draw(Kind::ApiKey).0;
        let challenges = |kinds: &[Kind], lines: &[(&str, String)]| {
            let endpoint = gate.accept(kinds.iter().copied());
            face(&block_on(endpoint.authenticate(lines)).unwrap_err()).2
        };
        let invalid = |scheme: &str| {
            vec![format!(
                "{scheme} error=\"invalid_token\", error_description=\"the credential is not valid\""
            )]
        };
        assert_eq!(challenges(&Kind::ALL, &[]), ["Bearer realm=\"vault\"", "ApiKey realm=\"vault\""]);
        assert_eq!(challenges(&[Kind::ApiKey], &[]), ["ApiKey realm=\"vault\""]);
        assert_eq!(challenges(&[Kind::ServiceToken], &[]), ["Bearer realm=\"vault\""]);
        assert_eq!(challenges(&[Kind::ServiceToken], &[line(&key)]), invalid("Bearer"));
        assert_eq!(challenges(&[Kind::ApiKey], &[line(&token)]), invalid("ApiKey"));
        assert_eq!(challenges(&[Kind::ApiKey], &[line(&unknown)]), invalid("ApiKey"));
        assert_eq!(challenges(&Kind::ALL, &[line(&unknown)]), invalid("Bearer"));
    }
}
