//! Finds the files of a table and puts them in order.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use regex::Regex;

use super::identity::Identity;
use super::options::SourceOptions;
use super::partitions::WantedPartitions;
use super::source::FileSpec;
use crate::runtime::{Discovery, Enumerator, Error, Result, Split};

/// Looks for files below the table's path.
pub(super) struct FileEnumerator {
    options: SourceOptions,
    /// Which partitions are looked at, if not all.
    wanted: Option<WantedPartitions>,
    /// Files that were seen to be known ones, as they looked then: as long as a
    /// file looks the same, its head need not be read again.
    seen: HashMap<PathBuf, Look>,
}

/// How a file looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    bytes: u64,
    modified_nanos: i128,
}

/// A file that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    relative: String,
    look: Look,
}

impl FileEnumerator {
    pub(super) fn new(options: SourceOptions, wanted: Option<WantedPartitions>) -> Self {
        Self {
            options,
            wanted,
            seen: HashMap::new(),
        }
    }
}

#[async_trait]
impl Enumerator for FileEnumerator {
    fn interval(&self) -> Duration {
        self.options.monitor_interval.unwrap_or_default()
    }

    async fn discover(&mut self, known: &[Split]) -> Result<Discovery> {
        let following = self.options.monitor_interval.is_some();
        if !following && !known.is_empty() {
            // The list was resolved at the first look; files that came later
            // belong to the next run.
            return Ok(Discovery {
                found: Vec::new(),
                complete: true,
            });
        }
        let specs: Vec<FileSpec> = known.iter().map(FileSpec::of).collect::<Result<_>>()?;
        let options = self.options.clone();
        let wanted = self.wanted.clone();
        let mut seen = std::mem::take(&mut self.seen);
        let looked = tokio::task::spawn_blocking(move || {
            let found = if following {
                find_new(&options, wanted.as_ref(), &specs, &mut seen)
            } else {
                find_all(&options, wanted.as_ref())
            };
            (found, seen)
        });
        let (found, seen) = looked
            .await
            .map_err(|error| Error::Retryable(format!("cannot look for files: {error}")))?;
        self.seen = seen;
        let path = self.options.path.display();
        let found = found.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => {
                Error::Fatal(format!("cannot read '{path}': {error}"))
            }
            _ => Error::Retryable(format!("cannot read '{path}': {error}")),
        })?;
        Ok(Discovery {
            found,
            complete: !following,
        })
    }
}

/// Every file of a bounded read, in natural order of the names.
fn find_all(options: &SourceOptions, wanted: Option<&WantedPartitions>) -> io::Result<Vec<Split>> {
    let mut files = list(&options.path, options.pattern.as_ref(), wanted)?;
    files.sort_by(|a, b| compare_naturally(&a.relative, &b.relative));
    files
        .iter()
        .map(|file| {
            let identity = Identity::of(&File::open(&file.path)?)?;
            let id = file.name();
            Ok(split(id, file, identity, Some(file.look.bytes)))
        })
        .collect()
}

