//! The part of a file between what was decoded and what was read: it finds
//! records in it, however the blocks cut them, and knows the position behind
//! the last one.

use arrow::array::RecordBatch;

use crate::formats::{Decoder, Framing, Limits, line_length};
use crate::stream::{DeadLetter, Position};

/// The most records of one batch.
const RECORDS_PER_BATCH_MAX: usize = 8_192;

/// How much of a record that is too long a dead letter keeps, in bytes.
const LONG_RECORD_KEPT_BYTES: usize = 4_096;

/// Bytes of one file that were read and not yet decoded.
#[derive(Debug)]
pub(super) struct RecordWindow {
    origin: String,
    split: String,
    framing: Framing,
    limits: Limits,
    bytes: Vec<u8>,
    /// How many of `bytes` are done with.
    done: usize,
    /// Where `bytes` begins in the file.
    start: u64,
    /// A record that is too long, while its end is not found yet. Until then the
    /// position stays before it, so that a restart finds it whole.
    long: Option<LongRecord>,
    /// Nothing follows: what is left is a record although no line end closes it.
    is_last: bool,
    /// No further record is complete until something is appended.
    is_exhausted: bool,
}

#[derive(Debug)]
struct LongRecord {
    start: u64,
    kept: Vec<u8>,
}

/// What one call has decoded.
#[derive(Debug)]
pub(super) struct Decoded {
    pub records: RecordBatch,
    pub dead_letters: Vec<DeadLetter>,
    /// Bytes behind which the position has moved.
    pub bytes: u64,
    /// Where to read on.
    pub position: u64,
}

/// What stands at the beginning of the rest.
enum Next {
    /// A record and its length with its line end.
    Record(usize),
    /// Bytes of a record that is too long, up to its end or as far as it was read.
    Long { length: usize, ends: bool },
    /// Not enough.
    Wait,
}

impl RecordWindow {
    /// An empty window of `split` of table `origin`, at `start`.
    pub(super) fn new(origin: String, split: String, framing: Framing, start: u64) -> Self {
        Self {
            origin,
            split,
            framing,
            limits: Limits::default(),
            bytes: Vec::new(),
            done: 0,
            start,
            long: None,
            is_last: false,
            is_exhausted: true,
        }
    }

    /// With other limits than the default ones.
    #[cfg(test)]
    pub(super) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where to read on after a restart.
    pub(super) fn position(&self) -> u64 {
        match &self.long {
            Some(long) => long.start,
            None => self.start + self.done as u64,
        }
    }

    /// Takes over the block that follows what was appended before.
    pub(super) fn append(&mut self, block: Vec<u8>) {
        self.start += self.done as u64;
        if self.done == self.bytes.len() {
            self.bytes = block;
        } else {
            self.bytes.drain(..self.done);
            self.bytes.extend_from_slice(&block);
        }
        self.done = 0;
        self.is_exhausted = false;
    }

    /// Notes that nothing follows.
    pub(super) fn end(&mut self) {
        self.is_last = true;
        self.is_exhausted = false;
    }

    /// Whether nothing follows and everything was decoded.
    pub(super) fn is_finished(&self) -> bool {
        self.is_last && self.long.is_none() && self.done == self.bytes.len()
    }

    /// Decodes records until the batch is full or no record is complete; `None`
    /// if the position has not moved.
    pub(super) fn decode(&mut self, decoder: &mut dyn Decoder) -> Option<Decoded> {
        if self.is_exhausted {
            return None;
        }
        let before = self.position();
        let mut dead_letters = Vec::new();
        for _ in 0..RECORDS_PER_BATCH_MAX {
            match self.next() {
                Next::Record(length) => {
                    let offset = self.position();
                    let end = self.done + length;
                    let record = self.bytes.get(self.done..end).unwrap_or_default();
                    let record = Framing::trim_line_end(record);
                    if let Err(error) = decoder.push(record) {
                        dead_letters.push(self.dead_letter(error.0, offset, record.to_vec()));
                    }
                    self.done = end;
                }
                Next::Long { length, ends } => {
                    dead_letters.extend(self.pass_long(length, ends));
                }
                Next::Wait => {
                    self.is_exhausted = true;
                    break;
                }
            }
        }
        let position = self.position();
        (position != before).then(|| Decoded {
            records: decoder.finish(),
            dead_letters,
            bytes: position - before,
            position,
        })
    }

    /// What comes next. It depends on the bytes of the file alone, never on how
    /// blocks cut them: a restart must find the same records.
    fn next(&self) -> Next {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        let line = line_length(rest);
        if self.long.is_some() {
            return match line {
                Some(length) => Next::Long { length, ends: true },
                None if rest.is_empty() && !self.is_last => Next::Wait,
                None => Next::Long {
                    length: rest.len(),
                    ends: self.is_last,
                },
            };
        }
        if rest.is_empty() {
            return Next::Wait;
        }
        let fits = |length: usize| {
            let record = Framing::trim_line_end(rest.get(..length).unwrap_or_default());
            record.len() <= self.limits.record_bytes_max
        };
        // A line end may still be cut off from a record of the longest length.
        let may_fit = rest.len() <= self.limits.record_bytes_max + 2;
        match self.framing.record_length(rest) {
            Some(length) if fits(length) => return Next::Record(length),
            None if may_fit && !self.is_last => return Next::Wait,
            _ => {}
        }
        // A quote that is never closed must not take the rest of the file with
        // it: only its line is bad.
        match line {
            Some(length) if fits(length) => Next::Record(length),
            Some(length) => Next::Long { length, ends: true },
            None if self.is_last && fits(rest.len()) => Next::Record(rest.len()),
            None => Next::Long {
                length: rest.len(),
                ends: self.is_last,
            },
        }
    }

    /// Steps over bytes of a record that is too long; its dead letter if it ends here.
    fn pass_long(&mut self, length: usize, ends: bool) -> Option<DeadLetter> {
        let start = self.position();
        let end = self.done + length;
        let bytes = self.bytes.get(self.done..end).unwrap_or_default();
        // What is kept must not depend on where a block ended.
        let kept_bytes = LONG_RECORD_KEPT_BYTES.min(self.limits.record_bytes_max);
        let mut long = self.long.take().unwrap_or_else(|| LongRecord {
            start,
            kept: bytes.iter().take(kept_bytes).copied().collect(),
        });
        self.done = end;
        if !ends {
            self.long = Some(long);
            return None;
        }
        let record_bytes = self.position() - long.start;
        let reason = format!(
            "the record has about {record_bytes} bytes; at most {} are taken; this is its beginning",
            self.limits.record_bytes_max
        );
        let kept = std::mem::take(&mut long.kept);
        Some(self.dead_letter(reason, long.start, kept))
    }

    fn dead_letter(&self, reason: String, offset: u64, bytes: Vec<u8>) -> DeadLetter {
        DeadLetter {
            origin: self.origin.clone(),
            reason,
            position: Some(Position {
                split: self.split.clone(),
                offset,
            }),
            bytes,
        }
    }
}
