//! Reads `src/` as text and holds it to the rules of the house: imports point down, what would make
//! results differ between machines stays out, functions and files stay short.
//!
//! Comments and literals are blanked first, so that prose may name what code must not. This is no
//! parser: `super::` out of a module written inline, and paths made by macros, go unseen.

mod scan;

use scan::{code_of, is_word, item_end, line_of, positions, test_lines};
use std::fmt;
use std::fs;
use std::path::Path;

/// The rooms and their floors; imports point down only (docs: architecture).
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("engine", 1),
    ("observe", 1),
    ("cluster", 2),
    ("scenario", 3),
    ("statistics", 3),
    ("experiment", 4),
    ("answer", 5),
    ("output", 5),
    ("cli", 6),
    ("lib", 7),
    ("main", 7),
];

/// A word that code must not hold.
struct Ban {
    word: &'static str,
    /// The rooms it is banned in; all when empty.
    only: &'static [&'static str],
    /// The rooms that may use it.
    except: &'static [&'static str],
    /// Whether unit tests may use it.
    tests_may: bool,
    mend: &'static str,
}

/// A word banned everywhere, in unit tests too.
const fn never(word: &'static str, mend: &'static str) -> Ban {
    Ban { word, only: &[], except: &[], tests_may: false, mend }
}

/// A printing macro: for the command line alone.
const fn print(word: &'static str) -> Ban {
    let mend = "take a writer and `writeln!` to it: only cli prints, and a closed pipe must not panic";
    Ban { word, only: &[], except: &["cli", "main"], tests_may: true, mend }
}

const CLOCK: &str = "use base::time: results never depend on the wall clock";
const ORDERED: &str = "use BTreeMap, BTreeSet, or a Vec by id: hash order differs in every process";
const FINISH: &str = "finish it, or leave the variant out until it is written";

const BANNED: &[Ban] = &[
    never("Instant::now", CLOCK),
    never("SystemTime", CLOCK),
    never("thread_rng", "draw from a base::draw::Stream: nothing else can be repeated"),
    never("HashMap", ORDERED),
    never("HashSet", ORDERED),
    never("Rc<RefCell", "give the data one owner and pass ids"),
    never("todo!(", FINISH),
    never("unimplemented!(", FINISH),
    print("println!"),
    print("eprintln!"),
    print("print!"),
    print("eprint!"),
    Ban {
        word: ".unwrap()",
        only: &["scenario", "output", "cli"],
        except: &[],
        tests_may: true,
        mend: "return a Problem, or the I/O error with its path: what people write and type cannot panic",
    },
    Ban {
        word: "unsafe",
        only: &[],
        except: &[],
        tests_may: false,
        mend: "write it safely; what tells the machine of memory is an exception, beside the benchmark that pays for it",
    },
];

/// Exceptions to `BANNED`: file, word, and the reason. One that is no longer needed is an error.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("base/huge.rs", "unsafe", "an advice on pages: benches/scenarios.rs at 10⁶ sessions"),
    ("base/prefetch.rs", "unsafe", "a hint to caches: benches/scenarios.rs at 10⁵ and 10⁶ sessions"),
    ("cli/dry_run.rs", "Instant::now", "an estimate of wall time needs a wall clock; no result depends on it"),
];

/// What the engine must not know by name, so that it stays separable.
const MODEL_WORDS: &[&str] = &["cluster", "session", "request", "attempt", "balancer", "client"];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &["/home/", "/root/", "/work/", "/tmp/", "/mnt/", "/Users/", "C:\\"];

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.iter().any(|(path, _)| path == "lib.rs"), "src/ was not read: {files:?}");
    let mut findings: Vec<Finding> = files.iter().flat_map(|(path, text)| check(path, text)).collect();
    for &(path, word, reason) in EXCEPTIONS {
        let before = findings.len();
        findings.retain(|f| !(f.path == path && f.what == format!("`{word}` is banned here")));
        assert!(findings.len() < before, "the exception for `{word}` in {path} ({reason}) is needless: remove it");
    }
    let list: String = findings.iter().map(|f| format!("\n{f}")).collect();
    assert!(findings.is_empty(), "{} findings in src/:{list}", findings.len());
}

/// Reads every Rust file below `folder`, sorted, as (path from src/, text).
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("src/ is readable").map(|e| e.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy();
        if entry.is_dir() {
            collect(&entry, &format!("{prefix}{name}/"), files);
        } else if name.ends_with(".rs") {
            files.push((format!("{prefix}{name}"), fs::read_to_string(&entry).unwrap()));
        }
    }
}

