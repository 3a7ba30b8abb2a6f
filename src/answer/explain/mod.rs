//! What happened, to whom, and why? Told from the trace of one run, which is a function of scenario and seed.

mod lines;
mod lives;
mod story;

pub use lines::{json, words};
pub use lives::{node, session, whereabouts};
pub use story::{Befallen, befallen, story};

use crate::base::time::Instant;
use crate::cluster::client::INITIAL_BIT;
use crate::cluster::plan::Plan;
use crate::observe::recorder::Recording;
use crate::observe::trace::{Happening, Who};

/// A run to tell of, as far as it is asked for.
#[derive(Clone, Copy)]
pub struct Tale<'a> {
    /// What was simulated.
    pub plan: &'a Plan,
    /// What came out, with its trace.
    pub recording: &'a Recording,
    /// From here on.
    pub from: Instant,
    /// To here, not included.
    pub to: Instant,
}

impl<'a> Tale<'a> {
    /// What happened in it, in order.
    pub fn happenings(self) -> impl Iterator<Item = (Instant, &'a Happening)> {
        let trace = &self.recording.trace;
        // The trace is in order.
        let first = trace.partition_point(|(at, _)| *at < self.from);
        let own = trace[first..].iter().take_while(move |(at, _)| *at < self.to);
        own.map(|(at, happening)| (*at, happening))
    }

    /// A session by the name that people use: `web:17`, and `web:i17` for one that was there from the start.
    pub fn called(self, who: Who) -> String {
        format!("{}:{}", self.plan.populations[who.population.index()].name, ordinal(who))
    }
}

/// A session's number within its population, as people and files have it: `17`, or `i17` for one of those that were there
/// from the start, which count apart.
pub fn ordinal(who: Who) -> String {
    match who.ordinal & INITIAL_BIT {
        0 => who.ordinal.to_string(),
        _ => format!("i{}", who.ordinal & !INITIAL_BIT),
    }
}

/// The session number that such a text means.
pub fn numbered(text: &str) -> Option<u64> {
    let (text, initial) = text.strip_prefix('i').map_or((text, 0), |rest| (rest, INITIAL_BIT));
    text.parse::<u64>().ok().filter(|number| number & INITIAL_BIT == 0).map(|number| number | initial)
}

/// An instant as people read it.
pub(crate) fn clock(at: Instant) -> String {
    format!("{:.3} s", at.as_secs_f64())
}

/// Whom a happening is about, if it is about one session.
pub fn whom(happening: &Happening) -> Option<Who> {
    match *happening {
        Happening::Began { who }
        | Happening::Ended { who }
        | Happening::Bound { who, .. }
        | Happening::Opened { who, .. }
        | Happening::Closed { who, .. }
        | Happening::NotOpened { who, .. }
        | Happening::Answered { who, .. }
        | Happening::Failed { who, .. }
        | Happening::Harmed { who, .. }
        | Happening::Back { who } => Some(who),
        Happening::Marked { .. }
        | Happening::StateHarmed { .. }
        | Happening::Node { .. }
        | Happening::Planned { .. }
        | Happening::Struck { .. } => None,
    }
}
