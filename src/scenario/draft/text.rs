//! The text of a first scenario: every line says what it means.

use super::{Draft, Home, Talk};
use crate::base::time::Duration;
use std::fmt::Write;

/// Where comments begin, if the line leaves room.
const COLUMN: usize = 46;

/// Lines of TOML with comments behind them.
struct Page(String);

impl Page {
    fn note(&mut self, words: &str) {
        let _ = writeln!(self.0, "{}", format!("# {words}").trim_end());
    }

    fn head(&mut self, table: &str, means: &str) {
        self.0.push('\n');
        self.line(&format!("[{table}]"), means);
    }

    fn set(&mut self, key: &str, value: &str, means: &str) {
        self.line(&format!("{key:<15} = {value}"), means);
    }

    fn line(&mut self, code: &str, means: &str) {
        let _ = writeln!(self.0, "{code:<COLUMN$} # {means}");
    }
}

/// The scenario. The same answers give the same text.
pub fn text(draft: &Draft) -> String {
    let mut page = Page(String::new());
    opening(&mut page, draft);
    run(&mut page, draft);
    cluster(&mut page, draft);
    clients(&mut page, draft);
    balancer(&mut page, draft);
    happenings(&mut page, draft);
    limits(&mut page, draft);
    let [given, other] = designs(draft);
    page.0.push('\n');
    page.note("The designs to compare. What differs between them stands here, and only here.");
    design(&mut page, draft, given);
    design(&mut page, draft, other);
    page.0
}

fn opening(page: &mut Page, draft: &Draft) {
    let [given, other] = designs(draft);
    page.note("What do a crash and a rolling deploy cost these users, and would another place for state cost less?");
    page.note("");
    page.note(&format!(
        "{} users, {:.0} requests a second, {} nodes that are {:.0} % busy. Designs: \"{}\", as it is, and \"{}\".",
        draft.users,
        draft.rate(),
        draft.node_count(),
        draft.utilisation() * 100.0,
        name(given),
        name(other),
    ));
    page.note("Next:  stickysim run FILE         both designs, side by side");
    page.note("       stickysim checklist FILE   the four questions of a review, on one page");
    page.note("       stickysim decide FILE      every design that this workload allows, with a verdict");
    page.note("Put your own numbers in wherever a comment says \"assumed\": intervals cover luck, not wrong inputs.");
    page.0.push('\n');
}

fn run(page: &mut Page, draft: &Draft) {
    let (duration, seeds) = (draft.duration(), draft.seeds());
    page.set("duration", &text_of(duration), "simulated time: the crash and the deploy below, and a minute to rest");
    page.set("warmup", "\"1m\"", "its first part, left out of figures: queues fill, users are there from the start");
    page.set("tick", "\"1s\"", "one row of ticks.csv; signals are looked at so often");
    page.set("seeds", &seeds.to_string(), "runs with other users and other luck; intervals are over them");
}

fn cluster(page: &mut Page, draft: &Draft) {
    page.head("cluster", "the nodes behind the balancer");
    let why = match draft.nodes {
        Some(_) => format!("how many; they are {:.0} % busy", draft.utilisation() * 100.0),
        None => format!("how many; assumed: {:.0} % busy, at least three", draft.utilisation() * 100.0),
    };
    page.set("nodes", &draft.node_count().to_string(), &why);
    page.head("cluster.node", "what each is like");
    page.set("concurrency", &draft.workers.to_string(), "requests that it works on at once; more wait in its line");
    page.set("queue_max", "1000", "so many may wait, one more gets a 503 at once; assumed");
}

