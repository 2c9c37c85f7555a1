//! How long to wait before a service is asked again.

use std::time::{Duration, Instant};

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// How often a person is told that a service still cannot be reached.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// Waits that grow from one try to the next.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    /// When to give up; `None` never.
    deadline: Option<Instant>,
    told: Option<Instant>,
}

impl Backoff {
    /// The waits of tries that end after `patience`; `None` never.
    pub fn new(patience: Option<Duration>) -> Self {
        Self {
            next: FIRST,
            deadline: patience.map(|patience| Instant::now() + patience),
            told: None,
        }
    }

    /// Waits after a failed try to do something; `false` if it is time to give up.
    pub async fn wait(&mut self, doing: &str, why: &str) -> bool {
        let now = Instant::now();
        let Some(wait) = self.next_wait(now) else {
            return false;
        };
        if self.told.is_none_or(|told| now - told >= TOLD_EVERY) {
            self.told = Some(now);
            tracing::warn!("cannot {doing}: {why}; trying again");
        }
        tokio::time::sleep(wait).await;
        true
    }

    fn next_wait(&mut self, now: Instant) -> Option<Duration> {
        let left = match self.deadline {
            Some(deadline) => Some(deadline.checked_duration_since(now)?),
            None => None,
        };
        let wait = left.map_or(self.next, |left| left.min(self.next));
        self.next = (self.next * 2).min(LONGEST);
        (left != Some(Duration::ZERO)).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_until_it_is_time_to_give_up() {
        let mut now = Instant::now();
        let mut backoff = Backoff::new(None);
        let waits: Vec<_> = (0..9).map_while(|_| backoff.next_wait(now)).collect();
        let millis: Vec<_> = waits.iter().map(Duration::as_millis).collect();
        assert_eq!(
            millis,
            [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]
        );

        let mut backoff = Backoff::new(Some(Duration::from_secs(1)));
        let mut waited = Duration::ZERO;
        while let Some(wait) = backoff.next_wait(now) {
            waited += wait;
            now += wait;
        }
        let off = waited.abs_diff(Duration::from_secs(1));
        assert!(
            off < Duration::from_millis(1),
            "the last wait ends at the deadline: {waited:?}"
        );
    }
}
