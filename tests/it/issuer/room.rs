//! A record at its limit: notes and grants end before it does, so that rotating and revoking always fit.

use keygate::{Expiry, IssueError, Kind, NewServiceAccount, Overlap, Record};
use pollster::block_on;

use super::{Host, error, owner};

const PROJECTS: usize = 256;

/// An account with so many bytes sealed in all, spread over its projects.
fn sealed(bytes: usize) -> NewServiceAccount {
    let new = NewServiceAccount::new("acme", Expiry::Never);
    (0..PROJECTS).fold(new, |new, project| {
        let length = (bytes + project) / PROJECTS;
        new.sealed_key(&format!("p-{project}"), vec![7; length])
    })
}

/// The most that can be sealed, found by halving.
fn most(host: &Host) -> usize {
    let fits = |bytes| block_on(host.issuer.service_accounts().issue(sealed(bytes))).is_ok();
    let (mut fitting, mut too_much) = (100_000, PROJECTS * 1_024);
    assert!(fits(fitting) && !fits(too_much), "what each field allows is more than all may hold");
    while too_much - fitting > 1 {
        let middle = fitting.midpoint(too_much);
        if fits(middle) { fitting = middle } else { too_much = middle }
    }
    fitting
}

/// Whatever else a record holds, its secrets can be replaced and it can be revoked, with the longest reasons there are; and
/// the bytes still decode.
#[test]
fn a_full_record_can_be_rotated_and_revoked() {
    let host = Host::new();
    let issued = block_on(host.issuer.service_accounts().issue(sealed(most(&host)))).unwrap();
    let key = issued.record.key();
    let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
    let longest = "🔑".repeat(200);
    block_on(accounts.rotate(&key.id, Overlap::hours(1))).unwrap();
    let rotated = block_on(accounts.rotate_leaked(&key.id, &longest)).unwrap();
    block_on(accounts.disable(&key.id)).unwrap();
    block_on(accounts.enable(&key.id)).unwrap();

    // Nothing more fits in, and what is there may be made smaller: rights can be narrowed whatever the size.
    let networks: Vec<_> =
        (0..64).map(|at| keygate::Network::parse(&format!("2001:db8:{at:x}::/48")).unwrap()).collect();
    for more in [
        block_on(accounts.set_metadata(&key.id, [("note", &*"x".repeat(256))])),
        block_on(accounts.set_networks(&key.id, Some(&networks))),
        block_on(accounts.rename(&key.id, &"🔑".repeat(100))),
    ] {
        assert!(matches!(more, Err(IssueError::Invalid(invalid)) if invalid.argument() == "record"));
    }
    block_on(accounts.set_scopes(&key.id, [])).unwrap();
    block_on(
        accounts.change_grant(&key.id, |grant| Ok(grant.without_sealed_key("p-0").without_sealed_key("p-1"))),
    )
    .unwrap();
    block_on(accounts.set_metadata(&key.id, [("note", "x")])).unwrap();

    assert_eq!(host.says(rotated.text.expose()), "ok");
    assert_eq!(error(block_on(accounts.revoke(&key.id, &longest))), "ok");
    assert_eq!(host.says(rotated.text.expose()), "revoked");
    let bytes = host.record(key).encode().unwrap();
    assert!(Record::decode(&bytes).is_ok());

    let caller_of = block_on(host.issuer.service_accounts().issue(sealed(most(&host)))).unwrap();
    let caller = host.caller(caller_of.text.expose()).unwrap();
    block_on(host.issuer.revoke_own(&caller, &longest)).unwrap();
    assert_eq!(host.says(caller_of.text.expose()), "revoked");
}
