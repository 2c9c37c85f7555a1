//! Reads the files of a program and compiles them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Error, Result};
use crate::config::Layer;
use crate::pipeline::{CheckedProgram, compile};
use crate::sql::{self, SourceFile};

/// No program is read beyond this, so that `/dev/zero` cannot take the memory.
/// How large a program may really be is for the SQL front end to say.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A program that a command looks at without running it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The files of the program, in order; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A setting that goes over the program's own SET
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Arguments {
    /// Compiles the program.
    ///
    /// # Errors
    /// If a setting or a file cannot be read, or the program has errors.
    pub fn load(&self) -> Result<CheckedProgram> {
        let layer = Layer::from_flags([], &self.set)?;
        load(&self.files, &layer.set)
    }
}

/// Compiles the program that `files` make up; `-` is standard input.
///
/// # Errors
/// If a file cannot be read, or the program has errors.
pub fn load(files: &[PathBuf], settings: &BTreeMap<String, String>) -> Result<CheckedProgram> {
    let sources = read(files)?;
    compile(&sources, settings)
        .map_err(|diagnostics| Error::Diagnostics(sql::render(&diagnostics, &sources)))
}

fn read(files: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let standard_input = Path::new("-");
    if files.iter().filter(|file| *file == standard_input).count() > 1 {
        return Err(Error::Input(
            "standard input (-) can be read only once".to_owned(),
        ));
    }
    files
        .iter()
        .map(|path| {
            if path == standard_input {
                return source("stdin", io::stdin().lock());
            }
            let name = path.display().to_string();
            let file = File::open(path)
                .map_err(|error| Error::Input(format!("cannot open {name}: {error}")))?;
            source(&name, file)
        })
        .collect()
}

fn source(name: &str, input: impl Read) -> Result<SourceFile> {
    let mut bytes = Vec::new();
    input
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::Input(format!("cannot read {name}: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::Input(format!(
            "cannot read {name}: it is larger than {} MiB",
            FILE_BYTES_MAX >> 20
        )));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + memchr::memchr_iter(b'\n', &error.as_bytes()[..valid]).count();
        Error::Input(format!("cannot read {name}: line {line} is not UTF-8 text"))
    })?;
    Ok(SourceFile {
        name: name.to_owned(),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_as_it_is() {
        let file = source("a.sql", "SELECT 'ü'\r\n".as_bytes()).unwrap();
        assert_eq!(file.name, "a.sql");
        assert_eq!(file.text, "SELECT 'ü'\r\n");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        let error = source("a.sql", &b"SELECT\n\xff"[..]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read a.sql: line 2 is not UTF-8 text"
        );
    }

    #[test]
    fn endless_input_is_refused() {
        let error = source("zero", io::repeat(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read zero: it is larger than 64 MiB"
        );
    }

    #[test]
    fn a_missing_file_a_directory_and_a_second_dash_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.sql");
        let check = |files: &[PathBuf], expected: &str| {
            let message = read(files).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(&[missing], "missing.sql: No such file");
        check(&[directory.path().to_owned()], "Is a directory");
        check(&["-".into(), "-".into()], "only once");
    }
}
