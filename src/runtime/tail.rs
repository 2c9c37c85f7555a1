//! The end of a task: an edge to the next stage, or a sink.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::UInt32Array;
use tokio::sync::mpsc::Sender;

use crate::metrics::{Activity, TaskMetrics};
use crate::runtime::report::SinkSnapshot;
use crate::runtime::{Error, Result, Sink};
use crate::stream::{Barrier, Batch, DeadLetter, KeyGroups, Message, OperatorId, Watermark};

/// A partition's rows are sent when there are this many.
const EXCHANGE_ROWS: usize = 8_192;
/// Rows wait no longer than this for others of their partition.
const EXCHANGE_LATENCY: Duration = Duration::from_millis(5);

/// Where the rows of a task go.
pub enum Tail {
    /// To the task of the same number in the next stage.
    Forward(Sender<Message>),
    /// To the task of the next stage that owns their key group.
    Exchange(Exchange),
    /// Out.
    Sink(SinkTail),
}

/// Splits rows by key group among the tasks of the next stage.
pub struct Exchange {
    keys: Vec<usize>,
    groups: KeyGroups,
    partitions: Vec<Partition>,
    oldest: Option<Instant>,
}

struct Partition {
    channel: Sender<Message>,
    waiting: Vec<Batch>,
    rows: usize,
}

/// A sink, and what is noted about it.
pub struct SinkTail {
    /// The plan node.
    pub operator: OperatorId,
    /// The number of the task in its stage.
    pub task: usize,
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// What it said last.
    pub open: Vec<serde_json::Value>,
}

impl Tail {
    /// Sends rows on; dead letters of a sink go to `dead_letters`.
    ///
    /// # Errors
    /// If the sink fails or the next stage has gone.
    pub async fn send(
        &mut self,
        batch: Batch,
        metrics: &TaskMetrics,
        dead_letters: &mut Vec<DeadLetter>,
    ) -> Result<()> {
        match self {
            Self::Forward(channel) => {
                TaskMetrics::add(&metrics.bytes_out, batch.num_bytes());
                deliver(channel, Message::Batch(batch), metrics).await
            }
            Self::Exchange(exchange) => {
                TaskMetrics::add(&metrics.bytes_out, batch.num_bytes());
                exchange.send(&batch, metrics).await
            }
            Self::Sink(sink) => {
                let written = sink.sink.write(batch).await?;
                TaskMetrics::add(&metrics.bytes_out, written.bytes);
                dead_letters.extend(written.dead_letters);
                Ok(())
            }
        }
    }

    /// Sends a watermark on, behind all rows.
    ///
    /// # Errors
    /// If the next stage has gone.
    pub async fn watermark(&mut self, watermark: Watermark, metrics: &TaskMetrics) -> Result<()> {
        match self {
            Self::Forward(channel) => {
                deliver(channel, Message::Watermark(watermark), metrics).await
            }
            Self::Exchange(exchange) => {
                exchange
                    .broadcast(&Message::Watermark(watermark), metrics)
                    .await
            }
            Self::Sink(_) => Ok(()),
        }
    }

    /// Sends a barrier on, behind all rows; a sink prepares, and its dead letters go to
    /// `dead_letters`.
    ///
    /// # Errors
    /// If the sink cannot prepare or the next stage has gone.
    pub async fn barrier(
        &mut self,
        barrier: Barrier,
        metrics: &TaskMetrics,
        dead_letters: &mut Vec<DeadLetter>,
    ) -> Result<Option<SinkSnapshot>> {
        match self {
            Self::Forward(channel) => {
                deliver(channel, Message::Barrier(barrier), metrics).await?;
                Ok(None)
            }
            Self::Exchange(exchange) => {
                exchange
                    .broadcast(&Message::Barrier(barrier), metrics)
                    .await?;
                Ok(None)
            }
            Self::Sink(sink) => sink.prepare(barrier, dead_letters).await,
        }
    }

    /// When rows that wait for others have to go.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Exchange(exchange) => exchange.oldest.map(|oldest| oldest + EXCHANGE_LATENCY),
            Self::Forward(_) | Self::Sink(_) => None,
        }
    }

    /// Sends all rows that wait for others.
    ///
    /// # Errors
    /// If the next stage has gone.
    pub async fn flush(&mut self, metrics: &TaskMetrics) -> Result<()> {
        match self {
            Self::Exchange(exchange) => exchange.flush(metrics).await,
            Self::Forward(_) | Self::Sink(_) => Ok(()),
        }
    }
}

