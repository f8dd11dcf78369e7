//! Canaries: secrets put through every public type, and looked for in all that these print.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use keygate::header::{self, HeaderPolicy};
use keygate::{
    Action, Caller, CredentialText, Decision, DecodeError, Digest, DigestKey, DigestKeys, Drawn, Event,
    Grant, KeyError, Kind, Moment, Namespace, NeedsParent, Observer, Parent, Permit, Presented,
    PresentedAccessToken, PresentedCredential, RandomSource, Record, RecordView, Refusal, Resource, Retiring,
    Secret, ServiceAccountGrant, ServiceTokenGrant, StoredSecret, Upgrade, Verified, verify,
};

use crate::decision::{built, issue, now_and, ring};
use crate::digest::hmac;
use crate::support::fixtures::{NOW, grant, line};
use crate::support::random::{SeededSource, seed};

const CLIENT_KEY: &str = "db156ccb0c0897abb2dee9f9e59c845b";

/// All that was printed, and the spellings that must not be in it.
#[derive(Default)]
struct Canary {
    printed: Vec<String>,
    needles: Vec<(&'static str, String)>,
}

impl Canary {
    /// A secret: as it is, and in the encodings in which it could get out; also half of it.
    fn secret(&mut self, name: &'static str, bytes: &[u8]) {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for part in [bytes, first, second] {
            let list: Vec<String> = part.iter().map(u8::to_string).collect();
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            self.needles.extend(
                [
                    list.join(", "),
                    list.join(","),
                    list.join(",\n"),
                    hex.to_uppercase(),
                    hex,
                    // What of a base64 text does not depend on where the secret begins and ends in it.
                    inner(&STANDARD_NO_PAD, part, 0),
                    inner(&STANDARD_NO_PAD, part, 1),
                    inner(&STANDARD_NO_PAD, part, 2),
                    inner(&URL_SAFE_NO_PAD, part, 0),
                    inner(&URL_SAFE_NO_PAD, part, 1),
                    inner(&URL_SAFE_NO_PAD, part, 2),
                    part.escape_ascii().to_string(),
                ]
                .map(|needle| (name, needle)),
            );
            self.needles.extend(str::from_utf8(part).map(|text| (name, text.to_owned())));
        }
    }

    fn debug<T: Debug>(&mut self, value: &T) {
        self.printed.push(format!("{value:?} {value:#?} {value:02x?}"));
    }

    fn display<T: Debug + Display>(&mut self, value: &T) {
        self.debug(value);
        self.printed.push(format!("{value} {value:#}"));
    }

    fn error(&mut self, error: &dyn Error) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.printed.push(format!("{error:?} {error:#?} {error} {error:#}"));
            next = error.source();
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.error(refusal);
        self.printed.push(format!("{} {:?} {}", refusal.reason(), refusal.reason(), refusal.reason().code()));
        self.printed.push(format!("{} {:?} {:?}", refusal.explain(), refusal.credential(), refusal.needed()));
        self.printed.extend(refusal.challenges().map(|challenge| format!("{challenge} {challenge:?}")));
    }

    fn record(&mut self, record: &Record) {
        self.debug(record);
        self.debug(&record.view());
        self.debug(&record.to_builder());
        self.debug(record.grant());
        self.debug(record.current());
        self.debug(&record.retiring());
        self.printed.push(serde_json::to_string(&record.view()).unwrap());
        self.printed.push(serde_json::to_string_pretty(&record.view()).unwrap());
    }

    #[track_caller]
    fn is_in_none(&self, printed_at_least: usize) {
        assert!(self.printed.len() >= printed_at_least, "{}", self.printed.len());
        assert_eq!(self.leak(), None);
    }

    /// The first leak, if there is one.
    fn leak(&self) -> Option<String> {
        let printed: Vec<String> = self.printed.iter().map(|printed| printed.to_lowercase()).collect();
        self.needles.iter().find_map(|(name, needle)| {
            assert!(needle.len() >= 8, "a needle that says nothing: {name}");
            let needle = needle.to_lowercase();
            let printed = printed.iter().find(|printed| printed.contains(&needle))?;
            Some(format!("{name} as {needle} in {printed}"))
        })
    }
}

/// The characters of a secret's base64, behind so many bytes of something else, that belong to the secret alone.
fn inner(base64: &GeneralPurpose, secret: &[u8], behind: usize) -> String {
    let text = base64.encode([&b"--"[..behind], secret].concat());
    let own = (behind * 8).div_ceil(6);
    text[own..text.len() - 1].to_owned()
}

