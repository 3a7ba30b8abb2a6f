//! What the designs have in common: the workload, and what it says of its state.

use crate::base::units::Bytes;
use crate::scenario::Budget;
use toml::{Table, Value};

/// A cookie holds so much at most: 4096 bytes, by RFC 6265.
const COOKIE_MAX: u64 = 4_096;
/// The store of those designs that need one, where the scenario has none.
const STORE: &str = "sessions";
const STORE_ELSE: &str = "sessions-of-all";
/// Balance algorithms that hash a key: they bind without remembering, so that only a hashing design may keep them.
const HASHES: [&str; 11] = [
    "ring",
    "hash",
    "source",
    "rendezvous",
    "maglev",
    "jump",
    "haproxy_hash",
    "nginx_hash",
    "nginx_ip_hash",
    "envoy_ring_hash",
    "envoy_maglev",
];

/// A workload without a design.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The scenario without its own design, faults and changes.
    pub table: Table,
    /// Its faults and changes, of which events are taken.
    pub faults: Table,
    /// The same for changes.
    pub changes: Table,
    /// What binds a session to its node.
    pub sticky: Value,
    /// What makes lost state anew; `None` when that costs nothing.
    pub rebuild: Option<Value>,
    /// How large a session's state is; `None` for the default.
    pub size: Option<Value>,
    /// Where state lives.
    pub place: String,
    /// The parameters of that.
    pub parameters: Table,
    /// The store's name.
    pub store: String,
    /// Whether the scenario has no store, and gets one.
    pub store_is_assumed: bool,
    /// How many nodes there are.
    pub nodes: i64,
    /// Whether they are so many alike, so that another number can be tried.
    pub nodes_are_alike: bool,
    /// Whether balance hashes a key.
    pub hashes: bool,
    /// Populations of which some requests do not write, and can go elsewhere.
    pub readers: Vec<String>,
    /// Whether arrivals change with time.
    pub is_uneven: bool,
    /// Whether state can leave its process, and whether the scenario says so.
    pub moves: (bool, bool),
    /// Whether it can be worked out anew, and whether the scenario says so.
    pub rebuilds: (bool, bool),
    /// Whether there are prices.
    pub has_prices: bool,
}

impl Ground {
    /// Takes a scenario apart.
    pub fn new(scenario: &Table, budget: &Budget) -> Ground {
        let mut table = scenario.clone();
        for key in ["precision", "seeds_max", "variant", "sweep", "duration", "name"] {
            table.remove(key);
        }
        let [faults, changes] = ["fault", "change"].map(|key| taken(&mut table, key));
        // Where nothing is said for all, the first population that says something speaks for them.
        let own = |key: &str| {
            let people = table.get("clients").and_then(Value::as_table);
            people
                .into_iter()
                .flatten()
                .find_map(|(_, person)| person.get(key).filter(|value| alternative(value) != "none").cloned())
        };
        let (own_state, own_affinity) = (own("state"), own("affinity"));
        let written = table.remove("state").or(own_state);
        let place = written.as_ref().map_or("none", alternative).to_owned();
        let state = written.as_ref().and_then(|state| state.get(&place)).and_then(Value::as_table).cloned();
        let state = state.unwrap_or_default();
        let named = state.get("at").and_then(Value::as_str).map(str::to_owned);
        let stores = table.get("store").and_then(Value::as_table);
        // A store of its own, that has no name, is not one of those that have.
        let named = named.or_else(|| stores.filter(|_| place != "store")?.keys().next().cloned());
        let free = if stores.is_some_and(|stores| stores.contains_key(STORE)) { STORE_ELSE } else { STORE };
        let balancer = table.entry("balancer").or_insert_with(|| Value::Table(Table::new()));
        let sticky = balancer.get("affinity").filter(|affinity| alternative(affinity) != "none").cloned();
        let sticky = sticky.or(own_affinity);
        let hashes = balancer.get("balance").is_some_and(|balance| HASHES.contains(&alternative(balance)));
        if let Some(balancer) = balancer.as_table_mut() {
            balancer.remove("affinity");
        }
        let cluster = table.get("cluster");
        let alike = cluster.and_then(|cluster| cluster.get("nodes")).and_then(Value::as_integer);
        let has_autoscaler = cluster.is_some_and(|cluster| cluster.get("autoscaler").is_some());
        let (readers, is_uneven) = people(&mut table);
        Ground {
            sticky: sticky.unwrap_or_else(|| Value::String("cookie".into())),
            rebuild: state.get("rebuild").cloned(),
            size: state.get("size").cloned(),
            store_is_assumed: named.is_none(),
            store: named.unwrap_or_else(|| free.into()),
            nodes: alike.unwrap_or_else(|| counted(&table)),
            nodes_are_alike: alike.is_some() && !has_autoscaler,
            hashes,
            readers,
            is_uneven,
            moves: (budget.state_moves.unwrap_or(true), budget.state_moves.is_some()),
            rebuilds: (budget.state_rebuilds.unwrap_or(place == "cache"), budget.state_rebuilds.is_some()),
            has_prices: table.contains_key("cost"),
            place,
            parameters: state,
            table,
            faults,
            changes,
        }
    }

