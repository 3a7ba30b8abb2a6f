//! The integration tests: one binary, one module per kind of claim.

mod cli;
mod program;
mod scenarios;
mod schema;
mod tidy;
