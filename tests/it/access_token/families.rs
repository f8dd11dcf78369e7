//! What an account minted, under that account: access tokens and service tokens, one as the other.

use std::sync::Arc;

use async_trait::async_trait;
use keygate::{
    Action, Authenticator, Caller, CredentialId, CredentialKey, Decision, Issued, Kind, Lookup, Method,
    Network, NewServiceToken, Owner, Parent, Part, Peek, Reason, Record, Refusal, Resource, Revocation,
    Rights, ServiceAccountGrant, ServiceTokenGrant, StoreError, TokenFault, UseRecorder, Validity,
};
use pollster::block_on;

use super::{Members, World, code, parsed, tokens};
use crate::decision::{has_the_face_of_a_denial, has_the_face_of_a_failure, now_and};
use crate::store::watched::{WRITES, Watched};
use crate::support::fixtures::{END, NOW, grant, line};

/// What is minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    AccessToken,
    ServiceToken,
}

/// An account that minted one of each, over one of the lookups.
struct Family {
    world: World,
    account: Issued,
    texts: [String; 2],
    service_token: Arc<Record>,
}

impl Family {
    fn of(world: World) -> Self {
        let (account, caller) = world.minter();
        let access_token = world.mint(&caller, &["*@web/prod:/**"]).unwrap().text.expose().to_owned();
        let new = NewServiceToken::new("acme", "web", keygate::Lifetime::days(1))
            .scopes(parsed(&["*@web/prod:/**"]));
        let service_token = world.mint_service_token(&caller, new).unwrap();
        let texts = [access_token, service_token.text.expose().to_owned()];
        Self { world, account, texts, service_token: service_token.record }
    }

    fn all() -> [Self; 4] {
        [
            Self::of(World::peeking()),
            Self::of(World::asking()),
            Self::of(World::new(|kind| kind == Kind::ServiceToken)),
            Self::of(World::new(|kind| kind == Kind::ServiceAccount)),
        ]
    }

    fn children(&self) -> [(Child, &str); 2] {
        [(Child::AccessToken, &self.texts[0]), (Child::ServiceToken, &self.texts[1])]
    }

    /// Which credential a refusal of a child is about: an access token is none, so it is the account.
    fn about(&self, child: Child) -> CredentialKey {
        match child {
            Child::AccessToken => self.account.record.key(),
            Child::ServiceToken => self.service_token.key(),
        }
    }

    /// The account becomes something else.
    fn account_becomes(&self, change: impl FnOnce(keygate::RecordBuilder) -> keygate::RecordBuilder) {
        self.world.change(&self.account.record, change);
    }

    #[track_caller]
    fn denies(&self, expected: &str) {
        for (child, text) in self.children() {
            self.denied(child, self.world.ask(text), expected);
        }
    }

    #[track_caller]
    fn denied(&self, child: Child, found: Result<Caller, Refusal>, expected: &str) {
        let refusal = found.unwrap_err();
        assert_eq!((refusal.reason().code(), refusal.proven()), (expected, true), "{child:?}");
        assert_eq!(refusal.credential(), Some(self.about(child)), "{child:?}");
        has_the_face_of_a_denial(&refusal);
    }

    #[track_caller]
    fn undecided(&self, child: Child, found: Result<Caller, Refusal>, expected: &str) {
        let refusal = found.unwrap_err();
        assert_eq!((refusal.reason().code(), refusal.proven()), (expected, true), "{child:?}");
        assert_eq!(refusal.credential(), Some(self.about(child)), "{child:?}");
        has_the_face_of_a_failure(&refusal);
    }

    #[track_caller]
    fn permits(&self) {
        for (child, text) in self.children() {
            assert_eq!(self.world.says(text), "ok", "{child:?}");
        }
    }
}

fn holding(scopes: &[&str], generation: u64) -> ServiceAccountGrant {
    ServiceAccountGrant::new(Rights::new("acme", parsed(scopes)).unwrap()).with_mint_generation(generation)
}

