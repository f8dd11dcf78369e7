//! Access tokens on a command line, without a store: what other tools can test against.
//!
//! ```text
//! access_token mint --key-file F --kid K --issuer I --audience A --organization O --account ID --scope S… --ttl SECONDS --now UNIX
//! access_token verify --key-file F --kid K --issuer I --audience A --now UNIX TOKEN
//! ```
//!
//! `mint` prints a token. `verify` prints `accepted` and the claims as one JSON line, or `refused: ` and the reason, and exits
//! with 1. The key file holds base64 of at least 32 bytes: what `openssl rand -base64 32` prints. What is wrong with the command
//! line itself goes to standard error, and exits with 2.

#![allow(clippy::print_stdout, reason = "a command prints")]
#![allow(clippy::expect_used, reason = "of what stands three lines above")]

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use keygate::{
    AccessTokens, Caller, CredentialId, DigestKeys, HeaderPolicy, Kind, Lifetime, Method, Mint, Moment,
    Presented, Record, Refusal, Rights, Scope, ServiceAccountGrant, SigningKeys, SystemRandom, Timestamp,
    verify, verify_access_token,
};

const USAGE: &str =
    "usage: access_token mint --key-file F --kid K --issuer I --audience A --organization O --account ID \
--scope S... --ttl SECONDS --now UNIX
       access_token verify --key-file F --kid K --issuer I --audience A --now UNIX TOKEN";

fn main() -> ExitCode {
    // What is no UTF-8 is in no token either.
    let mut arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let done = match arguments.next().as_deref() {
        Some("mint") => mint(arguments),
        Some("verify") => verify_token(arguments),
        _ => Err("expected mint or verify".into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("access_token: {error}\n{USAGE}");
        ExitCode::from(2)
    })
}

type Done = Result<ExitCode, Box<dyn Error>>;

fn mint(arguments: impl Iterator<Item = String>) -> Done {
    const OPTIONS: [&str; 9] =
        ["key-file", "kid", "issuer", "audience", "organization", "account", "scope", "ttl", "now"];
    let given = Given::read(arguments, &OPTIONS)?;
    let tokens = given.tokens()?.max_lifetime(Lifetime::hours(24))?;
    let now = given.now()?;
    // Each behind an option of its own, several behind one, or as they stand in a claim.
    let scopes = given.all("scope").iter().chain(&given.others).flat_map(|scopes| scopes.split(' '));
    let scopes: Vec<Scope> = scopes.map(str::parse).collect::<Result<_, _>>()?;
    let (caller, account) = account(given.one("organization")?, given.one("account")?, &scopes, now)?;
    let mint = Mint::scopes(scopes).lifetime(Lifetime::seconds(given.one("ttl")?.parse()?));
    let minted = tokens.mint(&caller, &account, &mint, now, &SystemRandom)?;
    println!("{}", minted.text.expose());
    Ok(ExitCode::SUCCESS)
}

/// A service account as a host would have it in its store, and the caller that its access key proves: only that one can mint.
fn account(
    organization: &str,
    id: &str,
    scopes: &[Scope],
    now: Timestamp,
) -> Result<(Caller, Arc<Record>), Box<dyn Error>> {
    let keys = DigestKeys::ephemeral()?;
    let access_key = format!("Bearer sa.{}.{}", CredentialId::parse(id)?, "0123456789abcdef");
    let presented =
        HeaderPolicy::new().imported([Kind::ServiceAccount]).present([("authorization", &access_key)])?;
    let Presented::Credential(presented) = presented else { return Err("no access key".into()) };
    let grant = ServiceAccountGrant::new(Rights::new(organization, scopes.iter().cloned())?);
    let record = Arc::new(Record::builder(presented.key().id, grant, keys.digest(&presented), now).build()?);
    let caller = verify(&presented, Some(&record), &keys, Moment::at(now))?.with_parent(|_| None)?;
    Ok((caller, record))
}

