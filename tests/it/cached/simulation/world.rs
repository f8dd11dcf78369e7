//! One schedule: replicas, what they are asked, and what becomes of it.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use keygate::{
    Authenticator, Caller, CredentialKey, DigestKeys, Drawn, Inserted, IssueError, Issued, Issuer, Kind,
    Notice, Overlap, Owner, Record, Refusal, Revocation, Rights, Scope, ServiceAccountGrant, StoreError,
    Timestamp, Validity,
};

use super::model::{Acknowledged, Call, Counts, Facts, Forgotten, Instant, check, version_shown};
use super::network::{Authority, Feed, Heard, Line, ReplicaClock, Time, Version, Wire};
use super::replica::{Bounds, Replica, Work};
use crate::support::fixtures::NOW;
use crate::support::random::{Random, SeededSource};

const STEPS: usize = 60;
const ORGANIZATIONS: [&str; 2] = ["acme", "globex"];

static KEYS: LazyLock<DigestKeys> = LazyLock::new(|| DigestKeys::generate(&SeededSource::new(1)).unwrap());
static WIDE: LazyLock<Scope> = LazyLock::new(|| "*@web/prod:/**".parse().unwrap());
static NARROW: LazyLock<Scope> = LazyLock::new(|| "read@web/prod:/app/**".parse().unwrap());

pub(super) struct World<R> {
    random: Random,
    time: Time,
    bounds: Bounds,
    authority: Arc<Authority>,
    nodes: Vec<Node<R>>,
    credentials: Vec<Credential>,
    tasks: Vec<Task>,
    facts: Facts,
    /// Counts what happens, so that before and after are known also within a millisecond.
    event: u64,
}

struct Node<R> {
    replica: R,
    gate: Authenticator,
    issuer: Issuer,
    wire: Wire,
    line: Arc<Line>,
    follows: Option<(Work<()>, Arc<Woken>)>,
    ever_followed: bool,
}

/// A credential, and the texts that its holder got, by the number of the secret.
struct Credential {
    key: CredentialKey,
    organization: &'static str,
    first: Arc<Record>,
    texts: Vec<(u32, String)>,
}

impl Credential {
    fn draw(random: &mut Random) -> Self {
        let Drawn { key, text, digest, .. } =
            KEYS.draw(Kind::ServiceAccount, &SeededSource::new(random.number())).unwrap();
        let ends =
            random.one_in(3).then(|| Timestamp::from_unix(NOW.as_unix() + 5 + i64::from(random.byte() % 30)));
        let validity = Validity::new(None, ends).unwrap();
        let organization = random.pick(&ORGANIZATIONS);
        let grant = ServiceAccountGrant::new(Rights::new(organization, [WIDE.clone()]).unwrap());
        // From 1 on, so that 0 is that there is none.
        let first =
            Record::builder(key.id, grant, digest, NOW).validity(validity).version(1).build().unwrap();
        let texts = vec![(first.current().number, text.expose().to_owned())];
        Self { key, organization, first: Arc::new(first), texts }
    }
}

struct Task {
    what: What,
    replica: usize,
    work: Work<Done>,
    woken: Arc<Woken>,
}

#[derive(Clone, Copy)]
enum What {
    Verify(Call),
    Issue {
        credential: usize,
    },
    Edit {
        edit: Edit,
        key: CredentialKey,
        from: u64,
    },
    /// Of an organization, as an event of the schedule.
    RevokeOwned {
        organization: &'static str,
        began: u64,
    },
    Purge,
}

#[derive(Clone, Copy)]
enum Edit {
    Revoke,
    Disable(bool),
    Narrow(bool),
    Rotate,
}

enum Done {
    Answer(Result<Caller, Refusal>),
    Inserted(Result<Inserted, StoreError>),
    Rotated(Result<Issued, IssueError>),
    Edited(Result<(), IssueError>),
    /// How many.
    Cleared(Result<u64, IssueError>),
}

