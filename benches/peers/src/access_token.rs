//! Access tokens: minted by keygate's pure core, verified without a store, and by an authenticator up to a decision.
//!
//! The peer verifies the very same texts: see [`jwt`](crate::jwt).

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use keygate::{
    AccessTokens, Action, Authenticator, Caller, Clock as _, DigestKeys, Expiry, Issuer, Lifetime, Lookup,
    MemoryStore, Mint, MintError, MintedToken, Moment, NewServiceAccount, Presented, Record, Refusal,
    Resource, Scope, SigningKey, SigningKeys, SystemClock, SystemRandom, header, verify_access_token,
};

use crate::account::SCOPE;
use crate::driven::now;
use crate::pure::{Headers, WANTED};
use crate::{CREDENTIALS, Case};

/// What signs the tokens: it is the peer's key, too.
pub const KEY: [u8; 32] = [7; 32];
/// Who signs them.
pub const ISSUER: &str = "https://auth.example";
/// For whom.
pub const AUDIENCE: &str = "https://api.example";

/// The scopes of a token that has as many as one can have.
const MOST_SCOPES: usize = 64;

/// Service accounts in a memory store, and what they minted: a token each, all of the same number of scopes.
pub struct Service {
    gate: Authenticator,
    tokens: AccessTokens,
    clock: SystemClock,
    accounts: Vec<(Caller, Arc<Record>)>,
    mint: Mint,
    texts: Vec<String>,
}

impl Service {
    /// Tokens with one scope, as most have.
    pub fn one_scope() -> Rc<Self> {
        Self::minting(vec![scope(SCOPE)])
    }

    /// Tokens with 64 scopes, of which the last is the one that is needed, as long as a token may be.
    pub fn most_scopes() -> Rc<Self> {
        let scopes = |filler: usize| {
            let others = (1..MOST_SCOPES).map(|number| {
                // One more character in the first of them, until all have one more.
                let length = (filler + MOST_SCOPES - 1 - number) / (MOST_SCOPES - 1);
                scope(&format!("read@web/prod:/app/{number:02}{}/**", "x".repeat(length)))
            });
            others.chain([scope(SCOPE)]).collect::<Vec<_>>()
        };
        let probe = Self::with_accounts(1, scopes(0));
        let fits = |filler: usize| probe.mint_for(0, &minting(scopes(filler))).is_ok();
        let longest = (0..4_096).take_while(|filler| fits(*filler)).last().expect("64 short scopes fit");
        Self::minting(scopes(longest))
    }

    fn minting(scopes: Vec<Scope>) -> Rc<Self> {
        let mut service = Self::with_accounts(CREDENTIALS, scopes);
        let minted = |account| service.mint_for(account, &service.mint).expect("a token").text;
        service.texts = (0..CREDENTIALS).map(|account| minted(account).expose().to_owned()).collect();
        Rc::new(service)
    }

    fn with_accounts(accounts: usize, scopes: Vec<Scope>) -> Self {
        let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral().expect("randomness"));
        let signing = SigningKeys::new([SigningKey::new("k1", &KEY).expect("a key")]).expect("a ring");
        let tokens = AccessTokens::new(signing, ISSUER, AUDIENCE).expect("two names");
        let issuer = Issuer::new(store.clone(), keys.clone());
        let lookup: Arc<dyn Lookup> = Arc::new(store);
        let gate = Authenticator::builder(lookup, keys).access_tokens(tokens.clone()).build();
        let gate = gate.expect("keys that are apart");
        let account = |_| {
            let new = NewServiceAccount::new("acme", Expiry::Never).scope(scope("*@web/prod:/**"));
            let issued = now(issuer.service_accounts().issue(new)).expect("an issue");
            let headers = [("authorization", format!("Bearer {}", issued.text.expose()))];
            (now(gate.authenticate(headers)).expect("its access key"), issued.record)
        };
        let accounts = (0..accounts).map(account).collect();
        let clock = SystemClock::new();
        Self { accounts, gate, tokens, clock, mint: minting(scopes), texts: Vec::new() }
    }

    fn mint_for(&self, account: usize, mint: &Mint) -> Result<MintedToken, MintError> {
        let (caller, record) = &self.accounts[account];
        self.tokens.mint(caller, record, mint, self.clock.now(), &SystemRandom)
    }

    /// The tokens.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    fn headers(&self) -> Headers {
        Headers::bearer(self.texts.iter().cloned())
    }

    /// Who presents this token, without a look at the account: what a service without a store would do. It reads the clock,
    /// because the peer does.
    // One function for all handlers, as a host has it.
    #[inline(never)]
    pub fn authenticate_alone(&self, headers: &[(&str, &str); 4]) -> Result<Caller, Refusal> {
        match header::present(black_box(headers))? {
            Presented::AccessToken(token) => {
                verify_access_token(&token, &self.tokens, Moment::at(self.clock.now()))
                    .map(|child| child.danger_without_parent())
            }
            Presented::Credential(_) => unreachable!("no case presents one"),
        }
    }

    /// Who presents this token, and that its account still carries it.
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

fn minting(scopes: Vec<Scope>) -> Mint {
    Mint::scopes(scopes).lifetime(Lifetime::hours(1))
}

fn scope(text: &str) -> Scope {
    text.parse().expect("a scope")
}

/// A token minted by the pure core, from the account's record in hand.
pub fn mint(name: &'static str, service: &Rc<Service>) -> Case {
    let service = Rc::clone(service);
    Case::new(name, move |account| service.mint_for(account, &service.mint).is_ok())
}

/// Four header lines to a caller, without a look at the account and without a decision.
pub fn alone(name: &'static str, service: &Rc<Service>) -> Case {
    let (service, headers) = (Rc::clone(service), service.headers());
    Case::new(name, move |request| service.authenticate_alone(&headers.of(request)).is_ok())
}

/// Four header lines to a granted access on secrets, with the account in the memory store.
pub fn granted(name: &'static str, service: &Rc<Service>) -> Case {
    let (service, headers) = (Rc::clone(service), service.headers());
    Case::new(name, move |request| {
        let caller = service.authenticate(&headers.of(request));
        caller.as_ref().is_ok_and(|caller| service.may_read_secrets(caller).is_ok())
    })
}
