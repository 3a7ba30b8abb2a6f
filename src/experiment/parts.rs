//! What survives an interruption? One file per finished unit, complete or absent.
//!
//! A part carries the plan id, so that parts of another scenario, seed count or version are never joined.
//! Whatever in `parts/` is no part of this plan is removed when a run begins.

use super::identity::Hasher;
use super::rows::{Table, Tables};
use super::{Failure, Study, UnitRows};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A finished unit, as it lies in `parts/`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The plan it belongs to.
    pub plan: String,
    /// Its unit's number.
    pub unit: usize,
    /// A hash of what happened: 16 hexadecimal digits.
    pub fingerprint: String,
    /// Events handled.
    pub events: u64,
    /// Its rows.
    pub tables: Tables,
    /// SHA-256 of everything above: a disk can spoil a digit without spoiling the syntax.
    pub check: String,
}

impl Part {
    fn hash(&self) -> String {
        let mut hasher = Hasher::default();
        [&self.plan, &self.fingerprint].into_iter().for_each(|text| hasher.text(text));
        hasher.update(&(self.unit as u64).to_le_bytes());
        hasher.update(&self.events.to_le_bytes());
        Table::ALL.iter().for_each(|&table| hasher.text(self.tables.of(table)));
        hasher.hex()
    }
}

/// The folder of finished units.
#[derive(Clone, Debug)]
pub struct Parts {
    folder: PathBuf,
    plan: String,
}

impl Parts {
    /// Those of `study` under the folder `out`.
    pub fn new(study: &Study, out: &Path) -> Parts {
        Parts { folder: out.join("parts"), plan: study.plan_id() }
    }

    /// The plan that its parts belong to.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// Makes the folder, removes what is of no use, and says by unit whether it is finished.
    pub fn open(&self, units: usize) -> Result<Vec<bool>, Failure> {
        fs::create_dir_all(&self.folder).map_err(Failure::to("make the folder", &self.folder))?;
        let unreadable = |reason| Failure::to("read", &self.folder)(reason);
        let mut finished = vec![false; units];
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<usize>().ok());
            let unit = number.filter(|&unit| unit < units && path == self.path(unit));
            match unit.filter(|&unit| self.read(unit).is_ok()) {
                Some(unit) => finished[unit] = true,
                None => fs::remove_file(&path).map_err(Failure::to("remove", &path))?,
            }
        }
        Ok(finished)
    }

    /// The part of this unit; one of another plan is an error.
    pub fn read(&self, unit: usize) -> Result<Part, Failure> {
        let path = self.path(unit);
        let invalid = |reason: String| Failure::to("read", &path)(io::Error::new(io::ErrorKind::InvalidData, reason));
        let bytes = fs::read(&path).map_err(Failure::to("read", &path))?;
        let part: Part = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        if part.check != part.hash() {
            return Err(invalid("it is damaged".into()));
        }
        if part.plan != self.plan || part.unit != unit {
            return Err(invalid("it belongs to another plan".into()));
        }
        Ok(part)
    }

    /// Keeps a finished unit.
    pub fn write(&self, unit: usize, rows: UnitRows) -> Result<(), Failure> {
        let fingerprint = format!("{:016x}", rows.fingerprint);
        let (plan, check) = (self.plan.clone(), String::new());
        let mut part = Part { plan, unit, fingerprint, events: rows.events, tables: rows.tables, check };
        part.check = part.hash();
        let path = self.path(unit);
        let failed = |reason| Failure::to("write", &path)(reason);
        let text = serde_json::to_string(&part).map_err(|error| failed(error.into()))?;
        let mut file = self.beside()?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&path).map(drop).map_err(|error| failed(error.error))
    }

    /// As [`beside`], in the parts folder, so that the next run removes it should this one be killed.
    pub fn beside(&self) -> Result<NamedTempFile, Failure> {
        beside(&self.folder)
    }

    /// Removes the folder.
    pub fn remove(&self) -> Result<(), Failure> {
        fs::remove_dir_all(&self.folder).map_err(Failure::to("remove", &self.folder))
    }

    /// The file of this unit.
    pub fn path(&self, unit: usize) -> PathBuf {
        self.folder.join(format!("{unit}.json"))
    }
}

/// A file in `folder` without a name of its own yet, to be renamed when it is complete.
pub fn beside(folder: &Path) -> Result<NamedTempFile, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("unfinished-").suffix(".tmp");
    // As any new file; NamedTempFile alone would hide it from everybody else.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(Failure::to("write into", folder))
}

#[cfg(test)]
mod tests {
    use super::super::testing::study;
    use super::*;

    fn rows(fingerprint: u64) -> UnitRows {
        let tables = Tables { ticks: "a,\"b \"\" c\"\n".into(), ..Tables::default() };
        UnitRows { fingerprint, events: 7, tables }
    }

    #[test]
    fn a_part_comes_back_as_it_was_written() {
        let out = tempfile::tempdir().unwrap();
        let parts = Parts::new(&study(2), out.path());
        assert_eq!(parts.open(8).unwrap(), [false; 8]);
        parts.write(3, rows(u64::MAX)).unwrap();
        let part = parts.read(3).unwrap();
        assert_eq!((part.fingerprint.as_str(), part.events), ("ffffffffffffffff", 7));
        assert_eq!(part.tables, rows(0).tables);
        let finished = parts.open(8).unwrap();
        assert_eq!(finished.iter().position(|&done| done), Some(3));
    }

    #[test]
    fn what_is_no_part_of_this_plan_is_removed() {
        let out = tempfile::tempdir().unwrap();
        let (parts, others) = (Parts::new(&study(2), out.path()), Parts::new(&study(3), out.path()));
        others.open(8).unwrap();
        others.write(0, rows(1)).unwrap();
        for unit in 1..=3 {
            parts.write(unit, rows(1)).unwrap();
        }
        let folder = out.path().join("parts");
        let text = fs::read_to_string(folder.join("1.json")).unwrap();
        fs::write(folder.join("1.json"), text.replace("\"events\":7", "\"events\":8")).unwrap();
        fs::write(folder.join("2.json"), &text[..text.len() / 2]).unwrap();
        fs::write(folder.join("unfinished-x.tmp"), "").unwrap();
        fs::write(folder.join("9.json"), text).unwrap();
        assert_eq!(parts.open(8).unwrap().iter().filter(|&&done| done).count(), 1);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert!(parts.read(1).unwrap_err().to_string().starts_with("cannot read "));
    }
}
