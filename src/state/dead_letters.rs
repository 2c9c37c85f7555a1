//! Files of dead letters: rows that could not be processed, a line of JSON each.
//!
//! A task appends to files of its own, `TASK-NUMBER.jsonl`. A checkpoint vouches
//! for each file up to a length; what a crash left beyond it is cut off, because
//! the rows will be read again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::failure::from_io;
use super::{DeadLetterFile, Error, Result};
use crate::stream::DeadLetter;

/// A file that has reached this length is followed by a new one.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const FOLDER: &str = "dead-letters";
const SUFFIX: &str = ".jsonl";

/// Appends the dead letters of one task.
pub struct DeadLetterWriter {
    folder: PathBuf,
    task: u32,
    file_bytes_max: u64,
    current: Option<Current>,
    next_number: u64,
    /// Files that are full, with letters for which no checkpoint vouches yet.
    full: Vec<Current>,
}

/// A file that is written, as long as it is now.
struct Current {
    file: File,
    name: String,
    bytes: u64,
    rows: u64,
    /// Whether it has grown since the last checkpoint.
    grown: bool,
}

impl DeadLetterWriter {
    /// The writer of task `task`, which goes on in the last of the files that it
    /// has among `known`, after [`recover`].
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(data_dir: &Path, task: u32, known: &[DeadLetterFile]) -> Result<Self> {
        let mut writer = Self {
            folder: data_dir.join(FOLDER),
            task,
            file_bytes_max: FILE_BYTES_MAX,
            current: None,
            next_number: 0,
            full: Vec::new(),
        };
        let own = known
            .iter()
            .filter_map(|file| Some((task_and_number(&file.name)?, file)))
            .filter(|((of, _), _)| *of == task);
        if let Some(((_, number), last)) = own.max_by_key(|((_, number), _)| *number) {
            writer.next_number = number + 1;
            let path = writer.folder.join(&last.name);
            let file = File::options()
                .append(true)
                .open(&path)
                .map_err(|error| from_io("open", path, error))?;
            writer.current = Some(Current {
                file,
                name: last.name.clone(),
                bytes: last.bytes,
                rows: last.rows,
                grown: false,
            });
        }
        Ok(writer)
    }

    /// Appends letters. They are durable only after [`Self::prepare`].
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&mut self, letters: &[DeadLetter]) -> Result<()> {
        let mut lines = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut lines, letter).expect("a dead letter is plain JSON");
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        if self
            .current
            .as_ref()
            .is_some_and(|file| file.bytes >= self.file_bytes_max)
        {
            self.full.extend(self.current.take());
        }
        if self.current.is_none() {
            self.current = Some(self.create()?);
        }
        let current = self.current.as_mut().expect("it was just made");
        current
            .file
            .write_all(&lines)
            .map_err(|error| from_io("write", self.folder.join(&current.name), error))?;
        current.bytes += lines.len() as u64;
        current.rows += letters.len() as u64;
        current.grown = true;
        Ok(())
    }

    /// Makes everything durable that was appended, and tells which files have
    /// grown, for the checkpoint.
    ///
    /// # Errors
    /// If it is not durable for certain.
    pub fn prepare(&mut self) -> Result<Vec<DeadLetterFile>> {
        let mut grown = Vec::new();
        let mut full = std::mem::take(&mut self.full);
        for file in full.iter_mut().chain(&mut self.current) {
            if !std::mem::take(&mut file.grown) {
                continue;
            }
            file.file
                .sync_data()
                .map_err(|error| from_io("sync", self.folder.join(&file.name), error))?;
            grown.push(DeadLetterFile {
                name: file.name.clone(),
                bytes: file.bytes,
                rows: file.rows,
            });
        }
        Ok(grown)
    }

    fn create(&mut self) -> Result<Current> {
        create_folder(&self.folder)?;
        let name = format!("{}-{}{SUFFIX}", self.task, self.next_number);
        let path = self.folder.join(&name);
        let file = File::options()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| from_io("create", path, error))?;
        sync_folder(&self.folder)?;
        self.next_number += 1;
        Ok(Current {
            file,
            name,
            bytes: 0,
            rows: 0,
            grown: false,
        })
    }
}

/// Brings the files to where the last checkpoint vouches for them: `known` are
/// cut to their lengths, others are removed.
///
/// # Errors
/// If a file is shorter than it was, or cannot be changed.
pub fn recover(data_dir: &Path, known: &[DeadLetterFile]) -> Result<()> {
    let folder = data_dir.join(FOLDER);
    let known: BTreeMap<&str, &DeadLetterFile> = known
        .iter()
        .map(|file| (file.name.as_str(), file))
        .collect();
    for name in file_names(&folder)? {
        if !known.contains_key(name.as_str()) {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(|error| from_io("remove", path, error))?;
        }
    }
    for (name, file) in known {
        let path = folder.join(name);
        let io = |act| {
            let path = path.clone();
            move |error| from_io(act, path, error)
        };
        let found = File::options()
            .write(true)
            .open(&path)
            .map_err(io("open"))?;
        let length = found.metadata().map_err(io("read the length of"))?.len();
        if length < file.bytes {
            return Err(Error::Corrupt(format!(
                "{} has {length} bytes, but {} were made durable",
                path.display(),
                file.bytes
            )));
        }
        if length > file.bytes {
            found.set_len(file.bytes).map_err(io("truncate"))?;
            found.sync_data().map_err(io("sync"))?;
        }
    }
    Ok(())
}

