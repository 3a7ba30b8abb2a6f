//! Every figure of every run and incident, by seed: what summaries and comparisons are made of.

use super::bands::{text, value};
use super::manifest::Manifest;
use crate::experiment::Failure;
use crate::experiment::rows::Table;
use crate::observe::columns::Column;
use csv::ByteRecord;
use std::io;
use std::path::Path;

/// The figures of one scope over all seeds of one cell.
#[derive(Clone, PartialEq, Debug)]
pub struct Scope {
    /// The population, or `all`.
    pub population: String,
    /// The fault or change; empty for the whole run.
    pub incident: String,
    /// When that began, in the seed in which it was earliest (s); 0 for the whole run.
    pub began_s: f64,
    // By seed, then by column of its table; a seed without the incident has none.
    seeds: Vec<Vec<Option<f64>>>,
}

/// The figures of one cell.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CellFigures {
    /// Its variant.
    pub variant: String,
    /// Its sweep point.
    pub point: String,
    /// Its scopes in the order in which they came: the whole run, then each incident.
    pub scopes: Vec<Scope>,
}

impl Scope {
    /// The table that its figures stand in.
    pub fn table(&self) -> Table {
        if self.incident.is_empty() { Table::Runs } else { Table::Incidents }
    }

    /// Its figures: each with its values by seed.
    pub fn figures(&self) -> impl Iterator<Item = (&'static Column, Vec<Option<f64>>)> {
        let of_column = |c| self.seeds.iter().map(|values| values.get(c).copied().flatten()).collect();
        self.table().columns().enumerate().map(move |(c, column)| (column, of_column(c)))
    }
}

impl CellFigures {
    /// Those of a cell, empty.
    pub fn new(variant: &str, point: &str) -> CellFigures {
        CellFigures { variant: variant.into(), point: point.into(), scopes: Vec::new() }
    }

    /// Takes the rows, without header, of `seed` (the first is 0) from `runs` or `incidents`.
    pub fn add(&mut self, table: Table, seed: usize, rows: &str) -> io::Result<()> {
        let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(rows.as_bytes());
        let mut record = ByteRecord::new();
        while csv.read_byte_record(&mut record)? {
            self.take(table, seed, &record)?;
        }
        Ok(())
    }

    fn take(&mut self, table: Table, seed: usize, record: &ByteRecord) -> io::Result<()> {
        let began_s = value(key(table, record, "at_s")?.as_bytes())?;
        let scope = self.scope(key(table, record, "population")?, key(table, record, "incident")?);
        let values = record.iter().skip(table.keys().len()).map(value).collect::<io::Result<_>>()?;
        scope.began_s = began_s.map_or(0.0, |began_s| began_s.min(scope.began_s));
        scope.seeds.resize(scope.seeds.len().max(seed + 1), Vec::new());
        scope.seeds[seed] = values;
        Ok(())
    }

    /// The scope of this population and incident.
    pub fn find(&self, population: &str, incident: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.population == population && scope.incident == incident)
    }

    fn scope(&mut self, population: &str, incident: &str) -> &mut Scope {
        let same = |scope: &Scope| scope.population == population && scope.incident == incident;
        let i = self.scopes.iter().position(same).unwrap_or(self.scopes.len());
        if i == self.scopes.len() {
            let (population, incident) = (population.into(), incident.into());
            self.scopes.push(Scope { population, incident, began_s: f64::INFINITY, seeds: Vec::new() });
        }
        &mut self.scopes[i]
    }
}

/// The figures of a folder of results, from its `runs.csv` and `incidents.csv`: by cell, in plan order.
///
/// A folder whose columns are not those of this version is an error.
pub fn read(out: &Path, manifest: &Manifest) -> Result<Vec<CellFigures>, Failure> {
    let mut cells: Vec<CellFigures> = Vec::new();
    for run in &manifest.runs {
        if place(&cells, &run.variant, &run.point).is_none() {
            cells.push(CellFigures::new(&run.variant, &run.point));
        }
    }
    for table in [Table::Runs, Table::Incidents] {
        let path = out.join(table.file());
        read_table(&path, table, manifest.seeds as usize, &mut cells).map_err(Failure::to("read", &path))?;
    }
    Ok(cells)
}

fn read_table(path: &Path, table: Table, seeds: usize, cells: &mut [CellFigures]) -> io::Result<()> {
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut csv = csv::Reader::from_path(path)?;
    if !csv.headers()?.iter().eq(table.fields().iter().map(|field| field.name)) {
        return Err(invalid("its columns are those of another version"));
    }
    let mut record = ByteRecord::new();
    while csv.read_byte_record(&mut record)? {
        let cell = place(cells, key(table, &record, "variant")?, key(table, &record, "point")?);
        let seed = key(table, &record, "seed")?.parse().ok().and_then(|seed: usize| seed.checked_sub(1));
        let (Some(cell), Some(seed)) = (cell, seed.filter(|&seed| seed < seeds)) else {
            return Err(invalid("it has a run that the manifest does not know"));
        };
        cells[cell].take(table, seed, &record)?;
    }
    Ok(())
}

fn place(cells: &[CellFigures], variant: &str, point: &str) -> Option<usize> {
    cells.iter().position(|cell| cell.variant == variant && cell.point == point)
}

/// A record's key; empty where its table has no such key.
fn key<'a>(table: Table, record: &'a ByteRecord, name: &str) -> io::Result<&'a str> {
    let place = table.keys().iter().position(|key| key.name == name);
    text(place.and_then(|i| record.get(i)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of `runs.csv` whose first figure is this.
    fn row(population: &str, first: &str) -> String {
        format!("v,,1,{population},{first}{}\n", ",".repeat(Table::Runs.columns().count() - 1))
    }

    #[test]
    fn figures_stand_by_seed_and_absence_stays_absence() {
        let mut cell = CellFigures::new("v", "");
        cell.add(Table::Runs, 0, &row("all", "1.5")).unwrap();
        cell.add(Table::Runs, 2, &(row("web", "7") + &row("all", ""))).unwrap();
        let first = |who| cell.find(who, "").unwrap().figures().next().unwrap().1;
        assert_eq!(first("all"), [Some(1.5), None, None]);
        assert_eq!(first("web"), [None, None, Some(7.0)]);
        assert_eq!(cell.find("all", "crash"), None);
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        let mut cell = CellFigures::new("v", "");
        assert!(cell.add(Table::Runs, 0, &row("all", "much")).is_err());
    }
}
