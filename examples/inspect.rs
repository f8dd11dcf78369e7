//! What is this text, is it whole, and what is wrong with it? For people and for scripts; it never prints a secret.
//!
//! `cargo run --example inspect` reads the text from standard input, so that it does not end up in a shell's history.
//! It exits with 0 where the text is a whole credential, with 1 where it is not.
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use keygate::{CredentialText, Kind};

/// More than any credential has.
const LONGEST: u64 = 8_192;

#[allow(dead_code, reason = "the tests take the report and leave the terminal")]
fn main() -> ExitCode {
    let text = match std::env::args().nth(1) {
        Some(text) => text,
        None => {
            let input = std::io::stdin();
            if input.is_terminal() {
                eprintln!("paste a credential, then end the input (Ctrl-D):");
            }
            let mut bytes = Vec::new();
            if let Err(error) = input.take(LONGEST).read_to_end(&mut bytes) {
                eprintln!("standard input: {error}");
                return ExitCode::from(2);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    match report(text.trim()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// What a whole credential is, or what is wrong with the text.
pub(crate) fn report(text: &str) -> Result<String, String> {
    if text.starts_with("eyJ") && text.split('.').count() == 3 {
        return Err("this looks like a JWT: an access token, perhaps; only its server can tell".to_owned());
    }
    let found = CredentialText::parse(text).map_err(|error| format!("not a credential: {error}"))?;
    let origin = if found.is_issued() {
        "issued by keygate, and whole: its checksum holds"
    } else {
        "of the shape of another system; whether it is whole cannot be told"
    };
    let header = match found.kind() {
        Kind::ApiKey => "X-API-KEY: ",
        Kind::ServiceAccount | Kind::ServiceToken => "Authorization: Bearer ",
    };
    let namespace = found.namespace().map(|namespace| format!("{namespace}_")).unwrap_or_default();
    let mut lines = vec![
        format!("{}, {origin}", found.kind()),
        format!("  id          {}", found.id()),
        format!("  to send     {header}{namespace}{}.{}.***", found.kind().as_str(), found.id()),
    ];
    if let Some(slot) = found.key_slot() {
        lines.push(format!("  guard       made with digest key {slot}"));
    }
    if let Some(key) = found.to_keep() {
        lines.push(format!("  client key  {} characters: keep it, and do not send it", key.len()));
    }
    Ok(lines.join("\n"))
}