/// What an answer tells of the version that it was given from.
#[derive(Debug)]
struct Shown {
    version: u64,
    accepted: bool,
}

/// Whether a task was woken: one that is not is not polled, so a lost wake-up is found.
struct Woken(AtomicBool);

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn poll_if_woken<T>(work: &mut Work<T>, woken: &Arc<Woken>) -> Option<Poll<T>> {
    let is_woken = woken.0.swap(false, Ordering::Relaxed);
    is_woken.then(|| work.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(woken)))))
}

impl Edit {
    fn is_done_in(self, record: &Record) -> bool {
        match self {
            Self::Revoke => record.revocation().is_some(),
            Self::Disable(disabled) => record.is_disabled() == disabled,
            Self::Narrow(narrow) => {
                let scope = if narrow { &*NARROW } else { &*WIDE };
                record.grant().rights().is_some_and(|rights| rights.scopes().iter().eq([scope]))
            }
            Self::Rotate => false,
        }
    }
}

impl<R: Replica> World<R> {
    pub(super) fn new(build: &impl Fn(Wire, ReplicaClock, Bounds) -> R, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let (time, authority) = (Time::default(), Arc::new(Authority::default()));
        let bounds = Bounds {
            staleness: random.pick(&[5_000, 5_000, 2_000, 0]),
            without_feed: random.pick(&[1_000, 1_000, 300, 0]),
            absence: random.pick(&[1_000, 200, 0]),
            silence: random.pick(&[10_000, 2_500]),
        };
        let nodes = (0..2 + random.below(3)).map(|_| {
            let wire = Wire::new(&authority, random.number());
            let clock =
                ReplicaClock { time: time.clone(), began: Duration::from_millis(random.number() >> 24) };
            let replica = build(wire.clone(), clock.clone(), bounds);
            let line = Arc::<Line>::default();
            authority.connect(&line);
            let source = SeededSource::new(random.number());
            Node {
                gate: Authenticator::builder(replica.clone(), KEYS.clone())
                    .clock(clock.clone())
                    .build()
                    .unwrap(),
                issuer: Issuer::builder(replica.clone(), KEYS.clone())
                    .clock(clock)
                    .random(source)
                    .build()
                    .unwrap(),
                replica,
                wire,
                line,
                follows: None,
                ever_followed: false,
            }
        });
        let nodes = nodes.collect();
        let credentials = (0..3).map(|_| Credential::draw(&mut random)).collect();
        Self {
            random,
            time,
            bounds,
            authority,
            nodes,
            credentials,
            tasks: Vec::new(),
            facts: Facts::default(),
            event: 0,
        }
    }

    pub(super) fn run(mut self, counts: &mut Counts) -> Result<(), String> {
        self.issue(0);
        self.issue(1);
        for _ in 0..STEPS {
            self.poll(counts)?;
            self.step(counts)?;
        }
        self.end(counts)
    }

    fn step(&mut self, counts: &mut Counts) -> Result<(), String> {
        let replica = self.random.below(self.nodes.len());
        let which = self.random.below(1_000);
        let node = &self.nodes[replica];
        match self.random.below(100) {
            0..32 => self.verify(replica, counts),
            32 => self.revoke_owned(replica),
            33 => self.purge(replica),
            34..39 => self.issue(replica),
            39..49 => self.edit(replica),
            49..51 => self.change_past_it(replica),
            51..64 => self.pass_time(),
            64..74 => drop(node.wire.resume(which)),
            74..76 => node.wire.cut(true),
            76..78 => node.wire.cut(false),
            78..80 => self.give_up(counts),
            80..82 => self.authority.commit_late(),
            82..86 => node.line.deliver(which, self.random.one_in(4)),
            86 => node.line.lose(which),
            87..90 => node.line.tell(Notice::Alive),
            90 => node.line.tell(Notice::ManyChanged),
            91 => node.line.break_off(),
            92 => node.line.cut(self.random.one_in(2)),
            93..97 => self.follow(replica),
            97 => self.nodes[replica].follows = None,
            _ => return self.probe(replica, counts),
        }
        Ok(())
    }

