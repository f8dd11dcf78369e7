//! Promise P17: down a chain of grants nothing grows, not when it is minted and not whatever becomes of the account
//! later.

use std::sync::Arc;

use keygate::{
    Action, Caller, Kind, Mint, MintError, Moment, Record, Resource, Revocation, Rights, Scope,
    ServiceAccountGrant, verify, verify_access_token,
};

use super::{mint_error, presented, tokens};
use crate::decision::{issue, now_and, ring};
use crate::support::fixtures::NOW;
use crate::support::random::{Random, SeededSource, cases, seed};

const PROJECTS: [&str; 3] = ["web", "api", "Web"];
const ENVIRONMENTS: [&str; 3] = ["prod", "dev", "prod-1"];
const PATHS: [&str; 14] = [
    "/",
    "/a",
    "/b",
    "/a/b",
    "/a/c",
    "/a/b/c",
    "/ab",
    "/ab/b",
    "/a-b",
    "/.a",
    "/a/.b",
    "/b/a/b",
    "/~",
    "/a/b/c/d/e",
];
const PATTERNS: [&str; 20] = [
    "/**", "/", "/*", "/a", "/a/**", "/a/*", "/*/b", "/**/b", "/a/**/c", "/a*", "/a*/**", "/*b", "/*/*",
    "/**/*", "/a/b", "/a/b/**", "/*-*", "/.*", "/b/**", "/**/a/**",
];

/// Any scope; the wider ones first where a low number is drawn.
fn any_scope(random: &mut Random) -> Scope {
    let actions = random.pick(&["*", "*", "read", "read,update", "create,delete", "delete", "update"]);
    let project = random.pick(&["*", "web", "web", "api", "Web"]);
    let target = match random.below(6) {
        0 => "/".to_owned(),
        1 => format!("{project}/"),
        _ => {
            let environment = random.pick(&["*", "prod", "prod", "dev", "prod-1"]);
            format!("{project}/{environment}:{}", random.pick(&PATTERNS))
        }
    };
    format!("{actions}@{target}").parse().unwrap()
}

fn any_rights(random: &mut Random, most: usize) -> Rights {
    let count = 1 + random.below(most);
    Rights::new("acme", (0..count).map(|_| any_scope(random)).collect::<Vec<_>>()).unwrap()
}

/// A scope of these rights as it is, or with fewer actions, or with a narrower target; or any other.
fn attempt(random: &mut Random, held: &Rights) -> Scope {
    let scopes = held.scopes();
    if scopes.is_empty() || random.one_in(8) {
        return any_scope(random);
    }
    let scope = &scopes[random.below(scopes.len())];
    let (mut actions, mut target) =
        scope.as_str().split_once('@').map(|(a, t)| (a.to_owned(), t.to_owned())).unwrap();
    if random.one_in(2) {
        let own: Vec<Action> = scope.actions().iter().collect();
        actions = random.pick(&own).as_str().to_owned();
    }
    if let Some((place, pattern)) = target.split_once(':') {
        let (project, environment) = place.split_once('/').unwrap();
        let project = if project == "*" && random.one_in(2) { random.pick(&PROJECTS) } else { project };
        let environment =
            if environment == "*" && random.one_in(2) { random.pick(&ENVIRONMENTS) } else { environment };
        // Mostly narrower, and now and then wider by a hair.
        let pattern = match random.below(5) {
            0 => random.pick(&PATTERNS).to_owned(),
            1 => pattern.replacen("**", "*", 1),
            2 => pattern.replacen("**", "a/**", 1),
            3 => pattern.replacen('*', "a", 1),
            _ => pattern.to_owned(),
        };
        target = format!("{project}/{environment}:{pattern}");
    } else if target.starts_with("*/") && random.one_in(2) {
        target = format!("{}/", random.pick(&PROJECTS));
    }
    format!("{actions}@{target}").parse().unwrap_or_else(|_| scope.clone())
}

