//! The hash functions by which load balancers place keys and servers, bit for bit as the products compute them.
//!
//! None of them is cryptographic, and some are poor on purpose of this collection: what a poor function does to
//! balance is part of what is simulated. Each is held to known answers, most of them of the products themselves
//! (`tests/data/vectors/hash_vectors.json`).

pub mod avalanche;
pub mod crc32;
pub mod djb2;
pub mod jump;
pub mod mersenne;
pub mod murmur2;
pub mod sdbm;
pub mod wt6;
pub mod xxh64;
