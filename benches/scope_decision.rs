//! What does a decision cost with 1, 10 and 100 scopes, where the last one permits and where none does?

mod common;

use std::error::Error;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use keygate::{Action, Kind, Resource, Scope};

use common::Issued;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("scope decision");
    for scopes in [1_u32, 10, 100] {
        let rights =
            (1..=scopes).rev().map(|number| format!("read@web/prod:/team-{number}/*/app-*/**").parse());
        let issued = Issued::new(Kind::ServiceToken, rights.collect::<Result<Vec<Scope>, _>>()?)?;
        let caller = issued.authenticate(&issued.headers, Some(&issued.record))?;
        for (name, path) in [("permitted", "/team-1/eu/app-7/db"), ("denied", "/team-1/eu/web/db")] {
            group.bench_with_input(BenchmarkId::new(name, scopes), path, |bencher, path| {
                bencher.iter(|| {
                    let wanted = Resource::secrets("acme", "web", "prod", black_box(path))?;
                    caller.decide(Action::Read, &wanted).granted().map(drop)
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
