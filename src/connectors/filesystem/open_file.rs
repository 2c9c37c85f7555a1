//! One split while it is read: its open file, the block that is being fetched,
//! and the records found so far.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use super::identity::read_full_at;
use super::options::OnTruncation;
use super::record_window::RecordWindow;
use super::source::FileSpec;
use crate::formats::Decoder;
use crate::runtime::{Error, Result, SourceEvent};

/// Free bytes before a block, for what is left of the one before: a few records.
const ROOM_BYTES: usize = 16 << 10;

/// A split that a reader was given and has not finished.
pub(super) struct OpenFile {
    pub id: String,
    spec: FileSpec,
    file: Arc<File>,
    on_truncation: OnTruncation,
    block_bytes: usize,
    window: RecordWindow,
    /// A buffer for a block: new memory would cost as much as reading into it.
    spare: Vec<u8>,
    /// Where the next block begins.
    read_to: u64,
    progress: Progress,
    /// Whether the end was told once since the file was opened.
    end_was_told: bool,
}

/// What is known about the bytes that the window does not have yet.
enum Progress {
    /// The next block has not been asked for.
    Unfetched,
    /// It is being read on another thread.
    Fetching(JoinHandle<io::Result<Block>>),
    /// It is here, and waits until the window needs it.
    Fetched(Block),
    /// The last fetch has shown the end; whether that was told.
    AtEnd { told: bool },
    /// Nothing will follow.
    Ended,
}

/// What one fetch has found.
struct Block {
    /// What was read, behind [`ROOM_BYTES`] free ones.
    bytes: Vec<u8>,
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
            spare: Vec::new(),
            progress: Progress::Unfetched,
            end_was_told: false,
        }
    }

    /// A split of which nothing is left.
    pub(super) fn end(&mut self) {
        self.window.end();
        self.progress = Progress::Ended;
    }

    /// Whether its next block has to be fetched before anything can happen.
    pub(super) fn is_reading(&self) -> bool {
        !matches!(self.progress, Progress::AtEnd { .. } | Progress::Ended)
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

    /// Asks for the next block unless that was done.
    pub(super) fn fetch(&mut self) {
        if !matches!(self.progress, Progress::Unfetched) {
            return;
        }
        let (file, spec, from, bytes) = (
            self.file.clone(),
            self.spec.clone(),
            self.read_to,
            self.block_bytes,
        );
        let buffer = std::mem::take(&mut self.spare);
        let fetched =
            tokio::task::spawn_blocking(move || fetch_block(&file, &spec, from, bytes, buffer));
        self.progress = Progress::Fetching(fetched);
    }

    /// Takes over the fetched block if it has come; ready if it has.
    pub(super) fn poll_fetch(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Progress::Fetching(handle) = &mut self.progress else {
            return Poll::Pending;
        };
        let Poll::Ready(joined) = Pin::new(handle).poll(context) else {
            return Poll::Pending;
        };
        self.progress = Progress::Unfetched;
        let block = joined
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| Error::Retryable(format!("cannot read '{}': {error}", self.id)))?;
        self.read_to += block.length() as u64;
        self.progress = Progress::Fetched(block);
        Poll::Ready(Ok(()))
    }

    /// What it has to say without waiting.
    pub(super) fn step(&mut self, decoder: &mut dyn Decoder) -> Result<Option<SourceEvent>> {
        loop {
            if let Some(decoded) = self.window.decode(decoder) {
                return Ok(Some(SourceEvent::Rows {
                    split: self.id.clone(),
                    records: decoded.records,
                    dead_letters: decoded.dead_letters,
                    bytes: decoded.bytes,
                    position: position_value(decoded.position),
                }));
            }
            if self.window.is_finished() {
                let split = self.id.clone();
                return Ok(Some(SourceEvent::Finished { split }));
            }
            match std::mem::replace(&mut self.progress, Progress::Unfetched) {
                Progress::Fetched(block) => self.take(block)?,
                Progress::AtEnd { told: false } => {
                    self.progress = Progress::AtEnd { told: true };
                    self.end_was_told = true;
                    let split = self.id.clone();
                    return Ok(Some(SourceEvent::AtEnd { split }));
                }
                other => {
                    self.progress = other;
                    return Ok(None);
                }
            }
        }
    }

    /// Moves a block into the window, and asks for the next one, which is read
    /// while this one is decoded.
    fn take(&mut self, block: Block) -> Result<()> {
        let has_grown = block.length() > 0;
        self.spare = self.window.append(block.bytes, ROOM_BYTES);
        if block.at_end {
            // Many files may rest at their ends.
            self.spare = Vec::new();
        }
        if block.state == FileState::Truncated {
            self.truncated()?;
            return Ok(());
        }
        if !block.at_end {
            self.fetch();
        } else if self.spec.length.is_some() {
            self.ends_short()?;
            self.end();
        } else if block.state == FileState::Deleted {
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

/// Reads up to `bytes` bytes from `from` on into `buffer`.
fn fetch_block(
    file: &File,
    spec: &FileSpec,
    from: u64,
    bytes: usize,
    mut buffer: Vec<u8>,
) -> io::Result<Block> {
    let metadata = file.metadata()?;
    let end = spec.length.unwrap_or(u64::MAX);
    if spec.length.is_none() && (metadata.len() < from || !spec.identity.has_head_of(file)?) {
        buffer.resize(ROOM_BYTES, 0);
        return Ok(Block {
            bytes: buffer,
            at_end: true,
            state: FileState::Truncated,
        });
    }
    let wanted = usize::try_from(end.saturating_sub(from)).map_or(bytes, |left| left.min(bytes));
    let present = usize::try_from(metadata.len().saturating_sub(from)).unwrap_or(usize::MAX);
    buffer.resize(ROOM_BYTES + wanted.min(present), 0);
    let read = read_full_at(file, buffer.get_mut(ROOM_BYTES..).unwrap_or_default(), from)?;
    buffer.truncate(ROOM_BYTES + read);
    let read_to = from + read as u64;
    Ok(Block {
        at_end: read_to >= end.min(metadata.len()) || read == 0,
        bytes: buffer,
        state: if metadata.nlink() == 0 {
            FileState::Deleted
        } else {
            FileState::Whole
        },
    })
}
