//! What does it cost to read the headers of a request?

use std::error::Error;
use std::hint::black_box;

use criterion::Criterion;
use keygate::{DigestKeys, Kind, SystemRandom, header};

fn main() -> Result<(), Box<dyn Error>> {
    let keys = DigestKeys::ephemeral()?;
    let drawn = |kind| keys.draw(kind, &SystemRandom).map(|drawn| drawn.text);
    let token = drawn(Kind::ServiceToken)?;
    let changed: String = token.expose().chars().rev().collect();
    let values = [
        ("service token", format!("Bearer {}", token.expose())),
        ("service token with a client key", format!("Bearer {}.{:a<32}", token.expose(), "")),
        ("service account", format!("Bearer {}", drawn(Kind::ServiceAccount)?.expose())),
        ("access token", format!("Bearer eyJ{:a<60}.{:b<330}.{:c<43}", "", "", "")),
        ("malformed", format!("Bearer st.{changed}")),
        ("another scheme", "Basic dTpw".to_owned()),
        ("8 KiB", format!("Bearer {:a<8000}", "")),
    ];

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("parse");
    for (name, value) in &values {
        let headers = request("authorization", value);
        group.bench_function(*name, |bencher| bencher.iter(|| header::present(black_box(&headers)).is_ok()));
    }
    let key = drawn(Kind::ApiKey)?;
    let headers = request("x-api-key", key.expose());
    group.bench_function("API key", |bencher| bencher.iter(|| header::present(black_box(&headers)).is_ok()));
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn request<'a>(name: &'a str, value: &'a str) -> [(&'a str, &'a str); 4] {
    [("host", "api.example"), ("accept", "application/json"), ("user-agent", "machine/1.0"), (name, value)]
}
