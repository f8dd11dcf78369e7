//! The decision table of the manual, cell by cell and action by action; and *as the user* to its three ends.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use keygate::{
    Action, Caller, Decision, DigestKeys, Grant, Kind, Moment, Reason, Refusal, RefusalClass, Resource,
    Rights, ServiceAccountGrant, ServiceTokenGrant, UserId, verify,
};

use super::{built, caller, face, issue, ring};
use crate::support::fixtures::NOW;
use crate::support::random::{SeededSource, seed};

/// A caller of this kind with these scopes in `acme`.
fn calling(kind: Kind, scopes: &[&str]) -> Caller {
    let (keys, source) = (ring(1, &[]), SeededSource::new(seed()));
    let (presented, builder) = issue(&keys, kind, &source);
    let rights = Rights::new("acme", scopes.iter().map(|scope| scope.parse().unwrap())).unwrap();
    let grant: Option<Grant> = match kind {
        Kind::ApiKey => None,
        Kind::ServiceAccount => Some(ServiceAccountGrant::new(rights).into()),
        Kind::ServiceToken => Some(ServiceTokenGrant::new("web", rights).unwrap().into()),
    };
    let record = match grant {
        Some(grant) => builder.grant(grant),
        None => builder,
    };
    caller(&presented, &built(record), &keys)
}

fn api_key(danger: bool) -> Caller {
    let (keys, source): (DigestKeys, _) = (ring(1, &[]), SeededSource::new(seed()));
    let (presented, builder) = issue(&keys, Kind::ApiKey, &source);
    let mut moment = Moment::at(NOW);
    if danger {
        moment = moment.danger_api_keys_reach_secrets();
    }
    verify(&presented, Some(&built(builder)), &keys, moment).unwrap().with_parent(|_| None).unwrap()
}

/// The four actions in their order: `P` permitted, `u` as the user, `-` denied.
fn row(caller: &Caller, resource: &Resource<'_>) -> String {
    let cell = |action| match caller.decide(action, resource) {
        Decision::Permit(permit) => {
            assert_eq!((permit.action(), permit.resource()), (action, resource));
            assert!(std::ptr::eq(permit.caller(), caller));
            'P'
        }
        Decision::AsUser(pending) => {
            assert_eq!(pending.user().as_str(), "u-17");
            'u'
        }
        Decision::Deny(_) => '-',
    };
    Action::ALL.into_iter().map(cell).collect()
}

#[track_caller]
fn decides(caller: &Caller, expected: [&str; 5]) {
    let found = [
        Resource::user(),
        Resource::organization("acme").unwrap(),
        Resource::project("acme", "web").unwrap(),
        Resource::secrets("acme", "web", "prod", "/app/db").unwrap(),
        Resource::own_credential(),
    ]
    .map(|resource| row(caller, &resource));
    assert_eq!(found, expected);
}

#[test]
fn every_cell() {
    //                         user's own, organization, project, secrets, own credential
    decides(&api_key(false), ["uuuu", "uuuu", "uuuu", "----", "-P-P"]);
    decides(&api_key(true), ["uuuu", "uuuu", "uuuu", "uuuu", "-P-P"]);
    let account = |scopes: &[&str]| calling(Kind::ServiceAccount, scopes);
    decides(&account(&[]), ["----", "----", "----", "----", "-P-P"]);
    decides(&account(&["*@/", "*@*/", "*@*/*:/**"]), ["----", "PPPP", "PPPP", "PPPP", "-P-P"]);
    // No level implies another.
    decides(&account(&["*@/"]), ["----", "PPPP", "----", "----", "-P-P"]);
    decides(&account(&["*@*/"]), ["----", "----", "PPPP", "----", "-P-P"]);
    decides(&account(&["*@*/*:/**"]), ["----", "----", "----", "PPPP", "-P-P"]);
    // No action implies another, and scopes add up.
    decides(
        &account(&["read@/", "delete@web/", "update@web/prod:/app/*"]),
        ["----", "-P--", "---P", "--P-", "-P-P"],
    );
    decides(
        &account(&["create@/", "update@/", "read@web/prod:/", "read@db/", "*@web/dev:/**"]),
        ["----", "P-P-", "----", "----", "-P-P"],
    );
    let token = |scopes: &[&str]| calling(Kind::ServiceToken, scopes);
    decides(&token(&[]), ["----", "----", "----", "----", "-P-P"]);
    decides(&token(&["*@web/*:/**"]), ["----", "----", "----", "PPPP", "-P-P"]);
    decides(&token(&["create,delete@web/prod:/app/*"]), ["----", "----", "----", "P--P", "-P-P"]);
    decides(&token(&["*@web/prod:/db"]), ["----", "----", "----", "----", "-P-P"]);
}

