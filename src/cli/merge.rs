//! `merge`: shards become one folder of results, byte for byte what one machine would have written.

use super::work::Words;
use super::{End, say};
use crate::experiment::Outline;
use crate::output::shards::{self, Gathered};
use clap::Args;
use std::path::PathBuf;

/// So many missing runs are named.
const NAMED_MAX: usize = 10;

/// Join the shards of a sweep.
#[derive(Args)]
pub struct Merge {
    /// The folders that `sweep --shard` has written.
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,
    /// Folder for the result files; none of the shards. Default: results/<scenario>.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    words: Words,
}

impl Merge {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let gathered = shards::gather(&self.shards)?;
        let outline = &gathered.outline;
        self.words.check_names(outline)?;
        let missing = gathered.missing();
        if !missing.is_empty() {
            say(&lack(outline, &gathered, &missing));
            return Err(End::Incomplete);
        }
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("results").join(&outline.name));
        let results = shards::join(&gathered, &out, self.words.baseline.as_deref())?;
        self.words.tell(outline, &out, &results)
    }
}

fn lack(outline: &Outline, gathered: &Gathered, missing: &[usize]) -> String {
    let mut text = format!("error: {} of {} runs are missing", missing.len(), outline.unit_count());
    for &unit in missing.iter().take(NAMED_MAX) {
        text += &format!("\n  unit {unit}: {}", outline.called(unit));
    }
    if missing.len() > NAMED_MAX {
        text += &format!("\n  … and {} more", missing.len() - NAMED_MAX);
    }
    for folder in &gathered.empty {
        text += &format!("\nnote: {} holds no shard", folder.display());
    }
    text + "\nhint: run the shards that lack them again: each goes on from what it has"
}
