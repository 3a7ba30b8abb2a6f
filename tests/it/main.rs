//! The integration tests: one binary, one module per kind of claim.

mod lab;
mod oracles;
mod tidy;
