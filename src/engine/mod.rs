//! The bare engine: a queue of events in time order, and a timer that needs no cancelling.
//!
//! It knows nothing of clusters: an [`Event`] is a kind and the index of a record, and the owner of the
//! record knows what it waits for. `examples/mm1.rs` builds another model on it.

pub mod queue;
pub mod timer;

pub use queue::{Ahead, Event, Queue};
pub use timer::Timer;
