//! An audit log: every refusal and every decision is a line of JSON, with the host's own request id in it; and counts,
//! for an alarm to watch.
//!
//! `cargo run --example audit_log`
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::cell::Cell;
use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use keygate::{
    Action, Authenticator, Clock as _, Counter, Counts, DigestKey, DigestKeys, Event, Expiry, Issued, Issuer,
    Kind, Lifetime, ManualClock, MemoryStore, Network, NewApiKey, NewServiceToken, Observer, Refusal,
    Resource, Secret, SystemRandom, Timestamp,
};
use serde::Serialize;

type Any = Box<dyn Error>;

thread_local! {
    /// Which request this thread answers. Where a task may change threads it is a variable of the task, as of
    /// `tokio::task_local!`.
    static REQUEST: Cell<u32> = const { Cell::new(0) };
}

/// The observer. It must not block, so the lines go through a channel to somebody who may.
#[derive(Clone)]
struct AuditLog {
    lines: SyncSender<String>,
    /// What found no room: an answer does not wait for its log, and that lines are missing is known.
    lost: Arc<AtomicU64>,
    clock: ManualClock,
}

/// What the host adds to an event, or to a line of its own.
#[derive(Serialize)]
struct Line<T> {
    at: Timestamp,
    request: u32,
    #[serde(flatten)]
    what: T,
}

impl Observer for AuditLog {
    fn observe(&self, event: &Event<'_>) {
        self.write(event);
    }
}

