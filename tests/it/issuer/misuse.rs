//! What a programmer gets wrong is an error that names the argument, and nothing was stored, or even asked for.

use keygate::{
    DigestKeys, Expiry, Invalid, IssueError, Issued, Issuer, Kind, Lifetime, MemoryStore, Network, NewApiKey,
    NewServiceAccount, NewServiceToken, Overlap, Timestamp,
};
use pollster::block_on;

use super::calls::Call;
use super::{Host, error, owner, scope, unknown_id};

const DAY: Lifetime = Lifetime::days(1);

/// What all kinds have in common, wrong one by one; behind each mistake what is just not one.
macro_rules! common {
    ($host:expr, $issue:expr, $new:expr) => {{
        let networks = |n: u8| (0..n).map(|last| Network::parse(&format!("10.0.0.{last}/32")).unwrap());
        let keys: Vec<String> = (0..17).map(|n| format!("{n:0>64}")).collect();
        let notes = |n: usize| keys[..n].iter().map(|key| (key.as_str(), LONGEST_VALUE));
        let long_key = "k".repeat(65);
        let (value, name) = ("v".repeat(257), "é".repeat(101));
        let wrong = [
            ("name", $new.name("")),
            ("name", $new.name(&name)),
            ("name", $new.name("a\nb")),
            ("name", $new.name("a\u{202E}b")),
            ("created_by", $new.created_by("")),
            ("created_by", $new.created_by("a b")),
            ("created_by", $new.created_by(&"c".repeat(65))),
            ("metadata", $new.metadata(notes(17))),
            ("metadata", $new.metadata([("", "v")])),
            ("metadata", $new.metadata([(long_key.as_str(), "v")])),
            ("metadata", $new.metadata([("k", value.as_str())])),
            ("metadata", $new.metadata([("k", "a\nb")])),
            ("metadata", $new.metadata([("k", "1"), ("k", "2")])),
            ("networks", $new.networks([])),
            ("networks", $new.networks(networks(65))),
            ("lifetime", $new.not_before(Timestamp::from_unix(i64::MAX))),
        ];
        for (argument, new) in wrong {
            refused($host, argument, $issue(new));
        }
        let just_right = $new
            .name(&"é".repeat(100))
            .created_by(&"c".repeat(64))
            .metadata(notes(16))
            .networks(networks(64))
            .not_before(Timestamp::from_unix(i64::MAX - 86_400));
        block_on($issue(just_right)).unwrap();
        $host.store.calls();
    }};
}

const LONGEST_VALUE: &str = match str::from_utf8(&[b'v'; 256]) {
    Ok(text) => text,
    Err(_) => "",
};

#[track_caller]
fn refused(host: &Host, argument: &str, issue: impl Future<Output = Result<Issued, IssueError>>) {
    let contents = host.contents();
    assert_eq!(error(block_on(issue)), argument);
    assert_eq!(host.contents(), contents, "{argument}");
    assert_eq!(host.store.calls(), [""; 0], "{argument}");
}

#[test]
fn each_wrong_argument_of_a_new_api_key_is_named() {
    let host = Host::new();
    let issue = |new| async { host.issuer.api_keys().issue(new).await };
    common!(&host, issue, NewApiKey::new("u-17", DAY));
    for user in ["", "a b", "a\nb", "é", &"u".repeat(65)] {
        refused(&host, "user", issue(NewApiKey::new(user, DAY)));
    }
    for lifetime in [0, u64::MAX] {
        refused(&host, "lifetime", issue(NewApiKey::new("u-17", Lifetime::seconds(lifetime))));
    }
    block_on(issue(NewApiKey::new(&"~".repeat(64), Lifetime::seconds(1)))).unwrap();
}

