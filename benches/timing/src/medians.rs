//! Refusals that a caller must not tell apart by time: the medians of whole requests, interleaved.
//!
//! A request is what a host without a network does with it: header line in, lookup in a map, refusal out.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use keygate::{
    ApiKeyGrant, CredentialKey, DigestKeys, Drawn, Kind, Moment, Presented, Record, Refusal, Revocation,
    SystemRandom, Timestamp, Verified, header, verify,
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

pub(crate) fn comparisons(samples: usize, runs: usize) -> Result<[Comparison; 2], Any> {
    let host = Host::new()?;
    let mut unknown = Vec::new();
    let mut revoked = Vec::new();
    for _ in 0..runs {
        let [wrong_secret_median, revoked_median, unknown_median] = host.medians(samples)?;
        unknown.push(unknown_median / wrong_secret_median);
        revoked.push(revoked_median / wrong_secret_median);
    }
    Ok([
        Comparison { name: "medians: unknown id / known id with a wrong secret", ratios: unknown },
        Comparison { name: "medians: revoked / wrong secret", ratios: revoked },
    ])
}

struct Host {
    keys: DigestKeys,
    now: Timestamp,
    records: HashMap<CredentialKey, Arc<Record>>,
    /// By sort.
    texts: [Vec<Drawn>; 3],
}

impl Host {
    fn new() -> Result<Self, Any> {
        let keys = DigestKeys::ephemeral()?;
        let now = Timestamp::from_unix(1_795_518_000);
        let mut records = HashMap::new();
        let mut texts = [Vec::new(), Vec::new(), Vec::new()];
        let [wrong_secret, revoked, unknown] = &mut texts;
        for _ in 0..CREDENTIALS {
            let mut store = |drawn: &Drawn, revocation: Option<Revocation>| -> Result<(), Any> {
                let grant = ApiKeyGrant::new("u-17")?;
                let mut record = Record::builder(drawn.key.id, grant, drawn.digest.clone(), now);
                if let Some(revocation) = revocation {
                    record = record.revoked(revocation);
                }
                records.insert(drawn.key, Arc::new(record.build()?));
                Ok(())
            };
            let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
            store(&drawn, None)?;
            wrong_secret.push(keys.redraw(drawn.key, &SystemRandom)?);
            let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
            store(&drawn, Some(Revocation::new(now, "leaked")))?;
            revoked.push(drawn);
            unknown.push(keys.draw(Kind::ApiKey, &SystemRandom)?);
        }
        Ok(Self { keys, now, records, texts })
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

    fn request(&self, text: &str) -> Result<Option<Verified>, Refusal> {
        let Presented::Credential(presented) = header::present([("X-API-KEY", text)])? else {
            return Ok(None);
        };
        verify(&presented, self.records.get(&presented.key()), &self.keys, Moment::at(self.now)).map(Some)
    }
}
