//! Standard output and standard error, written so that a closed pipe ends nothing.

use std::io::{self, Write};

/// Erases the line that the cursor is in, where progress may stand.
pub const CLEAR_LINE: &str = "\r\x1b[2K";

/// Writes what was asked for to standard output.
pub fn answer(text: &str) {
    // Whoever has stopped reading (`| head`) has seen enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Writes a word to the person in front of the terminal to standard error.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
