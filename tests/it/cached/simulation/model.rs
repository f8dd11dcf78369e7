//! What an answer may be, given what was acknowledged before it.

use keygate::{Caller, CredentialKey, Reason, Record, Refusal, RefusalClass, Timestamp};

use super::network::Version;
use super::replica::Bounds;

/// That a version was acknowledged by a replica: at which time, and as which event of the schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub(super) key: CredentialKey,
    pub(super) version: u64,
    pub(super) by: usize,
    pub(super) at: u64,
    pub(super) event: u64,
}

/// That a replica heard of a change, or that it may have missed some: it forgets what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forgotten {
    pub(super) by: usize,
    /// None: everything.
    pub(super) key: Option<CredentialKey>,
    /// Whether it heard its feed again.
    pub(super) on_return: bool,
    pub(super) event: u64,
}

/// What was acknowledged, and what was heard of it.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) acknowledged: Vec<Acknowledged>,
    pub(super) forgotten: Vec<Forgotten>,
}

impl Facts {
    /// Of what the replica forgot before this call began: what it forgot last.
    pub(super) fn forgotten_before(&self, call: &Call) -> Option<&Forgotten> {
        let is_before = |forgotten: &&Forgotten| {
            forgotten.by == call.replica
                && forgotten.event < call.event
                && forgotten.key.is_none_or(|key| key == call.key)
        };
        self.forgotten.iter().rev().find(is_before)
    }
}

/// A verification.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) replica: usize,
    pub(super) key: CredentialKey,
    /// The number of the secret that was presented.
    pub(super) secret: u32,
    pub(super) began_at: u64,
    pub(super) event: u64,
}

/// When an answer comes, and whether its replica's feed is not heard then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) now: u64,
    pub(super) time_of_day: Timestamp,
    pub(super) deaf: bool,
}

/// Which version the answer was given from, the latest that it can be; `None` where it was not decided.
pub(super) fn version_shown(
    call: &Call,
    answer: &Result<Caller, Refusal>,
    history: &[Version],
    time: Timestamp,
) -> Result<Option<u64>, String> {
    let latest = |fits: &dyn Fn(&Record) -> bool| {
        let mut records = history.iter().rev().filter_map(|version| version.record.as_deref());
        records
            .find(|record| fits(record))
            .map(|record| Some(record.version()))
            .ok_or_else(|| format!("denied for no reason: {answer:?}"))
    };
    let is_over = |record: &Record| record.validity().expires_at().is_some_and(|end| time >= end);
    let refusal = match answer {
        Ok(caller) => {
            let record = caller.record().expect("a credential has a record");
            let is_right = record.current().number == call.secret
                && record.revocation().is_none()
                && !record.is_disabled()
                && !is_over(record)
                && caller.credential() == call.key;
            return if is_right {
                Ok(Some(record.version()))
            } else {
                Err("accepted against its own record".into())
            };
        }
        Err(refusal) => refusal,
    };
    match (refusal.class(), refusal.reason()) {
        (RefusalClass::Undecided, _) => Ok(None),
        // Purged, if it was; else not there yet.
        (_, Reason::UnknownCredential) => {
            let purged = history.last().filter(|version| version.record.is_none());
            Ok(Some(purged.map_or(0, |version| version.number)))
        }
        (_, Reason::Revoked) => latest(&|record| record.revocation().is_some()),
        (_, Reason::Disabled) => latest(&|record| record.is_disabled()),
        (_, Reason::Expired) => latest(&is_over),
        (_, Reason::WrongSecret | Reason::RetiredSecret) => {
            latest(&|record| record.current().number != call.secret)
        }
        _ => Err(format!("an answer that nothing here leads to: {answer:?}")),
    }
}

/// Whether an answer from this version may be given, after all that was acknowledged.
pub(super) fn check(
    call: &Call,
    shown: u64,
    facts: &Facts,
    bounds: Bounds,
    instant: Instant,
) -> Result<(), String> {
    let bound = if instant.deaf { bounds.without_feed.min(bounds.staleness) } else { bounds.staleness };
    let forgotten = facts.forgotten_before(call);
    let newer = |fact: &&Acknowledged| fact.key == call.key && fact.version > shown;
    for fact in facts.acknowledged.iter().filter(newer) {
        let wrong = if fact.by == call.replica && fact.event < call.event {
            "it began after its own replica acknowledged the newer one"
        } else if forgotten.is_some_and(|forgotten| fact.event < forgotten.event) {
            "it began after its replica heard that it has to forget it"
        } else if bound == 0 && call.began_at > fact.at {
            "it began later, and each call has to ask"
        } else if bound > 0 && instant.now - fact.at > bound {
            "it came later than the bound allows"
        } else if bounds.staleness > 0 && instant.now - fact.at > bounds.staleness {
            "it came later than max_staleness allows"
        } else if shown == 0 && call.began_at > fact.at + bounds.absence {
            "it began later than max_absence allows"
        } else {
            continue;
        };
        return Err(format!(
            "answered from version {shown}: {wrong}\n{fact:?}\n{call:?}\n{instant:?}\n{bounds:?}"
        ));
    }
    Ok(())
}

/// What the schedules reached: else they would show nothing.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) denied: u64,
    pub(super) undecided: u64,
    pub(super) hits: u64,
    pub(super) shared_fetches: u64,
    pub(super) given_up: u64,
    pub(super) overtaken_fetches: u64,
    pub(super) too_late: u64,
    pub(super) behind_within_the_bound: u64,
    pub(super) acknowledged: u64,
    pub(super) acknowledged_without_a_write: u64,
    pub(super) revoked_by_owner: u64,
    pub(super) purged: u64,
    pub(super) feeds_broken_off: u64,
    pub(super) answers_after_a_return: u64,
    pub(super) answers_without_feed: u64,
    pub(super) notices_heard: u64,
    pub(super) probes: u64,
}

impl Counts {
    /// Each with how often it has to be reached in a thousand schedules.
    pub(super) fn table(&self) -> [(&'static str, u64, u64); 18] {
        [
            ("accepted", self.accepted, 1_000),
            ("denied", self.denied, 1_000),
            ("undecided", self.undecided, 1_000),
            ("hits", self.hits, 1_000),
            ("shared fetches", self.shared_fetches, 100),
            ("calls given up", self.given_up, 100),
            ("fetches paused over a change", self.overtaken_fetches, 100),
            ("answers that came too late", self.too_late, 50),
            ("answers behind the truth, within the bound", self.behind_within_the_bound, 100),
            ("acknowledged", self.acknowledged, 1_000),
            ("acknowledged without a write", self.acknowledged_without_a_write, 50),
            ("revoked with all of their owner's", self.revoked_by_owner, 100),
            ("purged", self.purged, 50),
            ("feeds broken off", self.feeds_broken_off, 100),
            ("answers to calls behind a feed's return", self.answers_after_a_return, 1_000),
            ("answers while a feed was not heard", self.answers_without_feed, 100),
            ("notices heard", self.notices_heard, 100),
            ("probes", self.probes, 1_000),
        ]
    }
}
