//! What nodes and stores keep within limits: caches, near caches, stores whose memory is full.

use crate::lab::{causes, figure, plan, run, simulate, whole};
use std::collections::BTreeSet;
use stickysim::base::cause::{Cause, Harm};
use stickysim::base::time::{Duration, Instant};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{self, NearHits, NearMisses, Rebuilds, StoreOps};
use stickysim::observe::trace::{Happening, Trace, Who};

fn harms(recording: &Recording, harm: Harm) -> Vec<(Cause, u64)> {
    causes(&whole(recording).totals, harm)
}

fn counted(recording: &Recording, counter: Counter) -> u64 {
    whole(recording).totals[counter]
}

/// What one node keeps, the entry that was used least recently first: a list, and no more than that.
#[derive(Default)]
struct Naive {
    entries: Vec<(Who, Instant)>,
}

impl Naive {
    fn take(&mut self, who: Who) -> Option<(Who, Instant)> {
        let place = self.entries.iter().position(|(other, _)| *other == who)?;
        Some(self.entries.remove(place))
    }

    fn find(&mut self, now: Instant, who: Who, ttl: Duration) -> bool {
        let is_good = self.entries.iter().any(|&(other, filled)| other == who && now.since(filled) < ttl);
        if is_good {
            let entry = self.take(who);
            self.entries.extend(entry);
        }
        is_good
    }

    fn fill(&mut self, now: Instant, who: Who, capacity: usize) {
        self.take(who);
        if self.entries.len() == capacity {
            self.entries.remove(0);
        }
        self.entries.push((who, now));
    }
}

enum Step {
    Look {
        hit: bool,
    },
    Fill,
    /// Fills only what has been written before.
    Read,
    Write,
    End,
}

/// The steps behind a trace. A request takes 1 ms, and 2 ms more if the cache has missed; before a store it takes 0.5 ms
/// more if the near cache has, and 3 ms more if it has written. Nobody ever waits.
fn steps(trace: &Trace, near: bool) -> Vec<(Instant, usize, Who, Step)> {
    let mut steps = Vec::new();
    for &(now, happening) in trace {
        match happening {
            Happening::Answered { who, node, after } => {
                let (began, micros) =
                    (Instant::from_nanos(now.as_nanos() - after.as_nanos()), after.as_nanos() / 1_000);
                let node = node.index();
                let hit = if near { micros % 1_000 == 0 } else { micros == 1_000 };
                assert!(if near { [1_000, 1_500, 4_000, 4_500].contains(&micros) } else { hit || micros == 3_000 });
                steps.push((began, node, who, Step::Look { hit }));
                match near {
                    false if !hit => steps.push((now, node, who, Step::Fill)),
                    true if !hit => steps.push((began + Duration::from_nanos(500_000), node, who, Step::Read)),
                    _ => {}
                }
                if near && micros >= 4_000 {
                    steps.push((now, node, who, Step::Write));
                }
            }
            Happening::Ended { who } => steps.push((now, 0, who, Step::End)),
            _ => {}
        }
    }
    steps.sort_by_key(|step| step.0);
    steps
}

/// Replays a run request by request against lists; how many hits and misses there were. n1 dies at `crash`.
fn replay(trace: &Trace, near: bool, capacity: usize, ttl: Duration, crash: Option<Instant>) -> (u64, u64) {
    let mut nodes: Vec<Naive> = (0..3).map(|_| Naive::default()).collect();
    let (mut stored, mut counts, mut crash) = (BTreeSet::new(), (0, 0), crash);
    for (now, node, who, step) in steps(trace, near) {
        if crash.is_some_and(|crash| crash < now) {
            (nodes[0], crash) = (Naive::default(), None);
        }
        let key = (who.population, who.ordinal);
        match step {
            Step::Look { hit } => {
                assert_eq!(nodes[node].find(now, who, ttl), hit, "at {now:?} on node {node}: {who:?}");
                counts = if hit { (counts.0 + 1, counts.1) } else { (counts.0, counts.1 + 1) };
            }
            Step::Read if !stored.contains(&key) => {}
            Step::Read | Step::Fill => nodes[node].fill(now, who, capacity),
            Step::Write => {
                stored.insert(key);
                nodes[node].fill(now, who, capacity);
            }
            Step::End => nodes.iter_mut().for_each(|node| node.entries.retain(|&(other, _)| other != who)),
        }
    }
    counts
}