/// A canary that nobody sees is none.
#[test]
fn a_leak_would_be_seen() {
    let secret = b"\x00SyFLeEOHs-EYeOVqnx-e1e3HEe-\xff";
    let list: Vec<u8> = secret.to_vec();
    for leak in [
        format!("{list:?}"),
        format!("{list:#?}").replace("    ", ""),
        format!("Key({})", STANDARD.encode(secret)),
        URL_SAFE_NO_PAD.encode(secret),
        STANDARD.encode([b"prefix", secret.as_slice(), b"suffix"].concat()),
        STANDARD.encode([b"prefix.", secret.as_slice()].concat()),
        secret.iter().map(|byte| format!("{byte:02X}")).collect(),
        format!("ak.{}", secret[..14].escape_ascii()),
    ] {
        let mut canary = Canary::default();
        canary.secret("it", secret);
        canary.printed.push(leak.clone());
        assert!(canary.leak().is_some(), "{leak}");
    }
}

/// Promise P37: every type that ever touched a secret, in everything that it prints.
#[test]
fn nothing_prints_a_secret() {
    let source = SeededSource::new(seed());
    let mut canary = Canary::default();
    let mut key_bytes = [[0_u8; 48]; 2];
    for bytes in &mut key_bytes {
        source.fill(bytes).unwrap();
        canary.secret("a digest key", bytes);
        canary.secret("a guard key", &hmac(bytes, b"keygate guard v1"));
    }
    let [old, active] =
        [DigestKey::new(1, &key_bytes[0]).unwrap(), DigestKey::active(2, &key_bytes[1]).unwrap()];
    canary.debug(&old);
    canary.debug(&active);
    let keys = DigestKeys::new([old, active]).unwrap();
    canary.debug(&keys);
    canary.debug(&keys.guard_only_text(1).unwrap());
    key_errors(&mut canary, &key_bytes);

    let policy = HeaderPolicy::new().namespace(Namespace::parse("acme").unwrap()).imported(Kind::ALL);
    canary.debug(&policy);
    for kind in Kind::ALL {
        let drawn = keys.draw(kind, &source).unwrap();
        canary.debug(&drawn);
        let named = drawn.text_in(&Namespace::parse("acme").unwrap());
        canary.debug(&named);
        let (text, secret) = (drawn.text.expose(), &drawn.text.expose()[16..]);
        canary.secret("a secret", &secret.as_bytes()[..28]);
        canary.secret("secret, guard and checksum", secret.as_bytes());
        canary.secret("a digest", drawn.digest.as_bytes());
        canary.secret("a client key", CLIENT_KEY.as_bytes());
        canary.debug(&drawn.digest);
        let to_keep =
            if kind == Kind::ServiceToken { format!("{text}.{CLIENT_KEY}") } else { text.to_owned() };
        canary.debug(&CredentialText::parse(&to_keep).unwrap());
        for cut in 0..to_keep.len() {
            let damaged = format!("{}{}", &to_keep[..cut], &to_keep[cut + 1..]);
            match CredentialText::parse(&damaged) {
                Ok(text) => canary.debug(&text),
                Err(error) => canary.error(&error),
            }
            let mut headers = vec![line(&damaged), line(&to_keep[..cut])];
            headers.push(("x-api-key", format!("{to_keep}\u{1}")));
            headers.push(("authorization", format!("{to_keep} {to_keep}")));
            for header in headers {
                match header::present([header]) {
                    Ok(presented) => canary.debug(&presented),
                    Err(refusal) => canary.refusal(&refusal),
                }
            }
        }

        let (name, value) = line(&to_keep);
        let value = value.replace("Bearer ", "");
        let value =
            if kind == Kind::ApiKey { format!("acme_{value}") } else { format!("Bearer acme_{value}") };
        let presented = policy.present([(name, value)]).unwrap();
        canary.debug(&presented);
        let Presented::Credential(presented) = presented else { panic!("no access token") };
        canary.debug(&presented);
        decisions(&mut canary, &keys, &drawn, &presented, &source);
    }
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4eXoifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    let Ok(Presented::AccessToken(token)) = header::present([("authorization", format!("Bearer {token}"))])
    else {
        panic!("an access token")
    };
    canary.secret("an access token", token.expose().as_bytes());
    canary.debug(&token);
    canary.is_in_none(500);
}

