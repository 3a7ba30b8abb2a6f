//! How quantities are written in a scenario: `"30s"`, `"120/s"`, `"8KiB"`, `"15%"`, `0.5`.
//!
//! A quantity carries its unit in its text, so a reader never has to guess it and a bare `30` is an
//! error that shows what to write. Durations and byte counts are read as decimal integers, without a
//! float in between: `"0.1s"` is exactly 100 000 000 ns on every machine. Whatever `Display` prints,
//! `FromStr` reads back to the same value, and nothing here is ever negative, infinite or NaN.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::time::Duration;

/// A quantity that a law of chance can produce: the laws compute in its base unit.
pub trait Unit:
    Copy + fmt::Debug + fmt::Display + PartialEq + FromStr<Err = String> + DeserializeOwned + Serialize + JsonSchema
{
    /// What one such quantity is called in a sentence, with its article: "a duration".
    const NAME: &str;
    /// One well-formed example, for messages.
    const EXAMPLE: &str;
    /// The quantity in its base unit: nanoseconds, bytes, or the plain number; finite and ≥ 0.
    fn base(self) -> f64;
}

impl Unit for Duration {
    const NAME: &str = "a duration";
    const EXAMPLE: &str = "1m30s";
    fn base(self) -> f64 {
        self.as_nanos() as f64
    }
}

impl Unit for Number {
    const NAME: &str = "a number";
    const EXAMPLE: &str = "1.5";
    fn base(self) -> f64 {
        self.0
    }
}

impl Unit for Bytes {
    const NAME: &str = "a size";
    const EXAMPLE: &str = "8KiB";
    fn base(self) -> f64 {
        self.0 as f64
    }
}

/// Units of a duration in nanoseconds, from large to small.
const TIMES: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const TIMES_ACCEPTED: &str = "accepted units are ns, us, ms, s, m, h, d";

/// Units of a size in bytes; among equally short texts the first one is printed.
const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
const SIZES_ACCEPTED: &str = "accepted units are B, kB, MB, GB, KiB, MiB, GiB";

