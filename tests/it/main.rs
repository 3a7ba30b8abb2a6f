//! The integration tests: one binary, one module per kind of claim.

mod behaviour;
mod docs;
mod lab;
mod laws;
mod oracles;
mod tidy;
