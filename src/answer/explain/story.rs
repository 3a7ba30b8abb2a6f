//! The story of each incident: what it did, what the nodes did, and what became of the sessions.

use super::{Tale, clock, lines, lives, whom};
use crate::base::cause::{Cause, Harm};
use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::observe::incident::Shock;
use crate::observe::recorder::Scope;
use crate::observe::recovery::Eventually;
use crate::observe::signals::{Alarm, Warning};
use crate::observe::trace::{Happening, Turn, Who};
use crate::observe::window::Window;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// So many turning points are told.
const TURNS_MAX: usize = 24;

/// How often one cause did one harm in a stretch of time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Befallen {
    /// What happened.
    pub harm: Harm,
    /// Why.
    pub cause: Cause,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Instant,
    /// The last time.
    pub last: Instant,
}

/// Every harm and cause in the tale, in the order of their numbers.
pub fn befallen(tale: Tale) -> Vec<Befallen> {
    let mut found: BTreeMap<(usize, usize), Befallen> = BTreeMap::new();
    for (at, happening) in tale.happenings() {
        let (harm, cause) = match *happening {
            Happening::Failed { cause, .. } => (Harm::Failed, cause),
            Happening::Harmed { harm, cause, .. } | Happening::StateHarmed { harm, cause, .. } => (harm, cause),
            _ => continue,
        };
        let new = Befallen { harm, cause, count: 0, first: at, last: at };
        let entry = found.entry((harm as usize, cause as usize)).or_insert(new);
        (entry.count, entry.last) = (entry.count + 1, at);
    }
    found.into_values().collect()
}

/// What happened in each incident of the tale, or in all of it where there was none.
pub fn story(tale: Tale) -> String {
    let own = |(scope, window): &&(Scope, Window)| {
        *scope == Scope::All && window.from < tale.to && window.to > tale.from && window.shock.is_some()
    };
    let mut text = String::new();
    strikes(&mut text, tale);
    let incidents: Vec<&Window> = tale.recording.incidents.iter().filter(own).map(|(_, window)| window).collect();
    for window in &incidents {
        incident(&mut text, tale, window);
    }
    if incidents.is_empty() {
        let _ = writeln!(text, "no fault or change is planned from {} to {}", clock(tale.from), clock(tale.to));
        turns(&mut text, tale);
        harms(&mut text, tale);
    }
    text
}

fn incident(text: &mut String, tale: Tale, window: &Window) {
    let Some(shock) = &window.shock else { return };
    let (name, at) = tale.plan.incident(shock.index);
    let until = clock(window.to.min(tale.to));
    let _ = writeln!(text, "{name}, at {}, followed until {until}", clock(at));
    let _ = writeln!(text, "  {} sessions were live just before", shock.live_before);
    let own = Tale { from: window.from.max(tale.from), to: window.to.min(tale.to), ..tale };
    turns(text, own);
    harms(text, own);
    outcome(text, shock);
    signals(text, tale, shock.index);
    text.push('\n');
}

/// A fault that comes at random, at everything that it strikes at once.
struct Strike<'a> {
    at: Instant,
    index: u16,
    // Of the first; the others are nodes, too.
    first: &'a Happening,
    nodes: Vec<NodeId>,
    // When it is over at the last of them; never within the run if nothing says so.
    over: Option<Instant>,
}

