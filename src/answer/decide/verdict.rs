//! Which design is it, by the runs and by what things weigh? No run is needed for another weight.

use super::designs::Design;
use super::figures::{Run, over};
use super::scene::EVENTS;
use crate::base::units::Rate;
use crate::observe::cost::Prices;
use crate::scenario::Budget;
use crate::statistics::Estimate;

const DAY: f64 = 86_400.0;
/// Costs that are no more apart than this count as equal.
const EQUAL: f64 = 0.005;

/// What things weigh. Rates are by the day.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Terms {
    /// How often each event happens.
    pub per_day: [f64; EVENTS.len()],
    /// Sessions that may lose their state.
    pub lost_max: f64,
    /// Share of the requests that may fail; `None` without a limit.
    pub failed_max: Option<f64>,
    /// Prices.
    pub prices: Prices,
}

/// A weight that can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Term {
    /// How often an event happens.
    Often(usize),
    /// How many sessions may be lost.
    Lost,
    /// What a node costs.
    Node,
    /// What an instance of a store costs.
    Store,
    /// What a lost session costs.
    Session,
}

impl Term {
    /// Every term.
    pub const ALL: [Term; 8] = [
        Term::Often(0),
        Term::Often(1),
        Term::Often(2),
        Term::Often(3),
        Term::Lost,
        Term::Node,
        Term::Store,
        Term::Session,
    ];

    /// Its key in a scenario.
    pub const fn key(self) -> &'static str {
        match self {
            Term::Often(0) => "budget.node_failures",
            Term::Often(1) => "budget.store_failures",
            Term::Often(2) => "budget.scalings",
            Term::Often(_) => "budget.deploys",
            Term::Lost => "budget.sessions_lost",
            Term::Node => "cost.node_hour",
            Term::Store => "cost.store_hour",
            Term::Session => "cost.session_lost",
        }
    }

    /// Its place in the terms.
    pub fn of(self, terms: &mut Terms) -> &mut f64 {
        match self {
            Term::Often(event) => &mut terms.per_day[event],
            Term::Lost => &mut terms.lost_max,
            Term::Node => &mut terms.prices.node_hour,
            Term::Store => &mut terms.prices.store_hour,
            Term::Session => &mut terms.prices.session_lost,
        }
    }

    /// A value of it, as it is written in a scenario.
    pub fn text(self, value: f64) -> String {
        match self {
            Term::Often(_) | Term::Lost => format!("{}/d", short(value)),
            _ => short(value),
        }
    }

    /// The same to be read by a program.
    pub fn of_budget(self, budget: &Budget) -> Option<f64> {
        let rate = match self {
            Term::Often(0) => budget.node_failures,
            Term::Often(1) => budget.store_failures,
            Term::Often(2) => budget.scalings,
            Term::Often(_) => budget.deploys,
            Term::Lost => budget.sessions_lost,
            _ => None,
        };
        rate.map(|rate: Rate| rate.per_second() * DAY)
    }
}

/// To four digits, without zeros that say nothing.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let digits = (3.0 - libm::log10(value.abs()).floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

impl Terms {
    /// What the budget says, and what is assumed where it says nothing: a node fails once a week, the store once in four
    /// weeks, nodes are added and a deploy is made once a day, and one in a hundred of those live may lose its state a day.
    pub fn new(budget: &Budget, live: f64, failed_max: Option<f64>, prices: Prices) -> Terms {
        let per_day = [1.0 / 7.0, 1.0 / 28.0, 1.0, 1.0];
        let assumed = Terms { per_day, lost_max: Terms::assumed_lost(live), failed_max, prices };
        let mut terms = assumed;
        for term in Term::ALL {
            if let Some(value) = term.of_budget(budget) {
                *term.of(&mut terms) = value;
            }
        }
        terms
    }
}

impl Terms {
    /// How many sessions may be lost a day where nobody says so.
    pub fn assumed_lost(live: f64) -> f64 {
        (live / 100.0).ceil()
    }
}

/// How many nodes a design takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Nodes {
    /// Nothing was searched: as many as the scenario has.
    Given(i64),
    /// The smallest number that keeps the limits.
    Needed(i64),
    /// No number up to this keeps them; the limit that fails, in words.
    None(i64, String),
    /// Nothing was searched, and as many as the scenario has do not keep them; the limit that fails, in words.
    Short(i64, String),
}

impl Nodes {
    /// How many, if any number will do.
    pub fn count(&self) -> Option<i64> {
        match self {
            Nodes::Given(count) | Nodes::Needed(count) => Some(*count),
            Nodes::None(..) | Nodes::Short(..) => None,
        }
    }
}

/// A design and what was measured of it.
pub struct Measured {
    /// The design.
    pub design: &'static Design,
    /// Its runs, in the order of the seeds.
    pub runs: Vec<Run>,
    /// The nodes that it takes.
    pub nodes: Nodes,
}

