//! Points on a circle of hashes, and which nodes they belong to: the frame of every ring.
//!
//! A directory by the upper bits of a hash says where to begin, so that a point is found in constant time however
//! many there are. A node that is not eligible keeps its points, and a walk passes over them, which is the same as
//! if they were gone: most changes cost nothing, and a walk is longer in proportion while many are out. Points of new
//! nodes are merged in, on the next use.

use crate::base::id::NodeId;

/// A place on the circle.
pub trait Place: Copy + Ord {
    /// Its upper `bits` bits, of which there is at least one.
    fn top(self, bits: u32) -> usize;
}

impl Place for u32 {
    #[inline]
    fn top(self, bits: u32) -> usize {
        (self >> (u32::BITS - bits)) as usize
    }
}

impl Place for u64 {
    #[inline]
    fn top(self, bits: u32) -> usize {
        (self >> (u64::BITS - bits)) as usize
    }
}

/// Sorted points, and a directory of them.
#[derive(Clone, Debug)]
pub struct Points<P> {
    points: Vec<(P, NodeId)>,
    // By upper bits of a place: the first point that has them or larger ones.
    starts: Vec<u32>,
    bits: u32,
}

impl<P> Default for Points<P> {
    fn default() -> Points<P> {
        Points { points: Vec::new(), starts: Vec::new(), bits: 1 }
    }
}

impl<P: Place> Points<P> {
    /// These points, in any order.
    pub fn new(points: Vec<(P, NodeId)>) -> Points<P> {
        let mut points = Points { points: sorted(points), ..Points::default() };
        points.index();
        points
    }

    /// All of them, sorted.
    pub fn all(&self) -> &[(P, NodeId)] {
        &self.points
    }

    /// Position of the first point at or after `place`; as many as there are when it is after the last.
    #[inline]
    pub fn find(&self, place: P) -> usize {
        let Some(&start) = self.starts.get(place.top(self.bits)) else { return 0 };
        let beyond = self.points[start as usize..].iter().take_while(|point| point.0 < place).count();
        start as usize + beyond
    }

    /// Takes some points out, which are there, and others in. A few are moved in among the rest block by block, which
    /// is several times as fast as making everything anew.
    fn exchange(&mut self, out: Vec<(P, NodeId)>, fresh: Vec<(P, NodeId)>) {
        let (out, fresh) = (sorted(out), sorted(fresh));
        if (out.len() + fresh.len()) * 8 > self.points.len() {
            self.points.retain(|point| out.binary_search(point).is_err());
            self.points.extend(fresh);
            // Two sorted runs: quick to merge for a sort that looks for runs.
            self.points.sort();
            return self.index();
        }
        self.take_out(&out);
        self.take_in(&fresh);
        if self.bits != bits(self.points.len()) {
            self.index();
        }
    }

    fn take_out(&mut self, out: &[(P, NodeId)]) {
        let Some(&first) = out.first() else { return };
        let mut to = self.points.partition_point(|point| *point < first);
        let mut from = to;
        for (i, point) in out.iter().enumerate() {
            // What stands between this one and the next moves down over those that are gone.
            from += self.points[from..].partition_point(|other| other < point) + 1;
            let after = out
                .get(i + 1)
                .map_or(self.points.len(), |next| from + self.points[from..].partition_point(|other| other < next));
            self.points.copy_within(from..after, to);
            (to, from) = (to + after - from, after);
        }
        self.points.truncate(to);
        self.shift(out, u32::wrapping_sub);
    }

    fn take_in(&mut self, fresh: &[(P, NodeId)]) {
        let Some(&filler) = fresh.first() else { return };
        let mut end = self.points.len();
        self.points.resize(end + fresh.len(), filler);
        // From the end, so that nothing is overwritten before it has moved.
        for (i, point) in fresh.iter().enumerate().rev() {
            let place = self.points[..end].partition_point(|other| other < point);
            self.points.copy_within(place..end, place + i + 1);
            self.points[place + i] = *point;
            end = place;
        }
        self.shift(fresh, u32::wrapping_add);
    }

