//! Header sets beside each other: the one that is taken, its near misses, and the words for the log.

use keygate::header::{self, HeaderPolicy, Precedence};
use keygate::{Kind, Method, Namespace, Presented, Reason, Refusal, RefusalClass};

const AK: &str = "ak.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdchbwBg";
const SA: &str = "sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ";
const ST: &str = "st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdxH9T6w";
const IMPORTED_ST: &str = "st.63f1c2a8b9d0e1f2a3b4c5d6.0123456789abcdef0123456789abcdef";

#[track_caller]
fn refused(policy: &HeaderPolicy, headers: &[(&str, &str)], words: &str) -> Refusal {
    let Err(refusal) = policy.present(headers) else { panic!("taken, although: {words}") };
    assert_eq!(refusal.reason().to_string(), words);
    assert!(
        !format!("{refusal:?} {refusal}").contains("tr6AWfxqtcJI.Sy"),
        "a refusal quotes the text: {refusal:?}"
    );
    refusal
}

#[track_caller]
fn taken(policy: &HeaderPolicy, headers: &[(&str, &str)], as_what: Method) {
    let method = match policy.present(headers) {
        Ok(Presented::Credential(presented)) => presented.kind().into(),
        Ok(Presented::AccessToken(_)) => Method::AccessToken,
        Err(refusal) => panic!("{}", refusal.reason()),
    };
    assert_eq!(method, as_what);
}

/// The flaw of a text in its own header, under the default policy.
#[track_caller]
fn flawed(text: &str, words: &str) {
    let lines = [match text.get(..2) {
        Some("ak") => ("x-api-key", text.to_owned()),
        _ => ("authorization", format!("Bearer {text}")),
    }];
    let refusal = header::present(&lines).expect_err(words);
    assert!(matches!(refusal.reason(), Reason::Malformed(_)), "{:?}", refusal.reason());
    assert_eq!(refusal.reason().to_string(), format!("malformed: {words}"));
}

#[test]
fn each_reason_in_words() {
    let any = HeaderPolicy::new();
    let bearer_sa = format!("Bearer {SA}");
    let bearer_sa = bearer_sa.as_str();
    taken(&any, &[("authorization", bearer_sa)], Method::ServiceAccount);
    taken(&any, &[("x-api-key", AK)], Method::ApiKey);

    refused(&any, &[], "neither Authorization nor X-API-KEY");
    refused(&any, &[("accept", "*/*"), ("x_api_key", AK)], "neither Authorization nor X-API-KEY");
    refused(&any, &[("authorization", "Basic dTpw")], "Authorization has another scheme than Bearer");
    refused(&any, &[("authorization", "Negotiate")], "Authorization has another scheme than Bearer");
    let twice = "more than one line of Authorization or of X-API-KEY";
    refused(&any, &[("authorization", bearer_sa), ("Authorization", bearer_sa)], twice);
    refused(&any, &[("x-api-key", ""), ("accept", ""), ("X-API-Key", AK)], twice);
    refused(&any, &[("x-api-key", AK), ("authorization", bearer_sa)], "both Authorization and X-API-KEY");
    refused(&any, &[("x-api-key", &" ".repeat(513))], "the header's value is too large");
    refused(&any, &[("x-api-key", &" ".repeat(512))], "malformed: empty");
    refused(
        &any,
        &[("authorization", &format!("Bearer {}", "a".repeat(8186)))],
        "the header's value is too large",
    );
    refused(
        &any,
        &[("authorization", &format!("Bearer {}", "a".repeat(8185)))],
        "the text begins like no kind of credential",
    );
    refused(&any, &[("x-api-key", " ak.\u{7f}")], "byte 3 of the value is not visible ASCII or a space");
    refused(&any, &[("x-api-key", "AK.tr6AWfxqtcJI.S")], "the text begins like no kind of credential");
    refused(&any, &[("x-api-key", ST)], "this is a service token, X-API-KEY takes an API key");
    refused(&any, &[("x-api-key", "sa")], "this is a service account, X-API-KEY takes an API key");
    refused(&any, &[("x-api-key", "eyJ.a.b")], "this is an access token, X-API-KEY takes an API key");
    refused(
        &any,
        &[("authorization", &format!("Bearer {AK}"))],
        "this is an API key, Authorization takes a service account, service token or access token",
    );
}

