//! In which order a token is looked at, what that costs the store, and when a token holds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate::{
    Action, Decision, Kind, Lifetime, Method, Mint, Reason, Refusal, Resource, Revocation, Timestamp,
};
use pollster::block_on;

use super::{Members, World, checked, header, leeway, parsed, sealed, signed, signed_as, tokens};
use crate::decision::{has_the_face_of_a_denial, now_and};
use crate::support::fixtures::NOW;
use crate::support::random::{Random, seed};

/// All that may be wrong with a token at once, in the order in which it is looked at.
const FAULTS: [&str; 12] = [
    "too long",
    "header",
    "signature encoding",
    "signature",
    "payload encoding",
    "no object",
    "type",
    "missing",
    "issuer",
    "audience",
    "out of bounds",
    "expired",
];

/// A token with the faults of these bits.
fn faulty(account: &str, bits: u32) -> String {
    let has = |fault: &str| bits & (1 << FAULTS.iter().position(|known| *known == fault).unwrap()) != 0;
    let mut members = Members::of(account);
    if has("too long") {
        members = members.set_text("x", &"x".repeat(3_000));
    }
    if has("missing") {
        members = members.without("jti");
    }
    if has("issuer") {
        members = members.set_text("iss", "https://other.example");
    }
    if has("audience") {
        members = members.set_text("aud", "https://other.example");
    }
    if has("out of bounds") {
        members = members.set_text("org", "ac me");
    }
    if has("expired") {
        let now = NOW.as_unix();
        members = members.times(now - 900, now - 900, now);
    }
    if has("type") {
        members = members.set_text("nbf", "0");
    }
    let json = if has("no object") { format!("[{}]", members.json()) } else { members.json() };
    let header = if has("header") { header("k2") } else { header(super::KEY_ID) };
    let mut text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(json));
    if has("payload encoding") {
        // One character of base64 is no byte.
        text.push_str(&"A".repeat((5 - text.split_once('.').unwrap().1.len() % 4) % 4));
    }
    let mut token = sealed(text, &super::KEY);
    if has("signature") {
        let at = token.len() - 43;
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        token.replace_range(at..=at, other);
    }
    if has("signature encoding") {
        token.pop();
    }
    token
}

/// Every combination of faults: the first is told, and the store hears of none of them.
#[test]
fn the_first_fault_is_told_and_costs_no_call() {
    const CODES: [&str; 12] = [
        "token_too_long",
        "token_header",
        "token_encoding",
        "token_signature",
        "token_encoding",
        "token_claims",
        "token_claims",
        "token_claims",
        "token_issuer",
        "token_audience",
        "token_claims",
        "expired",
    ];
    for world in World::both() {
        let (account, _) = world.minter();
        let id = account.record.key().id.to_string();
        assert_eq!(world.says(&faulty(&id, 0)), "ok");
        for revoked in [false, true] {
            if revoked {
                world.change(&account.record, |builder| builder.revoked(Revocation::new(NOW, "left")));
                assert_eq!(world.says(&faulty(&id, 0)), "parent_revoked");
            }
            world.store.calls();
            for bits in 1..1_u32 << FAULTS.len() {
                let first = usize::try_from(bits.trailing_zeros()).unwrap();
                let Err(refusal) = world.ask(&faulty(&id, bits)) else { panic!("{bits:012b}") };
                assert_eq!(refusal.reason().code(), CODES[first], "{bits:012b}");
                has_the_face_of_a_denial(&refusal);
                // Nothing of an unproven token is told, not even to the log.
                let proved = CODES[first] == "expired";
                assert_eq!(
                    (refusal.proven(), refusal.credential().is_some()),
                    (proved, proved),
                    "{bits:012b}"
                );
            }
            assert!(world.store.calls().is_empty());
        }
    }
}

