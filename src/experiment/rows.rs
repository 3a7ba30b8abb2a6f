//! What stands in a row? The tables of a run, their keys, and how a number is written.
//!
//! Floats are written in the shortest form that reads back as the same number; an empty cell means "not
//! applicable", never zero. Columns beyond the keys are those of [`columns`].

use super::{Cell, Keeps};
use crate::base::cause::{Cause, Harm};
use crate::observe::columns::{self, Column, File};
use crate::observe::recorder::{Recording, Scope};
use crate::observe::signals::Alarm;
use crate::observe::window::Window;
use csv::Writer;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The population that is all of them together.
pub const ALL: &str = "all";

/// A table that every unit contributes rows to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// One row per tick and population.
    Ticks,
    /// One row per tick, population, harm and cause that occurred.
    Causes,
    /// One row per incident and population.
    Incidents,
    /// One row per population.
    Runs,
    /// One row per incident and signal.
    Signals,
    /// One row per tick and node; only when asked for.
    Nodes,
}

/// What a field of a table holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type in a Frictionless table schema.
    pub kind: &'static str,
    /// Its unit; empty for names, counts and ratios.
    pub unit: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

impl Field {
    /// A field that holds a name.
    pub const fn text(name: &'static str, meaning: &'static str) -> Field {
        Field { name, kind: "string", unit: "", meaning }
    }

    /// A field that holds a whole number.
    pub const fn integer(name: &'static str, meaning: &'static str) -> Field {
        Field { name, kind: "integer", unit: "", meaning }
    }

    /// A field that holds a number.
    pub const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> Field {
        Field { name, kind: "number", unit, meaning }
    }
}

impl From<&'static Column> for Field {
    fn from(column: &'static Column) -> Field {
        Field::number(column.name, column.unit, column.meaning)
    }
}

/// Key: the variant.
pub const VARIANT: Field = Field::text("variant", "Name of the variant.");
/// Key: the sweep point.
pub const POINT: Field = Field::text("point", "Point of the sweep; empty without a sweep.");
/// Key: the population.
pub const POPULATION: Field = Field::text("population", "Population of clients; `all` is the cluster.");
/// Key: the tick.
pub const TICK: Field = Field::number("tick_s", "s", "Beginning of the tick, from the start of the run.");
/// Key: the fault or change.
pub const INCIDENT: Field = Field::text("incident", "Name of the fault or change.");
/// Key: the signal.
pub const SIGNAL: Field = Field::text("signal", "Metric that a monitoring system would watch.");
const SEED: Field = Field::integer("seed", "Seed of the run.");

const TICK_KEYS: &[Field] = &[VARIANT, POINT, SEED, TICK, POPULATION];
const CAUSE_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    TICK,
    POPULATION,
    Field::text("harm", "What happened: failed (requests), dropped, moved, lost (sessions)."),
    Field::text("cause", "Why it happened."),
    Field::integer("count", "How often."),
];
const INCIDENT_KEYS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    POPULATION,
    INCIDENT,
    Field::number("at_s", "s", "When it began, from the start of the run."),
    Field::number("ends_s", "s", "When the next one began, or the run ended."),
];
const RUN_KEYS: &[Field] = &[VARIANT, POINT, SEED, POPULATION];
const SIGNAL_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    INCIDENT,
    SIGNAL,
    Field::number("healthy_high", "", "Upper edge of its healthy band, in the unit of what it watches."),
    Field::integer("alarmed_ratio", "1 when it alarmed, 0 when not; empty when it was beyond its band already."),
    Field::number("alarm_s", "s", "From the incident to its alarm."),
    Field::number("noticed_s", "s", "From the incident until users noticed; empty when they never did."),
    Field::number("lead_s", "s", "By how much the alarm came before that; negative when it came after."),
    Field::integer("false_alarms_total", "Alarms that began in the healthy time it was tested on."),
    Field::number("healthy_s", "s", "Length of that time."),
];
const NODE_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    TICK,
    Field::text("node", "Name of the node."),
    Field::text("state", "What it was at the end of the tick: starting, warming, ready, draining or down."),
    Field::number("sessions_mean", "", "Sessions bound to it, time average."),
    Field::number("connections_mean", "", "Connections that hang on it, time average."),
    Field::number("in_flight_mean", "", "Attempts at it, time average."),
    Field::number("utilisation_ratio", "", "Share of its slots that were busy."),
    Field::number("memory_bytes_mean", "B", "Memory of its process, time average; empty where none is modelled."),
];

