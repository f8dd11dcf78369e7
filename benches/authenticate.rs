//! What does an authenticator over the memory store cost, by the system's clock: to a permit, and to a refusal?

use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::Criterion;
use keygate::{
    Action, Authenticator, CredentialKey, DigestKeys, Issuer, Lifetime, Lookup, MemoryStore, NewServiceToken,
    Resource, SystemRandom,
};

fn main() -> Result<(), Box<dyn Error>> {
    let (store, keys) = (MemoryStore::new(), DigestKeys::ephemeral()?);
    let issuer = Issuer::new(store.clone(), keys.clone());
    let new = NewServiceToken::new("acme", "web", Lifetime::days(30)).scope("read@web/prod:/app/**".parse()?);
    let issued = at_once(issuer.service_tokens().issue(new))?;
    let lookup: Arc<dyn Lookup> = Arc::new(store);
    let gate = Authenticator::new(lookup, keys.clone());

    let known = bearer(issued.text.expose());
    let CredentialKey { kind, id } = issued.record.key();
    let wrong = keys.redraw(CredentialKey::new(kind, id), &SystemRandom)?;
    let unknown = keys.draw(kind, &SystemRandom)?;

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("authenticate");
    group.bench_function("granted", |bencher| {
        bencher.iter(|| {
            let caller = at_once(gate.authenticate(black_box(&known)))?;
            let wanted = Resource::secrets("acme", "web", "prod", black_box("/app/db"))?;
            gate.decide(&caller, Action::Read, &wanted).granted().map(drop)
        });
    });
    for (name, drawn) in [("wrong_secret", wrong), ("unknown_id", unknown)] {
        let lines = bearer(drawn.text.expose());
        group.bench_function(name, |bencher| {
            bencher.iter(|| at_once(gate.authenticate(black_box(&lines))).is_err());
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// The header line that presents this text.
fn bearer(text: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {text}"))]
}

/// What a future that never waits yields.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the memory store answers at once"),
    }
}
