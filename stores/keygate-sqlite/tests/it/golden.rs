//! Files that earlier releases wrote: whatever schema they have, what was issued then verifies now.

use keygate::{Authenticator, CredentialText, DigestKeys, ManualClock, Timestamp};
use pollster::block_on;

use crate::support::{File, at, read};

/// The bytes 0 to 31: a key that guards nothing.
const KEYS: &str = "1:active:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const NOW: Timestamp = Timestamp::from_unix(1_795_867_000);

/// Header, text, and what becomes of it.
const ISSUED: [(&str, &str, &str); 5] = [
    ("x-api-key", "ak.wKD_ahuAPrSQ.B6kjW3X14mTXOkU6e5LRn_iZyc5aBwQZW9Rc1NQ", "granted"),
    ("authorization", "Bearer sa.-DxpS55EYtL6.pWcNSyzd9w8EbQZIK4KNgFyAnAxBBRtUN1q-OGA", "retired_secret"),
    ("authorization", "Bearer sa.-DxpS55EYtL6.xGdQS_PqIFic2rDf6ON81ROy_xQXBTHkgChIXzA", "granted"),
    ("authorization", "Bearer st.k0bdgyR_hoCL.9lC6EW-vLIV-uv0fthdVKa7lQdLHBx-f-Ruzw6g", "granted"),
    ("x-api-key", "ak.FQy-8SyHSrM0.pRtYxyAvDEMHiqRzTSHutMgW5b_3BY5Kq4enS1Q", "revoked"),
];

#[test]
fn a_file_of_each_schema_is_migrated_and_verifies() {
    for dump in [include_str!("../golden/1.sql")] {
        let file = File::new();
        file.raw().execute_batch(dump).unwrap();
        let store = file.open();
        let keys = DigestKeys::parse(KEYS).unwrap();
        let gate = Authenticator::builder(store.clone(), keys).clock(ManualClock::at(NOW)).build().unwrap();
        for (header, text, expected) in ISSUED {
            let found = block_on(gate.authenticate([(header, text)]));
            let found = found.map_or_else(|refusal| refusal.reason().code(), |_| "granted");
            assert_eq!(found, expected, "{text}");
        }
        let account = CredentialText::parse(ISSUED[2].1.trim_start_matches("Bearer ")).unwrap();
        let entry = read(&store, keygate::CredentialKey::new(account.kind(), account.id())).unwrap();
        assert_eq!(
            (entry.uses.of(2), entry.uses.latest()),
            (Some(at(1_795_866_000)), Some(at(1_795_866_000)))
        );
    }
}
