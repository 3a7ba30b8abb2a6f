//! In line at the balancer: who waits for a place at a node, who gets the next one, who has waited in vain.
//!
//! A place that is given up is handed on when the event that freed it has been dealt with, so that nobody is
//! served in the middle of a crash or of the end of a session, and a long line is worked off in a loop.

use super::balancer::Route;
use super::client::Caller;
use super::request::Stage;
use super::{Sim, event};
use crate::base::id::{AttemptId, NodeId};
use crate::base::time::Instant;
use crate::observe::Fact;

impl Sim<'_> {
    /// An attempt joins the line of a node, or the common one when it is none.
    pub(super) fn wait_for_a_place(&mut self, now: Instant, id: AttemptId, line: NodeId) {
        let attempt = &mut self.attempts[id];
        (attempt.stage, attempt.node) = (Stage::InLine, line);
        self.balancers[attempt.via].join_line(id, line);
        let gives_up = now + self.plan.balancer.queue_timeout();
        if gives_up < self.plan.end {
            attempt.timer.set(gives_up, event::attempt(id), &mut self.queue);
        }
        self.recorder.note(now, Fact::Waiting { by: 1 });
    }

    /// An attempt stands in line no longer.
    fn step_out(&mut self, now: Instant, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        attempt.timer.clear();
        attempt.stage = Stage::Route;
        self.balancers[attempt.via].leave_line(id);
        self.recorder.note(now, Fact::Waiting { by: -1 });
    }

    /// An attempt that is at no node is no longer the balancer's concern.
    pub(super) fn leave_balancer(&mut self, now: Instant, id: AttemptId) {
        self.give_place_back(id);
        if self.attempts[id].stage == Stage::InLine {
            self.step_out(now, id);
        }
    }

    /// Hands on the places that have been given up, and looks after those whose wait has become pointless.
    pub(super) fn serve_lines(&mut self, now: Instant) {
        while let Some((via, node)) = self.balancers.stirred() {
            while let Some(id) = self.balancers[via].next_astray(node) {
                self.step_out(now, id);
                self.route_anew(now, id);
            }
            while let Some(id) = self.balancers[via].next_in_line(node) {
                self.step_out(now, id);
                self.connect(now, id, node);
            }
        }
    }

    /// Routes an attempt as if nothing bound its session.
    fn route_anew(&mut self, now: Instant, id: AttemptId) {
        let attempt = &mut self.attempts[id];
        attempt.is_bound = false;
        let (via, session) = (attempt.via, &self.sessions[attempt.session]);
        let caller = Caller::new(&self.plan.populations, &self.streams, session);
        let route = self.balancers[via].route(&caller.ask(), None);
        self.follow(now, id, route);
    }

    /// Does what the balancer says.
    #[inline]
    pub(super) fn follow(&mut self, now: Instant, id: AttemptId, route: Route) {
        match route {
            Route::To(node) => self.connect(now, id, node),
            Route::Wait(line) => self.wait_for_a_place(now, id, line),
            Route::Refuse(cause) => self.fail(now, id, cause),
        }
    }
}
