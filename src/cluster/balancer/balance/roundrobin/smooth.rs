//! NGINX's smooth weighted turn: every eligible node's current weight grows by its weight, the largest is
//! picked (the first named among equals) and falls by the sum of all.
//!
//! A node that is out keeps its current weight. A node that failed counts for less, and gets one unit of weight
//! back with every turn that it takes part in (`effective_weight`). Source: nginx
//! `ngx_http_upstream_round_robin.c`; weights 5/1/1 give A A B A C A A.

use super::super::{Ask, Balance, Member, WHOLE};
use crate::base::id::NodeId;

// Weights are in parts of `WHOLE`.
#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    weight: i64,
    // What counts of it.
    effective: i64,
    current: i64,
    member: bool,
}

/// Working state.
#[derive(Debug, Default)]
pub struct Smooth {
    seats: Vec<Seat>,
}

impl Balance for Smooth {
    fn joined(&mut self, member: Member) {
        if member.id.index() >= self.seats.len() {
            self.seats.resize(member.id.index() + 1, Seat::default());
        }
        let seat = &mut self.seats[member.id.index()];
        let lacks = seat.weight - seat.effective;
        (seat.weight, seat.member) = (i64::from(member.parts()), true);
        seat.effective = (seat.weight - lacks).max(0);
    }

    fn left(&mut self, node: NodeId) {
        self.seats[node.index()].member = false;
    }

    fn weakened(&mut self, node: NodeId, parts: u32) {
        let seat = &mut self.seats[node.index()];
        // NGINX divides whole units: a weight of 1 falls by 0 when two failures are allowed.
        let lost = seat.weight / i64::from(WHOLE) / i64::from(parts) * i64::from(WHOLE);
        seat.effective = (seat.effective - lost).max(0);
    }

    fn pick(&mut self, ask: &Ask) -> Option<NodeId> {
        let members = self.seats.iter().filter(|seat| seat.member).count();
        // One that has just been tried does not take part at all, unless it is alone.
        let avoid = ask.avoid.filter(|_| members > 1).map(NodeId::index);
        let (mut total, mut best) = (0, None);
        for (index, seat) in self.seats.iter_mut().enumerate() {
            if !seat.member || Some(index) == avoid || ask.is_full(NodeId(index as u32)) {
                continue;
            }
            total += seat.effective;
            seat.current += seat.effective;
            seat.effective = seat.weight.min(seat.effective + i64::from(WHOLE));
            if best.is_none_or(|(_, most)| seat.current > most) {
                best = Some((index, seat.current));
            }
        }
        let (index, _) = best?;
        self.seats[index].current -= total;
        Some(NodeId(index as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{ask, member};
    use super::*;

    #[test]
    fn a_node_that_failed_gets_its_weight_back_turn_by_turn() {
        let mut smooth = Smooth::default();
        smooth.joined(Member { weight: 4, ..member(0) });
        smooth.joined(Member { weight: 4, ..member(1) });
        smooth.weakened(NodeId(0), 1);
        // A counts for 0, 1, 2, 3, then 4 again; B for 4 in every turn.
        let turns: String = (0..8).map(|_| char::from(b'A' + smooth.pick(&ask(0)).unwrap().0 as u8)).collect();
        assert_eq!(turns, "BBABABAB");
        smooth.weakened(NodeId(1), 8);
        assert_eq!(smooth.seats[1].effective, 4 * i64::from(WHOLE), "4 / 8 is 0 in whole units");
    }
}