    fn start(&mut self, what: What, replica: usize, work: Work<Done>) {
        self.tasks.push(Task { what, replica, work, woken: Woken::new() });
    }

    /// A credential that was issued, and what it is.
    fn pick_issued(&mut self) -> Option<Arc<Record>> {
        let at = self.random.below(self.credentials.len());
        self.authority.latest(&self.credentials[at].key)?.record
    }

    fn verify(&mut self, replica: usize, counts: &mut Counts) {
        let at = self.random.below(self.credentials.len());
        let old = self.random.one_in(5);
        self.verify_that(replica, at, old, counts);
    }

    fn verify_that(&mut self, replica: usize, credential: usize, old: bool, counts: &mut Counts) {
        let Credential { key, texts, .. } = &self.credentials[credential];
        let (secret, text) = if old { &texts[0] } else { &texts[texts.len() - 1] };
        self.event += 1;
        let (key, secret, began_at) = (*key, *secret, self.time.now());
        let call = Call { replica, key, secret, began_at, event: self.event };
        let node = &self.nodes[replica];
        let answer = node.replica.authenticate(node.gate.clone(), key, text.clone());
        let mut work: Work<Done> = Box::pin(async move { Done::Answer(answer.await) });
        // Begun at once: it is from here that no answer may be older.
        let (finds, woken) = (node.wire.finds(), Woken::new());
        let first = poll_if_woken(&mut work, &woken);
        let asked = node.wire.finds() > finds;
        match first {
            Some(Poll::Ready(done)) => {
                counts.hits += u64::from(!asked && matches!(done, Done::Answer(Ok(_))));
                work = Box::pin(async move { done });
                woken.0.store(true, Ordering::Relaxed);
            }
            _ => counts.shared_fetches += u64::from(!asked),
        }
        self.tasks.push(Task { what: What::Verify(call), replica, work, woken });
    }

    /// As an issuer does; the texts are known before, so that they can be presented before.
    fn issue(&mut self, replica: usize) {
        let at = self.random.below(self.credentials.len());
        let record = Arc::clone(&self.credentials[at].first);
        let store = self.nodes[replica].replica.clone();
        let work = async move { Done::Inserted(store.insert(&record).await) };
        self.start(What::Issue { credential: at }, replica, Box::pin(work));
    }

    fn edit(&mut self, replica: usize) {
        let Some(before) = self.pick_issued() else { return };
        let (key, from) = (before.key(), before.version());
        let edit = match self.random.below(10) {
            0 => Edit::Revoke,
            1..=4 => Edit::Disable(self.random.one_in(3)),
            5..=7 => Edit::Narrow(self.random.one_in(2)),
            _ => Edit::Rotate,
        };
        let issuer = self.nodes[replica].issuer.clone();
        let work = async move {
            let accounts = issuer.service_accounts().owned_by(before.owner().clone());
            match edit {
                Edit::Revoke => Done::Edited(accounts.revoke(&key.id, "leaked").await),
                Edit::Disable(true) => Done::Edited(accounts.disable(&key.id).await),
                Edit::Disable(false) => Done::Edited(accounts.enable(&key.id).await),
                Edit::Narrow(narrow) => {
                    let scope = if narrow { NARROW.clone() } else { WIDE.clone() };
                    Done::Edited(accounts.set_scopes(&key.id, [scope]).await)
                }
                Edit::Rotate => Done::Rotated(accounts.rotate(&key.id, Overlap::NONE).await),
            }
        };
        self.start(What::Edit { edit, key, from }, replica, Box::pin(work));
    }

    fn revoke_owned(&mut self, replica: usize) {
        let organization = self.random.pick(&ORGANIZATIONS);
        self.event += 1;
        let issuer = self.nodes[replica].issuer.clone();
        let work = async move {
            let owner = Owner::organization(organization).unwrap();
            Done::Cleared(issuer.revoke_owned(&owner, "closed").await)
        };
        self.start(What::RevokeOwned { organization, began: self.event }, replica, Box::pin(work));
    }

