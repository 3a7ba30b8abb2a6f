//! Does what was simulated agree with what was predicted?

use super::data::Expect;
use crate::lab::is_full;
use stickysim::statistics::interval::{Interval, half_width};

/// What came out for one expectation.
pub struct Judgement {
    pub mean: f64,
    /// The mean's 95 % interval; `None` for one seed.
    pub interval: Option<Interval>,
    pub seeds: usize,
    /// Everything in which it contradicts the expectation, known or not.
    pub wrong: Vec<String>,
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// Values whose mean is that weighted by `weights`, and whose spread is that of its luck (the delta method).
pub fn weighted(values: &[f64], weights: &[f64]) -> Vec<f64> {
    if weights.iter().all(|&weight| weight == weights[0]) {
        return values.to_vec();
    }
    let all: f64 = weights.iter().sum();
    let ratio = values.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() / all;
    let fair = all / weights.len() as f64;
    values.iter().zip(weights).map(|(x, w)| ratio + w / fair * (x - ratio)).collect()
}

/// The same for the root of the mean.
fn rooted(squares: &[f64]) -> Vec<f64> {
    let root = moments(squares).0.sqrt();
    squares.iter().map(|x| root + (x - root * root) / (2.0 * root)).collect()
}

impl Expect {
    /// Judges `values`, one per seed.
    pub fn judge(&self, values: &[f64]) -> Judgement {
        let seen = if self.root { rooted(values) } else { values.to_vec() };
        let (mean, sd) = moments(&seen);
        let n = seen.len();
        let half = if n > 1 { half_width(sd, n) } else { 0.0 };
        let mut wrong = Vec::new();
        self.judge_mean(mean, 4.0 * sd / (n as f64).sqrt(), half, &mut wrong);
        self.judge_spread(values, sd, &mut wrong);
        let interval = (n > 1).then_some(Interval { low: mean - half, high: mean + half });
        Judgement { mean, interval, seeds: n, wrong }
    }

    /// `four` standard errors, and `half` the width of the 95 % interval.
    fn judge_mean(&self, mean: f64, four: f64, half: f64, wrong: &mut Vec<String>) {
        let mut claim = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        if let Some(value) = self.value {
            let error = (mean - value).abs();
            let size = value.abs();
            let tolerance = self.within.unwrap_or_else(|| self.tolerance.expect("a value has a tolerance") * size);
            match self.short {
                Some(cap) if !is_full() => {
                    let cap = cap * size;
                    claim(four <= cap, format!("4 standard errors are {four:.5}, more than {cap:.5}: run longer"));
                    let allowed = four + self.resolution * size;
                    claim(error <= allowed, format!("off by {error:.5}, allowed are {allowed:.5}"));
                }
                _ => {
                    claim(error <= tolerance, format!("off by {error:.5}, allowed are {tolerance:.5}"));
                    let is_known = half <= tolerance;
                    claim(is_known, format!("known to ± {half:.5}, allowed are {tolerance:.5}: more seeds"));
                }
            }
        }
        if let Some(least) = self.exceeds {
            // A short run may not tell neighbours apart, but it must not deny it.
            let slack = if is_full() { 0.0 } else { four };
            claim(mean + slack > least, format!("does not exceed {least}"));
        }
        if let Some([least, most]) = self.between {
            claim(mean - half >= least && mean + half <= most, format!("{mean:.5} ± {half:.5} not in {least}..{most}"));
        }
    }

    fn judge_spread(&self, values: &[f64], sd: f64, wrong: &mut Vec<String>) {
        let n = values.len() as f64;
        if let Some(truth) = self.sd {
            // Of a normal variable; the counts here are large enough.
            let allowed = 4.0 * truth / (2.0 * (n - 1.0)).sqrt();
            if (sd - truth).abs() > allowed {
                wrong.push(format!("sd {sd:.5}, not {truth} ± {allowed:.5}"));
            }
        }
        if let Some([least, most]) = self.each {
            let outside: Vec<&f64> = values.iter().filter(|&&x| !(least..=most).contains(&x)).collect();
            if !outside.is_empty() {
                wrong.push(format!("{} seeds outside {least}..{most}: {outside:.5?}", outside.len()));
            }
        }
        if let Some([low, high]) = self.band {
            // A binomial number of one in twenty on either side, four deviations.
            let allowed = 4.0 * (0.05 * 0.95 / n).sqrt();
            let share = |is_out: &dyn Fn(f64) -> bool| values.iter().filter(|&&x| is_out(x)).count() as f64 / n;
            let (below, above) = (share(&|x| x < low), share(&|x| x > high));
            if (below - 0.05).abs() > allowed || (above - 0.05).abs() > allowed {
                wrong.push(format!("{below:.3} below {low} and {above:.3} above {high}, not 0.05 ± {allowed:.3}"));
            }
        }
    }

    /// What is wrong with the outcome: with a prediction known not to hold, that it does, or that it fails otherwise.
    pub fn unexpected(&self, outcome: &Judgement) -> Vec<String> {
        let Some(known) = &self.known else { return outcome.wrong.clone() };
        let ([least, most], mean) = (known.seen, outcome.mean);
        if outcome.wrong.is_empty() {
            vec!["agrees now, though it is known not to: take `known` away".into()]
        } else if (least..=most).contains(&mean) {
            Vec::new()
        } else {
            vec![format!("differs otherwise than known: {mean:.5}, not in {least}..{most}")]
        }
    }
}

#[test]
fn a_mean_that_is_off_or_not_known_well_enough_is_noticed() {
    let expect = |text: &str| -> Expect { toml::from_str(text).expect(text) };
    let wrong = |text: &str, values: &[f64]| expect(text).judge(values).wrong.len();
    let ten = "figure = 'x'\nvalue = 10.0\nwithin = 0.5";
    assert_eq!(wrong(ten, &[10.0, 10.1, 9.9, 10.0]), 0);
    assert_eq!(wrong(ten, &[10.6, 10.6, 10.6, 10.6]), 1, "off");
    assert_eq!(wrong(ten, &[8.0, 12.0, 9.0, 11.0]), 1, "not known well enough");
    assert_eq!(wrong("figure = 'x'\neach = [0.0, 1.0]", &[0.5, 1.5]), 1);
    assert_eq!(wrong("figure = 'x'\nbetween = [0.0, 1.0]", &[0.9, 1.05]), 1, "its interval is not inside");
    assert_eq!(wrong("figure = 'x'\nvalue = 3.0\nwithin = 0.1\nroot = true", &[9.1, 8.9, 9.0, 9.0]), 0);
    let known = "figure = 'x'\nvalue = 1.0\nwithin = 0.1\nknown = { because = 'y', seen = [1.9, 2.1] }";
    let unexpected = |values: &[f64]| expect(known).unexpected(&expect(known).judge(values)).len();
    assert_eq!((unexpected(&[2.0, 2.0]), unexpected(&[1.0, 1.0]), unexpected(&[3.0, 3.0])), (0, 1, 1));
    let heavy = weighted(&[1.0, 3.0], &[1.0, 3.0]);
    assert_eq!(heavy.iter().sum::<f64>() / 2.0, 2.5);
}
