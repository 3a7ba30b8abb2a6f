//! How is a limit written? `response_time_ms_p99 = "< 250ms"`: a column's name, a relation, a bound with
//! its unit.

use super::words::{self, nearest};
use super::{Problem, Problems, Table, read_each};
use crate::base::time::Duration;
use crate::base::units::{Rate, Share};
use crate::observe::columns::{self, Column, File};
use crate::observe::slo::{Limit, Relation};

/// Reads `[slo]`.
pub fn read(table: &Table, problems: &mut Problems) -> Vec<Limit> {
    let Some(node) = table.get("slo") else { return Vec::new() };
    let written: Vec<(String, String)> = read_each(node, problems, "slo");
    let mut limits = Vec::new();
    for (name, text) in written {
        match limit(&name, &text) {
            Ok(limit) => limits.push(limit),
            Err((message, hint)) => {
                // The name is wrong, or what is said of it.
                let is_known = columns::named(&name).is_some();
                let value = || super::lookup_span_of(table, &["slo", &name]);
                let place = if is_known { value() } else { super::key_span(node, &name) };
                problems.push(Problem::error(message).at(place).hint(hint));
            }
        }
    }
    limits
}

/// The figure of runs or incidents with this name; message and hint where there is none.
pub(super) fn figure(name: &str) -> Result<&'static Column, (String, String)> {
    let gated = || columns::all().filter(|c| c.files.contains(&File::Runs) || c.files.contains(&File::Incidents));
    gated().find(|column| column.name == name).ok_or_else(|| {
        let known: Vec<String> = gated().map(|column| column.name.to_owned()).collect();
        let near = nearest(name, &known).map(|near| format!("did you mean `{near}`? "));
        let hint = format!("{}`stickysim list column` shows them all", near.unwrap_or_default());
        (format!("there is no figure `{name}` of a run or an incident"), hint)
    })
}

fn limit(name: &str, text: &str) -> Result<Limit, (String, String)> {
    let column = figure(name)?;
    let (relation, rest) = relation(text.trim()).ok_or_else(|| {
        let message = format!("`{text}` does not say on which side of the bound {name} must stay");
        (message, format!("write \"< {}\"", example(column)))
    })?;
    let bound = bound(column, rest.trim()).map_err(|why| {
        (format!("slo.{name}: {}", words::mend(&why).0), format!("write \"{} {}\"", relation.sign(), example(column)))
    })?;
    Ok(Limit { column, relation, bound })
}

fn relation(text: &str) -> Option<(Relation, &str)> {
    // Longer signs first.
    let signs = [Relation::LessOrEqual, Relation::GreaterOrEqual, Relation::Less, Relation::Greater];
    signs.into_iter().find_map(|relation| text.strip_prefix(relation.sign()).map(|rest| (relation, rest)))
}

/// The bound in the column's own unit.
fn bound(column: &Column, text: &str) -> Result<f64, String> {
    match column.unit {
        "ms" => text.parse::<Duration>().map(Duration::as_millis_f64),
        "s" => text.parse::<Duration>().map(Duration::as_secs_f64),
        "1/s" => text.parse::<Rate>().map(Rate::per_second),
        _ if column.name.contains("_ratio") => match text.parse::<f64>() {
            Ok(ratio) => Ok(ratio),
            Err(_) => text.parse::<Share>().map(Share::ratio),
        },
        _ => text.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| format!("`{text}` is not a number")),
    }
}

fn example(column: &Column) -> &'static str {
    match column.unit {
        "ms" => "250ms",
        "s" => "30s",
        "1/s" => "100/s",
        _ if column.name.contains("_ratio") => "0.1%",
        _ => "1.5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_in_the_unit_of_their_column() {
        let bound = |name, text| limit(name, text).map(|l| (l.relation, l.bound)).unwrap();
        assert_eq!(bound("response_time_ms_p99", "< 0.25s"), (Relation::Less, 250.0));
        assert_eq!(bound("sessions_lost_ratio", "<= 0.1%"), (Relation::LessOrEqual, 0.001));
        assert_eq!(bound("recovery_time_s", "<2m"), (Relation::Less, 120.0));
        assert_eq!(bound("goodput_rps", "> 100/s"), (Relation::Greater, 100.0));
        assert_eq!(bound("sessions_peak_to_mean", "< 1.5"), (Relation::Less, 1.5));
    }

    #[test]
    fn mistakes_say_how_to_mend_them() {
        let wrong = |name, text| limit(name, text).unwrap_err();
        assert!(wrong("response_time_ms_p98", "< 1s").1.starts_with("did you mean `response_time_ms_p9"));
        assert_eq!(wrong("response_time_ms_p99", "250ms").1, "write \"< 250ms\"");
        assert!(wrong("response_time_ms_p99", "< 250").0.contains("needs a unit"));
    }
}
