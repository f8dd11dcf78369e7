//! What something else does to the tables of a file that is open: nothing is reported as done that was not.

use keygate::{Kind, Lookup as _, Revocation, Store as _, StoreErrorKind, Use};
use pollster::block_on;

use crate::support::{File, at, built, id, of, put, read, user};

#[test]
fn a_trigger_that_ignores_a_write_makes_it_rejected() {
    let file = File::new();
    let store = file.open();
    let active = put(&store, of(&user("u-17"), "a"));
    let dead = put(&store, of(&user("u-17"), "dead").revoked(Revocation::new(at(1), "left")));
    let ignores = |what: &str| {
        let trigger =
            format!("CREATE TRIGGER t BEFORE {what} ON keygate_credential BEGIN SELECT RAISE(IGNORE); END");
        file.raw().execute_batch(&trigger).unwrap();
    };
    let again = || file.raw().execute_batch("DROP TRIGGER t").unwrap();
    let leak = Revocation::new(at(2), "leaked");

    ignores("UPDATE");
    let next = built(active.to_builder().revoked(leak.clone()).version(active.version() + 1));
    let update = block_on(store.update(active.version(), &next)).unwrap_err();
    let owned = block_on(store.revoke_owned(&user("u-17"), &leak)).unwrap_err();
    assert_eq!([update.kind(), owned.kind()], [StoreErrorKind::Rejected; 2]);
    again();
    assert_eq!(block_on(store.revoke_owned(&user("u-17"), &leak)).unwrap(), 1);

    ignores("INSERT");
    let insert = block_on(store.insert(&built(of(&user("u-17"), "b")))).unwrap_err();
    assert_eq!(insert.kind(), StoreErrorKind::Rejected, "the id is not taken");
    again();

    ignores("DELETE");
    for limit in [1, 9, 1_000] {
        assert_eq!(block_on(store.purge(at(9), limit)).unwrap(), 0, "none is gone");
    }
    again();
    assert_eq!(block_on(store.purge(at(9), 9)).unwrap(), 2);
    assert!(read(&store, dead.key()).is_none());
}

/// The sqlite3 shell deletes without foreign keys, unless it is told otherwise: what it leaves is nobody's.
#[test]
fn the_uses_of_what_somebody_deleted_are_not_the_next_ones() {
    let file = File::new();
    let store = file.open();
    let old = put(&store, of(&user("u-17"), "old"));
    block_on(store.record_uses(&[Use { key: old.key(), secret: 1, at: at(77) }])).unwrap();
    file.raw().execute_batch("PRAGMA foreign_keys = 0; DELETE FROM keygate_credential").unwrap();
    let new = put(&store, of(&user("u-17"), "new"));
    assert_eq!(read(&store, new.key()).unwrap().uses.latest(), None);
}

/// A table that somebody made anew, by looser rules: what is found is compared with what was asked for.
#[test]
fn a_table_that_folds_case_finds_no_other_credential() {
    let file = File::new();
    drop(file.open());
    let raw = file.raw();
    let sql = |name: &str| -> String {
        raw.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).unwrap()
    };
    let table = sql("keygate_credential").replace("id         TEXT", "id TEXT COLLATE NOCASE");
    let rest = ["keygate_use", "keygate_credential_by_end"].map(sql);
    raw.execute_batch("DROP TABLE keygate_use; DROP TABLE keygate_credential").unwrap();
    raw.execute_batch(&format!("{table}; {}; {}", rest[0], rest[1])).unwrap();
    let store = file.open();
    put(&store, of(&user("u-17"), "abc"));
    assert!(block_on(store.find(Kind::ApiKey, &id("abc"))).unwrap().is_some());
    for found in [
        block_on(store.find(Kind::ApiKey, &id("ABC"))).map(drop),
        block_on(store.read(Kind::ApiKey, &id("ABC"))).map(drop),
    ] {
        assert_eq!(found.unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
}