fn verify_token(arguments: impl Iterator<Item = String>) -> Done {
    let given = Given::read(arguments, &["key-file", "kid", "issuer", "audience", "now"])?;
    let (tokens, now) = (given.tokens()?, given.now()?);
    let [token] = &*given.others else { return Err("expected one token".into()) };
    Ok(match claims_of(token, &tokens, &given, now) {
        Ok(claims) => {
            println!("accepted\n{claims}");
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            println!("refused: {}: {}", refusal.reason().code(), refusal.explain());
            ExitCode::FAILURE
        }
    })
}

/// What keygate read of a token, on one line. There is no store here, so nobody looks at the account that minted it: a service
/// would, and would deny what a revoked one has minted.
fn claims_of(token: &str, tokens: &AccessTokens, given: &Given, now: Timestamp) -> Result<String, Refusal> {
    let value = format!("Bearer {token}");
    // What is no token is a credential, and there are none here.
    let presented = HeaderPolicy::new().accept([Method::AccessToken]).present([("authorization", &value)])?;
    let Presented::AccessToken(presented) = presented else { unreachable!("nothing else is accepted") };
    let caller = verify_access_token(&presented, tokens, Moment::at(now))?.danger_without_parent();
    let claims = caller.claims().expect("it came by an access token");
    let account = claims.account();
    let [from, until] = [claims.validity().not_before(), claims.validity().expires_at()];
    let mut told = serde_json::json!({
        // Compared exactly, so they are what was given.
        "iss": given.all("issuer").first(), "aud": given.all("audience").first(),
        "sub": account.as_str(), "client_id": account.as_str(), "org": claims.organization().as_str(),
        "jti": claims.id(), "iat": claims.issued_at().as_unix(),
        "nbf": from.map(Timestamp::as_unix), "exp": until.map(Timestamp::as_unix),
        "scope": claims.scopes().collect::<Vec<_>>().join(" "),
    });
    if let (Some(told), generation @ 1..) = (told.as_object_mut(), claims.parent().mint_generation) {
        told.insert("gen".to_owned(), generation.into());
    }
    Ok(told.to_string())
}

/// What stands on the command line: options, each with a value, and what is none.
struct Given {
    options: HashMap<&'static str, Vec<String>>,
    others: Vec<String>,
}

impl Given {
    fn read(
        mut arguments: impl Iterator<Item = String>,
        options: &[&'static str],
    ) -> Result<Self, Box<dyn Error>> {
        let mut given = Self { options: HashMap::new(), others: Vec::new() };
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--") {
                None => given.others.push(argument),
                Some(name) => {
                    let name = options.iter().find(|option| **option == name);
                    let name = name.ok_or_else(|| format!("{argument} is no option of this"))?;
                    let value =
                        arguments.next().ok_or_else(|| format!("expected a value after {argument}"))?;
                    given.options.entry(name).or_default().push(value);
                }
            }
        }
        for option in options {
            if !given.options.contains_key(option) {
                return Err(format!("expected --{option}").into());
            }
        }
        Ok(given)
    }

    fn all(&self, name: &str) -> &[String] {
        self.options.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn one(&self, name: &str) -> Result<&str, Box<dyn Error>> {
        match self.all(name) {
            [value] => Ok(value),
            _ => Err(format!("expected --{name} once").into()),
        }
    }

    fn now(&self) -> Result<Timestamp, Box<dyn Error>> {
        Ok(Timestamp::from_unix(self.one("now")?.parse()?))
    }

    fn tokens(&self) -> Result<AccessTokens, Box<dyn Error>> {
        let key = std::fs::read_to_string(self.one("key-file")?)?;
        let keys = SigningKeys::parse(&format!("{}:{}", self.one("kid")?, key.trim()))?;
        Ok(AccessTokens::new(keys, self.one("issuer")?, self.one("audience")?)?)
    }
}
