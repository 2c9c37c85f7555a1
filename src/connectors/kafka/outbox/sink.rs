//! Writes rows into the outbox.

use std::fs;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use super::KafkaOutbox;
use super::segment::{Segment, SegmentWriter, open_path};
use crate::connectors::directories::sync_directory;
use crate::connectors::kafka::record_encoder::{Encoded, RecordEncoder};
use crate::connectors::kafka::sink::parts_of;
use crate::failpoint::{self, Plant, Step};
use crate::kafka::{Header, Record, Refused};
use crate::runtime::{Error, Prepared, Result, Sink, Written};
use crate::stream::{Barrier, Batch, DeadLetter};

/// What a part of a record needs besides itself, and the record besides its parts, as the
/// client counts them.
const LENGTH_BYTES_MAX: usize = 10;
const RECORD_BYTES_MORE: usize = 64;

/// The sink of one task.
pub(super) struct OutboxSink {
    outbox: Arc<KafkaOutbox>,
    encoder: RecordEncoder,
    task: usize,
    /// How long a record may be.
    record_bytes_max: usize,
    /// The segment of the next checkpoint, if it has a record.
    open: Option<SegmentWriter>,
}

impl OutboxSink {
    /// The sink of the task with this number.
    pub fn new(outbox: Arc<KafkaOutbox>, task: usize) -> Self {
        let options = &outbox.options;
        let record_bytes_max = options.properties.record_bytes_max();
        let encoder = RecordEncoder::new(&outbox.table, &options.parts, &options.metadata);
        Self {
            encoder,
            outbox,
            task,
            record_bytes_max,
            open: None,
        }
    }

    /// Writes records; those that the client would refuse must not get as far as its sender.
    fn append(&mut self, encoded: &Encoded) -> io::Result<Vec<DeadLetter>> {
        let mut dead_letters = Vec::new();
        let mut open = if let Some(open) = self.open.take() {
            open
        } else {
            let open = SegmentWriter::create(&open_path(&self.outbox.directory, self.task))?;
            self.outbox.wrote(open.bytes, 0);
            open
        };
        let before = open.records;
        for (row, key, value) in encoded.records() {
            let headers = encoded.metadata.headers(row);
            let bytes = size_of(key, value, &headers);
            if bytes > self.record_bytes_max {
                dead_letters.push(DeadLetter {
                    origin: self.outbox.table.clone(),
                    reason: Refused { bytes }.to_string(),
                    position: None,
                    bytes: value.or(key).unwrap_or_default().to_vec(),
                });
                continue;
            }
            open.push(&Record {
                topic: "",
                partition: None,
                key,
                value,
                timestamp: encoded.metadata.timestamp(row),
                headers: &headers,
            });
        }
        let written = open.end_block()?;
        self.outbox.wrote(written, open.records - before);
        self.open = Some(open);
        Ok(dead_letters)
    }

    /// Makes the open segment durable, under the name that its checkpoint gives it.
    async fn close(&mut self, open: SegmentWriter, checkpoint: u64) -> Result<Segment> {
        let segment = Segment {
            checkpoint,
            task: self.task,
            records: open.records,
            bytes: open.bytes,
        };
        let outbox = Arc::clone(&self.outbox);
        let prepared = segment.clone();
        let closed = tokio::task::spawn_blocking(move || {
            let directory = &outbox.directory;
            open.into_file().sync_all()?;
            let from = open_path(directory, prepared.task);
            fs::rename(from, prepared.prepared_path(directory))?;
            sync_directory(directory)
        });
        let closed = closed.await.map_err(io::Error::other).flatten();
        closed.map_err(|error| self.outbox.disk_failed("write to", &error))?;
        Ok(segment)
    }
}

/// How long a record is at most on its way.
fn size_of(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
    let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len) + LENGTH_BYTES_MAX;
    let headers = headers.iter();
    let headers: usize = headers
        .map(|(name, value)| bytes(Some(name.as_bytes())) + bytes(*value))
        .sum();
    RECORD_BYTES_MORE + bytes(key) + bytes(value) + headers
}

#[async_trait]
impl Sink for OutboxSink {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let mut written = Written::default();
        self.encoder.be_ready().await?;
        for rows in parts_of(&batch) {
            self.outbox.room().await?;
            let some = batch.slice(rows.start, rows.len());
            let (encoded, refused) = self.encoder.encode(&some)?;
            written.bytes += encoded.bytes();
            written.dead_letters.extend(refused);
            let refused = self.append(&encoded);
            let refused = refused.map_err(|error| self.outbox.disk_failed("write to", &error))?;
            written.dead_letters.extend(refused);
        }
        Ok(written)
    }

    async fn prepare(&mut self, barrier: Barrier) -> Result<Prepared> {
        let Some(open) = self.open.take() else {
            return Ok(Prepared::default());
        };
        let reached = failpoint::reach_aside(Step::BeforeFlush).await;
        reached.map_err(Error::Retryable)?;
        let segment = self.close(open, barrier.checkpoint.0).await?;
        let reached = failpoint::reach_aside(Step::AfterFlush).await;
        reached.map_err(Error::Retryable)?;
        self.outbox.prepared(segment.clone());
        let publish = vec![serde_json::to_value(&segment).expect("a segment is plain data")];
        if failpoint::planted(Plant::SendUndecided) {
            self.outbox.publish(vec![segment])?;
        }
        Ok(Prepared {
            publish,
            ..Prepared::default()
        })
    }
}
