//! What do retries do to a cluster, and what keeps them within bounds? Allowances of tokens and of
//! shares, `Retry-After`, one clock for each wait, and response times that count from the intended instant. Oracle O11 has
//! the rest.

use super::lab::{figure, plan, run, simulate, whole};
use rayon::prelude::*;
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;
use stickysim::observe::totals::Counter::{self, Attempts, Issued, ResponseTime, Succeeded};

fn total(run: &Recording, counter: Counter) -> f64 {
    whole(run).totals[counter] as f64
}

/// O11 (c): one server of 300/s, a timeout of 1 s, and a stop of 10 s from 30 s on, during which it queues.
fn stop(rate: u32, retry: &str) -> Vec<Recording> {
    let plan = plan(&format!(
        "duration = '280s'\ncluster = {{ nodes = 1, node = {{ concurrency = 1 }} }}\n\
         [clients.c]\narrivals = {{ open = {{ rate = '{rate}/s' }}, initial = 0 }}\nrequests = 1\nthink = '1s'\n\
         service.exponential.mean = '3333333ns'\nrequest_timeout = '1s'\n{retry}\n\
         [balancer]\nretries = 0\nhealth.interval = '1h'\n[fault.f]\nat = '30s'\nfreeze = {{ nodes = 1, lasts = '10s' }}\n"
    ));
    (1..=20).into_par_iter().map(|seed| run(&plan, seed)).collect()
}

fn mean(of: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = of.collect();
    all.iter().sum::<f64>() / all.len() as f64
}

const RETRY: &str = "attempts = 1, backoff.fixed.delay = '0s'";

#[test]
fn a_budget_of_a_tenth_lets_the_same_overload_pass() {
    // With 280/s and a tenth more there are 308/s, more than 300/s; with 2 % there are 285.6/s.
    let offered = |ratio: &str| {
        let limit = format!("retry = {{ {RETRY}, limit.budget = {{ ratio = '{ratio}', min = '0/s' }} }}");
        let runs = stop(280, &limit);
        let within = |run: &Recording, from: usize, to: usize, counter: Counter| -> f64 {
            (from..to).map(|second| run.ticks[2 * second].totals[counter] as f64).sum()
        };
        runs.iter().for_each(|run| {
            let ratio = within(run, 60, 100, Attempts) / within(run, 60, 100, Issued);
            assert!(ratio < 1.0 + ratio_of(limit.as_str()) + 0.01, "{ratio} attempts for each request");
        });
        mean(runs.iter().map(|run| within(run, 270, 280, Succeeded) / 10.0))
    };
    let (never, recovers) = (offered("10%"), offered("2%"));
    assert!(never < 30.0, "{never} good answers a second");
    assert!(recovers > 270.0, "{recovers} good answers a second");
}

/// The ratio in the text of a budget.
fn ratio_of(text: &str) -> f64 {
    let digits = text.split("ratio = '").nth(1).and_then(|rest| rest.split('%').next()).expect("a percentage");
    digits.parse::<f64>().expect("a number") / 100.0
}

/// Ten clients, each of which asks every second and never has an answer.
fn in_vain(fault: &str, keys: &str, duration: &str) -> Recording {
    simulate(&format!(
        "duration = '{duration}'\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 10\nlength = 'forever'\n\
         pace = '1s'\nservice = '1ms'\nreconnect.fixed.delay = '1s'\n{keys}\n[balancer]\nretries = 0\nhealth.check = 'none'\n\
         [fault.f]\nat = '0s'\n{fault} = {{ nodes = 1 }}\n"
    ))
}

#[test]
fn five_hundred_tokens_are_a_hundred_retries_or_fifty_after_timeouts() {
    let aws = "preset = 'aws-sdk'\nretry.backoff = { fixed.delay = '10ms' }";
    let retries = |run: &Recording| total(run, Attempts) - total(run, Issued);
    assert_eq!(retries(&in_vain("black_hole", aws, "300s")), 1_000.0, "ten clients, each with tokens of its own");
    let shared = format!("{aws}\nretry.limit.tokens.per = 'population'");
    assert_eq!(retries(&in_vain("black_hole", &shared, "300s")), 100.0);
    let timeouts = format!("{aws}\nrequest_timeout = '500ms'");
    assert_eq!(retries(&in_vain("freeze", &timeouts, "300s")), 500.0);
    let unlimited = format!("{aws}\nretry.limit = 'none'");
    let run = in_vain("black_hole", &unlimited, "300s");
    let missing = 3.0 * total(&run, Issued) - total(&run, Attempts);
    assert!((0.0..=20.0).contains(&missing), "three attempts each, but for those at the end: {missing} are missing");
}

#[test]
fn a_budget_is_kept_over_a_long_time() {
    // 10 requests a second: a fifth of them, and one a second.
    let limit = "retry = { attempts = 1, backoff.fixed.delay = '10ms', limit.budget.min = '1/s' }";
    let run = in_vain("black_hole", limit, "2000s");
    let retries = (total(&run, Attempts) - total(&run, Issued)) / 2_000.0;
    assert!((retries - 3.0).abs() < 0.05, "{retries} retries a second");
}

