//! How Maglev fills its table: each node has a permutation of all slots, and the nodes take turns at claiming the
//! next free slot of their own.
//!
//! The permutation is offset, offset + skip, offset + 2·skip … modulo the size, which is prime (Eisenbud et al.,
//! *Maglev: a fast and reliable software network load balancer*, NSDI 2016, listing 1). With weights a node takes
//! part in the turns that its weight entitles it to, as in Envoy: in turn r when r · weight has reached a target that
//! grows by the largest weight each time.

use crate::base::id::NodeId;

/// A node's permutation, and its share of all weights.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Whose.
    pub node: NodeId,
    /// The first slot; below the size.
    pub offset: u32,
    /// From one slot to the next; from 1 to size − 1.
    pub skip: u32,
    /// Weight ÷ sum of all weights.
    pub weight: f64,
}

/// The table: a node for each slot. No entries, no slots.
pub fn fill(entries: &[Entry], size: u32) -> Vec<NodeId> {
    if entries.is_empty() {
        return Vec::new();
    }
    let most = entries.iter().map(|entry| entry.weight).fold(0.0, f64::max);
    let mut table = vec![NodeId::NONE; size as usize];
    let mut left = size;
    // Next slot of the permutation, and the target.
    let mut states: Vec<(u32, f64)> = entries.iter().map(|entry| (entry.offset, 0.0)).collect();
    for turn in 1_u32.. {
        for (entry, (next, target)) in entries.iter().zip(&mut states) {
            if f64::from(turn) * entry.weight < *target {
                continue;
            }
            *target += most;
            loop {
                let slot = *next;
                *next = (slot + entry.skip) % size;
                if table[slot as usize] == NodeId::NONE {
                    table[slot as usize] = entry.node;
                    break;
                }
            }
            left -= 1;
            if left == 0 {
                return table;
            }
        }
    }
    table
}

/// Envoy's largest table.
const SIZE_MAX: u32 = 5_000_011;

/// What is wrong with a size: (key, message).
pub fn fault(size: u32) -> Option<(&'static str, String)> {
    if size > SIZE_MAX {
        return Some(("table_size", format!("table_size must be at most {SIZE_MAX} slots, but is {size}")));
    }
    let is_prime = size >= 2 && (2..).take_while(|d| d * d <= size).all(|d| !size.is_multiple_of(d));
    (!is_prime).then(|| ("table_size", format!("table_size must be a prime number such as 65537, but is {size}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_paper() {
        // Oracle O7(c): NSDI 2016, table 1, before and after the removal of backend 1.
        let entries: Vec<Entry> = [(3, 4), (0, 2), (3, 1)]
            .into_iter()
            .zip(0..)
            .map(|((offset, skip), node)| Entry { node: NodeId(node), offset, skip, weight: 1.0 / 3.0 })
            .collect();
        let table = |entries: &[Entry]| fill(entries, 7).iter().map(|node| node.0).collect::<Vec<_>>();
        assert_eq!(table(&entries), [1, 0, 1, 0, 2, 2, 0]);
        assert_eq!(table(&[entries[0], entries[2]]), [0, 0, 0, 0, 2, 2, 2]);
        assert!(fill(&[], 7).is_empty());
    }

    #[test]
    fn sizes_are_prime() {
        assert!([2, 3, 7, 251, 65_537, SIZE_MAX].iter().all(|&size| fault(size).is_none()));
        assert!([0, 1, 4, 65_536, 65_539 * 3, 5_000_077, u32::MAX].iter().all(|&size| fault(size).is_some()));
    }
}
