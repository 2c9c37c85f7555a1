//! One split while it is read: its open file, the block that is being fetched,
//! and the records found so far.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use super::identity::{ReadAt, read_cached_at, read_full_at};
use super::metadata::FileMetadata;
use super::options::OnTruncation;
use super::parallel::{MakeDecoder, ParallelDecoding, Step};
use super::record_window::{ROOM_BYTES, RecordWindow};
use super::source::FileSpec;
use crate::formats::Decoder;
use crate::runtime::{Error, Result, SourceEvent};

/// The most bytes of a block that the operating system has in its cache: they are
/// still in the processor's cache when they are decoded.
const CACHED_BLOCK_BYTES: usize = 256 << 10;

/// A split that a reader was given and has not finished.
pub(super) struct OpenFile {
    pub id: String,
    spec: FileSpec,
    file: Arc<File>,
    on_truncation: OnTruncation,
    block_bytes: usize,
    window: RecordWindow,
    /// What other threads decode before this window goes on behind it.
    parallel: Option<ParallelDecoding>,
    /// A buffer for a block: new memory would cost as much as reading into it.
    spare: Vec<u8>,
    /// Where the next block begins.
    read_to: u64,
    progress: Progress,
    /// Whether the end was told once since the file was opened.
    end_was_told: bool,
    /// What comes behind its rows.
    pub metadata: Option<FileMetadata>,
}

/// What is known about the bytes that the window does not have yet.
enum Progress {
    /// The next block has not been asked for.
    Unfetched,
    /// It is being read on another thread.
    Fetching(JoinHandle<io::Result<(Found, Vec<u8>)>>),
    /// It is here, and waits until the window needs it.
    Fetched(Block),
    /// The last fetch has shown the end; whether that was told.
    AtEnd { told: bool },
    /// Nothing will follow.
    Ended,
}

/// What one fetch has read.
struct Block {
    found: Found,
    /// The bytes, behind [`ROOM_BYTES`] free ones.
    bytes: Vec<u8>,
}

/// What one fetch has found beside the bytes.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Whether nothing lies behind these bytes now.
    at_end: bool,
    state: FileState,
}

impl Block {
    /// How many bytes were read.
    fn length(&self) -> usize {
        self.bytes.len() - ROOM_BYTES
    }
}

/// What became of the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileState {
    Whole,
    /// It has no name any more, so nothing will be written to it for long.
    Deleted,
    /// It is shorter than what was read, or begins differently.
    Truncated,
}

impl OpenFile {
    /// A split whose next record begins at `position`.
    pub(super) fn new(
        id: String,
        spec: FileSpec,
        file: File,
        window: RecordWindow,
        (on_truncation, block_bytes): (OnTruncation, usize),
    ) -> Self {
        Self {
            id,
            spec,
            file: Arc::new(file),
            on_truncation,
            block_bytes,
            read_to: window.position(),
            window,
            parallel: None,
            spare: Vec::new(),
            progress: Progress::Unfetched,
            end_was_told: false,
            metadata: None,
        }
    }

    /// Lets other threads decode it as far as it is long enough; it must end somewhere.
    pub(super) fn decode_in_parallel(&mut self, threads: usize, make_decoder: &MakeDecoder) {
        let bytes = self.read_to..self.spec.length.unwrap_or(0);
        let window = self.window.at(self.read_to);
        self.parallel = Some(ParallelDecoding::new(
            (Arc::clone(&self.file), bytes),
            threads,
            Arc::new(move |start| window.at(start)),
            Arc::clone(make_decoder),
        ));
    }

    /// A split of which nothing is left.
    pub(super) fn end(&mut self) {
        self.window.end();
        self.progress = Progress::Ended;
    }

    /// Whether its next block has to be fetched before anything can happen.
    pub(super) fn is_reading(&self) -> bool {
        self.parallel.is_none()
            && !matches!(self.progress, Progress::AtEnd { .. } | Progress::Ended)
    }

