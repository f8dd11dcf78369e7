//! Credential texts in the hands of their holders: split, diagnosed, and never a panic.

use keygate::header::{self, HeaderPolicy};
use keygate::{
    CredentialId, CredentialKey, CredentialText, DigestKeys, Flaw, Kind, Namespace, Presented, TextError,
};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::support::fixtures::presented;
use crate::support::random::{SeededSource, seed};

const ST: &str = "st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdxH9T6w";

#[track_caller]
fn read(text: &str, kind: Kind, id: &str, namespace: Option<&str>, send: &str, keep: Option<&str>) {
    let read = CredentialText::parse(text).unwrap();
    assert_eq!((read.kind(), read.id().as_str(), read.namespace()), (kind, id, namespace));
    assert_eq!((read.to_send(), read.to_keep()), (send, keep));
}

#[track_caller]
fn refused(text: &str, words: &str) {
    assert_eq!(CredentialText::parse(text).unwrap_err().to_string(), words);
}

#[test]
fn a_text_is_split_into_what_to_send_and_what_to_keep() {
    let id = "tr6AWfxqtcJI";
    read(ST, Kind::ServiceToken, id, None, ST, None);
    read(&format!("{ST}.k"), Kind::ServiceToken, id, None, ST, Some("k"));
    let named = format!("acme_{ST}");
    read(&named, Kind::ServiceToken, id, Some("acme"), &named, None);
    read(&format!("{named}.k-_9"), Kind::ServiceToken, id, Some("acme"), &named, Some("k-_9"));
    let old = "st.63f1c2a8b9d0e1f2a3b4c5d6.0123456789abcdef0123456789abcdef";
    let old_id = "63f1c2a8b9d0e1f2a3b4c5d6";
    read(&format!("{old}.00ff"), Kind::ServiceToken, old_id, None, old, Some("00ff"));
    read("sa.a/b+c.0123456789abcd==", Kind::ServiceAccount, "a/b+c", None, "sa.a/b+c.0123456789abcd==", None);
}

