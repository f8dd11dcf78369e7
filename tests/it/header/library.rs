//! The library's answer in the words of the model, for the test and the fuzz target that compare them.

use keygate::header::{HeaderPolicy, Precedence};
use keygate::{Kind, Method, Namespace, Presented};

use super::model::{Channel, Outcome, Policy};

/// The policies that header sets are judged under.
pub(crate) fn policies() -> Vec<Policy> {
    let plain = Policy::default();
    let all = Kind::ALL.to_vec();
    vec![
        plain.clone(),
        Policy { imported: all.clone(), ..plain.clone() },
        Policy { imported: vec![Kind::ServiceToken], refused: vec![Method::ServiceAccount], ..plain.clone() },
        Policy { namespace: Some("acme"), ..plain.clone() },
        Policy { namespace: Some("acme"), imported: all, ..plain.clone() },
        Policy { namespace: Some("s"), imported: vec![Kind::ApiKey], ..plain.clone() },
        Policy { namespace: Some("eyj0123456789abc"), refused: vec![Method::AccessToken], ..plain.clone() },
        Policy { preferred: Some(Channel::Authorization), refused: vec![Method::ApiKey], ..plain.clone() },
        Policy { preferred: Some(Channel::ApiKey), imported: vec![Kind::ServiceAccount], ..plain },
    ]
}

/// The policy that the model's stands for.
pub(crate) fn policy(policy: &Policy) -> HeaderPolicy {
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

/// What the library makes of these headers.
pub(crate) fn judge(policy: &HeaderPolicy, headers: &[(Vec<u8>, Vec<u8>)]) -> Outcome {
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
