//! What does a product do when nothing is configured? Its documented defaults, as a layer below the file.
//!
//! A preset is a text like a scenario, with a source beside every key. It is laid under everything that the file,
//! the variant, the sweep and `--set` say, so any key can be overridden. To add one: write its file here, then
//! its line in [`ALL`].

use super::words::nearest;
use super::{Choices, LayerId, Problem, Problems, Sources, Table, lookup_span_of, merge};
use std::collections::BTreeMap;
use toml::de::DeValue;

/// A product's documented defaults.
#[derive(Debug)]
pub struct Preset {
    /// As written in a scenario.
    pub name: &'static str,
    /// One line for `stickysim list preset`.
    pub meaning: &'static str,
    /// The layer, with its sources as comments.
    pub text: &'static str,
}

/// All presets of `balancer.preset`.
pub const ALL: &[Preset] = &[Preset {
    name: "haproxy",
    meaning: "HAProxy 2.6 in front of HTTP servers that are checked",
    text: include_str!("haproxy.toml"),
}];

/// The presets that were used so far: each text is read once, however many cells there are.
#[derive(Default)]
pub(super) struct Shelf(BTreeMap<&'static str, LayerId>);

impl Shelf {
    /// Lays the preset that `table` names under it.
    pub fn lay_under(
        &mut self,
        table: Table,
        sources: &mut Sources,
        problems: &mut Problems,
        choices: &Choices,
    ) -> Table {
        let Some(name) = named(&table) else { return table };
        let Some(preset) = ALL.iter().find(|preset| preset.name == name) else {
            let names: Vec<String> = ALL.iter().map(|preset| preset.name.to_owned()).collect();
            let mut problem = Problem::error(format!("there is no preset `{name}`"));
            if let Some(span) = lookup_span_of(&table, &["balancer", "preset"]) {
                problem = problem.at(span);
            }
            problems.push(match nearest(&name, &names) {
                Some(near) => problem.hint(format!("did you mean `{near}`? See `stickysim list preset`")),
                None => problem.hint("see `stickysim list preset`"),
            });
            return table;
        };
        let layer = *self.0.entry(preset.name).or_insert_with(|| sources.add(format!("preset {name}"), preset.text));
        let Some(mut below) = sources.parse(layer, problems) else { return table };
        merge(&mut below, table, choices);
        below
    }
}

fn named(table: &Table) -> Option<String> {
    match table.get("balancer")?.get_ref() {
        DeValue::Table(balancer) => match balancer.get("preset")?.get_ref() {
            DeValue::String(name) => Some(name.to_string()),
            _ => None,
        },
        _ => None,
    }
}
