//! What does a person read who has made a mistake? Every file in `bad/` is broken in its own way, and the
//! message beside it is exactly what is printed: where, what, why, how to mend it.
//!
//! STICKYSIM_BLESS=1 rewrites the messages; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use stickysim::scenario::{Overrides, Problems, Severity, Sources, load, load_layer};

/// Loads a file that must not be sound; what is printed, and the problems. A machine that is busy with something else
/// gets three tries to say it in a second.
fn problems_of(path: &Path, name: &str, text: Option<&[u8]>) -> (String, Problems) {
    let mut told = (0..3).map(|_| tell(path, name, text));
    let quick = told.find(|(_, _, seconds)| *seconds < 1.0);
    let (message, problems, _) = quick.unwrap_or_else(|| panic!("{name} takes more than a second, three times"));
    (message, problems)
}

/// The same, and how long it takes (s).
fn tell(path: &Path, name: &str, text: Option<&[u8]>) -> (String, Problems, f64) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    #[expect(clippy::disallowed_methods, reason = "how long a person waits for a message is the wall clock's")]
    let began = Instant::now();
    let loaded = match text {
        None => load(path, &Overrides::default(), &mut sources, &mut problems),
        Some(text) => sources
            .read_from(name, text, &mut problems)
            .and_then(|layer| load_layer(layer, Path::new(name), &Overrides::default(), &mut sources, &mut problems)),
    };
    let message = problems.render(&sources, false);
    let seconds = began.elapsed().as_secs_f64();
    assert!(loaded.is_none() && problems.has_errors(), "{name} passes:\n{message}");
    (message, problems, seconds)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/bad")
}

#[test]
fn every_broken_scenario_says_where_what_and_how_to_mend_it() {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind != "txt"));
    paths.sort();
    assert!(paths.len() >= 30, "only {} broken files", paths.len());
    let mut wrong = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy();
        let (message, problems) = problems_of(path, &name, Some(&fs::read(path).unwrap()));
        let beside = path.with_extension("txt");
        if std::env::var_os("STICKYSIM_BLESS").is_some() {
            fs::write(&beside, &message).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if message != expected {
            wrong.push(format!("{name} says\n{message}\nbut should say\n{expected}"));
        }
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        for problem in errors.filter(|problem| problem.hint.is_none() && problem.detail.is_none()) {
            wrong.push(format!("{name}: `{}` does not say how to mend it", problem.message));
        }
        let is_about_the_file = ["empty", "comments-only"].iter().any(|whole| name.starts_with(whole));
        for problem in problems.iter().filter(|problem| problem.place.is_none() && !is_about_the_file) {
            wrong.push(format!("{name}: `{}` does not say where", problem.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let path = folder().join("many-at-once.toml");
    let (message, problems) = problems_of(&path, "many-at-once.toml", Some(&fs::read(&path).unwrap()));
    assert!(problems.len() >= 8, "only {}:\n{message}", problems.len());
}

/// What is printed of a text that is made here.
fn message_of(name: &str, text: impl AsRef<[u8]>) -> String {
    problems_of(Path::new(name), name, Some(text.as_ref())).0
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.as_file().set_len(100 << 20).unwrap();
    let (message, _) = problems_of(file.path(), "huge", None);
    assert!(message.contains("is too big for a scenario: 100.0 MiB, the limit is 4 MiB"), "{message}");
    assert!(message.contains("hint: a scenario has a few KiB"), "{message}");
    let piped = message_of("pipe", vec![b'#'; 5 << 20]);
    assert!(piped.contains("`pipe` is too big for a scenario: more than 4 MiB"), "{piped}");
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for text in [format!("a = {}", "[".repeat(100_000)), format!("a = {}", "{ a = ".repeat(100_000))] {
        let message = message_of("deep.toml", text);
        assert!(message.starts_with("error: the nesting is deeper than 64 levels\n"), "{message}");
        assert!(message.contains("deep.toml:1:"), "{message}");
    }
    let json = message_of("deep.json", format!("{{\"a\": {}", "[".repeat(100_000)));
    assert!(json.contains("deep.json:1:"), "{json}");
}

#[test]
fn a_mistake_repeated_thousands_of_times_is_told_in_a_second() {
    let text: String = (0..50_000).map(|n| format!("wrong{n} = 1\n")).collect();
    let message = message_of("long.toml", text);
    assert!(message.contains("more\n") && message.lines().count() < 500, "{message}");
}

#[test]
fn what_cannot_be_read_says_so() {
    let (directory, _) = problems_of(&folder(), "directory", None);
    assert!(
        directory.contains("is a directory\n") && directory.contains("hint: name the scenario file"),
        "{directory}"
    );
    let (missing, _) = problems_of(Path::new("no-such-file.toml"), "missing", None);
    assert!(missing.starts_with("error: there is no file `no-such-file.toml`\n"), "{missing}");
    assert!(missing.contains("hint: check the path"), "{missing}");
}
