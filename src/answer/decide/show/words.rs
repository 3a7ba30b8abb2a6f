//! The matrix and the verdict for a person, at most 100 characters wide.

use super::super::figures::p95;
use super::super::migrate::Step;
use super::super::verdict::{Flip, Nodes, Term, short};
use super::super::{Answer, Doubt, Question};
use super::{brief, line, way_figures};
use crate::statistics::Estimate;
use std::fmt::Write;

/// Flips told; all are in `flips.csv`.
const TOLD: usize = 6;

/// The decision, and the way out if one was asked for.
pub fn table(question: &Question, answer: &Answer, way: Option<&Result<Vec<Step>, String>>) -> String {
    let mut text = String::new();
    line(&mut text, &format!("{}: sticky or stateless?\n", question.name));
    questions(&mut text, answer);
    matrix(&mut text, question, answer);
    verdict(&mut text, question, answer);
    what_flips(&mut text, answer);
    sticky(&mut text, answer);
    doubts(&mut text, answer);
    if let Some(way) = way {
        way_out(&mut text, answer, way);
    }
    text
}

fn questions(text: &mut String, answer: &Answer) {
    let ground = &answer.ground;
    let said = |(yes, is_said): (bool, bool), key: &str| {
        let source = if is_said { key.to_owned() } else { format!("assumed; say so by {key}") };
        format!("{} ({source})", if yes { "yes" } else { "no" })
    };
    line(text, &format!("1 can state leave its process?   {}", said(ground.moves, "budget.state_moves")));
    line(text, &format!("  can it be worked out anew?     {}", said(ground.rebuilds, "budget.state_rebuilds")));
    let (long, short_lived) = &ground.long_lived;
    let long = match (long.is_empty(), short_lived.is_empty()) {
        (true, _) => "no".to_owned(),
        (false, true) => format!("yes ({})", long.join(", ")),
        (false, false) => format!("{} yes, {} no", long.join(", "), short_lived.join(", ")),
    };
    line(text, &format!("2 are connections long-lived?    {long}"));
    let often = |term: Term| {
        let mark = if answer.assumed.contains(&term) { "*" } else { "" };
        format!("{}{mark}", term.text(*term.of(&mut answer.terms.clone())))
    };
    let [node, store, scale, deploy] = [0, 1, 2, 3].map(|event| often(Term::Often(event)));
    line(
        text,
        &format!("3 what fails and changes?        node {node}, store {store}, more nodes {scale}, deploys {deploy}"),
    );
    line(text, &format!("  how many sessions may be lost? at most {}", often(Term::Lost)));
    if answer.assumed.iter().any(|term| matches!(term, Term::Often(_) | Term::Lost)) {
        line(text, "  * assumed: nobody has said so in [budget]");
    }
}

fn plus_minus(estimate: Option<Estimate>, scale: f64) -> String {
    let Some(estimate) = estimate else { return "–".into() };
    let mean = short3(estimate.mean * scale);
    match estimate.interval.map(|interval| (interval.high - interval.low) / 2.0 * scale) {
        Some(half) if half > 0.0 => format!("{mean} ±{}", short2(half)),
        _ => mean,
    }
}

/// To three digits.
fn short3(value: f64) -> String {
    rounded(value, 3)
}

fn short2(value: f64) -> String {
    rounded(value, 2)
}

/// To so many digits, and to no less than a ten-thousandth.
fn rounded(value: f64, digits: i32) -> String {
    if value.abs() < 5e-5 {
        return "0".into();
    }
    let places = (f64::from(digits - 1) - libm::log10(value.abs()).floor()).clamp(0.0, 4.0) as usize;
    format!("{value:.places$}")
}

