//! What keygate allocates: nothing, whatever is sent, but for what an access token says: two allocations, and none where it is
//! refused before its signature held. A target of its own, because it brings a counting allocator.
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
    AccessTokens, Action, Authenticator, AuthenticatorBuilder, Caller, Counter, CredentialKey,
    CredentialText, Decision, Inserted, Kind, Lifetime, Lookup, ManualClock, MemoryStore, Mint, Moment,
    Parent, Presented, Reason, Record, Refusal, Resource, Scope, SigningKeys, Store, SystemRandom, Timestamp,
    TokenFault, UseRecorder, Verified, verify_access_token,
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
    let grown = || {
        forget_the_peak();
        let before = peak_kibibytes();
        refuse(100_000 / requests.len() + 1);
        peak_kibibytes() - before
    };
    // The harness begins and ends threads meanwhile, but not each time; what is kept once and for all is seen the first time.
    let first = grown();
    assert!(first < 4_096, "the process grew by {first} KiB");
    assert!(first < 1_024 || (0..2).any(|_| grown() < 1_024), "the process grew each time");
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

/// A token's claims outlive the request: they are kept behind one handle, with one text for all that has no fixed size.
const FOR_CLAIMS: u64 = 2;

#[track_caller]
fn allocates_for_claims<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let counted = measure(|| result = Some(run()));
    assert!(counted.count_total <= FOR_CLAIMS, "{what}: {} allocations", counted.count_total);
    assert!(counted.bytes_total < 4_096, "{what}: {} bytes", counted.bytes_total);
    result.unwrap()
}

/// From header lines to a caller and a decision, however many scopes the token has and whoever asks for its account.
#[test]
fn an_access_token_allocates_for_its_claims_alone() {
    let _alone = ONE_AT_A_TIME.lock();
    let (host, tokens, account) = minting_host();
    let gate = gate(&host, |builder| builder.access_tokens(tokens.clone()));
    let resource = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    for (what, token) in [
        ("one scope", access_token(&tokens, &account, scopes(1, 0), NOW)),
        ("64 scopes", access_token(&tokens, &account, scopes(64, 0), NOW)),
        ("as long as it may be", longest_access_token(&tokens, &account)),
    ] {
        let lines = [("accept", "*/*".to_owned()), line(&token)];
        let alone = allocates_for_claims(what, || verified(&lines, &tokens, NOW)).unwrap();
        assert_eq!(alone.claims().unwrap().scopes().last(), Some("read@web/prod:/app/db"), "{what}");

        let permitted = allocates_for_claims(what, || {
            let caller = at_once(gate.authenticate(&lines)).unwrap();
            matches!(gate.decide(&caller, Action::Read, &resource), Decision::Permit(_))
        });
        assert!(permitted, "{what}");
        let denied = allocates_for_claims(what, || {
            let caller = at_once(gate.authenticate(&lines)).unwrap();
            matches!(gate.decide(&caller, Action::Delete, &resource), Decision::Deny(_))
        });
        assert!(denied, "{what}");
    }
}

/// Promise P5, for access tokens: whoever has no key makes nothing happen; a token that was signed and does not hold costs no more
/// than one that does.
#[test]
fn a_refused_access_token_costs_no_more() {
    let _alone = ONE_AT_A_TIME.lock();
    let (host, tokens, account) = minting_host();
    let gate = gate(&host, |builder| builder.access_tokens(tokens.clone()));
    let token = longest_access_token(&tokens, &account);
    let (header, rest) = token.split_once('.').unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let parts = |length: usize| format!("eyJ{}.{}.{}", "a".repeat(61), "a".repeat(length), "a".repeat(43));
    let unsigned = [
        ("a wrong signature", format!("{signed}.{other}{}", &signature[1..]), TokenFault::Signature),
        ("no signature at all", format!("{header}.e30.A"), TokenFault::Encoding),
        ("a wrong header", format!("eyJhbGciOiJub25lIn0.{rest}"), TokenFault::Header),
        ("a huge one of our header", format!("{header}.{}.a", "a".repeat(8_100)), TokenFault::TooLong),
        ("a huge one", parts(8_192 - "Bearer ".len() - 109), TokenFault::TooLong),
    ];
    for (what, token, fault) in &unsigned {
        let lines = [line(token)];
        assert!(lines[0].1.len() <= 8_192, "{what}");
        let refusal = allocates_nothing(what, || verified(&lines, &tokens, NOW).unwrap_err());
        assert_eq!(refusal.reason(), Reason::AccessToken(*fault), "{what}");
        let refusal = allocates_nothing(what, || at_once(gate.authenticate(&lines)).unwrap_err());
        assert_eq!(refusal.reason(), Reason::AccessToken(*fault), "{what}");
    }
    assert_eq!(line(&unsigned[4].1).1.len(), 8_192);

    for (what, minted_at, reason) in [
        ("expired", Timestamp::from_unix(NOW.as_unix() - 600), Reason::Expired),
        ("not yet valid", Timestamp::from_unix(NOW.as_unix() + 600), Reason::NotYetValid),
    ] {
        let lines = [line(&access_token(&tokens, &account, scopes(64, 0), minted_at))];
        let refusal = allocates_for_claims(what, || at_once(gate.authenticate(&lines)).unwrap_err());
        assert_eq!(refusal.reason(), reason);
        let refusal = allocates_for_claims(what, || verified(&lines, &tokens, NOW).unwrap_err());
        assert_eq!(refusal.reason(), reason);
    }
    let lines = [line(&token)];
    let elsewhere = AccessTokens::new(tokens.keys().clone(), "https://auth.example", "another").unwrap();
    let refusal = allocates_nothing("another audience", || verified(&lines, &elsewhere, NOW).unwrap_err());
    assert_eq!(refusal.reason(), Reason::AccessToken(TokenFault::Audience));
}

