//! Where do values begin to pass? Bisection over places that go from failing to passing.
//!
//! It takes for granted that whatever passes goes on passing further on. Probes look whether that is so: some places on
//! either side of the answer are run as long as they contradict it. A probe that agrees costs a round of seeds.

use super::trial::{Seen, Worst, worse};
use crate::statistics::Sequential;
use crate::statistics::sequential::Decision;
use std::collections::BTreeMap;

/// What is known of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It keeps the limits in the share asked for.
    Proven,
    /// It does not.
    Refuted,
    /// Neither is proven; it counts as failing.
    Undecided,
    /// A probe: what was seen agrees with the answer, and no more is claimed.
    Agrees,
}

impl Verdict {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Proven => "proven",
            Verdict::Refuted => "refuted",
            Verdict::Undecided => "undecided",
            Verdict::Agrees => "agrees",
        }
    }
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Verdict {
        match decision {
            Decision::Proven => Verdict::Proven,
            Decision::Refuted => Verdict::Refuted,
            Decision::Undecided => Verdict::Undecided,
        }
    }
}

/// Why a place was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The bisection came by.
    Search,
    /// To see whether passing and failing are where they should be.
    Probe,
}

/// What was seen of a place.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Why it was tried.
    pub role: Role,
    /// Runs, under the first so many seeds.
    pub runs: u32,
    /// Runs that kept every limit.
    pub kept: u32,
    /// The figure with the least margin in any of them.
    pub worst: Option<Worst>,
    /// What the runs cost by the hour on average; `None` without prices.
    pub cost_per_hour: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
    /// What happened in each run, as a hash.
    pub fingerprints: Vec<u64>,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The first place that passes; `None` when none does.
    pub passes: Option<usize>,
    /// The last place before it, which does not pass; `None` when all pass.
    pub fails: Option<usize>,
    /// Places that contradict the answer: refuted beyond it, or proven before it.
    pub contrary: Vec<usize>,
    /// Every place that was tried.
    pub evidence: BTreeMap<usize, Evidence>,
}

impl Found {
    /// Runs in all.
    pub fn runs(&self) -> u64 {
        self.evidence.values().map(|evidence| u64::from(evidence.runs)).sum()
    }
}

/// Finds the first of `count` places that passes `test`, a test of this `share`.
///
/// `trial` runs a place under seeds `from..to`, the first being 0; `told` hears of every place that is judged.
pub fn search<E>(
    count: usize,
    share: f64,
    test: &Sequential,
    trial: impl FnMut(usize, u32, u32) -> Result<Vec<Seen>, E>,
    told: impl FnMut(usize, &Evidence),
) -> Result<Found, E> {
    let mut bench = Bench { test, trial, told, evidence: BTreeMap::new() };
    // Before the first place lies one that fails, behind the last one that passes.
    let (mut first, mut passes) = (0, count);
    while first < passes {
        let middle = first + (passes - first) / 2;
        match bench.judge(middle, Role::Search, |_| false)? {
            Verdict::Proven => passes = middle,
            _ => first = middle + 1,
        }
    }
    let fails = passes.checked_sub(1);
    let mut contrary = Vec::new();
    for place in probes(count, passes) {
        if bench.evidence.contains_key(&place) {
            continue;
        }
        let is_beyond = place > passes;
        let contradiction = if is_beyond { Verdict::Refuted } else { Verdict::Proven };
        if bench.judge(place, Role::Probe, |kept| (kept >= share) == is_beyond)? == contradiction {
            contrary.push(place);
        }
    }
    contrary.sort_unstable();
    Ok(Found { passes: (passes < count).then_some(passes), fails, contrary, evidence: bench.evidence })
}

/// Where to look once more, when the places from `passes` on pass: next to the answer, half-way to either end, and at
/// the ends.
fn probes(count: usize, passes: usize) -> Vec<usize> {
    let mut probes = Vec::new();
    if passes < count {
        let last = count - 1;
        probes.extend([passes + 1, passes + 2, passes.midpoint(last), last].map(|place| place.min(last)));
    }
    if let Some(fails) = passes.checked_sub(1) {
        probes.extend([fails.saturating_sub(1), fails.saturating_sub(2), fails / 2, 0]);
    }
    probes
}

/// Where places are tried.
struct Bench<'a, Trial, Told> {
    test: &'a Sequential,
    trial: Trial,
    told: Told,
    evidence: BTreeMap<usize, Evidence>,
}

