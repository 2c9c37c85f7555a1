//! Standard output and standard error, written so that a closed pipe ends nothing.

use std::io::{self, BufWriter, Write};

use super::{Error, Result};

/// Erases the line that the cursor is in, where progress may stand.
pub const CLEAR_LINE: &str = "\r\x1b[2K";

/// Writes what was asked for to standard output.
///
/// # Errors
/// If it cannot be written. Whoever has stopped reading (`| head`) has seen
/// enough: that is no error.
pub fn answer(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Job(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Writes a word to the person in front of the terminal to standard error.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// `text` with its control characters written out: what comes from data must not
/// steer the terminal.
pub fn harmless(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, character| {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(harmless("ü\u{1b}[2J\n"), "ü\\u{1b}[2J\\n");
    }

    #[test]
    fn a_closed_pipe_is_no_error_but_a_full_disk_is() {
        let failing = |kind: io::ErrorKind| answer(|_| Err(kind.into()));
        assert!(failing(io::ErrorKind::BrokenPipe).is_ok());
        assert!(failing(io::ErrorKind::StorageFull).is_err());
    }
}