/// A request that one of these scopes could nearly reach.
fn any_request(random: &mut Random) -> (Action, Resource<'static>) {
    let organization = if random.one_in(10) { random.pick(&["acme2", "Acme", "acm"]) } else { "acme" };
    let project = if random.one_in(2) { "web" } else { random.pick(&PROJECTS) };
    let environment = if random.one_in(2) { "prod" } else { random.pick(&ENVIRONMENTS) };
    let resource = match random.below(8) {
        0 => Resource::organization(organization),
        1 => Resource::project(organization, project),
        2 if random.one_in(4) => Ok(Resource::user()),
        3 if random.one_in(4) => Ok(Resource::own_credential()),
        _ => Resource::secrets(organization, project, environment, random.pick(&PATHS)),
    };
    (random.pick(&Action::ALL), resource.unwrap())
}

/// An account in the making, and the caller by its access key.
struct Account {
    builder: keygate::RecordBuilder,
    caller: Caller,
}

fn account(rights: &Rights, source: &SeededSource) -> Account {
    let keys = ring(1, &[]);
    let (text, builder) = issue(&keys, Kind::ServiceAccount, source);
    let builder = builder.grant(ServiceAccountGrant::new(rights.clone()));
    let record = Arc::new(builder.clone().build().unwrap());
    let caller = verify(&text, Some(&record), &keys, Moment::at(NOW)).unwrap().with_parent(|_| None).unwrap();
    Account { builder, caller }
}

fn under(
    account: &Account,
    change: impl FnOnce(keygate::RecordBuilder) -> keygate::RecordBuilder,
) -> Arc<Record> {
    Arc::new(change(account.builder.clone()).build().unwrap())
}

/// Ten grants deep, each made of the one before: what a token at any depth permits, every grant above it permits, at
/// once and in every later state of its account; and what it permits is what its scopes and its account's both do.
#[test]
fn down_a_chain_nothing_grows() {
    let (seed, source, tokens) = (seed(), SeededSource::new(seed()), tokens());
    let mut random = Random::seeded(seed);
    let [mut minted, mut refused, mut permitted, mut cut, mut requests, mut deepest] = [0_usize; 6];
    for case in 0..cases(400) {
        let shown = |what: &str| format!("KEYGATE_SEED={seed} case {case}: {what}");
        let mut chain = vec![any_rights(&mut random, 6)];
        for _ in 0..40 {
            let held = chain.last().unwrap().clone();
            let count = 1 + random.below(4);
            let asked: Vec<Scope> = (0..count).map(|_| attempt(&mut random, &held)).collect();
            let account = account(&held, &source);
            let record = under(&account, |builder| builder);
            let mint = Mint::scopes(asked.iter().cloned());
            let asked = Rights::new("acme", asked).unwrap();
            let token =
                match (tokens.mint(&account.caller, &record, &mint, NOW, &source), held.covers(&asked)) {
                    (Ok(token), Ok(())) => token,
                    (Err(MintError::TooWide(error)), Err(too_wide)) => {
                        assert_eq!(
                            (error.rule(), error.lacking()),
                            (too_wide.rule(), too_wide.lacking()),
                            "{}",
                            shown("which")
                        );
                        refused += 1;
                        continue;
                    }
                    (found, covered) => panic!(
                        "{}",
                        shown(&format!(
                            "{:?} {covered:?}",
                            found.map_err(|error| mint_error(&error)).map(|_| ())
                        ))
                    ),
                };
            minted += 1;
            let proved =
                verify_access_token(&presented(token.text.expose()), &tokens, Moment::at(NOW)).unwrap();
            let later = [
                held.clone(),
                any_rights(&mut random, 4),
                Rights::new(
                    "acme",
                    held.scopes().iter().filter(|_| random.one_in(2)).cloned().collect::<Vec<_>>(),
                )
                .unwrap(),
                Rights::new("acme", []).unwrap(),
            ];
            for (state, now) in later.iter().enumerate() {
                let record = under(&account, |builder| builder.grant(ServiceAccountGrant::new(now.clone())));
                let caller = proved.finish(Some(&record)).unwrap();
                for _ in 0..30 {
                    let (action, resource) = any_request(&mut random);
                    requests += 1;
                    let by_token = caller.decide(action, &resource).granted().is_ok();
                    let (by_scopes, by_account) =
                        (asked.permit(action, &resource).is_ok(), now.permit(action, &resource).is_ok());
                    let what = || {
                        shown(&format!(
                            "{action} on {resource} in state {state}: {asked:?} of {held:?}, now {now:?}"
                        ))
                    };
                    assert_eq!(by_token, by_scopes && by_account, "{}", what());
                    // The account itself may what its record says, so a token never may more.
                    assert!(
                        !by_token || chain.iter().all(|above| above.permit(action, &resource).is_ok()),
                        "{}",
                        what()
                    );
                    permitted += usize::from(by_token);
                    cut += usize::from(by_scopes && !by_account);
                }
            }
            let dead = [
                under(&account, |builder| builder.revoked(Revocation::new(NOW, "left"))),
                under(&account, |builder| builder.disabled(true)),
                under(&account, |builder| builder.validity(keygate::Validity::until(NOW))),
                under(&account, |builder| {
                    builder.grant(ServiceAccountGrant::new(held.clone()).with_mint_generation(1))
                }),
            ];
            assert!(dead.iter().all(|dead| proved.finish(Some(dead)).is_err()), "{}", shown("dead"));
            // A token is the end of a chain: it mints nothing.
            let end = proved.finish(Some(&record)).unwrap();
            let again = tokens
                .mint(&end, &record, &mint, NOW, &source)
                .map_err(|error| mint_error(&error))
                .map(|_| ());
            assert_eq!(again.unwrap_err(), "not by access key", "{}", shown("a token that mints"));
            chain.push(asked);
            deepest = deepest.max(chain.len());
            if chain.len() > 10 {
                break;
            }
        }
    }
    assert!(minted > 2_000 && refused > 1_000, "{minted} {refused}");
    assert!(
        requests > 100_000 && permitted > 2_000 && cut > 2_000 && deepest > 10,
        "{requests} {permitted} {cut} {deepest}"
    );
}

