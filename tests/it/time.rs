//! Windows of validity at their boundaries and at the ends of the number range; points in time as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keygate::{Expiry, Leeway, Lifetime, Standing, Timestamp, Validity};

use crate::support::random::{Random, cases, seed};

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

#[track_caller]
fn stands(window: (Option<i64>, Option<i64>), leeway: i64, now: i64, expected: Standing) {
    let window = Validity::new(window.0.map(at), window.1.map(at)).unwrap();
    assert_eq!(window.standing(at(now), Leeway::seconds(leeway).unwrap()), expected);
}

#[test]
fn the_first_second_is_in_and_the_last_is_out() {
    let window = (Some(1_000), Some(2_000));
    for (leeway, early, first, last, late) in [(0, 999, 1_000, 1_999, 2_000), (300, 699, 700, 2_299, 2_300)] {
        stands(window, leeway, early, Standing::NotYetValid);
        stands(window, leeway, first, Standing::Valid);
        stands(window, leeway, last, Standing::Valid);
        stands(window, leeway, late, Standing::Expired);
    }
    assert!(Validity::new(Some(at(5)), Some(at(5))).is_err(), "a window without a second");
    assert!(Validity::new(Some(at(5)), Some(at(4))).is_err());
    assert!(Validity::new(Some(at(5)), Some(at(6))).is_ok());
}

#[test]
fn leeway_is_0_to_300_seconds() {
    for seconds in [0, 1, 300] {
        assert!(Leeway::seconds(seconds).is_ok(), "{seconds}");
    }
    // 65,536 + 300 would be 300 again in sixteen bits.
    for seconds in [-1, 301, 65_836, i64::MIN, i64::MAX] {
        assert!(Leeway::seconds(seconds).is_err(), "{seconds}");
    }
}

/// Promise P20: whatever the four numbers, the answer is that of exact arithmetic, and nothing overflows.
#[test]
fn agrees_with_exact_arithmetic() {
    let (seed, count) = (seed(), cases(1_000_000));
    let mut random = Random::seeded(seed);
    let mut seen = [0_usize; 4];
    for case in 0..count {
        let near = number(&mut random);
        let around = |random: &mut Random| match random.below(3) {
            0 => number(random),
            _ => near.saturating_add(i64::try_from(random.below(1_301)).unwrap() - 650),
        };
        let now = around(&mut random);
        let not_before = (!random.one_in(4)).then(|| around(&mut random));
        let expires_at = (!random.one_in(4)).then(|| around(&mut random));
        let leeway =
            if random.one_in(8) { number(&mut random) } else { i64::try_from(random.below(301)).unwrap() };

        let got = judged(now, not_before, expires_at, leeway);
        let expected =
            exactly(now.into(), not_before.map(Into::into), expires_at.map(Into::into), leeway.into());
        assert_eq!(
            got, expected,
            "KEYGATE_SEED={seed} case {case}: now {now}, {not_before:?} to {expires_at:?}, leeway {leeway}"
        );
        seen[match got {
            None => 0,
            Some(Standing::Expired) => 1,
            Some(Standing::NotYetValid) => 2,
            Some(Standing::Valid) => 3,
        }] += 1;
    }
    assert!(seen.iter().all(|times| times * 20 > count), "one answer hardly came up: {seen:?}");
}

/// `None` where the window or the leeway is refused.
fn judged(now: i64, not_before: Option<i64>, expires_at: Option<i64>, leeway: i64) -> Option<Standing> {
    let leeway = Leeway::seconds(leeway).ok()?;
    let window = Validity::new(not_before.map(at), expires_at.map(at)).ok()?;
    Some(window.standing(at(now), leeway))
}

