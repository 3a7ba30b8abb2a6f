//! From finished units to result files: parts are read once, in plan order, wherever they lie. Only one point's figures
//! are in memory at a time, so that a sweep of any length can be joined.
//!
//! The folder never looks complete when it is not: the old manifest goes first and the new one comes last.
//! `parts/` is removed after that, so that whatever fails before can be repeated.

use super::bands::{self, CellTicks};
use super::batches;
use super::figures::CellFigures;
use super::manifest::{self, FileEntry, Manifest, RunEntry};
use super::package::{Described, package};
use super::precision::Reached;
use super::results::{self, COMPARE_FILE, Curve, Results, SUMMARY_FILE};
use super::sensitivity::{self, Sensitivity};
use super::sink::{self, Sink, Staged, Table};
use super::table;
use super::warnings::{self, CellWarnings};
use crate::experiment::parts::Parts;
use crate::experiment::rows;
use crate::experiment::{Failure, Keeps, Outline};
use std::io;
use std::path::Path;

/// Writes every result file of a study whose units are all finished, and removes `parts/`.
///
/// `baseline` names the variant to compare with; the first unless given.
pub fn write(study: &Outline, out: &Path, baseline: Option<&str>) -> Result<Results, Failure> {
    write_first(study, study.seeds, Vec::new(), out, baseline)
}

/// As [`write()`], of the first `seeds` seeds, which have `reached` so much.
pub fn write_first(
    study: &Outline,
    seeds: u32,
    reached: Vec<Reached>,
    out: &Path,
    baseline: Option<&str>,
) -> Result<Results, Failure> {
    let parts = Parts::new(&study.plan_id, out);
    let shorter = Outline { seeds, ..study.clone() };
    let numbered = |cell: usize, seed: usize| (&parts, cell * study.seeds as usize + seed);
    let results = join(&shorter, reached, out, baseline, parts.folder(), numbered)?;
    parts.remove()?;
    Ok(results)
}

/// Writes every result file of a study whose units, by cell and seed, lie where `place_of` says; `staging` is a folder
/// beside the results.
pub fn join<'a>(
    study: &'a Outline,
    reached: Vec<Reached>,
    out: &'a Path,
    baseline: Option<&str>,
    staging: &'a Path,
    place_of: impl Fn(usize, usize) -> (&'a Parts, usize),
) -> Result<Results, Failure> {
    let first = study.cells.first().map_or("", |cell| cell.variant.as_str());
    let mut merge = Merge::new(study, out, staging, baseline.unwrap_or(first))?;
    let cells: Vec<usize> = (0..study.cells.len()).collect();
    for point in cells.chunk_by(|&a, &b| study.cells[a].point == study.cells[b].point) {
        merge.point(point, &place_of)?;
    }
    merge.finish(reached)
}

/// The bands' file.
const BANDS: &str = "bands.csv";

/// A file and what is in it.
struct Output {
    described: Described,
    staged: Staged,
}

/// The merge under way.
struct Merge<'a> {
    study: &'a Outline,
    out: &'a Path,
    // Where files are until they have their names.
    staging: &'a Path,
    // One per table that units contribute to.
    plain: Vec<(rows::Table, Sink)>,
    bands: Option<Table>,
    summary: Table,
    compare: Table,
    warnings: Table,
    sensitivity: Sensitivity,
    // What a person reads of what is written.
    read: Results,
    runs: Vec<RunEntry>,
}

