//! xxHash64: the function by which Envoy hashes keys, ring points and Maglev names.
//!
//! Four lanes take in 32 bytes at a time; what is left is folded in by 8, 4 and 1 bytes (Collet, *xxHash fast
//! digest algorithm*, specification 0.1.1).

const P1: u64 = 0x9e37_79b1_85eb_ca87;
const P2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const P3: u64 = 0x1656_67b1_9e37_79f9;
const P4: u64 = 0x85eb_ca77_c2b2_ae63;
const P5: u64 = 0x27d4_eb2f_1656_67c5;

#[inline]
fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

/// The first eight bytes as a little-endian word.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
}

/// The hash of `bytes` under `seed`.
#[inline]
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let mut stripes = bytes.chunks_exact(32);
    let mut hash = if bytes.len() < 32 {
        seed.wrapping_add(P5)
    } else {
        let first = seed.wrapping_add(P1);
        let mut lanes = [first.wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
        for stripe in &mut stripes {
            lanes = [0, 1, 2, 3].map(|i| round(lanes[i], word(&stripe[8 * i..])));
        }
        let turns = [1, 7, 12, 18];
        let sum = lanes.iter().zip(turns).fold(0, |sum: u64, (lane, turn)| sum.wrapping_add(lane.rotate_left(turn)));
        lanes.iter().fold(sum, |hash, &lane| (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4))
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut eights = stripes.remainder().chunks_exact(8);
    for eight in &mut eights {
        hash = (hash ^ round(0, word(eight))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    let mut rest = eights.remainder();
    if let Some((four, after)) = rest.split_first_chunk::<4>() {
        let four = u64::from(u32::from_le_bytes(*four));
        hash = (hash ^ four.wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = after;
    }
    for &byte in rest {
        hash = (hash ^ u64::from(byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(P2);
    hash = (hash ^ hash >> 29).wrapping_mul(P3);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(xxh64(b"", 0), 0xef46_db37_51d8_e999, "of the specification's test vectors");
        assert_eq!(xxh64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
        let long = b"Nobody inspects the spammish repetition";
        assert_eq!(xxh64(long, 0), 0xfbce_a83c_8a37_8bf1, "longer than a stripe");
        assert_eq!(xxh64(b"user-0", 0), 8_942_776_895_475_828_064);
        assert_eq!(xxh64(b"127.0.0.1:9101", 0), 12_802_187_816_920_329_386);
        assert_eq!(xxh64(b"127.0.0.1:9101", 1), 17_549_520_340_530_361_354, "with a seed");
        assert_eq!(xxh64(b"127.0.0.1:9101_0", 0), 14_436_692_492_442_897_233);
    }
}
