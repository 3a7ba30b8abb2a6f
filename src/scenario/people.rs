//! What does `[clients.<name>]` mean? From a section to a population that can run.

use super::compile::Reading;
use super::file::{Clients, Initial, Length};
use crate::base::choice::Choice;
use crate::base::dist::Sampler;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::client::reconnect::Backoff;
use crate::cluster::client::{self, Population};
use crate::cluster::state::{Place, StoreSpec};
use crate::engine::Event;

impl Reading<'_> {
    pub(super) fn population(
        &mut self,
        name: &str,
        clients: &Clients,
        shared_affinity: Option<&Choice<Affinity>>,
        shared: &Option<Place>,
        stores: &mut Vec<StoreSpec>,
    ) -> Option<Population> {
        let path = |key: &'static str| ["clients", name, key];
        let think = self.law(&clients.think, &path("think"));
        let service = self.law(&clients.service, &path("service"));
        let length = self.length(name, clients);
        let state = match &clients.state {
            Some(own) => self.place(own.0.clone(), &path("state"), stores),
            None => shared.clone(),
        };
        self.check_waits(name, clients);
        if clients.give_up_after == Some(0) {
            self.wrong(&path("give_up_after"), "give_up_after is zero", "write 1 or more, or leave it out");
        }
        let (think, service, length) = (think?, service?, length?);
        if think.mean() == 0.0 && service.mean() == 0.0 {
            let message = "think and service are both zero: time would stand still";
            self.wrong(&path("think"), message, "give one of them a positive mean");
            return None;
        }
        let initial = self.initial(name, clients, &length, &think, &service);
        Some(Population {
            name: name.to_owned(),
            rate: clients.arrivals.open.map_or(0.0, |open| open.rate.per_second()),
            initial,
            length,
            think,
            service,
            write_ratio: clients.write_ratio.ratio(),
            request_timeout: clients.request_timeout,
            retry: clients.retry.as_ref().map(|retry| {
                let (attempts, backoff) = (retry.attempts, retry.backoff.0.clone());
                client::Retry { attempts, backoff }
            }),
            reconnect: clients.reconnect.0.clone(),
            give_up_after: clients.give_up_after,
            cancels: clients.cancels,
            affinity: clients.affinity.as_ref().or(shared_affinity).cloned().unwrap_or_default().0,
            state: state?,
        })
    }

    fn length(&mut self, name: &str, clients: &Clients) -> Option<client::Length> {
        let path = |key: &'static str| ["clients", name, key];
        match (&clients.length, &clients.requests) {
            (Some(Length::Forever), None) => Some(client::Length::Forever),
            (Some(Length::Time(law)), None) => self.law(law, &path("length")).map(client::Length::Time),
            (None, Some(law)) => self.law(law, &path("requests")).map(client::Length::Requests),
            (Some(_), Some(_)) => {
                let message = format!("clients.{name} has both `length` and `requests`");
                self.wrong(&path("requests"), message, "a visit is bounded by time or by requests: leave one out");
                None
            }
            (None, None) => {
                let message = format!("clients.{name} does not say how long a visit lasts");
                let hint = "add length = \"8m\", length = \"forever\" or requests = 20";
                self.wrong(&["clients", name], message, hint);
                None
            }
        }
    }

    fn check_waits(&mut self, name: &str, clients: &Clients) {
        if clients.request_timeout.is_some_and(|span| span.is_zero()) {
            let path = ["clients", name, "request_timeout"];
            self.wrong(&path, "request_timeout is zero: no reply could be in time", "write a time such as \"5s\"");
        }
        let rule = match &clients.reconnect.0 {
            Backoff::Fixed(fixed) if fixed.delay.is_zero() => Some("delay is zero".to_owned()),
            Backoff::NoJitter(rule) | Backoff::EqualJitter(rule) | Backoff::FullJitter(rule) => {
                if rule.base.is_zero() {
                    Some("base is zero".to_owned())
                } else {
                    (rule.cap < rule.base).then(|| format!("cap ({}) is below base ({})", rule.cap, rule.base))
                }
            }
            Backoff::Uniform(window) if window.max.is_zero() => Some("max is zero".to_owned()),
            Backoff::Uniform(window) if window.max < window.min => {
                Some(format!("max ({}) is below min ({})", window.max, window.min))
            }
            _ => None,
        };
        if let Some(rule) = rule {
            let message = format!("clients.{name}.reconnect: {rule}");
            let hint = "a client that is cut off must wait before it tries again, or time would stand still";
            self.wrong(&["clients", name, "reconnect"], message, hint);
        }
        if let Some(retry) = &clients.retry
            && !(1..=100).contains(&retry.attempts)
        {
            let message = format!("retry.attempts must be from 1 to 100, but is {}", retry.attempts);
            self.wrong(&["clients", name, "retry", "attempts"], message, "leave `retry` out for no further attempts");
        }
    }

    /// Sessions present at the start.
    fn initial(
        &mut self,
        name: &str,
        clients: &Clients,
        length: &client::Length,
        think: &Sampler,
        service: &Sampler,
    ) -> u64 {
        let rate = clients.arrivals.open.map_or(0.0, |open| open.rate.per_second());
        let path = ["clients", name, "arrivals"];
        let count = match (clients.arrivals.initial, length) {
            (Some(Initial::Count(count)), _) => count,
            (None, _) if rate == 0.0 => 0,
            (Some(Initial::Steady) | None, client::Length::Forever) => {
                if rate > 0.0 {
                    let message =
                        format!("clients.{name}: sessions that stay for ever and keep arriving are never steady");
                    self.wrong(&path, message, "give `initial` as a number, or let visits end");
                }
                0
            }
            (_, client::Length::Time(law)) => (rate * law.mean() / 1e9 + 0.5) as u64,
            (_, client::Length::Requests(law)) => {
                let message = format!("clients.{name}: the steady number of sessions is approximate");
                let hint = "with a length in requests it is rate × requests × (think + service), without waiting";
                self.warning(&path, message, hint);
                (rate * law.mean() * (think.mean() + service.mean()) / 1e9 + 0.5) as u64
            }
        };
        if rate == 0.0 && count == 0 {
            let message = format!("clients.{name} never come");
            self.wrong(&path, message, "write open = { rate = \"10/s\" } or initial = 1000");
        }
        if count > u64::from(Event::INDEX_MAX) {
            let message =
                format!("clients.{name}: {count} sessions at the start are more than {} fit", Event::INDEX_MAX);
            self.wrong(&path, message, "lower the rate, shorten the visits or give `initial` as a number");
            return 0;
        }
        count
    }
}
