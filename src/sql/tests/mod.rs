//! The front end from text to statements, by example.

mod accepted;
mod documented;
mod environment;
mod errors;
mod refused;
mod size;
mod soup;

use super::statement::{ParsedStatement, Statement};
use super::{SourceFile, parse};
use crate::plan::Diagnostic;

/// The variables that the examples see.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        "TOPIC" => "bids",
        "LIMIT" => "10",
        "MINUS" => "-5",
        "QUOTE" => "it's",
        "WORDS" => "a b",
        "EMPTY" => "",
        "DOLLAR" => "${TOPIC}",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse_text(text: &str) -> (Vec<ParsedStatement>, Vec<Diagnostic>) {
    let files = [SourceFile {
        name: "job.sql".into(),
        text: text.into(),
    }];
    parse(&files, &variable)
}

/// The statements of a sound text.
fn parse_sound(text: &str) -> Vec<Statement> {
    let (statements, diagnostics) = parse_text(text);
    assert_eq!(diagnostics, [], "{text}");
    statements
        .into_iter()
        .map(|parsed| parsed.statement)
        .collect()
}

/// The errors of a text as `line:column: message`.
fn errors_of(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse_text(text);
    diagnostics
        .iter()
        .map(|diagnostic| format!("{}: {}", diagnostic.span, diagnostic.message))
        .collect()
}

#[track_caller]
fn check_errors(text: &str, expected: &[&str]) {
    assert_eq!(errors_of(text), expected, "{text}");
}
