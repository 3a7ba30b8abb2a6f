//! What stands in front of the nodes: the section `balancer`, read and checked.

use super::compile::Reading;
use super::{Node, read_node};
use crate::cluster::balancer::Spec;

const RETRIES_MAX: u32 = 100;
const INSTANCES_MAX: u16 = 100;

impl Reading<'_> {
    pub(super) fn balancer(&mut self) -> Option<Spec> {
        let Some(node) = self.table.get("balancer") else { return Some(Spec::default()) };
        let balancer: Spec = read_node(node, self.problems, "balancer")?;
        let faults = [("balance", balancer.balance.0.faults()), ("affinity", balancer.affinity.0.faults())];
        for (choice, faults) in faults {
            for (key, message) in faults {
                let path = ["balancer", choice, chosen(node, choice).unwrap_or_default(), key];
                self.wrong(&path, message, "correct it or leave it out");
            }
        }
        let health = balancer.health;
        for (key, interval) in [("interval", Some(health.interval)), ("fast_interval", health.fast_interval)] {
            if interval.is_some_and(|interval| interval.is_zero()) {
                let message = format!("health.{key} is zero: checks would never end");
                self.wrong(&["balancer", "health", key], message, "write a time such as \"2s\"");
            }
        }
        for (key, number) in [("rise", health.rise), ("fall", health.fall)] {
            if number == 0 {
                let message = format!("health.{key} is zero, but a verdict needs at least one check");
                self.wrong(&["balancer", "health", key], message, "write 1 or more");
            }
        }
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
        Some(balancer)
    }
}

/// The alternative that a choice below `node` names as a table.
fn chosen<'t>(node: &'t Node, choice: &str) -> Option<&'t str> {
    let alternatives = node.get_ref().as_table()?.get(choice)?.get_ref().as_table()?;
    alternatives.keys().next().map(|name| name.get_ref().as_ref())
}
