//! What do `[fault.<name>]` and `[change.<name>]` mean? What goes wrong, and what we do ourselves, and when.

use super::address::after;
use super::compile::Reading;
use super::file::Root;
use super::read_each;
use super::versions::Versions;
use super::whens::Others;
use super::words::nearest;
use crate::base::time::Instant;
use crate::cluster::change::{self, Change, Order};
use crate::cluster::fate::aim::{Aim, Part};
use crate::cluster::fate::{Fault, Written};
use crate::cluster::plan::{Node, Plan};

/// Adds the nodes that changes will bring, and so many more, alike to the last one; returns how many.
pub(super) fn add_spares(nodes: &mut Vec<Node>, changes: &[Change], more: usize) -> usize {
    let at_first = nodes.len();
    // A roll that is undone replaces its nodes twice.
    let times = |change: &Change| 1 + usize::from(change.rollback.is_some() && !change.kind.is_canary());
    // Who replaces all may meet those that the autoscaler, or another change, has added.
    let added = changes.iter().map(|change| change.kind.adds()).sum::<usize>();
    let at_most = at_first.max(more) + added;
    let spares = changes.iter().map(|change| change.kind.spares(at_most) * times(change)).sum::<usize>() + more;
    let Some(last) = nodes.last().cloned() else { return 0 };
    // No two nodes have one name: it is the place on the ring.
    let taken = |name: &str| nodes.iter().any(|node| node.group.as_deref() == Some(name));
    let new = if taken("new") { "added" } else { "new" };
    let numbered = last.name.strip_prefix('n').is_some_and(|rest| rest.parse::<usize>().is_ok());
    for i in 0..spares {
        let name = if numbered { format!("n{}", at_first + i + 1) } else { format!("{}-{}", new, i + 1) };
        // Zones are dealt out in turn, as at first.
        let zone = nodes[i % at_first].zone;
        let address = last.address.map(|address| after(address, i as u32 + 1));
        nodes.push(Node { name, zone, address, ..last.clone() });
    }
    spares
}

