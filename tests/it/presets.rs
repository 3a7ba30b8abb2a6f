//! Presets: one word sets a product's documented defaults, each with its source, and any key can be overridden.

use stickysim::cluster::balancer::Spec;
use stickysim::scenario::{Overrides, Problems, Sources, load_layer, presets};

const REST: &str = "duration = '60s'\n[cluster]\nnodes = 3\n[clients.web]\narrivals = { initial = 10 }\n\
    length = 'forever'\nthink = '1s'\nservice = '10ms'\n";

/// The balancer of a scenario with this section and these patches.
fn balancer(section: &str, sets: &[&str]) -> Spec {
    let (mut sources, mut problems) = (Sources::new(), Problems::new());
    let layer = sources.add("test", format!("{REST}[balancer]\n{section}\n"));
    let overrides = Overrides { sets: sets.iter().map(|set| (*set).to_owned()).collect(), variants: Vec::new() };
    let loaded = load_layer(layer, "test".as_ref(), &overrides, &mut sources, &mut problems);
    assert!(problems.is_empty(), "{}", problems.render(&sources, false));
    loaded.unwrap().cells.remove(0).plan.balancer
}

#[test]
fn every_preset_runs_as_it_is_and_names_a_source_for_every_key() {
    for preset in presets::ALL {
        balancer(&format!("preset = '{}'", preset.name), &[]);
        for line in preset.text.lines().filter(|line| line.contains('=')) {
            assert!(line.split_once('#').is_some_and(|(_, source)| source.len() > 4), "{}: {line}", preset.name);
        }
        assert!(preset.text.starts_with("# "), "{}: say which version and what it stands in front of", preset.name);
    }
}

#[test]
fn what_is_written_beats_the_preset_and_the_preset_beats_the_default() {
    let plain = balancer("preset = 'haproxy'", &[]);
    assert_eq!((plain.retries, plain.health.fall), (3, 3));
    let file = balancer("preset = 'haproxy'\nretries = 1\nhealth.fall = 5", &[]);
    assert_eq!((file.retries, file.health.fall, file.health.rise), (1, 5, 2));
    let set = balancer("preset = 'haproxy'\nretries = 1", &["balancer.retries=7", "balancer.balance=leastconn"]);
    assert_eq!(set.retries, 7);
    assert_ne!(set.balance, plain.balance);
}
