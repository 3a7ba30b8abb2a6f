//! What if hardly anybody seems to be healthy? Then the view is more likely to be wrong than the nodes.
//!
//! * `panic_threshold`: while the healthy share of the nodes is below it, new requests go to all nodes alike
//!   (Envoy `healthy_panic_threshold`: strictly below, so that half of the nodes is not panic at 50%). Sessions
//!   that are bound to a node follow the view all the same: Envoy's stateful session looks at the health of
//!   its host, panic or not (`HostUtility::selectOverrideHost`).
//! * `fail_open`: when no node at all is healthy, the view is not heeded, for anybody (ALB, NLB: "if all targets
//!   are unhealthy, requests are routed to all targets").
//!
//! Nodes that an operator has drained or put into maintenance are neither counted nor used.

use crate::base::units::Share;

/// When the view is not heeded.
#[derive(Clone, Copy, Debug)]
pub struct Panic {
    // In hundredths of a percent, so that no rounding decides at the edge.
    threshold: u64,
    fail_open: bool,
}

/// How much of the view is not heeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Alarm {
    /// Nothing: it is.
    #[default]
    None,
    /// New requests go to all nodes.
    Panic,
    /// All requests go wherever they would if every node were healthy.
    Open,
}

impl Panic {
    /// The rule with these parameters.
    pub fn new(threshold: Share, fail_open: bool) -> Panic {
        Panic { threshold: (threshold.ratio() * 10_000.0 + 0.5) as u64, fail_open }
    }

    /// What to do when so many of so many nodes are healthy.
    pub fn alarm(&self, healthy: u32, nodes: u32) -> Alarm {
        if self.fail_open && healthy == 0 && nodes > 0 {
            return Alarm::Open;
        }
        if u64::from(healthy) * 10_000 < self.threshold * u64::from(nodes) { Alarm::Panic } else { Alarm::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_strictly_below_the_threshold() {
        let half = Panic::new(Share::new(0.5), false);
        // Measured on Envoy 1.39.3: of four nodes one healthy is panic, two are not.
        let alarms = [0, 1, 2, 3, 4].map(|healthy| half.alarm(healthy, 4));
        assert_eq!(alarms, [Alarm::Panic, Alarm::Panic, Alarm::None, Alarm::None, Alarm::None]);
        assert_eq!(half.alarm(0, 0), Alarm::None);
        // 7% as a ratio is not exact in binary.
        assert_eq!(Panic::new(Share::new(0.07), false).alarm(7, 100), Alarm::None);
    }

    #[test]
    fn off_is_off_and_open_needs_everybody() {
        assert_eq!(Panic::new(Share::new(0.0), false).alarm(0, 4), Alarm::None);
        let open = Panic::new(Share::new(0.0), true);
        assert_eq!([0, 1].map(|healthy| open.alarm(healthy, 4)), [Alarm::Open, Alarm::None]);
    }
}