/// `not_before - leeway <= now < expires_at + leeway`, in numbers that no sum of these leaves.
fn exactly(now: i128, not_before: Option<i128>, expires_at: Option<i128>, leeway: i128) -> Option<Standing> {
    if !(0..=300).contains(&leeway) {
        return None;
    }
    match (not_before, expires_at) {
        (Some(from), Some(until)) if until <= from => None,
        (_, Some(until)) if now >= until + leeway => Some(Standing::Expired),
        (Some(from), _) if from - leeway > now => Some(Standing::NotYetValid),
        _ => Some(Standing::Valid),
    }
}

/// Anything, with a weakness for the ends of the range and for zero.
fn number(random: &mut Random) -> i64 {
    let offset = i64::try_from(random.below(700)).unwrap();
    match random.below(8) {
        0 => i64::MIN + offset,
        1 => i64::MAX - offset,
        2 => offset - 350,
        3 => 1_768_373_298 + offset,
        _ => i64::from_be_bytes(random.number().to_be_bytes()),
    }
}

/// Promise P45, at the level of windows: a clock may be anywhere, and each answer is what the boundaries say.
#[test]
fn a_clock_may_be_anywhere() {
    let window = (Some(1_768_373_298), Some(1_768_376_898));
    let (hour, year) = (3_600, 31_536_000);
    for leeway in [0, 300] {
        stands(window, leeway, 1_768_373_298 - hour, Standing::NotYetValid);
        stands(window, leeway, 1_768_373_298 + year, Standing::Expired);
        stands(window, leeway, 0, Standing::NotYetValid);
        stands(window, leeway, -1, Standing::NotYetValid);
        stands(window, leeway, i64::MIN, Standing::NotYetValid);
        stands(window, leeway, i64::MAX, Standing::Expired);

        let widest = (Some(i64::MIN), Some(i64::MAX));
        stands(widest, leeway, i64::MIN, Standing::Valid);
        stands(widest, leeway, i64::MAX - 1, Standing::Valid);
        stands(widest, leeway, i64::MAX, if leeway == 0 { Standing::Expired } else { Standing::Valid });
        for now in [i64::MIN, -1, 0, 1, i64::MAX] {
            stands((None, None), leeway, now, Standing::Valid);
        }
        stands((Some(i64::MAX), None), leeway, i64::MAX, Standing::Valid);
        stands((Some(i64::MAX), None), leeway, i64::MAX - leeway, Standing::Valid);
        stands((Some(i64::MAX), None), leeway, i64::MAX - leeway - 1, Standing::NotYetValid);
        stands((None, Some(i64::MIN)), leeway, i64::MIN + leeway, Standing::Expired);
    }
}

#[test]
fn a_lifetime_is_finite_and_not_zero() {
    let end = |lifetime: Lifetime, now: i64| lifetime.ends_at(at(now)).ok().map(Timestamp::as_unix);
    assert_eq!(end(Lifetime::seconds(1), 0), Some(1));
    assert_eq!(end(Lifetime::minutes(1), 0), Some(60));
    assert_eq!(end(Lifetime::hours(1), 0), Some(3_600));
    assert_eq!(end(Lifetime::days(u32::MAX), 0), Some(i64::from(u32::MAX) * 86_400));
    assert_eq!(end(Lifetime::seconds(0), 0), None);
    assert_eq!(end(Lifetime::seconds(1), i64::MAX), None);
    assert_eq!(end(Lifetime::seconds(1), i64::MAX - 1), Some(i64::MAX));
    assert_eq!(end(Lifetime::seconds(u64::MAX), i64::MIN), Some(i64::MAX));
    assert_eq!(end(Lifetime::seconds(u64::MAX), i64::MIN + 1), None);
    assert_eq!(Expiry::Never.ends_at(at(0)), Ok(None));
    assert_eq!(Expiry::After(Lifetime::seconds(5)).ends_at(at(0)), Ok(Some(at(5))));
    assert!(Expiry::from(Lifetime::seconds(0)).ends_at(at(0)).is_err());
}

