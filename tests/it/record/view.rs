//! What is shown of a record.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate::Kind;
use serde_json::json;

use super::{bare, full};

/// Promise P37: what is shown of a record has no digest, no slot and no sealed box in it.
#[test]
fn the_view_shows_no_digest() {
    for kind in Kind::ALL {
        for builder in [full(kind), bare(kind)] {
            let record = builder.build().unwrap();
            let view = serde_json::to_value(record.view()).unwrap();
            let names: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
            let shown = [
                "created_at",
                "created_by",
                "disabled",
                "expires_at",
                "id",
                "kind",
                "metadata",
                "mint_generation",
                "name",
                "networks",
                "not_before",
                "owner",
                "parent",
                "retiring_leak",
                "retiring_secret",
                "retiring_until",
                "revoked",
                "scopes",
                "secret",
            ];
            assert_eq!(names, shown);
            let text = view.to_string();
            for byte in [0_u8, 1, 2, 3, 7, 9, 63] {
                let hex = format!("{byte:02x}").repeat(16);
                for spelling in [
                    STANDARD.encode([byte; 24]),
                    hex,
                    format!("{byte},{byte},{byte}"),
                    format!("{byte}, {byte}, {byte}"),
                ] {
                    assert!(!text.contains(&spelling), "{kind}: {spelling}");
                }
            }
        }
    }
    let view = serde_json::to_value(full(Kind::ServiceToken).build().unwrap().view()).unwrap();
    let expected = json!({
        "kind": "st", "id": "tr6A/fxqt+JI", "owner": { "organization": "acme", "project": "web" },
        "name": "ci \"builder\" \u{e9}\u{1f511}", "metadata": { "a": "", "team": "core", "ticket": "\\ / <>" },
        "created_at": -1, "created_by": "u-1", "not_before": i64::MIN, "expires_at": i64::MAX, "disabled": true,
        "revoked": { "at": 1_768_373_298, "reason": "left the company" }, "secret": u32::MAX, "retiring_secret": 1,
        "retiring_until": 0, "retiring_leak": null, "parent": "a", "networks": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"],
        "scopes": ["read,delete@web/*:/", "*@web/prod:/**/x-*"], "mint_generation": null,
    });
    assert_eq!(view, expected);
    let owner = |kind| serde_json::to_value(bare(kind).build().unwrap().view()).unwrap()["owner"].clone();
    assert_eq!(owner(Kind::ApiKey), json!({ "user": "u" }));
    assert_eq!(owner(Kind::ServiceAccount), json!({ "organization": "acme" }));
}
