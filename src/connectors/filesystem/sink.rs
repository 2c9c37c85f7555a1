//! Writes part files under hidden names and makes them durable at every checkpoint.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;

use super::committer::FileCommitter;
use super::options::{RollingPolicy, SinkOptions};
use super::part::{Part, Tag, hidden_path};
use super::partitioned_sink::PartitionedSink;
use super::partitions::Partitions;
use super::{JobContext, OptionError, TableOptions};
use crate::connectors::directories::{create_directory, sync_directory};
use crate::connectors::lines;
use crate::formats::{EncodedRecords, Encoder, Options};
use crate::runtime::{Committer, Error, Prepared, Result, Sink, SinkFactory, SinkTask, Written};
use crate::stream::{Barrier, BarrierKind, Batch, ChangelogMode, DeadLetter};

/// How many bytes are gathered before a write.
const WRITE_BYTES: usize = 256 << 10;

/// How many rows are encoded at once: what they become is still in the cache when
/// it is written.
const ENCODED_ROWS: usize = 256;

/// The sink of `table`.
pub(in crate::connectors) fn sink(
    table: &TableOptions,
    job: &JobContext,
) -> Result<Arc<dyn SinkFactory>, Vec<OptionError>> {
    let mut options = Options::new(&table.options);
    let partitions = Partitions::of(table, &mut options);
    Ok(Arc::new(FileSinkFactory {
        table: table.name.clone(),
        tag: Tag::new(job, &table.name),
        options: SinkOptions::new(options, &partitions.in_records)?,
        partitions,
    }))
}

/// Makes the sinks of a table.
#[derive(Clone)]
pub(super) struct FileSinkFactory {
    table: String,
    tag: Tag,
    options: SinkOptions,
    partitions: Partitions,
}

impl FileSinkFactory {
    /// The sink of a task into a directory; its files get their numbers from `numbers`.
    pub(super) fn sink_into(
        &self,
        directory: PathBuf,
        task: SinkTask,
        numbers: &Arc<AtomicU64>,
    ) -> FileSink {
        FileSink {
            table: self.table.clone(),
            directory,
            rolling: self.options.rolling,
            extension: self.options.format.extension(),
            encoder: self.options.format.encoder(&self.partitions.in_records),
            lines: EncodedRecords::lines(),
            tag: self.tag.clone(),
            task,
            numbers: Arc::clone(numbers),
            open: None,
            closed: Vec::new(),
            has_new_names: false,
        }
    }
}

impl SinkFactory for FileSinkFactory {
    fn sink(&self, task: SinkTask) -> Result<Box<dyn Sink>> {
        let (root, numbers) = (self.options.path.clone(), Arc::default());
        if self.partitions.keys.is_empty() {
            return Ok(Box::new(self.sink_into(root, task, &numbers)));
        }
        let (factory, partitions) = (self.clone(), self.partitions.clone());
        let sink_into =
            move |partition: &str| factory.sink_into(root.join(partition), task.clone(), &numbers);
        Ok(Box::new(PartitionedSink::new(partitions, sink_into)))
    }

    fn changelog_mode(&self) -> ChangelogMode {
        self.options.format.changelog_mode()
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        let directory = self.options.path.clone();
        let is_partitioned = !self.partitions.keys.is_empty();
        let committer = FileCommitter::new(directory, self.tag.clone(), is_partitioned);
        Some(Arc::new(committer))
    }
}

/// The sink of one task into one directory: at most one part file is open.
pub(super) struct FileSink {
    table: String,
    directory: PathBuf,
    rolling: RollingPolicy,
    extension: &'static str,
    encoder: Box<dyn Encoder>,
    tag: Tag,
    task: SinkTask,
    /// The number of the next file of this task, in whatever directory that is.
    numbers: Arc<AtomicU64>,
    open: Option<OpenPart>,
    /// Lines that the open part file has and its file does not have yet. Nothing
    /// writes them when the sink is thrown away at a restart: the file may be
    /// published by then.
    lines: EncodedRecords,
    /// Part files that were closed since the last checkpoint and are not yet durable.
    closed: Vec<(Part, File)>,
    /// Whether a part file was created since the directory was last made durable.
    has_new_names: bool,
}

/// A part file that is being written.
struct OpenPart {
    part: Part,
    file: File,
    opened: Instant,
    written: Instant,
}