fn key_errors(canary: &mut Canary, [one, two]: &[[u8; 48]; 2]) {
    let [one, two] = [one, two].map(|bytes| STANDARD.encode(bytes));
    for wrong in [
        one.clone(),
        format!("x:{one}"),
        format!("1:{one}"),
        format!("1:{}:{two}", &one[..8]),
        format!("1:active:{one}!"),
        format!("1:active:{}", &one[..12]),
        format!("1:active:{one}{two}"),
        format!("1:active:{one},2:{one}"),
        format!("1:active:{one},1:{two}"),
        format!("1:active:{one},2:active:{two}"),
        format!("{one}:{two}"),
    ] {
        canary.error(&DigestKeys::parse(&wrong).unwrap_err());
    }
}

fn decisions(
    canary: &mut Canary,
    keys: &DigestKeys,
    drawn: &Drawn,
    presented: &PresentedCredential<String>,
    source: &SeededSource,
) {
    let kind = presented.kind();
    let (_, account) = issue(keys, Kind::ServiceAccount, source);
    let account = built(account);
    let old = DigestKeys::new([DigestKey::active(1, &[0xa1; 32]).unwrap()]).unwrap();
    let retiring = StoredSecret { number: 2, digest: old.redraw(drawn.key, source).unwrap().digest };
    canary.secret("a retiring digest", retiring.digest.as_bytes());
    let mut builder = Record::builder(drawn.key.id, grant(kind), drawn.digest.clone(), NOW)
        .validity(keygate::Validity::until(now_and(9)))
        .retiring(Retiring { secret: retiring, ends_at: now_and(5), leak: None });
    if kind == Kind::ServiceToken {
        builder = builder.parent(Parent { account: account.key().id, mint_generation: 0 });
    }
    let record = built(builder.clone());
    canary.record(&record);
    let encoded = record.encode().unwrap();
    for cut in (0..encoded.len()).step_by(7) {
        canary.error(&Record::decode(&encoded[..cut]).unwrap_err());
        canary.refusal(&Refusal::record_corrupt(Record::decode(&encoded[cut..][..1]).unwrap_err()));
    }
    canary
        .refusal(&keys.check_guard(presented).err().unwrap_or(Refusal::throttled(std::time::Duration::ZERO)));
    canary.refusal(&ring(5, &[]).check_guard(presented).unwrap_err());

    let moment = Moment::at(NOW);
    canary.debug(&moment);
    canary.refusal(&verify(presented, None, keys, moment).unwrap_err());
    canary.refusal(&verify(presented, Some(&record), &ring(5, &[]), moment).unwrap_err());
    canary
        .refusal(&verify(presented, Some(&built(builder.clone().disabled(true))), keys, moment).unwrap_err());
    canary.refusal(&verify(presented, Some(&account), keys, moment).unwrap_err());
    let other = StoredSecret { number: 1, digest: keys.redraw(drawn.key, source).unwrap().digest };
    canary.refusal(&verify(presented, Some(&built(builder.current(other))), keys, moment).unwrap_err());

    let verified = verify(presented, Some(&record), keys, moment).unwrap();
    canary.debug(&verified);
    if let Verified::NeedsParent(check) = &verified {
        canary.debug(check);
        canary.refusal(&check.finish(None).unwrap_err());
    }
    let caller = verified.with_parent(|_| Some(&account)).unwrap();
    canary.debug(&caller);
    canary.record(caller.record().unwrap());
    let newer = DigestKeys::new([
        DigestKey::active(9, &[0xa9; 32]).unwrap(),
        DigestKey::new(2, &[0xa2; 32]).unwrap(),
    ])
    .unwrap();
    canary.debug(&caller.upgrade(presented, &newer));
    let secrets = Resource::secrets("acme", "web", "prod", "/app").unwrap();
    for resource in
        [secrets, Resource::user(), Resource::own_credential(), Resource::organization("acme").unwrap()]
    {
        for action in Action::ALL {
            let decision = caller.decide(action, &resource);
            canary.debug(&decision);
            match decision {
                Decision::Permit(permit) => canary.display(&permit),
                Decision::AsUser(pending) => {
                    canary.debug(&pending);
                    canary.refusal(&pending.settle(false).unwrap_err());
                }
                Decision::Deny(denial) => {
                    canary.display(&denial);
                    canary.refusal(&denial.into());
                }
            }
        }
    }
}

