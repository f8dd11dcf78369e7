//! What the examples print, line by line.

#[path = "../../examples/inspect.rs"]
mod inspect;
#[path = "../../examples/quickstart.rs"]
mod quickstart;
#[path = "../../examples/requests.rs"]
mod requests;

/// What is special about a request, the answer's status, the reason's code.
const EXPECTED: [(&str, u16, &str); 38] = [
    ("an API key acts as its user", 200, "granted"),
    ("the same on a project", 200, "granted"),
    ("the same on secrets: it has no key to them", 403, "not_permitted"),
    ("another user's, who may not", 403, "user_not_permitted"),
    ("a service account", 200, "granted"),
    ("the same on a project", 200, "granted"),
    ("the same on secrets", 200, "granted"),
    ("the same on another tenant's", 403, "not_permitted"),
    ("the same on a user's settings", 403, "not_permitted"),
    ("a service token", 200, "granted"),
    ("with its client key behind it", 200, "granted"),
    ("outside its folder", 403, "not_permitted"),
    ("an action that it lacks", 403, "not_permitted"),
    ("it revokes itself", 200, "granted"),
    ("a token that the account minted", 200, "granted"),
    ("cut to what the account holds now", 403, "not_permitted"),
    ("minted by an account since revoked", 401, "parent_revoked"),
    ("rotated: the old text, in the overlap", 200, "granted"),
    ("bound to 10.0.0.0/8, from inside", 200, "granted"),
    ("the same from outside", 401, "network"),
    ("the same, address not told", 503, "client_address_unknown"),
    ("revoked", 401, "revoked"),
    ("disabled", 401, "disabled"),
    ("expired this second", 401, "expired"),
    ("right id, wrong secret", 401, "wrong_secret"),
    ("never issued here", 401, "unknown_credential"),
    ("made up: whole, with a wrong guard", 401, "wrong_guard"),
    ("cut off", 400, "malformed"),
    ("mangled", 400, "malformed"),
    ("in the other header", 401, "wrong_channel"),
    ("somebody else's token", 401, "unknown_kind"),
    ("an access token, not taken here", 401, "kind_not_accepted"),
    ("no credential", 401, "missing"),
    ("another scheme", 401, "unsupported_scheme"),
    ("two headers of one name", 400, "duplicate_header"),
    ("both headers", 400, "multiple_methods"),
    ("nine thousand spaces", 431, "too_large"),
    ("an irregular path", 400, "irregular_resource"),
];

#[test]
fn requests_decides_every_line() {
    let rows = requests::rows().expect("the scene is sound");
    let found: Vec<_> = rows.iter().map(|row| (row.what, row.status, row.code)).collect();
    assert_eq!(found, EXPECTED);
}

