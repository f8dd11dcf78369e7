//! A service of two processes rolls its digest keys over, from key 1 to key 2, and no valid credential is refused on the
//! way; then what becomes of one where a step is skipped.
//!
//! `cargo run --example key_rollout`
#![allow(clippy::print_stdout, reason = "a command prints")]
#![allow(clippy::arithmetic_side_effects, reason = "it counts its own requests")]

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::{
    Authenticator, Clock as _, CredentialId, DigestKeys, Expiry, IssueError, Issued, Issuer, Kind, Lifetime,
    Lookup, ManualClock, MemoryStore, NewServiceAccount, Overlap, Owner, RandomSource as _, Record, Secret,
    SlotCount, StoreError, SystemRandom, Timestamp, UseRecorder,
};

type Any = Box<dyn Error>;

/// One line of the first table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) what: &'static str,
    /// The rings of A and of B, as configured, without the keys.
    pub(crate) rings: [String; 2],
    /// How many stored digests need key 1, and key 2.
    pub(crate) digests: [u64; 2],
    /// How many texts have a guard of key 1, and of key 2.
    pub(crate) guards: [u64; 2],
    /// Every valid text was presented to A and to B: how often it was granted, and how often refused.
    pub(crate) granted: u32,
    pub(crate) refused: u32,
}

/// The rollout, a day a step.
pub(crate) async fn rollout() -> Result<Vec<Step>, Any> {
    let configs = Configs::new()?;
    let mut service = Service::start(&configs.first)?;
    let revoked = service.a.issuer.service_accounts().issue(account()).await?.record.key().id;
    let accounts = service.a.issuer.service_accounts().owned_by(Owner::organization("acme")?);
    accounts.revoke(&revoked, "its machine is gone").await?;
    let mut steps = vec![service.day("both begin with key 1").await?];

    // In all processes before one of them makes a digest with it.
    service.a.restart(&configs.added)?;
    steps.push(service.day("A adds key 2").await?);
    service.b.restart(&configs.added)?;
    steps.push(service.day("B adds key 2").await?);
    service.a.restart(&configs.activated)?;
    steps.push(service.day("A makes key 2 active").await?);
    service.b.restart(&configs.activated)?;
    steps.push(service.day("B makes key 2 active").await?);

    // Not earlier: a process in which key 1 is still active would bring digests back to that.
    service.a.restart(&configs.upgrading)?;
    steps.push(service.day("A upgrades digests").await?);
    service.b.restart(&configs.upgrading)?;
    steps.push(service.day("B upgrades digests").await?);

    // What nobody presents is not upgraded: its owner uses or rotates it, or it is revoked and purged, as here.
    service.a.issuer.purge(service.clock.now(), 1_000).await?;
    steps.push(service.day("what was revoked is purged").await?);
    if service.needs(1).await?.digests != 0 {
        return Err("digests need key 1: not yet".into());
    }
    service.a.restart(&configs.guarding)?;
    steps.push(service.day("A keeps key 1 as guard only").await?);
    service.b.restart(&configs.guarding)?;
    steps.push(service.day("B keeps key 1 as guard only").await?);

    // A guard is inside the text: only another text changes it. Most texts end by themselves; these never do.
    service.rotate_guarded_by(1, Overlap::hours(24)).await?;
    steps.push(service.day("old texts are rotated").await?);
    steps.push(service.day("their overlap is over").await?);
    if service.needs(1).await?.guards != 0 {
        return Err("texts need key 1: not yet".into());
    }
    service.a.restart(&configs.last)?;
    steps.push(service.day("A drops key 1").await?);
    service.b.restart(&configs.last)?;
    steps.push(service.day("B drops key 1").await?);
    Ok(steps)
}

/// What a process is configured with, in the order of a rollout.
struct Configs {
    first: Config,
    added: Config,
    activated: Config,
    upgrading: Config,
    guarding: Config,
    last: Config,
}

struct Config {
    ring: String,
    upgrades_digests: bool,
}