impl Table {
    /// Every table.
    pub const ALL: [Table; 6] =
        [Table::Ticks, Table::Causes, Table::Incidents, Table::Runs, Table::Signals, Table::Nodes];

    /// The tables of a study that keeps these.
    pub fn kept(keeps: Keeps) -> impl Iterator<Item = Table> {
        Table::ALL.into_iter().filter(move |&table| keeps.table(table))
    }

    /// Its file.
    pub const fn file(self) -> &'static str {
        match self {
            Table::Ticks => "ticks.csv",
            Table::Causes => "causes.csv",
            Table::Incidents => "incidents.csv",
            Table::Runs => "runs.csv",
            Table::Signals => "signals.csv",
            Table::Nodes => "nodes.csv",
        }
    }

    /// What a row is.
    pub const fn meaning(self) -> &'static str {
        match self {
            Table::Ticks => "One row per variant, point, seed, tick and population.",
            Table::Causes => "How often which cause did which harm; rows of zero are left out.",
            Table::Incidents => "One row per variant, point, seed, population and incident.",
            Table::Runs => "One row per variant, point, seed and population: the run after its warm-up.",
            Table::Signals => "One row per variant, point, seed, incident and signal: whether and when it warned.",
            Table::Nodes => "One row per variant, point, seed, tick and node.",
        }
    }

    /// The fields that say what a row is about; all fields of a table without columns.
    pub const fn keys(self) -> &'static [Field] {
        match self {
            Table::Ticks => TICK_KEYS,
            Table::Causes => CAUSE_FIELDS,
            Table::Incidents => INCIDENT_KEYS,
            Table::Runs => RUN_KEYS,
            Table::Signals => SIGNAL_FIELDS,
            Table::Nodes => NODE_FIELDS,
        }
    }

    /// The figures that follow the keys.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        let file = match self {
            Table::Ticks => Some(File::Ticks),
            Table::Incidents => Some(File::Incidents),
            Table::Runs => Some(File::Runs),
            Table::Causes | Table::Signals | Table::Nodes => None,
        };
        file.into_iter().flat_map(columns::of)
    }

    /// All its fields, in order.
    pub fn fields(self) -> Vec<Field> {
        self.keys().iter().copied().chain(self.columns().map(Field::from)).collect()
    }
}

/// The rows of one unit as CSV without headers.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    /// For `ticks.csv`.
    pub ticks: String,
    /// For `causes.csv`.
    pub causes: String,
    /// For `incidents.csv`.
    pub incidents: String,
    /// For `runs.csv`.
    pub runs: String,
    /// For `signals.csv`.
    pub signals: String,
    /// For `nodes.csv`.
    pub nodes: String,
}

impl Tables {
    /// The rows of this table.
    pub fn of(&self, table: Table) -> &str {
        match table {
            Table::Ticks => &self.ticks,
            Table::Causes => &self.causes,
            Table::Incidents => &self.incidents,
            Table::Runs => &self.runs,
            Table::Signals => &self.signals,
            Table::Nodes => &self.nodes,
        }
    }
}

/// A cell's text: numbers in their shortest form, nothing for `None`. `text` is cleared first.
pub fn number(text: &mut String, value: Option<f64>) -> &str {
    text.clear();
    if let Some(value) = value.filter(|value| value.is_finite()) {
        // Adding zero turns −0 into 0.
        let _ = write!(text, "{}", value + 0.0);
    }
    text
}

/// Writes rows into memory, each beginning with the same variant, point and seed.
struct Rows<'a> {
    cell: &'a Cell,
    seed: String,
    csv: Writer<Vec<u8>>,
    text: String,
}

/// Writing to memory cannot fail.
const IN_MEMORY: &str = "memory takes every row";

