//! Whom a view sends to, on what evidence.

use super::active::{By, Start};
use super::*;
use crate::base::choice::Choice;
use crate::base::units::Share;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

const NODES: usize = 4;

fn at(millis: u64) -> Instant {
    Instant::START + Duration::from_millis(millis)
}

fn spec(written: serde_json::Value) -> Spec {
    serde_json::from_value(written).unwrap()
}

fn view(spec: &Spec) -> View {
    View::new(spec, NODES, Start::FullyUp, 1, "lb1")
}

/// The shares that a balancer is told: sixteenths of the weight by node.
fn told(view: &mut View) -> [u32; NODES] {
    std::iter::from_fn(|| view.changed()).for_each(drop);
    [0, 1, 2, 3].map(|node| view.share(NodeId(node)) * 16 / WHOLE)
}

fn fail(view: &mut View, now: u64, node: u32) {
    (0..3).for_each(|_| _ = view.checked(at(now), NodeId(node), Outcome::Failed));
}

fn recover(view: &mut View, now: u64, node: u32) {
    (0..2).for_each(|_| _ = view.checked(at(now), NodeId(node), Outcome::Good));
}

fn say(view: &mut View, now: u64, node: u32, word: Word) {
    view.say(at(now), NodeId(node), word);
    view.pass(at(now));
}

#[test]
fn checks_and_an_operators_word_both_have_a_say() {
    let mut view = view(&Spec::default());
    fail(&mut view, 0, 0);
    say(&mut view, 0, 1, Word::Admin(Admin::Drain));
    say(&mut view, 0, 2, Word::Admin(Admin::Maint));
    assert_eq!(told(&mut view), [0, 0, 0, 16]);
    assert_eq!([0, 1, 2, 3].map(|node| view.takes_bound(NodeId(node))), [false, true, false, true]);
    assert_eq!([0, 1, 2, 3].map(|node| view.is_up(NodeId(node))), [false, true, true, true]);
}

#[test]
fn only_what_has_changed_is_told() {
    let mut view = view(&Spec { panic_threshold: Share::new(0.5), ..Spec::default() });
    let changed = |view: &mut View| std::iter::from_fn(|| view.changed()).map(|node| node.0).collect::<Vec<_>>();
    assert_eq!(changed(&mut view), [0, 1, 2, 3], "all at first");
    fail(&mut view, 0, 2);
    assert_eq!(changed(&mut view), [2, 2, 2]);
    fail(&mut view, 0, 1);
    changed(&mut view);
    fail(&mut view, 0, 0);
    assert!(changed(&mut view).ends_with(&[0, 1, 2, 3]), "panic is about all");
}

#[test]
fn in_panic_everybody_gets_new_requests_and_nobody_bound_ones() {
    let mut view = view(&Spec { panic_threshold: Share::new(0.5), ..Spec::default() });
    (0..2).for_each(|node| fail(&mut view, 0, node));
    assert_eq!(told(&mut view), [0, 0, 16, 16], "half of them is not panic");
    fail(&mut view, 0, 2);
    assert_eq!(told(&mut view), [16; 4]);
    assert!(!view.takes_bound(NodeId(0)) && view.takes_bound(NodeId(3)));
    // What an operator has said stands, and does not count: one of three is still panic, one of two is not.
    say(&mut view, 0, 0, Word::Admin(Admin::Drain));
    assert_eq!(told(&mut view), [0, 16, 16, 16]);
    say(&mut view, 0, 1, Word::Admin(Admin::Maint));
    assert_eq!(told(&mut view), [0, 0, 0, 16]);
}

#[test]
fn failing_open_takes_all_for_healthy_once_none_is() {
    let mut view = view(&Spec { fail_open: true, ..Spec::default() });
    (0..3).for_each(|node| fail(&mut view, 0, node));
    assert_eq!(told(&mut view), [0, 0, 0, 16]);
    fail(&mut view, 0, 3);
    assert_eq!(told(&mut view), [16; 4]);
    assert!(view.takes_bound(NodeId(0)));
    recover(&mut view, 0, 1);
    assert_eq!(told(&mut view), [0, 16, 0, 0]);
}