#[test]
fn an_account_that_is_dead_carries_nothing() {
    for family in Family::all() {
        family.permits();
        let all = || holding(&["*@web/prod:/**"], 0);
        let until = |seconds| Validity::until(now_and(seconds));
        let from = |seconds| Validity::new(Some(now_and(seconds)), None).unwrap();
        family.account_becomes(|account| account.disabled(true));
        family.denies("parent_disabled");
        family.account_becomes(|account| account.disabled(false));
        family.permits();
        for (seconds, expired) in [(-1, true), (0, true), (1, false)] {
            family.account_becomes(|account| account.validity(until(seconds)));
            if expired { family.denies("parent_expired") } else { family.permits() }
        }
        for (seconds, early) in [(2, true), (1, true), (0, false), (-1, false)] {
            family.account_becomes(|account| account.validity(from(seconds)));
            if early { family.denies("parent_not_yet_valid") } else { family.permits() }
        }
        for generation in [1, 2, u64::MAX] {
            family.account_becomes(|account| account.grant(holding(&["*@web/prod:/**"], generation)));
            family.denies("parent_generation");
        }
        family.account_becomes(|account| account.grant(all()));
        family.permits();
        family.account_becomes(|account| account.revoked(Revocation::new(NOW, "left")));
        family.denies("parent_revoked");
        // Its own state is told before its generation.
        family.account_becomes(|account| account.grant(holding(&[], 9)).disabled(true));
        family.denies("parent_revoked");
    }
}

/// The token's own generation counts in both directions: neither an older nor a newer one than the account's.
#[test]
fn a_generation_is_equal_or_it_is_another() {
    let world = World::peeking();
    let (account, _) = world.minter();
    let id = account.record.key().id.to_string();
    for (of_token, of_account) in
        [0, 1, 2, u64::MAX].iter().flat_map(|a| [0, 1, 2, u64::MAX].map(|b| (*a, b)))
    {
        world.change(&account.record, |builder| builder.grant(holding(&["*@web/prod:/**"], of_account)));
        let token = Members::of(&id).set("gen", of_token).signed();
        let expected = if of_token == of_account { "ok" } else { "parent_generation" };
        assert_eq!(world.says(&token), expected, "{of_token} {of_account}");
    }
}

/// Purged, absent: a denial. There never was such an account: likewise.
#[test]
fn an_account_that_is_absent_carries_nothing() {
    for family in Family::all() {
        family.account_becomes(|account| account.revoked(Revocation::new(NOW, "left")));
        assert_eq!(block_on(keygate::Store::purge(&family.world.store.store, now_and(1), 10)).unwrap(), 1);
        family.denies("parent_absent");
        let nobody = Members::of("nobodyHasIt0").signed();
        let refusal = family.world.ask(&nobody).unwrap_err();
        assert_eq!(refusal.reason().code(), "parent_absent");
        has_the_face_of_a_denial(&refusal);
        // An id is looked up among accounts alone: a service token of this id is none.
        let (id, key) = (family.service_token.key().id.to_string(), family.service_token.key());
        assert_eq!(key.kind, Kind::ServiceToken);
        assert_eq!(family.world.says(&Members::of(&id).signed()), "parent_absent");
    }
}

#[test]
fn an_account_is_limited_to_its_networks() {
    for family in Family::all() {
        let gate = &family.world.gate;
        family.account_becomes(|account| account.networks([Network::parse("10.0.0.0/8").unwrap()]));
        for (child, text) in family.children() {
            let from = |address: [u8; 4]| block_on(gate.client(address.into()).authenticate([line(text)]));
            assert_eq!(code(&from([10, 0, 0, 1])), "ok");
            family.denied(child, from([11, 0, 0, 1]), "parent_network");
            family.undecided(child, family.world.ask(text), "client_address_unknown");
        }
        // Dead, the address does not matter.
        family.account_becomes(|account| account.disabled(true));
        family.denies("parent_disabled");
    }
}

