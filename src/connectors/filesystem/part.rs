//! The names of part files, and what a checkpoint keeps of one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::connectors::JobContext;
use crate::runtime::{Error, Result};
use crate::stream::CheckpointId;

/// The ending of a name while its file is written.
const IN_PROGRESS: &str = ".inprogress";

/// What tells the files of one table of one job from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    /// The tag of a table at one plan node. Two tables of one job may share a
    /// directory, and two nodes may write one table, so the job alone would not
    /// do: one would discard what the other still writes.
    pub(super) fn new(job: &JobContext, table: &str) -> Self {
        let mut name = job.job.as_bytes().to_vec();
        name.extend_from_slice(&job.operator.0.to_be_bytes());
        name.extend_from_slice(table.as_bytes());
        Self(format!("{:08x}", xxh3_64(&name) >> 32))
    }

    /// The visible name of a part file.
    pub(super) fn name(
        &self,
        task: usize,
        restored: CheckpointId,
        number: u64,
        extension: &str,
    ) -> String {
        format!("part-{}-{task}-{restored}-{number}.{extension}", self.0)
    }

    /// Whether `name` is a part file of this table that is still hidden.
    pub(super) fn is_in_progress(&self, name: &str) -> bool {
        let visible = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(IN_PROGRESS));
        visible.is_some_and(|name| self.is_part(name))
    }

    fn is_part(&self, name: &str) -> bool {
        let rest = name
            .strip_prefix("part-")
            .and_then(|rest| rest.strip_prefix(self.0.as_str()));
        rest.is_some_and(|rest| rest.starts_with('-')) && !name.contains('/')
    }
}

/// A part file as a checkpoint keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// Its visible name, below the directories of its partition.
    pub file: String,
    /// How many of its bytes belong to the checkpoint.
    pub length: u64,
}

impl Part {
    /// The value that the checkpoint keeps.
    pub(super) fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a part file's entry is plain data")
    }

    /// The part file that a checkpoint has kept; only one of this table, so that
    /// no damaged entry can reach another file.
    pub(super) fn from_value(value: &Value, tag: &Tag) -> Result<Self> {
        let part: Option<Self> = serde_json::from_value(value.clone()).ok();
        let is_own = |part: &Self| {
            let mut segments = part.file.rsplit('/');
            segments.next().is_some_and(|name| tag.is_part(name)) && segments.all(is_partition)
        };
        part.filter(is_own).ok_or_else(|| {
            Error::Fatal(format!(
                "the checkpoint's output {value} is no part file of this table"
            ))
        })
    }

    /// Where it is while nobody may read it.
    pub(super) fn hidden_path(&self, directory: &Path) -> PathBuf {
        let (below, name) = self.file.rsplit_once('/').unwrap_or(("", &self.file));
        hidden_path(&directory.join(below), name)
    }

    /// Where it is when it is published.
    pub(super) fn visible_path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.file)
    }
}

/// Whether a directory may be one of a partition: `key=value`.
pub(super) fn is_partition(name: &str) -> bool {
    name.contains('=') && !name.starts_with('.') && !name.contains('/')
}

/// Where the part file with this visible name is while it is written.
pub(super) fn hidden_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}{IN_PROGRESS}"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::connectors::testing;

    #[test]
    fn a_table_knows_its_own_files_only() {
        let job = |number| JobContext {
            job: Uuid::from_u128(number),
            ..testing::job()
        };
        let tag = Tag::new(&job(1), "t");
        assert_ne!(tag, Tag::new(&job(2), "t"));
        assert_ne!(tag, Tag::new(&job(1), "u"));
        let name = tag.name(0, CheckpointId(7), 3, "json");
        let hidden = hidden_path(Path::new(""), &name);
        assert!(tag.is_in_progress(hidden.to_str().unwrap()));
        for (foreign, expected) in [
            (name.as_str(), false),
            (".part-00000000-0-0-0.json.inprogress", false),
            (".hidden", false),
            ("", false),
        ] {
            assert_eq!(tag.is_in_progress(foreign), expected, "{foreign}");
        }
        let outside = format!("../{name}");
        let elsewhere = format!("a/{name}");
        for file in [
            "../x",
            "other.json",
            "part-00000000-0-0-0.json",
            "",
            &outside,
            &elsewhere,
        ] {
            let value = serde_json::json!({"file": file, "length": 1});
            assert!(Part::from_value(&value, &tag).is_err(), "{file}");
        }
        let part = Part {
            file: name,
            length: 5,
        };
        assert_eq!(Part::from_value(&part.to_value(), &tag).unwrap(), part);
    }
}
