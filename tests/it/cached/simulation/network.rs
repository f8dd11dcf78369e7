//! One authority, the wires that replicas reach it by, and the lines of their change feeds: all scripted.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use keygate::{
    ChangeFeed, Clock, CredentialId, CredentialKey, Entry, Inserted, Kind, Lookup, MemoryStore, Notice,
    Owner, Record, Revocation, Store, StoreError, Timestamp, Updated,
};

use super::replica::the_rest_of_a_store;
use crate::support::fixtures::NOW;
use crate::support::random::Random;

/// Milliseconds since the schedule began, for all replicas.
#[derive(Clone, Debug, Default)]
pub(super) struct Time(Arc<AtomicU64>);

impl Time {
    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(super) fn of_day(&self) -> Timestamp {
        Timestamp::from_unix(NOW.as_unix() + i64::try_from(self.now() / 1_000).unwrap())
    }
}

/// A replica's clocks: its monotonic time has a beginning of its own.
#[derive(Clone, Debug)]
pub(super) struct ReplicaClock {
    pub(super) time: Time,
    pub(super) began: Duration,
}

impl Clock for ReplicaClock {
    fn now(&self) -> Timestamp {
        self.time.of_day()
    }

    fn monotonic(&self) -> Duration {
        self.began + Duration::from_millis(self.time.now())
    }
}

/// What a credential was at one time.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// The record's; one more than its last where it was purged.
    pub(super) number: u64,
    /// None: it was purged.
    pub(super) record: Option<Arc<Record>>,
}

/// The truth, and each version that it ever had.
#[derive(Default)]
pub(super) struct Authority {
    pub(super) store: MemoryStore,
    pub(super) history: Mutex<HashMap<CredentialKey, Vec<Version>>>,
    /// Writes whose sender was told that they failed, and which are done some time.
    late: Mutex<Vec<Write>>,
    lines: Mutex<Vec<Arc<Line>>>,
}

type Write = Box<dyn FnOnce(&Authority) + Send>;

impl Authority {
    pub(super) fn connect(&self, line: &Arc<Line>) {
        self.lines.lock().unwrap().push(Arc::clone(line));
    }

    pub(super) fn update(&self, seen: u64, record: &Arc<Record>) -> Updated {
        let updated = pollster::block_on(self.store.update(seen, record)).unwrap();
        if updated == Updated::Yes {
            self.committed(record);
        }
        updated
    }

    fn insert(&self, record: &Arc<Record>) -> Inserted {
        if self.is_purged(record.key()) {
            // Ids are random: none comes back.
            return Inserted::IdTaken;
        }
        let inserted = pollster::block_on(self.store.insert(record)).unwrap();
        if inserted == Inserted::Yes {
            self.committed(record);
        }
        inserted
    }

    fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> u64 {
        let revoked = pollster::block_on(self.store.revoke_owned(owner, revocation)).unwrap();
        self.many_committed();
        revoked
    }

    fn purge(&self, before: Timestamp, limit: usize) -> u64 {
        let purged = pollster::block_on(self.store.purge(before, limit)).unwrap();
        self.many_committed();
        purged
    }

    fn committed(&self, record: &Arc<Record>) {
        let version = Version { number: record.version(), record: Some(Arc::clone(record)) };
        self.history.lock().unwrap().entry(record.key()).or_default().push(version);
        self.tell(Notice::Changed(record.key()));
    }

    /// Whatever differs from the last version that was seen of it.
    fn many_committed(&self) {
        for (key, versions) in &mut *self.history.lock().unwrap() {
            let record = pollster::block_on(self.store.find(key.kind, &key.id)).unwrap();
            let last = versions.last().unwrap();
            if last.record.as_deref().map(Record::version) != record.as_deref().map(Record::version) {
                versions.push(Version { number: last.number + 1, record });
            }
        }
        self.tell(Notice::ManyChanged);
    }

    fn tell(&self, notice: Notice) {
        for line in &*self.lines.lock().unwrap() {
            line.send(notice);
        }
    }

    /// A write that was given up is done after all; an update if nothing came between.
    pub(super) fn commit_late(&self) {
        let late = self.late.lock().unwrap().pop();
        late.into_iter().for_each(|write| write(self));
    }

    pub(super) fn latest(&self, key: &CredentialKey) -> Option<Version> {
        self.history.lock().unwrap().get(key).and_then(|versions| versions.last()).cloned()
    }

    fn is_purged(&self, key: CredentialKey) -> bool {
        self.latest(&key).is_some_and(|version| version.record.is_none())
    }
}

/// What becomes of one call.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Through,
    Fails,
    PausesBefore,
    PausesAfter,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// A write is done after its failure was told.
    DoneLate,
}

/// A replica's way to the authority.
#[derive(Clone)]
pub(super) struct Wire(Arc<Link>);

struct Link {
    authority: Arc<Authority>,
    state: Mutex<LinkState>,
}