#[test]
fn each_look_up_in_a_limited_cache_is_that_of_a_list_in_the_order_of_use() {
    let second = Duration::from_secs(1);
    for near in [false, true] {
        for (capacity, ttl, crashes, balancer) in [
            (1, None, false, "affinity = \"cookie\""),
            (40, None, false, "balance = \"roundrobin\""),
            (40, Some(second * 6), true, "balance = \"roundrobin\""),
            (60, Some(second * 20), true, "affinity = \"cookie\""),
            (80, None, true, "balance = { ring = { points = 50 } }"),
            (100_000, Some(second * 9), false, "balance = { random = { draws = 1 } }"),
        ] {
            let lasts = ttl.map_or(String::new(), |ttl| format!("ttl = \"{ttl}\""));
            let state = match near {
                false => format!("[state.cache]\nrebuild.service = \"2ms\"\ncapacity = {capacity}\n{lasts}\n"),
                true => format!(
                    "[state.store]\nat = \"s\"\n[state.store.near]\ncapacity = {capacity}\n{lasts}\n\
                     [store.s]\nread = \"500us\"\nwrite = \"3ms\"\n"
                ),
            };
            let kill = "[fault.f]\nat = \"50s\"\nkill = { nodes = [\"n1\"], lasts = \"5s\" }\n";
            let text = format!(
                "duration = \"100s\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 3\nnode.concurrency = 10000\n\
                 [clients.web]\narrivals = {{ open = {{ rate = \"10/s\" }}, initial = 0 }}\n\
                 requests = {{ uniform = {{ min = 1, max = 15 }} }}\nservice = \"1ms\"\nwrite_ratio = \"15%\"\n\
                 think = {{ exponential = {{ mean = \"3s\" }} }}\n\
                 [balancer]\nretries = 0\n{balancer}\nhealth.interval = \"100ms\"\n{state}{}",
                if crashes { kill } else { "" }
            );
            let plan = plan(&text);
            let recording = Sim::new(&plan, 7, false).traced().run(|| false).expect("nobody stops it").recording;
            let crash = crashes.then(|| Instant::START + second * 50);
            let (hits, misses) = replay(&recording.trace, near, capacity, ttl.unwrap_or(Duration::MAX), crash);
            assert!(hits > 300 && misses > 300 || capacity == 1, "{text}\n{hits} hits, {misses} misses");
            let counters = if near { [NearHits, NearMisses] } else { [Counter::Hits, Counter::Misses] };
            let [found, missed] = counters.map(|counter| counted(&recording, counter));
            // Those that nobody answered: with the node that died, and at the end.
            assert!(found - hits + missed - misses <= 10, "{text}\n{found} of {hits}, {missed} of {misses}");
        }
    }
}

/// Sessions that ask once a second for a hundred seconds, on two nodes with a near cache each.
fn near(balancer: &str, near: &str, write_ratio: &str) -> Recording {
    simulate(&format!(
        "duration = \"101s\"\nwarmup = \"1s\"\ncluster.nodes = 2\n\
         [clients.web]\narrivals = {{ initial = 10 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         write_ratio = \"{write_ratio}\"\n[balancer]\n{balancer}\n\
         [state.store]\nat = \"s\"\nnear = {{ {near} }}\n[store.s]\n"
    ))
}

#[test]
fn a_hit_reads_nothing_from_the_store_and_an_entry_lasts_its_time() {
    let always = near("affinity = \"cookie\"", "", "0%");
    assert_eq!((counted(&always, NearHits), counted(&always, StoreOps)), (1_000, 0));
    assert_eq!(figure(whole(&always), "response_time_ms_mean"), 1.0);
    assert_eq!(counted(&always, Counter::Carried), 0);
    // Filled half a millisecond after a miss, so good for the next five looks.
    let five = near("affinity = \"cookie\"", "ttl = \"5s\"", "0%");
    let (hits, reads) = (counted(&five, NearHits), counted(&five, StoreOps));
    assert_eq!((hits + reads, counted(&five, NearMisses)), (1_000, reads));
    assert!((160..=170).contains(&reads), "one in six: {reads}");
    assert_eq!(counted(&five, Counter::Carried), reads * 1_024);
}

