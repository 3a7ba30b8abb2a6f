//! Which points does a sweep have? Axes from `[sweep]` and `--vary`, multiplied out or sampled.

use super::find::Find;
use super::layers::{equals_sign, parse_value};
use super::load::{WHOLE, varies};
use super::{Node, Problem, Problems, Sources, Span, Table, parse_path, path};
use crate::base::draw::Stream;
use rand::RngExt;
use rand::seq::SliceRandom;
use toml::de::DeValue;

/// More points are a mistake.
pub(super) const POINTS_MAX: usize = 100_000;

/// What the command line adds to a sweep.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sweeps {
    /// `--vary` axes, in order; each stands in for the same key of `[sweep]`.
    pub vary: Vec<String>,
    /// So many points of a Latin hypercube, instead of all combinations.
    pub sample: Option<u32>,
}

impl Sweeps {
    /// The options, in one spelling.
    pub fn changes(&self) -> impl Iterator<Item = String> {
        let vary = self.vary.iter().map(|text| format!("--vary {text}"));
        vary.chain(self.sample.map(|points| format!("--sample {points}")))
    }
}

/// One point of a sweep.
#[derive(Clone, Debug, Default)]
pub(super) struct Point {
    /// Its values, such as `cluster.nodes=3`.
    pub(super) label: String,
    /// Its keys and their values as they stand in the label.
    pub(super) settings: Vec<(String, String)>,
    pub(super) values: Vec<(Vec<String>, Span, Node)>,
}

/// A key and the values to try.
struct Axis {
    name: String,
    path: Vec<String>,
    written: Span,
    values: Vec<Node>,
    // Whether it stands on the command line, as --set does; over an axis of the file --set has the last word.
    is_flag: bool,
}

/// Takes `[sweep]` out of the table, adds what the command line says, and gives the points: the last key fastest.
pub(super) fn take_points(
    base: &mut Table,
    sweeps: &Sweeps,
    sets: &[Table],
    sources: &mut Sources,
    problems: &mut Problems,
) -> Vec<Point> {
    let mut axes = written(base, problems);
    for text in &sweeps.vary {
        let Some(axis) = vary(sources, text, problems) else { continue };
        axes.retain(|other| other.path != axis.path);
        axes.push(axis);
    }
    axes.retain(|axis| is_sound(axis, problems));
    for (n, axis) in axes.iter().enumerate() {
        let other =
            axes[..n].iter().find(|other| axis.path.starts_with(&other.path) || other.path.starts_with(&axis.path));
        let hides = |set: &&Table| axis.is_flag && says(set, &axis.path);
        let what = match (other, sets.iter().find(hides)) {
            (Some(other), _) => format!("`{}` is swept too", other.name),
            (None, Some(_)) => "--set says one value for all points".to_owned(),
            (None, None) => continue,
        };
        let problem = Problem::error(format!("sweep: of `{}` nothing would be seen, since {what}", axis.name));
        problems.push(problem.at(axis.written.clone()).hint("leave one of them out"));
    }
    match sweeps.sample {
        Some(_) if axes.is_empty() => {
            let problem = Problem::error("there is nothing to sample: no key is swept");
            problems.push(problem.hint("add --vary cluster.nodes=4..20"));
            Vec::new()
        }
        Some(points) => sample(&axes, points as usize),
        None => multiply(&axes, problems),
    }
}

/// Whether a patch says anything of this key, of what holds it, or of what it holds.
fn says(set: &Table, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match set.get(first.as_str()).map(toml::Spanned::get_ref) {
        Some(DeValue::Table(table)) => says(table, rest),
        Some(_) => true,
        None => false,
    }
}

/// The axes of `[sweep]`.
fn written(base: &mut Table, problems: &mut Problems) -> Vec<Axis> {
    let Some(node) = base.remove("sweep") else { return Vec::new() };
    let span = node.span();
    let DeValue::Table(axes) = node.into_inner() else {
        problems.push(Problem::error("`sweep` must be a table of lists").at(span));
        return Vec::new();
    };
    let mut axes: Vec<_> = axes.into_iter().collect();
    axes.sort_by_key(|(key, _)| key.span().start);
    let mut sound = Vec::new();
    for (key, node) in axes {
        let (name, written, place) = (key.get_ref().to_string(), key.span(), node.span());
        let (Ok(path), DeValue::Array(values)) = (parse_path(&name), node.into_inner()) else {
            let problem = Problem::error(format!("sweep: `{name}` does not say which values to try")).at(place);
            problems
                .push(problem.hint("write \"cluster.nodes\" = [3, 4, 6], the path in quotes, the values in brackets"));
            continue;
        };
        sound.push(Axis { name, path, written, values: values.into_iter().collect(), is_flag: false });
    }
    sound
}