/// Header lines to a caller without a look at the account.
fn verified(lines: &[(&str, String)], tokens: &AccessTokens, now: Timestamp) -> Result<Caller, Refusal> {
    let Ok(Presented::AccessToken(presented)) = header::present(lines) else { panic!("no access token") };
    verify_access_token(&presented, tokens, Moment::at(now)).map(|child| child.danger_without_parent())
}

/// A host with an account, which proved itself, and access tokens.
fn minting_host() -> (Host, AccessTokens, (Caller, Arc<Record>)) {
    let mut host = Host::new(&SystemRandom);
    let text = host.issue(Kind::ServiceAccount, &SystemRandom);
    let presented = fixtures::presented(&HeaderPolicy::new(), &text);
    let Ok(Verified::Caller(caller)) = host.verify(&presented) else { panic!("{text}") };
    let record = Arc::clone(caller.record().unwrap());
    let keys = SigningKeys::generate(&SystemRandom).unwrap();
    let tokens = AccessTokens::new(keys, "https://auth.example", "https://secrets.example").unwrap();
    (host, tokens, (caller, record))
}

/// A token of these scopes, minted at this time for five minutes.
fn access_token(
    tokens: &AccessTokens,
    account: &(Caller, Arc<Record>),
    scopes: Vec<Scope>,
    at: Timestamp,
) -> String {
    try_access_token(tokens, account, scopes, at).unwrap()
}

fn try_access_token(
    tokens: &AccessTokens,
    (caller, account): &(Caller, Arc<Record>),
    scopes: Vec<Scope>,
    at: Timestamp,
) -> Option<String> {
    let mint = Mint::scopes(scopes).lifetime(Lifetime::minutes(5));
    tokens.mint(caller, account, &mint, at, &SystemRandom).ok().map(|minted| minted.text.expose().to_owned())
}

/// So many scopes, of which the last is the one that is needed, and so many characters more in the others.
fn scopes(count: usize, filler: usize) -> Vec<Scope> {
    let others = (1..count).map(|number| {
        let more = usize::from(number <= filler % 63);
        let filler = "x".repeat((filler / 63).saturating_add(more));
        format!("read@web/prod:/app/{number:02}{filler}/**")
    });
    others.chain(["read@web/prod:/app/db".to_owned()]).map(|scope| scope.parse().unwrap()).collect()
}

