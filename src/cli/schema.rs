//! `schema`: the JSON schema of scenario files, for editors and for programs that write them.

use super::{End, print};
use crate::scenario::file::Root;

/// Runs the verb.
pub fn run() -> Result<(), End> {
    let schema = schemars::schema_for!(Root);
    let text = serde_json::to_string_pretty(&schema).map_err(|error| End::Failed(error.to_string()))?;
    print(&(text + "\n"))
}
