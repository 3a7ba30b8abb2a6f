//! What do a handful of seeds say? Intervals, paired differences, bands and shares.
//!
//! The unit of n is a seed, never a session. Sums run in seed order, so the same seeds give the same bytes.
//! Intervals are 95 %; they cover luck, not wrong inputs.

pub mod bands;
pub mod interval;
pub mod paired;
pub mod ranks;
pub mod sequential;
pub mod shares;
pub mod strength;

pub use bands::{Band, band, quantile};
pub use interval::{Estimate, Interval, estimate};
pub use paired::{Paired, Verdict, holm, paired};
pub use ranks::quantile_interval;
pub use sequential::Sequential;
pub use shares::clopper_pearson;
