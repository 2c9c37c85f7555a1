//! A directory of log files that grows while it is followed: lines are appended,
//! files are rotated and deleted, whole files appear.
//!
//! *Why no row is late.* A row is late if a watermark passes it, and a watermark
//! lies [`DELAY_MS`] behind a row that was read. So a line is held back as long as
//! a line that is `DELAY_MS` or more behind it has not been read **for good**: all
//! sources of the program have a decided checkpoint behind it, as the state that a
//! kill left says. Then nothing that the program may do in any life, in any order
//! of the files, with any number of workers and whatever it takes for idle, makes
//! a row late; every row belongs into its windows, and the oracle is exact. If the
//! state told a lie here, rows would be late and the campaign would fail: the gate
//! can spoil a run but never hide a fault.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::iter::Peekable;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::log::{Line, Log, Row, SERVERS};
use crate::random::Random;

/// How far the watermark lies behind, in event time: 18,000 lines.
pub const DELAY_MS: i64 = 180_000;

/// A file is rotated at about this size.
const ROTATE_BYTES: u64 = 1 << 20;
/// So many rotated files are kept although they were read.
const ROTATED_KEPT: usize = 8;
/// From one time that lines are written to the next, on average.
pub const PAUSE_MEAN: Duration = Duration::from_millis(8);
/// From one row that closes windows to the next.
const SENTINEL_EVERY: Duration = Duration::from_millis(100);

/// What the writer and the campaign tell each other.
#[derive(Default)]
pub struct Shared {
    ledger: Mutex<Ledger>,
    /// The most lines that are written at a time: they must not all be there long
    /// before the next kill, which would then strike a program at rest.
    pub lines_at_once: AtomicU64,
    /// How many lines may be written so far.
    pub lines_allowed: AtomicU64,
    /// How many lines were taken from the log.
    pub lines_written: AtomicU64,
    /// Whether rows that close the windows of all others are to be written.
    pub closing: AtomicBool,
    /// How many of those there are.
    pub sentinels_written: AtomicU64,
}

/// What was written, and has not been read for good.
#[derive(Default)]
struct Ledger {
    /// By inode.
    files: BTreeMap<u64, Written>,
    /// The time of the oldest row among them.
    oldest_ms: Option<i64>,
}

/// One file.
#[derive(Default)]
struct Written {
    /// Where each of its lines ends, with the row's time.
    unread: VecDeque<(u64, Option<i64>)>,
}

impl Shared {
    /// Takes in how far each file was read for good by all sources.
    pub fn read_for_good(&self, offsets: &BTreeMap<u64, u64>) {
        let mut ledger = self.ledger.lock();
        for (inode, file) in &mut ledger.files {
            let read_to = offsets.get(inode).copied().unwrap_or(0);
            while file.unread.front().is_some_and(|(end, _)| *end <= read_to) {
                file.unread.pop_front();
            }
        }
        let times = ledger.files.values().flat_map(|file| &file.unread);
        ledger.oldest_ms = times.filter_map(|(_, time_ms)| *time_ms).min();
    }

    /// Whether everything that was written was read for good.
    pub fn all_read(&self) -> bool {
        let ledger = self.ledger.lock();
        ledger.files.values().all(|file| file.unread.is_empty())
    }

    fn may_write(&self, row: &Row) -> bool {
        let oldest_ms = self.ledger.lock().oldest_ms;
        oldest_ms.is_none_or(|oldest_ms| row.time_ms < oldest_ms + DELAY_MS)
    }

    fn note(&self, inode: u64, end: u64, time_ms: Option<i64>) {
        let mut ledger = self.ledger.lock();
        let file = ledger.files.entry(inode).or_default();
        file.unread.push_back((end, time_ms));
        let oldest_ms = ledger.oldest_ms.into_iter().chain(time_ms).min();
        ledger.oldest_ms = oldest_ms;
    }

    fn is_read(&self, inode: u64) -> bool {
        let ledger = self.ledger.lock();
        let file = ledger.files.get(&inode);
        file.is_none_or(|file| file.unread.is_empty())
    }
}

/// A line that cannot be decoded, and where it begins in its file.
pub struct Planted {
    pub bytes: Vec<u8>,
    pub offset: u64,
}

/// Writes the log into a directory.
pub struct Writer {
    root: PathBuf,
    random: Random,
    log: Peekable<Log>,
    shared: Arc<Shared>,
    live: BTreeMap<u64, Open>,
    rotated: VecDeque<(PathBuf, u64)>,
    /// Deleted files stay open, so that their inodes are not given out again and
    /// an inode names one file for the whole campaign.
    held: Vec<File>,
    names: u64,
    planted: Vec<Planted>,
    sentinel_ms: i64,
    sentinel_at: Instant,
}

/// A file that grows.
struct Open {
    path: PathBuf,
    file: File,
    inode: u64,
    end: u64,
    /// What was not handed to the operating system yet, so that a file may end in
    /// the middle of a line.
    buffer: Vec<u8>,
}

impl Writer {
    /// A writer of `log` into the existing directory `root`.
    pub fn new(root: &Path, seed: u64, log: Log, shared: Arc<Shared>) -> Self {
        Self {
            root: root.to_owned(),
            random: Random::new(seed, 2),
            sentinel_ms: sentinel_ms(&log),
            log: log.peekable(),
            shared,
            live: BTreeMap::new(),
            rotated: VecDeque::new(),
            held: Vec::new(),
            names: 0,
            planted: Vec::new(),
            sentinel_at: Instant::now(),
        }
    }

    /// Writes until `stop` is dropped, and hands over what it has planted.
    pub fn run(mut self, stop: &Receiver<()>) -> io::Result<Vec<Planted>> {
        loop {
            let pause = self.random.time_below(PAUSE_MEAN * 2);
            if stop.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
            self.write_some()?;
        }
        for open in self.live.values_mut() {
            open.flush_all()?;
        }
        Ok(self.planted)
    }

