//! What made these files, and are they all here? `manifest.json`, written last.
//!
//! It holds what decides results and nothing else: no threads, paths, host, time or git state.

use super::precision::Reached;
use crate::experiment::identity::sha256;
use crate::experiment::{Failure, Keeps, Outline, Place};
use crate::observe::slo::Limit;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// The manifest's file.
pub const FILE: &str = "manifest.json";
/// Goes up whenever a reader of an older manifest would be misled.
pub const FORMAT_VERSION: u32 = 1;

/// The seal of a folder of results.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of this program.
    pub version: String,
    /// Hash of everything that decides results.
    pub plan_id: String,
    /// The study's name.
    pub name: String,
    /// What was asked.
    pub scenario: Scenario,
    /// Options that changed results.
    pub overrides: Vec<String>,
    /// Every cell ran under the seeds 1 to this.
    pub seeds: u32,
    /// How far goals of precision were reached; none unless there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precision: Vec<Reached>,
    /// Limits that must hold; none unless there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slo: Vec<Limit>,
    /// Names of the variants, in order.
    pub variants: Vec<String>,
    /// What `compare.csv` compares with.
    pub baseline: String,
    /// Sweep points, in order.
    pub points: Vec<String>,
    /// Every file but this one.
    pub files: Vec<FileEntry>,
    /// Every run, in plan order.
    pub runs: Vec<RunEntry>,
}

/// A scenario file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// Its file name.
    pub file: String,
    /// SHA-256 of its text.
    pub sha256: String,
    /// Its text.
    pub text: String,
}

/// A file of the folder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its columns; none when it is not a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// A run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its variant.
    pub variant: String,
    /// Its sweep point.
    pub point: String,
    /// Its seed.
    pub seed: u64,
    /// A hash of what happened: 16 hexadecimal digits.
    pub fingerprint: String,
}

impl Manifest {
    /// The manifest of a study whose files and runs these are.
    pub fn new(study: &Outline, baseline: &str, files: Vec<FileEntry>, runs: Vec<RunEntry>) -> Manifest {
        let owned = |names: Vec<&str>| names.into_iter().map(String::from).collect();
        Manifest {
            format_version: FORMAT_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            plan_id: study.plan_id.clone(),
            name: study.name.clone(),
            scenario: Scenario {
                file: study.scenario_name.clone(),
                sha256: sha256(study.scenario_text.as_bytes()),
                text: study.scenario_text.clone(),
            },
            overrides: study.overrides.clone(),
            seeds: study.seeds,
            precision: Vec::new(),
            slo: study.slo.clone(),
            variants: owned(study.variants()),
            baseline: baseline.into(),
            points: owned(study.points()),
            files,
            runs,
        }
    }

    /// The study that it is of, as far as tables and judgements need it.
    pub fn outline(&self) -> Outline {
        let place =
            |run: &RunEntry| Place { variant: run.variant.clone(), point: run.point.clone(), settings: Vec::new() };
        let has = |name: &str| self.files.iter().any(|entry| entry.file == name);
        Outline {
            plan_id: self.plan_id.clone(),
            name: self.name.clone(),
            cells: self.runs.iter().filter(|run| run.seed == 1).map(place).collect(),
            seeds: self.seeds,
            scenario_text: self.scenario.text.clone(),
            scenario_name: self.scenario.file.clone(),
            overrides: self.overrides.clone(),
            keeps: Keeps { ticks: has("ticks.csv"), nodes: has("nodes.csv") },
            slo: self.slo.clone(),
            precision: Vec::new(),
        }
    }

    /// The manifest of a folder; without one, the folder is not complete.
    pub fn read(out: &Path) -> Result<Manifest, Failure> {
        let path = out.join(FILE);
        let text = fs::read(&path).map_err(Failure::to("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| Failure::to("read", &path)(error.into()))
    }

    /// Fails with the first file that is missing, or is not the one that was sealed.
    pub fn verify(&self, out: &Path) -> Result<(), Failure> {
        for entry in &self.files {
            let path = out.join(&entry.file);
            let bytes = fs::read(&path).map_err(Failure::to("read", &path))?;
            if sha256(&bytes) != entry.sha256 {
                let reason = "it has been changed since the manifest was written";
                return Err(Failure::to("use", &path)(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
        }
        Ok(())
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
