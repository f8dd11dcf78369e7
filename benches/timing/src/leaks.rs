//! Questions to the t-test: two classes of input, which one piece of code must not tell apart by time.
//!
//! Both classes go through the same buffers, made by the same steps without a branch on the class and without a store
//! to a place that depends on it (see [`altered`]), so that nothing but what is asked about differs. Credentials are
//! new in each sample: of a few hundred that return, the branch predictor learns more than one would think.
//!
//! Whether a digest is *equal* is asked of the comparison alone: a verification that succeeds goes on to other work,
//! and its outcome is no secret.

/// The source of the comparisons that keygate ships; they are private there.
#[path = "../../../src/digest/mac.rs"]
#[allow(dead_code, reason = "of this file only the comparisons are asked about")]
mod mac;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keygate::{
    AccessTokens, ApiKeyGrant, Digest, DigestKeys, Kind, Moment, Presented, PresentedCredential, Reason,
    Record, SigningKey, SigningKeys, SystemRandom, Timestamp, TokenFault, header, verify,
    verify_access_token,
};

use crate::random::Random;
use crate::welch;

pub(crate) type Any = Box<dyn Error>;
/// Makes an input of class 0 or 1, runs the code on it, and returns how many nanoseconds that took.
type Sample = Box<dyn FnMut(usize, &mut Random) -> Result<u64, Any>>;

pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// Whether a leak is planted, which must be found.
    pub(crate) is_control: bool,
    sample: std::cell::RefCell<Sample>,
}

/// Samples that warm up caches and the branch predictor.
const WARM_UP: usize = 10_000;
/// Where the guard's tag stands in a text, behind its slot; where the checksum does; where it ends.
const GUARD_TAG: usize = 45;
const CHECKSUM: usize = 49;
const LENGTH: usize = 55;

pub(crate) fn questions() -> Result<Vec<Question>, Any> {
    let question =
        |name, is_control, sample| Question { name, is_control, sample: std::cell::RefCell::new(sample) };
    let fair = |name, sample| question(name, false, sample);
    let control = |name, sample| question(name, true, sample);
    Ok(vec![
        fair("digest, compared: equal / first byte differs", digests(mac::equal, first_or_none)),
        // An access token's tag is compared by the same function.
        fair("digest or tag, compared: first / last byte differs", digests(mac::equal, first_or_last)),
        fair("digest, verified: first / last byte differs", verified(false)?),
        fair("guard, compared: equal / first byte differs", guards(first_or_none)),
        fair("guard, compared: first / last byte differs", guards(first_or_last)),
        fair("guard, checked: first / last character differs", checked(false)?),
        fair("access token, verified: tag wrong in byte 0 / byte 31", verified_tokens(false)?),
        control("control, compared: equal / first byte differs", digests(planted_equal, first_or_none)),
        control("control, compared: first / last byte differs", digests(planted_equal, first_or_last)),
        control("control, verified: first / last byte differs", verified(true)?),
        control("control, checked: first / last character differs", checked(true)?),
        control("control, access token: tag wrong in byte 0 / byte 31", verified_tokens(true)?),
    ])
}

impl Question {
    /// The largest |t| of so many samples a class.
    pub(crate) fn largest_t(&self, samples: usize) -> Result<f64, Any> {
        let mut sample = self.sample.borrow_mut();
        let mut random = Random::new()?;
        for _ in 0..WARM_UP {
            sample(random.below(2), &mut random)?;
        }
        let mut classes = [Vec::new(), Vec::new()];
        for _ in 0..welch::to_take(samples) {
            let class = random.below(2);
            classes[class].push(sample(class, &mut random)?);
        }
        welch::largest_t(&classes, samples).ok_or_else(|| format!("{}: too few samples", self.name).into())
    }
}

/// How long it takes, in nanoseconds, and what came of it.
///
/// Clocks tick in steps as coarse as 10 ns. A random pause before the start makes it fall anywhere in a step, however
/// long the making of the input took; without it, *that* shows in the mean.
fn time<T>(random: &mut Random, code: impl FnOnce() -> T) -> (u64, T) {
    // What is still to be written would be written in our time.
    fence(Ordering::SeqCst);
    for _ in 0..random.below(64) {
        black_box(random.next());
    }
    let start = Instant::now();
    let result = black_box(code());
    let took = start.elapsed();
    (u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), result)
}

