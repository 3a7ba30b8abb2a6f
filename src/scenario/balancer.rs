//! What stands in front of the nodes: the section `balancer`, read and checked.

use super::compile::Reading;
use super::{Node, read_node};
use crate::base::dist::Sampler;
use crate::cluster::balancer::Spec;
use crate::cluster::balancer::retry::{Counted, Redispatch};
use crate::cluster::client::Layer;

const RETRIES_MAX: u32 = 100;
const INSTANCES_MAX: u16 = 100;

impl Reading<'_> {
    /// What is written, and its laws: how long balancers take to learn of what others know, and the work of a check.
    pub(super) fn balancer(&mut self) -> Option<(Spec, [Option<Sampler>; 2])> {
        let Some(node) = self.table.get("balancer") else { return Some((Spec::default(), [None, None])) };
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
        self.check_retries(&balancer);
        self.check_room(&balancer);
        if !(1..=INSTANCES_MAX).contains(&balancer.instances) {
            let message = format!("instances must be from 1 to {INSTANCES_MAX}, but is {}", balancer.instances);
            self.wrong(&["balancer", "instances"], message, "1 is the default");
        }
        let propagation = match &balancer.propagation {
            Some(law) => Some(self.law(law, &["balancer", "propagation"])?),
            None => None,
        };
        let service = match &balancer.health.service {
            Some(law) => Some(self.law(law, &["balancer", "health", "service"])?),
            None => None,
        };
        Some((balancer, [propagation, service]))
    }

    fn check_retries(&mut self, balancer: &Spec) {
        let Spec { redispatch, retries, .. } = *balancer;
        if retries > RETRIES_MAX {
            let message = format!("retries must be from 0 to {RETRIES_MAX}, but is {retries}");
            self.wrong(&["balancer", "retries"], message, "3 is the default");
        }
        match redispatch {
            Redispatch::Counted(Counted::Every(0) | Counted::Last(0)) => {
                let hint = "count from 1, or write redispatch = false";
                self.wrong(&["balancer", "redispatch"], "there is no retry number 0", hint);
            }
            Redispatch::Counted(Counted::Every(n) | Counted::Last(n)) if n > retries => {
                let message = format!("redispatch names retry {n}, but there are only {retries}");
                self.wrong(&["balancer", "redispatch"], message, "name an earlier one, or raise retries");
            }
            _ => {}
        }
        if balancer.retries_in_hand() && balancer.layer == Layer::L4 {
            let message = "a layer-4 balancer cannot send a request to a second node: it sees bytes only";
            self.wrong(&["balancer", "retry_on"], message, "write retry_on = [\"connect\"], or layer = \"l7\"");
        }
        if balancer.retry_backoff.is_some() && !redispatch.is_on() && retries > 0 {
            let message = "retry_backoff is for retries that leave a node, but redispatch lets none leave";
            self.wrong(&["balancer", "retry_backoff"], message, "add redispatch = true, or use retry_pause");
        }
        if let Some((rule, mend)) = balancer.retry_backoff.as_ref().and_then(|backoff| backoff.0.contradiction()) {
            self.wrong(&["balancer", "retry_backoff"], format!("retry_backoff: {rule}"), mend);
        }
    }

    fn check_room(&mut self, balancer: &Spec) {
        if balancer.in_flight_max == Some(0) {
            let message = "in_flight_max is zero: no node would ever get anything";
            self.wrong(&["balancer", "in_flight_max"], message, "write 1 or more, or leave it out for no limit");
        }
        if balancer.wait().is_some_and(|wait| wait.timeout.is_some_and(|timeout| timeout.is_zero())) {
            let message = "queue.wait.timeout is zero: whoever has to wait would fail at once";
            self.wrong(&["balancer", "queue", "wait", "timeout"], message, "write a time, or queue = \"none\"");
        }
    }
}

/// The alternative that a choice below `node` names as a table.
fn chosen<'t>(node: &'t Node, choice: &str) -> Option<&'t str> {
    let alternatives = node.get_ref().as_table()?.get(choice)?.get_ref().as_table()?;
    alternatives.keys().next().map(|name| name.get_ref().as_ref())
}
