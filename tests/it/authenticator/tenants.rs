//! Promise P47 through the authenticator: all of one organization is nothing of another's.

use keygate::{Action, Kind, Reason, Resource, Rights, ServiceAccountGrant};

use super::{World, ask};
use crate::support::random::{Random, cases, seed};

#[test]
fn an_organization_ends_at_its_border() {
    let (seed, world) = (seed(), World::asking());
    let (gate, mut random) = (world.gate(), Random::seeded(seed));
    let organizations = ["acme", "acme2", "acm", "ACME", "a", "acme-", "x_1"];
    let callers = organizations.map(|organization| {
        let scopes = ["*@/", "*@*/", "*@*/*:/**"].map(|scope| scope.parse().unwrap());
        let grant = ServiceAccountGrant::new(Rights::new(organization, scopes).unwrap());
        let drawn = world.keys.draw(Kind::ServiceAccount, &world.source).unwrap();
        let record =
            keygate::Record::builder(drawn.key.id, grant, drawn.digest, crate::support::fixtures::NOW);
        world.put(record);
        ask(&gate, drawn.text.expose()).unwrap()
    });
    for case in 0..cases(20_000) {
        let (of, other) = (random.below(organizations.len()), random.below(organizations.len()));
        let organization = organizations[other];
        let [project, environment] = [0, 0].map(|_| {
            let length = 1 + random.below(3);
            random.text(length, "ab-_0")
        });
        let path = format!("/{}", random.text(2, "ab"));
        let resource = match random.below(3) {
            0 => Resource::organization(organization),
            1 => Resource::project(organization, &project),
            _ => Resource::secrets(organization, &project, &environment, &path),
        }
        .unwrap();
        let action = random.pick(&[Action::Create, Action::Read, Action::Update, Action::Delete]);
        let decided = gate.decide(&callers[of], action, &resource).granted().map_err(|refusal| {
            assert_eq!(
                (refusal.reason(), refusal.needed()),
                (Reason::NotPermitted, None),
                "no scope would help"
            );
        });
        assert_eq!(decided.is_ok(), of == other, "KEYGATE_SEED={seed} case {case}: {resource}");
    }
}
