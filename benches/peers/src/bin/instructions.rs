//! `instructions <case> <passes>`: so many passes over all credentials. `callgrind.sh` counts those of `floor` and `pure`;
//! the others are to profile.

use std::env::args;
use std::process::ExitCode;

use keygate::Kind;
use keygate_peers::access_token::{self, Service};
use keygate_peers::case::order;
use keygate_peers::jwt;
use keygate_peers::pure::{Host, floor, granted};

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let [case, passes] = arguments.as_slice() else { return usage() };
    let Ok(passes) = passes.parse::<usize>() else { return usage() };
    let host = || Host::of(Kind::ServiceToken);
    let case = match case.as_str() {
        "floor" => floor(&host()),
        "pure" => granted("pure", &host()),
        "token_alone" => access_token::alone("token_alone", &Service::one_scope()),
        "token_gate" => access_token::granted("token_gate", &Service::one_scope()),
        "token_alone_64" => access_token::alone("token_alone_64", &Service::most_scopes()),
        "token_gate_64" => access_token::granted("token_gate_64", &Service::most_scopes()),
        "jsonwebtoken" => jwt::case("jsonwebtoken", &Service::one_scope()),
        _ => return usage(),
    };
    let order = order();
    (0..passes).for_each(|_| case.run(&order));
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: instructions floor|pure|token_alone|token_gate|token_alone_64|token_gate_64|jsonwebtoken <passes>"
    );
    ExitCode::FAILURE
}
