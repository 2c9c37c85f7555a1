//! From the query library's errors to diagnostics, and from our refusals to its errors.

use datafusion_common::{DataFusionError, Diagnostic as LibraryDiagnostic, Span as LibrarySpan};
use datafusion_sql::sqlparser::ast::Ident;
use datafusion_sql::sqlparser::tokenizer::Span as TokenSpan;

use crate::plan::{Diagnostic, Span};

/// A refusal of ours, on its way through the library.
pub(super) fn refusal(
    message: impl Into<String>,
    span: Option<LibrarySpan>,
    hint: Option<String>,
) -> DataFusionError {
    let message = message.into();
    let mut diagnostic = LibraryDiagnostic::new_error(message.clone(), span);
    if let Some(hint) = hint {
        diagnostic.add_help(hint, None);
    }
    DataFusionError::Plan(message).with_diagnostic(diagnostic)
}

/// The error of a statement that reads a table whose own declaration is wrong.
/// The declaration is already reported, so [`diagnostics`] drops this one.
pub(super) fn consequence() -> DataFusionError {
    refusal(String::new(), None, None)
}

/// All that an error says, each at its own place or else at `fallback`.
pub(super) fn diagnostics(error: &DataFusionError, fallback: Span) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    collect(error, None, fallback, &mut found);
    found
}

/// The place of an identifier in the text, in the file of `statement`.
pub(super) fn span_of(ident: &Ident, statement: Span) -> Span {
    place(LibrarySpan::try_from_sqlparser_span(ident.span), statement)
}

/// The library's form of a place in the text.
pub(super) fn library_span(span: TokenSpan) -> Option<LibrarySpan> {
    LibrarySpan::try_from_sqlparser_span(span)
}

/// A place that the library names, in the file of `statement`.
pub(super) fn place(span: Option<LibrarySpan>, statement: Span) -> Span {
    span.map_or(statement, |span| Span {
        file: statement.file,
        line: span.start.line,
        column: span.start.column,
    })
}

/// `name`, if one of `candidates` is so near to `wanted` that it may be meant.
pub(super) fn did_you_mean<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let lower = wanted.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + wanted.len().min(name.len()) / 4)
        .min()
        .map(|(_, name)| format!("did you mean {name}?"))
}

fn distance(left: &str, right: &str) -> usize {
    datafusion_common::utils::datafusion_strsim::levenshtein(left, right)
}

/// The library wraps an error in a diagnostic each time a planner adds what it
/// knows: the innermost has the best words, the outermost that has a place the
/// best place.
fn collect(
    error: &DataFusionError,
    around: Option<&LibraryDiagnostic>,
    fallback: Span,
    found: &mut Vec<Diagnostic>,
) {
    match error {
        DataFusionError::Collection(errors) => {
            for error in errors {
                collect(error, around, fallback, found);
            }
        }
        DataFusionError::Context(_, inner) => collect(inner, around, fallback, found),
        DataFusionError::Shared(inner) => collect(inner, around, fallback, found),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let span = around.and_then(|outer| outer.span).or(diagnostic.span);
            let merged = LibraryDiagnostic {
                span,
                ..(**diagnostic).clone()
            };
            collect(inner, Some(&merged), fallback, found);
        }
        other => match around {
            Some(diagnostic) => found.extend(from_library(diagnostic, fallback)),
            None => found.push(Diagnostic {
                span: fallback,
                message: sentence(&other.message()),
                hint: None,
            }),
        },
    }
}

fn from_library(diagnostic: &LibraryDiagnostic, fallback: Span) -> Option<Diagnostic> {
    if diagnostic.message.is_empty() {
        return None;
    }
    let helps = diagnostic.helps.iter().map(|help| &help.message);
    let notes = diagnostic.notes.iter().map(|note| &note.message);
    Some(Diagnostic {
        span: place(diagnostic.span, fallback),
        message: sentence(&diagnostic.message),
        hint: helps.chain(notes).next().map(|hint| sentence(hint)),
    })
}

/// The first line of a message in our style: lower case, no full stop.
fn sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.trim().trim_end_matches('.');
    let mut characters = line.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => line.to_owned(),
    }
}
