//! Do the algorithms that bear a product's name choose what the product chose? Key by key, against maps of keys to
//! servers that were measured on HAProxy 2.6.12, NGINX 1.22.1 and Envoy 1.39.3.
//!
//! Where the choice is a function of key and servers alone, not one key may differ.

use super::tests::{ask, asking};
use super::{Algorithm, Balance, Member, WHOLE};
use super::{envoy_maglev, envoy_ring_hash, haproxy_hash, nginx_hash};
use crate::base::draw::name_key;
use crate::base::hash::{avalanche, crc32, djb2, jump, murmur2, sdbm, wt6, xxh64};
use crate::base::id::NodeId;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

const MAPS: &str = include_str!("../../../../tests/data/reality/hash_maps.json");
const SOURCES: &str = include_str!("../../../../tests/data/reality/hash_sources.json");
const VECTORS: &str = include_str!("../../../../tests/data/vectors/hash_vectors.json");

/// A file of maps; its `note` says how to read it.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    keys: BTreeMap<String, String>,
    maps: Vec<Map>,
}

/// The map of one configuration, and of its changes.
#[derive(Deserialize)]
struct Map {
    name: String,
    balance: Algorithm,
    address: SocketAddrV4,
    keys: String,
    weights: Option<Vec<u32>>,
    columns: Vec<Column>,
}

/// One set of servers.
#[derive(Deserialize)]
struct Column {
    name: String,
    servers: u32,
    down: Option<u32>,
    removed: Option<u32>,
    #[serde(default)]
    ids_fixed: bool,
    #[serde(default)]
    reversed: bool,
    nodes: String,
}

/// What a product sees of a client.
#[derive(Clone)]
enum Seen {
    Address(u32),
    Text(String),
}

fn seen(map: &Map, keys: &BTreeMap<String, String>) -> Vec<Seen> {
    let cut = |digits: &str, width: usize| -> Vec<String> {
        digits.as_bytes().chunks(width).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
    };
    let addresses = |digits: &str| cut(digits, 8).iter().map(|hex| u32::from_str_radix(hex, 16).unwrap()).collect();
    let addresses = |digits: &str| -> Vec<Seen> {
        let numbers: Vec<u32> = addresses(digits);
        numbers.into_iter().map(Seen::Address).collect()
    };
    match map.keys.as_str() {
        "user" => (0..3_000).map(|i| Seen::Text(format!("user-{i:05}"))).collect(),
        "hex" => cut(&keys["hex"], 32).into_iter().map(Seen::Text).collect(),
        "ip" => addresses(&keys["ip"]),
        own => addresses(own),
    }
}

/// An algorithm that can be asked for any text.
trait ByText: Balance {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId>;
}

impl ByText for haproxy_hash::MapBased {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId> {
        self.choose(key)
    }
}
impl ByText for haproxy_hash::Consistent {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId> {
        self.choose(key)
    }
}
impl ByText for nginx_hash::Modulo {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId> {
        self.choose(key, &ask(0))
    }
}
impl ByText for nginx_hash::Ketama {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId> {
        self.choose(key, &ask(0))
    }
}
impl ByText for envoy_ring_hash::RingHash {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId> {
        self.choose(key, None)
    }
}
impl ByText for envoy_maglev::Maglev {
    fn by_text(&mut self, key: &[u8]) -> Option<NodeId> {
        self.choose(key, None)
    }
}

fn for_texts(algorithm: &Algorithm) -> Box<dyn ByText> {
    match algorithm {
        Algorithm::HaproxyHash(params) if params.kind == haproxy_hash::Kind::MapBased => {
            Box::new(haproxy_hash::MapBased::new(params))
        }
        Algorithm::HaproxyHash(params) => Box::new(haproxy_hash::Consistent::new(params)),
        Algorithm::NginxHash(params) if params.consistent => Box::new(nginx_hash::Ketama::new(params.key)),
        Algorithm::NginxHash(params) => Box::new(nginx_hash::Modulo::new(params.key)),
        Algorithm::EnvoyRingHash(params) => Box::new(envoy_ring_hash::RingHash::new(params)),
        Algorithm::EnvoyMaglev(params) => Box::new(envoy_maglev::Maglev::new(params)),
        other => panic!("{other:?} hashes no texts"),
    }
}

