//! Are the documents true? Every example is run, every table is the code's own, every link leads somewhere.
//!
//! A ```toml block is a whole scenario; ```toml,fragment is laid over a small one. In a ```console block each
//! `$` line is run in an empty folder with a copy of scenarios/ and examples/workloads/, and what follows is what it prints; a line
//! that is only `…` stands for any lines. `STICKYSIM_BLESS=1` rewrites the generated tables.

mod page;
mod tables;

use page::{Block, pages, root};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use stickysim::experiment::{Keeps, Study};
use stickysim::output::{Manifest, Results, figures, table, warnings};
use stickysim::scenario::compile::compile;
use stickysim::scenario::load::CHOICES;
use stickysim::scenario::{Choices, Overrides, Problems, Sources, load, load_layer, merge};

/// What a fragment is laid over.
const BASE: &str = r#"
duration = "10m"
warmup   = "1m"
[cluster]
nodes = 3
[clients.web]
arrivals = { open = { rate = "5/s" } }
length   = "5m"
think    = "10s"
service  = "20ms"
"#;

#[test]
fn generated_tables_are_those_of_the_code() {
    let mut pages = pages();
    let mut stale = Vec::new();
    for (name, text) in tables::all() {
        let found: Vec<usize> = (0..pages.len()).filter(|&i| pages[i].generated(name).is_some()).collect();
        let [i] = found[..] else { panic!("`<!-- {name} -->` … `<!-- /{name} -->` must stand on one page") };
        let range = pages[i].generated(name).expect("found above");
        if pages[i].text[range.clone()] != text {
            stale.push(format!("{name} in {}", pages[i].name));
            pages[i].text.replace_range(range, &text);
            if std::env::var_os("STICKYSIM_BLESS").is_some() {
                fs::write(root().join(&pages[i].name), &pages[i].text).expect("docs are writable");
            }
        }
    }
    let blessed = std::env::var_os("STICKYSIM_BLESS").is_some();
    assert!(stale.is_empty() || blessed, "stale: {stale:?}; mend: STICKYSIM_BLESS=1 cargo test --test it docs");
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        for (line, target) in page.links() {
            let dead = page.dead(&target);
            assert!(dead.is_none(), "{}:{line}: {target}: {}", page.name, dead.unwrap_or_default());
        }
    }
}

#[test]
fn every_scenario_in_the_documents_is_sound() {
    let mut whole = 0;
    for page in pages() {
        for block in page.blocks() {
            match block.info {
                "toml" => {
                    whole += 1;
                    load_text(&block);
                }
                "toml,fragment" => lay_over_base(&block),
                info => assert!(!info.starts_with("toml"), "{}: what is a block of `{info}`?", block.place),
            }
        }
    }
    assert!(whole > 0, "there is no whole scenario in the documents");
}

fn load_text(block: &Block) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let layer = sources.add(block.place.as_str(), block.body.as_str());
    let path = root().join("scenarios/example.toml");
    let loaded = load_layer(layer, &path, &Overrides::default(), &mut sources, &mut problems);
    assert!(loaded.is_some() && problems.is_empty(), "{}:\n{}", block.place, problems.render(&sources, false));
}

fn lay_over_base(block: &Block) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let (base, patch) = (sources.add("base", BASE), sources.add(block.place.as_str(), block.body.as_str()));
    let mut merged = sources.parse(base, &mut problems).expect("the base is sound");
    if let Some(patch) = sources.parse(patch, &mut problems) {
        merge(&mut merged, patch, &Choices::new(CHOICES));
        compile(&merged, &root().join("scenarios"), &mut problems);
    }
    assert!(problems.is_empty(), "{}:\n{}", block.place, problems.render(&sources, false));
}

#[test]
fn every_command_in_the_documents_prints_what_they_say() {
    let mut commands = 0;
    for page in pages() {
        for block in page.blocks().iter().filter(|block| block.info == "console") {
            commands += play(block);
        }
    }
    assert!(commands > 0, "there is no command in the documents");
}

/// Runs the commands of a block, one after the other, in one folder; returns how many.
fn play(block: &Block) -> usize {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    for shelf in ["scenarios", "examples/workloads"] {
        copy_scenarios(shelf, &folder.path().join(shelf));
    }
    let (mut commands, mut status) = (0, 0);
    for part in format!("\n{}", block.body).split("\n$ ").skip(1) {
        let (line, shown) = part.split_once('\n').unwrap_or((part, ""));
        let printed = match line {
            "echo $?" => format!("{status}\n"),
            line => {
                commands += 1;
                let words = words(line, &block.place);
                let (text, code) = from_results(&words).unwrap_or_else(|| run(&words, folder.path()));
                status = code;
                text
            }
        };
        let matches = fits(&lines(shown), &lines(&printed));
        assert!(matches, "{}: `{line}` prints\n{printed}\nbut the page shows\n{shown}", block.place);
    }
    commands
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

/// Whether `printed` is what is `shown`, where a line `…` stands for any lines.
fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..])),
        Some((first, rest)) => printed.first() == Some(first) && fits(rest, &printed[1..]),
    }
}

