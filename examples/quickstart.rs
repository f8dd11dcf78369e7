//! A day in the life of a service that links keygate: `cargo run --example quickstart`.
//!
//! It issues one credential of each kind, answers requests, rotates, lets one expire, revokes one, and looks at what there is
//! in the evening. The clock is one that is told the time, so that a day takes no time.

#![allow(clippy::print_stdout, reason = "a command prints")]
#![allow(clippy::string_slice, reason = "of a text of its own")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use keygate::{
    Action, Authenticator, Clock as _, CredentialId, DigestKeys, Expiry, Issued, Issuer, Kind, Lifetime,
    Lookup, ManualClock, MemoryStore, NewApiKey, NewServiceAccount, NewServiceToken, Overlap, Owner, Record,
    Refusal, RefusalClass, Resource, State, StoreError, SystemRandom, Timestamp, UseRecorder,
};

/// One line of the day.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The time of day.
    pub(crate) time: String,
    /// What happens, or who asks.
    pub(crate) what: String,
    /// For what.
    pub(crate) asks: String,
    /// The answer's status; none where nobody asked.
    pub(crate) status: Option<u16>,
    /// What the caller never sees: why.
    pub(crate) log: String,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

#[allow(dead_code, reason = "the tests take the lines and leave the table")]
fn main() -> Outcome<()> {
    println!("{:<8}  {:<38}  {:<39}  {:<6}  for the log", "time", "what happens", "asks for", "answer");
    for Line { time, what, asks, status, log } in pollster::block_on(day())? {
        let status = status.map_or_else(String::new, |status| status.to_string());
        println!("{time:<8}  {what:<38}  {asks:<39}  {status:<6}  {log}");
    }
    Ok(())
}

/// The whole day.
pub(crate) async fn day() -> Outcome<Vec<Line>> {
    let mut service = Service::start("2026-11-24T08:00:00Z")?;

    // Each kind has its owner, its rights and its end. The text is shown once; the store has a digest of it.
    let issuer = service.issuer.clone();
    let new = NewApiKey::new("u-17", Lifetime::days(90)).name("laptop");
    let api_key = issuer.api_keys().issue(new).await?;
    service.note("issued: an API key", "acts as user u-17");
    let new = NewServiceAccount::new("acme", Expiry::Never)
        .name("deployer")
        .scopes(["read@/".parse()?, "*@web/prod:/**".parse()?]);
    let account = issuer.service_accounts().issue(new).await?;
    service.note("issued: a service account", "read@/ and *@web/prod:/** of acme");
    let new = NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope("read@web/prod:/app/**".parse()?);
    let token = issuer.service_tokens().issue(new).await?;
    service.note("issued: a service token", "read@web/prod:/app/** of acme, for 8 hours");

    // The organization in a resource is the one that owns it, by the service's own data: never what a caller says.
    let organization = Resource::organization("acme")?;
    let project = Resource::project("acme", "web")?;
    let secrets = Resource::secrets("acme", "web", "prod", "/app/db")?;
    let billing = Resource::secrets("acme", "web", "prod", "/billing")?;
    let foreign = Resource::secrets("other", "web", "prod", "/app/db")?;

    service.at("08:30:00")?;
    service.request("the API key", &api_key, Action::Read, &project).await;
    service.request("the API key", &api_key, Action::Read, &secrets).await;
    service.request("the account", &account, Action::Read, &organization).await;
    service.request("the account", &account, Action::Update, &secrets).await;
    service.request("the account, elsewhere", &account, Action::Read, &foreign).await;
    service.request("the token", &token, Action::Read, &secrets).await;
    service.request("the token, outside its folder", &token, Action::Read, &billing).await;
    service.request("the token, another action", &token, Action::Delete, &secrets).await;

    // Strangers get one answer, whatever is wrong; only the log knows.
    service.at("09:00:00")?;
    let stranger = service.keys.draw(Kind::ServiceToken, &SystemRandom)?.text;
    service.present("a text that nobody was given", stranger.expose(), Action::Read, &secrets).await;
    let other_secret = service.keys.redraw(token.record.key(), &SystemRandom)?.text;
    service.present("the token's id, another secret", other_secret.expose(), Action::Read, &secrets).await;
    let made_up = DigestKeys::ephemeral()?.draw(Kind::ServiceToken, &SystemRandom)?.text;
    let asked = service.database.asked();
    service.present("a made-up text", made_up.expose(), Action::Read, &secrets).await;
    service.note(
        "the database was asked for it",
        if service.database.asked() == asked { "never" } else { "once" },
    );
    service.present("the token, cut off", &token.text.expose()[..40], Action::Read, &secrets).await;

    // Two secrets overlap, so that nothing stops while the new one is brought to where it is used.
    service.at("12:00:00")?;
    let accounts = issuer.service_accounts().owned_by(Owner::organization("acme")?);
    let rotated = accounts.rotate(&account.record.key().id, Overlap::hours(1)).await?;
    service.note("rotated: the account's access key", "both hold until 13:00");
    service.at("12:59:59")?;
    service.request("the account, with the old key", &account, Action::Read, &secrets).await;
    service.request("the account, with the new key", &rotated, Action::Read, &secrets).await;
    service.at("13:00:00")?;
    service.request("the account, with the old key", &account, Action::Read, &secrets).await;
    service.request("the account, with the new key", &rotated, Action::Read, &secrets).await;

    service.at("15:59:59")?;
    service.request("the token, in its last second", &token, Action::Read, &secrets).await;
    service.at("16:00:00")?;
    service.request("the token, a second later", &token, Action::Read, &secrets).await;

    service.at("17:00:00")?;
    let keys = issuer.api_keys().owned_by(Owner::user("u-17")?);
    keys.revoke(&api_key.record.key().id, "left the company").await?;
    service.note("revoked: the API key", "left the company");
    service.request("the API key", &api_key, Action::Read, &project).await;

    // Nothing vanishes: what is dead stays listed, with its reason, until it is purged.
    service.at("18:00:00")?;
    service.recorder.flush().await?;
    for owner in [Owner::user("u-17")?, Owner::organization("acme")?, Owner::project("acme", "web")?] {
        service.inventory(owner).await?;
    }
    Ok(service.lines)
}

