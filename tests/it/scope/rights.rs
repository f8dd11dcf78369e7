//! Rights: what they permit, what they cover, and where they end.

use keygate::{Action, Level, Part, Resource, Rights, Scope};

use super::generated;
use crate::support::random::{Random, cases, seed};
use crate::support::work::work_of;

fn rights(organization: &str, scopes: &[&str]) -> Rights {
    Rights::new(organization, scopes.iter().map(|scope| Scope::parse(scope).unwrap())).unwrap()
}

#[test]
fn the_first_scope_that_permits_is_named() {
    let rights = rights("acme", &["read@web/", "read@web/prod:/a", "*@web/*:/**", "read@*/prod:/**"]);
    let a = Resource::secrets("acme", "web", "prod", "/a").unwrap();
    assert_eq!(rights.permit(Action::Read, &a).unwrap(), "read@web/prod:/a");
    assert_eq!(rights.permit(Action::Delete, &a).unwrap(), "*@web/*:/**");
    let other = Resource::secrets("acme", "api", "prod", "/a").unwrap();
    assert_eq!(rights.permit(Action::Read, &other).unwrap(), "read@*/prod:/**");
}

#[test]
fn no_level_implies_another() {
    let secrets = Resource::secrets("acme", "web", "prod", "/").unwrap();
    let project = Resource::project("acme", "web").unwrap();
    let organization = Resource::organization("acme").unwrap();
    for (scope, reached) in [("*@/", organization), ("*@*/", project), ("*@*/*:/**", secrets)] {
        let rights = rights("acme", &[scope]);
        for resource in [secrets, project, organization, Resource::user(), Resource::own_credential()] {
            let answer = rights.permit(Action::Read, &resource);
            assert_eq!(answer.is_ok(), resource == reached, "{scope} on {resource}");
            if let Err(denied) = answer {
                assert_eq!(denied.part(), Part::Level);
            }
        }
    }
}

#[test]
fn a_denial_names_the_nearest_scope_and_its_first_failing_part() {
    let db = Resource::secrets("acme", "web", "prod", "/db").unwrap();
    let web = Resource::project("acme", "web").unwrap();
    let other = Resource::secrets("other", "web", "prod", "/db").unwrap();
    for (scopes, resource, nearest, part, message) in [
        (&[][..], db, None, Part::Level, "there are no scopes"),
        (&["*@/", "*@web/"], db, Some("*@/"), Part::Level, "the nearest scope, *@/, has another level"),
        (
            &["*@/", "*@web/prod:/**"],
            other,
            Some("*@web/prod:/**"),
            Part::Organization,
            "the nearest scope, *@web/prod:/**, has another organization",
        ),
        (
            &["*@/", "*@api/prod:/**", "*@api/dev:/**"],
            db,
            Some("*@api/prod:/**"),
            Part::Project,
            "the nearest scope, *@api/prod:/**, has another project",
        ),
        (
            &["*@api/prod:/**", "*@web/dev:/**", "*@web/stage:/**"],
            db,
            Some("*@web/dev:/**"),
            Part::Environment,
            "the nearest scope, *@web/dev:/**, has another environment",
        ),
        (
            &["*@web/dev:/**", "*@web/prod:/db/*"],
            db,
            Some("*@web/prod:/db/*"),
            Part::Path,
            "the nearest scope, *@web/prod:/db/*, has another path",
        ),
        (
            &["*@web/prod:/x", "create@web/prod:/**", "delete@web/prod:/db"],
            db,
            Some("create@web/prod:/**"),
            Part::Action,
            "the nearest scope, create@web/prod:/**, lacks the action",
        ),
        (
            &["*@/", "*@api/", "create@web/"],
            web,
            Some("create@web/"),
            Part::Action,
            "the nearest scope, create@web/, lacks the action",
        ),
    ] {
        let rights = rights("acme", scopes);
        let denied = rights.permit(Action::Read, &resource).unwrap_err();
        assert_eq!(denied.nearest(), nearest);
        assert_eq!(denied.part(), part);
        assert_eq!(denied.to_string(), message);
    }
}