#[test]
fn what_was_written_elsewhere_since_is_read_stale() {
    // One after the other, the ten ask by turns: ten is even, so each is always at the same node. Nine is not.
    let text = |count: u32| {
        format!(
            "duration = \"101s\"\nwarmup = \"3s\"\ncluster.nodes = 2\n\
             [clients.web]\narrivals = {{ initial = {count} }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
             [state.store]\nat = \"s\"\nnear = {{}}\n[store.s]\n"
        )
    };
    let same = simulate(&text(10));
    assert_eq!((counted(&same, NearHits), harms(&same, Harm::StaleRead)), (980, vec![]));
    assert_eq!(counted(&same, StoreOps), 980, "a write for each");
    let other = simulate(&text(9));
    assert_eq!(harms(&other, Harm::StaleRead), [(Cause::NearCopy, 882)], "all of them: 9 a second for 98 s");
    assert_eq!(figure(whole(&other), "stale_reads_total"), 882.0);
    let sticky = near("affinity = \"cookie\"", "", "100%");
    assert_eq!((counted(&sticky, NearHits), harms(&sticky, Harm::StaleRead)), (1_000, vec![]));
}

#[test]
fn near_caches_serve_while_the_store_is_out_and_die_with_their_process() {
    let run = |near: &str, fault: &str| {
        simulate(&format!(
            "duration = \"60s\"\ncluster.nodes = 2\nrecovery_hold = \"1s\"\n\
             [clients.web]\narrivals = {{ initial = 40 }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
             write_ratio = \"0%\"\nreconnect = {{ fixed = {{ delay = \"1s\" }} }}\n[balancer]\naffinity = \"cookie\"\n\
             redispatch = true\nhealth.interval = \"1ms\"\n[state.store]\nat = \"s\"\n{near}\n[store.s]\n\
             [fault.f]\nat = \"20s\"\n{fault}\n"
        ))
    };
    let out = "store_kill = { store = \"s\", lasts = \"10s\" }";
    let failed = |recording: &Recording| whole(recording).totals.total(Harm::Failed);
    // The store comes back with empty hands; what it has lost is lost, and is made anew where it is read.
    let (without, with) = (run("", out), run("near = {}", out));
    assert_eq!((failed(&without), failed(&with)), (400, 0));
    assert_eq!([&without, &with].map(|run| harms(run, Harm::Lost)), [[(Cause::StoreLost, 40)]; 2]);
    assert_eq!((counted(&without, Rebuilds), counted(&with, Rebuilds)), (40, 0));
    // Half of the sessions find nothing at the other node, and, when that has read, do.
    let crash = run("near = {}", "kill = { nodes = [\"n1\"] }");
    assert_eq!((counted(&crash, NearMisses), counted(&crash, StoreOps)), (20, 20));
}

/// So many sessions that ask once a second for ten seconds; each entry takes 1 KiB of a store that holds 100.
fn full(initial: u32, eviction: &str, state: &str) -> Recording {
    simulate(&format!(
        "duration = \"12s\"\nwarmup = \"2s\"\ncluster.nodes = 2\n\
         [clients.web]\narrivals = {{ initial = {initial} }}\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         write_ratio = \"0%\"\n[state.store]\nat = \"s\"\n{state}\n\
         [store.s]\nmemory_max = \"100KiB\"\neviction = \"{eviction}\"\n"
    ))
}