fn clients(page: &mut Page, draft: &Draft) {
    page.head("clients.web", "who comes, and what they do");
    let rate = draft.users as f64 / draft.session.as_secs_f64();
    let arrivals = format!("{{ open = {{ rate = \"{}/s\" }}, initial = {} }}", short(rate), draft.users);
    page.set("arrivals", &arrivals, "sessions that begin, so that as many are online as leave; online at the start");
    let (protocol, means) = match draft.talk {
        Talk::Http => ("\"request\"", "short HTTP: every request is routed on its own"),
        Talk::Keepalive => ("\"keepalive\"", "HTTP over connections that are used again"),
        Talk::Websocket => ("\"stream\"", "WebSocket and the like: routed once, tied to its node until cut"),
    };
    if let Some(client) = draft.client {
        page.set("preset", &quoted(client.name), "waits and timeouts of that library: `stickysim list preset`");
    }
    match draft.client {
        // A table, so that heartbeats of the preset outlive it.
        Some(_) if draft.talk == Talk::Websocket => {
            page.set("protocol.stream", "{}", &format!("{means}; heartbeats are those of the preset"));
        }
        _ => page.set("protocol", protocol, means),
    }
    page.set("length", &exponential(draft.session), "how long a visit lasts: most are short, few are long");
    page.set("think", &exponential(draft.think), "from a reply to the user's next request");
    page.set("service", &exponential(draft.service), "work of a request on a node");
    if draft.client.is_none() {
        page.set("request_timeout", "\"5s\"", "how long a client waits for a reply; assumed");
        let waits = "{ full_jitter = { base = \"1s\", cap = \"30s\" } }";
        page.set("reconnect", waits, "waits before who is cut off tries again; assumed");
    }
}

fn balancer(page: &mut Page, draft: &Draft) {
    page.head("balancer", "what stands in front of the nodes");
    if let Some(preset) = draft.balancer {
        page.set("preset", &quoted(preset.name), "its documented defaults: `stickysim list preset`");
        return;
    }
    let (balance, means) = match draft.talk {
        Talk::Websocket => ("leastconn", "who is new goes to the node with the fewest connections"),
        Talk::Http | Talk::Keepalive => ("roundrobin", "whatever is not bound goes to one node after another"),
    };
    page.set("balance", &quoted(balance), means);
    page.set("redispatch", "true", "who is bound to a node that does not answer is sent to another");
    page.set("health", "{ interval = \"2s\", fall = 3 }", "a node is out after three failed checks; assumed");
}

fn happenings(page: &mut Page, draft: &Draft) {
    page.head("fault.crash", "what goes wrong: a process dies");
    page.set("at", "\"3m\"", "when; before that, two quiet minutes say what is normal");
    page.set("kill", "{ nodes = 1, lasts = \"2m\" }", "one node, another one with each seed; it is back after that");
    page.head("change.deploy", "what we do ourselves: a rolling deploy");
    page.set("at", "\"7m\"", "when; after the crash is over");
    let (outs, drain) = (draft.outs(), text_of(draft.drain));
    let rolling = format!("{{ unavailable_max = {outs}, drain_timeout = {drain} }}");
    page.set("rolling", &rolling, "so many nodes away at once; each is drained for so long at most");
}

fn limits(page: &mut Page, draft: &Draft) {
    page.head("slo", "what was agreed on; `run` judges it, `plan` and `checklist` go by it");
    let limit = format!("\"< {}\"", draft.limit);
    page.set("response_time_ms_p99", &limit, "99 of 100 requests are answered within that");
    page.set("requests_failed_ratio", "\"< 1%\"", "requests that end in an error; assumed");
    page.set("sessions_lost_ratio", "\"< 1%\"", "sessions whose state is gone; assumed");
}

/// The design that was described, and its counterpart.
fn designs(draft: &Draft) -> [Home; 2] {
    let other = if draft.home.sticks() { Home::Store } else { Home::Memory };
    [draft.home, other]
}

/// What a design is called.
fn name(home: Home) -> &'static str {
    match home {
        Home::Memory => "sticky, in memory",
        Home::Disk => "sticky, on disk",
        Home::Replicated => "sticky, replicated",
        Home::Cache => "sticky, cached",
        Home::Store => "stateless, shared store",
        Home::Token => "stateless, token",
        Home::None => "stateless, no state",
    }
}

