//! A disk in memory that remembers every write, and the files that a crash would leave.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use parking_lot::Mutex;
use redb::StorageBackend;

use crate::random::Random;

/// What can be wrong with a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It says that a sync is done and does nothing: a planted bug.
    pub ignores_sync: bool,
    /// This write, counted from 1, and all after it find it full.
    pub full_at_write: Option<u64>,
    /// This sync, counted from 1, and all after it fail.
    pub fails_at_sync: Option<u64>,
}

/// One thing that was done to the disk.
#[derive(Clone, Debug)]
pub enum Op {
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    SetLen(usize),
    Sync,
    /// Not to the disk: the workload has finished this many steps.
    Done(usize),
}

/// The disk; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    bytes: Vec<u8>,
    /// What was there when the log was begun.
    start: Vec<u8>,
    log: Vec<Op>,
    faults: Faults,
    writes: u64,
    syncs: u64,
}

impl Disk {
    /// A disk that holds `bytes`.
    pub fn holding(bytes: Vec<u8>) -> Self {
        let inner = Inner {
            start: bytes.clone(),
            bytes,
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Begins a new log here, and from here on has these faults.
    pub fn begin(&self, faults: Faults) {
        let mut inner = self.0.lock();
        let bytes = inner.bytes.clone();
        inner.start = bytes;
        inner.log.clear();
        inner.faults = faults;
        inner.writes = 0;
        inner.syncs = 0;
    }

    /// Notes that the workload has finished `steps` steps.
    pub fn note_done(&self, steps: usize) {
        self.0.lock().log.push(Op::Done(steps));
    }

    /// What was there at the beginning of the log, and what came since.
    pub fn recording(&self) -> Recording {
        let inner = self.0.lock();
        Recording {
            start: inner.start.clone(),
            log: inner.log.clone(),
        }
    }

    /// What a reader of the disk finds now.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().bytes.clone()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64> {
        Ok(self.0.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let inner = self.0.lock();
        let found = inner.bytes.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut inner = self.0.lock();
        let len = usize::try_from(len).unwrap();
        if len > inner.bytes.len() {
            inner.count_write()?;
        }
        inner.bytes.resize(len, 0);
        inner.log.push(Op::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let mut inner = self.0.lock();
        inner.syncs += 1;
        if inner
            .faults
            .fails_at_sync
            .is_some_and(|at| inner.syncs >= at)
        {
            return Err(Error::from_raw_os_error(nix::libc::EIO));
        }
        if !inner.faults.ignores_sync {
            inner.log.push(Op::Sync);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut inner = self.0.lock();
        inner.count_write()?;
        let offset = usize::try_from(offset).unwrap();
        let op = Op::Write {
            offset,
            data: data.to_vec(),
        };
        apply(&mut inner.bytes, &op);
        inner.log.push(op);
        Ok(())
    }
}

impl Inner {
    fn count_write(&mut self) -> Result<()> {
        self.writes += 1;
        if self
            .faults
            .full_at_write
            .is_some_and(|at| self.writes >= at)
        {
            return Err(Error::from_raw_os_error(nix::libc::ENOSPC));
        }
        Ok(())
    }
}

/// A log of writes and what they were made on.
pub struct Recording {
    start: Vec<u8>,
    log: Vec<Op>,
}

/// A file that a crash would leave.
pub struct Image {
    pub bytes: Vec<u8>,
    /// How many steps had finished before the crash.
    pub done: usize,
}

impl Recording {
    /// Calls `visit` with `per_point` files that a crash after each operation
    /// could leave: everything synced is there, of the rest whatever chance leaves,
    /// and perhaps one write in part. Stops at the first error.
    pub fn crash_everywhere(
        &self,
        random: &mut Random,
        per_point: usize,
        mut visit: impl FnMut(Image, &mut Random) -> std::result::Result<(), String>,
    ) -> std::result::Result<(), String> {
        let mut durable = self.start.clone();
        let mut pending: Vec<&Op> = Vec::new();
        let mut done = 0;
        for op in &self.log {
            match op {
                Op::Sync => {
                    for op in pending.drain(..) {
                        apply(&mut durable, op);
                    }
                }
                Op::Done(steps) => done = *steps,
                Op::Write { .. } | Op::SetLen(_) => pending.push(op),
            }
            for _ in 0..per_point {
                let bytes = leave(&durable, &pending, random);
                visit(Image { bytes, done }, random)?;
            }
        }
        Ok(())
    }
}

/// The synced bytes with some of the pending operations on them.
fn leave(durable: &[u8], pending: &[&Op], random: &mut Random) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    // From nothing over anything to all of it.
    let kept_percent = [0, 10, 50, 90, 100][random.below(5)];
    let torn = random.below(pending.len().max(1) * 2);
    for (place, op) in pending.iter().enumerate() {
        match op {
            Op::Write { offset, data } if place == torn => {
                tear(&mut bytes, *offset, data, random);
            }
            op if random.below(100) < kept_percent => apply(&mut bytes, op),
            _ => {}
        }
    }
    bytes
}

/// Writes some sectors of a write and not others.
fn tear(bytes: &mut Vec<u8>, offset: usize, data: &[u8], random: &mut Random) {
    let sector = [512, 4096][random.below(2)];
    for (number, part) in data.chunks(sector).enumerate() {
        if random.below(2) == 0 {
            let op = Op::Write {
                offset: offset + number * sector,
                data: part.to_vec(),
            };
            apply(bytes, &op);
        }
    }
}

fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, data } => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Op::SetLen(len) => bytes.resize(*len, 0),
        Op::Sync | Op::Done(_) => {}
    }
}