#[test]
fn at_most_256_scopes() {
    let scope = Scope::parse("read@/").unwrap();
    assert_eq!(Rights::new("acme", vec![scope.clone(); 256]).unwrap().scopes().len(), 256);
    let error = Rights::new("acme", std::iter::repeat(scope)).unwrap_err();
    assert_eq!(error.to_string(), "scopes: expected at most 256 scopes");
    assert_eq!(
        Rights::new("*", []).unwrap_err().to_string(),
        "organization: expected 1 to 64 of A-Z a-z 0-9 - _ (at byte 0)",
    );
}

#[test]
fn what_is_too_wide_is_named() {
    let window = format!("/**/a{}/**", "/*".repeat(30));
    let gaps = "/**/a/*".repeat(20);
    for (own, wanted, expected) in [
        (&["*@web/prod:/**"][..], ("acme", &["read@web/prod:/a", "*@web/prod:/b/**"][..]), None),
        (&[], ("acme", &[]), None),
        (&[], ("other", &[]), None),
        (&[], ("acme", &["update,read@/"]), Some((0, "read@/", "is not held"))),
        (&["*@/"], ("other", &["read@/"]), Some((0, "read@/", "is of another organization"))),
        (&["*@*/*:/**"], ("acme", &["read@web/"]), Some((0, "read@web/", "is not held"))),
        (&["*@*/"], ("acme", &["read@web/"]), None),
        (&["*@web/"], ("acme", &["read@*/"]), Some((0, "read@*/", "is not held"))),
        (
            &["create,read@web/prod:/app/**", "update@web/prod:/**"],
            ("acme", &["read@web/prod:/app", "*@web/prod:/app/**"]),
            Some((1, "delete@web/prod:/app/**", "is not held")),
        ),
        (&["create,read@web/*:/a/*", "update@*/prod:/**"], ("acme", &["read,update@web/prod:/a/b"]), None),
        (
            &["*@web/dev:/**", "*@web/prod:/a"],
            ("acme", &["create@web/*:/a"]),
            Some((0, "create@web/*:/a", "is not held")),
        ),
        (
            &["delete@web/prod:/x", &format!("read@web/prod:{window}")],
            ("acme", &[&format!("read@web/prod:{gaps}")]),
            Some((0, &format!("read@web/prod:{gaps}"), "is too complex to compare with what is held")),
        ),
        (
            &[&format!("update@web/prod:{window}")],
            ("acme", &[&format!("read,update@web/prod:{gaps}")]),
            Some((0, &format!("read@web/prod:{gaps}"), "is not held")),
        ),
    ] {
        let wanted = rights(wanted.0, wanted.1);
        let answer = rights("acme", own).covers(&wanted);
        match expected {
            None => assert_eq!(answer, Ok(())),
            Some((rule, lacking, why)) => {
                let error = answer.unwrap_err();
                assert_eq!(error.to_string(), format!("scope {rule} is too wide: {lacking} {why}"));
                assert_eq!(error.rule(), rule);
                assert_eq!(error.scope(), wanted.scopes()[rule].as_str());
                assert_eq!(error.lacking(), lacking);
                assert!(lacking.starts_with(error.action().as_str()));
                assert_eq!(error.is_too_complex(), why.contains("complex"));
                assert_eq!(error.is_other_organization(), why.contains("organization"));
            }
        }
    }
}

/// The work of a whole comparison has a bound too: 256 scopes that are each too complex.
#[test]
fn sets_have_a_budget() {
    let own: Vec<String> =
        (0..256).map(|index| format!("read@web/prod:/**/a{}/**", "/*".repeat(20 + index % 30))).collect();
    let wanted = rights("acme", &[&format!("read@web/prod:{}/x", "/**/a/*".repeat(20))]);
    let own = rights("acme", &own.iter().map(String::as_str).collect::<Vec<_>>());
    let (answer, took) = work_of(|| own.covers(&wanted));
    assert!(answer.unwrap_err().is_too_complex());
    assert!(took < std::time::Duration::from_secs(1), "{took:?}");
}

