//! `instructions floor|pure <passes>`: so many passes over all credentials, to be counted by `callgrind.sh`.

use std::env::args;
use std::process::ExitCode;

use keygate::Kind;
use keygate_peers::case::order;
use keygate_peers::pure::{Host, floor, granted};

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let [case, passes] = arguments.as_slice() else { return usage() };
    let Ok(passes) = passes.parse::<usize>() else { return usage() };
    let host = Host::of(Kind::ServiceToken);
    let case = match case.as_str() {
        "floor" => floor(&host),
        "pure" => granted("pure", &host),
        _ => return usage(),
    };
    let order = order();
    (0..passes).for_each(|_| case.run(&order));
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions floor|pure <passes>");
    ExitCode::FAILURE
}
