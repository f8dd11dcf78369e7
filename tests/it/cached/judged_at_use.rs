//! Records are kept, never verdicts: each use is judged anew.

use std::sync::Arc;

use keygate::{
    Action, ApiKeyGrant, Authenticator, Cached, Caller, CredentialKey, DigestKeys, Inserted, Issuer, Kind,
    Lifetime, Lookup, ManualClock, NewApiKey, NewServiceAccount, NewServiceToken, Peek, Record, Refusal,
    RefusalClass, Resource, Store, SystemRandom, Timestamp,
};
use pollster::block_on;

use super::{Database, cached, peeks};
use crate::authenticator::code;
use crate::support::fixtures::{NOW, line};

struct World {
    database: Database,
    keys: DigestKeys,
    cached: Cached<Database>,
    issuer: Issuer,
    gate: Authenticator,
    clock: ManualClock,
}

/// The cache's clock stands still: what is seen here is not its bound.
fn world() -> World {
    let (database, _, cached) = cached(|builder| builder);
    let (keys, clock) = (DigestKeys::ephemeral().unwrap(), ManualClock::at(NOW));
    let issuer = Issuer::builder(cached.clone(), keys.clone()).clock(clock.clone()).build().unwrap();
    let gate = Authenticator::builder(cached.clone(), keys.clone()).clock(clock.clone()).build().unwrap();
    World { database, keys, cached, issuer, gate, clock }
}

impl World {
    fn token(&self, organization: &str, scope: &str) -> (String, CredentialKey) {
        let new = NewServiceToken::new(organization, "web", Lifetime::hours(1)).scope(scope.parse().unwrap());
        let issued = block_on(self.issuer.service_tokens().issue(new)).unwrap();
        (issued.text.expose().to_owned(), issued.record.key())
    }

    fn ask(&self, text: &str) -> Result<Caller, Refusal> {
        block_on(self.gate.authenticate([line(text)]))
    }
}

/// Promise P25: after a success, the same id with a wrong secret fails, a hundred thousand times of as many.
#[test]
fn a_wrong_secret_is_refused_however_warm_the_record() {
    let world = world();
    let (text, key) = world.token("acme", "read@web/prod:/app/**");
    world.ask(&text).unwrap();
    assert_eq!(peeks(&world.cached, key), "known");
    for _ in 0..100_000 {
        // Its checksum and its guard hold: only the secret is another one.
        let forged = world.keys.redraw(key, &SystemRandom).unwrap();
        assert_eq!(code(world.ask(forged.text.expose())), "wrong_secret");
    }
    assert_eq!(code(world.ask(&text)), "caller");
    assert_eq!(world.database.finds(), 1);
}

/// The end of a credential is looked at when it is used, not when it was fetched.
#[test]
fn a_credential_that_ends_while_it_is_kept_is_refused() {
    let world = world();
    let (text, key) = world.token("acme", "read@web/prod:/app/**");
    world.ask(&text).unwrap();
    world.clock.advance(Lifetime::seconds(3_599));
    world.ask(&text).unwrap();
    world.clock.advance(Lifetime::seconds(1));
    assert_eq!(peeks(&world.cached, key), "known");
    let refusal = world.ask(&text).unwrap_err();
    assert_eq!((refusal.class(), refusal.reason().code()), (RefusalClass::Denied, "expired"));
    assert_eq!(world.database.finds(), 1);
}

