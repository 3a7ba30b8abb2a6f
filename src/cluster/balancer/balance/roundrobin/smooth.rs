//! NGINX's smooth weighted turn: every eligible node's current weight grows by its weight, the largest is
//! picked (the first named among equals) and falls by the sum of all.
//!
//! A node that is out keeps its current weight. Source: nginx `ngx_http_upstream_round_robin.c`; weights 5/1/1
//! give A A B A C A A.

use super::super::{Ask, Balance, Member};
use crate::base::id::NodeId;

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    weight: i64,
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
        (seat.weight, seat.member) = (i64::from(member.weight), true);
    }

    fn left(&mut self, node: NodeId) {
        self.seats[node.index()].member = false;
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
            total += seat.weight;
            seat.current += seat.weight;
            if best.is_none_or(|(_, most)| seat.current > most) {
                best = Some((index, seat.current));
            }
        }
        let (index, _) = best?;
        self.seats[index].current -= total;
        Some(NodeId(index as u32))
    }
}