#[test]
fn an_ejected_node_is_alive_but_gets_nobody() {
    let passive = spec(json!({"passive": "nginx"}));
    let mut view = view(&passive);
    assert!(!view.saw(at(0), NodeId(1), Seen::NotConnected), "no check can tell");
    assert_eq!(told(&mut view), [16, 0, 16, 16]);
    assert_eq!(view.weakened(), Some((NodeId(1), 1)));
    assert!(view.is_up(NodeId(1)) && !view.takes_bound(NodeId(1)));
    assert_eq!(view.due(), at(11_000));
    view.pass(at(11_000));
    assert_eq!(told(&mut view), [16; 4]);
    view.saw(at(11_000), NodeId(1), Seen::Tried);
    assert_eq!(told(&mut view), [16, 0, 16, 16], "one may try");
}

#[test]
fn errors_that_mark_a_node_down_are_undone_by_checks_alone() {
    let written = json!({"passive": {"observe": {"error_limit": 2, "on_error": "mark_down"}}});
    let mut view = view(&spec(written));
    assert!(!view.saw(at(0), NodeId(1), Seen::NotConnected));
    assert!(view.saw(at(0), NodeId(1), Seen::NotConnected), "the next check comes soon");
    assert_eq!((told(&mut view), view.due()), ([16, 0, 16, 16], Instant::START));
    assert_eq!((view.found_down(), view.found_down(), view.due()), (Some(NodeId(1)), None, Instant::NEVER));
    recover(&mut view, 0, 1);
    assert_eq!(told(&mut view), [16; 4]);
}

#[test]
fn a_passed_check_readmits_an_outlier() {
    let mut view = view(&spec(json!({"passive": "outlier"})));
    (0..5).for_each(|_| _ = view.saw(at(0), NodeId(1), Seen::Error));
    assert_eq!(told(&mut view), [16, 0, 16, 16]);
    view.checked(at(1), NodeId(1), Outcome::Good);
    assert_eq!(told(&mut view), [16; 4]);
}

#[test]
fn a_view_that_is_taken_over_counts_every_node_once() {
    // Half of four may be ejected, also behind a process that took over what another knew.
    let outlier = json!({"passive": {"outlier": {"errors": 1, "max_ejection": "50%", "eject_one": false}}});
    let spec = spec(outlier);
    let mut old = view(&spec);
    old.hold_back(NodeId(3));
    say(&mut old, 0, 3, Word::Joined);
    say(&mut old, 0, 3, Word::Ready(true));
    let mut fresh = view(&spec);
    fresh.inherit(&old);
    for mut view in [old, fresh] {
        (0..NODES as u32).for_each(|node| _ = view.saw(at(0), NodeId(node), Seen::Reset));
        assert_eq!(told(&mut view), [0, 0, 16, 16]);
    }
}

#[test]
fn the_last_node_of_an_nginx_group_is_never_out_whoever_left_before() {
    let spec = spec(json!({"passive": "nginx"}));
    let mut old = view(&spec);
    (1..NODES as u32).for_each(|node| say(&mut old, 0, node, Word::Admin(Admin::Removed)));
    let mut fresh = view(&spec);
    fresh.inherit(&old);
    for node in 1..NODES as u32 {
        say(&mut fresh, 0, node, Word::Admin(Admin::Removed));
    }
    for mut view in [old, fresh] {
        view.saw(at(0), NodeId(0), Seen::Reset);
        assert_eq!(told(&mut view), [16, 0, 0, 0]);
    }
}

