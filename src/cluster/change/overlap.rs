//! What if something else adds nodes, or takes them away, while a change goes on?
//!
//! A roll lets go of whomever another has taken, in whatever step, and of new ones whose place is no more: it is about so
//! many nodes less. Nodes that come meanwhile run its version from their first process on, as pods of a Deployment do
//! whose template has been changed; whoever comes with the old one has a turn before the roll is complete. When it is
//! complete, its version is what the cluster runs, unless a change that began later has settled on another.
//!
//! A canary release and a switch settle on theirs when everything is theirs: that is the last word on whatever began
//! before. Until then the nodes of a release are nobody else's: turns, switches and the autoscaler leave them alone, as
//! two Deployments behind one router do.

use super::{Step, roll};
use crate::base::cause::Cause;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::Sim;

impl Sim<'_> {
    /// A roll lets go of those that something else has taken away: they have no turn, or theirs is over.
    pub(super) fn drop_lost(&mut self, now: Instant, index: usize, params: &roll::Params) {
        let mut roll = std::mem::take(&mut self.rolls[index]);
        let before = roll.waiting.len() + roll.ordered.len();
        // Who has yet to come comes new.
        roll.waiting.retain(|&node| self.is_wanted(node) && !self.fleet.get(node).is_new());
        let is_lost = |step: Step| match step {
            // The roll has not asked for it yet, or has done with it.
            Step::Ordered(_) | Step::Joining | Step::Done(_) => false,
            // With new nodes, the roll itself has done with those that leave.
            _ => !params.surges() || step.is_coming(),
        };
        roll.active.retain(|&(node, step)| {
            let is_kept = self.is_wanted(node) || !is_lost(step);
            if !is_kept && matches!(step, Step::Away(_)) {
                // Whoever has taken it keeps it down from now on.
                self.fleet.node(node).kept_down -= 1;
            }
            is_kept
        });
        let is_to_join = |&(_, step): &(NodeId, Step)| matches!(step, Step::Ordered(_) | Step::Joining);
        let joining: Vec<NodeId> = roll.active.iter().filter(|held| is_to_join(held)).map(|&(node, _)| node).collect();
        roll.ordered.retain(|node| self.is_wanted(*node) || joining.contains(node));
        roll.size = roll.size.saturating_sub(before - roll.waiting.len() - roll.ordered.len());
        while roll.ordered.len() > roll.size
            && let Some(place) = roll.active.iter().rposition(is_to_join)
        {
            let (node, step) = roll.active.remove(place);
            roll.ordered.retain(|&ordered| ordered != node);
            self.call_off(now, node, step);
        }
        self.rolls[index] = roll;
    }

    /// How many nodes all rolls have for a moment beyond those that the cluster should have.
    pub(in crate::cluster) fn surplus_of_all(&self) -> usize {
        (0..self.rolls.len()).map(|index| self.surplus(index)).sum()
    }

    /// How many nodes a roll has beyond those that it is about: new ones in whose favour nobody has left yet.
    pub(super) fn surplus(&self, index: usize) -> usize {
        let roll = &self.rolls[index];
        let there = roll.waiting.iter().chain(&roll.ordered).filter(|&&node| self.is_wanted(node)).count();
        there.saturating_sub(roll.size)
    }

    /// A new node that has been ordered, and does not listen yet, is not needed.
    pub(super) fn call_off(&mut self, now: Instant, node: NodeId, step: Step) {
        match step {
            Step::Ordered(_) => {
                self.fleet.node(node).next_version = None;
                self.spares.push_front(node);
            }
            _ => self.take_away(now, node, Cause::Restart),
        }
    }

    /// Who has come with what a roll replaces gets a turn; whether there is anybody.
    pub(super) fn take_in_late(&mut self, index: usize) -> bool {
        let Some((from, to)) = self.replaces(index) else { return false };
        let is_outdated = self.plan.changes[index].at < self.exposure.settled;
        if from == to || is_outdated || self.rolls[index].is_given_up {
            return false;
        }
        let is_late = |&node: &NodeId| {
            let host = self.fleet.get(node);
            self.belongs(node) && !host.is_new() && host.next_version == Some(from)
        };
        let late: Vec<NodeId> = self.fleet.ids().filter(is_late).collect();
        let roll = &mut self.rolls[index];
        roll.size += late.len();
        roll.waiting.extend(&late);
        !late.is_empty()
    }

    /// The version of a process that is started for the first time, and for which no change has chosen one.
    pub(in crate::cluster) fn version_of_new(&self) -> u8 {
        let under_way = self.plan.changes.iter().enumerate().filter(|&(index, change)| {
            let (roll, settled) = (&self.rolls[index], self.exposure.settled);
            let goes_on = !roll.is_new() && !roll.is_given_up && !self.is_complete(index) && !self.is_undone(index);
            change.kind.equips_new() && goes_on && change.at >= settled
        });
        let last = under_way.filter_map(|(_, change)| Some((change.at, change.version?))).max();
        last.map_or(self.exposure.current, |(_, version)| version)
    }

    /// The roll at this place in the plan has brought a version, which is what the cluster runs from now on.
    pub(super) fn settle_on(&mut self, index: usize, version: u8) {
        let begun = self.plan.changes[index].at;
        if begun >= self.exposure.settled {
            (self.exposure.current, self.exposure.settled) = (version, begun);
        }
    }

    /// Everything is another version's at once, that of the change at this place in the plan, if it has one.
    pub(super) fn switch_to_its_version(&mut self, now: Instant, index: usize) {
        if let Some(version) = self.plan.changes[index].version {
            (self.exposure.current, self.exposure.settled) = (version, now);
        }
    }
}