    fn write_some(&mut self) -> io::Result<()> {
        if self.random.once_in(40) {
            self.write_whole_file()?;
        }
        let at_once = self.shared.lines_at_once.load(Ordering::Acquire);
        let lines = self.random.below(at_once + 1);
        for _ in 0..lines {
            let Some(line) = self.next_line() else {
                break;
            };
            let server = line.server;
            self.append(server, &line)?;
        }
        if self.shared.closing.load(Ordering::Acquire) {
            self.write_sentinels()?;
        }
        for open in self.live.values_mut() {
            open.flush_some(&mut self.random)?;
        }
        self.rotate()?;
        self.delete_old()
    }

    /// The next line, if it may be written by now.
    fn next_line(&mut self) -> Option<Line> {
        let shared = &self.shared;
        if shared.lines_written.load(Ordering::Acquire)
            >= shared.lines_allowed.load(Ordering::Acquire)
        {
            return None;
        }
        let line = self
            .log
            .next_if(|line| line.row.as_ref().is_none_or(|row| shared.may_write(row)))?;
        shared.lines_written.fetch_add(1, Ordering::AcqRel);
        Some(line)
    }

    fn append(&mut self, server: u64, line: &Line) -> io::Result<()> {
        if let std::collections::btree_map::Entry::Vacant(vacant) = self.live.entry(server) {
            vacant.insert(Open::create(self.root.join(format!("web-{server}.log")))?);
        }
        let open = self.live.get_mut(&server).expect("it was just opened");
        open.append(line, &self.shared, &mut self.planted);
        Ok(())
    }

    /// Writes a file elsewhere and moves it in as a whole, as an upload would.
    fn write_whole_file(&mut self) -> io::Result<()> {
        let path = self.root.with_extension("upload");
        let mut open = Open::create(path.clone())?;
        for _ in 0..self.random.below(400) {
            let Some(line) = self.next_line() else {
                break;
            };
            open.append(&line, &self.shared, &mut self.planted);
        }
        if open.end == 0 {
            return fs::remove_file(path);
        }
        open.flush_all()?;
        self.names += 1;
        let name = self.root.join(format!("upload-{}.log", self.names));
        fs::rename(&path, &name)?;
        self.rotated.push_back((name, open.inode));
        self.held.push(open.file);
        Ok(())
    }

    fn write_sentinels(&mut self) -> io::Result<()> {
        if self.sentinel_at.elapsed() < SENTINEL_EVERY {
            return Ok(());
        }
        self.sentinel_at = Instant::now();
        for server in 0..SERVERS {
            let number = self.shared.sentinels_written.fetch_add(1, Ordering::AcqRel);
            let row = sentinel(number, self.sentinel_ms);
            let line = Line {
                server,
                bytes: row.logged().into_bytes(),
                row: Some(row),
            };
            self.append(server, &line)?;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for server in 0..SERVERS {
            let is_due = self.live.get(&server).is_some_and(|open| {
                open.end >= ROTATE_BYTES || (open.end > 0 && self.random.once_in(600))
            });
            if !is_due {
                continue;
            }
            let mut open = self.live.remove(&server).expect("it was just seen");
            open.flush_all()?;
            self.names += 1;
            let name = self.root.join(format!("web-{server}.log.{}", self.names));
            fs::rename(&open.path, &name)?;
            self.rotated.push_back((name, open.inode));
            self.held.push(open.file);
        }
        Ok(())
    }

    /// Deletes old files that were read for good.
    fn delete_old(&mut self) -> io::Result<()> {
        while self.rotated.len() > ROTATED_KEPT {
            let Some((path, inode)) = self.rotated.front() else {
                break;
            };
            if !self.shared.is_read(*inode) {
                break;
            }
            fs::remove_file(path)?;
            self.rotated.pop_front();
        }
        Ok(())
    }
}

/// The time of the rows that close the windows of all rows of `log`: behind the
/// end of the last window there may be.
pub fn sentinel_ms(log: &Log) -> i64 {
    log.last_ms() + DELAY_MS + 120_000
}

/// The closing row with this number. They all have one time: none may close the
/// windows of another.
fn sentinel(number: u64, time_ms: i64) -> Row {
    Row::sentinel(SENTINEL_ID_FIRST + number, time_ms)
}

/// The number of the first closing row; those of the log are smaller.
pub const SENTINEL_ID_FIRST: u64 = 1 << 40;

impl Open {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        Ok(Self {
            path,
            inode: file.metadata()?.ino(),
            file,
            end: 0,
            buffer: Vec::new(),
        })
    }

    fn append(&mut self, line: &Line, shared: &Shared, planted: &mut Vec<Planted>) {
        if line.row.is_none() {
            planted.push(Planted {
                bytes: line.bytes.clone(),
                offset: self.end,
            });
        }
        self.buffer.extend_from_slice(&line.bytes);
        self.buffer.push(b'\n');
        self.end += line.bytes.len() as u64 + 1;
        let time_ms = line.row.as_ref().map(|row| row.time_ms);
        shared.note(self.inode, self.end, time_ms);
    }

    /// Writes most of the time all, else a part that ends anywhere.
    fn flush_some(&mut self, random: &mut Random) -> io::Result<()> {
        if self.buffer.is_empty() || !random.once_in(4) {
            return self.flush_all();
        }
        let cut = usize::try_from(random.below(self.buffer.len() as u64)).unwrap_or(0);
        self.file.write_all(&self.buffer[..cut])?;
        self.buffer.drain(..cut);
        Ok(())
    }

    fn flush_all(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
