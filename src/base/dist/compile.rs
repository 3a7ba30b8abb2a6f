//! From a law as written to a sampler: checks every parameter and says how to mend each bad one.
//!
//! All faults of a law are reported at once, each with the path of its field below the law.

use std::fmt;
use std::path::Path;

use super::sampler::{Kind, PowerLaw, Sampler};
use super::{Law, LawShape, empirical};
use crate::base::units::Unit;

/// The standard normal quantile of 0.95.
const Z95: f64 = 1.644_853_626_951_472_2;

/// One thing wrong with a law, and its mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LawFault {
    /// Keys below the law that lead to the field: `["lognormal", "sigma"]`; only the law's name when
    /// the fault is in no single field.
    pub path: Vec<&'static str>,
    /// A sentence that says what was given and what to write.
    pub message: String,
}

impl fmt::Display for LawFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)
    }
}

impl<U: Unit> Law<U> {
    /// Checks the law and prepares it for drawing; `base_dir` is where relative files are looked for.
    ///
    /// ```
    /// use stickysim::base::{dist::Law, dist::LawShape, time::Duration};
    ///
    /// let law = Law(LawShape::Exponential { mean: Duration::ZERO });
    /// let faults = law.compile(std::path::Path::new(".")).unwrap_err();
    /// assert_eq!(faults[0].to_string(), r#"exponential.mean: mean = 0s must be above zero"#);
    /// ```
    pub fn compile(&self, base_dir: &Path) -> Result<Sampler, Vec<LawFault>> {
        let mut check = Check { law: self.0.name(), faults: Vec::new() };
        let kind = self.0.prepare(&mut check, base_dir);
        if !check.faults.is_empty() {
            return Err(check.faults);
        }
        let sampler = Sampler::new(kind);
        if !sampler.mean().is_finite() || !sampler.scv().is_finite() {
            check.whole("these parameters give a mean or a variance too large to compute: choose milder ones".into());
            return Err(check.faults);
        }
        Ok(sampler)
    }
}

impl<U: Unit> LawShape<U> {
    /// The law's name in a file.
    pub fn name(&self) -> &'static str {
        match self {
            LawShape::Constant(_) => "constant",
            LawShape::Uniform { .. } => "uniform",
            LawShape::Exponential { .. } => "exponential",
            LawShape::Erlang { .. } => "erlang",
            LawShape::Gamma { .. } => "gamma",
            LawShape::Lognormal { .. } => "lognormal",
            LawShape::Weibull { .. } => "weibull",
            LawShape::Pareto { .. } => "pareto",
            LawShape::Hyperexponential { .. } => "hyperexponential",
            LawShape::Empirical { .. } => "empirical",
        }
    }

    /// The prepared law; meaningless, and maybe NaN inside, when `check` has noted a fault.
    fn prepare(&self, check: &mut Check, base_dir: &Path) -> Kind {
        match self {
            LawShape::Constant(value) => Kind::Constant(value.base()),
            LawShape::Uniform { min, max } => {
                check.ordered(("min", *min), ("max", *max));
                Kind::uniform(min.base(), max.base())
            }
            LawShape::Exponential { mean } => Kind::Exponential { mean: check.positive("mean", *mean) },
            LawShape::Erlang { mean, shape } => {
                if *shape == 0 {
                    check.field("shape", "shape = 0 must be a whole number of stages, at least 1".into());
                }
                let shape = f64::from(*shape);
                Kind::gamma(shape, check.positive("mean", *mean) / shape)
            }
            LawShape::Gamma { mean, shape } => {
                let mean = check.positive("mean", *mean);
                let shape = check.between("shape", *shape, 1e-3, 1e9);
                Kind::gamma(shape, mean / shape)
            }
            LawShape::Lognormal { median, mean, sigma, p95 } => lognormal(check, *median, *mean, *sigma, *p95),
            LawShape::Weibull { mean, scale, shape } => weibull(check, *mean, *scale, *shape),
            LawShape::Pareto { min, max, alpha } => {
                let low = check.positive("min", *min);
                check.ordered(("min", *min), ("max", *max));
                let alpha = check.between("alpha", *alpha, 1e-3, 1e3);
                Kind::Pareto(PowerLaw::new(low, max.base(), alpha), PowerLaw::new(low, max.base(), alpha - 1.0))
            }
            LawShape::Hyperexponential { mean, cv2 } => hyperexponential(check, *mean, *cv2),
            LawShape::Empirical { values, file } => {
                let read;
                let values = match (values, file) {
                    (Some(values), None) => values,
                    (None, Some(file)) => {
                        read = empirical::read(&base_dir.join(file)).unwrap_or_else(|bad| {
                            bad.into_iter().for_each(|message| check.field("file", message));
                            Vec::new()
                        });
                        &read
                    }
                    _ => {
                        check.whole("empirical needs exactly one of `values` and `file`".into());
                        return Kind::Constant(0.0);
                    }
                };
                if values.is_empty() && check.faults.is_empty() {
                    let field = if file.is_some() { "file" } else { "values" };
                    check.field(field, format!("no values: give at least one, such as \"{}\"", U::EXAMPLE));
                }
                Kind::empirical(values.iter().map(|v| v.base()).collect())
            }
        }
    }
}

