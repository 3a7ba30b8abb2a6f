//! Faults that come at random, or follow something: how often, to whom, for how long, and what they leave alone.

use super::lab::{self, causes, cells, figure, run, simulate, whole};
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use stickysim::base::cause::{Cause, Harm};
use stickysim::base::time::{Duration, Instant};
use stickysim::cluster::Sim;
use stickysim::cluster::plan::Plan;
use stickysim::observe::recorder::{Recording, State};
use stickysim::observe::window::Window;
use stickysim::scenario::{Overrides, Problems, Sources, load};

/// By tick and node: whether it has a process when the tick ends.
fn ups(plan: &Plan, seed: u64) -> Vec<Vec<bool>> {
    let recording = Sim::new(plan, seed, true).run(|| false).expect("nobody stops it").recording;
    recording
        .nodes
        .chunks(plan.nodes.len())
        .map(|nodes| nodes.iter().map(|n| n.state != State::Down).collect())
        .collect()
}

#[test]
fn a_run_begins_in_the_middle_of_a_life() {
    let run = simulate(
        "duration = \"200h\"\ntick = \"10h\"\ncluster.nodes = 1000\n\
         [clients.s]\narrivals = { initial = 1 }\nlength = \"forever\"\nprotocol = \"stream\"\n\
         [balancer]\nhealth = { check = \"none\" }\n\
         [fault.hosts]\nkill = { nodes = { share = \"100%\" } }\nrandom = { up = \"100h\", down = \"1h\" }\n",
    );
    let failures: Vec<f64> = run.ticks.iter().filter(|tick| tick.cluster.is_some()).map(failures).collect();
    // Lives of 100 h of which some part is over: each node fails once in the first 100 h, at any time.
    assert_eq!(failures[..10].iter().sum::<f64>(), 1_000.0);
    assert!(failures[..10].iter().all(|n| (60.0..140.0).contains(n)), "100 ± 4 · 9.5 in each tick: {failures:?}");
    // And again 101 h later.
    assert!((60.0..140.0).contains(&failures[15]), "{failures:?}");
}

fn failures(window: &Window) -> f64 {
    figure(window, "node_failures_total")
}

/// A small cluster under these faults, looked at every second for 20 min.
fn small(faults: &str, sets: &[&str]) -> Plan {
    let text = format!(
        "duration = \"20m\"\nrecovery_hold = \"1s\"\ncluster = {{ nodes = 6, zones = 2 }}\n\
         [clients.s]\narrivals = {{ open = {{ rate = \"2/s\" }}, initial = 60 }}\nlength = {{ exponential = {{ mean = \"30s\" }} }}\n\
         protocol = \"stream\"\n[balancer]\nredispatch = true\n{faults}"
    );
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    cells(&text, &sets).remove(0).plan
}

const HOSTS: &str = "[fault.hosts]\nlose = { nodes = { share = \"100%\" } }\n\
                     random = { up = { exponential = { mean = \"2m\" } }, down = { exponential = { mean = \"30s\" } } }\n";
const APPS: &str = "[fault.apps]\nkill = { nodes = { zone = \"z1\" } }\n\
                    random = { up = { weibull = { mean = \"1m\", shape = 0.7 } }, down = \"20s\" }\n";
const ZONES: &str = "[fault.zones]\nkill = { nodes = { share = \"100%\" } }\n\
                     random = { up = { exponential = { mean = \"3m\" } }, down = \"40s\", each = \"zone\" }\n";
const PLANNED: &str = "[fault.planned]\nat = \"3m\"\nlose = { nodes = [\"n1\", \"n2\"], lasts = \"8m\" }\n";

#[test]
fn a_node_is_up_when_nothing_keeps_it_down() {
    let each = [HOSTS, APPS, ZONES, PLANNED];
    for seed in 1..=5 {
        let alone: Vec<_> = each.iter().map(|fault| ups(&small(fault, &[]), seed)).collect();
        let together = ups(&small(&each.concat(), &[]), seed);
        for (tick, nodes) in together.iter().enumerate() {
            let all = |node: usize| alone.iter().all(|ups| ups[tick][node]);
            assert_eq!(*nodes, (0..6).map(all).collect::<Vec<bool>>(), "seed {seed}, after {tick} s");
        }
        let down_by = |i: usize| alone[i].iter().flatten().filter(|&&up| !up).count();
        assert!((0..4).all(|i| down_by(i) > 100), "or this test is blind");
    }
}

#[test]
fn every_variant_has_the_same_bad_luck() {
    let faults = [HOSTS, APPS, ZONES].concat();
    let base = ups(&small(&faults, &[]), 3);
    for set in ["state.memory={}", "balancer.balance=leastconn", "clients.s.arrivals.open.rate=9/s"] {
        assert_eq!(ups(&small(&faults, &[set]), 3), base, "{set}");
    }
    // Nodes that the others lack change nothing for those that they have.
    let more = ups(&small(&faults, &["cluster.nodes=8"]), 3);
    assert!(more.iter().zip(&base).all(|(more, base)| more[..6] == base[..]));
    assert_ne!(ups(&small(&faults, &[]), 4), base);
}