/// The servers of a column as the algorithm knows them, and whose number each has.
fn servers(map: &Map, column: &Column) -> (Vec<Member>, BTreeMap<NodeId, u32>) {
    let mut numbers: Vec<u32> = (1..=column.servers).filter(|&number| Some(number) != column.removed).collect();
    if column.reversed {
        numbers.reverse();
    }
    let member = |(position, &number): (u32, &u32)| Member {
        id: NodeId(if column.ids_fixed { number - 1 } else { position }),
        weight: map.weights.as_ref().map_or(1, |weights| weights[number as usize - 1]),
        name: name_key(&format!("s{number:02}")),
        address: SocketAddrV4::new(*map.address.ip(), map.address.port() + number as u16 - 1),
        share: WHOLE,
    };
    let members: Vec<Member> = (0..).zip(&numbers).map(member).collect();
    let named = members.iter().map(|member| member.id).zip(numbers).collect();
    (members, named)
}

fn letter(number: u32) -> char {
    char::from(if number <= 26 { b'A' + number as u8 - 1 } else { b'a' + number as u8 - 27 })
}

/// The letters of a column, as the algorithm chooses. With `loads`, each key is a connection that stays.
fn letters(map: &Map, column: &Column, keys: &[Seen], loads: bool) -> String {
    let (members, named) = servers(map, column);
    let is_text = matches!(keys[0], Seen::Text(_));
    let mut by_text = is_text.then(|| for_texts(&map.balance));
    let mut by_ask = map.balance.start(1, "lb1");
    let down = named.iter().find(|(_, number)| Some(**number) == column.down).map(|(&node, _)| node);
    let balance: &mut dyn Balance = match &mut by_text {
        Some(by_text) => &mut **by_text,
        None => &mut *by_ask,
    };
    members.iter().for_each(|&member| balance.joined(member));
    down.into_iter().for_each(|node| balance.left(node));
    let mut counts: BTreeMap<NodeId, u32> = BTreeMap::new();
    let choose = |key: &Seen| {
        let node = match (key, &mut by_text) {
            (Seen::Text(text), Some(by_text)) => by_text.by_text(text.as_bytes()),
            (Seen::Address(address), _) => {
                // The lower half of an address's number means nothing to a product.
                by_ask.pick(&asking(u64::from(*address) << 32 | 0x5555))
            }
            _ => unreachable!("all keys are of one kind"),
        };
        let node = node.expect("somebody is eligible");
        if loads {
            let count = counts.entry(node).or_default();
            *count += 1;
            by_ask.load(node, *count);
        }
        letter(named[&node])
    };
    keys.iter().map(choose).collect()
}

fn differences(a: &str, b: &str) -> usize {
    assert_eq!(a.len(), b.len());
    a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count()
}

fn is_bounded(map: &Map) -> bool {
    matches!(&map.balance, Algorithm::HaproxyHash(params) if params.balance_factor.is_some())
}

#[test]
fn every_key_of_every_map_goes_to_the_server_that_was_measured() {
    let file: File = serde_json::from_str(MAPS).unwrap();
    let (mut columns, mut keys) = (0, 0);
    for map in &file.maps {
        let seen = seen(map, &file.keys);
        for column in &map.columns {
            let wrong = differences(&letters(map, column, &seen, false), &column.nodes);
            assert_eq!(wrong, 0, "{}, {}: so many keys of {}", map.name, column.name, seen.len());
            columns += 1;
            keys += seen.len();
        }
    }
    assert_eq!((file.maps.len(), columns, keys), (28, 97, 291_000));
}

#[test]
fn every_client_goes_to_the_server_that_it_was_connected_to() {
    let file: File = serde_json::from_str(SOURCES).unwrap();
    let mut connections = 0;
    for map in file.maps.iter().filter(|map| !is_bounded(map)) {
        let seen = seen(map, &file.keys);
        for column in &map.columns {
            let wrong = differences(&letters(map, column, &seen, false), &column.nodes);
            // NGINX finds out by failed requests: after a server's return a client or two may still be elsewhere.
            let passive = matches!(map.balance, Algorithm::NginxHash(_)) && column.name.starts_with("p2");
            let allowed = if passive { 2 } else { 0 };
            assert!(wrong <= allowed, "{}, {}: {wrong} of {} clients", map.name, column.name, seen.len());
            connections += seen.len();
        }
    }
    assert!(connections > 30_000, "{connections}");
}

