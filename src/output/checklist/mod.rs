//! The four operational questions of a review, answered for one scenario: if a node dies, how does the impact spread; which
//! metrics signal it; how many nodes can leave at once during a deploy; what is the criterion for a rollback?
//!
//! Every answer comes from plain runs of the scenario (`experiments`), whose folders lie beside the page. Their files
//! become figures (`facts`, `book`), and the page is written from those alone (`page`).

mod book;
pub mod experiments;
mod facts;
mod page;
mod verdicts;

pub use book::{Book, FIELDS, Figure};
pub use experiments::{Design, Experiment, Scene};

use super::sink;
use crate::experiment::Failure;
use crate::experiment::identity::sha256;
use crate::observe::slo::Limit;
use crate::output::manifest::FORMAT_VERSION;
use serde_json::{Value, json};
use std::path::Path;

/// The table of all figures.
pub const CSV: &str = "checklist.csv";
/// The page.
pub const PAGE: &str = "checklist.md";
/// The same for programs; it comes last.
pub const JSON: &str = "checklist.json";

/// A scenario and how it was asked.
pub struct Asked<'a> {
    /// The study's name.
    pub name: &'a str,
    /// The scenario's text.
    pub text: &'a str,
    /// The scenario as it was named on the command line.
    pub scenario: &'a str,
    /// Only these variants; all when empty.
    pub variants: &'a [String],
    /// Seeds of every run.
    pub seeds: u32,
    /// What was run.
    pub design: &'a Design,
    /// The limits for nodes that leave at once.
    pub limits: &'a [Limit],
}

/// A checklist, as it is written.
pub struct Checklist {
    /// The text of [`PAGE`].
    pub page: String,
    /// The text of [`CSV`].
    pub csv: String,
    /// The text of [`JSON`].
    pub json: String,
}

/// Reads the finished runs below `out` and makes the checklist of them.
pub fn make(asked: &Asked, out: &Path) -> Result<Checklist, Failure> {
    let mut book = Book::default();
    facts::of_death(&mut book, asked.design, out)?;
    let signals = facts::of_signals(&mut book, asked.design, out)?;
    facts::of_leave(&mut book, asked.design, asked.limits, out)?;
    facts::of_deploys(&mut book, asked.design, out)?;
    let mut variants: Vec<&str> = Vec::new();
    for figure in &book.0 {
        if !variants.contains(&figure.variant.as_str()) {
            variants.push(&figure.variant);
        }
    }
    let verdicts = verdicts::all(&book, asked, &variants);
    let commands = commands(asked, out);
    let page = page::page(&book, asked, &variants, &signals, &verdicts, &commands);
    let csv = book.csv().map_err(Failure::to("write", &out.join(CSV)))?;
    let file = |name: &str, text: &str| json!({ "file": name, "bytes": text.len(), "sha256": sha256(text.as_bytes()) });
    let question = |(number, title): (u8, &&str)| {
        let own = |figure: &&Figure| figure.question == number;
        json!({
            "question": number, "title": title,
            "verdicts": verdicts.iter().filter(|v| v.question == number)
                .map(|v| json!({ "variant": v.variant, "line": v.line })).collect::<Vec<_>>(),
            "figures": book.0.iter().filter(own).map(figure).collect::<Vec<_>>(),
            "commands": commands[usize::from(number) - 1],
        })
    };
    let json = json!({
        "format_version": FORMAT_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "name": asked.name,
        "scenario": { "file": asked.scenario, "sha256": sha256(asked.text.as_bytes()), "text": asked.text },
        "seeds": asked.seeds,
        "point": asked.design.point,
        "limits": asked.limits,
        "limits_assumed": asked.design.is_assumed,
        "questions": (1..).zip(&page::TITLES).map(question).collect::<Vec<_>>(),
        "files": [file(CSV, &csv), file(PAGE, &page)],
    });
    Ok(Checklist { page, csv, json: format!("{json:#}\n") })
}

fn figure(figure: &Figure) -> Value {
    let Figure { folder, variant, setting, metric, statistic, n, value, low, high, .. } = figure;
    json!({
        "folder": folder, "variant": variant, "setting": setting, "metric": metric, "statistic": statistic,
        "n": n, "value": value, "low": low, "high": high,
    })
}

/// The commands that repeat the runs behind each answer.
fn commands(asked: &Asked, out: &Path) -> [Vec<String>; 4] {
    let design = asked.design;
    let out = out.display().to_string();
    let of = |experiment: &Experiment| experiment.command(asked.scenario, asked.variants, asked.seeds, &out);
    [
        vec![of(&design.held), of(&design.death)],
        vec![of(&design.death)],
        design.leave.iter().map(of).collect(),
        design.deploys.iter().flatten().map(of).collect(),
    ]
}

/// Writes the checklist; what is for programs goes first and comes last.
pub fn write(checklist: &Checklist, out: &Path) -> Result<(), Failure> {
    let csv = sink::stage(out, CSV, &checklist.csv)?;
    let page = sink::stage(out, PAGE, &checklist.page)?;
    let json = sink::stage(out, JSON, &checklist.json)?;
    sink::remove(&out.join(JSON))?;
    [csv, page, json].into_iter().try_for_each(sink::Staged::publish)
}
