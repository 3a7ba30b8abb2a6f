//! `report`: a folder of results as one page for a review.

use super::{End, say};
use crate::output::{report, sink};
use clap::Args;
use std::path::Path;
use std::path::PathBuf;

/// Make a self-contained HTML page of finished results.
#[derive(Args)]
pub struct Report {
    /// A folder of results.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The page to write. Default: report.html in the folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print nothing but errors.
    #[arg(short, long)]
    quiet: bool,
}

impl Report {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let page = report::page(&self.folder)?;
        let path = self.output.unwrap_or_else(|| self.folder.join("report.html"));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(name) = path.file_name() else {
            say(&format!("error: --output: {} names no file\nhint: write --output review.html", path.display()));
            return Err(End::BadInput);
        };
        sink::stage(folder, &name.to_string_lossy(), &page)?.publish()?;
        if !self.quiet {
            say(&format!("the page is {}", path.display()));
        }
        Ok(())
    }
}
