//! What does a balancer process leave to the one that replaces it?
//!
//! Next to nothing: counters, turns and tables begin anew, and what an operator set at run time is gone. Three
//! things outlive a reload. A stick table with peers is taught to the new process by the old one (HAProxy
//! `peers`), a state file keeps what is known of the nodes (HAProxy `load-server-state-from-file`), and an
//! operator's word that is still on its way reaches whoever serves when it arrives.

use super::Balancer;
use super::view::Admin;
use crate::base::id::NodeId;

impl Balancer {
    /// Takes over what `old` leaves.
    pub fn inherit(&mut self, old: &mut Balancer, state_file: bool) {
        for (mine, theirs) in self.memories.iter_mut().zip(&old.memories) {
            if let Some(taught) = theirs.teach() {
                *mine = taught;
            }
        }
        old.view.pass_on(&mut self.view);
        if state_file {
            self.view.inherit(&old.view);
            self.tell();
            for member in &old.members {
                self.set_weight(member.id, member.weight);
            }
        }
    }

    /// Whether an operator has said that `node` is to get nobody new, as far as it knows.
    pub fn keeps_away(&self, node: NodeId) -> bool {
        self.admin(node) != Admin::Ready || self.members[node.index()].weight == 0
    }

    /// Whether no connection and no attempt takes a place here.
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.members.iter().all(|member| self.room.at(member.id) == 0)
    }
}
