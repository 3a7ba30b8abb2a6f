//! A file that does not exist until it is complete: written beside, hashed on the way, renamed at the end.

use crate::experiment::Failure;
use crate::experiment::identity::Hasher;
use crate::experiment::parts;
use crate::experiment::rows::{Field, Sheet};
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// A file under way.
pub struct Sink {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
    bytes: u64,
}

impl Sink {
    /// The file that is to become `name` in the folder `out`, and until then is in `staging`.
    pub fn new(staging: &Path, out: &Path, name: &str) -> Result<Sink, Failure> {
        Ok(Sink::on(parts::beside(staging)?, out.join(name)))
    }

    fn on(file: NamedTempFile, path: PathBuf) -> Sink {
        Sink { path, file: BufWriter::with_capacity(1 << 16, file), hasher: Hasher::default(), bytes: 0 }
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.write_all(text.as_bytes()).map_err(Failure::to("write", &self.path))
    }

    /// Ends the file; it is still without its name.
    pub fn finish(self) -> Result<Staged, Failure> {
        let failed = |reason| Failure::to("write", &self.path)(reason);
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        let (sha256, bytes) = (self.hasher.hex(), self.bytes);
        Ok(Staged { path: self.path, file: file.into_temp_path(), sha256, bytes })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A CSV file under way.
pub struct Table {
    path: PathBuf,
    sheet: Sheet<Sink>,
}

impl Table {
    /// The table that is to become `name`, with its header.
    pub fn new(staging: &Path, out: &Path, name: &str, fields: &[Field]) -> Result<Table, Failure> {
        let sink = Sink::new(staging, out, name)?;
        let path = sink.path.clone();
        let failed = |error: csv::Error| Failure::to("write", &path)(error.into());
        let sheet = Sheet::headed(sink, fields).map_err(failed)?;
        Ok(Table { path, sheet })
    }

    /// Appends a cell that is text already.
    pub fn text(&mut self, cell: &str) -> Result<(), Failure> {
        self.sheet.text(cell).map_err(|error| self.failed(error))
    }

    /// Appends a figure in the way of its column; nothing for one that does not apply.
    pub fn number(&mut self, value: Option<f64>) -> Result<(), Failure> {
        self.sheet.number(value).map_err(|error| self.failed(error))
    }

    /// Ends the row.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.sheet.end().map_err(|error| self.failed(error))
    }

    /// Ends the table; it is still without its name.
    pub fn finish(self) -> Result<Staged, Failure> {
        let path = self.path;
        let sink = self.sheet.into_inner().map_err(Failure::to("write", &path))?;
        sink.finish()
    }

    fn failed(&self, error: csv::Error) -> Failure {
        Failure::to("write", &self.path)(error.into())
    }
}

/// A complete file that still lacks its name; dropped, it vanishes.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    file: TempPath,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

impl Staged {
    /// Gives it its name, in place of an older file.
    pub fn publish(self) -> Result<(), Failure> {
        self.file.persist(&self.path).map_err(|error| Failure::to("write", &self.path)(error.error))
    }
}

/// A text that is to become `name` in the folder `out`, which is made if need be.
pub fn stage(out: &Path, name: &str, text: &str) -> Result<Staged, Failure> {
    fs::create_dir_all(out).map_err(Failure::to("make the folder", out))?;
    let mut sink = Sink::on(parts::beside(out)?, out.join(name));
    sink.text(text)?;
    sink.finish()
}

/// Removes a file if it is there.
pub fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(reason) if reason.kind() != ErrorKind::NotFound => Err(Failure::to("remove", path)(reason)),
        _ => Ok(()),
    }
}