/// Whatever the policy, the account's end and what is asked for: a token never ends after either.
#[test]
fn no_token_outlives_its_account_or_the_policy() {
    let (seed, source) = (seed(), SeededSource::new(seed()));
    let mut random = Random::seeded(seed);
    let rights = Rights::new("acme", ["read@/".parse().unwrap()]).unwrap();
    let account = account(&rights, &source);
    let mut made = [0; 2];
    for case in 0..cases(5_000) {
        let longest = if random.one_in(2) { 100 } else { 90_000 };
        let any = |random: &mut Random| u64::try_from(1 + random.below(longest)).unwrap();
        let maximum = any(&mut random).min(86_400);
        let (asked, ends) =
            (random.one_in(2).then(|| any(&mut random)), random.one_in(2).then(|| any(&mut random)));
        let tokens = tokens().max_lifetime(keygate::Lifetime::seconds(maximum)).unwrap();
        let end = ends.map(|ends| now_and(i64::try_from(ends).unwrap()));
        let validity = end.map_or(keygate::Validity::UNBOUNDED, keygate::Validity::until);
        let record = under(&account, |builder| builder.validity(validity));
        let mut mint = Mint::scopes(rights.scopes().iter().cloned());
        if let Some(asked) = asked {
            mint = mint.lifetime(keygate::Lifetime::seconds(asked));
        }
        let minted = tokens.mint(&account.caller, &record, &mint, NOW, &source);
        let expected = match asked {
            None => Some(maximum.min(900).min(ends.unwrap_or(u64::MAX))),
            Some(asked) => (asked <= maximum && ends.is_none_or(|ends| asked <= ends)).then_some(asked),
        };
        made[usize::from(minted.is_ok())] += 1;
        let found =
            minted.ok().map(|minted| u64::try_from(minted.expires_at.as_unix() - NOW.as_unix()).unwrap());
        assert_eq!(found, expected, "KEYGATE_SEED={seed} case {case}: {maximum} {asked:?} {ends:?}");
    }
    assert!(made.iter().all(|times| *times > 500), "{made:?}");
}