struct Finding {
    path: String,
    line: usize,
    what: String,
    mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}\n    mend: {}", self.path, self.line, self.what, self.mend)
    }
}

/// Everything wrong with one file.
fn check(path: &str, text: &str) -> Vec<Finding> {
    let code = code_of(text);
    let tests = test_lines(&code);
    let mut findings = Vec::new();
    let mut find = |line: usize, what: String, mend: &str| {
        findings.push(Finding { path: path.into(), line, what, mend: mend.into() });
    };
    check_text(text, &mut find);
    check_words(room_of(path), &code, &tests, &mut find);
    check_imports(path, &code, &tests, &mut find);
    for at in positions(&code, "fn").filter(|at| code[at + 2..].trim_start().starts_with(is_word)) {
        let lines = code[at..item_end(&code, at)].lines().count();
        if lines > FUNCTION_LINES_MAX {
            let name: String = code[at + 2..].trim_start().chars().take_while(|&c| is_word(c)).collect();
            let what = format!("`{name}` has {lines} lines; {FUNCTION_LINES_MAX} are allowed");
            find(line_of(&code, at), what, "keep the branches, move the arithmetic into helpers");
        }
    }
    findings.sort_by_key(|f| f.line);
    findings
}

/// Rules for the text as it is typed, comments and all.
fn check_text(text: &str, find: &mut impl FnMut(usize, String, &str)) {
    if !text.starts_with("//! ") {
        find(1, "no `//!` header".into(), "open with the question that the module answers, and its contract");
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        find(lines, format!("{lines} lines; {FILE_LINES_MAX} are allowed"), "split the file by question");
    }
    for (i, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\r']) {
            find(i + 1, "space at the end of the line".into(), "remove it");
        }
        if line.contains('\t') {
            find(i + 1, "tab".into(), "indent with spaces; write \\t inside a string");
        }
        for path in MACHINE_PATHS {
            // Part of a longer path or address, as in `https://a.example/home/`, is fine.
            let starts = |at: usize| !line[..at].ends_with(|c: char| is_word(c) || "./~-".contains(c));
            if line.match_indices(path).any(|(at, _)| starts(at)) {
                find(i + 1, format!("`{path}…` is a path of one machine"), "make it relative, or an argument");
            }
        }
    }
}

/// Banned words, and the model's words inside the engine.
fn check_words(room: &str, code: &str, tests: &[bool], find: &mut impl FnMut(usize, String, &str)) {
    for ban in BANNED.iter().filter(|b| (b.only.is_empty() || b.only.contains(&room)) && !b.except.contains(&room)) {
        for line in positions(code, ban.word).map(|at| line_of(code, at)) {
            if !(ban.tests_may && tests[line - 1]) {
                find(line, format!("`{}` is banned here", ban.word), ban.mend);
            }
        }
    }
    for (i, line) in code.lines().enumerate().filter(|_| room == "engine") {
        let line = line.to_lowercase();
        if let Some(word) = MODEL_WORDS.iter().find(|&&word| line.contains(word)) {
            find(i + 1, format!("the engine names the model: `{word}`"), "speak of events, sources and times only");
        }
    }
}

/// Every path that starts at the crate's root must lead to a lower floor, or stay in its room.
fn check_imports(path: &str, code: &str, tests: &[bool], find: &mut impl FnMut(usize, String, &str)) {
    let room = room_of(path);
    let Some(from) = floor(room) else {
        return find(1, format!("`{room}` is no room"), "move the file, or give the room a floor in tests/it/tidy.rs");
    };
    let depth = path.trim_end_matches("/mod.rs").matches('/').count() + 1;
    let roots = positions(code, "crate::").map(|at| (at, at + "crate::".len()));
    // `super::` repeated as often as the module is deep is `crate::` in disguise.
    let supers = positions(code, "super::").filter(|&at| !code[..at].ends_with("super::")).filter_map(|at| {
        let hops = code[at..].split("super::").take_while(|s| s.is_empty()).count();
        let deep = depth + usize::from(tests[line_of(code, at) - 1]);
        (hops == deep).then_some((at, at + hops * "super::".len()))
    });
    for (at, end) in roots.chain(supers).filter(|_| from < 7) {
        for to in heads(&code[end..]) {
            let what = match floor(&to) {
                _ if to == room => continue,
                Some(floor) if floor < from => continue,
                Some(floor) => format!("{room} (floor {from}) names {to} (floor {floor})"),
                None => format!("{room} names `crate::{to}`, which is in no room"),
            };
            let mend = "imports point down: move what is shared to a lower room, or pass it in as an argument";
            find(line_of(code, at), what, mend);
        }
    }
}

