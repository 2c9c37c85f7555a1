//! A segment: the records that one task has written for one checkpoint, in a file.
//!
//! Its name says all that must be known of it, so a directory is its own list. While it is
//! written it is `.TASK.open`; durable, but of an undecided checkpoint, `.NAME.prepared`; and
//! NAME once it is decided. What is in it are blocks of records, each with its length and a
//! hash.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::kafka::{Header, Record};

/// What a file begins with: the format and its version.
const MAGIC: &[u8] = b"thalweg outbox 1\n";

/// The ending of a decided segment's name.
const ENDING: &str = ".segment";

/// How long a block may be, so that a damaged length is not believed.
const BLOCK_BYTES_MAX: u32 = 1 << 30;

/// A finished segment. They are sent in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Segment {
    /// The checkpoint to which the records belong.
    pub checkpoint: u64,
    /// The task that has written them.
    pub task: usize,
    /// How many records there are.
    pub records: u64,
    /// How long the file is.
    pub bytes: u64,
}

impl Segment {
    /// The segment with this visible name, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(ENDING)?.split('-');
        let segment = Self {
            checkpoint: parts.next()?.parse().ok()?,
            task: parts.next()?.parse().ok()?,
            records: parts.next()?.parse().ok()?,
            bytes: parts.next()?.parse().ok()?,
        };
        (segment.name() == name).then_some(segment)
    }

    fn name(&self) -> String {
        let Self {
            checkpoint,
            task,
            records,
            bytes,
        } = self;
        format!("{checkpoint}-{task}-{records}-{bytes}{ENDING}")
    }

    /// Where it is while its checkpoint is undecided.
    pub fn prepared_path(&self, directory: &Path) -> PathBuf {
        directory.join(format!(".{}.prepared", self.name()))
    }

    /// Where it is once its checkpoint is decided.
    pub fn decided_path(&self, directory: &Path) -> PathBuf {
        directory.join(self.name())
    }
}

/// Where a task writes the segment of the next checkpoint.
pub(super) fn open_path(directory: &Path, task: usize) -> PathBuf {
    directory.join(format!(".{task}.open"))
}

/// Writes a segment.
pub(super) struct SegmentWriter {
    file: File,
    block: Vec<u8>,
    pub records: u64,
    pub bytes: u64,
}

impl SegmentWriter {
    /// An empty segment, in the place of whatever a crash has left there.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        file.write_all(MAGIC)?;
        Ok(Self {
            file,
            block: Vec::new(),
            records: 0,
            bytes: MAGIC.len() as u64,
        })
    }

    /// Adds a record to the block.
    pub fn push(&mut self, record: &Record<'_>) {
        put(&mut self.block, record.key);
        put(&mut self.block, record.value);
        // A time is never 0.
        let timestamp = record.timestamp.unwrap_or(0);
        self.block.extend_from_slice(&timestamp.to_le_bytes());
        self.block.extend_from_slice(&length(record.headers.len()));
        for (key, value) in record.headers {
            put(&mut self.block, Some(key.as_bytes()));
            put(&mut self.block, *value);
        }
        self.records += 1;
    }

    /// Writes the block; how long it has become.
    pub fn end_block(&mut self) -> io::Result<u64> {
        if self.block.is_empty() {
            return Ok(0);
        }
        let mut head = length(self.block.len()).to_vec();
        head.extend_from_slice(&xxh3_64(&self.block).to_le_bytes());
        self.file.write_all(&head)?;
        self.file.write_all(&self.block)?;
        let bytes = (head.len() + self.block.len()) as u64;
        self.bytes += bytes;
        self.block.clear();
        Ok(bytes)
    }

    /// The file, all of whose blocks are written.
    pub fn into_file(self) -> File {
        self.file
    }
}

fn length(of: usize) -> [u8; 4] {
    let length = u32::try_from(of).expect("a block is shorter than its limit");
    length.to_le_bytes()
}

