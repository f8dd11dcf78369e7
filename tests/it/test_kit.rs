//! The test kit that hosts use.

use keygate::test_kit::{SeededRandom, insecure_caller};
use keygate::{
    Action, ApiKeyGrant, Authenticator, Decision, DigestKeys, Kind, ManualClock, MemoryStore, Method, Owner,
    RandomSource, Reason, Resource, Rights, ServiceAccountGrant, ServiceTokenGrant, Timestamp,
};

use crate::decision::now_and;
use crate::support::fixtures::{NOW, grant};

fn rights(scopes: &[&str]) -> Rights {
    Rights::new("acme", scopes.iter().map(|scope| scope.parse().unwrap())).unwrap()
}

/// A handler's test gets what the handler would get of an authenticated caller, of each method.
#[test]
fn a_caller_of_each_method_decides_as_an_authenticated_one() {
    let secrets = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    for kind in Kind::ALL {
        let caller = insecure_caller(grant(kind)).id("theCaller").build().unwrap();
        assert_eq!((caller.method(), caller.credential().id.as_str()), (Method::from(kind), "theCaller"));
        let granted = caller.decide(Action::Read, &secrets).granted().is_ok();
        assert_eq!(granted, kind != Kind::ApiKey, "{kind}");
    }
    let key = ApiKeyGrant::new("u-17").unwrap();
    let caller = insecure_caller(key.clone()).build().unwrap();
    assert_eq!(*caller.owner(), Owner::user("u-17").unwrap());
    let project = Resource::project("acme", "web").unwrap();
    assert!(matches!(caller.decide(Action::Read, &project), Decision::AsUser(_)));
    let caller = insecure_caller(key).danger_api_keys_reach_secrets().build().unwrap();
    assert!(matches!(caller.decide(Action::Read, &secrets), Decision::AsUser(_)));
}

#[test]
fn a_minted_caller_is_cut_to_its_account() {
    let token = ServiceTokenGrant::new("web", rights(&["*@web/prod:/**"])).unwrap();
    let account = rights(&["read@web/prod:/app/**"]);
    let caller = insecure_caller(token).minted_by(account.clone()).build().unwrap();
    let decide = |action, path| {
        let resource = Resource::secrets("acme", "web", "prod", path).unwrap();
        caller.decide(action, &resource).granted().is_ok()
    };
    assert_eq!(
        [decide(Action::Read, "/app/db"), decide(Action::Read, "/db"), decide(Action::Update, "/app/db")],
        [true, false, false]
    );
    assert!(caller.parent().is_some());
    let account_of_account = insecure_caller(ServiceAccountGrant::new(account.clone())).minted_by(account);
    assert_eq!(account_of_account.build().unwrap_err().argument(), "parent");
    let irregular = insecure_caller(ApiKeyGrant::new("u-17").unwrap()).id("no id").build();
    assert_eq!(irregular.unwrap_err().argument(), "credential id");
}

#[test]
fn a_caller_by_an_access_token_is_cut_to_its_account() {
    let account = ServiceAccountGrant::new(rights(&["read@/", "*@web/prod:/app/**"]));
    let scopes = ["read@web/prod:/**", "read@/"].map(|scope| scope.parse().unwrap());
    let caller = insecure_caller(account).id("theAccount").by_access_token(scopes).build().unwrap();
    assert_eq!((caller.method(), caller.credential().id.as_str()), (Method::AccessToken, "theAccount"));
    assert_eq!(*caller.owner(), Owner::organization("acme").unwrap());
    let secrets = |path| Resource::secrets("acme", "web", "prod", path).unwrap();
    let organization = Resource::organization("acme").unwrap();
    let accesses = [
        (Action::Read, secrets("/app/db"), true),
        (Action::Update, secrets("/app/db"), false),
        (Action::Read, secrets("/db"), false),
        (Action::Read, organization, true),
        (Action::Read, Resource::own_credential(), false),
    ];
    for (action, resource, granted) in &accesses {
        assert_eq!(caller.decide(*action, resource).granted().is_ok(), *granted, "{action} {resource}");
    }
    let no_account = insecure_caller(ApiKeyGrant::new("u-17").unwrap()).by_access_token([]).build();
    assert_eq!(no_account.unwrap_err().argument(), "grant");
    let account = || insecure_caller(ServiceAccountGrant::new(rights(&["read@/"])));
    assert_eq!(account().by_access_token([]).build().unwrap_err().argument(), "scopes");
    let minted = account().minted_by(rights(&["read@/"])).by_access_token(["read@/".parse().unwrap()]);
    assert_eq!(minted.build().unwrap_err().argument(), "minted_by");
}

#[test]
fn a_caller_whose_time_is_over_is_denied_by_an_authenticator() {
    let clock = ManualClock::at(NOW);
    let gate = Authenticator::builder(MemoryStore::new(), DigestKeys::ephemeral().unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    let caller = insecure_caller(grant(Kind::ServiceToken)).valid_until(now_and(1)).build().unwrap();
    let secrets = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    assert!(gate.decide(&caller, Action::Read, &secrets).granted().is_ok());
    clock.set(now_and(1));
    let refusal = gate.decide(&caller, Action::Read, &secrets).granted().unwrap_err();
    assert_eq!((refusal.status(), refusal.reason()), (401, Reason::Expired));
    clock.set(Timestamp::from_unix(i64::MAX));
    assert!(gate.decide(&caller, Action::Read, &secrets).granted().is_err());
}

/// What it makes proves nothing: no text opens its record.
#[test]
fn nothing_authenticates_as_an_insecure_caller() {
    let keys = DigestKeys::ephemeral().unwrap();
    let caller = insecure_caller(grant(Kind::ServiceAccount)).build().unwrap();
    let store = MemoryStore::new();
    let inserted = pollster::block_on(keygate::Store::insert(&store, caller.record().unwrap())).unwrap();
    assert_eq!(inserted, keygate::Inserted::Yes);
    let text = keys.redraw(caller.credential(), &SeededRandom::new(1)).unwrap().text;
    let gate = Authenticator::new(store, keys);
    let refused = gate.authenticate([("authorization", format!("Bearer {}", text.expose()))]);
    assert_eq!(pollster::block_on(refused).unwrap_err().reason(), Reason::WrongSecret);
}

#[test]
fn a_seed_repeats_its_bytes_and_no_other() {
    let bytes = |seed, length| {
        let mut bytes = vec![0; length];
        SeededRandom::new(seed).fill(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(bytes(7, 100), bytes(7, 100));
    assert_eq!(bytes(7, 100)[..21], bytes(7, 21)[..], "it does not depend on how much is asked for");
    assert_ne!(bytes(7, 32), bytes(8, 32));
    let random = SeededRandom::new(7);
    let mut twice = [[0; 16]; 2];
    twice.iter_mut().for_each(|out| random.fill(out).unwrap());
    assert_ne!(twice[0], twice[1]);
    assert_eq!(format!("{random:?}"), "SeededRandom");
}