#[test]
fn who_is_told_to_stay_away_does_so_or_does_not() {
    // One request holds the only slot; another is turned away again and again.
    let run = |keys: &str| {
        simulate(&format!(
            "duration = '60s'\n[cluster]\nnodes = 1\nnode = {{ concurrency = 1, queue_max = 0, retry_after = '5s' }}\n\
             [clients.a]\narrivals.initial = 1\nlength = 'forever'\nthink = '1us'\nservice = '100s'\n\
             [clients.b]\narrivals.initial = 1\nlength = 'forever'\nthink = '1s'\nservice = '1ms'\n{keys}\n\
             [balancer]\nretries = 0\nhealth.interval = '1h'\n"
        ))
    };
    let tries = |keys: &str| total(&run(keys), Attempts) - 1.0;
    let again = "retry = { attempts = 100, backoff.fixed.delay = '1s' }";
    assert_eq!(tries(again), 12.0, "every 5 s");
    assert_eq!(tries(&format!("{again}\nheeds_retry_after = false")), 60.0, "every second");
    let come_back = "reconnect.fixed.delay = '1s'";
    assert_eq!(tries(come_back), 12.0, "new requests as well");
    assert_eq!(tries("retry = { attempts = 100, backoff.fixed.delay = '7s' }"), 9.0, "its own wait, if that is longer");
}

#[test]
fn to_be_let_in_and_to_be_answered_are_waited_for_by_two_clocks() {
    // It takes a second to get in, and 100 ms to be answered.
    let run = |keys: &str| {
        simulate(&format!(
            "duration = '100m'\ncluster.nodes = 1\ncluster.node.handshake = '1s'\n\
             [clients.c]\narrivals = {{ open = {{ rate = '1/m' }}, initial = 0 }}\nrequests = 1\nthink = '1s'\n\
             service = '100ms'\n{keys}\n[balancer]\nretries = 0\n"
        ))
    };
    let outcome =
        |keys: &str| (total(&run(keys), Succeeded), whole(&run(keys)).totals.of(Harm::Failed, Cause::Timeout));
    let (all, none) = outcome("");
    assert!(all > 50.0 && none == 0);
    assert_eq!(outcome("request_timeout = '500ms'"), (0.0, all as u64), "one clock: it is not even let in");
    // Poisson clients may meet at the door, so that some wait for two seconds; few.
    let (answered, failed) = outcome("request_timeout = '500ms'\nconnect_timeout = '10s'");
    assert_eq!((answered, failed), (all, 0), "two clocks");
    assert_eq!(outcome("connect_timeout = '900ms'"), (0.0, all as u64));
    let (answered, failed) = outcome("request_timeout = '50ms'\nconnect_timeout = '10s'");
    assert_eq!((answered, failed), (0.0, all as u64), "let in, and then not answered in time");
}

#[test]
fn response_times_count_from_when_a_request_was_intended() {
    // 1,000 clients ask every second, come what may, and the server stands still for 10 s: whoever means to ask after
    // t of them has an answer after 10 s − t. A client that waits for its answer before it asks again would note one
    // slow request, and not ten.
    let run = simulate(
        "duration = '60s'\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 1000\nlength = 'forever'\npace = '1s'\n\
         service = '1us'\n[balancer]\nretries = 0\nhealth.interval = '1h'\n\
         [fault.f]\nat = '20s'\nfreeze = { nodes = 1, lasts = '10s' }\n",
    );
    let waited = total(&run, ResponseTime) / 1e9;
    assert!((waited / 50_000.0 - 1.0).abs() < 0.01, "{waited} s waited, not 10,000 · 5 s");
    assert_eq!(total(&run, Succeeded), total(&run, Issued));
    assert!((figure(whole(&run), "response_time_ms_max") / 1e4 - 1.0).abs() < 0.01);
}

#[test]
fn what_a_retry_waits_for_is_part_of_the_response_time() {
    // Asked while the node answers with errors, answered at the first try after that: the next whole second from the
    // request on, which is half a second late on average.
    let run = simulate(
        "duration = '60s'\ncluster.nodes = 1\n[clients.c]\narrivals.initial = 10000\nlength = 'forever'\npace = '20s'\n\
         service = '1us'\nretry = { attempts = 100, backoff.fixed.delay = '1s' }\n\
         [balancer]\nretries = 0\nhealth.check = 'none'\n[fault.f]\nat = '20s'\nblack_hole = { nodes = 1, lasts = '10s' }\n",
    );
    let waited = total(&run, ResponseTime) / 1e9;
    // Half of them ask within the 10 s of it, evenly spread.
    assert!((waited / (5_000.0 * 5.5) - 1.0).abs() < 0.04, "{waited} s");
    assert_eq!(total(&run, Succeeded), total(&run, Issued));
}

#[test]
fn a_stream_that_is_told_to_stay_away_does_so_or_does_not() {
    // One that comes every minute is let in; nobody else is.
    let tries = |keys: &str| {
        let run = simulate(&format!(
            "duration = '60s'\n[cluster]\nnodes = 1\n\
             node = {{ accept_rate = '1/h', accept_burst = 1, handshake = '1ms', retry_after = '5s' }}\n\
             [clients.b]\narrivals = {{ initial = 0, open.profile = [{{ at = '0s', rate = '2/s' }}, {{ at = '1s', rate = '2/s' }}, \
             {{ at = '1s', rate = '0/s' }}] }}\nlength = 'forever'\nprotocol = 'stream'\nreconnect.fixed.delay = '1s'\n{keys}\n\
             [balancer]\nretries = 0\nhealth.interval = '1h'\n"
        ));
        figure(whole(&run), "connects_total") / figure(whole(&run), "sessions_started_total")
    };
    let (heeds, heeds_not) = (tries(""), tries("heeds_retry_after = false"));
    assert!(heeds < 13.0 && heeds_not > 4.0 * heeds, "every 5 s: {heeds}, every second: {heeds_not}");
}