#[test]
fn what_is_issued_and_its_key_slot() {
    let text = CredentialText::parse(ST).unwrap();
    assert!(text.is_issued());
    // The 34th character behind the id and its dot is the slot's: `A`.
    assert_eq!(text.key_slot(), Some(0));
    let text = CredentialText::parse("ak.63f1c2a8b9d0e1f2a3b4c5d6.0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!((text.is_issued(), text.key_slot()), (false, None));
}

#[test]
fn what_is_wrong_with_a_text() {
    refused(&ST[..40], "truncated: 40 of 55 characters");
    refused(&format!("{ST}a"), "too long: 56 instead of 55 characters");
    refused(&ST.replace("EYe", "EyE"), "checksum: a character was changed or swapped");
    refused(&format!("acme_{}", &ST[..40]), "truncated: 40 of 55 characters");
    refused(&format!("{ST}.k.x"), "too many parts");
    refused(&format!("{ST}."), "an empty part");
    for text in ["", "hello", "ST.a.b", "xx.tr6AWfxqtcJI.S", "Acme_st.a.b", "_st.a.b", "9a_st.a.b", "eyJ.a.b"]
    {
        assert!(matches!(CredentialText::parse(text), Err(TextError::UnknownKind)), "{text}");
    }
    // Neither white space nor a scheme is a holder's text.
    for text in [format!(" {ST}"), format!("{ST}\n"), format!("Bearer {ST}"), format!("{ST}\u{e9}")] {
        assert!(CredentialText::parse(&text).is_err(), "{text:?}");
    }
}

/// However much of it is lost, and wherever: what is left is never taken for an issued credential.
#[test]
fn what_is_left_of_a_credential_is_no_credential() {
    for at in 0..ST.len() {
        for rest in [&ST[..at], &ST[at + 1..], &format!("{}{}", &ST[..at], &ST[at + 1..])] {
            assert!(!CredentialText::parse(rest).is_ok_and(|text| text.is_issued()), "{rest}");
        }
    }
}

#[test]
fn a_namespace_is_a_short_lower_case_word() {
    for text in ["a", "acme", "a9", "abcdefghijklmnop"] {
        assert_eq!(Namespace::parse(text).unwrap().as_str(), text);
    }
    for text in ["", "9a", "Acme", "ac_me", "ac-me", "ac.me", "abcdefghijklmnopq", "\u{e4}", "a "] {
        assert!(Namespace::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn an_id_is_up_to_64_characters_of_its_alphabet() {
    for text in ["a", "-_+/", &"a".repeat(64)] {
        assert_eq!(CredentialId::parse(text).unwrap().as_str(), text);
    }
    for (text, position) in
        [("", 0), ("a.b", 1), ("a b", 1), ("ab=", 2), ("\n", 0), ("a\u{e9}", 1), ("a*", 1)]
    {
        assert_eq!(CredentialId::parse(text).unwrap_err().position(), Some(position), "{text:?}");
    }
    assert_eq!(CredentialId::parse(&"a".repeat(65)).unwrap_err().position(), Some(64));
}

/// What is drawn is read back: kind, id, slot; by a holder, and by a server with and without a namespace.
#[test]
fn drawn_credentials_are_read_back() {
    let source = SeededSource::new(seed());
    let keys = DigestKeys::generate(&source).unwrap();
    let acme = HeaderPolicy::new().namespace(Namespace::parse("acme").unwrap());
    for round in 0..2_000 {
        let kind = Kind::ALL[round % 3];
        let drawn = keys.draw(kind, &source).unwrap();
        let text = drawn.text.expose();
        assert_eq!(text.len(), 55);
        let read = CredentialText::parse(text).unwrap();
        assert_eq!((read.kind(), read.id()), (kind, drawn.key.id));
        assert!(read.is_issued());
        assert!(read.key_slot().is_some());

        let line = |text: &str| match kind {
            Kind::ApiKey => ("x-api-key", text.to_owned()),
            _ => ("authorization", format!("Bearer {text}")),
        };
        let Ok(Presented::Credential(presented)) = header::present([line(text)]) else { panic!("{kind}") };
        assert_eq!(presented.key(), drawn.key);
        assert!(presented.is_issued());
        keys.check_guard(&presented).unwrap();
        let Ok(Presented::Credential(named)) = acme.present([line(&format!("acme_{text}"))]) else {
            panic!("{kind}")
        };
        assert_eq!(named.key(), drawn.key);
        keys.check_guard(&named).unwrap();
        assert!(acme.present([line(text)]).is_err());
    }
}

/// A rotation keeps the id, whoever made it: what is drawn for it is read under the policy that took the old text.
#[test]
fn redrawn_credentials_are_read_back() {
    let source = SeededSource::new(seed());
    let keys = DigestKeys::generate(&source).unwrap();
    let policy = HeaderPolicy::new().imported(Kind::ALL);
    for (id, issued) in
        [("tr6AWfxqtcJI", true), ("tr6A+fxqtcJI", false), ("63f1c2a8b9d0e1f2a3b4c5d6", false), ("x", false)]
    {
        for kind in Kind::ALL {
            let key = CredentialKey::new(kind, CredentialId::parse(id).unwrap());
            let drawn = keys.redraw(key, &source).unwrap();
            let read = presented(&policy, drawn.text.expose());
            assert_eq!((drawn.key, read.key(), read.is_issued()), (key, key, issued), "{id}");
            assert_eq!(keys.digest(&read).as_bytes(), drawn.digest.as_bytes());
        }
    }
}

proptest! {
    /// Bytes that nobody meant as a header: no panic, in either header and as a text.
    #[test]
    fn no_bytes_panic(name in any::<Vec<u8>>(), value in any::<Vec<u8>>(), text in any::<String>()) {
        let _ = header::present([(&name, &value)]).is_ok();
        for name in ["authorization", "x-api-key"] {
            let _ = header::present([(name, &value)]).is_ok();
            let _ = header::present([(name, &text)]).is_ok();
        }
        let _ = header::present([("authorization", [b"Bearer ".as_slice(), &value].concat())]).is_ok();
        let _ = CredentialText::parse(&text).is_ok();
        let _ = CredentialId::parse(&text).is_ok();
        let _ = Namespace::parse(&text).is_ok();
    }

    /// Multi-byte characters at every place of a text: slicing by bytes would panic in the middle of one.
    #[test]
    fn characters_of_several_bytes_are_refused_anywhere(at in 0..=55_usize, c in "[^\\x00-\\x7f]") {
        let mut text = ST.to_owned();
        text.insert_str(at, &c);
        prop_assert!(CredentialText::parse(&text).is_err());
        let refusal = header::present([("authorization", format!("Bearer {text}"))]).unwrap_err();
        prop_assert_eq!(refusal.reason().code(), "invalid_byte");
    }

    /// A header's value and a holder's text are read alike, where the policy takes all shapes; but a holder is told
    /// that what begins like an issued text, and is none, is damaged.
    #[test]
    fn holder_and_server_read_alike(text in "(ak|sa|st)\\.[a-zA-Z0-9+/_-]{1,40}\\.[a-zA-Z0-9+/_.-]{0,60}={0,2}") {
        let all = HeaderPolicy::new().imported(Kind::ALL);
        let line = if text.starts_with("ak") { ("x-api-key", text.clone()) } else { ("authorization", format!("Bearer {text}")) };
        match (CredentialText::parse(&text), all.present([line])) {
            (Ok(read), Ok(Presented::Credential(presented))) => {
                prop_assert_eq!(presented.key().id, read.id());
                prop_assert_eq!(presented.kind(), read.kind());
                prop_assert_eq!(presented.client_key_arrived(), read.to_keep().is_some());
            }
            (Err(error), Err(refusal)) => {
                prop_assert_eq!(refusal.reason().to_string(), format!("malformed: {error}"));
            }
            (Err(TextError::Malformed(Flaw::Truncated { .. } | Flaw::TooLong { .. })), Ok(Presented::Credential(presented))) => {
                prop_assert_eq!((presented.key().id.as_str().len(), presented.is_issued()), (12, false));
            }
            (read, presented) => panic!("{text}: {read:?} {presented:?}"),
        }
    }
}
