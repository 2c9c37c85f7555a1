//! Reads the partitions that one task was given, and decodes records where the client
//! keeps them.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use serde_json::Value;

use super::options::SourceOptions;
use super::rows::RowBuilder;
use super::source::{PartitionPosition, PartitionSpec};
use super::{blocking, failed};
use crate::failpoint::{self, Plant};
use crate::formats::Fetch;
use crate::kafka::{Consumer, Messages, Partition, PartitionEnd, Polled};
use crate::runtime::{Error, Result, SourceEvent, SourceReader, Split};
use crate::stream::{DeadLetter, Position};

/// How many records make a batch, at most.
const BATCH_RECORDS: usize = 8_192;

/// The reader of one task.
pub(super) struct KafkaReader {
    consumer: Consumer,
    /// The id of the cluster that is reached, once that was asked.
    cluster: Option<String>,
    rows: RowBuilder,
    table: String,
    /// By the consumer's number.
    partitions: BTreeMap<usize, Reading>,
    /// What is known already, the oldest first.
    events: VecDeque<SourceEvent>,
    /// What the next record cannot be judged without; nothing is read until it is there.
    missing: Option<Fetch>,
}

/// A partition that is being read.
struct Reading {
    split: String,
    /// The next offset.
    next: i64,
    end: Option<i64>,
    /// Whether a fetch has shown it at its end, and none has shown more since.
    is_at_end: bool,
}

impl Reading {
    fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

impl KafkaReader {
    pub fn new(
        options: &SourceOptions,
        table: &str,
        group: &str,
        rows: RowBuilder,
    ) -> Result<Self> {
        let name = format!("table {table}");
        Ok(Self {
            consumer: Consumer::new(&options.properties, &name, group, options.lost)
                .map_err(failed)?,
            cluster: None,
            rows,
            table: table.to_owned(),
            partitions: BTreeMap::new(),
            events: VecDeque::new(),
            missing: None,
        })
    }

    /// What there is without waiting.
    fn step(&mut self) -> Result<Option<SourceEvent>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.missing.is_some() {
                return Ok(None);
            }
            match self.consumer.poll().map_err(failed)? {
                None => return Ok(self.no_longer_at_end()),
                Some(Polled::Records(index, messages)) => {
                    let Some(reading) = self.partitions.get_mut(&index) else {
                        messages.pass();
                        continue;
                    };
                    let (read, missing) = read(reading, messages, &mut self.rows, &self.table);
                    let finished = reading.is_finished();
                    self.events.extend(read);
                    if missing.is_some() {
                        self.missing = missing;
                        self.events.push_back(SourceEvent::Held);
                    }
                    if finished {
                        self.finish(index)?;
                    }
                }
                Some(Polled::End(index, end)) => self.at_end(index, end)?,
            }
        }
    }

    fn at_end(&mut self, index: usize, end: PartitionEnd) -> Result<()> {
        let Some(reading) = self.partitions.get_mut(&index) else {
            return Ok(());
        };
        // Behind the last record there may be marks of transactions, which count too.
        if end.offset > reading.next {
            reading.next = end.offset;
            let position = PartitionPosition { offset: end.offset };
            let none = self.rows.finish();
            self.events.push_back(SourceEvent::Rows {
                split: reading.split.clone(),
                records: none.records,
                kinds: none.kinds,
                dead_letters: Vec::new(),
                bytes: 0,
                position: position.to_value(),
            });
        }
        if reading.is_finished() {
            return self.finish(index);
        }
        if end.is_log_end {
            reading.is_at_end = true;
            let split = reading.split.clone();
            self.events.push_back(SourceEvent::AtEnd { split });
        }
        Ok(())
    }

    /// A partition that was at its end and is not any more, though none of its records can be
    /// read: a transaction has begun. No event of the client says so.
    fn no_longer_at_end(&mut self) -> Option<SourceEvent> {
        let consumer = &self.consumer;
        let mut at_end = self.partitions.iter_mut();
        let (_, reading) = at_end.find(|(index, reading)| {
            reading.is_at_end && consumer.has_more(**index, reading.next)
        })?;
        reading.is_at_end = false;
        let split = reading.split.clone();
        Some(SourceEvent::NotAtEnd { split })
    }

    /// Refuses partitions of another cluster than the one that is reached.
    async fn check_cluster(&mut self, wanted: &str) -> Result<()> {
        if self.cluster.is_none() {
            self.cluster = Some(blocking(self.consumer.cluster_id()).await?);
        }
        match &self.cluster {
            Some(found) if found != wanted => Err(Error::Fatal(format!(
                "table {}: the positions of this job are of the Kafka cluster {wanted}, and \
                 'properties.bootstrap.servers' leads to {found}; go on with that one, or start anew with --fresh",
                self.table
            ))),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, index: usize) -> Result<()> {
        self.consumer.unassign(index).map_err(failed)?;
        if let Some(reading) = self.partitions.remove(&index) {
            let split = reading.split;
            self.events.push_back(SourceEvent::Finished { split });
        }
        Ok(())
    }
}