/// Before its signature holds, a payload may be anything: it is not even decoded.
#[test]
fn nothing_is_parsed_before_the_signature() {
    let seed = seed();
    let mut random = Random::seeded(seed);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let head = URL_SAFE_NO_PAD.encode(header(super::KEY_ID));
    for payload in [
        "{}",
        "[",
        "{\"exp\":1e999999999}",
        "{\"exp\":9223372036854775808}",
        "{\"exp\":-9223372036854775808,\"iat\":9223372036854775807}",
        &"[".repeat(2_900),
        &"{\"a\":".repeat(500),
        "\u{feff}",
        "\0",
    ] {
        let token = signed_as(&header(super::KEY_ID), b"another key, as long as this one", payload);
        assert_eq!(super::fault(&token), Some(keygate::TokenFault::Signature));
    }
    for case in 0..20_000 {
        let longest = if random.one_in(50) { 3_900 } else { 40 };
        let length = 1 + random.below(longest);
        // Also of a length that is none of base64, and with bits to spare.
        let payload = random.text(length, alphabet);
        let signature: [u8; 32] = std::array::from_fn(|_| random.byte());
        let token = format!("{head}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(
            super::fault(&token),
            Some(keygate::TokenFault::Signature),
            "KEYGATE_SEED={seed} case {case}"
        );
        let own = sealed(format!("{head}.{payload}"), &super::KEY);
        assert!(matches!(
            super::fault(&own),
            Some(keygate::TokenFault::Encoding | keygate::TokenFault::Claims)
        ));
    }
}

/// A signature is 32 bytes, no more and no less, in 43 characters.
#[test]
fn a_signature_has_one_length() {
    let token = signed(Members::of(super::ACCOUNT).json());
    let (text, right) = token.rsplit_once('.').unwrap();
    let mac = crate::digest::hmac(&super::KEY, text.as_bytes());
    for length in 1..=64 {
        let tag: Vec<u8> = mac.iter().copied().cycle().take(length).collect();
        let found = super::fault(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag)));
        assert_eq!(found, (length != 32).then_some(keygate::TokenFault::Encoding), "{length}");
    }
    for length in (1..=120).filter(|length| *length != 43) {
        let cut: String = right.chars().cycle().take(length).collect();
        assert_eq!(super::fault(&format!("{text}.{cut}")), Some(keygate::TokenFault::Encoding), "{length}");
    }
}

/// One look at memory, and one question where memory does not know: for the account, and by its id.
#[test]
fn an_accepted_token_costs_one_question() {
    for (world, expected) in [(World::peeking(), &["peek"][..]), (World::asking(), &["peek", "find"])] {
        let (account, caller) = world.minter();
        let minted = world.mint(&caller, &["read@web/prod:/**"]).unwrap();
        world.store.calls();
        let found = world.caller(minted.text.expose());
        let calls = world.store.calls();
        assert_eq!(calls.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected);
        let asked = format!("{} {}", Kind::ServiceAccount, account.record.key().id);
        assert!(calls.iter().all(|(_, with)| *with == asked), "{calls:?}");
        assert_eq!(found.parent().unwrap().key(), account.record.key());
        // Deciding asks nobody.
        let wanted = Resource::secrets("acme", "web", "prod", "/").unwrap();
        assert!(world.gate.decide(&found, Action::Read, &wanted).granted().is_ok());
        assert!(world.store.calls().is_empty());
        // Nor does one that has ended by the time.
        world.at(900);
        assert_eq!(world.says(minted.text.expose()), "expired");
        assert!(world.store.calls().is_empty());
    }
}

