//! What each management call does to a credential, and that it is one write, or none where it is so already.

use keygate::{
    Expiry, Grant, Kind, Lifetime, Network, NewApiKey, NewServiceAccount, NewServiceToken, Overlap, State,
    Store as _, Timestamp, Use,
};
use pollster::block_on;

use super::calls::Call;
use super::{Host, days, error, owner, scope, unknown_id};
use crate::support::fixtures::NOW;

/// The record that is handed out is the one that is stored, it says what was asked for, and its text authenticates.
#[test]
fn an_issued_credential_is_what_was_asked_for() {
    let host = Host::new();
    let networks = [Network::parse("10.0.0.0/8").unwrap(), Network::parse("2001:db8::/32").unwrap()];
    let notes = [("team", "blue"), ("ticket", "")];
    macro_rules! common {
        ($new:expr) => {
            $new.name("laptop").metadata(notes).created_by("u-1").not_before(days(-1)).networks(networks)
        };
    }
    let key = common!(NewApiKey::new("u-17", Expiry::Never));
    let account = common!(
        NewServiceAccount::new("acme", Lifetime::days(400))
            .scope(scope("read@/"))
            .scopes([scope("*@web/prod:/**")])
            .public_key([7; 32])
            .sealed_key("web", [1, 2])
    );
    let token = common!(
        NewServiceToken::new("acme", "web", Lifetime::days(30))
            .scope(scope("read@web/prod:/**"))
            .client_box([9])
    );
    let issued = [
        block_on(host.issuer.api_keys().issue(key)).unwrap(),
        block_on(host.issuer.service_accounts().issue(account)).unwrap(),
        block_on(host.issuer.service_tokens().issue(token)).unwrap(),
    ];
    assert_eq!(host.store.calls(), ["insert"; 3]);

    for (issued, kind) in issued.iter().zip(Kind::ALL) {
        let record = &issued.record;
        let stored = host.record(record.key());
        assert_eq!(stored.encode().unwrap(), record.encode().unwrap(), "{kind}");
        assert_eq!((record.key().kind, record.owner()), (kind, &owner(kind)));
        assert_eq!(record.name(), Some("laptop"));
        assert_eq!(record.metadata().collect::<Vec<_>>(), notes);
        assert_eq!((record.created_at(), record.created_by()), (NOW, Some("u-1")));
        assert_eq!(record.validity().not_before(), Some(days(-1)));
        assert_eq!(record.networks(), Some(&networks[..]));
        assert_eq!((record.version(), record.current().number), (1, 1));
        assert!(record.retiring().is_none() && record.parent().is_none() && !record.is_disabled());
        let gate = host.gate.client([10, 1, 2, 3].into());
        let line = crate::support::fixtures::line(issued.text.expose());
        assert_eq!(block_on(gate.authenticate([line])).unwrap().credential(), record.key());
    }
    let [key, account, token] = issued.each_ref().map(|issued| &issued.record);
    let ends = [key, account, token].map(|record| record.validity().expires_at());
    // A beginning that is past does not make a lifetime shorter.
    assert_eq!(ends, [None, Some(days(400)), Some(days(30))]);
    let (Grant::ServiceAccount(account), Grant::ServiceToken(token)) = (account.grant(), token.grant())
    else {
        panic!("of another kind");
    };
    assert_eq!(account.rights().scopes(), [scope("read@/"), scope("*@web/prod:/**")]);
    assert_eq!((account.public_key(), account.sealed_key("web")), (Some(&[7; 32]), Some(&[1, 2][..])));
    assert_eq!(account.mint_generation(), 0);
    assert_eq!((token.project().as_str(), token.client_box()), ("web", Some(&[9][..])));
}

/// A lifetime counts from the first second at which it can be used.
#[test]
fn a_lifetime_counts_from_a_beginning_to_come() {
    let host = Host::new();
    let new = NewApiKey::new("u-17", Lifetime::days(2)).not_before(days(5));
    let issued = block_on(host.issuer.api_keys().issue(new)).unwrap();
    assert_eq!(issued.record.validity().expires_at(), Some(days(7)));
    assert_eq!(host.says(issued.text.expose()), "not_yet_valid");
    for (at, says) in [(5 * 86_400 - 1, "not_yet_valid"), (1, "ok"), (2 * 86_400 - 1, "ok"), (1, "expired")] {
        host.advance(at);
        assert_eq!(host.says(issued.text.expose()), says);
    }
}