/// A way to make the second of two byte strings from the first: the class, a byte that is not zero, the length.
type Change = fn(usize, u8, usize) -> (usize, u8);

/// Class 0 is equal, class 1 differs in the first byte.
fn first_or_none(class: usize, difference: u8, _: usize) -> (usize, u8) {
    (0, difference * class as u8)
}

/// Class 0 differs in the first byte, class 1 in the last.
fn first_or_last(class: usize, difference: u8, length: usize) -> (usize, u8) {
    ((length - 1) * class, difference)
}

/// This with one byte XORed. All bytes are written, because a load that follows a store to its place is timed by it:
/// the processor remembers where a single byte was stored, and one in the last half would look like a leak.
#[inline(never)]
fn altered<const N: usize>(one: &[u8; N], position: usize, difference: u8) -> [u8; N] {
    std::array::from_fn(|place| one[place] ^ (difference * u8::from(place == black_box(position))))
}

/// Two digests, compared by this function.
fn digests(equal: fn(&[u8; 32], &[u8; 32]) -> bool, change: Change) -> Sample {
    Box::new(move |class, random| {
        let one = random.bytes();
        let (position, difference) = change(class, random.nonzero(), one.len());
        let other = altered(&one, position, difference);
        Ok(time(random, || equal(black_box(&one), black_box(&other))).0)
    })
}

/// Two guards, compared as `DigestKeys::check_guard` does.
fn guards(change: Change) -> Sample {
    Box::new(move |class, random| {
        let [a, b, c, d, e, ..] = random.bytes();
        let one = [a, b, c, d, e];
        let (position, difference) = change(class, random.nonzero(), one.len());
        let other = altered(&one, position, difference);
        Ok(time(random, || mac::equal_guards(black_box(&one), black_box(&other))).0)
    })
}

/// A whole verification of a text against a record whose digest differs.
fn verified(planted: bool) -> Result<Sample, Any> {
    let keys = DigestKeys::ephemeral()?;
    let now = Timestamp::from_unix(1_795_518_000);
    let grant = ApiKeyGrant::new("u-17")?;
    Ok(Box::new(move |class, random| {
        let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
        let bytes = drawn.digest.as_bytes();
        let (position, difference) = first_or_last(class, random.nonzero(), bytes.len());
        let bytes = altered(bytes, position, difference);
        let stored = Digest::from_parts(drawn.digest.slot(), drawn.digest.guard_slot(), &bytes)?;
        // A record for each sample, so that those of both classes lie where the allocator puts any.
        let record = Arc::new(Record::builder(drawn.key.id, grant.clone(), stored, now).build()?);
        let text = drawn.text.expose().as_bytes().to_vec();
        let presented = present(&text)?;
        let (took, (result, _)) = time(random, || {
            let result = verify(&presented, Some(&record), &keys, Moment::at(now));
            let stored = record.current().digest.as_bytes();
            (result, planted && planted_equal(stored, drawn.digest.as_bytes()))
        });
        if result.is_ok() { Err("a wrong digest was taken".into()) } else { Ok(took) }
    }))
}

/// A whole check of a text whose guard differs, under a checksum that holds.
fn checked(planted: bool) -> Result<Sample, Any> {
    let keys = DigestKeys::ephemeral()?;
    let leaky = LeakyGuard::of(&keys)?;
    Ok(Box::new(move |class, random| {
        let drawn = keys.draw(Kind::ApiKey, &SystemRandom)?;
        let right: &[u8; LENGTH] = drawn.text.expose().as_bytes().try_into()?;
        let (position, _) = first_or_last(class, 0, CHECKSUM - GUARD_TAG);
        let letter = right[GUARD_TAG + position];
        let mut text = altered(right, GUARD_TAG + position, letter ^ other_letter(letter, random));
        let (covered, checksum) = text.split_at_mut(CHECKSUM);
        URL_SAFE_NO_PAD.encode_slice(crc32fast::hash(covered).to_be_bytes(), checksum)?;
        let presented = present(&text)?;
        let (took, passes) = if planted {
            time(random, || leaky.check(&text))
        } else {
            time(random, || keys.check_guard(&presented).is_ok())
        };
        if passes { Err("a wrong guard was taken".into()) } else { Ok(took) }
    }))
}

/// What `DigestKeys::check_guard` would be with the planted leak. A comparison beside the true check would run in the
/// shadow of the MAC; here it has to wait for it.
struct LeakyGuard(mac::MacKey);

