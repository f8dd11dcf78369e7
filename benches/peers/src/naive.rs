//! What is written in an afternoon: the standard map, keyed by the SHA-256 of the whole token in hexadecimal.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::account::{Account, SCOPE, bearer};
use crate::{CREDENTIALS, Case};

/// The case, over these texts.
pub fn case(texts: &[String]) -> Case {
    assert_eq!(texts.len(), CREDENTIALS);
    let hash = |token: &str| hex::encode(Sha256::digest(token));
    let values: Vec<String> = texts.iter().map(|text| format!("Bearer {text}")).collect();
    let accounts: HashMap<String, Account> =
        texts.iter().enumerate().map(|(number, text)| (hash(text), Account::numbered(number))).collect();
    Case::new("naive-hex-map", move |credential| {
        bearer(&values[credential])
            .and_then(|token| accounts.get(&hash(token)))
            .is_some_and(|account| account.may(SCOPE))
    })
}
