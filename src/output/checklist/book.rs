//! Every figure of a checklist: a row of `checklist.csv`. The page is written from these rows and from nothing else.

use crate::experiment::rows::{Field, Sheet, VARIANT};
use crate::statistics::{estimate, quantile};
use std::io;

/// The fields of `checklist.csv`.
pub const FIELDS: &[Field] = &[
    Field::integer("question", "1: a node dies, 2: signals, 3: nodes out at once, 4: rollback."),
    Field::text("folder", "Where the runs are that it comes from."),
    VARIANT,
    Field::text("setting", "What was set besides, such as the number of nodes that leave at once; empty for nothing."),
    Field::text(
        "metric",
        "Name of the figure: a column of the files in that folder, a signal, or one that docs/checklist.md explains.",
    ),
    Field::text(
        "statistic",
        "What of it, over what `n` counts: mean, p50, p95, max, count; share, alarmed, first, seen (all of seeds) …",
    ),
    Field::integer("n", "How many values it is made of: seeds, or nodes × instants × seeds."),
    Field::number("value", "", "The figure, in the metric's unit; empty for a time that never came."),
    Field::number("low", "", "Lower end of its 95 % interval; empty without one."),
    Field::number("high", "", "Upper end of that interval."),
];

/// A figure.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Figure {
    /// The question that it answers.
    pub question: u8,
    /// Where the runs are that it comes from.
    pub folder: &'static str,
    /// The variant.
    pub variant: String,
    /// What was set besides.
    pub setting: String,
    /// Its name.
    pub metric: String,
    /// What of it.
    pub statistic: &'static str,
    /// Of how many values.
    pub n: usize,
    /// So much; `None` for a time that never came.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of that.
    pub high: Option<f64>,
}

/// Where figures are put: one variant's, in the runs of one folder.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The question.
    pub question: u8,
    /// The folder.
    pub folder: &'static str,
    /// The variant.
    pub variant: String,
    /// What was set besides.
    pub setting: String,
}

/// All figures.
#[derive(Clone, Debug, Default)]
pub struct Book(pub Vec<Figure>);

impl Book {
    /// Adds a figure.
    pub fn add(&mut self, page: &Page, metric: &str, statistic: &'static str, n: usize, value: Option<f64>) {
        self.add_between(page, metric, statistic, n, value, None);
    }

    /// Adds a figure with its interval.
    pub fn add_between(
        &mut self,
        page: &Page,
        metric: &str,
        statistic: &'static str,
        n: usize,
        value: Option<f64>,
        between: Option<(f64, f64)>,
    ) {
        let Page { question, folder, variant, setting } = page.clone();
        let (low, high) = (between.map(|ends| ends.0), between.map(|ends| ends.1));
        self.0.push(Figure {
            question,
            folder,
            variant,
            setting,
            metric: metric.to_owned(),
            statistic,
            n,
            value,
            low,
            high,
        });
    }

    /// Adds the mean over seeds with its interval; nothing where no seed has a value.
    pub fn mean(&mut self, page: &Page, metric: &str, values: &[Option<f64>]) {
        let present: Vec<f64> = values.iter().flatten().copied().collect();
        let Some(estimate) = estimate(&present) else { return };
        let between = estimate.interval.map(|interval| (interval.low, interval.high));
        self.add_between(page, metric, "mean", estimate.n, Some(estimate.mean), between);
    }

    /// Adds quantiles of a distribution.
    pub fn spread(&mut self, page: &Page, metric: &str, mut values: Vec<f64>, wanted: &[(&'static str, f64)]) {
        values.sort_by(f64::total_cmp);
        for &(name, p) in wanted {
            self.add(page, metric, name, values.len(), quantile(&values, p));
        }
    }

    /// The figure of this variant.
    pub fn find(&self, question: u8, variant: &str, setting: &str, metric: &str, statistic: &str) -> Option<&Figure> {
        let is_it = |figure: &&Figure| {
            (figure.question, figure.variant.as_str(), figure.setting.as_str()) == (question, variant, setting)
                && figure.metric == metric
                && figure.statistic == statistic
        };
        self.0.iter().find(is_it)
    }

    /// The figures of this variant.
    pub fn of<'a>(&'a self, question: u8, variant: &'a str, setting: &'a str) -> impl Iterator<Item = &'a Figure> {
        self.0
            .iter()
            .filter(move |figure| figure.question == question && figure.variant == variant && figure.setting == setting)
    }

    /// The text of `checklist.csv`.
    pub fn csv(&self) -> io::Result<String> {
        let mut sheet = Sheet::headed(Vec::new(), FIELDS)?;
        for figure in &self.0 {
            let Figure { question, folder, variant, setting, metric, statistic, n, value, low, high } = figure;
            sheet.number(Some(f64::from(*question)))?;
            [*folder, variant, setting, metric, statistic].into_iter().try_for_each(|text| sheet.text(text))?;
            [Some(*n as f64), *value, *low, *high].into_iter().try_for_each(|number| sheet.number(number))?;
            sheet.end()?;
        }
        let bytes = sheet.into_inner()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
