//! A service whose credentials survive its restart: it issues, starts again and finds them, rotates, revokes, and shows when they
//! were used.
//!
//! `cargo run -p keygate-sqlite --example sqlite_service` shows two lives of it on a file that is gone afterwards;
//! `… --example sqlite_service -- FILE` one life on a file that stays, with `.keys` and `.client` beside it: run it twice.
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::{
    Action, Authenticator, Clock, CredentialKey, CredentialText, DigestKeys, Expiry, Issuer,
    NewServiceAccount, Overlap, Owner, RandomSource as _, Resource, Store as _, SystemClock, SystemRandom,
    UseRecorder,
};
use keygate_sqlite::{SqliteStore, Threading};

type Any = Box<dyn Error>;

/// One life of the service, and of a client that keeps the text that it was given: what happened, a line each.
pub(crate) async fn life(path: &Path, clock: impl Clock + Clone + 'static) -> Result<Vec<String>, Any> {
    let mut service = Service::start(path, clock)?;
    let client = path.with_extension("client");
    match fs::read_to_string(&client) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => service.first_life(&client).await?,
        Err(error) => return Err(error.into()),
        Ok(text) => service.another_life(&client, &text).await?,
    }
    Ok(service.lines)
}

struct Service {
    store: SqliteStore,
    issuer: Issuer,
    gate: Authenticator,
    recorder: UseRecorder,
    lines: Vec<String>,
}

impl Service {
    fn start(path: &Path, clock: impl Clock + Clone + 'static) -> Result<Self, Any> {
        // Finding a record takes microseconds; what waits for the disk does so on a thread that may wait. With the package's feature
        // `tokio`: `Threading::tokio().lookups_inline()`.
        let threading = Threading::spawned(|work| drop(tokio::task::spawn_blocking(work))).lookups_inline();
        let store = SqliteStore::open(path, threading)?;
        let keys = digest_keys(&path.with_extension("keys"))?;
        let recorder = UseRecorder::builder(store.clone()).clock(clock.clone()).build()?;
        let gate = Authenticator::builder(store.clone(), keys.clone())
            .clock(clock.clone())
            .use_recorder(recorder.clone())
            .build()?;
        let issuer = Issuer::builder(store.clone(), keys).clock(clock).build()?;
        Ok(Self { store, issuer, gate, recorder, lines: Vec::new() })
    }

    async fn first_life(&mut self, client: &Path) -> Result<(), Any> {
        self.note("the file is new");
        let new = NewServiceAccount::new("acme", Expiry::Never)
            .name("deploys")
            .scope("read@web/prod:/app/**".parse()?);
        let issued = self.issuer.service_accounts().issue(new).await?;
        keep(client, issued.text.expose())?;
        self.note(&format!(
            "issued to the client: an account named {}",
            issued.record.name().unwrap_or("nothing")
        ));
        self.present("the client's text", issued.text.expose()).await;
        self.show_uses(issued.record.key()).await
    }

    async fn another_life(&mut self, client: &Path, text: &str) -> Result<(), Any> {
        let acme = Owner::organization("acme")?;
        let (issuer, store) = (self.issuer.clone(), self.store.clone());
        let accounts = issuer.service_accounts().owned_by(acme.clone());
        self.note(&format!("the file has {} of acme", accounts.list(None, 1_000).await?.len()));
        self.present("the client's text, from before", text).await;

        let id = CredentialText::parse(text)?.id();
        let rotated = accounts.rotate(&id, Overlap::hours(1)).await?;
        self.note("rotated: both texts hold for an hour");
        self.present("the old text", text).await;
        self.present("the new text", rotated.text.expose()).await;
        keep(client, rotated.text.expose())?;

        let guest = issuer.service_accounts().issue(NewServiceAccount::new("acme", Expiry::Never)).await?;
        accounts.revoke(&guest.record.key().id, "the trial is over").await?;
        self.note("issued to a guest, and revoked: the trial is over");
        self.present("the guest's text", guest.text.expose()).await;

        self.show_uses(rotated.record.key()).await?;
        self.note(&format!("live of acme: {}", store.count_live(&acme, rotated.record.created_at()).await?));
        Ok(())
    }

    /// What the log says of a request that wants to read a secret.
    async fn present(&mut self, what: &str, text: &str) {
        let headers = [("authorization", format!("Bearer {text}"))];
        let answer = match self.gate.authenticate(&headers).await {
            Ok(caller) => match Resource::secrets("acme", "web", "prod", "/app/db") {
                Ok(secrets) => match self.gate.decide(&caller, Action::Read, &secrets).granted() {
                    Ok(permit) => format!("200, {permit}"),
                    Err(refusal) => format!("{}, {}", refusal.status(), refusal.reason().code()),
                },
                Err(invalid) => invalid.to_string(),
            },
            Err(refusal) => format!("{}, {}", refusal.status(), refusal.reason().code()),
        };
        self.note(&format!("{what}: {answer}"));
    }

    async fn show_uses(&mut self, key: CredentialKey) -> Result<(), Any> {
        // A service does this once a minute, and as it shuts down.
        self.recorder.flush().await?;
        let entry = self.store.read(key.kind, &key.id).await?.ok_or("it is gone")?;
        for number in 1..=entry.record.current().number {
            if let Some(at) = entry.uses.of(number) {
                self.note(&format!("secret {number} was last used at {at}"));
            }
        }
        Ok(())
    }

    fn note(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

/// The digest keys in a file that only this user reads. A real host loads its own, from where it keeps its secrets: whoever has
/// both this file and the database can check guesses.
fn digest_keys(path: &Path) -> Result<DigestKeys, Any> {
    if !path.exists() {
        let mut key = [0; 32];
        SystemRandom.fill(&mut key)?;
        keep(path, &format!("1:active:{}", STANDARD.encode(key)))?;
    }
    Ok(DigestKeys::parse(&fs::read_to_string(path)?)?)
}

fn keep(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[allow(dead_code, reason = "the tests take the lines and leave the terminal")]
#[tokio::main]
async fn main() -> Result<(), Any> {
    let show = async |title: &str, path: &Path| -> Result<(), Any> {
        println!("{title}");
        life(path, SystemClock::new()).await?.iter().for_each(|line| println!("    {line}"));
        Ok(())
    };
    match std::env::args_os().nth(1) {
        Some(path) => show("one life", path.as_ref()).await,
        None => {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("credentials.db");
            show("the first life", &path).await?;
            show("the second life", &path).await
        }
    }
}
