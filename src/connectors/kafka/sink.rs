//! Writes rows as records.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use async_trait::async_trait;
use tokio::sync::watch;

use super::metadata::WrittenMetadata;
use super::options::{Guarantee, Part, Partitioner, SinkOptions};
use super::{JobContext, JobTransaction, OptionError, TableOptions, blocking, failed};
use crate::connectors::lines;
use crate::failpoint::{self, Plant, Step};
use crate::formats::{EncodedRecords, Encoder, row_to_json};
use crate::kafka::{Identity, Producer, Record};
use crate::runtime::{
    Committer, Error, Prepared, Result, Sink, SinkFactory, SinkTask, Transaction, Written,
};
use crate::stream::{Barrier, BarrierKind, Batch, DeadLetter};

/// How many rows are encoded at once.
const ENCODED_ROWS: usize = 1_024;

/// How many bytes a sink keeps back while a checkpoint is being decided.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// How long it may take to write what was handed over.
const FLUSH_PATIENCE: Duration = Duration::from_mins(1);

/// The sink of a table.
pub(in crate::connectors) fn sink(
    table: &TableOptions,
    job: &JobContext,
) -> std::result::Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let options = SinkOptions::new(table)?;
    if options.guarantee == Guarantee::ExactlyOnce {
        let identity = Identity {
            job: job.job,
            node: job.node.clone(),
        };
        let joined = job
            .transaction
            .join(&options.properties, identity, &options.topic);
        joined.map_err(|message| {
            vec![OptionError {
                key: Some("properties.bootstrap.servers".to_owned()),
                message,
            }]
        })?;
    }
    Ok(Arc::new(KafkaSinkFactory {
        table: table.name.clone(),
        transaction: Arc::clone(&job.transaction),
        options,
    }))
}

struct KafkaSinkFactory {
    table: String,
    options: SinkOptions,
    transaction: Arc<JobTransaction>,
}

impl SinkFactory for KafkaSinkFactory {
    fn sink(&self, task: SinkTask) -> Result<Box<dyn Sink>> {
        let options = &self.options;
        let way = if options.guarantee == Guarantee::ExactlyOnce {
            Way::Transaction(Gate {
                settled: self.transaction.settled(),
                passed: *self.transaction.settled().borrow(),
                transaction: Arc::clone(&self.transaction),
                kept: VecDeque::new(),
                kept_bytes: 0,
            })
        } else {
            let name = format!("table {}", self.table);
            let producer = Producer::new(&options.properties, &name).map_err(failed)?;
            Way::Direct {
                producer: Arc::new(producer),
                flushes: options.guarantee == Guarantee::AtLeastOnce,
            }
        };
        Ok(Box::new(KafkaSink {
            encoder: RecordEncoder {
                table: self.table.clone(),
                value: HalfEncoder::new(&options.value),
                key: options.key.as_ref().map(HalfEncoder::new),
                metadata: options.metadata.clone(),
            },
            target: Target {
                topic: options.topic.clone(),
                partitioner: options.partitioner,
                partitions: None,
                turn: i32::try_from(task.index).unwrap_or(0),
            },
            way,
        }))
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }

    fn transaction(&self) -> Option<Arc<dyn Transaction>> {
        let decides = self.options.guarantee == Guarantee::ExactlyOnce;
        decides.then(|| Arc::clone(&self.transaction) as Arc<dyn Transaction>)
    }
}

/// The sink of one task.
struct KafkaSink {
    encoder: RecordEncoder,
    target: Target,
    way: Way,
}

/// How records get out.
enum Way {
    Direct {
        producer: Arc<Producer>,
        /// Whether a checkpoint waits until they are written.
        flushes: bool,
    },
    Transaction(Gate),
}

/// Keeps records back while the checkpoint in front of them is being decided.
struct Gate {
    transaction: Arc<JobTransaction>,
    settled: watch::Receiver<u64>,
    /// How many barriers this sink has seen, counted as `settled` counts.
    passed: u64,
    kept: VecDeque<Encoded>,
    kept_bytes: usize,
}

impl Gate {
    fn is_open(&self) -> bool {
        failpoint::planted(Plant::OpenGate) || *self.settled.borrow() >= self.passed
    }

    async fn opened(&mut self) -> Result<()> {
        let passed = self.passed;
        let opened = self.settled.wait_for(|settled| *settled >= passed).await;
        opened
            .map(drop)
            .map_err(|_| Error::Retryable("the transaction has ended".to_owned()))
    }
}

/// Records of some rows.
struct Encoded {
    keys: Option<EncodedRecords>,
    values: EncodedRecords,
    metadata: WrittenMetadata,
}

impl Encoded {
    fn bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.bytes().len());
        keys + self.values.bytes().len() + self.metadata.bytes()
    }
}

