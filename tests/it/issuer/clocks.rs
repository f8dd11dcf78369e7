//! Processes whose clocks differ: what one of them ended now is over for all.

use keygate::{IssueError, Kind, Lifetime, Overlap};
use pollster::block_on;

use super::{Host, owner};
use crate::decision::now_and;

/// Promise P48, the clock an hour off either way: a secret that was ended at once, above all a leaked one, is not accepted
/// by a clock that is behind, and no rotation can be aborted back to it.
#[test]
fn what_ends_now_is_over_by_any_clock() {
    for (case, ended) in ["leaked", "without overlap", "retired", "aborted"].into_iter().enumerate() {
        let host = Host::new();
        let issued = host.issue(Kind::ServiceAccount);
        let id = issued.record.key().id;
        let accounts = host.issuer.service_accounts().owned_by(owner(Kind::ServiceAccount));
        let rotated = block_on(async {
            match case {
                0 => accounts.rotate_leaked(&id, "pasted into a ticket").await,
                1 => accounts.rotate(&id, Overlap::NONE).await,
                _ => accounts.rotate(&id, Overlap::days(1)).await,
            }
        })
        .unwrap();
        let (over, holds) = if ended == "aborted" { (&rotated, &issued) } else { (&issued, &rotated) };
        match ended {
            "retired" => block_on(accounts.retire(&id)).unwrap(),
            "aborted" => block_on(accounts.abort_rotation(&id)).unwrap(),
            _ => {}
        }
        for seconds in [-3_600, -1, 0, 1, 3_600] {
            host.clock.set(now_and(seconds));
            let says = [over, holds].map(|issued| host.says(issued.text.expose()));
            assert_eq!(says, ["retired_secret", "ok"], "{ended}, {seconds} s");
            let aborted = block_on(accounts.abort_rotation(&id));
            assert!(matches!(aborted, Err(IssueError::NotRotating)), "{ended}, {seconds} s");
            assert_eq!(block_on(accounts.retirement(&id)).unwrap(), None);
        }
        host.clock.set(now_and(0));
        host.clock.advance(Lifetime::days(5));
        assert_eq!(host.says(over.text.expose()), "retired_secret", "{ended}");
    }
}
