//! Gives part files their visible names once their checkpoint is decided, and
//! clears away what a crash has left behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::Value;

use super::part::{Part, Tag, is_partition};
use crate::connectors::directories::sync_directory;
use crate::runtime::{Committer, Error, Result};

/// The committer of one table.
#[derive(Clone)]
pub(super) struct FileCommitter {
    directory: PathBuf,
    tag: Tag,
    is_partitioned: bool,
}

impl FileCommitter {
    pub(super) fn new(directory: PathBuf, tag: Tag, is_partitioned: bool) -> Self {
        Self {
            directory,
            tag,
            is_partitioned,
        }
    }

    fn parts(&self, values: &[Value]) -> Result<Vec<Part>> {
        values
            .iter()
            .map(|value| Part::from_value(value, &self.tag))
            .collect()
    }

    /// Publishes decided part files. Every step may find that it was done before
    /// a crash.
    fn publish_all(&self, parts: &[Part]) -> Result<()> {
        for part in parts {
            self.publish_one(part)?;
        }
        if parts.is_empty() {
            return Ok(());
        }
        // Also if nothing was renamed: the crash may have come before this.
        let paths = parts.iter().map(|part| part.visible_path(&self.directory));
        let directories: BTreeSet<PathBuf> = paths
            .filter_map(|path| path.parent().map(Path::to_owned))
            .collect();
        let mut there = directories.iter().filter(|directory| directory.is_dir());
        there
            .try_for_each(|directory| sync_directory(directory))
            .map_err(|error| self.failed(&error))
    }

    fn publish_one(&self, part: &Part) -> Result<()> {
        let hidden = part.hidden_path(&self.directory);
        let visible = part.visible_path(&self.directory);
        let lengths = (self.length_of(&hidden)?, self.length_of(&visible)?);
        match lengths {
            (Some(length), None) if length == part.length => {
                rename_new(&hidden, &visible).map_err(|error| match error.kind() {
                    ErrorKind::AlreadyExists => foreign(&visible),
                    _ => self.failed(&error),
                })
            }
            (None, Some(length)) if length == part.length => Ok(()),
            (Some(_), Some(_)) => Err(foreign(&visible)),
            (Some(length), None) | (None, Some(length)) => Err(Error::Fatal(format!(
                "part file '{}' has {length} bytes but {} of them were decided; someone else has \
                 changed it",
                visible.display(),
                part.length
            ))),
            // It was renamed before a crash, and a reader has taken it since, as
            // readers may: its hidden name was durable before the decision, and
            // nobody but a committer touches it.
            (None, None) if self.directory.is_dir() => {
                tracing::warn!(
                    file = %visible.display(),
                    "a decided part file is gone; going on, since a reader must have taken it"
                );
                Ok(())
            }
            (None, None) => Err(Error::Fatal(format!(
                "part file '{}' was decided but its directory is missing; put it back (is its \
                 volume mounted?), or start afresh with --fresh",
                visible.display()
            ))),
        }
    }

    /// Cuts a part file that was still being written back to what the checkpoint
    /// has of it, and publishes that.
    fn settle_open(&self, part: &Part) -> Result<()> {
        let hidden = part.hidden_path(&self.directory);
        if part.length == 0 {
            // Without a row it is nobody's file: it goes with the orphans.
            return Ok(());
        }
        if let Some(length) = self.length_of(&hidden)? {
            if length < part.length {
                return Err(Error::Fatal(format!(
                    "part file '{}' has {length} bytes but {} were made durable; the disk has lost \
                     some of them",
                    hidden.display(),
                    part.length
                )));
            }
            let cut = || {
                let file = File::options().write(true).open(&hidden)?;
                file.set_len(part.length)?;
                file.sync_all()
            };
            cut().map_err(|error| self.failed(&error))?;
        }
        self.publish_one(part)
    }

    /// Removes the hidden files of this table that no checkpoint speaks of, and makes that
    /// durable.
    fn discard_orphans(&self) -> io::Result<()> {
        let mut directories = vec![self.directory.clone()];
        while let Some(directory) = directories.pop() {
            let entries = match fs::read_dir(&directory) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                if self.tag.is_in_progress(name) {
                    fs::remove_file(entry.path())?;
                } else if self.is_partitioned && is_partition(name) && entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                }
            }
            sync_directory(&directory)?;
        }
        Ok(())
    }

    fn length_of(&self, path: &Path) -> Result<Option<u64>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::Retryable(format!(
            "cannot publish in '{}': {error}",
            self.directory.display()
        ))
    }

    /// Does blocking work away from the engine's threads.
    async fn blocking(
        &self,
        work: impl FnOnce(&Self) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| self.failed(&io::Error::other(error)))?
    }
}

#[async_trait]
impl Committer for FileCommitter {
    async fn publish(&self, decided: &[Value]) -> Result<()> {
        let parts = self.parts(decided)?;
        self.blocking(move |this| this.publish_all(&parts)).await
    }

    async fn recover(&self, decided: &[Value], open: &[Value]) -> Result<()> {
        let (decided, open) = (self.parts(decided)?, self.parts(open)?);
        self.blocking(move |this| {
            this.publish_all(&decided)?;
            open.iter().try_for_each(|part| this.settle_open(part))?;
            this.discard_orphans().map_err(|error| this.failed(&error))
        })
        .await
    }
}

fn foreign(visible: &Path) -> Error {
    Error::Fatal(format!(
        "cannot publish '{}': another file has this name; move it away",
        visible.display()
    ))
}

/// Renames a file to a name that nothing has yet.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // The file system cannot refuse by itself; then a look beforehand must do.
        Err(Errno::EINVAL | Errno::ENOSYS) if fs::symlink_metadata(to).is_err() => {
            fs::rename(from, to)
        }
        Err(Errno::EINVAL | Errno::ENOSYS) => Err(ErrorKind::AlreadyExists.into()),
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;
    use crate::connectors::{JobContext, testing};
    use crate::stream::CheckpointId;

    /// A reader that took a part file between its renaming and the note of it once
    /// kept the job from starting again.
    #[test]
    fn a_decided_part_that_a_reader_has_taken_is_published() {
        let directory = TempDir::new().unwrap();
        let job = JobContext {
            job: Uuid::from_u128(1),
            ..testing::job()
        };
        let tag = Tag::new(&job, "t");
        let part = Part {
            file: tag.name(0, CheckpointId(0), 0, "csv"),
            length: 4,
        };
        let committer = FileCommitter::new(directory.path().to_owned(), tag, false);
        let log = directory.path().join("log");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Arc::new(File::create(&log).unwrap()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let parts = std::slice::from_ref(&part);
            committer.publish_all(parts).unwrap();
            // The same of a part that recovery itself has cut and published.
            committer.settle_open(&part).unwrap();
        });
        let log = fs::read_to_string(&log).unwrap();
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        for line in lines {
            assert!(line.contains("WARN") && line.contains(&part.file), "{line}");
        }
    }
}
