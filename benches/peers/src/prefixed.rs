//! A key of the crate `prefixed-api-key`, checked by itself against the hash that its id leads to.

use hashbrown::HashMap;
use prefixed_api_key::{PakControllerOsSha256, PrefixedApiKey};

use crate::account::{Account, SCOPE, bearer};
use crate::{CREDENTIALS, Case};

/// The case.
pub fn case() -> Case {
    let controller = PakControllerOsSha256::configure()
        .prefix("acme".to_owned())
        .seam_defaults()
        .finalize()
        .expect("all is set");
    let mut values = Vec::new();
    let mut accounts = HashMap::new();
    for number in 0..CREDENTIALS {
        let (key, hash) = controller.generate_key_and_hash();
        values.push(format!("Bearer {}", key.to_string()));
        accounts.insert(key.short_token().to_owned(), (hash, Account::numbered(number)));
    }
    Case::new("prefixed-api-key", move |credential| {
        let Some(Ok(key)) = bearer(&values[credential]).map(PrefixedApiKey::from_string) else {
            return false;
        };
        accounts
            .get(key.short_token())
            .is_some_and(|(hash, account)| controller.check_hash(&key, hash) && account.may(SCOPE))
    })
}
