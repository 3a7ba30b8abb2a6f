//! Which runs answer the four questions? Each is a plain `run` or `sweep` of the scenario with some keys left out and some
//! set, so that the command which repeats it can be printed.
//!
//! A settled instant is 2 min, or 60 ticks, after the warm-up. Faults of the scenario are left out of all of them: what one
//! dead node does should not be mixed with what else goes wrong. A rolling change of its own is the deploy, with its drain
//! and pauses; where there is none, a plain one is: one node after another, drained for at most 30 s.

use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::experiment::Cell;

/// The fault that kills a node.
pub const DEATH: &str = "node_dies";
/// The version that fails.
pub const BAD: &str = "checklist-bad";
/// The limit where the scenario has none.
pub const ASSUMED: &str = "slo.requests_failed_ratio=< 1%";

const DEPLOY: &str = "deploy";
/// More rows per tick than anybody looks at.
const TICKS_MAX: u64 = 3_600;
/// A longer tick hides what follows a death.
const TICK_MAX: Duration = Duration::from_secs(10);
/// Ticks in seconds, where the scenario's own does not fit.
const TICKS: [u64; 11] = [1, 5, 10, 15, 30, 60, 300, 600, 900, 3_600, 86_400];

/// Runs that answer something, kept in a folder of their own.
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    /// The folder, within that of the checklist.
    pub folder: &'static str,
    /// Keys that are left out.
    pub without: Vec<String>,
    /// Keys that are set.
    pub sets: Vec<String>,
    /// The key that is swept, and its values.
    pub vary: Vec<String>,
    /// Whether rows per node are kept.
    pub nodes: bool,
}

/// A scenario as it stands, and what the command line changes in it.
pub struct Scene<'a> {
    /// Its cells.
    pub cells: &'a [Cell],
    /// Keys that the command line leaves out.
    pub without: &'a [String],
    /// Keys that it sets.
    pub sets: &'a [String],
    /// Whether the file says anything of a key.
    pub is_written: &'a dyn Fn(&str) -> bool,
    /// Whether it has limits.
    pub has_slo: bool,
    /// The share of requests that a bad version fails.
    pub bad: Share,
}

/// Everything that is run, and what must be known to read the results.
#[derive(Clone, Debug)]
pub struct Design {
    /// What one node holds while nothing happens; then what its death does.
    pub held: Experiment,
    /// One node dies.
    pub death: Experiment,
    /// So many nodes leave at once; `None` with a single node.
    pub leave: Option<Experiment>,
    /// A healthy deploy, and one of a version that fails; `None` with a single node.
    pub deploys: Option<[Experiment; 2]>,
    /// The end of the warm-up.
    pub warmup: Instant,
    /// When the node dies.
    pub died_at: Instant,
    /// The change that is the deploy.
    pub deploy: String,
    /// Whether it is the scenario's own.
    pub is_own: bool,
    /// When it begins, in the runs of `deploys`.
    pub deployed_at: Instant,
    /// Length of a tick there.
    pub tick: Duration,
    /// Nodes of the smallest variant.
    pub nodes: usize,
    /// How many leave at once, in turn.
    pub outs: Vec<usize>,
    /// The only point of a sweep that is answered; empty without a sweep.
    pub point: String,
    /// The share of requests that a bad version fails.
    pub bad: Share,
    /// Whether the limit is assumed, as the scenario has none.
    pub is_assumed: bool,
}

impl Experiment {
    /// The command that repeats it: results come into `out`.
    pub fn command(&self, scenario: &str, variants: &[String], seeds: u32, out: &str) -> String {
        let verb = if self.vary.is_empty() { "run" } else { "sweep" };
        let mut words = vec!["stickysim".to_owned(), verb.to_owned(), scenario.to_owned()];
        let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
        self.without.iter().for_each(|key| flag("--without", key));
        self.sets.iter().for_each(|set| flag("--set", set));
        self.vary.iter().for_each(|axis| flag("--vary", axis));
        variants.iter().for_each(|name| flag("--variant", name));
        flag("--seeds", &seeds.to_string());
        flag("--out", &format!("{out}/{}", self.folder));
        words.extend(self.nodes.then(|| "--nodes".to_owned()));
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,+@".contains(letter);
    match word {
        plain if !plain.is_empty() && plain.chars().all(is_plain) => plain.to_owned(),
        spaced if !spaced.contains(['"', '$', '`', '\\', '!']) => format!("\"{spaced}\""),
        other => format!("'{}'", other.replace('\'', "'\\''")),
    }
}

/// When things happen.
#[derive(Clone, Copy)]
struct Timing {
    tick: Duration,
    at: Instant,
    ends: Duration,
}

impl Scene<'_> {
    /// What is to be run.
    pub fn design(&self) -> Design {
        let first = &self.cells[0];
        let nodes = self.cells.iter().map(|cell| cell.plan.desired()).min().unwrap_or(0);
        let warmup = self.cells.iter().map(|cell| cell.plan.warmup).max().unwrap_or(Instant::START);
        let death = self.timing(self.after());
        let own = self.own_roll();
        let is_own = own.is_some();
        let (deploy, own_at) = own.unwrap_or_else(|| (DEPLOY.to_owned(), Instant::START));
        let roll = self.timing(self.rolls(nodes));
        let (deployed_at, tick) = if is_own { (own_at, first.plan.tick) } else { (roll.at, roll.tick) };
        let has_deploy = nodes > 1;
        let outs = outs(nodes);
        Design {
            held: self.held(warmup, death.at),
            death: self.death(death),
            leave: has_deploy.then(|| self.leave(&deploy, is_own, &outs)),
            deploys: has_deploy.then(|| self.deploys(&deploy, (!is_own).then_some(roll))),
            warmup,
            died_at: death.at,
            deploy,
            is_own,
            deployed_at,
            tick,
            nodes,
            outs,
            point: first.point.clone(),
            bad: self.bad,
            is_assumed: !self.has_slo,
        }
    }

