//! A line for each answer and variant, to paste into a ticket.

use super::Asked;
use super::book::{Book, Figure};
use super::facts::{self, CONFIDENCE};
use crate::observe::columns::named;
pub use crate::observe::columns::three;
use crate::observe::slo::Limit;

/// An answer in a line.
pub struct Verdict {
    /// The question.
    pub question: u8,
    /// The variant.
    pub variant: String,
    /// The answer.
    pub line: String,
}

/// Those of all questions and variants.
pub fn all(book: &Book, asked: &Asked, variants: &[&str]) -> Vec<Verdict> {
    let of_question = |question: u8| {
        variants.iter().map(move |&variant| {
            let line = match question {
                1 => death(book, variant),
                2 => signals(book, variant),
                3 => leave(book, asked, variant),
                _ => rollback(book, asked, variant),
            };
            Verdict { question, variant: variant.to_owned(), line }
        })
    };
    (1..=4).flat_map(of_question).collect()
}

/// A share, with three digits that matter.
pub fn percent(share: f64) -> String {
    format!("{} %", three(share * 100.0))
}

/// What a node holds, by the name of its figure.
pub fn held_word(metric: &str) -> &'static str {
    match metric {
        "sessions_held_ratio" => "of the bound sessions",
        "connections_held_ratio" => "of the connections",
        _ => "of the requests in hand",
    }
}

/// The figure of what one node holds.
pub fn held<'a>(book: &'a Book, variant: &'a str, statistic: &str) -> Option<&'a Figure> {
    book.of(1, variant, "").find(|figure| figure.metric.ends_with("_held_ratio") && figure.statistic == statistic)
}

fn value(book: &Book, question: u8, variant: &str, metric: &str, statistic: &str) -> Option<f64> {
    book.find(question, variant, "", metric, statistic)?.value
}

fn death(book: &Book, variant: &str) -> String {
    let mean = |metric: &str| value(book, 1, variant, metric, "mean");
    let share = |metric: &str| mean(metric).map_or("–".to_owned(), percent);
    let most = held(book, variant, "max");
    let radius = match (held(book, variant, "p50").and_then(|held| held.value), most) {
        (Some(p50), Some(Figure { value: Some(most), metric, .. })) => {
            format!("blast_radius={} {} (most {})", percent(p50), held_word(metric), percent(*most))
        }
        _ => "blast_radius=–".to_owned(),
    };
    let spread = match mean("dropped_to_held") {
        Some(ratio) if ratio > 1.25 => format!("{} times what the node held is cut off", three(ratio)),
        Some(_) => "nobody much beyond those of the node is cut off".to_owned(),
        None => "whom it reaches cannot be told".to_owned(),
    };
    let back = match (mean("recovery_time_s"), mean("recovered_ratio")) {
        (Some(0.0), Some(1.0)) => "errors and p99 stay as they were".to_owned(),
        (Some(after), Some(1.0)) => format!("errors and p99 are back after {} s", three(after)),
        (Some(after), Some(share)) => {
            format!("errors and p99 are back after {} s in {} only", three(after), percent(share))
        }
        (None, Some(_)) => "errors and p99 do not come back".to_owned(),
        (_, None) => "when errors and p99 are back cannot be told".to_owned(),
    };
    let lost = match mean("sessions_lost_ratio") {
        Some(_) => format!(", lost {}", share("sessions_lost_ratio")),
        None => String::new(),
    };
    format!("{radius}; dropped {}{lost}; {spread}; {back}", share("sessions_dropped_ratio"))
}

/// The signals of a variant, the one that is most often first before the others.
pub fn ranked<'a>(book: &'a Book, variant: &'a str) -> Vec<&'a Figure> {
    let mut first: Vec<&Figure> = book.of(2, variant, "").filter(|figure| figure.statistic == "first").collect();
    first.retain(|figure| value(book, 2, variant, &figure.metric, "alarmed").is_some_and(|share| share > 0.0));
    // The order of the signals decides among equals.
    first.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    first
}