impl Configs {
    fn new() -> Result<Self, Any> {
        let (old, new) = (new_key()?, new_key()?);
        let config = |ring, upgrades_digests| Config { ring, upgrades_digests };
        let first = format!("1:active:{old}");
        let activated = format!("1:{old},2:active:{new}");
        // Derived from key 1, and printed for the configuration: it makes no digests, so key 1 itself may be destroyed.
        let guard = DigestKeys::parse(&first)?.guard_only_text(1)?;
        Ok(Self {
            added: config(format!("1:active:{old},2:{new}"), false),
            upgrading: config(activated.clone(), true),
            guarding: config(format!("{},2:active:{new}", guard.expose()), false),
            last: config(format!("2:active:{new}"), false),
            first: config(first, false),
            activated: config(activated, false),
        })
    }
}

/// As `openssl rand -base64 32` prints one.
fn new_key() -> Result<String, Any> {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

impl Config {
    /// The ring without its keys: `1, 2:active`.
    fn shown(&self) -> String {
        let slots = self.ring.split(',').filter_map(|entry| Some(entry.rsplit_once(':')?.0));
        slots.collect::<Vec<_>>().join(", ")
    }
}

/// One process. Nothing in it changes its keys: it restarts with others.
struct Process {
    means: Means,
    ring: String,
    gate: Authenticator,
    issuer: Issuer,
    recorder: UseRecorder,
}

#[derive(Clone)]
struct Means {
    store: MemoryStore,
    lookup: Arc<dyn Lookup>,
    clock: ManualClock,
}

impl Process {
    fn start(means: Means, config: &Config) -> Result<Self, Any> {
        let keys = DigestKeys::parse(&config.ring)?;
        let Means { store, lookup, clock } = means.clone();
        let recorder = UseRecorder::builder(store.clone()).clock(clock.clone());
        let recorder = if config.upgrades_digests { recorder.upgrade_digests() } else { recorder }.build()?;
        let gate = Authenticator::builder(lookup, keys.clone())
            .clock(clock.clone())
            .use_recorder(recorder.clone())
            .build()?;
        let issuer = Issuer::builder(store, keys).clock(clock).build()?;
        Ok(Self { means, ring: config.shown(), gate, issuer, recorder })
    }

    fn restart(&mut self, config: &Config) -> Result<(), Any> {
        *self = Self::start(self.means.clone(), config)?;
        Ok(())
    }

    /// The status of the answer, and `granted` or the reason's code.
    async fn answer(&self, text: &Secret) -> (u16, &'static str) {
        match self.gate.authenticate([("authorization", format!("Bearer {}", text.expose()))]).await {
            Ok(_) => (200, "granted"),
            Err(refusal) => (refusal.status(), refusal.reason().code()),
        }
    }
}

/// As if each request went to a database: then the guard is checked before.
struct Asked(MemoryStore);

#[async_trait]
impl Lookup for Asked {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.0.find(kind, id).await
    }
}

struct Service {
    /// It has the records in memory.
    a: Process,
    /// It asks for them.
    b: Process,
    clock: ManualClock,
    /// What is out there.
    texts: Vec<Text>,
}

struct Text {
    issued: Issued,
    /// The end of the overlap, once another text took its place.
    ends_at: Option<Timestamp>,
}

impl Service {
    fn start(config: &Config) -> Result<Self, Any> {
        let clock = ManualClock::at(Timestamp::parse_rfc3339("2026-11-24T12:00:00Z")?);
        let store = MemoryStore::new();
        let means = |lookup| Means { store: store.clone(), lookup, clock: clock.clone() };
        let a = Process::start(means(Arc::new(store.clone())), config)?;
        let b = Process::start(means(Arc::new(Asked(store.clone()))), config)?;
        Ok(Self { a, b, clock, texts: Vec::new() })
    }

    /// A day of traffic: A and B issue a text each, and every valid text is presented to both.
    async fn day(&mut self, what: &'static str) -> Result<Step, Any> {
        let now = self.clock.now();
        self.texts.retain(|text| text.ends_at.is_none_or(|end| now < end));
        for process in [&self.a, &self.b] {
            let issued = process.issuer.service_accounts().issue(account()).await?;
            self.texts.push(Text { issued, ends_at: None });
        }
        let (mut granted, mut refused) = (0, 0);
        for process in [&self.a, &self.b] {
            for text in &self.texts {
                match process.answer(&text.issued.text).await {
                    (200, _) => granted += 1,
                    _ => refused += 1,
                }
            }
            process.recorder.flush().await?;
        }
        let (one, two) = (self.needs(1).await?, self.needs(2).await?);
        self.clock.advance(Lifetime::days(1));
        Ok(Step {
            what,
            rings: [self.a.ring.clone(), self.b.ring.clone()],
            digests: [one.digests, two.digests],
            guards: [one.guards, two.guards],
            granted,
            refused,
        })
    }

