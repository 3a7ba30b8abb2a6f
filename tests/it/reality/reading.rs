//! How is a measured figure read off a simulated run? One alternative per way of measuring.

use super::observed::{Asked, Observed};
use serde::Deserialize;
use std::collections::BTreeMap;
use stickysim::base::id::NodeId;
use stickysim::observe::trace::Happening;

/// A way of reading a figure. Times are seconds after the fault; nothing given means at the end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reading {
    /// Connections per node.
    Connections,
    /// A measure of how connections are spread, at the end, without some nodes.
    Spread {
        measure: Measure,
        #[serde(default)]
        without: Vec<String>,
    },
    /// The same, averaged over `looks` looks, one a second, the first at `from`.
    SpreadOverTime { measure: Measure, from: f64, looks: u32 },
    /// A node's part of all connections.
    Share { node: String, at: f64 },
    /// Connections that hung on a node just before the fault.
    Held { node: String },
    /// How many of them it lost.
    HeldAndLost { node: String },
    /// When it lost the first.
    FirstLost { node: String },
    /// New connections to it, counted from `after`.
    Opened {
        node: String,
        #[serde(default)]
        after: f64,
    },
    /// New connections per node after the fault.
    Gained,
    /// The mean of those of all nodes but one.
    GainedWithout { node: String },
    /// Time until so large a share of those who lost a connection had another one.
    Back { share: f64 },
    /// How many lost a connection and never had another.
    NeverBack,
    /// Tries to connect that failed, per connection that hung on a node just before the fault.
    FailedPerVictim { node: String },
    /// Tries to connect that failed.
    FailedTries,
    /// Connections lost per client.
    LostPerClient,
    /// The most that any client lost.
    LostMost,
    /// Share of clients that lost so many.
    LostTimes { times: u32 },
    /// Connections per node before each server went and at the end.
    Steps,
    /// When a node was marked down (or up).
    Marked {
        node: String,
        #[serde(default)]
        up: bool,
    },
    /// A node's part of the sessions that began within a time.
    PartOfNew { node: String, from: f64, to: f64 },
    /// A node's part of the sessions under way.
    PartOfActive { node: String, at: f64 },
    /// Of the requests of certain sessions begun within a phase: how many of them ended so.
    Requests { of: Of, phase: Phase, what: What },
    /// Share of sessions whose last answers within two times came from different nodes.
    Moved {
        first: [f64; 2],
        then: [f64; 2],
        #[serde(default)]
        of: Option<String>,
    },
    /// Share of sessions that a node served within `first` that it also served within `then`.
    Returned { node: String, first: [f64; 2], then: [f64; 2] },
    /// A node's part of the sessions that were answered within a time.
    Served { node: String, within: [f64; 2] },
    /// Requests that failed.
    Failures,
}

/// How uneven a number of connections is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The mean itself.
    Mean,
    /// The largest by the mean.
    MaxOverMean,
    /// Standard deviation (n below the line).
    Sd,
    /// The same by the mean.
    Cv,
}

/// Whose requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// All.
    All,
    /// Those bound to this node when they asked.
    Bound(String),
    /// Those bound to others.
    BoundElsewhere(String),
    /// Those bound to nobody yet.
    New,
    /// Those of sessions from before the fault that were first bound to this node.
    KnownTo(String),
    /// Those of sessions from before the fault that were first bound to another.
    KnownToOthers(String),
}

/// Within what time requests began.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From so long to so long after the fault.
    Within([f64; 2]),
    /// From the fault until the node was marked down, or so long after the fault at most.
    Blind(String, f64),
    /// From then until so long after the fault.
    Known(String, f64),
}

/// What is counted of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Share answered by this node.
    By(String),
    /// Share answered by another.
    ByOthers(String),
    /// Share that failed.
    Failed,
    /// The median time they took.
    P50,
    /// The longest.
    Max,
}