impl<'a> Merge<'a> {
    fn new(study: &'a Outline, out: &'a Path, staging: &'a Path, baseline: &str) -> Result<Merge<'a>, Failure> {
        let mut plain = Vec::new();
        for table in rows::Table::kept(study.keeps) {
            let mut sink = Sink::new(staging, out, table.file())?;
            let names: Vec<&str> = table.fields().iter().map(|field| field.name).collect();
            sink.text(&(names.join(",") + "\n"))?;
            plain.push((table, sink));
        }
        let table = |name, fields| Table::new(staging, out, name, fields);
        Ok(Merge {
            study,
            out,
            staging,
            plain,
            bands: study.keeps.ticks.then(|| table(BANDS, bands::FIELDS)).transpose()?,
            summary: table(results::SUMMARY_FILE, results::SUMMARY)?,
            compare: table(results::COMPARE_FILE, results::COMPARE)?,
            warnings: table(warnings::FILE, warnings::FIELDS)?,
            sensitivity: Sensitivity::default(),
            read: Results { baseline: baseline.into(), ..Results::default() },
            runs: Vec::new(),
        })
    }

    /// Reads the parts of the cells of one point, and writes what follows from them.
    fn point(
        &mut self,
        cells: &[usize],
        place_of: &impl Fn(usize, usize) -> (&'a Parts, usize),
    ) -> Result<(), Failure> {
        let (mut figures, mut warned) = (Vec::new(), Vec::new());
        for &cell in cells {
            let (of_cell, warnings) = self.cell(cell, place_of)?;
            figures.push(of_cell);
            warned.extend(warnings.rows(&self.study.cells[cell]));
        }
        let mut results = Results::of(&figures, &self.read.baseline);
        results.write_summary(&mut self.summary)?;
        results.write_compare(&mut self.compare)?;
        warnings::write(&warned, &mut self.warnings)?;
        results.warnings = warned;
        let settings = cells.first().map_or(&[][..], |&cell| &self.study.cells[cell].settings);
        let settings = settings.iter().map(|(_, value)| value.clone()).collect();
        self.sensitivity.add(settings, &figures, |column| table::reads(self.study, column));
        self.read.absorb(results, |column| table::reads(self.study, column));
        Ok(())
    }

    /// Reads the parts of one cell.
    fn cell(
        &mut self,
        index: usize,
        place_of: &impl Fn(usize, usize) -> (&'a Parts, usize),
    ) -> Result<(CellFigures, CellWarnings), Failure> {
        let cell = &self.study.cells[index];
        let mut figures = CellFigures::new(&cell.variant, &cell.point);
        let (mut ticks, mut warnings) = (CellTicks::default(), CellWarnings::default());
        for seed in 0..self.study.seeds as usize {
            let (parts, number) = place_of(index, seed);
            let part = parts.read(number)?;
            for (table, sink) in &mut self.plain {
                sink.text(part.tables.of(*table))?;
            }
            let unread = |reason: io::Error| Failure::to("read", &parts.path(number))(reason);
            ticks.add(&part.tables.ticks).map_err(unread)?;
            figures.add(rows::Table::Runs, seed, &part.tables.runs).map_err(unread)?;
            figures.add(rows::Table::Incidents, seed, &part.tables.incidents).map_err(unread)?;
            warnings.add(&part.tables.signals).map_err(unread)?;
            if self.study.seeds == 1 {
                self.read.batches.extend(batches::read(&part.tables.batches).map_err(unread)?);
            }
            self.runs.push(RunEntry {
                variant: cell.variant.clone(),
                point: cell.point.clone(),
                seed: seed as u64 + 1,
                fingerprint: part.fingerprint,
            });
        }
        if let Some(bands) = &mut self.bands {
            ticks.write(cell, bands)?;
            let steps = ticks.curve(table::CURVE, table::CURVE_STEPS);
            self.read.curves.push(Curve { variant: cell.variant.clone(), point: cell.point.clone(), steps });
        }
        Ok((figures, warnings))
    }

    /// Describes what was written, then gives every file its name.
    fn finish(mut self, reached: Vec<Reached>) -> Result<Results, Failure> {
        self.read.influences = self.sensitivity.influences(self.study);
        let moves = self.moves()?;
        let has_moves = moves.is_some();
        let mut outputs = Vec::new();
        for (table, sink) in self.plain {
            let described = Described { file: table.file(), meaning: table.meaning(), fields: table.fields() };
            outputs.push(Output { described, staged: sink.finish()? });
        }
        let derived = |file, meaning, fields: &[_]| Described { file, meaning, fields: fields.to_vec() };
        let tables = [
            self.bands.map(|bands| (bands, BANDS, "The spread of each tick's figures over seeds.", bands::FIELDS)),
            Some((self.summary, SUMMARY_FILE, "Each figure of runs and incidents over seeds.", results::SUMMARY)),
            Some((self.compare, COMPARE_FILE, "Each variant against the baseline, paired by seed.", results::COMPARE)),
            moves.map(|table| {
                (table, sensitivity::FILE, "How each key of the sweep moves figures.", sensitivity::FIELDS)
            }),
            Some((self.warnings, warnings::FILE, "Each signal about each incident, over seeds.", warnings::FIELDS)),
        ];
        for (table, file, meaning, fields) in tables.into_iter().flatten() {
            outputs.push(Output { described: derived(file, meaning, fields), staged: table.finish()? });
        }

        let (described, mut files): (Vec<Described>, Vec<Staged>) =
            outputs.into_iter().map(|output| (output.described, output.staged)).unzip();
        let mut entries: Vec<FileEntry> =
            described.iter().zip(&files).map(|(table, staged)| entry(table.file, staged, &table.fields)).collect();
        const PACKAGE: &str = "datapackage.json";
        let package = package(&self.study.name, &described);
        files.push(stage_json(self.staging, self.out, PACKAGE, package)?);
        entries.extend(files.last().map(|staged| entry(PACKAGE, staged, &[])));
        let mut manifest = Manifest::new(self.study, &self.read.baseline, entries, self.runs);
        manifest.precision = reached;
        let manifest = stage_json(self.staging, self.out, manifest::FILE, manifest.to_json())?;
        publish(self.out, files, manifest, self.study.keeps, has_moves)?;
        Ok(self.read)
    }

    /// The table of what moves what; none without a sweep of enough points.
    fn moves(&self) -> Result<Option<Table>, Failure> {
        if self.read.influences.is_empty() {
            return Ok(None);
        }
        let mut table = Table::new(self.staging, self.out, sensitivity::FILE, sensitivity::FIELDS)?;
        sensitivity::write(&self.read.influences, &mut table)?;
        Ok(Some(table))
    }
}

fn entry(file: &str, staged: &Staged, fields: &[rows::Field]) -> FileEntry {
    let columns = fields.iter().map(|field| field.name.to_string()).collect();
    FileEntry { file: file.into(), bytes: staged.bytes, sha256: staged.sha256.clone(), columns }
}

fn stage_json(staging: &Path, out: &Path, name: &str, text: serde_json::Result<String>) -> Result<Staged, Failure> {
    let text = text.map_err(|error| Failure::to("write", &out.join(name))(error.into()))?;
    let mut sink = Sink::new(staging, out, name)?;
    sink.text(&text)?;
    sink.finish()
}

/// Replaces the old files by the new ones.
fn publish(out: &Path, files: Vec<Staged>, manifest: Staged, keeps: Keeps, has_moves: bool) -> Result<(), Failure> {
    sink::remove(&out.join(manifest::FILE))?;
    let dropped = rows::Table::ALL.into_iter().filter(|&table| !keeps.table(table)).map(rows::Table::file);
    let dropped = dropped.chain((!keeps.ticks).then_some(BANDS)).chain((!has_moves).then_some(sensitivity::FILE));
    dropped.map(|file| out.join(file)).try_for_each(|file| sink::remove(&file))?;
    files.into_iter().try_for_each(Staged::publish)?;
    manifest.publish()
}

/// The pipeline as a whole: the bytes do not depend on threads or interruptions.
#[cfg(test)]
mod tests {
    use super::super::figures;
    use super::*;
    use crate::experiment::Study;
    use crate::experiment::identity::sha256;
    use crate::experiment::testing::{StopAfter, run_all as run, study};
    use std::collections::BTreeMap;
    use std::fs;
    use std::num::NonZeroUsize;
    use std::sync::atomic::AtomicBool;
    use tempfile::TempDir;

    fn write(study: &Study, out: &Path, baseline: Option<&str>) -> Result<Results, Failure> {
        super::write(&study.outline(), out, baseline)
    }

    fn never() -> AtomicBool {
        AtomicBool::new(false)
    }

    fn jobs(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    /// Every file of a folder.
    fn contents(out: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(&path).unwrap())).collect()
    }

    fn run_whole(study: &Study, threads: usize) -> (TempDir, Results) {
        let out = tempfile::tempdir().unwrap();
        assert!(run(study, out.path(), jobs(threads), &never(), &()).unwrap().is_complete());
        let results = write(study, out.path(), None).unwrap();
        (out, results)
    }

    fn rows(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<BTreeMap<String, String>> {
        csv::Reader::from_reader(files[name].as_slice()).deserialize().map(Result::unwrap).collect()
    }

    #[test]
    fn threads_and_interruptions_change_no_byte() {
        let mut study = study(3);
        study.keeps.nodes = true;
        let whole = contents(run_whole(&study, 1).0.path());
        assert_eq!(whole, contents(run_whole(&study, 2).0.path()));

        let out = tempfile::tempdir().unwrap();
        let stop = StopAfter::new(4);
        assert!(!run(&study, out.path(), jobs(1), &stop.stop, &stop).unwrap().is_complete());
        assert!(write(&study, out.path(), None).is_err(), "units are missing");
        assert!(!out.path().join("manifest.json").exists());
        fs::write(out.path().join("parts/1.json"), "{\"plan\":").unwrap();
        let second = run(&study, out.path(), jobs(2), &never(), &()).unwrap();
        assert_eq!((second.reused, second.is_complete()), (3, true));
        write(&study, out.path(), None).unwrap();
        assert_eq!(whole, contents(out.path()));
    }

    #[test]
    fn the_manifest_seals_every_file() {
        let study = study(2);
        let (out, _) = run_whole(&study, 2);
        let files = contents(out.path());
        let manifest: Manifest = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest.plan_id, study.outline().plan_id);
        assert_eq!((manifest.variants.len(), manifest.points.len(), manifest.runs.len()), (2, 2, 8));
        assert_eq!(manifest.baseline, "sticky, in memory");
        assert_eq!(manifest.files.len() + 1, files.len(), "and parts/ is gone");
        for entry in &manifest.files {
            let bytes = &files[&entry.file];
            assert_eq!((entry.bytes, &entry.sha256), (bytes.len() as u64, &sha256(bytes)));
            if entry.file.ends_with(".csv") {
                let text = std::str::from_utf8(bytes).unwrap();
                assert_eq!(text.lines().next().unwrap(), entry.columns.join(","));
                assert!(!text.contains('\r') && text.ends_with('\n'));
            }
        }
        let package: serde_json::Value = serde_json::from_slice(&files["datapackage.json"]).unwrap();
        assert_eq!(package["resources"].as_array().unwrap().len() + 2, files.len());
    }

    #[test]
    fn the_derived_tables_agree_with_the_plain_ones() {
        let (out, results) = run_whole(&study(3), 2);
        let files = contents(out.path());
        let of = |file: &str, keys: &[(&str, &str)]| -> Vec<BTreeMap<String, String>> {
            let fits = |row: &BTreeMap<String, String>| keys.iter().all(|&(key, value)| row[key] == value);
            rows(&files, file).into_iter().filter(fits).collect()
        };
        let mean = |rows: &[BTreeMap<String, String>], column: &str| {
            rows.iter().map(|row| row[column].parse::<f64>().unwrap()).sum::<f64>() / rows.len() as f64
        };
        let cell = [("variant", "stateless"), ("point", "nodes=3"), ("population", "all")];
        let figure = "response_time_ms_mean";
        let expected = mean(&of("runs.csv", &cell), figure);
        let summary = of("summary.csv", &[&cell[..], &[("incident", ""), ("metric", figure)]].concat());
        assert_eq!((summary.len(), summary[0]["n"].as_str()), (1, "3"));
        assert!((summary[0]["mean"].parse::<f64>().unwrap() - expected).abs() < 1e-9);

        let tick = [&cell[..], &[("tick_s", "40.0")]].concat();
        let band = of("bands.csv", &[cell[0], cell[1], ("tick_s", "40.0"), ("metric", "sessions_live_mean")]);
        let expected = mean(&of("ticks.csv", &tick), "sessions_live_mean");
        assert!((band[0]["mean"].parse::<f64>().unwrap() - expected).abs() < 1e-9);

        for row in of("compare.csv", &[("variant", "sticky, in memory")]) {
            if row["n"] == "0" {
                assert_eq!(row["difference_mean"], "");
            } else {
                assert_eq!(
                    [&row["difference_mean"], &row["difference_low"], &row["difference_high"]],
                    ["0.0", "0.0", "0.0"]
                );
            }
        }
        assert!(results.summary.len() < rows(&files, "summary.csv").len(), "only what a person reads is kept");
        assert_eq!(results.warnings.len(), rows(&files, "warnings.csv").len());
        assert!(of("summary.csv", &[("metric", "sessions_lost_total"), ("variant", "sticky, in memory")]).len() > 4);
    }

    #[test]
    fn a_folder_of_results_gives_the_same_results_again() {
        let (out, results) = run_whole(&study(2), 2);
        let manifest = Manifest::read(out.path()).unwrap();
        let again = Results::of(&figures::read(out.path(), &manifest).unwrap(), &manifest.baseline);
        let mut read = Results {
            baseline: again.baseline.clone(),
            warnings: warnings::read(out.path()).unwrap(),
            curves: results.curves.clone(),
            influences: results.influences.clone(),
            ..Results::default()
        };
        read.absorb(again, |column| table::reads(&study(2).outline(), column));
        assert_eq!(format!("{read:?}"), format!("{results:?}"));

        let path = out.path().join("runs.csv");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("goodput_rps", "goodput")).unwrap();
        let failure = figures::read(out.path(), &manifest).unwrap_err().to_string();
        assert!(failure.ends_with("runs.csv: its columns are those of another version"), "{failure}");
    }

    #[test]
    fn another_baseline_turns_the_signs() {
        let study = study(2);
        let out = tempfile::tempdir().unwrap();
        run(&study, out.path(), jobs(2), &never(), &()).unwrap();
        let results = write(&study, out.path(), Some("stateless")).unwrap();
        assert_eq!(results.baseline, "stateless");
        let own = results.compare.iter().filter(|row| row.variant == "stateless");
        assert!(own.flat_map(|row| row.paired).all(|paired| paired.difference.mean == 0.0));
    }

    #[test]
    fn what_cannot_be_written_leaves_no_manifest_and_can_be_repeated() {
        let study = study(1);
        let (out, _) = run_whole(&study, 1);
        let whole = contents(out.path());
        fs::remove_file(out.path().join("runs.csv")).unwrap();
        fs::create_dir(out.path().join("runs.csv")).unwrap();
        run(&study, out.path(), jobs(2), &never(), &()).unwrap();
        let failure = write(&study, out.path(), None).unwrap_err();
        assert!(failure.to_string().contains("runs.csv"), "{failure}");
        assert!(!out.path().join("manifest.json").exists());
        fs::remove_dir(out.path().join("runs.csv")).unwrap();
        assert_eq!(run(&study, out.path(), jobs(2), &never(), &()).unwrap().finished, 0);
        write(&study, out.path(), None).unwrap();
        assert_eq!(whole, contents(out.path()));
    }

    #[test]
    fn a_later_run_without_nodes_removes_the_old_ones() {
        let mut study = study(1);
        study.keeps.nodes = true;
        let (out, _) = run_whole(&study, 2);
        assert!(out.path().join("nodes.csv").exists());
        study.keeps.nodes = false;
        run(&study, out.path(), jobs(2), &never(), &()).unwrap();
        write(&study, out.path(), None).unwrap();
        assert!(!out.path().join("nodes.csv").exists());
    }
}