#[test]
fn each_wrong_argument_of_a_new_service_account_is_named() {
    let host = Host::new();
    let issue = |new| async { host.issuer.service_accounts().issue(new).await };
    let new = || NewServiceAccount::new("acme", DAY);
    common!(&host, issue, new());
    for organization in ["", "a.b", "a b", "*", &"o".repeat(65)] {
        refused(&host, "organization", issue(NewServiceAccount::new(organization, DAY)));
    }
    for lifetime in [0, u64::MAX] {
        refused(&host, "lifetime", issue(NewServiceAccount::new("acme", Lifetime::seconds(lifetime))));
    }
    let scopes = |n| (0..n).map(|n| scope(&format!("read@web/prod:/{n}")));
    let sealed = |n: usize, bytes: usize| {
        (0..n).fold(new(), |new, n| new.sealed_key(&format!("p-{n}"), vec![7; bytes]))
    };
    refused(&host, "scopes", issue(new().scopes(scopes(257))));
    refused(&host, "project", issue(new().sealed_key("a.b", [1])));
    refused(&host, "sealed key", issue(new().sealed_key("web", [])));
    refused(&host, "sealed key", issue(new().sealed_key("web", vec![1; 1_025])));
    refused(&host, "sealed key", issue(new().sealed_key("web", [1]).sealed_key("web", [2])));
    refused(&host, "sealed keys", issue(sealed(257, 1)));
    refused(&host, "record", issue(sealed(256, 1_024)));
    block_on(issue(sealed(256, 500).sealed_key("p-0", []))).unwrap_err();
    block_on(issue(sealed(255, 500).sealed_key("web", vec![1; 1_024]).scopes(scopes(256)))).unwrap();
    block_on(issue(NewServiceAccount::new(&"o".repeat(64), Lifetime::seconds(1)))).unwrap();
}

#[test]
fn each_wrong_argument_of_a_new_service_token_is_named() {
    let host = Host::new();
    let issue = |new| async { host.issuer.service_tokens().issue(new).await };
    let bare = || NewServiceToken::new("acme", "web", DAY);
    let new = || bare().scope(scope("read@web/prod:/**"));
    common!(&host, issue, new());
    let of = |organization: &str, project: &str, lifetime| {
        NewServiceToken::new(organization, project, lifetime).scope(scope("read@web/prod:/**"))
    };
    for irregular in ["", "a.b", "a b", "*", &"o".repeat(65)] {
        refused(&host, "organization", issue(of(irregular, "web", DAY)));
        refused(&host, "project", issue(of("acme", irregular, DAY)));
    }
    refused(&host, "lifetime", issue(of("acme", "web", Lifetime::seconds(0))));
    refused(&host, "scope", issue(bare()));
    for wide in ["read@app/prod:/**", "read@*/prod:/**", "read@web/", "read@/"] {
        refused(&host, "scope", issue(new().scope(scope(wide))));
    }
    let scopes = |n| (0..n).map(|n| scope(&format!("read@web/prod:/{n}")));
    refused(&host, "scopes", issue(bare().scopes(scopes(257))));
    refused(&host, "client box", issue(new().client_box([])));
    refused(&host, "client box", issue(new().client_box(vec![1; 4_097])));
    block_on(issue(bare().scopes(scopes(256)).client_box(vec![1; 4_096]))).unwrap();
}

