//! What does `[cost]` mean? Prices, each of which must be one.

use super::compile::Reading;
use super::read_node;
use crate::observe::cost::Prices;

impl Reading<'_> {
    /// The prices, if there are any.
    pub(super) fn prices(&mut self) -> Option<Prices> {
        let node = self.table.get("cost")?;
        let prices: Prices = read_node(node, self.problems, "cost")?;
        for (key, message) in prices.faults() {
            let hint = "write a price from 0 to 1e9, or leave it out: then it costs nothing";
            self.wrong(&["cost", key], format!("cost.{message}, which is no price"), hint);
        }
        Some(prices)
    }
}
