//! Measured values from a file: one quantity with its unit per line.
//!
//! Empty lines and lines with `#` are skipped, and so is a first line that is not a quantity: the
//! header. Every other bad line is an error with its number.

use std::path::Path;

use crate::base::units::Unit;

/// Things, each with the number of the line it stands on.
type Lines<T> = Vec<(usize, T)>;

/// The values in the file at `path`, or sentences that say what is wrong with it.
pub fn read<U: Unit>(path: &Path) -> Result<Vec<U>, Vec<String>> {
    read_lines(path).map(|lines| lines.into_iter().map(|(_, value)| value).collect())
}

/// The same, each with the number of its line.
pub fn read_lines<U: Unit>(path: &Path) -> Result<Lines<U>, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| vec![format!("cannot read {}: {e}", path.display())])?;
    parse(&text).map_err(|bad| bad.into_iter().map(|(line, why)| format!("{}:{line}: {why}", path.display())).collect())
}

fn parse<U: Unit>(text: &str) -> Result<Lines<U>, Lines<String>> {
    let mut values = Vec::new();
    let mut bad = Vec::new();
    let lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
    let content =
        lines.map(|(line, n)| (line.trim(), n)).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    for (i, (line, n)) in content.enumerate() {
        match line.trim_matches('"').parse::<U>() {
            Ok(value) => values.push((n, value)),
            // A header has no digit first; `30` without its unit must not pass as one.
            Err(_) if i == 0 && !line.starts_with(|c: char| c.is_ascii_digit() || "\"-+.".contains(c)) => {}
            Err(why) => bad.push((n, why)),
        }
    }
    // One wrong unit often means a thousand wrong lines: a few show it.
    bad.truncate(5);
    if bad.is_empty() { Ok(values) } else { Err(bad) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    #[test]
    fn header_comments_and_empty_lines_are_skipped() {
        let text = "duration\n# measured on Monday\n\n1s\n  500ms \n\"2s\"\n";
        let expected = [(4, 1_000), (5, 500), (6, 2_000)].map(|(n, ms)| (n, Duration::from_millis(ms))).to_vec();
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn a_value_without_unit_is_no_header() {
        let error = parse::<Duration>("30\n1s\nbad\n").unwrap_err();
        assert_eq!(error.iter().map(|e| e.0).collect::<Vec<_>>(), [1, 3]);
        assert!(error[0].1.contains("write \"30s\""), "{error:?}");
    }
}
