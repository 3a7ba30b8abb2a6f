//! wt6: HAProxy's own function, meant for short keys (`hash-type … wt6`, haproxy `src/hash.c`).
//!
//! Two words take in each byte, change places, and are rotated by amounts that they set themselves.

/// The hash of `bytes`.
#[inline]
pub fn wt6(bytes: &[u8]) -> u32 {
    let (mut a, mut b): (u32, u32) = (0xa53c_965a, 0x5ca6_953a);
    let mut turns = (6, 18);
    for &byte in bytes {
        let byte = u32::from(byte);
        let (next_b, next_a) = (!(a ^ byte), !b.wrapping_add(byte));
        (a, b) = (next_a.rotate_left(turns.0), next_b.rotate_left(turns.1));
        let mixed = ((a >> 16) ^ b) & 0xffff;
        turns = (mixed & 31, mixed >> 11);
    }
    a ^ b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_answer() {
        assert_eq!(wt6(b"user-0"), 1_049_875_780);
        assert_eq!(wt6(b""), 0xa53c_965a ^ 0x5ca6_953a);
    }
}
