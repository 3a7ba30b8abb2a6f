//! Do the clients of products wait as their documentation says? `tests/data/clients/schedules.toml` holds the waits,
//! worked out by hand; here they are held against the presets, drawn alone and seen in whole runs.

use super::lab::{cells, plan, run, whole};
use serde::Deserialize;
use stickysim::base::draw::Stream;
use stickysim::cluster::client::Population;
use stickysim::observe::totals::Counter::{Connects, GaveUp, Refused};
use stickysim::scenario::presets;

#[derive(Deserialize)]
struct Data {
    client: Vec<Schedule>,
}

/// The waits of one product.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedule {
    preset: String,
    source: String,
    /// Shortest, longest, mean [s].
    waits: Vec<[f64; 3]>,
    /// Whether there are no more.
    #[serde(default)]
    stops: bool,
    /// How many of them are used to send a request again; none: they are for coming back.
    attempts: Option<u32>,
}

fn schedules() -> Vec<Schedule> {
    let data: Data = toml::from_str(include_str!("../data/clients/schedules.toml")).expect("schedules.toml is sound");
    data.client
}

/// A population with this preset and these keys, in a cluster of one node.
fn scene(keys: &str) -> String {
    format!(
        "duration = '10m'\ncluster.nodes = 1\n[balancer]\nretries = 0\nhealth.interval = '1h'\nconnect_timeout = '1h'\n\
         [clients.c]\narrivals.initial = 10\nlength = 'forever'\nthink = '1h'\nservice = '1ms'\n{keys}"
    )
}

fn people(keys: &str) -> Population {
    plan(&scene(keys)).populations.remove(0)
}

const DRAWS: u64 = 200_000;

/// Shortest, longest and mean wait before try `k`, and the standard deviation [s].
fn drawn(people: &Population, schedule: &Schedule, k: u32) -> [f64; 4] {
    let at_once = schedule.attempts.is_none() && people.reconnect_at_once;
    let rule = match (&people.retry, schedule.attempts) {
        (Some(retry), Some(_)) => &retry.backoff,
        _ => &people.reconnect,
    };
    let stream = Stream::new(1, "test", &schedule.preset);
    let wait = |who| match (at_once, k) {
        (true, 1) => 0.0,
        (true, k) => rule.wait(k - 1, |back| stream.at(who, u64::from(k - back))).as_secs_f64(),
        (false, k) => rule.wait(k, |back| stream.at(who, u64::from(k - back))).as_secs_f64(),
    };
    let (mut min, mut max, mut sum, mut squares) = (f64::MAX, 0.0f64, 0.0, 0.0);
    for wait in (0..DRAWS).map(wait) {
        (min, max, sum, squares) = (min.min(wait), max.max(wait), sum + wait, squares + wait * wait);
    }
    let mean = sum / DRAWS as f64;
    [min, max, mean, (squares / DRAWS as f64 - mean * mean).max(0.0).sqrt()]
}

#[test]
fn the_first_ten_waits_of_every_product_are_those_documented() {
    let schedules = schedules();
    let names: Vec<&str> = presets::CLIENTS.iter().map(|preset| preset.name).collect();
    assert_eq!(names, schedules.iter().map(|schedule| schedule.preset.as_str()).collect::<Vec<_>>());
    for schedule in &schedules {
        let people = people(&format!("preset = '{}'", schedule.preset));
        let (name, source) = (&schedule.preset, &schedule.source);
        let stops = people.give_up_after.map(|most| most as usize);
        assert_eq!(stops, schedule.stops.then_some(schedule.waits.len()), "{name} stops ({source})");
        assert!(schedule.stops || schedule.waits.len() == 10, "{name}");
        assert_eq!(people.retry.as_ref().map(|retry| retry.attempts), schedule.attempts, "{name} ({source})");
        for (k, &[shortest, longest, exact]) in (1..).zip(&schedule.waits) {
            let [min, max, mean, sd] = drawn(&people, schedule, k);
            // Of 200,000 uniform draws the extremes lie within a few hundred-thousandths of the ends.
            let end = 2e-6 + (longest - shortest) * 2e-4;
            assert!((0.0..=end).contains(&(min - shortest + 1e-6)), "{name}: wait {k} from {min} s, not {shortest} s");
            assert!((0.0..=end).contains(&(longest - max + 1e-6)), "{name}: wait {k} to {max} s, not {longest} s");
            let error = 5.0 * sd / (DRAWS as f64).sqrt() + 1e-3 * f64::from(sd > 0.0) + 1e-9;
            assert!((mean - exact).abs() < error, "{name}: wait {k} is {mean} s on average, not {exact} s");
        }
    }
}

