//! jump: from a key to one of n buckets, with no table at all (Lamping, Veach, *A fast, minimal memory,
//! consistent hash algorithm*, 2014).
//!
//! Walking n up from 1, a key jumps to the new last bucket with probability 1/n; the draws of its own generator
//! tell it the next jump directly, so only about ln n steps are taken. Buckets come and go at the end only.

/// The bucket of `key` among `buckets`, of which there is at least one.
#[inline]
pub fn jump(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0, 0);
    while next < u64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        // Exact in floating point up to the one rounding that is part of the definition.
        next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as u64;
    }
    bucket as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // Oracle O7(e) is the last.
        for (key, buckets, bucket) in [(1, 1, 0), (42, 57, 43), (0xdead_10cc, 666, 361), (256, 1_024, 520)] {
            assert_eq!(jump(key, buckets), bucket, "{key} among {buckets}");
        }
    }

    #[test]
    fn another_bucket_at_the_end_takes_its_share_and_moves_nobody_else() {
        let moved = (0..100_000).filter(|&key| jump(key, 10) != jump(key, 11));
        let to_the_new = moved.inspect(|&key| assert_eq!(jump(key, 11), 10)).count();
        assert!((to_the_new as f64 / 100_000.0 - 1.0 / 11.0).abs() < 0.003, "{to_the_new}");
    }
}
