//! Every operation × each call that it makes of the store × every fault that fits it, for one call and until it is healed.

use std::collections::BTreeSet;

use keygate::{IssueError, Kind, Refusal, RefusalClass, StoreErrorKind};

use super::faulty::{Fault, Lasts};
use super::host::{Host, Text, code};
use super::operation::{Answer, Failure, Operation};
use super::{Ended, Stack};

type Run = Ended<Result<Answer, Failure>>;

/// Runs all of it, and counts the combinations of operation, call and fault.
///
/// Of each: nobody is let in whom the truth does not know; a failing verification is *undecided*, and a failing call an error,
/// or done; a panic is that of its own caller; what is reported as done is done; and once the fault is gone, whoever asks
/// gets the right answer at once, and the call that failed can be made again.
pub(crate) fn run(stack: &Stack) -> usize {
    let (mut combinations, mut faults) = (0, BTreeSet::new());
    for operation in Operation::all() {
        let calls = calls_of(stack, operation);
        assert!(!calls.is_empty(), "{operation:?} asks the store");
        for (at, call) in calls.into_iter().enumerate() {
            for fault in Fault::ALL.into_iter().filter(|fault| fault.fits(call)) {
                for lasts in [Lasts::OneCall, Lasts::UntilHealed] {
                    Case { stack, operation, at, call, fault, lasts }.run();
                }
                combinations += 1;
                faults.insert(fault);
            }
        }
    }
    assert_eq!(faults.len(), Fault::ALL.len());
    combinations
}

/// What an operation asks of the store, where nothing fails.
fn calls_of(stack: &Stack, operation: Operation) -> Vec<&'static str> {
    let host = Host::new(stack);
    operation.prepare(&host);
    let run = stack.run(operation.run(&host, &host.service));
    let calls = host.faulty.calls();
    match (&run, operation) {
        (Ended::With(Ok(answer)), _) => operation.holds(&host, answer, "without a fault"),
        (Ended::With(Err(Failure::Refused(refusal))), Operation::Authenticate(text)) => {
            assert_eq!(refusal.reason().code(), host.right(host.text(text)));
        }
        _ => panic!("{operation:?}: {run:?}"),
    }
    calls
}

struct Case<'s> {
    stack: &'s Stack,
    operation: Operation,
    at: usize,
    call: &'static str,
    fault: Fault,
    lasts: Lasts,
}