impl Measure {
    fn of(self, values: &[f64]) -> f64 {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = || (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
        match self {
            Measure::Mean => mean,
            Measure::MaxOverMean => values.iter().copied().fold(0.0, f64::max) / mean,
            Measure::Sd => sd(),
            Measure::Cv => sd() / mean,
        }
    }
}

impl Reading {
    /// The figure of one run; nothing when what it times or divides by never came.
    pub fn read(&self, run: &Observed) -> Option<Vec<f64>> {
        let one = |value: f64| Some(vec![value]);
        match self {
            Reading::Connections => Some(run.connected(run.end)),
            Reading::Spread { measure, without } => {
                let left_out: Vec<NodeId> = without.iter().map(|name| run.node(name)).collect();
                let all = run.connected(run.end);
                let kept = (0..).map(NodeId).zip(all).filter(|(node, _)| !left_out.contains(node));
                one(measure.of(&kept.map(|(_, count)| count).collect::<Vec<f64>>()))
            }
            Reading::SpreadOverTime { measure, from, looks } => {
                let looks = (0..*looks).map(|n| measure.of(&run.connected(from + f64::from(n))));
                mean(&looks.collect::<Vec<f64>>()).and_then(one)
            }
            Reading::Share { node, at } => {
                let all = run.connected(*at);
                one(all[run.node(node).index()] / all.iter().sum::<f64>())
            }
            Reading::Held { node } => one(held(run, node).len() as f64),
            Reading::HeldAndLost { node } => one(lost(run, node).count() as f64),
            Reading::FirstLost { node } => lost(run, node).reduce(f64::min).and_then(one),
            Reading::Opened { node, after } => one(run.count(opened(run, *after))[run.node(node).index()]),
            Reading::Gained => Some(run.count(opened(run, 0.0))),
            Reading::GainedWithout { node } => {
                let mut gained = run.count(opened(run, 0.0));
                gained.remove(run.node(node).index());
                mean(&gained).and_then(one)
            }
            Reading::Back { share } => quantile(back(run)?, *share).and_then(one),
            Reading::NeverBack => {
                one(back(run).unwrap_or_default().into_iter().filter(|t| t.is_infinite()).count() as f64)
            }
            Reading::FailedPerVictim { node } => one(failed_tries(run) / held(run, node).len() as f64),
            Reading::FailedTries => one(failed_tries(run)),
            Reading::LostPerClient | Reading::LostMost | Reading::LostTimes { .. } => self.losses(run).and_then(one),
            Reading::Steps => Some(steps(run)),
            Reading::Marked { node, up } => run.marked(run.node(node), *up).filter(|&at| at <= run.end).and_then(one),
            Reading::PartOfNew { .. } | Reading::PartOfActive { .. } => self.part(run).and_then(one),
            Reading::Requests { of, phase, what } => requests(run, of, phase, what).and_then(one),
            Reading::Failures => one(run.requests().iter().filter(|asked| asked.by.is_none()).count() as f64),
            Reading::Moved { .. } | Reading::Returned { .. } | Reading::Served { .. } => self.homes(run).and_then(one),
        }
    }

    /// Connections that clients lost.
    fn losses(&self, run: &Observed) -> Option<f64> {
        let mut lost = BTreeMap::new();
        for connection in run.connections() {
            *lost.entry(connection.who).or_insert(0) += u32::from(connection.closed <= run.end);
        }
        let clients = lost.len() as f64;
        Some(match self {
            Reading::LostMost => f64::from(*lost.values().max()?),
            Reading::LostTimes { times } => lost.values().filter(|&n| n == times).count() as f64 / clients,
            _ => lost.values().map(|&n| f64::from(n)).sum::<f64>() / clients,
        })
    }

    /// A node's part of sessions.
    fn part(&self, run: &Observed) -> Option<f64> {
        let (node, nodes): (_, Vec<NodeId>) = match self {
            Reading::PartOfNew { node, from, to } => {
                let (first, sessions) = (run.first_bound(), run.sessions());
                let new = sessions.iter().filter(|(_, (began, _))| from < began && began <= to);
                (node, new.filter_map(|(who, _)| first.get(who).copied()).collect())
            }
            Reading::PartOfActive { node, at } => (node, run.bound(*at).into_values().collect()),
            _ => unreachable!("asked of no other reading"),
        };
        let node = run.node(node);
        mean(&nodes.iter().map(|&n| f64::from(u8::from(n == node))).collect::<Vec<f64>>())
    }

