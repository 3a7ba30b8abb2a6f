//! The decision as a person, a notebook and a program read it.

use super::figures::{Harm, over, p95};
use super::migrate::Step;
use super::scene::EVENTS;
use super::verdict::{Measured, Nodes, Standing, Term, short};
use super::{Answer, Question};
use crate::experiment::rows::{Field, SEED, Sheet, VARIANT};
use crate::statistics::Estimate;
use serde_json::{Value, json};
use std::fmt::Write;

/// The fields of `decide.csv`.
pub const TABLE_FIELDS: &[Field] = &[
    Field::text("design", "Name of the design."),
    Field::text("figure", "What is told of it."),
    Field::number("mean", "", "Its mean over the seeds, or the value itself."),
    Field::number(
        "low",
        "",
        "Lower end of the mean's 95 % interval; empty for one seed, or where nothing is averaged.",
    ),
    Field::number("high", "", "Its upper end."),
    Field::integer("n", "Seeds."),
    Field::text("words", "What is told in words: why a design cannot be had, on what it depends."),
];

/// The fields of `runs.csv`.
pub const RUN_FIELDS: &[Field] = &[
    VARIANT,
    SEED,
    Field::text("stretch", "Quiet time before the first event, an event until the next, or the whole of it."),
    Field::number("hours", "h", "How long it is."),
    Field::number("sessions_lost_total", "", "Times a session's state was lost."),
    Field::number("requests_failed_total", "", "Requests whose last allowed attempt failed."),
    Field::number("requests_total", "", "Requests that came to an end; only of the whole."),
];

/// The fields of `flips.csv`.
pub const FLIP_FIELDS: &[Field] = &[
    Field::text("key", "The key that is changed, alone."),
    Field::text("kind", "weight: found without a run; input: by running the designs again."),
    Field::text("now", "Its value."),
    Field::text("tried", "Another value."),
    Field::text("choice_now", "The choice now; empty for none."),
    Field::text("choice_then", "The choice with the other value; empty for none."),
];

/// The fields of `migration.csv`.
pub const STEP_FIELDS: &[Field] = &[
    Field::text("step", "What has been moved."),
    Field::text("figure", "What is told of it."),
    Field::number("mean", "", "Its mean over the seeds."),
    Field::number("low", "", "Lower end of the mean's 95 % interval; empty for one seed."),
    Field::number("high", "", "Its upper end."),
    Field::integer("n", "Seeds."),
];

/// The texts that are written.
pub struct Files {
    /// `decide.csv`
    pub decide: String,
    /// `runs.csv`
    pub runs: String,
    /// `flips.csv`
    pub flips: String,
    /// `migration.csv`, if a way out was asked for.
    pub migration: Option<String>,
}

impl Answer {
    fn name(&self, choice: Option<usize>) -> &'static str {
        choice.map_or("", |place| self.measured[place].design.name)
    }

    /// The figures of a design: name, estimate.
    fn figures(&self, one: &Measured, standing: &Standing) -> Vec<(&'static str, Option<Estimate>)> {
        let exact = |value: f64| Some(Estimate { n: one.runs.len(), mean: value, sd: None, interval: None });
        vec![
            ("response_time_ms_p99", over(&one.runs, |run| run.p99_ms)),
            ("requests_failed_ratio", one.failed(&self.terms)),
            ("sessions_lost_per_day", one.lost(&self.terms)),
            ("sessions_peak_to_mean", over(&one.runs, |run| run.skew)),
            ("blast_radius_ratio_p95", exact(p95(&one.runs, |run| run.blast))),
            ("nodes_needed", one.nodes.count().and_then(|count| exact(count as f64))),
            ("cost_per_day", exact(standing.cost)),
            ("keeps_limits", exact(f64::from(u8::from(standing.keeps_limits)))),
            ("keeps_budget", exact(f64::from(u8::from(standing.keeps_budget)))),
            ("is_chosen", exact(f64::from(u8::from(self.name(self.choice) == one.name())))),
            ("deploys_over_ratio", over(&one.runs, |run| Some(f64::from(u8::from(run.deploy_s.is_some()))))),
        ]
    }
}

/// Every file.
pub fn files(answer: &Answer, way: Option<&[Step]>) -> csv::Result<Files> {
    Ok(Files {
        decide: decide_csv(answer)?,
        runs: runs_csv(answer)?,
        flips: flips_csv(answer)?,
        migration: way.map(|steps| migration_csv(answer, steps)).transpose()?,
    })
}

