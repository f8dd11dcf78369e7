//! Runs files of test vectors: `cargo run --example vectors -- headers FILE`, likewise `paths`, `scopes`, `expiry`.
//!
//! It prints a line for each case that comes out otherwise than expected, then `N passed, M failed`. It exits with 1
//! if a case failed, and with 2 if there was nothing to run: a wrong call, or a file that is not of the kind named.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::{
    Action, Actions, Invalid, Kind, Leeway, OrganizationId, Pattern, Presented, Rights, Scope, SecretPath,
    Standing, Timestamp, Validity, header,
};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

const USAGE: &str = "usage: vectors headers|paths|scopes|expiry FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [kind, file] => std::fs::read_to_string(file)
            .map_err(|error| format!("{file}: {error}"))
            .and_then(|json| run(kind, &json).map_err(|error| format!("{file}: {error}"))),
        _ => Err(USAGE.to_owned()),
    };
    let mut out = io::stdout().lock();
    let (written, code) = match outcome {
        Ok(outcome) => {
            let code = if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) };
            (write!(out, "{outcome}"), code)
        }
        Err(message) => (writeln!(io::stderr(), "{message}"), ExitCode::from(2)),
    };
    // A reader that went away (`| head`) is no failure of a case.
    if written.and_then(|()| out.flush()).is_err() { ExitCode::from(2) } else { code }
}

/// How a file's cases came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many came out as expected.
    pub(crate) passed: usize,
    /// A line for each of the others.
    pub(crate) failures: Vec<String>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        writeln!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

/// Judges all cases of a file of this kind.
///
/// # Errors
///
/// What is wrong with the kind or the file.
pub(crate) fn run(kind: &str, json: &str) -> Result<Outcome, String> {
    match kind {
        "headers" => judge_all::<HeadersCase>(json),
        "paths" => judge_all::<PathCase>(json),
        "scopes" => judge_all::<ScopesCase>(json),
        "expiry" => judge_all::<ExpiryCase>(json),
        _ => Err(format!("no vectors are of the kind {kind:?}\n{USAGE}")),
    }
}

/// What all cases have; what a kind has of its own is beside it.
#[derive(Deserialize)]
struct Case<T> {
    name: String,
    expect: String,
    #[serde(default)]
    also_ok: Vec<String>,
    #[serde(default)]
    tier: String,
    #[serde(flatten)]
    given: T,
}

trait Given: DeserializeOwned {
    /// The library's answer.
    ///
    /// # Errors
    ///
    /// What is wrong with the case itself.
    fn judge(&self) -> Result<String, String>;
}

fn judge_all<T: Given>(json: &str) -> Result<Outcome, String> {
    let cases: Vec<Case<T>> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let judged = cases
        .iter()
        .map(|case| {
            let got = judge_one(case).map_err(|error| format!("{}: {error}", case.name))?;
            Ok(got.map(|got| format!("{}: expected {}, got {got}", case.name, case.expect)))
        })
        .collect::<Result<Vec<Option<String>>, String>>()?;
    let passed = judged.iter().filter(|failure| failure.is_none()).count();
    Ok(Outcome { passed, failures: judged.into_iter().flatten().collect() })
}

/// What was got instead of what was expected, if anything.
fn judge_one<T: Given>(case: &Case<T>) -> Result<Option<String>, String> {
    let start = Instant::now();
    let got =
        catch_unwind(AssertUnwindSafe(|| case.given.judge())).unwrap_or_else(|_| Ok("a panic".to_owned()))?;
    let took = start.elapsed();
    // A true union of several rules may be found or refused.
    let may_be_refused = case.tier == "conservative" && got == "not_subset";
    if got != case.expect && !case.also_ok.contains(&got) && !may_be_refused {
        return Ok(Some(got));
    }
    let limit = if case.tier == "bomb" { Duration::from_millis(50) } else { Duration::from_secs(1) };
    Ok((took > limit).then(|| format!("{got} after {} ms", took.as_millis())))
}

/// Header lines, the values in base64.
#[derive(Deserialize)]
struct HeadersCase {
    headers: Vec<(String, String)>,
}

impl Given for HeadersCase {
    fn judge(&self) -> Result<String, String> {
        let lines = decoded(&self.headers)?;
        Ok(match header::present(&lines) {
            Ok(presented) => format!("accept:{}", name_of(&presented)),
            Err(refusal) => format!("reject:{}", refusal.reason().code()),
        })
    }
}