impl LeakyGuard {
    /// Of the ring's only key.
    fn of(keys: &DigestKeys) -> Result<Self, Any> {
        let text = keys.guard_only_text(keys.active_slot())?;
        let (_, key) = text.expose().rsplit_once(':').ok_or("a guard key has colons")?;
        Ok(Self(mac::MacKey::new(&STANDARD.decode(key)?)))
    }

    fn check(&self, text: &[u8]) -> bool {
        let tag = self.0.mac(&text[..GUARD_TAG - 1]);
        let mut guard = [0; CHECKSUM - GUARD_TAG];
        let _written = URL_SAFE_NO_PAD.encode_slice(&tag[..3], &mut guard);
        early_exit(&guard, &text[GUARD_TAG..CHECKSUM])
    }
}

/// A whole verification of an access token whose tag differs from its own. Both classes have tags in canonical base64url.
fn verified_tokens(planted: bool) -> Result<Sample, Any> {
    const KEY: [u8; 32] = [7; 32];
    let tokens = AccessTokens::new(SigningKeys::new([SigningKey::new("k1", &KEY)?])?, "issuer", "audience")?;
    let (key, now) = (mac::MacKey::new(&KEY), 1_795_518_000);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"k1","typ":"at+jwt"}"#);
    Ok(Box::new(move |class, random| {
        let id = URL_SAFE_NO_PAD.encode(random.bytes());
        let claims = format!(
            r#"{{"iss":"issuer","aud":"audience","sub":"tr6AWfxqtcJI","client_id":"tr6AWfxqtcJI","org":"acme","jti":"{id}","iat":{now},"nbf":{now},"exp":{},"scope":"read@web/prod:/app/**"}}"#,
            now + 900
        );
        let mut value = format!("Bearer {header}.{}", URL_SAFE_NO_PAD.encode(claims)).into_bytes();
        let tag = key.mac(&value[BEARER..]);
        let (position, difference) = first_or_last(class, random.nonzero(), tag.len());
        let mut encoded = [0; 43];
        URL_SAFE_NO_PAD.encode_slice(altered(&tag, position, difference), &mut encoded)?;
        value.push(b'.');
        value.extend_from_slice(&encoded);
        let Presented::AccessToken(presented) = header::present([("authorization", &*value)])? else {
            return Err("an access token was taken for a credential".into());
        };
        let (took, reason) = if planted {
            time(random, || leaky_token(&key, &value[BEARER..]).then_some(()).ok_or(WRONG_TAG))
        } else {
            let moment = Moment::at(Timestamp::from_unix(now));
            time(random, || {
                verify_access_token(&presented, &tokens, moment).map(drop).map_err(|refusal| refusal.reason())
            })
        };
        if reason == Err(WRONG_TAG) { Ok(took) } else { Err("a wrong tag was not refused as one".into()) }
    }))
}

const BEARER: usize = "Bearer ".len();
const WRONG_TAG: Reason = Reason::AccessToken(TokenFault::Signature);

/// What of `verify_access_token` is about the tag, with the planted leak.
fn leaky_token(key: &mac::MacKey, token: &[u8]) -> bool {
    let (signed, encoded) = token.split_at(token.len() - 43);
    let mut tag = [0; 32];
    let _written = URL_SAFE_NO_PAD.decode_slice_unchecked(encoded, &mut tag);
    early_exit(&key.mac(&signed[..signed.len() - 1]), &tag)
}

fn present(text: &[u8]) -> Result<PresentedCredential<&[u8]>, Any> {
    match header::present([("X-API-KEY", text)])? {
        Presented::Credential(presented) => Ok(presented),
        Presented::AccessToken(_) => Err("an API key was taken for an access token".into()),
    }
}

/// A letter of base64url that is not this one. Drawn and not searched for: the branches of a search, which depend on
/// the letter and so on the class, would be what the branch predictor starts the sample with.
fn other_letter(letter: u8, random: &mut Random) -> u8 {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    loop {
        let other = LETTERS[random.below(64)];
        if other != letter {
            return other;
        }
    }
}

fn planted_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    early_exit(one, other)
}

/// The planted leak: byte by byte until two differ, as `==` is in a build that the compiler did not improve.
#[inline(never)]
fn early_exit(one: &[u8], other: &[u8]) -> bool {
    for (one, other) in one.iter().zip(other) {
        if black_box(one) != black_box(other) {
            return false;
        }
    }
    true
}
