//! The library and an independent reading of the specification agree on every set of headers.

use std::collections::BTreeMap;

use keygate::Method;
use keygate::header::HeaderPolicy;

use super::model::{self, Outcome, Policy};
use super::{generated, library};
use crate::support::random::{Random, cases, seed};

/// Promise P2. `KEYGATE_CASES=10` runs ten times as many, `KEYGATE_SEED` others.
#[test]
fn library_and_model_agree_on_generated_headers() {
    let (seed, count) = (seed(), cases(100_000));
    let policies: Vec<(Policy, HeaderPolicy)> =
        library::policies().into_iter().map(|policy| (policy.clone(), library::policy(&policy))).collect();
    let mut seen = BTreeMap::<String, usize>::new();

    for case in 0..count {
        // One stream a case: a failure is found again without the cases before it.
        let stream = seed.wrapping_mul(1 << 32).wrapping_add(u64::try_from(case).unwrap());
        let mut random = Random::seeded(stream);
        let headers = generated::headers(&mut random);
        let (policy, policy_of_library) = &policies[random.below(policies.len())];
        let expected = model::judge(policy, &headers);
        let got = library::judge(policy_of_library, &headers);
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
    "ApiKey issued",
    "ApiKey imported",
    "ServiceAccount issued",
    "ServiceAccount imported",
    "ServiceToken issued",
    "ServiceToken imported",
    "ServiceToken issued with client key",
    "ServiceToken imported with client key",
    "access token",
    "missing",
    "duplicate_header",
    "multiple_methods",
    "too_large",
    "invalid_byte",
    "malformed",
    "unsupported_scheme",
    "unknown_kind",
    "wrong_channel",
    "kind_not_accepted",
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

fn shown(headers: &[(Vec<u8>, Vec<u8>)]) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("  {}: {}\n", name.escape_ascii(), value.escape_ascii()))
        .collect()
}
