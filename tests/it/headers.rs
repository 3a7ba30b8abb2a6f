//! Do the scenarios about deploys, releases and scaling still give what their opening comments promise? A few figures of
//! each, with few seeds; tolerances are about four deviations of their mean.

use super::lab::{figure, incident, run, whole};
use super::predictions::{near, shipped};
use rayon::prelude::*;
use stickysim::observe::recorder::Recording;
use stickysim::scenario::Cell;

/// The cells of a scenario, and with how many seeds they are looked at.
struct Header {
    cells: Vec<Cell>,
    seeds: u64,
}

fn header(name: &str, seeds: u64) -> Header {
    Header { cells: shipped(name), seeds }
}

impl Header {
    /// Runs of a variant, with the values of a sweep that its point has all of.
    fn runs(&self, variant: &str, values: &[&str]) -> Vec<Recording> {
        let is_meant = |cell: &&Cell| {
            let has = |value: &&str| cell.point.split(' ').any(|pair| pair.ends_with(&format!("={value}")));
            cell.variant == variant && values.iter().all(has)
        };
        let mut found = self.cells.iter().filter(is_meant);
        let (cell, other) = (found.next(), found.next());
        let cell = cell.filter(|_| other.is_none()).unwrap_or_else(|| panic!("not one {variant} with {values:?}"));
        (1..=self.seeds).into_par_iter().map(|seed| run(&cell.plan, seed)).collect()
    }

    fn mean(&self, variant: &str, values: &[&str], of: impl Fn(&Recording) -> f64) -> f64 {
        let runs = self.runs(variant, values);
        runs.iter().map(of).sum::<f64>() / runs.len() as f64
    }
}

/// A figure of the whole run.
fn in_all(name: &str) -> impl Fn(&Recording) -> f64 {
    move |recording| figure(whole(recording), name)
}

/// A figure of the change.
fn after(name: &str) -> impl Fn(&Recording) -> f64 {
    move |recording| figure(incident(recording), name)
}

/// A figure of all populations, averaged over these ticks.
fn within(recording: &Recording, ticks: std::ops::Range<usize>, name: &str) -> f64 {
    let scopes = recording.runs.len();
    let all: Vec<f64> = recording.ticks.iter().skip(scopes - 1).step_by(scopes).map(|w| figure(w, name)).collect();
    let count = ticks.len() as f64;
    all[ticks].iter().sum::<f64>() / count
}

#[test]
fn deregistration_race() {
    let header = header("deregistration-race", 2);
    for (sleep, raced, takes) in [("no sleep", 1_950.0, 624.0), ("5 s", 1_300.0, 684.0), ("15 s", 325.0, 804.0)] {
        // Twelve delays: a fifth of the excess over the sleep, by seed.
        near(sleep, header.mean(sleep, &[], after("attempts_raced_total")), raced, 0.4 * raced);
        near(sleep, header.mean(sleep, &[], after("rollout_time_s")), takes, 2.0);
    }
    assert_eq!(header.mean("25 s", &[], after("attempts_raced_total")), 0.0);
    let tries = "5 s, three more tries";
    assert_eq!(header.mean(tries, &[], after("requests_failed_total")), 0.0);
    near(tries, header.mean(tries, &[], after("attempts_raced_total")), 1_444.0, 500.0);
    near("NLB, 60 s", header.mean("NLB, 60 s", &[], after("attempts_raced_total")), 8_283.0, 250.0);
    assert_eq!(header.mean("NLB, 130 s", &[], after("attempts_raced_total")), 0.0);
}

#[test]
fn canary_one_sided_cookie() {
    let header = header("canary-one-sided-cookie", 2);
    // The first step begins some seconds after two minutes, and lasts for five; ticks of 10 s.
    let share =
        |from: usize| header.mean("one-sided cookie", &[], |run| within(run, from..from + 1, "canary_sessions_ratio"));
    near("after 2.2 min", share(25), 0.5, 0.06);
    near("the end of the first step", share(41), 0.78, 0.04);
    near("the end of the second", share(71), 0.99, 0.015);
    near("failed", header.mean("one-sided cookie", &[], in_all("requests_failed_total")), 1_495.0, 110.0);
    near("failed", header.mean("no cookie", &[], in_all("requests_failed_total")), 360.0, 60.0);
    // 10 % of 2,000: a deviation is 13.4 people.
    near("drawn once", header.mean("version cookie", &[], in_all("sessions_exposed_total")), 200.0, 40.0);
    assert_eq!(header.mean("two-sided, and nobody new", &[], in_all("sessions_exposed_total")), 0.0);
}

