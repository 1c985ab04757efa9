// SPDX-License-Identifier: Apache-2.0
//! Durations as Go's `time.ParseDuration` reads them.

/// Nanoseconds of a text such as `2s` or `1h15m30.918s`; `None` where Go would refuse it.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (part, next) = component(rest)?;
        total = total.checked_add(part).filter(|total| *total <= 1 << 63)?;
        rest = next;
    }
    match i64::try_from(total) {
        Ok(total) => Some(if negative { -total } else { total }),
        Err(_) => negative.then_some(i64::MIN),
    }
}

/// One number with its unit: `1.5h`.
fn component(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest.find(|character: char| character == '.' || character.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let value = whole.checked_mul(unit).filter(|value| *value <= 1 << 63)?;
    value.checked_add(fraction_of(fraction, unit)).map(|value| (value, rest))
}

/// The part of a unit that decimals stand for, cut to nanoseconds; digits beyond 18 are too small to matter.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let kept = &digits[..digits.len().min(18)];
    let numerator = kept.bytes().fold(0u128, |value, digit| value * 10 + u128::from(digit - b'0'));
    let denominator = kept.bytes().fold(1u128, |value, _| value * 10);
    u64::try_from(numerator * u128::from(unit) / denominator).unwrap_or(0)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::nanoseconds;

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
        ] {
            assert_eq!(nanoseconds(text), expected, "{text:?}");
        }
    }
}
