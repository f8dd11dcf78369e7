//! What a service account minted, under that account's record: the account decides too.

use std::sync::Arc;

use keygate::{
    Action, Caller, CredentialId, CredentialKey, Decision, DigestKeys, Kind, Moment, NeedsParent, Network,
    Parent, Part, PresentedCredential, Record, RecordBuilder, Refusal, Resource, Retiring, Revocation,
    Rights, ServiceAccountGrant, ServiceTokenGrant, StoredSecret, Validity, Verified, verify,
};

use super::{
    built, caller, has_the_face_of_a_denial, has_the_face_of_a_failure, issue, now_and, present, ring,
};
use crate::support::fixtures::{END, NOW, grant};
use crate::support::random::{Random, SeededSource, cases, seed};

/// An account, and a service token that it minted under its generation 1; both with the networks of the test.
struct Family {
    keys: DigestKeys,
    source: SeededSource,
    access_key: PresentedCredential<String>,
    account: RecordBuilder,
    token: PresentedCredential<String>,
    child: RecordBuilder,
}

impl Family {
    fn new() -> Self {
        let (keys, source) = (ring(1, &[2]), SeededSource::new(seed()));
        let (access_key, account) = issue(&keys, Kind::ServiceAccount, &source);
        let (token, child) = issue(&keys, Kind::ServiceToken, &source);
        let account = account.grant(holding(&["*@web/prod:/**"], 1));
        let child = child.parent(Parent { account: access_key.key().id, mint_generation: 1 });
        Self { keys, source, access_key, account, token, child }
    }

    /// The proved child, which still needs its parent.
    #[track_caller]
    fn proved(&self, child: RecordBuilder, moment: Moment) -> NeedsParent {
        match verify(&self.token, Some(&built(child)), &self.keys, moment) {
            Ok(Verified::NeedsParent(check)) => check,
            other => panic!("{other:?}"),
        }
    }

    fn under(&self, account: RecordBuilder, moment: Moment) -> Result<Caller, Refusal> {
        self.proved(self.child.clone(), moment).finish(Some(&built(account)))
    }
}

fn holding(scopes: &[&str], generation: u64) -> ServiceAccountGrant {
    ServiceAccountGrant::new(rights("acme", scopes)).with_mint_generation(generation)
}

fn rights(organization: &str, scopes: &[&str]) -> Rights {
    Rights::new(organization, scopes.iter().map(|scope| scope.parse().unwrap())).unwrap()
}

#[track_caller]
fn denied(found: Result<Caller, Refusal>, code: &str) {
    let refusal = found.unwrap_err();
    assert_eq!((refusal.reason().code(), refusal.proven()), (code, true));
    assert_eq!(refusal.credential().unwrap().kind, Kind::ServiceToken, "it is the child that is refused");
    has_the_face_of_a_denial(&refusal);
}

#[track_caller]
fn undecided(found: Result<Caller, Refusal>, code: &str) {
    let refusal = found.unwrap_err();
    assert_eq!(refusal.reason().code(), code);
    has_the_face_of_a_failure(&refusal);
}

#[test]
fn a_parent_that_does_not_carry_it_any_more() {
    let family = Family::new();
    let account = || family.account.clone();
    let now = Moment::at(NOW);
    let until = |seconds| Validity::until(now_and(seconds));
    let from = |seconds| Validity::new(Some(now_and(seconds)), Some(END)).unwrap();
    let revoked = || account().revoked(Revocation::new(NOW, "left"));

    assert!(family.under(account(), now).is_ok());
    denied(family.proved(family.child.clone(), now).finish(None), "parent_absent");
    denied(family.under(revoked(), now), "parent_revoked");
    denied(family.under(account().disabled(true), now), "parent_disabled");
    denied(family.under(account().validity(until(-1)), now), "parent_expired");
    denied(family.under(account().validity(until(0)), now), "parent_expired");
    assert!(family.under(account().validity(until(1)), now).is_ok());
    denied(family.under(account().validity(from(1)), now), "parent_not_yet_valid");
    assert!(family.under(account().validity(from(0)), now).is_ok());
    assert!(family.under(account().validity(from(-1)), now).is_ok());
    for generation in [0, 2, u64::MAX] {
        denied(
            family.under(account().grant(holding(&["*@web/prod:/**"], generation)), now),
            "parent_generation",
        );
    }
    // The account's own state comes first, and its networks last.
    let leaked = |account: RecordBuilder| {
        account.grant(holding(&[], 2)).networks([Network::parse("10.0.0.0/8").unwrap()])
    };
    denied(family.under(leaked(revoked().disabled(true).validity(until(0))), now), "parent_revoked");
    denied(family.under(leaked(account().disabled(true).validity(until(0))), now), "parent_disabled");
    denied(family.under(leaked(account()), now), "parent_generation");
}