/// How a design stands under given terms.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Sessions that lose their state a day.
    pub lost: f64,
    /// What it costs a day, with the nodes that it needs; with as many as the scenario has where none are enough.
    pub cost: f64,
    /// Share of a day's requests that fail.
    pub failed: f64,
    /// Whether it keeps the limits: with some number of nodes, and that on failed requests over a day.
    pub keeps_limits: bool,
    /// Whether it keeps the budget of lost sessions.
    pub keeps_budget: bool,
}

impl Standing {
    /// Whether it can be chosen.
    pub fn is_sound(&self) -> bool {
        self.keeps_limits && self.keeps_budget
    }
}

impl Measured {
    /// The design's name.
    pub fn name(&self) -> &'static str {
        self.design.name
    }

    /// How it stands.
    pub fn standing(&self, terms: &Terms, given: i64) -> Standing {
        let n = self.runs.len().max(1) as f64;
        let mean = |get: &dyn Fn(&Run) -> f64| self.runs.iter().map(get).sum::<f64>() / n;
        let lost = mean(&|run| run.a_day(&terms.per_day, |harm| harm.lost));
        let nodes = self.nodes.count().unwrap_or(given) as f64;
        let Prices { node_hour, store_hour, session_lost, .. } = terms.prices;
        let stores = mean(&|run| run.store_hours / run.hours);
        let other = mean(&|run| run.other_cost / run.hours);
        let cost = 24.0 * (nodes * node_hour + stores * store_hour + other) + session_lost * lost;
        let failed = mean(&|run| run.failed_share(&terms.per_day).unwrap_or(0.0));
        let keeps_limits = self.nodes.count().is_some() && terms.failed_max.is_none_or(|most| failed <= most);
        Standing { lost, cost, failed, keeps_limits, keeps_budget: lost <= terms.lost_max }
    }

    /// Sessions lost a day, over its runs.
    pub fn lost(&self, terms: &Terms) -> Option<Estimate> {
        over(&self.runs, |run| Some(run.a_day(&terms.per_day, |harm| harm.lost)))
    }

    /// Share of the requests of a day that fail.
    pub fn failed(&self, terms: &Terms) -> Option<Estimate> {
        over(&self.runs, |run| run.failed_share(&terms.per_day))
    }
}

/// The place of the design to take: of those that keep everything the cheapest, and of equally cheap ones that which
/// depends on least, then that which loses least, then the simplest. `None` when none keeps everything.
pub fn choose(measured: &[Measured], standings: &[Standing]) -> Option<usize> {
    let sound = || (0..measured.len()).filter(|&place| standings[place].is_sound());
    let least = sound().map(|place| standings[place].cost).min_by(f64::total_cmp)?;
    sound().filter(|&place| standings[place].cost <= least + EQUAL * least.abs()).min_by(|&a, &b| {
        let dependencies = |place: usize| measured[place].design.dependencies;
        let lost = |place: usize| standings[place].lost;
        dependencies(a).cmp(&dependencies(b)).then(lost(a).total_cmp(&lost(b))).then(a.cmp(&b))
    })
}

/// The choice under these terms.
pub fn under(measured: &[Measured], terms: &Terms, given: i64) -> Option<usize> {
    let standings: Vec<Standing> = measured.iter().map(|one| one.standing(terms, given)).collect();
    choose(measured, &standings)
}

/// Where a term, changed alone, changes the choice.
#[derive(Clone, Debug)]
pub struct Flip {
    /// The term.
    pub term: Term,
    /// Its value now.
    pub now: f64,
    /// The nearest value, up or down, beyond which the choice is another one.
    pub at: f64,
    /// What is chosen beyond it; `None` for nothing.
    pub to: Option<usize>,
}

/// The nearest flips of every term, below and above its value, within a factor of a thousand (from nothing: up to a
/// million).
pub fn flips(measured: &[Measured], terms: &Terms, given: i64) -> Vec<Flip> {
    let now = under(measured, terms, given);
    let with = |term: Term, value: f64| {
        let mut changed = *terms;
        *term.of(&mut changed) = value;
        under(measured, &changed, given)
    };
    let mut flips = Vec::new();
    for term in Term::ALL {
        let value = *term.of(&mut terms.clone());
        let steps = |factor: f64| std::iter::successors(Some(value), move |value| Some(value * factor)).take(101);
        let up = std::iter::successors(Some(1e-6), |value| Some(value * 1.5)).take(70);
        let paths: Vec<Vec<f64>> = match value > 0.0 {
            true => vec![steps(1.0 / 1.0715).chain([0.0]).collect(), steps(1.0715).collect()],
            false => vec![[0.0].into_iter().chain(up).collect()],
        };
        for path in paths {
            let Some(step) = path.windows(2).find(|pair| with(term, pair[1]) != now) else { continue };
            let (mut same, mut other) = (step[0], step[1]);
            for _ in 0..50 {
                let middle = f64::midpoint(same, other);
                if with(term, middle) == now { same = middle } else { other = middle }
            }
            flips.push(Flip { term, now: value, at: other, to: with(term, other) });
        }
    }
    flips
}
