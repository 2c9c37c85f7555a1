//! Decodes a large file on several threads at once. What comes out is in the order of
//! the file, so that it is still one split with one event time.
//!
//! The file is cut into ranges of equal length. A range stands for the lines that
//! *begin* in it: whoever decodes it steps over the end of a line that began before,
//! and reads on to the end of the last line.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::identity::read_full_at;
use super::record_window::{Decoded, ROOM_BYTES, RecordWindow};
use crate::formats::{Decoder, line_length};

/// How long a range is.
const RANGE_BYTES: u64 = 4 << 20;

/// How many ranges are begun for each thread: those that are done before their turn wait.
const RANGES_PER_THREAD: usize = 2;

/// How much of it is read at a time: it is still in the processor's cache when it is
/// decoded.
const PART_BYTES: u64 = 256 << 10;

/// How much is read at a time to find the end of a line.
const LINE_BYTES: u64 = 4 << 10;

/// Makes decoders that are all alike.
pub(super) type MakeDecoder = Arc<dyn Fn() -> Box<dyn Decoder> + Send + Sync>;

/// Makes an empty window of the split that begins at an offset.
pub(super) type MakeWindow = Arc<dyn Fn(u64) -> RecordWindow + Send + Sync>;

/// The ranges of one file that are being decoded.
pub(super) struct ParallelDecoding {
    file: Arc<File>,
    threads: usize,
    /// What no range stands for yet; where it begins is known to be a line's beginning
    /// only for the first.
    rest: Range<u64>,
    is_first: bool,
    /// Behind the last batch that was taken.
    behind: u64,
    shared: Arc<Shared>,
    /// What becomes of the ranges that were begun, the oldest first.
    begun: VecDeque<oneshot::Receiver<RangeResult>>,
    /// Batches of a range that is done.
    done: VecDeque<Decoded>,
}

/// The batches of a range.
type RangeResult = io::Result<VecDeque<Decoded>>;

/// What the threads share that decode.
struct Shared {
    window: MakeWindow,
    make_decoder: MakeDecoder,
    work: Mutex<Work>,
}

/// Ranges that wait for a thread.
#[derive(Default)]
struct Work {
    waiting: VecDeque<(LineRange, oneshot::Sender<RangeResult>)>,
    /// How many threads take from there.
    threads: usize,
    /// Tools that no thread has.
    idle: Vec<Tools>,
}

/// What a range is decoded with. It is used again: a decoder learns what its records
/// look like, and new memory would cost as much as reading into it.
struct Tools {
    decoder: Box<dyn Decoder>,
    buffers: [Vec<u8>; 2],
}

/// What there is to take.
pub(super) enum Step {
    /// The next batch in the order of the file.
    Batch(Decoded),
    /// It is not there yet.
    Working,
    /// Everything was taken; the rest of the file is too short for this.
    Done {
        /// Where it begins.
        behind: u64,
    },
}

impl ParallelDecoding {
    /// Decodes these bytes, which begin with a line, on so many threads.
    pub(super) fn new(
        (file, bytes): (Arc<File>, Range<u64>),
        threads: usize,
        window: MakeWindow,
        make_decoder: MakeDecoder,
    ) -> Self {
        Self {
            file,
            threads,
            behind: bytes.start,
            rest: bytes,
            is_first: true,
            shared: Arc::new(Shared {
                window,
                make_decoder,
                work: Mutex::default(),
            }),
            begun: VecDeque::new(),
            done: VecDeque::new(),
        }
    }

    /// Starts what there is room for, and takes what is done.
    pub(super) fn step(&mut self) -> Step {
        self.begin();
        match self.done.pop_front() {
            Some(batch) => {
                self.behind = batch.position;
                Step::Batch(batch)
            }
            None if self.begun.is_empty() => Step::Done {
                behind: self.behind,
            },
            None => Step::Working,
        }
    }

    /// Gives ranges to the threads, and starts threads that are missing.
    fn begin(&mut self) {
        let begun = self.begun.len();
        let mut work = self.shared.work.lock();
        while self.begun.len() < self.threads * RANGES_PER_THREAD
            && self.rest.end.saturating_sub(self.rest.start) >= RANGE_BYTES
        {
            let start = self.rest.start;
            self.rest.start += RANGE_BYTES;
            let range = LineRange {
                file: Arc::clone(&self.file),
                bytes: start..self.rest.start,
                is_first: std::mem::take(&mut self.is_first),
                limit: self.rest.end,
                part_bytes: PART_BYTES,
            };
            let (sender, receiver) = oneshot::channel();
            work.waiting.push_back((range, sender));
            self.begun.push_back(receiver);
        }
        let missing = self.threads - work.threads;
        for _ in 0..missing.min(self.begun.len() - begun) {
            work.threads += 1;
            let shared = Arc::clone(&self.shared);
            tokio::task::spawn_blocking(move || shared.decode());
        }
    }

    /// Ready when another step may find something.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.done.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let Some(oldest) = self.begun.front_mut() else {
            return Poll::Ready(Ok(()));
        };
        let Poll::Ready(decoded) = Pin::new(oldest).poll(context) else {
            return Poll::Pending;
        };
        self.begun.pop_front();
        self.done = decoded.map_err(io::Error::other).flatten()?;
        Poll::Ready(Ok(()))
    }
}