#[test]
fn each_flaw_in_words() {
    flawed(&SA[..40], "truncated: 40 of 55 characters");
    flawed(&SA[..54], "truncated: 54 of 55 characters");
    flawed(&SA[..4], "truncated: 4 of 55 characters");
    flawed(&format!("{SA}w"), "too long: 56 instead of 55 characters");
    flawed(&SA.replace("EYe", "EyE"), "checksum: a character was changed or swapped");
    flawed(&SA.replace("YvXNBQ", "YvXNBR"), "checksum: a character was changed or swapped");
    flawed(&AK.to_lowercase(), "checksum: a character was changed or swapped");
    flawed(&SA.replace("tr6A", "tr6+"), "character 6 does not belong there");
    flawed(&SA.replace("YvXNBQ", "YvXNB/"), "character 54 does not belong there");
    flawed("sa..SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdYvXNBQ", "an empty part");
    flawed(&format!("{SA}."), "too many parts");
    flawed(&format!("{SA}.k"), "too many parts");
    flawed(&format!("{AK}.k"), "too many parts");
    flawed(&format!("{ST}.k.x"), "too many parts");
    flawed(&format!("{ST}."), "an empty part");
    flawed(&format!("{ST}.{}", "k".repeat(129)), "the client key is longer than 128 characters");
    flawed(&format!("{ST}.k+k"), "character 57 does not belong there");
    flawed(IMPORTED_ST, "not the shape of an issued credential");
    flawed(&format!("{SA},"), "character 55 belongs to no credential");
    flawed(&format!("Bearer {SA}"), "character 6 belongs to no credential");
    flawed("", "no credential behind Bearer");
    flawed("eyJ.eyJ", "an access token has three non-empty base64url parts");
    flawed("eyJ..eyJ", "an access token has three non-empty base64url parts");
    refused(
        &HeaderPolicy::new(),
        &[("authorization", &format!("Bearer: {SA}"))],
        "malformed: no authentication scheme before the first space",
    );
}

/// The lengths of a diagnosis are those of the credential itself, whoever's namespace is before it.
#[test]
fn a_namespace_is_required_of_issued_credentials_and_forbidden_to_imported_ones() {
    let acme = HeaderPolicy::new().namespace(Namespace::parse("acme").unwrap());
    let bearer = |text: &str| format!("Bearer {text}");
    let unknown = "the text begins like no kind of credential";

    taken(&acme, &[("authorization", &bearer(&format!("acme_{SA}")))], Method::ServiceAccount);
    refused(&acme, &[("authorization", &bearer(SA))], unknown);
    refused(&acme, &[("authorization", &bearer(&format!("acm_{SA}")))], unknown);
    refused(&acme, &[("authorization", &bearer(&format!("ACME_{SA}")))], unknown);
    refused(&acme, &[("authorization", &bearer(&format!("acme_acme_{SA}")))], unknown);
    refused(&HeaderPolicy::new(), &[("authorization", &bearer(&format!("acme_{SA}")))], unknown);
    let cut = format!("acme_{}", &SA[..40]);
    refused(&acme, &[("authorization", &bearer(&cut))], "malformed: truncated: 40 of 55 characters");

    let moving = acme.imported([Kind::ServiceToken]);
    taken(&moving, &[("authorization", &bearer(IMPORTED_ST))], Method::ServiceToken);
    taken(&moving, &[("authorization", &bearer(&format!("acme_{ST}")))], Method::ServiceToken);
    refused(&moving, &[("authorization", &bearer(ST))], unknown);
    refused(&moving, &[("authorization", &bearer(&IMPORTED_ST.replace("st", "sa")))], unknown);
    let both = moving.present([("authorization", bearer(&format!("acme_{IMPORTED_ST}")))]).unwrap_err();
    assert_eq!(both.reason().code(), "malformed");
}

