//! What is on the disk: digests, and nothing that opens anything.

use std::collections::HashSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keygate::{
    DigestKeys, Expiry, Issuer, Lifetime, NewApiKey, NewServiceAccount, NewServiceToken, Overlap, Owner,
    RandomSource as _, SystemRandom,
};
use pollster::block_on;

use crate::support::File;

/// The ways in which bytes get into a file.
fn spellings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let hex = |upper: bool| -> Vec<u8> {
        let digit = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        bytes.iter().map(digit).collect::<String>().into_bytes()
    };
    let wide = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    let base64 = |engine: &base64::engine::GeneralPurpose| engine.encode(bytes).into_bytes();
    vec![
        bytes.to_vec(),
        hex(false),
        hex(true),
        base64(&STANDARD),
        base64(&STANDARD_NO_PAD),
        base64(&URL_SAFE_NO_PAD),
        wide,
    ]
}

/// All places of a file that begin as one of the needles do, in one pass.
fn contains_any(haystack: &[u8], needles: &HashSet<Vec<u8>>) -> usize {
    const HEAD: usize = 12;
    let mut heads: std::collections::HashMap<&[u8], Vec<&[u8]>> = std::collections::HashMap::new();
    for needle in needles {
        heads.entry(&needle[..HEAD]).or_default().push(needle);
    }
    haystack
        .windows(HEAD)
        .enumerate()
        .filter_map(|(at, head)| Some((at, heads.get(head)?)))
        .map(|(at, needles)| needles.iter().filter(|needle| haystack[at..].starts_with(needle)).count())
        .sum()
}

#[test]
fn no_secret_is_on_the_disk() {
    let mut key = [0; 32];
    SystemRandom.fill(&mut key).unwrap();
    let keys = DigestKeys::parse(&format!("1:active:{}", STANDARD.encode(key))).unwrap();
    let file = File::new();
    let issuer = Issuer::new(file.open(), keys);

    let mut secrets = vec![key.to_vec()];
    let mut note = |text: &str| {
        // The secret is what follows kind and id; and as bytes, where it is base64 of some.
        let parts: Vec<&str> = text.split('.').collect();
        for part in &parts[2..] {
            secrets.push(part.as_bytes().to_vec());
            secrets.extend(URL_SAFE_NO_PAD.decode(part));
            // Without its last characters, which may be of a checksum.
            secrets.push(part.as_bytes()[..20].to_vec());
        }
    };
    let (mut ids, client_key) = (Vec::new(), "0123456789abcdefghij-client-key");
    block_on(async {
        for number in 0..334 {
            let user = format!("u-{}", number % 7);
            let api_key = issuer.api_keys().issue(NewApiKey::new(&user, Expiry::Never)).await.unwrap();
            note(api_key.text.expose());
            let account =
                issuer.service_accounts().issue(NewServiceAccount::new("acme", Expiry::Never)).await.unwrap();
            note(account.text.expose());
            let token = NewServiceToken::new("acme", "web", Lifetime::hours(8))
                .scope("read@web/prod:/app/**".parse().unwrap());
            let token = issuer.service_tokens().issue(token).await.unwrap();
            note(token.with_client_key(client_key).unwrap().expose());
            if number % 5 == 0 {
                let accounts = issuer.service_accounts().owned_by(Owner::organization("acme").unwrap());
                let id = account.record.key().id;
                note(accounts.rotate(&id, Overlap::hours(1)).await.unwrap().text.expose());
                note(accounts.rotate_leaked(&id, "it was in a log").await.unwrap().text.expose());
            }
            ids.push(account.record.key().id.as_str().as_bytes().to_vec());
        }
    });

    let needles: HashSet<Vec<u8>> = secrets.iter().flat_map(|secret| spellings(secret)).collect();
    assert!(needles.len() > 10_000 && needles.contains(client_key.as_bytes()));
    let files: Vec<_> = fs::read_dir(file.folder()).unwrap().map(|found| found.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "the database, its log and the log's index");
    let ids: HashSet<Vec<u8>> = ids.into_iter().collect();
    let mut known = 0;
    for path in files {
        let bytes = fs::read(&path).unwrap();
        assert_eq!(contains_any(&bytes, &needles), 0, "{}", path.display());
        known += contains_any(&bytes, &ids);
    }
    assert!(known >= ids.len(), "what is on the disk would have been found");
}