/// Appends bytes behind their length; one more than it is, as 0 stands for none.
fn put(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    out.extend_from_slice(&length(bytes.map_or(0, |bytes| bytes.len() + 1)));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Reads a decided segment block by block.
pub(super) struct SegmentReader {
    file: BufReader<File>,
    left: u64,
}

impl SegmentReader {
    pub fn open(segment: &Segment, directory: &Path) -> io::Result<Self> {
        let file = File::open(segment.decided_path(directory))?;
        if file.metadata()?.len() != segment.bytes {
            return Err(damaged("its length has changed"));
        }
        let mut file = BufReader::new(file);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(damaged("it is of another version or no segment"));
        }
        let left = segment.bytes - MAGIC.len() as u64;
        Ok(Self { file, left })
    }

    /// The next block; `None` at the end.
    pub fn next_block(&mut self) -> io::Result<Option<Block>> {
        if self.left == 0 {
            return Ok(None);
        }
        let (mut length, mut hash) = ([0; 4], [0; 8]);
        self.file.read_exact(&mut length)?;
        self.file.read_exact(&mut hash)?;
        let length = u32::from_le_bytes(length);
        let whole = u64::from(length) + 12;
        if length > BLOCK_BYTES_MAX || whole > self.left {
            return Err(damaged("a block ends behind the file"));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        if xxh3_64(&bytes) != u64::from_le_bytes(hash) {
            return Err(damaged("a block is not what was written"));
        }
        self.left -= whole;
        Ok(Some(Block(bytes)))
    }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

/// Some records.
pub(super) struct Block(Vec<u8>);

/// A record that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub timestamp: Option<i64>,
    pub headers: Vec<Header<'a>>,
}

impl Block {
    /// Its records.
    pub fn records(&self) -> io::Result<Vec<Stored<'_>>> {
        let mut rest = self.0.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let record = record(&mut rest);
            records.push(record.ok_or_else(|| damaged("a record is cut off"))?);
        }
        Ok(records)
    }
}

fn record<'a>(rest: &mut &'a [u8]) -> Option<Stored<'a>> {
    let (key, value) = (take(rest)?, take(rest)?);
    let timestamp = i64::from_le_bytes(*rest.split_off(..8)?.as_array()?);
    let count = number(rest)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = std::str::from_utf8(take(rest)??).ok()?;
        headers.push((name, take(rest)?));
    }
    Some(Stored {
        key,
        value,
        timestamp: (timestamp != 0).then_some(timestamp),
        headers,
    })
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*rest.split_off(..4)?.as_array()?))
}

/// What [`put`] has written; the outer `None` is damage.
#[expect(clippy::option_option, reason = "one of them is an error")]
fn take<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match number(rest)?.checked_sub(1) {
        None => Some(None),
        Some(length) => rest.split_off(..length as usize).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HEADERS: [Header<'_>; 2] = [("h", Some(b"x")), ("none", None)];

    fn records() -> [Record<'static>; 3] {
        let plain = Record {
            topic: "t",
            partition: None,
            key: None,
            value: Some(b"value"),
            timestamp: None,
            headers: &[],
        };
        let full = Record {
            key: Some(b"key"),
            timestamp: Some(-7),
            headers: &HEADERS,
            ..plain
        };
        let tombstone = Record {
            key: Some(b""),
            value: None,
            ..plain
        };
        [plain, full, tombstone]
    }

    /// A decided segment with two blocks of these records.
    fn written(directory: &Path) -> Segment {
        let path = open_path(directory, 3);
        let mut writer = SegmentWriter::create(&path).unwrap();
        for _ in 0..2 {
            for record in &records() {
                writer.push(record);
            }
            assert!(writer.end_block().unwrap() > 0);
        }
        assert_eq!(writer.end_block().unwrap(), 0);
        let segment = Segment {
            checkpoint: 7,
            task: 3,
            records: writer.records,
            bytes: writer.bytes,
        };
        fs::rename(path, segment.decided_path(directory)).unwrap();
        segment
    }

    fn read(segment: &Segment, directory: &Path) -> io::Result<usize> {
        let mut reader = SegmentReader::open(segment, directory)?;
        let mut seen = 0;
        while let Some(block) = reader.next_block()? {
            for (found, record) in block.records()?.iter().zip(records().iter().cycle()) {
                let expected = Stored {
                    key: record.key,
                    value: record.value,
                    timestamp: record.timestamp,
                    headers: record.headers.to_vec(),
                };
                assert_eq!(*found, expected);
                seen += 1;
            }
        }
        Ok(seen)
    }

    #[test]
    fn what_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let segment = written(directory.path());
        assert_eq!(read(&segment, directory.path()).unwrap(), 6);
        let name = segment.decided_path(Path::new(""));
        assert_eq!(Segment::parse(name.to_str().unwrap()), Some(segment));
        for name in [
            "",
            "journal",
            "1-2-3.segment",
            "01-2-3-4.segment",
            "1-2-3-4",
        ] {
            assert_eq!(Segment::parse(name), None, "{name}");
        }
    }

    #[test]
    fn any_damage_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let segment = written(directory.path());
        let path = segment.decided_path(directory.path());
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(read(&segment, directory.path()).is_err(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(read(&segment, directory.path()).is_err(), "cut at {at}");
        }
    }
}
