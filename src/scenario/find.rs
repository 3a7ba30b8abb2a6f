//! Which values of a key are tried? `cluster.nodes=2..64`: a range, walked in steps.
//!
//! Both ends and the step carry the same unit, and are added up as whole numbers of its smallest part, so that no
//! value is off by a rounding.

use super::layers::equals_sign;
use super::load::{WHOLE, varies};
use super::{Problem, Problems, Sources, path, shifted};
use crate::base::time::Duration;
use crate::base::units::Bytes;

/// More values are a mistake.
const VALUES_MAX: u64 = 1_000_000;
/// Digits behind the point.
const SCALE_MAX: u32 = 9;

/// A key and the values that it may take, ascending.
#[derive(Clone, PartialEq, Debug)]
pub struct Find {
    /// The key, as it was written.
    pub key: String,
    unit: Unit,
    scale: u32,
    first: u64,
    step: u64,
    count: usize,
}

/// What a value is counted in.
#[derive(Clone, PartialEq, Debug)]
enum Unit {
    /// `12`
    Whole,
    /// `1.5`
    Number,
    /// `80%`
    Share,
    /// `120/s`, with what stands behind the stroke.
    Rate(String),
    /// `30s`, in nanoseconds.
    Duration,
    /// `8KiB`, in bytes.
    Size,
}

/// A value: so many of its unit's tenths, hundredths … as `scale` says.
#[derive(Clone, PartialEq, Debug)]
struct Amount {
    unit: Unit,
    scale: u32,
    digits: u64,
}

/// Message and hint.
type Wrong = (String, String);

impl Find {
    /// Reads `text`, such as `cluster.nodes=2..64`, and the step, if there is one.
    pub fn parse(
        sources: &mut Sources,
        flag: &str,
        text: &str,
        step: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Find> {
        let example = format!("write key=from..to, such as `{flag} cluster.nodes=2..64`");
        let layer = sources.add(format!("{flag} {text}"), text);
        let (text, offset) = sources.text(layer);
        let place = offset..offset + text.len();
        let Some(split) = equals_sign(text) else {
            problems.push(Problem::error(format!("this `{flag}` has no `=`")).at(place).hint(example));
            return None;
        };
        let path = match path::segments(&text[..split]) {
            Ok(path) => path,
            Err(problem) => {
                let place = problem.place.clone().map(|place| shifted(place, offset));
                problems.push(problem.at(place));
                return None;
            }
        };
        if let Some((first, span)) = path.first().filter(|(first, _)| WHOLE.contains(&first.as_str())) {
            problems.push(varies(first, shifted(span.clone(), offset)));
            return None;
        }
        let range = text[split + 1..].split_once("..");
        let found = range.ok_or_else(|| (format!("this `{flag}` has no range"), example));
        let found = found.and_then(|(from, to)| Find::walk(flag, text[..split].trim(), (from.trim(), to.trim()), step));
        found.map_err(|(message, hint)| problems.push(Problem::error(message).at(place).hint(hint))).ok()
    }

    fn walk(flag: &str, key: &str, (from, to): (&str, &str), step: Option<&str>) -> Result<Find, Wrong> {
        // `--vary` has the step behind the range.
        let with_step = |verb: &str, step: &str| match flag {
            "--vary" => format!("write {key}={from}..{to}:{step}"),
            _ => format!("{verb} --step {step}"),
        };
        let (first, last) = (amount(from)?, amount(to)?);
        let step = match step {
            Some(step) => amount(step.trim())?,
            None if first.unit == Unit::Whole && last.unit == Unit::Whole => amount("1")?,
            None => {
                let message = format!("it is not known in which steps to go from {from} to {to}");
                return Err((message, with_step("add", first.unit.example().as_str())));
            }
        };
        let unit = Unit::common([&first, &last, &step]).ok_or_else(|| {
            let message = format!("{from}, {to} and the step {} are not in one unit", step.text());
            (message, "write all of them alike, such as 10s..300s in steps of 5s".to_owned())
        })?;
        let scale = first.scale.max(last.scale).max(step.scale);
        let [first, last, step] = [first, last, step].map(|amount| amount.at(scale));
        let (first, last, step) = (first?, last?, step?);
        if first > last {
            let message = format!("there is nothing from {from} to {to}");
            return Err((message, "write the smaller end first".into()));
        }
        if step == 0 {
            return Err(("a step of zero goes nowhere".into(), with_step("write", unit.example().as_str())));
        }
        let text = |digits| Amount { unit: unit.clone(), scale, digits }.text();
        let over = (last - first) % step;
        if over != 0 {
            let message = format!("steps of {} from {from} do not meet {to}", text(step));
            return Err((message, format!("end at {}, or take another step", text(last - over))));
        }
        let count = (last - first) / step + 1;
        if count > VALUES_MAX {
            let message = format!("there are {count} values from {from} to {to}; at most {VALUES_MAX} are tried");
            return Err((message, "take a larger step".into()));
        }
        Ok(Find { key: key.to_owned(), unit, scale, first, step, count: count as usize })
    }

    /// How many values there are; at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The value at this place, from 0, as it is written in a scenario.
    pub fn value(&self, place: usize) -> String {
        Amount { unit: self.unit.clone(), scale: self.scale, digits: self.digits(place) }.text()
    }

    /// The step, as it is written.
    pub fn step(&self) -> String {
        Amount { unit: self.unit.clone(), scale: self.scale, digits: self.step }.text()
    }

    /// The assignment that a scenario is patched with, such as `cluster.nodes=7`.
    pub fn assignment(&self, place: usize) -> String {
        format!("{}={}", self.key, self.value(place))
    }

    /// How far two values are apart, as it is written, and as a share of the first (`None` where that is zero).
    pub fn distance(&self, from: usize, to: usize) -> (String, Option<f64>) {
        let (from, to) = (self.digits(from), self.digits(to));
        let digits = from.abs_diff(to);
        let text = Amount { unit: self.unit.clone(), scale: self.scale, digits }.text();
        (text, (from > 0).then(|| digits as f64 / from as f64))
    }

    fn digits(&self, place: usize) -> u64 {
        self.first + self.step * place as u64
    }
}

impl Unit {
    /// The unit that these are all in.
    fn common(amounts: [&Amount; 3]) -> Option<Unit> {
        let [first, rest @ ..] = amounts.map(|amount| &amount.unit);
        let is_plain = |unit: &Unit| matches!(unit, Unit::Whole | Unit::Number);
        if is_plain(first) && rest.iter().all(|unit| is_plain(unit)) {
            let is_whole = amounts.iter().all(|amount| amount.unit == Unit::Whole);
            return Some(if is_whole { Unit::Whole } else { Unit::Number });
        }
        rest.iter().all(|unit| *unit == first).then(|| first.clone())
    }