/// The arguments of a command line of ours; double quotes hold a word together.
fn words(line: &str, place: &str) -> Vec<String> {
    let ours = ["stickysim ", "cargo run --release --locked -- "];
    let Some(rest) = ours.iter().find_map(|program| line.strip_prefix(program)) else {
        panic!("{place}: `{line}` is no command of ours: put it into a ```sh block");
    };
    let mut words = vec![String::new()];
    for (i, part) in rest.split('"').enumerate() {
        if i % 2 == 1 {
            words.last_mut().expect("never empty").push_str(part);
            continue;
        }
        let mut pieces = part.split(' ');
        words.last_mut().expect("never empty").push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a person sees, without the lines that tell how a run gets on, and the exit code.
fn run(words: &[String], folder: &Path) -> (String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stickysim"));
    command.args(words).current_dir(folder).env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1");
    let Output { status, stdout, stderr } = command.output().expect("our program starts");
    let (mut text, talk) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr));
    let progress = |line: &&str| !(line.ends_with(" runs") && line.starts_with(|c: char| c.is_ascii_digit()));
    talk.lines().filter(progress).for_each(|line| text += &format!("{line}\n"));
    (text, status.code().unwrap_or(-1))
}

/// What a plain `run SCENARIO` prints, made from the committed results of that very scenario: quicker than
/// running it again. `None` when there are none, or they are not of this scenario as it is now.
fn from_results(words: &[String]) -> Option<(String, i32)> {
    let [verb, scenario] = words else { return None };
    let (path, stem) = (root().join(scenario), Path::new(scenario).file_stem()?.to_str()?);
    let folder = root().join("results").join(stem);
    let manifest = Manifest::read(&folder).ok().filter(|manifest| verb == "run" && manifest.overrides.is_empty())?;
    // Comments change no figure.
    let meant = |text: &str| text.lines().filter(|line| !line.starts_with('#')).collect::<String>();
    let is_same = meant(&fs::read_to_string(&path).ok()?) == meant(&manifest.scenario.text);
    if manifest.version != env!("CARGO_PKG_VERSION") || !is_same {
        return None;
    }
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let loaded = load(&path, &Overrides::default(), &mut sources, &mut problems)?;
    let study = Study {
        name: loaded.name,
        cells: loaded.cells,
        seeds: loaded.seeds,
        scenario_text: loaded.text,
        scenario_name: manifest.scenario.file.clone(),
        overrides: Vec::new(),
        keeps: Keeps { ticks: true, nodes: false },
        slo: loaded.slo,
        precision: Vec::new(),
        seeds_first: loaded.seeds,
    };
    let outline = study.outline();
    let mut results = Results::of(&figures::read(&folder, &manifest).ok()?, &manifest.baseline);
    results.warnings = warnings::read(&folder).ok()?;
    let judged = table::judge(&outline, &results);
    let text = table::comparison(&outline, &results, &judged, table::COLUMNS)
        + &format!("results are in results/{}\n", study.name);
    let is_violated = outline.variants().len() == 1 && judged.iter().any(table::Judged::is_violated);
    Some((text, if is_violated { 99 } else { 0 }))
}

fn copy_scenarios(shelf: &str, to: &Path) {
    fs::create_dir_all(to).expect("the folder is ours");
    for entry in fs::read_dir(root().join(shelf)).expect("scenarios are readable") {
        let from = entry.expect("scenarios are readable").path();
        if from.is_file() {
            fs::copy(&from, to.join(from.file_name().expect("a file has a name"))).expect("scenarios can be copied");
        }
    }
}

#[test]
fn the_readme_names_every_verb_and_flag() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md is readable");
    let help = |verb: &str| run(&[verb.to_owned(), "--help".to_owned()], root()).0;
    let (top, _) = run(&["--help".to_owned()], root());
    let listed = top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for verb in verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        assert!(readme.contains(&format!("| `{verb}")), "README.md has no row for `{verb}`");
        for flag in help(verb).split(|c: char| c.is_whitespace() || ",[]`".contains(c)) {
            let flag = flag.trim_end_matches(['.', ';']);
            let is_known = !flag.starts_with("--") || flag == "--help" || readme.contains(&format!("`{flag}"));
            assert!(is_known, "README.md does not name {flag} of `{verb}`");
        }
    }
}

#[test]
fn an_ellipsis_stands_for_any_lines() {
    assert!(fits(&["a", "…", "d"], &["a", "b", "c", "d"]) && fits(&["…"], &[]) && fits(&["a"], &["a"]));
    assert!(!fits(&["a", "…", "d"], &["a", "b"]) && !fits(&["a"], &["a", "b"]) && !fits(&[], &["a"]));
}