#[track_caller]
fn reads(text: &str, seconds: i64, printed: &str) {
    let read = Timestamp::parse_rfc3339(text).unwrap();
    assert_eq!((read.as_unix(), read.to_string().as_str()), (seconds, printed));
    assert_eq!(Timestamp::parse_rfc3339(printed), Ok(read));
}

#[test]
fn timestamps_as_text() {
    reads("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z");
    reads("2026-01-14T06:48:18Z", 1_768_373_298, "2026-01-14T06:48:18Z");
    reads("2026-01-14T07:48:18+01:00", 1_768_373_298, "2026-01-14T06:48:18Z");
    reads("2026-01-14T06:48:18.999999999Z", 1_768_373_298, "2026-01-14T06:48:18Z");
    reads("1969-12-31T23:59:59.5Z", -1, "1969-12-31T23:59:59Z");
    reads("2024-02-29T00:00:00Z", 1_709_164_800, "2024-02-29T00:00:00Z");
    reads("0000-01-01T00:00:00Z", -62_167_219_200, "0000-01-01T00:00:00Z");
    reads("9999-12-31T23:59:59Z", 253_402_300_799, "9999-12-31T23:59:59Z");
    for text in [
        "",
        "2026-01-14",
        "2026-01-14T06:48:18",
        "06:48:18Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-14T25:00:00Z",
        "2026-01-14T06:60:00Z",
        "2026-01-14T06:48:18+25:00",
        "10000-01-01T00:00:00Z",
        "1768373298",
        " 2026-01-14T06:48:18Z",
        "2026-01-14T06:48:18Z ",
        "\u{661}970-01-01T00:00:00Z",
    ] {
        assert!(Timestamp::parse_rfc3339(text).is_err(), "{text:?}");
    }
}

#[test]
fn timestamps_beyond_the_calendar_are_printed_as_seconds() {
    assert_eq!(at(253_402_300_800).to_string(), "unix 253402300800");
    assert_eq!(at(-62_167_219_201).to_string(), "unix -62167219201");
    assert_eq!(at(i64::MAX).to_string(), "unix 9223372036854775807");
    assert_eq!(at(i64::MIN).to_string(), "unix -9223372036854775808");
    assert!(time::OffsetDateTime::try_from(at(i64::MAX)).is_err());
    assert!(time::OffsetDateTime::try_from(at(i64::MIN)).is_err());
    assert_eq!(Timestamp::from(time::OffsetDateTime::try_from(at(-1)).unwrap()), at(-1));
}

#[test]
fn a_system_time_is_rounded_down_also_before_1970() {
    assert_eq!(Timestamp::from(UNIX_EPOCH), at(0));
    assert_eq!(Timestamp::from(UNIX_EPOCH + Duration::from_nanos(1_999_999_999)), at(1));
    assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_nanos(1)), at(-1));
    assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)), at(-1));
    assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_nanos(1_000_000_001)), at(-2));
}

/// Every second of the calendar reads as it prints.
#[test]
fn timestamps_round_trip() {
    let mut random = Random::seeded(seed());
    for _ in 0..cases(20_000) {
        let seconds =
            i64::try_from(random.number() % (253_402_300_800 + 62_167_219_200)).unwrap() - 62_167_219_200;
        let text = at(seconds).to_string();
        assert_eq!(Timestamp::parse_rfc3339(&text), Ok(at(seconds)), "{text}");
    }
}

/// What a system cannot represent is an error, never a panic.
#[test]
fn system_times_round_trip() {
    for seconds in [-1, 0, 1, 1_795_518_000, 253_402_300_800] {
        let time = SystemTime::try_from(at(seconds)).unwrap();
        assert_eq!(Timestamp::from(time), at(seconds));
    }
    for seconds in [i64::MIN, i64::MAX] {
        assert!(SystemTime::try_from(at(seconds)).map_or(true, |time| Timestamp::from(time) == at(seconds)));
    }
}