#[test]
fn what_is_new_or_leaves_maintenance_is_what_start_says() {
    let table = [
        // start, a new node is up, one that leaves maintenance is up, and after a failed check
        (None, false, true, false),
        (Some(Start::FullyUp), true, true, true),
        (Some(Start::Up), true, true, false),
        (Some(Start::Down), false, false, false),
        (Some(Start::FullyDown), false, false, false),
    ];
    for (start, is_new_up, is_released_up, is_up_after_a_failure) in table {
        let mut view = view(&Spec { health: Health { start, ..Health::default() }, ..Spec::default() });
        let (new, released) = (NodeId(0), NodeId(1));
        view.hold_back(new);
        assert!(!view.is_up(new) && !view.takes_bound(new));
        say(&mut view, 0, 0, Word::Joined);
        assert_eq!(view.is_up(new), is_new_up, "{start:?}");
        say(&mut view, 0, 1, Word::Admin(Admin::Maint));
        say(&mut view, 0, 1, Word::Admin(Admin::Ready));
        assert_eq!(view.is_up(released), is_released_up, "{start:?}");
        view.checked(at(0), released, Outcome::Failed);
        assert_eq!(view.is_up(released), is_up_after_a_failure, "{start:?}");
    }
}

#[test]
fn without_checks_every_node_of_the_cluster_is_up() {
    let mut view = view(&spec(json!({"health": {"check": "none"}})));
    view.hold_back(NodeId(0));
    assert_eq!(told(&mut view), [0, 16, 16, 16]);
    say(&mut view, 5, 0, Word::Joined);
    assert_eq!(told(&mut view), [16; 4]);
}

#[test]
fn an_agents_word_is_the_verdict() {
    let mut view = view(&Spec { health: Health { by: By::Host, ..Health::default() }, ..Spec::default() });
    view.say(at(700), NodeId(0), Word::Ready(false));
    assert_eq!((view.due(), told(&mut view)), (at(700), [16; 4]));
    view.pass(at(700));
    assert_eq!((view.found_down(), view.found_down()), (Some(NodeId(0)), None));
    assert_eq!(told(&mut view), [0, 16, 16, 16]);
    // Leaving maintenance proves nothing where an agent speaks.
    say(&mut view, 800, 0, Word::Admin(Admin::Maint));
    say(&mut view, 800, 0, Word::Admin(Admin::Ready));
    assert_eq!(told(&mut view), [0, 16, 16, 16]);
    say(&mut view, 900, 0, Word::Ready(true));
    assert_eq!(told(&mut view), [16; 4]);
}

#[test]
fn a_node_that_returns_starts_slowly_and_one_that_was_there_does_not() {
    let mut view = view(&spec(json!({"slow_start": {"lasts": "4s"}})));
    assert_eq!(told(&mut view), [16; 4]);
    fail(&mut view, 0, 2);
    recover(&mut view, 1_500, 2);
    assert_eq!(told(&mut view), [16, 16, 1, 16]);
    let mut course = Vec::new();
    while view.due() != Instant::NEVER {
        let now = view.due();
        view.pass(now);
        course.push((now.as_secs_f64(), told(&mut view)[2]));
    }
    assert_eq!(course, [(2.5, 5), (3.5, 9), (4.5, 13), (5.5, 16)]);
    // Out again in the middle: the ramp ends, and begins anew.
    fail(&mut view, 6_000, 2);
    recover(&mut view, 7_000, 2);
    view.pass(at(8_000));
    assert_eq!(told(&mut view)[2], 5);
    fail(&mut view, 8_500, 2);
    assert_eq!((told(&mut view)[2], view.due()), (0, Instant::NEVER));
    recover(&mut view, 9_000, 2);
    assert_eq!(told(&mut view)[2], 1);
}

#[test]
fn leaving_a_drain_is_no_return_and_leaving_maintenance_is_one() {
    let mut view = view(&spec(json!({"slow_start": {"lasts": "4s"}})));
    for (admin, expected) in [(Admin::Drain, 16), (Admin::Maint, 1)] {
        say(&mut view, 0, 2, Word::Admin(admin));
        say(&mut view, 0, 2, Word::Admin(Admin::Ready));
        assert_eq!(told(&mut view)[2], expected, "{admin:?}");
    }
}

#[test]
fn a_linear_ramp_needs_somebody_at_full_weight() {
    let written = json!({"slow_start": {"lasts": "64s", "shape": "linear"}});
    let mut view = view(&spec(written));
    (0..4).for_each(|node| fail(&mut view, 0, node));
    recover(&mut view, 0, 0);
    recover(&mut view, 0, 1);
    assert_eq!(told(&mut view)[..2], [16, 0], "the first alone at full weight, the next from nothing");
    while view.due() <= at(32_000) {
        let now = view.due();
        view.pass(now);
    }
    assert_eq!(told(&mut view)[..2], [16, 8]);
}

