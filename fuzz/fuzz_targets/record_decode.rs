//! Encoded records: what decodes is encoded and decoded again to the same.
#![no_main]

use keygate::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = Record::decode(bytes) else { return };
    let encoded = record.encode().unwrap();
    let again = Record::decode(&encoded).unwrap();
    assert_eq!(again.key(), record.key());
    assert_eq!(again.encode().unwrap(), encoded);
    let _shown = format!("{record:?}");
});
