//! Is a share of all seeds kept, with as few runs as the answer takes? A sequential test with exact errors.
//!
//! Seeds come in rounds, and after each round one looks. Whoever looks often at bounds that are meant for one look is
//! fooled more often than they say. So the chance of a wrong claim is summed over all looks, exactly: the law of the
//! misses among those paths that are not decided yet, at the share in question, where a wrong claim is most likely.
//!
//! A share is *proven* by the first look at which so few misses, or fewer, leave the chance of a wrong proof at most
//! 1 − confidence. The first that can is the n with shareⁿ ≤ 1 − confidence, without a miss: 29 for 90 % at 95 %, as
//! by Clopper and Pearson. It takes nearly all of the chance, so one miss costs more than it would in one look (77
//! runs and not 46). It is *refuted* in the same way; there the chance is handed out with the root of the runs.

/// The most runs of a test that are planned; more are a mistake.
pub const RUNS_MAX: u32 = 100_000;
/// As many times the runs that a clean proof takes are spent at most, unless told otherwise.
const PATIENCE: u32 = 3;
/// Runs of the first rounds.
const ROUND: u32 = 4;

/// What is known after some runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The share is kept, with the confidence asked for.
    Proven,
    /// It is not, with the same confidence.
    Refuted,
    /// Neither, and what is left of the runs cannot prove it any more.
    Undecided,
}

/// When one looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Look {
    /// Runs so far.
    runs: u32,
    /// With at most so many misses the share is proven; `None` where nothing can prove it yet.
    proves: Option<u32>,
    /// With at least so many it is refuted.
    refutes: u32,
    /// With more than so many no later look can prove it.
    hopes: Option<u32>,
}

/// A plan of looks.
#[derive(Clone, PartialEq, Debug)]
pub struct Sequential {
    looks: Vec<Look>,
}

/// The fewest runs that, without a miss, prove a share in (0, 1): shareⁿ ≤ 1 − confidence.
///
/// `None` when it takes more than [`RUNS_MAX`].
pub fn clean_runs(share: f64, confidence: f64) -> Option<u32> {
    let mut chance = 1.0;
    (1..=RUNS_MAX).find(|_| {
        chance *= share;
        chance <= 1.0 - confidence
    })
}

/// How many runs are enough unless told otherwise: some times those of a clean proof.
pub fn enough(share: f64, confidence: f64) -> Option<u32> {
    clean_runs(share, confidence).map(|runs| (PATIENCE * runs).min(RUNS_MAX))
}

impl Sequential {
    /// The test of a share in (0, 1) with a confidence in (0, 1) and at most so many runs, at least one.
    pub fn new(share: f64, confidence: f64, runs_max: u32) -> Sequential {
        let chance = 1.0 - confidence;
        let miss = 1.0 - share;
        let mut looks = Vec::new();
        // By misses: the chance of the paths with so many that are not decided yet.
        let mut open = vec![1.0];
        let (mut proof_spent, mut refutal_spent) = (0.0, 0.0);
        let mut before = 0;
        for runs in rounds(clean_runs(share, confidence), runs_max) {
            (before..runs).for_each(|_| open = one_more(&open, miss));
            before = runs;
            let proves = largest(&open, chance - proof_spent);
            let allowed = chance * (f64::from(runs) / f64::from(runs_max)).sqrt();
            let refutes = fewest(&open, allowed - refutal_spent);
            let few = proves.map_or(0, |misses| misses as usize + 1);
            let many = (refutes as usize).max(few);
            proof_spent += open[..few].iter().sum::<f64>();
            refutal_spent += open[many.min(open.len())..].iter().sum::<f64>();
            open[..few].fill(0.0);
            open.truncate(many);
            looks.push(Look { runs, proves, refutes: many as u32, hopes: None });
        }
        let mut hopes = None;
        for look in looks.iter_mut().rev() {
            look.hopes = hopes;
            hopes = hopes.max(look.proves);
        }
        Sequential { looks }
    }

    /// How many runs there are at the next look after so many; `None` when that was the last.
    pub fn next(&self, runs: u32) -> Option<u32> {
        self.looks.iter().map(|look| look.runs).find(|&next| next > runs)
    }

    /// What so many misses say at the look after so many runs; `None` when it goes on.
    pub fn decide(&self, runs: u32, misses: u32) -> Option<Decision> {
        let look = self.looks.iter().find(|look| look.runs == runs)?;
        if look.proves.is_some_and(|most| misses <= most) {
            Some(Decision::Proven)
        } else if misses >= look.refutes {
            Some(Decision::Refuted)
        } else if look.hopes.is_none_or(|most| misses > most) {
            Some(Decision::Undecided)
        } else {
            None
        }
    }
}