/// The lines of a case as bytes.
pub(crate) fn decoded(headers: &[(String, String)]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let value =
        |text: &String| STANDARD.decode(text).map_err(|error| format!("{text:?} is no base64: {error}"));
    headers.iter().map(|(name, text)| Ok((name.clone(), value(text)?))).collect()
}

/// What was presented, in the words of the vectors.
pub(crate) fn name_of<V: AsRef<[u8]>>(presented: &Presented<V>) -> &'static str {
    match presented {
        Presented::AccessToken(_) => "access_token",
        Presented::Credential(presented) => match presented.kind() {
            Kind::ApiKey => "api_key",
            Kind::ServiceAccount => "service_account_key",
            Kind::ServiceToken if presented.client_key_arrived() => "service_token_with_client_key",
            Kind::ServiceToken => "service_token",
        },
    }
}

/// A pattern and a path, judged in this order.
#[derive(Deserialize)]
struct PathCase {
    pattern: String,
    path: String,
}

impl Given for PathCase {
    fn judge(&self) -> Result<String, String> {
        let answer = match (Pattern::parse(&self.pattern), SecretPath::parse(&self.path)) {
            (Err(_), _) => "reject_pattern",
            (_, Err(_)) => "reject_path",
            (Ok(pattern), Ok(path)) if pattern.matches(path) => "allow",
            _ => "deny",
        };
        Ok(answer.to_owned())
    }
}

/// Two lists of rules, of which one should contain the other.
#[derive(Deserialize)]
struct ScopesCase {
    parent: Vec<RuleOrNot>,
    child: Vec<RuleOrNot>,
}

/// A rule, or something that is none: a field too many or too few, an unknown action.
#[derive(Deserialize)]
#[serde(untagged)]
enum RuleOrNot {
    Rule(Rule),
    Not(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    org: String,
    project: String,
    env: String,
    path: String,
    actions: Vec<String>,
}

impl Given for ScopesCase {
    fn judge(&self) -> Result<String, String> {
        // What a parent says wrongly grants nothing; a child that says something wrongly is never contained.
        let held = by_organization(self.parent.iter().filter_map(RuleOrNot::scope));
        let asked = self.child.iter().map(RuleOrNot::scope).collect::<Option<Vec<_>>>().map(by_organization);
        let contained = match (held, asked) {
            (Ok(held), Some(Ok(asked))) => asked.iter().all(|(organization, asked)| {
                held.get(organization).is_some_and(|held| held.covers(asked).is_ok())
            }),
            _ => false,
        };
        Ok(if contained { "subset" } else { "not_subset" }.to_owned())
    }
}

/// Rights are those in one organization.
fn by_organization<'a>(
    rules: impl IntoIterator<Item = (&'a str, Scope)>,
) -> Result<BTreeMap<&'a str, Rights>, Invalid> {
    let mut scopes = BTreeMap::<_, Vec<_>>::new();
    for (organization, scope) in rules {
        scopes.entry(organization).or_default().push(scope);
    }
    scopes
        .into_iter()
        .map(|(organization, scopes)| Ok((organization, Rights::new(organization, scopes)?)))
        .collect()
}

impl RuleOrNot {
    /// The rule's organization, and the scope on secrets that it is.
    fn scope(&self) -> Option<(&str, Scope)> {
        let Self::Rule(Rule { org, project, env, path, actions }) = self else { return None };
        let named = |word: &String| Action::ALL.into_iter().find(|action| action.as_str() == word);
        let actions: Vec<Action> = actions.iter().map(named).collect::<Option<_>>()?;
        let set: Actions = actions.iter().copied().collect();
        if set.iter().count() != actions.len() {
            return None;
        }
        OrganizationId::parse(org).ok()?;
        Some((org, Scope::secrets(set, project, env, path).ok()?))
    }
}

/// A window, a moment, and a leeway, in seconds.
#[derive(Deserialize)]
struct ExpiryCase {
    now: i64,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    leeway: i64,
}

impl Given for ExpiryCase {
    fn judge(&self) -> Result<String, String> {
        let window = Validity::new(
            self.not_before.map(Timestamp::from_unix),
            self.expires_at.map(Timestamp::from_unix),
        );
        let answer = match (Leeway::seconds(self.leeway), window) {
            (Err(_), _) => "invalid_config",
            (_, Err(_)) => "invalid_window",
            (Ok(leeway), Ok(window)) => match window.standing(Timestamp::from_unix(self.now), leeway) {
                Standing::Valid => "valid",
                Standing::NotYetValid => "not_yet_valid",
                Standing::Expired => "expired",
            },
        };
        Ok(answer.to_owned())
    }
}
