//! Deploys as operators of Kubernetes run them: how many pods at once, how a process is told to stop while balancers
//! still send to it, what holds a deploy up, and what it looks like when one never ends.

use super::lab::{causes, figure, incident, plan, run, simulate};
use stickysim::base::cause::{Cause, Harm};
use stickysim::cluster::Sim;
use stickysim::observe::recorder::Recording;
use stickysim::observe::window::Window;

/// One pod is deployed after another, or some; a new one boots in 2 s. Nobody asks anything.
fn pods(n: usize, rolling: &str) -> String {
    format!(
        "duration = \"2m\"\ntick = \"100ms\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = {n}\nnode.start = \"2s\"\n\
         [clients.s]\narrivals.initial = 1\nlength = \"forever\"\nprotocol = \"stream\"\n[balancer]\n\
         health.interval = \"100ms\"\n[change.roll]\nat = \"1s\"\nrolling = {rolling}\n"
    )
}

/// By tick: pods that run or boot, and pods that are ready.
fn counts(text: &str) -> (Vec<(usize, usize)>, Recording) {
    let plan = plan(text);
    let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
    let count = |rows: &[stickysim::observe::recorder::NodeTick], states: &[&str]| {
        rows.iter().filter(|row| states.contains(&row.state.name())).count()
    };
    let rows = recording.nodes.chunks(plan.nodes.len());
    let counts = rows.map(|rows| (count(rows, &["starting", "warming", "ready"]), count(rows, &["warming", "ready"])));
    (counts.collect(), recording)
}

#[test]
fn a_deployment_of_one_to_twenty_pods_keeps_the_bounds_of_kubernetes() {
    // (surge, unavailable) of 25 % and 25 %, worked out by hand: the one rounded up, the other down.
    const BOUNDS: [(usize, usize); 20] = [
        (1, 0),
        (1, 0),
        (1, 0),
        (1, 1),
        (2, 1),
        (2, 1),
        (2, 1),
        (2, 2),
        (3, 2),
        (3, 2),
        (3, 2),
        (3, 3),
        (4, 3),
        (4, 3),
        (4, 3),
        (4, 4),
        (5, 4),
        (5, 4),
        (5, 4),
        (5, 5),
    ];
    for (n, (surge, unavailable)) in (1..).zip(BOUNDS) {
        let rolling = "{ unavailable_max = \"25%\", surge_max = \"25%\", how = \"kill\" }";
        let (counts, recording) = counts(&pods(n, rolling));
        let most = counts.iter().map(|&(running, _)| running).max();
        assert_eq!(most, Some(n + surge), "{n} pods: at most at once");
        assert_eq!(counts.iter().map(|&(_, ready)| ready).min(), Some(n - unavailable), "{n} pods: ready at least");
        assert_eq!(figure(incident(&recording), "nodes_ready_min"), (n - unavailable) as f64, "at any instant");
        assert_eq!(counts.last(), Some(&(n, n)), "{n} pods in the end");
        assert_eq!(figure(incident(&recording), "completed_ratio"), 1.0);
    }
}

#[test]
fn bounds_by_number_are_kept_in_every_combination() {
    for (surge, unavailable) in [(1, 0), (0, 1), (1, 1), (2, 1), (1, 3), (3, 3), (9, 0), (0, 9)] {
        let n = 6;
        let rolling = format!("{{ unavailable_max = {unavailable}, surge_max = {surge}, how = \"kill\" }}");
        let (counts, recording) = counts(&pods(n, &rolling));
        let most = counts.iter().map(|&(running, _)| running).max();
        assert_eq!(most, Some(n + surge.min(n)), "surge {surge}, unavailable {unavailable}");
        let least = figure(incident(&recording), "nodes_ready_min");
        assert_eq!(least, n.saturating_sub(unavailable) as f64, "surge {surge}, unavailable {unavailable}");
        assert_eq!(counts.last(), Some(&(n, n)));
    }
}

#[test]
fn shares_that_round_to_nothing_let_one_pod_go() {
    let (counts, recording) = counts(&pods(3, "{ unavailable_max = \"25%\", how = \"kill\" }"));
    assert_eq!(counts.iter().map(|&(_, ready)| ready).min(), Some(2));
    assert_eq!(figure(incident(&recording), "completed_ratio"), 1.0);
}

