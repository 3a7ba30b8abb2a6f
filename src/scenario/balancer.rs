//! What stands in front of the nodes: the section `balancer`, read and checked.

use super::compile::Reading;
use super::{Node, read_node};
use crate::base::dist::Sampler;
use crate::cluster::balancer::Spec;

const RETRIES_MAX: u32 = 100;
const INSTANCES_MAX: u16 = 100;

impl Reading<'_> {
    /// What is written, and how long balancers take to learn of what others know.
    pub(super) fn balancer(&mut self) -> Option<(Spec, Option<Sampler>)> {
        let Some(node) = self.table.get("balancer") else { return Some((Spec::default(), None)) };
        let balancer: Spec = read_node(node, self.problems, "balancer")?;
        let faults = [("balance", balancer.balance.0.faults()), ("affinity", balancer.affinity.0.faults())];
        for (choice, faults) in faults {
            for (key, message) in faults {
                let path = ["balancer", choice, chosen(node, choice).unwrap_or_default(), key];
                self.wrong(&path, message, "correct it or leave it out");
            }
        }
        self.check_health(&balancer.health);
        self.check_view(&balancer);
        for (key, timeout) in [
            ("connect_timeout", Some(balancer.connect_timeout)),
            ("server_timeout", balancer.server_timeout),
            ("tunnel_timeout", balancer.tunnel_timeout),
            ("tcp_give_up", Some(balancer.tcp_give_up)),
        ] {
            if timeout.is_some_and(|timeout| timeout.is_zero()) {
                let message = format!("{key} is zero: nothing could be in time");
                self.wrong(&["balancer", key], message, "write a time such as \"5s\", or leave it out");
            }
        }
        if balancer.retries > RETRIES_MAX {
            let message = format!("retries must be from 0 to {RETRIES_MAX}, but is {}", balancer.retries);
            self.wrong(&["balancer", "retries"], message, "3 is the default");
        }
        if !balancer.redispatch && balancer.retries > 0 && balancer.retry_pause.is_zero() {
            let message = "retry_pause is zero: the same dead node would be tried at the same instant";
            self.wrong(&["balancer", "retry_pause"], message, "write a pause such as \"1s\", or retries = 0");
        }
        if !(1..=INSTANCES_MAX).contains(&balancer.instances) {
            let message = format!("instances must be from 1 to {INSTANCES_MAX}, but is {}", balancer.instances);
            self.wrong(&["balancer", "instances"], message, "1 is the default");
        }
        let propagation = match &balancer.propagation {
            Some(law) => Some(self.law(law, &["balancer", "propagation"])?),
            None => None,
        };
        Some((balancer, propagation))
    }
}

/// The alternative that a choice below `node` names as a table.
fn chosen<'t>(node: &'t Node, choice: &str) -> Option<&'t str> {
    let alternatives = node.get_ref().as_table()?.get(choice)?.get_ref().as_table()?;
    alternatives.keys().next().map(|name| name.get_ref().as_ref())
}
