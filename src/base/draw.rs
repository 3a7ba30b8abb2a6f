//! Random draws that any part of the model can ask for without disturbing another.
//!
//! A draw is a hash of *what it is for* and *how many came before*, so nothing is stored and nothing
//! is shared: the seventh think time of the hundredth session is the same number under every policy,
//! thread count and order of events. Common random numbers come for free.
//!
//! The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number
//! generators*, OOPSLA 2014) with the constants of Stafford's variant 13, over a Weyl sequence.

use rand::TryRng;
use std::convert::Infallible;

/// Increment of the Weyl sequence: 2⁶⁴ ÷ golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scrambles 64 bits so that close inputs give unrelated outputs; a bijection.
pub const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A hash of a name, the same on every machine (FNV-1a, then [`mix`]).
pub const fn name_key(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    mix(hash)
}

/// One purpose's source of draws within one run, for example "service demand of population web".
///
/// ```
/// use stickysim::base::draw::Stream;
/// use rand::RngExt;
///
/// let service = Stream::new(1, "service", "web");
/// let a: f64 = service.at(100, 7).random();
/// let b: f64 = service.at(100, 7).random();
/// assert_eq!(a, b); // the same question has the same answer, whoever asks and when
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// The stream of `purpose` for the thing called `name` under `seed`.
    pub const fn new(seed: u64, purpose: &str, name: &str) -> Stream {
        let key = mix(seed.wrapping_add(GOLDEN));
        Stream(mix(mix(key ^ name_key(purpose)).wrapping_add(name_key(name))))
    }

    /// Draws for the `nth` occasion of `who`.
    #[inline]
    pub const fn at(self, who: u64, nth: u64) -> Draw {
        let key = mix(self.0 ^ who.wrapping_mul(GOLDEN));
        Draw { key: mix(key.wrapping_add(nth.wrapping_mul(GOLDEN))), n: 0 }
    }

    /// Draws one after the other, for a process that has only one order: arrivals, a policy's choices.
    pub const fn sequence(self) -> Draw {
        Draw { key: self.0, n: 0 }
    }
}

/// A short run of random numbers; implements rand's traits, so every `rand_distr` law can use it.
#[derive(Clone, Debug)]
pub struct Draw {
    key: u64,
    n: u64,
}

impl TryRng for Draw {
    type Error = Infallible;

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.n = self.n.wrapping_add(GOLDEN);
        Ok(mix(self.key.wrapping_add(self.n)))
    }

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half: the better-mixed one.
        self.try_next_u64().map(|x| (x >> 32) as u32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, RngExt};

    #[test]
    fn the_first_draws_are_pinned() {
        // These values are the contract with every result ever published: they must never change.
        let mut draw = Stream::new(1, "service", "web").at(100, 7);
        assert_eq!([draw.next_u64(), draw.next_u64()], PINNED);
    }
    const PINNED: [u64; 2] = [15_843_654_012_928_904_128, 3_999_247_273_582_336_302];

    #[test]
    fn neighbouring_keys_are_unrelated() {
        // Mean of 10⁵ uniforms taken across `who`, and across `nth`: 0.5 ± 4.5 standard errors.
        for across in [0, 1] {
            let stream = Stream::new(3, "test", "x");
            let sum: f64 = (0..100_000u64)
                .map(|i| {
                    let (who, nth) = if across == 0 { (i, 5) } else { (5, i) };
                    stream.at(who, nth).random::<f64>()
                })
                .sum();
            assert!((sum / 1e5 - 0.5).abs() < 0.0041, "{sum}");
        }
    }

    #[test]
    fn seeds_purposes_and_names_each_matter() {
        let first = |s: Stream| s.at(0, 0).next_u64();
        let base = first(Stream::new(1, "a", "b"));
        assert_ne!(base, first(Stream::new(2, "a", "b")));
        assert_ne!(base, first(Stream::new(1, "b", "b")));
        assert_ne!(base, first(Stream::new(1, "a", "c")));
        assert_ne!(first(Stream::new(1, "a", "b")), first(Stream::new(1, "b", "a")));
    }
}
