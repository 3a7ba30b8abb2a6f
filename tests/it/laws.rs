//! What always holds, whatever the scenario: books that balance, runs that repeat, the same people under
//! every policy, times that scale. The scenarios are random; each is a text, printed when a law is broken.
//!
//! `cargo test` builds with debug assertions, hence arithmetic overflow is a failure too.

use super::lab::{cells, is_full, plan, run, whole};
use proptest::prelude::*;
use proptest::sample::select;
use stickysim::base::cause::Harm;
use stickysim::base::choice::Alternatives;
use stickysim::cluster::Sim;
use stickysim::cluster::balancer::balance::Algorithm;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{self, *};
use stickysim::observe::totals::Totals;
use stickysim::observe::window::Window;

type Lines = &'static [&'static str];

const COMING: Lines = &[
    "arrivals.initial = 40\nlength = \"forever\"",
    "arrivals.initial = 25\nlength = { exponential = { mean = \"6s\" } }",
    "arrivals.initial = 30\nrequests = { uniform = { min = 1, max = 9 } }",
    "arrivals.open.rate = \"12/s\"\nlength = { lognormal = { median = \"2s\", sigma = 1.0 } }",
    "arrivals.open.rate = \"20/s\"\narrivals.initial = 0\nrequests = 1",
    "arrivals.open.rate = \"9/s\"\narrivals.initial = 7\nrequests = { exponential = { mean = 5 } }",
    "arrivals.open.rate = \"3/s\"\narrivals.initial = 3\nlength = \"forever\"",
    "arrivals.open.rate = \"40/s\"\narrivals.initial = 1\nlength = \"700ms\"",
];
const THINK: Lines = &[
    "think = \"0s\"",
    "think = \"500ms\"",
    "think = { exponential = { mean = \"1s\" } }",
    "think = { pareto = { min = \"100ms\", max = \"1m\", alpha = 1.2 } }",
];
const SERVICE: Lines = &[
    "service = \"20ms\"",
    "service = { exponential = { mean = \"30ms\" } }",
    "service = { lognormal = { mean = \"60ms\", sigma = 1.0 } }",
    "service = \"1s\"",
];
const PATIENCE: Lines = &["", "request_timeout = \"50ms\"", "request_timeout = \"500ms\"", "request_timeout = \"3s\""];
const RETRY: Lines = &[
    "",
    "retry = { attempts = 1, backoff = { fixed = { delay = \"0s\" } } }",
    "retry = { attempts = 3 }",
    "retry = { attempts = 2, backoff = { equal_jitter = { base = \"100ms\", cap = \"1s\" } } }",
    "retry = { attempts = 9, backoff = { decorrelated_jitter = { base = \"50ms\", cap = \"400ms\" } } }",
];
const RECONNECT: Lines = &[
    "",
    "reconnect = { fixed = { delay = \"200ms\" } }",
    "reconnect = { no_jitter = { base = \"100ms\", cap = \"2s\" } }",
    "reconnect = { uniform = { min = \"0s\", max = \"3s\" } }",
    "reconnect = { decorrelated_jitter = { base = \"100ms\", cap = \"2s\" } }",
];
const GIVING_UP: Lines = &["", "", "give_up_after = 1", "give_up_after = 4"];
const CANCELS: Lines = &["", "cancels = true"];
const WRITES: Lines = &["", "write_ratio = 0.2", "write_ratio = \"0%\""];
const OWN: Lines = &[
    "",
    "",
    "affinity = \"none\"",
    "affinity = \"cookie\"",
    "affinity = { cookie = { life_max = \"3s\", idle_max = \"2s\" } }",
    "affinity = { stick_table = { key = \"session\", size = 20, expire = \"2s\", peers = true } }",
    "state = \"none\"",
    "state = \"cache\"",
    "state.memory = {}",
    "state.memory = { rebuild = { at = \"login\" } }",
];
const BALANCE: Lines = &[
    "balance = \"roundrobin\"",
    "balance = { random = { draws = 1 } }",
    "balance = { random = { draws = 3, replacement = true } }",
    "balance = \"leastconn\"",
    "balance = { ring = { points = 20 } }",
    "balance = \"first\"",
    "balance = { ring = { points = 20, balance_factor = 120 } }",
    "balance = { rendezvous = { key = \"header\" } }",
    "balance = { maglev = { table_size = 251 } }",
    "balance = \"jump\"",
    "balance = { haproxy_hash = { type = \"consistent\", balance_factor = 110 } }",
    "balance = \"haproxy_random\"",
    "balance = { nginx_hash = { consistent = true } }",
    "balance = \"nginx_ip_hash\"",
    "balance = { envoy_ring_hash = { balance_factor = 120 } }",
    "balance = { envoy_maglev = { table_size = 251, balance_factor = 120 } }",
];
const AFFINITY: Lines = &[
    "",
    "affinity = \"cookie\"",
    "affinity = { cookie = { rewrite = false } }",
    "affinity = { cookie = { life_max = \"4s\" } }",
    "affinity = \"stick_table\"",
    "affinity = { stick_table = { key = \"header\", peers = true } }",
    "affinity = { client_ip = { timeout = \"1500ms\" } }",
];
const INSTANCES: Lines =
    &["", "instances = 2", "instances = 2\nspread = \"turn\"", "instances = 3", "instances = 3\nspread = \"request\""];
