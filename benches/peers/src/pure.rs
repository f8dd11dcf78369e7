//! keygate's pure core, as a host without async drives it: four header lines to a decision, nothing else.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use keygate::{
    Action, ApiKeyGrant, Caller, CredentialKey, DigestKeys, Grant, Invalid, Kind, Moment, Presented, Reason,
    Record, Refusal, Resource, Rights, ServiceAccountGrant, ServiceTokenGrant, SystemRandom, Timestamp,
    Validity, header, verify,
};

use crate::account::{EXPIRES_AT, NOW, SCOPE};
use crate::floor::Floor;
use crate::{CREDENTIALS, Case};

/// A host's records of one kind, and the credentials that belong to them.
pub struct Host {
    kind: Kind,
    keys: DigestKeys,
    records: HashMap<CredentialKey, Arc<Record>>,
    texts: Vec<String>,
}

impl Host {
    /// A host with credentials of this kind, freshly drawn.
    pub fn of(kind: Kind) -> Rc<Self> {
        let keys = DigestKeys::ephemeral().expect("randomness");
        let (mut records, mut texts) = (HashMap::new(), Vec::new());
        for _ in 0..CREDENTIALS {
            let drawn = keys.draw(kind, &SystemRandom).expect("randomness");
            let record =
                Record::builder(drawn.key.id, grant(kind).expect("a grant"), drawn.digest, at(NOW - 60))
                    .validity(Validity::until(at(EXPIRES_AT)))
                    .build()
                    .expect("a record");
            records.insert(drawn.key, Arc::new(record));
            texts.push(drawn.text.expose().to_owned());
        }
        Rc::new(Self { kind, keys, records, texts })
    }

    /// The credentials' texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// What a host writes: the call that `pure` measures. The header lines are opaque to the compiler, and stay where
    /// they are, as a server's do.
    fn authenticate(&self, headers: &[(&str, &str); 4]) -> Result<Caller, Refusal> {
        match header::present(black_box(headers))? {
            Presented::Credential(text) => {
                verify(&text, self.records.get(&text.key()), &self.keys, Moment::at(at(NOW)))?
                    .with_parent(|key| self.records.get(key))
            }
            Presented::AccessToken(_) => unreachable!("no case presents one"),
        }
    }

    /// Other texts in these headers, and what becomes of them.
    fn headers(&self, texts: impl IntoIterator<Item = String>) -> Headers {
        if self.kind == Kind::ApiKey {
            Headers { name: "x-api-key", values: texts.into_iter().collect() }
        } else {
            Headers::bearer(texts)
        }
    }
}

/// One header value a request.
pub struct Headers {
    name: &'static str,
    values: Vec<String>,
}

impl Headers {
    /// Requests that present these texts as `Bearer`.
    pub fn bearer(texts: impl IntoIterator<Item = String>) -> Self {
        let values = texts.into_iter().map(|text| format!("Bearer {text}")).collect();
        Self { name: "authorization", values }
    }

    /// The header lines of a request.
    #[inline]
    pub fn of(&self, request: usize) -> [(&str, &str); 4] {
        [
            ("host", "api.example"),
            ("accept", "application/json"),
            ("user-agent", "machine/1.0"),
            (self.name, &self.values[request]),
        ]
    }
}

/// The floor, over the texts of this host in the same order.
pub fn floor(host: &Host) -> Case {
    Case::new("floor", floor_of(&host.texts))
}

/// The floor over these texts: whether it verifies the one of a number.
pub fn floor_of(texts: &[String]) -> impl Fn(usize) -> bool + use<> {
    let texts: Vec<[u8; 55]> =
        texts.iter().map(|text| text.as_bytes().try_into().expect("55 characters")).collect();
    let floor = Floor::new(&[7; 32], texts.iter().copied());
    move |credential| floor.verify(&texts[credential])
}

