//! keygate as most hosts drive it: an authenticator with the system's clock over the memory store, an issuer beside it.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use keygate::{
    Action, Authenticator, Caller, CredentialId, CredentialKey, CredentialText, DigestKeys, Issuer, Kind,
    Lifetime, Lookup, MemoryStore, NewServiceToken, Reason, Record, Refusal, Resource, StoreError,
    SystemRandom,
};

use crate::account::SCOPE;
use crate::case::order;
use crate::pure::{Headers, WANTED};
use crate::{CREDENTIALS, Case};

/// A service with service tokens in its memory store.
pub struct Service {
    keys: DigestKeys,
    gate: Authenticator,
    texts: Vec<String>,
}

/// The result of a future that does not wait, as an executor's first poll gets it.
#[inline(always)]
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("what is in memory is there at once"),
    }
}

impl Service {
    /// A service with so many credentials.
    pub fn of(credentials: usize) -> Self {
        let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral().expect("randomness"));
        let issuer = Issuer::new(store.clone(), keys.clone());
        let texts = (0..credentials).map(|_| issue(&issuer)).collect();
        let lookup: Arc<dyn Lookup> = Arc::new(store);
        Self { gate: Authenticator::new(lookup, keys.clone()), keys, texts }
    }

    /// A memory store with so many records, and what they are found by.
    pub fn records(credentials: usize) -> (MemoryStore, Vec<CredentialKey>) {
        let store = MemoryStore::new();
        let issuer = Issuer::new(store.clone(), DigestKeys::ephemeral().expect("randomness"));
        let id = |text: String| CredentialText::parse(&text).expect("whole").id();
        let keys =
            (0..credentials).map(|_| CredentialKey::new(Kind::ServiceToken, id(issue(&issuer)))).collect();
        (store, keys)
    }

    /// The credentials' texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Requests that present them.
    pub fn headers(&self) -> Headers {
        Headers::bearer(self.texts.iter().cloned())
    }

    /// Four header lines to a granted access on secrets.
    #[inline]
    pub fn permits(&self, headers: &[(&str, &str); 4]) -> bool {
        self.authenticate(headers).as_ref().is_ok_and(|caller| self.may_read_secrets(caller).is_ok())
    }

    // One function for all handlers, as a host has it.
    #[inline(never)]
    fn authenticate(&self, headers: &[(&str, &str); 4]) -> Result<Caller, Refusal> {
        now(self.gate.authenticate(black_box(headers)))
    }

    fn may_read_secrets(&self, caller: &Caller) -> Result<(), Refusal> {
        let [organization, project, environment, path] = *black_box(&WANTED);
        let secrets = Resource::secrets(organization, project, environment, path)?;
        self.gate.decide(caller, Action::Read, &secrets).granted().map(|_| ())
    }
}

fn issue(issuer: &Issuer) -> String {
    let new = NewServiceToken::new("acme", "web", Lifetime::days(30)).scope(SCOPE.parse().expect("a scope"));
    let issued = now(issuer.service_tokens().issue(new)).expect("an issue");
    issued.text.expose().to_owned()
}

/// Four header lines to a granted access on secrets.
pub fn granted(name: &'static str, service: &Arc<Service>) -> Case {
    let (service, headers) = (Arc::clone(service), service.headers());
    Case::new(name, move |request| service.permits(&headers.of(request)))
}

/// How many times as many requests two threads answer as one, each for so long. They begin at other places of one
/// shuffled order, as clients do that know nothing of each other.
pub fn two_threads(service: &Arc<Service>, time: Duration) -> f64 {
    let (headers, order) = (service.headers(), order());
    let apart = CREDENTIALS / 2;
    let answered = |threads: usize| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (over, headers, order) = (&over, &headers, &order);
            let threads: Vec<_> = (0..threads)
                .map(|number| {
                    scope.spawn(move || {
                        let mut count = 0_u64;
                        while !over.load(Ordering::Relaxed) {
                            let mut pass = order.iter().cycle().skip(number * apart).take(CREDENTIALS);
                            assert!(pass.all(|request| service.permits(&headers.of(*request))));
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            thread::sleep(time);
            over.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().expect("a thread")).sum::<u64>()
        })
    };
    // In turn, so that both see the machine as it is.
    let [one, two] = (0..5).fold([0, 0], |[one, two], _| [one + answered(1), two + answered(2)]);
    two as f64 / one as f64
}

/// A lookup that has nothing in memory, and counts how often it is asked.
struct Remote(Arc<AtomicU64>);

#[async_trait]
impl Lookup for Remote {
    async fn find(&self, _kind: Kind, _id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }
}

/// Made-up credentials, whole but for their guard, against a store that has to be asked; and how often it was.
pub fn flood() -> (Case, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let keys = || DigestKeys::ephemeral().expect("randomness");
    let (gate, forger) = (Authenticator::new(Remote(Arc::clone(&asked)), keys()), keys());
    let draw =
        |_| forger.draw(Kind::ServiceToken, &SystemRandom).expect("randomness").text.expose().to_owned();
    let headers = Headers::bearer((0..CREDENTIALS).map(draw));
    let case = Case::new("gate_made_up", move |request| {
        let lines = headers.of(request);
        now(gate.authenticate(black_box(&lines))).is_err_and(|refusal| refusal.reason() == Reason::WrongGuard)
    });
    (case, asked)
}

/// A known id with a text that is whole, guard and all, and not the record's.
pub fn wrong_secret(service: &Arc<Service>) -> Case {
    let redrawn = |text: &String| {
        let text = CredentialText::parse(text).expect("whole");
        let key = CredentialKey::new(Kind::ServiceToken, text.id());
        service.keys.redraw(key, &SystemRandom).expect("randomness").text.expose().to_owned()
    };
    refused("gate_wrong_secret", service, service.texts.iter().map(redrawn), Reason::WrongSecret)
}

/// A text that is whole and of no record.
pub fn unknown_id(service: &Arc<Service>) -> Case {
    let drawn = |_| {
        let drawn = service.keys.draw(Kind::ServiceToken, &SystemRandom);
        drawn.expect("randomness").text.expose().to_owned()
    };
    refused("gate_unknown_id", service, (0..CREDENTIALS).map(drawn), Reason::UnknownCredential)
}

fn refused(
    name: &'static str,
    service: &Arc<Service>,
    texts: impl Iterator<Item = String>,
    expected: Reason,
) -> Case {
    let (service, headers) = (Arc::clone(service), Headers::bearer(texts));
    Case::new(name, move |request| {
        service.authenticate(&headers.of(request)).is_err_and(|refusal| refusal.reason() == expected)
    })
}

/// A new credential in a store of its own: drawn, digested, its record built and inserted.
pub fn issued() -> Case {
    let issuer = Issuer::new(MemoryStore::new(), DigestKeys::ephemeral().expect("randomness"));
    Case::new("issuer", move |_| issue(&issuer).len() == 55)
}
