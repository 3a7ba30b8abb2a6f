//! What makes up a balancer's view, checked: health checks, passive rules, slow starts.

use super::compile::Reading;
use crate::cluster::balancer::Spec;
use crate::cluster::balancer::view::active::{By, Check, Health};

/// More checks in a row are a mistake.
const CHECKS_MAX: u32 = 1_000_000;

impl Reading<'_> {
    /// What health checks cannot be.
    pub(super) fn check_health(&mut self, health: &Health) {
        let intervals = [
            ("interval", Some(health.interval)),
            ("fast_interval", health.fast_interval),
            ("down_interval", health.down_interval),
        ];
        for (key, interval) in intervals {
            if interval.is_some_and(|interval| interval.is_zero()) {
                let message = format!("health.{key} is zero: checks would never end");
                self.wrong(&["balancer", "health", key], message, "write a time such as \"2s\"");
            }
        }
        if health.timeout.is_some_and(|timeout| timeout.is_zero()) {
            let message = "health.timeout is zero: no answer could be in time";
            self.wrong(&["balancer", "health", "timeout"], message, "write a time such as \"1s\", or leave it out");
        }
        for (key, number) in [("rise", health.rise), ("fall", health.fall)] {
            if number == 0 {
                let message = format!("health.{key} is zero, but a verdict needs at least one check");
                self.wrong(&["balancer", "health", key], message, "write 1 or more");
            }
            if number > CHECKS_MAX {
                let message = format!("health.{key} must be from 1 to {CHECKS_MAX}, but is {number}");
                self.wrong(&["balancer", "health", key], message, "a verdict needs few checks, such as 3");
            }
        }
        if health.spread.ratio() > 0.5 {
            let message = format!("health.spread must be from 0% to 50%, but is {}", health.spread);
            self.wrong(&["balancer", "health", "spread"], message, "HAProxy's documentation advises 2% to 5%");
        }
        if health.errors_at_once && health.check != Check::Http {
            let message = "health.errors_at_once is about the answers to `http` checks, and there are none";
            self.wrong(&["balancer", "health", "errors_at_once"], message, "write check = \"http\", or leave it out");
        }
        if health.service.is_some() && health.check != Check::Http {
            let message = "health.service is the work of an `http` check, and there are none";
            self.wrong(&["balancer", "health", "service"], message, "write check = \"http\", or leave it out");
        }
        if health.cancels && health.service.is_none() {
            let message = "health.cancels is about checks that wait at their node, and these are answered at once";
            self.wrong(
                &["balancer", "health", "cancels"],
                message,
                "say what work a check is, such as service = \"1ms\"",
            );
        }
        if health.by == By::Host && health.check == Check::None {
            let message = "health.by = \"host\" needs a check: the agent would have nothing to say";
            self.wrong(&["balancer", "health", "by"], message, "write check = \"http\", or leave `by` out");
        }
    }

    /// What else a view cannot be made of.
    pub(super) fn check_view(&mut self, balancer: &Spec) {
        let (passive, health) = (&balancer.passive.0, &balancer.health);
        for (key, message) in passive.faults() {
            self.wrong(&["balancer", "passive", passive.name(), key], message, "correct it or leave it out");
        }
        if passive.needs_checks() && (health.check == Check::None || health.by == By::Host) {
            let message = "passive = \"observe\" needs the balancer's own checks: errors count as failed ones";
            self.wrong(&["balancer", "passive"], message, "let the balancer check, or choose another rule");
        }
        let Some(slow_start) = &balancer.slow_start else { return };
        for (key, message) in slow_start.faults() {
            let path: Vec<&str> = ["balancer", "slow_start"].into_iter().chain(key).collect();
            self.wrong(&path, message, "correct it or leave it out");
        }
        if !balancer.balance.0.ramps() {
            let message = "slow_start has no effect: this balance algorithm does not heed weights that grow";
            let hint =
                "roundrobin, leastconn, random, haproxy_random and a consistent haproxy_hash do, as in the products";
            self.warning(&["balancer", "slow_start"], message, hint);
        }
    }
}
