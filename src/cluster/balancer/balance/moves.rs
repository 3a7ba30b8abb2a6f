//! What holds for every algorithm, whoever comes and goes: only the eligible are chosen, who has just refused is
//! avoided, and after a change those move who must (oracle O7), and with a modulus nearly all.

use super::tests::{ask, every, member};
use super::{Algorithm, Ask, Balance};
use crate::base::id::NodeId;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What may happen to a node.
#[derive(Clone, Copy, Debug)]
enum Step {
    Joins,
    Leaves,
    /// For good.
    Goes,
    Loaded(u32),
}

fn steps() -> impl Strategy<Value = Vec<(u32, Step)>> {
    let step = prop_oneof![
        3 => Just(Step::Joins),
        1 => Just(Step::Leaves),
        1 => Just(Step::Goes),
        2 => (0u32..30).prop_map(Step::Loaded),
    ];
    prop::collection::vec((0u32..6, step), 1..30)
}

/// Takes a step; `members` are the eligible.
fn take(balance: &mut dyn Balance, members: &mut BTreeSet<NodeId>, (node, step): (u32, Step)) {
    let id = NodeId(node);
    match step {
        Step::Joins => {
            members.insert(id);
            balance.joined(super::Member { weight: 1 + node % 3, ..member(node) });
        }
        Step::Leaves | Step::Goes => {
            if members.remove(&id) {
                balance.left(id);
                if matches!(step, Step::Goes) {
                    balance.gone(id);
                }
            }
        }
        Step::Loaded(in_flight) => balance.load(id, in_flight),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn only_the_eligible_are_chosen_and_who_has_refused_is_avoided(steps in steps(), keys in any::<u64>()) {
        for (name, algorithm) in every() {
            let (mut balance, mut members) = (algorithm.start(1, "lb1"), BTreeSet::new());
            for (n, &step) in (0_u64..).zip(&steps) {
                take(&mut *balance, &mut members, step);
                let ask = ask(keys.wrapping_add(n) >> 1);
                let Some(chosen) = balance.pick(&ask) else {
                    prop_assert!(members.is_empty(), "{name}: nobody of {members:?}");
                    continue;
                };
                prop_assert!(members.contains(&chosen), "{name}: {chosen:?} of {members:?}");
                let other = balance.pick(&Ask { avoid: Some(chosen), ..ask });
                prop_assert!(other.is_some_and(|other| members.contains(&other)), "{name}: {other:?}");
                prop_assert!(members.len() == 1 || other != Some(chosen), "{name}: {chosen:?} again");
            }
        }
    }

    #[test]
    fn a_hash_without_a_bound_remembers_nothing_of_how_its_members_came_together(steps in steps()) {
        for (name, algorithm) in every().filter(|(_, algorithm)| algorithm.binds()) {
            let (mut lived, mut members) = (algorithm.start(1, "lb1"), BTreeSet::new());
            steps.iter().for_each(|&step| take(&mut *lived, &mut members, step));
            // A bound looks at loads, and NGINX at who is configured: bring these to one state, too.
            (0..6).for_each(|node| lived.load(NodeId(node), 0));
            let mut fresh = algorithm.start(1, "lb1");
            for node in 0..6 {
                if !members.contains(&NodeId(node)) {
                    lived.left(NodeId(node));
                    lived.gone(NodeId(node));
                } else {
                    take(&mut *fresh, &mut BTreeSet::new(), (node, Step::Joins));
                }
            }
            // After twenty failed tries NGINX goes on in turn, which is no function of the key; here none is down.
            for key in 0..50 {
                prop_assert_eq!(lived.pick(&ask(key)), fresh.pick(&ask(key)), "{}", name);
            }
        }
    }
}

const KEYS: u64 = 200_000;

fn homes(balance: &mut dyn Balance) -> Vec<NodeId> {
    (0..KEYS).map(|key| balance.pick(&ask(key)).unwrap()).collect()
}

fn ten(json: &str) -> Box<dyn Balance> {
    let algorithm: Algorithm = serde_json::from_str(json).unwrap();
    let mut balance = algorithm.start(1, "lb1");
    (0..10).for_each(|n| balance.joined(member(n)));
    balance
}

fn moved(before: &[NodeId], after: &[NodeId], of: impl Fn(NodeId) -> bool) -> f64 {
    let (mut all, mut moved) = (0.0, 0.0);
    for (was, is) in before.iter().zip(after).filter(|(was, _)| of(**was)) {
        all += 1.0;
        moved += f64::from(u8::from(was != is));
    }
    moved / all
}

#[test]
fn a_modulus_moves_nearly_everybody() {
    // Oracle O7(a), ± 0.3 points.
    for json in [
        r#"{"hash": {}}"#,
        r#"{"source": {}}"#,
        r#"{"haproxy_hash": {"key": "address"}}"#,
        r#"{"haproxy_hash": {"function": "crc32", "avalanche": true}}"#,
        r#"{"nginx_hash": {"key": "header"}}"#,
        r#"{"nginx_ip_hash": {}}"#,
    ] {
        let mut balance = ten(json);
        let before = homes(&mut *balance);
        balance.joined(member(10));
        let eleven = moved(&before, &homes(&mut *balance), |_| true);
        assert!((eleven - 0.9091).abs() < 0.003, "{json}: {eleven}");
        [9, 10].map(NodeId).into_iter().for_each(|node| {
            balance.left(node);
            balance.gone(node);
        });
        let after = homes(&mut *balance);
        let (all, survivors) = (moved(&before, &after, |_| true), moved(&before, &after, |was| was != NodeId(9)));
        assert!((all - 0.9).abs() < 0.003, "{json}: {all}");
        assert!((survivors - 0.8889).abs() < 0.003, "{json}: {survivors}");
    }
}

#[test]
fn a_consistent_hash_moves_those_who_must_and_no_others() {
    // Oracle O7(b): 9.09 ± 0.3 % and all to the new node; on a ring that share is luck. Not Envoy's: it deals its 1,024
    // points out anew, so that others move as well.
    for (json, is_even) in [
        (r#"{"rendezvous": {}}"#, true),
        (r#"{"jump": {}}"#, true),
        (r#"{"ring": {}}"#, false),
        (r#"{"haproxy_hash": {"type": "consistent"}}"#, false),
        (r#"{"haproxy_hash": {"key": "address", "type": "consistent"}}"#, false),
        (r#"{"nginx_hash": {"consistent": true}}"#, false),
        (r#"{"nginx_hash": {"key": "address", "consistent": true}}"#, false),
    ] {
        let mut balance = ten(json);
        let before = homes(&mut *balance);
        balance.joined(member(10));
        let after = homes(&mut *balance);
        let share = moved(&before, &after, |_| true);
        assert!((share - 1.0 / 11.0).abs() < if is_even { 0.003 } else { 0.05 }, "{json}: {share}");
        assert!(before.iter().zip(&after).all(|(was, is)| was == is || *is == NodeId(10)), "{json}");
        balance.left(NodeId(10));
        assert!(homes(&mut *balance) == before, "{json}: they come back");
    }
}

#[test]
fn a_table_that_is_filled_in_turns_moves_few_needlessly() {
    // Oracle O7(d): 0.25 % of slots on average (sd 0.09 %); what is due is one in ten, to within a slot.
    for json in [r#"{"maglev": {}}"#, r#"{"envoy_maglev": {}}"#] {
        let mut balance = ten(json);
        let before = homes(&mut *balance);
        balance.left(NodeId(4));
        let after = homes(&mut *balance);
        assert!((moved(&before, &after, |_| true) - 0.1).abs() < 0.008, "{json}");
        assert!(moved(&before, &after, |was| was != NodeId(4)) < 0.007, "{json}");
    }
}
