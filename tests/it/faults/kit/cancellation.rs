//! Futures that are dropped at every place where they wait.

use std::pin::pin;

use keygate::{Kind, Record};

use super::Stack;
use super::host::{Host, Text, code};
use super::operation::Operation;
use super::waiting::{Waiter, polled};

/// Drops every operation after every number of polls, over a store that lets each call wait before its work and after it;
/// how many were dropped.
///
/// What is left is what was there before or what was to be, as one write; whatever is presented, the answer is the right one
/// at once; a request that waited beside the dropped one is served; and the operation can be made again.
pub(crate) fn run(stack: &Stack) -> usize {
    let mut dropped = 0;
    for operation in Operation::all() {
        for pauses in [1, 2] {
            let mut polls = 0;
            while !is_done_within(stack, operation, pauses, polls) {
                polls += 1;
            }
            assert!(polls >= 2 * pauses, "{operation:?} waits where the store does");
            dropped += polls;
        }
    }
    dropped
}

fn is_done_within(stack: &Stack, operation: Operation, pauses: usize, polls: usize) -> bool {
    let case = format!("{operation:?}, {pauses} pauses a wait, dropped after {polls} polls");
    let host = Host::new(stack);
    operation.prepare(&host);
    let before = Kind::ALL.map(|kind| host.record(kind).version());
    // What the one waits for, the other may be waiting for, too.
    let text = match operation {
        Operation::Authenticate(text) => text,
        _ => Text::Account,
    };
    host.faulty.pause(pauses);
    let (outcome, said) = stack.finish(async {
        let mut call = Box::pin(operation.run(&host, &host.service));
        let mut beside = pin!(host.service.ask(host.text(text)));
        let mut waiter = Waiter::default();
        let mut outcome = polled(call.as_mut(), polls.min(1));
        let mut said = waiter.poll(beside.as_mut());
        if outcome.is_none() {
            outcome = polled(call.as_mut(), polls.saturating_sub(1));
        }
        drop(call);
        while said.is_none() {
            assert!(waiter.was_woken(), "nobody wakes who waits beside it: {case}");
            said = waiter.poll(beside.as_mut());
        }
        (outcome, said.unwrap())
    });
    host.faulty.pause(0);
    if operation.verifies() {
        // A request changes nothing, so there is one right answer.
        assert_eq!(code(&said), host.right(host.text(text)), "{case}");
    }
    if let Some(Ok(answer)) = &outcome {
        operation.holds(&host, answer, &case);
    }
    host.is_right(&case);
    for (kind, before) in Kind::ALL.into_iter().zip(before) {
        let record = host.record(kind);
        assert!([before, before + 1].contains(&record.version()), "{case}");
        assert!(Record::decode(&record.encode().unwrap()).is_ok(), "{case}");
    }
    match stack.finish(operation.run(&host, &host.service)) {
        Ok(answer) => operation.holds(&host, &answer, &case),
        Err(failure) => assert!(operation.verifies(), "{failure:?}, and again: {case}"),
    }
    host.is_right(&case);
    outcome.is_some()
}