impl Shared {
    /// Decodes ranges until none waits.
    fn decode(&self) {
        let mut tools = None;
        loop {
            let mut work = self.work.lock();
            let Some((range, sender)) = work.waiting.pop_front() else {
                work.threads -= 1;
                work.idle.extend(tools);
                return;
            };
            let mut own = tools.or_else(|| work.idle.pop()).unwrap_or_else(|| Tools {
                decoder: (self.make_decoder)(),
                buffers: Default::default(),
            });
            drop(work);
            // Nobody waits for it if the job has ended.
            if !sender.is_closed() {
                let _ = sender.send(range.decode(|start| (self.window)(start), &mut own));
            }
            tools = Some(own);
        }
    }
}

/// The lines that begin in some bytes of a file.
struct LineRange {
    file: Arc<File>,
    bytes: Range<u64>,
    /// Whether the bytes begin with a line; else their first line may have begun before.
    is_first: bool,
    /// Where the split ends; nothing behind it is read, even if the file has grown.
    limit: u64,
    /// How much is read at a time.
    part_bytes: u64,
}

impl LineRange {
    fn decode(
        &self,
        window: impl FnOnce(u64) -> RecordWindow,
        tools: &mut Tools,
    ) -> io::Result<VecDeque<Decoded>> {
        let decoder = tools.decoder.as_mut();
        let [mut buffer, other] = std::mem::take(&mut tools.buffers);
        let mut batches = VecDeque::new();
        let Some(mut at) = self.first_line(&mut buffer)? else {
            tools.buffers = [buffer, other];
            return Ok(batches);
        };
        let (mut window, end) = (window(at).with_buffer(other), self.bytes.end);
        while at < end {
            self.read(at, self.part_bytes.min(end - at), &mut buffer)?;
            let read = (buffer.len() - ROOM_BYTES) as u64;
            buffer = window.append(buffer, ROOM_BYTES);
            while window.fill(decoder) {
                batches.extend(window.take(decoder));
            }
            if read == 0 {
                break;
            }
            at += read;
        }
        // The line that began last may end behind the range.
        while !window.is_at_line_start() {
            let length = LINE_BYTES.min(self.part_bytes).min(self.limit - at);
            self.read(at, length, &mut buffer)?;
            let bytes = buffer.get(ROOM_BYTES..).unwrap_or_default();
            let length = line_length(bytes).unwrap_or(bytes.len());
            if length == 0 {
                break;
            }
            buffer.truncate(ROOM_BYTES + length);
            at += length as u64;
            buffer = window.append(buffer, ROOM_BYTES);
            window.fill(decoder);
        }
        batches.extend(window.take(decoder));
        tools.buffers = [buffer, window.into_buffer()];
        Ok(batches)
    }

    /// Where the first line begins; `None` if none does in these bytes.
    fn first_line(&self, buffer: &mut Vec<u8>) -> io::Result<Option<u64>> {
        if self.is_first {
            return Ok(Some(self.bytes.start));
        }
        // A line begins with the range if the byte before it ends one.
        let (mut at, end) = (self.bytes.start - 1, self.bytes.end - 1);
        while at < end {
            let length = LINE_BYTES.min(self.part_bytes).min(end - at);
            self.read(at, length, buffer)?;
            let bytes = buffer.get(ROOM_BYTES..).unwrap_or_default();
            if let Some(length) = line_length(bytes) {
                return Ok(Some(at + length as u64));
            }
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
        }
        Ok(None)
    }

    /// So many bytes from `at` on, or as many as there are, behind [`ROOM_BYTES`] others.
    fn read(&self, at: u64, length: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        buffer.resize(ROOM_BYTES + length, 0);
        let place = buffer.get_mut(ROOM_BYTES..).unwrap_or_default();
        let read = read_full_at(&self.file, place, at)?;
        buffer.truncate(ROOM_BYTES + read);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::super::record_window::tests::{Seen, apart, decoder, read, seen_in, window};
    use super::*;
    use crate::formats::Framing;

    /// What the lines of a file become when ranges of it are decoded apart.
    fn in_ranges(text: &[u8], start: u64, range_bytes: u64, part_bytes: u64) -> (Vec<Seen>, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file.write_all(b"written later\n").unwrap();
        let (file, mut seen) = (Arc::new(file), Vec::new());
        let (mut at, mut behind) = (start, start);
        while at + range_bytes <= text.len() as u64 {
            let range = LineRange {
                file: Arc::clone(&file),
                bytes: at..at + range_bytes,
                is_first: at == start,
                limit: text.len() as u64,
                part_bytes,
            };
            let mut tools = Tools {
                decoder: decoder(),
                buffers: Default::default(),
            };
            let batches = range.decode(|start| window(Framing::Lines, start), &mut tools);
            for batch in batches.unwrap() {
                assert_eq!(batch.position, behind + batch.bytes);
                behind = batch.position;
                seen.extend(seen_in(batch));
            }
            at += range_bytes;
        }
        (seen, behind)
    }

    proptest! {
        #[test]
        fn ranges_have_the_lines_of_the_file(
            text in "[ab\r\n]{0,60}",
            start in 0_usize..20,
            range_bytes in 1_u64..30,
            part_bytes in 1_u64..12,
        ) {
            let text = text.as_bytes();
            // Where a line begins.
            let start = text.iter().skip(start).position(|b| *b == b'\n').map_or(0, |n| start + n + 1);
            let (mut seen, behind) = in_ranges(text, start as u64, range_bytes, part_bytes);
            let (rest, _) = read(Framing::Lines, text, behind, &[7]);
            seen.extend(rest);
            let (expected, _) = read(Framing::Lines, text, start as u64, &[5]);
            prop_assert_eq!(apart(seen), apart(expected));
        }
    }
}
