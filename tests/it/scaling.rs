//! More nodes and fewer: whom it takes away, by what it decides, and what becomes of the sessions. Figures are mental
//! arithmetic, or those of the closed forms beside them; the arithmetic of decisions has its own table (`reckon`).

use super::lab::{causes, figure, incident, plan, run, simulate, whole};
use super::predictions::near;
use rayon::prelude::*;
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;

/// What a column shows at each tick.
fn course(recording: &Recording, name: &str) -> Vec<f64> {
    let scopes = recording.runs.len();
    recording.ticks.iter().skip(scopes - 1).step_by(scopes).map(|tick| figure(tick, name)).collect()
}

/// 31 streams that never end on three nodes, 11 + 10 + 10; a fourth node comes at 1 s and stays empty; one node goes at
/// 10 s. Those who are cut.
fn cut_by(victim: &str) -> u64 {
    let text = format!(
        "duration = \"20s\"\n[cluster]\nnodes = 3\n[clients.s]\narrivals.initial = 31\nlength = \"forever\"\n\
         protocol = \"stream\"\nreconnect_at_once = true\n[balancer]\nbalance = \"roundrobin\"\n\
         [change.a]\nat = \"1s\"\nscale_out = {{ nodes = 1 }}\n\
         [change.b]\nat = \"10s\"\nscale_in = {{ nodes = 1, drain_timeout = \"5s\"{victim} }}\n"
    );
    let recording = simulate(&text);
    let totals = &whole(&recording).totals;
    let dropped = totals.total(Harm::Dropped);
    let expected: &[(Cause, u64)] = if dropped > 0 { &[(Cause::ScaleIn, dropped)] } else { &[] };
    assert_eq!(causes(totals, Harm::Dropped), expected);
    dropped
}

#[test]
fn a_scale_in_takes_whom_its_rule_names() {
    let cut = |rule: &str| cut_by(&format!(", victim = {rule}"));
    assert_eq!(["\"newest\"", "\"fewest_sessions\"", "\"reverse\""].map(cut), [0, 0, 0], "the fourth");
    assert_eq!(["\"oldest\"", "\"most_sessions\"", "\"forward\""].map(cut), [11, 11, 11], "the first");
    assert_eq!(["[\"n3\"]", "[\"n2\", \"n1\"]"].map(cut), [10, 10]);
    assert!([0, 10, 11].contains(&cut("\"random\"")));
}

#[test]
fn who_is_not_up_goes_before_all_others() {
    // n3 has been killed when one is to go: by age it would be n1.
    let text = "duration = \"30s\"\n[cluster]\nnodes = 3\n[clients.s]\narrivals.initial = 30\nlength = \"forever\"\n\
                protocol = \"stream\"\nreconnect_at_once = true\n[balancer]\nhealth.interval = \"1s\"\n\
                [fault.f]\nat = \"5s\"\nkill = { nodes = [\"n3\"], lasts = \"10s\" }\n\
                [change.c]\nat = \"12s\"\nscale_in = { nodes = 1, victim = \"oldest\" }\n";
    let recording = simulate(text);
    assert_eq!(causes(&whole(&recording).totals, Harm::Dropped), [(Cause::Reset, 10)], "nobody else is cut");
    assert_eq!(course(&recording, "nodes_ready_mean")[29], 2.0);
}

/// Requests one by one, so many busy slots in the mean, on nodes of 8; `first` nodes at first.
fn stateless(busy: f64, first: u32, autoscaler: &str) -> String {
    format!(
        "duration = \"40m\"\ntick = \"15s\"\n[cluster]\nnodes = {first}\n[cluster.autoscaler]\n{autoscaler}\n\
         [clients.w]\narrivals = {{ open.rate = \"{}/s\", initial = 0 }}\nrequests = 1\nthink = \"0s\"\n\
         service = {{ exponential = {{ mean = \"200ms\" }} }}\n[balancer]\nbalance = \"leastconn\"\n\
         health.interval = \"1s\"\n",
        busy * 5.0
    )
}

#[test]
fn without_anything_sticky_it_settles_at_the_number_of_nodes_that_the_load_asks_for() {
    // 25 busy slots at 70 % of 8 are 4.46 nodes: 5 of them run at 62.5 %. In whatever unit that is said.
    let targets = ["target.cpu_mean = \"70%\"", "target.requests = \"28/s\"", "target.cpu_max = \"72%\""];
    let cases: Vec<(u32, &str, u64)> =
        [2, 12].iter().flat_map(|&n| targets.map(|target| [1, 2].map(|seed| (n, target, seed)))).flatten().collect();
    cases.into_par_iter().for_each(|(first, target, seed)| {
        let text = stateless(25.0, first, &format!("nodes_max = 12\n{target}"));
        let recording = run(&plan(&text), seed);
        let wanted = course(&recording, "nodes_wanted_mean");
        let settled = &wanted[wanted.len() - 20..];
        assert!(settled.iter().all(|&nodes| nodes == 5.0), "{target} from {first}, seed {seed}: {wanted:?}");
        assert_eq!(whole(&recording).totals.total(Harm::Failed), 0);
    });
}

