//! Several balancers side by side, and balancers that begin anew: measured figures of HAProxy (E9, E9b, E10), and
//! what each of them knows of the others.

use crate::lab::{causes, figure, plan, run, simulate, whole};
use rayon::prelude::*;
use std::path::PathBuf;
use stickysim::base::cause::{Cause, Harm};
use stickysim::base::id::NodeId;
use stickysim::base::time::Instant;
use stickysim::cluster::Sim;
use stickysim::cluster::balancer::Route;
use stickysim::cluster::balancer::balance::{Ask, Asker, Key};
use stickysim::cluster::balancer::instances::{Instances, Setting};
use stickysim::cluster::balancer::view::Word;
use stickysim::cluster::balancer::view::active::Outcome;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{Reconnected, Started, Succeeded};
use tempfile::TempDir;

/// The rows of a measurement, split at the commas; comments and header left out.
fn rows(text: &'static str) -> Vec<Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split(',').collect()).collect()
}

const E9: &str = include_str!("../data/reality/e9_spread.csv");
const E9B: &str = include_str!("../data/reality/e9b_gains.csv");
const E10: &str = include_str!("../data/reality/e10_moves.csv");

/// Repetitions of the simulator against which a measurement is held.
const SEEDS: u64 = 60;
/// Student's t for an interval of 99 % with as many degrees of freedom less one.
const T: f64 = 2.662;

/// Holds the mean of measured repetitions to the simulator's 99 % prediction interval for that many; what differs
/// is told.
fn compare(what: &str, measured: &[f64], simulated: &[f64]) -> Option<String> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (m, n) = (mean(simulated), simulated.len() as f64);
    let variance = simulated.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (n - 1.0);
    let half: f64 = T * (variance * (1.0 / measured.len() as f64 + 1.0 / n)).sqrt();
    let real = mean(measured);
    ((real - m).abs() > half).then(|| format!("{what}: measured {real:.4}, simulated {m:.4} ± {half:.4}"))
}

/// Ticks of E9: so short that an average over one is a sample.
const TICK: &str = "10ms";
const TICKS_PER_SECOND: usize = 100;

/// Mean of the standard deviation (divided by n) of the connections per node, taken once a second from 20 s on.
fn sd_of_connections(recording: &Recording, nodes: usize) -> f64 {
    let samples: Vec<f64> = recording
        .nodes
        .chunks(nodes)
        .skip(20 * TICKS_PER_SECOND)
        .step_by(TICKS_PER_SECOND)
        .map(|tick| {
            let mean = tick.iter().map(|node| node.connections).sum::<f64>() / nodes as f64;
            (tick.iter().map(|node| (node.connections - mean) * (node.connections - mean)).sum::<f64>() / nodes as f64)
                .sqrt()
        })
        .collect();
    samples.iter().sum::<f64>() / samples.len() as f64
}

#[test]
fn e9_balancers_that_do_not_know_of_each_other_are_less_even() {
    let mut outside = Vec::new();
    for (kind, algorithm, instances) in [
        ("churn", "leastconn", 1),
        ("churn", "leastconn", 2),
        ("churn", "roundrobin", 2),
        ("churn", "random2", 2),
        ("static", "leastconn", 1),
        ("static", "leastconn", 2),
    ] {
        let measured: Vec<f64> = rows(E9)
            .iter()
            .filter(|row| row[0] == kind && row[1] == algorithm && row[2] == instances.to_string())
            .map(|row| row[5].parse().unwrap())
            .collect();
        assert_eq!(measured.len(), 5, "{kind} {algorithm} {instances}");
        let (duration, people) = match kind {
            "churn" => {
                ("50s", "{ open = { rate = '20/s' }, initial = 0 }\nlength = { exponential = { mean = '10s' } }")
            }
            _ => ("21s", "{ initial = 1005 }\nlength = 'forever'"),
        };
        // Over its uneven ring, as HAProxy draws.
        let balance = algorithm.replace("random2", "haproxy_random");
        let plan = plan(&format!(
            "duration = '{duration}'\nwarmup = '20s'\ntick = '{TICK}'\ncluster.nodes = 10\n\
             [clients.c]\narrivals = {people}\nprotocol = 'stream'\n\
             [balancer]\nbalance = '{balance}'\ninstances = {instances}\n"
        ));
        let sd = |seed| sd_of_connections(&Sim::new(&plan, seed, true).run(|| false).unwrap().recording, 10);
        let simulated: Vec<f64> = (1..=SEEDS).into_par_iter().map(sd).collect();
        outside.extend(compare(&format!("{kind} {algorithm} × {instances}"), &measured, &simulated));
    }
    assert!(outside.is_empty(), "{outside:#?}");
}