/// All dead letters in a data directory, by task and age, also while the node
/// runs: each file is read up to its last whole line. Letters that no checkpoint
/// vouches for yet are among them.
///
/// # Errors
/// If the folder cannot be read; the iterator's items fail if a file cannot.
pub fn read_dead_letters(
    data_dir: &Path,
) -> Result<impl Iterator<Item = Result<DeadLetter>> + use<>> {
    let folder = data_dir.join(FOLDER);
    let names = file_names(&folder)?;
    Ok(names.into_iter().flat_map(move |name| {
        let path = folder.join(name);
        let (file, failure) = match File::open(&path) {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(Err(from_io("open", path.clone(), error)))),
        };
        let lines = file.into_iter().flat_map(move |file| Lines {
            reader: BufReader::new(file),
            path: path.clone(),
        });
        failure.into_iter().chain(lines)
    }))
}

/// The whole lines of one file.
struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
}

impl Iterator for Lines {
    type Item = Result<DeadLetter>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Err(error) => Some(Err(from_io("read", self.path.clone(), error))),
            Ok(_) if line.last() != Some(&b'\n') => None,
            Ok(_) => Some(serde_json::from_slice(&line).map_err(|error| {
                Error::Corrupt(format!("{} holds a bad line: {error}", self.path.display()))
            })),
        }
    }
}

/// The files in the folder, by task and number; none if there is no folder.
fn file_names(folder: &Path) -> Result<Vec<String>> {
    let io = |error| from_io("list", folder.to_owned(), error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io)?.file_name();
        if let Some(name) = name.to_str()
            && let Some(place) = task_and_number(name)
        {
            names.push((place, name.to_owned()));
        }
    }
    names.sort();
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

fn task_and_number(name: &str) -> Option<(u32, u64)> {
    let (task, number) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    Some((task.parse().ok()?, number.parse().ok()?))
}

fn create_folder(folder: &Path) -> Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(folder.parent().unwrap_or(folder)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(from_io("create", folder.to_owned(), error)),
    }
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(|error| from_io("sync", folder.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(number: usize) -> DeadLetter {
        DeadLetter {
            origin: "events".to_owned(),
            reason: format!("row {number} is no JSON"),
            position: None,
            bytes: vec![0xff, b'\n', 0],
        }
    }

    fn read(dir: &Path) -> Vec<DeadLetter> {
        let letters = read_dead_letters(dir).unwrap();
        letters.map(Result::unwrap).collect()
    }

    fn letters(numbers: std::ops::Range<usize>) -> Vec<DeadLetter> {
        numbers.map(letter).collect()
    }

    #[test]
    fn letters_are_read_back_and_the_unvouched_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), []);
        let mut writer = DeadLetterWriter::open(dir.path(), 10, &[]).unwrap();
        writer.append(&letters(0..3)).unwrap();
        let known = writer.prepare().unwrap();
        assert_eq!((known.len(), known[0].rows), (1, 3));
        assert_eq!(writer.prepare().unwrap(), []);
        writer.append(&letters(3..5)).unwrap();
        let mut other = DeadLetterWriter::open(dir.path(), 9, &[]).unwrap();
        other.append(&letters(7..8)).unwrap();
        assert_eq!(read(dir.path()), [letters(7..8), letters(0..5)].concat());

        recover(dir.path(), &known).unwrap();
        assert_eq!(read(dir.path()), letters(0..3));
        let mut writer = DeadLetterWriter::open(dir.path(), 10, &known).unwrap();
        writer.append(&letters(3..4)).unwrap();
        let grown = writer.prepare().unwrap();
        assert_eq!((grown[0].name.as_str(), grown[0].rows), ("10-0.jsonl", 4));
        assert_eq!(read(dir.path()), letters(0..4));
    }

    #[test]
    fn a_full_file_is_followed_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = DeadLetterWriter::open(dir.path(), 0, &[]).unwrap();
        writer.file_bytes_max = 1;
        for number in 0..12 {
            writer.append(&letters(number..number + 1)).unwrap();
        }
        let known = writer.prepare().unwrap();
        assert_eq!(known.len(), 12);
        assert_eq!(read(dir.path()), letters(0..12));
        recover(dir.path(), &known).unwrap();
        let mut writer = DeadLetterWriter::open(dir.path(), 0, &known).unwrap();
        writer.append(&letters(12..13)).unwrap();
        assert_eq!(read(dir.path()), letters(0..13));
    }

    #[test]
    fn half_a_line_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = DeadLetterWriter::open(dir.path(), 0, &[]).unwrap();
        writer.append(&letters(0..2)).unwrap();
        let path = dir.path().join(FOLDER).join("0-0.jsonl");
        let length = fs::metadata(&path).unwrap().len();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 1)
            .unwrap();
        assert_eq!(read(dir.path()), letters(0..1));
    }

    #[test]
    fn a_file_that_lost_durable_letters_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = DeadLetterWriter::open(dir.path(), 0, &[]).unwrap();
        writer.append(&letters(0..2)).unwrap();
        let mut known = writer.prepare().unwrap();
        known[0].bytes += 1;
        let error = recover(dir.path(), &known).unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{error}");
    }
}
