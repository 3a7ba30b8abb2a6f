//! What stands in a row? The tables of a run, and their keys. Columns beyond the keys are those of [`columns`].

mod fields;
mod sheet;

use super::{Cell, Keeps};
use crate::base::cause::{Cause, Harm};
use crate::observe::columns::{self, Column, File};
use crate::observe::recorder::{Recording, Scope};
use crate::observe::recovery::Eventually;
use crate::observe::signals::Alarm;
use crate::observe::window::Window;
use crate::statistics::estimate;
use fields::{BATCH_FIELDS, CAUSE_FIELDS, INCIDENT_KEYS, NODE_FIELDS, RUN_KEYS, SIGNAL_FIELDS, TICK_KEYS};
pub use fields::{Field, INCIDENT, Kind, POINT, POPULATION, SEED, SIGNAL, TICK, VARIANT};
use serde::{Deserialize, Serialize};
pub use sheet::Sheet;

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
    /// One row per average, of runs to which nothing is planned to happen.
    Batches,
    /// One row per tick and node; only when asked for.
    Nodes,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 7] =
        [Table::Ticks, Table::Causes, Table::Incidents, Table::Runs, Table::Signals, Table::Batches, Table::Nodes];

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
            Table::Batches => "batches.csv",
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
            Table::Batches => "One row per variant, point, seed and average: how well one long run knows it.",
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
            Table::Batches => BATCH_FIELDS,
            Table::Nodes => NODE_FIELDS,
        }
    }

    /// The figures that follow the keys.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        let file = match self {
            Table::Ticks => Some(File::Ticks),
            Table::Incidents => Some(File::Incidents),
            Table::Runs => Some(File::Runs),
            Table::Causes | Table::Signals | Table::Batches | Table::Nodes => None,
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
    /// For `batches.csv`.
    pub batches: String,
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
            Table::Batches => &self.batches,
            Table::Nodes => &self.nodes,
        }
    }
}

/// Writes rows into memory, each beginning with the same variant, point and seed.
struct Rows<'a> {
    cell: &'a Cell,
    seed: String,
    sheet: Sheet<Vec<u8>>,
}

/// Writing to memory cannot fail.
const IN_MEMORY: &str = "memory takes every row";

impl<'a> Rows<'a> {
    fn new(table: Table, cell: &'a Cell, seed: u64) -> Rows<'a> {
        Rows { cell, seed: seed.to_string(), sheet: Sheet::new(Vec::new(), &table.fields()) }
    }

    fn begin(&mut self) -> &mut Self {
        for field in [&self.cell.variant, &self.cell.point, &self.seed] {
            self.sheet.text(field).expect(IN_MEMORY);
        }
        self
    }

    fn text(&mut self, field: &str) -> &mut Self {
        self.sheet.text(field).expect(IN_MEMORY);
        self
    }

    fn number(&mut self, value: Option<f64>) -> &mut Self {
        self.sheet.number(value).expect(IN_MEMORY);
        self
    }

    fn figures(&mut self, table: Table, window: &Window) -> &mut Self {
        table.columns().for_each(|column| {
            self.number((column.get)(window));
        });
        self
    }

    fn end(&mut self) {
        self.sheet.end().expect(IN_MEMORY);
    }

    fn finish(self) -> String {
        let bytes = self.sheet.into_inner().expect(IN_MEMORY);
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
        true => write(Rows::new(table, cell, seed), recording),
        false => String::new(),
    };
    Tables {
        ticks: rows(Table::Ticks, ticks),
        causes: rows(Table::Causes, causes),
        incidents: rows(Table::Incidents, incidents),
        runs: rows(Table::Runs, runs),
        signals: rows(Table::Signals, signals),
        batches: rows(Table::Batches, batches),
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
        let noticed = warning.noticed.map(|noticed| f64::from(u8::from(noticed != Eventually::Never)));
        rows.number(noticed).number(warning.noticed_s()).number(warning.lead_s());
        rows.number(Some(warning.false_alarms as f64)).number(Some(warning.healthy.as_secs_f64())).end();
    }
    rows.finish()
}

fn batches(mut rows: Rows, recording: &Recording) -> String {
    for average in &recording.batches {
        let Some(found) = estimate(&average.means) else { continue };
        rows.begin().text(average.column.name).number(Some(found.n as f64)).number(Some(found.mean));
        rows.number(found.interval.map(|interval| interval.low)).number(found.interval.map(|interval| interval.high));
        rows.number(average.correlation()).end();
    }
    rows.finish()
}

fn nodes(mut rows: Rows, recording: &Recording) -> String {
    let binds = recording.runs.last().is_some_and(|(_, all)| all.traits.binds);
    for tick in &recording.nodes {
        let name = &rows.cell.plan.nodes[tick.node as usize].name;
        rows.begin().number(Some(tick.from.as_secs_f64())).text(name);
        rows.text(tick.state.name()).number(Some(tick.sessions).filter(|_| binds)).number(Some(tick.connections));
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
    fn every_tick_has_its_populations_and_then_all() {
        let ticks = records(Table::Ticks, &tables());
        let keys: Vec<[&str; 5]> = ticks[..4].iter().map(|r| [0, 1, 2, 3, 4].map(|i| r[i].as_str())).collect();
        let sticky = "sticky, in memory";
        let expected = [("0.0", "api"), ("0.0", "web"), ("0.0", "all"), ("1.0", "api")];
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
        assert_eq!(incidents[2][3..7], ["all", "crash", "30.0", "60.0"]);
        let who: Vec<String> = records(Table::Runs, &tables).into_iter().map(|mut r| r.swap_remove(3)).collect();
        assert_eq!(who, ["api", "web", "all"]);
        let signals = records(Table::Signals, &tables);
        assert_eq!(signals[0][3..5], ["crash", "disconnects"]);
        let nodes = records(Table::Nodes, &tables);
        assert_eq!(nodes.len(), 2 * 60);
        assert_eq!(nodes[1][3..6], ["0.0", "n2", "ready"]);
    }
}