/// A cell of a row.
enum Cell<'a> {
    Text(&'a str),
    Number(Option<f64>),
}
use Cell::{Number, Text};

/// A table under way.
struct Rows(Sheet<Vec<u8>>);

impl Rows {
    fn new(fields: &[Field]) -> csv::Result<Rows> {
        Sheet::headed(Vec::new(), fields).map(Rows)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> csv::Result<()> {
        for cell in cells {
            match cell {
                Text(text) => self.0.text(text)?,
                Number(value) => self.0.number(*value)?,
            }
        }
        self.0.end()
    }

    fn end(self) -> csv::Result<String> {
        let bytes = self.0.into_inner()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Mean, low, high and n.
fn cells(estimate: Option<&Estimate>) -> [Cell<'static>; 4] {
    let interval = estimate.and_then(|estimate| estimate.interval);
    [
        Number(estimate.map(|estimate| estimate.mean)),
        Number(interval.map(|interval| interval.low)),
        Number(interval.map(|interval| interval.high)),
        Number(estimate.map(|estimate| estimate.n as f64)),
    ]
}

fn decide_csv(answer: &Answer) -> csv::Result<String> {
    let mut rows = Rows::new(TABLE_FIELDS)?;
    let in_words = |name: &str, figure: &str, words: &str| [name, figure, words].map(str::to_owned);
    let mut told = Vec::new();
    for (one, standing) in answer.measured.iter().zip(&answer.standings) {
        for (figure, estimate) in answer.figures(one, standing) {
            let words = match (&one.nodes, figure) {
                (Nodes::None(last, why), "nodes_needed") => format!("none up to {last}: {why}"),
                (Nodes::Given(_), "nodes_needed") => "as many as the scenario has".into(),
                (Nodes::Short(count, why), "nodes_needed") => format!("{count} are too few: {why}"),
                _ => String::new(),
            };
            let [mean, low, high, n] = cells(estimate.as_ref());
            rows.row(&[Text(one.name()), Text(figure), mean, low, high, n, Text(&words)])?;
        }
        told.push(in_words(one.name(), "depends_on", one.design.depends_on));
    }
    told.extend(answer.refused.iter().map(|(name, reason)| in_words(name, "cannot be had", reason)));
    for term in Term::ALL {
        let words = if answer.assumed.contains(&term) { "assumed" } else { "given" };
        let value = Number(Some(*term.of(&mut answer.terms.clone())));
        let [low, high, n] = [(); 3].map(|()| Number(None));
        rows.row(&[Text(""), Text(term.key()), value, low, high, n, Text(words)])?;
    }
    let yes =
        |(yes, is_said): (bool, bool)| (Some(f64::from(u8::from(yes))), if is_said { "given" } else { "assumed" });
    let ground = &answer.ground;
    let long = ground.long_lived.0.join(", ");
    let of_workload = [
        ("budget.state_moves", yes(ground.moves)),
        ("budget.state_rebuilds", yes(ground.rebuilds)),
        ("long_lived", (Some(ground.long_lived.0.len() as f64), long.as_str())),
        ("requests_failed_ratio_max", (answer.terms.failed_max, "by [slo]")),
    ];
    for (figure, (value, words)) in of_workload {
        let [low, high, n] = [(); 3].map(|()| Number(None));
        rows.row(&[Text(""), Text(figure), Number(value), low, high, n, Text(words)])?;
    }
    for [name, figure, words] in &told {
        let [mean, low, high, n] = [(); 4].map(|()| Number(None));
        rows.row(&[Text(name), Text(figure), mean, low, high, n, Text(words)])?;
    }
    rows.end()
}

fn runs_csv(answer: &Answer) -> csv::Result<String> {
    let mut rows = Rows::new(RUN_FIELDS)?;
    for one in &answer.measured {
        for (seed, run) in one.runs.iter().enumerate() {
            let mut row = |stretch: &str, harm: &Harm, requests: Option<f64>| {
                let seed = Number(Some((seed + 1) as f64));
                let [hours, lost, failed] = [harm.hours, harm.lost, harm.failed].map(|value| Number(Some(value)));
                rows.row(&[Text(one.name()), seed, Text(stretch), hours, lost, failed, Number(requests)])
            };
            row("quiet", &run.quiet, None)?;
            EVENTS.iter().zip(&run.events).try_for_each(|(event, harm)| row(event, harm, None))?;
            row("all", &run.all, Some(run.requests))?;
        }
    }
    rows.end()
}

fn flips_csv(answer: &Answer) -> csv::Result<String> {
    let mut rows = Rows::new(FLIP_FIELDS)?;
    let now = answer.name(answer.choice);
    for flip in &answer.flips {
        let (value, at) = (flip.term.text(flip.now), flip.term.text(flip.at));
        let cells = [flip.term.key(), "weight", &value, &at, now, answer.name(flip.to)];
        rows.row(&cells.map(Text))?;
    }
    if let Some((plain, doubts)) = &answer.second {
        let now = plain.unwrap_or("");
        for doubt in doubts {
            let mut row = |tried: &str, choice: Option<&str>| {
                rows.row(&[&doubt.key, "input", &doubt.now, tried, now, choice.unwrap_or("")].map(Text))
            };
            doubt.values.iter().zip(&doubt.choices).try_for_each(|(value, &choice)| row(value, choice))?;
            if let Some((_, first, to)) = &doubt.flips {
                row(first, *to)?;
            }
        }
    }
    rows.end()
}

fn way_figures(answer: &Answer, step: &Step) -> Vec<(&'static str, Option<Estimate>)> {
    let per_day = answer.terms.per_day;
    vec![
        ("response_time_ms_p99", over(&step.runs, |run| run.p99_ms)),
        ("requests_failed_ratio", over(&step.runs, |run| run.failed_share(&per_day))),
        ("sessions_lost_per_day", over(&step.runs, |run| Some(run.a_day(&per_day, |harm| harm.lost)))),
        ("blast_radius_ratio", over(&step.runs, |run| Some(run.blast))),
    ]
}

fn migration_csv(answer: &Answer, steps: &[Step]) -> csv::Result<String> {
    let mut rows = Rows::new(STEP_FIELDS)?;
    for step in steps {
        for (figure, estimate) in way_figures(answer, step) {
            let [mean, low, high, n] = cells(estimate.as_ref());
            rows.row(&[Text(&step.name), Text(figure), mean, low, high, n])?;
        }
    }
    rows.end()
}

/// The answer for a program.
pub fn json(question: &Question, answer: &Answer, runs: u64) -> Value {
    let estimate = |estimate: Option<Estimate>| {
        estimate.map(|estimate| {
            let interval = estimate.interval;
            json!({
                "mean": estimate.mean, "low": interval.map(|interval| interval.low),
                "high": interval.map(|interval| interval.high), "n": estimate.n,
            })
        })
    };
    let design = |(one, standing): (&Measured, &Standing)| {
        let figures = answer.figures(one, standing).into_iter();
        let figures: serde_json::Map<String, Value> =
            figures.map(|(name, figure)| (name.to_owned(), json!(estimate(figure)))).collect();
        json!({ "design": one.design.name, "depends_on": one.design.depends_on, "figures": figures })
    };
    let terms = Term::ALL.map(|term| {
        json!({
            "key": term.key(), "value": *term.of(&mut answer.terms.clone()),
            "assumed": answer.assumed.contains(&term),
        })
    });
    let flip = |flip: &super::Flip| {
        json!({
            "key": flip.term.key(), "now": flip.now, "at": flip.at, "choice": answer.name(flip.to),
        })
    };
    let doubts = answer.second.as_ref().map(|(plain, doubts)| {
        let one = |doubt: &super::Doubt| {
            json!({
                "key": doubt.key, "now": doubt.now, "values": doubt.values,
                "choices": doubt.choices.map(Option::unwrap_or_default),
                "flips_between": doubt.flips,
            })
        };
        json!({ "choice": plain.unwrap_or_default(), "inputs": doubts.iter().map(one).collect::<Vec<_>>() })
    });
    json!({
        "choice": answer.name(answer.choice),
        "state_moves": answer.ground.moves.0, "state_rebuilds": answer.ground.rebuilds.0,
        "long_lived": answer.ground.long_lived.0, "seeds": question.seeds, "runs": runs,
        "designs": answer.measured.iter().zip(&answer.standings).map(design).collect::<Vec<_>>(),
        "refused": answer.refused.iter().map(|(name, why)| json!({ "design": name, "why": why })).collect::<Vec<_>>(),
        "terms": terms, "flips": answer.flips.iter().map(flip).collect::<Vec<_>>(), "second_look": doubts,
    })
}

mod words;
pub use words::table;

/// A figure in few characters.
fn brief(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), short)
}

fn line(text: &mut String, words: &str) {
    let _ = writeln!(text, "{words}");
}