#[test]
fn a_socket_io_wait_lies_in_bands_and_its_jitter_is_gone_from_the_fifth_on() {
    let people = &people("preset = 'socket.io'");
    let stream = Stream::new(1, "test", "bands");
    let waits = |k: u32| (0..10_000).map(move |who| people.reconnect.wait(k, |_| stream.at(who, 7)).as_secs_f64());
    // Nobody waits 0.9 s to 0.95 s: a first decimal of 1 adds, it does not take away.
    let wait_1: Vec<f64> = waits(1).collect();
    for (from, to) in [(0.901, 0.95), (0.801, 0.85), (1.0001, 1.0499), (1.1, 1.149)] {
        assert!(wait_1.iter().all(|wait| !(from..to).contains(wait)), "a wait within {from}..{to} s");
    }
    let at_the_cap = |k| waits(k).filter(|&wait| wait == 5.0).count() as f64 / 1e4;
    assert!((at_the_cap(3) - 0.3).abs() < 0.02 && (at_the_cap(4) - 0.9).abs() < 0.02);
    assert_eq!(at_the_cap(5), 1.0);
}

#[test]
fn a_grpc_wait_stays_at_two_minutes_and_a_fifth() {
    let people = people("preset = 'grpc'");
    let stream = Stream::new(1, "test", "long");
    let waits: Vec<f64> =
        (0..50_000).map(|who| people.reconnect.wait(40, |_| stream.at(who, 0)).as_secs_f64()).collect();
    let (min, max) = waits.iter().fold((f64::MAX, 0.0f64), |(min, max), &wait| (min.min(wait), max.max(wait)));
    assert!((96.0..96.1).contains(&min) && (143.9..=144.0).contains(&max), "{min} s to {max} s");
}

/// When clients that are cut off at 1 s, for good, try to come back: hundredths of a second after the cut.
fn tries(keys: &str, seconds: usize) -> Vec<usize> {
    let text = scene(keys).replace("duration = '10m'", &format!("duration = '{}s'\ntick = '10ms'", seconds + 1))
        + "\n[fault.f]\nat = '1s'\nkill.nodes = 1\n";
    let run = run(&plan(&text), 1);
    // Each tick has a row for the population and one for all.
    let tried = |tick: usize| run.ticks[2 * tick].totals[Connects] > 0;
    (100..(seconds + 1) * 100).filter(|&tick| tried(tick)).map(|tick| tick - 100).collect()
}

#[test]
fn in_a_run_phoenix_and_signalr_come_at_the_sums_of_their_waits() {
    let phoenix = tries("preset = 'phoenix'", 15);
    assert_eq!(phoenix, [1, 6, 16, 31, 51, 76, 126, 226, 426, 926, 1426]);
    assert_eq!(tries("preset = 'signalr'", 60), [0, 200, 1200, 4200]);
    let text = scene("preset = 'signalr'") + "\n[fault.f]\nat = '1s'\nkill.nodes = 1\n";
    assert_eq!(whole(&run(&plan(&text), 1)).totals[GaveUp], 10, "and then no more");
    assert_eq!(tries("preset = 'browser'", 10), [300, 600, 900]);
}

