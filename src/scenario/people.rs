//! What does `[clients.<name>]` mean? From a section to a population that can run.

use super::compile::Reading;
use super::file::{Clients, Length};
use super::rebuilders::Services;
use crate::base::choice::Choice;
use crate::base::dist::{Law, Sampler};
use crate::base::time::Duration;
use crate::base::units::Unit;
use crate::cluster::balancer::affinity::Affinity;
use crate::cluster::client::addresses::{Addresses, Written};
use crate::cluster::client::{self, Heartbeat, Keepalive, Population, Protocol, Reads, StreamParams};
use crate::cluster::state::{Kind, Place};
use std::path::Path;

impl Reading<'_> {
    pub(super) fn population(
        &mut self,
        name: &str,
        clients: &Clients,
        shared_affinity: Option<&Choice<Affinity>>,
        shared: &Option<Place>,
        services: &mut Services,
    ) -> Option<Population> {
        let path = |key: &'static str| ["clients", name, key];
        let think = self.optional(&clients.think, &path("think"))?;
        let pace = self.optional(&clients.pace, &path("pace"))?;
        let service = self.service(name, clients)?;
        let length = self.length(name, clients);
        let state = match &clients.state {
            Some(own) => self.place(own.0.clone(), &path("state"), services),
            None => shared.clone(),
        };
        self.check_waits(name, clients);
        self.check_split(name, clients, state.as_ref());
        self.check_protocol(name, clients, state.as_ref());
        if let Some(affinity) = &clients.affinity {
            for (key, message) in affinity.0.faults() {
                let path = ["clients", name, "affinity", affinity.0.name(), key];
                self.wrong(&path, message, "correct it or leave it out");
            }
        }
        if clients.give_up_after == Some(0) {
            self.wrong(&path("give_up_after"), "give_up_after is zero", "write 1 or more, or leave it out");
        }
        let (activity, addresses) = (self.activity(name, clients), self.addresses(name, clients));
        let closed = self.closed(name, clients);
        let arrivals = self.open(name, clients.arrivals.open.as_ref());
        let (length, arrivals) = (length?, arrivals?);
        self.check_pauses(name, think.as_ref(), pace.as_ref(), &service)?;
        let cycle = client::mean_cycle(think.as_ref(), pace.as_ref(), &service);
        let initial = self.initial(name, clients, arrivals.initial_rate(), &length, cycle);
        Some(Population {
            name: name.to_owned(),
            arrivals,
            closed: closed?,
            initial,
            length,
            protocol: clients.protocol.0,
            think,
            pace,
            activity: activity?,
            addresses,
            service,
            write_ratio: clients.write_ratio.ratio(),
            reads: clients.reads,
            instance: clients.instance.map(|instance| instance.saturating_sub(1)),
            connect_timeout: clients.connect_timeout,
            request_timeout: clients.request_timeout,
            retry: clients.retry.as_ref().map(|retry| {
                let (attempts, backoff, limit) = (retry.attempts, retry.backoff.0.clone(), retry.limit.0);
                client::Retry { attempts, backoff, limit }
            }),
            reconnect: clients.reconnect.0.clone(),
            reconnect_at_once: clients.reconnect_at_once,
            reconnect_from: clients.reconnect_from,
            retry_first_open: clients.retry_first_open,
            heeds_retry_after: clients.heeds_retry_after,
            give_up_after: clients.give_up_after,
            cancels: clients.cancels,
            own_affinity: clients.affinity.is_some(),
            affinity: clients.affinity.as_ref().or(shared_affinity).cloned().unwrap_or_default().0,
            state: state?,
        })
    }

    /// Whether time passes between a client's requests; `None` when it would stand still.
    fn check_pauses(
        &mut self,
        name: &str,
        think: Option<&Sampler>,
        pace: Option<&Sampler>,
        service: &Sampler,
    ) -> Option<()> {
        if think.is_some_and(|think| think.mean() == 0.0) && service.mean() == 0.0 {
            let message = "think and service are both zero: time would stand still";
            self.wrong(&["clients", name, "think"], message, "give one of them a positive mean");
            return None;
        }
        if pace.is_some_and(|pace| pace.mean() == 0.0) {
            let message = "pace is zero: time would stand still";
            self.wrong(&["clients", name, "pace"], message, "give it a positive mean");
            return None;
        }
        Some(())
    }

    /// A law that may be left out; `None` when it is wrong.
    fn optional<U: Unit>(&mut self, law: &Option<Law<U>>, path: &[&str]) -> Option<Option<Sampler>> {
        match law {
            Some(law) => self.law(law, path).map(Some),
            None => Some(None),
        }
    }

    /// Whether the clients ask anything, and what a request costs.
    fn service(&mut self, name: &str, clients: &Clients) -> Option<Sampler> {
        let is_stream = matches!(clients.protocol.0, Protocol::Stream(_));
        match (&clients.think, &clients.pace) {
            (Some(_), Some(_)) => {
                let message = format!("clients.{name} has both `think` and `pace`");
                let hint = "a gap counts from the reply or from the request before: leave one out";
                self.wrong(&["clients", name, "pace"], message, hint);
                return None;
            }
            (None, None) if !is_stream => {
                let message = format!("clients.{name} does not say how often it asks");
                let hint = "add think = { exponential = { mean = \"10s\" } }; only a stream may ask nothing";
                self.wrong(&["clients", name], message, hint);
                return None;
            }
            (None, None) => return Law::constant(Duration::ZERO).compile(Path::new("")).ok(),
            _ => {}
        }
        match &clients.service {
            Some(law) => self.law(law, &["clients", name, "service"]),
            None => {
                let message = format!("clients.{name} lacks `service`: what a request costs a node");
                let hint = "add service = { exponential = { mean = \"12ms\" } }";
                self.wrong(&["clients", name], message, hint);
                None
            }
        }
    }

    fn length(&mut self, name: &str, clients: &Clients) -> Option<client::Length> {
        let path = |key: &'static str| ["clients", name, key];
        match (&clients.length, &clients.requests) {
            (Some(Length::Forever), None) => Some(client::Length::Forever),
            (Some(Length::Time(law)), None) => self.law(law, &path("length")).map(client::Length::Time),
            (None, Some(_)) if clients.think.is_none() && clients.pace.is_none() => {
                let message = format!("clients.{name} ask nothing: their requests never come, and no visit ends");
                self.wrong(&path("requests"), message, "bound the visit by `length`, or add `think` or `pace`");
                None
            }
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

    fn activity(&mut self, name: &str, clients: &Clients) -> Option<Option<Sampler>> {
        let Some(law) = &clients.activity else { return Some(None) };
        let path = ["clients", name, "activity"];
        let activity = self.law(law, &path)?;
        if (activity.mean() - 1.0).abs() > 1e-9 {
            let message = format!("clients.{name}.activity has the mean {}, but must have 1", activity.mean());
            let hint = "it says how busy sessions are relative to each other: write it with mean = 1, and what is \
                        usual as `think`";
            self.wrong(&path, message, hint);
            return None;
        }
        Some(Some(activity))
    }

    fn addresses(&mut self, name: &str, clients: &Clients) -> Addresses {
        let Written::Nat(nat) = &clients.addresses.0 else { return Addresses::default() };
        let faults = nat.faults();
        for (key, message) in &faults {
            let message = format!("clients.{name}.{message}");
            self.wrong(&["clients", name, "addresses", "nat", key], message, "correct it");
        }
        if faults.is_empty() { Addresses::new(&clients.addresses.0) } else { Addresses::default() }
    }

    fn check_protocol(&mut self, name: &str, clients: &Clients, state: Option<&Place>) {
        let path = ["clients", name, "protocol"];
        let wrong = match &clients.protocol.0 {
            Protocol::Stream(StreamParams { heartbeat: Some(Heartbeat { interval, .. }) }) if interval.is_zero() => {
                Some((
                    ["stream", "heartbeat", "interval"].as_slice(),
                    "the heartbeat's interval is zero",
                    "a time such as \"25s\"",
                ))
            }
            Protocol::Stream(StreamParams { heartbeat: Some(Heartbeat { timeout, .. }) }) if timeout.is_zero() => {
                Some((
                    ["stream", "heartbeat", "timeout"].as_slice(),
                    "the heartbeat's timeout is zero",
                    "a time such as \"20s\"",
                ))
            }
            Protocol::Keepalive(Keepalive { requests: Some(0), .. }) => {
                Some((["keepalive", "requests"].as_slice(), "a connection that carries no request", "1 or more"))
            }
            _ => None,
        };
        if let Some((below, message, mend)) = wrong {
            let path: Vec<&str> = path.iter().chain(below).copied().collect();
            self.wrong(&path, format!("clients.{name}: {message}"), format!("write {mend}"));
        }
        // Where a preset stands, its keys hold whether or not they matter.
        if matches!(clients.protocol.0, Protocol::Stream(_)) || clients.preset.is_some() {
            return;
        }
        let only_for_streams = [
            ("reconnect_at_once", clients.reconnect_at_once),
            ("reconnect_from", clients.reconnect_from != client::From::End),
            ("retry_first_open", !clients.retry_first_open),
            ("state", state.is_some_and(|place| place.resume.is_some())),
        ];
        for (key, _) in only_for_streams.into_iter().filter(|&(_, given)| given) {
            let message = match key {
                "state" => format!("clients.{name} open no streams: lifetime = \"connection\" never ends their state"),
                key => format!("clients.{name} open no streams: {key} means nothing to them"),
            };
            self.warning(&["clients", name, key], message, "write protocol = \"stream\", or take it out");
        }
    }

    /// Whether a read/write split makes sense: whoever reads elsewhere must find the state there.
    fn check_split(&mut self, name: &str, clients: &Clients, state: Option<&Place>) {
        let path = ["clients", name, "reads"];
        if clients.reads == Reads::Affinity {
            return;
        }
        if let Some(kind) = state.map(|place| place.kind).filter(|kind| matches!(kind, Kind::Memory | Kind::Disk)) {
            let message = format!("clients.{name} read anywhere, but only one node has their state ({kind:?})");
            self.wrong(&path, message.to_lowercase(), "choose a state that others have too, or leave `reads` out");
        }
        if !matches!(clients.protocol.0, Protocol::Request(_)) {
            let message = format!("clients.{name} keep a connection, on which reads go where writes go");
            self.wrong(&path, message, "use protocol = \"request\", or leave `reads` out");
        }
    }

    fn check_waits(&mut self, name: &str, clients: &Clients) {
        let timeouts = [("request_timeout", clients.request_timeout), ("connect_timeout", clients.connect_timeout)];
        for (key, _) in timeouts.into_iter().filter(|(_, timeout)| timeout.is_some_and(|span| span.is_zero())) {
            let message = format!("{key} is zero: nothing could be in time");
            self.wrong(&["clients", name, key], message, "write a time such as \"5s\", or leave it out for ever");
        }
        let (path, rule) = (["clients", name, "reconnect"], &clients.reconnect.0);
        if let Some(wrong) = rule.stands_still() {
            let message = format!("clients.{name}.reconnect: {wrong}");
            let hint = "a client that is cut off must wait before it tries again, or time would stand still";
            self.wrong(&path, message, hint);
        } else if let Some((wrong, mend)) = rule.contradiction() {
            self.wrong(&path, format!("clients.{name}.reconnect: {wrong}"), mend);
        }
        let Some(retry) = &clients.retry else { return };
        if let Some((wrong, mend)) = retry.backoff.0.contradiction() {
            let message = format!("clients.{name}.retry.backoff: {wrong}");
            self.wrong(&["clients", name, "retry", "backoff"], message, mend);
        }
        if let Some((key, wrong, mend)) = retry.limit.0.fault() {
            let path = ["clients", name, "retry", "limit", retry.limit.0.name(), key];
            self.wrong(&path, format!("clients.{name}.retry.limit: {wrong}"), mend);
        }
        if !(1..=100).contains(&retry.attempts) {
            let message = format!("retry.attempts must be from 1 to 100, but is {}", retry.attempts);
            self.wrong(&["clients", name, "retry", "attempts"], message, "leave `retry` out for no further attempts");
        }
    }
}
