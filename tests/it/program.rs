//! Runs the program as a person would, in a folder of its own with a scenario small enough to run often.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Two designs, three nodes, one crash, 6 s.
pub const SMALL: &str = r#"
duration = "6s"
warmup   = "1s"
seeds    = 3
recovery_hold = "1s"
[cluster]
nodes = 3
node  = { concurrency = 4 }
[clients.web]
arrivals = { open = { rate = "10/s" } }
length   = { exponential = { mean = "5s" } }
think    = { exponential = { mean = "500ms" } }
service  = { exponential = { mean = "5ms" } }
request_timeout = "1s"
[balancer]
balance    = "leastconn"
affinity   = "cookie"
redispatch = true
[state.memory]
[fault.crash]
at   = "3s"
kill = { nodes = 1, lasts = "1s" }
[variant.shared]
balancer.affinity = "none"
state.store = { read = "0.6ms", write = "0.8ms" }
[variant.sticky]
"#;

/// The files of a folder, by name.
pub type Files = BTreeMap<String, Vec<u8>>;
/// A row of a table, by column.
pub type Row = BTreeMap<String, String>;

/// How the program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    pub fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A folder to work in, with `small.toml`.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        desk.write("small.toml", SMALL);
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The program with these arguments, its streams piped, nothing in its environment about colours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stickysim"));
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it with arguments that hold no spaces.
    pub fn run(&self, line: &str) -> Ended {
        self.run_with(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_with(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// The names of what lies in the folder itself, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn files(&self, folder: &str) -> Files {
        files(&self.path(folder))
    }

    pub fn rows(&self, file: &str) -> Vec<Row> {
        rows(&fs::read(self.path(file)).unwrap())
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Every file of a folder; folders in it are left out.
pub fn files(folder: &Path) -> Files {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.filter(|path| path.is_file()).map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

pub fn rows(csv: &[u8]) -> Vec<Row> {
    csv::Reader::from_reader(csv).deserialize().map(Result::unwrap).collect()
}

/// Fails with the first file, line and column that differ.
#[track_caller]
pub fn assert_same(left: &Files, right: &Files) {
    if let Some(difference) = difference(left, right) {
        panic!("{difference}");
    }
}

/// The first difference between two folders, in words.
pub fn difference(left: &Files, right: &Files) -> Option<String> {
    for name in left.keys().chain(right.keys()) {
        let (Some(a), Some(b)) = (left.get(name), right.get(name)) else {
            return Some(format!("{name} is in one of them only"));
        };
        if a == b {
            continue;
        }
        let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
        let (mut a, mut b) = (a.lines(), b.lines());
        for line in 1.. {
            let pair = (a.next(), b.next());
            if pair.0 != pair.1 || pair.0.is_none() {
                let shown = |text: Option<&str>| text.map_or("(no line)".into(), |t| excerpt(t, pair));
                return Some(format!("{name}:{line} differs:\n  {}\n  {}", shown(pair.0), shown(pair.1)));
            }
        }
    }
    None
}

/// The part of a long line where the two begin to differ.
fn excerpt(text: &str, (a, b): (Option<&str>, Option<&str>)) -> String {
    let (a, b) = (a.unwrap_or(""), b.unwrap_or(""));
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let start = same.saturating_sub(60);
    let part: String = text.chars().skip(start).take(160).collect();
    format!("{}{part}", if start > 0 { "…" } else { "" })
}