    /// The parameters of this place, if state lives there.
    pub fn of(&self, place: &str) -> Table {
        if self.place == place { self.parameters.clone() } else { Table::new() }
    }

    /// Whether a session's state fits into a cookie.
    pub fn fits_a_cookie(&self) -> bool {
        let size = self.size.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok());
        size.is_none_or(|size: Bytes| size.get() <= COOKIE_MAX)
    }
}

/// The name of the alternative that a choice is made of: `"cookie"`, or the key of `{ cookie = … }`.
pub fn alternative(choice: &Value) -> &str {
    match choice {
        Value::String(name) => name,
        Value::Table(table) => table.keys().next().map_or("none", String::as_str),
        _ => "none",
    }
}

fn taken(table: &mut Table, key: &str) -> Table {
    match table.remove(key) {
        Some(Value::Table(inner)) => inner,
        _ => Table::new(),
    }
}

fn counted(table: &Table) -> i64 {
    let groups = table.get("cluster").and_then(|cluster| cluster.get("group")).and_then(Value::as_table);
    groups.into_iter().flatten().filter_map(|(_, group)| group.get("count")?.as_integer()).sum()
}

/// Takes away what populations say of a design of their own; which of them read, in requests that can go elsewhere, and
/// whether anybody's arrivals change with time.
fn people(table: &mut Table) -> (Vec<String>, bool) {
    let (mut readers, mut is_uneven) = (Vec::new(), false);
    let clients = table.get_mut("clients").and_then(Value::as_table_mut);
    for (name, person) in clients.into_iter().flatten() {
        let Some(person) = person.as_table_mut() else { continue };
        let has_none = person.get("state").is_some_and(|state| alternative(state) == "none");
        // Whoever has no state keeps none: there is nothing to be moved.
        if !has_none {
            person.remove("state");
        }
        person.remove("affinity");
        person.remove("reads");
        let is_stream = person.get("protocol").is_some_and(|protocol| alternative(protocol) == "stream");
        let writes = person.get("write_ratio").and_then(share);
        if !is_stream && !has_none && writes.is_some_and(|ratio| ratio < 1.0) {
            readers.push(name.clone());
        }
        let open = person.get("arrivals").and_then(|arrivals| arrivals.get("open")).and_then(Value::as_table);
        is_uneven |= open.is_some_and(|open| open.keys().any(|key| key != "rate"));
    }
    (readers, is_uneven)
}

/// A share as it is written: `"20%"`, `0.2`.
fn share(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse::<crate::base::units::Share>().ok().map(|share| share.ratio()),
        Value::Float(ratio) => Some(*ratio),
        Value::Integer(ratio) => Some(*ratio as f64),
        _ => None,
    }
}