    /// Moves each entry of the directory by the number of these points that stand before it.
    fn shift(&mut self, points: &[(P, NodeId)], by: fn(u32, u32) -> u32) {
        let mut from = 0;
        for (before, point) in (0..).zip(points) {
            let to = point.0.top(self.bits) + 1;
            self.starts[from..to].iter_mut().for_each(|start| *start = by(*start, before));
            from = to;
        }
        self.starts[from..].iter_mut().for_each(|start| *start = by(*start, points.len() as u32));
    }

    /// Makes the directory.
    fn index(&mut self) {
        self.bits = bits(self.points.len());
        self.starts.clear();
        self.starts.reserve(1 << self.bits);
        for (position, point) in self.points.iter().enumerate() {
            while self.starts.len() <= point.0.top(self.bits) {
                self.starts.push(position as u32);
            }
        }
        self.starts.resize(1 << self.bits, self.points.len() as u32);
    }
}

/// With more points than this an entry for each would not stay in a processor's second cache.
const LARGE: usize = 1 << 19;

/// Width of the directory: about as many entries as there are points. Of a large circle a quarter: a look at the points
/// next to each other costs less than one at a directory that is not in a cache.
fn bits(points: usize) -> u32 {
    points.max(2).next_power_of_two().ilog2() - if points > LARGE { 2 } else { 0 }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    // The weight that it should have points for, and the one that its points were laid for; 0 for none.
    weight: u32,
    laid: u32,
}

/// A circle whose nodes come and go.
#[derive(Clone, Debug)]
pub struct Circle<P> {
    points: Points<P>,
    // By node.
    seats: Vec<Seat>,
    eligible: Vec<bool>,
    count: usize,
    // Whether some points are still to be laid or taken up.
    stale: bool,
}

impl<P> Default for Circle<P> {
    fn default() -> Circle<P> {
        let (points, seats, eligible) = Default::default();
        Circle { points, seats, eligible, count: 0, stale: false }
    }
}

impl<P: Place> Circle<P> {
    /// A node is eligible, with this weight.
    pub fn join(&mut self, node: NodeId, weight: u32) {
        if node.index() >= self.seats.len() {
            self.seats.resize(node.index() + 1, Seat::default());
            self.eligible.resize(node.index() + 1, false);
        }
        let seat = &mut self.seats[node.index()];
        seat.weight = weight;
        self.stale |= seat.laid != weight;
        self.count += usize::from(!std::mem::replace(&mut self.eligible[node.index()], true));
    }

    /// A node is not eligible any more.
    pub fn leave(&mut self, node: NodeId) {
        if let Some(eligible) = self.eligible.get_mut(node.index()) {
            self.count -= usize::from(std::mem::replace(eligible, false));
        }
    }

    /// The points of a node, not eligible, are taken up.
    pub fn forget(&mut self, node: NodeId) {
        if let Some(seat) = self.seats.get_mut(node.index()) {
            seat.weight = 0;
            self.stale |= seat.laid != 0;
        }
    }

    /// Whether a node is eligible.
    #[inline]
    pub fn is_eligible(&self, node: NodeId) -> bool {
        self.eligible[node.index()]
    }

    /// How many nodes are eligible.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Before each use: lays the points of nodes that have none yet. `lay` adds those of a node
    /// and weight, always the same; for no weight there are none.
    #[inline]
    pub fn settle(&mut self, lay: impl FnMut(NodeId, u32, &mut Vec<(P, NodeId)>)) {
        if self.stale {
            self.lay(lay);
        }
    }

    fn lay(&mut self, mut lay: impl FnMut(NodeId, u32, &mut Vec<(P, NodeId)>)) {
        self.stale = false;
        let (mut out, mut fresh) = (Vec::new(), Vec::new());
        for (index, seat) in self.seats.iter_mut().enumerate().filter(|(_, seat)| seat.laid != seat.weight) {
            lay(NodeId(index as u32), seat.laid, &mut out);
            lay(NodeId(index as u32), seat.weight, &mut fresh);
            seat.laid = seat.weight;
        }
        self.points.exchange(out, fresh);
    }

    /// The points, eligible or not.
    #[inline]
    pub fn points(&self) -> &Points<P> {
        &self.points
    }