impl AuditLog {
    fn write(&self, what: impl Serialize) {
        let line = Line { at: self.clock.now(), request: REQUEST.get(), what };
        if !serde_json::to_string(&line).is_ok_and(|line| self.lines.try_send(line).is_ok()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// There is one observer, and it may be several.
struct Both(AuditLog, Arc<Counter>);

impl Observer for Both {
    fn observe(&self, event: &Event<'_>) {
        self.0.observe(event);
        self.1.observe(event);
    }
}

/// A fault is the host's own, no caller can cause it and no retry heals it: somebody has to look.
#[derive(Default)]
struct Alarm {
    seen: u64,
}

impl Alarm {
    /// To be called every minute, say.
    fn look(&mut self, counts: Counts) -> Option<String> {
        let new = counts.faults.saturating_sub(std::mem::replace(&mut self.seen, counts.faults));
        (new > 0).then(|| format!("{new} fault: a record is damaged, or its digest key is gone"))
    }
}

struct Host {
    gate: Authenticator,
    log: AuditLog,
}

#[derive(Serialize)]
struct Answer {
    event: &'static str,
    status: u16,
}

impl Host {
    async fn answer(&self, request: &Request) -> u16 {
        let status = self.handle(request).await.map_or_else(|refusal| refusal.status(), |()| 200);
        // The gate does not hear what the host itself decides: whether a user may, or that there is no such page.
        self.log.write(Answer { event: "answer", status });
        status
    }

    async fn handle(&self, request: &Request) -> Result<(), Refusal> {
        let caller = self.gate.authenticate(&request.headers).await?;
        let wanted = &request.wanted;
        self.gate.decide(&caller, Action::Read, wanted).or_as_user(|user| user.as_str() == "u-17")?;
        Ok(())
    }
}

struct Request {
    headers: Vec<(&'static str, String)>,
    wanted: Resource<'static>,
}

/// What came of the requests.
pub(crate) struct Report {
    pub(crate) log: Vec<String>,
    pub(crate) lost: u64,
    pub(crate) counts: Counts,
    /// After which request an alarm was raised, and what it says.
    pub(crate) alarms: Vec<(u32, String)>,
    /// What was presented, to be looked for in the log.
    pub(crate) texts: Vec<Secret>,
}

/// Answers the requests of [`scene`], one a second.
pub(crate) async fn report() -> Result<Report, Any> {
    let clock = ManualClock::at(Timestamp::parse_rfc3339("2026-11-24T12:00:00Z")?);
    let (lines, received) = sync_channel(1_000);
    let log = AuditLog { lines, lost: Arc::default(), clock: clock.clone() };
    let (lost, counter) = (Arc::clone(&log.lost), Arc::new(Counter::new()));
    let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
    let gate = Authenticator::builder(store.clone(), keys.clone())
        .clock(clock.clone())
        .observer(Both(log.clone(), Arc::clone(&counter)))
        .build()?;
    let (requests, texts) = scene(&store, &keys, &clock).await?;

    let host = Host { gate, log };
    let (mut alarm, mut alarms) = (Alarm::default(), Vec::new());
    for (id, request) in (1..).zip(&requests) {
        REQUEST.set(id);
        host.answer(request).await;
        alarms.extend(alarm.look(counter.counts()).map(|text| (id, text)));
        clock.advance(Lifetime::seconds(1));
    }
    // With the last handle on the log, the channel ends. A real host has a thread that receives all the time.
    drop(host);
    let log = received.iter().collect();
    Ok(Report { log, lost: lost.load(Ordering::Relaxed), counts: counter.counts(), alarms, texts })
}

/// Requests of all kinds, and the secret texts in them.
async fn scene(
    store: &MemoryStore,
    keys: &DigestKeys,
    clock: &ManualClock,
) -> Result<(Vec<Request>, Vec<Secret>), Any> {
    let issuer = Issuer::builder(store.clone(), keys.clone()).clock(clock.clone()).build()?;
    let token = || -> Result<NewServiceToken, Any> {
        let scope = "read@web/prod:/app/**".parse()?;
        Ok(NewServiceToken::new("acme", "web", Lifetime::hours(8)).scope(scope))
    };
    let key = issuer.api_keys().issue(NewApiKey::new("u-17", Expiry::Never)).await?.text;
    let another = issuer.api_keys().issue(NewApiKey::new("u-18", Expiry::Never)).await?.text;
    let Issued { text: st, record, .. } = issuer.service_tokens().issue(token()?).await?;
    let wrong = keys.redraw(record.key(), &SystemRandom)?.text;
    let unknown = keys.draw(Kind::ServiceToken, &SystemRandom)?.text;
    let Issued { text: revoked, record, .. } = issuer.service_tokens().issue(token()?).await?;
    let tokens = issuer.service_tokens().owned_by(record.owner().clone());
    tokens.revoke(&record.key().id, "its build server was sold").await?;
    let from_inside = token()?.networks([Network::parse("10.0.0.0/8")?]);
    let bound = issuer.service_tokens().issue(from_inside).await?.text;
    // As after a rollout in which a digest key was dropped too early.
    let gone = DigestKeys::new([DigestKey::active(7, &[7; 32])?])?;
    let issuer = Issuer::builder(store.clone(), gone).clock(clock.clone()).build()?;
    let orphan = issuer.service_tokens().issue(token()?).await?.text;

    let bearer = |text: &Secret| vec![("authorization", format!("Bearer {}", text.expose()))];
    let api_key = |text: &Secret| vec![("x-api-key", text.expose().to_owned())];
    let cut_off = vec![("authorization", format!("Bearer {}", st.expose().get(..40).unwrap_or_default()))];
    let project = || Resource::project("acme", "web");
    let folder = || Resource::secrets("acme", "web", "prod", "/app/db");
    let requests = vec![
        Request { headers: bearer(&st), wanted: folder()? },
        Request { headers: bearer(&st), wanted: Resource::secrets("acme", "web", "prod", "/billing")? },
        Request { headers: api_key(&key), wanted: project()? },
        Request { headers: api_key(&another), wanted: project()? },
        Request { headers: api_key(&key), wanted: folder()? },
        Request { headers: vec![("accept", "*/*".to_owned())], wanted: folder()? },
        Request { headers: cut_off, wanted: folder()? },
        Request { headers: bearer(&wrong), wanted: folder()? },
        Request { headers: bearer(&unknown), wanted: folder()? },
        Request { headers: bearer(&revoked), wanted: folder()? },
        Request { headers: bearer(&bound), wanted: folder()? },
        Request { headers: bearer(&orphan), wanted: folder()? },
    ];
    Ok((requests, vec![key, another, st, wrong, unknown, revoked, bound, orphan]))
}

/// Whether a piece of this text's secret is in the log; kind and id, before the last dot, may be there.
pub(crate) fn leaks(log: &[String], text: &Secret) -> bool {
    let secret = text.expose().rsplit('.').next().unwrap_or_default().as_bytes();
    let pieces: HashSet<&[u8]> = secret.windows(8).collect();
    log.iter().any(|line| line.as_bytes().windows(8).any(|found| pieces.contains(found)))
}

#[allow(dead_code, reason = "the tests take the report and leave the terminal")]
fn main() -> Result<(), Any> {
    let Report { log, lost, counts, alarms, texts } = pollster::block_on(report())?;
    for line in &log {
        println!("{line}");
    }
    let leaked = texts.iter().filter(|text| leaks(&log, text)).count();
    println!(
        "\n{} lines, {lost} lost; {} texts were presented, {leaked} are in the log",
        log.len(),
        texts.len()
    );
    for (outcome, count) in [
        ("permitted", counts.permitted),
        ("as_user", counts.as_user),
        ("no_credential", counts.no_credential),
        ("bad_request", counts.bad_request),
        ("denied", counts.denied),
        ("forbidden", counts.forbidden),
        ("undecided", counts.undecided),
        ("  of them faults", counts.faults),
    ] {
        println!("{outcome:<16} {count:>2}");
    }
    for (request, text) in alarms {
        println!("ALARM after request {request}: {text}");
    }
    Ok(())
}