/// Units of a rate in seconds.
const PERIODS: [(&str, f64); 5] = [("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0), ("w", 604_800.0)];
const PERIODS_ACCEPTED: &str = "accepted units are /s, /m, /h, /d, /w";

/// Events per second; finite and ≥ 0. Written `"120/s"`, `"3/m"`, `"7200/h"`, `"5/d"`, `"2/w"`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// A rate of `rate` events per second. Panics unless it is finite and ≥ 0.
    pub const fn new(rate: f64) -> Rate {
        assert!(rate.is_finite() && rate >= 0.0, "a rate is finite and not negative");
        Rate(rate)
    }

    /// Events per second.
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

/// A number of bytes. Written `"512B"`, `"8KiB"`, `"1MB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

impl Bytes {
    /// A size of `bytes` bytes.
    pub const fn new(bytes: u64) -> Bytes {
        Bytes(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A part of a whole, in [0, 1]. Written `"15%"` or `0.15`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// The share `ratio`. Panics unless it lies in [0, 1].
    pub const fn new(ratio: f64) -> Share {
        assert!(ratio >= 0.0 && ratio <= 1.0, "a share lies between 0 and 1");
        Share(ratio)
    }

    /// The share as a ratio in [0, 1].
    pub const fn ratio(self) -> f64 {
        self.0
    }
}

/// A plain number without a unit; finite and ≥ 0. Written `3` or `1.5`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Number(f64);

impl Number {
    /// The number `value`. Panics unless it is finite and ≥ 0.
    pub const fn new(value: f64) -> Number {
        assert!(value.is_finite() && value >= 0.0, "a number is finite and not negative");
        Number(value)
    }

    /// The number itself.
    pub const fn get(self) -> f64 {
        self.0
    }
}

// Reading -----------------------------------------------------------------------------------------

impl FromStr for Duration {
    type Err = String;

    fn from_str(given: &str) -> Result<Duration, String> {
        refuse_bare("a duration", given, "s", "30", TIMES_ACCEPTED)?;
        let malformed =
            || format!("{given:?} is not a duration: write \"30s\", \"1.5h\" or \"1m30s\"; {TIMES_ACCEPTED}");
        let (mut rest, mut total, mut larger) = (given.trim(), 0_u64, u64::MAX);
        if rest.is_empty() {
            return Err(malformed());
        }
        while !rest.is_empty() {
            let (number, after) = rest.split_at(rest.find(|c| !is_decimal(c)).unwrap_or(rest.len()));
            let (unit, after) = after.split_at(after.find(is_decimal).unwrap_or(after.len()));
            let name = if matches!(unit, "µs" | "μs") { "us" } else { unit };
            let scale = TIMES.iter().find(|t| t.0 == name).ok_or_else(malformed)?.1;
            if scale >= larger {
                return Err(format!(
                    "{given:?} repeats or mixes its units: write them from large to small, as in \"1m30s\""
                ));
            }
            let part = scaled(number, scale).map_err(|flaw| match flaw {
                Flaw::Malformed => malformed(),
                Flaw::Fraction => format!("{given:?} is not a whole number of nanoseconds: round it to ns"),
                Flaw::Overflow => too_long(given),
            })?;
            total = total.checked_add(part).ok_or_else(|| too_long(given))?;
            (rest, larger) = (after, scale);
        }
        Ok(Duration::from_nanos(total))
    }
}

fn too_long(given: &str) -> String {
    format!("{given:?} is too long: a duration is at most 213503d, about 584 years")
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(given: &str) -> Result<Bytes, String> {
        refuse_bare("a size", given, "B", "512", SIZES_ACCEPTED)?;
        let malformed = || format!("{given:?} is not a size: write \"512B\", \"8KiB\" or \"1.5MB\"; {SIZES_ACCEPTED}");
        let text = given.trim();
        let (number, unit) = text.split_at(text.find(|c| !is_decimal(c)).unwrap_or(text.len()));
        let scale = SIZES.iter().find(|s| s.0 == unit).ok_or_else(malformed)?.1;
        scaled(number, scale).map(Bytes).map_err(|flaw| match flaw {
            Flaw::Malformed => malformed(),
            Flaw::Fraction => format!("{given:?} is not a whole number of bytes: write it in a smaller unit"),
            Flaw::Overflow => format!("{given:?} is too large: a size is below 2^64 bytes"),
        })
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(given: &str) -> Result<Rate, String> {
        refuse_bare("a rate", given, "/s", "120", PERIODS_ACCEPTED)?;
        let malformed = || format!("{given:?} is not a rate: write \"120/s\" or \"3/m\"; {PERIODS_ACCEPTED}");
        let (number, unit) = given.split_once('/').ok_or_else(malformed)?;
        let seconds = PERIODS.iter().find(|p| p.0 == unit.trim()).ok_or_else(malformed)?.1;
        Ok(Rate(plain("a rate", given, number).ok_or_else(malformed)?? / seconds))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(given: &str) -> Result<Share, String> {
        let text = given.trim();
        let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
        let malformed = || format!("{given:?} is not a share: write \"15%\", or a number from 0 to 1");
        let ratio = plain("a share", given, number).ok_or_else(malformed)?? / whole;
        if ratio > 1.0 {
            return Err(format!(
                "{given:?} is more than the whole: a share is at most \"100%\", or a number from 0 to 1"
            ));
        }
        Ok(Share(ratio))
    }
}

impl FromStr for Number {
    type Err = String;

    fn from_str(given: &str) -> Result<Number, String> {
        let malformed = || format!("{given:?} is not a number: write for example 3 or 1.5, without a unit");
        Ok(Number(plain("a number", given, given).ok_or_else(malformed)??))
    }
}

fn is_decimal(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

/// Refuses what is a signed or unit-less number where a unit is needed, and shows the mend.
fn refuse_bare(what: &str, given: &str, unit: &str, example: &str, accepted: &str) -> Result<(), String> {
    let text = given.trim();
    if let Ok(value) = text.parse::<f64>()
        && (!value.is_finite() || !text.starts_with('-'))
    {
        if !value.is_finite() {
            return Err(format!("{what} must be finite, not {given:?}: write \"{example}{unit}\"; {accepted}"));
        }
        let number = if text.chars().all(is_decimal) { text } else { example };
        return Err(format!("{what} needs a unit: write \"{number}{unit}\"; {accepted}"));
    }
    if text.starts_with('-') {
        return Err(format!("{what} cannot be negative: {given:?} was given"));
    }
    Ok(())
}

/// A finite number ≥ 0 as Rust reads floats; `None` when `number` is no number at all.
fn plain(what: &str, given: &str, number: &str) -> Option<Result<f64, String>> {
    let value = number.trim().parse::<f64>().ok()?;
    Some(if value.is_sign_negative() && !value.is_nan() {
        Err(format!("{what} cannot be negative: {given:?} was given"))
    } else if !value.is_finite() {
        Err(format!("{what} must be finite: {given:?} was given"))
    } else {
        Ok(value)
    })
}

/// Why a decimal is not a whole number of base units.
enum Flaw {
    Malformed,
    Fraction,
    Overflow,
}

/// `number` × `scale` in whole base units; exact, or an error.
fn scaled(number: &str, scale: u64) -> Result<u64, Flaw> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(Flaw::Malformed);
    }
    let whole: u64 = whole.parse().map_err(|_| Flaw::Overflow)?;
    let fraction = fraction.trim_end_matches('0');
    let part = if fraction.is_empty() {
        0
    } else {
        // A fraction too long for 128 bits cannot be whole in any of our units.
        let power = u32::try_from(fraction.len()).ok().and_then(|n| 10_u128.checked_pow(n)).ok_or(Flaw::Fraction)?;
        let scaled = fraction.parse::<u128>().ok().and_then(|f| f.checked_mul(scale.into())).ok_or(Flaw::Fraction)?;
        if scaled % power != 0 {
            return Err(Flaw::Fraction);
        }
        // Below `scale`, since the fraction is below one.
        (scaled / power) as u64
    };
    whole.checked_mul(scale).and_then(|w| w.checked_add(part)).ok_or(Flaw::Overflow)
}

// Printing ----------------------------------------------------------------------------------------

impl fmt::Display for Duration {
    /// One unit below a minute (`1.5ms`), else days to seconds (`1m30s`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.as_nanos();
        let mut text = String::new();
        for (unit, scale) in &TIMES[..3] {
            if rest >= *scale {
                text += &format!("{}{unit}", rest / scale);
                rest %= scale;
            }
        }
        if rest > 0 || text.is_empty() {
            // A compound goes on in seconds: `1m0.5s` is easier to add up than `1m500ms`.
            let (unit, scale) = TIMES[3..].iter().find(|t| rest >= t.1 || !text.is_empty()).unwrap_or(&TIMES[3]);
            text += &format!("{}", rest / scale);
            if !rest.is_multiple_of(*scale) {
                let width = scale.ilog10() as usize;
                text += format!(".{:0width$}", rest % scale).trim_end_matches('0');
            }
            text += unit;
        }
        f.pad(&text)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().filter(|s| self.0.is_multiple_of(s.1) && (self.0 > 0 || s.1 == 1));
        let text = whole.map(|(unit, scale)| format!("{}{unit}", self.0 / scale)).min_by_key(String::len);
        f.pad(&text.unwrap_or_default())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The unit that needs the fewest digits: 5/86400 per second is "5/d". "/s" always reads back.
        let texts = PERIODS.iter().map(|(unit, seconds)| format!("{}/{unit}", self.0 * seconds));
        let exact = texts.filter(|text| text.parse() == Ok(*self));
        f.pad(&exact.min_by_key(String::len).unwrap_or_default())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded, since 0.29 × 100 is 28.999999999999996; what four decimals cannot say stays a ratio.
        let percent = format!("{}%", (self.0 * 1e6 + 0.5).floor() / 1e4);
        if percent.parse() == Ok(*self) { f.pad(&percent) } else { f.pad(&self.0.to_string()) }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

// Files -------------------------------------------------------------------------------------------

mod serial;
#[cfg(test)]
mod tests;
