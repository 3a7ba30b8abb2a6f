//! djb2: Bernstein's function h ← 33·h + c from 5381 on (`hash-type … djb2`, haproxy `src/hash.c`).
//!
//! A short key leaves the upper bits nearly constant: on a ring without avalanche all keys of one form can fall
//! to one server.

/// The hash of `bytes`.
#[inline]
pub fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5_381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_answer() {
        assert_eq!(djb2(b"user-0"), 556_066_177);
        assert_eq!(djb2(b""), 5_381);
    }
}
