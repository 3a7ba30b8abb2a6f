//! One happening as a line: for people, and for programs.

use super::{Tale, clock};
use crate::base::cause::Harm;
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::observe::trace::{Happening, Stage, Turn};
use serde_json::{Value, json};

/// A happening in words, without its time.
pub fn words(tale: Tale, happening: &Happening) -> String {
    let node = |node: NodeId| tale.plan.nodes[node.index()].name.as_str();
    match *happening {
        Happening::Began { .. } => "begins".into(),
        Happening::Ended { .. } => "is over".into(),
        Happening::Bound { node: id, .. } => format!("is bound to {}", node(id)),
        Happening::Opened { node: id, .. } => format!("is connected to {}", node(id)),
        Happening::Closed { node: id, .. } => format!("has lost its connection to {}", node(id)),
        Happening::NotOpened { cause, .. } => format!("is not let in: {}", cause.name()),
        Happening::Answered { node: id, after, .. } => format!("is answered by {} after {}", node(id), millis(after)),
        Happening::Failed { cause, after, .. } => format!("a request fails after {}: {}", millis(after), cause.name()),
        Happening::Harmed { harm, cause, .. } => match harm {
            Harm::Lost => format!("its state is lost: {}", cause.name()),
            Harm::Moved => format!("is moved: {}", cause.name()),
            _ => format!("is dropped: {}", cause.name()),
        },
        Happening::StateHarmed { harm: Harm::StaleRead, cause, .. } => format!("a stale read: {}", cause.name()),
        Happening::StateHarmed { cause, .. } => format!("a write is lost: {}", cause.name()),
        Happening::Back { .. } => "is back".into(),
        Happening::Marked { node: id, up: true } => format!("the balancer finds {} up", node(id)),
        Happening::Marked { node: id, up: false } => format!("the balancer finds {} down", node(id)),
        Happening::Node { node: id, turn } => format!("{} {}", node(id), turn_words(turn)),
        Happening::Planned { index, stage } => {
            let (name, _) = tale.plan.incident(index);
            let stage = match stage {
                Stage::Begins => "begins",
                Stage::Completed => "is complete",
                Stage::GivenUp => "is given up: nothing gets on",
                Stage::RolledBack => "is rolled back",
            };
            format!("{name} {stage}")
        }
        Happening::Struck { index, node: id, over } => {
            let fault = &tale.plan.faults[usize::from(index)];
            let store = || fault.kind.at_store().map_or("its store", |at| &at.store);
            let whom = id.map_or_else(store, node);
            format!("{} {} {whom}", fault.name, if over { "is over at" } else { "strikes" })
        }
    }
}

fn turn_words(turn: Turn) -> &'static str {
    match turn {
        Turn::Starts => "is started",
        Turn::Listens => "listens",
        Turn::Down => "is down",
        Turn::Drains => "takes nobody new",
        Turn::Takes => "takes sessions again",
        Turn::OutOfMemory => "is out of memory",
    }
}

fn millis(after: Duration) -> String {
    format!("{:.1} ms", after.as_secs_f64() * 1e3)
}

/// A happening as a JSON object: a line of a trace file.
pub fn json(tale: Tale, at: Instant, happening: &Happening) -> Value {
    let what = match happening {
        Happening::Began { .. } => "began",
        Happening::Ended { .. } => "ended",
        Happening::Bound { .. } => "bound",
        Happening::Opened { .. } => "opened",
        Happening::Closed { .. } => "closed",
        Happening::NotOpened { .. } => "not_opened",
        Happening::Answered { .. } => "answered",
        Happening::Failed { .. } => "failed",
        Happening::Harmed { harm, .. } | Happening::StateHarmed { harm, .. } => harm.name(),
        Happening::Back { .. } => "back",
        Happening::Marked { up: true, .. } => "marked_up",
        Happening::Marked { up: false, .. } => "marked_down",
        Happening::Node { turn, .. } => match turn {
            Turn::Starts => "node_started",
            Turn::Listens => "node_listens",
            Turn::Down => "node_down",
            Turn::Drains => "node_drains",
            Turn::Takes => "node_takes",
            Turn::OutOfMemory => "node_out_of_memory",
        },
        Happening::Planned { stage, .. } => match stage {
            Stage::Begins => "incident",
            Stage::Completed => "completed",
            Stage::GivenUp => "given_up",
            Stage::RolledBack => "rolled_back",
        },
        Happening::Struck { over: false, .. } => "struck",
        Happening::Struck { over: true, .. } => "strike_over",
    };
    let mut line = json!({ "t_s": at.as_secs_f64(), "what": what });
    if let Some(who) = super::whom(happening) {
        line["population"] = tale.plan.populations[who.population.index()].name.as_str().into();
        line["session"] = super::ordinal(who).into();
    }
    let node = |node: NodeId| Value::from(tale.plan.nodes[node.index()].name.as_str());
    match *happening {
        Happening::Bound { node: id, .. }
        | Happening::Opened { node: id, .. }
        | Happening::Closed { node: id, .. }
        | Happening::Marked { node: id, .. }
        | Happening::Node { node: id, .. } => line["node"] = node(id),
        Happening::Answered { node: id, after, .. } => {
            line["node"] = node(id);
            line["after_ms"] = (after.as_secs_f64() * 1e3).into();
        }
        Happening::Failed { cause, after, .. } => {
            line["cause"] = cause.name().into();
            line["after_ms"] = (after.as_secs_f64() * 1e3).into();
        }
        Happening::NotOpened { cause, .. } | Happening::Harmed { cause, .. } => line["cause"] = cause.name().into(),
        Happening::StateHarmed { population, cause, .. } => {
            line["population"] = tale.plan.populations[population.index()].name.as_str().into();
            line["cause"] = cause.name().into();
        }
        Happening::Planned { index, .. } => line["incident"] = tale.plan.incident(index).0.into(),
        Happening::Struck { index, node: id, .. } => {
            let fault = &tale.plan.faults[usize::from(index)];
            line["fault"] = fault.name.as_str().into();
            match (id, fault.kind.at_store()) {
                (Some(id), _) => line["node"] = node(id),
                (None, at) => line["store"] = at.map(|at| at.store.as_str()).into(),
            }
        }
        Happening::Began { .. } | Happening::Ended { .. } | Happening::Back { .. } => {}
    }
    line
}

/// A line for people, with its time.
pub(super) fn line(tale: Tale, at: Instant, happening: &Happening) -> String {
    format!("{:>12}  {}", clock(at), words(tale, happening))
}
