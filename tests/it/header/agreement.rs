//! The library and an independent reading of the specification agree on every set of headers.

use std::collections::BTreeMap;

use keygate::header::{HeaderPolicy, Precedence};
use keygate::{Method, Namespace, Presented};

use super::generated;
use super::model::{self, Channel, Outcome, Policy};
use crate::support::random::{Random, cases, seed};

/// Promise P2. `KEYGATE_CASES=10` runs ten times as many, `KEYGATE_SEED` others.
#[test]
fn library_and_model_agree_on_generated_headers() {
    let (seed, count) = (seed(), cases(100_000));
    let policies: Vec<(Policy, HeaderPolicy)> =
        generated::policies().into_iter().map(|policy| (policy.clone(), for_the_library(&policy))).collect();
    let mut seen = BTreeMap::<String, usize>::new();

    for case in 0..count {
        // One stream a case: a failure is found again without the cases before it.
        let mut random = Random::seeded(seed.wrapping_add(u64::try_from(case).unwrap()));
        let headers = generated::headers(&mut random);
        let (policy, policy_of_library) = &policies[random.below(policies.len())];
        let expected = model::judge(policy, &headers);
        let got = judged(policy_of_library, &headers);
        assert_eq!(got, expected, "KEYGATE_SEED={seed} case {case}: {policy:?}\n{}", shown(&headers));
        *seen.entry(name(&expected)).or_default() += 1;
    }

    // A generator that went astray would make the agreement worthless.
    for outcome in OUTCOMES {
        let times = seen.get(*outcome).copied().unwrap_or(0);
        assert!(times * 1_000 >= count, "{outcome} came up {times} times in {count} cases: {seen:?}");
    }
}

/// Every outcome that header sets can have; each is one case in a thousand at least.
const OUTCOMES: &[&str] = &[
    "ApiKey issued", "ApiKey imported", "ServiceAccount issued", "ServiceAccount imported", "ServiceToken issued",
    "ServiceToken imported", "ServiceToken issued with client key", "ServiceToken imported with client key",
    "access token", "missing", "duplicate_header", "multiple_methods", "too_large", "invalid_byte", "malformed",
    "unsupported_scheme", "unknown_kind", "wrong_channel", "kind_not_accepted",
];

fn name(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Credential { kind, issued, client_key, .. } => {
            let made = if *issued { "issued" } else { "imported" };
            let with = if *client_key { " with client key" } else { "" };
            format!("{:?} {made}{with}", Method::from(*kind))
        }
        Outcome::AccessToken => "access token".to_owned(),
        Outcome::Refused(code) => (*code).to_owned(),
    }
}

fn for_the_library(policy: &Policy) -> HeaderPolicy {
    let accepted = Method::ALL.into_iter().filter(|method| !policy.refused.contains(method));
    let made = HeaderPolicy::new().imported(policy.imported.iter().copied()).accept(accepted).precedence(
        match policy.preferred {
            None => Precedence::Refuse,
            Some(Channel::Authorization) => Precedence::Authorization,
            Some(Channel::ApiKey) => Precedence::ApiKey,
        },
    );
    match policy.namespace {
        Some(namespace) => made.namespace(Namespace::parse(namespace).unwrap()),
        None => made,
    }
}

fn judged(policy: &HeaderPolicy, headers: &[(Vec<u8>, Vec<u8>)]) -> Outcome {
    match policy.present(headers) {
        Ok(Presented::Credential(presented)) => {
            let key = presented.key();
            assert_eq!(key.kind, presented.kind());
            Outcome::Credential {
                kind: key.kind,
                id: key.id.as_str().to_owned(),
                issued: presented.is_issued(),
                client_key: presented.client_key_arrived(),
            }
        }
        Ok(Presented::AccessToken(_)) => Outcome::AccessToken,
        Err(refusal) => Outcome::Refused(refusal.reason().code()),
    }
}

fn shown(headers: &[(Vec<u8>, Vec<u8>)]) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("  {}: {}\n", name.escape_ascii(), value.escape_ascii()))
        .collect()
}
