//! Makes the rows of the splits that one task was given, at their rate.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::source::{GeneratedSpec, ROWS_IN_A_ROW};
use super::{RowMaker, RowNumbers, Schedule};
use crate::runtime::{Error, Result, SourceEvent, SourceReader, Split};

/// How long rows are saved up for one batch.
const BATCH_INTERVAL: Duration = Duration::from_millis(10);

/// A generator that was held up longer than this does not catch up on the rest.
const ARREARS_MAX: Duration = Duration::from_secs(1);

/// The reader of one task.
pub(super) struct GeneratedReader {
    maker: Box<dyn RowMaker>,
    rows_per_second: Option<u64>,
    rows_per_event_second: u64,
    splits: Vec<Running>,
    turn: usize,
}

/// A split that is being made.
struct Running {
    id: String,
    spec: GeneratedSpec,
    /// How many rows it has.
    len: u64,
    /// How many of them are made: the index of the next.
    next: u64,
    /// When the first of its rows since then was due, and how many came since.
    paced_from: Instant,
    made: u64,
}

impl GeneratedReader {
    pub(super) fn new(schedule: &Schedule, maker: Box<dyn RowMaker>) -> Self {
        Self {
            maker,
            rows_per_second: schedule.rows_per_second,
            rows_per_event_second: schedule.rows_per_event_second,
            splits: Vec::new(),
            turn: 0,
        }
    }

    /// The next batch of a split, if rows of it are due.
    fn make(&mut self, now: Instant) -> Option<SourceEvent> {
        for _ in 0..self.splits.len() {
            self.turn = (self.turn + 1) % self.splits.len();
            let Some(split) = self.splits.get_mut(self.turn) else {
                continue;
            };
            if split.left() == 0 {
                let split = self.splits.remove(self.turn).id;
                return Some(SourceEvent::Finished { split });
            }
            let due = split.due(self.rows_per_second, now);
            let count = due.min(ROWS_IN_A_ROW).min(split.left());
            if count == 0 {
                continue;
            }
            let records = self
                .maker
                .make(&split.take(count, self.rows_per_event_second));
            return Some(SourceEvent::Rows {
                split: split.id.clone(),
                bytes: records.get_array_memory_size() as u64,
                records,
                kinds: None,
                dead_letters: Vec::new(),
                position: json!({ "next": split.next }),
            });
        }
        None
    }

    /// When the next rows of any split are due.
    fn next_due(&self) -> Option<Instant> {
        let rate = self.rows_per_second;
        self.splits.iter().map(|split| split.due_at(rate)).min()
    }
}

impl Running {
    /// How many of its rows are still to be made.
    fn left(&self) -> u64 {
        self.len - self.next
    }

    /// How many rows are due; whole batches of an interval, so that a slow
    /// generator does not wake up for every row.
    fn due(&mut self, rate: Option<u64>, now: Instant) -> u64 {
        let Some(rate) = rate else {
            return u64::MAX;
        };
        if now < self.due_at(Some(rate)) {
            return 0;
        }
        let elapsed = now.duration_since(self.paced_from);
        let mut due = rows_in(elapsed, rate, self.spec.splits).saturating_sub(self.made);
        let arrears_max = rows_in(ARREARS_MAX, rate, self.spec.splits).max(1);
        if due > arrears_max {
            self.paced_from = now;
            self.made = 0;
            due = arrears_max;
        }
        due.max(1)
    }

    /// When the next batch is due.
    fn due_at(&self, rate: Option<u64>) -> Instant {
        let Some(rate) = rate else {
            return self.paced_from;
        };
        let batch = rows_in(BATCH_INTERVAL, rate, self.spec.splits)
            .max(1)
            .min(self.left());
        let row = u128::from(self.made + batch) * u128::from(self.spec.splits);
        let nanos = row * 1_000_000_000 / u128::from(rate);
        self.paced_from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 4))
    }

    /// The numbers and times of its next `count` rows.
    fn take(&mut self, count: u64, rows_per_second: u64) -> RowNumbers {
        let numbers = self.spec.numbers_of(self.next..self.next + count);
        let mut clock = EventClock::new(rows_per_second);
        let start = self.spec.start_millis;
        let times = numbers.iter().map(|&n| clock.millis_until(n));
        let millis = times.map(|millis| start.saturating_add_unsigned(millis));
        let millis = millis.collect();
        self.next += count;
        self.made += count;
        RowNumbers { numbers, millis }
    }
}

