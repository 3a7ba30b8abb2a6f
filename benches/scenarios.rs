//! What does a request cost? Whole scenarios, one seed, each in a process of its own.
//!
//! `w4.toml` at three sizes shows whether the cost of a request grows with the number of sessions; `w1.toml` and `w3.toml` are one
//! server and a hundred, with a session for every request; the shipped
//! scenarios show what people will wait for. Memory is the peak of the process less what it had before
//! the run began, so that the program itself does not count.
//!
//!     cargo bench --bench scenarios [-- NAME …]       only those whose name contains NAME

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use stickysim::cluster::Sim;
use stickysim::observe::totals::Counter;
use stickysim::scenario::{Overrides, Problems, Sources, load};

/// Tells this program to run one case and print its figures: the child's side.
const CHILD: &str = "--case";

/// One run to measure.
struct Case {
    name: String,
    scenario: PathBuf,
    /// `--set` patches.
    sets: Vec<String>,
    variant: Option<String>,
}

/// What was measured.
struct Figures {
    requests: f64,
    events: f64,
    seconds: f64,
    sessions: f64,
    bytes: f64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == CHILD) {
        return child(&arguments[1..]);
    }
    let wanted = |case: &Case| arguments.is_empty() || arguments.iter().any(|word| case.name.contains(word.as_str()));
    println!(
        "{:<56} {:>9} {:>11} {:>9} {:>11} {:>8} {:>9}",
        "scenario", "requests", "requests/s", "ns/req", "events/s", "MiB", "B/session"
    );
    let mut costs = Vec::new();
    for case in cases().iter().filter(|case| wanted(case)) {
        let Some(figures) = measure(case) else { return ExitCode::FAILURE };
        let ns = figures.seconds * 1e9 / figures.requests;
        println!(
            "{:<56} {:>9} {:>11.0} {:>9.0} {:>11.0} {:>8.1} {:>9.0}",
            case.name,
            figures.requests,
            figures.requests / figures.seconds,
            ns,
            figures.events / figures.seconds,
            figures.bytes / f64::from(1 << 20),
            figures.bytes / figures.sessions.max(1.0),
        );
        costs.push((case.name.clone(), ns));
    }
    let cost = |name: &str| costs.iter().find(|(case, _)| case == name).map(|(_, ns)| ns);
    if let (Some(small), Some(large)) = (cost("w4, 10^4 sessions"), cost("w4, 10^6 sessions")) {
        println!("a request at 10^6 sessions costs {:.2} times one at 10^4", large / small);
    }
    ExitCode::SUCCESS
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // 70 % load at every size; durations such that each has some 3 million requests.
    let w4 = [(4, 10_000, "70ms", "3000s"), (5, 100_000, "7ms", "300s"), (6, 1_000_000, "0.7ms", "30s")];
    let mut cases: Vec<Case> = w4
        .iter()
        .map(|(power, sessions, service, duration)| Case {
            name: format!("w4, 10^{power} sessions"),
            scenario: root.join("benches/scenarios/w4.toml"),
            sets: vec![
                format!("clients.web.arrivals.initial={sessions}"),
                format!("clients.web.service.exponential.mean={service}"),
                format!("duration={duration}"),
                format!("fault.crash.at={}", half(duration)),
            ],
            variant: None,
        })
        .collect();
    let bare = |(name, duration): (&str, &str)| Case {
        name: name.to_owned(),
        scenario: root.join(format!("benches/scenarios/{name}.toml")),
        sets: vec![format!("duration={duration}")],
        variant: None,
    };
    cases.extend([("w1", "1000s"), ("w3", "10s")].map(bare));
    let entries = std::fs::read_dir(root.join("scenarios")).into_iter().flatten().flatten();
    let mut shipped: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    shipped.sort();
    for scenario in shipped {
        let stem = scenario.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // The first point of each variant.
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let loaded = load(&scenario, &Overrides::default(), &mut sources, &mut problems);
        let Some(cells) = loaded.map(|loaded| loaded.cells) else { continue };
        let point = cells.first().map(|cell| cell.point.clone());
        for cell in cells.iter().filter(|cell| Some(&cell.point) == point.as_ref()) {
            cases.push(Case {
                name: format!("{stem}, {}", cell.variant),
                scenario: scenario.clone(),
                sets: Vec::new(),
                variant: Some(cell.variant.clone()).filter(|name| name != "base"),
            });
        }
    }
    cases
}

/// Half of a number of seconds.
fn half(duration: &str) -> String {
    let seconds: u32 = duration.trim_end_matches('s').parse().expect("whole seconds");
    format!("{}s", seconds / 2)
}

/// Runs a case in a process of its own.
fn measure(case: &Case) -> Option<Figures> {
    let program = std::env::current_exe().expect("the program that runs is there");
    let mut command = Command::new(program);
    command.arg(CHILD).arg(&case.scenario).arg(case.variant.as_deref().unwrap_or(""));
    let output = command.args(&case.sets).output().expect("it ran a moment ago");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let &[requests, events, seconds, sessions, bytes] = numbers.as_slice() else {
        eprintln!("{} failed:\n{}", case.name, String::from_utf8_lossy(&output.stderr));
        return None;
    };
    Some(Figures { requests, events, seconds, sessions, bytes })
}

/// The child's side: scenario, variant, patches; prints five numbers.
#[expect(clippy::disallowed_methods, reason = "a benchmark needs a wall clock; no result depends on it")]
fn child(arguments: &[String]) -> ExitCode {
    let [scenario, variant, sets @ ..] = arguments else { return ExitCode::FAILURE };
    let variants = Some(variant.clone()).filter(|name| !name.is_empty()).into_iter().collect();
    let overrides = Overrides { sets: sets.to_vec(), variants, ..Overrides::default() };
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = load(Path::new(scenario), &overrides, &mut sources, &mut problems);
    let Some(cell) = loaded.filter(|_| !problems.has_errors()).and_then(|loaded| loaded.cells.into_iter().next())
    else {
        eprintln!("{}", problems.render(&sources, false));
        return ExitCode::FAILURE;
    };
    let before = peak_bytes();
    let began = std::time::Instant::now();
    let outcome = Sim::new(&cell.plan, 1, false).run(|| false);
    let seconds = began.elapsed().as_secs_f64();
    let outcome = outcome.expect("nothing stops it");
    let bytes = peak_bytes() - before;
    // The cluster's windows: per tick the populations, then all of them.
    let all =
        || outcome.recording.ticks.iter().skip(cell.plan.populations.len()).step_by(cell.plan.populations.len() + 1);
    let requests: u64 = all().map(|window| window.totals[Counter::Issued]).sum();
    let sessions = all().map(|window| window.live).max().unwrap_or(0);
    println!("{requests} {} {seconds} {sessions} {bytes}", outcome.events);
    ExitCode::SUCCESS
}

/// Peak resident memory of this process so far; 0 where the system does not say.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}
