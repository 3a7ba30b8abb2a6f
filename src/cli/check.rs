//! `check`: validates a scenario and says what it would run.

use super::{End, Input, print};
use clap::Args;

/// Validate a scenario.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    input: Input,
}

impl Check {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let (study, slo) = self.input.study(false, false)?;
        let (variants, points) = (study.variants().len(), study.points().len());
        print(&format!(
            "{}: ok. {variants} variant(s) × {points} point(s) × {} seed(s) = {} runs; {} limit(s) in [slo]\n",
            study.name,
            study.seeds,
            study.unit_count(),
            slo.len(),
        ))
    }
}
