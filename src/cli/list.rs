//! `list`: what can be written in a scenario, each with one line of meaning.

use super::{End, print};
use crate::base::cause::Cause;
use crate::base::choice::Alternatives;
use crate::base::dist;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::balancer::balance::Algorithm;
use crate::cluster::balancer::line::Queue;
use crate::cluster::balancer::view::passive::Passive;
use crate::cluster::balancer::view::slow_start::Shape;
use crate::cluster::client::Protocol;
use crate::cluster::client::allowance::Limit;
use crate::cluster::client::reconnect::Backoff;
use crate::cluster::state::Location;
use crate::cluster::{change, fate};
use crate::observe::columns;
use crate::scenario::presets;
use clap::{Args, ValueEnum};
use std::fmt::Write;

/// Show what can be written in a scenario.
#[derive(Args)]
pub struct List {
    /// What to show; everything unless given.
    what: Option<What>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Balance algorithms (`balancer.balance`).
    Balance,
    /// What keeps a session on its node (`balancer.affinity`).
    Affinity,
    /// What attempts prove about nodes (`balancer.passive`).
    Passive,
    /// How a node that comes back gets its weight (`balancer.slow_start.shape`).
    SlowStart,
    /// What becomes of attempts beyond a node's places (`balancer.queue`).
    Queue,
    /// Where session state lives (`[state]`).
    State,
    /// What can go wrong (`[fault.<name>]`).
    Fault,
    /// What we change ourselves (`[change.<name>]`).
    Change,
    /// How clients talk (`protocol`).
    Protocol,
    /// Waits before a client tries again (`reconnect`, `retry.backoff`).
    Reconnect,
    /// What limits retries besides their number (`retry.limit`).
    RetryLimit,
    /// Products whose documented defaults can be had with one word (`balancer.preset` and others), with their sources.
    Preset,
    /// Laws of chance, for every duration or number that may vary.
    Law,
    /// Figures: columns of the result files and keys of `[slo]`.
    Column,
    /// Causes of failures, drops, moves and losses.
    Cause,
}

impl List {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let mut text = String::new();
        match self.what {
            Some(what) => what.show(&mut text),
            None => {
                for (i, what) in What::value_variants().iter().enumerate() {
                    let name = what.to_possible_value().map(|value| value.get_name().to_owned());
                    let _ = writeln!(text, "{}{}:", if i > 0 { "\n" } else { "" }, name.unwrap_or_default());
                    what.show(&mut text);
                }
            }
        }
        print(&text)
    }
}

impl What {
    fn show(self, text: &mut String) {
        let lines: Vec<(&str, String)> = match self {
            What::Preset => return show_presets(text),
            What::Balance => named::<Algorithm>(),
            What::Affinity => named::<Affinity>(),
            What::Passive => named::<Passive>(),
            What::SlowStart => named::<Shape>(),
            What::Queue => named::<Queue>(),
            What::State => named::<Location>(),
            What::Fault => named::<fate::Written>(),
            What::Change => named::<change::Written>(),
            What::Protocol => named::<Protocol>(),
            What::Reconnect => named::<Backoff>(),
            What::RetryLimit => named::<Limit>(),
            What::Law => dist::NAMES.iter().map(|&(name, meaning)| (name, meaning.to_owned())).collect(),
            What::Cause => Cause::ALL.into_iter().map(|cause| (cause.name(), cause.meaning().to_owned())).collect(),
            What::Column => columns::all().map(|column| (column.name, with_unit(column))).collect(),
        };
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, meaning) in lines {
            let _ = writeln!(text, "  {name:width$}  {meaning}");
        }
    }
}

/// Every preset with its keys: what they are worth depends on where they come from.
fn show_presets(text: &mut String) {
    let places = [
        ("balancer.preset", presets::ALL),
        ("store.<name>.preset", presets::STORES),
        ("clients.<name>.preset", presets::CLIENTS),
    ];
    for (key, all) in places {
        for preset in all {
            let _ = writeln!(text, "  {}  {} (`{key}`)", preset.name, preset.meaning);
            for line in preset.text.lines() {
                let _ = writeln!(text, "      {line}");
            }
        }
    }
}

fn named<T: Alternatives>() -> Vec<(&'static str, String)> {
    T::NAMES.iter().map(|&(name, meaning)| (name, meaning.to_owned())).collect()
}

fn with_unit(column: &columns::Column) -> String {
    match column.unit {
        "" => column.meaning.to_owned(),
        unit => format!("[{unit}] {}", column.meaning),
    }
}
