//! Makes the rows of the splits that one task was given, at their rate.

use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::field::{FieldGenerator, RowNumbers};
use super::options::DatagenOptions;
use super::source::DatagenSpec;
use crate::runtime::{Error, Result, SourceEvent, SourceReader, Split};

/// The most rows of one batch.
const ROWS_PER_BATCH_MAX: u64 = 8_192;

/// How long rows are saved up for one batch.
const BATCH_INTERVAL: Duration = Duration::from_millis(10);

/// A generator that was held up longer than this does not catch up on the rest.
const ARREARS_MAX: Duration = Duration::from_secs(1);

/// The rate by which the time of rows goes on if there is no limit.
const NOMINAL_ROWS_PER_SECOND: u64 = 10_000;

/// The reader of one task.
pub(super) struct DatagenReader {
    schema: SchemaRef,
    fields: Vec<FieldGenerator>,
    rows_per_second: Option<u64>,
    splits: Vec<Running>,
    turn: usize,
}

/// A split that is being made.
struct Running {
    id: String,
    spec: DatagenSpec,
    /// The number of its next row.
    next: u64,
    /// When the first of its rows since then was due, and how many came since.
    paced_from: Instant,
    made: u64,
}

impl DatagenReader {
    pub(super) fn new(options: &DatagenOptions, schema: &SchemaRef) -> Self {
        let generator = |name: &str| {
            let generator = options.fields.get(name);
            generator
                .expect("the columns that are read are columns of the table")
                .clone()
        };
        Self {
            schema: schema.clone(),
            fields: schema
                .fields()
                .iter()
                .map(|field| generator(field.name()))
                .collect(),
            rows_per_second: options.rows_per_second,
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
            let count = due.min(ROWS_PER_BATCH_MAX).min(split.left());
            if count == 0 {
                continue;
            }
            let numbers = split.take(count, self.rows_per_second);
            let records = records(&self.schema, &self.fields, &numbers);
            return Some(SourceEvent::Rows {
                split: split.id.clone(),
                bytes: records.get_array_memory_size() as u64,
                records,
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

fn records(schema: &SchemaRef, fields: &[FieldGenerator], rows: &RowNumbers) -> RecordBatch {
    let columns: Vec<ArrayRef> = fields.iter().map(|field| field.generate(rows)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.numbers.len()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .expect("every column is made with its type")
}

impl Running {
    /// How many of its rows are still to be made.
    fn left(&self) -> u64 {
        match self.spec.rows {
            None => u64::MAX,
            Some(rows) => rows.saturating_sub(self.next).div_ceil(self.spec.stride),
        }
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
        let mut due = rows_in(elapsed, rate, self.spec.stride).saturating_sub(self.made);
        let arrears_max = rows_in(ARREARS_MAX, rate, self.spec.stride).max(1);
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
        let batch = rows_in(BATCH_INTERVAL, rate, self.spec.stride)
            .max(1)
            .min(self.left());
        let row = u128::from(self.made + batch) * u128::from(self.spec.stride);
        let nanos = row * 1_000_000_000 / u128::from(rate);
        self.paced_from + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 4))
    }

    /// The numbers and times of its next `count` rows.
    fn take(&mut self, count: u64, rate: Option<u64>) -> RowNumbers {
        let stride = self.spec.stride;
        let numbers: Vec<u64> = (0..count).map(|row| self.next + row * stride).collect();
        let rate = rate.unwrap_or(NOMINAL_ROWS_PER_SECOND);
        let millis = numbers.iter().map(|n| {
            let since_start = u128::from(*n) * 1_000 / u128::from(rate);
            let since_start = i64::try_from(since_start).unwrap_or(i64::MAX);
            self.spec.start_millis.saturating_add(since_start)
        });
        let millis = millis.collect();
        self.next += count * stride;
        self.made += count;
        RowNumbers { numbers, millis }
    }
}

/// How many rows of one split fall into a time.
fn rows_in(time: Duration, rate: u64, splits: u64) -> u64 {
    let rows = time.as_nanos() * u128::from(rate) / (1_000_000_000 * u128::from(splits));
    u64::try_from(rows).unwrap_or(u64::MAX)
}

#[async_trait]
impl SourceReader for DatagenReader {
    async fn add_split(&mut self, split: &Split, position: Option<&Value>) -> Result<()> {
        let spec = DatagenSpec::of(split)?;
        let next = match position {
            None => spec.first,
            Some(position) => position
                .get("next")
                .and_then(Value::as_u64)
                .ok_or_else(|| {
                    Error::Fatal(format!(
                        "position {position} of split '{}' is no generator's",
                        split.id
                    ))
                })?,
        };
        self.splits.push(Running {
            id: split.id.clone(),
            spec,
            next,
            paced_from: Instant::now(),
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