#[test]
fn it_looks_every_fifteen_seconds_and_a_node_takes_its_time_to_come() {
    // 2 nodes can't do it: the first look orders more, whose machines take 40 s and whose processes 20 s.
    let text = stateless(25.0, 2, "nodes_max = 12\ntarget.cpu_mean = \"70%\"\nstart = \"40s\"")
        .replace("nodes = 2\n", "nodes = 2\nnode.start = \"20s\"\n")
        .replace("tick = \"15s\"", "tick = \"1s\"");
    let recording = simulate(&text);
    let (wanted, ready) = (course(&recording, "nodes_wanted_mean"), course(&recording, "nodes_ready_mean"));
    let first = |course: &[f64]| course.iter().position(|&nodes| nodes > 2.0).unwrap();
    assert_eq!((wanted[14], first(&wanted), wanted[15]), (2.0, 15, 3.0), "⌈2 · 1.0 / 0.7⌉");
    assert_eq!(first(&ready), 75);
    // While they come the others are full: 2 · 1.0 of 3 nodes is within 10 % of 70 %.
    assert!(wanted[15..75].iter().all(|&nodes| nodes == 3.0), "{:?}", &wanted[..80]);
}

#[test]
fn a_schedule_is_kept_and_nodes_come_back_as_new_ones() {
    // Three minutes with 4 nodes and three with 2, by the clock alone; everybody is asked to leave who is on the others.
    let text = "duration = \"2h\"\ntick = \"15s\"\n[cluster]\nnodes = 2\n[cluster.autoscaler]\nnodes_max = 4\n\
                down = { window = \"0s\", victim = \"oldest\", drain_timeout = \"0s\" }\n\
                schedule = { steps = [{ at = \"0s\", nodes = 4 }, { at = \"3m\", nodes = 2 }], every = \"6m\" }\n\
                [clients.s]\narrivals.initial = 40\nlength = \"forever\"\nprotocol = \"stream\"\n\
                reconnect_at_once = true\n[balancer]\nbalance = \"leastconn\"\nhealth.interval = \"1s\"\n";
    let recording = simulate(text);
    let wanted = course(&recording, "nodes_wanted_mean");
    assert_eq!((wanted[0], &wanted[1..12], &wanted[12..24]), (2.0, &[4.0; 11][..], &[2.0; 12][..]));
    let window = whole(&recording);
    assert_eq!([figure(window, "scale_outs_total"), figure(window, "scale_ins_total")], [20.0, 20.0]);
    // The two oldest go: at first all 40 are on them, later those who came back to the two that stay.
    assert_eq!(figure(window, "node_restarts_total"), 0.0, "new ones are not the old ones started again");
    near("node hours", figure(window, "node_hours_total"), 6.0 - 0.5 / 60.0, 1e-9);
    // 40 are on the first two, and again on the two that are left: all are cut each time.
    assert_eq!(causes(&window.totals, Harm::Dropped), [(Cause::ScaleIn, 20 * 40)]);
}

#[test]
fn sticky_sessions_do_not_go_to_the_nodes_that_it_adds() {
    // S2 by the autoscaler: an old node holds 1 + exp(−t/m)/2 of its share, a new one 1 − exp(−t/m).
    let text = "duration = \"2h\"\ntick = \"10s\"\n[cluster]\nnodes = 4\n[cluster.autoscaler]\nnodes_max = 6\n\
                nodes_min = 4\nsync = \"10s\"\nschedule.steps = [{ at = \"0s\", nodes = 6 }]\n\
                [clients.web]\narrivals.open.rate = \"20/s\"\nlength = { exponential = { mean = \"30m\" } }\n\
                think = { exponential = { mean = \"10m\" } }\nservice = \"1ms\"\n\
                [balancer]\naffinity = \"cookie\"\nredispatch = true\nhealth.interval = \"1s\"\n";
    let plan = plan(text);
    let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
    let shares = |minutes: f64| {
        let tick = (minutes * 6.0) as usize;
        let nodes = &recording.nodes[tick * plan.nodes.len()..][..6];
        let fair = nodes.iter().map(|node| node.sessions).sum::<f64>() / 6.0;
        let mean = |nodes: &[_]| nodes.iter().map(|node: &_| sessions(node)).sum::<f64>() / nodes.len() as f64 / fair;
        (mean(&nodes[..4]), mean(&nodes[4..]))
    };
    near("an old node after m·ln 5", shares(30.0 * libm::log(5.0)).0, 1.1, 0.012);
    near("a new node after m·ln 10", shares(30.0 * libm::log(10.0)).1, 0.9, 0.02);
}

fn sessions(node: &stickysim::observe::recorder::NodeTick) -> f64 {
    node.sessions
}

#[test]
fn it_leaves_alone_whom_a_change_has_in_hand() {
    // n3 is in maintenance and goes first of all by its rule: but somebody else has it.
    let text = "duration = \"60s\"\n[cluster]\nnodes = 3\n[cluster.autoscaler]\nnodes_max = 3\n\
                schedule.steps = [{ at = \"0s\", nodes = 3 }, { at = \"20s\", nodes = 2 }]\n\
                down = { window = \"0s\", victim = [\"n3\"] }\n[clients.s]\narrivals.initial = 30\nlength = \"forever\"\n\
                protocol = \"stream\"\n[change.m]\nat = \"10s\"\nmaint = { nodes = [\"n3\"], lasts = \"30s\" }\n";
    let recording = simulate(text);
    let ready = course(&recording, "nodes_ready_mean");
    assert_eq!((ready[5], ready[15], ready[59]), (3.0, 2.0, 2.0));
    assert_eq!(figure(incident(&recording), "scale_ins_total"), 1.0);
}
