//! Who is where? Both directions of "this thing is on that node", each in constant time.
//!
//! Used once per relation: state copies on nodes, attempts on nodes. A crash asks for everything on a
//! node and pays only for what is there.

use crate::base::huge;
use crate::base::id::{NONE, NodeId};
use crate::base::prefetch::prefetch;

/// One relation between things (by slot) and nodes: a thing is on at most one node.
#[derive(Debug, Default)]
pub struct Residents {
    on: Vec<Vec<u32>>,
    // By thing: its node and its position in that node's list.
    place: Vec<(u32, u32)>,
}

impl Residents {
    /// The node that `thing` is on.
    #[inline]
    pub fn node(&self, thing: u32) -> Option<NodeId> {
        self.place.get(thing as usize).and_then(|&(node, _)| NodeId(node).some())
    }

    /// There will be so many things at least.
    pub fn expect(&mut self, things: usize) {
        let more = things.saturating_sub(self.place.len());
        huge::reserve(&mut self.place, more);
    }

    /// Hints that `thing` will be asked for soon.
    #[inline]
    pub fn fetch(&self, thing: u32) {
        prefetch(&self.place, thing as usize);
    }

    /// Hints that the list of `node` will be needed soon.
    #[inline]
    pub fn fetch_node(&self, node: NodeId) {
        prefetch(&self.on, node.index());
    }

    /// How many things are on `node`.
    pub fn count(&self, node: NodeId) -> usize {
        self.on.get(node.index()).map_or(0, Vec::len)
    }

    /// Puts `thing` on `node`, taking it from wherever it was.
    #[inline(always)]
    pub fn bind(&mut self, thing: u32, node: NodeId) {
        let thing_index = thing as usize;
        if thing_index >= self.place.len() {
            self.place.resize(thing_index + 1, (NONE, 0));
        }
        if self.place[thing_index].0 == node.0 {
            return;
        }
        self.unbind(thing);
        if node.index() >= self.on.len() {
            self.on.resize_with(node.index() + 1, Vec::new);
        }
        let list = &mut self.on[node.index()];
        self.place[thing_index] = (node.0, list.len() as u32);
        list.push(thing);
    }

    /// Takes `thing` off its node, if it is on one.
    #[inline(always)]
    pub fn unbind(&mut self, thing: u32) {
        let Some(&(node, position)) = self.place.get(thing as usize) else { return };
        if node == NONE {
            return;
        }
        self.place[thing as usize] = (NONE, 0);
        let list = &mut self.on[node as usize];
        list.swap_remove(position as usize);
        if let Some(&moved) = list.get(position as usize) {
            self.place[moved as usize].1 = position;
        }
    }

    /// Appends everything on `node` to `out`.
    pub fn list(&self, node: NodeId, out: &mut Vec<u32>) {
        out.extend(self.on.get(node.index()).into_iter().flatten());
    }

    /// Takes everything off `node`, appending it to `out`.
    pub fn take(&mut self, node: NodeId, out: &mut Vec<u32>) {
        let Some(list) = self.on.get_mut(node.index()) else { return };
        for &thing in list.iter() {
            self.place[thing as usize] = (NONE, 0);
        }
        out.append(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_directions_always_agree(steps in prop::collection::vec((0u32..12, 0u32..5), 0..200)) {
            let mut residents = Residents::default();
            let mut expected = [None; 12];
            for (thing, node) in steps {
                if node == 4 {
                    residents.unbind(thing);
                    expected[thing as usize] = None;
                } else if node == 3 && thing == 0 {
                    residents.take(NodeId(3), &mut Vec::new());
                    expected.iter_mut().filter(|n| **n == Some(NodeId(3))).for_each(|n| *n = None);
                } else {
                    residents.bind(thing, NodeId(node));
                    expected[thing as usize] = Some(NodeId(node));
                }
                for (thing, &node) in expected.iter().enumerate() {
                    prop_assert_eq!(residents.node(thing as u32), node);
                }
                for node in 0..4 {
                    let count = expected.iter().filter(|n| **n == Some(NodeId(node))).count();
                    prop_assert_eq!(residents.count(NodeId(node)), count);
                }
            }
        }
    }
}
