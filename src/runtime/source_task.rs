//! The loop of a task that reads splits of a source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use crate::clock;
use crate::metrics::TaskMetrics;
use crate::runtime::operator_task::Flow;
use crate::runtime::report::{Command, Report, TaskSnapshot};
use crate::runtime::split_clock::{Read, SplitClock};
use crate::runtime::splits::SplitQueue;
use crate::runtime::task::{Task, TaskParts, sleep_until};
use crate::runtime::{
    Alignment, Error, Result, SourceEvent, SourceReader, Split, WatermarkStrategy,
};
use crate::stream::{BarrierKind, Batch, EventTime, Watermark};

/// A task that reads splits of a source.
pub struct SourceTask {
    /// The reader, as yet without splits.
    pub reader: Box<dyn SourceReader>,
    /// Where it gets splits from.
    pub queue: Arc<SplitQueue>,
    /// The watermark of rows; `None` if the table has none.
    pub strategy: Option<Arc<dyn WatermarkStrategy>>,
    /// When and how far time moves.
    pub time: SourceTime,
    /// With which splits, of other tasks and sources too, it is kept together.
    pub group: Option<TimeGroup>,
    /// What the driver wants.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// What it is made of.
    pub parts: TaskParts,
}

/// When and how far a source moves time.
#[derive(Clone, Copy, Debug)]
pub struct SourceTime {
    /// How long a split at its end stays active; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How far a row may lie ahead of both the wall clock and the split's
    /// watermark and still push it; `None`: any distance.
    pub jump_ms_max: Option<i64>,
}

/// Splits that are kept together in time.
#[derive(Clone, Debug)]
pub struct TimeGroup {
    /// Their times.
    pub alignment: Arc<Alignment>,
    /// How far a split of this source may be ahead of the slowest.
    pub drift_ms_max: i64,
}

