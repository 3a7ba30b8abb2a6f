//! What is left on disk? Result files: tables, their description, and a manifest that seals them.
//!
//! Everything is written beside and renamed at the end, the manifest last: a folder with a manifest is
//! complete, and a file is never half written.

pub mod bands;
pub mod batches;
pub mod checklist;
pub mod differences;
pub mod figures;
pub mod files;
pub mod json;
pub mod manifest;
pub mod observed;
pub mod package;
pub mod precision;
pub mod report;
pub mod results;
pub mod sensitivity;
pub mod shards;
pub mod sink;
pub mod table;
pub mod warnings;

pub use files::write;
pub use manifest::Manifest;
pub use results::{CompareRow, Results, SummaryRow};
