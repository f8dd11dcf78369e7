//! What `verify` and `decide` answer: tables of every combination against a naive model, and the families.

mod checks;
mod families;
mod table;
mod tenants;

use std::sync::Arc;

use keygate::{
    Caller, DigestKey, DigestKeys, HeaderPolicy, Kind, Moment, PresentedCredential, RandomSource, Record,
    RecordBuilder, Refusal, RefusalClass, Timestamp, Validity, verify,
};

use crate::support::fixtures::{END, NOW, grant, presented};

/// So many seconds after `NOW`.
pub(crate) fn now_and(seconds: i64) -> Timestamp {
    Timestamp::from_unix(NOW.as_unix() + seconds)
}

/// A ring of an active key and others; a slot has the same key in every ring.
pub(crate) fn ring(active: u8, others: &[u8]) -> DigestKeys {
    let others = others.iter().map(|slot| DigestKey::new(*slot, &key_bytes(*slot)).unwrap());
    DigestKeys::new(others.chain([DigestKey::active(active, &key_bytes(active)).unwrap()])).unwrap()
}

pub(crate) fn key_bytes(slot: u8) -> [u8; 32] {
    [slot + 1; 32]
}

/// A new credential as its holder presents it, and its record in the making: with everything granted, until `END`.
pub(crate) fn issue(
    keys: &DigestKeys,
    kind: Kind,
    random: &dyn RandomSource,
) -> (PresentedCredential<String>, RecordBuilder) {
    let drawn = keys.draw(kind, random).unwrap();
    let builder =
        Record::builder(drawn.key.id, grant(kind), drawn.digest, NOW).validity(Validity::until(END));
    (present(drawn.text.expose()), builder)
}

/// The text in its own header, under a policy that takes every shape.
#[track_caller]
pub(crate) fn present(text: &str) -> PresentedCredential<String> {
    presented(&HeaderPolicy::new().imported(Kind::ALL), text)
}

pub(crate) fn built(builder: RecordBuilder) -> Arc<Record> {
    Arc::new(builder.build().unwrap())
}

/// The caller, where nothing stands against it.
#[track_caller]
pub(crate) fn caller(
    presented: &PresentedCredential<String>,
    record: &Arc<Record>,
    keys: &DigestKeys,
) -> Caller {
    match verify(presented, Some(record), keys, Moment::at(NOW))
        .and_then(|verified| verified.with_parent(|_| None))
    {
        Ok(caller) => caller,
        Err(refusal) => panic!("{}", refusal.reason()),
    }
}

/// What a caller gets to see of a refusal, all of it.
pub(crate) fn face(refusal: &Refusal) -> (RefusalClass, u16, Vec<String>, String, bool) {
    let challenges = refusal.challenges().map(|challenge| challenge.to_string()).collect();
    (refusal.class(), refusal.status(), challenges, refusal.to_string(), refusal.retry_after().is_some())
}

/// The public face of every denial, where anything but API keys alone is accepted.
#[track_caller]
pub(crate) fn has_the_face_of_a_denial(refusal: &Refusal) {
    let challenge = r#"Bearer error="invalid_token", error_description="the credential is not valid""#;
    let denial = (
        RefusalClass::Denied,
        401,
        vec![challenge.to_owned()],
        "the credential is not valid".to_owned(),
        false,
    );
    assert_eq!(face(refusal), denial, "{}", refusal.reason());
}

/// A failure never reads as a denial.
#[track_caller]
pub(crate) fn has_the_face_of_a_failure(refusal: &Refusal) {
    let words = "it could not be decided whether the credential is valid".to_owned();
    assert_eq!(face(refusal), (RefusalClass::Undecided, 503, vec![], words, false), "{}", refusal.reason());
}
