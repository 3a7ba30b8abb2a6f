//! How is it written how well figures must be known? `[precision]`: a column's name and a share of its mean.

use super::slo::figure;
use super::{Problem, Problems, Table, read_each};
use crate::base::units::Share;
use crate::observe::goal::Goal;

/// Reads `[precision]`.
pub fn read(table: &Table, problems: &mut Problems) -> Vec<Goal> {
    let Some(node) = table.get("precision") else { return Vec::new() };
    let written: Vec<(String, Share)> = read_each(node, problems, "precision");
    let mut goals = Vec::new();
    for (name, share) in written {
        let value = || super::lookup_span_of(table, &["precision", &name]);
        let share = share.ratio();
        match figure(&name) {
            Err((message, hint)) => {
                problems.push(Problem::error(message).at(super::key_span(node, &name)).hint(hint));
            }
            Ok(_) if !(0.001..=1.0).contains(&share) => {
                let message = format!("{name} cannot be known to {}%", share * 100.0);
                problems.push(Problem::error(message).at(value()).hint("write a share from \"0.1%\" to \"100%\""));
            }
            Ok(column) => goals.push(Goal { column, share }),
        }
    }
    goals
}