/// Narrowed after minting, the account cuts what was minted at its next use; widened, it adds nothing.
#[test]
fn a_narrowed_account_cuts_at_use() {
    for family in Family::all() {
        let db = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
        let root = Resource::secrets("acme", "web", "prod", "/").unwrap();
        let decided = |text: &str, action, resource| {
            let caller = family.world.caller(text);
            match family.world.gate.decide(&caller, action, resource) {
                Decision::Permit(permit) => format!("by {}", permit.scope().unwrap()),
                Decision::Deny(denial) => format!("{} {:?}", denial.by_parent(), denial.failed()),
                Decision::AsUser(_) => panic!("no user"),
            }
        };
        for (_, text) in family.children() {
            assert_eq!(decided(text, Action::Delete, &root), "by *@web/prod:/**");
        }
        family.account_becomes(|account| account.grant(holding(&["read@web/prod:/app/**"], 0)));
        for (_, text) in family.children() {
            assert_eq!(decided(text, Action::Read, &db), "by *@web/prod:/**");
            assert_eq!(decided(text, Action::Delete, &db), format!("true {:?}", Some(Part::Action)));
            assert_eq!(decided(text, Action::Read, &root), format!("true {:?}", Some(Part::Path)));
        }
        family.account_becomes(|account| account.grant(holding(&[], 0)));
        for (_, text) in family.children() {
            assert_eq!(decided(text, Action::Read, &db), format!("true {:?}", Some(Part::Level)));
        }
        family.account_becomes(|account| account.grant(holding(&["*@/", "*@*/", "*@*/*:/**"], 0)));
        let more = [
            Resource::organization("acme").unwrap(),
            Resource::project("acme", "web").unwrap(),
            Resource::secrets("acme", "web", "dev", "/").unwrap(),
            Resource::secrets("acme", "api", "prod", "/").unwrap(),
        ];
        for (_, text) in family.children() {
            assert_eq!(decided(text, Action::Delete, &root), "by *@web/prod:/**");
            for resource in &more {
                assert!(decided(text, Action::Read, resource).starts_with("false"), "{resource}");
            }
        }
    }
}

/// A token whose organization is not its account's is one that nobody of ours signed: a denial. A record of that kind
/// is a fault.
#[test]
fn another_organization_than_the_accounts() {
    for world in World::both() {
        let (account, _) = world.minter();
        let id = account.record.key().id;
        for organization in ["other", "Acme", "acme-", "acm"] {
            let token = Members::of(id.as_str()).set_text("org", organization).signed();
            let refusal = world.ask(&token).unwrap_err();
            assert_eq!(refusal.reason(), Reason::AccessToken(TokenFault::IrregularClaim("org")));
            assert_eq!((refusal.credential(), refusal.proven()), (Some(account.record.key()), true));
            has_the_face_of_a_denial(&refusal);
            // Neither does the account's state count then.
            world.change(&account.record, |builder| builder.disabled(true));
            assert_eq!(world.says(&token), "token_claims");
            world.change(&account.record, |builder| builder.disabled(false));

            let drawn = world.keys.draw(Kind::ServiceToken, &world.source).unwrap();
            let rights = Rights::new(organization, parsed(&["*@web/prod:/**"])).unwrap();
            let record = Record::builder(
                drawn.key.id,
                ServiceTokenGrant::new("web", rights).unwrap(),
                drawn.digest,
                NOW,
            )
            .validity(Validity::until(END))
            .parent(Parent { account: id, mint_generation: 0 })
            .build()
            .unwrap();
            let inserted = block_on(keygate::Store::insert(&world.store.store, &Arc::new(record)));
            assert_eq!(inserted.unwrap(), keygate::Inserted::Yes);
            let refusal = world.ask(drawn.text.expose()).unwrap_err();
            assert_eq!((refusal.reason(), refusal.proven()), (Reason::RecordMismatch, true));
            has_the_face_of_a_failure(&refusal);
        }
    }
}

/// A lookup that answers for one id with what it was told to.
struct Instead {
    store: Arc<Watched>,
    of: CredentialKey,
    answer: Arc<Record>,
    peeks: bool,
}