#[test]
fn a_parent_that_is_not_the_parent_is_a_failure() {
    let family = Family::new();
    let now = Moment::at(NOW);
    let id = family.access_key.key().id;
    let digest = || family.account.clone().build().unwrap().current().digest.clone();
    let (_, stranger) = issue(&family.keys, Kind::ServiceAccount, &family.source);
    undecided(family.under(stranger, now), "record_mismatch");
    for kind in [Kind::ApiKey, Kind::ServiceToken] {
        let other = Record::builder(id, grant(kind), digest(), NOW).validity(Validity::until(END));
        undecided(family.under(other, now), "record_mismatch");
    }
    let elsewhere = ServiceAccountGrant::new(rights("other", &["*@web/prod:/**"])).with_mint_generation(1);
    undecided(family.under(Record::builder(id, elsewhere.clone(), digest(), NOW), now), "record_mismatch");
    // Neither does its state decide then.
    undecided(
        family.under(Record::builder(id, elsewhere, digest(), NOW).disabled(true), now),
        "record_mismatch",
    );
}

/// Both are limited by their own networks, at the one moment of the request.
#[test]
fn a_parent_is_limited_to_its_networks() {
    let family = Family::new();
    let limited =
        |builder: &RecordBuilder, network| builder.clone().networks([Network::parse(network).unwrap()]);
    let from = |address: [u8; 4]| Moment::at(NOW).client(address.into());
    let account = || limited(&family.account, "10.0.0.0/8");
    assert!(family.under(account(), from([10, 0, 0, 1])).is_ok());
    denied(family.under(account(), from([192, 0, 2, 7])), "parent_network");
    undecided(family.under(account(), Moment::at(NOW)), "client_address_unknown");

    let child = || limited(&family.child, "10.1.0.0/16");
    let both = |moment| family.proved(child(), moment).finish(Some(&built(account())));
    assert!(both(from([10, 1, 0, 1])).is_ok());
    let outside =
        verify(&family.token, Some(&built(child())), &family.keys, from([10, 2, 0, 1])).unwrap_err();
    assert_eq!(outside.reason().code(), "network");
}

/// The lookup is asked once, for the account; and not at all where there is no parent, or where it is too early.
#[test]
fn the_parent_is_looked_up_once_and_only_where_there_is_one() {
    let family = Family::new();
    let account = built(family.account.clone());
    let verified =
        verify(&family.token, Some(&built(family.child.clone())), &family.keys, Moment::at(NOW)).unwrap();
    let mut asked = Vec::new();
    let child = verified
        .with_parent(|key| {
            asked.push(*key);
            Some(&account)
        })
        .unwrap();
    assert_eq!(asked, [CredentialKey::new(Kind::ServiceAccount, family.access_key.key().id)]);
    assert_eq!(child.parent().unwrap().key(), asked[0]);
    assert_eq!(child.credential(), family.token.key());

    let alone = verify(&family.access_key, Some(&account), &family.keys, Moment::at(NOW)).unwrap();
    let alone = alone.with_parent(|_| panic!("an account has no parent")).unwrap();
    assert!(alone.parent().is_none());
    // A child that is dead by itself asks for no parent.
    let dead = built(family.child.clone().disabled(true));
    assert!(verify(&family.token, Some(&dead), &family.keys, Moment::at(NOW)).is_err());
}

#[test]
fn a_result_holds_until_the_earliest_of_three_ends() {
    let family = Family::new();
    let old = family.keys.redraw(family.token.key(), &family.source).unwrap();
    let replaced = present(old.text.expose());
    let ends = [1, 2, 3];
    for (own, overlap, parent) in
        ends.iter().flat_map(|a| ends.iter().flat_map(move |b| ends.map(|c| (*a, *b, c))))
    {
        let secret = StoredSecret { number: 9, digest: old.digest.clone() };
        let child = family.child.clone().validity(Validity::until(now_and(own)));
        let child = built(child.retiring(Retiring { secret, ends_at: now_and(overlap), leak: None }));
        let account = built(family.account.clone().validity(Validity::until(now_and(parent))));
        let endless = built(family.account.clone().validity(Validity::UNBOUNDED));
        let until = |presented, account| {
            let verified = verify(presented, Some(&child), &family.keys, Moment::at(NOW)).unwrap();
            verified.with_parent(|_| Some(account)).unwrap().valid_until().unwrap()
        };
        assert_eq!(until(&replaced, &account), now_and(own.min(overlap).min(parent)));
        assert_eq!(until(&replaced, &endless), now_and(own.min(overlap)));
        // The overlap ends nothing of the new secret.
        assert_eq!(until(&family.token, &account), now_and(own.min(parent)));
    }
    let endless = built(family.account.clone().validity(Validity::UNBOUNDED));
    assert_eq!(caller(&family.access_key, &endless, &family.keys).valid_until(), None);
}

