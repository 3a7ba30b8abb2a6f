//! How did a change go? It is followed to its own end, whatever else begins meanwhile.
//!
//! What a change does to people is counted until the next incident begins, since it cannot be told from what that does.
//! Whether and when it was complete, given up or rolled back is its own affair.

use super::incident::Shock;
use super::recovery::Eventually;
use crate::base::time::Instant;

/// A change that has begun.
#[derive(Debug)]
pub struct Rollout {
    /// Its place in the plan.
    index: u16,
    /// When it began.
    from: Instant,
    /// Whether it has a rollback criterion.
    is_judged: bool,
    /// When it was complete; a change that is rolled back is complete when it has gone back.
    pub completed: Option<Instant>,
    /// Whether it was given up.
    pub is_given_up: bool,
    /// When it was rolled back.
    pub rolled_back: Option<Instant>,
}

impl Rollout {
    fn until(&self, end: Option<Instant>) -> Eventually {
        end.map_or(Eventually::Never, |at| Eventually::After(at.since(self.from)))
    }
}

/// All changes that have begun.
#[derive(Debug, Default)]
pub struct Rollouts(Vec<Rollout>);

impl Rollouts {
    /// A change begins.
    pub fn begin(&mut self, now: Instant, index: u16, is_judged: bool) {
        let (completed, is_given_up, rolled_back) = (None, false, None);
        self.0.push(Rollout { index, from: now, is_judged, completed, is_given_up, rolled_back });
    }

    /// The change at this place in the plan, which must have begun.
    pub fn of(&mut self, index: u16) -> &mut Rollout {
        self.0.iter_mut().find(|rollout| rollout.index == index).expect("a change begins before it goes on")
    }

    /// Completes the figures of an incident, when the run is over.
    pub fn tell(&self, shock: &mut Shock) {
        let Some(rollout) = self.0.iter().find(|rollout| rollout.index == shock.index) else { return };
        shock.rollout = Some(rollout.until(rollout.completed));
        shock.is_given_up = rollout.is_given_up;
        shock.rollback = rollout.is_judged.then(|| rollout.until(rollout.rolled_back));
    }
}