/// Decodes the records of one partition that come next, as far as the decoder has what
/// it needs.
fn read(
    reading: &mut Reading,
    messages: &mut Messages,
    rows: &mut RowBuilder,
    table: &str,
) -> (Option<SourceEvent>, Option<Fetch>) {
    let (mut dead_letters, mut bytes, mut taken) = (Vec::new(), 0, 0);
    let mut missing = None;
    while let Some(message) = messages.next_of_partition()
        && taken < BATCH_RECORDS
        && !reading.is_finished()
    {
        let offset = message.offset();
        if reading.end.is_some_and(|end| offset >= end) {
            // Records in front of the end may have been deleted.
            reading.next = offset;
            break;
        }
        let record = message.payload().or(message.key()).unwrap_or_default();
        if let Err(error) = rows.push(message) {
            missing = rows.missing();
            if missing.is_some() {
                break;
            }
            dead_letters.push(DeadLetter {
                origin: table.to_owned(),
                reason: error.0,
                position: Some(Position {
                    split: reading.split.clone(),
                    offset: u64::try_from(offset).unwrap_or(0),
                }),
                bytes: record.to_vec(),
            });
        }
        bytes += record.len() as u64;
        reading.next = offset + 1;
        reading.is_at_end = false;
        taken += 1;
        messages.pass();
    }
    let event = (taken > 0).then(|| {
        let read = rows.finish();
        let position = PartitionPosition {
            offset: reading.next,
        };
        SourceEvent::Rows {
            split: reading.split.clone(),
            records: read.records,
            kinds: read.kinds,
            dead_letters,
            bytes,
            position: position.to_value(),
        }
    });
    (event, missing)
}

#[async_trait]
impl SourceReader for KafkaReader {
    async fn add_split(&mut self, split: &Split, position: Option<&Value>) -> Result<()> {
        let unreadable = |error: serde_json::Error| {
            Error::Fatal(format!("the split '{}' is no partition: {error}", split.id))
        };
        let spec: PartitionSpec = serde_json::from_value(split.spec.clone()).map_err(unreadable)?;
        let position = match position {
            Some(value) => {
                let position: PartitionPosition =
                    serde_json::from_value(value.clone()).map_err(unreadable)?;
                match position.offset {
                    _ if failpoint::planted(Plant::ForgetPositions) => spec.start,
                    offset if failpoint::planted(Plant::SkipRecord) => Some(offset + 1),
                    offset => Some(offset),
                }
            }
            None => spec.start,
        };
        let reading = Reading {
            split: split.id.clone(),
            next: position.unwrap_or(0),
            end: spec.end,
            is_at_end: false,
        };
        if reading.is_finished() {
            let split = reading.split;
            self.events.push_back(SourceEvent::Finished { split });
            return Ok(());
        }
        self.check_cluster(&spec.cluster).await?;
        let partition = Partition {
            topic: spec.topic,
            number: spec.partition,
        };
        let index = self.consumer.assign(partition, position).map_err(failed)?;
        self.partitions.insert(index, reading);
        Ok(())
    }

    fn pause(&mut self, split: &str, is_paused: bool) -> Result<()> {
        let mut partitions = self.partitions.iter();
        match partitions.find(|(_, reading)| reading.split == split) {
            Some((&index, _)) => self.consumer.pause(index, is_paused).map_err(failed),
            None => Ok(()),
        }
    }

    async fn next(&mut self) -> Result<SourceEvent> {
        loop {
            if let Some(event) = self.step()? {
                return Ok(event);
            }
            let Some(missing) = &mut self.missing else {
                self.consumer.wait().await;
                continue;
            };
            // Kept where it is if this call is dropped.
            let fetched = missing.await;
            self.missing = None;
            fetched.map_err(|error| Error::Fatal(error.to_string()))?;
        }
    }
}