    fn purge(&mut self, replica: usize) {
        let (issuer, before) = (self.nodes[replica].issuer.clone(), self.time.of_day());
        let work = async move { Done::Cleared(issuer.purge(before, 10).await) };
        self.start(What::Purge, replica, Box::pin(work));
    }

    /// The host changes a record past the cache, and tells it.
    fn change_past_it(&mut self, replica: usize) {
        let Some(seen) = self.pick_issued().filter(|seen| seen.revocation().is_none()) else { return };
        let key = seen.key();
        let builder = match self.random.below(3) {
            0 => seen.to_builder().revoked(Revocation::new(self.time.of_day(), "by hand")),
            _ => seen.to_builder().disabled(!seen.is_disabled()),
        };
        let record = Arc::new(builder.version(seen.version() + 1).build().unwrap());
        let _updated = self.authority.update(seen.version(), &record);
        self.nodes[replica].replica.forget(&key);
        self.acknowledge(replica, key, record.version());
    }

    fn acknowledge(&mut self, by: usize, key: CredentialKey, version: u64) {
        self.event += 1;
        self.facts.acknowledged.push(Acknowledged {
            key,
            version,
            by,
            at: self.time.now(),
            event: self.event,
        });
    }

    fn pass_time(&mut self) {
        let Bounds { staleness, without_feed, absence, silence } = self.bounds;
        let at_a_bound = self.random.pick(&[staleness, without_feed, absence, silence]);
        self.time.advance(match self.random.below(4) {
            0 => 1,
            1 => at_a_bound,
            2 => at_a_bound + 1,
            _ => self.random.number() % (3 * staleness).max(500),
        });
    }

    /// Somebody does not wait any longer.
    fn give_up(&mut self, counts: &mut Counts) {
        if !self.tasks.is_empty() {
            let at = self.random.below(self.tasks.len());
            drop(self.tasks.swap_remove(at));
            counts.given_up += 1;
        }
    }

    fn follow(&mut self, replica: usize) {
        let node = &mut self.nodes[replica];
        if node.follows.is_none() {
            let feed = Feed::new(&node.line, &self.time, self.bounds.silence);
            node.follows = Some((node.replica.listen(feed), Woken::new()));
            node.ever_followed = true;
        }
    }

    fn is_deaf(&self, node: &Node<R>) -> bool {
        let heard_at = node.follows.as_ref().and_then(|_| node.line.heard_at());
        node.ever_followed && heard_at.is_none_or(|heard_at| self.time.now() - heard_at > self.bounds.silence)
    }

