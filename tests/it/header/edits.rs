//! Every single edit of a valid header value: none authenticates but those that leave what is proved as it was.

use keygate::header::HeaderPolicy;
use keygate::{CredentialKey, Kind, Namespace, Presented};

use crate::support::edits::edits;
use crate::support::fixtures::{Host, IMPORTED, line, presented};
use crate::support::random::{SeededSource, seed};

const CLIENT_KEY: &str = ".db156ccb0c0897abb2dee9f9e59c845b";

/// Promise P4, for issued credentials: nothing but the client key may change.
#[test]
fn no_edited_credential_authenticates() {
    let source = SeededSource::new(seed());
    let mut host = Host::new(&source);
    let texts = Kind::ALL.map(|kind| host.issue(kind, &source));
    for text in &texts {
        let key = presented(&HeaderPolicy::new(), text).key();
        let mut tried = try_every_edit(&host, &HeaderPolicy::new(), text, "", key);
        // Also where a text of another length would be taken for an imported one.
        tried += try_every_edit(&host, &HeaderPolicy::new().imported(Kind::ALL), text, "", key);
        if key.kind == Kind::ServiceToken {
            tried += try_every_edit(&host, &HeaderPolicy::new(), text, CLIENT_KEY, key);
        }
        assert!(tried > 50_000, "{tried}");
    }
}

#[test]
fn no_edited_imported_credential_authenticates() {
    let source = SeededSource::new(seed());
    let mut host = Host::new(&source);
    let policy = HeaderPolicy::new().imported(Kind::ALL);
    for text in IMPORTED {
        host.import(text);
        let key = presented(&policy, text).key();
        try_every_edit(
            &host,
            &policy,
            text,
            if key.kind == Kind::ServiceToken { CLIENT_KEY } else { "" },
            key,
        );
    }
}

#[test]
fn no_edited_namespace_authenticates() {
    let source = SeededSource::new(seed());
    let mut host = Host::new(&source);
    let acme = HeaderPolicy::new().namespace(Namespace::parse("acme").unwrap());
    for kind in Kind::ALL {
        let text = host.issue(kind, &source);
        let key = presented(&HeaderPolicy::new(), &text).key();
        let text = format!("acme_{text}");
        try_every_edit(&host, &acme, &text, "", key);
        try_every_edit(&host, &acme.clone().imported(Kind::ALL), &text, "", key);
    }
}

/// How many variants were tried; each authenticates exactly if it must.
fn try_every_edit(
    host: &Host,
    policy: &HeaderPolicy,
    text: &str,
    client_key: &str,
    key: CredentialKey,
) -> usize {
    let api_key = key.kind == Kind::ApiKey;
    let (name, value) = line(&format!("{text}{client_key}"));
    let name = if api_key { "x-api-key" } else { name };
    let value = if api_key { format!("{text}{client_key}") } else { value };
    assert_eq!(authenticated(host, policy, name, value.as_bytes()), Some(key), "the credential itself");

    let mut tried = 0;
    for variant in edits(value.as_bytes()) {
        let harmless =
            proved_part(&variant, api_key).is_some_and(|rest| match rest.strip_prefix(text.as_bytes()) {
                Some(b"") => true,
                Some([b'.', key @ ..]) => key_is_well_formed(key) && !client_key.is_empty(),
                _ => false,
            });
        let expected = harmless.then_some(key);
        assert_eq!(
            authenticated(host, policy, name, &variant),
            expected,
            "{name}: {}",
            variant.escape_ascii()
        );
        tried += 1;
    }
    tried
}

/// What is left when white space at the edges, the scheme in any case, and all spaces behind it are gone.
fn proved_part(value: &[u8], api_key: bool) -> Option<&[u8]> {
    let mut rest = value;
    while let [b' ' | b'\t', inner @ ..] | [inner @ .., b' ' | b'\t'] = rest {
        rest = inner;
    }
    if api_key {
        return Some(rest);
    }
    let (scheme, behind) = rest.split_at_checked(6)?;
    let text = behind.trim_ascii_start();
    let spaces = &behind[..behind.len() - text.len()];
    (scheme.eq_ignore_ascii_case(b"bearer") && !spaces.is_empty() && spaces.iter().all(|byte| *byte == b' '))
        .then_some(text)
}

fn key_is_well_formed(key: &[u8]) -> bool {
    (1..=128).contains(&key.len())
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
}

fn authenticated(host: &Host, policy: &HeaderPolicy, name: &str, value: &[u8]) -> Option<CredentialKey> {
    match policy.present([(name, value)]) {
        Ok(Presented::Credential(presented)) => host.verify(&presented).is_ok().then(|| presented.key()),
        _ => None,
    }
}
