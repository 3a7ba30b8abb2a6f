//! Ground floor: time, units, identifiers, random draws, laws of chance, the table of causes.

pub mod cause;
pub mod choice;
pub mod dist;
pub mod draw;
pub mod hash;
pub mod id;
pub mod time;
pub mod units;
