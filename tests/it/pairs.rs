//! Every way to spread with every way to stick: the books balance through a crash, a drain, evictions and a reload.

use super::lab::{causes, plan, whole};
use super::laws::{imbalance, rows};
use rayon::prelude::*;
use stickysim::base::cause::Harm;
use stickysim::base::choice::Alternatives;
use stickysim::cluster::Sim;
use stickysim::cluster::balancer::affinity::Affinity;
use stickysim::cluster::balancer::balance::Algorithm;
use stickysim::observe::totals::Counter::{Issued, Succeeded};
use stickysim::observe::totals::Totals;

/// People who ask and people who hold streams, on four nodes that end connections for their age and make themselves
/// even: n1 crashes, n2 is drained, and both balancers are reloaded while some of them have not come back.
fn scenario(balance: &str, affinity: &str) -> String {
    format!(
        "duration = \"40s\"\nwarmup = \"5s\"\ntick = \"500ms\"\nrecovery_hold = \"1s\"\n[cluster]\nnodes = 4\n\
         node = {{ concurrency = 2, handshake = \"5ms\", start = \"1s\", \
         connection_max_age = {{ age = \"9s\", grace = \"20ms\" }} }}\n\
         rebalance = {{ every = \"3s\", threshold = 1.05, rate = \"9/s\" }}\n\
         [balancer]\nbalance = \"{balance}\"\naffinity = \"{affinity}\"\nredispatch = true\ninstances = 2\n\
         in_flight_max = 20\nhealth = {{ interval = \"500ms\", check = \"http\", service = \"1ms\" }}\n\
         [state.memory]\nrebuild.service = \"20ms\"\n\
         [clients.web]\narrivals = {{ open = {{ rate = \"5/s\" }}, initial = 40 }}\n\
         length = {{ exponential = {{ mean = \"8s\" }} }}\nthink = {{ exponential = {{ mean = \"1s\" }} }}\n\
         service = {{ exponential = {{ mean = \"40ms\" }} }}\nrequest_timeout = \"2s\"\n\
         [clients.chat]\narrivals.initial = 40\nlength = \"forever\"\nprotocol = \"stream\"\n\
         [fault.crash]\nat = \"10s\"\nkill = {{ nodes = [\"n1\"], lasts = \"3s\" }}\n\
         [change.drain]\nat = \"18s\"\ndrain = {{ nodes = [\"n2\"], timeout = \"4s\", evict = \"6/s\" }}\n\
         [change.reload]\nat = \"20s\"\nreload = {{ hard_stop_after = \"3s\" }}\n"
    )
}

#[test]
fn the_books_balance_for_every_balance_with_every_affinity() {
    let pairs: Vec<(&str, &str)> = Algorithm::NAMES
        .iter()
        .flat_map(|(balance, _)| Affinity::NAMES.iter().map(|(affinity, _)| (*balance, *affinity)))
        .collect();
    assert!(pairs.len() >= 60, "{} pairs", pairs.len());
    pairs.par_iter().for_each(|&(balance, affinity)| {
        let plan = plan(&scenario(balance, affinity));
        let recording = Sim::new(&plan, 1, true).run(|| false).expect("nobody stops it").recording;
        let mut sums = vec![Totals::default(); recording.runs.len()];
        for tick in rows(&recording) {
            for (sum, window) in sums.iter_mut().zip(tick) {
                *sum += &window.totals;
                let wrong = imbalance(sum, window, true);
                assert!(wrong.is_none(), "{balance}, {affinity}, {:?}: {}", window.to, wrong.unwrap());
            }
        }
        // Something has happened, and all went on.
        let totals = &whole(&recording).totals;
        assert!(totals.total(Harm::Dropped) > 0, "{balance}, {affinity}: {:?}", causes(totals, Harm::Dropped));
        assert!(
            totals[Succeeded] * 10 > totals[Issued] * 9,
            "{balance}, {affinity}: {} of {}",
            totals[Succeeded],
            totals[Issued]
        );
    });
}
