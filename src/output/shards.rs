//! Whose runs belong together? Shards of one plan, gathered from the folders that several machines have filled.
//!
//! Every folder says which plan it belongs to; one of another is refused, and so are two that tell of one run in two
//! ways. What is missing is known by number before anything is written.

use super::files;
use super::results::Results;
use crate::experiment::parts::{self, Parts};
use crate::experiment::{Failure, Outline};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Shards of one plan.
#[derive(Debug)]
pub struct Gathered {
    /// The study that they are of.
    pub outline: Outline,
    /// Folders without any shard.
    pub empty: Vec<PathBuf>,
    folders: Vec<(PathBuf, Parts)>,
    // By unit: which folder has it.
    at: Vec<Option<u16>>,
}

impl Gathered {
    /// The units that nobody has, in plan order.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.at.len()).filter(|&unit| self.at[unit].is_none()).collect()
    }
}

/// Looks what the folders hold.
pub fn gather(folders: &[PathBuf]) -> Result<Gathered, Failure> {
    let (mut found, mut empty) = (Vec::new(), Vec::new());
    for folder in folders {
        match parts::outline(folder)? {
            Some(outline) => found.push((folder.clone(), outline)),
            None => empty.push(folder.clone()),
        }
    }
    let Some((first, outline)) = found.first().cloned() else {
        return Err(invalid(&folders[0], "there is no shard in it".into()));
    };
    for (folder, other) in &found {
        if *other != outline {
            let reason = format!("it is a shard of another plan (`{}`) than {}", other.name, first.display());
            return Err(invalid(folder, reason));
        }
    }
    let folders: Vec<(PathBuf, Parts)> =
        found.into_iter().map(|(folder, _)| (folder.clone(), Parts::new(&outline.plan_id, &folder))).collect();
    let mut at: Vec<Option<u16>> = vec![None; outline.unit_count()];
    for (number, (folder, parts)) in (0..).zip(&folders) {
        for (unit, _) in parts.finished(at.len()).into_iter().enumerate().filter(|&(_, is_finished)| is_finished) {
            match at[unit] {
                Some(other) => agree(unit, parts, &folders[usize::from(other)].1, folder, &outline)?,
                None => at[unit] = Some(number),
            }
        }
    }
    Ok(Gathered { outline, empty, folders, at })
}

/// Two shards have the same run: they must tell the same of it.
fn agree(unit: usize, parts: &Parts, others: &Parts, folder: &Path, outline: &Outline) -> Result<(), Failure> {
    if parts.read(unit)?.check == others.read(unit)?.check {
        return Ok(());
    }
    let reason = format!("its run of {} differs from that of another shard", outline.called(unit));
    Err(invalid(folder, reason))
}

/// Writes the results of shards that lack nothing.
pub fn join(gathered: &Gathered, out: &Path, baseline: Option<&str>) -> Result<Results, Failure> {
    fs::create_dir_all(out).map_err(Failure::to("make the folder", out))?;
    let same = |folder: &Path| Some(fs::canonicalize(folder).ok()? == fs::canonicalize(out).ok()?);
    if let Some((folder, _)) = gathered.folders.iter().find(|(folder, _)| same(folder) == Some(true)) {
        return Err(invalid(folder, "it is one of the shards: write --out to another folder".into()));
    }
    let staging = tempfile::Builder::new().prefix(".merging-").tempdir_in(out);
    let staging = staging.map_err(Failure::to("write into", out))?;
    let seeds = gathered.outline.seeds as usize;
    let place_of = |cell: usize, seed: usize| {
        let unit = cell * seeds + seed;
        (&gathered.folders[gathered.at[unit].map_or(0, usize::from)].1, unit)
    };
    files::join(&gathered.outline, Vec::new(), out, baseline, staging.path(), place_of)
}

fn invalid(folder: &Path, reason: String) -> Failure {
    Failure::to("merge", folder)(io::Error::new(ErrorKind::InvalidData, reason))
}