const RELOADS: Lines = &[
    "",
    "",
    "[change.r]\nat = \"5s\"\nreload = {}",
    "[change.r]\nat = \"5s\"\nreload = { instances = 1, hard_stop_after = \"0s\" }",
    "[change.r]\nat = \"4s\"\nreload = { hard_stop_after = \"700ms\", times = 9, every = \"600ms\", pause = \"200ms\" }",
    "[change.r]\nat = \"6s\"\nreload = { pause = \"500ms\", state_file = true }",
];
const REDISPATCH: Lines = &["", "redispatch = true"];
const RETRIES: Lines = &["", "retries = 0", "retries = 2\nretry_pause = \"300ms\""];
const HEALTH: Lines = &[
    "",
    "health = { interval = \"200ms\", fall = 2, rise = 1 }",
    "health = { interval = \"1s\", fast_interval = \"100ms\" }",
    "health = { interval = \"1h\" }",
];
const STATE: Lines = &[
    "",
    "[state.memory]",
    "[state.memory]\non_missing = \"error\"",
    "[state.memory]\nrebuild.service = \"90ms\"",
    "[state.memory]\nrebuild = { at = \"login\", service = \"20ms\" }",
    "[state.memory]\nrebuild.at = \"login\"\non_missing = \"error\"",
    "[state.cache]\nrebuild.at = \"login\"",
    "[state.cache]\nrebuild.service = { exponential = { mean = \"50ms\" } }",
    "[state.store]",
    "[state.store]\nread = \"30ms\"\nwrite = { exponential = { mean = \"20ms\" } }\nconcurrency = 3\nholds_slot = true",
    "[state.store]\nread = \"50ms\"\nconcurrency = 1\nqueue_max = 2",
    "[state.store]\nread = \"50ms\"\nconcurrency = 1\nqueue_max = 0\nholds_slot = true",
];
/// Always there, since populations may name it.
const LOGIN: Lines = &[
    "[rebuild.login]\nconcurrency = 2\nservice = { exponential = { mean = \"300ms\" } }\nholds_slot = true",
    "[rebuild.login]\nconcurrency = 1\nservice = \"250ms\"\nqueue_max = 3",
    "[rebuild.login]\nconcurrency = 1\nservice = \"100ms\"\nqueue_max = 0\nholds_slot = true",
    "[rebuild.login]\nconcurrency = 30\nservice = \"0s\"",
];
const DISCIPLINE: Lines = &["", "discipline = \"processor_sharing\""];
const QUEUE: Lines = &["", "", "queue_max = 0", "queue_max = 5"];
const HANDSHAKE: Lines =
    &["", "", "handshake = \"5ms\"", "handshake = { exponential = { mean = \"80ms\" } }\naccept_max = 3"];
