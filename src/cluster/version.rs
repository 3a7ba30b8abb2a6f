//! What runs on a node? A version: how it differs from the one that ran at first.
//!
//! The first is called `v1` and is described by the rest of the scenario. Every other is described relative to it, and
//! a process runs the one that was installed when it was started. Several defects add up: a version may be slow, wrong
//! and short-lived.
//!
//! An error of a version comes when the work is done, as an exception does: a node with a bad version does not look
//! idle as a [black hole](super::fate) does. What it would have written is not written.
//!
//! An `incompatible` version reads nothing that another has written, and no other reads what it has written: a class
//! that was renamed, a session format without a migration. Who comes to the other side is as one whose state is gone.

use super::Sim;
use super::client::happens;
use super::state::Look;
use crate::base::cause::Cause;
use crate::base::id::{AttemptId, NodeId, PopulationId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::{Bytes, Share};
use crate::observe::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The place in the plan of the version that runs at first.
pub const BASE: u8 = 0;

/// Its name.
pub const BASE_NAME: &str = "v1";

/// How a version differs from the first.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Version")]
pub struct Params {
    /// Share of requests that it answers with an error when it has done the work; default none.
    pub error_ratio: Share,
    /// How many times as long its work takes; from 0.01 to 1000, default 1.
    pub slowdown: f64,
    /// What a process keeps in memory for good of each request that it has worked on; default nothing. Only where
    /// nodes have a `memory`.
    pub leak: Bytes,
    /// How long a process listens before it dies, again and again; it lives on unless given.
    pub dies_after: Option<Duration>,
    /// Whether it cannot read session state that another version has written, nor others what it has; default no.
    pub incompatible: bool,
}

impl Default for Params {
    fn default() -> Params {
        let (error_ratio, leak) = (Share::new(0.0), Bytes::new(0));
        Params { error_ratio, slowdown: 1.0, leak, dies_after: None, incompatible: false }
    }
}

impl Params {
    /// What is wrong with the parameters: (key, message, how to mend it).
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        if !(0.01..=1000.0).contains(&self.slowdown) {
            let message = format!("slowdown must be from 0.01 to 1000, but is {}", self.slowdown);
            faults.push(("slowdown", message, "1.5 means that all work takes half as long again"));
        }
        if self.dies_after.is_some_and(|after| after.is_zero()) {
            let message = "dies_after is zero: no process would ever live".to_owned();
            faults.push(("dies_after", message, "write how long a process listens, such as \"20s\""));
        }
        faults
    }
}

/// A version, ready to run.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its name in the scenario.
    pub name: String,
    /// How it differs from the first.
    pub differs: Params,
}

impl Version {
    /// The one that runs at first.
    pub fn first() -> Version {
        Version { name: BASE_NAME.to_owned(), differs: Params::default() }
    }
}

/// Which differences any version has: what none has costs no more than this look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defects {
    /// Answers with errors.
    pub(super) errs: bool,
    /// Keeps memory.
    pub(super) leaks: bool,
    /// Does not read what others have written.
    pub(super) misreads: bool,
}

impl Defects {
    /// What the versions of a plan have.
    pub fn of(versions: &[Version]) -> Defects {
        let any = |has: fn(&Params) -> bool| versions.iter().any(|version| has(&version.differs));
        Defects {
            errs: any(|differs| differs.error_ratio.ratio() > 0.0),
            leaks: any(|differs| differs.leak.get() > 0),
            misreads: any(|differs| differs.incompatible),
        }
    }
}

impl Sim<'_> {
    /// How the version that runs on a node differs from the first.
    pub(super) fn differs(&self, node: NodeId) -> &Params {
        &self.plan.versions[usize::from(self.fleet.get(node).version)].differs
    }

    /// Whether the node's version answers a request that it has worked on with an error. Each version errs with a part
    /// of the same requests.
    #[inline]
    pub(super) fn errs(&self, id: AttemptId, node: NodeId) -> bool {
        self.exposure.defects.errs && self.errs_now(id, node)
    }

    #[inline(never)]
    fn errs_now(&self, id: AttemptId, node: NodeId) -> bool {
        let ratio = self.differs(node).error_ratio.ratio();
        let attempt = &self.attempts[id];
        // A try of its own may turn out well.
        let nth = u64::from(attempt.request) << 16 | u64::from(attempt.tries) << 8 | u64::from(attempt.refusals);
        let stream = self.streams[attempt.population.index()].defect;
        ratio > 0.0 && happens(ratio, &mut stream.at(attempt.who, nth))
    }

    /// A node has worked on a request; its version may keep something of it.
    #[inline]
    pub(super) fn note_worked(&mut self, now: Instant, node: NodeId) {
        if self.exposure.defects.leaks {
            self.fleet.node(node).worked += 1;
            self.weigh(now, node);
        }
    }

    /// What a node's process has kept of the requests that it has worked on (bytes).
    pub(super) fn leaked(&self, node: NodeId) -> u64 {
        self.differs(node).leak.get().saturating_mul(self.fleet.get(node).worked)
    }

    /// What a node makes of the session state that it has found: nothing, if its version cannot read it.
    #[inline]
    pub(super) fn made_out(
        &mut self,
        now: Instant,
        population: PopulationId,
        session: SessionId,
        node: NodeId,
        look: Look,
    ) -> Look {
        if !self.exposure.defects.misreads || !matches!(look, Look::Here | Look::Stale | Look::Fetch) {
            return look;
        }
        let reader = self.fleet.get(node).version;
        let cannot = |version: u8| self.plan.versions[usize::from(version)].differs.incompatible;
        match self.exposure.writer(session) {
            Writer::Nobody => look,
            Writer::Lost => Look::Told,
            Writer::Version(writer) if writer == reader || !cannot(writer) && !cannot(reader) => look,
            Writer::Version(_) => {
                self.exposure.set_writer(session, Writer::Lost);
                self.recorder.note(now, Fact::Lost { population, session, cause: Cause::Incompatible });
                Look::Missing
            }
        }
    }

    /// Session state is as a node's version writes it from now on, if it was written at all.
    #[inline]
    pub(super) fn note_writer(&mut self, session: SessionId, node: NodeId, is_written: bool) {
        if self.exposure.defects.misreads && (is_written || self.exposure.writer(session) == Writer::Nobody) {
            let version = self.fleet.get(node).version;
            self.exposure.set_writer(session, Writer::Version(version));
        }
    }
}

/// In whose form a session's state is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Writer {
    /// Nothing has been written yet.
    #[default]
    Nobody,
    /// This version's.
    Version(u8),
    /// It could not be read, and has not been made again.
    Lost,
}
