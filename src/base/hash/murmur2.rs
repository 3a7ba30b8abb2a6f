//! MurmurHash64A: Envoy's second function for ring points (`MURMUR_HASH_2`), under libstdc++'s seed.
//!
//! Appleby's second Murmur, in its 64-bit form for 64-bit machines.

const SCALE: u64 = 0xc6a4_a793_5bd1_e995;
/// The seed of `std::hash`, which Envoy takes over.
pub const STD_SEED: u64 = 0xc70f_6907;

/// The hash of `bytes` under `seed`.
#[inline]
pub fn murmur2(bytes: &[u8], seed: u64) -> u64 {
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(SCALE);
    let mut eights = bytes.chunks_exact(8);
    for eight in &mut eights {
        let word = u64::from_le_bytes([eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7]]);
        let word = word.wrapping_mul(SCALE);
        hash = (hash ^ (word ^ word >> 47).wrapping_mul(SCALE)).wrapping_mul(SCALE);
    }
    let rest = eights.remainder();
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail: u64, &byte| tail << 8 | u64::from(byte));
        hash = (hash ^ tail).wrapping_mul(SCALE);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(SCALE);
    hash ^ hash >> 47
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_answer() {
        assert_eq!(murmur2(b"127.0.0.1:9101_0", STD_SEED), 16_922_099_752_029_305_521);
    }
}
