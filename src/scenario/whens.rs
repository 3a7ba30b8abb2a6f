//! What do `at`, `after` and `random` of a fault mean? Exactly one of them says when it comes.

use super::compile::Reading;
use super::words::{listed, nearest};
use crate::base::dist::Law;
use crate::base::time::{Duration, Instant};
use crate::cluster::change::Change;
use crate::cluster::fate::{Each, Harm, Random, Renewal, When, Written};

/// What a fault may follow: the faults and changes of the scenario, as far as they are sound.
#[derive(Clone, Copy)]
pub(super) struct Others<'a> {
    pub(super) faults: &'a [(String, Written)],
    pub(super) changes: &'a [Change],
}

impl Reading<'_> {
    /// When a fault comes; `None` when that is wrong, which has been said.
    pub(super) fn when(&mut self, name: &str, fault: &Written, others: Others) -> Option<When> {
        match (fault.at, &fault.after, &fault.random) {
            (Some(at), None, None) => Some(When::At(Instant::START + at)),
            (None, Some(_), None) => self.follows(name, others).map(When::At),
            (None, None, Some(random)) => self.renewal(name, random).map(|life| When::Random(Box::new(life))),
            (None, None, None) => {
                let message = format!("fault.{name} does not say when it comes");
                self.wrong(&["fault", name], message, "add at = \"10m\", or `after`, or `random`");
                None
            }
            _ => {
                let message = format!("fault.{name} says in more than one way when it comes");
                self.wrong(&["fault", name], message, "leave one of `at`, `after` and `random`");
                None
            }
        }
    }

    /// When a fault begins that follows another, or a change; that one may follow a third.
    fn follows(&mut self, name: &str, others: Others) -> Option<Instant> {
        let path = ["fault", name, "after", "of"];
        let (mut by, mut seen) = (Duration::ZERO, Vec::new());
        let mut current = name;
        loop {
            if seen.contains(&current) {
                let message = format!("fault.{name} would follow itself: fault.{current} comes after it");
                self.wrong(&path, message, "let one of them come `at` a time");
                return None;
            }
            seen.push(current);
            let (_, fault) = others.faults.iter().find(|(other, _)| other == current)?;
            let after = match (&fault.after, fault.at, &fault.random) {
                (Some(after), None, None) => after,
                (None, Some(at), None) => return Some(Instant::START + at + by),
                (None, None, Some(_)) => {
                    let message = format!("fault.{current} comes at random, so nothing can be timed by it");
                    self.wrong(&path, message, "follow a change, or a fault that comes at a given time");
                    return None;
                }
                // Said where it stands.
                _ => return None,
            };
            by += after.by;
            match after.of.split_once('.') {
                Some(("change", change)) if self.has(&["change", change]) => {
                    let change = others.changes.iter().find(|other| other.name == change)?;
                    return Some(change.at + by);
                }
                Some(("fault", fault)) if self.has(&["fault", fault]) => current = fault,
                // Of a chain, the link that is wrong says so.
                _ if seen.len() > 1 => return None,
                _ => {
                    self.nothing_to_follow(&path, &after.of);
                    return None;
                }
            }
        }
    }

    fn nothing_to_follow(&mut self, path: &[&str], of: &str) {
        let mut known = Vec::new();
        for what in ["change", "fault"] {
            let table = self.table.get(what).and_then(|node| node.get_ref().as_table());
            let names = table.into_iter().flat_map(|table| table.keys());
            known.extend(names.map(|name| format!("{what}.{}", name.get_ref())));
        }
        known.retain(|other| *other != format!("fault.{}", path[1]));
        let near = nearest(of, &known).map(|near| format!("did you mean `{near}`? "));
        let hint = match known.len() {
            0 => "there is no other fault, and no change: write `at`".to_owned(),
            _ => format!("{}there are {}", near.unwrap_or_default(), listed(&known, "and")),
        };
        self.wrong(path, format!("fault.{}: there is no `{of}` to follow", path[1]), hint);
    }

    /// Whether something stands there.
    fn has(&self, [section, name]: &[&str; 2]) -> bool {
        let table = self.table.get(*section).and_then(|node| node.get_ref().as_table());
        table.is_some_and(|table| table.contains_key(*name))
    }

    fn renewal(&mut self, name: &str, random: &Random) -> Option<Renewal> {
        let mut law = |law: &Law<Duration>, key: &str| {
            let path = ["fault", name, "random", key];
            let sampler = self.law(law, &path)?;
            // Shorter ones would fill a run with failures and nothing else.
            if sampler.mean() < 1e6 {
                let message = format!("fault.{name}: `{key}` is below 1ms");
                self.wrong(&path, message, "write a time such as \"5m\", or a law");
            }
            Some(sampler)
        };
        let (up, down) = (law(&random.up, "up"), law(&random.down, "down"));
        Some(Renewal { up: up?, down: down?, each: random.each.unwrap_or_default() })
    }

    /// What a fault that comes at random may not say beside that.
    pub(super) fn check_random(&mut self, name: &str, random: &Random, kind: &dyn Harm) {
        if kind.lasts().is_some() {
            let message = format!("fault.{name}: both `lasts` and `random.down` say how long it lasts");
            self.wrong(&["fault", name, kind.name(), "lasts"], message, "leave `lasts` out");
        }
        if kind.at_store().is_some() && random.each.is_some() {
            let message = format!("fault.{name}: a store is one thing, and fails as one");
            self.wrong(&["fault", name, "random", "each"], message, "leave `each` out");
        }
        let each_node = random.each.unwrap_or_default() == Each::Node;
        if each_node && kind.aim().is_some_and(|aim| !aim.is_exact()) {
            let message = format!("fault.{name}: each node fails on its own, so it must be clear which ones do");
            let hint =
                "aim at names, a zone or { share = \"100%\" }; or write each = \"all\" for one failure at a time";
            self.wrong(&["fault", name, kind.name(), "nodes"], message, hint);
        }
    }
}