impl Reading<'_> {
    pub(super) fn each_fault(&mut self, nodes: Option<(&[Node], &[String])>, changes: &[Change]) -> Vec<Fault> {
        let Some(node) = self.table.get("fault") else { return Vec::new() };
        let written: Vec<(String, Written)> = read_each(node, self.problems, "fault");
        let mut faults = Vec::new();
        let others = Others { faults: &written, changes };
        for (name, fault) in &written {
            let when = self.when(name, fault, others);
            let mut kinds = fault.clone().kinds();
            if kinds.len() != 1 {
                let message = match kinds.len() {
                    0 => format!("fault.{name} does not say what goes wrong"),
                    n => format!("fault.{name} says {n} things that go wrong; it takes one"),
                };
                self.wrong(&["fault", name], message, "add kill = { nodes = 1, lasts = \"3m\" }");
                continue;
            }
            let kind = kinds.remove(0);
            if let Some((nodes, zones)) = nodes {
                let inside = kind.at_store().and_then(|fault| fault.inside.as_ref()).map(|(key, aim)| (*key, aim));
                for (key, aim) in kind.aim().map(|aim| ("nodes", aim)).into_iter().chain(inside) {
                    self.check_aim(&["fault", name, kind.name(), key], aim, nodes, zones);
                }
            }
            if kind.lasts().is_some_and(|span| span.is_zero()) {
                let message = format!("fault.{name} lasts no time at all");
                self.wrong(&["fault", name], message, "write how long, or leave `lasts` out for good");
            }
            for (key, message, mend) in kind.faults() {
                self.wrong(&["fault", name, kind.name(), key], format!("fault.{name}: {message}"), mend);
            }
            if let Some(random) = &fault.random {
                self.check_random(name, random, &*kind);
            }
            faults.extend(when.map(|when| Fault { name: name.clone(), when, kind }));
        }
        // By name, so that the order of the text changes nothing.
        faults.sort_by(|a, b| a.name.cmp(&b.name));
        faults
    }

    fn check_aim(&mut self, path: &[&str], aim: &Aim, nodes: &[Node], zones: &[String]) {
        let (what, name) = (path[0], path[1]);
        match aim {
            Aim::Count(0) => self.wrong(path, "this hits no node", "write 1 or more"),
            Aim::Count(count) if *count as usize > nodes.len() => {
                let message = format!("{what}.{name} hits {count} nodes, but the cluster has {}", nodes.len());
                self.wrong(path, message, "hit fewer nodes or add some");
            }
            Aim::Count(_) | Aim::Fullest(_) => {}
            Aim::Part(Part::Share(share)) if share.ratio() == 0.0 => {
                self.wrong(path, "this hits no node", "write a share above 0%");
            }
            Aim::Part(Part::Share(_)) => {}
            Aim::Part(Part::Zone(wanted)) => {
                if !zones.contains(wanted) {
                    let near = nearest(wanted, zones).map(|near| format!("did you mean `{near}`? "));
                    let message = format!("{what}.{name}: there is no zone `{wanted}`");
                    let hint = format!("{}the zones are {}", near.unwrap_or_default(), zones.join(", "));
                    self.wrong(path, message, hint);
                }
            }
            Aim::Names(wanted) if wanted.is_empty() => self.wrong(path, "this hits no node", "name one"),
            Aim::Names(wanted) => {
                for unknown in wanted.iter().filter(|wanted| nodes.iter().all(|node| node.name != **wanted)) {
                    let known: Vec<String> = nodes.iter().take(1_000).map(|node| node.name.clone()).collect();
                    let near = nearest(unknown, &known).map(|near| format!("did you mean `{near}`? "));
                    let message = format!("{what}.{name}: there is no node `{unknown}`");
                    let ends = (known.first(), nodes.last().map(|node| &node.name));
                    let range =
                        if let (Some(first), Some(last)) = ends { format!("{first} to {last}") } else { String::new() };
                    let hint = format!("{}the nodes are {range}", near.unwrap_or_default());
                    self.wrong(path, message, hint);
                }
            }
        }
    }

    pub(super) fn check_faults(&mut self, root: &Root, faults: &[Fault]) {
        let end = Instant::START + root.duration;
        for fault in faults {
            // What comes at random may come at any time.
            let Some(begins) = fault.at() else { continue };
            let path = self.path_of_start(&fault.name);
            let at = begins.since(Instant::START);
            if begins >= end {
                let message = format!("fault.{} comes at {at}, when the run is over ({})", fault.name, root.duration);
                self.wrong(&path, message, "let it come earlier or lengthen duration");
            } else if begins < Instant::START + root.warmup.given() {
                let message =
                    format!("fault.{} comes at {at}, before the warm-up is over ({})", fault.name, root.warmup.given());
                self.warning(&path, message, "its figures start from a state that is not steady");
            } else if begins + root.recovery_hold > end {
                let message = format!("the run ends {} after fault.{}", end.since(begins), fault.name);
                let hint = format!("recovery is confirmed after {}: lengthen duration", root.recovery_hold);
                self.warning(&path, message, hint);
            }
        }
    }

    /// Where it is written when a fault that does not come at random begins.
    pub(super) fn path_of_start<'a>(&self, name: &'a str) -> [&'a str; 3] {
        let fault = self.table.get("fault").and_then(|node| node.get_ref().as_table()?.get(name)?.get_ref().as_table());
        let follows = fault.is_some_and(|fault| fault.contains_key("after"));
        ["fault", name, if follows { "after" } else { "at" }]
    }

    /// An incident lasts until the next: of two at one instant, the first lasts no time at all.
    pub(super) fn check_instants(&mut self, faults: &[Fault], changes: &[Change]) {
        let mut begun: Vec<(Instant, &str, &str)> = Vec::new();
        let faults = faults.iter().filter_map(|fault| Some((fault.at()?, "fault", fault.name.as_str())));
        let changes = changes.iter().map(|change| (change.at, "change", change.name.as_str()));
        for (at, what, name) in faults.chain(changes) {
            if let Some((_, other, first)) = begun.iter().find(|(begins, ..)| *begins == at) {
                let message = format!("{other}.{first} and {what}.{name} begin at the same instant");
                let hint = format!("what both do is counted after {what}.{name}; let one come a little later");
                let path = if what == "fault" { self.path_of_start(name) } else { [what, name, "at"] };
                self.warning(&path, message, hint);
            }
            begun.push((at, what, name));
        }
    }

    pub(super) fn each_change(&mut self, nodes: Option<(&[Node], &[String])>, versions: &Versions) -> Vec<Change> {
        let Some(node) = self.table.get("change") else { return Vec::new() };
        let written: Vec<(String, change::Written)> = read_each(node, self.problems, "change");
        let mut changes = Vec::new();
        for (name, change) in written {
            let (at, rollback) = (Instant::START + change.at, change.rollback.clone());
            let mut kinds = change.kinds();
            if kinds.len() != 1 {
                let message = match kinds.len() {
                    0 => format!("change.{name} does not say what is changed"),
                    n => format!("change.{name} says {n} things; it takes one"),
                };
                self.wrong(&["change", &name], message, "add rolling = { unavailable_max = 1 }");
                continue;
            }
            let kind = kinds.remove(0);
            if let (Some((nodes, zones)), Some(aim)) = (nodes, kind.aim()) {
                self.check_aim(&["change", &name, kind.name(), "nodes"], aim, nodes, zones);
            }
            for (key, message, mend) in kind.faults() {
                self.wrong(&["change", &name, kind.name(), key], format!("change.{name}: {message}"), mend);
            }
            if let (Some((nodes, zones)), Some((key, order))) = (nodes, kind.order()) {
                self.check_order(&["change", &name, kind.name(), key], order, nodes, zones);
            }
            let version = self.version_of(&name, &*kind, rollback.as_ref(), versions);
            changes.push(Change { name, at, kind, version, rollback });
        }
        changes.sort_by(|a, b| a.name.cmp(&b.name));
        changes
    }

    /// Whether those that are taken away by hand are all, and nothing brings any back.
    pub(super) fn warn_of_no_nodes(&mut self, plan: &Plan) {
        if plan.autoscaler.is_some() {
            return;
        }
        let mut changes: Vec<&Change> = plan.changes.iter().collect();
        changes.sort_by_key(|change| change.at);
        let mut left = plan.desired();
        for change in changes {
            left += change.kind.adds();
            let Some(aim) = change.kind.aim().filter(|_| change.kind.name() == "scale_in") else { continue };
            let taken = match aim {
                Aim::Count(count) => *count as usize,
                Aim::Names(names) => names.len(),
                Aim::Fullest(_) => 1,
                Aim::Part(Part::Share(share)) => (share.ratio() * left as f64 + 0.5).max(1.0) as usize,
                Aim::Part(Part::Zone(zone)) => {
                    let is_in = |node: &&Node| plan.zones[node.zone as usize] == *zone;
                    plan.nodes[..plan.desired()].iter().filter(is_in).count()
                }
            };
            left = left.saturating_sub(taken);
            if left == 0 {
                let message = format!("change.{} takes the last node away: nobody is served from then on", change.name);
                self.warning(&["change", &change.name, "scale_in", "nodes"], message, "take fewer, or add some before");
                return;
            }
        }
    }

    /// The nodes whose turn comes first must exist, and come once.
    pub(super) fn check_order(&mut self, path: &[&str], order: &Order, nodes: &[Node], zones: &[String]) {
        let Order::Names(names) = order else { return };
        let place = &path[..2].join(".");
        if names.is_empty() {
            let message = format!("{place}: this order names no node");
            return self.wrong(path, message, "name those that come first, or leave it out for n1, n2, n3 …");
        }
        if let Some(twice) = names.iter().enumerate().find(|(i, node)| names[..*i].contains(node)) {
            let message = format!("{place}: `{}` has two turns", twice.1);
            self.wrong(path, message, "name each node once; those that are not named follow");
        }
        self.check_aim(path, &Aim::Names(names.clone()), nodes, zones);
    }

    pub(super) fn check_changes(&mut self, root: &Root, changes: &[Change]) {
        let end = Instant::START + root.duration;
        for change in changes {
            let (path, at) = (["change", change.name.as_str(), "at"], change.at.since(Instant::START));
            if change.at >= end {
                let message = format!("change.{} comes at {at}, when the run is over ({})", change.name, root.duration);
                self.wrong(&path, message, "let it come earlier or lengthen duration");
            } else if change.at < Instant::START + root.warmup.given() {
                let message = format!(
                    "change.{} comes at {at}, before the warm-up is over ({})",
                    change.name,
                    root.warmup.given()
                );
                self.warning(&path, message, "its figures start from a state that is not steady");
            }
        }
    }
}
