//! The access tokens that keygate minted, verified by `jsonwebtoken`.
//!
//! It reads the same claims of the same texts under the same key, and asks the same of `alg`, `exp`, `nbf`, `iss` and `aud`. It
//! is asked for less than keygate is: no decision, not whether `sub` is `client_id`, whether the scopes are scopes or a claim
//! stands twice.

use std::rc::Rc;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::Case;
use crate::access_token::{AUDIENCE, ISSUER, KEY, Service};
use crate::account::bearer;

/// The claims that keygate signs.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    org: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    scope: String,
}

/// The value of an `Authorization` header to the claims of the token in it.
struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    fn new() -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        Self { key: DecodingKey::from_secret(&KEY), validation }
    }

    #[inline]
    fn verify(&self, value: &str) -> Option<Claims> {
        Some(decode(bearer(value)?, &self.key, &self.validation).ok()?.claims)
    }
}

/// The case, over what this service minted.
pub fn case(name: &'static str, service: &Rc<Service>) -> Case {
    let verifier = Verifier::new();
    let values: Vec<String> = service.texts().iter().map(|text| format!("Bearer {text}")).collect();
    values.iter().for_each(|value| assert_same(&verifier, service, value));
    Case::new(name, move |credential| verifier.verify(&values[credential]).is_some())
}

/// Both take the token, and both read the same in it; neither takes it with another signature.
fn assert_same(verifier: &Verifier, service: &Service, value: &str) {
    let theirs = verifier.verify(value).expect("jsonwebtoken takes it");
    let lines = |value| [("host", ""), ("accept", ""), ("user-agent", ""), ("authorization", value)];
    let caller = service.authenticate_alone(&lines(value)).expect("keygate takes it");
    let ours = caller.claims().expect("it came by an access token");
    assert_eq!([theirs.iss.as_str(), &theirs.aud], [ISSUER, AUDIENCE]);
    assert_eq!([theirs.sub.as_str(), &theirs.client_id], [ours.account().as_str(); 2]);
    assert_eq!((theirs.org.as_str(), theirs.jti.as_str()), ("acme", ours.id()));
    assert_eq!((theirs.iat, theirs.nbf), (ours.issued_at().as_unix(), ours.issued_at().as_unix()));
    assert_eq!(Some(theirs.exp), ours.validity().expires_at().map(|end| end.as_unix()));
    assert!(theirs.scope.split(' ').eq(ours.scopes()));

    let (signed, signature) = value.rsplit_once('.').expect("three parts");
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    assert!(verifier.verify(&forged).is_none() && service.authenticate_alone(&lines(&forged)).is_err());
}
