//! What does it cost to decide that one pattern contains another, from the plain case to the end of the budget?

use std::error::Error;
use std::hint::black_box;

use criterion::Criterion;
use keygate::{Pattern, Rights, Scope};

fn main() -> Result<(), Box<dyn Error>> {
    let many_stars = |end: &str| format!("/**{}/{end}", "/*a*".repeat(20));
    let (wide, narrow) = (many_stars("**"), many_stars("b"));
    let patterns = [
        ("equal", "/app/**", "/app/**"),
        ("below", "/app/**", "/app/db/*"),
        ("beside", "/app/**", "/web/db/*"),
        ("two spellings", "/*/**", "/**/x"),
        ("many stars", &*wide, &*narrow),
    ];

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("containment");
    for (name, wider, narrower) in patterns {
        let (wider, narrower) = (Pattern::parse(wider)?, Pattern::parse(narrower)?);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(wider).contains(black_box(narrower))));
    }

    let rights = |path: &str| {
        let scopes = (0..20).map(|number| format!("read,update@web/prod:/team-{number}/{path}").parse());
        Rights::new("acme", scopes.collect::<Result<Vec<Scope>, _>>()?)
    };
    let (wider, narrower) = (rights("**")?, rights("app-*/db")?);
    group.bench_function("20 scopes in 20", |bencher| {
        bencher.iter(|| black_box(&wider).covers(black_box(&narrower)).is_ok());
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
