//! A deterministic discrete-event simulator of sticky and stateless clusters.

pub mod base;
pub mod engine;