fn lognormal<U: Unit>(
    check: &mut Check,
    median: Option<U>,
    mean: Option<U>,
    sigma: Option<f64>,
    p95: Option<U>,
) -> Kind {
    if median.is_some() == mean.is_some() {
        check.whole("lognormal needs exactly one of `median` and `mean`".into());
    }
    let median_base = median.map(|m| check.positive("median", m));
    let mean_base = mean.map(|m| check.positive("mean", m));
    let sigma = match (sigma, p95) {
        (Some(sigma), None) => check.between("sigma", sigma, 0.0, 10.0),
        (None, Some(p95)) => match (median, median_base) {
            (Some(median), Some(base)) => {
                check.ordered(("median", median), ("p95", p95));
                libm::log(p95.base() / base) / Z95
            }
            _ => {
                check.field("p95", "`p95` goes with `median`: give the median, or `sigma` instead of `p95`".into());
                0.0
            }
        },
        _ => {
            check.whole("lognormal needs exactly one of `sigma` and `p95`".into());
            0.0
        }
    };
    let mu = match (median_base, mean_base) {
        (Some(median), _) => libm::log(median),
        (_, Some(mean)) => libm::log(mean) - sigma * sigma / 2.0,
        _ => 0.0,
    };
    Kind::Lognormal { mu, sigma }
}

fn weibull<U: Unit>(check: &mut Check, mean: Option<U>, scale: Option<U>, shape: f64) -> Kind {
    // Below 0.05 the moments (Γ(1 + 2/shape)) leave the range of a float.
    let shape = check.between("shape", shape, 0.05, 1e3);
    let scale = match (mean, scale) {
        (Some(mean), None) => check.positive("mean", mean) / libm::tgamma(1.0 + 1.0 / shape),
        (None, Some(scale)) => check.positive("scale", scale),
        _ => {
            check.whole("weibull needs exactly one of `mean` and `scale`".into());
            1.0
        }
    };
    Kind::weibull(scale, shape)
}

fn hyperexponential<U: Unit>(check: &mut Check, mean: U, cv2: f64) -> Kind {
    let mean = check.positive("mean", mean);
    if !(cv2 > 1.0 && cv2 <= 1e9) {
        let mend = "write exponential for 1, gamma with shape = 1/cv2 below 1";
        check.field("cv2", format!("cv2 = {cv2} must be above 1, and at most 1e9: {mend}"));
    }
    // Balanced means: p₁ = (1 + s)/2 with s² = (cv² − 1)/(cv² + 1), each branch mean m/(2p);
    // Morse, *Queues, Inventories and Maintenance*, 1958. The rare branch 1 − p₁ = (1 − s)/2 is
    // rewritten so that a large cv² does not cancel it away.
    let s = ((cv2 - 1.0) / (cv2 + 1.0)).sqrt();
    let rare = 1.0 / ((cv2 + 1.0) * (1.0 + s));
    Kind::Hyperexponential { rare, short: mean / (1.0 + s), long: mean / (2.0 * rare) }
}

/// Collects the faults of one law.
struct Check {
    law: &'static str,
    faults: Vec<LawFault>,
}

impl Check {
    fn field(&mut self, field: &'static str, message: String) {
        self.faults.push(LawFault { path: vec![self.law, field], message });
    }

    fn whole(&mut self, message: String) {
        self.faults.push(LawFault { path: vec![self.law], message });
    }

    fn positive<U: Unit>(&mut self, field: &'static str, value: U) -> f64 {
        if value.base() <= 0.0 {
            self.field(field, format!("{field} = {value} must be above zero"));
        }
        value.base()
    }

    fn ordered<U: Unit>(&mut self, low: (&'static str, U), high: (&'static str, U)) {
        let ((low_name, low), (high_name, high)) = (low, high);
        if low.base() > high.base() {
            let message =
                format!("{high_name} = {high} is below {low_name} = {low}: raise {high_name} or lower {low_name}");
            self.field(high_name, message);
        }
    }

    /// Also keeps NaN out: it lies between nothing.
    fn between(&mut self, field: &'static str, value: f64, low: f64, high: f64) -> f64 {
        if !(low..=high).contains(&value) {
            self.field(field, format!("{field} = {value} must lie between {low} and {high}"));
        }
        value
    }
}
