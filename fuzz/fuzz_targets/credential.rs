//! Credential texts: what is taken is split without loss, and a server takes the part to be sent for the same.
#![no_main]

use keygate::{CredentialText, HeaderPolicy, Kind, Namespace, Presented};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(read) = CredentialText::parse(text) else { return };
    match read.to_keep() {
        Some(kept) => assert_eq!(format!("{}.{kept}", read.to_send()), text),
        None => assert_eq!(read.to_send(), text),
    }
    assert_eq!(read.key_slot().is_some(), read.is_issued());

    let mut policy = HeaderPolicy::new().imported(Kind::ALL);
    if let Some(namespace) = read.namespace() {
        policy = policy.namespace(Namespace::parse(namespace).unwrap());
    }
    let line = match read.kind() {
        Kind::ApiKey => ("x-api-key", read.to_send().to_owned()),
        _ => ("authorization", format!("Bearer {}", read.to_send())),
    };
    let Ok(Presented::Credential(presented)) = policy.present([line]) else { panic!("a server refuses it") };
    assert_eq!((presented.kind(), presented.key().id), (read.kind(), read.id()));
    assert_eq!(presented.is_issued(), read.is_issued());
    assert!(!presented.client_key_arrived());
});
