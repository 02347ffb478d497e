//! Durations as the command line of Vault reads and writes them: `90`, `1h30m`, `1.5h`, `7d`.

use std::fmt;
use std::str::FromStr;

const SECOND: i128 = 1_000_000_000;

/// A length of time with a sign, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct GoDuration(i64);

impl GoDuration {
    /// Whole seconds, the rest cut off.
    pub(crate) fn seconds(self) -> i64 {
        self.0 / 1_000_000_000
    }

    /// As the standard library has it; negative is zero.
    pub(crate) fn unsigned(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for GoDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "not a duration; write it like 30s, 5m, 1h30m or a number of seconds".to_owned();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let bare = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let whole_days =
            digits.strip_suffix('d').filter(|days| days.bytes().all(|byte| byte.is_ascii_digit()));
        let nanos = if let Some(days) = whole_days {
            days.parse::<i128>().ok().and_then(|days| days.checked_mul(24 * 3600 * SECOND)).ok_or_else(bad)?
        } else if bare {
            digits.parse::<i128>().ok().and_then(|seconds| seconds.checked_mul(SECOND)).ok_or_else(bad)?
        } else {
            parts(digits).ok_or_else(bad)?
        };
        i64::try_from(if negative { -nanos } else { nanos }).map(Self).map_err(|_| bad())
    }
}

/// Sums `1h30m` and the like.
fn parts(mut text: &str) -> Option<i128> {
    if text.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !text.is_empty() {
        let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(number_ends);
        let unit_ends = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_ends);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => return None,
        };
        total = total.checked_add(scaled(number, scale)?)?;
        text = rest;
    }
    Some(total)
}

/// A decimal number times a scale, without floating point.
fn scaled(number: &str, scale: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        total = total.checked_add(place.checked_mul(i128::from(digit.checked_sub(b'0')?))?)?;
    }
    Some(total)
}

/// As Go writes it: `1h30m0s`, `1.5s`, `0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0).abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if nanos == 0 {
            return f.write_str("0s");
        }
        if nanos < SECOND {
            let (unit, scale) = if nanos < 1_000 {
                ("ns", 1)
            } else if nanos < 1_000_000 {
                ("µs", 1_000)
            } else {
                ("ms", 1_000_000)
            };
            return write!(f, "{}{unit}", decimal(nanos, scale));
        }
        let (hours, minutes) = (nanos / (3600 * SECOND), nanos / (60 * SECOND) % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(nanos % (60 * SECOND), SECOND))
    }
}

/// `nanos` in units of `scale`, trailing zeros cut.
fn decimal(nanos: i128, scale: i128) -> String {
    let (whole, mut rest) = (nanos / scale, nanos % scale);
    let mut text = whole.to_string();
    if rest > 0 {
        text.push('.');
        let mut place = scale;
        while rest > 0 {
            place /= 10;
            text.push_str(&(rest / place).to_string());
            rest %= place;
        }
    }
    text
}

/// Seconds for people: `768h`, `59m57s`, `0s`.
pub(crate) fn human(seconds: i64) -> String {
    let whole = GoDuration(seconds.saturating_mul(1_000_000_000)).to_string();
    let shorter = whole.strip_suffix("m0s").map(|rest| format!("{rest}m"));
    let text = shorter.unwrap_or(whole);
    text.strip_suffix("h0m").map(|rest| format!("{rest}h")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write_as_go_does() {
        let cases = [
            ("90", "1m30s"),
            ("1h", "1h0m0s"),
            ("1h30m", "1h30m0s"),
            ("1.5h", "1h30m0s"),
            ("1.5s", "1.5s"),
            ("250ms", "250ms"),
            ("0", "0s"),
            ("-1ns", "-1ns"),
            ("3h25m19s", "3h25m19s"),
            ("-1", "-1s"),
            ("1d", "24h0m0s"),
            ("30d", "720h0m0s"),
            ("-2d", "-48h0m0s"),
        ];
        for (text, shown) in cases {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), shown, "{text}");
        }
        for bad in [
            "",
            "x",
            "1x",
            "h",
            "-",
            "1.2.3s",
            "1h30",
            ".s",
            "d",
            "1.5d",
            "1d12h",
            "2w",
            "99999999999999999999h",
            "99999999999999999999d",
        ] {
            assert!(bad.parse::<GoDuration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_are_told_shortly() {
        let cases = [
            (2_764_800, "768h"),
            (3597, "59m57s"),
            (3600, "1h"),
            (1800, "30m"),
            (60, "1m"),
            (0, "0s"),
            (3605, "1h0m5s"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(human(seconds), shown);
        }
    }
}
