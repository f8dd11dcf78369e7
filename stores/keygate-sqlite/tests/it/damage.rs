//! Rows that something else changed: an error that says so, never another record, and never "there is none".

use std::collections::BTreeMap;

use keygate::{
    ApiKeyGrant, Authenticator, DigestKeys, Grant, Kind, Lookup as _, Record, Retiring, Revocation, Rights,
    Scope, ServiceAccountGrant, ServiceTokenGrant, Store, StoreErrorKind, StoredSecret, SystemRandom,
    Validity,
};
use pollster::block_on;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, params};

use crate::support::{File, Random, at, built, seed, user};

/// Every column that is not part of the key.
const COLUMNS: [&str; 8] =
    ["owner", "project", "version", "created_at", "expires_at", "revoked_at", "checksum", "record"];

/// Takes what the schema does not allow, too: as a flipped bit on the disk would not ask it either.
fn without_rules(file: &File) -> Connection {
    let raw = file.raw();
    raw.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE keygate_credential (
             number INTEGER PRIMARY KEY, kind, id, owner, project, version, created_at, expires_at, revoked_at, checksum, record,
             UNIQUE (kind, id))' WHERE name = 'keygate_credential';
         PRAGMA writable_schema = RESET;",
    )
    .unwrap();
    raw
}

