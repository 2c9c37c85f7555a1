//! Random numbers that depend on a row's number alone.

/// A random number for `n`: the finaliser of `SplitMix64` (Steele et al., "Fast
/// splittable pseudorandom number generators", OOPSLA 2014).
pub(in crate::connectors) fn mix(salt: u64, n: u64) -> u64 {
    let mut z = n
        .wrapping_add(salt.wrapping_mul(0xd1b5_4a32_d192_ed03))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `bound` from a random one, without a division (Lemire, "Fast
/// random integer generation in an interval", 2019).
pub(in crate::connectors) fn bounded(random: u64, bound: u64) -> u64 {
    let product = u128::from(random) * u128::from(bound);
    u64::try_from(product >> 64).expect("the upper half of 128 bits has 64")
}

/// A number from 0 up to, and without, 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
pub(in crate::connectors) fn unit_interval(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
