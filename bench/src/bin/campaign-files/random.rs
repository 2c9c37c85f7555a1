//! Numbers by chance that a seed repeats.

use std::time::Duration;

/// A generator of pseudo-random numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The numbers of `seed`; `purpose` keeps two users of one seed apart.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mixed = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(purpose.wrapping_mul(0xd1b5_4a32_d192_ed03));
        let mut random = Self((mixed ^ (mixed >> 29)) | 1);
        // The first numbers of near seeds resemble each other.
        (0..8).for_each(|_| {
            random.next();
        });
        random
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True once in `times` times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A time below `bound`.
    pub fn time_below(&mut self, bound: Duration) -> Duration {
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }

    /// A waiting time of the exponential distribution, at most eight times `mean`.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        // 24 bits are exact in an f64, and 0 would have no logarithm.
        let bits = u32::try_from(self.next() >> 40).unwrap_or(u32::MAX);
        let uniform = (f64::from(bits) + 1.0) / f64::from(1_u32 << 24);
        mean.mul_f64((-uniform.ln()).clamp(0.0, 8.0))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 1
    }
}