    /// Where sessions are served.
    fn homes(&self, run: &Observed) -> Option<f64> {
        let last = |&[from, to]: &[f64; 2]| {
            let asked = run.requests().into_iter().filter(move |asked| (from..to).contains(&asked.at));
            asked.filter_map(|asked| Some((asked.who, asked.by?))).collect::<BTreeMap<_, _>>()
        };
        let share = |hits: Vec<bool>| mean(&hits.into_iter().map(|hit| f64::from(u8::from(hit))).collect::<Vec<f64>>());
        match self {
            Reading::Moved { first, then, of } => {
                let (before, after, of) = (last(first), last(then), of.as_ref().map(|name| run.node(name)));
                let both = before.iter().filter_map(|(who, node)| Some((node, after.get(who)?)));
                share(both.filter(|(node, _)| of.is_none_or(|of| of == **node)).map(|(a, b)| a != b).collect())
            }
            Reading::Returned { node, first, then } => {
                let (node, after) = (run.node(node), last(then));
                let there = last(first).into_iter().filter(|&(_, home)| home == node);
                share(there.filter_map(|(who, _)| Some(*after.get(&who)? == node)).collect())
            }
            Reading::Served { node, within } => {
                let node = run.node(node);
                share(last(within).into_values().map(|home| home == node).collect())
            }
            _ => unreachable!("asked of no other reading"),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Until when the connections lived that hung on `node` just before the fault.
fn held(run: &Observed, node: &str) -> Vec<f64> {
    let node = run.node(node);
    let held = run.connections().into_iter().filter(|c| c.node == node && c.opened < 0.0 && c.closed >= 0.0);
    held.map(|connection| connection.closed).collect()
}

/// When it lost those that it lost while the run was watched.
fn lost(run: &Observed, node: &str) -> impl Iterator<Item = f64> {
    let end = run.end;
    held(run, node).into_iter().filter(move |&closed| closed <= end)
}

/// Where connections were opened after the fault.
fn opened(run: &Observed, after: f64) -> impl Iterator<Item = NodeId> {
    let end = run.end;
    run.connections().into_iter().filter(move |c| c.opened > after && c.opened <= end).map(|c| c.node)
}

/// For each client that lost a connection after the fault, how long it took to have another; nothing when
/// nobody did.
fn back(run: &Observed) -> Option<Vec<f64>> {
    let connections = run.connections();
    let lost = connections.iter().filter(|c| (0.0..=run.end).contains(&c.closed));
    let next = |who, after| {
        let later = connections.iter().filter(|c| c.who == who && c.opened >= after && c.opened <= run.end);
        later.map(|c| c.opened - after).fold(f64::INFINITY, f64::min)
    };
    let back: Vec<f64> = lost.map(|c| next(c.who, c.closed)).collect();
    (!back.is_empty()).then_some(back)
}

/// The value that this share of all is at or below; nothing when that never came.
fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = (share * (values.len() - 1) as f64).round() as usize;
    Some(values[place]).filter(|value| value.is_finite())
}

fn failed_tries(run: &Observed) -> f64 {
    let failed = |&(at, happening): &(f64, _)| at <= run.end && matches!(happening, Happening::NotOpened { .. });
    run.happenings().filter(failed).count() as f64
}

/// Connections per node before each burst of losses and at the end. Losses less than half a second apart are
/// one burst.
fn steps(run: &Observed) -> Vec<f64> {
    let connections = run.connections();
    let mut losses: Vec<f64> = connections.iter().map(|c| c.closed).filter(|&at| at <= run.end).collect();
    losses.sort_by(f64::total_cmp);
    let mut before: Vec<f64> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for at in losses {
        if at - last > 0.5 {
            before.push(at);
        }
        last = at;
    }
    // Just before: a connection that is closed at that instant still counts.
    let standing = |at: f64| run.count(connections.iter().filter(|c| c.opened < at && at <= c.closed).map(|c| c.node));
    before.push(run.end);
    before.into_iter().flat_map(standing).collect()
}

fn requests(run: &Observed, of: &Of, phase: &Phase, what: &What) -> Option<f64> {
    let marked = |node: &String| run.marked(run.node(node), false).unwrap_or(f64::INFINITY);
    let (from, to) = match phase {
        Phase::Within([from, to]) => (*from, *to),
        Phase::Blind(node, to) => (0.0, marked(node).min(*to)),
        Phase::Known(node, to) => (marked(node), *to),
    };
    let (sessions, first) = (run.sessions(), run.first_bound());
    let known = |asked: &Asked| first.get(&asked.who).filter(|_| sessions[&asked.who].0 < 0.0).copied();
    let theirs = |asked: &Asked| match of {
        Of::All => true,
        Of::Bound(node) => asked.bound == Some(run.node(node)),
        Of::BoundElsewhere(node) => asked.bound.is_some_and(|bound| bound != run.node(node)),
        Of::New => asked.bound.is_none(),
        Of::KnownTo(node) => known(asked) == Some(run.node(node)),
        Of::KnownToOthers(node) => known(asked).is_some_and(|known| known != run.node(node)),
    };
    let mut asked = run.requests();
    asked.retain(|asked| from <= asked.at && asked.at < to && theirs(asked));
    let share = |counts: &dyn Fn(&Asked) -> bool| {
        mean(&asked.iter().map(|asked| f64::from(u8::from(counts(asked)))).collect::<Vec<f64>>())
    };
    match what {
        What::By(node) => share(&|asked| asked.by == Some(run.node(node))),
        What::ByOthers(node) => share(&|asked| asked.by.is_some_and(|by| by != run.node(node))),
        What::Failed => share(&|asked| asked.by.is_none()),
        What::P50 if asked.is_empty() => None,
        What::P50 => quantile(asked.iter().map(|asked| asked.took).collect(), 0.5),
        What::Max => asked.iter().map(|asked| asked.took).reduce(f64::max),
    }
}
