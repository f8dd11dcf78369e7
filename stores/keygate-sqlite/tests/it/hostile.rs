//! Ids and owners that mean to be more than data.

use keygate::{CredentialKey, Kind, Lookup as _, Owner, Revocation, Store as _};
use pollster::block_on;

use crate::support::{File, at, built, id, ids, of, organization, project, put, read, user};

/// What SQL, patterns and paths would make something of. An id of a credential or an organization cannot have most of it.
const USERS: [&str; 16] = [
    "'",
    "''",
    "\"",
    "'--",
    "x'OR'1'='1",
    "');DROP\u{5f}TABLE/**/keygate_credential;--",
    "%",
    "_",
    "u%17",
    "u_17",
    "*",
    "?1",
    ":id",
    "$1",
    "\\",
    "u-17",
];

#[test]
fn an_owner_is_data() {
    let file = File::new();
    let store = file.open();
    for (number, name) in USERS.iter().enumerate() {
        put(&store, of(&user(name), &format!("id-{number}")));
    }
    for (number, name) in USERS.iter().enumerate() {
        let own = vec![format!("id-{number}")];
        assert_eq!(ids(&block_on(store.list(&user(name), None, 99)).unwrap()), own, "{name}");
        assert_eq!(block_on(store.count_live(&user(name), at(0))).unwrap(), 1, "{name}");
    }
    for (number, name) in USERS.iter().enumerate() {
        let revoked = block_on(store.revoke_owned(&user(name), &Revocation::new(at(1), "'); --"))).unwrap();
        assert_eq!(revoked, 1, "{name}");
        let live = USERS.iter().filter(|name| block_on(store.count_live(&user(name), at(0))).unwrap() == 1);
        assert_eq!(live.count(), USERS.len() - number - 1, "{name}");
    }
}

/// Case, patterns, prefixes, another kind: all of them somebody else.
#[test]
fn a_near_miss_finds_nothing() {
    let file = File::new();
    let store = file.open();
    let record = put(&store, of(&user("u-17"), "tr6A_fxq"));
    for near in ["TR6A_FXQ", "tr6a_fxq", "tr6A-fxq", "tr6Afxq", "tr6A_fx", "tr6A_fxqq", "_", "________"] {
        assert!(block_on(store.find(Kind::ApiKey, &id(near))).unwrap().is_none(), "{near}");
    }
    for kind in [Kind::ServiceAccount, Kind::ServiceToken] {
        assert!(read(&store, CredentialKey::new(kind, id("tr6A_fxq"))).is_none());
    }
    assert!(read(&store, record.key()).is_some());
}

/// A user, an organization and a project of one name are three owners; an organization's projects are its own.
#[test]
fn owners_of_one_name_are_apart() {
    let owners: [Owner; 6] = [
        user("acme"),
        organization("acme"),
        project("acme", "acme"),
        project("acme", "web"),
        organization("web"),
        project("web", "acme"),
    ];
    for owner in &owners {
        let file = File::new();
        let store = file.open();
        for (number, each) in owners.iter().enumerate() {
            put(&store, of(each, &format!("id-{number}")));
        }
        let included = owners.iter().filter(|each| owner.includes(each)).count();
        let revocation = Revocation::new(at(1), "closed");
        assert_eq!(block_on(store.revoke_owned(owner, &revocation)).unwrap(), included as u64, "{owner}");
        assert_eq!(block_on(store.revoke_owned(owner, &revocation)).unwrap(), 0, "{owner}: idempotent");
        for (number, each) in owners.iter().enumerate() {
            let key = built(of(each, &format!("id-{number}"))).key();
            let revoked = read(&store, key).unwrap().record.revocation().is_some();
            assert_eq!(revoked, owner.includes(each), "{owner}, {each}");
        }
    }
}