#[test]
fn a_policy_that_accepts_less_says_so_last() {
    let keys = HeaderPolicy::new().accept([Method::ApiKey]);
    taken(&keys, &[("x-api-key", AK)], Method::ApiKey);
    let refusal =
        refused(&keys, &[("authorization", &format!("Bearer {SA}"))], "no service account is accepted here");
    assert_eq!(refusal.class(), RefusalClass::Denied);
    refused(&keys, &[("authorization", "Bearer eyJ.a.b")], "no access token is accepted here");
    // What is malformed is malformed, whether or not it would have been accepted.
    refused(&keys, &[("authorization", "Bearer sa.tr6A")], "malformed: truncated: 7 of 55 characters");
}

#[test]
fn a_preferred_header_hides_the_other_one_and_no_duplicate() {
    let (sa, garbage) = (format!("Bearer {SA}"), "\u{1}");
    let both = [("authorization", sa.as_str()), ("x-api-key", AK)];
    let authorization = HeaderPolicy::new().precedence(Precedence::Authorization);
    let api_key = HeaderPolicy::new().precedence(Precedence::ApiKey);
    taken(&authorization, &both, Method::ServiceAccount);
    taken(&api_key, &both, Method::ApiKey);
    taken(&authorization, &[("authorization", &sa), ("x-api-key", garbage)], Method::ServiceAccount);
    taken(&authorization, &[("x-api-key", AK)], Method::ApiKey);
    taken(&api_key, &[("authorization", &sa)], Method::ServiceAccount);
    let twice = "more than one line of Authorization or of X-API-KEY";
    refused(&authorization, &[("authorization", &sa), ("x-api-key", AK), ("x-api-key", AK)], twice);
    refused(&api_key, &[("authorization", &sa), ("authorization", &sa), ("x-api-key", AK)], twice);
}

#[test]
fn no_credential_is_a_denial_only_where_a_host_asks_for_it() {
    let lenient = HeaderPolicy::new();
    let strict = HeaderPolicy::new().deny_missing();
    for headers in [&[][..], &[("authorization", "Basic dTpw")]] {
        assert_eq!(lenient.present(headers).unwrap_err().class(), RefusalClass::NoCredential);
        let denied = strict.present(headers).unwrap_err();
        assert_eq!((denied.class(), denied.status()), (RefusalClass::Denied, 401));
    }
    // Nothing else changes its class.
    let twice = strict.present([("x-api-key", AK), ("x-api-key", AK)]).unwrap_err();
    assert_eq!(twice.class(), RefusalClass::BadRequest);
}

/// `too_large` is 431, other bad requests 400, and what names no acceptable credential 401, all with the same bytes.
#[test]
fn statuses_and_challenges_follow_the_class() {
    let keys_and_accounts = HeaderPolicy::new().accept([Method::ApiKey, Method::ServiceAccount]);
    let answer = |headers: &[(&str, &str)]| {
        let refusal = keys_and_accounts.present(headers).unwrap_err();
        let challenges: Vec<String> = refusal.challenges().map(|challenge| challenge.to_string()).collect();
        (refusal.status(), challenges.join(" / "), refusal.to_string())
    };
    let denied = answer(&[("authorization", "Bearer xx")]);
    assert_eq!(denied.0, 401);
    assert_eq!(denied, answer(&[("x-api-key", SA)]));
    assert_eq!(denied, answer(&[("authorization", &format!("Bearer {ST}"))]));
    let malformed = answer(&[("authorization", "Bearer sa.")]);
    assert_eq!((malformed.0, malformed.1.as_str()), (400, r#"Bearer error="invalid_request""#));
    assert_eq!(malformed, answer(&[("x-api-key", "\u{80}")]));
    assert_eq!(answer(&[("x-api-key", &"a".repeat(513))]).0, 431);
    assert_eq!(answer(&[]).1, r#"Bearer realm="api" / ApiKey realm="api""#);
}

/// An access token may be as long as its header; one byte more is too large, whatever its shape.
#[test]
fn a_token_is_as_long_as_its_header_at_most() {
    let policy = HeaderPolicy::new();
    for scheme in ["Bearer ", "bearer ", "Bearer  "] {
        let value = |length: usize| format!("{scheme}eyJ.e30.{}", "A".repeat(length - scheme.len() - 8));
        taken(&policy, &[("authorization", &value(8_192))], Method::AccessToken);
        let refusal =
            refused(&policy, &[("authorization", &value(8_193))], "the header's value is too large");
        assert_eq!(refusal.status(), 431);
    }
}
