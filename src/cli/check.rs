//! `check`: validates a scenario and says what it would run.

use super::{End, Input, print};
use crate::experiment::Keeps;
use crate::scenario::Sweeps;
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
        let keeps = Keeps { ticks: true, nodes: false };
        let (study, finds_warmup) = self.input.read(false, keeps, &Sweeps::default(), None)?;
        let outline = study.outline();
        let (variants, points) = (outline.variants().len(), outline.points().len());
        print(&format!(
            "{}: ok. {variants} variant(s) × {points} point(s) × {} seed(s) = {} runs; {} limit(s) in [slo]\n",
            study.name,
            study.seeds,
            study.unit_count(),
            study.slo.len(),
        ))?;
        if finds_warmup {
            print("its warm-up is found by pilot runs when it is run\n")?;
        }
        Ok(())
    }
}