/// The same limits hold for what is changed later.
#[test]
fn each_wrong_argument_of_a_change_is_named() {
    let host = Host::new();
    let id = host.issue(Kind::ApiKey).record.key().id;
    let owned = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let (before, networks) = (host.contents(), [Network::parse("10.0.0.0/8").unwrap(); 65]);
    host.store.calls();
    for name in ["", &"é".repeat(101), "a\nb", "a\u{2028}b"] {
        assert_eq!(error(block_on(owned.rename(&id, name))), "name");
    }
    let keys: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let notes = |n: usize| keys[..n].iter().map(|key| (key.as_str(), ""));
    assert_eq!(error(block_on(owned.set_metadata(&id, notes(17)))), "metadata");
    assert_eq!(error(block_on(owned.set_metadata(&id, [("", "v")]))), "metadata");
    assert_eq!(error(block_on(owned.set_metadata(&id, [("k", "1"), ("k", "1")]))), "metadata");
    let endless = std::iter::repeat_n(("k", "v"), usize::MAX);
    assert_eq!(error(block_on(owned.set_metadata(&id, endless))), "metadata");
    assert_eq!(error(block_on(owned.set_networks(&id, Some(&[])))), "networks");
    assert_eq!(error(block_on(owned.set_networks(&id, Some(&networks)))), "networks");
    for lifetime in [0, u64::MAX] {
        assert_eq!(error(block_on(owned.set_expiry(&id, Lifetime::seconds(lifetime)))), "lifetime");
    }
    assert!(host.store.calls().iter().all(|call| *call == "read"));
    assert_eq!(host.contents(), before);
    assert_eq!(error(block_on(owned.set_metadata(&id, notes(16)))), "ok");
    assert_eq!(error(block_on(owned.set_networks(&id, Some(&networks[..64])))), "ok");
}

/// An overlap of a credential without end has to end as well; one longer than the credential ends with it.
#[test]
fn an_overlap_has_an_end() {
    let host = Host::new();
    let endless = block_on(host.issuer.api_keys().issue(NewApiKey::new("u-17", Expiry::Never))).unwrap();
    let ending = host.issue(Kind::ApiKey);
    let owned = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let before = host.contents();
    let longest = Overlap::seconds(u64::MAX);
    assert_eq!(error(block_on(owned.rotate(&endless.record.key().id, longest))), "overlap");
    assert_eq!(host.contents(), before);
    let rotated = block_on(owned.rotate(&ending.record.key().id, longest)).unwrap().record;
    assert_eq!(Some(rotated.retiring().unwrap().ends_at), rotated.validity().expires_at());
}

/// An owner of another kind's credentials is a mistake, and not an owner of nothing.
#[test]
fn an_owner_of_another_kind_is_named() {
    let host = Host::new();
    for (kind, call) in Call::each() {
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            host.issue(other);
            let contents = host.contents();
            host.store.calls();
            let made = block_on(call.make(&host.issuer, kind, &owner(other), &unknown_id()));
            assert_eq!(error(made), "owner", "{call:?} of {kind} for {}", owner(other));
            assert_eq!((host.store.calls(), host.contents()), (vec![], contents));
        }
    }
    host.store.calls();
    let (keys, tokens) = (host.issuer.api_keys(), host.issuer.service_tokens());
    let wrong = (keys.owned_by(owner(Kind::ServiceToken)), tokens.owned_by(owner(Kind::ServiceAccount)));
    assert_eq!(error(block_on(wrong.0.list(None, 1))), "owner");
    assert_eq!(error(block_on(wrong.1.list(None, 1))), "owner");
    assert_eq!(error(block_on(wrong.0.count_live())), "owner");
    assert_eq!(error(block_on(wrong.1.count_live())), "owner");
    assert_eq!(host.store.calls(), [""; 0]);
}

/// An issuer that could issue nothing is not built.
#[test]
fn an_issuer_that_could_issue_nothing_is_not_built() {
    let keys = DigestKeys::ephemeral().unwrap();
    let argument = |built: Result<Issuer, Invalid>| built.map_or_else(|invalid| invalid.argument(), |_| "ok");
    for kind in Kind::ALL {
        let builder = || Issuer::builder(MemoryStore::new(), keys.clone());
        let lifetime = |seconds| builder().max_lifetime(kind, Lifetime::seconds(seconds)).build();
        assert_eq!([argument(lifetime(0)), argument(lifetime(1))], ["max_lifetime", "ok"]);
        assert_eq!([0, 1].map(|cap| argument(builder().cap(kind, cap).build())), ["cap", "ok"]);
    }
}
