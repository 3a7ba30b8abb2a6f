//! What do `[store.<name>]` and `state.store.at = "<name>"` mean? Stores that may fail, and who uses them.

use super::compile::Reading;
use super::read_each;
use super::rebuilders::Services;
use super::words::{listed, nearest};
use crate::base::units::Bytes;
use crate::cluster::client::Population;
use crate::cluster::fate::Fault;
use crate::cluster::state::Service;
use crate::cluster::store::Params;

impl Reading<'_> {
    /// The stores, by name, so that the order of the text changes nothing. They come after the rebuild services.
    pub(super) fn stores(&mut self, services: &mut Services) {
        let Some(node) = self.table.get("store") else { return };
        let mut written: Vec<(String, Params)> = read_each(node, self.problems, "store");
        written.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, params) in &written {
            for (key, message, mend) in params.faults() {
                self.wrong(&["store", name, key], format!("store.{name}: {message}"), mend);
            }
            let store = params.service(name, |law, key| self.law(law, &["store", name, key]));
            services.stores.push((name.clone(), store.is_some().then_some(services.ready.len())));
            let replicas = store.as_ref().and_then(|primary| params.replicas_of(primary));
            let reads_at = replicas.is_some().then_some(services.ready.len() + 1);
            services.ready.extend(store.map(|primary| Service { reads_at, ..primary }));
            services.ready.extend(replicas);
        }
        let named = node.get_ref().as_table().into_iter().flat_map(|table| table.keys());
        let unread: Vec<String> = named.map(|key| key.get_ref().to_string()).collect();
        for name in unread {
            if services.stores.iter().all(|(other, _)| *other != name) {
                services.stores.push((name, None));
            }
        }
    }

    /// The place in the plan of the store of this name, which stands under `path`.
    pub(super) fn store_named(&mut self, wanted: &str, path: &[&str], services: &Services) -> Option<usize> {
        if let Some((_, place)) = services.stores.iter().find(|(name, _)| name == wanted) {
            return *place;
        }
        let known: Vec<String> = services.stores.iter().map(|(name, _)| name.clone()).collect();
        let near = nearest(wanted, &known).map(|near| format!("did you mean `{near}`? "));
        let hint = match known.len() {
            0 => format!("add [store.{wanted}]"),
            _ => format!("{}the stores are {}", near.unwrap_or_default(), listed(&known, "and")),
        };
        self.wrong(path, format!("there is no store `{wanted}`"), hint);
        None
    }

    /// A store with a `memory_max` must hold one entry at least; those who are there at the start should fit.
    pub(super) fn check_store_memory(&mut self, populations: &[Population], services: &Services) {
        for (place, rules) in services.ready.iter().enumerate().filter_map(|(i, s)| Some((i, s.rules.as_ref()?))) {
            let Some(memory) = rules.memory else { continue };
            let users = || populations.iter().filter(|people| people.state.store == Some(place));
            let path = ["store", &rules.name, "memory_max"];
            let max = Bytes::new(memory.max);
            if let Some(people) = users().find(|people| people.state.size > memory.max) {
                let (size, name) = (Bytes::new(people.state.size), &people.name);
                let message = format!("the state of one session of `{name}` is {size}, and the store may hold {max}");
                self.wrong(&path, message, "give it room for all sessions that are live at one time");
                continue;
            }
            let needed: u64 = users().map(|people| people.present().saturating_mul(people.state.size)).sum();
            if needed > memory.max {
                let needed = Bytes::new(needed);
                let message = format!("those who are there at the start need {needed}, and the store may hold {max}");
                self.warning(&path, message, "what does not fit is missing from the beginning");
            }
        }
    }

    /// Faults that befall stores must name one, and leave it before the next befalls it.
    pub(super) fn check_stores(&mut self, faults: &[Fault], services: &Services) {
        for (place, fault) in faults.iter().enumerate() {
            let Some(at_store) = fault.kind.at_store() else { continue };
            self.store_named(&at_store.store, &["fault", &fault.name, fault.kind.name(), "store"], services);
            let clashes = |other: &&Fault| {
                other.kind.at_store().is_some_and(|other| other.clashes(at_store)) && may_meet(fault, other)
            };
            if let Some(other) = faults[..place].iter().find(clashes) {
                let message =
                    format!("fault.{} and fault.{} befall `{}` at one time", other.name, fault.name, at_store.store);
                match fault.at().and(other.at()) {
                    Some(_) => self.wrong(
                        &self.path_of_start(&fault.name),
                        message,
                        "let the first be over (`lasts`) before the second begins",
                    ),
                    None => {
                        let hint = "what comes at random may come at any time: leave one of them out";
                        self.wrong(&["fault", &fault.name], message, hint);
                    }
                }
            }
        }
    }
}

/// Whether two faults may be in force at one time.
fn may_meet(one: &Fault, other: &Fault) -> bool {
    let (Some(a), Some(b)) = (one.at(), other.at()) else { return true };
    let (first, begins, second) = if b <= a { (other, b, a) } else { (one, a, b) };
    first.kind.lasts().is_none_or(|lasts| second < begins + lasts)
}