/// From `nbf` to before `exp`, both widened by the leeway: at the door, and for a caller that was kept.
#[test]
fn a_token_holds_from_its_beginning_to_its_end() {
    let wanted = Resource::secrets("acme", "web", "prod", "/app/db").unwrap();
    for seconds in [0, 1, 300] {
        let world = World::with(|_| true, tokens().leeway(leeway(seconds)));
        let (account, _) = world.minter();
        let now = NOW.as_unix();
        let members = Members::of(account.record.key().id.as_str()).times(now - 10, now + 50, now + 150);
        let token = members.signed();
        let (from, until) = (50 - seconds, 150 + seconds);
        for (at, expected) in [
            (from - 86_400, "not_yet_valid"),
            (from - 1, "not_yet_valid"),
            (from, "ok"),
            (from + 1, "ok"),
            (until - 1, "ok"),
            (until, "expired"),
            (until + 1, "expired"),
            (until + 86_400, "expired"),
        ] {
            world.at(at);
            assert_eq!(world.says(&token), expected, "{at} with {seconds}");
            if let Err(refusal) = world.ask(&token) {
                has_the_face_of_a_denial(&refusal);
                assert!(refusal.proven());
                assert_eq!(refusal.credential(), Some(account.record.key()));
            }
        }
        world.at(from);
        let caller = world.caller(&token);
        assert_eq!(caller.valid_until(), Some(now_and(until)));
        for (at, holds) in [
            (from, true),
            (until - 1, true),
            (until, false),
            (until + 1, false),
            (i64::from(i32::MAX), false),
        ] {
            world.at(at);
            match world.gate.decide(&caller, Action::Read, &wanted) {
                Decision::Permit(permit) => {
                    assert!(holds, "{at} with {seconds}");
                    assert_eq!(permit.scope(), Some("read@web/prod:/app/**"));
                }
                Decision::Deny(denial) => {
                    assert!(!holds, "{at} with {seconds}");
                    assert_eq!((denial.reason(), denial.failed()), (Reason::Expired, None));
                    has_the_face_of_a_denial(&denial.into());
                }
                Decision::AsUser(_) => panic!("an access token is no user"),
            }
        }
    }
}

/// The account's end has no leeway: one host makes it and judges it.
#[test]
fn the_account_ends_without_leeway() {
    let world = World::with(|_| true, tokens().leeway(leeway(300)));
    let (account, _) = world.minter();
    let token = Members::of(account.record.key().id.as_str()).signed();
    world.change(&account.record, |builder| builder.validity(keygate::Validity::until(now_and(100))));
    let caller = world.caller(&token);
    assert_eq!(caller.valid_until(), Some(now_and(100)));
    let wanted = Resource::secrets("acme", "web", "prod", "/app").unwrap();
    for (at, expected) in [(99, "ok"), (100, "parent_expired"), (101, "parent_expired")] {
        world.at(at);
        assert_eq!(world.says(&token), expected);
        let decided = world.gate.decide(&caller, Action::Read, &wanted).granted();
        assert_eq!(
            decided.map_err(|refusal| refusal.reason().code()).map_or_else(|code| code, |_| "ok"),
            expected
        );
    }
}

/// Promise P45: whatever the clock says, a decision is what the boundaries say for that moment, and nothing panics.
#[test]
fn extreme_clocks() {
    let year = 365 * 86_400;
    let now = NOW.as_unix();
    let moments = [
        i64::MIN,
        i64::MIN + 1,
        i64::MIN + 300,
        -1,
        0,
        1,
        now - 3_600,
        now,
        now + 3_600,
        now + year,
        i64::MAX - 300,
        i64::MAX - 1,
        i64::MAX,
    ];
    let wanted = Resource::secrets("acme", "web", "prod", "/app").unwrap();
    let mut held = 0;
    for seconds in [0, 1, 300] {
        let world = World::with(
            |_| true,
            tokens().leeway(leeway(seconds)).max_lifetime(Lifetime::hours(24)).unwrap(),
        );
        let (account, minter) = world.minter();
        let id = account.record.key().id.to_string();
        for begin in moments {
            for lifetime in [1, 900, 86_400] {
                let Some(end) = begin.checked_add(lifetime) else { continue };
                let token = Members::of(&id).times(begin, begin, end).signed();
                for at in moments {
                    world.clock.set(Timestamp::from_unix(at));
                    let (wide, leeway) = (i128::from(at), i128::from(seconds));
                    let expected = if wide >= i128::from(end) + leeway {
                        "expired"
                    } else if wide < i128::from(begin) - leeway {
                        "not_yet_valid"
                    } else {
                        "ok"
                    };
                    let found = world.ask(&token);
                    assert_eq!(super::code(&found), expected, "{begin} {lifetime} at {at} with {seconds}");
                    let Ok(caller) = found else { continue };
                    held += 1;
                    // Kept, it ends when it ends by any clock.
                    for later in moments {
                        world.clock.set(Timestamp::from_unix(later));
                        let decided = world.gate.decide(&caller, Action::Read, &wanted).granted().is_ok();
                        assert_eq!(decided, i128::from(later) < i128::from(end) + leeway, "{later}");
                    }
                }
                // Minted by such a clock.
                world.clock.set(Timestamp::from_unix(begin));
                let mint = Mint::scopes(parsed(&["read@web/prod:/app/**"]));
                let mint = mint.lifetime(Lifetime::seconds(lifetime.try_into().unwrap()));
                let minted = block_on(world.issuer.mint(&minter, mint)).unwrap();
                assert_eq!(minted.expires_at, Timestamp::from_unix(end));
                assert_eq!(world.says(minted.text.expose()), "ok");
            }
        }
        // Past the end of time nothing is minted.
        world.clock.set(Timestamp::from_unix(i64::MAX));
        assert_eq!(super::error(world.mint(&minter, &["read@web/prod:/app/**"])), "lifetime");
    }
    assert!(held > 50, "{held}");
}

