//! Where do clients come from? Each from an address of its own, or many from behind few (NAT).
//!
//! An address is a number; products that hash the address itself see an IPv4 address, its upper half.
//! Popularity is Zipf's: the r-th of K addresses is drawn in proportion to r^−s (Zipf, *Human Behavior and the
//! Principle of Least Effort*, 1949). A client keeps its address. Populations share no addresses.
//!
//! ```toml
//! addresses = { nat = { addresses = 200, zipf = 1.1 } }
//! addresses = { nat = { addresses = 200, networks = 8 } }      # 25 in each of eight /24 networks
//! ```

use super::Streams;
use crate::base::choice::Alternatives;
use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Addresses, as written.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Addresses")]
pub enum Written {
    /// One per client.
    Own(Own),
    /// Many clients behind few.
    Nat(Nat),
}

/// `own` has no parameters.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Own {}

/// Parameters of `nat`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nat {
    /// How many addresses; from 1 to 1,000,000.
    pub addresses: u32,
    /// The exponent s: 0 makes them equally popular; at most 10, default 1 (Zipf's law).
    #[serde(default = "one")]
    pub zipf: f64,
    /// In how many /24 networks they lie, dealt out in turn; each in one of its own unless given.
    pub networks: Option<u32>,
}

/// Hosts that a /24 network has room for.
const HOSTS: u32 = 254;

fn one() -> f64 {
    1.0
}

impl Default for Written {
    fn default() -> Written {
        Written::Own(Own {})
    }
}

impl Alternatives for Written {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("own", "every client has an address of its own"),
        ("nat", "many clients behind few addresses, popular by Zipf's law"),
    ];
}

impl Nat {
    /// What is wrong with the parameters: (key, message).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !(1..=1_000_000).contains(&self.addresses) {
            faults.push(("addresses", format!("addresses must be from 1 to 1000000, but is {}", self.addresses)));
        }
        if !(0.0..=10.0).contains(&self.zipf) {
            faults.push(("zipf", format!("zipf must be from 0 to 10, but is {}", self.zipf)));
        }
        if let Some(networks) = self.networks
            && !(self.addresses.div_ceil(HOSTS)..=self.addresses).contains(&networks)
        {
            let least = self.addresses.div_ceil(HOSTS);
            let message = format!(
                "networks must be from {least} ({HOSTS} addresses in each) to {} (one in each), but is {networks}",
                self.addresses
            );
            faults.push(("networks", message));
        }
        faults
    }
}

/// Addresses, ready to draw from.
#[derive(Clone, Default)]
pub struct Addresses {
    // Running sums of r^−s, so that the last is the total; empty for an address each.
    sums: Arc<[f64]>,
    // How many /24 networks hold them; 0 for each in one of its own.
    networks: u32,
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Count and total tell any two apart; a million sums would fill the plan's hash.
        let mut text = f.debug_struct("Addresses");
        text.field("count", &self.sums.len()).field("total", &self.sums.last());
        if self.networks > 0 {
            text.field("networks", &self.networks);
        }
        text.finish()
    }
}

impl Addresses {
    /// Prepares what is written.
    pub fn new(written: &Written) -> Addresses {
        match written {
            Written::Own(_) => Addresses::default(),
            Written::Nat(nat) => {
                let mut sum = 0.0;
                let sums = (1..=nat.addresses).map(|rank| {
                    sum += libm::pow(f64::from(rank), -nat.zipf);
                    sum
                });
                Addresses { sums: sums.collect(), networks: nat.networks.unwrap_or(0) }
            }
        }
    }

    /// The number of the address of the client called `person`.
    pub fn of(&self, streams: &Streams, person: u64) -> u64 {
        let mut draw = streams.address.at(person, 0);
        let Some(total) = self.sums.last() else { return draw.next_u64() };
        let target = total * draw.random::<f64>();
        let rank = self.sums.partition_point(|sum| *sum <= target).min(self.sums.len() - 1);
        let number = streams.address.at(u64::MAX, rank as u64 + 1).next_u64();
        if self.networks == 0 {
            return number;
        }
        // The upper half is the IPv4 address: 24 bits of the network, 8 of the host.
        let (network, host) = (rank as u64 % u64::from(self.networks), rank as u64 / u64::from(self.networks) + 1);
        let network = streams.address.at(u64::MAX - 1, network).next_u64();
        network & (u64::MAX << 40) | host << 32 | number & u64::from(u32::MAX)
    }
}

/// The IPv4 address, in network order, of an address's number: its upper half. Addresses are spread evenly over all
/// of IPv4, so that even of ten thousand clients hardly two share one by accident.
#[inline]
pub const fn ipv4(number: u64) -> u32 {
    (number >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn crowd(written: Written) -> Vec<usize> {
        let (addresses, streams) = (Addresses::new(&written), Streams::new(1, "web"));
        let mut clients = BTreeMap::new();
        for person in 0..50_000 {
            *clients.entry(addresses.of(&streams, person)).or_insert(0) += 1;
        }
        let mut sizes: Vec<usize> = clients.into_values().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }

    #[test]
    fn an_address_each_is_shared_by_nobody() {
        assert_eq!(crowd(Written::default()).len(), 50_000);
    }

    #[test]
    fn behind_a_nat_the_most_popular_address_has_its_share() {
        let sizes = crowd(Written::Nat(Nat { addresses: 200, zipf: 1.1, networks: None }));
        assert!(sizes.len() <= 200 && sizes.len() > 190);
        let total: f64 = (1..=200).map(|r| libm::pow(f64::from(r), -1.1)).sum();
        assert!((sizes[0] as f64 / 50_000.0 - 1.0 / total).abs() < 0.008, "{}", sizes[0]);
        assert!((sizes[1] as f64 / 50_000.0 - libm::pow(0.5, 1.1) / total).abs() < 0.006, "{}", sizes[1]);
    }

    #[test]
    fn without_zipf_all_are_equally_popular() {
        let sizes = crowd(Written::Nat(Nat { addresses: 10, zipf: 0.0, networks: None }));
        assert!(sizes.iter().all(|&size| (size as f64 - 5_000.0).abs() < 350.0), "{sizes:?}");
    }

    #[test]
    fn addresses_lie_in_as_many_networks_as_is_said() {
        let nat = Nat { addresses: 500, zipf: 0.0, networks: Some(8) };
        assert!(nat.faults().is_empty());
        let (addresses, streams) = (Addresses::new(&Written::Nat(nat)), Streams::new(1, "web"));
        let mut networks: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for number in (0..50_000).map(|person| addresses.of(&streams, person)) {
            networks.entry(ipv4(number) >> 8).or_default().push(number);
        }
        assert_eq!(networks.len(), 8);
        for numbers in networks.values_mut() {
            numbers.sort_unstable();
            numbers.dedup();
            assert!([62, 63].contains(&numbers.len()), "500 in 8: {}", numbers.len());
        }
        let faults = |networks| Nat { networks: Some(networks), ..nat }.faults().len();
        assert_eq!([1, 2, 500, 501].map(faults), [1, 0, 0, 1]);
    }
}
