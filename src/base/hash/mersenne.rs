//! The Mersenne Twister, by which Envoy shuffles hosts for a key whose own host is overloaded: the order is a
//! function of the key's hash, hence part of the hashing.
//!
//! MT19937 of Matsumoto and Nishimura (ACM TOMACS 8, 1998), as in C++'s `std::mt19937`. Its state is 2.5 KB and
//! costs microseconds to make; nothing else draws from it.

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// The generator.
#[derive(Clone, Debug)]
pub struct Mersenne {
    state: [u32; SIZE],
    used: usize,
}

impl Mersenne {
    /// Seeded as by C++'s constructor.
    pub fn new(seed: u32) -> Mersenne {
        let mut state = [seed; SIZE];
        for i in 1..SIZE {
            let before = state[i - 1];
            state[i] = (before ^ before >> 30).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Mersenne { state, used: SIZE }
    }

    fn renew(&mut self) {
        for i in 0..SIZE {
            let joined = self.state[i] & 0x8000_0000 | self.state[(i + 1) % SIZE] & 0x7fff_ffff;
            let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + SHIFT) % SIZE] ^ joined >> 1 ^ twist;
        }
        self.used = 0;
    }

    /// The next 32 bits.
    pub fn draw(&mut self) -> u32 {
        if self.used == SIZE {
            self.renew();
        }
        let mut x = self.state[self.used];
        self.used += 1;
        x ^= x >> 11;
        x ^= x << 7 & 0x9d2c_5680;
        x ^= x << 15 & 0xefc6_0000;
        x ^ x >> 18
    }

    /// A whole number below `n`, as Envoy draws it: the range is cut into n equal parts, what is beyond is drawn
    /// again.
    pub fn below(&mut self, n: u32) -> u32 {
        let part = (1 << 32) / u64::from(n);
        loop {
            let drawn = u64::from(self.draw()) / part;
            if drawn < u64::from(n) {
                return drawn as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_thousandth_draw_is_that_of_the_standard() {
        // ISO C++, [rand.predef]: of a default-constructed std::mt19937, whose seed is 5489.
        let mut mersenne = Mersenne::new(5_489);
        (1..10_000).for_each(|_| _ = mersenne.draw());
        assert_eq!(mersenne.draw(), 4_123_659_995);
    }

    #[test]
    fn below_is_below_and_even() {
        let (mut mersenne, mut counts) = (Mersenne::new(1), [0; 7]);
        (0..70_000).for_each(|_| counts[mersenne.below(7) as usize] += 1);
        assert!(counts.iter().all(|&count: &i32| (count - 10_000).abs() < 400), "{counts:?}");
    }
}
