//! Ground floor: time, units, identifiers, random draws, laws of chance, the table of causes.

pub mod cause;
pub mod choice;
pub mod dist;
pub mod draw;
pub mod hash;
pub mod huge;
pub mod id;
pub mod prefetch;
pub mod time;
pub mod units;
