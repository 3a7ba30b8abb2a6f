//! Who comes, from where, and who is chosen: whole runs against closed forms and against each other.

use std::path::Path;
use stickysim::base::cause::{Cause, Harm};
use stickysim::base::time::Duration;
use stickysim::cluster::balancer::balance::{Asker, Key};
use stickysim::cluster::client::person::visit;
use stickysim::cluster::client::{Caller, Streams};
use stickysim::cluster::{Outcome, Sim};
use stickysim::observe::totals::Counter;
use stickysim::observe::window::Window;
use stickysim::scenario::{Loaded, Overrides, Problems, Sources, load_layer};

fn read(text: &str, dir: &Path) -> (Option<Loaded>, String) {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let layer = sources.add("x.toml", text);
    let loaded = load_layer(layer, &dir.join("x.toml"), &Overrides::default(), &mut sources, &mut problems);
    (loaded, problems.render(&sources, false))
}

fn loaded(text: &str) -> Loaded {
    let (loaded, problems) = read(text, Path::new("."));
    loaded.unwrap_or_else(|| panic!("{problems}"))
}

/// One run of the first cell.
fn run(loaded: &Loaded, seed: u64) -> Outcome {
    run_cell(loaded, 0, seed)
}

fn run_cell(loaded: &Loaded, cell: usize, seed: u64) -> Outcome {
    Sim::new(&loaded.cells[cell].plan, seed, true).run(|| false).expect("a run that nobody stops")
}

/// What all populations together did after the warm-up.
fn whole(outcome: &Outcome) -> &Window {
    &outcome.recording.runs.last().expect("a row for all").1
}

fn near(what: &str, figure: f64, oracle: f64, tolerance: f64) {
    let error = figure / oracle - 1.0;
    assert!(error.abs() <= tolerance, "{what}: {figure} for {oracle}, off by {:.2} %", error * 100.0);
}

/// Everything at once: several populations, heavy users, shared addresses, a table too small, groups, a crash.
const EVERYTHING: &str = "
duration = '300s'
warmup = '0s'
tick = '1s'
seeds = 2
[cluster.node]
concurrency = 2
queue_max = 30
handshake = '3ms'
[cluster.group.big]
count = 2
weight = 3
speed = 2.0
concurrency = 4
[cluster.group.small]
count = 3
zone = 'b'
handshake = { uniform = { min = '1ms', max = '9ms' } }
[clients.closed]
arrivals = { closed = { clients = 60, gap = { exponential = { mean = '5s' } } } }
length = { exponential = { mean = '20s' } }
think = { exponential = { mean = '2s' } }
activity = { gamma = { mean = 1, shape = 0.5 } }
service = { exponential = { mean = '20ms' } }
request_timeout = '500ms'
give_up_after = 3
[clients.crowd]
arrivals = { open = { diurnal = { mean = '4/s', amplitude = '90%', period = '100s', peak_at = '20s' }, \
             flash = { at = '150s', factor = 4, ramp = '10s', lasts = '20s' } } }
requests = { uniform = { min = 1, max = 9 } }
think = { exponential = { mean = '1s' } }
addresses = { nat = { addresses = 20, zipf = 1.1 } }
service = { exponential = { mean = '20ms' } }
request_timeout = '500ms'
affinity = { stick_table = { key = 'session', size = 40, expire = '3s' } }
[clients.walkers]
arrivals = { open = { profile = [{ at = '0s', rate = '0/s' }, { at = '100s', rate = '6/s' }, { at = '100s', rate = '1/s' }] } }
length = '30s'
think = '3s'
service = '10ms'
[balancer]
redispatch = true
affinity = { stick_table = { key = 'address', expire = '60s' } }
[state.memory]
rebuild = { service = '30ms' }
[fault.crash]
at = '160s'
kill = { nodes = 2, lasts = '30s' }
[variant.table]
[variant.leastconn]
balancer.balance = 'leastconn'
[variant.hash]
balancer.balance = { hash = { key = 'header' } }
balancer.affinity = 'none'
[variant.source]
balancer.balance = 'source'
clients.crowd.affinity = 'cookie'
[variant.ring]
balancer.balance = { ring = { key = 'address', points = 40 } }
clients.crowd.affinity = 'none'
[variant.random]
balancer.balance = 'random'
[variant.nginx]
balancer.balance = { roundrobin = { order = 'nginx' } }
";