#[test]
fn requests_shows_one_face_for_every_denied_credential() {
    let rows = requests::rows().expect("the scene is sound");
    let denied: Vec<_> = rows
        .iter()
        .filter(|row| row.status == 401 && !matches!(row.code, "missing" | "unsupported_scheme"))
        .collect();
    assert_eq!(denied.len(), 11);
    let face = [r#"Bearer error="invalid_token", error_description="the credential is not valid""#];
    for row in denied {
        assert_eq!(row.challenges, face, "{}", row.what);
    }
}

#[test]
fn requests_names_what_a_denied_scope_lacked() {
    let rows = requests::rows().expect("the scene is sound");
    let row = rows.iter().find(|row| row.what == "outside its folder").expect("it is there");
    assert_eq!(row.asks, "read web/prod:/billing");
    assert_eq!(
        row.reason,
        "not permitted: read on secrets web/prod:/billing of acme: \
         the path of the nearest scope, create,read@web/prod:/app/**, does not fit"
    );
    assert_eq!(row.challenges, [r#"Bearer error="insufficient_scope", scope="read@web/prod:/billing""#]);
}

#[track_caller]
fn inspected(text: &str, expected: Result<&str, &str>) {
    assert_eq!(inspect::report(text), expected.map(str::to_owned).map_err(str::to_owned));
}

#[test]
fn inspect_says_what_a_text_is_and_what_is_wrong_with_it() {
    inspected(
        "acme_st.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3HEe-SAabcdxH9T6w.db156ccb0c0897abb2dee9f9e59c845b",
        Ok("service token, issued by keygate, and whole: its checksum holds\n\
            \x20 id          tr6AWfxqtcJI\n\
            \x20 to send     Authorization: Bearer acme_st.tr6AWfxqtcJI.***\n\
            \x20 guard       made with digest key 0\n\
            \x20 client key  32 characters: keep it, and do not send it"),
    );
    inspected(
        "ak.64a1f0c2d3e4b5a697887766.00112233445566778899aabbccddeeff",
        Ok("API key, of the shape of another system; whether it is whole cannot be told\n\
            \x20 id          64a1f0c2d3e4b5a697887766\n\
            \x20 to send     X-API-KEY: ak.64a1f0c2d3e4b5a697887766.***"),
    );
    inspected(
        "sa.tr6AWfxqtcJI.SyFLeEOHs-EYeOVqnx-e1e3H",
        Err("not a credential: truncated: 40 of 55 characters"),
    );
    inspected("hunter2", Err("not a credential: unknown kind: a credential begins with ak., sa. or st."));
    inspected(
        "eyJh.eyJz.c2ln",
        Err("this looks like a JWT: an access token, perhaps; only its server can tell"),
    );
}

/// The time, what happens, what is asked for, the answer's status, what the log says.
type DayLine = (&'static str, &'static str, &'static str, Option<u16>, &'static str);

const DAY: [DayLine; 28] = [
    ("08:00:00", "issued: an API key", "", None, "acts as user u-17"),
    ("08:00:00", "issued: a service account", "", None, "read@/ and *@web/prod:/** of acme"),
    ("08:00:00", "issued: a service token", "", None, "read@web/prod:/app/** of acme, for 8 hours"),
    ("08:30:00", "the API key", "read project web of acme", Some(200), "permitted as user u-17"),
    ("08:30:00", "the API key", "read secrets web/prod:/app/db of acme", Some(403), "no scope would help"),
    ("08:30:00", "the account", "read organization acme", Some(200), "permitted by read@/"),
    (
        "08:30:00",
        "the account",
        "update secrets web/prod:/app/db of acme",
        Some(200),
        "permitted by *@web/prod:/**",
    ),
    (
        "08:30:00",
        "the account, elsewhere",
        "read secrets web/prod:/app/db of other",
        Some(403),
        "no scope would help",
    ),
    (
        "08:30:00",
        "the token",
        "read secrets web/prod:/app/db of acme",
        Some(200),
        "permitted by read@web/prod:/app/**",
    ),
    (
        "08:30:00",
        "the token, outside its folder",
        "read secrets web/prod:/billing of acme",
        Some(403),
        "lacks read@web/prod:/billing",
    ),
    (
        "08:30:00",
        "the token, another action",
        "delete secrets web/prod:/app/db of acme",
        Some(403),
        "lacks delete@web/prod:/app/db",
    ),
    (
        "09:00:00",
        "a text that nobody was given",
        "read secrets web/prod:/app/db of acme",
        Some(401),
        "no such credential",
    ),
    (
        "09:00:00",
        "the token's id, another secret",
        "read secrets web/prod:/app/db of acme",
        Some(401),
        "wrong secret",
    ),
    (
        "09:00:00",
        "a made-up text",
        "read secrets web/prod:/app/db of acme",
        Some(401),
        "the text's guard does not hold: it was made up, or made with another key",
    ),
    ("09:00:00", "the database was asked for it", "", None, "never"),
    (
        "09:00:00",
        "the token, cut off",
        "read secrets web/prod:/app/db of acme",
        Some(400),
        "malformed: truncated: 40 of 55 characters",
    ),
    ("12:00:00", "rotated: the account's access key", "", None, "both hold until 13:00"),
    (
        "12:59:59",
        "the account, with the old key",
        "read secrets web/prod:/app/db of acme",
        Some(200),
        "permitted by *@web/prod:/**",
    ),
    (
        "12:59:59",
        "the account, with the new key",
        "read secrets web/prod:/app/db of acme",
        Some(200),
        "permitted by *@web/prod:/**",
    ),
    (
        "13:00:00",
        "the account, with the old key",
        "read secrets web/prod:/app/db of acme",
        Some(401),
        "the secret was replaced, and the overlap is over",
    ),
    (
        "13:00:00",
        "the account, with the new key",
        "read secrets web/prod:/app/db of acme",
        Some(200),
        "permitted by *@web/prod:/**",
    ),
    (
        "15:59:59",
        "the token, in its last second",
        "read secrets web/prod:/app/db of acme",
        Some(200),
        "permitted by read@web/prod:/app/**",
    ),
    ("16:00:00", "the token, a second later", "read secrets web/prod:/app/db of acme", Some(401), "expired"),
    ("17:00:00", "revoked: the API key", "", None, "left the company"),
    ("17:00:00", "the API key", "read project web of acme", Some(401), "revoked"),
    ("18:00:00", "user u-17: API key", "", None, "revoked: left the company; last used 08:30:00"),
    ("18:00:00", "organization acme: service account", "", None, "active; last used 13:00:00"),
    ("18:00:00", "project web of acme: service token", "", None, "expired; last used 15:59:59"),
];

#[test]
fn quickstart_tells_a_whole_day() {
    let day = pollster::block_on(quickstart::day()).expect("a day without an accident");
    let found: Vec<_> =
        day.iter().map(|line| (&*line.time, &*line.what, &*line.asks, line.status, &*line.log)).collect();
    assert_eq!(found, DAY);
}