#[test]
fn canary_two_sided_analysis_window() {
    let header = header("canary-two-sided-analysis-window", 4);
    // 10 % of those who have come since; of 800 a deviation of 8 at the most.
    for (mean, minutes, step) in
        [("5m", 5.0, "gate after 5 min"), ("30m", 15.0, "gate after 15 min"), ("2h", 60.0, "gate after 1 h")]
    {
        let life = if mean == "2h" {
            120.0
        } else if mean == "30m" {
            30.0
        } else {
            5.0
        };
        let exact = 0.1 * (1.0 - libm::exp(-minutes / life));
        near(step, header.mean(step, &[mean], in_all("canary_sessions_ratio_last")), exact, 0.02);
    }
    assert_eq!(header.mean("gate after 5 min", &["5m"], after("rollback_triggered")), 1.0);
    assert_eq!(header.mean("gate after 1 h", &["30m"], after("rollback_triggered")), 1.0);
    assert!(header.mean("gate after 5 min", &["2h"], after("rollback_triggered")) <= 0.75, "two of ten");
}

#[test]
fn blue_green_websocket() {
    let header = header("blue-green-websocket", 2);
    let variants = [("30 s, as Argo", 1.0), ("10 min", 10.5), ("2 h", 120.5)];
    for (variant, minutes) in variants {
        let cut = header.mean(variant, &[], after("sessions_dropped_ratio"));
        near(variant, cut, libm::exp(-minutes / 30.0), 0.03);
    }
    let argo = "30 s, as Argo";
    near("cut in a second", header.mean(argo, &[], after("disconnects_peak_per_s")), 2_890.0, 200.0);
    near("back in a second", header.mean(argo, &[], after("connects_peak_per_s")), 620.0, 80.0);
    let evicted = "30 s, then evicted in 5 min";
    near(evicted, header.mean(evicted, &[], after("sessions_dropped_ratio")), 0.91, 0.03);
    near(evicted, header.mean(evicted, &[], after("rollout_time_s")), 330.0, 20.0);
}

#[test]
fn autoscaler_cannot_see_stickiness() {
    let header = header("autoscaler-cannot-see-stickiness", 1);
    // Minutes 5 to 15 in ticks of 15 s.
    let busiest = |variant| header.mean(variant, &[], |run| within(run, 20..60, "node_utilisation_ratio_max"));
    near("with a cookie", busiest("mean CPU, cookie"), 0.92, 0.05);
    near("stateless", busiest("mean CPU, stateless"), 0.69, 0.05);
    let nodes = |variant: &str| header.mean(variant, &[], in_all("node_hours_total"));
    near("six", nodes("mean CPU, cookie"), 7.5, 0.2);
    near("up to twelve", nodes("busiest node, cookie"), 13.1, 1.0);
}

#[test]
fn scale_in_victims() {
    let header = header("scale-in-victims", 1);
    let cut = |victim: &str| {
        header.mean(victim, &[], |run| {
            figure(whole(run), "sessions_dropped_total") / figure(whole(run), "sessions_started_total")
        })
    };
    let [fewest, oldest, most, drained] =
        ["fewest sessions", "oldest", "most sessions", "fewest, drained 4 h"].map(cut);
    near("the fewest", fewest, 0.062, 0.015);
    near("the oldest", oldest, 0.089, 0.02);
    near("the most", most, 0.095, 0.02);
    near("let them finish", drained, 0.01, 0.006);
    assert_eq!(cut("never fewer"), 0.0);
    let hours = |victim: &str| header.mean(victim, &[], in_all("node_hours_total"));
    near("as many as ever were", hours("never fewer"), 209.0, 12.0);
    near("as many as are needed", hours("fewest sessions"), 163.0, 5.0);
}

#[test]
fn bad_deploy_rollback() {
    let header = header("bad-deploy-rollback", 8);
    // People who met the bad version, and when it went back.
    for (samples, exposed, seconds) in [("30", 15.0, 51.0), ("300", 40.0, 98.0), ("1000", 91.0, 154.0)] {
        let values = ["1%", samples];
        assert_eq!(header.mean("bad", &values, after("rollback_triggered")), 1.0);
        near(samples, header.mean("bad", &values, after("sessions_exposed_total")), exposed, 12.0);
        near(samples, header.mean("bad", &values, after("rollback_detection_s")), seconds, 17.0);
    }
    assert_eq!(header.mean("good", &["1%", "1000"], after("rollback_triggered")), 0.0);
    near("half of the good", header.mean("good", &["1%", "30"], after("rollback_triggered")), 0.5, 0.4);
}

#[test]
fn daily_deploys() {
    let header = header("daily-deploys", 2);
    let (short, long) = ("in memory, drain 30 s", "in memory, drain 10 min");
    let cut = |variant: &str, mean, apart| header.mean(variant, &[mean, apart], in_all("sessions_dropped_ratio"));
    for (mean, minutes) in [("10m", 10.0), ("1h", 60.0), ("8h", 480.0)] {
        // The mean over the period of those who are there, of which a deploy cuts each that it meets.
        near(mean, cut(short, mean, "2h"), minutes / (minutes + 120.0), 0.035);
    }
    near("a drain of 10 min", cut(long, "10m", "2h"), 0.032, 0.008);
    let lost = |variant: &str| header.mean(variant, &["1h", "6h"], in_all("sessions_lost_ratio"));
    near("in memory", lost(short), 0.14, 0.02);
    assert_eq!(lost("in a store, drain 30 s"), 0.0);
}
