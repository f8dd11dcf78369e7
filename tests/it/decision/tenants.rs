//! Promise P47: no scope leaves its organization, whatever the names there.

use std::sync::Arc;

use keygate::{
    Action, Caller, Decision, DigestKeys, Kind, Moment, Part, Resource, Rights, ServiceAccountGrant, verify,
};

use super::{built, issue, ring};
use crate::support::fixtures::NOW;
use crate::support::random::{Random, SeededSource, cases, seed};

/// The account that holds everything there is to hold in an organization.
fn administrator(organization: &str, keys: &DigestKeys, source: &SeededSource) -> Caller {
    let scopes = ["*@/", "*@*/", "*@*/*:/**"].map(|scope| scope.parse().unwrap());
    let grant = ServiceAccountGrant::new(Rights::new(organization, scopes).unwrap());
    let (presented, builder) = issue(keys, Kind::ServiceAccount, source);
    let id = presented.key().id;
    let record = built(builder);
    let own = keygate::Record::builder(id, grant, record.current().digest.clone(), NOW).build().unwrap();
    verify(&presented, Some(&Arc::new(own)), keys, Moment::at(NOW)).unwrap().with_parent(|_| None).unwrap()
}

#[test]
fn all_projects_of_one_organization_are_none_of_another() {
    let (seed, source, keys) = (seed(), SeededSource::new(seed()), ring(1, &[]));
    let mut random = Random::seeded(seed);
    // Names that are near misses of each other: case, prefix, suffix, separators.
    let organizations = ["acme", "Acme", "acme-", "acm", "acme_1", "a", "A", "-", "_", "0"];
    let callers = organizations.map(|organization| administrator(organization, &keys, &source));
    let alphabet = "abAB09-_";
    for case in 0..cases(1_000_000) {
        let (own, other) = (random.below(10), random.below(9));
        let other = if other < own { other } else { other + 1 };
        let project_length = 1 + random.below(12);
        let (project, environment) = (random.text(project_length, alphabet), random.text(3, alphabet));
        let path = random.pick(&["/", "/app", "/app/db", "/~a/.b/-/_"]);
        let resource = |organization| match case % 4 {
            0 => Resource::organization(organization),
            1 => Resource::project(organization, &project),
            _ => Resource::secrets(organization, &project, &environment, path),
        };
        let action = Action::ALL[case / 4 % 4];
        let (here, there) = (resource(organizations[own]).unwrap(), resource(organizations[other]).unwrap());
        assert!(
            callers[own].decide(action, &here).granted().is_ok(),
            "KEYGATE_SEED={seed} case {case}: {here}"
        );
        let Decision::Deny(denial) = callers[own].decide(action, &there) else {
            panic!("KEYGATE_SEED={seed} case {case}: {there} by an account of {}", organizations[own]);
        };
        assert_eq!(denial.failed(), Some(Part::Organization), "{there}");
    }
}