/// The axis of one `--vary`: a range with or without a step, or a list.
fn vary(sources: &mut Sources, text: &str, problems: &mut Problems) -> Option<Axis> {
    let layer = sources.add(format!("--vary {text}"), text);
    let (text, offset) = sources.text(layer);
    let place = offset..offset + text.len();
    let Some(split) = equals_sign(text) else {
        let problem = Problem::error("this `--vary` has no `=`").at(place);
        problems.push(problem.hint("write key=values, such as `--vary cluster.nodes=4..12` or `cluster.nodes=4,6,9`"));
        return None;
    };
    let segments = match path::segments(&text[..split]) {
        Ok(segments) => segments,
        Err(problem) => {
            let place = problem.place.clone().map(|place| super::shifted(place, offset));
            problems.push(problem.at(place));
            return None;
        }
    };
    let (name, values) = (text[..split].trim().to_owned(), text[split + 1..].trim());
    let path = segments.into_iter().map(|(segment, _)| segment).collect();
    let quoted = values.starts_with(['[', '"', '\'', '{']);
    let texts: Vec<String> = if values.starts_with('[') {
        let node = parse_value(sources, &name, values, problems)?;
        let DeValue::Array(values) = node.into_inner() else { return None };
        return Some(Axis { name, path, written: place, values: values.into_iter().collect(), is_flag: true });
    } else if !quoted && values.contains("..") {
        let (range, step) = values.rsplit_once(':').map_or((values, None), |(range, step)| (range, Some(step)));
        let found = Find::parse(sources, "--vary", &format!("{name}={range}"), step, problems)?;
        if found.count() > POINTS_MAX {
            problems.push(too_many(place));
            return None;
        }
        (0..found.count()).map(|n| found.value(n)).collect()
    } else {
        items(values)
    };
    let shown = format!("--vary {name}=…");
    let values = texts.iter().map(|text| parse_value(sources, &shown, text, problems)).collect::<Option<_>>()?;
    Some(Axis { name, path, written: place, values, is_flag: true })
}

/// The items of a list: commas within quotes or brackets part nothing.
fn items(text: &str) -> Vec<String> {
    let (mut depth, mut quote, mut found) = (0, None, vec![String::new()]);
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().expect("there is one from the start").push(letter);
    }
    found.iter().map(|item| item.trim().to_owned()).collect()
}

fn is_sound(axis: &Axis, problems: &mut Problems) -> bool {
    let Axis { name, path, written, values, .. } = axis;
    if path.first().is_some_and(|first| WHOLE.contains(&first.as_str())) {
        problems.push(varies(&path[0], written.clone()));
        return false;
    }
    let labels: Vec<String> = values.iter().map(whole_value).collect();
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = labels.iter().enumerate().find(|(_, label)| !seen.insert(label.as_str())) {
        let place = values[twice.0].span();
        let problem = Problem::error(format!("sweep: `{name}` has the value {} twice", twice.1)).at(place);
        problems.push(problem.hint("list each value once: points are told apart by their values"));
        return false;
    }
    if values.is_empty() {
        let problem = Problem::error(format!("sweep: `{name}` has no values")).at(written.clone());
        problems.push(problem.hint("list at least one"));
        return false;
    }
    true
}

fn too_many(place: Span) -> Problem {
    Problem::error("the sweep has too many points").at(place).hint("list fewer values, or take a --sample")
}

/// All combinations.
fn multiply(axes: &[Axis], problems: &mut Problems) -> Vec<Point> {
    let mut points = vec![Point::default()];
    for axis in axes {
        if points.len().saturating_mul(axis.values.len()) > POINTS_MAX {
            problems.push(too_many(axis.written.clone()));
            return points;
        }
        let longer = |point: &Point, value: &Node| point.clone().with(axis, value);
        points = points.iter().flat_map(|point| axis.values.iter().map(move |value| longer(point, value))).collect();
    }
    points
}

