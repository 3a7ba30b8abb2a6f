//! What several algorithms are built of: circles of points, tables of slots, loads and their bounds.

pub mod bound;
pub mod circle;
pub mod edf;
pub mod overload;
pub mod peers;
pub mod permutation;
pub mod slots;
pub mod text;
