//! `completions`: a script that teaches a shell our verbs and flags.

use super::{Command, End, print};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a completion script.
#[derive(Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Command::command(), "stickysim", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
