//! A service account mints access tokens, narrower than itself; its key leaks, and what the thief minted dies with it:
//! `cargo run --example mint_access_token`.

#![allow(clippy::print_stdout, reason = "a command prints")]

use std::error::Error;

use keygate::{
    AccessTokens, Action, Authenticator, Caller, Clock as _, DigestKeys, Expiry, IssueError, Issuer,
    Lifetime, ManualClock, MemoryStore, Mint, MintError, MintedToken, NewServiceAccount, Owner, Refusal,
    Resource, SigningKeys, Timestamp,
};

/// One line of the story.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The time of day.
    pub(crate) time: String,
    /// Who does something, and what.
    pub(crate) what: &'static str,
    /// The answer's status; none where it is no request.
    pub(crate) status: Option<u16>,
    /// For the log.
    pub(crate) log: String,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

#[allow(dead_code, reason = "the tests take the lines and leave the table")]
fn main() -> Outcome<()> {
    println!("{:<8}  {:<55}  {:<6}  for the log", "time", "what happens", "answer");
    for Line { time, what, status, log } in pollster::block_on(story())? {
        let status = status.map_or_else(String::new, |status| status.to_string());
        println!("{time:<8}  {what:<55}  {status:<6}  {log}");
    }
    Ok(())
}

/// The whole story.
pub(crate) async fn story() -> Outcome<Vec<Line>> {
    let mut service = Service::start("09:00:00")?;
    let new = NewServiceAccount::new("acme", Expiry::Never).scope("*@web/prod:/app/**".parse()?);
    let account = service.issuer.service_accounts().issue(new).await?;
    let access_key = account.text.expose();
    let database = Resource::secrets("acme", "web", "prod", "/app/db")?; // the service's own row says that acme owns web
    let other = Resource::secrets("acme", "web", "prod", "/app/mail")?;

    // A machine proves itself with its access key, and gets something that it may hand to a job: less, and for minutes.
    let deployer = service.authenticate(access_key).await?;
    service.line("the account proves itself by its access key", Some(200), deployer.method().to_string());
    let token = service
        .mint("it mints: read, one folder, 15 minutes", &deployer, "read@web/prod:/app/db", 15)
        .await?;
    let token = token.ok_or("it may mint this")?;
    let token = token.text.expose();
    service.request("the job reads in that folder", token, Action::Read, &database).await;
    service.request("it writes there", token, Action::Update, &database).await;
    service.request("it reads in another folder", token, Action::Read, &other).await;

    // Nothing grows by minting.
    let job = service.authenticate(token).await?;
    service.mint("the job mints a token of its own", &job, "read@web/prod:/app/db", 15).await?;
    service.mint("the account mints more than it holds", &deployer, "read@web/prod:/**", 15).await?;
    service.mint("the account mints for two hours", &deployer, "read@web/prod:/app/db", 120).await?;
    service.at("09:14:59")?;
    service.request("the job reads, a second before its token ends", token, Action::Read, &database).await;
    service.at("09:15:00")?;
    service.request("the job reads, a second later", token, Action::Read, &database).await;

    // The access key was pasted into a ticket. Who reads the ticket can do all that the account can, minting too.
    service.at("10:00:00")?;
    let thief = service.authenticate(access_key).await?;
    let stolen = service.mint("a thief mints with the leaked key", &thief, "*@web/prod:/app/**", 60).await?;
    let stolen = stolen.ok_or("so far it is the account's")?;
    let stolen = stolen.text.expose();
    service.request("the thief reads", stolen, Action::Read, &database).await;
    service.at("10:05:00")?;
    let accounts = service.issuer.service_accounts().owned_by(Owner::organization("acme")?);
    let rotated = accounts.rotate_leaked(&account.record.key().id, "pasted into a ticket").await?;
    service.line("the owner rotates the key, as leaked", None, "one write".to_owned());
    service.request("the thief reads", stolen, Action::Read, &database).await;
    service.request("the thief presents the leaked key", access_key, Action::Read, &database).await;
    service.mint("the thief mints, on a connection proved before", &thief, "*@web/prod:/app/**", 60).await?;

    // The owner goes on, with the new key.
    let deployer = service.authenticate(rotated.text.expose()).await?;
    let token =
        service.mint("the account mints with its new key", &deployer, "read@web/prod:/app/db", 15).await?;
    let token = token.ok_or("it may mint this")?;
    service.request("the job reads", token.text.expose(), Action::Read, &database).await;
    Ok(service.lines)
}