impl<Trial, Told, E> Bench<'_, Trial, Told>
where
    Trial: FnMut(usize, u32, u32) -> Result<Vec<Seen>, E>,
    Told: FnMut(usize, &Evidence),
{
    /// Runs a place until the test decides, or until the share kept so far is what a probe `expects`.
    fn judge(&mut self, place: usize, role: Role, expects: impl Fn(f64) -> bool) -> Result<Verdict, E> {
        let (verdict, fingerprints) = (Verdict::Undecided, Vec::new());
        let mut evidence = Evidence { role, runs: 0, kept: 0, worst: None, cost_per_hour: None, verdict, fingerprints };
        let mut cost = 0.0;
        while let Some(next) = self.test.next(evidence.runs) {
            for seen in (self.trial)(place, evidence.runs, next)? {
                evidence.kept += u32::from(seen.keeps);
                evidence.worst = worse(evidence.worst.take(), seen.worst);
                evidence.fingerprints.push(seen.fingerprint);
                cost += seen.cost_per_hour.unwrap_or(0.0);
                evidence.cost_per_hour = seen.cost_per_hour.map(|_| cost / evidence.fingerprints.len() as f64);
            }
            evidence.runs = next;
            if role == Role::Probe && expects(f64::from(evidence.kept) / f64::from(next)) {
                evidence.verdict = Verdict::Agrees;
                break;
            }
            if let Some(decision) = self.test.decide(next, next - evidence.kept) {
                evidence.verdict = decision.into();
                break;
            }
        }
        (self.told)(place, &evidence);
        let verdict = evidence.verdict;
        self.evidence.insert(place, evidence);
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::Stream;
    use proptest::prelude::*;
    use rand::RngExt;

    /// Searches where each place keeps its limits in such a share of the seeds.
    fn found(shares: &[f64], seed: u64) -> Found {
        let test = Sequential::new(0.9, 0.95, 87);
        let luck = Stream::new(seed, "test", "plan");
        let trial = |place: usize, from: u32, to: u32| {
            // One number per seed, whatever the place: a better place keeps what a worse one keeps, and more.
            let keeps = |run| luck.at(u64::from(run), 0).random::<f64>() < shares[place];
            let seen =
                (from..to).map(|run| Seen { keeps: keeps(run), worst: None, cost_per_hour: None, fingerprint: 0 });
            Ok::<_, ()>(seen.collect())
        };
        search(shares.len(), 0.9, &test, trial, |_, _| {}).unwrap()
    }

    #[test]
    fn a_clear_step_is_found_wherever_it_is_and_nothing_contradicts_it() {
        for count in 1..=40 {
            for step in 0..=count {
                let shares: Vec<f64> = (0..count).map(|place| f64::from(u8::from(place >= step))).collect();
                let found = found(&shares, 1);
                assert_eq!(found.passes, (step < count).then_some(step), "{step} of {count}");
                assert_eq!(found.fails, step.checked_sub(1));
                assert_eq!(found.contrary, [0; 0]);
                let tried = |place: Option<usize>| place.is_none_or(|place| found.evidence.contains_key(&place));
                assert!(tried(found.passes) && tried(found.fails), "the answer and its neighbour have evidence");
            }
        }
    }

    #[test]
    fn a_search_among_many_values_takes_a_fraction_of_the_grid() {
        let shares: Vec<f64> = (0..63).map(|place| f64::from(u8::from(place >= 17))).collect();
        let grid = 63 * 29;
        assert!(found(&shares, 1).runs() * 10 < grid, "{} of {grid}", found(&shares, 1).runs());
    }

    #[test]
    fn a_place_that_passes_alone_is_seen_and_told() {
        let mut shares = [vec![0.0; 20], vec![1.0; 20]].concat();
        shares[0] = 1.0;
        shares[39] = 0.0;
        let found = found(&shares, 1);
        assert_eq!((found.passes, found.contrary), (Some(20), vec![0, 39]));
        assert_eq!(found.evidence[&0].verdict, Verdict::Proven, "a contradiction is claimed as any answer is");
    }

    #[test]
    fn probes_that_agree_cost_a_round() {
        let shares: Vec<f64> = (0..40).map(|place| f64::from(u8::from(place >= 20))).collect();
        let found = found(&shares, 1);
        let probes = found.evidence.values().filter(|evidence| evidence.role == Role::Probe);
        assert!(probes.clone().count() >= 4 && probes.into_iter().all(|evidence| evidence.runs == 4));
    }

    proptest! {
        #[test]
        fn what_is_called_proven_is_proven_by_the_same_seeds_alone(
            mut shares in prop::collection::vec(0.0..1.0f64, 1..30), seed in 0..1000u64,
        ) {
            shares.sort_by(f64::total_cmp);
            let found = found(&shares, seed);
            // The exhaustive grid: every place judged to the end, under the same seeds.
            let judged = |place: usize| {
                let alone = super::tests::found(&shares[place..=place], seed);
                alone.passes.is_some()
            };
            let grid: Vec<bool> = (0..shares.len()).map(judged).collect();
            if grid.is_sorted() {
                prop_assert_eq!(found.passes, grid.iter().position(|&passes| passes));
            }
        }
    }
}