#[test]
fn under_a_bound_connections_go_where_haproxy_sent_them() {
    // Sixteen were opened at a time, so their order at the balancer is not quite that of the record: in three of the
    // four runs nobody differs, in one 9 of 2,000.
    let file: File = serde_json::from_str(SOURCES).unwrap();
    let bounded: Vec<&Map> = file.maps.iter().filter(|map| is_bounded(map)).collect();
    assert_eq!(bounded.len(), 4);
    for map in bounded {
        let seen = seen(map, &file.keys);
        let nodes = &map.columns[0].nodes;
        let wrong = differences(&letters(map, &map.columns[0], &seen, true), nodes);
        assert!(wrong as f64 <= 0.005 * seen.len() as f64, "{}: {wrong} of {}", map.name, seen.len());
        let free = serde_json::from_str(r#"{"haproxy_hash": {"key": "address", "type": "consistent"}}"#).unwrap();
        let free =
            Map { name: String::new(), balance: free, keys: String::new(), weights: None, columns: vec![], ..*map };
        let unbounded = differences(&letters(&free, &map.columns[0], &seen, false), nodes);
        assert!(unbounded >= 10 && unbounded > 4 * wrong, "{}: the bound had something to do", map.name);
    }
}

/// The lines of a file's maps in the table of `docs/fidelity.md`: how many keys of each experiment and algorithm go
/// elsewhere.
fn lines(text: &str) -> String {
    let file: File = serde_json::from_str(text).unwrap();
    let raw: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut lines: Vec<(String, [usize; 3])> = Vec::new();
    for (map, raw) in file.maps.iter().zip(raw["maps"].as_array().unwrap()) {
        let experiment = map.name.split('-').next().unwrap().to_uppercase();
        let weights = if map.weights.is_some() { ", weights 1 2 3" } else { "" };
        let head = format!("| {experiment} | `{}`{weights} |", raw["balance"].to_string().replace(['"', '\\'], ""));
        if lines.last().is_none_or(|(last, _)| *last != head) {
            lines.push((head, [0; 3]));
        }
        let sums = &mut lines.last_mut().unwrap().1;
        let seen = seen(map, &file.keys);
        for column in &map.columns {
            let wrong = differences(&letters(map, column, &seen, is_bounded(map)), &column.nodes);
            *sums = [sums[0] + 1, sums[1] + seen.len(), sums[2] + wrong];
        }
    }
    lines.iter().map(|(head, [columns, keys, wrong])| format!("{head} {columns} | {keys} | {wrong} |\n")).collect()
}

#[test]
fn the_fidelity_page_tells_how_many_keys_of_every_map_go_elsewhere() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fidelity.md");
    let page = std::fs::read_to_string(path).unwrap();
    let marks = ("<!-- maps -->\n", "\n<!-- /maps -->");
    let (before, rest) = page.split_once(marks.0).expect("the page has a place for maps");
    let (_, after) = rest.split_once(marks.1).expect("and an end of it");
    let head = "| experiment | algorithm | columns | keys | elsewhere |\n| --- | --- | --- | --- | --- |\n";
    let new = format!("{before}{}\n{head}{}{}{}{after}", marks.0, lines(MAPS), lines(SOURCES), marks.1);
    if std::env::var_os("STICKYSIM_BLESS").is_some() {
        return std::fs::write(path, new).unwrap();
    }
    assert!(new == page, "docs/fidelity.md is not what was measured; run scripts/fidelity");
}