/// A reason is for the log; a stranger sees one answer whatever is wrong, and a host may ask which it was.
#[test]
fn each_fault_has_its_words() {
    for (fault, words) in [
        (keygate::TokenFault::TooLong, "the access token is longer than 4096 bytes"),
        (keygate::TokenFault::Header, "the access token has the header of none of the signing keys"),
        (
            keygate::TokenFault::Encoding,
            "the access token has a part that is not canonical base64url, or a signature that is not of 32 \
             bytes",
        ),
        (keygate::TokenFault::Signature, "the access token has a signature that is not its key's"),
        (
            keygate::TokenFault::Claims,
            "the access token has claims that are no JSON object with each member once",
        ),
        (keygate::TokenFault::MissingClaim("exp"), "the access token lacks the claim exp"),
        (
            keygate::TokenFault::IrregularClaim("exp"),
            "the access token has the claim exp twice, of another type or out of its bounds",
        ),
        (keygate::TokenFault::Issuer, "the access token is of another issuer"),
        (keygate::TokenFault::Audience, "the access token is for another audience"),
    ] {
        assert_eq!(Reason::AccessToken(fault).to_string(), words);
        assert!(!Reason::AccessToken(fault).is_fault(), "a caller can cause it");
    }
    let refusal = checked(&Members::of("a").set_text("aud", "\u{1b}[31m").signed(), &tokens(), NOW);
    assert_eq!(refusal.unwrap_err().reason().code(), "token_claims", "and what it held is not told");
}

/// A refusal says by what the request came, and which token it was where its signature held: by the core and by the authenticator.
#[test]
fn a_refusal_names_the_token() {
    let world = World::peeking();
    let (account, caller) = world.minter();
    let minted = world.mint(&caller, &["read@web/prod:/**"]).unwrap();
    let (text, id) = (minted.text.expose(), Some(&*minted.id));
    let names = |refusal: &Refusal, id: Option<&str>| {
        assert_eq!((refusal.method(), refusal.token_id()), (Some(Method::AccessToken), id), "{refusal:?}");
    };
    names(&world.ask(&text[..text.len() - 1]).unwrap_err(), None);
    let child = checked(text, &tokens(), NOW).unwrap();
    let orphan = child.finish(None).unwrap_err();
    names(&orphan, id);
    assert!(orphan.proven());
    let caller = world.caller(text);
    let forbidden = caller.decide(Action::Read, &Resource::user()).granted().unwrap_err();
    assert_eq!((forbidden.status(), forbidden.method()), (403, Some(Method::AccessToken)));
    world.at(900);
    names(&world.ask(text).unwrap_err(), id);
    let wanted = Resource::secrets("acme", "web", "prod", "/").unwrap();
    let lapsed = world.gate.decide(&caller, Action::Read, &wanted).granted().unwrap_err();
    names(&lapsed, id);
    world.at(0);
    block_on(world.accounts().rotate_leaked(&account.record.key().id, "leaked")).unwrap();
    let stolen = world.ask(text).unwrap_err();
    assert_eq!(stolen.reason().code(), "parent_generation");
    names(&stolen, id);
    names(&checked(text, &tokens(), now_and(900)).unwrap_err(), id);
}