/// Where records go.
struct Target {
    topic: String,
    partitioner: Partitioner,
    /// How many partitions there are, once that was asked.
    partitions: Option<i32>,
    /// The next partition, or the task's number.
    turn: i32,
}

impl KafkaSink {
    /// Hands records over to a producer.
    async fn send(
        target: &mut Target,
        producer: &Arc<Producer>,
        encoded: &Encoded,
        table: &str,
    ) -> Result<Vec<DeadLetter>> {
        target.ask(producer).await?;
        let mut keys = encoded.keys.as_ref().map(EncodedRecords::iter);
        let mut dead_letters = Vec::new();
        for (row, value) in encoded.values.iter().enumerate() {
            let headers = encoded.metadata.headers(row);
            let partition = target.next_partition();
            let record = Record {
                topic: &target.topic,
                partition,
                key: keys.as_mut().and_then(Iterator::next),
                value: Some(value),
                timestamp: encoded.metadata.timestamp(row),
                headers: &headers,
            };
            if let Err(refused) = producer.send(record).await.map_err(failed)? {
                dead_letters.push(DeadLetter {
                    origin: table.to_owned(),
                    reason: refused.to_string(),
                    position: None,
                    bytes: value.to_vec(),
                });
            }
        }
        Ok(dead_letters)
    }

    /// Sends what was kept back.
    async fn send_kept(&mut self) -> Result<Vec<DeadLetter>> {
        let Way::Transaction(gate) = &mut self.way else {
            return Ok(Vec::new());
        };
        let mut dead_letters = Vec::new();
        if gate.kept.is_empty() {
            return Ok(dead_letters);
        }
        let producer = gate.transaction.producer()?;
        while let Some(encoded) = gate.kept.pop_front() {
            let table = &self.encoder.table;
            dead_letters.extend(Self::send(&mut self.target, &producer, &encoded, table).await?);
        }
        gate.kept_bytes = 0;
        Ok(dead_letters)
    }

    async fn put(&mut self, encoded: Encoded) -> Result<Vec<DeadLetter>> {
        let producer = match &mut self.way {
            Way::Direct { producer, .. } => Arc::clone(producer),
            Way::Transaction(gate) => {
                if !gate.is_open() {
                    gate.kept_bytes += encoded.bytes();
                    gate.kept.push_back(encoded);
                    if gate.kept_bytes < KEPT_BYTES_MAX {
                        return Ok(Vec::new());
                    }
                    gate.opened().await?;
                    return self.send_kept().await;
                }
                gate.transaction.producer()?
            }
        };
        let mut dead_letters = self.send_kept().await?;
        let table = &self.encoder.table;
        dead_letters.extend(Self::send(&mut self.target, &producer, &encoded, table).await?);
        Ok(dead_letters)
    }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let mut written = Written::default();
        let rows = batch.records.num_rows();
        self.encoder.be_ready().await?;
        for start in (0..rows).step_by(ENCODED_ROWS) {
            let some = batch.records.slice(start, ENCODED_ROWS.min(rows - start));
            let (encoded, refused) = self.encoder.encode(&some)?;
            written.bytes += encoded.values.bytes().len();
            written.dead_letters.extend(refused);
            written.dead_letters.extend(self.put(encoded).await?);
        }
        Ok(written)
    }

    async fn prepare(&mut self, barrier: Barrier) -> Result<Prepared> {
        if let Way::Transaction(gate) = &mut self.way {
            gate.opened().await?;
        }
        let prepared = Prepared {
            dead_letters: self.send_kept().await?,
            ..Prepared::default()
        };
        let producer = match &mut self.way {
            Way::Direct { flushes, producer } => {
                // Nothing is promised, but an orderly end loses nothing either.
                let flushes = *flushes && !failpoint::planted(Plant::NoFlush);
                if !flushes && barrier.kind != BarrierKind::Last {
                    return Ok(prepared);
                }
                Arc::clone(producer)
            }
            Way::Transaction(gate) => {
                gate.passed += 1;
                gate.transaction.producer()?
            }
        };
        let reached = failpoint::reach_aside(Step::BeforeFlush).await;
        reached.map_err(Error::Retryable)?;
        blocking(move || producer.flush(FLUSH_PATIENCE)).await?;
        let reached = failpoint::reach_aside(Step::AfterFlush).await;
        reached.map_err(Error::Retryable)?;
        Ok(prepared)
    }
}

impl Target {
    /// Asks once how many partitions there are, which also tells a wrong name.
    async fn ask(&mut self, producer: &Arc<Producer>) -> Result<()> {
        if self.partitions.is_none() {
            let (producer, topic) = (Arc::clone(producer), self.topic.clone());
            let partitions = blocking(move || producer.partitions_of(&topic)).await?;
            self.partitions = Some(partitions);
        }
        Ok(())
    }

