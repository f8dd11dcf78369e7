//! A store that does what another one does, until it is told to fail.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use keygate::{
    ApiKeyGrant, CredentialId, CredentialKey, Entry, Grant, Inserted, Kind, Lookup, Owner, Record,
    Revocation, Rights, ServiceAccountGrant, ServiceTokenGrant, SlotCount, Store, StoreError, Timestamp,
    Updated, Use,
};

/// How a call of a store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Unavailable, and nothing was done.
    ErrorBefore,
    /// Unavailable, and it was done all the same.
    ErrorAfter,
    /// The connection is reset while the answer is waited for, and nothing was done.
    Reset,
    /// The same, and it was done.
    ResetAfter,
    /// The store cannot do this.
    Rejected,
    /// What the store holds does not decode.
    Corrupt,
    /// There is never an answer, and nothing was done.
    Silent,
    /// The same, and it was done.
    SilentAfter,
    /// The store panics, and nothing was done.
    Panic,
    /// The same, and it was done.
    PanicAfter,
    /// The right answer, after a long time.
    Slow,
    /// The record of another credential of the kind.
    OtherCredential,
    /// The record of a credential of another kind.
    OtherKind,
    /// The record as it is, but somebody else's.
    OtherOwner,
    /// The record before its last change.
    Stale,
    /// The call is made twice, as by a store that lost its first answer, and the second answer is given.
    Twice,
    /// That the write lost against another one, which there was not; nothing was done.
    NotDone,
}

impl Fault {
    pub(crate) const ALL: [Self; 17] = [
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::Reset,
        Self::ResetAfter,
        Self::Rejected,
        Self::Corrupt,
        Self::Silent,
        Self::SilentAfter,
        Self::Panic,
        Self::PanicAfter,
        Self::Slow,
        Self::OtherCredential,
        Self::OtherKind,
        Self::OtherOwner,
        Self::Stale,
        Self::Twice,
        Self::NotDone,
    ];

    /// Whether a call of this name can fail so, and who asked can know: not where the wrong answer is as good as a right one.
    pub(crate) fn fits(self, call: &str) -> bool {
        match self {
            Self::OtherCredential | Self::OtherKind => matches!(call, "find" | "read"),
            Self::OtherOwner => matches!(call, "read" | "list"),
            Self::Stale => call == "read",
            Self::Twice => matches!(call, "insert" | "update" | "revoke_owned" | "record_uses" | "purge"),
            Self::NotDone => matches!(call, "insert" | "update"),
            _ => true,
        }
    }
}

/// For how long it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    OneCall,
    UntilHealed,
}

struct Plan {
    /// At the call behind so many others.
    after: usize,
    fault: Fault,
    lasts: Lasts,
}

#[derive(Default)]
struct Script {
    calls: Vec<&'static str>,
    plan: Option<Plan>,
    fired: usize,
    pauses: usize,
    /// Every record that was written, for wrong answers.
    written: Vec<Arc<Record>>,
}

/// A store over another one, which is the truth. It never answers a peek, so that every record has to be asked for.
pub(crate) struct Faulty {
    truth: Arc<dyn Store>,
    script: Mutex<Script>,
}

impl Faulty {
    pub(crate) fn over(truth: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { truth, script: Mutex::default() })
    }

    /// What there is, past every fault.
    pub(crate) fn truth(&self) -> &Arc<dyn Store> {
        &self.truth
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the call behind so many others, counted from now; of later calls, those that can.
    pub(crate) fn fail(&self, after: usize, fault: Fault, lasts: Lasts) {
        let mut script = self.script();
        script.calls.clear();
        (script.plan, script.fired) = (Some(Plan { after, fault, lasts }), 0);
    }

    pub(crate) fn heal(&self) {
        self.script().plan = None;
    }

    /// How many calls failed since it was told to.
    pub(crate) fn fired(&self) -> usize {
        self.script().fired
    }

    /// Each call is pending so many times before its work, and again after it.
    pub(crate) fn pause(&self, times: usize) {
        self.script().pauses = times;
    }

    /// The calls since this was asked last, by name.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.script().calls)
    }

    fn enter(&self, call: &'static str) -> (Option<Fault>, usize) {
        let mut script = self.script();
        let at = script.calls.len();
        script.calls.push(call);
        let fails = |plan: &&Plan| {
            let is_time = match plan.lasts {
                Lasts::OneCall => at == plan.after,
                Lasts::UntilHealed => at >= plan.after,
            };
            is_time && plan.fault.fits(call)
        };
        let fault = script.plan.as_ref().filter(fails).map(|plan| plan.fault);
        script.fired += usize::from(fault.is_some());
        (fault, script.pauses)
    }

    /// Makes a call, and lets it fail where it is its turn; the fault is given back for what only the caller can falsify.
    async fn call<T: Send, F: Future<Output = Result<T, StoreError>> + Send>(
        &self,
        name: &'static str,
        lost: Option<T>,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<(T, Option<Fault>), StoreError> {
        const LONG: usize = 20;
        let (fault, pauses) = self.enter(name);
        pending(pauses).await;
        match fault {
            Some(Fault::ErrorBefore) => return Err(StoreError::unavailable("no connection is free")),
            Some(Fault::Reset) => {
                pending(1).await;
                return Err(reset());
            }
            Some(Fault::Rejected) => return Err(StoreError::rejected("the database is read-only")),
            Some(Fault::Corrupt) => return Err(StoreError::corrupt("not JSON")),
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Panic) => panic(),
            Some(Fault::Slow) => pending(LONG).await,
            Some(Fault::Twice) => drop(work().await?),
            Some(Fault::NotDone) => {
                if let Some(lost) = lost {
                    return Ok((lost, fault));
                }
            }
            _ => {}
        }
        let answer = work().await?;
        pending(pauses).await;
        match fault {
            Some(Fault::ErrorAfter) => Err(StoreError::unavailable("the answer was lost")),
            Some(Fault::ResetAfter) => {
                pending(1).await;
                Err(reset())
            }
            Some(Fault::SilentAfter) => std::future::pending().await,
            Some(Fault::PanicAfter) => panic(),
            Some(Fault::Slow) => {
                pending(LONG).await;
                Ok((answer, fault))
            }
            _ => Ok((answer, fault)),
        }
    }

    fn note(&self, record: &Arc<Record>) {
        self.script().written.push(Arc::clone(record));
    }

    /// The record that is answered instead of what was found, if one is.
    fn instead(
        &self,
        fault: Option<Fault>,
        key: CredentialKey,
        found: Option<&Record>,
    ) -> Option<Arc<Record>> {
        let script = self.script();
        let latest = |is_wanted: &dyn Fn(&Record) -> bool| {
            let other = script.written.iter().rev().find(|other| is_wanted(other));
            Some(Arc::clone(other.expect("there is what a wrong answer is made of")))
        };
        match fault? {
            Fault::OtherCredential => latest(&|other| other.key().kind == key.kind && other.key() != key),
            Fault::OtherKind => latest(&|other| other.key().kind != key.kind),
            Fault::OtherOwner => found.map(to_somebody_else),
            Fault::Stale => {
                let version = found?.version();
                latest(&|other| other.key() == key && other.version() < version)
            }
            _ => None,
        }
    }
}