/// Tells how long after row 0 a row happens. Numbers mostly rise by equal steps,
/// and one division per step is enough then.
struct EventClock {
    rows_per_second: u64,
    /// The row that was asked for last, with its time in milliseconds and the
    /// rest of that division.
    last: Option<(u64, u64, u64)>,
    /// The last step, with the time that it takes and the rest of that division.
    step: (u64, u64, u64),
}

impl EventClock {
    fn new(rows_per_second: u64) -> Self {
        Self {
            rows_per_second,
            last: None,
            step: (0, 0, 0),
        }
    }

    /// Milliseconds from row 0 to row `n`, which is not before the row of the last call.
    fn millis_until(&mut self, n: u64) -> u64 {
        let (mut millis, mut rest);
        if let Some((last, last_millis, last_rest)) = self.last {
            let rows = n - last;
            if rows != self.step.0 {
                let (millis, rest) = divide(rows, self.rows_per_second);
                self.step = (rows, millis, rest);
            }
            millis = last_millis.saturating_add(self.step.1);
            rest = last_rest + self.step.2;
            if rest >= self.rows_per_second {
                rest -= self.rows_per_second;
                millis = millis.saturating_add(1);
            }
        } else {
            (millis, rest) = divide(n, self.rows_per_second);
        }
        self.last = Some((n, millis, rest));
        millis
    }
}

/// How many milliseconds `rows` take, and the rest of the division.
fn divide(rows: u64, rows_per_second: u64) -> (u64, u64) {
    let (rows, rate) = (u128::from(rows) * 1_000, u128::from(rows_per_second));
    let narrow = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    (narrow(rows / rate), narrow(rows % rate))
}

/// How many rows of one split fall into a time.
fn rows_in(time: Duration, rate: u64, splits: u64) -> u64 {
    let rows = time.as_nanos() * u128::from(rate) / (1_000_000_000 * u128::from(splits));
    u64::try_from(rows).unwrap_or(u64::MAX)
}

#[async_trait]
impl SourceReader for GeneratedReader {
    async fn add_split(&mut self, split: &Split, position: Option<&Value>) -> Result<()> {
        let spec = GeneratedSpec::of(split)?;
        let len = spec.len();
        let next = match position {
            None => 0,
            Some(position) => position
                .get("next")
                .and_then(Value::as_u64)
                .filter(|&next| next <= len)
                .ok_or_else(|| {
                    Error::Fatal(format!(
                        "position {position} of split '{}' is no generator's",
                        split.id
                    ))
                })?,
        };
        // One row after the other is due, not one of each split at once.
        let now = Instant::now();
        let head_start = self.rows_per_second.map_or(Duration::ZERO, |rate| {
            Duration::from_nanos((spec.splits - 1 - spec.place) * 1_000_000_000 / rate)
        });
        self.splits.push(Running {
            id: split.id.clone(),
            spec,
            len,
            next,
            paced_from: now.checked_sub(head_start).unwrap_or(now),
            made: 0,
        });
        Ok(())
    }

    async fn next(&mut self) -> Result<SourceEvent> {
        loop {
            if let Some(event) = self.make(Instant::now()) {
                return Ok(event);
            }
            match self.next_due() {
                // The time of the next row is computed anew by every call, from
                // what is kept, so a dropped call loses nothing.
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_drift() {
        for rate in [1, 7, 1_000, 10_000, 1_000_003] {
            let mut clock = EventClock::new(rate);
            let numbers = (3..5_000)
                .chain((5_000..90_000).step_by(8))
                .chain([1 << 40]);
            for n in numbers {
                assert_eq!(clock.millis_until(n), n * 1_000 / rate, "row {n} at {rate}");
            }
        }
    }
}