#[test]
fn a_full_store_that_evicts_nobody_refuses_who_is_new() {
    let fits = full(100, "noeviction", "");
    assert_eq!((harms(&fits, Harm::Failed), figure(whole(&fits), "store_memory_bytes")), (vec![], 102_400.0));
    // Fifty are not in it: each of their requests would write their state, and cannot.
    let open = full(150, "noeviction", "on_failure = \"serve\"");
    assert_eq!(harms(&open, Harm::WriteLost), [(Cause::StoreMemory, 500)]);
    assert_eq!((harms(&open, Harm::Failed), harms(&open, Harm::Lost)), (vec![], vec![]));
    assert_eq!(figure(whole(&open), "store_memory_bytes"), 102_400.0);
    assert_eq!(figure(whole(&open), "store_evictions_total"), 0.0);
    let closed = full(150, "noeviction", "");
    let failed = harms(&closed, Harm::Failed);
    assert!(failed.len() == 1 && failed[0].0 == Cause::StoreMemory && failed[0].1 > 100, "{failed:?}");
    assert!(counted(&closed, Counter::Succeeded) == 1_000, "and the hundred notice nothing");
}

#[test]
fn who_leaves_makes_room_in_the_store() {
    let recording = simulate(
        "duration = \"20s\"\ncluster.nodes = 2\n\
         [clients.first]\narrivals = { initial = 100 }\nlength = \"5s\"\npace = \"1s\"\nservice = \"1ms\"\n\
         [clients.second]\narrivals = { initial = 50 }\nlength = \"forever\"\npace = \"1s\"\nservice = \"1ms\"\n\
         [state.store]\nat = \"s\"\non_failure = \"serve\"\n[store.s]\nmemory_max = \"100KiB\"\n",
    );
    let last = recording.ticks.last().expect("there are ticks");
    assert_eq!(figure(last, "store_memory_bytes"), 51_200.0, "the second fifty have got in");
    let refused = |from: usize| {
        let late = recording.ticks.chunks(3).skip(from).map(|rows| rows[2].totals.total(Harm::WriteLost));
        late.sum::<u64>()
    };
    assert!((30..=100).contains(&refused(0)), "about 50 - 20 t after t seconds: {}", refused(0));
    assert_eq!(refused(6), 0, "all of the first are gone after 5 s, and everybody asks once a second");
}

#[test]
fn a_store_that_evicts_forgets_who_was_away_for_longest() {
    let fits = full(100, "lru", "");
    assert_eq!((harms(&fits, Harm::Lost), figure(whole(&fits), "state_hit_ratio")), (vec![], 1.0));
    // 150 by turns, and room for 100: whoever comes next was thrown out fifty requests ago.
    for sessions in [150, 200] {
        let thrashes = full(sessions, "lru", "");
        let all = u64::from(sessions) * 10;
        assert_eq!(harms(&thrashes, Harm::Lost), [(Cause::StoreEvicted, all)]);
        assert_eq!((counted(&thrashes, Rebuilds), figure(whole(&thrashes), "state_hit_ratio")), (all, 0.0));
        assert_eq!(figure(whole(&thrashes), "store_evictions_total"), all as f64);
        assert_eq!(figure(whole(&thrashes), "store_memory_bytes"), 102_400.0);
    }
    // A near cache hides from the store who is in use; nobody reads, so nobody is thrown out.
    let near = full(100, "lru", "near = {}");
    assert_eq!((counted(&near, StoreOps), harms(&near, Harm::Lost)), (0, vec![]));
}

#[test]
fn the_memory_of_a_store_that_is_lost_is_free_again() {
    let recording = run(
        &plan(
            "duration = \"60s\"\ncluster.nodes = 2\nrecovery_hold = \"1s\"\n\
             [clients.web]\narrivals = { initial = 100 }\nlength = \"forever\"\npace = \"10s\"\nservice = \"1ms\"\n\
             reconnect = { fixed = { delay = \"1s\" } }\n[state.store]\nat = \"s\"\n[store.s]\nmemory_max = \"100KiB\"\n\
             [fault.f]\nat = \"30s\"\nstore_lose = { store = \"s\", lasts = \"1s\" }\n",
        ),
        1,
    );
    let bytes: Vec<f64> = recording.ticks.chunks(2).map(|rows| figure(&rows[1], "store_memory_bytes")).collect();
    assert_eq!((bytes[29], bytes[30], bytes[59]), (102_400.0, 0.0, 102_400.0));
    assert_eq!(harms(&recording, Harm::Lost), [(Cause::StoreLost, 100)]);
}
