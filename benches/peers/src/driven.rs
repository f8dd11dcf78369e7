//! keygate as most hosts drive it: an authenticator with the system's clock over the memory store, an issuer beside it.

use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use keygate::{
    Action, Authenticator, Caller, DigestKeys, Issuer, Lifetime, Lookup, MemoryStore, NewServiceToken,
    Reason, Refusal, Resource,
};

use crate::account::SCOPE;
use crate::pure::{Headers, WANTED};
use crate::{CREDENTIALS, Case};

/// A service with service tokens in its memory store.
pub struct Service {
    keys: DigestKeys,
    gate: Authenticator,
    texts: Vec<String>,
}

/// The result of a future that does not wait, as an executor's first poll gets it.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("what is in memory is there at once"),
    }
}

impl Service {
    /// A service with so many credentials, of which it can present as many as every case does.
    pub fn of(credentials: usize) -> Rc<Self> {
        let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral().expect("randomness"));
        let issuer = Issuer::new(store.clone(), keys.clone());
        let lookup: Arc<dyn Lookup> = Arc::new(store);
        let gate = Authenticator::new(lookup, keys.clone());
        let every = credentials.div_ceil(CREDENTIALS);
        let mut texts = Vec::new();
        for number in 0..credentials {
            let text = issue(&issuer);
            if number % every == 0 {
                texts.push(text);
            }
        }
        Rc::new(Self { keys, gate, texts })
    }

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
pub fn granted(name: &'static str, service: &Rc<Service>) -> Case {
    let (service, headers) = (Rc::clone(service), Headers::bearer(service.texts.iter().cloned()));
    Case::new(name, move |request| {
        service
            .authenticate(&headers.of(request))
            .as_ref()
            .is_ok_and(|caller| service.may_read_secrets(caller).is_ok())
    })
}

/// A known id with a text that is whole, guard and all, and not the record's.
pub fn wrong_secret(service: &Rc<Service>) -> Case {
    let redrawn = |text: &String| {
        let text = keygate::CredentialText::parse(text).expect("whole");
        let key = keygate::CredentialKey::new(keygate::Kind::ServiceToken, text.id());
        service.keys.redraw(key, &keygate::SystemRandom).expect("randomness").text.expose().to_owned()
    };
    refused("gate_wrong_secret", service, service.texts.iter().map(redrawn), Reason::WrongSecret)
}

/// A text that is whole and of no record.
pub fn unknown_id(service: &Rc<Service>) -> Case {
    let drawn = |_| {
        let drawn = service.keys.draw(keygate::Kind::ServiceToken, &keygate::SystemRandom);
        drawn.expect("randomness").text.expose().to_owned()
    };
    refused("gate_unknown_id", service, (0..CREDENTIALS).map(drawn), Reason::UnknownCredential)
}

fn refused(
    name: &'static str,
    service: &Rc<Service>,
    texts: impl Iterator<Item = String>,
    expected: Reason,
) -> Case {
    let (service, headers) = (Rc::clone(service), Headers::bearer(texts));
    Case::new(name, move |request| {
        service.authenticate(&headers.of(request)).is_err_and(|refusal| refusal.reason() == expected)
    })
}

/// A new credential in a store of its own: drawn, digested, its record built and inserted.
pub fn issued() -> Case {
    let issuer = Issuer::new(MemoryStore::new(), DigestKeys::ephemeral().expect("randomness"));
    Case::new("issuer", move |_| issue(&issuer).len() == 55)
}
