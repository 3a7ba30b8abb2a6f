//! The designs that are weighed against each other. To add one, add its line to [`ALL`] and the function that writes it.

use super::ground::Ground;
use toml::{Table, Value, toml};

/// A way to keep sessions.
pub struct Design {
    /// Its name, as of a variant.
    pub name: &'static str,
    /// What must live for it to work, beside the nodes and the balancer.
    pub depends_on: &'static str,
    /// How many such things; of two that cost the same the one with fewer is taken.
    pub dependencies: u32,
    /// Whether a session's requests go to one node.
    pub is_sticky: bool,
    /// Whether state leaves the process.
    pub is_moved: bool,
    /// What it changes in a workload, or why it cannot be had.
    pub patch: fn(&Ground) -> Result<Table, &'static str>,
}

/// Every design, the simplest first.
pub const ALL: &[Design] = &[
    Design {
        name: "sticky, in memory",
        depends_on: "nothing",
        dependencies: 0,
        is_sticky: true,
        is_moved: false,
        patch: in_memory,
    },
    Design {
        name: "sticky, replicas",
        depends_on: "other nodes",
        dependencies: 1,
        is_sticky: true,
        is_moved: true,
        patch: replicas,
    },
    Design {
        name: "stateless, token",
        depends_on: "keys",
        dependencies: 1,
        is_sticky: false,
        is_moved: true,
        patch: token,
    },
    Design {
        name: "stateless, store",
        depends_on: "store",
        dependencies: 1,
        is_sticky: false,
        is_moved: true,
        patch: store,
    },
    Design {
        name: "sticky, near cache",
        depends_on: "store",
        dependencies: 1,
        is_sticky: true,
        is_moved: true,
        patch: near,
    },
    Design {
        name: "consistent hash",
        depends_on: "nothing",
        dependencies: 0,
        is_sticky: true,
        is_moved: false,
        patch: hash,
    },
    Design {
        name: "read/write split",
        depends_on: "store",
        dependencies: 1,
        is_sticky: true,
        is_moved: true,
        patch: split,
    },
];

const BOUND: &str = "state cannot leave its process (budget.state_moves = false)";

/// `{ <place> = { <parameters> } }`
fn place(name: &str, parameters: Table) -> Value {
    Value::Table(Table::from_iter([(name.to_owned(), Value::Table(parameters))]))
}

/// Puts a key, unless there is nothing to put.
fn put(table: &mut Table, key: &str, value: Option<&Value>) {
    if let Some(value) = value {
        table.insert(key.into(), value.clone());
    }
}

fn patch(ground: &Ground, affinity: Value, state: Value) -> Table {
    let mut balancer = Table::from_iter([("affinity".to_owned(), affinity)]);
    if ground.hashes {
        balancer.insert("balance".into(), "roundrobin".into());
    }
    Table::from_iter([("balancer".to_owned(), Value::Table(balancer)), ("state".to_owned(), state)])
}

fn none() -> Value {
    Value::String("none".into())
}

fn in_memory(ground: &Ground) -> Result<Table, &'static str> {
    // What can be worked out anew is not lost with its node.
    let name = match (ground.rebuilds.0, ground.place.as_str()) {
        (true, _) => "cache",
        (false, "disk") => "disk",
        (false, _) => "memory",
    };
    let mut memory = ground.of(name);
    put(&mut memory, "rebuild", ground.rebuild.as_ref());
    Ok(patch(ground, ground.sticky.clone(), place(name, memory)))
}

fn replicas(ground: &Ground) -> Result<Table, &'static str> {
    if !ground.moves.0 {
        return Err(BOUND);
    }
    if ground.nodes < 2 {
        return Err("there is one node: nobody else can hold a copy");
    }
    let mut replicated = ground.of("replicated");
    put(&mut replicated, "rebuild", ground.rebuild.as_ref());
    put(&mut replicated, "size", ground.size.as_ref());
    Ok(patch(ground, ground.sticky.clone(), place("replicated", replicated)))
}

fn token(ground: &Ground) -> Result<Table, &'static str> {
    if !ground.moves.0 {
        return Err(BOUND);
    }
    if !ground.fits_a_cookie() {
        return Err("state is larger than the 4 KiB of a cookie (RFC 6265)");
    }
    let mut client = ground.of("client");
    put(&mut client, "size", ground.size.as_ref());
    for work in ["sign", "verify"] {
        client.entry(work).or_insert("100us".into());
    }
    Ok(patch(ground, none(), place("client", client)))
}

/// State in the store, as the scenario has it or with its defaults.
fn stored(ground: &Ground) -> Result<Table, &'static str> {
    if !ground.moves.0 {
        return Err(BOUND);
    }
    let mut store = ground.of("store");
    // What it is like then stands in [store.<name>], where it can fail.
    for key in ["read", "write", "concurrency", "queue_max", "holds_slot", "near"] {
        store.remove(key);
    }
    store.insert("at".into(), ground.store.as_str().into());
    put(&mut store, "rebuild", ground.rebuild.as_ref());
    put(&mut store, "size", ground.size.as_ref());
    Ok(store)
}

fn store(ground: &Ground) -> Result<Table, &'static str> {
    Ok(patch(ground, none(), place("store", stored(ground)?)))
}

fn near(ground: &Ground) -> Result<Table, &'static str> {
    let mut store = stored(ground)?;
    let near = ground.of("store").get("near").cloned();
    store.insert("near".into(), near.unwrap_or_else(|| Value::Table(toml! { ttl = "30s" })));
    Ok(patch(ground, ground.sticky.clone(), place("store", store)))
}

fn hash(ground: &Ground) -> Result<Table, &'static str> {
    if !ground.rebuilds.0 {
        return Err(
            "state cannot be worked out anew, and a hash moves it whenever nodes change (budget.state_rebuilds)",
        );
    }
    let mut cache = ground.of("cache");
    put(&mut cache, "rebuild", ground.rebuild.as_ref());
    let mut patch = patch(ground, none(), place("cache", cache));
    if let Some(balancer) = patch.get_mut("balancer").and_then(Value::as_table_mut) {
        balancer.insert("balance".into(), Value::Table(toml! { ring = { points = 160 } }));
    }
    Ok(patch)
}

fn split(ground: &Ground) -> Result<Table, &'static str> {
    let store = stored(ground)?;
    if ground.readers.is_empty() {
        return Err("no request can be split off: all write (clients.<name>.write_ratio), or are on streams");
    }
    let mut patch = patch(ground, ground.sticky.clone(), place("store", store));
    let anywhere = |name: &String| (name.clone(), Value::Table(toml! { reads = "balance" }));
    patch.insert("clients".into(), Value::Table(ground.readers.iter().map(anywhere).collect()));
    Ok(patch)
}
