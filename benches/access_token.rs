//! What does an access token cost: to mint, to verify without a store, and, by an authenticator over the memory store, to a permit
//! and to a refusal?

use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::Criterion;
use keygate::{
    AccessTokens, Action, Authenticator, Caller, Clock as _, DigestKeys, Expiry, Issuer, Lookup, MemoryStore,
    Mint, Moment, NewServiceAccount, Presented, Record, Refusal, Resource, Scope, SigningKeys, SystemClock,
    SystemRandom, header, verify_access_token,
};

/// A service account, and what mints and verifies for it.
struct Host {
    gate: Authenticator,
    tokens: AccessTokens,
    account: (Caller, Arc<Record>),
    clock: SystemClock,
}

type Headers = [(&'static str, String); 4];

fn main() -> Result<(), Box<dyn Error>> {
    let host = Host::new()?;
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("access_token");
    for (name, scopes) in [("1 scope", scopes(1)?), ("64 scopes", scopes(64)?)] {
        let mint = Mint::scopes(scopes);
        group.bench_function(format!("mint, {name}"), |bencher| bencher.iter(|| host.mint(&mint)));

        let lines = headers(&host.mint(&mint)?);
        group.bench_function(format!("verify without a store, {name}"), |bencher| {
            bencher.iter(|| host.verify(black_box(&lines)));
        });
        group.bench_function(format!("authenticate to a decision, {name}"), |bencher| {
            bencher.iter(|| {
                let caller = at_once(host.gate.authenticate(black_box(&lines)))?;
                let wanted = Resource::secrets("acme", "web", "prod", black_box("/app/db"))?;
                host.gate.decide(&caller, Action::Read, &wanted).granted().map(drop)
            });
        });

        let forged = headers(&with_another_signature(&host.mint(&mint)?));
        group.bench_function(format!("wrong signature, {name}"), |bencher| {
            bencher.iter(|| at_once(host.gate.authenticate(black_box(&forged))).is_err());
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

impl Host {
    fn new() -> Result<Self, Box<dyn Error>> {
        let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
        let tokens =
            AccessTokens::new(SigningKeys::ephemeral()?, "https://auth.example", "https://api.example")?;
        let issuer = Issuer::new(store.clone(), keys.clone());
        let new = NewServiceAccount::new("acme", Expiry::Never).scope("*@web/prod:/**".parse()?);
        let issued = at_once(issuer.service_accounts().issue(new))?;
        let lookup: Arc<dyn Lookup> = Arc::new(store);
        let gate = Authenticator::builder(lookup, keys).access_tokens(tokens.clone()).build()?;
        let caller = at_once(gate.authenticate(headers(issued.text.expose())))?;
        Ok(Self { gate, tokens, account: (caller, issued.record), clock: SystemClock::new() })
    }

    fn mint(&self, mint: &Mint) -> Result<String, Box<dyn Error>> {
        let (caller, account) = &self.account;
        let minted = self.tokens.mint(caller, account, mint, self.clock.now(), &SystemRandom)?;
        Ok(minted.text.expose().to_owned())
    }

    fn verify(&self, headers: &Headers) -> Result<Caller, Refusal> {
        match header::present(headers)? {
            Presented::AccessToken(token) => {
                verify_access_token(&token, &self.tokens, Moment::at(self.clock.now()))
                    .map(|child| child.danger_without_parent())
            }
            Presented::Credential(_) => unreachable!("no benchmark presents one"),
        }
    }
}

/// So many scopes, of which the last is the one that is needed.
fn scopes(count: usize) -> Result<Vec<Scope>, keygate::Invalid> {
    let others = (1..count).map(|number| format!("read@web/prod:/app/{number:02}/**").parse());
    others.chain(["read@web/prod:/app/db".parse()]).collect()
}

/// The token with another first character of the signature.
fn with_another_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let (first, rest) = signature.split_at(1);
    format!("{signed}.{}{rest}", if first == "A" { 'B' } else { 'A' })
}

/// A request that presents this text.
fn headers(text: &str) -> Headers {
    let line = |name, value: &str| (name, value.to_owned());
    [
        line("host", "api.example"),
        line("accept", "application/json"),
        line("user-agent", "machine/1.0"),
        line("authorization", &format!("Bearer {text}")),
    ]
}

/// What a future that never waits yields.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the memory store answers at once"),
    }
}