/// Each call that changes something is one read and one write of the next version, and leaves alone what it is not about.
#[test]
fn each_change_is_one_write() {
    for (kind, call) in Call::each() {
        let host = Host::new();
        let issued = call.prepare(&host, kind);
        let key = issued.record.key();
        let before = host.record(key);
        host.store.calls();
        let made = block_on(call.make(&host.issuer, kind, &owner(kind), &key.id)).unwrap();
        let after = host.record(key);
        if !call.writes() {
            assert_eq!(host.store.calls(), ["read"], "{call:?}");
            assert_eq!(after.encode().unwrap(), before.encode().unwrap());
            continue;
        }
        assert_eq!(host.store.calls(), ["read", "update"], "{call:?} of {kind}");
        assert_eq!(after.version(), before.version() + 1, "{call:?} of {kind}");
        assert_ne!(after.encode().unwrap(), before.encode().unwrap());
        assert_eq!((after.key(), after.owner()), (before.key(), before.owner()));
        assert_eq!((after.created_at(), after.created_by()), (before.created_at(), before.created_by()));
        assert_eq!(made.is_some(), call.draws());

        let differs = |of: &dyn Fn(&keygate::Record) -> String| of(&before) != of(&after);
        assert_eq!(differs(&|it| format!("{:?}", it.name())), call == Call::Rename);
        let metadata = |it: &keygate::Record| format!("{:?}", it.metadata().collect::<Vec<_>>());
        assert_eq!(differs(&metadata), call == Call::SetMetadata);
        assert_eq!(differs(&|it| format!("{:?}", it.networks())), call == Call::SetNetworks);
        assert_eq!(differs(&|it| format!("{:?}", it.validity())), call == Call::SetExpiry);
        assert_eq!(differs(&|it| it.is_disabled().to_string()), matches!(call, Call::Disable | Call::Enable));
        assert_eq!(differs(&|it| format!("{:?}", it.revocation())), call == Call::Revoke);
        assert_eq!(differs(&|it| format!("{:?}", it.grant().rights())), call == Call::SetScopes);
        assert_eq!(
            differs(&|it| format!("{:?} {:?}", it.current(), it.retiring())),
            call.draws() || matches!(call, Call::AbortRotation | Call::Retire),
        );
    }
}

/// The same again is no write; but a grant, which is compared with nothing, is written each time.
#[test]
fn what_is_so_already_is_no_write() {
    let replaces = |call| matches!(call, Call::AbortRotation | Call::SetScopes | Call::ChangeGrant);
    let is_idempotent = |call: Call| call.writes() && !call.draws() && !replaces(call);
    for (kind, call) in Call::each().filter(|(_, call)| is_idempotent(*call)) {
        is_no_write_again(kind, call);
    }
}

fn is_no_write_again(kind: Kind, call: Call) {
    let host = Host::new();
    let key = call.prepare(&host, kind).record.key();
    let make = || block_on(call.make(&host.issuer, kind, &owner(kind), &key.id)).unwrap();
    make();
    let before = host.contents();
    host.store.calls();
    make();
    assert_eq!(host.store.calls(), ["read"], "{call:?} of {kind}");
    assert_eq!(host.contents(), before);
}

/// Every call on an id that nobody has is *not found*, and writes nothing.
#[test]
fn an_unknown_id_is_not_found() {
    let host = Host::new();
    for (kind, call) in Call::each() {
        host.issue(kind);
        host.store.calls();
        let made = block_on(call.make(&host.issuer, kind, &owner(kind), &unknown_id()));
        assert_eq!(error(made), "not found", "{call:?} of {kind}");
        assert_eq!(host.store.calls(), ["read"]);
    }
    // An id is one of its kind only.
    let account = host.issue(Kind::ServiceAccount).record.key().id;
    assert_eq!(
        error(block_on(host.issuer.api_keys().owned_by(owner(Kind::ApiKey)).read(&account))),
        "not found"
    );
}

