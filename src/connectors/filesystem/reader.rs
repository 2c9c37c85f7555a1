//! Reads the files that one task was given: blocks are read on other threads,
//! records are decoded here.

use std::collections::HashSet;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::enumerator;
use super::metadata::MetadataColumns;
use super::open_file::{OpenFile, check_truncation};
use super::options::SourceOptions;
use super::parallel::MakeDecoder;
use super::record_window::RecordWindow;
use super::source::FileSpec;
use crate::formats::{Decoder, Framing};
use crate::runtime::{Error, Result, SourceEvent, SourceReader, Split};

/// How many files are read at the same time; the others wait their turn, so that
/// a directory of a thousand files does not take a thousand blocks of memory.
const FILES_READ_AT_ONCE: usize = 4;

/// How long a followed file rests at its end before it is looked at again, if the
/// monitor interval is not shorter.
const REST_MAX: Duration = Duration::from_millis(200);

/// The reader of one task.
pub(super) struct FileReader {
    table: String,
    options: SourceOptions,
    /// What comes around the rows that are decoded.
    metadata: Option<MetadataColumns>,
    make_decoder: MakeDecoder,
    decoder: Box<dyn Decoder>,
    files: Vec<OpenFile>,
    /// Which file may speak first, so that none is forgotten.
    turn: usize,
    /// The look at the files that rest at their ends; its answer names those that
    /// have changed.
    look: Option<JoinHandle<HashSet<String>>>,
    /// When to look next. It is kept between calls: a caller that drops the call
    /// every few milliseconds must not put it off for ever.
    look_at: Option<Instant>,
}

impl FileReader {
    pub(super) fn new(
        table: String,
        options: SourceOptions,
        metadata: Option<MetadataColumns>,
        make_decoder: MakeDecoder,
    ) -> Self {
        Self {
            table,
            options,
            metadata,
            decoder: make_decoder(),
            make_decoder,
            files: Vec::new(),
            turn: 0,
            look: None,
            look_at: None,
        }
    }