#[async_trait]
impl Lookup for Instead {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        if (kind, *id) == (self.of.kind, self.of.id) {
            return Ok(Some(Arc::clone(&self.answer)));
        }
        self.store.store.find(kind, id).await
    }

    fn peek(&self, kind: Kind, id: &CredentialId) -> Peek {
        match (self.peeks, (kind, *id) == (self.of.kind, self.of.id)) {
            (false, _) => Peek::Ask,
            (true, true) => Peek::Known(Arc::clone(&self.answer)),
            (true, false) => self.store.store.peek(kind, id),
        }
    }
}

/// A lookup that answers with another record is faulty: undecided, whatever that record is, and never a denial.
#[test]
fn another_record_is_a_fault() {
    let family = Family::of(World::peeking());
    let id = family.account.record.key().id;
    let digest = || family.account.record.current().digest.clone();
    let of_kind = |kind| {
        Record::builder(id, grant(kind), digest(), NOW).validity(Validity::until(END)).build().unwrap()
    };
    let (stranger, _) = family.world.minter();
    let dead = stranger.record.to_builder().revoked(Revocation::new(NOW, "left")).build().unwrap();
    let answers = [
        Arc::clone(&stranger.record),
        Arc::new(dead),
        Arc::clone(&family.service_token),
        Arc::new(of_kind(Kind::ApiKey)),
        Arc::new(of_kind(Kind::ServiceToken)),
    ];
    for (answer, peeks) in answers.iter().flat_map(|answer| [true, false].map(|peeks| (answer, peeks))) {
        let (store, of) = (Arc::clone(&family.world.store), family.account.record.key());
        let lookup = Instead { store, of, answer: Arc::clone(answer), peeks };
        let gate = Authenticator::builder(lookup, family.world.keys.clone())
            .clock(family.world.clock.clone())
            .access_tokens(tokens())
            .build()
            .unwrap();
        for (child, text) in family.children() {
            family.undecided(child, block_on(gate.authenticate([line(text)])), "record_mismatch");
        }
    }
}

/// A store that fails is undecided, about the child, and the child is not denied.
#[test]
fn an_account_that_cannot_be_looked_up_is_undecided() {
    type Failing = fn() -> StoreError;
    let failures: [(Failing, &str); 3] = [
        (|| StoreError::unavailable("reset"), "store_unavailable"),
        (|| StoreError::corrupt("half a record"), "record_corrupt"),
        (|| StoreError::rejected("another schema"), "store_rejected"),
    ];
    for (failure, expected) in failures {
        let family = Family::of(World::new(|kind| kind == Kind::ServiceToken));
        family.world.store.fail(move |name| (name == "find").then(failure));
        for (child, text) in family.children() {
            family.undecided(child, family.world.ask(text), expected);
        }
        // Dead by itself, a token does not need the store.
        family.world.at(900);
        assert_eq!(family.world.says(&family.texts[0]), "expired");
        family.world.at(0).store.heal();
        family.permits();
        // And minting is not possible: nothing was made.
        let caller = family.world.caller(family.account.text.expose());
        family.world.store.fail(move |name| (name == "read").then(failure));
        let error = family.world.mint(&caller, &["read@web/prod:/"]).unwrap_err();
        assert!(matches!(error, keygate::IssueError::Store(_)), "{error}");
    }
}