    /// What needs the key of a slot.
    async fn needs(&self, slot: u8) -> Result<SlotCount, IssueError> {
        let counts = self.a.issuer.count_slots().await?;
        let found = counts.into_iter().find(|count| count.slot == slot);
        Ok(found.unwrap_or(SlotCount { slot, digests: 0, guards: 0 }))
    }

    /// Rotates every account whose text has a guard of this slot's key.
    async fn rotate_guarded_by(&mut self, slot: u8, overlap: Overlap) -> Result<(), Any> {
        let accounts = self.a.issuer.service_accounts().owned_by(Owner::organization("acme")?);
        // One page; where it is full, the next one begins behind its last id.
        for entry in accounts.list(None, 1_000).await? {
            if entry.record.current().digest.guard_slot() != Some(slot) {
                continue;
            }
            let id = entry.record.key().id;
            let issued = accounts.rotate(&id, overlap).await?;
            let ends_at = issued.record.retiring().map(|retiring| retiring.ends_at);
            for old in self.texts.iter_mut().filter(|old| old.issued.record.key().id == id) {
                old.ends_at = ends_at;
            }
            self.texts.push(Text { issued, ends_at: None });
        }
        Ok(())
    }
}

fn account() -> NewServiceAccount {
    NewServiceAccount::new("acme", Expiry::Never)
}

/// One line of the second table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) what: &'static str,
    /// The ring of the process that a valid credential is presented to.
    pub(crate) ring: String,
    /// What becomes of it where the record is in memory, and where it is asked for.
    pub(crate) answers: [(u16, &'static str); 2],
}

/// Rings that came too early.
pub(crate) async fn mistakes() -> Result<Vec<Mistake>, Any> {
    let Configs { first, activated, upgrading, guarding, last, .. } = Configs::new()?;
    let mut found = Vec::new();
    for (what, before, then) in [
        ("key 2 is active elsewhere, and was not added", [&activated, &activated], &first),
        ("key 1 is guard only, and digests need it", [&first, &activated], &guarding),
        ("key 1 is dropped, and digests need it", [&first, &activated], &last),
        ("key 1 is dropped, and guards need it", [&first, &upgrading], &last),
    ] {
        let [issuing, using] = before;
        let mut service = Service::start(issuing)?;
        let issued = service.a.issuer.service_accounts().issue(account()).await?;
        service.a.restart(using)?;
        // Its digest is upgraded by being used, where the process is to do that.
        service.a.answer(&issued.text).await;
        service.a.recorder.flush().await?;
        service.a.restart(then)?;
        service.b.restart(then)?;
        let answers = [service.a.answer(&issued.text).await, service.b.answer(&issued.text).await];
        found.push(Mistake { what, ring: then.shown(), answers });
    }
    Ok(found)
}

#[allow(dead_code, reason = "the tests take the rows and leave the tables")]
fn main() -> Result<(), Any> {
    println!("{:63} {:>13} {:>13} {:>15}", "", "digests of", "guards of", "requests");
    println!(
        "{:<27} {:<17} {:<17} key 1  key 2 key 1  key 2 granted refused",
        "step", "ring of A", "ring of B"
    );
    for step in pollster::block_on(rollout())? {
        let [a, b] = step.rings;
        print!("{:<27} {a:<17} {b:<17}", step.what);
        for [key_1, key_2] in [step.digests, step.guards] {
            print!(" {key_1:>5} {key_2:>6}");
        }
        println!(" {:>7} {:>7}", step.granted, step.refused);
    }
    println!("\nWhat becomes of a valid credential where a step was skipped:");
    println!("{:<44} {:<17} {:<24} record asked for", "mistake", "ring", "record in memory");
    for Mistake { what, ring, answers } in pollster::block_on(mistakes())? {
        let [in_memory, asked_for] = answers.map(|(status, code)| format!("{status} {code}"));
        println!("{what:<44} {ring:<17} {in_memory:<24} {asked_for}");
    }
    Ok(())
}