/// The first names after a root: `{a::b, c}` has two, `a::b` one.
fn heads(path: &str) -> Vec<String> {
    let name = |s: &str| s.trim().chars().take_while(|&c| is_word(c) || c == '*').collect::<String>();
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut start, mut heads) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                heads.push(name(&group[start..i]));
                start = i + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if c == '}' && start == i + 1 {
            break;
        }
    }
    heads.retain(|head| !head.is_empty() && head != "self");
    heads
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|&(_, floor)| floor)
}

/// The checker itself: a check that cannot fail is worth nothing.
mod checker {
    use super::*;

    /// Line and finding of each rule that `body`, below a header, breaks.
    #[track_caller]
    fn expect(path: &str, body: &str, expected: &[&str]) {
        let found: Vec<String> =
            check(path, &format!("//! H.\n{body}")).iter().map(|f| format!("{}: {}", f.line, f.what)).collect();
        assert_eq!(found, expected, "in {path}:\n{body}");
    }

    #[test]
    fn imports_point_down_only() {
        expect("cluster/x.rs", "use crate::base::time;\nfn f(e: crate::engine::E) {}\nuse crate::cluster::y;", &[]);
        expect("engine/x.rs", "use crate::scenario::A;", &["2: engine (floor 1) names scenario (floor 3)"]);
        expect("observe/x.rs", "\nfn f(q: crate::engine::Q) {}", &["3: observe (floor 1) names engine (floor 1)"]);
        let group = "use crate::{base::{time, draw}, cli::X, output};";
        expect("output/mod.rs", group, &["2: output (floor 5) names cli (floor 6)"]);
        expect("base/mod.rs", "use super::cli::X;", &["2: base (floor 0) names cli (floor 6)"]);
        expect("base/x.rs", "use super::super::cli::X;\nuse super::cli;", &["2: base (floor 0) names cli (floor 6)"]);
        expect("base/x.rs", "use crate::Thing;", &["2: base names `crate::Thing`, which is in no room"]);
        expect("attic/x.rs", "", &["1: `attic` is no room"]);
        expect("main.rs", "use crate::cli::main;", &[]);
        expect("engine/x.rs", "struct SessionId;", &["2: the engine names the model: `session`"]);
    }

    #[test]
    fn banned_words_are_found_in_code_alone() {
        expect("base/x.rs", "type M = HashMap<u8, u8>;", &["2: `HashMap` is banned here"]);
        expect("base/x.rs", "// HashMap\n/* /* a */ todo!() */ const S: &str = \"\\\"HashMap\";\nMyHashMapper", &[]);
        let raw = "const R: &str = r#\"\"HashMap\"#; const C: char = '\"'; fn f<'a>(x: &'a u8) { todo!() }";
        expect("base/x.rs", raw, &["2: `todo!(` is banned here"]);
        expect("output/x.rs", "fn f() { println!() }", &["2: `println!` is banned here"]);
        expect("cli/x.rs", "fn f() { println!() }", &[]);
        expect("cluster/x.rs", "fn f() { a.unwrap() }", &[]);
        let unit = "#[cfg(test)]\nmod tests {\n    fn t() { a.unwrap(); println!(); }\n}\nfn f() { a.unwrap() }";
        expect("scenario/x.rs", unit, &["6: `.unwrap()` is banned here"]);
        expect("cluster/x.rs", "unsafe fn f() {}\n#![forbid(unsafe_code)]", &["2: `unsafe` is banned here"]);
    }

    #[test]
    fn functions_and_files_stay_short() {
        let function = |lines: usize| format!("fn long(a: [u8; 2]) {{{}}}", "\n".repeat(lines - 1));
        expect("base/x.rs", &function(70), &[]);
        expect("base/x.rs", &function(71), &["2: `long` has 71 lines; 70 are allowed"]);
        expect("base/x.rs", &format!("trait T {{ fn short(); }}\nconst F: fn() = g;{}", "\n".repeat(90)), &[]);
        expect("base/x.rs", &"\n".repeat(500), &["501: 501 lines; 500 are allowed"]);
    }

    #[test]
    fn text_is_clean() {
        expect("base/x.rs", "a \n\tb", &["2: space at the end of the line", "3: tab"]);
        expect("base/x.rs", "// in /home/me", &["2: `/home/…` is a path of one machine"]);
        expect("base/x.rs", "// https://a.example/home/me", &[]);
        assert_eq!(check("base/x.rs", "fn f() {}")[0].what, "no `//!` header");
    }
}