fn matrix(text: &mut String, question: &Question, answer: &Answer) {
    let seeds = question.seeds;
    line(
        text,
        &format!(
            "\nthe same crash, store outage, scale-out and deploy for each, {seeds} seeds; days by the rates above"
        ),
    );
    let head = ["p99 ms", "failed %", "lost/day", "skew", "blast", "nodes", "cost/day", "needs"];
    let mut rows = Vec::new();
    for (one, standing) in answer.measured.iter().zip(&answer.standings) {
        let nodes = match &one.nodes {
            Nodes::Given(count) | Nodes::Needed(count) => count.to_string(),
            Nodes::None(..) => "none".into(),
            Nodes::Short(count, _) => format!("{count}!"),
        };
        let figure = |name: &str| answer.figures(one, standing).into_iter().find(|(own, _)| *own == name)?.1;
        let mean = |name: &str| figure(name).map(|estimate| estimate.mean);
        rows.push([
            plus_minus(figure("response_time_ms_p99"), 1.0),
            figure("requests_failed_ratio").map_or("–".into(), |estimate| short3(estimate.mean * 100.0)),
            plus_minus(figure("sessions_lost_per_day"), 1.0),
            mean("sessions_peak_to_mean").map_or("–".into(), short3),
            format!("{:.0} %", p95(&one.runs, |run| run.blast) * 100.0),
            nodes,
            brief(mean("cost_per_day")),
            one.design.depends_on.to_owned(),
        ]);
    }
    let names = answer.measured.iter().map(|one| one.design.name.chars().count());
    let width = names.max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let joined = |cells: &[String]| {
        cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect::<Vec<_>>().join("  ")
    };
    line(text, &format!("  {:<width$}  {}", "", joined(&head.map(str::to_owned))));
    for (place, row) in rows.iter().enumerate() {
        let mark = match &answer.standings[place] {
            _ if answer.choice == Some(place) => "✓",
            standing if standing.is_sound() => " ",
            _ => "✗",
        };
        line(text, format!("{mark} {:<width$}  {}", answer.measured[place].design.name, joined(row)).trim_end());
    }
    refusals(text, answer);
    notes(text, question, answer);
}

/// Why designs cannot be chosen, or not be had.
fn refusals(text: &mut String, answer: &Answer) {
    for (place, standing) in answer.standings.iter().enumerate() {
        let one = &answer.measured[place];
        if let Nodes::None(last, why) = &one.nodes {
            line(text, &format!("  ✗ {}: no number of nodes up to {last} keeps the limits: {why}", one.design.name));
        }
        if let Nodes::Short(count, why) = &one.nodes {
            line(text, &format!("  ✗ {}: its {count} nodes do not keep the limits: {why}", one.design.name));
        }
        if let Some(most) = answer.terms.failed_max.filter(|most| standing.failed > *most) {
            let (failed, most) = (short3(standing.failed * 100.0), short(most * 100.0));
            line(
                text,
                &format!("  ✗ {}: {failed} % of a day's requests fail, at most {most} % allowed", one.design.name),
            );
        }
        if !standing.keeps_budget {
            let (lost, most) = (short3(standing.lost), short(answer.terms.lost_max));
            let doubt = if is_open(answer, place) { " (not resolved: more seeds)" } else { "" };
            line(text, &format!("  ✗ {}: {lost} sessions lost a day, at most {most} allowed{doubt}", one.design.name));
        }
    }
    for (name, reason) in &answer.refused {
        line(text, &format!("  – {name}: {reason}"));
    }
}

/// Whether the interval of what a design loses contains what may be lost.
fn is_open(answer: &Answer, place: usize) -> bool {
    let interval = answer.measured[place].lost(&answer.terms).and_then(|lost| lost.interval);
    interval.is_some_and(|interval| interval.low <= answer.terms.lost_max && answer.terms.lost_max < interval.high)
}

fn notes(text: &mut String, question: &Question, answer: &Answer) {
    let uses = |what: &str| answer.measured.iter().any(|one| one.design.depends_on == what);
    if answer.ground.prices_are_assumed {
        line(text, "  cost: in node-hours, a store's instance counted as a node; say what they cost in [cost]");
    }
    if answer.ground.size_is_assumed && uses("keys") {
        line(text, "  size of a session's state: assumed, 1 KiB; say so in state.<place>.size: a cookie holds 4");
    }
    if question.limits_losses() {
        line(text, "  limits on lost sessions: judged by budget.sessions_lost, by the day");
    }
    if answer.ground.is_uneven {
        line(text, "  CAUTION: arrivals change with time: what an event costs depends on when it happens");
    }
    if answer.ground.store_is_assumed && uses("store") {
        line(
            text,
            "  store: assumed, Redis behind Sentinel (stickysim list preset); describe yours in [store.sessions]",
        );
    }
    if question.limits.is_empty() {
        line(text, "  nodes: as many as the scenario has; with an [slo] it is found how many keep it");
    } else if !answer.ground.nodes_are_alike {
        line(text, "  nodes: as many as the scenario has, since groups or an autoscaler say how many there are");
    }
    if !answer.deploys_end {
        line(text, "  CAUTION: a deploy was not over at the end of its run: what it loses later is missing");
    }
}

