//! A secret whose bcrypt hash its id leads to, at cost 10.

use hashbrown::HashMap;

use crate::Case;
use crate::account::{Account, SCOPE, bearer};

/// The case, over these texts. The accounts share one hash: making 1,024 would take a minute.
pub fn case(texts: &[String]) -> Case {
    const SECRET: &str = "SyFLeEOHs-EYeOVqnx-eSyFLeEOHs-EYeOVqnx-";
    let id = |text: &str| text.split('.').nth(1).expect("an id").to_owned();
    let values: Vec<String> = texts.iter().map(|text| format!("Bearer st.{}.{SECRET}", id(text))).collect();
    let hash = bcrypt::hash(SECRET, 10).expect("a hash");
    let accounts: HashMap<String, (String, Account)> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| (id(text), (hash.clone(), Account::numbered(number))))
        .collect();
    let verify = move |credential: usize| {
        let Some((id, secret)) =
            bearer(&values[credential]).and_then(|token| token.strip_prefix("st.")?.split_once('.'))
        else {
            return false;
        };
        accounts.get(id).is_some_and(|(hash, account)| {
            bcrypt::verify(secret, hash).unwrap_or(false) && account.may(SCOPE)
        })
    };
    Case::new("bcrypt-10", verify).batch(1)
}
