//! What follows from many runs? Questions that no single comparison answers, each with the evidence for its answer.

pub mod decide;
pub mod explain;
pub mod plan;