    /// Until nobody is woken any more.
    fn poll(&mut self, counts: &mut Counts) -> Result<(), String> {
        loop {
            let mut moved = false;
            for (replica, node) in self.nodes.iter_mut().enumerate() {
                if let Some((work, woken)) = &mut node.follows
                    && let Some(polled) = poll_if_woken(work, woken)
                {
                    moved = true;
                    if polled.is_ready() {
                        node.follows = None;
                        counts.feeds_broken_off += 1;
                    }
                    for heard in node.line.take_heard() {
                        counts.notices_heard += u64::from(!matches!(heard, Heard::Return));
                        let key = match heard {
                            Heard::Nothing => continue,
                            Heard::One(key) => Some(key),
                            Heard::All | Heard::Return => None,
                        };
                        let on_return = matches!(heard, Heard::Return);
                        self.event += 1;
                        self.facts.forgotten.push(Forgotten {
                            by: replica,
                            key,
                            on_return,
                            event: self.event,
                        });
                    }
                }
            }
            let mut at = 0;
            while at < self.tasks.len() {
                let task = &mut self.tasks[at];
                match poll_if_woken(&mut task.work, &task.woken) {
                    Some(Poll::Ready(done)) => {
                        let Task { what, replica, work, .. } = self.tasks.swap_remove(at);
                        drop(work);
                        self.settle(what, replica, done, counts)?;
                        moved = true;
                    }
                    Some(Poll::Pending) => moved = true,
                    None => at += 1,
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn settle(&mut self, what: What, replica: usize, done: Done, counts: &mut Counts) -> Result<(), String> {
        match (what, done) {
            (What::Verify(call), Done::Answer(answer)) => self.judge(&call, &answer, counts).map(drop),
            // Also where the id was taken: by an insertion whose answer was lost.
            (What::Issue { credential }, Done::Inserted(Ok(_))) => {
                let first = &self.credentials[credential].first;
                self.acknowledge(replica, first.key(), first.version());
                Ok(())
            }
            (What::Edit { key, .. }, Done::Rotated(Ok(Issued { text, record, .. }))) => {
                let credential =
                    self.credentials.iter_mut().find(|credential| credential.key == key).unwrap();
                credential.texts.push((record.current().number, text.expose().to_owned()));
                self.acknowledge(replica, key, record.version());
                counts.overtaken_fetches += self.overtaken(&key);
                Ok(())
            }
            (What::Edit { edit, key, from }, Done::Edited(Ok(()))) => {
                let version = {
                    let history = self.authority.history.lock().unwrap();
                    let records = history[&key].iter().filter_map(|version| version.record.as_ref());
                    let mut since = records.filter(|record| record.version() >= from);
                    since.find(|record| edit.is_done_in(record)).map(|record| record.version())
                };
                let version = version.ok_or("acknowledged, and it was never done")?;
                counts.acknowledged += 1;
                counts.acknowledged_without_a_write += u64::from(version == from);
                counts.overtaken_fetches += self.overtaken(&key);
                self.acknowledge(replica, key, version);
                Ok(())
            }
            (What::RevokeOwned { organization, began }, Done::Cleared(Ok(_))) => {
                self.settle_revoke_owned(replica, organization, began, counts)
            }
            (What::Purge, Done::Cleared(Ok(_))) => {
                for (key, versions) in self.histories() {
                    if let Some(purged) = versions.last().filter(|version| version.record.is_none()) {
                        counts.purged += 1;
                        self.acknowledge(replica, key, purged.number);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// All that was acknowledged before is revoked; and whatever is, this replica says so from now on.
    fn settle_revoke_owned(
        &mut self,
        replica: usize,
        organization: &str,
        began: u64,
        counts: &mut Counts,
    ) -> Result<(), String> {
        for (key, versions) in self.histories() {
            let is_revoked = |record: &&Arc<Record>| record.revocation().is_some();
            let mut records = versions.iter().filter_map(|version| version.record.as_ref());
            if !self.credentials.iter().any(|known| known.key == key && known.organization == organization) {
                continue;
            }
            let mut known = self.facts.acknowledged.iter();
            match records.find(is_revoked) {
                Some(revoked) => {
                    counts.revoked_by_owner += 1;
                    self.acknowledge(replica, key, revoked.version());
                }
                // It had ended, and was purged.
                None if versions.iter().any(|version| version.record.is_none()) => {}
                None if known.any(|fact| fact.key == key && fact.event < began) => {
                    return Err("all of an owner's were revoked, but for one".into());
                }
                None => {}
            }
        }
        Ok(())
    }

    fn histories(&self) -> Vec<(CredentialKey, Vec<Version>)> {
        let history = self.authority.history.lock().unwrap();
        let keys = self.credentials.iter().map(|credential| credential.key);
        keys.filter_map(|key| Some((key, history.get(&key)?.clone()))).collect()
    }

    fn overtaken(&self, key: &CredentialKey) -> u64 {
        let paused = self.nodes.iter().map(|node| node.wire.paused_with_answer(key)).sum::<usize>();
        paused.try_into().unwrap()
    }

    /// Checks an answer; the version that it was given from.
    fn judge(
        &self,
        call: &Call,
        answer: &Result<Caller, Refusal>,
        counts: &mut Counts,
    ) -> Result<Option<u64>, String> {
        let deaf = self.is_deaf(&self.nodes[call.replica]);
        let instant = Instant { now: self.time.now(), time_of_day: self.time.of_day(), deaf };
        let history = self.authority.history.lock().unwrap();
        let versions: &[Version] = history.get(&call.key).map_or(&[], Vec::as_slice);
        let shown = version_shown(call, answer, versions, instant.time_of_day)?;
        counts.answers_without_feed += u64::from(deaf);
        match (answer, shown) {
            (_, None) => counts.undecided += 1,
            (Ok(_), _) => counts.accepted += 1,
            (Err(_), _) => counts.denied += 1,
        }
        let Some(shown) = shown else {
            let source = answer.as_ref().err().and_then(|refusal| refusal.source()?.source());
            let is_late =
                source.is_some_and(|source| source.to_string().contains("later than max_staleness"));
            counts.too_late += u64::from(is_late);
            return Ok(None);
        };
        let latest = versions.last().map(|version| version.number);
        counts.behind_within_the_bound += u64::from(latest > Some(shown));
        let forgotten = self.facts.forgotten_before(call);
        counts.answers_after_a_return += u64::from(forgotten.is_some_and(|forgotten| forgotten.on_return));
        check(call, shown, &self.facts, self.bounds, instant)?;
        Ok(Some(shown))
    }

    /// The authority answers again: so does this replica, at once, whatever failed before.
    fn probe(&mut self, replica: usize, counts: &mut Counts) -> Result<(), String> {
        self.calm(replica, counts)?;
        for credential in 0..self.credentials.len() {
            self.ask_at_once(replica, credential, counts)?;
        }
        self.nodes[replica].wire.calm(false);
        Ok(())
    }

    fn calm(&mut self, replica: usize, counts: &mut Counts) -> Result<(), String> {
        self.nodes[replica].wire.calm(true);
        loop {
            self.poll(counts)?;
            if !self.nodes[replica].wire.resume(0) {
                return Ok(());
            }
        }
    }

    fn ask_at_once(
        &mut self,
        replica: usize,
        credential: usize,
        counts: &mut Counts,
    ) -> Result<Shown, String> {
        counts.probes += 1;
        self.verify_that(replica, credential, false, counts);
        let Task { what, mut work, woken, .. } = self.tasks.pop().unwrap();
        let (What::Verify(call), Some(Poll::Ready(Done::Answer(answer)))) =
            (what, poll_if_woken(&mut work, &woken))
        else {
            return Err("no answer from an authority that is there".into());
        };
        match self.judge(&call, &answer, counts)? {
            Some(version) => Ok(Shown { version, accepted: answer.is_ok() }),
            None => Err(format!("undecided, though the authority is there: {answer:?}")),
        }
    }

    /// All that is broken heals: every call ends, and once the bound has passed every replica knows the truth.
    fn end(mut self, counts: &mut Counts) -> Result<(), String> {
        for replica in 0..self.nodes.len() {
            self.nodes[replica].line.cut(false);
            self.calm(replica, counts)?;
        }
        self.poll(counts)?;
        if let Some(task) = self.tasks.first() {
            return Err(format!("a call of replica {} never ends", task.replica));
        }
        for replica in 0..self.nodes.len() {
            self.probe(replica, counts)?;
            self.nodes[replica].wire.calm(true);
        }
        self.time.advance(self.bounds.staleness + 1);
        for replica in 0..self.nodes.len() {
            for credential in 0..self.credentials.len() {
                let shown = self.ask_at_once(replica, credential, counts)?;
                let latest = self.authority.latest(&self.credentials[credential].key);
                let is_latest = Some(shown.version) == latest.as_ref().map(|version| version.number);
                if (shown.accepted || shown.version == 0 && latest.is_some()) && !is_latest {
                    return Err(format!("{shown:?} after the bound, the truth is {latest:?}"));
                }
            }
        }
        Ok(())
    }
}