#[test]
fn a_pod_that_is_not_ready_is_replaced_before_those_that_are() {
    // n4 is gone for good: three of four are ready, and none of these may leave before a new one is.
    let text = pods(4, "{ unavailable_max = 0, surge_max = 1, how = \"kill\" }")
        + "[fault.gone]\nat = \"500ms\"\nkill = { nodes = [\"n4\"] }\n";
    let plan = plan(&text);
    let recording = Sim::new(&plan, 1, true).run(|| false).unwrap().recording;
    let of_roll = &recording.incidents.last().unwrap().1;
    assert_eq!(figure(of_roll, "nodes_ready_min"), 3.0);
    assert_eq!(figure(of_roll, "completed_ratio"), 1.0);
}

#[test]
fn those_that_leave_hold_nobody_up_in_a_surge() {
    // Each old pod goes on for half a minute or a whole one, for nothing or the one stream: new ones come without waiting.
    let stream = "{ surge_max = 1, stop = { pre_stop = \"30s\", grace = \"60s\" } }";
    let (counts, recording) = counts(&pods(4, stream));
    let took = figure(incident(&recording), "rollout_time_s");
    // Four boots of 2 s, each seen within 0.3 s, then the last one's hook and, on one pod, the stream until the end.
    assert!((38.0..72.0).contains(&took), "{took}");
    // As Kubernetes has it, those that terminate come on top.
    assert!(counts.iter().any(|&(running, _)| running == 5));
}

#[test]
fn a_pod_counts_when_it_has_been_ready_for_long_enough() {
    let took = |ready_min: &str| {
        let rolling = format!("{{ unavailable_max = 1, how = \"kill\", ready_min = \"{ready_min}\" }}");
        figure(incident(&simulate(&pods(3, &rolling))), "rollout_time_s")
    };
    let (at_once, later) = (took("0s"), took("10s"));
    assert!((later - at_once - 30.0).abs() < 0.5, "{at_once} s and {later} s: three times 10 s");
}

/// `rate` requests a second of `service` each, to twelve pods of which one after another is told to `stop`. A balancer
/// hears of that 10 s later, and a pod comes back 20 s after its end: when the balancer has heard.
fn stopping(rate: u32, service: &str, stop: &str) -> String {
    format!(
        "duration = \"16m\"\nrecovery_hold = \"10s\"\n[cluster]\nnodes = 12\nnode.concurrency = 10000\n[clients.c]\n\
         arrivals.open.rate = \"{rate}/s\"\narrivals.initial = 0\nrequests = 1\nthink = \"1s\"\nservice = \"{service}\"\n[balancer]\n\
         balance = \"roundrobin\"\nretries = 0\npropagation = \"10s\"\nhealth.check = \"none\"\n\
         [change.roll]\nat = \"10s\"\nrolling = {{ stop = {stop}, restart = \"20s\", ready_min = \"15s\" }}\n"
    )
}

fn failed(window: &Window) -> Vec<(Cause, u64)> {
    causes(&window.totals, Harm::Failed)
}

#[test]
fn requests_fail_from_the_end_of_the_hook_until_the_balancer_has_heard() {
    // 240 a second, 20 of them to each pod; between SIGTERM and the balancer's word, 10 s after the beginning.
    for (pre_stop, races) in [(0, 10.0), (4, 6.0), (9, 1.0), (10, 0.0), (15, 0.0)] {
        for on_term in ["finish", "exit"] {
            let stop = format!("{{ pre_stop = \"{pre_stop}s\", grace = \"30s\", on_term = \"{on_term}\" }}");
            let recording = simulate(&stopping(240, "1ms", &stop));
            let window = incident(&recording);
            let expected = 12.0 * 20.0 * races;
            let raced = window.totals.of(Harm::Failed, Cause::DeregistrationRace) as f64;
            // Those who come are a Poisson stream, dealt out in turn: four deviations.
            assert!((raced - expected).abs() <= 4.0 * libm::sqrt(expected), "{stop}: {raced}, not {expected}");
            assert_eq!(figure(window, "attempts_raced_total"), raced, "nobody tries again");
            let others = failed(window).into_iter().filter(|&(cause, _)| cause != Cause::DeregistrationRace);
            // What is in hand when a process exits is cut: 1 ms of 20 a second.
            assert!(others.map(|(_, n)| n).sum::<u64>() <= if on_term == "exit" { 4 } else { 0 }, "{stop}");
        }
    }
}