    fn example(&self) -> String {
        match self {
            Unit::Whole => "1".into(),
            Unit::Number => "0.1".into(),
            Unit::Share => "1%".into(),
            Unit::Rate(per) => format!("10/{per}"),
            Unit::Duration => "5s".into(),
            Unit::Size => "256MiB".into(),
        }
    }
}

impl Amount {
    /// Its digits with so many behind the point, at least as many as it has.
    fn at(&self, scale: u32) -> Result<u64, Wrong> {
        let factor = 10u64.pow(scale - self.scale);
        let digits = self.digits.checked_mul(factor).filter(|&digits| digits <= u64::MAX / 2);
        digits.ok_or_else(|| (format!("{} is too large to search", self.text()), "write a smaller range".into()))
    }

    fn text(&self) -> String {
        let whole = 10u64.pow(self.scale);
        let mut number = (self.digits / whole).to_string();
        if !self.digits.is_multiple_of(whole) {
            let behind = format!("{:0width$}", self.digits % whole, width = self.scale as usize);
            number = format!("{number}.{}", behind.trim_end_matches('0'));
        } else if self.unit == Unit::Number {
            number += ".0";
        }
        match &self.unit {
            Unit::Whole | Unit::Number => number,
            Unit::Share => number + "%",
            Unit::Rate(per) => format!("{number}/{per}"),
            Unit::Duration => Duration::from_nanos(self.digits).to_string(),
            Unit::Size => Bytes::new(self.digits).to_string(),
        }
    }
}

/// Reads a value of any unit.
fn amount(text: &str) -> Result<Amount, Wrong> {
    let decimal = |unit: Unit, number: &str| {
        let (digits, scale) = decimal(number.trim())?;
        Some(Amount { unit, scale, digits })
    };
    let whole = |unit, digits| Amount { unit, scale: 0, digits };
    let found = if let Some(number) = text.strip_suffix('%') {
        decimal(Unit::Share, number)
    } else if let Some((number, per)) = text.split_once('/') {
        decimal(Unit::Rate(per.trim().to_owned()), number)
    } else if let Ok(digits) = text.parse() {
        Some(whole(Unit::Whole, digits))
    } else if let Ok(duration) = text.parse::<Duration>() {
        Some(whole(Unit::Duration, duration.as_nanos()))
    } else if let Ok(size) = text.parse::<Bytes>() {
        Some(whole(Unit::Size, size.get()))
    } else {
        decimal(Unit::Number, text)
    };
    found.ok_or_else(|| {
        let message = format!("`{text}` is not a value that can be searched");
        (message, "write a whole number, or 1.5, 80%, 120/s, 30s or 8KiB".into())
    })
}

/// The digits of a decimal number, and how many of them stand behind the point.
fn decimal(text: &str) -> Option<(u64, u32)> {
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let scale = behind.len() as u32;
    if whole.is_empty() || !is_number(whole) || !is_number(behind) || scale > SCALE_MAX {
        return None;
    }
    format!("{whole}{behind}").parse().ok().map(|digits| (digits, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, step: Option<&str>) -> Result<Find, String> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        Find::parse(&mut sources, "--find", text, step, &mut problems).ok_or_else(|| problems.render(&sources, false))
    }

    fn values(text: &str, step: Option<&str>) -> Vec<String> {
        let find = parse(text, step).unwrap();
        (0..find.count()).map(|place| find.value(place)).collect()
    }

    #[test]
    fn a_range_is_walked_in_its_own_unit_without_rounding() {
        assert_eq!(values("cluster.nodes=2..5", None), ["2", "3", "4", "5"]);
        assert_eq!(values("a.b=2..8", Some("3")), ["2", "5", "8"]);
        assert_eq!(values("a.b=0%..0.3%", Some("0.1%")), ["0%", "0.1%", "0.2%", "0.3%"]);
        assert_eq!(values("a.b = 50s .. 1m30s", Some("20s")), ["50s", "1m10s", "1m30s"]);
        assert_eq!(values("a.b=90/s..110/s", Some("10/s")), ["90/s", "100/s", "110/s"]);
        assert_eq!(values("a.b=1GiB..2GiB", Some("512MiB")), ["1GiB", "1536MiB", "2GiB"]);
        assert_eq!(values("a.b=1..2", Some("0.5")), ["1.0", "1.5", "2.0"]);
        assert_eq!(values("a.\"x=y\"=7..7", None), ["7"]);
    }

    #[test]
    fn the_distance_of_two_values_is_in_their_unit() {
        let find = parse("cluster.nodes=4..10", None).unwrap();
        assert_eq!(find.distance(0, 2), ("2".into(), Some(0.5)));
        let find = parse("a=0%..100%", Some("1%")).unwrap();
        assert_eq!(find.distance(0, 42), ("42%".into(), None));
    }

    #[test]
    fn mistakes_say_how_to_mend_them() {
        for (text, step, words) in [
            ("cluster.nodes", None, "has no `=`"),
            ("cluster.nodes=5", None, "has no range"),
            ("cluster.nodes=5..2", None, "write the smaller end first"),
            ("cluster.nodes=2..9", Some("3"), "end at 8"),
            ("cluster.nodes=2..9", Some("0"), "goes nowhere"),
            ("cluster.nodes=2..nine", None, "`nine` is not a value"),
            ("a=0%..100%", None, "add --step 1%"),
            ("a=10s..5m", None, "add --step 5s"),
            ("a=10s..5m", Some("5"), "not in one unit"),
            ("a=0..5m", Some("5s"), "not in one unit"),
            ("a=1/s..9/m", Some("1/s"), "not in one unit"),
            ("a=0..99999999", None, "take a larger step"),
            ("seeds=1..9", None, "`seeds` is the same for all"),
            ("a..b=1..9", None, "not a path"),
        ] {
            let message = parse(text, step).unwrap_err();
            assert!(message.contains(words) && message.contains("hint"), "{text}: {message}");
            assert!(message.contains(&format!("--find {text}")), "{text}: {message}");
        }
    }
}
