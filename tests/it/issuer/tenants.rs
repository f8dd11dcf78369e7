//! P44: what is somebody else's is *not found*, for every call, and stays as it is.

use keygate::{CredentialId, CredentialKey, IssueError, Issued, Kind, Owner};
use pollster::block_on;

use super::calls::Call;
use super::{Host, error, owner, unknown_id};

const TENANTS: usize = 5;

/// Whose a tenant's twenty credentials are. Projects have the same names everywhere, and so have a user and an organization.
fn owners(tenant: usize) -> [Owner; 5] {
    let organization = format!("tenant-{tenant}");
    [
        Owner::user(&organization).unwrap(),
        Owner::user(&format!("{organization}.ops")).unwrap(),
        Owner::organization(&organization).unwrap(),
        Owner::project(&organization, "web").unwrap(),
        Owner::project(&organization, "app").unwrap(),
    ]
}

/// Five tenants of twenty credentials, and every call of each owner with the ids of all others: nothing is changed, and
/// the answer, and the work behind it, is that for an id that nobody has.
#[test]
fn nobody_reaches_the_credentials_of_others() {
    let host = Host::new();
    let all: Vec<(Owner, CredentialKey)> = (0..TENANTS)
        .flat_map(owners)
        .flat_map(|owner| [(); 4].map(|()| (owner.clone(), host.issue_for(&owner).record.key())))
        .collect();
    assert_eq!(all.len(), TENANTS * 20);
    let before = host.contents();
    let mut calls = 0_u32;
    for (kind, call) in Call::each() {
        for owner in (0..TENANTS).flat_map(owners).filter(|owner| owner.kind() == kind) {
            let made = |id: &CredentialId| {
                host.store.calls();
                let made = block_on(call.make(&host.issuer, kind, &owner, id));
                (words(made), host.store.calls())
            };
            let nobody = unknown_id();
            let unknown = made(&nobody);
            assert_eq!(unknown, ("NotFound / no such credential".to_owned(), vec!["read"]));
            // Ids of another kind are among them.
            for (of, key) in all.iter().filter(|(of, _)| *of != owner) {
                assert_eq!(made(&key.id), unknown, "{call:?} of {key} of {of}, by {owner}");
                calls += 1;
            }
        }
    }
    assert_eq!(host.contents(), before);
    println!("{calls} calls");
    assert_eq!(calls, 10 * 12 * 96 + 5 * 15 * 96 + 10 * 14 * 96);
}

fn words(made: Result<Option<Issued>, IssueError>) -> String {
    made.map_or_else(|refused| format!("{refused:?} / {refused}"), |_| "ok".to_owned())
}

/// A page begins behind any id, also behind one of somebody else's, and shows nobody else's.
#[test]
fn lists_and_counts_are_of_one_owner() {
    let host = Host::new();
    let all: Vec<(Owner, CredentialKey)> = (0..TENANTS)
        .flat_map(owners)
        .flat_map(|owner| [(); 4].map(|()| (owner.clone(), host.issue_for(&owner).record.key())))
        .collect();
    for owner in (0..TENANTS).flat_map(owners) {
        for (_, key) in &all {
            let mut expected: Vec<_> = all
                .iter()
                .filter(|(of, other)| *of == owner && other.id > key.id)
                .map(|(_, it)| *it)
                .collect();
            expected.sort();
            macro_rules! of {
                ($handle:expr) => {{
                    let owned = $handle.owned_by(owner.clone());
                    (
                        block_on(owned.list(Some(&key.id), 1_000)).unwrap(),
                        block_on(owned.count_live()).unwrap(),
                    )
                }};
            }
            let (page, live) = match owner.kind() {
                Kind::ApiKey => of!(host.issuer.api_keys()),
                Kind::ServiceAccount => of!(host.issuer.service_accounts()),
                Kind::ServiceToken => of!(host.issuer.service_tokens()),
            };
            assert_eq!(page.iter().map(|entry| entry.record.key()).collect::<Vec<_>>(), expected);
            assert_eq!(live, 4);
        }
    }
}

/// A caller ends its own credential, and no other of the same owner.
#[test]
fn a_caller_ends_no_neighbour() {
    for kind in Kind::ALL {
        let host = Host::new();
        let (own, neighbour) = (host.issue(kind), host.issue(kind));
        let before = host.contents().remove(&neighbour.record.key());
        let caller = host.caller(own.text.expose()).unwrap();
        assert_eq!(error(block_on(host.issuer.revoke_own(&caller, "mine"))), "ok");
        assert_eq!(host.contents().remove(&neighbour.record.key()), before);
        assert_eq!(neighbour.record.owner(), &owner(kind));
    }
}