#[test]
fn a_deploy_takes_longer_by_each_hook() {
    let took = |pre_stop: &str| {
        let text = stopping(24, "1ms", &format!("{{ pre_stop = \"{pre_stop}\", grace = \"60s\" }}"));
        figure(incident(&simulate(&text)), "rollout_time_s")
    };
    let (without, with) = (took("0s"), took("15s"));
    assert!((with - without - 12.0 * 15.0).abs() < 1.5, "{without} s and {with} s");
}

#[test]
fn the_grace_must_be_longer_than_the_hook_and_the_longest_request() {
    // Requests of 5 s arrive until the balancer has heard, 10 s after the beginning: the last ends at 15 s.
    let outcome = |pre_stop: u32, grace: u32| {
        let stop = format!("{{ pre_stop = \"{pre_stop}s\", grace = \"{grace}s\" }}");
        failed(incident(&simulate(&stopping(240, "5s", &stop))))
    };
    let near = |found: &[(Cause, u64)], cause: Cause, seconds: f64| {
        let expected = 12.0 * 20.0 * seconds;
        let close = |n: u64| (n as f64 - expected).abs() < 4.0 * libm::sqrt(expected);
        assert!(found.len() == 1 && found[0].0 == cause && close(found[0].1), "{found:?}, not {expected}");
    };
    assert_eq!(outcome(10, 16), []);
    assert_eq!(outcome(10, 30), []);
    // Killed at 12 s, two seconds after SIGTERM: what came in the last 3 s is cut.
    near(&outcome(10, 11), Cause::DrainTimeout, 3.0);
    // The hook is cut short at 11 s and the process killed at 13 s, though the hook was to be long enough for all.
    near(&outcome(60, 11), Cause::DrainTimeout, 2.0);
    near(&outcome(8, 30), Cause::DeregistrationRace, 2.0);
}

#[test]
fn a_process_that_ignores_its_signal_refuses_nobody_until_it_is_killed() {
    let stop = "{ pre_stop = \"0s\", grace = \"30s\", on_term = \"serve\" }";
    let recording = simulate(&stopping(120, "1ms", stop));
    assert_eq!(failed(incident(&recording)), []);
    let took = figure(incident(&recording), "rollout_time_s");
    assert!(
        (12.0 * 65.0..12.0 * 65.0 + 2.0).contains(&took),
        "{took} s: 30 s of grace, 20 s away, 15 s until it counts"
    );
}

#[test]
fn a_process_that_stands_still_handles_its_signal_when_it_goes_on() {
    let took = |fault: &str| {
        let text = format!(
            "duration = \"8m\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 3\n[clients.c]\narrivals.initial = 60\n\
             length = \"forever\"\nprotocol = \"keepalive\"\nthink = \"2s\"\nservice = \"1ms\"\n[balancer]\n\
             layer = \"l4\"\nredispatch = true\n{fault}[change.gone]\nat = \"1m\"\n\
             scale_in = {{ nodes = [\"n1\"], stop = {{ grace = \"5m\" }} }}\n"
        );
        figure(&simulate(&text).incidents.last().unwrap().1, "rollout_time_s")
    };
    assert!(took("") < 0.3);
    let frozen = took("[fault.pause]\nat = \"58s\"\nfreeze = { nodes = [\"n1\"], lasts = \"5s\" }\n");
    assert!((3.0..5.0).contains(&frozen), "{frozen} s: it goes on at 63 s");
}

#[test]
fn a_retry_elsewhere_hides_the_race_and_is_still_counted() {
    let text = stopping(240, "1ms", "{ grace = \"30s\" }").replace("retries = 0", "retries = 3\nredispatch = true");
    let window = &simulate(&text);
    let window = incident(window);
    assert_eq!(failed(window), []);
    let raced = figure(window, "attempts_raced_total");
    assert!((raced - 2_400.0).abs() < 200.0, "{raced}");
}

