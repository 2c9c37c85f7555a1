//! What makes a file the same file after it was renamed, and another one after
//! it was replaced.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

#[cfg(target_os = "linux")]
use rustix::io::{ReadWriteFlags, preadv2};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How much of a file's beginning tells it from others, in bytes.
const HEAD_BYTES_MAX: usize = 1024;

/// The identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub inode: u64,
    /// How many bytes the hash covers: a file may have been shorter than 1 KiB
    /// when it was found, and have grown since.
    pub head_bytes: usize,
    pub head_hash: u64,
}

impl Identity {
    /// The identity of an open file, as it is now.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let head = read_head(file, HEAD_BYTES_MAX, read_full_at)?;
        Ok(Self {
            inode: metadata.ino(),
            head_bytes: head.len(),
            head_hash: xxh3_64(&head),
        })
    }

    /// Whether `file` still begins as the file with this identity did. What lies
    /// behind its head may have grown.
    pub(super) fn has_head_of(self, file: &File) -> io::Result<bool> {
        self.has_head(file, read_full_at)
    }

    /// The same, read in a certain way.
    pub(super) fn has_head(self, file: &File, read_at: ReadAt) -> io::Result<bool> {
        let head = read_head(file, self.head_bytes, read_at)?;
        Ok(head.len() == self.head_bytes && xxh3_64(&head) == self.head_hash)
    }

    /// Whether `file` lies where the file with this identity did.
    pub(super) fn has_inode_of(self, file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.ino() == self.inode)
    }

    /// Whether `file` is the file with this identity.
    pub(super) fn is(self, file: &File) -> io::Result<bool> {
        Ok(self.has_inode_of(file)? && self.has_head_of(file)?)
    }
}

/// Fills a buffer from an offset on as far as the file goes; how many bytes that is.
pub(super) type ReadAt = fn(&File, &mut [u8], u64) -> io::Result<usize>;

fn read_head(file: &File, bytes: usize, read_at: ReadAt) -> io::Result<Vec<u8>> {
    let mut head = vec![0; bytes];
    let length = read_at(file, &mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// Waits for the bytes.
pub(super) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    fill(buffer, |rest, filled| file.read_at(rest, offset + filled))
}

/// Takes them from the cache of the operating system, and fails if not all are there.
#[cfg(target_os = "linux")]
pub(super) fn read_cached_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    fill(buffer, |rest, filled| {
        let mut rest = [io::IoSliceMut::new(rest)];
        let read = preadv2(file, &mut rest, offset + filled, ReadWriteFlags::NOWAIT);
        read.map_err(io::Error::from)
    })
}

/// No other system can be asked for what it has in its cache.
#[cfg(not(target_os = "linux"))]
pub(super) fn read_cached_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

fn fill(
    buffer: &mut [u8],
    read: impl Fn(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read(rest, filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