/// A service that links keygate, and what it noted.
struct Service {
    gate: Authenticator,
    issuer: Issuer,
    clock: ManualClock,
    lines: Vec<Line>,
}

impl Service {
    fn start(time: &str) -> Outcome<Self> {
        let clock = ManualClock::at(today_at(time)?);
        let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
        // A real host loads its own: SigningKeys::parse(&config)?
        let tokens =
            AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "https://secrets.example")?;
        let issuer = Issuer::builder(store.clone(), keys.clone());
        let gate = Authenticator::builder(store, keys);
        Ok(Self {
            gate: gate.access_tokens(tokens.clone()).clock(clock.clone()).build()?,
            issuer: issuer.access_tokens(tokens).clock(clock.clone()).build()?,
            clock,
            lines: Vec::new(),
        })
    }

    fn at(&self, time: &str) -> Outcome<()> {
        self.clock.set(today_at(time)?);
        Ok(())
    }

    async fn authenticate(&self, text: &str) -> Result<Caller, Refusal> {
        self.gate.authenticate([("authorization", format!("Bearer {text}"))]).await
    }

    /// A request that presents this text.
    async fn request(&mut self, what: &'static str, text: &str, action: Action, resource: &Resource<'_>) {
        let answer = match self.authenticate(text).await {
            Ok(caller) => self.gate.decide(&caller, action, resource).granted().map(|permit| {
                permit.scope().map_or_else(String::new, |scope| format!("permitted by {scope}"))
            }),
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(log) => self.line(what, Some(200), log),
            Err(refusal) => self.line(what, Some(refusal.status()), refusal.explain().to_string()),
        }
    }

    /// A request to mint one scope, for so many minutes. What is refused is the caller's to know: its secret was proved.
    async fn mint(
        &mut self,
        what: &'static str,
        caller: &Caller,
        scope: &str,
        minutes: u32,
    ) -> Outcome<Option<MintedToken>> {
        let mint = Mint::scopes([scope.parse()?]).lifetime(Lifetime::minutes(minutes));
        match self.issuer.mint(caller, mint).await {
            Ok(minted) => {
                self.line(what, Some(200), format!("{scope}, until {}", time_of_day(minted.expires_at)));
                Ok(Some(minted))
            }
            Err(error) => {
                let status = match &error {
                    IssueError::NotFound
                    | IssueError::Mint(MintError::SecretReplaced | MintError::NotActive { .. }) => 401,
                    IssueError::Mint(MintError::NotByAccessKey | MintError::TooWide(_)) => 403,
                    IssueError::Store(_) => 503,
                    _ => 400,
                };
                self.line(what, Some(status), error.to_string());
                Ok(None)
            }
        }
    }

    fn line(&mut self, what: &'static str, status: Option<u16>, log: String) {
        self.lines.push(Line { time: time_of_day(self.clock.now()), what, status, log });
    }
}

fn today_at(time: &str) -> Outcome<Timestamp> {
    Ok(Timestamp::parse_rfc3339(&format!("2026-11-24T{time}Z"))?)
}

/// `09:15:00` of `2026-11-24T09:15:00Z`.
fn time_of_day(time: Timestamp) -> String {
    time.to_string().split(['T', 'Z']).nth(1).unwrap_or_default().to_owned()
}