#[test]
fn sticky_sessions_go_on_to_a_stopping_node_where_the_product_sends_them() {
    // HAProxy's drain honours the cookie; ALB and Kubernetes evict: the same hook is too short for the one alone.
    let outcome = |persist: &str| {
        let text = stopping(0, "1ms", "{ pre_stop = \"20s\", grace = \"30s\" }")
            .replace(
                "arrivals.open.rate = \"0/s\"\narrivals.initial = 0\nrequests = 1\nthink = \"1s\"",
                "arrivals.initial = 600\nlength = \"forever\"\nthink = \"5s\"",
            )
            .replace("retries = 0", &format!("retries = 0\naffinity = \"cookie\"\npersist = {persist}"));
        let recording = simulate(&text);
        (failed(incident(&recording)), figure(incident(&recording), "sessions_moved_total"))
    };
    let (evicted, moved) = outcome("[]");
    assert_eq!(evicted, []);
    assert!(moved > 600.0, "{moved}: everybody moves when the balancer hears of it, in time");
    let (drained, _) = outcome("[\"drained\"]");
    assert!(drained.iter().any(|&(cause, n)| cause == Cause::Refused && n > 100), "{drained:?}");
}

#[test]
fn streams_live_on_until_the_grace_is_over_and_idle_connections_close() {
    let outcome = |protocol: &str| {
        let text = format!(
            "duration = \"3m\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 2\n[clients.c]\narrivals.initial = 100\n\
             length = \"forever\"\n{protocol}\nthink = \"2s\"\nservice = \"1ms\"\n[balancer]\nlayer = \"l4\"\n\
             redispatch = true\n[change.gone]\nat = \"1m\"\n\
             scale_in = {{ nodes = [\"n1\"], stop = {{ grace = \"30s\" }} }}\n"
        );
        let recording = simulate(&text);
        let window = incident(&recording);
        let dropped = window.totals.total(Harm::Dropped);
        (dropped, causes(&window.totals, Harm::Dropped), failed(window), figure(window, "rollout_time_s"))
    };
    let (dropped, causes, _, took) = outcome("protocol = \"stream\"");
    assert!((35..65).contains(&dropped), "{dropped}");
    assert_eq!(causes, [(Cause::ScaleIn, dropped)]);
    assert_eq!(took, 30.0);
    let (dropped, _, failed, took) = outcome("protocol = \"keepalive\"");
    assert_eq!((dropped, failed), (0, vec![]), "those with a request in hand leave after the reply");
    assert!(took < 0.3, "{took}");
}

#[test]
fn a_gate_holds_the_roll_while_too_much_fails_or_is_busy() {
    let took = |fault: &str, gate: &str| {
        let text = format!(
            "duration = \"5m\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 4\nnode.concurrency = 1\n[clients.c]\n\
             arrivals.open.rate = \"20/s\"\narrivals.initial = 0\nrequests = 1\nthink = \"1s\"\nservice = \"100ms\"\n[balancer]\n\
             retries = 3\nredispatch = true\nhealth.interval = \"500ms\"\n\
             [fault.broken]\nat = \"10s\"\n{fault}\n\
             [change.roll]\nat = \"30s\"\nrolling = {{ order = [\"n1\"], how = \"maint\", restart = \"1s\", {gate} }}\n"
        );
        figure(&run(&plan(&text), 1).incidents.last().unwrap().1, "rollout_time_s")
    };
    let broken = "black_hole = { nodes = [\"n4\"], lasts = \"60s\" }";
    let open = took(broken, "pause = \"0s\"");
    assert!(open < 20.0, "{open}");
    // A quarter fails until 70 s, and is seen for 10 s more: the first turn begins at 80 s.
    let failing = took(broken, "gate = { error_ratio = \"1%\", over = \"10s\" }");
    assert!((failing - open - 50.0).abs() < 3.0, "{failing} s, and {open} s without");
    assert_eq!(took(broken, "gate = { error_ratio = \"60%\", over = \"10s\" }"), open);
    // 20 · 0.1 s on four nodes of 55 % of their speed keep 91 % of them busy until 70 s, then half.
    let slow = "slow = { nodes = { share = \"100%\" }, speed = \"55%\", lasts = \"60s\" }";
    let busy = took(slow, "gate = { utilisation = \"70%\", over = \"10s\" }");
    assert!((41.0..70.0).contains(&busy), "{busy} s");
    assert!(took(slow, "gate = { utilisation = \"100%\", over = \"10s\" }") < 20.0);
}