fn design(page: &mut Page, draft: &Draft, home: Home) {
    page.head(&format!("variant.\"{}\"", name(home)), "a design: a patch of what stands above");
    let (key, value, means) = stickiness(draft, home.sticks());
    page.set(key, &quoted(value), means);
    let rebuild = format!("rebuild = {{ service = {} }}", text_of(draft.rebuild));
    let again = "lost state is made anew by so much work on the node";
    match home {
        Home::Memory => page.set("state.memory", &format!("{{ {rebuild} }}"), again),
        Home::Disk => {
            let disk = format!("{{ read = \"1ms\", write = \"2ms\", {rebuild} }}");
            page.set("state.disk", &disk, &format!("work of reading and writing, assumed; {again}"));
        }
        Home::Replicated => {
            page.set("state.replicated", &format!("{{ {rebuild} }}"), &format!("on two nodes each; {again}"));
        }
        Home::Cache => {
            page.set("state.cache", &format!("{{ {rebuild} }}"), "a missing entry is filled by so much work")
        }
        Home::Store => match draft.store {
            Some(store) => {
                let at = format!("{{ at = \"sessions\", {rebuild} }}");
                page.set("state.store", &at, &format!("in the store below; {again}"));
                let preset = quoted(store.name);
                page.set(
                    "store.sessions",
                    &format!("{{ preset = {preset} }}"),
                    "its documented defaults: `stickysim list preset`",
                );
            }
            None => {
                let store = "{ read = \"500us\", write = \"500us\" }";
                page.set(
                    "state.store",
                    store,
                    "a store such as Redis in one zone: time of a read, of a write; assumed",
                );
            }
        },
        Home::Token => {
            let token = "{ sign = \"200us\", verify = \"100us\" }";
            page.set(
                "state.client",
                token,
                "in a token that the client brings: work of signing, of verifying; assumed",
            );
        }
        Home::None => page.set("state", "\"none\"", "sessions have no state that could be lost"),
    }
}

/// What keeps a session on its node with this balancer, or lets it go anywhere.
fn stickiness(draft: &Draft, sticks: bool) -> (&'static str, &'static str, &'static str) {
    if !sticks {
        return ("balancer.affinity", "none", "a session may be served by any node");
    }
    match draft.balancer.map(|preset| preset.name) {
        Some("aws-nlb") => ("balancer.balance", "source", "a session goes where the hash of its address says"),
        Some("k8s-service") => ("balancer.affinity", "client_ip", "a session stays on its node, by its address"),
        Some("ingress-nginx") => ("balancer.balance", "ring", "a session goes where the hash of its cookie says"),
        _ => ("balancer.affinity", "cookie", "a session stays on its node, by a cookie"),
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

fn text_of(time: Duration) -> String {
    quoted(&time.to_string())
}

fn exponential(mean: Duration) -> String {
    format!("{{ exponential = {{ mean = \"{mean}\" }} }}")
}

/// A number with six digits that matter, in full.
fn short(value: f64) -> String {
    let digits = 5 - (libm::log10(value.max(1e-9)).floor() as i32).clamp(-9, 5);
    let text = format!("{value:.*}", digits.max(0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_matters() {
        let shown = [2000.0 / 1200.0, 0.000012345678, 199.6, 1_234_567.0, 10.0].map(short);
        assert_eq!(shown, ["1.66667", "0.0000123457", "199.6", "1234567", "10"]);
    }

    #[test]
    fn the_same_answers_give_the_same_text() {
        assert_eq!(text(&Draft::default()), text(&Draft::default()));
    }

    #[test]
    fn every_line_that_says_something_says_what_it_means() {
        for line in text(&Draft::default()).lines().filter(|line| !line.is_empty() && *line != "#") {
            let (_, means) = line.split_once("# ").unwrap_or_else(|| panic!("no comment: {line}"));
            assert!(means.len() > 3, "{line}");
        }
    }
}
