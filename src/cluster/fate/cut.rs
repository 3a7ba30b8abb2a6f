//! `cut`: connections are cut, and nothing else: a blip of the network, a balancer that is restarted. Processes live
//! on with all that they hold, and their clients come back all together.
//!
//! A connection is cut if a number that belongs to the fault and the session is below `share`. It is the same number
//! in every variant and under every share: a larger share cuts whom a smaller one cuts, and some more.

use super::aim::Part;
use super::{Aim, Harm};
use crate::base::cause::Cause;
use crate::base::draw::{Stream, name_key};
use crate::base::id::{NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::Share;
use crate::cluster::Sim;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list fault`.
pub const MEANING: &str = "connections that hang on nodes are cut, each with a chance; processes live on";

/// Parameters of `cut`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConnectionCut")]
pub struct Params {
    /// The chance of each connection to be cut; from 0% to 100%.
    pub share: Share,
    /// On which nodes: a number of nodes, names, a share, a zone, or the fullest; default all.
    #[serde(default = "all")]
    pub nodes: Aim,
}

fn all() -> Aim {
    Aim::Part(Part::Share(Share::new(1.0)))
}

impl Harm for Params {
    fn name(&self) -> &'static str {
        "cut"
    }
    fn aim(&self) -> Option<&Aim> {
        Some(&self.nodes)
    }
    fn lasts(&self) -> Option<Duration> {
        None
    }
    fn is_of_connections(&self) -> bool {
        true
    }
    fn befall(&self, sim: &mut Sim, now: Instant, (name, nth): (&str, u64), nodes: &[NodeId]) {
        // Listed before the first is cut: who comes back within this instant is not met a second time.
        let mut linked = Vec::new();
        nodes.iter().for_each(|&node| sim.linked.list(node, &mut linked));
        let luck = Stream::new(sim.seed, "fault cuts", name);
        linked.retain(|&session| {
            let session = &sim.sessions[SessionId(session)];
            let people = &sim.plan.populations[session.population.index()];
            luck.at(session.who, name_key(&people.name).wrapping_add(nth)).random::<f64>() < self.share.ratio()
        });
        for session in linked.into_iter().map(SessionId) {
            sim.cut_connection(now, session, Cause::Reset);
        }
    }
}