/// Polls until it is ready; the future's own business is to be ready some time.
fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// As long as a database takes: not the first time.
async fn database<T>(answer: T) -> T {
    let mut polled = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
    answer
}

#[track_caller]
fn forbidden(refusal: &Refusal, code: &str) {
    assert_eq!((refusal.reason().code(), refusal.proven()), (code, true));
    let words = "the credential does not permit this".to_owned();
    assert_eq!(
        face(refusal),
        (RefusalClass::Forbidden, 403, vec![], words, false),
        "no scope would help an API key"
    );
    assert_eq!(refusal.needed(), None);
}

#[test]
fn as_the_user_is_settled_by_the_host_and_by_nobody_else() {
    let caller = api_key(false);
    let resource = Resource::project("acme", "web").unwrap();
    let decide = || caller.decide(Action::Update, &resource);

    forbidden(&decide().granted().unwrap_err(), "user_not_asked");
    forbidden(&decide().or_as_user(|_| false).unwrap_err(), "user_not_permitted");
    let permit = decide().or_as_user(|user| user.as_str() == "u-17").unwrap();
    assert_eq!((permit.scope(), permit.action()), (None, Action::Update));
    assert_eq!(permit.to_string(), "update on project web of acme");

    let ask = |answer: Result<bool, &'static str>| {
        block_on(decide().or_ask(async |user: &UserId| {
            assert_eq!(user.as_str(), "u-17");
            database(answer).await
        }))
    };
    assert!(ask(Ok(true)).is_ok());
    forbidden(&ask(Ok(false)).unwrap_err(), "user_not_permitted");
    let failed = ask(Err("connection reset")).unwrap_err();
    assert_eq!(failed.reason(), Reason::UserRightsUnavailable);
    super::has_the_face_of_a_failure(&failed);
    assert_eq!(std::error::Error::source(&failed).unwrap().to_string(), "connection reset");

    let Decision::AsUser(pending) = decide() else { panic!("an API key acts as its user") };
    forbidden(&pending.settle(false).unwrap_err(), "user_not_permitted");
    let Decision::AsUser(pending) = decide() else { panic!("an API key acts as its user") };
    assert!(pending.settle(true).is_ok());
}

/// Where keygate decides alone, the host's rules about its users are not asked, and cannot turn a denial around.
#[test]
fn what_is_decided_is_not_asked_about() {
    let account = calling(Kind::ServiceAccount, &["read@web/"]);
    let resource = Resource::project("acme", "web").unwrap();
    let asked = |_: &UserId| -> bool { panic!("asked about a user") };
    assert!(account.decide(Action::Read, &resource).or_as_user(asked).is_ok());
    let denied = account.decide(Action::Delete, &resource).or_as_user(asked).unwrap_err();
    assert_eq!(denied.reason(), Reason::NotPermitted);
    let denied = block_on(
        account
            .decide(Action::Delete, &resource)
            .or_ask(async |user: &UserId| Ok::<_, std::convert::Infallible>(asked(user))),
    );
    assert_eq!(denied.unwrap_err().reason(), Reason::NotPermitted);
    let key = api_key(false);
    let secrets = Resource::secrets("acme", "web", "prod", "/").unwrap();
    let never = key.decide(Action::Read, &secrets).or_as_user(asked).unwrap_err();
    forbidden(&never, "not_permitted");
    assert!(key.decide(Action::Read, &Resource::own_credential()).or_as_user(asked).is_ok());
}