#[test]
fn a_zone_fails_as_one_and_zones_fail_on_their_own() {
    let looks = ups(&small(ZONES, &[]), 1);
    assert!(looks.iter().all(|up| up[0] == up[2] && up[2] == up[4] && up[1] == up[3] && up[3] == up[5]));
    let seen = |zones: [bool; 2]| looks.iter().any(|up| up[..2] == zones);
    assert!(seen([true, false]) && seen([false, true]) && seen([true, true]));
}

#[test]
fn of_everything_together_another_node_may_be_hit_each_time() {
    let one = "[fault.one]\nkill = { nodes = 1 }\nrandom = { up = \"30s\", down = \"10s\", each = \"all\" }\n";
    let looks = ups(&small(one, &[]), 1);
    assert!(looks.iter().all(|up| up.iter().filter(|&&up| !up).count() <= 1));
    let hit = |node: usize| looks.iter().any(|up| !up[node]);
    assert!((0..6).filter(|&node| hit(node)).count() >= 4, "of thirty failures");
    // A cycle of 40 s, thirty times in 20 min, unless the first or the last is cut.
    let struck = failures(whole(&run(&small(one, &[]), 1)));
    assert!((29.0..=30.0).contains(&struck), "{struck}");
}

#[test]
fn what_comes_at_random_is_no_incident() {
    let recording = run(&small(&[HOSTS, PLANNED].concat(), &[]), 1);
    let names: Vec<u16> = recording.incidents.iter().filter_map(|(_, window)| Some(window.shock?.index)).collect();
    // By name the planned one is the second; once for the population, once for all.
    assert_eq!(names, [1, 1]);
    assert!(failures(whole(&recording)) > 20.0);
}

#[test]
fn users_are_cut_off_for_as_long_as_all_nodes_are_down() {
    let run = simulate(
        "duration = \"1000s\"\ncluster.nodes = 1\n\
         [clients.s]\narrivals = { initial = 10 }\nlength = \"forever\"\nprotocol = \"stream\"\n\
         reconnect = { fixed = { delay = \"100ms\" } }\n[balancer]\nretries = 0\nhealth = { check = \"none\" }\n\
         [fault.host]\nkill = { nodes = [\"n1\"] }\nrandom = { up = \"80s\", down = \"20s\" }\n",
    );
    // Ten people, ten cycles of 100 s; each is back 50 ms late on average.
    let cut_off = figure(whole(&run), "sessions_disconnected_s_total");
    assert!((2_000.0..2_020.0).contains(&cut_off), "{cut_off} s");
    assert_eq!(failures(whole(&run)), 10.0);
    assert_eq!(causes(&whole(&run).totals, Harm::Dropped), [(Cause::Reset, 100)]);
}

/// Ten people who ask a store once a second; it is out for 10 s of every 100 s.
fn shop(kind: &str) -> Recording {
    simulate(&format!(
        "duration = \"1000s\"\ncluster.nodes = 2\n\
         [clients.web]\narrivals = {{ initial = 10 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         reconnect = {{ fixed = {{ delay = \"1s\" }} }}\n[state]\nstore = {{ at = \"s\" }}\n[store.s]\npersists = true\ntimeout = \"100ms\"\n\
         [fault.f]\nrandom = {{ up = \"90s\", down = \"10s\" }}\n{kind} = {{ store = \"s\" }}\n"
    ))
}

#[test]
fn a_store_fails_at_random_too() {
    // A tenth of 10,000; one that hangs is asked every 1.1 s, since each answer takes the timeout.
    for (kind, cause, times) in
        [("store_kill", Cause::StoreDown, 985..=1_015), ("store_hang", Cause::StoreTimeout, 890..=1_000)]
    {
        let run = shop(kind);
        let failed = causes(&whole(&run).totals, Harm::Failed);
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0].0, cause);
        assert!(times.contains(&failed[0].1), "{failed:?}");
        assert_eq!(figure(whole(&run), "store_failures_total"), 10.0);
        assert_eq!(failures(whole(&run)), 0.0, "no node is to blame");
    }
}

/// Everything that a window says, as text.
fn rows(recording: &Recording) -> Vec<String> {
    recording.ticks.iter().map(|tick| format!("{tick:?}")).collect()
}

