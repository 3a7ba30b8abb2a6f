//! What a session takes of memory, and that a run's need is known before it begins.
//!
//! Linux tells how much a process has had at most (`VmHWM`); elsewhere there is nothing to compare with.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use stickysim::scenario::{Overrides, Problems, Sources, load};

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/scenarios/w4.toml");

/// W4 for a moment, with so many sessions.
fn patches(sessions: u64) -> [String; 5] {
    let patches = ["duration=200ms", "tick=100ms", "fault.crash.at=100ms", "recovery_hold=100ms"];
    let [duration, tick, crash, hold] = patches.map(str::to_owned);
    [format!("clients.web.arrivals.initial={sessions}"), duration, tick, crash, hold]
}

/// The most memory that a process has had until it ended (bytes).
fn peak(mut child: Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it can be waited for").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1_024);
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

fn run(sessions: u64) -> u64 {
    let out = tempfile::tempdir().expect("there is a place for temporary files");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stickysim"));
    command.args(["run", SCENARIO, "--seeds", "1", "--jobs", "1", "--quiet", "--out"]).arg(out.path());
    for patch in patches(sessions) {
        command.args(["--set", &patch]);
    }
    peak(command.stdout(Stdio::null()).spawn().expect("the program is there"))
}

fn estimate(sessions: u64) -> u64 {
    let overrides = Overrides { sets: patches(sessions).to_vec(), ..Overrides::default() };
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = load(Path::new(SCENARIO), &overrides, &mut sources, &mut problems).expect("it is a scenario");
    loaded.cells[0].plan.memory_estimate()
}

#[test]
fn a_session_takes_less_than_150_bytes_and_the_estimate_covers_it() {
    let [few, many] = [100_000, 600_000];
    let each = (run(many) - run(few)) as f64 / (many - few) as f64;
    assert!((64.0..150.0).contains(&each), "a session takes {each:.0} bytes");
    let expected = (estimate(many) - estimate(few)) as f64 / (many - few) as f64;
    assert!((each..2.0 * each).contains(&expected), "{expected:.0} bytes are expected, {each:.0} are taken");
}
