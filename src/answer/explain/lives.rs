//! One session, one node, or who was where: read off the trace from its beginning.

use super::{Tale, clock, lines, whom};
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::observe::trace::{Happening, Who};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Where a session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Whereabouts {
    /// The node that it is bound to.
    pub bound: Option<NodeId>,
    /// The node that answered it last.
    pub answered: Option<NodeId>,
    /// Whether it is cut off.
    pub is_cut_off: bool,
}

impl Whereabouts {
    /// The node that it is bound to, or else was answered by last; `None` before its first answer.
    pub fn node(self) -> Option<NodeId> {
        self.bound.or(self.answered)
    }
}

/// The live sessions at the end of the tale, and where they are.
pub fn whereabouts(tale: Tale) -> BTreeMap<Who, Whereabouts> {
    let mut live: BTreeMap<Who, Whereabouts> = BTreeMap::new();
    for (_, happening) in (Tale { from: Instant::START, ..tale }).happenings() {
        match *happening {
            Happening::Began { who } => _ = live.insert(who, Whereabouts::default()),
            Happening::Ended { who } => _ = live.remove(&who),
            Happening::Bound { who, node } => {
                if let Some(place) = live.get_mut(&who) {
                    place.bound = Some(node);
                }
            }
            Happening::Opened { who, node } | Happening::Answered { who, node, .. } => {
                if let Some(place) = live.get_mut(&who) {
                    place.answered = Some(node);
                }
            }
            Happening::Harmed { who, harm: crate::base::cause::Harm::Dropped, .. } => {
                if let Some(place) = live.get_mut(&who) {
                    place.is_cut_off = true;
                }
            }
            Happening::Back { who } => {
                if let Some(place) = live.get_mut(&who) {
                    place.is_cut_off = false;
                }
            }
            _ => {}
        }
    }
    live
}

/// How many live sessions were bound to any of these nodes at the end of the tale.
pub(super) fn bound_to(tale: Tale, nodes: &[NodeId]) -> usize {
    let mut bound: BTreeMap<Who, NodeId> = BTreeMap::new();
    for (_, happening) in (Tale { from: Instant::START, ..tale }).happenings() {
        match *happening {
            Happening::Bound { who, node } => _ = bound.insert(who, node),
            Happening::Ended { who } => _ = bound.remove(&who),
            _ => {}
        }
    }
    bound.values().filter(|place| nodes.contains(place)).count()
}

/// Everything that happened to one session; answers in a row become one line. `None` when there was no such session.
pub fn session(tale: Tale, who: Who) -> Option<String> {
    let mut text = format!("{}\n", tale.called(who));
    let own: Vec<(Instant, &Happening)> =
        tale.happenings().filter(|(_, happening)| whom(happening) == Some(who)).collect();
    if own.is_empty() {
        let all = Tale { from: Instant::START, to: Instant::NEVER, ..tale };
        let known = all.happenings().any(|(_, happening)| whom(happening) == Some(who));
        return known.then(|| text + "  nothing happened to it in this time\n");
    }
    let answered_by = |happening: &Happening| match *happening {
        Happening::Answered { node, .. } => Some(node),
        _ => None,
    };
    let same = |a: &(Instant, &Happening), b: &(Instant, &Happening)| {
        answered_by(a.1).is_some() && answered_by(a.1) == answered_by(b.1)
    };
    for run in own.chunk_by(same) {
        let (at, happening) = run[0];
        let _ = match (run.len(), answered_by(happening)) {
            (n, Some(node)) if n > 1 => {
                let (name, last) = (&tale.plan.nodes[node.index()].name, clock(run[n - 1].0));
                writeln!(text, "  {:>12}  {n} requests are answered by {name}, the last at {last}", clock(at))
            }
            _ => writeln!(text, "  {}", lines::line(tale, at, happening)),
        };
    }
    Some(text)
}

/// The life of one node, with the sessions bound to it, and how many were answered by it.
pub fn node(tale: Tale, node: NodeId) -> String {
    let mut text = format!("{}\n", tale.plan.nodes[node.index()].name);
    let mut answered = 0u64;
    for (at, happening) in tale.happenings() {
        match *happening {
            Happening::Answered { node: by, .. } if by == node => answered += 1,
            Happening::Node { node: id, .. }
            | Happening::Marked { node: id, .. }
            | Happening::Struck { node: Some(id), .. }
                if id == node =>
            {
                let bound = bound_to(Tale { from: Instant::START, to: at, ..tale }, &[node]);
                let _ = writeln!(text, "  {}; {bound} sessions are bound to it", lines::line(tale, at, happening));
            }
            _ => {}
        }
    }
    let (from, to) = (clock(tale.from), clock(tale.to));
    let bound = bound_to(tale, &[node]);
    let _ =
        writeln!(text, "  it answered {answered} requests from {from} to {to}; {bound} sessions are bound to it then");
    text
}
