//! The state machine of a rotation: what becomes of a record. Pure; the order of secrets and times is all there is.
//!
//! ```text
//!            rotate(overlap)                      overlap ends
//! current ────────────────────▶ current + retiring ───────────▶ current (+ a secret that is over)
//!                                 │ rotate again: the retiring secret ends now, the current one retires
//!                                 │ abort: the retiring secret is current again, the new one ends now
//!                                 │ retire: the retiring secret ends now
//! ```
//!
//! What ends *now* ends by any clock: other processes may have one that is behind, and a leaked secret must not come back.
//! A secret that is over stays in the record until the next rotation: its number is not drawn again, and its holder's log
//! says *replaced* instead of *wrong*.

use super::{IssueError, Overlap};
use crate::{Digest, Invalid, Record, RecordBuilder, Retiring, Revocation, StoredSecret, Timestamp};

/// The record, which is [`usable`], with a new secret; the current one retires.
pub(super) fn rotate(
    record: &Record,
    digest: Digest,
    overlap: Overlap,
    leak: Option<&str>,
    now: Timestamp,
) -> Result<RecordBuilder, IssueError> {
    let ends_at = overlap.ends_at(now, record.validity().expires_at())?;
    let latest = record.retiring().map_or(0, |retiring| retiring.secret.number).max(record.current().number);
    let number = latest.checked_add(1).ok_or(Invalid::new("secret number", "fewer than 2^32 rotations"))?;
    let retiring = Retiring { secret: record.current().clone(), ends_at, leak: leak.map(Box::from) };
    Ok(record.to_builder().current(StoredSecret { number, digest }).retiring(retiring))
}

/// The record with the retiring secret current again; the new one is over.
pub(super) fn abort(record: &Record, now: Timestamp) -> Result<RecordBuilder, IssueError> {
    usable(record, now)?;
    let retiring = record.overlapping(now).ok_or(IssueError::NotRotating)?;
    let over = Retiring { secret: record.current().clone(), ends_at: Timestamp::MIN, leak: None };
    Ok(record.to_builder().current(retiring.secret.clone()).retiring(over))
}

/// The record with the retiring secret over, if there is one.
pub(super) fn retire(record: &Record, now: Timestamp) -> RecordBuilder {
    let builder = record.to_builder();
    match record.overlapping(now) {
        Some(retiring) => builder.retiring(Retiring { ends_at: Timestamp::MIN, ..retiring.clone() }),
        None => builder,
    }
}

/// The record revoked: once, for the first reason.
pub(super) fn revoke(record: &Record, reason: &str, now: Timestamp) -> Result<RecordBuilder, Invalid> {
    let revocation = Revocation::new(now, reason);
    revocation.check()?;
    let builder = record.to_builder();
    Ok(if record.revocation().is_none() { builder.revoked(revocation) } else { builder })
}

/// A revoked or an expired credential has no new secrets.
pub(super) fn usable(record: &Record, now: Timestamp) -> Result<(), IssueError> {
    if record.revocation().is_some() {
        return Err(IssueError::Revoked);
    }
    match record.validity().expires_at() {
        Some(end) if now >= end => Err(IssueError::Expired),
        _ => Ok(()),
    }
}