const STARTING: Lines = &[
    "",
    "",
    "start = \"600ms\"",
    "start = { exponential = { mean = \"1s\" } }\nwarm_up = { multiplier = 5, lasts = \"2s\" }",
    "warm_up = { multiplier = 2.5, lasts = \"700ms\" }",
];
const MEMORY: Lines = &[
    "",
    "",
    "memory = { base = \"1MiB\", per_session = \"10KiB\" }",
    "memory = { limit = \"1MiB\", base = \"900KiB\", per_session = \"9KiB\", per_request = \"5KiB\" }",
    "memory = { limit = \"100KiB\", per_session = \"9KiB\", per_request = \"20KiB\" }\nrestart = { base = \"400ms\", reset = \"2s\" }",
    "memory = { limit = \"64KiB\", per_request = \"16KiB\" }\nrestart = { first = \"300ms\" }",
];
const FAULT_AT: Lines = &["0s", "2s", "4500ms", "7s"];
const LASTS: Lines = &["", ", lasts = \"1500ms\"", ", lasts = \"4s\""];

/// A scenario in its parts, so that a law may replace one.
#[derive(Clone, Debug)]
struct Scene {
    nodes: u32,
    node: String,
    clients: Vec<String>,
    balance: String,
    balancer: String,
    state: String,
    faults: String,
}

impl Scene {
    fn text(&self) -> String {
        let Scene { nodes, node, balance, balancer, state, faults, .. } = self;
        let mut text = format!(
            "duration = \"12s\"\nwarmup = \"3s\"\ntick = \"500ms\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = {nodes}\n\
             [cluster.node]\n{node}\n[balancer]\n{balance}\n{balancer}\n{state}\n{faults}"
        );
        for (n, clients) in self.clients.iter().enumerate() {
            text.push_str(&format!("[clients.p{n}]\n{clients}\n"));
        }
        text
    }
}

fn clients() -> impl Strategy<Value = String> {
    let who = (select(COMING), select(THINK), select(SERVICE), select(PATIENCE), select(RETRY));
    let how = (select(RECONNECT), select(GIVING_UP), select(CANCELS), select(WRITES), select(OWN));
    (who, how).prop_map(|((a, b, c, d, e), (f, g, h, i, j))| [a, b, c, d, e, f, g, h, i, j].join("\n"))
}

fn scenes() -> impl Strategy<Value = Scene> {
    let node = (select(DISCIPLINE), select(QUEUE), select(HANDSHAKE), select(STARTING), select(MEMORY), 1u32..6)
        .prop_map(|(a, b, c, d, e, slots)| format!("concurrency = {slots}\n{a}\n{b}\n{c}\n{d}\n{e}"));
    let balancer = (select(AFFINITY), select(REDISPATCH), select(RETRIES), select(HEALTH), select(INSTANCES))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].join("\n"));
    let faults = prop::collection::vec((select(FAULT_AT), 1u32..3, any::<bool>(), select(LASTS)), 0..4);
    let clients = prop::collection::vec(clients(), 1..4);
    let state = (select(STATE), select(LOGIN)).prop_map(|(state, login)| format!("{state}\n{login}"));
    (1u32..6, node, clients, select(BALANCE), balancer, state, faults, select(RELOADS)).prop_map(
        |(nodes, node, clients, balance, balancer, state, faults, reload)| {
            let fault = |(n, (at, hit, named, lasts)): (usize, (&str, u32, bool, &str))| {
                let hit = hit.min(nodes);
                let aim = if named { format!("[\"n{hit}\"]") } else { hit.to_string() };
                format!("[fault.f{n}]\nat = \"{at}\"\nkill = {{ nodes = {aim}{lasts} }}\n")
            };
            let faults = faults.into_iter().enumerate().map(fault).chain([format!("{reload}\n")]).collect();
            Scene { nodes, node, clients, balance: balance.to_owned(), balancer, state, faults }
        },
    )
}