/// Whatever an account minted, revoking it is one write; and all of it is denied at the next request.
#[test]
fn revoking_an_account_is_one_write() {
    let revoke = |world: &World, account: &Record| {
        world.store.calls();
        block_on(world.accounts().revoke(&account.key().id, "leaked")).unwrap();
        let calls = world.store.names();
        assert_eq!(calls.iter().filter(|name| WRITES.contains(name)).count(), 1);
        calls
    };
    let mut costs = Vec::new();
    for children in [1, 100_000] {
        let world = World::peeking();
        let (account, caller) = world.minter();
        let mint = keygate::Mint::scopes(parsed(&["read@web/prod:/**"]));
        let minted: Vec<_> = (0..children)
            .map(|_| world.tokens.mint(&caller, &account.record, &mint, NOW, &world.source).unwrap().text)
            .collect();
        let gate = Authenticator::builder(world.store.store.clone(), world.keys.clone())
            .clock(world.clock.clone())
            .access_tokens(world.tokens.clone())
            .build()
            .unwrap();
        let all = |expected: &str| {
            minted.iter().all(|text| code(&block_on(gate.authenticate([line(text.expose())]))) == expected)
        };
        assert!(all("ok"));
        costs.push(revoke(&world, &account.record));
        assert!(all("parent_revoked"));
    }
    for children in [1, 1_000] {
        let world = World::peeking();
        let (account, caller) = world.minter();
        let minted: Vec<_> = (0..children)
            .map(|_| {
                let new = NewServiceToken::new("acme", "web", keygate::Lifetime::hours(1));
                world.mint_service_token(&caller, new.scopes(parsed(&["read@web/prod:/**"]))).unwrap()
            })
            .collect();
        assert!(minted.iter().all(|token| world.says(token.text.expose()) == "ok"));
        costs.push(revoke(&world, &account.record));
        assert!(minted.iter().all(|token| world.says(token.text.expose()) == "parent_revoked"));
        // The children's own records were not touched.
        assert!(minted.iter().all(|token| world.record(&token.record).version() == 1));
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

/// All of an organization, its accounts among them: what these minted goes too.
#[test]
fn revoking_all_of_an_organization_reaches_what_was_minted() {
    let family = Family::of(World::peeking());
    let owner = Owner::organization("acme").unwrap();
    assert_eq!(block_on(family.world.issuer.revoke_owned(&owner, "closed")).unwrap(), 2);
    assert_eq!(family.world.says(&family.texts[0]), "parent_revoked");
    assert_eq!(family.world.says(&family.texts[1]), "revoked");
}

/// The way without the account, which says *danger*: no lookup is asked, and a token holds until its own end, come
/// what may.
#[test]
fn without_its_account_a_token_holds_until_its_own_end() {
    for world in World::both() {
        let family = Family::of(world);
        let gate = family.world.gate_builder().danger_access_tokens_without_parent().build().unwrap();
        let ask = |text: &str| block_on(gate.authenticate([line(text)]));
        let wanted = Resource::secrets("acme", "web", "prod", "/app").unwrap();
        family.account_becomes(|account| {
            account
                .grant(holding(&[], 9))
                .networks([Network::parse("10.0.0.0/8").unwrap()])
                .revoked(Revocation::new(NOW, "left"))
        });
        family.denies("parent_revoked");
        family.world.store.calls();
        family.world.store.fail(|_| Some(StoreError::unavailable("down")));
        let caller = ask(&family.texts[0]).unwrap();
        assert!(family.world.store.calls().is_empty(), "nobody was asked");
        assert!(caller.parent().is_none() && caller.record().is_none());
        assert_eq!(
            (caller.method(), caller.credential()),
            (Method::AccessToken, family.account.record.key())
        );
        assert_eq!(caller.owner(), &Owner::organization("acme").unwrap());
        assert_eq!(caller.valid_until(), Some(now_and(900)));
        assert_eq!(
            gate.decide(&caller, Action::Delete, &wanted).granted().unwrap().scope(),
            Some("*@web/prod:/**")
        );
        for never in [
            Resource::user(),
            Resource::own_credential(),
            Resource::secrets("other", "web", "prod", "/").unwrap(),
        ] {
            assert!(gate.decide(&caller, Action::Read, &never).granted().is_err(), "{never}");
        }
        // It mints nothing either, without a question.
        assert_eq!(super::error(family.world.mint(&caller, &["read@web/prod:/"])), "not by access key");
        assert!(family.world.store.calls().is_empty());
        // A minted service token is another matter.
        family.world.store.heal();
        assert_eq!(code(&ask(&family.texts[1])), "parent_revoked");
        // What is wrong with the token itself still counts, and so does its end.
        let other = Members::of(family.account.record.key().id.as_str()).set_text("aud", "x").signed();
        assert_eq!(code(&ask(&other)), "token_audience");
        for (at, expected) in [(899, "ok"), (900, "expired")] {
            family.world.at(at);
            assert_eq!(code(&ask(&family.texts[0])), expected);
            assert_eq!(gate.decide(&caller, Action::Read, &wanted).granted().is_ok(), expected == "ok");
        }
        // The organization in it is what its holder's key says, so scopes end there.
        family.world.at(0);
        let elsewhere =
            Members::of("nobodyHasIt0").set_text("org", "other").set_text("scope", "*@*/*:/**").signed();
        let caller = ask(&elsewhere).unwrap();
        assert!(gate.decide(&caller, Action::Read, &wanted).granted().is_err());
        let theirs = Resource::secrets("other", "web", "prod", "/app").unwrap();
        assert!(gate.decide(&caller, Action::Read, &theirs).granted().is_ok());
    }
}

/// The account cuts a token at all levels, and never lets it reach what is the account's alone.
#[test]
fn a_token_is_no_credential() {
    for world in World::both() {
        let account = world.account(&["*@/", "*@*/", "*@*/*:/**"]);
        let caller = world.caller(account.text.expose());
        let minted = world.mint(&caller, &["read@/", "*@*/", "*@*/*:/**"]).unwrap();
        let recorder = UseRecorder::new(Arc::clone(&world.store));
        let gate = world.gate_builder().use_recorder(recorder.clone()).build().unwrap();
        let token = block_on(gate.authenticate([line(minted.text.expose())])).unwrap();
        assert_eq!((token.method(), token.secret_number()), (Method::AccessToken, None));
        assert!(token.record().is_none(), "what it may do is not what its account's record says");
        assert_eq!(token.parent().unwrap().key(), account.record.key());
        for action in Action::ALL {
            for never in [Resource::own_credential(), Resource::user()] {
                for (whose, refused) in
                    [(&token, true), (&caller, never.to_string() == Resource::user().to_string())]
                {
                    let decided = gate.decide(whose, action, &never).granted();
                    let may = !refused && matches!(action, Action::Read | Action::Delete);
                    assert_eq!(decided.is_ok(), may, "{action} on {never}");
                    if let Err(refusal) = decided {
                        assert_eq!((refusal.status(), refusal.needed()), (403, None));
                    }
                }
            }
            for (resource, may) in [
                (Resource::organization("acme").unwrap(), action == Action::Read),
                (Resource::project("acme", "web").unwrap(), true),
                (Resource::secrets("acme", "web", "prod", "/").unwrap(), true),
                (Resource::organization("other").unwrap(), false),
                (Resource::project("other", "web").unwrap(), false),
                (Resource::secrets("other", "web", "prod", "/").unwrap(), false),
            ] {
                assert_eq!(
                    gate.decide(&token, action, &resource).granted().is_ok(),
                    may,
                    "{action} on {resource}"
                );
            }
        }
        // What would have been needed is named where a scope would help, as for an account.
        let organization = Resource::organization("acme").unwrap();
        let refusal = gate.decide(&token, Action::Delete, &organization).granted().unwrap_err();
        assert_eq!(refusal.needed(), Some("delete@/"));

        // It manages nothing, without a question.
        world.store.calls();
        let error = block_on(world.issuer.revoke_own(&token, "mine")).unwrap_err();
        assert!(matches!(error, keygate::IssueError::ByAccessToken));
        assert_eq!(error.to_string(), "an access token manages no credential");
        assert!(world.store.calls().is_empty());
        assert_eq!(world.says(account.text.expose()), "ok");

        // Its use is none of the account's secret: not by an authenticator, and not by a host that says so.
        assert_eq!(block_on(recorder.flush()).unwrap().uses, 0);
        recorder.record(&token, NOW);
        assert_eq!(block_on(recorder.flush()).unwrap().uses, 0);
        recorder.record(&caller, NOW);
        assert_eq!(block_on(recorder.flush()).unwrap().uses, 1, "a control");

        // And no digest is upgraded by it: the account's own text is, under another active key.
        let newer = crate::decision::ring(2, &[1]);
        let text = crate::decision::present(account.text.expose());
        assert!(caller.upgrade(&text, &newer).is_some(), "a control");
        assert!(token.upgrade(&text, &newer).is_none());
    }
}
