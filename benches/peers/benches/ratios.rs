//! `cargo bench -p keygate-peers --bench ratios`: all cases interleaved in one process, as multiples of the floor.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keygate::Kind;
use keygate_peers::case::order;
use keygate_peers::driven::{self, Service};
use keygate_peers::pure::{self, Host};
use keygate_peers::{CREDENTIALS, access_token, bcrypt, jwt, naive, prefixed};

const ROUNDS: usize = 201;

/// How many times as long the peer should take as these, with one scope and with 64, and what they do.
const PROMISED: [(f64, [&str; 2], &str); 2] = [
    (2.5, ["token_alone", "token_alone_64"], "ours without the store"),
    (2.0, ["token_gate", "token_gate_64"], "ours with the parent looked up and the scopes decided"),
];

fn main() {
    // `cargo bench` says `--bench`; without it (`cargo test --all-targets`) one round shows that all cases work.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let [tokens, accounts, api_keys] = [Kind::ServiceToken, Kind::ServiceAccount, Kind::ApiKey].map(Host::of);
    let service = Arc::new(Service::of(CREDENTIALS));
    let (flood, asked) = driven::flood();
    let texts = tokens.texts();
    let [one, most] = [access_token::Service::one_scope(), access_token::Service::most_scopes()];
    let cases = [
        pure::floor(&tokens),
        pure::granted("pure", &tokens),
        pure::granted("service_account", &accounts),
        pure::granted("api_key", &api_keys),
        pure::wrong_secret(&tokens),
        pure::unknown_id(&tokens),
        pure::malformed(&tokens),
        pure::issue(&tokens),
        driven::granted("gate", &service),
        driven::wrong_secret(&service),
        driven::unknown_id(&service),
        flood,
        driven::issued(),
        access_token::mint("mint", &one),
        access_token::alone("token_alone", &one),
        access_token::granted("token_gate", &one),
        access_token::alone("token_alone_64", &most),
        access_token::granted("token_gate_64", &most),
        jwt::case("jsonwebtoken", &one),
        jwt::case("jsonwebtoken_64", &most),
        naive::case(texts),
        prefixed::case(),
        bcrypt::case(texts),
    ];

    let order = order();
    let allocations: Vec<f64> = cases.iter().map(|case| case.allocations(&order)).collect();
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    allocation_counter::opt_out(|| {
        for _ in 0..rounds {
            cases.iter().zip(&mut times).for_each(|(case, times)| times.push(case.time(&order)));
        }
    });

    println!(
        "one interleaved run, one process: {rounds} rounds of all cases, {CREDENTIALS} credentials in a shuffled order"
    );
    println!("a ratio is the median over rounds of (time of the case / time of the floor in the same round)");
    let [one, most] = [one, most].map(|service| service.texts()[0].len());
    println!("an access token has {one} bytes, with 64 scopes {most}, a credential {}\n", texts[0].len());
    println!(
        "{:<18} {:>10} {:>10} {:>10} {:>13} {:>16}",
        "case", "x floor", "10 %", "90 %", "allocations", "ns, this machine"
    );
    let mut lines = String::new();
    for ((case, case_times), allocations) in cases.iter().zip(&times).zip(allocations) {
        let ratios = sorted(case_times.iter().zip(&times[0]).map(|(case, floor)| case / floor));
        let [low, median, high] = [10, 50, 90].map(|percent| ratios[(ratios.len() - 1) * percent / 100]);
        let times = sorted(case_times.iter().copied());
        let (name, time) = (case.name(), times[times.len() / 2]);
        println!("{name:<18} {median:>10.2} {low:>10.2} {high:>10.2} {allocations:>13} {time:>16.0}");
        lines += &format!("ratio {name} {median:.2} {allocations}\n");
    }
    println!();
    for (aim, [ours, ours_64], what) in PROMISED {
        for (ours, theirs) in [(ours, "jsonwebtoken"), (ours_64, "jsonwebtoken_64")] {
            let [ours_times, their_times] = [ours, theirs].map(|name| {
                &times[cases.iter().position(|case| case.name() == name).expect("a case of this name")]
            });
            let ratios = sorted(their_times.iter().zip(ours_times).map(|(theirs, ours)| theirs / ours));
            let median = ratios[ratios.len() / 2];
            println!("{theirs} / {ours}, {what}: {median:.2} (to reach: {aim:.1})");
            lines += &format!("times {theirs} {ours} {median:.2}\n");
        }
    }
    let second_thread = Duration::from_millis(if rounds == ROUNDS { 400 } else { 10 });
    let scaling = driven::two_threads(&service, second_thread);
    println!("\ngate_made_up asked the store {} times", asked.load(Ordering::Relaxed));
    println!("two threads answer {scaling:.2} times as many requests through one gate as one thread");
    print!("\n{lines}");
    println!("asked gate_made_up {}\nscaling gate {scaling:.2}", asked.load(Ordering::Relaxed));
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