fn longest_access_token(tokens: &AccessTokens, account: &(Caller, Arc<Record>)) -> String {
    let of = |filler| try_access_token(tokens, account, scopes(64, filler), NOW);
    let token = (0..4_096).map_while(of).last().unwrap();
    assert!((4_095..=4_096).contains(&token.len()), "{}", token.len());
    token
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
        (
            "three endless parts",
            vec![bearer(&[vec![b'a'; 2_700], vec![b'b'; 2_700], vec![b'c'; 2_700]].join(&b'.'))],
        ),
        (
            "an access token that is not one",
            vec![bearer(&[b"eyJ".as_slice(), &[b'a'; 8_178], b".b."].concat())],
        ),
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

/// The same behind a cache.
#[cfg(feature = "cache")]
mod cached {
    use std::future::{Future, poll_fn};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use keygate::{Cached, CredentialId, Digest, StoreError, Validity};

    use super::*;

    /// A database: it has to be asked, and stands still while it is told to.
    #[derive(Clone, Default)]
    struct Database(MemoryStore, Arc<AtomicBool>);

    #[async_trait]
    impl Lookup for Database {
        async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
            poll_fn(|_| if self.1.load(Ordering::Relaxed) { Poll::Pending } else { Poll::Ready(()) }).await;
            self.0.find(kind, id).await
        }
    }

    fn issued(host: &mut Host) -> (Database, Vec<String>) {
        let database = Database::default();
        let texts = Kind::ALL.map(|kind| host.issue(kind, &SystemRandom));
        for record in host.records.values() {
            assert_eq!(at_once(database.0.insert(record)).unwrap(), Inserted::Yes);
        }
        (database, texts.into())
    }

    /// The hot path behind a cache: a hit does not allocate, nor does a known absence.
    #[test]
    fn a_hit_allocates_nothing() {
        let _alone = ONE_AT_A_TIME.lock();
        let mut host = Host::new(&SystemRandom);
        let (database, texts) = issued(&mut host);
        let unknown = host.keys.draw(Kind::ApiKey, &SystemRandom).unwrap().text.expose().to_owned();
        let clock = ManualClock::at(NOW);
        let gate = Authenticator::builder(Cached::new(database), host.keys.clone()).clock(clock);
        let gate = gate.build().unwrap();
        for text in &texts {
            let line = [line(text)];
            at_once(gate.authenticate(&line)).unwrap();
            assert!(allocates_nothing(text, || at_once(gate.authenticate(&line))).is_ok());
        }
        let line = [line(&unknown)];
        assert!(at_once(gate.authenticate(&line)).is_err());
        let refusal = allocates_nothing("an absence", || at_once(gate.authenticate(&line))).unwrap_err();
        assert_eq!(refusal.reason().code(), "unknown_credential");
    }

    fn key(at: u64) -> CredentialKey {
        CredentialKey::new(Kind::ApiKey, CredentialId::parse(&format!("id{at}")).unwrap())
    }

    /// Promise P24: a million ids that nobody issued displace no record, and take less than 8 MiB.
    #[test]
    #[cfg(target_os = "linux")]
    fn made_up_ids_displace_no_record_and_stay_small() {
        let _alone = ONE_AT_A_TIME.lock();
        let mut host = Host::new(&SystemRandom);
        let (database, _) = issued(&mut host);
        let cached = Cached::new(database);
        let known: Vec<CredentialKey> = host.records.keys().copied().collect();
        for CredentialKey { kind, id } in &known {
            assert!(at_once(cached.find(*kind, id)).unwrap().is_some());
        }
        let ask = |at| {
            let CredentialKey { kind, id } = key(at);
            assert!(at_once(cached.find(kind, &id)).unwrap().is_none());
        };
        (0..1_000).for_each(ask);
        forget_the_peak();
        let before = peak_kibibytes();
        (1_000..1_000_000).for_each(ask);
        let grown = peak_kibibytes() - before;
        assert!(grown < 8 * 1_024, "the process grew by {grown} KiB");
        let shown = format!("{cached:?}");
        assert!(shown.contains("records: 3,"), "{shown}");
        let absences = shown.split("absences: ").nth(1).unwrap().split(',').next().unwrap();
        assert!(absences.parse::<usize>().unwrap() <= 10_240, "{shown}");
    }

    type Asked<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send + 'a>>;

    fn poll(one: &mut Asked<'_>) -> Option<Result<Option<Arc<Record>>, StoreError>> {
        match one.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    /// Promises P29 and P30: fifty thousand at once against a store that stands still take less than 128 MiB, and ten thousand
    /// that fit are answered in less than 64.
    #[test]
    #[cfg(target_os = "linux")]
    fn many_at_once_stay_small() {
        let _alone = ONE_AT_A_TIME.lock();
        for (at_once, max_waiting, mebibytes) in [(50_000, 1_024, 128), (10_000, 10_000, 64)] {
            let database = Database::default();
            for at in 0..at_once {
                let digest = Digest::from_parts(1, Some(1), &[7; 32]).unwrap();
                let grant = fixtures::grant(Kind::ApiKey);
                let record =
                    Record::builder(key(at).id, grant, digest, NOW).validity(Validity::until(fixtures::END));
                let record = Arc::new(record.build().unwrap());
                assert_eq!(super::at_once(database.0.insert(&record)).unwrap(), Inserted::Yes);
            }
            database.1.store(true, Ordering::Relaxed);
            let cached = Cached::builder(database.clone()).max_waiting(max_waiting).build().unwrap();
            forget_the_peak();
            let before = peak_kibibytes();
            let mut waiting: Vec<Asked<'_>> = Vec::new();
            for at in 0..at_once {
                let cached = &cached;
                let mut one: Asked<'_> =
                    Box::pin(async move { cached.find(Kind::ApiKey, &key(at).id).await });
                // A task is kept until its caller reads the answer.
                let _failed_at_once = poll(&mut one);
                waiting.push(one);
            }
            let grown = peak_kibibytes() - before;
            assert!(grown < mebibytes * 1_024, "{at_once} took {grown} KiB");
        }
    }
}