/// Prints the scenario when a panic in the simulator itself ends the test.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in the scenario\n{}", self.0);
        }
    }
}

/// One run of a scene.
fn play(scene: &Scene, seed: u64) -> Recording {
    let told = Told(scene.text());
    run(&plan(&told.0), seed)
}

fn cases(few: u32) -> ProptestConfig {
    ProptestConfig { cases: if is_full() { 2_000 } else { few }, ..ProptestConfig::default() }
}

/// The windows of each tick: every population, then all.
fn rows(recording: &Recording) -> std::slice::Chunks<'_, Window> {
    recording.ticks.chunks(recording.runs.len())
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn the_books_balance(scene in scenes(), seed in 1u64..1_000) {
        let text = scene.text();
        let (plan, _told) = (plan(&text), Told(text.clone()));
        let recording = Sim::new(&plan, seed, true).run(|| false).expect("nobody stops it").recording;
        let mut sums = vec![Totals::default(); recording.runs.len()];
        for tick in rows(&recording) {
            let (all, each) = tick.split_last().unwrap();
            let mut together = Totals::default();
            each.iter().for_each(|window| together += &window.totals);
            prop_assert!(together == all.totals, "all is not the sum at {:?}\n{text}", all.to);
            for (sum, window) in sums.iter_mut().zip(tick) {
                *sum += &window.totals;
                if let Some(wrong) = imbalance(sum, window) {
                    prop_assert!(false, "{wrong} at {:?}\n{text}", window.to);
                }
            }
            let cluster = all.cluster.expect("all has figures of the cluster");
            let busy = [cluster.utilisation_mean, cluster.utilisation_max];
            prop_assert!(busy.into_iter().flatten().all(|x| (0.0..=1.0).contains(&x)), "{busy:?}\n{text}");
            let login = cluster.rebuilders.expect("there is a rebuild service");
            prop_assert!((0.0..=1.0).contains(&login.utilisation), "{login:?}\n{text}");
            prop_assert!((0.0..=login.waiting_max).contains(&login.waiting_mean), "{login:?}\n{text}");
            prop_assert!((0.0..=f64::from(scene.nodes)).contains(&cluster.ready_mean), "{cluster:?}\n{text}");
        }
        let last = recording.ticks.last().unwrap();
        let nodes = &recording.nodes[recording.nodes.len() - scene.nodes as usize..];
        let bound: f64 = nodes.iter().map(|node| node.sessions).sum();
        prop_assert!(bound <= last.totals.live_time as f64 / 5e8 + 1e-6, "{bound} bound, more than live\n{text}");
        prop_assert!(nodes.iter().all(|node| node.sessions >= 0.0 && node.in_flight >= 0.0), "{nodes:?}\n{text}");
        let limit = plan.nodes[0].known().memory_max.unwrap_or(u64::MAX) as f64;
        for node in &recording.nodes {
            prop_assert!(node.memory.is_none_or(|taken| (0.0..=limit).contains(&taken)), "{node:?}\n{text}");
        }
    }

    #[test]
    fn the_same_seed_repeats_and_another_does_not(scene in scenes(), seed in 1u64..1_000) {
        let text = format!("{}[variant.a]\n[variant.b]\nrecovery_hold = \"1s\"\n", scene.text());
        let cells = cells(&text, &[]);
        let [a, b] = [0, 1].map(|n| run(&cells[n].plan, seed));
        prop_assert_eq!(a.fingerprint, b.fingerprint);
        prop_assert!(a.ticks.iter().zip(&b.ticks).all(|(a, b)| a.totals == b.totals), "{text}");
        let other = run(&cells[0].plan, seed + 1);
        let happened = whole(&a).totals[Succeeded] + whole(&a).totals.total(Harm::Failed);
        if text.contains("open.rate") && happened > 0 {
            prop_assert_ne!(a.fingerprint, other.fingerprint);
        }
    }

    #[test]
    fn every_policy_faces_the_same_people(a in scenes(), b in scenes(), seed in 1u64..1_000) {
        let b = Scene { clients: a.clients.clone(), ..b };
        let [left, right] = [&a, &b].map(|scene| play(scene, seed));
        let came = |window: &Window| [window.totals[Started], window.totals[Initial]];
        let same = left.ticks.iter().zip(&right.ticks).all(|(a, b)| came(a) == came(b));
        prop_assert!(same, "{}\n----\n{}", a.text(), b.text());
    }

    #[test]
    fn one_node_makes_all_algorithms_equal(scene in scenes(), seed in 1u64..1_000) {
        let scene = Scene { nodes: 1, faults: scene.faults.replace("nodes = 2", "nodes = 1").replace("n2", "n1"), ..scene };
        let results: Vec<Recording> = Algorithm::NAMES
            .iter()
            .map(|(name, _)| Scene { balance: format!("balance = \"{name}\""), ..scene.clone() })
            .map(|scene| play(&scene, seed))
            .collect();
        for other in &results[1..] {
            prop_assert_eq!(other.fingerprint, results[0].fingerprint);
            let same = other.ticks.iter().zip(&results[0].ticks).all(|(a, b)| a.totals == b.totals);
            prop_assert!(same, "{}", scene.text());
        }
    }
}

