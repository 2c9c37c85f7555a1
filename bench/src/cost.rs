//! CPU time and wall time of a piece of work, and what is typical of several.

use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// CPU time of all threads of the process, in user and kernel mode.
    pub cpu_seconds: f64,
    /// Time on the clock.
    pub wall_seconds: f64,
}

/// Runs `work` and says what it took.
///
/// # Errors
/// Those of `work`.
pub fn measure<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Cost)> {
    let (cpu, wall) = (cpu_seconds()?, Instant::now());
    let result = work()?;
    let cost = Cost {
        cpu_seconds: cpu_seconds()? - cpu,
        wall_seconds: wall.elapsed().as_secs_f64(),
    };
    Ok((result, cost))
}

/// The CPU time of this process until now.
fn cpu_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 seconds are more than any run takes"
)]
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// The value in the middle; of an even number the upper one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least value that `percent` of the values do not exceed.
pub fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// A count as a factor of a ratio.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio needs no more than 53 bits"
)]
pub fn ratio(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_tail() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        let hundred: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        for (percent, expected) in [(0, 1), (50, 50), (99, 99), (100, 100)] {
            let found = percentile(&hundred, percent);
            assert_eq!(found, Duration::from_millis(expected), "{percent}");
        }
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn work_costs_time() {
        let (sum, cost) = measure(|| Ok((0..10_000_000_u64).fold(0, |a, b| a ^ (b * b)))).unwrap();
        assert_ne!(sum, 1);
        assert!(cost.wall_seconds > 0.0 && cost.cpu_seconds >= 0.0);
    }
}
