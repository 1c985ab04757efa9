// SPDX-License-Identifier: Apache-2.0
//! `UTCTime` and `GeneralizedTime` as Go reads them: seconds may be left out of a `UTCTime`, zone offsets are allowed.

use super::der::{Der, GENERALIZED_TIME, UTC_TIME};
use super::{CertificateError, Result};

/// Seconds since 1970-01-01T00:00:00Z; negative before.
pub type UnixSeconds = i64;

/// Reads the next element, a time.
pub(super) fn read(der: &mut Der<'_>) -> Result<UnixSeconds> {
    let (tag, text) = der.any()?;
    let parsed = match tag {
        UTC_TIME => utc_time(text),
        GENERALIZED_TIME => generalized_time(text),
        _ => None,
    };
    parsed.ok_or(CertificateError("malformed time"))
}

fn utc_time(text: &[u8]) -> Option<UnixSeconds> {
    let (year, text) = number(text, 2)?;
    let year = if year >= 50 { 1900 + year } else { 2000 + year };
    let (day, text) = day(year, text)?;
    let (hours, text) = bounded(text, 0, 23)?;
    let (minutes, text) = bounded(text, 0, 59)?;
    // RFC 5280 demands seconds; Go's reader does not.
    let (seconds, zone) = bounded(text, 0, 59).unwrap_or((0, text));
    Some(day * 86_400 + hours * 3_600 + minutes * 60 + seconds - offset(zone)?)
}

fn generalized_time(text: &[u8]) -> Option<UnixSeconds> {
    let (year, text) = number(text, 4)?;
    let (day, text) = day(year, text)?;
    let (hours, text) = bounded(text, 0, 23)?;
    let (minutes, text) = bounded(text, 0, 59)?;
    let (seconds, zone) = bounded(text, 0, 59)?;
    Some(day * 86_400 + hours * 3_600 + minutes * 60 + seconds - offset(zone)?)
}

/// Seconds east of UTC: `Z`, or `+hhmm` other than zero.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, digits) = match zone {
        b"Z" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, digits) = bounded(digits, 0, 24)?;
    let (minutes, digits) = bounded(digits, 0, 59)?;
    let seconds = hours * 3_600 + minutes * 60;
    (digits.is_empty() && seconds != 0).then_some(sign * seconds)
}

fn day(year: i64, text: &[u8]) -> Option<(i64, &[u8])> {
    let (month, text) = bounded(text, 1, 12)?;
    let (day, text) = bounded(text, 1, days_in_month(year, month))?;
    Some((days_since_epoch(year, month, day), text))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn bounded(text: &[u8], least: i64, most: i64) -> Option<(i64, &[u8])> {
    let (value, rest) = number(text, 2)?;
    (least..=most).contains(&value).then_some((value, rest))
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let value = head
        .iter()
        .try_fold(0i64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))?;
    Some((value, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    /// Expected values from `date -u -d … +%s`.
    #[test]
    fn reads_what_go_reads() {
        for (text, expected) in [
            ("700101000000Z", Some(0)),
            ("250305123456Z", Some(1_741_178_096)),
            ("491231235959Z", Some(2_524_607_999)),
            ("500101000000Z", Some(-631_152_000)),
            ("2503051234Z", Some(1_741_178_040)),
            ("250305123456+0100", Some(1_741_174_496)),
            ("250305123456+0000", None),
            ("250305123456.5Z", None),
            ("250229000000Z", None),
            ("240229000000Z", Some(1_709_164_800)),
            ("251301000000Z", None),
            ("250305123456", None),
        ] {
            assert_eq!(utc_time(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(generalized_time(b"20500101000000Z"), Some(2_524_608_000));
        assert_eq!(generalized_time(b"99991231235959Z"), Some(253_402_300_799));
        assert_eq!(generalized_time(b"205001010000Z"), None);
    }
}