#[test]
fn a_deploy_that_cannot_finish_says_so_and_the_run_ends() {
    let outcome = |rolling: &str, more: &str| {
        let (counts, recording) = counts(&(pods(3, rolling) + more));
        let window = &recording.incidents.last().unwrap().1;
        assert_eq!(figure(window, "completed_ratio"), 0.0, "{rolling}");
        let never = stickysim::observe::columns::named("rollout_time_s").unwrap();
        assert_eq!((never.get)(window), None, "{rolling}");
        (figure(window, "stalled_ratio"), figure(window, "nodes_ready_min"), counts.last().unwrap().1)
    };
    // A drain that is longer than the run: one stream holds n1, and the roll still hopes.
    let drains = pods(3, "{ drain_timeout = \"1h\" }").replace("[balancer]", "[balancer]\nbalance = \"first\"");
    let recording = simulate(&drains);
    assert_eq!(figure(incident(&recording), "completed_ratio"), 0.0);
    assert_eq!(figure(incident(&recording), "stalled_ratio"), 0.0);
    // A new version that dies half a second after it listens: n1 never counts, so nobody follows it.
    let crash = "[fault.bad]\nat = \"500ms\"\ncrash_loop = { nodes = [\"n1\"], after = \"500ms\" }\n";
    let rolling = "how = \"kill\", order = [\"n1\"], ready_min = \"5s\"";
    let (stalled, least, _) = outcome(&format!("{{ {rolling}, progress_deadline = \"30s\" }}"), crash);
    assert_eq!((stalled, least), (1.0, 2.0));
    let (stalled, least, _) = outcome(&format!("{{ {rolling} }}"), crash);
    assert_eq!((stalled, least), (0.0, 2.0), "it goes on trying, as Kubernetes does");
    // A gate that never opens.
    let shut = "{ how = \"kill\", progress_deadline = \"20s\", gate = { utilisation = \"0%\", over = \"1s\" } }";
    let busy = "[clients.w]\narrivals.initial = 3\nlength = \"forever\"\nthink = \"10ms\"\nservice = \"50ms\"\n";
    assert_eq!(outcome(shut, busy), (1.0, 3.0, 3), "nothing has been touched");
}

#[test]
fn a_pause_is_no_standstill() {
    let rolling = "{ how = \"kill\", pause = \"30s\", progress_deadline = \"10s\" }";
    let recording = simulate(&pods(3, rolling));
    assert_eq!(figure(incident(&recording), "stalled_ratio"), 0.0);
    assert_eq!(figure(incident(&recording), "completed_ratio"), 1.0);
}

#[test]
fn hops_are_moves_per_session() {
    // One stream on n1 of three, which are restarted in turn: it moves away from n1, and maybe again.
    let text = pods(3, "{ how = \"maint\" }").replace("[balancer]", "[balancer]\nbalance = \"first\"");
    let recording = simulate(&text);
    let window = incident(&recording);
    assert_eq!(figure(window, "session_hops_mean"), figure(window, "sessions_moved_total"));
    assert_eq!(figure(window, "session_hops_mean"), 2.0, "to n2, and home when n2 goes");
}

/// What a drain of one node after another cuts, counted session by session without any of the simulator: of the sessions
/// on each node when its turn comes, the share that is still there `drain` later. Sessions come at random times to nodes
/// at random that are not being drained, in equilibrium; who is cut goes on elsewhere for the rest of its life.
fn cut_by_count(
    nodes: usize,
    live: usize,
    drain: f64,
    seed: u64,
    life: &mut dyn FnMut(&mut Chance) -> f64,
) -> Vec<f64> {
    let mut chance = Chance(seed);
    let mean = (0..20_000).map(|_| life(&mut chance)).sum::<f64>() / 20_000.0;
    let rate = live as f64 / mean;
    // (when it ends, where it is): those who came within the last twenty times the mean life and more.
    let mut sessions: Vec<(f64, usize)> = Vec::new();
    let mut begin = -60.0 * mean;
    let elsewhere = |chance: &mut Chance, gone: usize| (gone + 1 + chance.below(nodes - 1)) % nodes;
    while begin < 0.0 {
        let end = begin + life(&mut chance);
        if end > 0.0 {
            sessions.push((end, chance.below(nodes)));
        }
        begin -= libm::log(1.0 - chance.share()) / rate;
    }
    let mut cut = Vec::new();
    for node in 0..nodes {
        let opens = node as f64 * drain;
        let held = sessions.iter().filter(|&&(end, at)| at == node && end > opens).count();
        while begin < opens + drain {
            let end = begin + life(&mut chance);
            sessions.push((end, elsewhere(&mut chance, node)));
            begin -= libm::log(1.0 - chance.share()) / rate;
        }
        let mut left = 0.0;
        for session in sessions.iter_mut().filter(|&&mut (end, at)| at == node && end > opens + drain) {
            left += 1.0;
            session.1 = elsewhere(&mut chance, node);
        }
        cut.push(left / held as f64);
    }
    cut
}

