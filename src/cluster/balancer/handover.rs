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
            let took_new: Vec<bool> = self.members.iter().map(|member| self.view.takes_new(member.id)).collect();
            self.view = old.view.clone();
            for (node, took_new) in took_new.into_iter().enumerate() {
                self.tell(self.members[node].id, took_new);
            }
        }
    }

    /// Whether no connection and no attempt takes a place here.
    pub fn is_idle(&self) -> bool {
        self.in_flight.iter().all(|&attempts| attempts == 0)
    }
}
