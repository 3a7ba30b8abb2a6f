//! `refuse`: the process no longer listens, but serves what it has. New connections are refused, and a
//! health check that connects fails.

use super::{Aim, Harm, Ills, Params};
use crate::base::time::Duration;

/// One line for `stickysim list fault`.
pub const MEANING: &str = "no new connections are taken; those that live go on";

/// `refuse`.
#[derive(Clone, Debug)]
pub struct Refuse(pub Params);

impl Harm for Refuse {
    fn name(&self) -> &'static str {
        "refuse"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.0.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        self.0.lasts
    }
    fn ail(&self, ills: &mut Ills) {
        ills.refuses = true;
    }
}
