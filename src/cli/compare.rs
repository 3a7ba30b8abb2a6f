//! `compare`: which differences hold, of finished results; or how they compare with what was seen.

use super::{End, Format, Talk, print, say, work};
use crate::observe::columns::named;
use crate::output::figures::{self, CellFigures};
use crate::output::manifest::Manifest;
use crate::output::{Results, differences, observed, table};
use clap::Args;
use std::path::{Path, PathBuf};

/// Compare variants, two folders of results, or results with a real incident.
#[derive(Args)]
pub struct Compare {
    /// A folder of results: its variants are compared with each other. Two: the second with the first, before and after.
    #[arg(required = true, num_args = 1..=2, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The variant that the others are compared with. Default: the one that the folder was written with.
    #[arg(long, value_name = "NAME", conflicts_with = "observed")]
    baseline: Option<String>,
    /// The figures to ask for; may be repeated. Default: those of the terminal table.
    #[arg(long = "metric", value_name = "NAME")]
    metrics: Vec<String>,
    /// A CSV of metric,value[,incident]: your own incident beside the simulated ones.
    #[arg(long, value_name = "FILE")]
    observed: Option<PathBuf>,
    #[command(flatten)]
    talk: Talk,
}

impl Compare {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        if let Some(name) = self.metrics.iter().find(|name| named(name).is_none()) {
            say(&format!("error: --metric: there is no figure `{name}`\nhint: see `stickysim list column`"));
            return Err(End::BadInput);
        }
        if self.folders.len() > 1 && (self.baseline.is_some() || self.observed.is_some()) {
            let flag = if self.baseline.is_some() { "--baseline" } else { "--observed" };
            say(&format!("error: {flag} means nothing for two folders\nhint: leave it out, or give one folder"));
            return Err(End::BadInput);
        }
        let (manifest, cells) = open(&self.folders[0])?;
        if let Some(path) = &self.observed {
            return self.beside(path, &cells);
        }
        let metrics: Vec<&str> = match self.metrics.is_empty() {
            true => table::figures().collect(),
            false => self.metrics.iter().map(String::as_str).collect(),
        };
        let (questions, baseline) = match self.folders.get(1) {
            Some(after) => {
                let (_, other) = open(after)?;
                let alone = differences::unmatched(&cells, &other);
                if !alone.is_empty() && !self.talk.quiet {
                    say(&format!("note: only one of the folders has {}: not compared", alone.join(", ")));
                }
                (differences::of_folders(&cells, &other, &metrics), self.folders[0].display().to_string())
            }
            None => {
                let baseline = self.baseline(&manifest)?;
                (differences::of_variants(&Results::of(&cells, &baseline).compare, &baseline, &metrics), baseline)
            }
        };
        self.tell(differences::table(&questions, &baseline, work::columns()), differences::json(&questions, &baseline))
    }

    fn baseline(&self, manifest: &Manifest) -> Result<String, End> {
        let Some(name) = &self.baseline else { return Ok(manifest.baseline.clone()) };
        if manifest.variants.contains(name) {
            return Ok(name.clone());
        }
        let known: Vec<String> = manifest.variants.iter().map(|known| format!("`{known}`")).collect();
        say(&format!("error: --baseline: there is no variant `{name}`\nhint: the variants are {}", known.join(", ")));
        Err(End::BadInput)
    }

    fn beside(&self, path: &Path, cells: &[CellFigures]) -> Result<(), End> {
        let seen = observed::read(path).map_err(|wrong| {
            wrong.iter().for_each(|message| say(&format!("error: {message}")));
            End::BadInput
        })?;
        let unknown = observed::unknown(cells, &seen);
        if !unknown.is_empty() {
            let names = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let mut known: Vec<&str> =
                cells.iter().flat_map(|cell| &cell.scopes).map(|s| s.incident.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            known.retain(|name| !name.is_empty());
            let (path, unknown, known) = (path.display(), names(unknown), names(known));
            say(&format!("error: {path}: no run has the incident {unknown}\nhint: the incidents are {known}"));
            return Err(End::BadInput);
        }
        let found = observed::beside(cells, &seen);
        self.tell(observed::table(&found), observed::json(&found))
    }

    fn tell(&self, text: String, json: serde_json::Value) -> Result<(), End> {
        if self.talk.quiet {
            return Ok(());
        }
        match self.talk.format {
            Format::Table => print(&text),
            Format::Json => print(&(format!("{json:#}") + "\n")),
            Format::Csv => {
                say("error: --format: compare prints a table or json\nhint: compare.csv lies in the folder");
                Err(End::BadInput)
            }
        }
    }
}

/// A folder that is complete.
fn open(folder: &Path) -> Result<(Manifest, Vec<CellFigures>), End> {
    let manifest = Manifest::read(folder)?;
    let cells = figures::read(folder, &manifest)?;
    Ok((manifest, cells))
}