#[test]
fn the_laws_hold_with_everybody_at_once() {
    let loaded = loaded(EVERYTHING);
    for cell in 0..loaded.cells.len() {
        for seed in [1, 2] {
            let name = &loaded.cells[cell].variant;
            let outcome = run_cell(&loaded, cell, seed);
            for (_, window) in &outcome.recording.runs {
                let t = &window.totals;
                let requests = t[Counter::Succeeded] + t.total(Harm::Failed) + t[Counter::Withdrawn];
                assert_eq!(t[Counter::Issued], requests + window.in_flight, "{name}: requests");
                let sessions = t[Counter::Ended] + t[Counter::GaveUp] + t[Counter::Refused] + window.live;
                assert_eq!(t[Counter::Initial] + t[Counter::Started], sessions, "{name}: sessions");
            }
            let again = run_cell(&loaded, cell, seed);
            assert_eq!(outcome.recording.fingerprint, again.recording.fingerprint, "{name}: the same again");
            if name == "table" {
                let forgotten = whole(&outcome).totals.of(Harm::Moved, Cause::Forgotten);
                assert!(forgotten > 50, "a table of 40 entries forgets: {forgotten}");
            }
        }
    }
}

/// Streams and kept connections over nodes of several groups, in every kind of trouble.
const TOGETHER: &str = "
duration = '240s'
[cluster.node]
concurrency = 4
handshake = '1ms'
connections_max = 400
[cluster.group.big]
count = 2
weight = 3
speed = 2.0
connections_max = 30
[cluster.group.small]
count = 3
zone = 'b'
discipline = 'processor_sharing'
[clients.closed]
protocol = { stream = { heartbeat = { interval = '5s', timeout = '2s' } } }
arrivals = { closed = { clients = 90, gap = { exponential = { mean = '5s' } } } }
length = { exponential = { mean = '30s' } }
think = { exponential = { mean = '2s' } }
activity = { gamma = { mean = 1, shape = 0.5 } }
service = { exponential = { mean = '20ms' } }
connect_timeout = '2s'
request_timeout = '1s'
give_up_after = 3
state.memory = { lifetime = 'connection', resume = '5s', rebuild = { service = '30ms' } }
[clients.kept]
protocol = { keepalive = { requests = 5, idle = '4s' } }
arrivals = { open = { rate = '3/s', flash = { at = '80s', factor = 4, ramp = '10s', lasts = '20s' } } }
requests = { uniform = { min = 1, max = 19 } }
pace = { exponential = { mean = '1s' } }
activity = { gamma = { mean = 1, shape = 0.5 } }
addresses = { nat = { addresses = 20, zipf = 1.1 } }
service = { exponential = { mean = '20ms' } }
request_timeout = '500ms'
affinity = { stick_table = { key = 'session', size = 40, expire = '3s' } }
[balancer]
redispatch = true
connect_timeout = '1s'
server_timeout = '5s'
affinity = { stick_table = { key = 'address', expire = '60s' } }
[fault.a]
at = '60s'
slow = { nodes = { zone = 'z1' }, speed = '25%', lasts = '50s' }
[fault.b]
at = '100s'
freeze = { nodes = ['small-1'], lasts = '20s' }
[fault.c]
at = '130s'
lose = { nodes = 'fullest', lasts = '30s' }
[fault.d]
at = '180s'
kill = { nodes = { share = '40%' }, lasts = '20s' }
[variant.l7]
[variant.l4]
balancer.layer = 'l4'
[variant.shutdown]
balancer.layer = 'l4'
balancer.on_marked_down = 'shutdown_sessions'
balancer.balance = 'leastconn'
balancer.affinity = 'none'
[variant.hash]
balancer.balance = { hash = { key = 'address' } }
balancer.affinity = 'none'
";

#[test]
fn the_laws_hold_for_streams_and_kept_connections_over_unlike_nodes() {
    let loaded = loaded(TOGETHER);
    for (cell, seed) in (0..loaded.cells.len()).flat_map(|cell| [(cell, 1), (cell, 2)]) {
        let name = &loaded.cells[cell].variant;
        let outcome = run_cell(&loaded, cell, seed);
        for (_, window) in &outcome.recording.runs {
            let t = &window.totals;
            let requests = t[Counter::Succeeded] + t.total(Harm::Failed) + t[Counter::Withdrawn];
            assert_eq!(t[Counter::Issued], requests + window.in_flight, "{name}: requests");
            let sessions = t[Counter::Ended] + t[Counter::GaveUp] + t[Counter::Refused] + window.live;
            assert_eq!(t[Counter::Initial] + t[Counter::Started], sessions, "{name}: sessions");
        }
        let closed = &outcome.recording.runs[0].1;
        assert!(closed.totals[Counter::Started] > 200, "{name}: the closed come back");
        assert!(closed.totals[Counter::Succeeded] > 2_000, "{name}: streams are answered");
        assert_eq!(outcome.recording.fingerprint, run_cell(&loaded, cell, seed).recording.fingerprint, "{name}");
    }
}