fn signals(book: &Book, variant: &str) -> String {
    let Some(first) = ranked(book, variant).first().copied() else {
        return "first_signal=none: nothing leaves its healthy band".to_owned();
    };
    let own = |statistic: &str| value(book, 2, variant, &first.metric, statistic);
    let after = own("alarm_s_p50").map_or(String::new(), |after| format!(", {} s after the death", three(after)));
    let lead = match own("lead_s_p50") {
        Some(lead) if lead >= 0.0 => format!(", {} s before users notice", three(lead)),
        Some(lead) => format!(", {} s after users have noticed", three(-lead)),
        None => ", users never notice or nobody can tell".to_owned(),
    };
    let alarmed = own("alarmed").map_or("–".to_owned(), percent);
    format!("first_signal={} (alarms in {alarmed}{after}{lead})", first.metric)
}

/// A limit as it is written.
pub fn limit_text(limit: &Limit) -> String {
    format!("{} {} {}", limit.column.label(), limit.relation.sign(), limit.column.shown(limit.bound))
}

/// Of how many nodes that leave at once each, from the first on, keeps every limit in all seeds.
fn clean(book: &Book, asked: &Asked, variant: &str) -> Vec<usize> {
    let kept = |out: &&usize| {
        let setting = out.to_string();
        book.find(3, variant, &setting, "limits_kept", "share").and_then(|figure| figure.value) == Some(1.0)
    };
    asked.design.outs.iter().take_while(kept).copied().collect()
}

fn leave(book: &Book, asked: &Asked, variant: &str) -> String {
    if asked.design.leave.is_none() {
        return "max_out=0: not applicable, a single node cannot leave without taking everybody along".to_owned();
    }
    let clean = clean(book, asked, variant);
    let most = clean.last().copied().unwrap_or(0);
    let limits = asked.limits.iter().map(limit_text).collect::<Vec<_>>().join(", ");
    let share = |out: usize| book.find(3, variant, &out.to_string(), "limits_kept", "share");
    let proof = share(most).and_then(|figure| Some((figure.n, figure.low?))).map_or(String::new(), |(n, low)| {
        let (low, sure) = ((low * 100.0 + 1e-9).floor(), CONFIDENCE * 100.0);
        format!("; {n} of {n} seeds keep every limit: at least {low} % of all, at {sure} % confidence")
    });
    let next = asked.design.outs.get(clean.len()).copied();
    let next =
        next.and_then(|next| Some((next, share(next)?))).map_or("; more was not tried".to_owned(), |(next, figure)| {
            let kept = (figure.value.unwrap_or(0.0) * figure.n as f64 + 0.5) as u64;
            let broken = asked.limits.iter().max_by_key(|limit| {
                let name = format!("{}_broken", limit.column.name);
                let found = book.find(3, variant, &next.to_string(), &name, "count");
                found.and_then(|figure| figure.value).unwrap_or(0.0) as u64
            });
            let by = broken.map_or(String::new(), |limit| format!(", by {}", limit.column.label()));
            format!("; with {next} out, {kept} of {} keep them{by}", figure.n)
        });
    format!("max_out={most} (limit: {limits}){proof}{next}")
}

fn rollback(book: &Book, asked: &Asked, variant: &str) -> String {
    if asked.design.deploys.is_none() {
        return "not applicable: a single node cannot be rolled".to_owned();
    }
    let healthy = |metric: &str| {
        book.of(4, variant, "").find(|f| f.folder == "deploy" && f.metric == metric && f.statistic == "max")?.value
    };
    let drops = healthy("disconnects_peak_per_s").map_or("–".to_owned(), |peak| format!("{peak:.0}"));
    let peak = healthy("requests_failed_ratio_peak");
    // Rounded up: the worst healthy deploy must not be beyond it.
    let errors = peak.map_or("–".to_owned(), |peak| percent((peak * 1e5).ceil() / 1e5));
    let look = three(facts::look_s(asked.design));
    let caution = match peak {
        Some(peak) if peak >= asked.design.bad.ratio() => {
            "; a healthy deploy fails as much as the bad version: mend that first"
        }
        _ => "",
    };
    format!(
        "rollback: more than {drops} sessions dropped within 1 s, or more than {errors} of requests failed within \
         {look} s{caution}"
    )
}

/// What a figure is called, with its unit.
pub fn label(metric: &str) -> String {
    named(metric).map_or_else(|| metric.replace('_', " "), |column| column.label())
}