    /// The open file and where it was read to, if the last fetch has shown its end.
    pub(super) fn resting(&self) -> Option<(Arc<File>, u64)> {
        matches!(self.progress, Progress::AtEnd { .. }).then(|| (self.file.clone(), self.read_to))
    }

    /// Fetches again although the last fetch has shown the end.
    pub(super) fn wake(&mut self) {
        if matches!(self.progress, Progress::AtEnd { .. }) {
            self.progress = Progress::Unfetched;
        }
    }

    /// Asks for the next block unless that was done. What would have to be waited for
    /// is read on another thread.
    pub(super) fn fetch(&mut self) {
        if !matches!(self.progress, Progress::Unfetched) {
            return;
        }
        let (from, bytes) = (self.read_to, self.block_bytes);
        let mut buffer = std::mem::take(&mut self.spare);
        let cached = (bytes.min(CACHED_BLOCK_BYTES), read_cached_at as ReadAt);
        if let Ok(found) = fetch_block(&self.file, &self.spec, from, cached, &mut buffer) {
            self.fetched(found, buffer);
            return;
        }
        let (file, spec) = (self.file.clone(), self.spec.clone());
        let fetched = tokio::task::spawn_blocking(move || {
            let found = fetch_block(&file, &spec, from, (bytes, read_full_at), &mut buffer)?;
            Ok((found, buffer))
        });
        self.progress = Progress::Fetching(fetched);
    }

    fn fetched(&mut self, found: Found, bytes: Vec<u8>) {
        let block = Block { found, bytes };
        self.read_to += block.length() as u64;
        self.progress = Progress::Fetched(block);
    }