/// Numbers at random of a kind that the simulator does not use (xorshift64*).
struct Chance(u64);

impl Chance {
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.share() * n as f64) as usize
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.share(), self.share());
        libm::sqrt(-2.0 * libm::log(a)) * libm::cos(std::f64::consts::TAU * b)
    }
}

#[test]
fn a_drain_of_one_node_after_another_cuts_the_older_the_more() {
    // Minutes, eight nodes with 500 sessions each; the first node's share has a closed form, later ones hold more of
    // those who have been displaced, and these are older.
    const SEEDS: u64 = 6;
    let (mu, sigma) = (libm::log(8.0), 1.2);
    let lognormal = |chance: &mut Chance| libm::exp(mu + sigma * chance.normal());
    let exponential = |chance: &mut Chance| -20.0 * libm::log(1.0 - chance.share());
    type Law<'a> = &'a dyn Fn(&mut Chance) -> f64;
    let cases: [(&str, f64, Law, f64, f64); 4] = [
        ("{ exponential = { mean = \"20m\" } }", 20.0, &exponential, 5.0, 0.78),
        ("{ exponential = { mean = \"20m\" } }", 20.0, &exponential, 30.0, 0.22),
        ("{ lognormal = { median = \"8m\", sigma = 1.2 } }", 16.4, &lognormal, 5.0, 0.746),
        ("{ lognormal = { median = \"8m\", sigma = 1.2 } }", 16.4, &lognormal, 30.0, 0.292),
    ];
    for (length, mean, life, drain, first) in cases {
        let count = |seed| cut_by_count(8, 4_000, drain, seed, &mut |chance| life(chance));
        let counts: Vec<Vec<f64>> = (1..=20).map(count).collect();
        let counted = |node: usize| counts.iter().map(|count| count[node]).sum::<f64>() / 20.0;
        let minutes = 8.0 * drain + 10.0;
        let plan = plan(&format!(
            "duration = \"{minutes}m\"\ntick = \"1m\"\nrecovery_hold = \"1m\"\n[cluster]\nnodes = 8\n[clients.s]\n\
             arrivals.open.rate = \"{}/m\"\nlength = {length}\nprotocol = \"stream\"\nreconnect_at_once = true\n\
             [balancer]\nbalance = {{ random = {{ draws = 1 }} }}\nredispatch = true\nhealth.check = \"none\"\n\
             [change.roll]\nat = \"2m\"\nrolling = {{ drain_timeout = \"{drain}m\", restart = \"0s\" }}\n",
            4_000.0 / mean
        ));
        // The minutes just before each node's turn, and those in which it is cut.
        let runs = (1..=SEEDS).map(|seed| Sim::new(&plan, seed, true).run(|| false).unwrap().recording);
        let (mut held, mut cut) = (vec![0.0; 8], vec![0.0; 8]);
        for recording in runs {
            let windows: Vec<&Window> = recording.ticks.iter().skip(1).step_by(2).collect();
            for node in 0..8 {
                let turn = 2 + node * drain as usize;
                held[node] += recording.nodes[(turn - 1) * 8 + node].connections;
                let ends = turn + drain as usize;
                let dropped = |tick: usize| windows[tick].totals.of(Harm::Dropped, Cause::DrainTimeout) as f64;
                cut[node] += dropped(ends - 1) + dropped(ends);
            }
        }
        for node in 0..8 {
            let (found, counted) = (cut[node] / held[node], counted(node));
            // Some 3,000 sessions each, and as many by count: four deviations, and what the minute before differs by.
            assert!(
                (found - counted).abs() < 0.045,
                "{length}, {drain} min, n{}: {found:.3}, not {counted:.3}",
                node + 1
            );
        }
        assert!((counted(0) - first).abs() < 0.015, "{length}, {drain} min: {:.3}, not {first}", counted(0));
        assert!((cut[0] / held[0] - first).abs() < 0.03, "{length}, {drain} min: {:.3}", cut[0] / held[0]);
    }
}
