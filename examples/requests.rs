//! Real requests of every kind, good and bad, put through the pure core: request, answer, reason for the log.
//!
//! `cargo run --example requests`
//!
//! One credential of each kind is issued into a map. Then header lines go in, as bytes, and every line of the table
//! is decided by the same four calls that a host makes: see `Host::answer`.
#![allow(clippy::print_stdout, reason = "a command prints")]
#![allow(clippy::arithmetic_side_effects, clippy::string_slice, reason = "on values of its own")]

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::io::IsTerminal as _;
use std::net::IpAddr;
use std::sync::Arc;

use keygate::{
    Action, ApiKeyGrant, CredentialKey, DigestKeys, Drawn, Grant, HeaderPolicy, Kind, Lifetime, Moment,
    Network, Parent, Presented, Record, RecordBuilder, Refusal, Resource, Retiring, Revocation, Rights,
    ServiceAccountGrant, ServiceTokenGrant, StoredSecret, SystemRandom, Timestamp, UserId, Validity, verify,
};

type Any = Box<dyn Error>;

/// A host: its records, its digest keys, what it accepts, and what its users may.
struct Host {
    records: HashMap<CredentialKey, Arc<Record>>,
    keys: DigestKeys,
    policy: HeaderPolicy,
    now: Timestamp,
}

impl Host {
    /// What a host does with a request.
    fn answer(&self, request: &Request) -> Result<String, Refusal> {
        // Header lines to what they present; every ambiguity is refused here.
        let presented = match self.policy.present(&request.headers)? {
            Presented::Credential(presented) => presented,
            Presented::AccessToken(_) => unreachable!("the policy accepts the three kinds only"),
        };
        // Made-up texts stop here, before a store is asked.
        self.keys.check_guard(&presented)?;
        // Presented, record and moment to a caller.
        let mut moment = Moment::at(self.now);
        if let Some(client) = request.client {
            moment = moment.client(client);
        }
        let caller = verify(&presented, self.records.get(&presented.key()), &self.keys, moment)?
            .with_parent(|key| self.records.get(key))?;
        // Caller and access to a permit; for an API key, the host's own rules about its user count.
        let wanted = request.wanted.resource()?;
        let permit = caller.decide(request.action, &wanted).or_as_user(Self::user_may)?;
        let by = match permit.scope() {
            Some(scope) => scope.to_string(),
            None if caller.credential().kind == Kind::ApiKey => format!("as {}", caller.owner()),
            None => "its own credential".to_owned(),
        };
        Ok(if presented.client_key_arrived() { by + ", a client key was sent along" } else { by })
    }

    fn user_may(user: &UserId) -> bool {
        user.as_str() == "u-17"
    }
}

