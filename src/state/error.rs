//! Why the state could not be opened, read or written.

use std::path::PathBuf;

/// A failure of the state. None is ever retried in process: after a failed
/// fsync the kernel may have dropped the page and report success next time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the directory.
    #[error("the data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// The format is of another version of the program.
    #[error("{0}")]
    Format(String),
    /// The file system failed.
    #[error("cannot {act} {path}: {source}")]
    Io {
        /// What was attempted: `create`, `sync`.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The disk is full.
    #[error("the disk is full: cannot write {0}")]
    DiskFull(PathBuf),
    /// The file holds something that no version of the program wrote there.
    #[error("the state is corrupt: {0}")]
    Corrupt(String),
    /// The database failed.
    #[error("cannot {act} the state: {message}")]
    Database {
        /// What was attempted: `commit`, `read`.
        act: &'static str,
        /// What the database said.
        message: String,
    },
}

/// The result of everything that touches the state.
pub type Result<T, E = Error> = std::result::Result<T, E>;
