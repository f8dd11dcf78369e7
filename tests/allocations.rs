//! What keygate allocates: nothing, whatever is sent. A target of its own, because it brings a counting allocator.
//!
//! The counts are of the calling thread; memory is the whole process's, so these tests run one at a time.

#![expect(
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that is wrong should stop; clippy knows only the test functions themselves"
)]

use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use keygate::header::{self, HeaderPolicy};
use keygate::{
    Action, Authenticator, AuthenticatorBuilder, Counter, CredentialKey, CredentialText, Decision, Inserted,
    Kind, Lookup, ManualClock, MemoryStore, Parent, Presented, Resource, Store, SystemRandom, UseRecorder,
    Verified,
};

#[path = "it/support/fixtures.rs"]
mod fixtures;

use fixtures::{Host, IMPORTED, NOW, line};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[track_caller]
fn allocates_nothing<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let counted = measure(|| result = Some(run()));
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{what}");
    result.unwrap()
}

/// Promise P5: a request that asks for much gets nothing.
#[test]
fn refusing_a_hostile_request_allocates_nothing() {
    let _alone = ONE_AT_A_TIME.lock();
    let policy = HeaderPolicy::new().imported(Kind::ALL);
    for (what, lines) in hostile() {
        let refusal = allocates_nothing(what, || policy.present(&lines).err()).expect(what);
        let code = allocates_nothing(what, || {
            (refusal.reason().code(), refusal.status(), refusal.challenges().count())
        });
        assert!(code.1 >= 400, "{what}");
        let missing = policy.clone().deny_missing();
        assert!(allocates_nothing(what, || missing.present(&lines).is_err()));
    }
}

/// Nor does a hundred thousand of them grow the process by a mebibyte.
#[test]
#[cfg(target_os = "linux")]
fn refusing_them_keeps_the_process_small() {
    let _alone = ONE_AT_A_TIME.lock();
    let requests = hostile();
    let refuse = |rounds: usize| {
        for round in 0..rounds {
            for (_, lines) in &requests {
                // Ten thousand lines are read each time; once in a hundred is enough of them.
                if lines.len() < 1_000 || round % 100 == 0 {
                    assert!(black_box(header::present(black_box(lines))).is_err());
                }
            }
        }
    };
    refuse(1);
    forget_the_peak();
    let before = peak_kibibytes();
    refuse(100_000 / requests.len() + 1);
    let grown = peak_kibibytes() - before;
    assert!(grown < 1_024, "the process grew by {grown} KiB");
}

/// The most memory that this process had since [`forget_the_peak`].
#[cfg(target_os = "linux")]
fn peak_kibibytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
fn forget_the_peak() {
    // Where that is not allowed, the test sees less and is still right.
    let _forgotten = std::fs::write("/proc/self/clear_refs", "5");
}

/// Promise P5 and the hot path: from header lines to a decision, on warm records, without the heap.
#[test]
fn verifying_up_to_a_decision_allocates_nothing() {
    let _alone = ONE_AT_A_TIME.lock();
    let mut host = Host::new(&SystemRandom);
    let issued = Kind::ALL.map(|kind| host.issue(kind, &SystemRandom));
    IMPORTED.iter().for_each(|text| host.import(text));
    let policy = HeaderPolicy::new().imported(Kind::ALL);

    for text in issued.iter().map(String::as_str).chain(IMPORTED) {
        let (name, value) = line(text);
        let permitted = allocates_nothing(text, || {
            let Ok(Presented::Credential(presented)) = policy.present([(name, value.as_bytes())]) else {
                panic!("{text}")
            };
            let Ok(Verified::Caller(caller)) = host.verify(&presented) else { panic!("{text}") };
            let resource = match presented.kind() {
                Kind::ApiKey => Resource::project("acme", "web").unwrap(),
                _ => Resource::secrets("acme", "web", "prod", "/app/db").unwrap(),
            };
            matches!(caller.decide(Action::Read, &resource), Decision::Permit(_) | Decision::AsUser(_))
        });
        assert!(permitted, "{text}");

        // A wrong secret and an unknown id cost no more.
        let other = other_secret(&host, text);
        let (name, value) = line(&other);
        allocates_nothing(text, || {
            let Ok(Presented::Credential(presented)) = policy.present([(name, value.as_bytes())]) else {
                panic!("{other}")
            };
            assert!(host.verify(&presented).is_err());
        });
    }
}

