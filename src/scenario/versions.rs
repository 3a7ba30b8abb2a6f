//! What does `[version.<name>]` mean, and which version does a change install?

use super::compile::Reading;
use super::read_each;
use super::words::{listed, nearest};
use crate::cluster::balancer;
use crate::cluster::change::rollback::Criterion;
use crate::cluster::change::{Change, Steps};
use crate::cluster::plan::Node;
use crate::cluster::version::{BASE, BASE_NAME, Params, Version};

/// The versions of a plan.
#[derive(Debug)]
pub(super) struct Versions {
    /// The first, then the others in the order of their names.
    pub(super) ready: Vec<Version>,
}

const VERSIONS_MAX: usize = 255;

impl Reading<'_> {
    /// What `[version.<name>]` says.
    pub(super) fn versions(&mut self) -> Versions {
        let mut ready = vec![Version::first()];
        let Some(node) = self.table.get("version") else { return Versions { ready } };
        let mut written: Vec<(String, Params)> = read_each(node, self.problems, "version");
        written.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, differs) in written {
            if name == BASE_NAME {
                let message = format!("version.{BASE_NAME} is what the rest of the scenario describes");
                self.wrong(&["version", &name], message, "give the version that differs from it another name");
                continue;
            }
            for (key, message, mend) in differs.faults() {
                self.wrong(&["version", &name, key], format!("version.{name}: {message}"), mend);
            }
            ready.push(Version { name, differs });
        }
        if ready.len() > VERSIONS_MAX {
            let message = format!("there are {} versions; at most {VERSIONS_MAX} fit", ready.len());
            self.wrong(&["version"], message, "leave some out");
            ready.truncate(VERSIONS_MAX);
        }
        Versions { ready }
    }

    /// The version that a change installs, and whether its criterion makes sense.
    pub(super) fn version_of(
        &mut self,
        name: &str,
        kind: &dyn Steps,
        rollback: Option<&Criterion>,
        versions: &Versions,
    ) -> Option<u8> {
        if let Some(rollback) = rollback {
            for (key, message, mend) in rollback.faults() {
                let path = ["change", name, "rollback", key];
                let path = if key.is_empty() { &path[..3] } else { &path[..] };
                self.wrong(path, format!("change.{name}.rollback: {message}"), mend);
            }
            if !kind.can_roll_back() || kind.version().is_none() {
                let message = format!("change.{name} installs no version that could be rolled back");
                self.wrong(&["change", name, "rollback"], message, "only `rolling` and `canary` with a version can");
            }
            if kind.is_canary() && !rollback.watch.is_zero() {
                let message = format!(
                    "change.{name}.rollback: watch begins when the old nodes are gone, and nothing can be undone"
                );
                let mend = "leave it out; to look for longer, lengthen hold or add a step";
                self.wrong(&["change", name, "rollback", "watch"], message, mend);
            }
        }
        let wanted = kind.version()?;
        let path = ["change", name, kind.name(), "version"];
        let Some(place) = versions.ready.iter().position(|version| version.name == wanted) else {
            let known: Vec<String> = versions.ready.iter().map(|version| version.name.clone()).collect();
            let near = nearest(wanted, &known).map(|near| format!("did you mean `{near}`? "));
            let hint = match known.len() {
                1 => format!("add [version.{wanted}] and say how it differs"),
                _ => format!("{}the versions are {}", near.unwrap_or_default(), listed(&known, "and")),
            };
            self.wrong(&path, format!("change.{name}: there is no version `{wanted}`"), hint);
            return None;
        };
        if place == usize::from(BASE) && kind.is_canary() {
            let message = format!("change.{name}: `{wanted}` runs on all nodes already");
            self.wrong(&path, message, "name another version: [version.v2] may be empty");
        }
        Some(place as u8)
    }

    /// A router has two sides at most, and lines know of none.
    pub(super) fn check_canaries(&mut self, changes: &[Change], balancer: Option<&balancer::Spec>) {
        let mut canaries = changes.iter().filter(|change| change.kind.is_canary());
        let Some(first) = canaries.next() else { return };
        if let Some(second) = canaries.next() {
            let message = format!("change.{} and change.{} are both a canary release", first.name, second.name);
            self.wrong(&["change", &second.name, "canary"], message, "a scenario has one: compare two as variants");
        }
        if balancer.is_some_and(|balancer| balancer.in_flight_max.is_some()) {
            let message = "those who wait at the balancer for a place are not told apart by version";
            self.wrong(&["balancer", "in_flight_max"], message, "leave it out, or the canary release");
        }
    }

    /// What leaks must be seen somewhere.
    pub(super) fn check_leaks(&mut self, versions: &Versions, nodes: &[Node]) {
        let is_seen = nodes.iter().any(|node| node.spec.memory.is_some());
        for version in versions.ready.iter().filter(|version| version.differs.leak.get() > 0 && !is_seen) {
            let message = format!("version.{} leaks, but the memory of nodes is not modelled", version.name);
            self.wrong(&["version", &version.name, "leak"], message, "add cluster.node.memory = { limit = \"2GiB\" }");
        }
    }
}
