//! Challenges: what keygate writes, an independent reader of RFC 9110 §11.3 reads back as it was meant.
#![no_main]

use keygate::HeaderPolicy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|realm: &str| {
    let Ok(policy) = HeaderPolicy::new().realm(realm) else { return };
    let missing: [(&str, &str); 0] = [];
    let refusal = policy.present(missing).unwrap_err();
    let values: Vec<String> = refusal.challenges().map(|challenge| challenge.to_string()).collect();
    assert_eq!(values.len(), 2);
    for (value, scheme) in values.iter().zip(["Bearer", "ApiKey"]) {
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "a byte that no header value has");
        assert_eq!(read(value), Some((scheme.to_owned(), vec![("realm".to_owned(), realm.to_owned())])));
    }
});

type Challenge = (String, Vec<(String, String)>);

/// `scheme 1*SP name "=" quoted-string *( ", " name "=" quoted-string )`, the value unquoted.
fn read(value: &str) -> Option<Challenge> {
    let (scheme, mut rest) = value.split_once(' ')?;
    let mut parameters = Vec::new();
    loop {
        let (name, quoted) = rest.split_once("=\"")?;
        let mut text = String::new();
        let mut characters = quoted.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => text.push(characters.next()?),
                other => text.push(other),
            }
        }
        parameters.push((name.to_owned(), text));
        match characters.as_str() {
            "" => return Some((scheme.to_owned(), parameters)),
            more => rest = more.strip_prefix(", ")?,
        }
    }
}
