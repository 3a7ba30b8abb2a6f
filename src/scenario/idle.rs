//! What is written and has no effect? It is not wrong, and it is hardly what was meant: a warning.
//!
//! Where a preset stands, its keys hold whether or not they matter, so nothing is said of the balancer.

use super::compile::Reading;
use super::file;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::client::{Layer, Population, Protocol};
use crate::cluster::door::Waiting;
use crate::cluster::plan::{Node, NodeSpec, Plan};

impl Reading<'_> {
    /// Notes keys that change nothing in this plan.
    pub(super) fn warn_of_idle_keys(&mut self, plan: &Plan) {
        self.warn_of_idle_retry_after(plan);
        self.warn_of_idle_door(plan);
        self.warn_of_streams_that_retry(plan);
        self.warn_of_idle_copies(plan);
        self.warn_of_idle_cuts(plan);
        if plan.balancer.preset.is_none() {
            self.warn_of_idle_queue(plan);
            self.warn_of_idle_retries(plan);
            self.warn_of_unseen_cookies(plan);
        }
        self.warn_of_idle_farewells(plan);
    }

    fn warn_of_idle_retry_after(&mut self, plan: &Plan) {
        let mut specs = plan.nodes.iter().map(|node| &node.spec);
        if specs.any(|spec| spec.retry_after.is_some() && !spec.turns_away()) {
            let message = "retry_after has no effect: nobody is turned away";
            let hint = "add queue_max = 100, queue_deadline, accept_deadline or accept_rate, or leave it out";
            self.warning(&["cluster", "node", "retry_after"], message, hint);
        }
    }

    fn warn_of_idle_door(&mut self, plan: &Plan) {
        let usual = file::Node::default();
        let waits = |spec: &NodeSpec| {
            let Waiting { max, order, deadline } = spec.accept;
            let keys = [("accept_max", max != usual.accept_max), ("accept_order", order != usual.accept_order)];
            keys.into_iter().chain([("accept_deadline", deadline.is_some())]).find(|&(_, is_set)| is_set)
        };
        let idle =
            plan.nodes.iter().find_map(|node| Some((node, waits(&node.spec).filter(|_| !node.spec.has_door())?)));
        let Some((node, (key, _))) = idle else { return };
        let message = format!("{key} has no effect: whoever comes is let in at once");
        let hint = "add handshake = \"5ms\" or accept_rate, or leave it out";
        match &node.group {
            Some(group) => self.warning(&["cluster", "group", group], message, hint),
            None => self.warning(&["cluster", "node", key], message, hint),
        }
    }

    fn warn_of_streams_that_retry(&mut self, plan: &Plan) {
        let retries = |people: &&Population| people.retry.is_some() && matches!(people.protocol, Protocol::Stream(_));
        let clients = self.table.get("clients").and_then(|node| node.get_ref().as_table());
        let writes_retry = |people: &&Population| {
            let keys = clients.and_then(|all| all.get(people.name.as_str())?.get_ref().as_table());
            keys.is_some_and(|keys| keys.contains_key("retry"))
        };
        if let Some(people) = plan.populations.iter().filter(retries).find(writes_retry) {
            let message = "retry has no effect: what is sent on a stream is not sent again";
            let hint = "to come back after a cut is said by reconnect; or leave retry out";
            self.warning(&["clients", &people.name, "retry"], message, hint);
        }
    }

    fn warn_of_idle_copies(&mut self, plan: &Plan) {
        let is_too_few = |people: &&Population| people.state.copies() > plan.nodes.len();
        let Some(people) = plan.populations.iter().find(is_too_few) else { return };
        let (copies, nodes) = (people.state.copies(), plan.nodes.len());
        let message = format!("there are never more than {nodes} nodes, so no session ever has {copies} copies");
        let path = ["clients", &people.name, "state", "replicated", "copies"];
        let clients = self.table.get("clients").and_then(|node| node.get_ref().as_table());
        let keys = clients.and_then(|all| all.get(people.name.as_str())?.get_ref().as_table());
        let is_own = keys.is_some_and(|keys| keys.contains_key("state"));
        let path = if is_own { &path[..] } else { &path[2..] };
        self.warning(path, message, format!("write copies = {nodes}, or add nodes"));
    }

    fn warn_of_idle_cuts(&mut self, plan: &Plan) {
        if plan.populations.iter().any(|people| plan.hangs(people)) {
            return;
        }
        for fault in plan.faults.iter().filter(|fault| fault.kind.is_of_connections()) {
            let message = format!("fault.{} has no effect: no connection hangs on a node", fault.name);
            let hint = "streams hang on nodes, and what is kept alive over balancer.layer = \"l4\"";
            self.warning(&["fault", &fault.name, fault.kind.name()], message, hint);
        }
    }

    fn warn_of_idle_queue(&mut self, plan: &Plan) {
        let balancer = self.table.get("balancer").and_then(|node| node.get_ref().as_table());
        let is_written = balancer.is_some_and(|keys| keys.contains_key("queue"));
        if is_written && plan.balancer.in_flight_max.is_none() {
            let message = "balancer.queue has no effect: without in_flight_max there is always room";
            self.warning(&["balancer", "queue"], message, "add in_flight_max = 100, or leave it out");
        }
    }

    fn warn_of_idle_retries(&mut self, plan: &Plan) {
        let only_writes = |people: &Population| people.write_ratio == 1.0 && !plan.hangs(people);
        let is_idle = plan.balancer.retries_in_hand()
            && !plan.balancer.retry_writes
            && plan.balancer.retries > 0
            && plan.balancer.layer == Layer::L7
            && plan.populations.iter().all(only_writes);
        if is_idle {
            let message = "balancer.retry_on tries nothing again that a node has had in hand: all requests write";
            let hint = "lower clients.<name>.write_ratio (default 100%), or add retry_writes = true";
            self.warning(&["balancer", "retry_on"], message, hint);
        }
    }

    fn warn_of_idle_farewells(&mut self, plan: &Plan) {
        let hangs = plan.populations.iter().any(|people| plan.hangs(people));
        let hint = "add protocol = \"stream\", or protocol = \"keepalive\" behind layer = \"l4\"";
        let ages = |node: &Node| node.spec.connection_max_age.is_some();
        if !hangs && let Some(node) = plan.nodes.iter().find(|node| ages(node)) {
            let message = "connection_max_age has no effect: no connection hangs on a node";
            match &node.group {
                Some(group) => self.warning(&["cluster", "group", group], message, hint),
                None => self.warning(&["cluster", "node", "connection_max_age"], message, hint),
            }
        }
        if plan.rebalance.is_none() {
            return;
        }
        if !hangs {
            let message = "cluster.rebalance has no effect: no connection hangs on a node";
            self.warning(&["cluster", "rebalance"], message, hint);
        } else if plan.balancer.balance.0.binds() {
            let message = "cluster.rebalance moves hardly anybody: a hash sends those who are evicted back";
            let hint = "balance by something that is not a hash, such as leastconn, or leave rebalance out";
            self.warning(&["cluster", "rebalance"], message, hint);
        }
    }

    fn warn_of_unseen_cookies(&mut self, plan: &Plan) {
        let shows = |people: &&Population| matches!(people.affinity, Affinity::Cookie(_));
        let Some(people) = plan.populations.iter().find(shows).filter(|_| plan.balancer.layer == Layer::L4) else {
            return;
        };
        let message = "a layer-4 balancer sees bytes only, but affinity = \"cookie\" has it read cookies";
        let hint = "write layer = \"l7\", or affinity = \"client_ip\" or \"stick_table\"";
        match people.own_affinity {
            true => self.warning(&["clients", &people.name, "affinity"], message, hint),
            false => self.warning(&["balancer", "affinity"], message, hint),
        }
    }
}