/// What does not add up: `sum` counts from the start to the end of `window`.
fn imbalance(sum: &Totals, window: &Window) -> Option<String> {
    let [failed, dropped, moved, lost] =
        [Harm::Failed, Harm::Dropped, Harm::Moved, Harm::Lost].map(|harm| sum.total(harm));
    let over = sum[Succeeded] + failed + sum[Withdrawn];
    let gone = sum[Ended] + sum[GaveUp] + sum[Refused];
    let laws = [
        ("issued = succeeded + failed + withdrawn + in flight", sum[Issued] == over + window.in_flight),
        ("initial + started = ended + gave up + live", sum[Initial] + sum[Started] == gone + window.live),
        ("in flight ≤ live", window.in_flight <= window.live),
        ("disconnected ≤ live", window.disconnected <= window.live),
        ("dropped ≤ failed", dropped <= failed),
        ("reconnected + disconnected ≤ dropped", sum[Reconnected] + window.disconnected <= dropped),
        ("dropped ≤ reconnected + disconnected + gone", dropped <= sum[Reconnected] + window.disconnected + gone),
        ("issued ≤ attempts", sum[Issued] <= sum[Attempts]),
        ("connects ≤ attempts", sum[Connects] <= sum[Attempts]),
        ("wasted ≤ spent", sum[Wasted] <= sum[Spent]),
        ("rebuilds ≤ misses", sum[Rebuilds] <= sum[Misses]),
        ("visits ≤ misses", sum[RebuildVisits] <= sum[Misses]),
        ("nobody visits without a service", window.traits.visits || sum[RebuildVisits] == 0),
        ("dropped once ≤ dropped", sum[DroppedOnce] <= dropped),
        ("lost once ≤ lost", sum[LostOnce] <= lost),
        ("moved once ≤ moved", sum[MovedOnce] <= moved),
        ("nothing moves unbound", window.traits.binds || moved == 0),
        ("nothing is lost without state", window.traits.stateful || lost == 0),
        ("gave up ≤ dropped", sum[GaveUp] <= dropped),
    ];
    laws.into_iter().find(|(_, holds)| !holds).map(|(law, _)| format!("{law} does not hold: {sum:?} {window:?}"))
}