/// The cheapest other design that keeps everything.
fn next(answer: &Answer, choice: usize) -> Option<usize> {
    let sound = (0..answer.measured.len()).filter(|&place| place != choice && answer.standings[place].is_sound());
    sound.min_by(|&a, &b| answer.standings[a].cost.total_cmp(&answer.standings[b].cost))
}

fn verdict(text: &mut String, question: &Question, answer: &Answer) {
    let Some(choice) = answer.choice else {
        line(text, "\nverdict: none of these keeps both the limits and the budget");
        let least =
            (0..answer.measured.len()).min_by(|&a, &b| answer.standings[a].lost.total_cmp(&answer.standings[b].lost));
        if let Some(place) = least {
            let (name, lost) = (answer.measured[place].design.name, short3(answer.standings[place].lost));
            line(text, &format!("  {name} loses least: {lost} sessions a day"));
        }
        return;
    };
    let (one, standing) = (&answer.measured[choice], &answer.standings[choice]);
    line(text, &format!("\nverdict: {} ({}), depends on {}", one.design.name, kind(one.design), one.design.depends_on));
    let (lost, most) = (short3(standing.lost), short(answer.terms.lost_max));
    let limits = if question.limits.is_empty() { "" } else { "keeps every limit of [slo]; " };
    line(text, &format!("  {limits}loses {lost} sessions a day of at most {most}"));
    if is_open(answer, choice) {
        line(text, "  CAUTION: not resolved: the interval of what it loses contains the bound; run more seeds");
    }
    match next(answer, choice) {
        None => line(text, "  nothing else keeps both the limits and the budget"),
        Some(place) => {
            let (other, cost) = (answer.measured[place].design.name, answer.standings[place].cost);
            let more = cost - standing.cost;
            let percent = (more / standing.cost * 100.0).round();
            let words = if standing.cost <= 0.0 {
                format!("margin: the next that does ({other}) costs {} more", short3(more))
            } else if percent == 0.0 {
                format!("{other} costs as much, and is not simpler")
            } else {
                format!("margin: the next that does ({other}) costs {percent} % more")
            };
            line(text, &format!("  {words}"));
        }
    }
    tax(text, answer, choice);
}

/// What stickiness needs beyond the design that needs fewest nodes.
fn tax(text: &mut String, answer: &Answer, choice: usize) {
    let own = answer.measured[choice].nodes.count();
    let simplest = answer.measured.iter().position(|one| one.design.dependencies == 0);
    if let (Some(own), Some(simple)) = (own, simplest.filter(|&simple| simple != choice))
        && let Nodes::Needed(nodes) = answer.measured[simple].nodes
    {
        let (name, more) = (answer.measured[simple].design.name, nodes - own);
        if more <= 0 {
            return;
        }
        let cost = answer.standings[simple].cost - answer.standings[choice].cost;
        line(text, &format!("  stickiness tax: {name} needs {more:+} nodes, {} a day", signed(cost)));
    }
}

fn signed(value: f64) -> String {
    format!("{}{}", if value < 0.0 { "−" } else { "+" }, short3(value.abs()))
}

fn kind(design: &super::super::designs::Design) -> &'static str {
    match (design.is_sticky, design.is_moved) {
        (true, false) => "sticky, state on the nodes",
        (true, true) => "sticky, state outside or copied",
        (false, _) => "stateless nodes",
    }
}