#[track_caller]
fn denies(
    caller: &Caller,
    access: (Action, &Resource<'_>),
    log: &str,
    needed: Option<&str>,
    challenge: Option<&str>,
) {
    let Decision::Deny(denial) = caller.decide(access.0, access.1) else { panic!("not denied: {log}") };
    assert_eq!(denial.to_string(), log);
    assert_eq!(denial.missing().as_deref(), needed);
    assert!(!denial.by_parent());
    let refusal = Refusal::from(denial);
    assert_eq!((refusal.reason(), refusal.status()), (Reason::NotPermitted, 403));
    assert_eq!((refusal.needed(), refusal.credential()), (needed, Some(caller.credential())));
    let challenges: Vec<String> = refusal.challenges().map(|challenge| challenge.to_string()).collect();
    assert_eq!(challenges, Vec::from_iter(challenge));
}

/// A denial names the nearest scope and which of its parts failed for the log, and the access that was missing for
/// the caller.
#[test]
fn a_denial_says_what_was_missing() {
    let account = calling(Kind::ServiceAccount, &["read@web/", "read@web/prod:/app/**"]);
    let (organization, user, own) =
        (Resource::organization("acme").unwrap(), Resource::user(), Resource::own_credential());
    let secrets =
        |organization, environment, path| Resource::secrets(organization, "web", environment, path).unwrap();
    let (app, root, dev) =
        (secrets("acme", "prod", "/app"), secrets("acme", "prod", "/"), secrets("acme", "dev", "/app"));
    let other = secrets("other", "prod", "/app");
    let insufficient = |needed: &str| format!(r#"Bearer error="insufficient_scope", scope="{needed}""#);
    let by_scope = |resource, action: Action, log: &str, needed: &str| {
        denies(&account, (action, resource), log, Some(needed), Some(&insufficient(needed)));
    };
    let nearest =
        |part: &str| format!("the {part} of the nearest scope, read@web/prod:/app/**, does not fit");
    by_scope(
        &app,
        Action::Delete,
        &format!("delete on secrets web/prod:/app of acme: {}", nearest("action")),
        "delete@web/prod:/app",
    );
    by_scope(
        &root,
        Action::Read,
        &format!("read on secrets web/prod:/ of acme: {}", nearest("path")),
        "read@web/prod:/",
    );
    by_scope(
        &dev,
        Action::Read,
        &format!("read on secrets web/dev:/app of acme: {}", nearest("environment")),
        "read@web/dev:/app",
    );
    by_scope(
        &organization,
        Action::Read,
        "read on organization acme: the level of the nearest scope, read@web/, does not fit",
        "read@/",
    );
    // No scope reaches these; a bare challenge says as much.
    let bare = r#"Bearer error="insufficient_scope""#;
    denies(
        &account,
        (Action::Read, &other),
        &format!("read on secrets web/prod:/app of other: {}", nearest("organization")),
        None,
        Some(bare),
    );
    let token = calling(Kind::ServiceToken, &["read@web/prod:/app/**"]);
    let log = "read on organization acme: no scope reaches it";
    denies(&token, (Action::Read, &organization), log, None, Some(bare));
    denies(
        &account,
        (Action::Read, &user),
        "read on the user's own account: no scope reaches it",
        None,
        Some(bare),
    );
    denies(
        &account,
        (Action::Update, &own),
        "update on its own credential: no scope reaches it",
        None,
        Some(bare),
    );
    let log = "read on secrets web/prod:/app of acme: no scope reaches it";
    denies(&api_key(false), (Action::Read, &app), log, None, None);
}
