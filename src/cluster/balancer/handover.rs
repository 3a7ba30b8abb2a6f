//! What does a balancer process leave to the one that replaces it?
//!
//! Next to nothing: counters, turns and tables begin anew, and what an operator set at run time is gone. Two
//! things outlive a reload. A stick table with peers is taught to the new process by the old one (HAProxy
//! `peers`), and a state file keeps what is known of the nodes (HAProxy `load-server-state-from-file`).

use super::Balancer;

impl Balancer {
    /// Takes over what `old` leaves.
    pub fn inherit(&mut self, old: &Balancer, state_file: bool) {
        for (mine, theirs) in self.memories.iter_mut().zip(&old.memories) {
            if let Some(taught) = theirs.teach() {
                *mine = taught;
            }
        }
        if state_file {
            self.view.inherit(&old.view);
            self.tell();
            for member in &old.members {
                self.set_weight(member.id, member.weight);
            }
        }
    }

    /// Whether no connection and no attempt takes a place here.
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.members.iter().all(|member| self.room.at(member.id) == 0)
    }
}