/// Earlier is always allowed; later only within the policy, and counted from now or from the beginning.
#[test]
fn an_end_moves_within_the_policy() {
    const YEAR: Lifetime = Lifetime::days(365);
    // Old credentials may be longer than a policy that came later.
    let host = Host::new();
    let strict = |host: &Host| {
        keygate::Issuer::builder(host.store.clone(), host.keys.clone())
            .clock(host.clock.clone())
            .max_lifetime(Kind::ApiKey, YEAR)
            .build()
            .unwrap()
    };
    let issuer = strict(&host);
    let keys = issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let issue = |expiry: Expiry, not_before: Option<Timestamp>| {
        let mut new = NewApiKey::new("u-17", expiry);
        if let Some(time) = not_before {
            new = new.not_before(time);
        }
        block_on(host.issuer.api_keys().issue(new)).unwrap().record.key()
    };
    let day = |n| Expiry::After(Lifetime::days(n));
    let later = Expiry::After(Lifetime::seconds(365 * 86_400 + 1));
    let cases = [
        (day(10), None, day(1), Ok(Some(days(1)))),
        (day(10), None, day(10), Ok(Some(days(10)))),
        (day(10), None, day(11), Ok(Some(days(11)))),
        (day(10), None, YEAR.into(), Ok(Some(days(365)))),
        (day(10), None, later, Err("too long")),
        (day(10), None, Expiry::Never, Err("too long")),
        (day(10), None, day(0), Err("lifetime")),
        (day(10), None, Lifetime::seconds(u64::MAX).into(), Err("lifetime")),
        (day(900), None, day(899), Ok(Some(days(899)))),
        (day(900), None, day(901), Err("too long")),
        (Expiry::Never, None, day(900), Ok(Some(days(900)))),
        (Expiry::Never, None, Expiry::Never, Ok(None)),
        (day(10), Some(days(5)), day(1), Ok(Some(days(6)))),
        (day(10), Some(days(5)), YEAR.into(), Ok(Some(days(370)))),
        (day(10), Some(days(-5)), day(20), Ok(Some(days(20)))),
    ];
    for (issued, not_before, asked, expected) in cases {
        let key = issue(issued, not_before);
        let before = host.record(key);
        let set = block_on(keys.set_expiry(&key.id, asked));
        let after = host.record(key);
        let ends_at = after.validity().expires_at();
        let case = format!("{issued:?} from {not_before:?}, then {asked:?}");
        match expected {
            Ok(end) => assert_eq!((error(set), ends_at), ("ok", end), "{case}"),
            Err(name) => {
                assert_eq!((error(set), ends_at), (name, before.validity().expires_at()), "{case}");
                assert_eq!(after.version(), before.version(), "{case}");
            }
        }
        assert_eq!(after.validity().not_before(), not_before, "{case}");
    }

    let key = issue(day(10), None);
    host.clock.set(Timestamp::from_unix(days(10).as_unix() - 1));
    assert_eq!(error(block_on(keys.set_expiry(&key.id, day(1)))), "ok", "in its last second");
    host.clock.set(days(11));
    assert_eq!(
        error(block_on(keys.set_expiry(&key.id, day(1)))),
        "is expired",
        "in the first second after it"
    );
}

/// A service token always ends, whatever is asked.
#[test]
fn a_service_token_cannot_be_made_endless() {
    let host = Host::new();
    let key = host.issue(Kind::ServiceToken).record.key();
    let tokens = host.issuer.service_tokens().owned_by(owner(Kind::ServiceToken));
    assert_eq!(error(block_on(tokens.set_expiry(&key.id, Expiry::Never))), "too long");
    assert_eq!(error(block_on(tokens.set_expiry(&key.id, Lifetime::days(31)))), "too long");
    assert_eq!(error(block_on(tokens.set_expiry(&key.id, Lifetime::days(30)))), "ok");
    assert_eq!(host.record(key).validity().expires_at(), Some(days(30)));
}

