//! Writes rows as records.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::options::{Guarantee, SinkOptions};
use super::outbox::{KafkaOutbox, OutboxFactory};
use super::parts::TableKind;
use super::record_encoder::{Encoded, RecordEncoder};
use super::target::Target;
use super::{JobContext, JobTransaction, OptionError, TableOptions, blocking, failed};
use crate::failpoint::{self, Plant, Step};
use crate::kafka::{Identity, Producer, Record};
use crate::runtime::{
    Committer, Error, Prepared, Result, Sink, SinkFactory, SinkTask, Transaction, Written,
};
use crate::stream::{Barrier, BarrierKind, Batch, ChangeKind, ChangelogMode, DeadLetter};

/// How many rows are encoded at once.
const ENCODED_ROWS: usize = 1_024;

/// How many bytes a sink keeps back while a checkpoint is being decided.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// How long it may take to write what was handed over.
const FLUSH_PATIENCE: Duration = Duration::from_mins(1);

/// The sink of a table.
pub(super) fn sink(
    table: &TableOptions,
    job: &JobContext,
    kind: TableKind,
) -> std::result::Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let options = SinkOptions::new(table, kind)?;
    if let Some(bytes_max) = options.outbox_bytes_max {
        let outbox = KafkaOutbox::new(&table.name, &options, bytes_max, job);
        return Ok(Arc::new(OutboxFactory(Arc::new(outbox))));
    }
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
            encoder: RecordEncoder::new(&self.table, &options.parts, &options.metadata),
            target: Target::new(options, task.index),
            way,
        }))
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.options.parts.changelog_mode()
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

impl KafkaSink {
    /// Hands records over to a producer.
    async fn send(
        target: &mut Target,
        producer: &Arc<Producer>,
        encoded: &Encoded,
        table: &str,
    ) -> Result<Vec<DeadLetter>> {
        target.ask(producer).await?;
        let mut dead_letters = Vec::new();
        for (row, key, value) in encoded.records() {
            let headers = encoded.metadata.headers(row);
            let partition = target.next_partition();
            let record = Record {
                topic: &target.topic,
                partition,
                key,
                value,
                timestamp: encoded.metadata.timestamp(row),
                headers: &headers,
            };
            if let Err(refused) = producer.send(record).await.map_err(failed)? {
                dead_letters.push(DeadLetter {
                    origin: table.to_owned(),
                    reason: refused.to_string(),
                    position: None,
                    bytes: value.or(key).unwrap_or_default().to_vec(),
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
        self.encoder.be_ready().await?;
        for rows in parts_of(&batch) {
            let some = batch.slice(rows.start, rows.len());
            let (encoded, refused) = self.encoder.encode(&some)?;
            written.bytes += encoded.bytes();
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

/// The rows that are encoded at once. What takes the place of a row stays with it.
pub(super) fn parts_of(batch: &Batch) -> impl Iterator<Item = Range<usize>> {
    let rows = batch.num_rows();
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        next = rows.min(start + ENCODED_ROWS);
        if next < rows && batch.kind(next - 1) == ChangeKind::UpdateBefore {
            next += 1;
        }
        (start < rows).then_some(start..next)
    })
}
