//! The issuer: what each of its calls does, what it refuses, and what it survives.

mod calls;
mod cancellation;
mod clocks;
mod concurrency;
mod failures;
mod grants;
mod lifecycle;
mod listing;
mod misuse;
mod one_record;
mod policy;
mod revocation;
mod room;
mod rotation;
mod staged;
mod tenants;

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate::{
    Authenticator, Caller, CredentialId, CredentialKey, DigestKeys, Entry, HeaderPolicy, IssueError, Issued,
    Issuer, IssuerBuilder, Kind, Lifetime, ManualClock, NewApiKey, NewServiceAccount, NewServiceToken, Owner,
    Record, Refusal, Scope, Store as _, Timestamp,
};
use pollster::block_on;

use self::staged::Staged;
use crate::support::fixtures::{NOW, line};
use crate::support::random::SeededSource;

/// A host that issues and authenticates over one store, by a clock that stands still. Every one of them draws the same.
struct Host {
    store: Arc<Staged>,
    keys: DigestKeys,
    clock: ManualClock,
    issuer: Issuer,
    gate: Authenticator,
}

impl Host {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// With a policy or a random source of its own.
    fn with(options: impl FnOnce(IssuerBuilder) -> IssuerBuilder) -> Self {
        let random = Arc::new(SeededSource::new(7));
        let (store, clock) = (Arc::new(Staged::default()), ManualClock::at(NOW));
        let keys = DigestKeys::generate(&random).unwrap();
        let builder = Issuer::builder(Arc::clone(&store), keys.clone()).clock(clock.clone()).random(random);
        let gate = Authenticator::builder(store.records.clone(), keys.clone())
            .policy(HeaderPolicy::new().imported(Kind::ALL))
            .clock(clock.clone())
            .build()
            .unwrap();
        Self { store, keys, clock, issuer: options(builder).build().unwrap(), gate }
    }

    /// A new credential with everything granted, for ten days.
    fn issue(&self, kind: Kind) -> Issued {
        self.issue_for(&owner(kind))
    }

    fn issue_for(&self, owner: &Owner) -> Issued {
        block_on(issue(&self.issuer, owner)).unwrap()
    }

    /// Who calls with this text.
    fn caller(&self, text: &str) -> Result<Caller, Refusal> {
        block_on(self.gate.authenticate([line(text)]))
    }

    /// Whether this text authenticates: `ok`, or the reason why not.
    fn says(&self, text: &str) -> &'static str {
        self.caller(text).map_or_else(|refusal| refusal.reason().code(), |_| "ok")
    }

    /// What the store has now, past every wrapper.
    fn entry(&self, key: CredentialKey) -> Entry {
        block_on(self.store.records.read(key.kind, &key.id)).unwrap().unwrap()
    }

    fn record(&self, key: CredentialKey) -> Arc<Record> {
        self.entry(key).record
    }

    /// Everything that the store holds, as bytes.
    fn contents(&self) -> BTreeMap<CredentialKey, Vec<u8>> {
        self.store.contents()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Lifetime::seconds(seconds));
    }
}

/// Whose the credentials of a kind are, where nothing else is said.
fn owner(kind: Kind) -> Owner {
    match kind {
        Kind::ApiKey => Owner::user("u-17"),
        Kind::ServiceAccount => Owner::organization("acme"),
        Kind::ServiceToken => Owner::project("acme", "web"),
    }
    .unwrap()
}

/// Issues whatever this owner has.
async fn issue(issuer: &Issuer, owner: &Owner) -> Result<Issued, IssueError> {
    let lifetime = Lifetime::days(10);
    match owner {
        Owner::User(user) => issuer.api_keys().issue(NewApiKey::new(user.as_str(), lifetime)).await,
        Owner::Organization(organization) => {
            let new = NewServiceAccount::new(organization.as_str(), lifetime).scope(scope("*@web/prod:/**"));
            issuer.service_accounts().issue(new).await
        }
        Owner::Project(organization, project) => {
            let new = NewServiceToken::new(organization.as_str(), project.as_str(), lifetime)
                .scope(scope(&format!("*@{project}/prod:/**")));
            issuer.service_tokens().issue(new).await
        }
    }
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

/// An id that nobody has.
fn unknown_id() -> CredentialId {
    CredentialId::parse("nobodyHasIt0").unwrap()
}

fn days(days: i64) -> Timestamp {
    Timestamp::from_unix(NOW.as_unix() + days * 86_400)
}

/// Which error it is; of an argument, its name.
fn error<T>(result: Result<T, IssueError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(IssueError::Invalid(invalid)) => invalid.argument(),
        Err(IssueError::NotFound) => "not found",
        Err(IssueError::Revoked) => "is revoked",
        Err(IssueError::Expired) => "is expired",
        Err(IssueError::NotRotating) => "not rotating",
        Err(IssueError::TooLong { .. }) => "too long",
        Err(IssueError::TooMany { .. }) => "too many",
        Err(IssueError::IdTaken) => "id taken",
        Err(IssueError::Contended) => "contended",
        Err(IssueError::CallerReplaced) => "caller replaced",
        Err(IssueError::RecordMismatch) => "record mismatch",
        Err(IssueError::Random(_)) => "random",
        Err(IssueError::Store(_)) => "store",
        Err(other) => panic!("an error that no test knows: {other}"),
    }
}
