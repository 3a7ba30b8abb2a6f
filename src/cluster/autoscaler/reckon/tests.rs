//! The arithmetic of Kubernetes' HorizontalPodAutoscaler, by hand.

use super::*;

fn readings(values: &[f64], unready: usize, missing: usize) -> Readings {
    Readings { values: values.to_vec(), unready, missing, fallback: 1.0 }
}

#[test]
fn a_mean_asks_for_as_many_nodes_as_it_takes() {
    // Nodes, their utilisation, not ready, down, target → nodes. By hand from the documented rules.
    type Case = (u32, &'static [f64], usize, usize, f64, u32);
    let cases: &[Case] = &[
        // ⌈2 · 0.90 / 0.60⌉ = 3; ⌈4 · 0.90 / 0.70⌉ = ⌈5.14⌉; 50 · 90/75 = 60 (the documentation's own example).
        (2, &[0.9, 0.9], 0, 0, 0.6, 3),
        (4, &[0.9, 0.9, 0.9, 0.9], 0, 0, 0.7, 6),
        (50, &[0.9; 50], 0, 0, 0.75, 60),
        // The mean counts: one that burns is not seen.
        (4, &[1.0, 0.6, 0.6, 0.6], 0, 0, 0.7, 4),
        // Down: ⌈4 · 0.30 / 0.70⌉ = ⌈1.71⌉.
        (4, &[0.3, 0.3, 0.3, 0.3], 0, 0, 0.7, 2),
        (3, &[0.0, 0.0, 0.0], 0, 0, 0.5, 0),
        // Within 10 % of the target nothing changes, at its edges neither; beyond them it does.
        (10, &[0.77; 10], 0, 0, 0.7, 10),
        (10, &[0.63; 10], 0, 0, 0.7, 10),
        (10, &[0.78; 10], 0, 0, 0.7, 12),
        (10, &[0.62; 10], 0, 0, 0.7, 9),
        // Nodes that start count as idle if there is to be more: 1.8 / 3 = 0.60 is the target, so nothing changes.
        (3, &[0.9, 0.9], 1, 0, 0.6, 3),
        // 1.8 / 3 / 0.5 = 1.2: ⌈1.2 · 3⌉ = 4, not ⌈1.8 · 2⌉ … which is 4 too; with two that start 0.45 turns it round.
        (3, &[0.9, 0.9], 1, 0, 0.5, 4),
        (4, &[0.9, 0.9], 2, 0, 0.5, 4),
        // If there is to be less they are left out: ⌈2 · 0.2 / 0.5⌉ = 1.
        (3, &[0.2, 0.2], 1, 0, 0.5, 1),
        // Nodes that are down: idle if there is to be more (2.7 / 4 / 0.5 = 1.35, ⌈5.4⌉) …
        (4, &[0.9, 0.9, 0.9], 0, 1, 0.5, 6),
        // … and full if there is to be less (0.6 + 1 = 1.6 over 4 nodes is 0.8 of 0.5, ⌈3.2⌉ = 4).
        (4, &[0.2, 0.2, 0.2], 0, 1, 0.5, 4),
        (6, &[0.1, 0.1, 0.1, 0.1, 0.1], 0, 1, 0.5, 3),
        // Whoever knows nothing changes nothing.
        (5, &[], 2, 3, 0.5, 5),
    ];
    for (current, values, unready, missing, target, expected) in cases {
        let found = by_mean(*current, &readings(values, *unready, *missing), *target, 0.1);
        assert_eq!(found, *expected, "{current} nodes at {values:?}, {unready} start, {missing} are down, {target}");
    }
}

#[test]
fn a_total_is_divided_and_a_peak_is_multiplied() {
    // 450 a second at 100 each: 5; 410 on 4 nodes are 2.5 % too many, which is tolerated.
    assert_eq!([450.0, 410.0, 90.0].map(|total| by_total(4, total, 100.0, 0.1)), [5, 4, 1]);
    // The busiest of 4 at 100 % for a target of 80 %: ⌈4 · 1.25⌉ = 5. Nobody ready: nothing is known.
    assert_eq!([1.0, 0.85, 0.4].map(|peak| by_value(4, 4, peak, 0.8, 0.1)), [5, 4, 2]);
    assert_eq!(by_value(4, 0, 1.0, 0.8, 0.1), 4);
}

const S: Duration = Duration::from_secs(1);

fn limits(window: u64, nodes: Option<u32>, share: Option<f64>) -> Limits {
    Limits { window: S * window, cooldown: Duration::ZERO, period: S * 15, nodes, share }
}

/// The defaults of Kubernetes, from 1 to `max` nodes.
fn rules(max: u32) -> Rules {
    Rules { min: 1, max, up: limits(0, Some(4), Some(1.0)), down: limits(300, None, Some(1.0)) }
}

/// Nodes after each look, one every 15 s, by what is proposed then.
fn course(rules: &Rules, first: u32, proposals: &[u32]) -> Vec<u32> {
    let (mut history, mut nodes) = (History::default(), first);
    let look = |(i, &wanted): (usize, &u32)| {
        nodes = history.settle(Instant::START + S * (15 * (i as u64 + 1)), nodes, wanted, rules);
        nodes
    };
    proposals.iter().enumerate().map(look).collect()
}

#[test]
fn growth_doubles_or_adds_four_in_fifteen_seconds() {
    assert_eq!(course(&rules(100), 1, &[100; 6]), [5, 10, 20, 40, 80, 100]);
    assert_eq!(course(&rules(100), 7, &[9]), [9]);
    assert_eq!(course(&rules(3), 1, &[9]), [3], "never beyond the bounds");
    assert_eq!(course(&rules(4), 6, &[6]), [4], "who is out of bounds comes back at once");
    let (one, both) = (limits(0, Some(1), None), limits(0, Some(2), Some(0.1)));
    assert_eq!(course(&Rules { up: one, ..rules(9) }, 2, &[9; 4]), [3, 4, 5, 6]);
    assert_eq!(course(&Rules { up: both, ..rules(99) }, 30, &[99; 2]), [33, 37], "10 % of 33 are 3.3, rounded up");
}

#[test]
fn shrinking_waits_until_nothing_higher_was_proposed_for_five_minutes() {
    // Looks every 15 s: one of 8 at 15 s holds until just before 315 s, which is the 21st.
    let mut proposals = vec![2; 24];
    proposals[0] = 8;
    let found = course(&rules(20), 8, &proposals);
    assert_eq!((&found[..20], &found[20..]), (&[8; 20][..], &[2; 4][..]));
    // A single peak meanwhile holds as many as it asked for, for as long again.
    proposals[10] = 5;
    let found = course(&rules(20), 8, &proposals);
    assert_eq!((&found[..20], &found[20..]), (&[8; 20][..], &[5; 4][..]));
}

#[test]
fn shrinking_goes_as_far_as_its_limits_let_it() {
    let down = |nodes, share| Rules { down: limits(0, nodes, share), ..rules(100) };
    assert_eq!(course(&down(None, Some(0.1)), 25, &[1; 3]), [22, 19, 17], "10 % of 25 are 2.5: 22.5, rounded down");
    assert_eq!(course(&down(Some(1), None), 4, &[1; 4]), [3, 2, 1, 1]);
    assert_eq!(course(&down(Some(0), None), 4, &[1; 4]), [4; 4], "with 0 never");
    // One every two minutes: eight looks apart.
    let slow = Rules { down: Limits { period: S * 120, ..limits(0, Some(1), None) }, ..rules(9) };
    let found = course(&slow, 4, &[1; 20]);
    assert_eq!((found[0], found[7], found[8], found[15], found[16]), (3, 3, 2, 2, 1));
}

#[test]
fn growth_waits_too_if_it_is_told_to_and_then_takes_the_least_that_was_asked_for() {
    let patient = Rules { up: Limits { window: S * 45, ..rules(9).up }, ..rules(9) };
    assert_eq!(course(&patient, 2, &[5, 4, 6, 6, 6]), [2, 2, 2, 4, 6], "the 4 is forgotten after 45 s");
}

#[test]
fn a_cooldown_begins_with_every_change() {
    let cool = |rules: Rules| Rules { up: Limits { cooldown: S * 60, ..rules.up }, ..rules };
    let found = course(&cool(rules(99)), 2, &[4, 8, 8, 8, 8, 16]);
    assert_eq!(found, [4, 4, 4, 4, 8, 8]);
}
