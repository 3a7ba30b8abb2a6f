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
const PATIENCE: Lines = &[
    "",
    "request_timeout = \"50ms\"",
    "request_timeout = \"500ms\"",
    "request_timeout = \"3s\"",
    "request_timeout = \"500ms\"\nconnect_timeout = \"300ms\"",
];
const RETRY: Lines = &[
    "",
    "retry = { attempts = 1, backoff = { fixed = { delay = \"0s\" } } }",
    "retry = { attempts = 3 }",
    "retry = { attempts = 2, backoff = { equal_jitter = { base = \"100ms\", cap = \"1s\" } } }",
    "retry = { attempts = 3, limit.tokens = { max = 12, timeout_cost = 7 } }",
    "retry = { attempts = 2, backoff = \"backo2\", limit.budget = { ratio = \"10%\", min = \"0.5/s\", per = \"client\" } }",
    "retry = { attempts = 9, backoff = { decorrelated_jitter = { base = \"50ms\", cap = \"400ms\" } } }",
];
const RECONNECT: Lines = &[
    "",
    "reconnect = { fixed = { delay = \"200ms\" } }",
    "reconnect = { no_jitter = { base = \"100ms\", cap = \"2s\" } }",
    "reconnect = { uniform = { min = \"0s\", max = \"3s\" } }",
    "reconnect = { decorrelated_jitter = { base = \"100ms\", cap = \"2s\" } }",
    "reconnect = { schedule = { waits = [\"0s\", \"100ms\", { min = \"1s\", max = \"2s\" }] } }",
    "reconnect = { ratio_jitter = { base = \"100ms\", cap = \"1s\", cap_last = true } }",
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
    "state.replicated = { lag = \"300ms\", rebalance = \"1s\" }",
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
    "balance = \"nginx_least_conn\"",
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
    "[version.v2]\nincompatible = true\n[change.v]\nat = \"2500ms\"\nrolling = { version = \"v2\", restart = \"300ms\", surge_max = 1 }",
    "[version.v2]\nerror_ratio = \"30%\"\nslowdown = 2.0\n[change.v]\nat = \"3s\"\n\
     rolling = { version = \"v2\", restart = \"300ms\", drain_timeout = \"400ms\" }\n\
     rollback = { error_ratio = \"10%\", every = \"500ms\", window = \"1s\" }",
    "[version.v2]\nerror_ratio = \"9%\"\n[change.v]\nat = \"2s\"\ncanary = { version = \"v2\", nodes = 2, \
     steps = [\"20%\", \"60%\"], hold = \"2s\", cookie = \"one_sided\", drain_timeout = \"1s\" }",
    "[version.v2]\nincompatible = true\ndies_after = \"900ms\"\n[change.v]\nat = \"2s\"\ncanary = { version = \"v2\", \
     steps = [\"40%\"], hold = \"3s\", cookie = \"two_sided\", then = \"abort\", drain_timeout = \"2s\" }\n\
     rollback = { p99 = \"100ms\", drops = \"9/s\", every = \"700ms\" }",
    "[version.v2]\ndies_after = \"2s\"\n[change.v]\nat = \"2s\"\nrolling = { version = \"v2\", restart = \"200ms\", \
     surge_max = \"50%\", unavailable_max = \"25%\", stop = { pre_stop = \"300ms\", grace = \"1s\" }, ready_min = \"500ms\", \
     progress_deadline = \"3s\" }\nrollback = { error_ratio = \"20%\", every = \"600ms\", failures = 2, watch = \"2s\" }",
    "[version.v2]\n[change.v]\nat = \"2s\"\ncanary = { version = \"v2\", steps = [\"30%\"], hold = \"4s\", cookie = \"version\", \
     then = \"abort\" }\n[change.w]\nat = \"5s\"\nrolling = { restart = \"100ms\", how = \"maint\", batch = 2 }",
    "[change.v]\nat = \"2s\"\nrolling = { restart = \"400ms\", stop = { grace = \"700ms\", on_term = \"exit\" }, evict = \"9/s\", \
     gate = { error_ratio = \"50%\", over = \"1s\" }, order = \"reverse\" }",
];
const RETRIES: Lines = &[
    "",
    "retries = 0",
    "retries = 2\nretry_pause = \"300ms\"",
    "redispatch = true",
    "redispatch = true\nretries = 0",
    "redispatch = true\nretry_avoid = \"tried\"\nretries = 9\nretry_pause = \"0s\"\nretry_on = [\"connect\", \"error\", \"reset\"]",
    "redispatch = \"last\"\nretry_pause = \"200ms\"",
    "redispatch = { every = 2 }\nretry_pause = \"100ms\"",
    "redispatch = { last = 2 }\nretry_pause = \"150ms\"\nretry_on = [\"connect\", \"reset\"]\nretry_writes = true",
    "redispatch = \"unbound\"\nretry_on = [\"error\", \"timeout\"]\nretry_writes = true",
    "redispatch = true\nretry_avoid = \"none\"\nretry_backoff = { full_jitter = { base = \"25ms\", cap = \"250ms\" } }",
];
const PERSIST: Lines = &["", "", "persist = []", "persist = [\"drained\", \"maint\", \"down\"]", "strict = true"];
const LIMITS: Lines = &[
    "",
    "",
    "in_flight_max = 1",
    "in_flight_max = 3\nqueue = { wait = { max = 2, timeout = \"400ms\" } }",
    "in_flight_max = 2\nqueue = { wait = { max = 0 } }",
    "in_flight_max = 2\nqueue = \"none\"",
];
const HEALTH: Lines = &[
    "",
    "health = { interval = \"200ms\", fall = 2, rise = 1 }",
    "health = { interval = \"1s\", fast_interval = \"100ms\" }",
    "health = { interval = \"1h\" }",
    "health = { interval = \"300ms\", from = \"begin\", check = \"http\", timeout = \"100ms\", spread = \"20%\", start = \"down\" }",
    "health = { interval = \"250ms\", by = \"host\", check = \"http\", rise = 1, fall = 2, host_grace = \"1s\" }",
    "health = { interval = \"300ms\", check = \"http\", service = \"20ms\", timeout = \"200ms\", cancels = true, errors_at_once = true }",
    "health = { interval = \"250ms\", by = \"host\", from = \"begin\", check = \"http\", service = { exponential = { mean = \"90ms\" } }, fall = 1 }",
    "health = { interval = \"400ms\", down_interval = \"1s\", start = \"up\" }\npassive = { observe = { layer = \"l7\", error_limit = 3, on_error = \"mark_down\" } }",
    "health = { interval = \"1s\", fast_interval = \"50ms\" }\npassive = { observe = { error_limit = 1, on_error = \"sudden_death\" } }",
    "health.check = \"none\"\npassive = { nginx = { fail_timeout = \"2s\", errors = true } }",
    "passive = { nginx = { max_fails = 3, fail_timeout = \"1s\" } }",
    "health.check = \"none\"\npassive = { outlier = { errors = 2, interval = \"700ms\", base_ejection = \"1s\", max_ejection = \"50%\", jitter = \"300ms\" } }",
    "health.interval = \"500ms\"\npassive = { outlier = { interval = \"1s\", success_rate_requests = 5, success_rate_nodes = 2, success_rate_stdev = 0.5 } }",
];
/// What is made of a view: the alarm, what is told late, who comes back slowly, who waits how long.
const VIEWING: Lines = &[
    "",
    "panic_threshold = \"50%\"",
    "fail_open = true",
    "propagation = { exponential = { mean = \"400ms\" } }",
    "slow_start.lasts = \"3s\"",
    "slow_start = { lasts = \"2s\", shape = { envoy = { aggression = 0.5 } } }\npropagation = \"200ms\"",
    "slow_start = { lasts = \"4s\", shape = \"linear\" }\npanic_threshold = \"100%\"",
    "server_timeout = \"150ms\"",
];
const STATE: Lines = &[
    "",
    "[state.memory]",
    "[state.memory]\non_missing = \"error\"",
    "[state.memory]\nrebuild.service = \"90ms\"",
    "[state.memory]\nrebuild = { at = \"login\", service = \"20ms\" }",
    "[state.memory]\nrebuild.at = \"login\"\non_missing = \"error\"",
    "[state.cache]\nrebuild.at = \"login\"",
    "[state.cache]\nrebuild.service = \"50ms\"\ncapacity = 6\nttl = \"1500ms\"",
    "[state.cache]\nrebuild.service = { exponential = { mean = \"50ms\" } }",
    "[state.disk]\nrebuild.at = \"login\"\nread = \"20ms\"\nwrite = { exponential = { mean = \"30ms\" } }",
    "[state.replicated]\nrebalance = { exponential = { mean = \"1s\" } }\nrebuild = { at = \"login\", service = \"20ms\" }",
    "[state.replicated]\ncopies = 3\nlag = \"2s\"\nrebalance = \"700ms\"\nfetch = { exponential = { mean = \"9ms\" } }",
    "[state.replicated]\ncopies = 1\non_missing = \"error\"\nwrite = \"20ms\"",
    "[state.client]\nverify = { exponential = { mean = \"10ms\" } }",
    "[state.store]",
    "[state.store]\nat = \"s\"\n[store.s]\nreplicas = 1\nlag = \"700ms\"\ndetection = \"900ms\"\nstall = { exponential = { mean = \"600ms\" } }\n\
     [fault.s]\nat = \"4s\"\nstore_kill = { store = \"s\", lasts = \"4s\" }",
    "[state.store]\nat = \"s\"\non_missing = \"error\"\n[store.s]\nholds_slot = true\nconcurrency = 2\nread = \"20ms\"\ntimeout = \"800ms\"\n\
     [fault.s]\nat = \"5s\"\nstore_hang = { store = \"s\", lasts = \"3s\", stubborn = [\"n1\"] }",
    "[state.store]\nat = \"s\"\non_failure = \"serve\"\nrebuild.at = \"login\"\n[store.s]\nholds_slot = true\nqueue_max = 1\n\
     [fault.s]\nat = \"5s\"\nstore_lose = { store = \"s\", lasts = \"2s\" }",
    "[state.store]\nat = \"s\"\non_failure = \"serve\"\n[store.s]\nreplicas = 2\ndetection = \"1s\"\nconcurrency = 1\nread = \"30ms\"\n\
     [fault.s]\nat = \"5s\"\nstore_cut = { store = \"s\", inside = 1, lasts = \"3s\" }",
    "[state.store]\nat = \"s\"\nnear = { ttl = \"800ms\", capacity = 9 }\non_failure = \"serve\"\n[store.s]\nholds_slot = true\n\
     [fault.s]\nat = \"5s\"\nstore_kill = { store = \"s\", lasts = \"2s\" }",
    "[state.store]\nat = \"s\"\nnear = { capacity = 20 }\nrebuild.at = \"login\"\n[store.s]\nmemory_max = \"12KiB\"\neviction = \"lru\"\n\
     replicas = 1\nlag = \"500ms\"\ndetection = \"1s\"\n[fault.s]\nat = \"5s\"\nstore_hang = { store = \"s\", lasts = \"4s\", stubborn = [\"n1\"] }",
    "[state.store]\nat = \"s\"\n[store.s]\nmemory_max = \"15KiB\"\nread = \"20ms\"\nbackup = \"3s\"\n\
     [fault.s]\nat = \"5s\"\nstore_lose = { store = \"s\", lasts = \"1s\" }",
    "[state.store]\nserialize = \"3ms\"\nread = \"30ms\"\nwrite = { exponential = { mean = \"20ms\" } }\nconcurrency = 3\nholds_slot = true",
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
const QUEUE: Lines = &["", "", "queue_max = 0\nretry_after = \"700ms\"", "queue_max = 5"];
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
/// More nodes and fewer, by hand, by load and by the clock.
const CHANGES: Lines = &[
    "",
    "",
    "",
    "[change.c]\nat = \"4s\"\nscale_in = { nodes = 1, victim = \"newest\", drain_timeout = \"500ms\" }",
    "[change.b]\nat = \"2s\"\nscale_out = { nodes = 2 }\n\
     [change.c]\nat = \"5s\"\nscale_in = { nodes = 1, victim = \"most_sessions\", drain_timeout = \"0s\" }",
    "[change.c]\nat = \"3s\"\nblue_green = { start = \"200ms\", scale_down_delay = \"1s\", drain_timeout = \"700ms\" }",
    "[change.c]\nat = \"4s\"\nblue_green = { hold = \"500ms\", keeps_bound = false, scale_down_delay = \"0s\", evict = \"20/s\" }",
    "[cluster.disruption_budget]\nunavailable_max = \"40%\"\n\
     [change.c]\nat = \"3s\"\nevacuate = { nodes = { share = \"100%\" }, retry = \"400ms\", drain_timeout = \"600ms\" }",
    "[cluster.disruption_budget]\navailable_min = 1\n\
     [change.c]\nat = \"3s\"\nevacuate = { nodes = 1, start = \"1s\", retry = \"500ms\", force_after = \"2s\" }",
    "[cluster.autoscaler]\nnodes_max = 6\ntarget = { cpu_mean = \"60%\", sessions = 9 }\nsync = \"700ms\"\n\
     down = { window = \"1s\", drain_timeout = \"400ms\", victim = \"random\" }",
    "[cluster.autoscaler]\nnodes_max = 4\nstart = \"200ms\"\nsync = \"500ms\"\n\
     schedule = { steps = [{ at = \"0s\", nodes = 4 }, { at = \"1500ms\", nodes = 1 }], every = \"3s\" }\n\
     down = { window = \"0s\", drain_timeout = \"0s\", victim = \"oldest\" }",
    "[cluster.autoscaler]\nnodes_max = 5\nsync = \"300ms\"\ntarget = { cpu_max = \"50%\", requests = \"20/s\" }\n\
     up = { nodes = 1, window = \"600ms\" }\n\
     down = { window = \"600ms\", evict = \"10/s\", drain_timeout = \"2s\", victim = \"fewest_sessions\" }",
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
    limits: String,
    state: String,
    faults: String,
    changes: String,
}

impl Scene {
    fn text(&self) -> String {
        let Scene { nodes, node, balance, balancer, limits, state, faults, changes, .. } = self;
        let mut text = format!(
            "duration = \"12s\"\nwarmup = \"3s\"\ntick = \"500ms\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = {nodes}\n\
             [cluster.node]\n{node}\n[balancer]\n{balance}\n{balancer}\n{limits}\n{state}\n{faults}\n{changes}\n"
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
    let balancer =
        (select(AFFINITY), select(RETRIES), select(PERSIST), select(HEALTH), select(VIEWING), select(INSTANCES))
            .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].join("\n"));
    let balancer = (balancer, select(LIMITS));
    let faults = prop::collection::vec((select(FAULT_AT), 1u32..3, any::<bool>(), select(LASTS)), 0..4);
    let clients = prop::collection::vec(clients(), 1..4);
    let state = (select(STATE), select(LOGIN)).prop_map(|(state, login)| format!("{state}\n{login}"));
    let changes = (select(RELOADS), select(CHANGES));
    (1u32..6, node, clients, select(BALANCE), balancer, state, faults, changes).prop_map(
        |(nodes, node, clients, balance, (balancer, limits), state, faults, (reload, changes))| {
            let fault = |(n, (at, hit, named, lasts)): (usize, (&str, u32, bool, &str))| {
                let hit = hit.min(nodes);
                let aim = if named { format!("[\"n{hit}\"]") } else { hit.to_string() };
                format!("[fault.f{n}]\nat = \"{at}\"\nkill = {{ nodes = {aim}{lasts} }}\n")
            };
            let faults = faults.into_iter().enumerate().map(fault).chain([format!("{reload}\n")]).collect();
            // Those who wait at the balancer are not told apart by version.
            let limits = if reload.contains("canary") { "" } else { limits };
            let (balance, limits) = (balance.to_owned(), limits.to_owned());
            let changes = changes.to_owned();
            Scene { nodes, node, clients, balance, balancer, limits, state, faults, changes }
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
pub fn rows(recording: &Recording) -> std::slice::Chunks<'_, Window> {
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
                if let Some(wrong) = imbalance(sum, window, false) {
                    prop_assert!(false, "{wrong} at {:?}\n{text}", window.to);
                }
            }
            let cluster = all.cluster.expect("all has figures of the cluster");
            let busy = [cluster.utilisation_mean, cluster.utilisation_max];
            prop_assert!(busy.into_iter().flatten().all(|x| (0.0..=1.0).contains(&x)), "{busy:?}\n{text}");
            let login = cluster.rebuilders.expect("there is a rebuild service");
            prop_assert!((0.0..=1.0).contains(&login.utilisation), "{login:?}\n{text}");
            prop_assert!((0.0..=login.waiting_max).contains(&login.waiting_mean), "{login:?}\n{text}");
            prop_assert!((0.0..=plan.nodes.len() as f64).contains(&cluster.ready_mean), "{cluster:?}\n{text}");
        }
        let last = recording.ticks.last().unwrap();
        let nodes = &recording.nodes[recording.nodes.len() - plan.nodes.len()..];
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
        // A change that adds nodes leaves more than one; it stands behind its version.
        let adds = scene.faults.contains("surge_max") || scene.faults.contains("canary");
        let ends = scene.faults.find("[version").filter(|_| adds).unwrap_or(scene.faults.len());
        let faults = scene.faults[..ends].replace("nodes = 2", "nodes = 1").replace("n2", "n1");
        // With lines they differ: whom a hash names stands in the node's line and not in the common one.
        let limits = if scene.limits.contains("none") { scene.limits } else { String::new() };
        let scene = Scene { nodes: 1, faults, limits, changes: String::new(), ..scene };
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

/// What does not add up: `sum` counts from the start to the end of `window`. A stream is opened and cut off
/// with no request that is counted.
pub fn imbalance(sum: &Totals, window: &Window, has_streams: bool) -> Option<String> {
    let [failed, dropped, moved, lost] =
        [Harm::Failed, Harm::Dropped, Harm::Moved, Harm::Lost].map(|harm| sum.total(harm));
    let over = sum[Succeeded] + failed + sum[Withdrawn];
    let gone = sum[Ended] + sum[GaveUp] + sum[Refused];
    let fetched_or_thin = u128::from(sum[Fetches]) + sum.thin_time;
    let stale = sum.total(Harm::StaleRead) + sum.total(Harm::WriteLost);
    let laws = [
        ("issued = succeeded + failed + withdrawn + in flight", sum[Issued] == over + window.in_flight),
        ("initial + started = ended + gave up + live", sum[Initial] + sum[Started] == gone + window.live),
        ("in flight ≤ live", window.in_flight <= window.live),
        ("disconnected ≤ live", window.disconnected <= window.live),
        ("dropped ≤ failed", has_streams || dropped <= failed),
        ("reconnected + disconnected ≤ dropped", sum[Reconnected] + window.disconnected <= dropped),
        ("dropped ≤ reconnected + disconnected + gone", dropped <= sum[Reconnected] + window.disconnected + gone),
        ("issued ≤ attempts", sum[Issued] <= sum[Attempts]),
        ("connects ≤ attempts", has_streams || sum[Connects] <= sum[Attempts]),
        ("wasted ≤ spent", sum[Wasted] <= sum[Spent]),
        ("rebuilds ≤ misses", sum[Rebuilds] <= sum[Misses]),
        ("visits ≤ misses", sum[RebuildVisits] <= sum[Misses]),
        ("nobody visits without a service", window.traits.visits || sum[RebuildVisits] == 0),
        ("dropped once ≤ dropped", sum[DroppedOnce] <= dropped),
        ("lost once ≤ lost", sum[LostOnce] <= lost),
        ("moved once ≤ moved", sum[MovedOnce] <= moved),
        ("nothing moves unbound", window.traits.binds || moved == 0),
        ("nothing is lost without state", window.traits.stateful || lost == 0),
        ("nothing is fetched or thin without copies on nodes", window.traits.replicas || fetched_or_thin == 0),
        ("fetched ≤ looked up in vain", sum[Fetches] <= sum[Misses]),
        ("thin ≤ live", window.totals.thin_time <= window.totals.live_time),
        ("nothing is stale or lost without copies", window.traits.copies || stale == 0),
        ("gave up ≤ dropped", sum[GaveUp] <= dropped),
        ("what a version serves is served", sum[ServedByNew] <= sum[Served]),
        ("what fails at a version is served", sum[FailedAtNode] <= sum[Served]),
        ("what fails at a new version is both", sum[FailedByNew] <= sum[FailedAtNode].min(sum[ServedByNew])),
        ("on a new version ≤ live", window.on_new <= window.live),
        ("on a new version ≤ exposed", window.on_new <= sum[Exposed]),
        ("exposed ≤ seen", sum[Exposed] <= sum[Initial] + sum[Started]),
        ("nothing is new without a version", window.traits.installs || sum[Served] + sum[Exposed] == 0),
    ];
    laws.into_iter().find(|(_, holds)| !holds).map(|(law, _)| format!("{law} does not hold: {sum:?} {window:?}"))
}

/// A scenario in which every duration is a multiple of `unit` milliseconds, defaults spelled out. It must not collapse:
/// then everybody waits out the same few timeouts, instants coincide but for rounding, and who is first is chance.
fn scaled(unit: u32, balance: &str, below: &str) -> String {
    let ms = |n: u32| format!("\"{}ms\"", n * unit);
    format!(
        "duration = {}\nwarmup = {}\ntick = {}\nrecovery_hold = {}\n\
         [cluster]\nnodes = 3\nnode = {{ concurrency = 2, queue_max = 9, handshake = {}, start = {}, \
         warm_up = {{ multiplier = 3, lasts = {} }} }}\n\
         [clients.web]\narrivals = {{ open = {{ rate = \"{}/s\" }}, initial = 10 }}\nlength = {}\nthink = {}\nservice = {}\n\
         request_timeout = {}\nretry = {{ attempts = 2, backoff = {{ fixed = {{ delay = {} }} }} }}\n\
         reconnect = {{ full_jitter = {{ base = {}, cap = {} }} }}\n\
         [balancer]\nbalance = \"{balance}\"\nredispatch = \"last\"\nretry_pause = {}\n\
         health = {{ interval = {}, timeout = {}, check = \"http\", service = {{ exponential = {{ mean = {} }} }} }}\n\
         in_flight_max = 5\nqueue = {{ wait = {{ timeout = {} }} }}\n\
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
        20.0 / f64::from(unit),
        ms(3_000),
        ms(700),
        ms(55),
        ms(300),
        ms(130),
        ms(500),
        ms(4_000),
        ms(1_000),
        ms(900),
        ms(211),
        ms(37),
        ms(233),
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
        "[state.replicated]\nlag = REBUILD\nfetch = READ\nrebalance = REBUILD\nrebuild.service = REBUILD",
        "[state.replicated]\nwrite = READ\nfetch = READ\nrebalance = REBUILD",
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
