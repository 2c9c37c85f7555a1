//! Watches the folders of the sinks while they are written, as a reader who trusts
//! every visible name would.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::node::SINKS;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_millis(40);

/// How many lines are visible, by sink.
#[derive(Default)]
pub struct Visible([AtomicU64; SINKS.len()]);

impl Visible {
    /// The lines of all sinks.
    pub fn lines(&self) -> [u64; SINKS.len()] {
        [0, 1, 2].map(|sink: usize| self.0[sink].load(Ordering::Acquire))
    }
}

/// What was seen.
pub struct Seen {
    /// The visible files.
    pub files: usize,
    /// What no reader should have to see.
    pub violations: Vec<String>,
}

/// Watches the folders in `out`.
pub struct Observer {
    out: PathBuf,
    visible: Arc<Visible>,
    files: HashMap<PathBuf, Look>,
    violations: Vec<String>,
}

/// How a file looked when it was first seen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    hash: u64,
}

impl Observer {
    pub fn new(out: &Path, visible: Arc<Visible>) -> Self {
        Self {
            out: out.to_owned(),
            visible,
            files: HashMap::new(),
            violations: Vec::new(),
        }
    }

    /// Watches until `stop` is dropped; then reads every file once more.
    pub fn run(mut self, stop: &Receiver<()>) -> io::Result<Seen> {
        while stop.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Disconnected) {
            self.look()?;
        }
        self.look()?;
        for (path, first) in &self.files {
            let now = look_at(path, &fs::read(path).unwrap_or_default()).ok();
            if now != Some(*first) {
                let path = path.display();
                self.violations.push(format!("{path} changed or vanished"));
            }
        }
        Ok(Seen {
            files: self.files.len(),
            violations: self.violations,
        })
    }

    fn look(&mut self) -> io::Result<()> {
        for (sink, name) in SINKS.iter().enumerate() {
            let folder = self.out.join(name);
            let mut still_there = 0;
            for path in visible_files(&folder)? {
                still_there += 1;
                if let Some(first) = self.files.get(&path) {
                    let now = fs::metadata(&path).map(|now| (now.ino(), now.len()));
                    if now.ok() != Some((first.inode, first.bytes)) {
                        self.violations.push(format!("{} changed", path.display()));
                    }
                    continue;
                }
                let text = fs::read(&path)?;
                if text.last() != Some(&b'\n') {
                    let path = path.display();
                    self.violations
                        .push(format!("{path} does not end with a whole line"));
                }
                let lines = text.split(|byte| *byte == b'\n').count() - 1;
                self.visible.0[sink].fetch_add(lines as u64, Ordering::AcqRel);
                let first = look_at(&path, &text)?;
                self.files.insert(path, first);
            }
            let known = self.files.keys().filter(|path| path.starts_with(&folder));
            let known = known.count();
            if known != still_there {
                self.violations.push(format!(
                    "{known} files were visible in {name}, {still_there} still are"
                ));
            }
        }
        Ok(())
    }
}

/// The files in a folder that a reader may trust.
pub fn visible_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = files(folder)?;
    paths.retain(|path| !is_hidden(path));
    Ok(paths)
}

/// The files in a folder that are being written.
pub fn hidden_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = files(folder)?;
    paths.retain(|path| is_hidden(path));
    Ok(paths)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn look_at(path: &Path, text: &[u8]) -> io::Result<Look> {
    let metadata = fs::metadata(path)?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Ok(Look {
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        hash: hasher.finish(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_a_reader_should_not_see_is_told() {
        let check = |change: &dyn Fn(&Path), expected: usize| {
            let out = tempfile::tempdir().unwrap();
            let folder = out.path().join(SINKS[0]);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("whole"), "a\nb\n").unwrap();
            fs::write(folder.join(".hidden"), "a").unwrap();
            let mut observer = Observer::new(out.path(), Arc::default());
            observer.look().unwrap();
            assert_eq!(observer.visible.lines()[0], 2);
            change(&folder);
            let (stop, stopped) = mpsc::channel();
            drop(stop);
            let seen = observer.run(&stopped).unwrap();
            assert_eq!(
                seen.violations.is_empty(),
                expected == 0,
                "{:?}",
                seen.violations
            );
        };
        check(&|_| {}, 0);
        check(&|folder| fs::write(folder.join("more"), "c\n").unwrap(), 0);
        check(&|folder| fs::write(folder.join("torn"), "c\nd").unwrap(), 1);
        check(
            &|folder| fs::write(folder.join("whole"), "x\nb\n").unwrap(),
            1,
        );
        check(&|folder| fs::remove_file(folder.join("whole")).unwrap(), 1);
    }
}