impl FileSink {
    /// The open part file, created if there is none.
    fn open_part(&mut self) -> io::Result<&mut OpenPart> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.create_part()?,
        };
        Ok(self.open.insert(open))
    }

    fn create_part(&mut self) -> io::Result<OpenPart> {
        create_directory(&self.directory)?;
        loop {
            let SinkTask { index, restored } = self.task;
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let file = self.tag.name(index, restored, number, self.extension);
            // Two statements may write to one table, each with its own task 0.
            if self.directory.join(&file).exists() {
                continue;
            }
            let created = File::options()
                .write(true)
                .create_new(true)
                .open(hidden_path(&self.directory, &file));
            let created = match created {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                created => created?,
            };
            self.has_new_names = true;
            let now = Instant::now();
            let mut open = OpenPart {
                part: Part { file, length: 0 },
                file: created,
                opened: now,
                written: now,
            };
            if let Some(header) = self.encoder.file_header() {
                open.file.write_all(&header)?;
                open.part.length += header.len() as u64;
            }
            return Ok(open);
        }
    }

    /// Closes the open part file: nothing is added to it any more.
    fn roll(&mut self) -> io::Result<()> {
        self.write_out()?;
        if let Some(open) = self.open.take() {
            self.closed.push((open.part, open.file));
        }
        Ok(())
    }

    /// Adds the lines of some rows to the open part file; how many bytes they have.
    fn append(&mut self, batch: &Batch, dead_letters: &mut Vec<DeadLetter>) -> io::Result<usize> {
        let before = self.lines.bytes().len();
        let refused = lines::encode(self.encoder.as_mut(), batch, &self.table, &mut self.lines);
        dead_letters.extend(refused);
        let gathered = self.lines.bytes().len();
        if gathered == before {
            return Ok(0);
        }
        let file_bytes = self.rolling.file_bytes;
        let open = self.open_part()?;
        open.part.length += (gathered - before) as u64;
        if open.part.length >= file_bytes {
            self.roll()?;
        } else if gathered >= WRITE_BYTES {
            self.write_out()?;
        }
        Ok(gathered - before)
    }

    /// Hands the lines to the operating system.
    fn write_out(&mut self) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            open.file.write_all(self.lines.bytes())?;
            self.lines.clear();
        }
        Ok(())
    }

    /// Whether the open part file has been open or unused for long enough.
    fn is_due(&self) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.opened.elapsed() >= self.rolling.rollover_interval
                || open.written.elapsed() >= self.rolling.inactivity_interval
        })
    }

    /// Hands everything written to the operating system, and the files that must
    /// be made durable to the caller.
    fn flush(&mut self) -> io::Result<Vec<File>> {
        self.write_out()?;
        let closed = self.closed.iter().map(|(_, file)| file);
        let open = self.open.iter().map(|open| &open.file);
        closed.chain(open).map(File::try_clone).collect()
    }

    /// Whether nothing is left that a checkpoint has to hear of.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_none() && self.closed.is_empty()
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::Retryable(format!(
            "cannot write to '{}': {error}",
            self.directory.display()
        ))
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let (mut bytes, mut dead_letters) = (0, Vec::new());
        let rows = batch.records.num_rows();
        for start in (0..rows).step_by(ENCODED_ROWS) {
            let some = batch.slice(start, ENCODED_ROWS.min(rows - start));
            let written = self.append(&some, &mut dead_letters);
            bytes += written.map_err(|error| self.failed(&error))?;
        }
        if let (1.., Some(open)) = (bytes, &mut self.open) {
            open.written = Instant::now();
        }
        Ok(Written {
            bytes,
            dead_letters,
        })
    }

    async fn prepare(&mut self, barrier: Barrier) -> Result<Prepared> {
        if barrier.kind == BarrierKind::Last || self.is_due() {
            self.roll().map_err(|error| self.failed(&error))?;
        }
        let files = self.flush().map_err(|error| self.failed(&error))?;
        let directory = self.has_new_names.then(|| self.directory.clone());
        let synced = tokio::task::spawn_blocking(move || {
            files.iter().try_for_each(File::sync_all)?;
            directory.as_deref().map_or(Ok(()), sync_directory)
        });
        let synced = synced.await.map_err(io::Error::other).flatten();
        synced.map_err(|error| self.failed(&error))?;
        self.has_new_names = false;
        Ok(Prepared {
            publish: self
                .closed
                .drain(..)
                .map(|(part, _)| part.to_value())
                .collect(),
            open: self.open.iter().map(|open| open.part.to_value()).collect(),
            ..Prepared::default()
        })
    }
}