/// The runs at each look: rounds of four, then of a quarter of what has been run; the clean proof is one.
fn rounds(clean: Option<u32>, runs_max: u32) -> Vec<u32> {
    let (mut rounds, mut runs) = (Vec::new(), 0);
    while runs < runs_max {
        let next = runs + ROUND.max(runs / 4).next_multiple_of(ROUND);
        runs = clean.filter(|&clean| runs < clean && clean < next).unwrap_or(next).min(runs_max);
        rounds.push(runs);
    }
    rounds
}

/// The law of the misses after one more run.
fn one_more(law: &[f64], miss: f64) -> Vec<f64> {
    let mut next = vec![0.0; law.len() + 1];
    for (misses, chance) in law.iter().enumerate() {
        next[misses] += chance * (1.0 - miss);
        next[misses + 1] += chance * miss;
    }
    next
}

/// The largest number of misses so that as many or fewer have at most this chance.
fn largest(law: &[f64], allowed: f64) -> Option<u32> {
    let mut sum = 0.0;
    let beyond = law.iter().position(|chance| {
        sum += chance;
        sum > allowed
    });
    // What all paths together have is not known to be wrong.
    beyond?.checked_sub(1).map(|misses| misses as u32)
}

/// The smallest number of misses so that as many or more have at most this chance.
fn fewest(law: &[f64], allowed: f64) -> u32 {
    let mut sum = 0.0;
    let below = law.iter().rposition(|chance| {
        sum += chance;
        sum > allowed
    });
    // What all paths together have is not known to be wrong.
    below.map_or(law.len() as u32, |misses| misses as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::Stream;
    use rand::RngExt;

    /// Decides by coin tosses that miss with this chance; the runs it took.
    fn toss(test: &Sequential, seed: u64, miss: f64) -> (Decision, u32) {
        let luck = Stream::new(seed, "test", "coin");
        let (mut runs, mut misses) = (0, 0);
        while let Some(next) = test.next(runs) {
            misses += (runs..next).filter(|&run| luck.at(u64::from(run), 0).random::<f64>() < miss).count() as u32;
            runs = next;
            if let Some(decision) = test.decide(runs, misses) {
                return (decision, runs);
            }
        }
        panic!("the last look decides");
    }

    #[test]
    fn a_clean_proof_takes_as_many_runs_as_by_clopper_and_pearson() {
        for (share, runs) in [(0.9, 29), (0.95, 59), (0.99, 299)] {
            assert_eq!(clean_runs(share, 0.95), Some(runs));
            let test = Sequential::new(share, 0.95, 3 * runs);
            assert_eq!(test.decide(runs, 0), Some(Decision::Proven));
            let earlier = test.looks.iter().filter(|look| look.runs < runs);
            assert!(earlier.clone().count() > 4 && earlier.into_iter().all(|look| look.proves.is_none()));
        }
        assert_eq!(clean_runs(1.0 - 1e-9, 0.95), None);
    }

    #[test]
    fn at_the_share_itself_a_claim_is_wrong_no_more_often_than_it_may_be() {
        let test = Sequential::new(0.9, 0.95, 87);
        let decisions: Vec<Decision> = (0..20_000).map(|seed| toss(&test, seed, 0.1).0).collect();
        let share = |wanted| decisions.iter().filter(|&&found| found == wanted).count() as f64 / 20_000.0;
        // Three standard errors of 5 % are 0.5 %; either claim may be wrong, and the proof spends what it may.
        assert!(share(Decision::Proven) < 0.055, "{}", share(Decision::Proven));
        assert!(share(Decision::Proven) > 0.040, "{}", share(Decision::Proven));
        assert!(share(Decision::Refuted) < 0.055, "{}", share(Decision::Refuted));
    }

    #[test]
    fn a_rare_miss_is_forgiven_for_more_runs() {
        let test = Sequential::new(0.9, 0.95, 87);
        let with_one = test.looks.iter().find(|look| look.proves >= Some(1)).expect("a miss can be made good");
        assert_eq!(with_one.runs, 77, "46 would do for one look");
    }

    #[test]
    fn what_always_fails_is_refuted_at_once_and_what_cannot_be_proven_is_not_run_on() {
        let test = Sequential::new(0.9, 0.95, 87);
        assert_eq!(toss(&test, 1, 1.0), (Decision::Refuted, 4));
        let half = (0..500).map(|seed| toss(&test, seed, 0.5));
        assert!(half.clone().all(|(decision, _)| decision != Decision::Proven));
        assert!(half.map(|(_, runs)| runs).sum::<u32>() < 500 * 12);
    }

    #[test]
    fn a_cap_below_the_clean_proof_proves_nothing() {
        let test = Sequential::new(0.9, 0.95, 20);
        assert_eq!(test.next(16), Some(20));
        assert_eq!(test.next(20), None);
        assert_eq!(test.decide(20, 0), Some(Decision::Undecided));
    }
}
