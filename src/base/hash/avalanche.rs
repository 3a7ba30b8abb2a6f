//! avalanche: spreads every bit of a word over all others (`hash-type … avalanche`, haproxy `full_hash`).
//!
//! Jenkins' six-step mix of 32-bit integers (*4-byte Integer Hashing*, 2007), then a multiplication by an odd
//! number. Every step can be undone, so different words never meet: the points of a HAProxy ring are distinct.

/// The word, spread.
#[inline]
pub const fn avalanche(mut x: u32) -> u32 {
    x = x.wrapping_add(0x7ed5_5d16).wrapping_add(x << 12);
    x = x ^ 0xc761_c23c ^ (x >> 19);
    x = x.wrapping_add(0x1656_67b1).wrapping_add(x << 5);
    x = x.wrapping_add(0xd3a2_646c) ^ (x << 9);
    x = x.wrapping_add(0xfd70_46c5).wrapping_add(x << 3);
    x = x ^ 0xb55a_4f09 ^ (x >> 16);
    x.wrapping_mul(3_221_225_473)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(avalanche(4_096), 1_237_450_891);
        assert_eq!(avalanche(955_739_470), 599_947_431);
    }

    #[test]
    fn different_words_stay_different() {
        let mut spread: Vec<u32> = (0..100_000).map(avalanche).collect();
        spread.sort_unstable();
        spread.dedup();
        assert_eq!(spread.len(), 100_000);
    }
}