impl SinkTail {
    async fn prepare(
        &mut self,
        barrier: Barrier,
        dead_letters: &mut Vec<DeadLetter>,
    ) -> Result<Option<SinkSnapshot>> {
        let mut prepared = self.sink.prepare(barrier).await?;
        dead_letters.append(&mut prepared.dead_letters);
        if prepared.publish.is_empty() && prepared.open == self.open {
            return Ok(None);
        }
        self.open.clone_from(&prepared.open);
        Ok(Some(SinkSnapshot {
            operator: self.operator,
            task: self.task,
            prepared,
        }))
    }
}

impl Exchange {
    /// An exchange by the key columns `keys` to one channel per task.
    pub fn new(keys: Vec<usize>, groups: KeyGroups, channels: Vec<Sender<Message>>) -> Self {
        let partitions = channels.into_iter().map(|channel| Partition {
            channel,
            waiting: Vec::new(),
            rows: 0,
        });
        Self {
            keys,
            groups,
            partitions: partitions.collect(),
            oldest: None,
        }
    }

    async fn send(&mut self, batch: &Batch, metrics: &TaskMetrics) -> Result<()> {
        for (task, rows) in self.partition(batch)? {
            let partition = &mut self.partitions[task];
            partition.rows += rows.num_rows();
            partition.waiting.push(rows);
            if partition.rows >= EXCHANGE_ROWS {
                partition.flush(metrics).await?;
            }
        }
        let waiting = self.partitions.iter().any(|partition| partition.rows > 0);
        self.oldest = match self.oldest {
            Some(oldest) if waiting => Some(oldest),
            None if waiting => Some(Instant::now()),
            _ => None,
        };
        Ok(())
    }

    /// The rows of each task that gets any.
    fn partition(&self, batch: &Batch) -> Result<Vec<(usize, Batch)>> {
        let records = &batch.records;
        let tasks = self.partitions.len();
        let task_of_row = if self.keys.is_empty() {
            vec![0; records.num_rows()]
        } else {
            let keys: Vec<_> = self
                .keys
                .iter()
                .map(|&key| Arc::clone(records.column(key)))
                .collect();
            let groups = self.groups.of_rows(&keys, records.num_rows());
            groups
                .into_iter()
                .map(|group| self.groups.task_of(group, tasks))
                .collect()
        };
        let mut rows_of_task = vec![Vec::new(); tasks];
        for (row, task) in task_of_row.into_iter().enumerate() {
            let row = u32::try_from(row).expect("a batch has fewer than 2^32 rows");
            rows_of_task[task].push(row);
        }
        let mut parts = Vec::with_capacity(tasks);
        for (task, rows) in rows_of_task.into_iter().enumerate() {
            if rows.len() == records.num_rows() && !rows.is_empty() {
                return Ok(vec![(task, batch.clone())]);
            }
            if !rows.is_empty() {
                let part = batch.take(&UInt32Array::from(rows));
                parts.push((task, part.map_err(failed)?));
            }
        }
        Ok(parts)
    }

    async fn broadcast(&mut self, message: &Message, metrics: &TaskMetrics) -> Result<()> {
        self.flush(metrics).await?;
        for partition in &self.partitions {
            deliver(&partition.channel, message.clone(), metrics).await?;
        }
        Ok(())
    }

    async fn flush(&mut self, metrics: &TaskMetrics) -> Result<()> {
        for partition in &mut self.partitions {
            partition.flush(metrics).await?;
        }
        self.oldest = None;
        Ok(())
    }
}

impl Partition {
    async fn flush(&mut self, metrics: &TaskMetrics) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.rows = 0;
        match Batch::concat(&waiting).map_err(failed)? {
            Some(batch) => deliver(&self.channel, Message::Batch(batch), metrics).await,
            None => Ok(()),
        }
    }
}

/// Waits for room in the channel; that time is backpressure.
async fn deliver(channel: &Sender<Message>, message: Message, metrics: &TaskMetrics) -> Result<()> {
    let message = match channel.try_reserve() {
        Ok(room) => {
            room.send(message);
            return Ok(());
        }
        Err(_) => message,
    };
    let start = Instant::now();
    let sent = channel.send(message).await;
    metrics.spent(Activity::Blocked, start.elapsed());
    sent.map_err(|_| Error::NeighbourEnded)
}

fn failed(error: arrow::error::ArrowError) -> Error {
    Error::Fatal(format!("cannot split rows by key: {error}"))
}
