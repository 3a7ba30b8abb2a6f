//! What survives an interruption? One file per finished unit, complete or absent.
//!
//! A part carries the plan id, so that parts of another scenario, seed count or version are never joined.
//! Whatever in `parts/` is no part of this plan is removed when a run begins.

use super::identity::{Hasher, sha256};
use super::rows::{Table, Tables};
use super::{Failure, Outline, UnitRows};
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

/// Where finished units lie, in the folder of results.
const FOLDER: &str = "parts";
/// The outline of their study, beside them.
const OUTLINE: &str = "plan.json";
/// Held by whoever adds to them.
const LOCK: &str = "lock";

/// While it lives, no other process adds to the folder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the system gives the lock back when the file is closed")] fs::File);

impl Lock {
    fn new(folder: &Path) -> Result<Lock, Failure> {
        let path = folder.join(LOCK);
        let file = fs::File::create(&path).map_err(Failure::to("write", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(fs::TryLockError::WouldBlock) => {
                let reason = io::Error::new(io::ErrorKind::ResourceBusy, "another run is at work in this folder");
                Err(Failure::to("use", folder)(reason))
            }
            // Some network file systems know no locks.
            Err(fs::TryLockError::Error(_)) => Ok(Lock(file)),
        }
    }
}

/// A part with the hash that belongs to it.
pub fn sealed(part: Part) -> Part {
    Part { check: part.hash(), ..part }
}

/// An outline as it lies beside the units.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    outline: Outline,
    // SHA-256 of it: whoever joins units believes what it says of their number and names.
    check: String,
}

impl Sealed {
    fn new(outline: Outline) -> serde_json::Result<Sealed> {
        let check = sha256(serde_json::to_string(&outline)?.as_bytes());
        Ok(Sealed { outline, check })
    }
}

/// The outline of the study whose units lie under `out`; `None` where there are none.
pub fn outline(out: &Path) -> Result<Option<Outline>, Failure> {
    let path = out.join(FOLDER).join(OUTLINE);
    let failed = |reason| Failure::to("read", &path)(reason);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let sealed: Sealed = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
    let again = Sealed::new(sealed.outline).map_err(|error| failed(error.into()))?;
    match again.check == sealed.check {
        true => Ok(Some(again.outline)),
        false => Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"))),
    }
}

/// Whether a file in the folder is one of ours, which may be removed.
fn is_ours(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let is_unit = name.strip_suffix(".json").is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_digit()));
    is_unit || name == OUTLINE || name == LOCK || name.starts_with("unfinished-") && name.ends_with(".tmp")
}

/// The folder of finished units.
#[derive(Clone, Debug)]
pub struct Parts {
    folder: PathBuf,
    plan: String,
}

impl Parts {
    /// Those of the plan with this id under the folder `out`.
    pub fn new(plan_id: &str, out: &Path) -> Parts {
        Parts { folder: out.join(FOLDER), plan: plan_id.to_owned() }
    }

    /// Takes the folder for this process: makes it, removes what is of no use, leaves the outline there, and says by
    /// unit whether it is finished.
    pub fn open(&self, outline: &Outline) -> Result<(Lock, Vec<bool>), Failure> {
        fs::create_dir_all(&self.folder).map_err(Failure::to("make the folder", &self.folder))?;
        let lock = Lock::new(&self.folder)?;
        let finished = self.tidy(outline.unit_count())?;
        let path = self.folder.join(OUTLINE);
        let failed = |reason| Failure::to("write", &path)(reason);
        let sealed = Sealed::new(outline.clone()).and_then(|sealed| serde_json::to_string_pretty(&sealed));
        let text = sealed.map_err(|error| failed(error.into()))? + "\n";
        let mut file = self.beside()?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok((lock, finished))
    }

    /// By unit, whether it is finished; nothing is removed.
    pub fn finished(&self, units: usize) -> Vec<bool> {
        (0..units).map(|unit| self.path(unit).exists() && self.read(unit).is_ok()).collect()
    }

    fn tidy(&self, units: usize) -> Result<Vec<bool>, Failure> {
        let unreadable = |reason| Failure::to("read", &self.folder)(reason);
        let mut finished = vec![false; units];
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if !is_ours(&path) || path.file_name().is_some_and(|name| name == LOCK) {
                continue;
            }
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
        let part = sealed(Part { plan, unit, fingerprint, events: rows.events, tables: rows.tables, check });
        let path = self.path(unit);
        let failed = |reason| Failure::to("write", &path)(reason);
        let text = serde_json::to_string(&part).map_err(|error| failed(error.into()))?;
        let mut file = self.beside()?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&path).map(drop).map_err(|error| failed(error.error))
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// As [`beside`], in the parts folder, so that the next run removes it should this one be killed.
    fn beside(&self) -> Result<NamedTempFile, Failure> {
        beside(&self.folder)
    }

    /// Removes what is ours, and the folder if nothing else is in it.
    pub fn remove(&self) -> Result<(), Failure> {
        let unreadable = |reason| Failure::to("read", &self.folder)(reason);
        let mut is_empty = true;
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            match is_ours(&path) {
                true => fs::remove_file(&path).map_err(Failure::to("remove", &path))?,
                false => is_empty = false,
            }
        }
        if is_empty { fs::remove_dir(&self.folder).map_err(Failure::to("remove", &self.folder)) } else { Ok(()) }
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

    fn parts(seeds: u32, out: &Path) -> (Parts, Outline) {
        let outline = study(seeds).outline();
        (Parts::new(&outline.plan_id, out), outline)
    }

    fn rows(fingerprint: u64) -> UnitRows {
        let tables = Tables { ticks: "a,\"b \"\" c\"\n".into(), ..Tables::default() };
        UnitRows { fingerprint, events: 7, tables }
    }

    #[test]
    fn a_part_comes_back_as_it_was_written() {
        let out = tempfile::tempdir().unwrap();
        let (parts, outline) = parts(2, out.path());
        assert_eq!(parts.open(&outline).unwrap().1, [false; 8]);
        parts.write(3, rows(u64::MAX)).unwrap();
        let part = parts.read(3).unwrap();
        assert_eq!((part.fingerprint.as_str(), part.events), ("ffffffffffffffff", 7));
        assert_eq!(part.tables, rows(0).tables);
        let finished = parts.open(&outline).unwrap().1;
        assert_eq!(finished, parts.finished(8));
        assert_eq!(super::outline(out.path()).unwrap(), Some(outline));
        assert_eq!(finished.iter().position(|&done| done), Some(3));
    }

    #[test]
    fn what_is_no_part_of_this_plan_is_removed() {
        let out = tempfile::tempdir().unwrap();
        let ((parts, outline), (others, another)) = (parts(2, out.path()), parts(3, out.path()));
        others.open(&another).unwrap();
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
        assert_eq!(parts.open(&outline).unwrap().1.iter().filter(|&&done| done).count(), 1);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "the unit, the outline and the lock");
        fs::write(folder.join("mine.csv"), "x").unwrap();
        fs::create_dir(folder.join("mine")).unwrap();
        parts.open(&outline).unwrap();
        let text = fs::read_to_string(folder.join("plan.json")).unwrap();
        fs::write(folder.join("plan.json"), text.replace("\"seeds\": 2", "\"seeds\": 4000000000")).unwrap();
        assert!(super::outline(out.path()).unwrap_err().to_string().contains("it is damaged"));
        parts.remove().unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "what is not ours stays");
        assert!(parts.read(1).unwrap_err().to_string().starts_with("cannot read "));
    }
}
