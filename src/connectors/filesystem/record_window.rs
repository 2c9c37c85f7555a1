//! The part of a file between what was decoded and what was read: it finds
//! records in it, however the blocks cut them, and knows the position behind
//! the last one.

use arrow::array::RecordBatch;

use crate::formats::{Decoder, Framing, Limits, LineBounds, Refused, line_length};
use crate::stream::{DeadLetter, Position};

/// Free bytes before a block, for what is left of the one before: a few records.
pub(super) const ROOM_BYTES: usize = 16 << 10;

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
    /// Where the first of the others stands in the file.
    offset: u64,
    /// A record that is too long, while its end is not found yet. Until then the
    /// position stays before it, so that a restart finds it whole.
    long: Option<LongRecord>,
    /// Nothing follows: what is left is a record although no line end closes it.
    is_last: bool,
    /// No further record is complete until something is appended.
    is_exhausted: bool,
    batch: OpenBatch,
}

/// What was decoded since the last [`RecordWindow::take`].
#[derive(Debug)]
struct OpenBatch {
    /// The position before it.
    start: u64,
    /// Records, whatever became of them.
    records: usize,
    dead_letters: Vec<DeadLetter>,
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
            offset: start,
            long: None,
            is_last: false,
            is_exhausted: true,
            batch: OpenBatch {
                start,
                records: 0,
                dead_letters: Vec::new(),
            },
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
            None => self.offset,
        }
    }

    /// Takes over the block that follows what was appended before; the first `room`
    /// bytes of it are free. What is left of the block before is moved there if it
    /// fits, so that a block is seldom copied. Gives back a buffer to be used again.
    pub(super) fn append(&mut self, mut block: Vec<u8>, room: usize) -> Vec<u8> {
        self.is_exhausted = false;
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        let start = room.checked_sub(rest.len());
        if let Some(place) = start.and_then(|start| block.get_mut(start..room)) {
            place.copy_from_slice(rest);
            self.done = room - rest.len();
            return std::mem::replace(&mut self.bytes, block);
        }
        self.bytes.drain(..self.done);
        self.bytes
            .extend_from_slice(block.get(room..).unwrap_or_default());
        self.done = 0;
        block
    }

    /// An empty window of the same split at another offset.
    pub(super) fn at(&self, start: u64) -> Self {
        let (origin, split) = (self.origin.clone(), self.split.clone());
        let mut window = Self::new(origin, split, self.framing, start);
        window.limits = self.limits;
        window
    }

    /// With a buffer that was used before.
    pub(super) fn with_buffer(mut self, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        self.bytes = buffer;
        self
    }

    /// Its buffer, when it is no longer needed.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether what follows begins a line.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.long.is_none() && self.done == self.bytes.len()
    }

    fn advance(&mut self, bytes: usize) {
        self.done += bytes;
        self.offset += bytes as u64;
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

    /// Decodes records until no further one is complete, or the batch is full: whether
    /// it is.
    pub(super) fn fill(&mut self, decoder: &mut dyn Decoder) -> bool {
        while !self.is_exhausted && self.batch.records < RECORDS_PER_BATCH_MAX {
            self.decode_lines(decoder);
            if self.batch.records == RECORDS_PER_BATCH_MAX {
                break;
            }
            match self.next() {
                Next::Record(length) => {
                    let offset = self.position();
                    let end = self.done + length;
                    let record = self.bytes.get(self.done..end).unwrap_or_default();
                    let record = Framing::trim_line_end(record);
                    if let Err(error) = decoder.push(record) {
                        let letter = self.dead_letter(error.0, offset, record.to_vec());
                        self.batch.dead_letters.push(letter);
                    }
                    self.batch.records += 1;
                    self.advance(length);
                }
                Next::Long { length, ends } => {
                    let letter = self.pass_long(length, ends);
                    self.batch.dead_letters.extend(letter);
                    self.batch.records += 1;
                }
                Next::Wait => self.is_exhausted = true,
            }
        }
        self.batch.records == RECORDS_PER_BATCH_MAX
    }

    /// What was decoded since the last call; `None` if the position has not moved.
    pub(super) fn take(&mut self, decoder: &mut dyn Decoder) -> Option<Decoded> {
        let position = self.position();
        let next = OpenBatch {
            start: position,
            records: 0,
            dead_letters: Vec::new(),
        };
        let batch = std::mem::replace(&mut self.batch, next);
        (position != batch.start).then(|| Decoded {
            records: decoder.finish(),
            dead_letters: batch.dead_letters,
            bytes: position - batch.start,
            position,
        })
    }

    /// Decodes the lines that stand here whole, up to one that needs a closer look.
    fn decode_lines(&mut self, decoder: &mut dyn Decoder) {
        if self.framing != Framing::Lines || self.long.is_some() {
            return;
        }
        let bounds = LineBounds {
            records_max: RECORDS_PER_BATCH_MAX - self.batch.records,
            record_bytes_max: self.limits.record_bytes_max,
        };
        let lines = self.bytes.get(self.done..).unwrap_or_default();
        let mut refused = Vec::new();
        let taken = decoder.push_lines(lines, bounds, &mut refused);
        let start = self.position();
        for Refused {
            start: at,
            end,
            error,
        } in refused
        {
            let line = lines.get(at..end).unwrap_or_default();
            let letter = self.dead_letter(error.0, start + at as u64, line.to_vec());
            self.batch.dead_letters.push(letter);
        }
        self.advance(taken.bytes);
        self.batch.records += taken.records;
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
        self.advance(length);
        if !ends {
            self.long = Some(long);
            return None;
        }
        let record_bytes = self.offset - long.start;
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

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Schema};
    use indexmap::IndexMap;
    use proptest::prelude::*;

    use super::*;
    use crate::formats::{self, Options, Quoting};

    const LIMITS: Limits = Limits {
        record_bytes_max: 6,
        depth_max: 4,
        number_bytes_max: 4,
    };

    const QUOTED: Framing = Framing::QuotedLines(Quoting {
        delimiter: b',',
        quote: b'"',
        escape: None,
        comment: None,
    });

    pub fn decoder() -> Box<dyn Decoder> {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, false)]));
        let given = IndexMap::from([("format".to_owned(), "raw".to_owned())]);
        let format = formats::format(&mut Options::new(&given), &schema).unwrap();
        format.decoder(&schema, &schema)
    }

    pub fn window(framing: Framing, start: u64) -> RecordWindow {
        RecordWindow::new("t".to_owned(), "s".to_owned(), framing, start).with_limits(LIMITS)
    }

    /// What one record has become.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Seen {
        Row(String),
        Letter(u64, Vec<u8>),
    }

    /// What a batch has become: rows, then letters, as they have no common order.
    pub fn seen_in(decoded: Decoded) -> Vec<Seen> {
        let rows = decoded.records.column(0).as_string::<i32>().iter();
        let rows = rows.map(|row| Seen::Row(row.unwrap().to_owned()));
        let letters = decoded.dead_letters.into_iter();
        let letters =
            letters.map(|letter| Seen::Letter(letter.position.unwrap().offset, letter.bytes));
        rows.chain(letters).collect()
    }

    /// Reads `file` from `start` on in blocks of these sizes, over and over; what
    /// was seen, and after each batch the position and how much was seen until then.
    pub fn read(
        framing: Framing,
        file: &[u8],
        start: u64,
        blocks: &[usize],
    ) -> (Vec<Seen>, Vec<(u64, usize)>) {
        let (mut window, mut decoder) = (window(framing, start), decoder());
        let (mut seen, mut positions) = (Vec::new(), vec![(start, 0)]);
        let mut rest = &file[usize::try_from(start).unwrap()..];
        let mut blocks = blocks.iter().cycle();
        let mut next_position = start;
        loop {
            window.fill(decoder.as_mut());
            while let Some(decoded) = window.take(decoder.as_mut()) {
                assert_eq!(decoded.position, next_position + decoded.bytes);
                next_position = decoded.position;
                seen.extend(seen_in(decoded));
                positions.push((next_position, seen.len()));
                window.fill(decoder.as_mut());
            }
            if rest.is_empty() && window.is_finished() {
                return (seen, positions);
            }
            let (block, behind) = rest.split_at((*blocks.next().unwrap()).min(rest.len()));
            rest = behind;
            window.append([b"???", block].concat(), 3);
            if rest.is_empty() {
                window.end();
            }
        }
    }

    /// Rows in order, then letters in order: batches may be cut differently.
    pub fn apart(mut seen: Vec<Seen>) -> (Vec<Seen>, Vec<Seen>) {
        let letters = seen
            .extract_if(.., |one| matches!(one, Seen::Letter(..)))
            .collect();
        (seen, letters)
    }

    #[test]
    fn lines_become_records() {
        let row = |text: &str| Seen::Row(text.to_owned());
        let letter = |offset, bytes: &str| Seen::Letter(offset, bytes.as_bytes().to_vec());
        for (framing, file, expected) in [
            (Framing::Lines, "", vec![]),
            (Framing::Lines, "a", vec![row("a")]),
            (Framing::Lines, "a\n", vec![row("a")]),
            (Framing::Lines, "a\r\nb\r\n", vec![row("a"), row("b")]),
            (Framing::Lines, "a\n\nb", vec![row("a"), row(""), row("b")]),
            (Framing::Lines, "123456\r\n1", vec![row("123456"), row("1")]),
            (
                Framing::Lines,
                "1234567\n1",
                vec![letter(0, "123456"), row("1")],
            ),
            (
                Framing::Lines,
                "1\n12345678901234567890\n2\n",
                vec![row("1"), letter(2, "123456"), row("2")],
            ),
            (
                Framing::Lines,
                "1\n12345678901234567890",
                vec![row("1"), letter(2, "123456")],
            ),
            (QUOTED, "\"a\nb\"\nc\n", vec![row("\"a\nb\""), row("c")]),
            (
                QUOTED,
                "\"a\nb\nc\nd\ne\"",
                vec![row("\"a"), row("b"), row("c"), row("d"), row("e\"")],
            ),
            (QUOTED, "\"a\nb", vec![row("\"a"), row("b")]),
            (
                QUOTED,
                "\"12345678\nb",
                vec![letter(0, "\"12345"), row("b")],
            ),
        ] {
            for block in 1..file.len() + 2 {
                let (seen, _) = read(framing, file.as_bytes(), 0, &[block]);
                assert_eq!(
                    apart(seen),
                    apart(expected.clone()),
                    "{file:?} in blocks of {block}"
                );
            }
        }
    }

    #[test]
    fn a_line_without_its_end_waits() {
        let (mut window, mut decoder) = (window(Framing::Lines, 0), decoder());
        let mut decode = |window: &mut RecordWindow| {
            assert!(!window.fill(decoder.as_mut()), "a batch has many records");
            window.take(decoder.as_mut())
        };
        window.append(b"ab\ncd".to_vec(), 0);
        let batch = decode(&mut window).unwrap();
        assert_eq!((batch.records.num_rows(), batch.position), (1, 3));
        assert!(decode(&mut window).is_none());
        window.append(b"e\n".to_vec(), 0);
        let batch = decode(&mut window).unwrap();
        assert_eq!(batch.records.column(0).as_string::<i32>().value(0), "cde");
        assert_eq!(batch.position, 7);
    }

    #[test]
    fn a_long_record_is_not_half_passed() {
        let (mut window, mut decoder) = (window(Framing::Lines, 0), decoder());
        window.append(b"a\n123456789".to_vec(), 0);
        window.fill(decoder.as_mut());
        window.take(decoder.as_mut()).unwrap();
        window.append(b"123456789".to_vec(), 0);
        window.fill(decoder.as_mut());
        assert!(window.take(decoder.as_mut()).is_none());
        assert_eq!(window.position(), 2, "a restart must find the record whole");
    }

    proptest! {
        #[test]
        fn blocks_and_restarts_change_nothing(
            file in "[ab\"\n\r]{0,80}",
            blocks in proptest::collection::vec(1_usize..20, 1..5),
            quoted in any::<bool>(),
        ) {
            let framing = if quoted { QUOTED } else { Framing::Lines };
            let file = file.as_bytes();
            let (straight, _) = read(framing, file, 0, &[file.len() + 1]);
            let (in_blocks, positions) = read(framing, file, 0, &blocks);
            let whole = apart(straight);
            prop_assert_eq!(&apart(in_blocks.clone()), &whole);
            for (position, seen) in positions {
                let (rest, _) = read(framing, file, position, &blocks);
                let joined = [&in_blocks[..seen], rest.as_slice()].concat();
                prop_assert_eq!(&apart(joined), &whole, "restart at {}", position);
            }
        }

        #[test]
        fn lines_are_what_a_naive_split_finds(file in "[abc\n]{0,60}") {
            let (seen, _) = read(Framing::Lines, file.as_bytes(), 0, &[7]);
            let mut expected = Vec::new();
            let mut offset = 0;
            let whole = file.strip_suffix('\n').unwrap_or(&file);
            for line in whole.split('\n').filter(|_| !file.is_empty()) {
                expected.push(if line.len() > LIMITS.record_bytes_max {
                    Seen::Letter(offset, line.as_bytes()[..6].to_vec())
                } else {
                    Seen::Row(line.to_owned())
                });
                offset += line.len() as u64 + 1;
            }
            prop_assert_eq!(apart(seen), apart(expected));
        }
    }
}