/// A scenario in which every duration is a multiple of `unit` milliseconds, defaults spelled out.
fn scaled(unit: u32, balance: &str, below: &str) -> String {
    let ms = |n: u32| format!("\"{}ms\"", n * unit);
    format!(
        "duration = {}\nwarmup = {}\ntick = {}\nrecovery_hold = {}\n\
         [cluster]\nnodes = 3\nnode = {{ concurrency = 2, queue_max = 9, handshake = {}, start = {}, \
         warm_up = {{ multiplier = 3, lasts = {} }} }}\n\
         [clients.web]\narrivals = {{ open = {{ rate = \"{}/s\" }}, initial = 10 }}\nlength = {}\nthink = {}\nservice = {}\n\
         request_timeout = {}\nretry = {{ attempts = 2, backoff = {{ fixed = {{ delay = {} }} }} }}\n\
         reconnect = {{ full_jitter = {{ base = {}, cap = {} }} }}\n\
         [balancer]\nbalance = \"{balance}\"\nredispatch = true\nretry_pause = {}\nhealth = {{ interval = {} }}\n\
         instances = 2\naffinity = {{ cookie = {{ life_max = {}, idle_max = {} }} }}\n\
         [change.again]\nat = {}\nreload = {{ pause = {}, hard_stop_after = {} }}\n\
         [fault.crash]\nat = {}\nkill = {{ nodes = 1, lasts = {} }}\n{}\n",
        ms(20_000),
        ms(2_000),
        ms(1_000),
        ms(3_000),
        ms(7),
        ms(600),
        ms(3_000),
        40.0 / f64::from(unit),
        ms(3_000),
        ms(700),
        ms(55),
        ms(300),
        ms(130),
        ms(500),
        ms(4_000),
        ms(1_000),
        ms(900),
        ms(2_503),
        ms(1_109),
        ms(14_303),
        ms(617),
        ms(71),
        ms(8_000),
        ms(5_000),
        below.replace("REBUILD", &ms(80)).replace("READ", &ms(4)),
    )
}

#[test]
fn doubling_every_duration_doubles_every_time_and_keeps_every_count() {
    const STATES: Lines = &[
        "[state.memory]\nrebuild.service = REBUILD",
        "[state.memory]\nrebuild = { at = \"login\", service = READ }\n\
         [rebuild.login]\nconcurrency = 1\nservice = REBUILD\nqueue_max = 4",
        "[state.store]\nread = READ\nwrite = READ",
    ];
    let counters = [Started, Ended, GaveUp, Issued, Succeeded, Withdrawn, Attempts, Connects, Reconnected, Rebuilds];
    for (balance, _) in Algorithm::NAMES {
        for (state, seed) in STATES.iter().flat_map(|state| [(state, 1), (state, 2)]) {
            let [once, twice] = [1, 2].map(|unit| run(&plan(&scaled(unit, balance, state)), seed));
            let counts = |window: &Window| -> Vec<u64> {
                let harms = Harm::ALL.map(|harm| window.totals.total(harm));
                counters.iter().map(|&counter| window.totals[counter]).chain(harms).collect()
            };
            for (a, b) in once.ticks.iter().zip(&twice.ticks) {
                assert_eq!(counts(a), counts(b), "{balance}, {state}, seed {seed}, tick to {:?}", a.to);
            }
            for time in [ResponseTime, Spent, Wasted, RebuildTime, RebuildVisitTime, StoreTime] {
                assert_doubled(time, whole(&once), whole(&twice));
            }
        }
    }
}

/// Each time is rounded to a nanosecond on its own, so two halves may miss the whole by some.
fn assert_doubled(time: Counter, once: &Window, twice: &Window) {
    let [once, twice] = [once, twice].map(|window| window.totals[time] as f64);
    assert!((twice - 2.0 * once).abs() <= 1e-6 * twice, "{time:?}: {once} and {twice}");
}
