//! An HS256 access token, verified by `jsonwebtoken`.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::account::{EXPIRES_AT, NOW, SCOPE, bearer, holds};
use crate::{CREDENTIALS, Case};

/// The claims of an access token after RFC 9068.
#[derive(Deserialize, Serialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    org: String,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    scope: String,
}

const ISSUER: &str = "https://auth.example";
const AUDIENCE: &str = "https://api.example";

/// The case, and the length of its tokens.
pub fn case() -> (Case, usize) {
    let key = [7; 32];
    let signing = EncodingKey::from_secret(&key);
    let values: Vec<String> =
        (0..CREDENTIALS).map(|number| format!("Bearer {}", mint(number, &signing))).collect();
    let length = values[0].len() - "Bearer ".len();

    let key = DecodingKey::from_secret(&key);
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    let verify = move |credential: usize| {
        bearer(&values[credential])
            .and_then(|token| decode::<Claims>(token, &key, &validation).ok())
            .is_some_and(|token| holds(&token.claims.scope, SCOPE))
    };
    (Case::new("jsonwebtoken", verify), length)
}

fn mint(number: usize, key: &EncodingKey) -> String {
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("k1".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: "tr6AWfxqtcJI".to_owned(),
        client_id: "tr6AWfxqtcJI".to_owned(),
        org: "acme".to_owned(),
        jti: format!("{number:022}"),
        iat: NOW - 60,
        nbf: NOW - 60,
        exp: EXPIRES_AT,
        scope: SCOPE.to_owned(),
    };
    encode(&header, &claims, key).expect("claims that serialize")
}