/// Connections that each node gains, and how many of the 200 new ones came through to one.
fn gains(instances: u32, below: &str) -> Vec<f64> {
    let folder = TempDir::new().unwrap();
    let starts: PathBuf = folder.path().join("starts.csv");
    // One after the other, when the tenth node has been seen.
    let times: Vec<String> = (0..200).map(|i| format!("{}ms", 20_000 + 50 * i)).collect();
    std::fs::write(&starts, times.join("\n")).unwrap();
    let plan = plan(&format!(
        "duration = '40s'\ncluster.nodes = 9\n[clients]\nheld = {{ arrivals = {{ initial = 900 }}, length = 'forever', \
         protocol = 'stream' }}\nnew = {{ arrivals = {{ open = {{ trace = {{ file = {starts:?} }} }} }}, \
         length = 'forever', protocol = 'stream' }}\n\
         [balancer]\nbalance = 'leastconn'\ninstances = {instances}\nspread = 'turn'\n\
         [change.more]\nat = '5s'\nscale_out = {{ nodes = 1 }}\n{below}"
    ));
    let recording = run_with_nodes(&plan, 1);
    let at = |tick: usize| recording.nodes[tick * 10..(tick + 1) * 10].iter().map(|node| node.connections);
    assert_eq!(at(18).collect::<Vec<_>>(), [&[100.0; 9][..], &[0.0]].concat());
    at(39).zip(at(18)).map(|(after, before)| after - before).collect()
}

fn run_with_nodes(plan: &stickysim::cluster::plan::Plan, seed: u64) -> Recording {
    Sim::new(plan, seed, true).run(|| false).expect("nobody stops it").recording
}

fn measured_gains(through: &str) -> Vec<f64> {
    let rows = rows(E9B);
    let row = rows.iter().find(|row| row[0] == through).expect("it was measured");
    row[1..].iter().map(|gain| gain.parse().unwrap()).collect()
}

#[test]
fn e9b_new_connections_make_up_for_what_their_own_balancer_counts() {
    assert_eq!(gains(1, ""), measured_gains("same"));
    assert_eq!(gains(2, ""), measured_gains("both"));
    // A new process knows nothing of what the old one holds.
    assert_eq!(gains(1, "[change.again]\nat = '15s'\nreload = {}\n"), measured_gains("reload"));
}

/// Somebody whose keys do not matter.
struct Anybody;

impl Asker for Anybody {
    fn hash_of(&self, _: Key) -> u64 {
        7
    }
}

#[test]
fn e9b_another_balancer_knows_nothing_of_what_the_first_holds() {
    let plan = plan(
        "duration = '1s'\ncluster.nodes = 10\n[clients.c]\narrivals = { initial = 1 }\nlength = 'forever'\n\
         protocol = 'stream'\n[balancer]\nbalance = 'leastconn'\ninstances = 2\n",
    );
    let (members, affinities) = (plan.members(), plan.affinities());
    let setting = Setting { spec: &plan.balancer, members: &members, affinities: &affinities, seed: 1 };
    let mut balancers = Instances::new(setting);
    let [first, other] = [0, 1].map(|instance| balancers.serving(instance));
    let tenth = NodeId(9);
    balancers.each(|balancer| balancer.hold_back(tenth));
    let mut connections = [[0.0; 10]; 2];
    let mut open = |balancers: &mut Instances, via, times| {
        for _ in 0..times {
            let Route::To(node) = balancers[via].route(&Ask { asker: &Anybody, avoid: None, room: None }, None) else {
                panic!()
            };
            balancers[via].sent(node);
            connections[usize::from(via == other)][node.index()] += 1.0;
        }
    };
    open(&mut balancers, first, 900);
    balancers.each(|balancer| {
        balancer.say(Instant::START, tenth, Word::Joined);
        balancer.pass(Instant::START);
    });
    for _ in 0..2 {
        balancers.each(|balancer| {
            balancer.checked(Instant::START, tenth, Outcome::Good);
        });
    }
    open(&mut balancers, other, 200);
    assert_eq!(connections[0], [[100.0; 9].as_slice(), &[0.0]].concat()[..]);
    assert_eq!(connections[1].to_vec(), measured_gains("other"));
}

