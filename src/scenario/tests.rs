//! The read path from text to a typed stand-in scenario: exact messages, merge laws, no panic.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use toml::de::DeValue;

use super::source::BYTES_MAX;
use super::*;

/// A unit type as the project writes them: it parses itself and says how to mend.
#[derive(Debug, PartialEq)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Seconds, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Seconds;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration such as \"30s\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seconds, E> {
                let number = text.strip_suffix('s').and_then(|n| n.parse().ok());
                number.map(Seconds).ok_or_else(|| E::custom(format!("`{text}` is not a duration\nhint: write \"30s\"")))
            }
        }
        from.deserialize_str(Visitor)
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Cluster {
    nodes: u32,
    timeout: Option<Seconds>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Balancer {
    balance: Option<Balance>,
    affinity: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
enum Balance {
    Leastconn,
    Random { draws: u32 },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[allow(dead_code)]
enum Place {
    Memory { rebuild: Option<Seconds> },
    Store { read: Option<Seconds> },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Client {
    length: Seconds,
    service: Option<Seconds>,
}

fn choices() -> Choices {
    Choices::new(&[
        ("balancer.balance", &[]),
        ("clients.*.length", &[]),
        ("state", &[]),
        ("fault.*", &[&["at", "random"], &["note"]]),
    ])
}

/// Reads what the stand-in knows, section by section, as the real reader does.
fn read_sections(table: &Table, problems: &mut Problems) -> usize {
    let mut read = 0;
    for (key, node) in table {
        let path = key.get_ref().as_ref();
        read += match path {
            "cluster" => usize::from(read_node::<Cluster>(node, problems, path).is_some()),
            "balancer" => usize::from(read_node::<Balancer>(node, problems, path).is_some()),
            "state" => usize::from(read_node::<Place>(node, problems, path).is_some()),
            "clients" => read_each::<Client>(node, problems, path).len(),
            _ => 0,
        };
    }
    read
}

fn read_text(name: &str, text: &[u8], sets: &[&str]) -> String {
    let mut sources = Sources::new();
    let mut problems = Problems::new();
    if let Some(layer) = sources.read_from(name, text, &mut problems)
        && let Some(mut table) = sources.parse(layer, &mut problems)
    {
        for set in sets {
            if let Some(patch) = parse_set(&mut sources, set, &mut problems) {
                merge(&mut table, patch, &choices());
            }
        }
        read_sections(&table, &mut problems);
    }
    problems.render(&sources, false)
}

fn toml_table(text: &'static str) -> Table {
    let mut sources = Sources::new();
    let layer = sources.add("x.toml", text);
    let mut problems = Problems::new();
    let table = if text.is_empty() { Some(Table::new()) } else { sources.parse(layer, &mut problems) };
    table.unwrap_or_else(|| panic!("{}", problems.render(&sources, false)))
}

/// A table without its spans, for comparison.
fn plain(table: &Table) -> BTreeMap<String, String> {
    fn walk(node: &Node, path: &str, into: &mut BTreeMap<String, String>) {
        match node.get_ref() {
            DeValue::Table(table) => {
                into.insert(path.to_owned(), "{}".to_owned());
                for (key, inner) in table {
                    walk(inner, &path::join(path, key.get_ref()), into);
                }
            }
            DeValue::Array(items) => {
                items.iter().enumerate().for_each(|(n, item)| walk(item, &format!("{path}[{n}]"), into));
            }
            _ => {
                into.insert(path.to_owned(), layers::show(node));
            }
        }
    }
    let mut into = BTreeMap::new();
    table.iter().for_each(|(key, node)| walk(node, &path::join("", key.get_ref()), &mut into));
    into
}

#[test]
fn messages_say_where_what_and_how() {
    let deep = format!("x = {}", "[".repeat(5000));
    let cases: &[(&str, &str, &[u8], &[&str])] = &[
        ("typo in a key", "a.toml", b"[balancer]\nafinity = \"cookie\"\nblance = \"leastconn\"\n", &[]),
        ("typo in a nested key", "a.toml", b"balancer = { balance = { random = { drews = 2 } } }\n", &[]),
        ("unknown key, nothing near", "a.toml", b"[cluster]\nnodes = 1\ncolour = \"red\"\n", &[]),
        ("typo in a variant", "a.toml", b"[state.memroy]\nrebuild = \"3s\"\n", &[]),
        ("wrong type", "a.toml", b"[cluster]\nnodes = \"three\"\n", &[]),
        ("bare number", "a.toml", b"[cluster]\nnodes = 3\ntimeout = 30\n", &[]),
        ("wrong unit", "a.toml", b"[cluster]\nnodes = 3\ntimeout = \"30\"\n", &[]),
        ("missing key", "a.toml", b"[clients.web]\nservice = \"1s\"\n[clients.api]\n", &[]),
        ("not a table", "a.toml", b"clients = 3\ncluster = 4\n", &[]),
        ("two alternatives", "a.toml", b"[state]\nmemory = {}\nstore = {}\n", &[]),
        ("not TOML", "a.toml", b"[cluster]\nnodes = three\ntimeout = = 3\n", &[]),
        ("not UTF-8", "a.toml", b"[cluster]\nnodes = 3 # caf\xE9\n", &[]),
        ("empty", "a.toml", b"\n \n", &[]),
        ("deep", "a.toml", deep.as_bytes(), &[]),
        ("JSON null", "a.json", b"{\n  \"cluster\": {\"nodes\": null}\n}", &[]),
        ("JSON syntax", "a.json", b"{\n  \"cluster\": {\"nodes\": 3,}\n}", &[]),
        ("JSON typo", "a.json", b"{\n  \"cluster\": {\"nodes\": 3, \"timeuot\": \"3s\"}\n}", &[]),
        ("JSON twice", "a", b"{\"cluster\": {\"nodes\": 99999999999999999999, \"nodes\": 3}}", &[]),
        ("--set typo", "a.toml", b"[cluster]\nnodes = 3\n", &["cluster.nodez=4"]),
        ("--set type", "a.toml", b"[cluster]\nnodes = 3\n", &["cluster.nodes=many"]),
        ("--set form", "a.toml", b"[cluster]\nnodes = 3\n", &["cluster.nodes", "=4", "a b=1", "a=", "a=[1,"]),
    ];
    let mut text = String::new();
    for (title, name, bytes, sets) in cases {
        text.push_str(&format!("## {title}\n{}\n", read_text(name, bytes, sets)));
    }
    let expected = include_str!("tests/messages.txt");
    assert!(text == expected, "the messages are now:\n{text}");
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let big = dir.path().join("big.toml");
    std::fs::File::create(&big).and_then(|file| file.set_len(5 << 20)).expect("a sparse file");
    let say = |path: &Path| {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        assert!(sources.read_file(path, &mut problems).is_none());
        problems.render(&sources, false).replace(&dir.path().display().to_string(), "DIR")
    };
    assert_eq!(
        say(&dir.path().join("no.toml")),
        "error: there is no file `DIR/no.toml`\n |\n = hint: check the path; `stickysim new` writes a commented scenario\n"
    );
    assert!(say(dir.path()).starts_with("error: `DIR` is a directory\n"));
    assert!(say(&big).starts_with("error: `DIR/big.toml` is too big for a scenario: 5.0 MiB, the limit is 4 MiB\n"));
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    assert!(sources.read_from("pipe", std::io::repeat(b'#'), &mut problems).is_none());
    assert_eq!(problems.len(), 1);
}

#[test]
fn long_lines_and_long_lists_are_cut() {
    let line = format!("[cluster]\nnodes = [{}] # {}", "\"é\", ".repeat(9999), "x".repeat(99_999));
    let text = read_text("a.toml", line.as_bytes(), &[]);
    assert!(text.len() < 1000, "{text}");
    assert!(text.contains("a.toml:2:9"), "{text}");
    let line = format!("cluster = {{ nodes = 1, timeout = \"{}\", 'é' = 2 }}", "é".repeat(500));
    let text = read_text("a.toml", line.as_bytes(), &[]);
    assert!(text.contains("a.toml:1:538") && text.contains("1 | …é"), "{text}");
    let text = read_text("a.toml", "cluster = { nodes = 1, 'é' = 2, x = 3 }".as_bytes(), &[]);
    assert!(text.contains("a.toml:1:24") && text.contains("a.toml:1:33"), "{text}");
    let many: String = (0..99).map(|n| format!("colour{n} = 1\n")).collect();
    let text = read_text("a.toml", format!("[cluster]\nnodes = 1\n{many}").as_bytes(), &[]);
    assert!(text.ends_with("\nand 49 more\n"), "{text}");
}

#[test]
fn unknown_keys_do_not_stop_the_reading() {
    let table = toml_table("[cluster]\nnodse = 3\ncolour = 1");
    let mut problems = Problems::new();
    let cluster: Option<Cluster> = table.get("cluster").and_then(|node| read_node(node, &mut problems, "cluster"));
    assert_eq!(cluster, Some(Cluster { nodes: 3, timeout: None }));
    assert_eq!(problems.len(), 2);
}

#[test]
fn named_tables_come_in_the_order_of_the_text() {
    let table = toml_table("clients.web.length = \"1s\"\nclients.api.length = \"2s\"");
    let mut problems = Problems::new();
    let named = read_each::<Client>(table.get("clients").expect("clients"), &mut problems, "clients");
    assert_eq!(named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["web", "api"]);
}

#[test]
fn naming_another_alternative_replaces_the_choice_and_the_same_one_merges() {
    let cases = [
        ("state.memory.rebuild = 1", "state.store.read = 2", "state.store.read = 2"),
        ("state.store.read = 1", "state.store.write = 2", "state.store = { read = 1, write = 2 }"),
        ("balancer.balance.ring.points = 8", "balancer.balance = 'first'", "balancer.balance = 'first'"),
        ("balancer.balance = 'ring'", "balancer.balance.ring.points = 8", "balancer.balance.ring.points = 8"),
        ("clients.w.length.a.x = 1", "clients.w.length.b.y = 1", "clients.w.length.b.y = 1"),
        ("clients.w.other.a.x = 1", "clients.w.other.b.y = 1", "clients.w.other = { a.x = 1, b.y = 1 }"),
        ("fault.c = { at = 1, kill = 2 }", "fault.c.at = 3", "fault.c = { at = 3, kill = 2 }"),
        ("fault.c = { at = 1, kill = 2 }", "fault.c.slow = 3", "fault.c = { at = 1, slow = 3 }"),
        ("fault.c = { at = 1, kill = 2 }", "fault.c.random = 3", "fault.c = { random = 3, kill = 2 }"),
        ("fault.c = { at = 1, kill = 2 }", "fault.c.note = 3", "fault.c = { at = 1, kill = 2, note = 3 }"),
        ("fault.c = { at = 1, note = 3, kill = 2 }", "fault.c.slow = 4", "fault.c = { at = 1, note = 3, slow = 4 }"),
        ("cluster = 3", "cluster.nodes = 1", "cluster.nodes = 1"),
        ("x = [1, 2]", "x = [3]", "x = [3]"),
    ];
    for (base, patch, wanted) in cases {
        let mut table = toml_table(base);
        merge(&mut table, toml_table(patch), &choices());
        assert_eq!(plain(&table), plain(&toml_table(wanted)), "{base} + {patch}");
        merge(&mut table, toml_table(patch), &choices());
        assert_eq!(plain(&table), plain(&toml_table(wanted)), "{base} + 2 × {patch}");
        merge(&mut table, Table::new(), &choices());
        assert_eq!(plain(&table), plain(&toml_table(wanted)), "{base} + {patch} + nothing");
    }
}

#[test]
fn a_set_is_a_path_and_a_value() {
    let cases = [
        ("cluster.nodes=4", "cluster.nodes = 4"),
        ("balancer.balance=leastconn", "balancer.balance = 'leastconn'"),
        ("clients.web.request_timeout = 5s", "clients.web.request_timeout = '5s'"),
        ("variant.\"a=b, c\".x=true", "variant.'a=b, c'.x = true"),
        ("state={ store = { read = 1.5 } }", "state.store.read = 1.5"),
        ("slo.p99=< 250ms", "slo.p99 = '< 250ms'"),
        ("a=\"x = y\"", "a = 'x = y'"),
    ];
    for (text, wanted) in cases {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        sources.add("first", "some text before");
        let table = parse_set(&mut sources, text, &mut problems).expect(text);
        assert_eq!(plain(&table), plain(&toml_table(wanted)), "{text}");
    }
}

#[test]
fn a_path_finds_its_line_or_that_of_the_nearest_table_above() {
    let text = "[balancer]\naffinity = 'x'\nlist = [1, 22]\n";
    let mut table = toml_table("[balancer]\naffinity = 'x'\nlist = [1, 22]\n");
    let at = |path: &str| lookup_span(&table, path).map(|span| &text[span]);
    assert_eq!(at("balancer.affinity"), Some("'x'"));
    assert_eq!(at("balancer.affinity.deeper"), Some("'x'"));
    assert_eq!(at("balancer.missing"), Some("[balancer]"));
    assert_eq!(at("balancer.list.1"), Some("22"));
    assert_eq!(at("nothing"), None);
    let value = table.get("balancer").cloned().expect("balancer");
    set_path(&mut table, &["a".to_owned(), "b".to_owned()], &(0..0), value, &choices());
    assert_eq!(lookup_span(&table, "a.b.affinity").map(|span| &text[span]), Some("'x'"));
}

#[test]
fn a_file_of_the_largest_size_is_judged_in_bounded_time() {
    let fill = |unit: &str| unit.repeat((BYTES_MAX as usize - 100) / unit.len());
    let numbered: String = (0..250_000).map(|n| format!("k{n} = 1\n")).collect();
    let texts = [
        fill("a\n"),
        fill("a = "),
        fill("["),
        fill("{"),
        fill("a."),
        format!("[cluster]\nnodes = 1\n{numbered}"),
        format!("[clients]\n{numbered}"),
        format!("{{\"clients\": {{\"a\": [{}1]}}}}", fill("null,")),
        format!("cluster = [{}]", fill("{x=1},")),
        format!("a = \"{}", fill("\\u")),
    ];
    for text in texts {
        let rendered = read_text("a", text.as_bytes(), &[]);
        assert!(rendered.len() < 50_000, "{}", &text[..20]);
    }
}

const VALID: &str = "name = \"x\"\n[cluster]\nnodes = 3\ntimeout = \"30s\"\n[balancer]\n\
    balance = { random = { draws = 2 } }\n[clients.web]\nlength = \"3s\"\n[state.memory]\nrebuild = \"1s\"\n";
const VALID_JSON: &str = "{\"cluster\": {\"nodes\": 3, \"timeout\": \"3s\"},\n \"state\": {\"store\": {\"read\": \"1s\"}}, \"l\": [1, -2.5e3, true]}";

/// The signs that matter to a parser.
const SIGNS: &[char] =
    &['[', ']', '{', '}', '"', '\'', '=', '.', ',', '#', '\n', '\\', ':', 'a', '0', 'é', ' ', '-', 'u', 'x'];
/// Signs, or any character at all.
const ANY: &[char] = &[];

fn text_of(signs: &'static [char], length_max: usize) -> impl Strategy<Value = String> {
    let pick = (any::<char>(), any::<prop::sample::Index>())
        .prop_map(|(any, at)| if signs.is_empty() { any } else { signs[at.index(signs.len())] });
    proptest::collection::vec(pick, 0..=length_max).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_value_or_in_problems(bytes in proptest::collection::vec(any::<u8>(), 0..200), set in text_of(ANY, 30)) {
        read_text("a.toml", &bytes, &[&set]);
        read_text("a.json", &bytes, &[&set]);
    }

    #[test]
    fn a_damaged_file_ends_in_a_value_or_in_problems(
        is_json in any::<bool>(),
        cuts in proptest::collection::vec((0usize..300, 0usize..8, text_of(SIGNS, 6)), 1..6),
    ) {
        let mut text: Vec<char> = if is_json { VALID_JSON } else { VALID }.chars().collect();
        for (at, length, insert) in cuts {
            let at = at % (text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        read_text(if is_json { "a.json" } else { "a.toml" }, text.as_bytes(), &["cluster.nodes=1"]);
    }

    #[test]
    fn json_and_toml_of_the_same_tree_are_equal(n in any::<i64>(), x in -1e300f64..1e300, s in text_of(ANY, 12)) {
        let json = serde_json::json!({"a": {"n": n, "x": x, "s": s}, "l": [n, s]}).to_string();
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let layer = sources.add("a.json", json);
        let table = sources.parse(layer, &mut problems).expect("valid");
        let spans = lookup_span(&table, "a.n").expect("a.n");
        prop_assert_eq!(&sources.text(layer).0[spans], n.to_string());
        prop_assert_eq!(plain(&table).get("l[0]").cloned(), Some(n.to_string()));
    }
}