/// One token, other resources, other decisions; and two tenants share nothing.
#[test]
fn each_resource_is_decided_anew_and_tenants_share_nothing() {
    let world = world();
    let (text, _) = world.token("acme", "read@web/prod:/app/**");
    let (other, _) = world.token("umbrella", "read@web/prod:/app/**");
    for _ in 0..3 {
        for (text, own) in [(&text, "acme"), (&other, "umbrella")] {
            let caller = world.ask(text).unwrap();
            for (organization, path, action, expected) in [
                (own, "/app/db", Action::Read, true),
                (own, "/app/db", Action::Update, false),
                (own, "/other", Action::Read, false),
                ("initech", "/app/db", Action::Read, false),
                (if own == "acme" { "umbrella" } else { "acme" }, "/app/db", Action::Read, false),
            ] {
                let resource = Resource::secrets(organization, "web", "prod", path).unwrap();
                let decision = world.gate.decide(&caller, action, &resource);
                assert_eq!(decision.granted().is_ok(), expected, "{organization} {path}");
            }
        }
    }
    assert_eq!(world.database.finds(), 2);
    assert_eq!(code(world.ask(&text)), "caller");
}

/// Another process issues by a clock of its own. What it issued is accepted elsewhere at once; where it was looked
/// for a moment ago, once that is forgotten.
#[test]
fn what_a_process_with_another_clock_issued_is_accepted_elsewhere() {
    for apart in [-1, 0, 1] {
        let (database, ticks, cached) = cached(|builder| builder);
        let keys = DigestKeys::ephemeral().unwrap();
        let gate = |lookup, now| {
            let builder = Authenticator::builder(lookup, keys.clone());
            builder.clock(ManualClock::at(now)).build().unwrap()
        };
        let theirs = Timestamp::from_unix(NOW.as_unix() + apart);
        let issuer =
            Issuer::builder(database.clone(), keys.clone()).clock(ManualClock::at(theirs)).build().unwrap();
        let (here, there) = (gate(cached.clone(), NOW), gate(Cached::new(database.clone()), theirs));
        let scope = || "read@web/prod:/app/**".parse().unwrap();
        let account = NewServiceAccount::new("acme", Lifetime::days(1)).scope(scope());
        let token = || NewServiceToken::new("acme", "web", Lifetime::hours(1)).scope(scope());
        let issued = block_on(async {
            let key = issuer.api_keys().issue(NewApiKey::new("u-17", Lifetime::days(1))).await.unwrap();
            let account = issuer.service_accounts().issue(account).await.unwrap();
            let token_of_its_own = issuer.service_tokens().issue(token()).await.unwrap();
            let minter = there.authenticate([line(account.text.expose())]).await.unwrap();
            let minted = issuer.service_tokens().mint(&minter, token()).await.unwrap();
            [key, account, token_of_its_own, minted]
        });
        for (nth, issued) in issued.iter().enumerate() {
            let ask = || code(block_on(here.authenticate([line(issued.text.expose())])));
            assert_eq!(ask(), "caller", "{nth}, {apart} s apart");
        }
        // Looked for in vain, and issued then.
        let drawn = keys.draw(Kind::ApiKey, &SystemRandom).unwrap();
        let ask = || code(block_on(here.authenticate([line(drawn.text.expose())])));
        assert_eq!(ask(), "unknown_credential");
        let grant = ApiKeyGrant::new("u-17").unwrap();
        let record = Record::builder(drawn.key.id, grant, drawn.digest, theirs).build().unwrap();
        assert_eq!(block_on(database.insert(&Arc::new(record))).unwrap(), Inserted::Yes);
        ticks.pass(super::seconds(1) + std::time::Duration::from_nanos(1));
        assert_eq!(ask(), "caller", "{apart} s apart");
    }
}

/// A value that is kept holds no secret: nothing of the text is in the record.
#[test]
fn what_is_kept_holds_no_secret() {
    let world = world();
    let (text, key) = world.token("acme", "read@web/prod:/app/**");
    world.ask(&text).unwrap();
    let Peek::Known(record) = world.cached.peek(key.kind, &key.id) else { panic!("it is kept") };
    let (_, secret) = text.rsplit_once('.').unwrap();
    let encoded = String::from_utf8(record.encode().unwrap()).unwrap();
    assert!(!encoded.contains(secret));
    assert_eq!(Arc::strong_count(&record), 3, "the database's, the cache's and ours: no copy");
}