/// Promise P16: what a child may, its parent may, for 1,000,000 of (parent, child, request).
#[test]
fn containment_implies_permission() {
    let random = &mut Random::seeded(seed());
    let (mut contained, mut permitted) = (0, 0);
    for _ in 0..cases(100_000) {
        let parent = generated::rights(random);
        let child = match random.below(8) {
            0 => generated::rights(random),
            1 => parent.clone(),
            _ => generated::narrowed_rights(random, &parent),
        };
        let covered = parent.covers(&child).is_ok();
        contained += u32::from(covered);
        for _ in 0..10 {
            let scope = child.scopes().get(random.below(child.scopes().len()));
            let request = generated::request(random, scope);
            if request.is_permitted(&child) {
                permitted += u32::from(covered);
                assert!(
                    !covered || request.is_permitted(&parent),
                    "{parent:?} {child:?} {request:?}, seed {}",
                    seed(),
                );
            }
        }
    }
    assert!(contained > 20_000 && permitted > 100_000, "{contained} contained, {permitted} permitted");
}

/// Promise P16, of rights: reflexive, and transitive for 100,000 triples.
#[test]
fn reflexive_and_transitive() {
    let random = &mut Random::seeded(seed());
    let mut chains = 0;
    for _ in 0..cases(100_000) {
        let a = generated::rights(random);
        let b = generated::narrowed_rights(random, &a);
        let c = generated::narrowed_rights(random, &b);
        assert_eq!(a.covers(&a), Ok(()));
        if a.covers(&b).is_ok() && b.covers(&c).is_ok() {
            chains += 1;
            assert_eq!(a.covers(&c), Ok(()), "{a:?} {b:?} {c:?}, seed {}", seed());
        }
    }
    assert!(chains > 20_000, "{chains}");
}

/// Promise P47: whoever may do everything in one organization may do nothing in another.
#[test]
fn an_account_of_one_organization_is_refused_on_every_project_of_another() {
    let random = &mut Random::seeded(seed());
    let scopes = ["*@/", "*@*/", "*@*/*:/**"].map(|scope| Scope::parse(scope).unwrap());
    const LETTERS: &str = "aAbB01-_";
    let id = |random: &mut Random| {
        let length = 1 + random.below(3);
        random.text(length, LETTERS)
    };
    let mut pairs = 0;
    while pairs < cases(1_000_000) {
        let (own, other) = (id(random), id(random));
        if own == other {
            continue;
        }
        pairs += 1;
        let account = Rights::new(&own, scopes.clone()).unwrap();
        let (project, environment) = (id(random), id(random));
        let path = generated::path(random, 2);
        let of = |organization| match pairs % 3 {
            0 => Resource::organization(organization).unwrap(),
            1 => Resource::project(organization, &project).unwrap(),
            _ => Resource::secrets(organization, &project, &environment, &path).unwrap(),
        };
        let action = random.pick(&Action::ALL);
        assert!(account.permit(action, &of(&own)).is_ok(), "{own}, seed {}", seed());
        let denied = account.permit(action, &of(&other)).unwrap_err();
        assert_eq!(denied.part(), Part::Organization, "{own} {other}, seed {}", seed());
        let level = [Level::Organization, Level::Project, Level::Secrets][pairs % 3];
        assert_eq!(denied.nearest().map(|scope| Scope::parse(scope).unwrap().level()), Some(level));
    }
}

/// A full set against a full set: that most pairs differ before their first star costs nothing of the budget.
#[test]
fn two_hundred_and_fifty_six_rules_cover_as_many() {
    for beginning in ["/app", "/company/division/region/application/environment"] {
        let rules = |actions: &str, rest: &str| {
            let rule = |n| format!("{actions}@web/prod:{beginning}/service-{n:03}/*/{rest}").parse().unwrap();
            Rights::new("acme", (0..256).map(rule)).unwrap()
        };
        let (wide, narrow) = (rules("*", "**"), rules("read", "db"));
        assert_eq!(wide.covers(&narrow), Ok(()));
        let error = narrow.covers(&wide).unwrap_err();
        assert_eq!((error.rule(), error.is_too_complex()), (0, false));
    }
}