#[test]
fn taking_a_fault_away_changes_nothing_before_it_and_takes_its_causes_away() {
    let random = "[fault.f]\nkill = { nodes = { share = \"100%\" } }\n\
                  random = { up = { exponential = { mean = \"10m\" } }, down = \"30s\" }\n";
    let planned = "[fault.f]\nat = \"7m\"\nkill = { nodes = 2, lasts = \"30s\" }\n";
    for (fault, seeds) in [(random, 1..=4), (planned, 1..=1)] {
        let mut ticks_before = 0;
        for seed in seeds {
            let (calm, struck) = (run(&small("", &[]), seed), run(&small(fault, &[]), seed));
            let scopes = struck.runs.len();
            let first = struck.ticks.iter().position(|tick| tick.cluster.is_some_and(|c| c.failures.nodes > 0));
            let before = first.expect("it strikes") / scopes * scopes;
            assert_eq!(rows(&struck)[..before], rows(&calm)[..before]);
            assert_ne!(rows(&struck)[before..], rows(&calm)[before..]);
            assert!(!causes(&whole(&struck).totals, Harm::Dropped).is_empty());
            ticks_before += before / scopes;
        }
        assert!(ticks_before > 60, "or it says little: {ticks_before}");
    }
    let calm = run(&small("", &[]), 1);
    for harm in Harm::ALL {
        assert!(causes(&whole(&calm).totals, harm).is_empty(), "{}", harm.name());
    }
}

#[test]
fn one_fault_does_not_disturb_the_course_of_another() {
    let both = run(&small(&[ZONES, PLANNED].concat(), &[]), 2);
    let one = run(&small(PLANNED, &[]), 2);
    let first = both.ticks.iter().position(|tick| tick.cluster.is_some_and(|c| c.failures.nodes > 0));
    let before = first.expect("a zone fails") / both.runs.len() * both.runs.len();
    assert_eq!(rows(&both)[..before], rows(&one)[..before]);
}

#[test]
fn nobody_is_cut_off_when_nothing_goes_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // There the load alone is the trouble: lines are full from the beginning.
    let is_overloaded = |path: &Path| path.file_stem().is_some_and(|stem| stem == "health-check-spiral");
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml") && !is_overloaded(path));
    paths.sort();
    let calm = |path: &Path| -> Vec<String> {
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let loaded = load(path, &Overrides::default(), &mut sources, &mut problems).expect("it is sound");
        let dropped = |cell: &stickysim::scenario::Cell| {
            let mut plan = cell.plan.clone();
            (plan.faults, plan.changes) = (Vec::new(), Vec::new());
            // A minute from the start; two ticks where they are longer.
            let ticks = (60_000_000_000 / plan.tick.as_nanos()).max(2);
            (plan.warmup, plan.end) = (Instant::START, plan.end.min(Instant::START + plan.tick * ticks));
            let dropped = causes(&whole(&run(&plan, 1)).totals, Harm::Dropped);
            (!dropped.is_empty()).then(|| format!("{} {}: {dropped:?}", loaded.name, cell.variant))
        };
        loaded.cells.iter().filter_map(dropped).collect()
    };
    let disturbed: Vec<String> = paths.par_iter().flat_map_iter(|path| calm(path)).collect();
    assert!(disturbed.is_empty(), "{}", disturbed.join("\n"));
}

/// A roll at 2 min, and what comes with it.
fn deploy(faults: &str, sets: &[&str]) -> Plan {
    small(&format!("[change.roll]\nat = \"2m\"\nrolling = {{ restart = \"10s\" }}\n{faults}"), sets)
}

#[test]
fn a_fault_follows_a_change_and_another_follows_that() {
    let first = "[fault.first]\nkill = { nodes = [\"n5\"], lasts = \"1m\" }\n";
    let second = "[fault.second]\nkill = { nodes = [\"n6\"], lasts = \"1m\" }\n";
    let follow = format!(
        "{first}after = {{ of = \"change.roll\", by = \"30s\" }}\n{second}after = {{ of = \"fault.first\", by = \"5s\" }}\n"
    );
    let timed = format!("{first}at = \"150s\"\n{second}at = \"155s\"\n");
    let same = |a: &Plan, b: &Plan| assert_eq!(format!("{a:?}"), format!("{b:?}"));
    same(&deploy(&follow, &[]), &deploy(&timed, &[]));
    // Where the change goes they go too.
    let later = deploy(&follow, &["change.roll.at=4m"]);
    let begins: Vec<Option<Instant>> = later.faults.iter().map(|fault| fault.at()).collect();
    assert_eq!(begins, [270, 275].map(|secs| Some(Instant::START + Duration::from_secs(secs))));
    let ready = figure(whole(&lab::run(&later, 1)), "nodes_ready_min");
    assert_eq!(ready, 3.0, "one in its turn, two by the faults");
}

#[test]
fn a_patch_may_say_in_another_way_when_a_fault_comes() {
    let random = "fault.planned.random={ up = \"1m\", down = \"1m\" }";
    let patched = cells(
        "duration = \"20m\"\ncluster.nodes = 2\n[clients.s]\narrivals = { initial = 1 }\nlength = \"forever\"\n\
             protocol = \"stream\"\n[fault.planned]\nat = \"3m\"\nkill = { nodes = [\"n1\"] }\n",
        &[random.to_owned()],
    );
    assert_eq!(patched[0].plan.faults[0].at(), None);
}