/// Eight nodes and four hundred clients who ask every ten seconds; n3 is down from 30 s to 60 s, and the balancer is
/// restarted at 90 s.
fn e10(balancer: &str) -> String {
    format!(
        "duration = '130s'\ncluster.nodes = 8\n[clients.c]\narrivals = {{ initial = 400 }}\nlength = 'forever'\n\
         think = '10s'\nservice = '0s'\n[fault.crash]\nat = '30s'\nkill = {{ nodes = ['n3'], lasts = '30s' }}\n\
         [change.restart]\nat = '90s'\nreload = {{ hard_stop_after = '0s' }}\n\
         [balancer]\nredispatch = true\nhealth = {{ interval = '1ms', fall = 2, rise = 2 }}\n{balancer}\n"
    )
}

/// Share of the clients who moved within these seconds.
fn moved(recording: &Recording, from: usize, to: usize) -> f64 {
    let all = recording.ticks.iter().filter(|tick| tick.cluster.is_some());
    all.skip(from).take(to - from).map(|tick| tick.totals.total(Harm::Moved)).sum::<u64>() as f64 / 400.0
}

#[test]
fn e10_who_survives_the_death_of_a_server_and_a_restart_of_the_balancer() {
    for (stickiness, balancer) in [
        ("cookie", "affinity = 'cookie'"),
        ("table", "affinity = { stick_table = { size = 100_000, expire = '10m' } }"),
        ("table_peers", "affinity = { stick_table = { size = 100_000, expire = '10m', peers = true } }"),
    ] {
        let plan = plan(&e10(balancer));
        let runs: Vec<Recording> = (1..=SEEDS).map(|seed| run(&plan, seed)).collect();
        for (column, what, (from, to)) in [(2, "crash", (30, 60)), (3, "return", (60, 90)), (4, "restart", (90, 130))] {
            let rows = rows(E10);
            let of_this = rows.iter().filter(|row| row[0] == stickiness);
            let measured: Vec<f64> = of_this.map(|row| row[column].parse().unwrap()).collect();
            let simulated: Vec<f64> = runs.iter().map(|run| moved(run, from, to)).collect();
            assert_eq!(compare(&format!("{stickiness}, {what}"), &measured, &simulated), None);
        }
        let failed = runs.iter().map(|run| whole(run).totals.total(Harm::Failed)).sum::<u64>();
        assert_eq!(failed, 0, "{stickiness}: none failed");
    }
}

#[test]
fn e10_hashes_do_not_care_which_process_computes_them() {
    for balance in ["'ring'", "'source'", "{ hash = { key = 'header' } }"] {
        let recording = simulate(&e10(&format!("balance = {balance}")));
        assert!(moved(&recording, 30, 60) > 0.1, "{balance}");
        assert_eq!(moved(&recording, 30, 60), moved(&recording, 60, 90), "{balance}: there and back");
        assert_eq!(moved(&recording, 90, 130), 0.0, "{balance}");
    }
}

/// A hundred clients of four nodes who ask every second, and something that happens to their balancers.
fn hundred(protocol: &str, balancer: &str, below: &str) -> String {
    format!(
        "duration = '60s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 100 }}\nlength = 'forever'\n\
         protocol = '{protocol}'\nthink = '1s'\nservice = '100ms'\nreconnect = {{ fixed = {{ delay = '1s' }} }}\n\
         [cluster.node]\nconcurrency = 100\n[balancer]\nretries = 0\n{balancer}\n{below}\n"
    )
}

fn reload(at: u32, params: &str) -> String {
    format!("[change.reload]\nat = '{at}s'\nreload = {{ {params} }}\n")
}

/// What was dropped, and what failed.
fn harm(recording: &Recording) -> [Vec<(Cause, u64)>; 2] {
    [Harm::Dropped, Harm::Failed].map(|harm| causes(&whole(recording).totals, harm))
}

