//! `thalweg dead-letters`: the rows that could not be processed, and why.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Error, Result, terminal};
use crate::state;
use crate::stream::DeadLetter;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List dead letters, the oldest of each task first
    List {
        #[command(flatten)]
        place: Place,
        /// List them as JSON, one a line, with their bytes in base64
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter with its bytes
    Show {
        /// Its number in the list
        #[arg(value_name = "NUMBER")]
        number: usize,
        #[command(flatten)]
        place: Place,
        /// Write nothing but its bytes, as they arrived
        #[arg(long)]
        raw: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Place {
    /// The data directory of the job [default: the only one in ./thalweg-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Where `run` keeps data directories that nobody named.
const DEFAULT_PARENT: &str = "thalweg-data";

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::List { place, json } => {
            let letters = letters(place)?;
            if letters.is_empty() {
                terminal::tell("no dead letters\n");
            }
            terminal::answer(|out| match json {
                true => list_json(&letters, out),
                false => list(&letters, out),
            })
        }
        Command::Show { number, place, raw } => {
            let letters = letters(place)?;
            let chosen = number.checked_sub(1).and_then(|index| letters.get(index));
            let letter = chosen.ok_or_else(|| {
                Error::Input(format!(
                    "there is no dead letter {number}: there are {}",
                    letters.len()
                ))
            })?;
            terminal::answer(|out| match raw {
                true => out.write_all(&letter.bytes),
                false => show(letter, out),
            })
        }
    }
}

fn letters(place: &Place) -> Result<Vec<DeadLetter>> {
    let named = place.data_dir.clone();
    let variable = || env::var_os("THALWEG_DATA_DIR").map(PathBuf::from);
    let data_dir = match named.or_else(variable) {
        Some(data_dir) => data_dir,
        None => only_directory(Path::new(DEFAULT_PARENT))?,
    };
    if !data_dir.is_dir() {
        return Err(Error::Input(format!(
            "there is no data directory {}",
            data_dir.display()
        )));
    }
    let failed = |error: state::Error| Error::Job(error.to_string());
    state::read_dead_letters(&data_dir)
        .map_err(failed)?
        .map(|letter| letter.map_err(failed))
        .collect()
}

/// The only directory in `parent`: with one job there is nothing to choose.
fn only_directory(parent: &Path) -> Result<PathBuf> {
    let entries = parent.read_dir().into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::Input(format!(
            "there is no data directory in ./{}: name it with --data-dir",
            parent.display()
        ))),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Err(Error::Input(format!(
                "there are several data directories: choose one with --data-dir from {}",
                names.join(", ")
            )))
        }
    }
}

fn list(letters: &[DeadLetter], out: &mut dyn Write) -> io::Result<()> {
    let digits = letters.len().to_string().len();
    for (index, letter) in letters.iter().enumerate() {
        let number = index + 1;
        let origin = terminal::harmless(&letter.origin);
        let place = place(letter);
        let reason = terminal::harmless(&letter.reason);
        writeln!(out, "{number:digits$}  {origin}  {place}  {reason}")?;
    }
    Ok(())
}

fn list_json(letters: &[DeadLetter], out: &mut dyn Write) -> io::Result<()> {
    for letter in letters {
        serde_json::to_writer(&mut *out, letter)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn show(letter: &DeadLetter, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "origin:   {}", terminal::harmless(&letter.origin))?;
    writeln!(out, "position: {}", place(letter))?;
    writeln!(out, "reason:   {}", terminal::harmless(&letter.reason))?;
    let bytes = String::from_utf8_lossy(&letter.bytes);
    writeln!(out, "bytes:    {}", terminal::harmless(&bytes))
}

fn place(letter: &DeadLetter) -> String {
    match &letter.position {
        Some(position) => format!(
            "{}:{}",
            terminal::harmless(&position.split),
            position.offset
        ),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Position;

    fn letter(reason: &str, position: Option<(&str, u64)>) -> DeadLetter {
        DeadLetter {
            origin: "clicks".to_owned(),
            reason: reason.to_owned(),
            position: position.map(|(split, offset)| Position {
                split: split.to_owned(),
                offset,
            }),
            bytes: b"{\"a\":\x1b\xff".to_vec(),
        }
    }

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_letter_is_a_line_of_the_list() {
        let letters = [
            letter("column a is no number", Some(("in/1.json", 17))),
            letter("overflow", None),
        ];
        assert_eq!(
            text(|out| list(&letters, out)),
            "1  clicks  in/1.json:17  column a is no number\n2  clicks  -  overflow\n"
        );
    }

    #[test]
    fn json_reads_back() {
        let letters = [letter("x", Some(("s", 1))), letter("y", None)];
        let written = text(|out| list_json(&letters, out));
        let read = written
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(read.collect::<Vec<DeadLetter>>(), letters);
    }

    #[test]
    fn bytes_do_not_steer_the_terminal() {
        let shown = text(|out| show(&letter("x", None), out));
        assert!(
            shown.ends_with("bytes:    {\"a\":\\u{1b}\u{fffd}\n"),
            "{shown}"
        );
    }

    #[test]
    fn with_one_job_its_directory_is_found() {
        let parent = tempfile::tempdir().unwrap();
        let message = || only_directory(parent.path()).unwrap_err().to_string();
        assert!(message().contains("no data directory"));
        std::fs::create_dir(parent.path().join("a")).unwrap();
        std::fs::write(parent.path().join("file"), "").unwrap();
        assert_eq!(
            only_directory(parent.path()).unwrap(),
            parent.path().join("a")
        );
        std::fs::create_dir(parent.path().join("b")).unwrap();
        assert!(message().contains("choose one"));
    }
}
