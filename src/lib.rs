//! A deterministic discrete-event simulator of sticky and stateless clusters.

pub mod answer;
pub mod base;
pub mod cli;
pub mod cluster;
pub mod engine;
pub mod experiment;
pub mod observe;
pub mod output;
pub mod scenario;
pub mod statistics;