/// The service: what it set up at its start, and what happened since.
struct Service {
    clock: ManualClock,
    keys: DigestKeys,
    issuer: Issuer,
    gate: Authenticator,
    database: Arc<Database>,
    recorder: UseRecorder,
    lines: Vec<Line>,
}

impl Service {
    fn start(time: &str) -> Outcome<Self> {
        let clock = ManualClock::at(Timestamp::parse_rfc3339(time)?);
        let keys = DigestKeys::ephemeral()?; // a real service loads its own: DigestKeys::parse(&config)?
        let store = MemoryStore::new();
        let database = Arc::new(Database { store: store.clone(), asked: AtomicUsize::new(0) });
        let recorder = UseRecorder::new(store.clone());
        Ok(Self {
            issuer: Issuer::builder(store, keys.clone()).clock(clock.clone()).build()?,
            gate: Authenticator::builder(Arc::clone(&database), keys.clone())
                .clock(clock.clone())
                .use_recorder(recorder.clone())
                .build()?,
            clock,
            keys,
            database,
            recorder,
            lines: Vec::new(),
        })
    }

    fn at(&mut self, time: &str) -> Outcome<()> {
        self.clock.set(Timestamp::parse_rfc3339(&format!("2026-11-24T{time}Z"))?);
        Ok(())
    }

    async fn request(&mut self, who: &str, credential: &Issued, action: Action, resource: &Resource<'_>) {
        self.present(who, credential.text.expose(), action, resource).await;
    }

    /// A request that presents this text.
    async fn present(&mut self, who: &str, text: &str, action: Action, resource: &Resource<'_>) {
        let answer = self.answer(text, action, resource).await;
        let (status, log) = match answer {
            Ok(permitted) => (200, permitted),
            Err(refusal) => (refusal.status(), why(&refusal)),
        };
        self.line(who, format!("{action} {resource}"), Some(status), log);
    }

    /// What a handler does: who is it, and may it?
    async fn answer(&self, text: &str, action: Action, resource: &Resource<'_>) -> Result<String, Refusal> {
        let headers = if text.starts_with("ak.") {
            [("x-api-key", text.to_owned())]
        } else {
            [("authorization", format!("Bearer {text}"))]
        };
        let caller = self.gate.authenticate(&headers).await?;
        // An API key acts as its user, and what a user may, the service's own rules know.
        let permit =
            self.gate.decide(&caller, action, resource).or_as_user(|user| user.as_str() == "u-17")?;
        Ok(match permit.scope() {
            Some(scope) => format!("permitted by {scope}"),
            None => format!("permitted as {}", caller.owner()),
        })
    }

    async fn inventory(&mut self, owner: Owner) -> Outcome<()> {
        let entries = match owner.kind() {
            Kind::ApiKey => self.issuer.api_keys().owned_by(owner.clone()).list(None, 100).await?,
            Kind::ServiceAccount => {
                self.issuer.service_accounts().owned_by(owner.clone()).list(None, 100).await?
            }
            Kind::ServiceToken => {
                self.issuer.service_tokens().owned_by(owner.clone()).list(None, 100).await?
            }
        };
        for entry in entries {
            let record = &entry.record;
            let state = match (record.state(self.clock.now()), record.revocation()) {
                (State::Revoked, Some(revocation)) => format!("revoked: {}", revocation.reason),
                (state, _) => state.to_string(),
            };
            let used = entry.uses.latest().map_or_else(|| "never".to_owned(), time_of_day);
            self.line(
                &format!("{owner}: {}", record.key().kind),
                String::new(),
                None,
                format!("{state}; last used {used}"),
            );
        }
        Ok(())
    }

    fn note(&mut self, what: &str, log: &str) {
        self.line(what, String::new(), None, log.to_owned());
    }

    fn line(&mut self, what: &str, asks: String, status: Option<u16>, log: String) {
        let time = time_of_day(self.clock.now());
        self.lines.push(Line { time, what: what.to_owned(), asks, status, log });
    }
}

/// In a few words; `refusal.explain()` has all that is known.
fn why(refusal: &Refusal) -> String {
    match (refusal.class(), refusal.needed()) {
        (RefusalClass::Forbidden, Some(scope)) => format!("lacks {scope}"),
        (RefusalClass::Forbidden, None) => "no scope would help".to_owned(),
        _ => refusal.reason().to_string(),
    }
}

fn time_of_day(time: Timestamp) -> String {
    time.to_string().chars().skip("2026-11-24T".len()).take("08:00:00".len()).collect()
}

/// Stands for a database across a network: it has to be asked, and counts how often it was. A [`MemoryStore`] itself would
/// answer at once.
struct Database {
    store: MemoryStore,
    asked: AtomicUsize,
}

impl Database {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Lookup for Database {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.store.find(kind, id).await
    }
}
