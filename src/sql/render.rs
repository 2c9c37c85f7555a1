//! Diagnostics as text: the place, the message, the line with a mark, the advice.

use std::fmt::Write;

use super::SourceFile;
use crate::plan::Diagnostic;

/// The longest part of a source line that is shown, in characters.
const LINE_CHARACTERS_MAX: usize = 160;

/// The diagnostics as a person reads them, an empty line between two.
///
/// Each begins with `file:line:column: error: message`, which editors can
/// follow.
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    let mut output = String::new();
    for diagnostic in diagnostics {
        if !output.is_empty() {
            output.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = render_one(&mut output, diagnostic, files);
    }
    output
}

fn render_one(
    output: &mut String,
    diagnostic: &Diagnostic,
    files: &[SourceFile],
) -> std::fmt::Result {
    let Diagnostic {
        span,
        message,
        hint,
    } = diagnostic;
    let file = files.get(span.file);
    let name = file.map_or("program", |file| &file.name);
    writeln!(output, "{name}:{span}: error: {message}")?;
    let index = usize::try_from(span.line)
        .ok()
        .and_then(|line| line.checked_sub(1));
    let line = file
        .zip(index)
        .and_then(|(file, index)| file.text.lines().nth(index));
    if let Some(line) = line {
        let column = usize::try_from(span.column.saturating_sub(1)).unwrap_or(usize::MAX);
        // A long line is cut so that the mark is in what is left of it.
        let first = column.saturating_sub(LINE_CHARACTERS_MAX / 2);
        let shown = line.chars().skip(first).take(LINE_CHARACTERS_MAX);
        let shown: String = shown
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let gutter = span.line.to_string();
        let blank = " ".repeat(gutter.len());
        writeln!(output, "{gutter} | {}", shown.trim_end())?;
        writeln!(output, "{blank} | {}^", " ".repeat(column - first))?;
    }
    if let Some(hint) = hint {
        writeln!(output, "  hint: {hint}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Span;

    fn check(text: &str, line: u64, column: u64, expected: &str) {
        let files = [SourceFile {
            name: "job.sql".into(),
            text: text.into(),
        }];
        let span = Span {
            file: 0,
            line,
            column,
        };
        let diagnostic = Diagnostic::new(span, "no such table").with_hint("did you mean a");
        assert_eq!(render(&[diagnostic], &files), expected);
    }

    #[test]
    fn marks_the_place_in_the_line() {
        check(
            "SELECT *\r\nFROM  ä, b\r\n",
            2,
            7,
            "job.sql:2:7: error: no such table\n2 | FROM  ä, b\n  |       ^\n  hint: did you mean a\n",
        );
    }

    #[test]
    fn a_place_outside_of_the_text_has_no_line() {
        check(
            "SELECT 1",
            7,
            1,
            "job.sql:7:1: error: no such table\n  hint: did you mean a\n",
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}x{}", " ".repeat(1_000), "y".repeat(1_000));
        let files = [SourceFile {
            name: "f".into(),
            text,
        }];
        let span = Span {
            file: 0,
            line: 1,
            column: 1_001,
        };
        let rendered = render(&[Diagnostic::new(span, "m")], &files);
        let lines: Vec<&str> = rendered.lines().collect();
        let caret = lines[2].find('^').unwrap();
        assert_eq!(lines[1].chars().nth(caret), Some('x'));
        assert!(lines[1].len() < 200);
    }
}
