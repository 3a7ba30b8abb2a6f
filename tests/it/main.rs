//! The integration tests: one binary, one module per kind of claim.

mod affinity;
mod bad_scenarios;
mod balancers;
mod behaviour;
mod cli;
mod core_model;
mod docs;
mod lab;
mod laws;
mod lives;
mod oracles;
mod passage;
mod people;
mod predictions;
mod presets;
mod program;
mod reality;
mod rebuilding;
mod reconnect;
mod rolling;
mod scenarios;
mod schema;
mod state;
mod tidy;
mod trouble;
mod view;
