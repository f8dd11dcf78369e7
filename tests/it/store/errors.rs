//! Why a store has no answer, in its own words and as a refusal.

use std::error::Error;
use std::io;

use keygate::{Reason, Refusal, StoreError, StoreErrorKind};

use crate::decision::has_the_face_of_a_failure;

fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

/// A failure of each kind is *undecided*; only what does not decode is a fault, and only silence is worth a retry.
#[test]
fn an_error_of_a_store_is_undecided() {
    let cases = [
        (
            StoreError::unavailable(io::Error::other("connection reset")),
            StoreErrorKind::Unavailable,
            true,
            "the store did not answer",
            Reason::StoreUnavailable,
            false,
        ),
        (
            StoreError::corrupt(io::Error::other("connection reset")),
            StoreErrorKind::Corrupt,
            false,
            "the store's record does not decode",
            Reason::RecordCorrupt,
            true,
        ),
        (
            StoreError::rejected(io::Error::other("connection reset")),
            StoreErrorKind::Rejected,
            false,
            "the store cannot do this",
            Reason::StoreRejected,
            true,
        ),
    ];
    for (error, kind, retryable, words, reason, fault) in cases {
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{words}");
        assert_eq!(chain(&error), [words, "connection reset"]);
        let refusal = Refusal::from(error);
        has_the_face_of_a_failure(&refusal);
        assert_eq!((refusal.reason(), refusal.reason().is_fault(), refusal.proven()), (reason, fault, false));
        assert_eq!(refusal.credential(), None, "which one it was, its caller adds");
        assert_eq!(chain(&refusal)[1..], [words, "connection reset"]);
        // What the reason says already is not said twice.
        assert_eq!(refusal.explain().to_string(), format!("{reason}: connection reset"));
    }
}

/// A source is whatever a host has: a text, a boxed error, an error of ours.
#[test]
fn what_a_source_may_be() {
    let boxed: Box<dyn Error + Send + Sync> = "pool is closed".into();
    let decode = keygate::Record::decode(b"{}").unwrap_err();
    let words = decode.to_string();
    assert_eq!(chain(&StoreError::unavailable("pool is closed"))[1], "pool is closed");
    assert_eq!(chain(&StoreError::rejected(boxed))[1], "pool is closed");
    assert_eq!(chain(&StoreError::corrupt(decode))[1], words);
    fn pins<T: Error + Send + Sync + 'static>() {}
    pins::<StoreError>();
}

/// A driver's message has lines of its own, and quotes data; an explanation is one line all the same.
#[test]
fn an_explanation_is_one_line() {
    let forged = "reset\nat=now outcome=permitted\r\u{2028}x\u{202e}y";
    let refusal = Refusal::from(StoreError::unavailable(forged));
    assert_eq!(
        refusal.explain().to_string(),
        "the store did not answer: reset\\nat=now outcome=permitted\\r\\u{2028}x\\u{202e}y"
    );
}