/// So many points, of which each axis has one in each of so many equal parts of its values (McKay, Beckman, Conover,
/// *Technometrics* 21, 1979). The same for the same keys, whatever else the scenario says. Where an axis has few values,
/// points may coincide; each is there once.
fn sample(axes: &[Axis], wanted: usize) -> Vec<Point> {
    let column = |axis: &Axis| {
        let mut draw = Stream::new(0, "latin hypercube", &axis.name).at(0, 0);
        let mut parts: Vec<usize> = (0..wanted).collect();
        parts.shuffle(&mut draw);
        let place = |part: usize, draw: &mut _| {
            let at = (part as f64 + RngExt::random::<f64>(draw)) / wanted as f64;
            ((at * axis.values.len() as f64) as usize).min(axis.values.len() - 1)
        };
        parts.into_iter().map(|part| place(part, &mut draw)).collect::<Vec<usize>>()
    };
    let columns: Vec<Vec<usize>> = axes.iter().map(column).collect();
    let mut points: Vec<Point> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for row in 0..wanted {
        let set = |point: Point, (axis, column): (&Axis, &Vec<usize>)| point.with(axis, &axis.values[column[row]]);
        let point = axes.iter().zip(&columns).fold(Point::default(), set);
        if seen.insert(point.label.clone()) {
            points.push(point);
        }
    }
    points
}

impl Point {
    /// The point where this axis has that value besides.
    fn with(mut self, axis: &Axis, value: &Node) -> Point {
        let shown = whole_value(value);
        if !self.label.is_empty() {
            self.label.push(' ');
        }
        self.label += &format!("{}={shown}", axis.name);
        self.settings.push((axis.name.clone(), shown));
        self.values.push((axis.path.clone(), axis.written.clone(), value.clone()));
        self
    }
}

/// A value in full, as points are named by it.
fn whole_value(node: &Node) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match node.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Array(items) => format!("[{}]", list(items.iter().map(whole_value).collect())),
        DeValue::Table(table) => {
            let entry = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &Node)| {
                format!("{} = {}", key.get_ref(), whole_value(value))
            };
            format!("{{ {} }}", list(table.iter().map(entry).collect()))
        }
        _ => super::layers::show(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(vary: &[&str], sample: Option<u32>) -> Result<Vec<String>, String> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let sweeps = Sweeps { vary: vary.iter().map(|&text| text.into()).collect(), sample };
        let points = take_points(&mut Table::new(), &sweeps, &[], &mut sources, &mut problems);
        match problems.has_errors() {
            true => Err(problems.render(&sources, false)),
            false => Ok(points.into_iter().map(|point| point.label).collect()),
        }
    }

    #[test]
    fn ranges_and_lists_are_multiplied_out_the_last_fastest() {
        let found = labels(&["a.b=1..2", "c=x,{ y = [1, 2] }"], None).unwrap();
        assert_eq!(found, ["a.b=1 c=x", "a.b=1 c={ y = [1, 2] }", "a.b=2 c=x", "a.b=2 c={ y = [1, 2] }"]);
        assert_eq!(labels(&["a=10s..20s:5s"], None).unwrap(), ["a=10s", "a=15s", "a=20s"]);
        assert_eq!(labels(&["a=[3, 5]", "a=7"], None).unwrap(), ["a=7"], "the later one holds");
        assert_eq!(labels(&[], None).unwrap(), [""]);
    }

    #[test]
    fn a_sample_has_each_key_in_all_parts_of_its_range() {
        let points = labels(&["a=1..50", "b=1..50"], Some(50)).unwrap();
        for key in ["a", "b"] {
            let mut values: Vec<u32> = points
                .iter()
                .map(|point| {
                    let own = point.split(' ').find_map(|pair| pair.strip_prefix(&format!("{key}=")));
                    own.unwrap().parse().unwrap()
                })
                .collect();
            values.sort_unstable();
            assert_eq!(values, (1..=50).collect::<Vec<u32>>());
        }
        assert_ne!(points, labels(&["a=1..50", "c=1..50"], Some(50)).unwrap());
        assert_eq!(points, labels(&["a=1..50", "b=1..50"], Some(50)).unwrap());
        assert_eq!(labels(&["a=1..2"], Some(100)).unwrap().len(), 2, "each point is there once");
    }

    #[test]
    fn mistakes_say_how_to_mend_them() {
        for (text, words) in [
            ("a", "has no `=`"),
            ("a=", "nothing stands behind"),
            ("a=3,3", "has the value 3 twice"),
            ("a=5..2", "write the smaller end first"),
            ("a=10s..5m", "write a=10s..5m:5s"),
            ("a=1..5:3", "another step"),
            ("seeds=1..9", "is the same for all"),
            ("a=0..999999", "too many points"),
        ] {
            let message = labels(&[text], None).unwrap_err();
            assert!(message.contains(words) && message.contains("hint"), "{text}: {message}");
        }
        assert!(labels(&[], Some(5)).unwrap_err().contains("nothing to sample"));
    }
}
