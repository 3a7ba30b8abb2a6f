//! What is wrong with a change or with clients in front of as many balancers as the scenario has?

use super::compile::Reading;
use super::file::Clients;
use crate::cluster::change::Change;

/// Old processes may live on until the end of the run, and each is a balancer with its books.
const PROCESSES_MAX: u64 = 10_000;

impl Reading<'_> {
    /// Checks that the instances that populations name are there.
    pub(super) fn check_own_instances(&mut self, written: &[(String, Clients)], instances: u16) {
        for (name, clients) in written {
            let missing = clients.instance.filter(|instance| !(1..=instances).contains(instance));
            if let Some(instance) = missing {
                let message =
                    format!("clients.{name}.instance is {instance}, but instances count from 1 to {instances}");
                self.wrong(&["clients", name, "instance"], message, "correct it, or raise balancer.instances");
            }
        }
    }

    /// Checks every change against the number of instances.
    pub(super) fn check_reloads(&mut self, changes: &[Change], instances: u16) {
        for Change { name, kind, .. } in changes {
            for (key, message, mend) in kind.faults_before(instances) {
                self.wrong(&["change", name, kind.name(), key], format!("change.{name}: {message}"), mend);
            }
        }
        let begun: u64 = changes.iter().map(|change| change.kind.processes(instances)).sum();
        let most = changes.iter().max_by_key(|change| change.kind.processes(instances));
        if let Some(Change { name, kind, .. }) = most.filter(|_| begun > PROCESSES_MAX) {
            let message = format!("balancers are reloaded {begun} times in all; at most {PROCESSES_MAX} are kept");
            self.wrong(&["change", name, kind.name()], message, "lower `times`, or reload fewer instances");
        }
    }
}