#[test]
fn a_first_connection_is_tried_again_or_not() {
    let text = |keys: &str| {
        scene(keys).replace("arrivals.initial = 10", "arrivals = { open = { rate = '1/s' }, initial = 0 }")
            + "\n[fault.f]\nat = '0s'\nkill.nodes = 1\n"
    };
    let signalr = run(&plan(&text("preset = 'signalr'")), 1);
    let totals = &whole(&signalr).totals;
    assert!(totals[Refused] > 500 && totals[Refused] == totals[Connects], "one try each");
    let phoenix = run(&plan(&text("preset = 'phoenix'")), 1);
    assert_eq!(whole(&phoenix).totals[Refused], 0);
}

#[test]
fn the_time_that_a_grpc_try_takes_is_part_of_its_wait() {
    // The host is silent, and each try takes the 20 s of the connect timeout: as long as waits are shorter, the next
    // follows at once. The eighth wait is 26.8 s and the ninth 42.9 s, each a fifth less or more, from the beginning
    // of a try.
    let text = scene("preset = 'grpc'\nprotocol.stream.heartbeat = { interval = '1s', timeout = '1s' }")
        .replace("duration = '10m'", "duration = '300s'")
        .replace("arrivals.initial = 10", "arrivals.initial = 1000")
        + "\n[fault.f]\nat = '10s'\nlose.nodes = 1\n";
    let run = run(&plan(&text), 1);
    let tries = |from: usize, to: usize| -> u64 { (from..to).map(|s| run.ticks[2 * s].totals[Connects]).sum() };
    // Cut off from 11 s to 12 s, each of 1,000 clients begins a try every 20 s, eight in all. The eighth may be 0.13 s
    // late: the wait before it is up to 20.13 s.
    for n in 0..8 {
        let (from, late) = (11 + 20 * n, usize::from(n == 7));
        assert_eq!((tries(from, from + 1 + late), tries(from + 1 + late, from + 20)), (1_000, 0), "try {n}");
    }
    assert_eq!((tries(171, 172), tries(172, 185)), (0, 1_000), "21.5 s to 32.2 s after the eighth began");
    // The ninth began at 172.5 s to 184.2 s, the tenth begins 34.4 s to 51.5 s later.
    assert_eq!((tries(185, 206), tries(206, 236)), (0, 1_000));
}

#[test]
fn what_is_written_beats_the_preset_of_clients() {
    let own = people("preset = 'socket.io'\nreconnect.backo2.cap = '60s'\nconnect_timeout = '3s'");
    let cap = serde_json::to_value(&own.reconnect).unwrap();
    assert_eq!(cap["backo2"], serde_json::json!({ "base": "1s", "factor": 2.0, "cap": "1m", "ratio": "50%" }));
    assert_eq!(own.connect_timeout.map(|span| span.as_secs_f64()), Some(3.0));
    let other = people("preset = 'socket.io'\nreconnect = 'full_jitter'\nprotocol = 'keepalive'");
    assert!(serde_json::to_value(&other.reconnect).unwrap().get("full_jitter").is_some());
    assert!(serde_json::to_value(other.protocol).unwrap().get("keepalive").is_some());
    // A heartbeat is one of streams, be they written as a bare name or as a table.
    for protocol in ["", "protocol = 'stream'", "protocol = { stream = { heartbeat.timeout = '20s' } }"] {
        let people = people(&format!("preset = 'socket.io'\n{protocol}"));
        let heartbeat = &serde_json::to_value(people.protocol).unwrap()["stream"]["heartbeat"];
        assert_eq!(heartbeat, &serde_json::json!({ "interval": "25s", "timeout": "20s" }), "{protocol}");
    }
    // Two populations, one variant: each has its own.
    let two = format!("{}\n[clients.d]\npreset = 'phoenix'\narrivals.initial = 1\nlength = 'forever'\n", scene(""));
    let sets = ["clients.c.preset=signalr".to_owned()];
    let plan = cells(&two, &sets).remove(0).plan;
    let give_up: Vec<Option<u32>> = plan.populations.iter().map(|people| people.give_up_after).collect();
    assert_eq!(give_up, [Some(4), None]);
}