impl SourceTask {
    /// Runs until the last barrier.
    ///
    /// # Errors
    /// If the task cannot go on.
    pub async fn run(self) -> Result<()> {
        let mut running = Running {
            reader: self.reader,
            queue: self.queue,
            strategy: self.strategy,
            jump_ms_max: self.time.jump_ms_max,
            group: self.group,
            paused: BTreeSet::new(),
            splits: SplitClock::new(self.time.idle_timeout),
            task: Task::new(self.parts),
            sent: Watermark::At(EventTime::MIN),
            at_end: false,
        };
        let mut commands = self.commands;
        let queue = Arc::clone(&running.queue);
        let (group, never) = (running.group.clone(), Notify::new());
        loop {
            // Listening begins before the queue is looked at, so no change is missed.
            let changed = queue.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let moved = group.as_ref();
            let moved = moved.map_or_else(|| never.notified(), |group| group.alignment.moved());
            tokio::pin!(moved);
            moved.as_mut().enable();
            running.take_splits().await?;
            running.advance().await?;
            running.keep_together()?;
            let deadline = running.task.deadline();
            let next_idle = running.splits.next_idle();
            let folding = running.task.has_background();
            running.task.waiting();
            let wake = tokio::select! {
                biased;
                command = commands.recv() => Wake::Command(command),
                () = sleep_until(deadline) => Wake::Flush,
                event = running.reader.next(), if running.splits.len() > 0 => Wake::Event(event?),
                () = sleep_until(next_idle) => Wake::Idle,
                () = &mut changed => Wake::Again,
                () = &mut moved => Wake::Again,
                () = std::future::ready(()), if folding => Wake::Again,
                _ = running.task.decided.changed() => Wake::Again,
            };
            running.task.working();
            if running.wake(wake).await? == Flow::Ended {
                running.task.waiting();
                return Ok(());
            }
            running.task.background()?;
            if folding {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Why the loop has woken up.
enum Wake {
    Command(Option<Command>),
    Event(SourceEvent),
    Flush,
    Idle,
    Again,
}

struct Running {
    reader: Box<dyn SourceReader>,
    queue: Arc<SplitQueue>,
    strategy: Option<Arc<dyn WatermarkStrategy>>,
    jump_ms_max: Option<i64>,
    group: Option<TimeGroup>,
    /// Splits that wait for slower ones.
    paused: BTreeSet<String>,
    splits: SplitClock,
    task: Task,
    /// The watermark that was sent on last.
    sent: Watermark,
    at_end: bool,
}

impl Running {
    async fn wake(&mut self, wake: Wake) -> Result<Flow> {
        match wake {
            Wake::Command(Some(Command::Barrier(barrier))) => {
                // The last barrier is sent when all tasks have read everything:
                // the end of time, which another may have brought, goes first.
                self.advance().await?;
                let snapshot = TaskSnapshot {
                    splits: self.splits.changed(),
                    ..TaskSnapshot::default()
                };
                self.task.barrier(barrier, snapshot).await?;
                if barrier.kind == BarrierKind::Last {
                    return Ok(Flow::Ended);
                }
            }
            Wake::Command(None) => {
                let gone = "the driver of the job has gone".to_owned();
                return Err(Error::Retryable(gone));
            }
            Wake::Event(event) => {
                self.event(event).await?;
                // A reader may always have something; others want the thread too.
                tokio::task::yield_now().await;
            }
            Wake::Flush => self.task.flush().await?,
            Wake::Idle => {
                for idle in self.splits.tick(Instant::now()) {
                    self.queue.update(idle);
                }
            }
            Wake::Again => {}
        }
        Ok(Flow::GoesOn)
    }

    /// Takes splits over while there is room for them.
    async fn take_splits(&mut self) -> Result<()> {
        while let Some(record) = self.queue.take(self.splits.len()) {
            let split = Split {
                id: record.split.clone(),
                spec: record.spec.clone(),
            };
            let position = record.position.clone();
            self.splits.add(record);
            self.reader.add_split(&split, position.as_ref()).await?;
        }
        Ok(())
    }

    async fn event(&mut self, event: SourceEvent) -> Result<()> {
        self.splits.release(Instant::now());
        match event {
            SourceEvent::Rows {
                split,
                records,
                kinds,
                dead_letters,
                bytes,
                position,
            } => {
                let metrics = &self.task.metrics;
                TaskMetrics::add(&metrics.records_in, records.num_rows());
                metrics.bytes_in.fetch_add(bytes, Ordering::Relaxed);
                self.task.put_aside(&dead_letters)?;
                let read = Read {
                    position,
                    rows: records.num_rows() as u64,
                    bytes,
                    watermark: self.watermark_of(&split, &records)?,
                };
                self.task.rows(Batch::with_kinds(records, kinds)).await?;
                self.queue.update_from(self.splits.read(&split, read));
            }
            SourceEvent::Watermark {
                split,
                at,
                position,
            } => {
                let read = Read {
                    position,
                    watermark: Some(at),
                    ..Read::default()
                };
                self.queue.update_from(self.splits.read(&split, read));
            }
            SourceEvent::NotAtEnd { split } => {
                self.queue.update_from(self.splits.not_at_end(&split));
            }
            SourceEvent::Held => self.splits.hold(),
            SourceEvent::AtEnd { split } => self.splits.at_end(&split, Instant::now()),
            SourceEvent::Finished { split } => {
                self.queue.update_from(self.splits.finished(&split));
            }
        }
        Ok(())
    }

    fn watermark_of(
        &self,
        split: &str,
        records: &arrow::array::RecordBatch,
    ) -> Result<Option<EventTime>> {
        let Some(strategy) = &self.strategy else {
            return Ok(None);
        };
        let ceiling = self.jump_ms_max.map_or(EventTime::MAX, |jump_ms| {
            let now = clock::now().max(self.splits.watermark_of(split));
            now.saturating_add(jump_ms)
        });
        // The end of time is the end of the stream, which no row can declare.
        let ceiling = ceiling.min(EventTime::MAX.saturating_sub(1));
        strategy.highest(records, ceiling)
    }

    /// Tells the group how far the splits are, and lets those wait that are far ahead.
    fn keep_together(&mut self) -> Result<()> {
        let Some(group) = &self.group else {
            return Ok(());
        };
        self.splits
            .all()
            .for_each(|record| group.alignment.update(record));
        let ceiling = group.alignment.ceiling(group.drift_ms_max);
        let ahead = self.splits.unfinished();
        let ahead = ahead.filter(|record| record.watermark > ceiling);
        let ahead: BTreeSet<_> = ahead.map(|record| record.split.clone()).collect();
        for split in self.paused.difference(&ahead) {
            self.reader.pause(split, false)?;
        }
        for split in ahead.difference(&self.paused) {
            self.reader.pause(split, true)?;
            // More may come that nobody sees: it is not idle.
            self.splits.unwatched(split);
        }
        self.paused = ahead;
        let paused = self.paused.len() as u64;
        self.task
            .metrics
            .paused_splits
            .store(paused, Ordering::Relaxed);
        Ok(())
    }

    /// Sends time on if it has moved, and tells the driver of the end.
    async fn advance(&mut self) -> Result<()> {
        let watermark = self.queue.watermark();
        if watermark != self.sent {
            self.sent = watermark;
            self.task.watermark(watermark).await?;
        }
        if !self.at_end && self.queue.is_exhausted() && self.splits.len() == 0 {
            self.at_end = true;
            let _ = self.task.reports.send(Report::AtEnd(self.task.id));
        }
        Ok(())
    }
}
