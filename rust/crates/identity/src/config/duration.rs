// SPDX-License-Identifier: Apache-2.0
//! Durations as Go's `time.ParseDuration` reads them, and `Duration.String` writes them.

use std::fmt::Write;

/// Nanoseconds of a text such as `2s` or `1h15m30.918s`, or what Go says of it.
pub fn nanoseconds(text: &str) -> Result<i64, String> {
    read(text).map_err(|refusal| match refusal {
        Refusal::Invalid => format!("time: invalid duration {}", quoted(text)),
        Refusal::MissingUnit => format!("time: missing unit in duration {}", quoted(text)),
        Refusal::UnknownUnit(unit) => format!("time: unknown unit {} in duration {}", quoted(unit), quoted(text)),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal<'a> {
    Invalid,
    MissingUnit,
    UnknownUnit(&'a str),
}

fn read(text: &str) -> Result<i64, Refusal<'_>> {
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(Refusal::Invalid);
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (part, next) = component(rest)?;
        total = total.checked_add(part).filter(|total| *total <= 1 << 63).ok_or(Refusal::Invalid)?;
        rest = next;
    }
    match i64::try_from(total) {
        Ok(total) => Ok(if negative { -total } else { total }),
        Err(_) => negative.then_some(i64::MIN).ok_or(Refusal::Invalid),
    }
}

/// One number with its unit: `1.5h`.
fn component(text: &str) -> Result<(u64, &str), Refusal<'_>> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Refusal::Invalid);
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Refusal::Invalid)? };
    let end = rest.find(|character: char| character == '.' || character.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(Refusal::MissingUnit),
        other => return Err(Refusal::UnknownUnit(other)),
    };
    let value = whole.checked_mul(unit).filter(|value| *value <= 1 << 63);
    let value = value.and_then(|value| value.checked_add(fraction_of(fraction, unit)));
    value.map(|value| (value, rest)).ok_or(Refusal::Invalid)
}

/// The part of a unit that decimals stand for. Go takes as many digits as fit and multiplies in floating point, so that
/// the last nanosecond may be another than by exact arithmetic.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as Go does")]
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0u64, 1.0);
    for digit in digits.bytes() {
        let Some(longer) = value.checked_mul(10).map(|value| value + u64::from(digit - b'0')) else { break };
        if value > i64::MAX as u64 / 10 || longer > 1 << 63 {
            break;
        }
        (value, scale) = (longer, scale * 10.0);
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

/// A text in quotes, with escapes for what is not printable ASCII (Go's `time.quote`).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => _ = write!(quoted, "\\x{byte:02x}"),
        }
    }
    quoted.push('"');
    quoted
}

/// A duration as Go writes it: `0s`, `-1m0s`, `1h0m1.5s`, `20ms`.
pub(super) fn text(nanoseconds: i64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total == 0 {
        return "0s".into();
    }
    for (unit, name) in [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")] {
        if total < unit * 1_000 {
            return format!("{sign}{}{name}", decimal(total, unit));
        }
    }
    let (minutes, rest) = (total / (60 * SECOND), total % (60 * SECOND));
    let seconds = decimal(rest, SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// A number of units with as many decimals as it needs.
fn decimal(total: u64, unit: u64) -> String {
    let places = unit.ilog10() as usize;
    let fraction = format!("{:0places$}", total % unit);
    match fraction.trim_end_matches('0') {
        "" => (total / unit).to_string(),
        fraction => format!("{}.{fraction}", total / unit),
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::{nanoseconds, text};

    #[test]
    fn reads_what_go_reads() {
        for (text, expected) in [
            ("2s", Some(2_000_000_000)),
            ("1h15m30.918s", Some(4_530_918_000_000)),
            ("1.5ms", Some(1_500_000)),
            (".5s", Some(500_000_000)),
            ("-3µs", Some(-3_000)),
            ("0", Some(0)),
            ("", None),
            ("2", None),
            ("s", None),
            (".s", None),
            ("3 s", None),
            ("2d", None),
            ("9223372036854775807ns", Some(i64::MAX)),
            ("9223372036854775808ns", None),
            ("-9223372036854775808ns", Some(i64::MIN)),
            ("99999999999999999999s", None),
            // Go's floating point: exact arithmetic has a nanosecond less.
            ("0.3333333333333333333h", Some(1_200_000_000_000)),
        ] {
            assert_eq!(nanoseconds(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn says_what_go_says() {
        for (text, expected) in [
            ("", r#"time: invalid duration """#),
            ("abc", r#"time: invalid duration "abc""#),
            ("5", r#"time: missing unit in duration "5""#),
            ("5.", r#"time: missing unit in duration "5.""#),
            ("1s5", r#"time: missing unit in duration "1s5""#),
            ("5x", r#"time: unknown unit "x" in duration "5x""#),
            ("3 s\t", r#"time: unknown unit " s\x09" in duration "3 s\x09""#),
            ("\"\\é", r#"time: invalid duration "\"\\\xc3\xa9""#),
        ] {
            assert_eq!(nanoseconds(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (-1, "-1ns"),
            (1_500, "1.5µs"),
            (-20_000_000, "-20ms"),
            (-5_000_000_000, "-5s"),
            (-60_000_000_000, "-1m0s"),
            (3_601_500_000_000, "1h0m1.5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(text(nanoseconds), expected);
        }
    }
}
