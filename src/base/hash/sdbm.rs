//! sdbm: HAProxy's default function for keys (`hash-type … sdbm`, haproxy `src/hash.c`).
//!
//! From the database library of that name: h ← c + 65599·h. Keys that differ in their last character only
//! get neighbouring hashes, which is why HAProxy follows it with an avalanche on a ring.

const FACTOR: u32 = 65_599;
const SQUARE: u32 = FACTOR.wrapping_mul(FACTOR);
const CUBE: u32 = SQUARE.wrapping_mul(FACTOR);

/// The hash of `bytes`.
#[inline]
pub fn sdbm(bytes: &[u8]) -> u32 {
    // Four steps at once: the same polynomial, with a quarter of the multiplications in a row.
    let mut fours = bytes.chunks_exact(4);
    let hash = fours.by_ref().fold(0, |hash: u32, four| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| u32::from(four[i]));
        let low = a.wrapping_mul(CUBE).wrapping_add(b.wrapping_mul(SQUARE)).wrapping_add(c.wrapping_mul(FACTOR));
        hash.wrapping_mul(CUBE.wrapping_mul(FACTOR)).wrapping_add(low).wrapping_add(d)
    });
    fours.remainder().iter().fold(hash, |hash, &byte| hash.wrapping_mul(FACTOR).wrapping_add(u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_answer() {
        assert_eq!(sdbm(b"user-0"), 955_739_470);
        assert_eq!(sdbm(b""), 0);
    }

    #[test]
    fn four_steps_at_once_are_four_steps() {
        let text = b"The quick brown fox";
        for end in 0..text.len() {
            let plain = text[..end]
                .iter()
                .fold(0, |h: u32, &c| u32::from(c).wrapping_add(h << 6).wrapping_add(h << 16).wrapping_sub(h));
            assert_eq!(sdbm(&text[..end]), plain);
        }
    }
}
