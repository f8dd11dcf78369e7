//! What is contained permits no more: three lines, the wider scopes, the narrower ones, and a resource
//! `project environment path`; scopes and parts are separated by spaces.
#![no_main]

use keygate::{Action, Containment, Level, Resource, Rights, Scope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let (Some(wide), Some(narrow), Some(at)) = (lines.next(), lines.next(), lines.next()) else { return };
    let (Some(wide), Some(narrow)) = (rights(wide), rights(narrow)) else { return };
    assert!(wide.covers(&wide).is_ok() && narrow.covers(&narrow).is_ok());
    let covers = wide.covers(&narrow).is_ok();

    // Per scope, what rights say and what patterns say is the same.
    for (parent, child) in
        wide.scopes().iter().flat_map(|parent| narrow.scopes().iter().map(move |child| (parent, child)))
    {
        if let (Some(outer), Some(inner)) = (parent.pattern(), child.pattern()) {
            let alone = |scope: &Scope| Rights::new("o", [scope.clone()]).unwrap();
            if alone(parent).covers(&alone(child)).is_ok() {
                assert_eq!(outer.contains(inner), Containment::Contained);
            }
        }
        assert!(matches!(parent.level(), Level::Organization | Level::Project | Level::Secrets));
    }

    let parts: Vec<&str> = at.split(' ').collect();
    let [project, environment, path] = parts.as_slice() else { return };
    let secrets = Resource::secrets("o", project, environment, path);
    let resources = [Resource::organization("o"), Resource::project("o", project), secrets];
    for resource in resources.into_iter().flatten() {
        for action in Action::ALL {
            if covers && narrow.permit(action, &resource).is_ok() {
                assert!(wide.permit(action, &resource).is_ok());
            }
        }
    }
});

fn rights(line: &str) -> Option<Rights> {
    let scopes: Option<Vec<Scope>> = line.split(' ').map(|scope| Scope::parse(scope).ok()).collect();
    Rights::new("o", scopes?).ok()
}