impl<'a> Rows<'a> {
    fn new(cell: &'a Cell, seed: u64) -> Rows<'a> {
        Rows { cell, seed: seed.to_string(), csv: Writer::from_writer(Vec::new()), text: String::new() }
    }

    fn begin(&mut self) -> &mut Self {
        for field in [&self.cell.variant, &self.cell.point, &self.seed] {
            self.csv.write_field(field).expect(IN_MEMORY);
        }
        self
    }

    fn text(&mut self, field: &str) -> &mut Self {
        self.csv.write_field(field).expect(IN_MEMORY);
        self
    }

    fn number(&mut self, value: Option<f64>) -> &mut Self {
        self.csv.write_field(number(&mut self.text, value)).expect(IN_MEMORY);
        self
    }

    fn figures(&mut self, table: Table, window: &Window) -> &mut Self {
        table.columns().for_each(|column| {
            self.number((column.get)(window));
        });
        self
    }

    fn end(&mut self) {
        self.csv.write_record(None::<&[u8]>).expect(IN_MEMORY);
    }

    fn finish(self) -> String {
        let bytes = self.csv.into_inner().map_err(|error| error.into_error()).expect(IN_MEMORY);
        String::from_utf8(bytes).expect("fields are text")
    }

    fn population(&self, scope: Scope) -> &'a str {
        match scope {
            Scope::One(population) => &self.cell.plan.populations[population.index()].name,
            Scope::All => ALL,
        }
    }
}

/// The rows of one run in the tables that are kept.
pub fn write(cell: &Cell, seed: u64, recording: &Recording, keeps: Keeps) -> Tables {
    let rows = |table: Table, write: fn(Rows, &Recording) -> String| match keeps.table(table) {
        true => write(Rows::new(cell, seed), recording),
        false => String::new(),
    };
    Tables {
        ticks: rows(Table::Ticks, ticks),
        causes: rows(Table::Causes, causes),
        incidents: rows(Table::Incidents, incidents),
        runs: rows(Table::Runs, runs),
        signals: rows(Table::Signals, signals),
        nodes: rows(Table::Nodes, nodes),
    }
}

/// Windows of ticks with their population's name: within a tick they stand in order, then all.
fn ticks_of<'a>(cell: &'a Cell, recording: &'a Recording) -> impl Iterator<Item = (&'a str, &'a Window)> {
    let names = cell.plan.populations.iter().map(|p| p.name.as_str()).chain([ALL]);
    names.collect::<Vec<_>>().into_iter().cycle().zip(&recording.ticks)
}

fn ticks(mut rows: Rows, recording: &Recording) -> String {
    for (population, window) in ticks_of(rows.cell, recording) {
        rows.begin().number(Some(window.from.as_secs_f64())).text(population);
        rows.figures(Table::Ticks, window).end();
    }
    rows.finish()
}

fn causes(mut rows: Rows, recording: &Recording) -> String {
    for (population, window) in ticks_of(rows.cell, recording) {
        for harm in Harm::ALL {
            for cause in Cause::ALL {
                let count = window.totals.of(harm, cause);
                if count > 0 {
                    rows.begin().number(Some(window.from.as_secs_f64())).text(population);
                    rows.text(harm.name()).text(cause.name()).text(&count.to_string()).end();
                }
            }
        }
    }
    rows.finish()
}

fn incidents(mut rows: Rows, recording: &Recording) -> String {
    for (scope, window) in &recording.incidents {
        let Some(shock) = &window.shock else { continue };
        let (population, (incident, _)) = (rows.population(*scope), rows.cell.plan.incident(shock.index));
        rows.begin().text(population).text(incident);
        rows.number(Some(window.from.as_secs_f64())).number(Some(window.to.as_secs_f64()));
        rows.figures(Table::Incidents, window).end();
    }
    rows.finish()
}

fn runs(mut rows: Rows, recording: &Recording) -> String {
    for (scope, window) in &recording.runs {
        let population = rows.population(*scope);
        rows.begin().text(population).figures(Table::Runs, window).end();
    }
    rows.finish()
}

