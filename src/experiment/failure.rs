//! What could not be done with which file: the one error of everything that reads and writes results.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An I/O error with the path it concerns.
#[derive(Debug)]
pub struct Failure {
    /// What was tried, as a verb: "write", "read".
    pub verb: &'static str,
    /// The path.
    pub path: PathBuf,
    /// What the system said.
    pub reason: io::Error,
}

impl Failure {
    /// A failure to `verb` the `path`; made for `map_err`.
    pub fn to(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
        move |reason| Failure { verb, path: path.to_path_buf(), reason }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.verb, self.path.display(), self.reason)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_file_and_the_reason() {
        let failure = Failure::to("write", Path::new("out/runs.csv"))(io::ErrorKind::StorageFull.into());
        assert_eq!(failure.to_string(), "cannot write out/runs.csv: no storage space");
    }
}