#[test]
fn a_reload_cuts_nobody() {
    for protocol in ["request", "keepalive", "stream"] {
        let recording = simulate(&hundred(protocol, "instances = 2\naffinity = 'cookie'", &reload(30, "")));
        assert_eq!(harm(&recording), [vec![], vec![]], "{protocol}");
        assert_eq!(figure(whole(&recording), "sessions_moved_total"), 0.0, "{protocol}");
    }
}

#[test]
fn a_hard_stop_cuts_what_is_left_and_says_so() {
    let stop = |protocol, after| simulate(&hundred(protocol, "", &reload(30, &format!("hard_stop_after = '{after}'"))));
    let streams = stop("stream", "10s");
    assert_eq!(causes(&whole(&streams).totals, Harm::Dropped), [(Cause::BalancerStopped, 100)]);
    assert_eq!(whole(&streams).totals[Reconnected], 100);
    let tick = streams.ticks.iter().filter(|tick| tick.cluster.is_some());
    let dropped: Vec<u64> = tick.map(|tick| tick.totals.total(Harm::Dropped)).collect();
    assert_eq!(dropped.iter().position(|&dropped| dropped > 0), Some(40), "not before the time is over");
    // Short requests are over by then; those in hand at a restart are not.
    assert_eq!(harm(&stop("request", "10s")), [vec![], vec![]]);
    let [dropped, failed] = harm(&stop("request", "0s"));
    assert!((2..30).contains(&failed[0].1), "about one in eleven: {failed:?}");
    assert_eq!((failed[0].0, failed.len()), (Cause::BalancerStopped, 1));
    assert_eq!(dropped, failed);
}

#[test]
fn a_request_that_a_hard_stop_cuts_is_tried_again_through_the_new_process() {
    let retry = "[clients.c.retry]\nattempts = 1\nbackoff = { fixed = { delay = '100ms' } }\n";
    let recording = simulate(&hundred("request", "", &(reload(30, "hard_stop_after = '0s'") + retry)));
    assert_eq!(harm(&recording), [vec![], vec![]]);
    assert!(figure(whole(&recording), "attempts_total") > figure(whole(&recording), "requests_issued_total"));
}

#[test]
fn work_that_a_hard_stop_orphans_goes_on() {
    // Every request takes 20 s; those in hand at 30 s are worked off for nobody.
    let long = hundred("request", "", &reload(30, "hard_stop_after = '0s'")).replace("100ms", "20s");
    let recording = simulate(&long);
    assert!(figure(whole(&recording), "wasted_work_ratio") > 0.3);
    assert!(whole(&recording).totals[Succeeded] > 100);
}

#[test]
fn a_new_process_has_not_heard_what_the_operator_said() {
    let text = |state_file| {
        let drain = "[change.drain]\nat = '10s'\ndrain = { nodes = ['n1'] }\n";
        let later = "[clients.later]\narrivals = { open = { rate = '10/s' }, initial = 0 }\nlength = 'forever'\n\
                     think = '1s'\nservice = '1ms'\n";
        let below = format!("{drain}{later}{}", reload(20, &format!("state_file = {state_file}")));
        hundred("request", "affinity = 'cookie'", &below)
    };
    let on_n1 = |state_file, tick| crate::lab::node_sessions(&text(state_file), "n1", tick);
    assert_eq!(on_n1(true, 59), on_n1(true, 15), "the state file keeps the drain");
    assert_eq!(on_n1(false, 15), on_n1(false, 19));
    assert!(on_n1(false, 59) > on_n1(false, 19) + 50.0, "a quarter of some four hundred");
}

#[test]
fn a_new_process_takes_a_dead_node_to_be_up_until_its_checks_fail() {
    let text = |state_file| {
        let kill = "[fault.crash]\nat = '10s'\nkill = { nodes = ['n1'] }\n";
        let below = format!("{kill}{}", reload(30, &format!("state_file = {state_file}")));
        hundred("request", "", &below)
    };
    let failed_after = |state_file| {
        let recording = simulate(&text(state_file));
        let all = recording.ticks.iter().filter(|tick| tick.cluster.is_some());
        all.skip(30).map(|tick| tick.totals.total(Harm::Failed)).sum::<u64>()
    };
    assert!(failed_after(false) > 50, "a quarter of some ninety requests a second, for seconds");
    assert_eq!(failed_after(true), 0);
}

