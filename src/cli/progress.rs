//! Long work shows how it gets on: a bar on a terminal, a plain line every so often elsewhere.

use super::say;
use crate::experiment::{Progress, Unit};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Shows how a run gets on.
pub struct Display {
    bar: ProgressBar,
    // Without a terminal: so many plain lines in all.
    lines: bool,
    done: AtomicUsize,
    units: AtomicUsize,
    events: AtomicU64,
}

const LINES: usize = 10;

impl Display {
    /// A display on stderr; none when `quiet`.
    pub fn new(quiet: bool) -> Display {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if quiet || !is_terminal { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = "{bar:30} {pos}/{len} runs  {elapsed} gone, {eta} left  {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        let (done, units, events) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Display { bar, lines: !quiet && !is_terminal, done, units, events }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Display {
    fn begins(&self, units: usize, reused: usize) {
        self.units.store(units, Relaxed);
        self.done.store(reused, Relaxed);
        self.bar.set_length(units as u64);
        self.bar.set_position(reused as u64);
        self.bar.reset_eta();
        self.bar.enable_steady_tick(Duration::from_millis(250));
    }

    fn finished(&self, _unit: Unit, events: u64) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        let units = self.units.load(Relaxed);
        let all = self.events.fetch_add(events, Relaxed) + events;
        let seconds = self.bar.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(format!("{} events/s", HumanCount((all as f64 / seconds) as u64)));
        self.bar.inc(1);
        if self.lines && done * LINES / units > (done - 1) * LINES / units {
            say(&format!("{done} of {units} runs"));
        }
    }
}