#[test]
fn every_choice_of_the_section_is_read_by_name_alone() {
    let written: Choice<passive::Passive> = serde_json::from_value("observe".into()).unwrap();
    let all = spec(json!({"passive": "observe", "slow_start": {"lasts": "1s", "shape": "envoy"}}));
    assert_eq!(all.passive, written);
}

/// Something that happens to a node, half a second after the last.
#[derive(Clone, Copy, Debug)]
enum Step {
    Checked(Outcome),
    Saw(Seen),
    Said(Word, u64),
}

fn steps() -> impl Strategy<Value = Vec<(u32, Step)>> {
    let checked = select(vec![Outcome::Good, Outcome::Good, Outcome::Failed, Outcome::Error]).prop_map(Step::Checked);
    let seen = [Seen::Tried, Seen::Answered, Seen::NotConnected, Seen::Error, Seen::Closed, Seen::Unanswered];
    let seen = select(seen.to_vec()).prop_map(Step::Saw);
    let words = [Admin::Ready, Admin::Drain, Admin::Maint].map(Word::Admin);
    let words = [Word::Ready(true), Word::Ready(false)].into_iter().chain(words).collect::<Vec<_>>();
    let said = (select(words), 0u64..3_000).prop_map(|(word, later)| Step::Said(word, later));
    prop::collection::vec((0..NODES as u32, prop_oneof![checked, seen, said]), 1..200)
}

const SPECS: [&str; 5] = [
    r#"{"passive": "nginx", "slow_start": {"lasts": "5s"}, "fail_open": true}"#,
    r#"{"passive": {"outlier": {"errors": 2, "max_ejection": "60%", "interval": "2s"}}, "panic_threshold": "50%"}"#,
    r#"{"passive": {"observe": {"error_limit": 2}}, "slow_start": {"lasts": "3s", "shape": "linear"}}"#,
    r#"{"slow_start": {"lasts": "4s", "shape": "envoy"}, "panic_threshold": "100%", "fail_open": true}"#,
    r#"{"health": {"start": "down", "errors_at_once": true, "check": "http"}}"#,
];

proptest! {
    #[test]
    fn the_view_counts_right_and_whoever_listens_knows_all_of_it(
        written in select(SPECS.to_vec()),
        steps in steps(),
    ) {
        let spec: Spec = serde_json::from_str(written).unwrap();
        let mut view = view(&spec);
        // What a balancer is told, change by change.
        let mut known = [0; NODES];
        for (n, (node, step)) in (0..).zip(steps) {
            let (now, node) = (at(500 * n), NodeId(node));
            if view.due() <= now {
                view.pass(now);
            }
            match step {
                Step::Checked(outcome) => _ = view.checked(now, node, outcome),
                Step::Saw(seen) => _ = view.saw(now, node, seen),
                Step::Said(word, later) => view.say(at(500 * n + later), node, word),
            }
            while let Some(node) = view.changed() {
                known[node.index()] = view.share(node);
            }
            let served: Vec<&Opinion> = view.opinions.iter().filter(|opinion| opinion.is_served()).collect();
            let healthy = served.iter().filter(|opinion| opinion.is_healthy()).count();
            prop_assert_eq!((view.served as usize, view.healthy as usize), (served.len(), healthy));
            for node in (0..NODES as u32).map(NodeId) {
                let opinion = view.opinions[node.index()];
                prop_assert_eq!(known[node.index()], view.share(node), "{:?}", opinion);
                prop_assert_eq!(view.share(node) > 0, view.takes_new(node));
                prop_assert!(view.share(node) <= WHOLE);
                prop_assert!(!view.takes_new(node) || opinion.admin == Admin::Ready);
                let calm = view.alarm == Alarm::None;
                prop_assert!(!calm || !view.takes_new(node) || view.takes_bound(node));
                prop_assert!(!calm || !view.takes_bound(node) || opinion.is_healthy());
            }
        }
    }
}