/// Headers to a granted access on secrets (a service token's, an account's) or, as the user, on a project (an API key's).
pub fn granted(name: &'static str, host: &Rc<Host>) -> Case {
    let (host, headers) = (Rc::clone(host), host.headers(host.texts.iter().cloned()));
    if host.kind == Kind::ApiKey {
        Case::new(name, move |request| {
            host.authenticate(&headers.of(request))
                .as_ref()
                .is_ok_and(|caller| may_read_project(caller).is_ok())
        })
    } else {
        Case::new(name, move |request| {
            host.authenticate(&headers.of(request))
                .as_ref()
                .is_ok_and(|caller| may_read_secrets(caller).is_ok())
        })
    }
}

fn may_read_secrets(caller: &Caller) -> Result<(), Refusal> {
    let [organization, project, environment, path] = *black_box(&WANTED);
    let secrets = Resource::secrets(organization, project, environment, path)?;
    caller.decide(Action::Read, &secrets).granted().map(|_| ())
}

fn may_read_project(caller: &Caller) -> Result<(), Refusal> {
    let [organization, project, ..] = *black_box(&WANTED);
    let project = Resource::project(organization, project)?;
    caller.decide(Action::Read, &project).or_as_user(|user| user.as_str() == USER).map(|_| ())
}

/// A known id with a text that is whole, guard and all, and not the record's.
pub fn wrong_secret(host: &Rc<Host>) -> Case {
    let redrawn = |text: &String| {
        let id = keygate::CredentialText::parse(text).expect("whole").id();
        let drawn = host.keys.redraw(CredentialKey::new(host.kind, id), &SystemRandom).expect("randomness");
        drawn.text.expose().to_owned()
    };
    refused("wrong_secret", host, host.texts.iter().map(redrawn), |reason| reason == Reason::WrongSecret)
}

/// A text that is whole and of no record.
pub fn unknown_id(host: &Rc<Host>) -> Case {
    let drawn = |_| {
        let drawn = host.keys.draw(host.kind, &SystemRandom).expect("randomness");
        drawn.text.expose().to_owned()
    };
    refused("unknown_id", host, (0..CREDENTIALS).map(drawn), |reason| reason == Reason::UnknownCredential)
}

/// A text with one character changed: what all the checks of parsing are needed for.
pub fn malformed(host: &Rc<Host>) -> Case {
    let damaged = |text: &String| {
        let (head, tail) = text.split_at(30);
        let other = if tail.starts_with('A') { 'B' } else { 'A' };
        format!("{head}{other}{}", &tail[1..])
    };
    refused("malformed", host, host.texts.iter().map(damaged), |reason| {
        matches!(reason, Reason::Malformed(_))
    })
}

fn refused(
    name: &'static str,
    host: &Rc<Host>,
    texts: impl Iterator<Item = String>,
    expected: fn(Reason) -> bool,
) -> Case {
    let (host, headers) = (Rc::clone(host), host.headers(texts));
    Case::new(name, move |request| {
        host.authenticate(&headers.of(request)).is_err_and(|refusal| expected(refusal.reason()))
    })
}

/// A new credential with its digest, from the system's random source.
pub fn issue(host: &Rc<Host>) -> Case {
    let host = Rc::clone(host);
    Case::new("issue", move |_| host.keys.draw(host.kind, &SystemRandom).is_ok())
}

const USER: &str = "u-17";
/// Organization, project, environment and folder of what is wanted.
pub const WANTED: [&str; 4] = ["acme", "web", "prod", "/app/db"];

/// What all records of a kind are granted.
fn grant(kind: Kind) -> Result<Grant, Invalid> {
    let rights = || Rights::new("acme", [SCOPE.parse()?]);
    Ok(match kind {
        Kind::ApiKey => ApiKeyGrant::new(USER)?.into(),
        Kind::ServiceAccount => ServiceAccountGrant::new(rights()?).into(),
        Kind::ServiceToken => ServiceTokenGrant::new("web", rights()?)?.into(),
    })
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds.cast_signed())
}