/// Narrowed after minting, the account cuts what the token may do at its next use; widened, it adds nothing.
#[test]
fn a_narrowed_parent_cuts_at_use() {
    let family = Family::new();
    let child = |scopes: &[&str]| {
        let account = family.account.clone().grant(holding(scopes, 1));
        family.under(account, Moment::at(NOW)).unwrap()
    };
    let db = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    let root = Resource::secrets("acme", "web", "prod", "/").unwrap();

    let narrowed = child(&["read@web/prod:/app/**"]);
    let permit = narrowed.decide(Action::Read, &db).granted().unwrap();
    assert_eq!(permit.scope().unwrap(), "*@web/prod:/**", "its own scope permits, the account's only cuts");
    for (action, resource, part) in [(Action::Delete, &db, Part::Action), (Action::Read, &root, Part::Path)] {
        let Decision::Deny(denial) = narrowed.decide(action, resource) else { panic!("{action} {resource}") };
        assert!(denial.by_parent());
        assert_eq!((denial.failed(), denial.nearest().unwrap()), (Some(part), "read@web/prod:/app/**"));
    }
    let nothing = child(&[]);
    let Decision::Deny(denial) = nothing.decide(Action::Read, &db) else {
        panic!("by an account without scopes")
    };
    assert_eq!(
        denial.to_string(),
        "read on secrets web/prod:/app/db of acme: no scope of the account that minted it reaches it"
    );
    let refusal = nothing.decide(Action::Read, &db).granted().unwrap_err();
    assert_eq!((refusal.status(), refusal.needed()), (403, Some("read@web/prod:/app/db")));

    let wide = child(&["*@/", "*@*/", "*@*/*:/**"]);
    for resource in [
        Resource::organization("acme").unwrap(),
        Resource::project("acme", "web").unwrap(),
        Resource::secrets("acme", "web", "dev", "/").unwrap(),
        Resource::secrets("acme", "billing", "prod", "/").unwrap(),
        Resource::user(),
    ] {
        let Decision::Deny(denial) = wide.decide(Action::Read, &resource) else { panic!("{resource}") };
        assert!(!denial.by_parent(), "{resource}");
    }
}

/// Whatever the scopes of both: a child is permitted what both are permitted, and nothing else.
#[test]
fn a_child_is_permitted_what_both_are() {
    let family = Family::new();
    let (seed, mut random) = (seed(), Random::seeded(seed()));
    let (mut permitted, mut cut) = (0, 0);
    for case in 0..cases(2_000) {
        let mut scopes = |projects: &[&str]| {
            let count = random.below(4);
            let scope = |random: &mut Random| {
                let actions = random.pick(&["*", "read", "create,read", "update,delete", "delete"]);
                let (project, environment) = (random.pick(projects), random.pick(&["prod", "dev", "*"]));
                let pattern = random.pick(&["/**", "/", "/app/*", "/*/db", "/app/**", "/**/db"]);
                format!("{actions}@{project}/{environment}:{pattern}").parse().unwrap()
            };
            Rights::new("acme", (0..count).map(|_| scope(&mut random)).collect::<Vec<_>>()).unwrap()
        };
        let (own, account) = (scopes(&["web"]), scopes(&["web", "*", "billing"]));
        let child = family.child.clone().grant(ServiceTokenGrant::new("web", own.clone()).unwrap());
        let parent =
            family.account.clone().grant(ServiceAccountGrant::new(account.clone()).with_mint_generation(1));
        let caller = family.proved(child, Moment::at(NOW)).finish(Some(&built(parent))).unwrap();
        for (environment, path) in
            [("prod", "/"), ("dev", "/app"), ("prod", "/app/db"), ("dev", "/x/db"), ("prod", "/x")]
        {
            let resource = Resource::secrets("acme", "web", environment, path).unwrap();
            for action in Action::ALL {
                let (own, account) = (own.permit(action, &resource), account.permit(action, &resource));
                match caller.decide(action, &resource) {
                    Decision::Permit(permit) => {
                        assert!(account.is_ok(), "KEYGATE_SEED={seed} case {case}");
                        assert_eq!(permit.scope(), own.ok());
                        permitted += 1;
                    }
                    Decision::Deny(denial) => {
                        assert!(own.is_err() || account.is_err(), "KEYGATE_SEED={seed} case {case}");
                        assert_eq!(denial.by_parent(), own.is_ok());
                        cut += usize::from(denial.by_parent());
                    }
                    Decision::AsUser(_) => panic!("a service token is no user"),
                }
            }
        }
    }
    assert!(permitted > 1_000 && cut > 1_000, "{permitted} {cut}");
}