/// What a service has: an authenticator over a lookup behind a trait object, in front of the records of a host.
fn gate(host: &Host, configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Authenticator {
    let store = MemoryStore::new();
    for record in host.records.values() {
        assert_eq!(at_once(store.insert(record)).unwrap(), Inserted::Yes);
    }
    let lookup: Arc<dyn Lookup> = Arc::new(store);
    let builder = Authenticator::builder(lookup, host.keys.clone()).clock(ManualClock::at(NOW));
    configure(builder.policy(HeaderPolicy::new().imported(Kind::ALL))).build().unwrap()
}

/// The answer of a future that waits for nothing.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The same through an authenticator, as a service has it: alone, with an observer that counts, with a recorder of uses;
/// narrowed, optional; permitted and refused.
#[test]
fn authenticating_up_to_a_decision_allocates_nothing() {
    let _alone = ONE_AT_A_TIME.lock();
    let mut host = Host::new(&SystemRandom);
    let mut texts: Vec<String> = Kind::ALL.map(|kind| host.issue(kind, &SystemRandom)).into();
    IMPORTED.iter().for_each(|text| host.import(text));
    texts.extend(IMPORTED.map(str::to_owned));
    let account = host.issue(Kind::ServiceAccount, &SystemRandom);
    texts.push(minted(&mut host, &account));

    let (counter, uses) = (Arc::new(Counter::new()), UseRecorder::new(MemoryStore::new()));
    let gates = [
        ("alone", gate(&host, |builder| builder)),
        ("with a counter", gate(&host, |builder| builder.observer(Arc::clone(&counter)))),
        (
            "with a recorder",
            gate(&host, |builder| builder.use_recorder(uses.clone()).observer(Arc::clone(&counter))),
        ),
    ];
    for (what, gate) in &gates {
        // A recorder makes room at a secret's first use; from then on it only notes the time.
        texts.iter().for_each(|text| drop(at_once(gate.authenticate([line(text)])).unwrap()));
        for text in &texts {
            let (name, value) = line(text);
            let lines = [("accept", b"*/*".as_slice()), (name, value.as_bytes())];
            let kind = Kind::from_name(&text[..2]).unwrap();
            let permitted = allocates_nothing(what, || {
                let narrowed = gate.accept([kind]).client([192, 0, 2, 7].into());
                let caller = at_once(gate.authenticate(&lines)).unwrap();
                let again = at_once(narrowed.authenticate(lines)).unwrap();
                let optional = at_once(narrowed.authenticate_optional(&lines)).unwrap().unwrap();
                let resource = match kind {
                    Kind::ApiKey => Resource::project("acme", "web").unwrap(),
                    _ => Resource::secrets("acme", "web", "prod", "/app/db").unwrap(),
                };
                [caller, again, optional].iter().all(|caller| {
                    let decision = gate.decide(caller, Action::Read, &resource);
                    matches!(decision, Decision::Permit(_) | Decision::AsUser(_))
                })
            });
            assert!(permitted, "{what}: {text}");

            // Denied accesses, wrong secrets, unknown ids, other kinds and damage cost no more.
            let other = other_secret(&host, text);
            let wrong = wrong_secret(&host, text);
            let (other, wrong) = (line(&other).1, line(&wrong).1);
            allocates_nothing(what, || {
                let caller = at_once(gate.authenticate(&lines)).unwrap();
                let elsewhere = Resource::secrets("other", "web", "prod", "/app/db").unwrap();
                assert!(matches!(gate.decide(&caller, Action::Read, &elsewhere), Decision::Deny(_)));
                for value in [&other, &wrong, &value[..value.len() - 1]] {
                    let refusal = at_once(gate.authenticate([(name, value)])).unwrap_err();
                    assert!(refusal.status() >= 400);
                }
                let elsewhere = gate.accept(Kind::ALL.into_iter().filter(|other| *other != kind));
                assert_eq!(at_once(elsewhere.authenticate(&lines)).unwrap_err().status(), 401);
                assert!(at_once(gate.authenticate_optional([("accept", "*/*")])).unwrap().is_none());
            });
        }
    }
    assert!(counter.counts().permitted > 0 && counter.counts().denied > 0);
}

/// Promise P5, through the authenticator.
#[test]
fn an_authenticator_refuses_a_hostile_request_without_the_heap() {
    let _alone = ONE_AT_A_TIME.lock();
    let host = Host::new(&SystemRandom);
    let counter = Arc::new(Counter::new());
    let gate = gate(&host, |builder| builder.observer(Arc::clone(&counter)));
    let hostile = hostile();
    for (what, lines) in &hostile {
        let status = allocates_nothing(what, || at_once(gate.authenticate(lines)).unwrap_err().status());
        assert!(status >= 400, "{what}");
        allocates_nothing(what, || drop(at_once(gate.authenticate_optional(lines))));
        let narrowed = gate.accept([Kind::ApiKey]);
        assert!(allocates_nothing(what, || at_once(narrowed.authenticate(lines)).is_err()), "{what}");
    }
    let counts = counter.counts();
    assert!(
        counts.bad_request + counts.denied + counts.no_credential
            >= 2 * u64::try_from(hostile.len()).unwrap()
    );
}

/// A service token that the account minted.
fn minted(host: &mut Host, account: &str) -> String {
    let text = host.issue(Kind::ServiceToken, &SystemRandom);
    let [account, key] = [account, &text].map(|text| {
        let text = CredentialText::parse(text).unwrap();
        CredentialKey::new(text.kind(), text.id())
    });
    let parent = Parent { account: account.id, mint_generation: 0 };
    let child = host.records.get(&key).unwrap().to_builder().parent(parent).build().unwrap();
    host.records.insert(key, Arc::new(child));
    text
}

/// Another text of the same kind and id.
fn wrong_secret(host: &Host, text: &str) -> String {
    let parsed = CredentialText::parse(text).unwrap();
    let key = CredentialKey::new(parsed.kind(), parsed.id());
    host.keys.redraw(key, &SystemRandom).unwrap().text.expose().to_owned()
}

/// Another credential of the same shape, which has no record.
fn other_secret(host: &Host, text: &str) -> String {
    let kind = Kind::from_name(&text[..2]).unwrap();
    if IMPORTED.contains(&text) {
        format!("{}{}", &text[..8], text[8..].replace('0', "1").replace('A', "B"))
    } else {
        host.keys.draw(kind, &SystemRandom).unwrap().text.expose().to_owned()
    }
}

type Lines = Vec<(&'static str, Vec<u8>)>;

/// Requests that would be dear to a careless reader.
fn hostile() -> Vec<(&'static str, Lines)> {
    let sa = "sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ";
    let bearer = |rest: &[u8]| ("authorization", [b"Bearer ", rest].concat());
    vec![
        ("a value of 16 MiB", vec![("authorization", vec![b'a'; 16 << 20])]),
        ("a key of 16 MiB of dots", vec![("x-api-key", vec![b'.'; 16 << 20])]),
        ("10,000 lines of ours", vec![bearer(sa.as_bytes()); 10_000]),
        ("10,000 lines of others, and none of ours", vec![("accept", b"*/*".to_vec()); 10_000]),
        ("65,536 dots", vec![bearer(&[b'.'; 65_536])]),
        ("8,185 dots", vec![bearer(&[b'.'; 8_185])]),
        ("as many parts as fit", vec![bearer(&[b"st".as_slice(), &b".a".repeat(4_000)].concat())]),
        ("an endless id", vec![bearer(&[b"sa.".as_slice(), &[b'a'; 8_000]].concat())]),
        ("an endless access token", vec![bearer(&[b"eyJ".as_slice(), &[b'a'; 8_000]].concat())]),
        ("white space", vec![("authorization", vec![b' '; 8_192])]),
        ("bytes that are no text", vec![("authorization", vec![0xff; 8_192])]),
        ("an empty value", vec![("x-api-key", vec![])]),
        ("another scheme", vec![("authorization", b"Basic dTpw".to_vec())]),
        ("both headers", vec![bearer(sa.as_bytes()), ("x-api-key", b"ak".to_vec())]),
        ("a wrong checksum", vec![bearer(sa.replace("YeO", "YEo").as_bytes())]),
        ("another channel", vec![("x-api-key", sa.into())]),
        ("no kind", vec![bearer(b"xx.a.b")]),
        ("no lines", vec![]),
    ]
}