fn signals(mut rows: Rows, recording: &Recording) -> String {
    for warning in &recording.warnings {
        let (incident, _) = rows.cell.plan.incident(warning.incident);
        let (alarmed, alarm) = match warning.alarm {
            Alarm::Already => (None, None),
            Alarm::After(time) => (Some(1.0), Some(time.as_secs_f64())),
            Alarm::Never => (Some(0.0), None),
        };
        rows.begin().text(incident).text(warning.signal.name).number(Some(warning.edge));
        rows.number(alarmed).number(alarm);
        rows.number(warning.noticed.map(|time| time.as_secs_f64())).number(warning.lead_s());
        rows.number(Some(warning.false_alarms as f64)).number(Some(warning.healthy.as_secs_f64())).end();
    }
    rows.finish()
}

fn nodes(mut rows: Rows, recording: &Recording) -> String {
    for tick in &recording.nodes {
        let name = &rows.cell.plan.nodes[tick.node as usize].name;
        rows.begin().number(Some(tick.from.as_secs_f64())).text(name);
        rows.text(tick.state.name()).number(Some(tick.sessions)).number(Some(tick.connections));
        rows.number(Some(tick.in_flight)).number(Some(tick.utilisation)).number(tick.memory).end();
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use super::super::testing::study;
    use super::super::unit::run_unit;
    use super::*;

    fn tables() -> Tables {
        let mut study = study(1);
        study.keeps.nodes = true;
        run_unit(&study, super::super::Unit::numbered(0, 1), || false).unwrap().tables
    }

    /// The records of a table, every one as long as its fields.
    fn records(table: Table, tables: &Tables) -> Vec<Vec<String>> {
        let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(tables.of(table).as_bytes());
        let records: Vec<Vec<String>> = csv.records().map(|r| r.unwrap().iter().map(String::from).collect()).collect();
        assert!(records.iter().all(|record| record.len() == table.fields().len()), "{table:?}");
        records
    }

    #[test]
    fn numbers_are_short_and_exact_and_absence_is_empty() {
        let mut text = String::new();
        for (value, expected) in
            [(5.0, "5"), (0.1 + 0.2, "0.30000000000000004"), (-0.0, "0"), (1e21, "1000000000000000000000")]
        {
            assert_eq!(number(&mut text, Some(value)), expected);
        }
        assert_eq!(number(&mut text, None), "");
        assert_eq!(number(&mut text, Some(f64::NAN)), "");
    }

    #[test]
    fn every_tick_has_its_populations_and_then_all() {
        let ticks = records(Table::Ticks, &tables());
        let keys: Vec<[&str; 5]> = ticks[..4].iter().map(|r| [0, 1, 2, 3, 4].map(|i| r[i].as_str())).collect();
        let sticky = "sticky, in memory";
        let expected = [("0", "api"), ("0", "web"), ("0", "all"), ("1", "api")];
        assert_eq!(keys, expected.map(|(tick, who)| [sticky, "nodes=2", "1", tick, who]));
        assert_eq!(ticks.len(), 3 * 60);
    }

    #[test]
    fn causes_add_up_to_what_the_ticks_say() {
        let tables = tables();
        let lost = Table::Ticks.fields().iter().position(|f| f.name == "sessions_lost_total").unwrap();
        let ticks = records(Table::Ticks, &tables);
        let total: f64 = ticks.iter().map(|r| r[lost].parse::<f64>().unwrap()).sum();
        let causes = records(Table::Causes, &tables);
        let counts = causes.iter().filter(|r| r[5] == "lost").map(|r| r[7].parse::<f64>().unwrap());
        assert_eq!(counts.sum::<f64>(), total);
        assert!(total > 0.0, "the crash takes state with it");
    }

    #[test]
    fn incidents_runs_and_nodes_are_named() {
        let tables = tables();
        let incidents = records(Table::Incidents, &tables);
        assert_eq!(incidents.len(), 3);
        assert_eq!(incidents[2][3..7], ["all", "crash", "30", "60"]);
        let who: Vec<String> = records(Table::Runs, &tables).into_iter().map(|mut r| r.swap_remove(3)).collect();
        assert_eq!(who, ["api", "web", "all"]);
        let signals = records(Table::Signals, &tables);
        assert_eq!(signals[0][3..5], ["crash", "disconnects"]);
        let nodes = records(Table::Nodes, &tables);
        assert_eq!(nodes.len(), 2 * 60);
        assert_eq!(nodes[1][3..6], ["0", "n2", "ready"]);
    }
}