#[test]
fn every_key_goes_to_the_port_that_the_product_chose() {
    #[rustfmt::skip]
    let configurations = [
        ("haproxy_map_based_sdbm_A", "A", r#"{"haproxy_hash": {"key": "header"}}"#),
        ("haproxy_consistent_default_B", "B", r#"{"haproxy_hash": {"key": "header", "type": "consistent"}}"#),
        ("haproxy_consistent_crc32_eq", "eq", r#"{"haproxy_hash": {"type": "consistent", "function": "crc32"}}"#),
        ("haproxy_consistent_djb2_eq", "eq", r#"{"haproxy_hash": {"type": "consistent", "function": "djb2"}}"#),
        ("haproxy_consistent_wt6_avalanche_eq", "eq", r#"{"haproxy_hash": {"type": "consistent", "function": "wt6", "avalanche": true}}"#),
        ("nginx_hash_consistent_B", "B", r#"{"nginx_hash": {"consistent": true}}"#),
        ("nginx_hash_modulo_A", "A", r#"{"nginx_hash": {}}"#),
        ("envoy_ring_hash_B", "B", r#"{"envoy_ring_hash": {}}"#),
        ("envoy_ring_hash_eq", "eq", r#"{"envoy_ring_hash": {}}"#),
        ("envoy_ring_murmur2_eq", "eq", r#"{"envoy_ring_hash": {"function": "murmur_hash_2"}}"#),
        ("envoy_maglev_65537_B", "B", r#"{"envoy_maglev": {}}"#),
        ("envoy_maglev_65537_eq", "eq", r#"{"envoy_maglev": {}}"#),
        ("envoy_maglev_251_B", "B", r#"{"envoy_maglev": {"table_size": 251}}"#),
    ];
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let keys: Vec<String> = serde_json::from_value(vectors["keys"].clone()).unwrap();
    for (name, hosts, algorithm) in configurations {
        let hosts: Vec<(u16, u32)> = serde_json::from_value(vectors[hosts].clone()).unwrap();
        let expected: Vec<u16> = serde_json::from_value(vectors[name].clone()).unwrap();
        let mut balance = for_texts(&serde_json::from_str(algorithm).unwrap());
        for (&(port, weight), position) in hosts.iter().zip(0..) {
            let address = SocketAddrV4::new([127, 0, 0, 1].into(), port);
            balance.joined(Member { id: NodeId(position), weight, name: u64::from(port), address, share: WHOLE });
        }
        let chosen: Vec<u16> =
            keys.iter().map(|key| hosts[balance.by_text(key.as_bytes()).unwrap().index()].0).collect();
        assert_eq!(chosen, expected, "{name}");
    }
    let columns = vectors
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| ["haproxy", "nginx", "envoy"].iter().any(|product| name.starts_with(product)));
    assert_eq!(columns.count(), configurations.len(), "no column is left out");
}

#[test]
fn every_function_gives_the_value_that_was_computed_by_the_product() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let address: &[u8] = b"127.0.0.1:9101";
    let host: SocketAddrV4 = "127.0.0.1:9101".parse().unwrap();
    let values = BTreeMap::from([
        ("sdbm(user-0)", vec![u64::from(sdbm::sdbm(b"user-0"))]),
        ("djb2(user-0)", vec![u64::from(djb2::djb2(b"user-0"))]),
        ("wt6(user-0)", vec![u64::from(wt6::wt6(b"user-0"))]),
        ("crc32(user-0)", vec![u64::from(crc32::crc32(b"user-0"))]),
        ("avalanche(4096)", vec![u64::from(avalanche::avalanche(4_096))]),
        ("avalanche(sdbm(user-0))", vec![u64::from(avalanche::avalanche(sdbm::sdbm(b"user-0")))]),
        ("xxh64(user-0,0)", vec![xxh64::xxh64(b"user-0", 0)]),
        ("xxh64('127.0.0.1:9101',0)", vec![xxh64::xxh64(address, 0)]),
        ("xxh64('127.0.0.1:9101',1)", vec![xxh64::xxh64(address, 1)]),
        ("xxh64('127.0.0.1:9101_0',0)", vec![xxh64::xxh64(b"127.0.0.1:9101_0", 0)]),
        ("murmur2_64A(127.0.0.1:9101_0)", vec![murmur2::murmur2(b"127.0.0.1:9101_0", murmur2::STD_SEED)]),
        ("nginx generation-order points 0,1 of 127.0.0.1:9101", nginx_hash::points(host, 2).map(u64::from).collect()),
    ]);
    let primitives = vectors["primitives"].as_object().unwrap();
    assert_eq!(primitives.len(), values.len());
    for (name, value) in primitives {
        let expected: Vec<u64> = match value {
            serde_json::Value::Array(list) => list.iter().map(|value| value.as_u64().unwrap()).collect(),
            value => vec![value.as_u64().unwrap()],
        };
        assert_eq!(values[name.as_str()], expected, "{name}");
    }
    let jumps: Vec<(u64, u32, u32)> = serde_json::from_value(vectors["jump"].clone()).unwrap();
    assert!(!jumps.is_empty() && jumps.iter().all(|&(key, buckets, bucket)| jump::jump(key, buckets) == bucket));
}
