//! The integration tests: one binary, one module per kind of claim.

mod docs;
mod tidy;