    /// Once around the circle from the point at `position`: the eligible nodes of the points, again and again.
    #[inline]
    pub fn walk(&self, position: usize) -> impl Iterator<Item = NodeId> {
        let points = self.points.all();
        let (before, after) = points.split_at(position.min(points.len()));
        after.iter().chain(before).map(|&(_, node)| node).filter(|&node| self.is_eligible(node))
    }
}

impl Circle<u32> {
    /// Position of the eligible point that is nearest to `place`, on whichever side; the one before it when both
    /// are as near. There must be an eligible node.
    #[inline]
    pub fn nearest(&self, place: u32) -> usize {
        let points = self.points.all();
        let found = self.points.find(place);
        let eligible = |position: &usize| self.is_eligible(points[*position].1);
        let after = (found..points.len()).chain(0..found).find(eligible).expect("a node is eligible");
        let before = (0..found).rev().chain((found..points.len()).rev()).find(eligible).expect("a node is eligible");
        let is_before = place.wrapping_sub(points[before].0) <= points[after].0.wrapping_sub(place);
        if is_before { before } else { after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::mix;
    use proptest::prelude::*;

    fn lay(node: NodeId, weight: u32, points: &mut Vec<(u64, NodeId)>) {
        points.extend((0..weight * 5).map(|i| (mix(u64::from(node.0) << 32 | u64::from(i)), node)));
    }

    /// The circle as it would be if it were made anew of these (node, weight).
    fn anew(members: &[(u32, u32)]) -> Vec<(u64, NodeId)> {
        let mut points = Vec::new();
        members.iter().for_each(|&(node, weight)| lay(NodeId(node), weight, &mut points));
        points.sort_unstable();
        points
    }

    proptest! {
        #[test]
        fn whatever_comes_and_goes_the_walk_is_that_of_a_circle_made_anew(
            steps in prop::collection::vec((0u32..8, 0u32..4), 1..40),
            place in any::<u64>(),
        ) {
            let (mut circle, mut members) = (Circle::default(), std::collections::BTreeMap::new());
            for (node, weight) in steps {
                if weight > 0 {
                    members.insert(node, weight);
                    circle.join(NodeId(node), weight);
                } else {
                    members.remove(&node);
                    circle.leave(NodeId(node));
                    if node % 2 == 0 {
                        circle.forget(NodeId(node));
                    }
                }
                circle.settle(lay);
                let list: Vec<(u32, u32)> = members.iter().map(|(&node, &weight)| (node, weight)).collect();
                let points = anew(&list);
                let start = points.partition_point(|point| point.0 < place);
                let expected: Vec<NodeId> = points[start..].iter().chain(&points[..start]).map(|point| point.1).collect();
                let walked: Vec<NodeId> = circle.walk(circle.points().find(place)).collect();
                prop_assert_eq!(walked, expected);
                prop_assert_eq!(circle.count(), members.len());
            }
        }

        #[test]
        fn the_nearest_is_the_nearest(places in prop::collection::btree_set(any::<u32>(), 1..30), place in any::<u32>()) {
            let mut circle = Circle::default();
            (0..places.len() as u32).for_each(|node| circle.join(NodeId(node), 1));
            let sorted: Vec<u32> = places.into_iter().collect();
            circle.settle(|node, _, points| points.push((sorted[node.index()], node)));
            let out = NodeId(sorted.len() as u32 / 2);
            if sorted.len() > 1 {
                circle.leave(out);
            }
            let eligible = sorted.iter().enumerate().filter(|(i, _)| sorted.len() == 1 || *i != out.index());
            let distance = |at: u32| place.wrapping_sub(at).min(at.wrapping_sub(place));
            let least = eligible.map(|(_, &at)| distance(at)).min().unwrap();
            let found = circle.points().all()[circle.nearest(place)];
            prop_assert_eq!(distance(found.0), least);
            prop_assert!(circle.is_eligible(found.1));
        }
    }

    #[test]
    fn a_place_after_the_last_point_leads_to_the_first() {
        let points = Points::new(vec![(10_u32, NodeId(1)), (u32::MAX - 5, NodeId(2))]);
        assert_eq!([0, 10, 11, u32::MAX - 5, u32::MAX].map(|place| points.find(place)), [0, 0, 1, 1, 2]);
        assert_eq!(Points::<u64>::default().find(7), 0);
    }
}
