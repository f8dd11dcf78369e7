//! What the example prints, line by line.

#[path = "../../examples/sqlite_service.rs"]
mod sqlite_service;

use keygate::{Lifetime, ManualClock, Timestamp};

use crate::support::File;

#[tokio::test]
async fn credentials_survive_a_restart() {
    let file = File::new();
    let clock = ManualClock::at(Timestamp::parse_rfc3339("2026-11-24T12:00:00Z").unwrap());
    let granted = "200, read on secrets web/prod:/app/db of acme";
    assert_eq!(
        sqlite_service::life(file.path(), clock.clone()).await.unwrap(),
        [
            "the file is new".to_owned(),
            "issued to the client: an account named deploys".to_owned(),
            format!("the client's text: {granted}"),
            "secret 1 was last used at 2026-11-24T12:00:00Z".to_owned(),
        ]
    );
    for (life, before) in [(1, 1), (2, 2)] {
        clock.advance(Lifetime::minutes(1));
        let lines = sqlite_service::life(file.path(), clock.clone()).await.unwrap();
        assert_eq!(
            lines,
            [
                format!("the file has {before} of acme"),
                format!("the client's text, from before: {granted}"),
                "rotated: both texts hold for an hour".to_owned(),
                format!("the old text: {granted}"),
                format!("the new text: {granted}"),
                "issued to a guest, and revoked: the trial is over".to_owned(),
                "the guest's text: 401, revoked".to_owned(),
                format!("secret {life} was last used at 2026-11-24T12:0{life}:00Z"),
                format!("secret {} was last used at 2026-11-24T12:0{life}:00Z", life + 1),
                "live of acme: 1".to_owned(),
            ]
        );
    }
}
