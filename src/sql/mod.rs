//! Flink SQL text to a checked plan.

use std::fmt::Write as _;

use crate::plan::Diagnostic;

/// One file of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name, for messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The diagnostics for people, one after the other.
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let file = files.get(diagnostic.span.file);
        let file = file.map_or("", |file| file.name.as_str());
        let _ = writeln!(
            out,
            "{file}:{}: error: {}",
            diagnostic.span, diagnostic.message
        );
    }
    out
}
