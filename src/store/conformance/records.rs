//! Records to try a store with: the same ones each time, of owners and ids that mean to be mistaken for each other.

use std::sync::Arc;

use crate::{
    ApiKeyGrant, CredentialId, Digest, Grant, Invalid, Kind, Network, Owner, Parent, Record, RecordBuilder,
    Retiring, Revocation, Rights, ServiceAccountGrant, ServiceTokenGrant, StoredSecret, Timestamp, Validity,
};

pub(super) type Made<T> = Result<T, Invalid>;

/// So many seconds after everything began.
pub(super) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_768_373_298_i64.saturating_add(seconds))
}

pub(super) fn id(text: &str) -> Made<CredentialId> {
    CredentialId::parse(text)
}

pub(super) fn user() -> Made<Owner> {
    Owner::user("u-17")
}

/// One owner of each kind.
pub(super) fn owner_of(kind: Kind) -> Made<Owner> {
    match kind {
        Kind::ApiKey => user(),
        Kind::ServiceAccount => Owner::organization("acme"),
        Kind::ServiceToken => Owner::project("acme", "web"),
    }
}

/// Version 1 of a record of this owner, made at 0, until 3,600.
pub(super) fn of(owner: &Owner, text: &str) -> Made<RecordBuilder> {
    let rights = |organization: &str| Rights::new(organization, []);
    let grant: Grant = match owner {
        Owner::User(user) => ApiKeyGrant::new(user.as_str())?.into(),
        Owner::Organization(organization) => ServiceAccountGrant::new(rights(organization.as_str())?).into(),
        Owner::Project(organization, project) => {
            ServiceTokenGrant::new(project.as_str(), rights(organization.as_str())?)?.into()
        }
    };
    let record = Record::builder(id(text)?, grant, Digest::from_parts(1, Some(1), &[7; 32])?, at(0));
    Ok(record.validity(until(3_600)).version(1))
}

pub(super) fn until(seconds: i64) -> Validity {
    Validity::until(at(seconds))
}

pub(super) fn revoked_at(seconds: i64) -> Revocation {
    Revocation::new(at(seconds), "left")
}

pub(super) fn built(builder: RecordBuilder) -> Made<Arc<Record>> {
    builder.build().map(Arc::new)
}

/// The next version of a record, by this name.
pub(super) fn renamed(record: &Record, name: &str) -> Made<Arc<Record>> {
    built(record.to_builder().name(name).version(record.version().saturating_add(1)))
}

pub(super) fn secret(number: u32, slot: u8, guard: Option<u8>) -> Made<StoredSecret> {
    let [.., byte] = number.to_be_bytes();
    Ok(StoredSecret { number, digest: Digest::from_parts(slot, guard, &[byte; 32])? })
}

pub(super) fn retiring(secret: StoredSecret, ends_at: Timestamp) -> Retiring {
    Retiring { secret, ends_at, leak: None }
}

/// An account after so many rotations: every part of it tells of which.
pub(super) fn rotated(version: u32) -> Made<Arc<Record>> {
    let before = version.saturating_sub(1);
    let grant = ServiceAccountGrant::new(Rights::new("acme", [])?).with_mint_generation(version.into());
    let record = of(&Owner::organization("acme")?, "rotated")?
        .grant(grant)
        .name(&format!("rotation {version}"))
        .current(secret(version.saturating_add(1), 2, Some(2))?)
        .version(version.into());
    let replaced = || Ok::<_, Invalid>(retiring(secret(version, 1, None)?, at(before.into())));
    built(if before == 0 { record } else { record.retiring(replaced()?) })
}

/// Records that use every field, with values that columns are often too narrow for.
pub(super) fn full() -> Made<Vec<Arc<Record>>> {
    let metadata =
        [("team", "red"), ("note", "100 % of \"it\" is 'quoted'; \\ -- \u{fc}\u{1f511}"), ("empty", "")];
    let networks = || Ok::<_, Invalid>([Network::parse("10.0.0.0/8")?, Network::parse("2001:db8::/32")?]);
    let all = |builder: RecordBuilder| {
        Ok::<_, Invalid>(
            builder
                .name("Zo\u{eb}'s laptop; 50%_")
                .metadata(metadata)
                .created_by("admin@example.org")
                .networks(networks()?)
                .current(secret(u32::MAX, 63, None)?)
                .retiring(Retiring {
                    leak: Some("in a log".into()),
                    ..retiring(secret(4_000_000_000, 0, Some(63))?, at(60))
                })
                .version(5_000_000_000),
        )
    };
    let after_2106 = Timestamp::from_unix(5_000_000_000);
    let scopes = || Ok::<_, Invalid>(["read@web/prod:/app/**".parse()?, "create@web/dev:/**".parse()?]);
    let account = ServiceAccountGrant::new(Rights::new("acme", scopes()?)?)
        .with_public_key([0xFE; 32])
        .with_sealed_key("web", [0, 255, 10])?
        .with_mint_generation(6_000_000_000);
    let token =
        ServiceTokenGrant::new("web", Rights::new("acme", scopes()?)?)?.with_client_box([0, 39, 255])?;
    let [user, organization, project] =
        [user()?, Owner::organization("acme")?, Owner::project("acme", "web")?];
    let window = Validity::new(Some(Timestamp::from_unix(-1)), Some(after_2106))?;
    Ok(vec![
        built(of(&user, "plain")?)?,
        built(of(&user, "unbounded")?.validity(Validity::UNBOUNDED).version(0))?,
        built(of(&user, "disabled")?.disabled(true))?,
        built(all(of(&user, "full")?.validity(window))?)?,
        built(of(&user, "revoked")?.revoked(Revocation::new(after_2106, "it's gone: \u{fc}")))?,
        built(of(&organization, "account")?)?,
        built(all(of(&organization, "full-account")?.grant(account).disabled(true))?)?,
        built(
            of(&organization, "ended")?
                .current(secret(2, 1, None)?)
                .retiring(retiring(secret(1, 1, None)?, Timestamp::MIN)),
        )?,
        built(of(&project, "token")?)?,
        built(all(of(&project, "full-token")?
            .grant(token)
            .parent(Parent { account: id("-_+/")?, mint_generation: 6_000_000_000 }))?)?,
    ])
}

/// Owners that are easily taken for each other: by case, prefix, kind, a pattern, or how their parts are joined.
pub(super) fn look_alikes() -> Made<Vec<Owner>> {
    let users =
        ["acme", "Acme", "acm", "acm_", "acm%", "acme/web", "acme:web", "acme-web", "project", "'", "%", "_"];
    let organizations = ["acme", "Acme", "acm", "acm_", "acme2", "acme-web", "a"];
    let projects = [
        ("acme", "web"),
        ("acme", "Web"),
        ("acme", "we_"),
        ("acme2", "web"),
        ("a", "cmeweb"),
        ("acme-", "web"),
        ("acme", "-web"),
        ("web", "acme"),
    ];
    let users = users.into_iter().map(Owner::user);
    let organizations = organizations.into_iter().map(Owner::organization);
    users
        .chain(organizations)
        .chain(projects.into_iter().map(|(of, name)| Owner::project(of, name)))
        .collect()
}

/// In the order of bytes, in which capitals stand before small letters and a prefix before what it begins.
pub(super) const IN_ORDER: [&str; 14] =
    ["+", "-", "/", "/0", "0", "09", "9", "A", "Z", "_", "a", "a-", "aa", "zzzzzzzzzzzzzzzzzzzzzzzzz"];