impl Case<'_> {
    fn run(&self) {
        let Self { stack, operation, at, call, fault, lasts } = *self;
        let case = format!("{operation:?}, {call} ({at}), {fault:?}, {lasts:?}");
        let host = Host::new(stack);
        operation.prepare(&host);
        let before = Kind::ALL.map(|kind| host.record(kind).version());

        host.faulty.fail(at, fault, lasts);
        let run = stack.run(operation.run(&host, &host.service));
        assert!(host.faulty.fired() > 0, "{case}");
        self.ended_as_it_should(&host, &run, &case);
        if lasts == Lasts::UntilHealed {
            nobody_is_let_in(&host, &case);
        }
        host.faulty.heal();

        // What is reported as done is looked at before anything else is asked; a stale read is as good as its store.
        if let Ended::With(Ok(answer)) = &run
            && fault != Fault::Stale
        {
            operation.holds(&host, answer, &case);
        }
        host.is_right(&case);
        for (kind, before) in Kind::ALL.into_iter().zip(before) {
            let after = host.record(kind).version();
            assert!(after == before || after == before + 1, "one write, whole or not at all: {case}");
        }

        match stack.finish(operation.run(&host, &host.service)) {
            Ok(answer) => operation.holds(&host, &answer, &case),
            Err(Failure::Refused(refusal)) if operation.verifies() => {
                let Operation::Authenticate(text) = operation else { panic!("{case}") };
                assert_eq!(refusal.reason().code(), host.right(host.text(text)), "{case}");
            }
            Err(failure) => panic!("{failure:?}, and again: {case}"),
        }
        host.is_right(&case);
    }

    fn ended_as_it_should(&self, host: &Host<'_>, run: &Run, case: &str) {
        let result = match (self.fault, run) {
            (Fault::Panic | Fault::PanicAfter, Ended::Panicked) => return,
            (Fault::Silent | Fault::SilentAfter, Ended::Dropped) if !self.stack.has_deadline => return,
            (Fault::Panic | Fault::PanicAfter, _) => panic!("{run:?}: {case}"),
            (_, Ended::With(result)) => result,
            (_, ended) => panic!("{ended:?}: {case}"),
        };
        match (self.operation, result) {
            (Operation::Authenticate(text), Err(Failure::Refused(refusal))) => {
                self.is_undecided(refusal, host.right(host.text(text)), case);
            }
            (Operation::Authenticate(text), Ok(_)) => {
                assert!(self.fault == Fault::Slow && host.right(host.text(text)) == "ok", "{case}");
            }
            (_, result) => assert_eq!(name_of(result), self.expected(), "{case}"),
        }
    }

    #[track_caller]
    fn is_undecided(&self, refusal: &Refusal, right: &str, case: &str) {
        let expected = match self.fault {
            Fault::Slow => right,
            Fault::Rejected => "store_rejected",
            Fault::Corrupt => "record_corrupt",
            Fault::OtherCredential | Fault::OtherKind => "record_mismatch",
            _ => "store_unavailable",
        };
        assert_eq!(refusal.reason().code(), expected, "{case}");
        if self.fault != Fault::Slow {
            assert_eq!((refusal.class(), refusal.status()), (RefusalClass::Undecided, 503), "{case}");
        }
    }

    /// What becomes of a call that manages.
    fn expected(&self) -> &'static str {
        let is_once = self.lasts == Lasts::OneCall;
        match (self.fault, self.call) {
            (Fault::Slow, _) => "ok",
            // The issuer looks, where it can.
            (Fault::ErrorAfter | Fault::ResetAfter | Fault::SilentAfter, "update") if is_once => "ok",
            (Fault::Rejected, _) => "rejected",
            (Fault::Corrupt, _) => "corrupt",
            (Fault::OtherCredential | Fault::OtherKind, _) | (Fault::OtherOwner, "list") => "record mismatch",
            (Fault::OtherOwner, _) => "not found",
            (Fault::Stale, _) if is_once || !self.operation.edits() => "ok",
            (Fault::Stale, _) => "contended",
            (Fault::Twice | Fault::NotDone, "insert") => "id taken",
            (Fault::NotDone, _) if !is_once => "contended",
            (Fault::Twice | Fault::NotDone, _) => "ok",
            _ => "unavailable",
        }
    }
}

/// While it fails: whom the truth does not let in gets nowhere, and whom it lets in is not denied.
fn nobody_is_let_in(host: &Host<'_>, case: &str) {
    for text in Text::ALL {
        let right = host.right(host.text(text));
        let Ended::With(said) = host.ask(host.text(text)) else { continue };
        let is_undecided = said.as_ref().is_err_and(|refusal| refusal.class() == RefusalClass::Undecided);
        assert!(is_undecided || code(&said) == right, "{text:?} is {}: {case}", code(&said));
    }
}

fn name_of(result: &Result<Answer, Failure>) -> &'static str {
    let error = match result {
        Ok(_) => return "ok",
        Err(Failure::Issuer(IssueError::Store(error)) | Failure::Store(error)) => error,
        Err(Failure::Issuer(IssueError::RecordMismatch)) => return "record mismatch",
        Err(Failure::Issuer(IssueError::NotFound)) => return "not found",
        Err(Failure::Issuer(IssueError::Contended)) => return "contended",
        Err(Failure::Issuer(IssueError::IdTaken)) => return "id taken",
        Err(failure) => panic!("{failure:?}"),
    };
    match error.kind() {
        StoreErrorKind::Unavailable => "unavailable",
        StoreErrorKind::Corrupt => "corrupt",
        StoreErrorKind::Rejected => "rejected",
        kind => panic!("{kind:?}"),
    }
}
