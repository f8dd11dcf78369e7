//! Refusals that a caller must not tell apart by time: the medians of whole requests, interleaved.
//!
//! A request is what a host does with it: header line in, refusal out, by an authenticator over the memory store, and over a warm
//! cache.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keygate::{
    ApiKeyGrant, Authenticator, Cached, Caller, Clock as _, CredentialId, DigestKeys, Drawn, Inserted, Kind,
    Lookup, MemoryStore, Record, Refusal, Revocation, Store as _, StoreError, SystemClock, SystemRandom,
};

use crate::leaks::Any;
use crate::random::Random;

pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    /// Of the medians, one a run.
    pub(crate) ratios: Vec<f64>,
}

/// Of each sort.
const CREDENTIALS: usize = 512;
/// Requests a sample: the clock costs as much as a tenth of one.
const BATCH: usize = 16;

/// What is presented.
#[derive(Clone, Copy)]
enum Sort {
    /// A known id with another secret.
    WrongSecret,
    /// The right secret of a revoked credential.
    Revoked,
    /// An id that has no record.
    Unknown,
}

pub(crate) fn comparisons(samples: usize, runs: usize) -> Result<Vec<Comparison>, Any> {
    let mut comparisons = Vec::new();
    for (cached, names) in [
        (false, ["medians: unknown id / known id with a wrong secret", "medians: revoked / wrong secret"]),
        (true, ["medians, cached: unknown id / wrong secret", "medians, cached: revoked / wrong secret"]),
    ] {
        let host = Host::new(cached)?;
        let mut ratios = [Vec::new(), Vec::new()];
        for _ in 0..runs {
            let [wrong_secret, revoked, unknown] = host.medians(samples)?;
            ratios[0].push(unknown / wrong_secret);
            ratios[1].push(revoked / wrong_secret);
        }
        comparisons.extend(names.into_iter().zip(ratios).map(|(name, ratios)| Comparison { name, ratios }));
    }
    Ok(comparisons)
}

/// A database, as far as a cache can tell: it has to be asked.
struct Asked(MemoryStore);

#[async_trait]
impl Lookup for Asked {
    async fn find(&self, kind: Kind, id: &CredentialId) -> Result<Option<Arc<Record>>, StoreError> {
        self.0.find(kind, id).await
    }
}

struct Host {
    gate: Authenticator,
    /// By sort.
    texts: [Vec<Drawn>; 3],
}

impl Host {
    fn new(cached: bool) -> Result<Self, Any> {
        let keys = DigestKeys::ephemeral()?;
        let (store, now) = (MemoryStore::new(), SystemClock::new().now());
        let mut texts = [Vec::new(), Vec::new(), Vec::new()];
        let [wrong_secret, revoked, unknown] = &mut texts;
        for _ in 0..CREDENTIALS {
            let insert = |drawn: &Drawn, revocation: Option<Revocation>| -> Result<(), Any> {
                let grant = ApiKeyGrant::new("u-17")?;
                let mut record = Record::builder(drawn.key.id, grant, drawn.digest.clone(), now);
                if let Some(revocation) = revocation {
                    record = record.revoked(revocation);
                }
                match at_once(store.insert(&Arc::new(record.build()?)))? {
                    Inserted::Yes => Ok(()),
                    Inserted::IdTaken => Err("an id was drawn twice".into()),
                }
            };
            let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
            insert(&drawn, None)?;
            wrong_secret.push(keys.redraw(drawn.key, &SystemRandom)?);
            let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
            insert(&drawn, Some(Revocation::new(now, "leaked")))?;
            revoked.push(drawn);
            unknown.push(keys.draw(Kind::ApiKey, &SystemRandom)?);
        }
        if !cached {
            return Ok(Self { gate: Authenticator::new(store, keys), texts });
        }
        let minute = Duration::from_secs(60);
        let cached = Cached::builder(Asked(store)).max_staleness(minute).max_absence(minute).build()?;
        let host = Self { gate: Authenticator::new(cached, keys), texts };
        host.texts.iter().flatten().for_each(|drawn| drop(host.request(drawn.text.expose())));
        Ok(host)
    }

    /// Of so many samples each, in the order of [`Sort`], in nanoseconds.
    fn medians(&self, samples: usize) -> Result<[f64; 3], Any> {
        let mut random = Random::new()?;
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..(samples * 3 / BATCH).max(3_000) {
            let sort = [Sort::WrongSecret, Sort::Revoked, Sort::Unknown][random.below(3)];
            times[sort as usize].push(self.sample(sort, &mut random)?);
        }
        Ok(times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2] as f64
        }))
    }

    /// How long a batch takes.
    fn sample(&self, sort: Sort, random: &mut Random) -> Result<u128, Any> {
        let texts = &self.texts[sort as usize];
        let batch: [&str; BATCH] = std::array::from_fn(|_| texts[random.below(CREDENTIALS)].text.expose());
        let start = Instant::now();
        let refused = batch.into_iter().filter(|text| black_box(self.request(text)).is_err()).count();
        let took = start.elapsed();
        if refused == BATCH {
            Ok(took.as_nanos())
        } else {
            Err("every request should have been refused".into())
        }
    }

    fn request(&self, text: &str) -> Result<Caller, Refusal> {
        at_once(self.gate.authenticate([("X-API-KEY", text)]))
    }
}

/// What a future that never waits yields.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the memory store answers at once"),
    }
}
