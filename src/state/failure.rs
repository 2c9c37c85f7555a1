//! What a failure of the database means for the person who runs the node.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Error, Result};

/// The name of the file of the state in the data directory.
pub(super) const FILE_NAME: &str = "state.redb";

/// Says what was attempted when the database failed.
pub(super) trait ResultExt<T> {
    /// Turns an error of the database into one that says `act`.
    fn doing(self, act: &'static str) -> Result<T>;
}

impl<T, E: Into<redb::Error>> ResultExt<T> for std::result::Result<T, E> {
    fn doing(self, act: &'static str) -> Result<T> {
        self.map_err(|error| from_database(act, error.into()))
    }
}

impl Error {
    /// The same error with the whole path of the file of the state, which the
    /// database does not know.
    pub(super) fn at(self, file: &Path) -> Self {
        let named = |path: PathBuf| {
            if path.as_os_str() == FILE_NAME {
                file.to_owned()
            } else {
                path
            }
        };
        match self {
            Self::DiskFull(path) => Self::DiskFull(named(path)),
            Self::InUse(path) => Self::InUse(named(path)),
            Self::Io { act, path, source } => Self::Io {
                act,
                path: named(path),
                source,
            },
            other => other,
        }
    }
}

/// Something that the index or another record names is not in the file.
pub(super) fn missing(what: &str) -> Error {
    Error::Corrupt(format!("{what} is missing from {FILE_NAME}"))
}

/// An error of the file system.
pub(super) fn from_io(act: &'static str, path: PathBuf, source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull(path),
        _ => Error::Io { act, path, source },
    }
}

fn from_database(act: &'static str, error: redb::Error) -> Error {
    let path = PathBuf::from(FILE_NAME);
    match error {
        redb::Error::Io(source) => from_io(act, path, source),
        redb::Error::Corrupted(why) => Error::Corrupt(format!("{FILE_NAME}: {why}")),
        redb::Error::DatabaseAlreadyOpen => Error::InUse(path),
        redb::Error::UpgradeRequired(version) => Error::Format(format!(
            "{FILE_NAME} has version {version} of redb's file format, which this thalweg cannot \
             read; run the version that wrote it, or start anew with --fresh"
        )),
        other => Error::Database {
            act,
            message: other.to_string(),
        },
    }
}
