//! What happened, and what it amounts to: facts in, rows of figures out.
//!
//! The model speaks through one outlet, [`Recorder::note`]; totals, incidents and laws are made from the
//! same facts, so they cannot disagree.

pub mod batches;
mod books;
pub mod columns;
pub mod cost;
pub mod fact;
mod gauge;
pub mod goal;
pub mod histogram;
pub mod imbalance;
pub mod incident;
mod lines;
mod means;
mod nodes;
pub mod recorder;
pub mod recovery;
mod rollout;
pub mod services;
pub mod signals;
pub mod slo;
pub mod steady;
pub mod totals;
pub mod trace;
pub mod versions;
pub mod window;

pub use fact::Fact;
pub use recorder::Recorder;