    fn next_partition(&mut self) -> Option<i32> {
        let partitions = self.partitions.unwrap_or(1);
        match self.partitioner {
            Partitioner::Default => None,
            Partitioner::Fixed => Some(self.turn % partitions),
            Partitioner::RoundRobin => {
                self.turn = (self.turn + 1) % partitions;
                Some(self.turn)
            }
        }
    }
}

/// Turns rows into keys, values and metadata.
struct RecordEncoder {
    table: String,
    value: HalfEncoder,
    key: Option<HalfEncoder>,
    /// The keys of the metadata.
    metadata: Vec<String>,
}

/// Turns some columns of rows into keys, or into values.
struct HalfEncoder {
    encoder: Box<dyn Encoder>,
    columns: Vec<usize>,
}

impl HalfEncoder {
    fn new(part: &Part) -> Self {
        Self {
            encoder: part.format.encoder(&part.schema),
            columns: part.columns.clone(),
        }
    }

    /// The records of rows, and the rows that have none.
    fn encode(
        &mut self,
        records: &RecordBatch,
        table: &str,
    ) -> Result<(EncodedRecords, Vec<DeadLetter>)> {
        let mut encoded = EncodedRecords::default();
        let columns = records.project(&self.columns);
        let columns = columns.map_err(|error| Error::Fatal(error.to_string()))?;
        let refused = lines::encode(self.encoder.as_mut(), &columns, table, &mut encoded);
        Ok((encoded, refused))
    }
}

impl RecordEncoder {
    /// Gets what has to be had before rows can be encoded. Waiting here is backpressure.
    async fn be_ready(&mut self) -> Result<()> {
        for half in std::iter::once(&mut self.value).chain(&mut self.key) {
            if let Some(missing) = half.encoder.missing() {
                let fetched = missing.await;
                fetched.map_err(|error| Error::Fatal(error.to_string()))?;
            }
        }
        Ok(())
    }

    fn encode(&mut self, records: &RecordBatch) -> Result<(Encoded, Vec<DeadLetter>)> {
        let (encoded, refused) = self.encode_all(records)?;
        let is_plain = self.key.is_none() && self.metadata.is_empty();
        if refused.is_empty() || is_plain {
            return Ok((encoded, refused));
        }
        self.encode_each(records)
    }

    /// The records of rows, and the rows that lack a part of one.
    fn encode_all(&mut self, records: &RecordBatch) -> Result<(Encoded, Vec<DeadLetter>)> {
        let (values, mut refused) = self.value.encode(records, &self.table)?;
        let mut keys = None;
        if let Some(key) = &mut self.key {
            let (encoded, refused_keys) = key.encode(records, &self.table)?;
            refused.extend(refused_keys);
            keys = Some(encoded);
        }
        let metadata = WrittenMetadata::of(records, &self.metadata);
        if let Some(reason) = metadata.refused() {
            refused.push(DeadLetter {
                origin: self.table.clone(),
                reason: reason.to_owned(),
                position: None,
                bytes: Vec::new(),
            });
        }
        let encoded = Encoded {
            keys,
            values,
            metadata,
        };
        Ok((encoded, refused))
    }

    /// Row by row, so that the parts of a record stay together where some row lacks one
    /// of them.
    fn encode_each(&mut self, records: &RecordBatch) -> Result<(Encoded, Vec<DeadLetter>)> {
        let (mut keys, mut values) = (EncodedRecords::default(), EncodedRecords::default());
        let (mut whole, mut dead_letters) = (Vec::new(), Vec::new());
        for row in 0..records.num_rows() {
            let (one, refused) = self.encode_all(&records.slice(row, 1))?;
            if let Some(mut letter) = refused.into_iter().next() {
                letter.bytes = row_to_json(records, row);
                dead_letters.push(letter);
                continue;
            }
            if let Some(key) = &one.keys {
                copy(key, &mut keys);
            }
            copy(&one.values, &mut values);
            whole.push(u64::try_from(row).unwrap_or(u64::MAX));
        }
        let whole = take_record_batch(records, &UInt64Array::from(whole));
        let whole = whole.map_err(|error| Error::Fatal(error.to_string()))?;
        let encoded = Encoded {
            keys: self.key.is_some().then_some(keys),
            values,
            metadata: WrittenMetadata::of(&whole, &self.metadata),
        };
        Ok((encoded, dead_letters))
    }
}

/// Appends the records of one to another.
fn copy(from: &EncodedRecords, to: &mut EncodedRecords) {
    for record in from.iter() {
        let pushed: Result<(), std::convert::Infallible> = to.push(|bytes| {
            bytes.extend_from_slice(record);
            Ok(())
        });
        let Ok(()) = pushed;
    }
}