#[test]
fn a_new_process_is_not_told_of_nodes_that_have_left() {
    let below = format!("[change.fewer]\nat = '10s'\nscale_in = {{ nodes = ['n1'] }}\n{}", reload(50, ""));
    let recording = simulate(&hundred("request", "redispatch = true", &below));
    assert_eq!(harm(&recording), [vec![], vec![]]);
}

#[test]
fn an_old_process_checks_no_more() {
    // n1 stands still from 40 s on; who finds out cuts its streams.
    let below = |reload: &str| format!("[fault.stuck]\nat = '40s'\nfreeze = {{ nodes = ['n1'] }}\n{reload}");
    let balancer = "on_marked_down = 'shutdown_sessions'\nhealth = { check = 'http', interval = '1s' }";
    let cut = |reload: &str| {
        let recording = simulate(&hundred("stream", balancer, &below(reload)));
        whole(&recording).totals.of(Harm::Dropped, Cause::MarkedDown)
    };
    assert_eq!(cut(""), 25);
    assert_eq!(cut(&reload(30, "")), 0);
}

#[test]
fn a_reload_is_over_when_the_last_old_connection_is() {
    // A minute of streams of ten seconds each.
    let text = format!(
        "duration = '60s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ open = {{ rate = '10/s' }} }}\nlength = '10s'\n\
         protocol = 'stream'\n[balancer]\ninstances = 2\n{}",
        reload(20, "pause = '5s'")
    );
    let recording = simulate(&text);
    let took = figure(crate::lab::incident(&recording), "rollout_time_s");
    assert!((14.5..=15.2).contains(&took), "the second begins 5 s later and drains for 10 s: {took}");
}

#[test]
fn balancers_that_are_reloaded_all_the_time_send_everybody_to_the_first_node() {
    // haproxy/haproxy#1282: endpoints change all the time, and every reload begins the rotation anew.
    let on_n1 = |times: &str| {
        let text = format!(
            "duration = '100s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ open = {{ rate = '1/s' }}, initial = 0 }}\n\
             length = 'forever'\nprotocol = 'stream'\n{}",
            reload(1, times)
        );
        let plan = plan(&text);
        let recording = run_with_nodes(&plan, 1);
        let last = &recording.nodes[recording.nodes.len() - 4..];
        last[0].connections / last.iter().map(|node| node.connections).sum::<f64>()
    };
    assert!(on_n1("times = 900, every = '100ms'") > 0.8);
    assert!((on_n1("") - 0.25).abs() < 0.02);
}

#[test]
fn a_session_meets_one_balancer_a_request_any_and_a_turn_the_next() {
    // A table that its neighbours do not know: who meets another balancer is another's.
    let moved = |spread: &str, peers: bool| {
        let table = format!("affinity = {{ stick_table = {{ peers = {peers} }} }}");
        let text = hundred("request", &format!("instances = 3\nspread = '{spread}'\n{table}"), "");
        causes(&whole(&simulate(&text)).totals, Harm::Moved)
    };
    assert_eq!(moved("session", false), []);
    assert_eq!(moved("turn", false), []);
    let wandering = moved("request", false);
    assert_eq!(wandering.iter().map(|&(cause, _)| cause).collect::<Vec<_>>(), [Cause::Forgotten, Cause::Recalled]);
    assert!(wandering[1].1 > 1_000, "again and again: {wandering:?}");
    assert_eq!(moved("request", true), [], "peers know what the others learn");
}

#[test]
fn sessions_in_turn_are_even_over_balancers_and_at_random_they_are_not() {
    // Three round robins begin at the same node: with 300 sessions in turn each deals out a hundred.
    let peak = |spread: &str| {
        let text = format!(
            "duration = '10s'\ncluster.nodes = 3\n[clients.c]\narrivals = {{ open = {{ rate = '100/s' }}, initial = 0 }}\n\
             length = 'forever'\nprotocol = 'stream'\n[balancer]\ninstances = 3\nspread = '{spread}'\n"
        );
        let recording = simulate(&text);
        assert!(whole(&recording).totals[Started] > 900);
        let last = recording.ticks.last().unwrap();
        figure(last, "connections_peak_to_mean")
    };
    assert!(peak("turn") < 1.005, "{}", peak("turn"));
}