fn to_somebody_else(record: &Record) -> Arc<Record> {
    let rights = || Rights::new("evil", ["read@lair/prod:/**".parse().unwrap()]).unwrap();
    let grant: Grant = match record.key().kind {
        Kind::ApiKey => ApiKeyGrant::new("mallory").unwrap().into(),
        Kind::ServiceAccount => ServiceAccountGrant::new(rights()).into(),
        Kind::ServiceToken => ServiceTokenGrant::new("lair", rights()).unwrap().into(),
    };
    let current = record.current().clone();
    let builder = Record::builder(record.key().id, grant, current.digest.clone(), record.created_at());
    let builder = builder.current(current).validity(record.validity()).version(record.version());
    Arc::new(builder.build().unwrap())
}

fn reset() -> StoreError {
    StoreError::unavailable(io::Error::from(io::ErrorKind::ConnectionReset))
}

/// A panic that no hook prints.
fn panic() -> ! {
    resume_unwind(Box::new("the store's own panic"))
}

/// Pending so many times, and woken each time.
async fn pending(mut times: usize) {
    poll_fn(|context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl Lookup for Faulty {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        let (found, fault) = self.call("find", None, || self.truth.find(kind, id)).await?;
        Ok(self.instead(fault, CredentialKey::new(kind, *id), found.as_deref()).or(found))
    }
}

#[async_trait]
impl Store for Faulty {
    async fn read(&self, kind: Kind, id: &CredentialId) -> Result<Option<Entry>, StoreError> {
        let (found, fault) = self.call("read", None, || self.truth.read(kind, id)).await?;
        let record = found.as_ref().map(|entry| &*entry.record);
        Ok(self.instead(fault, CredentialKey::new(kind, *id), record).map(Entry::from).or(found))
    }

    async fn insert(&self, record: &Arc<Record>) -> Result<Inserted, StoreError> {
        self.note(record);
        let lost = Some(Inserted::IdTaken);
        Ok(self.call("insert", lost, || self.truth.insert(record)).await?.0)
    }

    async fn update(&self, seen: u64, record: &Arc<Record>) -> Result<Updated, StoreError> {
        self.note(record);
        let lost = Some(Updated::Changed);
        Ok(self.call("update", lost, || self.truth.update(seen, record)).await?.0)
    }

    async fn list(
        &self,
        owner: &Owner,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (mut found, fault) = self.call("list", None, || self.truth.list(owner, after, limit)).await?;
        for entry in &mut found {
            if let Some(record) = self.instead(fault, entry.record.key(), Some(&entry.record)) {
                entry.record = record;
            }
        }
        Ok(found)
    }

    async fn count_live(&self, owner: &Owner, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.call("count_live", None, || self.truth.count_live(owner, now)).await?.0)
    }

    async fn revoke_owned(&self, owner: &Owner, revocation: &Revocation) -> Result<u64, StoreError> {
        Ok(self.call("revoke_owned", None, || self.truth.revoke_owned(owner, revocation)).await?.0)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        self.call("record_uses", None, || self.truth.record_uses(uses)).await.map(drop)
    }

    async fn count_slots(&self, now: Timestamp) -> Result<Vec<SlotCount>, StoreError> {
        Ok(self.call("count_slots", None, || self.truth.count_slots(now)).await?.0)
    }

    async fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.call("expiring", None, || self.truth.expiring(from, until, after, limit)).await?.0)
    }

    async fn unused(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.call("unused", None, || self.truth.unused(since, now, after, limit)).await?.0)
    }

    async fn purge(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        Ok(self.call("purge", None, || self.truth.purge(before, limit)).await?.0)
    }
}