    /// What any of the files has to say without waiting.
    fn step(&mut self) -> Result<Option<SourceEvent>> {
        for _ in 0..self.files.len() {
            self.turn = (self.turn + 1) % self.files.len();
            let Some(file) = self.files.get_mut(self.turn) else {
                continue;
            };
            let mut event = file.step(self.decoder.as_mut())?;
            if let Some(metadata) = &file.metadata
                && let Some(SourceEvent::Rows { records, .. }) = &mut event
            {
                *records = metadata.around(records);
            }
            if let Some(SourceEvent::Finished { .. }) = event {
                self.files.remove(self.turn);
            }
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// Starts what has to be read, and sets the time of the next look.
    fn ask(&mut self) {
        let reading = self.files.iter_mut().filter(|file| file.is_reading());
        reading.take(FILES_READ_AT_ONCE).for_each(OpenFile::fetch);
        if self.look.is_some() {
            return;
        }
        let rests = self
            .files
            .iter()
            .filter_map(|file| Some((file.id.clone(), file.resting()?)));
        let resting: Vec<_> = rests.collect();
        if resting.is_empty() {
            self.look_at = None;
            return;
        }
        let rest = self
            .options
            .monitor_interval
            .map_or(REST_MAX, |given| given.min(REST_MAX));
        let look_at = *self.look_at.get_or_insert_with(|| Instant::now() + rest);
        if Instant::now() < look_at {
            return;
        }
        self.look_at = None;
        self.look = Some(tokio::task::spawn_blocking(move || {
            let changed = resting
                .into_iter()
                .filter(|(_, (file, read_to))| has_changed(file, *read_to));
            changed.map(|(id, _)| id).collect()
        }));
    }

    /// Waits until a block or the answer of a look has come, or it is time to look.
    /// Everything that it waits for is kept in `self`, so the wait may be dropped.
    async fn wait(&mut self) -> Result<()> {
        let mut timer = self
            .look_at
            .filter(|_| self.look.is_none())
            .map(|at| Box::pin(tokio::time::sleep_until(at)));
        poll_fn(|context| {
            for file in &mut self.files {
                if let Poll::Ready(result) = file.poll(context) {
                    return Poll::Ready(result);
                }
            }
            if let Some(look) = &mut self.look
                && let Poll::Ready(changed) = Pin::new(look).poll(context)
            {
                self.look = None;
                // A look that has panicked is repeated as one that has failed.
                let changed = changed.unwrap_or_default();
                let woken = self
                    .files
                    .iter_mut()
                    .filter(|file| changed.contains(&file.id));
                woken.for_each(OpenFile::wake);
                return Poll::Ready(Ok(()));
            }
            match &mut timer {
                Some(timer) => timer.as_mut().poll(context).map(Ok),
                None => Poll::Pending,
            }
        })
        .await
    }
}

#[async_trait]
impl SourceReader for FileReader {
    async fn add_split(&mut self, split: &Split, position: Option<&Value>) -> Result<()> {
        let spec = FileSpec::of(split)?;
        let offset = match position {
            None => 0,
            Some(position) => position
                .get("offset")
                .and_then(Value::as_u64)
                .ok_or_else(|| {
                    Error::Fatal(format!(
                        "position {position} of split '{}' is no file's",
                        split.id
                    ))
                })?,
        };
        let (root, wanted) = (self.options.path.clone(), spec.clone());
        let opened = tokio::task::spawn_blocking(move || open(&root, &wanted));
        let opened = opened
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| Error::Retryable(format!("cannot open '{}': {error}", split.id)))?;
        let framing = self.options.framing;
        let window = RecordWindow::new(self.table.clone(), split.id.clone(), framing, offset);
        let (file, is_gone) = match opened {
            Opened::Same(file) => (file, false),
            Opened::Gone(stand_in) if spec.length.is_none() => {
                tracing::warn!(
                    split = split.id,
                    offset,
                    "file is gone, it was read up to here"
                );
                (stand_in, true)
            }
            Opened::Gone(_) => {
                return Err(Error::Fatal(format!(
                    "'{}' is gone or is another file than the one that was found; restore it, or \
                     start afresh with --fresh",
                    split.id
                )));
            }
            Opened::Overwritten(file) => {
                check_truncation(self.options.on_truncation, &split.id, offset)?;
                (file, true)
            }
        };
        let path = spec.path_below(&self.options.path);
        let metadata = self.metadata.as_ref();
        let metadata = metadata.map(|columns| columns.of(&path, &spec.path, &file));
        let metadata = metadata.transpose().map_err(|error| {
            let message = format!("cannot look at '{}': {error}", split.id);
            match error.kind() {
                io::ErrorKind::InvalidData => Error::Fatal(message),
                _ => Error::Retryable(message),
            }
        })?;
        let how = (self.options.on_truncation, self.options.block_bytes);
        let mut file = OpenFile::new(split.id.clone(), spec, file, window, how);
        file.metadata = metadata;
        let threads = Handle::current().metrics().num_workers();
        if is_gone {
            file.end();
        } else if threads > 1 && framing == Framing::Lines {
            file.decode_in_parallel(threads, &self.make_decoder);
        }
        self.files.push(file);
        Ok(())
    }

    async fn next(&mut self) -> Result<SourceEvent> {
        loop {
            if let Some(event) = self.step()? {
                return Ok(event);
            }
            self.ask();
            self.wait().await?;
        }
    }
}

/// What was found where a split's file should be.
enum Opened {
    Same(File),
    /// A followed file whose inode is there but begins differently.
    Overwritten(File),
    /// No file has its identity; some file stands in for it, to be closed at once.
    Gone(File),
}

/// Finds the file of a split again, also under another name: a followed file may
/// have been rotated while nobody read it.
fn open(root: &Path, spec: &FileSpec) -> io::Result<Opened> {
    let mut candidates: Vec<PathBuf> = vec![spec.path_below(root)];
    if spec.length.is_none() {
        let directory = if root.is_dir() {
            Some(root)
        } else {
            root.parent()
        };
        let listed = directory.map(|directory| enumerator::list(directory, None, None));
        let listed = listed.transpose()?.unwrap_or_default();
        candidates.extend(listed.into_iter().map(|file| file.path));
    }
    let mut overwritten = None;
    for path in candidates {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        // Under its own name a file of a bounded read may also be a restored copy.
        let is_same = if spec.length.is_some() {
            spec.identity.has_head_of(&file)?
        } else {
            spec.identity.is(&file)?
        };
        if is_same {
            return Ok(Opened::Same(file));
        }
        if spec.length.is_none() && spec.identity.has_inode_of(&file)? {
            overwritten = Some(file);
        }
    }
    match overwritten {
        Some(file) => Ok(Opened::Overwritten(file)),
        None => Ok(Opened::Gone(File::open(root.parent().unwrap_or(root))?)),
    }
}

/// Whether a file that was read to its end must be looked at more closely.
fn has_changed(file: &File, read_to: u64) -> bool {
    use std::os::unix::fs::MetadataExt;
    // An error is for the fetch to report.
    file.metadata().map_or(true, |metadata| {
        metadata.len() != read_to || metadata.nlink() == 0
    })
}