/// What is asked for; the organization of a project comes from the host's own data.
#[derive(Clone, Copy)]
enum Wanted {
    OwnCredential,
    User,
    Organization(&'static str),
    Project(&'static str),
    Folder(&'static str),
    ForeignFolder(&'static str),
}

impl Wanted {
    fn resource(self) -> Result<Resource<'static>, Refusal> {
        match self {
            Self::OwnCredential => Ok(Resource::own_credential()),
            Self::User => Ok(Resource::user()),
            Self::Organization(organization) => Resource::organization(organization),
            Self::Project(project) => Resource::project("acme", project),
            Self::Folder(path) => Resource::secrets("acme", "web", "prod", path),
            Self::ForeignFolder(path) => Resource::secrets("globex", "web", "prod", path),
        }
    }

    fn text(self) -> String {
        match self {
            Self::OwnCredential => "own credential".to_owned(),
            Self::User => "user settings".to_owned(),
            Self::Organization(organization) => format!("organization {organization}"),
            Self::Project(project) => format!("project {project}"),
            Self::Folder(path) => format!("web/prod:{path}"),
            Self::ForeignFolder(path) => format!("globex's web/prod:{path}"),
        }
    }
}

struct Request {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    client: Option<IpAddr>,
    action: Action,
    wanted: Wanted,
}

/// One line of the table.
#[allow(dead_code, reason = "the table shows less than the tests assert")]
pub(crate) struct Row {
    /// What is special about the request.
    pub(crate) what: &'static str,
    /// The action and the resource.
    pub(crate) asks: String,
    /// The HTTP status that the host answers with.
    pub(crate) status: u16,
    /// `granted`, or the reason's code.
    pub(crate) code: &'static str,
    /// For the log: what permitted it, or why not.
    pub(crate) reason: String,
    /// The values of `WWW-Authenticate`.
    pub(crate) challenges: Vec<String>,
}

/// Decides all of the requests.
pub(crate) fn rows() -> Result<Vec<Row>, Any> {
    let (host, requests) = scene()?;
    let row = |request: &Request| {
        let answer = host.answer(request);
        let (status, code, reason) = match &answer {
            Ok(by) => (200, "granted", by.clone()),
            Err(refusal) => (refusal.status(), refusal.reason().code(), refusal.explain().to_string()),
        };
        Row {
            what: request.what,
            asks: format!("{} {}", request.action, request.wanted.text()),
            status,
            code,
            reason,
            challenges: answer
                .err()
                .iter()
                .flat_map(Refusal::challenges)
                .map(|value| value.to_string())
                .collect(),
        }
    };
    Ok(requests.iter().map(row).collect())
}

/// The host's credentials, and two dozen requests (and some) that use and misuse them.
fn scene() -> Result<(Host, Vec<Request>), Any> {
    let keys = DigestKeys::ephemeral()?;
    let now = Timestamp::parse_rfc3339("2026-11-24T12:00:00Z")?;
    let ago = Timestamp::from_unix(now.as_unix() - 86_400);
    let later = Validity::until(now.checked_add(Lifetime::hours(8)).ok_or("the end of time")?);
    let mut records = HashMap::new();
    let mut issue = |grant: Grant, more: &dyn Fn(RecordBuilder) -> RecordBuilder| -> Result<Drawn, Any> {
        let drawn = keys.draw(grant.kind(), &SystemRandom)?;
        let builder = Record::builder(drawn.key.id, grant, drawn.digest.clone(), ago).validity(later);
        records.insert(drawn.key, Arc::new(more(builder).build()?));
        Ok(drawn)
    };
    let user = |user| ApiKeyGrant::new(user).map(Grant::from);
    let account = |scopes: &[&str]| -> Result<ServiceAccountGrant, Any> {
        let scopes = scopes.iter().map(|scope| scope.parse()).collect::<Result<Vec<_>, _>>()?;
        Ok(ServiceAccountGrant::new(Rights::new("acme", scopes)?))
    };
    let token = |scope: &str| -> Result<Grant, Any> {
        Ok(ServiceTokenGrant::new("web", Rights::new("acme", [scope.parse()?])?)?.into())
    };
    let as_it_is = |builder| builder;

    // One of each kind …
    let key = issue(user("u-17")?, &as_it_is)?;
    let sa = issue(account(&["read@/", "read@web/", "read,update@*/prod:/app/**"])?.into(), &as_it_is)?;
    let st = issue(token("create,read@web/prod:/app/**")?, &as_it_is)?;
    // … and some in every state that a credential can be in.
    let other_user = issue(user("u-18")?, &as_it_is)?;
    let revoked = issue(token("read@web/prod:/app/**")?, &|record| {
        record.revoked(Revocation::new(ago, "pasted into a ticket"))
    })?;
    let disabled = issue(token("read@web/prod:/app/**")?, &|record| record.disabled(true))?;
    let expired = issue(token("read@web/prod:/app/**")?, &|record| record.validity(Validity::until(now)))?;
    let bound = Network::parse("10.0.0.0/8")?;
    let bound = issue(token("read@web/prod:/app/**")?, &|record| record.networks([bound]))?;
    // Rotated: the old text holds until the overlap ends.
    let old = issue(account(&["read@web/"])?.into(), &as_it_is)?;
    let new = keys.redraw(old.key, &SystemRandom)?;
    let rotated = |ends_at| {
        let retiring =
            Retiring { secret: StoredSecret { number: 1, digest: old.digest.clone() }, ends_at, leak: None };
        move |record: RecordBuilder| {
            record.current(StoredSecret { number: 2, digest: new.digest.clone() }).retiring(retiring.clone())
        }
    };
    let overlap = rotated(now.checked_add(Lifetime::hours(1)).ok_or("the end of time")?);
    let rotated = records_entry(old.key, account(&["read@web/"])?, &old, ago, &overlap)?;
    // Minted by the account above, which no longer holds all that it gave; and by one that was revoked since.
    let mint = |account: &Drawn| Parent { account: account.key.id, mint_generation: 0 };
    let minted = issue(token("read,delete@web/prod:/app/**")?, &|record| record.parent(mint(&sa)))?;
    let gone = issue(account(&["read@*/prod:/**"])?.into(), &|record| {
        record.revoked(Revocation::new(now, "the machine was retired"))
    })?;
    let orphan = issue(token("read@web/prod:/app/**")?, &|record| record.parent(mint(&gone)))?;
    // Made under keys that this host does not have: by another server, or by a forger.
    let foreign = DigestKeys::ephemeral()?.draw(Kind::ServiceToken, &SystemRandom)?;
    let wrong = keys.redraw(st.key, &SystemRandom)?;
    let unknown = keys.draw(Kind::ServiceToken, &SystemRandom)?;
    records.insert(old.key, Arc::new(rotated));

    let bearer = |text: &str| vec![("Authorization", format!("Bearer {text}"))];
    let api_key = |text: &str| vec![("X-API-KEY", text.to_owned())];
    let [key, sa, st] = [&key, &sa, &st].map(|drawn| drawn.text.expose());
    let damaged: String = st.chars().rev().collect();
    let damaged = format!("{}{}", &st[..20], &damaged[..35]);
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";
    let ten = Some(IpAddr::from([10, 1, 2, 3]));
    let outside = Some(IpAddr::from([192, 0, 2, 7]));
    let both = [bearer(sa), api_key(key)].concat();
    let twice = [bearer(sa), bearer(st)].concat();
    let many_spaces = vec![("authorization", format!("Bearer{}{st}", " ".repeat(9_000)))];
    let folder = Wanted::Folder("/app/db");

    let mut requests = Vec::new();
    let mut ask = |what, headers, action, wanted, client| {
        requests.push(Request { what, headers, client, action, wanted });
    };
    ask("an API key acts as its user", api_key(key), Action::Update, Wanted::User, None);
    ask("the same on a project", api_key(key), Action::Delete, Wanted::Project("web"), None);
    ask("the same on secrets: it has no key to them", api_key(key), Action::Read, folder, None);
    ask(
        "another user's, who may not",
        api_key(other_user.text.expose()),
        Action::Read,
        Wanted::Project("web"),
        None,
    );
    ask("a service account", bearer(sa), Action::Read, Wanted::Organization("acme"), None);
    ask("the same on a project", bearer(sa), Action::Read, Wanted::Project("web"), None);
    ask("the same on secrets", bearer(sa), Action::Update, folder, None);
    ask("the same on another tenant's", bearer(sa), Action::Read, Wanted::ForeignFolder("/app/db"), None);
    ask("the same on a user's settings", bearer(sa), Action::Read, Wanted::User, None);
    ask("a service token", bearer(st), Action::Read, folder, None);
    ask(
        "with its client key behind it",
        bearer(&format!("{st}.{}", "0f".repeat(16))),
        Action::Read,
        folder,
        None,
    );
    ask("outside its folder", bearer(st), Action::Read, Wanted::Folder("/billing"), None);
    ask("an action that it lacks", bearer(st), Action::Delete, folder, None);
    ask("it revokes itself", bearer(st), Action::Delete, Wanted::OwnCredential, None);
    ask("a token that the account minted", bearer(minted.text.expose()), Action::Read, folder, None);
    ask("cut to what the account holds now", bearer(minted.text.expose()), Action::Delete, folder, None);
    ask("minted by an account since revoked", bearer(orphan.text.expose()), Action::Read, folder, None);
    ask(
        "rotated: the old text, in the overlap",
        bearer(old.text.expose()),
        Action::Read,
        Wanted::Project("web"),
        None,
    );
    ask("bound to 10.0.0.0/8, from inside", bearer(bound.text.expose()), Action::Read, folder, ten);
    ask("the same from outside", bearer(bound.text.expose()), Action::Read, folder, outside);
    ask("the same, address not told", bearer(bound.text.expose()), Action::Read, folder, None);
    ask("revoked", bearer(revoked.text.expose()), Action::Read, folder, None);
    ask("disabled", bearer(disabled.text.expose()), Action::Read, folder, None);
    ask("expired this second", bearer(expired.text.expose()), Action::Read, folder, None);
    ask("right id, wrong secret", bearer(wrong.text.expose()), Action::Read, folder, None);
    ask("never issued here", bearer(unknown.text.expose()), Action::Read, folder, None);
    ask("made up: whole, with a wrong guard", bearer(foreign.text.expose()), Action::Read, folder, None);
    ask("cut off", bearer(&st[..40]), Action::Read, folder, None);
    ask("mangled", bearer(&damaged), Action::Read, folder, None);
    ask("in the other header", api_key(sa), Action::Read, folder, None);
    ask(
        "somebody else's token",
        bearer("ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        Action::Read,
        folder,
        None,
    );
    ask("an access token, not taken here", bearer(jwt), Action::Read, folder, None);
    ask("no credential", vec![("Accept", "*/*".to_owned())], Action::Read, folder, None);
    ask("another scheme", vec![("Authorization", "Basic dTpw".to_owned())], Action::Read, folder, None);
    ask("two headers of one name", twice, Action::Read, folder, None);
    ask("both headers", both, Action::Read, folder, None);
    ask("nine thousand spaces", many_spaces, Action::Read, folder, None);
    ask("an irregular path", bearer(st), Action::Read, Wanted::Folder("/app/../billing"), None);

    let policy = HeaderPolicy::new().accept(Kind::ALL);
    Ok((Host { records, keys, policy, now }, requests))
}

/// The record of an account after a rotation.
fn records_entry(
    key: CredentialKey,
    grant: ServiceAccountGrant,
    old: &Drawn,
    created_at: Timestamp,
    rotate: &dyn Fn(RecordBuilder) -> RecordBuilder,
) -> Result<Record, Any> {
    Ok(rotate(Record::builder(key.id, grant, old.digest.clone(), created_at)).build()?)
}

#[allow(dead_code, reason = "the tests take the rows and leave the table")]
fn main() -> Result<(), Any> {
    let colour = std::io::stdout().is_terminal();
    let paint = |status: u16, text: &str| match status {
        _ if !colour => text.to_owned(),
        200 => format!("\x1b[32m{text}\x1b[0m"),
        500.. => format!("\x1b[35m{text}\x1b[0m"),
        _ => format!("\x1b[31m{text}\x1b[0m"),
    };
    let rows = rows()?;
    println!("{:<43} {:<32} {:<6} for the log", "request", "asks to", "answer");
    for row in &rows {
        let status = paint(row.status, &format!("{:<6}", row.status));
        println!("{:<43} {:<32} {status} {}", row.what, row.asks, row.reason);
    }
    println!("\nWhat the caller sees is less. These are all the statuses and challenges that were sent:");
    let refused = rows.iter().filter(|row| row.status != 200);
    let faces: BTreeSet<(u16, String)> =
        refused.map(|row| (row.status, row.challenges.join(" and "))).collect();
    for (status, challenges) in &faces {
        let challenges = if challenges.is_empty() { "(no challenge)" } else { challenges };
        println!("{} {challenges}", paint(*status, &status.to_string()));
    }
    Ok(())
}