/// A node that is slowed keeps that share of its own speed, and gets its own back.
#[test]
fn a_slow_node_is_slow_by_its_own_measure() {
    let text = "duration = '300s'\ntick = '10s'\n[cluster.group.fast]\ncount = 1\nspeed = 4.0\nconcurrency = 1\n\
        [clients.c]\narrivals = { initial = 1 }\nlength = 'forever'\nthink = '1s'\nservice = '400ms'\n\
        [fault.drag]\nat = '100s'\nslow = { nodes = ['fast-1'], speed = '50%', lasts = '100s' }\n";
    let outcome = run(&loaded(text), 1);
    let means: Vec<f64> = [5, 15, 25]
        .map(|tick| {
            let totals = &outcome.recording.ticks[2 * tick].totals;
            totals[Counter::ResponseTime] as f64 / totals[Counter::Succeeded] as f64 / 1e6
        })
        .to_vec();
    assert_eq!(means, [100.0, 200.0, 100.0]);
}

#[test]
fn whoever_arrives_arrives_in_every_variant() {
    let loaded = loaded(EVERYTHING);
    let starts = |cell: usize| -> Vec<u64> {
        let outcome = run_cell(&loaded, cell, 1);
        // Per tick: closed, crowd, walkers, all. Only the closed population reacts to what it meets.
        let open = outcome.recording.ticks.chunks(4).flat_map(|tick| [&tick[1], &tick[2]]);
        open.map(|window| window.totals[Counter::Started]).collect()
    };
    let first = starts(0);
    assert!(first.iter().sum::<u64>() > 1_000);
    (1..loaded.cells.len()).for_each(|cell| assert_eq!(starts(cell), first, "{}", loaded.cells[cell].variant));
}

#[test]
fn a_closed_population_is_in_equilibrium_from_the_start() {
    let text = "duration = '2000s'\ntick = '10s'\n[cluster]\nnodes = 10\n[clients.c]\n\
        arrivals = { closed = { clients = 3000, gap = { exponential = { mean = '20s' } } } }\n\
        length = { lognormal = { mean = '60s', sigma = 1.0 } }\nthink = '10s'\nservice = '1ms'\n";
    let outcome = run(&loaded(text), 1);
    let live: Vec<f64> = outcome.recording.ticks.chunks(2).map(|tick| tick[1].live as f64).collect();
    // 60/(60 + 20) of them are in a visit, ± 5 standard deviations of a binomial number.
    assert!(live.iter().all(|live| (live - 2_250.0).abs() < 5.0 * 23.7), "{live:?}");
    near("mean of live", live.iter().sum::<f64>() / live.len() as f64, 2_250.0, 0.01);
    near("visits", whole(&outcome).totals[Counter::Started] as f64, 3_000.0 * 2_000.0 / 80.0, 0.01);
}

#[test]
fn a_client_is_as_busy_on_its_next_visit_and_the_busy_divide_their_pauses() {
    let text = "duration = '10s'\n[cluster]\nnodes = 1\n[clients.c]\n\
        arrivals = { closed = { clients = 3, gap = '1s' } }\nlength = '9s'\nthink = '10s'\nservice = '1ms'\n\
        activity = { gamma = { mean = 1, shape = 0.5 } }\n";
    let loaded = loaded(text);
    let (people, streams) = (&loaded.cells[0].plan.populations[0], Streams::new(1, "c"));
    let ten = Duration::from_secs(10).as_secs_f64();
    let rates: Vec<f64> =
        (0..20_000).map(|client| ten / people.pause(&streams, visit(client, 0), 1).unwrap().as_secs_f64()).collect();
    near("mean activity", rates.iter().sum::<f64>() / 20_000.0, 1.0, 0.05);
    let square = rates.iter().map(|rate| (rate - 1.0) * (rate - 1.0)).sum::<f64>() / 20_000.0;
    near("variance of activity", square, 2.0, 0.15);
    let pauses = [(0, 1), (0, 2), (7, 3)].map(|(number, nth)| people.pause(&streams, visit(5, number), nth));
    assert!(pauses.iter().all(|pause| *pause == pauses[0]));
    let same = |key| {
        let [first, later] = [0, 7].map(|number| Caller { people, streams: &streams, who: visit(5, number) });
        first.hash_of(key) == later.hash_of(key)
    };
    assert!(same(Key::Address), "a client keeps its address");
    assert!(!same(Key::Session), "and has a new session");
    assert!(!same(Key::Header));
}

#[test]
fn weight_and_speed_that_match_keep_all_nodes_equally_busy() {
    let text = "duration = '2000s'\nwarmup = '100s'\ntick = '100s'\n[cluster.group.a]\ncount = 3\nconcurrency = 4\n\
        [cluster.group.b]\ncount = 2\nweight = 4\nspeed = 4.0\nconcurrency = 4\n\
        [clients.c]\narrivals = { initial = 1500 }\nlength = 'forever'\nthink = { exponential = { mean = '10s' } }\n\
        service = { exponential = { mean = '150ms' } }\n";
    let outcome = run(&loaded(text), 1);
    let mut busy = [0.0; 5];
    for tick in &outcome.recording.nodes {
        busy[tick.node as usize] += tick.utilisation / 20.0;
    }
    // 150/s × 150 ms over 3 · 4 + 2 · 16 slots of normal speed.
    busy.iter().for_each(|&busy| near("busy", busy, 22.5 / 44.0, 0.03));
}

