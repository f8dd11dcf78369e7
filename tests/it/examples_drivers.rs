//! What the examples of the drivers print, line by line.

#[path = "../../examples/audit_log.rs"]
mod audit_log;
#[path = "../../examples/custom_store.rs"]
mod custom_store;
#[path = "../../examples/key_rollout.rs"]
mod key_rollout;
#[path = "../../examples/mint_access_token.rs"]
mod mint_access_token;

use keygate::{CredentialText, DigestKeys, Kind, SystemRandom};
use pollster::block_on;

use self::key_rollout::{Mistake, Step};

/// The credential, the answer's status, the reason's code, how often the file was read.
const IN_A_FILE: [(&str, u16, &str, u32); 5] = [
    ("issued, and in the file", 200, "granted", 1),
    ("issued, and not in the file", 401, "unknown_credential", 1),
    ("made up by somebody else", 401, "wrong_guard", 0),
    ("its line is cut off", 503, "record_corrupt", 1),
    ("the file is gone", 503, "store_unavailable", 1),
];

/// Lesson: a dead database looked like "no such key". P26: absent, damaged and gone are three answers of a host's own lookup.
/// A made-up credential does not reach it.
#[test]
fn custom_store_never_takes_damaged_or_gone_for_absent() {
    let rows = block_on(custom_store::rows()).expect("the scene is sound");
    let found: Vec<_> = rows.iter().map(|row| (row.what, row.status, row.code, row.reads)).collect();
    assert_eq!(found, IN_A_FILE);
}

type Line = (&'static str, [&'static str; 2], [u64; 2], [u64; 2], u32);

/// What was done, the rings of A and B, digests and guards under key 1 and key 2, how often a request was granted.
#[rustfmt::skip]
const ROLLOUT: [Line; 14] = [
    ("both begin with key 1",       ["1:active", "1:active"],                     [3,  0], [3,  0], 4),
    ("A adds key 2",                ["1:active, 2", "1:active"],                  [5,  0], [5,  0], 8),
    ("B adds key 2",                ["1:active, 2", "1:active, 2"],               [7,  0], [7,  0], 12),
    ("A makes key 2 active",        ["1, 2:active", "1:active, 2"],               [8,  1], [8,  1], 16),
    ("B makes key 2 active",        ["1, 2:active", "1, 2:active"],               [8,  3], [8,  3], 20),
    ("A upgrades digests",          ["1, 2:active", "1, 2:active"],               [1, 12], [8,  5], 24),
    ("B upgrades digests",          ["1, 2:active", "1, 2:active"],               [1, 14], [8,  7], 28),
    ("what was revoked is purged",  ["1, 2:active", "1, 2:active"],               [0, 16], [7,  9], 32),
    ("A keeps key 1 as guard only", ["1:guard, 2:active", "1, 2:active"],         [0, 18], [7, 11], 36),
    ("B keeps key 1 as guard only", ["1:guard, 2:active", "1:guard, 2:active"],   [0, 20], [7, 13], 40),
    ("old texts are rotated",       ["1:guard, 2:active", "1:guard, 2:active"],   [0, 29], [7, 22], 58),
    ("their overlap is over",       ["1:guard, 2:active", "1:guard, 2:active"],   [0, 24], [0, 24], 48),
    ("A drops key 1",               ["2:active", "1:guard, 2:active"],            [0, 26], [0, 26], 52),
    ("B drops key 1",               ["2:active", "2:active"],                     [0, 28], [0, 28], 56),
];

/// P11: two authenticators go through a whole rollout, and no valid credential is refused.
#[test]
fn key_rollout_refuses_no_valid_credential() {
    let steps = block_on(key_rollout::rollout()).expect("no step comes too early");
    let expected = ROLLOUT.map(|(what, rings, digests, guards, granted)| Step {
        what,
        rings: rings.map(str::to_owned),
        digests,
        guards,
        granted,
        refused: 0,
    });
    assert_eq!(steps, expected);
}

/// Lesson: a key was dropped while credentials out there still needed it. P11: a record under an unknown key is *undecided*, a
/// text with an unknown guard is denied where the record has to be asked for.
#[test]
fn key_rollout_shows_why_no_step_is_skipped() {
    const DIGEST: (u16, &str) = (503, "unknown_digest_key");
    const GUARD: (u16, &str) = (401, "unknown_guard_key");
    let mistakes = block_on(key_rollout::mistakes()).expect("the scene is sound");
    let expected = [
        ("key 2 is active elsewhere, and was not added", "1:active", [DIGEST, GUARD]),
        ("key 1 is guard only, and digests need it", "1:guard, 2:active", [DIGEST, DIGEST]),
        ("key 1 is dropped, and digests need it", "2:active", [DIGEST, GUARD]),
        ("key 1 is dropped, and guards need it", "2:active", [(200, "granted"), GUARD]),
    ]
    .map(|(what, ring, answers)| Mistake { what, ring: ring.to_owned(), answers });
    assert_eq!(mistakes, expected);
}