    /// So long after a death is looked at.
    fn after(&self) -> Duration {
        let hold = self.cells.iter().map(|cell| cell.plan.hold).max().unwrap_or(Duration::ZERO);
        Duration::from_secs(300).max(hold * 2)
    }

    /// How long until a node that leaves is back, at most: drained for 30 s, away for 5 s, started.
    fn away(&self) -> Duration {
        let start = |cell: &Cell| {
            let means = cell.plan.nodes.iter().filter_map(|node| node.spec.start.as_ref()).map(|start| start.mean());
            Duration::from_nanos_f64(means.fold(0.0, f64::max))
        };
        let start = self.cells.iter().map(start).max().unwrap_or(Duration::ZERO);
        Duration::from_secs(40) + start * 2
    }

    /// How long a plain roll takes, and a minute.
    fn rolls(&self, nodes: usize) -> Duration {
        self.away() * nodes as u64 + Duration::from_secs(60)
    }

    /// A tick that fits, a settled instant, and the end so long `after` it.
    fn timing(&self, after: Duration) -> Timing {
        let warmup = self.cells.iter().map(|cell| cell.plan.warmup).max().unwrap_or(Instant::START);
        let warmup = warmup.since(Instant::START);
        let own = self.cells.iter().map(|cell| cell.plan.tick).max().unwrap_or(TICK_MAX);
        let with = |tick: Duration| {
            let settled = up(warmup + Duration::from_secs(120).max(tick * 60), tick);
            Timing { tick, at: Instant::START + settled, ends: settled + up(after.max(tick * 60), tick) }
        };
        let fits = |tick: &Duration| {
            let timing = with(*tick);
            warmup.as_nanos().is_multiple_of(tick.as_nanos()) && timing.ends.as_nanos() / tick.as_nanos() <= TICKS_MAX
        };
        let ticks = (own <= TICK_MAX).then_some(own).into_iter().chain(TICKS.map(Duration::from_secs));
        with(ticks.into_iter().find(fits).unwrap_or(own))
    }

    /// What is left out and set in all of them, and these keys left out besides.
    fn common(&self, folder: &'static str, out: &[&str]) -> Experiment {
        let settings = &self.cells[0].settings;
        let point = settings.iter().map(|(key, value)| format!("{key}={value}"));
        let sets = point.chain(self.sets.iter().cloned()).collect();
        let mut experiment = Experiment { folder, without: self.without.to_vec(), sets, ..Experiment::default() };
        out.iter().chain(&["sweep", "precision"]).for_each(|key| self.leave_out(&mut experiment, key));
        experiment
    }

    /// Leaves a key out, wherever it is written or set.
    fn leave_out(&self, experiment: &mut Experiment, key: &str) {
        let below = format!("{key}.");
        let is_below = |set: &String| {
            let own = set.split('=').next().unwrap_or_default().trim();
            own == key || own.starts_with(&below)
        };
        experiment.sets.retain(|set| !is_below(set));
        let is_out = experiment.without.iter().any(|out| key == out || key.starts_with(&format!("{out}.")));
        if !is_out && (self.is_written)(key) {
            experiment.without.push(key.to_owned());
        }
    }

    fn set_timing(&self, experiment: &mut Experiment, timing: Timing) {
        if self.cells.iter().any(|cell| cell.plan.tick != timing.tick) {
            experiment.sets.push(format!("tick={}", timing.tick));
        }
        experiment.sets.push(format!("duration={}", timing.ends));
    }

    /// Nothing happens; about ten ticks from the warm-up on say who holds how much.
    fn held(&self, warmup: Instant, until: Instant) -> Experiment {
        let mut held = self.common("held", &["fault", "change"]);
        let span = until.since(warmup).as_nanos();
        let common = divisor(warmup.since(Instant::START).as_nanos(), span);
        let parts = (10 * common).div_ceil(span).max(1);
        let parts = (parts..=parts + 100).find(|parts| common.is_multiple_of(*parts)).unwrap_or(1);
        held.sets.push(format!("tick={}", Duration::from_nanos_f64((common / parts) as f64)));
        held.sets.push(format!("duration={}", until.since(Instant::START)));
        held.nodes = true;
        held
    }