fn what_flips(text: &mut String, answer: &Answer) {
    line(text, "\nwhat would change the verdict, alone");
    let distance = |flip: &Flip| {
        if flip.now > 0.0 && flip.at > 0.0 { libm::log2(flip.at / flip.now).abs() } else { f64::INFINITY }
    };
    let mut flips: Vec<&Flip> = answer.flips.iter().collect();
    flips.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    if flips.is_empty() {
        line(text, "  no rate, price or bound, from a thousandth to a thousandfold");
    }
    for flip in flips.iter().take(TOLD) {
        let to = flip.to.map_or("none", |place| answer.measured[place].design.name);
        let (key, now, at) = (flip.term.key(), flip.term.text(flip.now), flip.term.text(flip.at));
        line(text, &format!("  {key} {} {at} (now {now}): {to}", side(flip)));
    }
    if flips.len() > TOLD {
        line(text, &format!("  and {} more in flips.csv", flips.len() - TOLD));
    }
}

/// On which side of a flip the other choice is.
fn side(flip: &Flip) -> &'static str {
    match flip.at {
        0.0 => "at",
        at if at > flip.now => "above",
        _ => "below",
    }
}

/// When is sticky the right call?
fn sticky(text: &mut String, answer: &Answer) {
    let Some(simple) = answer.measured.iter().position(|one| one.design.dependencies == 0) else { return };
    let name = answer.measured[simple].design.name;
    let flip = answer.flips.iter().find(|flip| flip.to == Some(simple));
    let words = match (answer.choice == Some(simple), flip) {
        (true, _) if !answer.ground.moves.0 => {
            "sticky is the right call here: state cannot leave its process. Plan the way out all the same".to_owned()
        }
        (true, _) => {
            "sticky is the right call here: what is lost is within the budget, and nothing is 0.5 % cheaper".to_owned()
        }
        (false, Some(flip)) => {
            format!("sticky is the right call with {} {} {}", flip.term.key(), side(flip), flip.term.text(flip.at))
        }
        (false, None) => format!("no rate, price or bound alone makes \"{name}\" the right call"),
    };
    line(text, &format!("  {words}"));
}

fn doubts(text: &mut String, answer: &Answer) {
    let Some((plain, doubts)) = &answer.second else { return };
    let name = |choice: Option<&'static str>| choice.unwrap_or("none");
    let changes: Vec<&Doubt> =
        doubts.iter().filter(|doubt| doubt.choices.iter().any(|choice| choice != plain)).collect();
    line(
        text,
        &format!(
            "\ninputs without a source (no \"# source: …\" behind them), each a quarter less and more: {}",
            doubts.len()
        ),
    );
    if *plain != answer.choice.map(|place| answer.measured[place].name()) {
        line(text, &format!("  so few seeds choose \"{}\": read what follows against that", name(*plain)));
    }
    if changes.is_empty() {
        line(text, "  none of them changes the verdict");
    }
    for doubt in changes {
        let Some((same, other, to)) = &doubt.flips else { continue };
        let (key, now, to) = (&doubt.key, &doubt.now, name(*to));
        let _ = writeln!(text, "  it hangs on {key} = {now}: between {same} and {other} it becomes \"{to}\"");
    }
}

fn way_out(text: &mut String, answer: &Answer, way: &Result<Vec<Step>, String>) {
    line(text, "\nthe way out, step by step, with as many nodes as there are");
    let steps = match way {
        Ok(steps) => steps,
        Err(reason) => return line(text, &format!("  none: {reason}")),
    };
    let width = steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
    line(text, &format!("  {:<width$}  {:>14}  {:>9}  {:>14}  {:>6}", "", "p99 ms", "failed %", "lost/day", "struck"));
    for step in steps {
        let figures = way_figures(answer, step);
        let figure = |name: &str| figures.iter().find(|(own, _)| *own == name).and_then(|(_, estimate)| *estimate);
        let percent = |name: &str| figure(name).map_or("–".into(), |estimate| short3(estimate.mean * 100.0));
        let _ = writeln!(
            text,
            "  {:<width$}  {:>14}  {:>9}  {:>14}  {:>6}",
            step.name,
            plus_minus(figure("response_time_ms_p99"), 1.0),
            percent("requests_failed_ratio"),
            plus_minus(figure("sessions_lost_per_day"), 1.0),
            format!("{} %", figure("blast_radius_ratio").map_or("–".into(), |estimate| short2(estimate.mean * 100.0))),
        );
    }
}