/// Something else than what a column has.
fn mutated(random: &mut Random, value: &Value) -> Value {
    let bytes = match value {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Blob(bytes) => bytes.clone(),
        Value::Integer(number) => number.to_string().into_bytes(),
        _ => b"1".to_vec(),
    };
    let mut changed = bytes.clone();
    match random.below(11) {
        0 => return Value::Null,
        1 => return Value::Integer(random.number().cast_signed()),
        2 => return Value::Integer(random.pick(&[0, 1, -1, i64::MIN, i64::MAX, 253_402_300_800])),
        3 => return Value::Real(random.pick(&[0.0, 1.5, f64::INFINITY, -1e300])),
        4 => return Value::Blob(changed),
        5 => return Value::Text(String::from_utf8_lossy(&changed).into_owned()),
        6 => changed.truncate(random.below(bytes.len())),
        7 => changed.extend(&bytes),
        8 => changed.insert(random.below(bytes.len()), random.pick(&[0, 0xff, 0xc3, b'"', b'9'])),
        9 => {
            // Of a newer release, or of none.
            let text = String::from_utf8_lossy(&changed).replacen(
                "\"v\":1",
                random.pick(&["\"v\":2", "\"v\":0", ""]),
                1,
            );
            changed = text.into_bytes();
        }
        _ => {
            let place = random.below(changed.len());
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
    match value {
        Value::Blob(_) => Value::Blob(changed),
        // As text whatever the bytes are: SQLite does not look.
        Value::Text(_) => Value::Blob(changed),
        _ => random.number().cast_signed().into(),
    }
}

struct Issued {
    record: std::sync::Arc<Record>,
    header: (&'static str, String),
}

fn issue(keys: &DigestKeys, kind: Kind, number: usize) -> Issued {
    let drawn = keys.draw(kind, &SystemRandom).unwrap();
    let scope: Scope = "read@web/prod:/app/**".parse().unwrap();
    let rights = || Rights::new("acme", [scope.clone()]).unwrap();
    let mut builder = match kind {
        Kind::ApiKey => {
            Record::builder(drawn.key.id, ApiKeyGrant::new("u-17").unwrap(), drawn.digest, at(10))
        }
        Kind::ServiceAccount => {
            Record::builder(drawn.key.id, ServiceAccountGrant::new(rights()), drawn.digest, at(10))
        }
        Kind::ServiceToken => {
            let grant = ServiceTokenGrant::new("web", rights()).unwrap();
            Record::builder(drawn.key.id, grant, drawn.digest, at(10))
        }
    };
    builder = builder.version(1).validity(Validity::until(at(20)));
    if number % 4 == 1 {
        builder = builder.revoked(Revocation::new(at(11), "its time has come"));
    }
    if number % 4 == 2 {
        let old = keys.draw(kind, &SystemRandom).unwrap();
        builder = builder.retiring(Retiring {
            secret: StoredSecret { number: 2, digest: old.digest },
            ends_at: at(18),
            leak: None,
        });
    }
    let header = match kind {
        Kind::ApiKey => ("x-api-key", drawn.text.expose().to_owned()),
        _ => ("authorization", format!("Bearer {}", drawn.text.expose())),
    };
    Issued { record: built(builder), header }
}

/// 10,000 rows with one column changed in any way: each a typed error, as a record and as a decision.
#[test]
fn a_changed_row_is_never_a_record_and_never_absent() {
    let (seed, file, keys) = (seed(), File::new(), DigestKeys::ephemeral().unwrap());
    let (store, mut random) = (file.open(), Random::seeded(seed));
    let issued: Vec<Issued> = (0..24).map(|number| issue(&keys, Kind::ALL[number % 3], number / 3)).collect();
    for Issued { record, .. } in &issued {
        let _inserted = block_on(store.insert(record)).unwrap();
        // What the store remembers of sound rows must not stand for damaged ones.
        assert!(block_on(store.find(record.key().kind, &record.key().id)).unwrap().is_some());
    }
    let gate = Authenticator::new(store.clone(), keys);
    let raw = without_rules(&file);
    let (mut seen, mut tried) = (BTreeMap::new(), 0);
    let pick: Vec<&Issued> = issued.iter().collect();
    while tried < 10_000 {
        let Issued { record, header } = random.pick(&pick);
        let (key, column) = (record.key(), random.pick(&COLUMNS));
        let row = params![key.kind.as_str(), key.id.as_str()];
        let held: Value = raw
            .prepare_cached(&format!("SELECT {column} FROM keygate_credential WHERE kind = ?1 AND id = ?2"))
            .unwrap()
            .query_row(row, |row| row.get(0))
            .unwrap();
        let changed = mutated(&mut random, &held);
        let is_text = matches!((&held, &changed), (Value::Text(_), Value::Blob(_))) && !random.one_in(5);
        let value = match (&changed, is_text) {
            (Value::Blob(bytes), true) => ToSqlOutput::Borrowed(ValueRef::Text(bytes)),
            _ => ToSqlOutput::Owned(changed.clone()),
        };
        let same = match &value {
            ToSqlOutput::Borrowed(ValueRef::Text(bytes)) => {
                matches!(&held, Value::Text(text) if text.as_bytes() == *bytes)
            }
            _ => changed == held,
        };
        if same {
            continue;
        }
        tried += 1;
        let what = format!("KEYGATE_SEED={seed} {tried}: {key}, {column} {held:?} is {value:?}");
        let set = format!("UPDATE keygate_credential SET {column} = ?3 WHERE kind = ?1 AND id = ?2");
        let set = |value: &dyn rusqlite::ToSql| {
            let done =
                raw.prepare_cached(&set).unwrap().execute(params![key.kind.as_str(), key.id.as_str(), value]);
            assert_eq!(done, Ok(1), "{what}");
        };
        set(&value);

        let error = block_on(store.find(key.kind, &key.id)).expect_err(&what);
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{what}");
        assert_eq!(
            block_on(store.read(key.kind, &key.id)).unwrap_err().kind(),
            StoreErrorKind::Corrupt,
            "{what}"
        );
        let refusal = block_on(gate.authenticate([header])).expect_err(&what);
        assert!(refusal.reason().is_fault() && refusal.status() == 503, "{what}: {refusal:?}");
        *seen.entry(column).or_insert(0) += 1;

        set(&held);
    }
    assert_eq!(seen.len(), COLUMNS.len());
    for Issued { record, .. } in &issued {
        let found = block_on(store.find(record.key().kind, &record.key().id)).unwrap().unwrap();
        assert_eq!(found.encode().unwrap(), record.encode().unwrap(), "what was put back is whole");
    }
}

/// Two rows that change places, records and checksums too: neither is the other.
#[test]
fn a_record_in_another_row_is_damage() {
    let (file, keys) = (File::new(), DigestKeys::ephemeral().unwrap());
    let store = file.open();
    let [one, other] = [0, 3].map(|number| issue(&keys, Kind::ApiKey, number).record);
    for record in [&one, &other] {
        let _inserted = block_on(store.insert(record)).unwrap();
    }
    file.raw()
        .execute_batch(
            "CREATE TABLE kept AS SELECT number, record, checksum FROM keygate_credential;
             UPDATE keygate_credential SET (record, checksum) =
                 (SELECT record, checksum FROM kept WHERE kept.number <> keygate_credential.number);",
        )
        .unwrap();
    for record in [&one, &other] {
        let error = block_on(store.find(Kind::ApiKey, &record.key().id)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
}

/// One of three is damaged: the others are revoked, used and purged all the same; listings and counts say what is wrong.
#[test]
fn a_damaged_row_keeps_no_other_from_its_due() {
    let (file, keys) = (File::new(), DigestKeys::ephemeral().unwrap());
    let store = file.open();
    let records = [0, 4, 8].map(|number| issue(&keys, Kind::ApiKey, number).record);
    for record in &records {
        let _inserted = block_on(store.insert(record)).unwrap();
    }
    let [one, damaged, last] = records.map(|record| record.key());
    let damage = "UPDATE keygate_credential SET record = CAST(replace(CAST(record AS TEXT), '\"v\":1', '\"v\":2') AS BLOB) WHERE id = ?1";
    file.raw().execute(damage, [damaged.id.as_str()]).unwrap();

    let owner = user("u-17");
    let corrupt = |error: keygate::StoreError| assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let uses = [one, damaged, last].map(|key| keygate::Use { key, secret: 1, at: at(15) });
    block_on(store.record_uses(&uses)).unwrap();
    corrupt(block_on(store.revoke_owned(&owner, &Revocation::new(at(16), "closed"))).unwrap_err());
    for key in [one, last] {
        let entry = block_on(store.read(key.kind, &key.id)).unwrap().unwrap();
        assert_eq!(
            (entry.uses.latest(), entry.record.revocation().map(|it| it.at)),
            (Some(at(15)), Some(at(16)))
        );
    }
    corrupt(block_on(store.list(&owner, None, 9)).unwrap_err());
    corrupt(block_on(store.count_live(&owner, at(1))).unwrap_err());
    corrupt(block_on(store.count_slots(at(1))).unwrap_err());
    corrupt(block_on(store.expiring(at(0), at(21), None, 9)).unwrap_err());
    corrupt(block_on(store.unused(at(11), at(12), None, 9)).unwrap_err());

    // It is doomed by its columns, and comes first: purging steps over it, however small the pages.
    file.raw()
        .execute("UPDATE keygate_credential SET revoked_at = 1 WHERE id = ?1", [damaged.id.as_str()])
        .unwrap();
    assert_eq!(block_on(store.purge(at(17), 1)).unwrap(), 1);
    assert_eq!(block_on(store.purge(at(17), 9)).unwrap(), 1);
    assert_eq!(block_on(store.purge(at(17), 9)).unwrap(), 0);
    corrupt(block_on(store.find(damaged.kind, &damaged.id)).unwrap_err());
    let left: i64 =
        file.raw().query_row("SELECT count(*) FROM keygate_credential", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

/// A record that is as long as one may be cannot be revoked, since that makes it longer; the others are.
#[test]
fn a_record_without_room_keeps_no_other_from_its_due() {
    let (file, keys) = (File::new(), DigestKeys::ephemeral().unwrap());
    let store = file.open();
    let [first, full, last] = [1, 4, 7].map(|number| issue(&keys, Kind::ALL[number % 3], 0).record);
    let (mut grant, mut size) = (full.grant().clone(), 1_024);
    while size > 0 {
        let Grant::ServiceAccount(account) = &grant else { panic!("an account") };
        let project = format!("p-{}", account.sealed_keys().count());
        let larger = account.clone().with_sealed_key(&project, vec![1; size]).unwrap();
        if full.to_builder().grant(larger.clone()).build().unwrap().encode().is_ok() {
            grant = larger.into();
        } else {
            size /= 2;
        }
    }
    let full = built(full.to_builder().grant(grant));
    for record in [&first, &full, &last] {
        let _inserted = block_on(store.insert(record)).unwrap();
    }
    let owner = crate::support::organization("acme");
    let error = block_on(store.revoke_owned(&owner, &Revocation::new(at(11), "closed"))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Rejected);
    for (record, revoked) in [(&first, true), (&full, false), (&last, true)] {
        let key = record.key();
        let found = block_on(store.find(key.kind, &key.id)).unwrap().unwrap();
        assert_eq!(found.revocation().is_some(), revoked);
    }
}

/// Pages of the file that are noise: an error, and no panic.
#[test]
fn a_file_of_noise_is_an_error() {
    let file = File::new();
    let keys = DigestKeys::ephemeral().unwrap();
    let record = issue(&keys, Kind::ApiKey, 0).record;
    {
        let store = file.open();
        let _inserted = block_on(store.insert(&record)).unwrap();
    }
    let whole = std::fs::read(file.path()).unwrap();
    let mut random = Random::seeded(seed());
    let (mut fine, mut broken) = (0, 0);
    for _ in 0..300 {
        let mut noisy = whole.clone();
        for _ in 0..1 + random.below(40) {
            let place = 100 + random.below(noisy.len() - 100);
            noisy[place] ^= 1 << random.below(8);
        }
        for extra in ["-wal", "-shm"] {
            let _gone = std::fs::remove_file(file.path().with_extension(format!("db{extra}")));
        }
        std::fs::write(file.path(), &noisy).unwrap();
        let opened = keygate_sqlite::SqliteStore::open(file.path(), keygate_sqlite::Threading::inline());
        let Ok(store) = opened else {
            broken += 1;
            continue;
        };
        match block_on(store.find(Kind::ApiKey, &record.key().id)) {
            // What it finds is the record, to the last byte.
            Ok(Some(found)) => {
                assert_eq!(found.encode().unwrap(), record.encode().unwrap());
                fine += 1;
            }
            // The key itself may be hit.
            Ok(None) => {}
            Err(_) => broken += 1,
        }
    }
    assert!(fine > 0 && broken > 0, "{fine}, {broken}");
}