/// The one way to a caller without a look at the parent, and it says *danger*.
#[test]
fn without_its_parent_nothing_is_cut() {
    let family = Family::new();
    let check = family.proved(family.child.clone(), Moment::at(NOW));
    let refused = check.finish(Some(&built(family.account.clone().disabled(true))));
    assert!(refused.is_err());
    let caller = check.danger_without_parent();
    assert!(caller.parent().is_none());
    assert_eq!(caller.valid_until(), Some(END));
    let resource = Resource::secrets("acme", "web", "prod", "/").unwrap();
    assert!(caller.decide(Action::Delete, &resource).granted().is_ok());
}

/// Promise P48, as far as the pure core goes: a thief and the owner hold one access key, the thief mints before,
/// during and after the rotation for leaks, with whatever clock.
#[test]
fn what_a_thief_minted_dies_with_the_rotation() {
    let Family { keys, source, access_key, account, .. } = Family::new();
    let account = account.validity(Validity::UNBOUNDED).version(4);
    let leaked = built(account.clone());
    let clocks = [-3_600, -1, 0, 1, 3_600].map(now_and);
    let mint = |minter: &Record| {
        let keygate::Grant::ServiceAccount(grant) = minter.grant() else { panic!("accounts mint") };
        let (token, child) = issue(&keys, Kind::ServiceToken, &source);
        let parent = Parent { account: minter.key().id, mint_generation: grant.mint_generation() };
        (token, built(child.parent(parent).validity(Validity::until(now_and(9_999)))))
    };
    let alive = |(token, child): &(PresentedCredential<String>, Arc<Record>), account: &Arc<Record>, now| {
        let verified = verify(token, Some(child), &keys, Moment::at(now)).unwrap();
        verified.with_parent(|_| Some(account)).map_err(|refusal| refusal.reason().code())
    };

    let thief = caller(&access_key, &leaked, &keys);
    let before = mint(&leaked);
    assert!(
        clocks.iter().all(|now| alive(&before, &leaked, *now).is_ok()),
        "or there is nothing to take away"
    );

    // The rotation: a new secret, no overlap, the next generation, in one write.
    let drawn = keys.redraw(access_key.key(), &source).unwrap();
    let secret = StoredSecret { number: 2, digest: drawn.digest };
    let rotated = account.grant(holding(&["*@web/prod:/**"], 2)).current(secret).retiring(None).version(5);
    let rotated = built(rotated);

    // By the caller proved earlier, from the record that it carries: what a minter without a fresh look would do.
    let during = mint(thief.record().unwrap());
    let after = mint(&leaked);
    let new_key = present(drawn.text.expose());
    let owned = mint(caller(&new_key, &rotated, &keys).record().unwrap());
    for now in clocks {
        for stolen in [&before, &during, &after] {
            assert_eq!(alive(stolen, &rotated, now).unwrap_err(), "parent_generation");
        }
        assert!(alive(&owned, &rotated, now).is_ok());
        // And the stolen key itself is a wrong secret now.
        let refusal = verify(&access_key, Some(&rotated), &keys, Moment::at(now)).unwrap_err();
        assert_eq!(refusal.reason().code(), "wrong_secret");
    }
    // By which secret a caller was proved is what a minter asks the fresh record about.
    assert_ne!(thief.secret_number(), Some(rotated.current().number));
    assert_eq!(caller(&new_key, &rotated, &keys).secret_number(), Some(rotated.current().number));
}

/// A new account of an old name is another account: ids decide, and names are for people.
#[test]
fn names_decide_nothing() {
    let family = Family::new();
    let (_, successor) = issue(&family.keys, Kind::ServiceAccount, &family.source);
    let (deleted, successor) =
        (family.account.clone().name("ci"), successor.name("ci").grant(holding(&["*@web/prod:/**"], 1)));
    assert_ne!(built(deleted.clone()).key(), built(successor.clone()).key());
    assert!(family.under(deleted, Moment::at(NOW)).is_ok());
    undecided(family.under(successor, Moment::at(NOW)), "record_mismatch");
    // And as the host looks it up, by id, it is absent.
    let check = family.proved(family.child.clone(), Moment::at(NOW));
    denied(check.with_parent(|_| None), "parent_absent");
    assert!(CredentialId::parse("ci").is_ok(), "a name may even be spelt like an id");
}