    fn death(&self, timing: Timing) -> Experiment {
        let mut death = self.common("node-dies", &["fault", "change"]);
        self.set_timing(&mut death, timing);
        let at = timing.at.since(Instant::START);
        death.sets.extend([format!("fault.{DEATH}.at={at}"), format!("fault.{DEATH}.kill.nodes=1")]);
        death
    }

    /// The deploy alone: the scenario's own, or a plain one that ends at `timing`.
    fn deploy(&self, folder: &'static str, deploy: &str, plain: Option<Timing>) -> Experiment {
        let Some(timing) = plain else {
            let mut own = self.common(folder, &["fault"]);
            let others = self.cells.iter().flat_map(|cell| &cell.plan.changes).map(|change| change.name.as_str());
            let mut others: Vec<&str> = others.filter(|name| *name != deploy).collect();
            others.sort_unstable();
            others.dedup();
            others.iter().for_each(|name| self.leave_out(&mut own, &crate::scenario::path::join("change", name)));
            self.leave_out(&mut own, &format!("{}.rollback", key_of(deploy)));
            return own;
        };
        let mut own = self.common(folder, &["fault", "change"]);
        self.set_timing(&mut own, timing);
        own.sets.push(format!("change.{deploy}.at={}", timing.at.since(Instant::START)));
        own.sets.push(format!("change.{deploy}.rolling.unavailable_max=1"));
        own
    }

    /// The first batch of a deploy: so many nodes leave together, and the next do not begin.
    fn leave(&self, deploy: &str, is_own: bool, outs: &[usize]) -> Experiment {
        let plain = (!is_own).then(|| self.timing(self.away() + Duration::from_secs(60)));
        let mut leave = self.deploy("leave", deploy, plain);
        let key = format!("{}.rolling", key_of(deploy));
        for other in ["unavailable_max", "surge_max", "batch", "pause"] {
            self.leave_out(&mut leave, &format!("{key}.{other}"));
        }
        leave.sets.push(format!("{key}.pause=1d"));
        if !self.has_slo {
            leave.sets.push(ASSUMED.to_owned());
        }
        let outs: Vec<String> = outs.iter().map(usize::to_string).collect();
        leave.vary.push(format!("{key}.unavailable_max={}", outs.join(",")));
        leave
    }

    fn deploys(&self, deploy: &str, plain: Option<Timing>) -> [Experiment; 2] {
        let healthy = self.deploy("deploy", deploy, plain);
        let mut bad = self.deploy("bad-deploy", deploy, plain);
        bad.sets.push(format!("version.{BAD}.error_ratio={}", self.bad.ratio()));
        bad.sets.push(format!("{}.rolling.version={BAD}", key_of(deploy)));
        [healthy, bad]
    }

    /// A rolling change that every variant has, the first of them: its name, and when it begins.
    fn own_roll(&self) -> Option<(String, Instant)> {
        let mut rolls: Vec<_> =
            self.cells[0].plan.changes.iter().filter(|change| change.kind.name() == "rolling").collect();
        rolls.sort_by_key(|change| change.at);
        let is_roll = |cell: &Cell, name: &str| {
            cell.plan.changes.iter().any(|change| change.name == name && change.kind.name() == "rolling")
        };
        let own = rolls.into_iter().find(|change| self.cells.iter().all(|cell| is_roll(cell, &change.name)))?;
        Some((own.name.clone(), own.at))
    }
}

fn key_of(change: &str) -> String {
    crate::scenario::path::join("change", change)
}

/// How many nodes leave at once, in turn: all numbers in a small cluster, fewer and fewer in a large one, up to half of it.
fn outs(nodes: usize) -> Vec<usize> {
    let most = nodes.saturating_sub(1);
    if most <= 8 {
        return (1..=most).collect();
    }
    let steps = (0..).flat_map(|power: u32| [2usize << power, 3usize << power]);
    std::iter::once(1).chain(steps.take_while(|&step| step <= nodes.div_ceil(2))).collect()
}

fn up(span: Duration, tick: Duration) -> Duration {
    tick * span.as_nanos().div_ceil(tick.as_nanos())
}

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if a == 0 { b } else { divisor(b % a, a) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_clusters_try_every_number_and_large_ones_ever_fewer() {
        assert_eq!(outs(1), [0; 0]);
        assert_eq!(outs(6), [1, 2, 3, 4, 5]);
        assert_eq!(outs(24), [1, 2, 3, 4, 6, 8, 12]);
    }

    #[test]
    fn words_are_quoted_for_a_shell_only_where_they_must_be() {
        let words = ["a.b=1,2", "slo.x=< 1%", "x=\"it's\"", ""];
        assert_eq!(words.map(quoted), ["a.b=1,2", "\"slo.x=< 1%\"", "'x=\"it'\\''s\"'", "\"\""]);
    }

    #[test]
    fn the_greatest_common_divisor_of_nothing_and_a_span_is_the_span() {
        assert_eq!((divisor(0, 7), divisor(60, 120), divisor(300, 120)), (7, 60, 60));
    }
}
