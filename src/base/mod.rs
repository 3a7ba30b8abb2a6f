//! Ground floor: time, units, identifiers, random draws, laws of chance, the table of causes.

pub mod draw;
pub mod time;
