//! Who is on which version? Every session's last answer, what it holds to its version, and how each version does.
//!
//! A side table by session slot. It stays empty in a scenario that installs no version.

use super::Sim;
use super::change::canary::Canary;
use super::change::rollback::Trial;
use super::request::Kind;
use super::version::{BASE, Defects, Writer};
use crate::base::id::{AttemptId, NodeId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::cluster::plan::Plan;
use crate::observe::Fact;

/// The side of a canary release that a session is held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pin {
    /// None: the weight decides.
    #[default]
    None,
    /// The old version's.
    Stable,
    /// The new version's.
    Canary,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    // Its last answer came from a version other than the first.
    is_on_new: bool,
    // Any of its answers has.
    is_exposed: bool,
    pin: Pin,
    pinned: Instant,
    writer: Writer,
}

/// What is known of versions while a run goes on.
#[derive(Debug)]
pub struct Exposure {
    /// Whether any version is installed at all.
    pub is_used: bool,
    pub(super) defects: Defects,
    /// The version that the cluster runs but for changes under way, and when it was settled on: the roll began that brought
    /// it, or everything was switched to it.
    pub(super) current: u8,
    pub(super) settled: Instant,
    /// The canary release under way.
    pub(super) canary: Option<Canary>,
    // Whether sessions are held to the old version before a canary release begins, and how long they are held.
    pub(super) holds_before: bool,
    holds_for: Option<Duration>,
    marks: Vec<Mark>,
    /// Whether processes of more than one version run.
    is_mixed: bool,
    /// How many sessions are held to the new version, those included whose time is over and who have not asked since.
    pub(super) held: u64,
    /// By change: how its version is judged.
    pub(super) trials: Vec<Trial>,
}

impl Exposure {
    /// Nobody has seen anything but the first version.
    pub fn new(plan: &Plan) -> Exposure {
        Exposure {
            is_used: plan.installs(),
            defects: Defects::of(&plan.versions),
            current: BASE,
            settled: Instant::START,
            canary: None,
            holds_before: plan.changes.iter().any(|change| change.kind.holds_before()),
            holds_for: plan.changes.iter().find_map(|change| change.kind.holds_for()),
            marks: Vec::new(),
            is_mixed: false,
            held: 0,
            trials: plan.changes.iter().map(|_| Trial::default()).collect(),
        }
    }

    fn mark(&mut self, session: SessionId) -> &mut Mark {
        if session.index() >= self.marks.len() {
            self.marks.resize(session.index() + 1, Mark::default());
        }
        &mut self.marks[session.index()]
    }

    fn seen(&self, session: SessionId) -> Mark {
        self.marks.get(session.index()).copied().unwrap_or_default()
    }

    /// What a session is held to.
    pub(super) fn pin(&self, now: Instant, session: SessionId) -> Pin {
        let mark = self.seen(session);
        if self.has_expired(now, &mark) { Pin::None } else { mark.pin }
    }

    fn has_expired(&self, now: Instant, mark: &Mark) -> bool {
        self.holds_for.is_some_and(|life| mark.pinned + life <= now)
    }

    /// Whether any session is held to the new version.
    pub(super) fn holds_anybody(&self, now: Instant) -> bool {
        let holds = |mark: &Mark| mark.pin == Pin::Canary && !self.has_expired(now, mark);
        self.held > 0 && (self.holds_for.is_none() || self.marks.iter().any(holds))
    }

    /// A session is held to this from now on.
    pub(super) fn set_pin(&mut self, now: Instant, session: SessionId, pin: Pin) {
        let mark = self.mark(session);
        mark.pinned = now;
        let before = std::mem::replace(&mut mark.pin, pin);
        self.held = self.held + u64::from(pin == Pin::Canary) - u64::from(before == Pin::Canary);
    }

    /// Nobody is held to anything any more.
    pub(super) fn unpin_all(&mut self) {
        self.marks.iter_mut().for_each(|mark| mark.pin = Pin::None);
        self.held = 0;
    }

    /// What does not agree, if anything.
    pub(super) fn disagreement(&self) -> Option<String> {
        let held = self.marks.iter().filter(|mark| mark.pin == Pin::Canary).count() as u64;
        (held != self.held).then(|| format!("{held} sessions are held to the canary, but {} in the books", self.held))
    }

    pub(super) fn writer(&self, session: SessionId) -> Writer {
        self.seen(session).writer
    }

    pub(super) fn set_writer(&mut self, session: SessionId, writer: Writer) {
        self.mark(session).writer = writer;
    }
}

impl Sim<'_> {
    /// A session has had an answer, good or bad, from `node` to what it `sent` then.
    #[inline]
    pub(super) fn note_version(&mut self, now: Instant, sent: Instant, id: SessionId, node: NodeId) {
        if self.exposure.is_used {
            self.note_version_of(now, sent, id, node);
        }
    }

    #[inline(never)]
    fn note_version_of(&mut self, now: Instant, sent: Instant, id: SessionId, node: NodeId) {
        let population = self.sessions[id].population;
        let is_new = self.fleet.get(node).version != BASE;
        let mark = self.exposure.mark(id);
        let was_new = std::mem::replace(&mut mark.is_on_new, is_new);
        if is_new && !std::mem::replace(&mut mark.is_exposed, true) {
            self.recorder.note(now, Fact::Exposed { population });
        }
        if was_new != is_new {
            self.recorder.note(now, Fact::OnNew { population, by: if is_new { 1 } else { -1 } });
        }
        self.pin_to(now, sent, id, node);
    }

    /// A process has begun or ended: whether there is more than one version now.
    pub(super) fn note_mixture(&mut self, now: Instant) {
        if !self.exposure.is_used {
            return;
        }
        let mut running = self.fleet.ids().map(|id| self.fleet.get(id)).filter(|node| node.has_process());
        let first = running.next().map(|node| node.version);
        let is_mixed = running.any(|node| Some(node.version) != first);
        if is_mixed != std::mem::replace(&mut self.exposure.is_mixed, is_mixed) {
            self.recorder.note(now, Fact::Mixed { is_mixed });
        }
    }

    /// A session is no more, and its slot will be another's.
    pub(super) fn forget_version(&mut self, now: Instant, id: SessionId) {
        if !self.exposure.is_used {
            return;
        }
        self.exposure.set_pin(now, id, Pin::None);
        let mark = std::mem::take(self.exposure.mark(id));
        if mark.is_on_new {
            let population = self.sessions[id].population;
            self.recorder.note(now, Fact::OnNew { population, by: -1 });
        }
    }

    /// A node has answered an attempt of somebody who waits for it, or failed it.
    #[inline]
    pub(super) fn note_served(&mut self, now: Instant, id: AttemptId, failed: bool) {
        if self.exposure.is_used {
            self.note_served_by(now, id, failed);
        }
    }

    #[inline(never)]
    fn note_served_by(&mut self, now: Instant, id: AttemptId, failed: bool) {
        let attempt = &self.attempts[id];
        if attempt.kind != Kind::Request || attempt.session.some().is_none() {
            return;
        }
        let Some(node) = attempt.node.some() else { return };
        let version = self.fleet.get(node).version;
        let (population, response) = (attempt.population, now.since(attempt.sent));
        self.recorder.note(now, Fact::Served { population, version, failed, response });
    }
}
