//! The traits of stores and their contract, on the store in memory.

#[cfg(feature = "tokio")]
mod deadline;
mod errors;
mod forwarding;
mod ids;
mod model;
mod owners;
mod pages;
mod threads;
mod uses;
pub(crate) mod watched;
mod writes;

use std::sync::Arc;

use keygate::{
    ApiKeyGrant, CredentialId, CredentialKey, Digest, Entry, Grant, Inserted, Kind, MemoryStore, Owner,
    Record, RecordBuilder, Rights, ServiceAccountGrant, ServiceTokenGrant, Store, Timestamp, Validity,
};
use pollster::block_on;

use crate::support::fixtures::{END, NOW};

pub(crate) fn id(text: &str) -> CredentialId {
    CredentialId::parse(text).unwrap()
}

/// What an owner's credential is granted, of which a store is to know nothing but whose it is.
fn granted(owner: &Owner) -> Grant {
    let rights = |organization: &str| Rights::new(organization, []).unwrap();
    match owner {
        Owner::User(user) => ApiKeyGrant::new(user.as_str()).unwrap().into(),
        Owner::Organization(organization) => ServiceAccountGrant::new(rights(organization.as_str())).into(),
        Owner::Project(organization, project) => {
            ServiceTokenGrant::new(project.as_str(), rights(organization.as_str())).unwrap().into()
        }
    }
}

/// A record of this owner, in the making: version 1, made at `NOW`, until `END`.
pub(crate) fn of(owner: &Owner, text: &str) -> RecordBuilder {
    let digest = Digest::from_parts(1, Some(1), &[7; 32]).unwrap();
    Record::builder(id(text), granted(owner), digest, NOW).validity(Validity::until(END)).version(1)
}

fn built(builder: RecordBuilder) -> Arc<Record> {
    Arc::new(builder.build().unwrap())
}

/// Stores what is new.
#[track_caller]
fn put(store: &MemoryStore, builder: RecordBuilder) -> Arc<Record> {
    let record = built(builder);
    assert_eq!(block_on(store.insert(&record)).unwrap(), Inserted::Yes);
    record
}

fn read(store: &MemoryStore, key: CredentialKey) -> Option<Entry> {
    block_on(store.read(key.kind, &key.id)).unwrap()
}

pub(crate) fn user(name: &str) -> Owner {
    Owner::user(name).unwrap()
}

fn organization(name: &str) -> Owner {
    Owner::organization(name).unwrap()
}

fn project(organization: &str, name: &str) -> Owner {
    Owner::project(organization, name).unwrap()
}

/// One owner of each kind.
fn owner_of(kind: Kind) -> Owner {
    match kind {
        Kind::ApiKey => user("u-17"),
        Kind::ServiceAccount => organization("acme"),
        Kind::ServiceToken => project("acme", "web"),
    }
}

fn ids(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.record.key().id.as_str().to_owned()).collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(NOW.as_unix() + seconds)
}
