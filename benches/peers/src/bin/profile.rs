//! `profile <case> <passes>`: so many passes over access tokens, for a profiler. Not part of `instructions`, because what else is in
//! a program changes what the compiler makes of the two cases that are counted there.

use std::env::args;
use std::process::ExitCode;

use keygate_peers::access_token::{self, Service};
use keygate_peers::case::order;
use keygate_peers::jwt;

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let [case, passes] = arguments.as_slice() else { return usage() };
    let Ok(passes) = passes.parse::<usize>() else { return usage() };
    let case = match case.as_str() {
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
    eprintln!("usage: profile token_alone|token_gate|token_alone_64|token_gate_64|jsonwebtoken <passes>");
    ExitCode::FAILURE
}