/// The strikes in the tale, in order, with their ends wherever those are.
fn struck(tale: Tale<'_>) -> Vec<Strike<'_>> {
    let mut strikes: Vec<Strike> = Vec::new();
    for (at, happening) in (Tale { to: Instant::NEVER, ..tale }).happenings() {
        match *happening {
            Happening::Struck { index, node, over: false } if at < tale.to => match strikes.last_mut() {
                Some(last) if (last.at, last.index) == (at, index) => last.nodes.extend(node),
                _ => {
                    strikes.push(Strike { at, index, first: happening, nodes: node.into_iter().collect(), over: None })
                }
            },
            Happening::Struck { index, node, over: true } => {
                // The last one there: a fault ends at a node before it strikes it again. Strikes after the tale end, too.
                let is_it = |strike: &&mut Strike| {
                    strike.index == index && node.is_none_or(|node| strike.nodes.contains(&node))
                };
                if let Some(strike) = strikes.iter_mut().rev().find(is_it) {
                    strike.over = strike.over.or(Some(at));
                }
            }
            _ => {}
        }
    }
    strikes
}

/// What faults did that come at random. Their harm is that of the whole cluster in that time, since several may last at once.
fn strikes(text: &mut String, tale: Tale) {
    let all = struck(tale);
    if all.is_empty() {
        return;
    }
    let _ = writeln!(text, "what came at random");
    for Strike { at, first, nodes, over, .. } in all.iter().take(TURNS_MAX) {
        let mut line = lines::line(tale, *at, first);
        if let Some(others) = nodes.len().checked_sub(2) {
            let _ = write!(line, " and {} more", others + 1);
        }
        if !nodes.is_empty() {
            let bound = lives::bound_to(Tale { from: Instant::START, to: *at, ..tale }, nodes);
            let _ = write!(line, "; {bound} sessions are bound to {}", if nodes.len() == 1 { "it" } else { "them" });
        }
        let mut harms: BTreeMap<usize, (Harm, u64)> = BTreeMap::new();
        for told in befallen(Tale { from: *at, to: over.unwrap_or(Instant::NEVER), ..tale }) {
            harms.entry(told.harm as usize).or_insert((told.harm, 0)).1 += told.count;
        }
        let harms: Vec<String> = harms.into_values().map(|(harm, n)| format!("{n} {}", harm.name())).collect();
        let until = over.map_or_else(|| "the end".into(), clock);
        let harms = if harms.is_empty() { "nobody harmed".into() } else { harms.join(", ") };
        let _ = writeln!(text, "  {line}; until {until}: {harms}");
    }
    if all.len() > TURNS_MAX {
        let _ = writeln!(text, "                … and {} more strikes: see --trace", all.len() - TURNS_MAX);
    }
    text.push('\n');
}

/// What nodes, balancers and the plan did.
fn turns(text: &mut String, tale: Tale) {
    let is_turn = |happening: &Happening| {
        matches!(happening, Happening::Marked { .. } | Happening::Node { .. } | Happening::Planned { .. })
    };
    let turns: Vec<(Instant, &Happening)> = tale.happenings().filter(|(_, happening)| is_turn(happening)).collect();
    let _ = writeln!(text, "  what happened to the cluster");
    for (at, happening) in turns.iter().take(TURNS_MAX) {
        let mut line = lines::line(tale, *at, happening);
        if let Happening::Node { node, turn: Turn::Down | Turn::Drains } = happening {
            let bound = lives::bound_to(Tale { from: Instant::START, to: *at, ..tale }, &[*node]);
            let _ = write!(line, "; {bound} sessions are bound to it");
        }
        let _ = writeln!(text, "  {line}");
    }
    if turns.len() > TURNS_MAX {
        let _ = writeln!(text, "                … and {} more turns: see --trace", turns.len() - TURNS_MAX);
    }
}

/// What befell sessions and requests, by cause.
fn harms(text: &mut String, tale: Tale) {
    let found = befallen(tale);
    if found.is_empty() {
        let _ = writeln!(text, "  nobody was harmed");
        return;
    }
    let _ = writeln!(text, "  what befell sessions and requests");
    let _ = writeln!(text, "    {:<12}{:>10}  {:<22}{:>14}{:>14}", "harm", "times", "cause", "first", "last");
    for Befallen { harm, cause, count, first, last } in found {
        let (first, last) = (clock(first), clock(last));
        let _ = writeln!(text, "    {:<12}{count:>10}  {:<22}{first:>14}{last:>14}", harm.name(), cause.name());
    }
    let mut sessions: BTreeSet<Who> = BTreeSet::new();
    let is_hit = |happening: &Happening| matches!(happening, Happening::Harmed { .. });
    sessions.extend(tale.happenings().filter(|(_, happening)| is_hit(happening)).filter_map(|(_, h)| whom(h)));
    if !sessions.is_empty() {
        let some: Vec<String> = sessions.iter().take(3).map(|&who| tale.called(who)).collect();
        let _ = writeln!(
            text,
            "    {} distinct sessions were dropped, moved or lost, such as {}: see --session",
            sessions.len(),
            some.join(", ")
        );
    }
}

fn outcome(text: &mut String, shock: &Shock) {
    let share = |n: u64| 100.0 * n as f64 / shock.live_before.max(1) as f64;
    let _ = writeln!(text, "  what the whole of it amounts to");
    for (n, word) in [(shock.dropped, "dropped"), (shock.moved, "moved"), (shock.lost, "lost their state")] {
        if n > 0 {
            let _ = writeln!(text, "    {n} sessions {word}: {:.1} % of those live before", share(n));
        }
    }
    if shock.drops_peak > 0 {
        let _ = writeln!(text, "    {} drops in the worst second", shock.drops_peak);
    }
    for (time, words) in [
        (shock.reconnect, "99 % of the dropped were connected again"),
        (shock.recovery, "error ratio and p99 were back"),
        (shock.rebalance, "the load was even again"),
        (shock.rollout, "the change was complete"),
        (shock.rollback, "it was rolled back"),
    ] {
        let _ = match time {
            None => continue,
            Some(Eventually::After(Duration::ZERO)) => writeln!(text, "    {words} at once, or had never left"),
            Some(Eventually::After(time)) => writeln!(text, "    {words} after {:.1} s", time.as_secs_f64()),
            Some(Eventually::Never) => writeln!(text, "    {words}: never within this time"),
        };
    }
}

/// Who would have noticed, in order.
fn signals(text: &mut String, tale: Tale, incident: u16) {
    let own: Vec<&Warning> = tale.recording.warnings.iter().filter(|warning| warning.incident == incident).collect();
    let Some(first) = own.first() else { return };
    let _ = writeln!(text, "  which signals alarmed");
    let mut alarms: Vec<(Duration, &str)> = Vec::new();
    for warning in &own {
        if let Alarm::After(time) = warning.alarm {
            alarms.push((time, warning.signal.name));
        }
    }
    alarms.sort();
    for (time, names) in alarms.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same)) {
        let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        let _ = writeln!(text, "    after {:>8.1} s  {}", time.as_secs_f64(), names.join(", "));
    }
    let _ = match first.noticed {
        Some(Eventually::After(time)) => writeln!(text, "    after {:>8.1} s  users noticed", time.as_secs_f64()),
        Some(Eventually::Never) => writeln!(text, "    users never noticed"),
        None => writeln!(
            text,
            "    whether users noticed cannot be told: too few requests, nothing to compare with, or bad before"
        ),
    };
}
