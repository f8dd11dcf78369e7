//! What does it cost from headers and a record to a decision, and to a refusal?

mod common;

use std::error::Error;
use std::hint::black_box;

use criterion::Criterion;
use keygate::{Action, Kind, Reason, Resource, SystemRandom};

use common::{Issued, headers};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("verify");
    for kind in Kind::ALL {
        let issued = Issued::new(kind, vec!["read@web/prod:/app/**".parse()?])?;
        group.bench_function(format!("{kind} to a decision"), |bencher| {
            bencher.iter(|| {
                let caller = issued.authenticate(black_box(&issued.headers), Some(&issued.record))?;
                let wanted = match kind {
                    Kind::ApiKey => Resource::project("acme", "web")?,
                    Kind::ServiceAccount | Kind::ServiceToken => {
                        Resource::secrets("acme", "web", "prod", black_box("/app/db"))?
                    }
                };
                caller.decide(Action::Read, &wanted).or_as_user(|user| user.as_str() == "u-17").map(drop)
            });
        });
    }

    let issued = Issued::new(Kind::ServiceToken, vec!["read@web/prod:/app/**".parse()?])?;
    let redrawn = issued.keys.redraw(issued.record.key(), &SystemRandom)?;
    let other_secret = headers(Kind::ServiceToken, redrawn.text.expose());
    for (name, headers, record, reason) in [
        ("wrong secret", &other_secret, Some(&issued.record), Reason::WrongSecret),
        ("unknown id", &issued.headers, None, Reason::UnknownCredential),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                issued
                    .authenticate(black_box(headers), record)
                    .is_err_and(|refusal| refusal.reason() == reason)
            });
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