/// A rotation hands out a second text, which holds beside the first until the overlap ends, at its boundary.
#[test]
fn two_secrets_hold_while_they_overlap() {
    for kind in Kind::ALL {
        let host = Host::new();
        let first = host.issue(kind);
        let key = first.record.key();
        let rotated = block_on(Call::Rotate.make(&host.issuer, kind, &owner(kind), &key.id));
        let second = rotated.unwrap().unwrap();
        assert_eq!(second.record.encode().unwrap(), host.record(key).encode().unwrap());
        assert_ne!(second.text.expose(), first.text.expose());
        let says = || [&first, &second].map(|issued| host.says(issued.text.expose()));
        assert_eq!(says(), ["ok", "ok"]);
        host.advance(3_599);
        assert_eq!(says(), ["ok", "ok"]);
        host.advance(1);
        assert_eq!(says(), ["retired_secret", "ok"]);
        host.advance(1);
        assert_eq!(says(), ["retired_secret", "ok"]);
    }
}

/// Whether an old secret may be retired is answered by when the two were used.
#[test]
fn retiring_is_safe_once_the_old_secret_is_quiet() {
    let host = Host::new();
    let key = host.issue(Kind::ApiKey).record.key();
    let keys = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let asked = || block_on(keys.retirement(&key.id)).unwrap();
    assert_eq!(asked(), None, "nothing is retiring");
    block_on(keys.rotate(&key.id, Overlap::days(7))).unwrap();

    let uses = |uses: &[(u32, i64)]| {
        let uses = uses.iter().map(|(secret, day)| Use { key, secret: *secret, at: days(*day) });
        block_on(host.store.record_uses(&uses.collect::<Vec<_>>())).unwrap();
    };
    let quiet = Lifetime::days(2);
    let unused = asked().unwrap();
    assert_eq!((unused.asked_at, unused.ends_at), (NOW, days(7)));
    assert_eq!((unused.retiring_used_at, unused.current_used_at), (None, None));
    assert!(!unused.is_safe(quiet), "nobody has the new one");
    uses(&[(2, 0)]);
    assert!(!asked().unwrap().is_safe(quiet), "of the old one nothing was recorded, so nothing is known");
    uses(&[(1, 1)]);
    let used = asked().unwrap();
    assert_eq!((used.retiring_used_at, used.current_used_at), (Some(days(1)), Some(NOW)));
    for (at, is_safe) in [(days(3).as_unix() - 1, false), (days(3).as_unix(), true)] {
        host.clock.set(Timestamp::from_unix(at));
        assert_eq!(asked().unwrap().is_safe(quiet), is_safe);
    }
    assert!(!asked().unwrap().is_safe(Lifetime::seconds(u64::MAX)), "no such silence can have been");
    host.clock.set(days(7));
    assert_eq!(asked(), None, "the overlap is over");
}

/// Disabled is no end: the same text holds again.
#[test]
fn disabling_ends_with_enabling() {
    for kind in Kind::ALL {
        let host = Host::new();
        let issued = host.issue(kind);
        let key = issued.record.key();
        let make = |call: Call| block_on(call.make(&host.issuer, kind, &owner(kind), &key.id)).unwrap();
        make(Call::Disable);
        assert_eq!(
            (host.record(key).state(NOW), host.says(issued.text.expose())),
            (State::Disabled, "disabled")
        );
        let rotated = make(Call::Rotate).unwrap();
        assert_eq!(host.says(rotated.text.expose()), "disabled", "a rotation does not enable");
        make(Call::Enable);
        assert_eq!([&issued, &rotated].map(|issued| host.says(issued.text.expose())), ["ok", "ok"]);
    }
}

/// A list of networks holds from the next request on; `None` is everywhere again.
#[test]
fn networks_are_set_and_lifted() {
    let host = Host::new();
    let issued = host.issue(Kind::ApiKey);
    let id = issued.record.key().id;
    let keys = host.issuer.api_keys().owned_by(owner(Kind::ApiKey));
    let says = |address: [u8; 4]| {
        let line = crate::support::fixtures::line(issued.text.expose());
        let called = block_on(host.gate.client(address.into()).authenticate([line]));
        called.map_or_else(|refusal| refusal.reason().code(), |_| "ok")
    };
    block_on(keys.set_networks(&id, Some(&[Network::parse("10.0.0.0/8").unwrap()]))).unwrap();
    assert_eq!([says([10, 0, 0, 1]), says([11, 0, 0, 1])], ["ok", "network"]);
    block_on(keys.set_networks(&id, None)).unwrap();
    assert_eq!([says([10, 0, 0, 1]), says([11, 0, 0, 1])], ["ok", "ok"]);
}