struct LinkState {
    random: Random,
    cut: bool,
    calm: bool,
    finds: u64,
    pauses: Vec<Weak<Pause>>,
}

/// A call that stands still.
struct Pause {
    /// Of a find that has its answer already: which credential, and how often it had been changed here.
    open: AtomicBool,
    fetched: Option<CredentialKey>,
    waker: Mutex<Option<Waker>>,
}

impl Wire {
    pub(super) fn new(authority: &Arc<Authority>, seed: u64) -> Self {
        let random = Random::seeded(seed);
        let state = LinkState { random, cut: false, calm: false, finds: 0, pauses: Vec::new() };
        Self(Arc::new(Link { authority: Arc::clone(authority), state: Mutex::new(state) }))
    }

    pub(super) fn authority(&self) -> &MemoryStore {
        &self.0.authority.store
    }

    pub(super) fn cut(&self, cut: bool) {
        self.0.state.lock().unwrap().cut = cut;
    }

    /// Nothing fails or pauses from now on, or it does again.
    pub(super) fn calm(&self, calm: bool) {
        let mut state = self.0.state.lock().unwrap();
        state.calm = calm;
        state.cut &= !calm;
    }

    pub(super) fn finds(&self) -> u64 {
        self.0.state.lock().unwrap().finds
    }

    /// Lets one paused call go on.
    pub(super) fn resume(&self, which: usize) -> bool {
        let mut state = self.0.state.lock().unwrap();
        state.pauses.retain(|pause| pause.strong_count() > 0);
        if state.pauses.is_empty() {
            return false;
        }
        let at = which % state.pauses.len();
        let pause = state.pauses.swap_remove(at).upgrade();
        drop(state);
        if let Some(pause) = pause {
            pause.open.store(true, Ordering::Relaxed);
            if let Some(waker) = pause.waker.lock().unwrap().take() {
                waker.wake();
            }
        }
        true
    }

    /// How many fetches of this credential have read the authority and stand still.
    pub(super) fn paused_with_answer(&self, key: &CredentialKey) -> usize {
        let state = self.0.state.lock().unwrap();
        let pauses = state.pauses.iter().filter_map(Weak::upgrade);
        pauses.filter(|pause| pause.fetched.as_ref() == Some(key)).count()
    }

    fn fate(&self) -> Fate {
        let mut state = self.0.state.lock().unwrap();
        if state.calm {
            return Fate::Through;
        }
        match (state.cut, state.random.below(20)) {
            (true, 0..10) | (false, 0) => Fate::Fails,
            (true, _) | (false, 1 | 2) => Fate::PausesBefore,
            (false, 3..=6) => Fate::PausesAfter,
            (false, 7) => Fate::AnswerLost,
            (false, 8) => Fate::DoneLate,
            (false, _) => Fate::Through,
        }
    }

    async fn pause(&self, fetched: Option<CredentialKey>) {
        let pause = Arc::new(Pause { open: AtomicBool::new(false), fetched, waker: Mutex::default() });
        self.0.state.lock().unwrap().pauses.push(Arc::downgrade(&pause));
        poll_fn(|context| {
            if pause.open.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            *pause.waker.lock().unwrap() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Carries a question to the authority and its answer back.
    async fn carry<T>(
        &self,
        fetched: Option<CredentialKey>,
        late: Option<Write>,
        ask: impl FnOnce(&Authority) -> T,
    ) -> Result<T, StoreError> {
        let fate = self.fate();
        if fate == Fate::PausesBefore {
            self.pause(None).await;
        }
        let is_cut = || self.0.state.lock().unwrap().cut;
        match (fate, late) {
            (Fate::DoneLate, Some(write)) => {
                self.0.authority.late.lock().unwrap().push(write);
                return Err(StoreError::unavailable("no answer"));
            }
            (Fate::Fails, _) => return Err(StoreError::unavailable("no connection")),
            _ if is_cut() => return Err(StoreError::unavailable("no connection")),
            _ => {}
        }
        let answer = ask(&self.0.authority);
        if fate == Fate::PausesAfter {
            self.pause(fetched).await;
        }
        if fate == Fate::AnswerLost || is_cut() {
            return Err(StoreError::unavailable("the answer is lost"));
        }
        Ok(answer)
    }

    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        let read = |authority: &Authority| pollster::block_on(authority.store.read(kind, id));
        self.carry(None, None, read).await?
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.carry(None, None, |authority| authority.insert(record)).await
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        let (late, write) = twice(record, move |authority, record| authority.update(seen, record));
        self.carry(None, Some(late), write).await
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        let all = (owner.clone(), revocation.clone());
        let (late, write) =
            twice(&all, |authority, (owner, revocation)| authority.revoke_owned(owner, revocation));
        self.carry(None, Some(late), write).await
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let (late, write) = twice(&before, move |authority, before| authority.purge(*before, limit));
        self.carry(None, Some(late), write).await
    }
}

/// A write, to be done late or now.
fn twice<A: Clone + Send + 'static, T>(
    argument: &A,
    write: impl Fn(&Authority, &A) -> T + Copy + Send + 'static,
) -> (Write, impl FnOnce(&Authority) -> T) {
    let (late, now) = (argument.clone(), argument.clone());
    (Box::new(move |authority| drop(write(authority, &late))), move |authority| write(authority, &now))
}

#[async_trait]
impl Lookup for Wire {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.0.state.lock().unwrap().finds += 1;
        let find = |authority: &Authority| pollster::block_on(authority.store.find(kind, id));
        self.carry(Some(CredentialKey::new(kind, *id)), None, find).await?
    }
}