/// An upgrade holds a digest, and prints none.
#[test]
fn an_upgrade_prints_no_digest() {
    let (old, new, source) = (ring(1, &[]), ring(2, &[1]), SeededSource::new(seed()));
    let (presented, builder) = issue(&old, Kind::ServiceAccount, &source);
    let record = built(builder);
    let upgrade = crate::decision::caller(&presented, &record, &new).upgrade(&presented, &new).unwrap();
    let mut canary = Canary::default();
    canary.secret("a digest", upgrade.apply(&record).unwrap().current().digest.as_bytes());
    canary.debug(&upgrade);
    canary.debug(&Some(upgrade));
    canary.is_in_none(2);
}

/// What is sealed is opaque, and no more for a log than a secret is.
#[test]
fn nothing_prints_what_is_sealed() {
    let mut canary = Canary::default();
    let sealed: Vec<u8> = (100..148).collect();
    canary.secret("a sealed box", &sealed);
    let rights = || keygate::Rights::new("acme", []).unwrap();
    let account = ServiceAccountGrant::new(rights()).with_sealed_key("web", sealed.clone()).unwrap();
    let token = ServiceTokenGrant::new("web", rights()).unwrap().with_client_box(sealed.clone()).unwrap();
    canary.debug(&account);
    canary.debug(&token);
    for grant in [Grant::from(account), Grant::from(token)] {
        let digest = Digest::from_parts(1, None, &[0xd7; 32]).unwrap();
        let id = keygate::CredentialId::parse("tr6AWfxqtcJI").unwrap();
        let record = Record::builder(id, grant, digest, NOW).validity(keygate::Validity::until(now_and(9)));
        canary.record(&record.build().unwrap());
    }
    canary.is_in_none(10);
}

/// Whether a type implements a trait: the inherent constant is found first, where its bound holds.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "which of the two constants is used is the question")]
        trait Otherwise {
            const ANSWER: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "which of the two constants is used is the question")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const ANSWER: bool = true;
        }
        <Probe<$type>>::ANSWER
    }};
}

macro_rules! implement_none {
    ($($type:ty),+ => $($bound:path),+) => { implement_none!(@types [$($type),+] [$($bound),+]) };
    (@types [$($type:ty),+] $bounds:tt) => { $(implement_none!(@one $type, $bounds);)+ };
    (@one $type:ty, [$($bound:path),+]) => {
        $(assert!(!implements!($type: $bound), "{}: {}", stringify!($type), stringify!($bound));)+
    };
}