/// The files that are none of the known ones, the one that was changed longest ago first.
fn find_new(
    options: &SourceOptions,
    wanted: Option<&WantedPartitions>,
    known: &[FileSpec],
    seen: &mut HashMap<PathBuf, Look>,
) -> io::Result<Vec<Split>> {
    let mut by_inode: HashMap<u64, Vec<&FileSpec>> = HashMap::new();
    for spec in known {
        by_inode.entry(spec.identity.inode).or_default().push(spec);
    }
    let mut files = match list(&options.path, options.pattern.as_ref(), wanted) {
        // A log file that is rotated is missing for a moment; its directory is not.
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_directory(&options.path) => {
            Vec::new()
        }
        listed => listed?,
    };
    files.sort_by(|a, b| {
        let by_time = a.look.modified_nanos.cmp(&b.look.modified_nanos);
        by_time.then_with(|| compare_naturally(&a.relative, &b.relative))
    });
    let (mut looks, mut splits, mut taken) = (HashMap::new(), Vec::new(), Vec::new());
    for file in &files {
        // A file without a byte cannot be told from others yet.
        if file.look.bytes == 0 {
            continue;
        }
        if seen.get(&file.path) == Some(&file.look) {
            looks.insert(file.path.clone(), file.look);
            continue;
        }
        let opened = match File::open(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let mut is_known = false;
        for spec in by_inode.get(&file.look.inode).into_iter().flatten() {
            is_known |= spec.identity.is(&opened)?;
        }
        if is_known {
            looks.insert(file.path.clone(), file.look);
            continue;
        }
        let identity = Identity::of(&opened)?;
        if identity.head_bytes > 0 && !taken.contains(&identity) {
            taken.push(identity);
            let id = format!(
                "{}@{:x}-{:016x}",
                file.name(),
                identity.inode,
                identity.head_hash
            );
            splits.push(split(id, file, identity, None));
        }
    }
    *seen = looks;
    Ok(splits)
}

fn split(id: String, file: &Found, identity: Identity, length: Option<u64>) -> Split {
    let spec = FileSpec {
        path: file.relative.clone(),
        identity,
        length,
    };
    Split {
        id,
        spec: serde_json::to_value(spec).expect("a file's spec is plain data"),
    }
}

/// Whether the directory in which `path` would lie exists.
fn has_directory(path: &Path) -> bool {
    path.parent().is_some_and(Path::is_dir)
}

impl Found {
    /// How people know it: the path below the table's, or the file's own name.
    fn name(&self) -> String {
        if self.relative.is_empty() {
            let name = self.path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        } else {
            self.relative.clone()
        }
    }
}

/// All files below `root` whose names and directories' names do not begin with
/// `.` or `_`, and that are of partitions which are wanted, in no order; `root` itself if it is a
/// file.
pub(super) fn list(
    root: &Path,
    pattern: Option<&Regex>,
    wanted: Option<&WantedPartitions>,
) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    if fs::metadata(root)?.is_file() {
        files.extend(found(root, String::new())?);
        return Ok(files);
    }
    let mut directories = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                let what = format!("the name of file {} is not UTF-8", name.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            })?;
            if name.starts_with(['.', '_']) {
                continue;
            }
            let relative = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                if wanted.is_none_or(|wanted| !wanted.skip(&relative)) {
                    directories.push((entry.path(), format!("{relative}/")));
                }
            } else if let Some(file) = found(&entry.path(), relative)? {
                let path = file.path.to_string_lossy();
                if pattern.is_none_or(|pattern| pattern.is_match(&path)) {
                    files.push(file);
                }
            }
        }
    }
    Ok(files)
}

/// What is there, if it is a file; something may be removed while it is listed.
fn found(path: &Path, relative: String) -> io::Result<Option<Found>> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    if !metadata.is_file() {
        return Ok(None);
    }
    let modified_nanos =
        i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Ok(Some(Found {
        path: path.to_owned(),
        relative,
        look: Look {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_nanos,
        },
    }))
}

/// Compares names as people do: `part-9` comes before `part-10`.
fn compare_naturally(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left, right);
    loop {
        let (number_a, rest_a) = take_number(a);
        let (number_b, rest_b) = take_number(b);
        if number_a.is_empty() || number_b.is_empty() {
            let (mut chars_a, mut chars_b) = (a.chars(), b.chars());
            match (chars_a.next(), chars_b.next()) {
                (None, None) => return left.cmp(right),
                (x, y) if x != y => return x.cmp(&y),
                _ => (a, b) = (chars_a.as_str(), chars_b.as_str()),
            }
            continue;
        }
        let (value_a, value_b) = (
            number_a.trim_start_matches('0'),
            number_b.trim_start_matches('0'),
        );
        let by_value = value_a.len().cmp(&value_b.len()).then(value_a.cmp(value_b));
        if by_value != Ordering::Equal {
            return by_value;
        }
        (a, b) = (rest_a, rest_b);
    }
}

fn take_number(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_natural_order() {
        let ordered = [
            "",
            "a",
            "a/1",
            "a/02",
            "a/2",
            "a/10",
            "a/10b",
            "a1",
            "b",
            "part-9.json",
            "part-10.json",
            "part-99999999999999999999998",
            "part-99999999999999999999999",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(
                compare_naturally(pair[0], pair[1]),
                Ordering::Less,
                "{pair:?}"
            );
            assert_eq!(
                compare_naturally(pair[1], pair[0]),
                Ordering::Greater,
                "{pair:?}"
            );
        }
        assert_eq!(compare_naturally("x1", "x1"), Ordering::Equal);
    }
}