    /// Ready when there is something to do: lines were decoded, or a block has come.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.parallel {
            Some(parallel) => parallel.poll(context).map_err(|error| self.failed(&error)),
            None => self.poll_fetch(context),
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::Retryable(format!("cannot read '{}': {error}", self.id))
    }

    fn poll_fetch(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let handle = match &mut self.progress {
            Progress::Fetching(handle) => handle,
            Progress::Fetched(_) => return Poll::Ready(Ok(())),
            _ => return Poll::Pending,
        };
        let Poll::Ready(joined) = Pin::new(handle).poll(context) else {
            return Poll::Pending;
        };
        self.progress = Progress::Unfetched;
        let joined = joined.map_err(io::Error::other).flatten();
        let (found, bytes) = joined.map_err(|error| self.failed(&error))?;
        self.fetched(found, bytes);
        Poll::Ready(Ok(()))
    }

    /// What it has to say without waiting.
    pub(super) fn step(&mut self, decoder: &mut dyn Decoder) -> Result<Option<SourceEvent>> {
        let split = self.id.clone();
        let batch = match self.parallel.as_mut().map(ParallelDecoding::step) {
            Some(Step::Working) => return Ok(None),
            Some(Step::Batch(batch)) => Some(batch),
            Some(Step::Done { behind }) => {
                self.parallel = None;
                self.window = self.window.at(behind);
                self.read_to = behind;
                return self.step(decoder);
            }
            None => {
                self.fill(decoder)?;
                self.window.take(decoder)
            }
        };
        if let Some(batch) = batch {
            return Ok(Some(SourceEvent::Rows {
                split,
                records: batch.records,
                kinds: None,
                dead_letters: batch.dead_letters,
                bytes: batch.bytes,
                position: position_value(batch.position),
            }));
        }
        if self.window.is_finished() {
            return Ok(Some(SourceEvent::Finished { split }));
        }
        if let Progress::AtEnd { told: false } = self.progress {
            self.progress = Progress::AtEnd { told: true };
            self.end_was_told = true;
            return Ok(Some(SourceEvent::AtEnd { split }));
        }
        Ok(None)
    }

    /// Decodes until a batch is full or the next block is not there.
    fn fill(&mut self, decoder: &mut dyn Decoder) -> Result<()> {
        while !self.window.fill(decoder) {
            match std::mem::replace(&mut self.progress, Progress::Unfetched) {
                Progress::Fetched(block) => self.take(block)?,
                other => {
                    self.progress = other;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Moves a block into the window, and asks for the next one, which is read
    /// while this one is decoded.
    fn take(&mut self, block: Block) -> Result<()> {
        let has_grown = block.length() > 0;
        let Found { at_end, state } = block.found;
        self.spare = self.window.append(block.bytes, ROOM_BYTES);
        if at_end {
            // Many files may rest at their ends.
            self.spare = Vec::new();
        }
        if state == FileState::Truncated {
            self.truncated()?;
            return Ok(());
        }
        if !at_end {
            self.fetch();
        } else if self.spec.length.is_some() {
            self.ends_short()?;
            self.end();
        } else if state == FileState::Deleted {
            self.end();
        } else {
            // A file that was looked at again for nothing has told its end before.
            let told = self.end_was_told && !has_grown;
            self.progress = Progress::AtEnd { told };
        }
        Ok(())
    }

    /// A bounded read of a file that has become shorter would lose rows.
    fn ends_short(&self) -> Result<()> {
        match self.spec.length {
            Some(length) if self.read_to < length => Err(Error::Fatal(format!(
                "'{}' has {} bytes but had {length} when it was found; restore the file, or start \
                 afresh with --fresh",
                self.id, self.read_to
            ))),
            _ => Ok(()),
        }
    }

    fn truncated(&mut self) -> Result<()> {
        check_truncation(self.on_truncation, &self.id, self.read_to)?;
        self.end();
        Ok(())
    }
}

/// The position of a split as the runtime keeps it.
pub(super) fn position_value(offset: u64) -> serde_json::Value {
    serde_json::json!({ "offset": offset })
}

/// Fails if a truncated file is to stop the pipeline; else what is left of the
/// split counts as its end, and the enumerator finds what comes as a new file.
pub(super) fn check_truncation(on: OnTruncation, id: &str, read_to: u64) -> Result<()> {
    match on {
        OnTruncation::Fail => Err(Error::Fatal(format!(
            "'{id}' was truncated or overwritten after {read_to} bytes of it were read, and rows \
             may be lost; rotate it by renaming, or set 'source.on-truncation' = 'restart'"
        ))),
        OnTruncation::Restart => {
            tracing::warn!(
                split = id,
                read_to,
                "file was truncated, reading it as a new one"
            );
            Ok(())
        }
    }
}

/// Reads up to `bytes` bytes from `from` on into `buffer`, behind [`ROOM_BYTES`] others.
fn fetch_block(
    file: &File,
    spec: &FileSpec,
    from: u64,
    (bytes, read_at): (usize, ReadAt),
    buffer: &mut Vec<u8>,
) -> io::Result<Found> {
    let metadata = file.metadata()?;
    let end = spec.length.unwrap_or(u64::MAX);
    if spec.length.is_none() && (metadata.len() < from || !spec.identity.has_head(file, read_at)?) {
        buffer.resize(ROOM_BYTES, 0);
        return Ok(Found {
            at_end: true,
            state: FileState::Truncated,
        });
    }
    let wanted = usize::try_from(end.saturating_sub(from)).map_or(bytes, |left| left.min(bytes));
    let present = usize::try_from(metadata.len().saturating_sub(from)).unwrap_or(usize::MAX);
    buffer.resize(ROOM_BYTES + wanted.min(present), 0);
    let read = read_at(file, buffer.get_mut(ROOM_BYTES..).unwrap_or_default(), from)?;
    buffer.truncate(ROOM_BYTES + read);
    let read_to = from + read as u64;
    Ok(Found {
        at_end: read_to >= end.min(metadata.len()) || read == 0,
        state: if metadata.nlink() == 0 {
            FileState::Deleted
        } else {
            FileState::Whole
        },
    })
}