/// What an event serializes as, in this order.
const FIELDS: [&str; 13] = [
    "event",
    "outcome",
    "reason",
    "fault",
    "explanation",
    "method",
    "credential",
    "token_id",
    "proven",
    "owner",
    "action",
    "resource",
    "scope",
];

/// The event of each request, its values in the order of the fields, without the drawn ids; the answer's status.
#[rustfmt::skip]
const AUDITED: [(&str, u16); 12] = [
    (r#"["decision","permitted",null,false,null,"service token","st.*",null,true,"project web of acme","read","secrets web/prod:/app/db of acme","read@web/prod:/app/**"]"#, 200),
    (r#"["decision","forbidden","not_permitted",false,"read on secrets web/prod:/billing of acme: the path of the nearest scope, read@web/prod:/app/**, does not fit","service token","st.*",null,true,"project web of acme","read","secrets web/prod:/billing of acme","read@web/prod:/app/**"]"#, 403),
    (r#"["decision","as_user",null,false,null,"API key","ak.*",null,true,"user u-17","read","project web of acme",null]"#, 200),
    (r#"["decision","as_user",null,false,null,"API key","ak.*",null,true,"user u-18","read","project web of acme",null]"#, 403),
    (r#"["decision","forbidden","not_permitted",false,"read on secrets web/prod:/app/db of acme: no scope reaches it","API key","ak.*",null,true,"user u-17","read","secrets web/prod:/app/db of acme",null]"#, 403),
    (r#"["authentication","no_credential","missing",false,"neither Authorization nor X-API-KEY",null,null,null,false,null,null,null,null]"#, 401),
    (r#"["authentication","bad_request","malformed",false,"malformed: truncated: 40 of 55 characters",null,null,null,false,null,null,null,null]"#, 400),
    (r#"["authentication","denied","wrong_secret",false,"wrong secret","service token","st.*",null,false,"project web of acme",null,null,null]"#, 401),
    (r#"["authentication","denied","unknown_credential",false,"no such credential","service token","st.*",null,false,null,null,null,null]"#, 401),
    (r#"["authentication","denied","revoked",false,"revoked","service token","st.*",null,true,"project web of acme",null,null,null]"#, 401),
    (r#"["authentication","undecided","client_address_unknown",false,"the credential is limited to networks, and the client's address was not told","service token","st.*",null,true,"project web of acme",null,null,null]"#, 503),
    (r#"["authentication","undecided","unknown_digest_key",true,"the record's digest names digest key 7, which is not in the ring","service token","st.*",null,false,"project web of acme",null,null,null]"#, 503),
];

/// The two lines that a request leaves in the log.
fn lines(request: usize, (event, status): (&str, u16)) -> [String; 2] {
    let values: Vec<serde_json::Value> = serde_json::from_str(event).unwrap();
    assert_eq!(values.len(), FIELDS.len());
    let fields: Vec<_> =
        FIELDS.iter().zip(&values).map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    let start = format!(r#"{{"at":{},"request":{request},"#, 1_795_521_599 + request);
    [format!("{start}{}}}", fields.join(",")), format!(r#"{start}"event":"answer","status":{status}}}"#)]
}

/// The line with the twelve drawn characters of its id hidden.
fn without_id(line: &str) -> String {
    const BEFORE: &str = r#""credential":"st."#;
    let Some((before, _)) = line.split_once(r#""credential":""#) else { return line.to_owned() };
    let at = before.len() + BEFORE.len();
    assert_eq!(line.as_bytes()[at + 12], b'"', "{line}");
    format!("{}*{}", &line[..at], &line[at + 12..])
}

/// Every line of the log, with the host's own request id in it.
#[test]
fn audit_log_has_a_line_for_every_refusal_and_decision() {
    let report = block_on(audit_log::report()).expect("the scene is sound");
    let found: Vec<_> = report.log.iter().map(|line| without_id(line)).collect();
    let expected: Vec<_> =
        (1..).zip(AUDITED).flat_map(|(request, audited)| lines(request, audited)).collect();
    assert_eq!(found, expected);
    assert_eq!(report.lost, 0);
}

/// The counts that the example prints under the log; the alarm is raised by the fault, and not by what only is undecided.
#[test]
fn audit_log_counts_and_raises_an_alarm_on_a_fault() {
    let report = block_on(audit_log::report()).expect("the scene is sound");
    let counts = report.counts;
    let found = [
        counts.permitted,
        counts.as_user,
        counts.no_credential,
        counts.bad_request,
        counts.denied,
        counts.forbidden,
        counts.undecided,
        counts.faults,
    ];
    assert_eq!(found, [1, 2, 1, 1, 3, 2, 2, 1]);
    let alarm = "1 fault: a record is damaged, or its digest key is gone";
    assert_eq!(report.alarms, [(12, alarm.to_owned())]);
}

/// P37: no piece of a secret that was presented is in the log; and the search would find one.
#[test]
fn audit_log_holds_no_secret() {
    let report = block_on(audit_log::report()).expect("the scene is sound");
    assert_eq!(report.texts.len(), 8);
    for text in &report.texts {
        assert!(!audit_log::leaks(&report.log, text), "{}", report.log.join("\n"));
        let parsed = CredentialText::parse(text.expose()).expect("it is whole");
        let public = format!("{}.{}.", parsed.kind().as_str(), parsed.id());
        let secret = text.expose().strip_prefix(&public).expect("kind and id come first");
        assert!(!audit_log::leaks(&[format!("line {public} {}", &secret[..7])], text), "seven characters");
        assert!(audit_log::leaks(&[format!("line {}", &secret[..8])], text), "eight characters");
    }
    let other = DigestKeys::ephemeral().unwrap().draw(Kind::ServiceToken, &SystemRandom).unwrap().text;
    assert!(!audit_log::leaks(&[other.expose().to_owned()], &report.texts[0]), "another one's");
}

/// The time, what happens, the answer's status, the log.
#[rustfmt::skip]
const STORY: [(&str, &str, Option<u16>, &str); 18] = [
    ("09:00:00", "the account proves itself by its access key", Some(200), "service account"),
    ("09:00:00", "it mints: read, one folder, 15 minutes", Some(200), "read@web/prod:/app/db, until 09:15:00"),
    ("09:00:00", "the job reads in that folder", Some(200), "permitted by read@web/prod:/app/db"),
    ("09:00:00", "it writes there", Some(403), "not permitted: update on secrets web/prod:/app/db of acme: the action of the nearest scope, read@web/prod:/app/db, does not fit"),
    ("09:00:00", "it reads in another folder", Some(403), "not permitted: read on secrets web/prod:/app/mail of acme: the path of the nearest scope, read@web/prod:/app/db, does not fit"),
    ("09:00:00", "the job mints a token of its own", Some(403), "only a service account mints, by its access key"),
    ("09:00:00", "the account mints more than it holds", Some(403), "scope 0 is too wide: read@web/prod:/** is not held"),
    ("09:00:00", "the account mints for two hours", Some(400), "the lifetime is longer than the maximum of 3600 s"),
    ("09:14:59", "the job reads, a second before its token ends", Some(200), "permitted by read@web/prod:/app/db"),
    ("09:15:00", "the job reads, a second later", Some(401), "expired"),
    ("10:00:00", "a thief mints with the leaked key", Some(200), "*@web/prod:/app/**, until 11:00:00"),
    ("10:00:00", "the thief reads", Some(200), "permitted by *@web/prod:/app/**"),
    ("10:05:00", "the owner rotates the key, as leaked", None, "one write"),
    ("10:05:00", "the thief reads", Some(401), "the service account that minted it has another mint generation"),
    ("10:05:00", "the thief presents the leaked key", Some(401), "the secret was replaced, and the overlap is over"),
    ("10:05:00", "the thief mints, on a connection proved before", Some(401), "the access key that proved the account was replaced"),
    ("10:05:00", "the account mints with its new key", Some(200), "read@web/prod:/app/db, until 10:20:00"),
    ("10:05:00", "the job reads", Some(200), "permitted by read@web/prod:/app/db"),
];

/// P48, for people.
#[test]
fn what_a_thief_minted_dies_with_the_leaked_key() {
    let story = block_on(mint_access_token::story()).expect("the scene is sound");
    let found: Vec<_> = story.iter().map(|line| (&*line.time, line.what, line.status, &*line.log)).collect();
    assert_eq!(found, STORY);
}