the_rest_of_a_store!(Wire);

/// A replica's change feed.
#[derive(Default)]
pub(super) struct Line(Mutex<LineState>);

#[derive(Default)]
struct LineState {
    subscribed: bool,
    cut: bool,
    /// Sent, and not arrived.
    under_way: Vec<Notice>,
    arrived: VecDeque<Option<Notice>>,
    heard_at: Option<u64>,
    heard: Vec<Heard>,
    waker: Option<Waker>,
}

/// What a replica is to forget by what it heard.
#[derive(Clone, Copy)]
pub(super) enum Heard {
    Nothing,
    One(CredentialKey),
    All,
    /// All, because notices may have been lost.
    Return,
}

impl LineState {
    fn arrive(&mut self, notice: Option<Notice>) {
        self.arrived.push_back(notice);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Line {
    fn send(&self, notice: Notice) {
        let mut state = self.0.lock().unwrap();
        if state.subscribed {
            state.under_way.push(notice);
        }
    }

    /// One that is under way arrives; in any order, and it may arrive again.
    pub(super) fn deliver(&self, which: usize, again: bool) {
        let mut state = self.0.lock().unwrap();
        if state.under_way.is_empty() || state.cut {
            return;
        }
        let at = which % state.under_way.len();
        let notice = if again { state.under_way[at] } else { state.under_way.swap_remove(at) };
        state.arrive(Some(notice));
    }

    /// One that is under way never arrives, and nobody says so.
    pub(super) fn lose(&self, which: usize) {
        let mut state = self.0.lock().unwrap();
        if !state.under_way.is_empty() {
            let at = which % state.under_way.len();
            state.under_way.swap_remove(at);
        }
    }

    pub(super) fn tell(&self, notice: Notice) {
        let mut state = self.0.lock().unwrap();
        if state.subscribed && !state.cut {
            state.arrive(Some(notice));
        }
    }

    pub(super) fn break_off(&self) {
        let mut state = self.0.lock().unwrap();
        if state.subscribed {
            state.subscribed = false;
            state.under_way.clear();
            state.arrive(None);
        }
    }

    pub(super) fn cut(&self, cut: bool) {
        let mut state = self.0.lock().unwrap();
        state.cut = cut;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// What was heard since this was asked last.
    pub(super) fn take_heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.0.lock().unwrap().heard)
    }

    /// When the last word came of the subscription that there is.
    pub(super) fn heard_at(&self) -> Option<u64> {
        self.0.lock().unwrap().heard_at
    }
}

/// The receiving end.
pub(super) struct Feed {
    line: Arc<Line>,
    time: Time,
    silence: u64,
}

impl Feed {
    pub(super) fn new(line: &Arc<Line>, time: &Time, silence: u64) -> Self {
        let mut state = line.0.lock().unwrap();
        (state.subscribed, state.heard_at) = (false, None);
        state.arrived.clear();
        state.under_way.clear();
        drop(state);
        Self { line: Arc::clone(line), time: time.clone(), silence }
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn subscribe(&mut self) -> Result<(), StoreError> {
        poll_fn(|context| {
            let mut state = self.line.0.lock().unwrap();
            if state.cut {
                state.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            (state.subscribed, state.heard_at) = (true, Some(self.time.now()));
            state.heard.push(Heard::Return);
            Poll::Ready(Ok(()))
        })
        .await
    }

    async fn next(&mut self) -> Result<Notice, StoreError> {
        poll_fn(|context| {
            let mut state = self.line.0.lock().unwrap();
            match state.arrived.pop_front() {
                Some(Some(notice)) => {
                    let now = self.time.now();
                    let heard_at = state.heard_at.replace(now);
                    let was_silent = heard_at.is_none_or(|heard_at| now - heard_at > self.silence);
                    state.heard.push(match notice {
                        _ if was_silent => Heard::Return,
                        Notice::Changed(key) => Heard::One(key),
                        Notice::ManyChanged => Heard::All,
                        _ => Heard::Nothing,
                    });
                    Poll::Ready(Ok(notice))
                }
                Some(None) => Poll::Ready(Err(StoreError::unavailable("the feed broke off"))),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
