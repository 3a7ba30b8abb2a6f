//! What does `--without fault.crash` leave out? A key of the file, wherever it stands: in the base, in a variant, in an
//! axis of the sweep. What presets, defaults and `--set` say of it is left alone.

use super::{LayerId, Problem, Problems, Sources, Table, parse_path};
use toml::Spanned;
use toml::de::DeValue;

/// Takes these keys out of a scenario that has not been merged; a key that is nowhere is told.
pub(super) fn leave_out(base: &mut Table, keys: &[String], sources: &mut Sources, problems: &mut Problems) {
    for key in keys {
        let Some(path) = path_of(key, sources, problems) else { continue };
        if !remove_everywhere(base, &path) {
            let problem = Problem::error(format!("--without {key}: the scenario says nothing of it"));
            problems.push(problem.hint("write a key of the file, such as fault.crash, or leave the flag out"));
        }
    }
}

/// Whether a file says anything of this key, in its base, a variant or its sweep; `false` where it cannot be read.
pub fn is_written(layer: LayerId, key: &str, sources: &Sources) -> bool {
    let Some(mut table) = sources.parse(layer, &mut Problems::new()) else { return false };
    parse_path(key).is_ok_and(|path| remove_everywhere(&mut table, &path))
}

fn path_of(key: &str, sources: &mut Sources, problems: &mut Problems) -> Option<Vec<String>> {
    let layer = sources.add(format!("--without {key}"), key);
    let (_, offset) = sources.text(layer);
    match parse_path(key) {
        Ok(path) => Some(path),
        Err(problem) => {
            let place = problem.place.clone().map(|place| super::shifted(place, offset));
            problems.push(problem.at(place));
            None
        }
    }
}

fn remove_everywhere(base: &mut Table, path: &[String]) -> bool {
    let mut was_there = remove(base, path);
    if let Some(DeValue::Table(variants)) = base.get_mut("variant").map(Spanned::get_mut) {
        let names: Vec<String> = variants.keys().map(|name| name.get_ref().to_string()).collect();
        for name in names {
            if let Some(DeValue::Table(patch)) = variants.get_mut(name.as_str()).map(Spanned::get_mut) {
                was_there |= remove(patch, path);
            }
        }
    }
    if let Some(DeValue::Table(axes)) = base.get_mut("sweep").map(Spanned::get_mut) {
        let is_below = |axis: &str| parse_path(axis).is_ok_and(|axis| axis.starts_with(path));
        let below: Vec<String> =
            axes.keys().map(|axis| axis.get_ref().to_string()).filter(|axis| is_below(axis)).collect();
        was_there |= !below.is_empty();
        below.iter().for_each(|axis| drop(axes.remove(axis.as_str())));
    }
    was_there
}

fn remove(table: &mut Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [last] => table.remove(last.as_str()).is_some(),
        [first, rest @ ..] => match table.get_mut(first.as_str()).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => remove(inner, rest),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
duration = "1m"
[fault.crash]
at = "10s"
[change.roll]
at = "20s"
[variant.a]
fault.crash.at = "15s"
[sweep]
"fault.crash.at" = ["1s", "2s"]
duration = ["1m", "2m"]
"#;

    fn without(keys: &[&str]) -> (Table, Problems) {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.add("x.toml", TEXT);
        let mut table = sources.parse(layer, &mut problems).unwrap();
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        leave_out(&mut table, &keys, &mut sources, &mut problems);
        (table, problems)
    }

    #[test]
    fn a_key_goes_from_base_variants_and_sweep_and_nothing_else_does() {
        let (table, problems) = without(&["fault"]);
        let inner = |name: &str| table[name].get_ref().as_table().unwrap();
        assert!(problems.is_empty());
        assert!(!table.contains_key("fault") && table.contains_key("change"));
        assert!(inner("variant")["a"].get_ref().as_table().unwrap().is_empty());
        assert_eq!(inner("sweep").len(), 1);
    }

    #[test]
    fn what_is_nowhere_is_told() {
        let (table, problems) = without(&["fault.crush", "change.roll.at"]);
        assert!(problems.has_errors() && problems.iter().count() == 1);
        assert!(table.contains_key("fault") && table["change"].get_ref().as_table().unwrap().len() == 1);
    }

    #[test]
    fn whether_a_file_says_anything_of_a_key_is_asked_without_changing_it() {
        let mut sources = Sources::new();
        let layer = sources.add("x.toml", TEXT);
        let asked = ["fault.crash", "change.roll.rolling", "sweep", "duration"];
        assert_eq!(asked.map(|key| is_written(layer, key, &sources)), [true, false, true, true]);
    }
}