#[test]
fn starts_come_from_a_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = |trace: &str| {
        std::fs::write(dir.path().join("starts.csv"), trace).expect("a file");
        read(
            "duration = '10s'\n[cluster]\nnodes = 1\n[clients.c]\narrivals = { open = { trace = { file = 'starts.csv' } } }\n\
             length = '1s'\nthink = '1s'\nservice = '1ms'\n",
            dir.path(),
        )
    };
    let (good, _) = text("start\n# a comment\n0s\n1.5s\n1500ms\n9s\n12s\n");
    let outcome = run(&good.expect("a sound trace"), 1);
    let started: Vec<u64> = outcome.recording.ticks.chunks(2).map(|tick| tick[1].totals[Counter::Started]).collect();
    assert_eq!(started, [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    let (_, unsorted) = text("1s\n3s\n2s\n");
    assert!(unsorted.contains("starts.csv:3: 2s comes after 3s"), "{unsorted}");
    let (_, bare) = text("1s\n3\n");
    assert!(bare.contains("starts.csv:2:"), "{bare}");
}

#[test]
fn what_is_wrong_is_said_with_its_mend() {
    const SOUND: &str = "duration = '10s'\n[clients.c]\narrivals = { open = { rate = '1/s' } }\nlength = '1s'\nthink = '1s'\nservice = '1ms'\n[cluster]\nnodes = 2\n";
    let arrivals = "{ open = { rate = '1/s' } }";
    let cases: &[(&str, &str, &str)] = &[
        (arrivals, "{ open = { rate = '1/s', profile = [] } }", "exactly one of rate, profile, diurnal and trace"),
        (arrivals, "{ open = { profile = [] } }", "a profile without corners"),
        (
            arrivals,
            "{ open = { profile = [{ at = '2s', rate = '1/s' }, { at = '1s', rate = '1/s' }] } }",
            "from 2s to 1s",
        ),
        (arrivals, "{ open = { diurnal = { mean = '1/s', amplitude = '5%', period = '0s' } } }", "must be 1ms or more"),
        (
            arrivals,
            "{ open = { rate = '1/s', flash = { at = '1s', lasts = '1s' } } }",
            "exactly one of factor and rate",
        ),
        (arrivals, "{ open = { rate = '1/s', flash = { at = '1s', lasts = '0s', factor = 2 } } }", "no time at all"),
        (arrivals, "{ closed = { clients = 0, gap = '1s' } }", "closed.clients must be from 1"),
        (arrivals, "{ closed = { clients = 1, gap = '0s' } }", "closed.gap is zero"),
        (arrivals, "{ }", "clients.c never come"),
        (
            "length = '1s'",
            "length = '1s'\nactivity = { gamma = { mean = 2, shape = 1.0 } }",
            "has the mean 2, but must have 1",
        ),
        ("length = '1s'", "length = '1s'\naddresses = { nat = { addresses = 0 } }", "addresses must be from 1"),
        ("length = '1s'", "length = '1s'\naffinity = { stick_table = { size = 0 } }", "size must be from 1"),
        ("nodes = 2", "nodes = 2\ngroup.a.count = 2", "both `nodes` and groups"),
        ("nodes = 2", "zones = 2", "the cluster has no nodes"),
        ("nodes = 2", "nodes = 2\nzones = 0", "zones must be from 1"),
        (
            "nodes = 2",
            "group.a = { count = 2, weight = 257 }",
            "cluster.group.a: weight must be from 1 to 256, but is 257",
        ),
        ("nodes = 2", "group.a = { count = 2, speed = 0.0 }", "cluster.group.a: speed must be from 0.001"),
        ("nodes = 2", "group.a = { count = 2, concurency = 3 }", "did you mean `concurrency`?"),
        ("nodes = 2", "group.a = { weight = 2 }", "lacks `count`"),
        (
            "nodes = 2",
            "group.a = { count = 1 }\n[fault.f]\nat = '1s'\nkill = { nodes = ['a-2'] }",
            "there is no node `a-2`",
        ),
    ];
    let (sound, problems) = read(SOUND, Path::new("."));
    assert!(sound.is_some(), "{problems}");
    for (from, to, message) in cases {
        assert!(SOUND.contains(from));
        let (wrong, problems) = read(&SOUND.replace(from, to), Path::new("."));
        assert!(wrong.is_none() && problems.contains(message), "{to}\nshould say: {message}\nbut says: {problems}");
    }
}