/// What would carry a secret away by accident does not exist.
#[test]
fn what_must_not_be_implemented() {
    use std::hash::Hash;

    use serde::{Deserialize, Serialize};

    assert!(
        implements!(String: Clone)
            && implements!(String: Display)
            && implements!(u8: PartialEq)
            && implements!(u8: Copy)
    );
    assert!(
        implements!(RecordView<'static>: Serialize)
            && implements!(DigestKeys: Clone)
            && implements!(Digest: Clone)
    );
    implement_none!(Secret, DigestKey, Drawn => Clone, Display, PartialEq, Eq, Hash, PartialOrd, Serialize, Default, AsRef<str>, AsRef<[u8]>);
    implement_none!(DigestKeys, Digest, StoredSecret, Retiring, Upgrade => Copy, Display, PartialEq, Hash, Serialize, Default, AsRef<[u8]>);
    implement_none!(PresentedCredential<String>, PresentedAccessToken<String> => Clone, Display, PartialEq, Hash, Serialize, AsRef<str>, AsRef<[u8]>);
    implement_none!(keygate::SigningKey, keygate::MintedToken => Clone, Display, PartialEq, Eq, Hash, Serialize, Default, AsRef<str>, AsRef<[u8]>);
    implement_none!(keygate::SigningKeys, keygate::AccessTokens => Copy, Display, PartialEq, Hash, Serialize, Default, AsRef<[u8]>, Deserialize<'static>, std::str::FromStr);
    implement_none!(keygate::Claims => Copy, PartialEq, Serialize, Default, Deserialize<'static>);
    implement_none!(CredentialText<'static> => Display, PartialEq, Hash, Serialize, AsRef<str>);
    // A record serializes as its view only, and is encoded only by what checks its size.
    implement_none!(Record, Grant, Caller, Refusal => Copy, PartialEq, Serialize, Default, Deserialize<'static>);
    implement_none!(Secret, Digest, DigestKeys, RecordView<'static> => Deserialize<'static>);
    implement_none!(DigestKeys, DigestKey => std::str::FromStr, From<String>);
    // A proof cannot be made, or kept apart from what it is of.
    implement_none!(Permit<'static>, Caller, NeedsParent => Default, PartialEq, Serialize);
    implement_none!(NeedsParent, Verified, Decision<'static>, keygate::AsUser<'static>, keygate::Deny<'static> => Clone, Copy, Default);
}

/// Everything crosses threads, whatever holds it.
#[test]
fn everything_is_send_and_sync() {
    fn pins<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    fn owned<T: Send + Sync + 'static>() {}
    pins::<(Secret, DigestKey, DigestKeys, Digest, Drawn, KeyError, DecodeError)>();
    pins::<(Record, keygate::RecordBuilder, RecordView<'static>, Grant, StoredSecret, Retiring, Parent)>();
    pins::<(
        PresentedCredential<Vec<u8>>,
        PresentedAccessToken<Vec<u8>>,
        HeaderPolicy,
        CredentialText<'static>,
    )>();
    pins::<(keygate::SigningKey, keygate::SigningKeys, keygate::SigningKeyError, keygate::AccessTokens)>();
    pins::<(keygate::Claims, keygate::Mint, keygate::MintedToken)>();
    pins::<(Moment, Verified, NeedsParent, Caller, Permit<'static>, Upgrade)>();
    pins::<(Resource<'static>, keygate::Rights, keygate::Scope, keygate::Network, keygate::Validity)>();
    owned::<(Refusal, Caller, Record, DigestKeys, Verified, NeedsParent, HeaderPolicy)>();
    owned::<Box<dyn RandomSource>>();
    owned::<Decision<'static>>();
}

/// Promise P39, best effort: what the library owned of a secret is wiped when it is dropped. This process reads its own
/// memory; stacks are left out, because a move leaves copies there.
#[cfg(target_os = "linux")]
#[test]
fn a_dropped_secret_is_not_on_the_heap() {
    use zeroize::Zeroize as _;

    // Masked, so that the needle itself is not found.
    const MASK: u8 = 0x5a;
    let mask = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ MASK).collect::<Vec<u8>>();
    let mut needles = Vec::new();
    for round in 0..8 {
        let source = SeededSource::new(seed() ^ (0xf00d + round));
        let keys = DigestKeys::generate(&source).unwrap();
        let drawn = keys.draw(Kind::ServiceToken, &source).unwrap();
        needles.push(("a secret", mask(&drawn.text.expose().as_bytes()[16..44])));
        let named = drawn.text_in(&Namespace::parse("acme").unwrap());
        let again = keys.redraw(drawn.key, &source).unwrap();
        needles.push(("a redrawn secret", mask(&again.text.expose().as_bytes()[16..44])));
        let guard_only = keys.guard_only_text(0).unwrap();
        needles.push(("a guard key as text", mask(&guard_only.expose().as_bytes()[12..40])));
        let mut guard_key = STANDARD.decode(&guard_only.expose()[8..]).unwrap();
        needles.push(("a guard key", mask(&guard_key[2..30])));
        guard_key.zeroize();
        let (presented, builder) = issue(&keys, Kind::ServiceAccount, &source);
        let account = built(builder);
        let signing = keygate::SigningKeys::generate(&source).unwrap();
        let tokens = keygate::AccessTokens::new(signing, "https://auth.example", "secrets").unwrap();
        let mint = keygate::Mint::scopes(["read@web/prod:/**".parse().unwrap()]);
        let minter = crate::decision::caller(&presented, &account, &keys);
        let minted = tokens.mint(&minter, &account, &mint, NOW, &source).unwrap();
        let (_, signature) = minted.text.expose().rsplit_once('.').unwrap();
        needles.push(("the signature of an access token", mask(&signature.as_bytes()[..28])));
        drop(minted);
        drop((keys, named, again, guard_only, drawn));
    }
    let control = "a control that stays on the heap".to_owned();
    needles.push(("control", mask(&control.as_bytes()[..28])));
    let Some(found) = on_the_heap(&needles, MASK) else {
        println!("skipped: this process cannot read its own memory");
        return;
    };
    assert_eq!(found, ["control"], "of what was dropped, or not even what was kept");
    drop(control);
}

/// Which of these is in the writable memory of this process, its own stack left out; `None` where that is not readable.
#[cfg(target_os = "linux")]
fn on_the_heap(needles: &[(&'static str, Vec<u8>)], mask: u8) -> Option<Vec<&'static str>> {
    use std::os::unix::fs::FileExt as _;

    let local = 0_u8;
    let own_stack = u64::try_from(std::ptr::from_ref(&local).addr()).unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let memory = std::fs::File::open("/proc/self/mem").ok()?;
    let mut found = Vec::new();
    let mut chunk = vec![0_u8; 1 << 20];
    let mut read = 0;
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (range, permissions) = (fields.next()?, fields.next()?);
        let (start, end) = range.split_once('-')?;
        let (mut at, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        let is_stack = (at..end).contains(&own_stack) || line.ends_with("[stack]");
        let is_file = fields.nth(3).is_some_and(|name| name.starts_with('/') || name.starts_with("[v"));
        if !permissions.starts_with("rw") || is_stack || is_file {
            continue;
        }
        while at < end {
            let wanted = usize::try_from(end - at).unwrap().min(chunk.len());
            // A mapping may be gone by now; others run beside this test.
            let Ok(length @ 1..) = memory.read_at(&mut chunk[..wanted], at) else { break };
            read += length;
            for (name, needle) in needles {
                if contains(&chunk[..length], needle, mask) && !found.contains(name) {
                    found.push(*name);
                }
            }
            // The next chunk begins within this one, should a needle stand across both.
            at += u64::try_from(if length == wanted && at + u64::try_from(length).unwrap() < end {
                length - 64
            } else {
                length
            })
            .unwrap();
        }
    }
    (read > 0).then_some(found)
}

/// Unmasks byte by byte: the needle is nowhere but in the haystack.
#[cfg(target_os = "linux")]
fn contains(haystack: &[u8], masked: &[u8], mask: u8) -> bool {
    let first = masked[0] ^ mask;
    let mut at = 0;
    while let Some(next) = haystack[at..].iter().position(|byte| *byte == first) {
        at += next;
        if haystack[at..].len() >= masked.len()
            && haystack[at..].iter().zip(masked).all(|(byte, masked)| byte ^ mask == *masked)
        {
            return true;
        }
        at += 1;
    }
    false
}

/// Drivers hold stores, keys and, for a moment, texts: what they print, and what observers hear, has none of it.
#[test]
fn no_driver_prints_a_secret() {
    use keygate::{
        Authenticator, Expiry, IssueError, Issuer, Lookup, MemoryStore, NewServiceAccount, NewServiceToken,
        Overlap, Owner, Peek, Store, StoreError, UseRecorder,
    };
    use pollster::block_on;

    let mut canary = Canary::default();
    let [bytes, other_bytes] = [[0xb7; 32], [0xb8; 32]];
    canary.secret("a digest key", &bytes);
    let keys = DigestKeys::new([DigestKey::active(3, &bytes).unwrap()]).unwrap();
    let other = DigestKeys::new([DigestKey::active(3, &other_bytes).unwrap()]).unwrap();
    let (store, heard) = (MemoryStore::new(), Heard::default());
    let recorder = UseRecorder::builder(store.clone()).upgrade_digests().build().unwrap();
    let builder = Authenticator::builder(store.clone(), keys.clone());
    canary.debug(&builder);
    let gate = builder.observer(heard.clone()).use_recorder(recorder.clone()).build().unwrap();
    let issuer = Issuer::new(store.clone(), keys.clone());

    let new = NewServiceAccount::new("acme", Expiry::Never)
        .scope("*@web/prod:/**".parse().unwrap())
        .sealed_key("web", (60..108).collect::<Vec<u8>>());
    canary.secret("a sealed key", &(60..108).collect::<Vec<u8>>());
    canary.debug(&new);
    let account = block_on(issuer.service_accounts().issue(new)).unwrap();
    let new = NewServiceToken::new("acme", "web", keygate::Lifetime::hours(1))
        .scope("read@web/prod:/app/**".parse().unwrap());
    canary.debug(&new);
    let token = block_on(issuer.service_tokens().issue(new)).unwrap();
    let accounts = issuer.service_accounts().owned_by(Owner::organization("acme").unwrap());
    let rotated = block_on(accounts.rotate(&account.record.key().id, Overlap::hours(1))).unwrap();
    let unknown = keys.draw(Kind::ApiKey, &keygate::SystemRandom).unwrap();
    let made_up = other.redraw(token.record.key(), &keygate::SystemRandom).unwrap();

    for text in [&account.text, &token.text, &rotated.text, &unknown.text, &made_up.text] {
        canary.secret("a secret", &text.expose().as_bytes()[16..44]);
    }
    for digest in
        [rotated.record.current(), &rotated.record.retiring().unwrap().secret, token.record.current()]
    {
        canary.secret("a digest", digest.digest.as_bytes());
    }
    for issued in [&account, &token, &rotated] {
        canary.debug(issued);
        let line = line(issued.text.expose());
        let caller = block_on(gate.authenticate([line])).unwrap();
        canary.debug(&caller);
        for path in ["/app/db", "/billing"] {
            let resource = Resource::secrets("acme", "web", "prod", path).unwrap();
            canary.debug(&gate.decide(&caller, Action::Delete, &resource));
        }
    }
    for text in [&unknown.text, &made_up.text] {
        canary.refusal(&block_on(gate.authenticate([line(text.expose())])).unwrap_err());
        canary.refusal(&block_on(gate.authenticate([line(&text.expose()[..50])])).unwrap_err());
    }
    let key = account.record.key();
    canary.debug(&store.peek(key.kind, &key.id));
    assert!(matches!(store.peek(key.kind, &key.id), Peek::Known(_)));
    canary.debug(&block_on(store.read(key.kind, &key.id)).unwrap());
    canary.debug(&block_on(accounts.list(None, 10)).unwrap());
    canary.debug(&store);
    canary.debug(&recorder);
    canary.debug(&gate);
    canary.debug(&gate.accept([Kind::ApiKey]));
    canary.debug(&issuer);
    canary.debug(&issuer.api_keys());
    canary.debug(&accounts);
    canary.debug(&block_on(recorder.flush()).unwrap());
    for error in [
        IssueError::from(StoreError::corrupt(
            Record::decode(&account.record.encode().unwrap()[1..]).unwrap_err(),
        )),
        block_on(accounts.revoke(&key.id, "")).unwrap_err(),
        token.with_client_key(CLIENT_KEY).map(|_| IssueError::NotFound).unwrap(),
        IssueError::from(token.with_client_key("no.key").unwrap_err()),
    ] {
        canary.error(&error);
    }
    canary.printed.extend(heard.0.lock().unwrap().drain(..));
    canary.is_in_none(50);
}

/// All that an observer heard, in each way in which it prints.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        let json = serde_json::to_string(event).unwrap();
        self.0.lock().unwrap().push(format!("{event} {event:?} {event:#?} {json}"));
    }
}

/// Access tokens: what signs them, mints them, reads them and refuses them prints neither the token nor its key.
#[test]
fn nothing_prints_an_access_token() {
    use keygate::{
        AccessTokens, Authenticator, Clock as _, Expiry, Issuer, Lifetime, MemoryStore, Mint, MintError,
        NewServiceAccount, SigningKey, SigningKeys, SystemClock, verify_access_token,
    };
    use pollster::block_on;

    let source = SeededSource::new(seed() ^ 0x70c);
    let mut canary = Canary::default();
    let mut key_bytes = [[0_u8; 40]; 2];
    for bytes in &mut key_bytes {
        source.fill(bytes).unwrap();
        canary.secret("a signing key", bytes);
    }
    let [one, other] = key_bytes;
    let [first, second] = [SigningKey::new("k1", &one).unwrap(), SigningKey::new("k2", &other).unwrap()];
    canary.debug(&first);
    let [one_text, other_text] = key_bytes.map(|bytes| STANDARD.encode(bytes));
    for wrong in [
        one_text.clone(),
        format!("k1:{one_text}!"),
        format!("{one_text}:{other_text}"),
        format!("k1:{}", &one_text[..12]),
        format!("k1:active:{one_text}"),
        format!("k1:{one_text},k1:{other_text}"),
        format!("k1:{one_text},k2:{one_text}"),
        format!("k1:{one_text}{other_text}"),
    ] {
        canary.error(&SigningKeys::parse(&wrong).unwrap_err());
    }
    canary.error(&SigningKey::new("k 1", &one).unwrap_err());
    canary.error(&SigningKey::new("k1", &one[..31]).unwrap_err());
    let keys = SigningKeys::new([first, second]).unwrap();
    canary.debug(&keys);
    let tokens = AccessTokens::new(keys, "https://auth.example", "https://secrets.example").unwrap();
    canary.debug(&tokens);
    let shared = DigestKeys::new([DigestKey::active(1, &one).unwrap()]).unwrap();
    canary.error(&tokens.keys().check_apart_from(&shared).unwrap_err());
    let both = Issuer::builder(MemoryStore::new(), shared).access_tokens(tokens.clone());
    canary.error(&both.build().err().unwrap());

    let (store, heard) = (MemoryStore::new(), Heard::default());
    let digest_keys = ring(1, &[]);
    let builder = Issuer::builder(store.clone(), digest_keys.clone()).access_tokens(tokens.clone());
    canary.debug(&builder);
    let issuer = builder.build().unwrap();
    canary.debug(&issuer);
    let builder =
        Authenticator::builder(store, digest_keys).access_tokens(tokens.clone()).observer(heard.clone());
    canary.debug(&builder);
    let gate = builder.build().unwrap();
    canary.debug(&gate);
    let new = NewServiceAccount::new("acme", Expiry::Never).scope("*@web/prod:/**".parse().unwrap());
    let account = block_on(issuer.service_accounts().issue(new)).unwrap();
    let caller = block_on(gate.authenticate([line(account.text.expose())])).unwrap();
    let mint = |scope: &str| Mint::scopes([scope.parse().unwrap()]).lifetime(Lifetime::minutes(1));
    canary.debug(&mint("read@web/prod:/app"));
    for scope in ["read@web/prod:/app", "*@web/prod:/**"] {
        let minted = block_on(issuer.mint(&caller, mint(scope))).unwrap();
        canary.debug(&minted);
        let text = minted.text.expose();
        let [_, payload, signature] = text.split('.').collect::<Vec<_>>().try_into().unwrap();
        canary.secret("an access token", text.as_bytes());
        canary.secret("claims as they are sent", payload.as_bytes());
        canary.secret("a signature as it is sent", signature.as_bytes());
        canary.secret("a signature", &URL_SAFE_NO_PAD.decode(signature).unwrap());
        let Ok(Presented::AccessToken(presented)) = header::present([line(text)]) else { panic!("a token") };
        canary.debug(&presented);
        // A later second may have begun since the account was issued.
        let now = SystemClock::new().now();
        let proved = verify_access_token(&presented, &tokens, Moment::at(now)).unwrap();
        canary.debug(&proved);
        canary.refusal(&proved.finish(None).unwrap_err());
        canary.refusal(
            &verify_access_token(&presented, &tokens, Moment::at(now_and(i64::MAX / 2))).unwrap_err(),
        );
        let by_token = block_on(gate.authenticate([line(text)])).unwrap();
        canary.debug(&by_token);
        canary.debug(by_token.claims().unwrap());
        for path in ["/app", "/billing"] {
            let resource = Resource::secrets("acme", "web", "prod", path).unwrap();
            match gate.decide(&by_token, Action::Read, &resource) {
                Decision::Permit(permit) => canary.display(&permit),
                Decision::Deny(denial) => {
                    canary.display(&denial);
                    canary.refusal(&denial.into());
                }
                Decision::AsUser(pending) => canary.debug(&pending),
            }
        }
        // Damaged at every place, and what is left of it is not told.
        for at in 0..text.len() {
            let damaged = format!("{}{}", &text[..at], &text[at + 1..]);
            canary.refusal(&block_on(gate.authenticate([line(&damaged)])).unwrap_err());
        }
        canary.refusal(
            &block_on(gate.authenticate([line(&format!("{text}{}", "A".repeat(4_096)))])).unwrap_err(),
        );
        for error in [
            block_on(issuer.mint(&by_token, mint(scope))).unwrap_err(),
            block_on(issuer.mint(&caller, mint("*@*/*:/**"))).unwrap_err(),
            block_on(issuer.revoke_own(&by_token, "mine")).unwrap_err(),
            MintError::SecretReplaced.into(),
        ] {
            canary.error(&error);
        }
    }
    let told: Vec<String> = heard.0.lock().unwrap().drain(..).collect();
    assert!(told.len() > 500, "{}", told.len());
    canary.printed.extend(told);
    canary.is_in_none(1_500);
}
