//! From the query library's errors to diagnostics, and from our refusals to its errors.

use arrow::datatypes::DataType;
use datafusion_common::{
    DataFusionError, Diagnostic as LibraryDiagnostic, SchemaError, Span as LibrarySpan,
};
use datafusion_sql::sqlparser::ast::Ident;
use datafusion_sql::sqlparser::tokenizer::Span as TokenSpan;

use super::{aggregates, functions};
use crate::expr::in_sql_words;
use crate::plan::{Diagnostic, Span, type_name};

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
        .filter(|(distance, name)| {
            let shorter = wanted.len().min(name.len());
            *distance <= 1 + shorter / 4 && *distance < shorter
        })
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
        other => {
            if let Some(diagnostic) = around {
                found.extend(from_library(diagnostic, fallback));
            } else {
                found.push(plain(other, fallback));
            }
        }
    }
}

/// An error that no diagnostic is wrapped around.
fn plain(error: &DataFusionError, fallback: Span) -> Diagnostic {
    if let DataFusionError::SchemaError(error, _) = error
        && let SchemaError::FieldNotFound { field, .. } = error.as_ref()
    {
        let name = field.flat_name();
        let message = not_yet(&name).unwrap_or_else(|| format!("there is no column {name}"));
        return Diagnostic::new(place(field.spans.first(), fallback), message);
    }
    let message = error.message();
    let (message, hint) = reworded(&message, &[]).unwrap_or_else(|| (sentence(&message), None));
    Diagnostic {
        span: fallback,
        message,
        hint,
    }
}

fn from_library(diagnostic: &LibraryDiagnostic, fallback: Span) -> Option<Diagnostic> {
    if diagnostic.message.is_empty() {
        return None;
    }
    let own_hint = diagnostic.helps.first().map(|help| help.message.clone());
    let notes: Vec<&str> = diagnostic
        .notes
        .iter()
        .map(|note| note.message.as_str())
        .collect();
    let reworded = reworded(&diagnostic.message, &notes);
    let (message, hint) = reworded.unwrap_or_else(|| (sentence(&diagnostic.message), own_hint));
    Some(Diagnostic {
        span: place(diagnostic.span, fallback),
        message,
        hint,
    })
}

/// Functions of Flink that a query often calls and that are not there yet.
const NOT_YET: &[&str] = &["LAST_VALUE", "FIRST_VALUE", "LISTAGG"];

/// What to say of a function that is not there yet. Some are written without
/// parentheses, like columns.
fn not_yet(name: &str) -> Option<String> {
    let name = name.to_uppercase();
    NOT_YET
        .contains(&name.as_str())
        .then(|| format!("the function {name} is not supported yet"))
}

/// How messages of the library begin, what we say instead, and our hint.
const REWORDED: &[(&str, &str, Option<&str>)] = &[
    (
        "UNION queries have different number of columns",
        "the inputs of UNION ALL have different numbers of columns",
        None,
    ),
    (
        "Cannot create filter with non-boolean predicate",
        "a condition must be BOOLEAN",
        None,
    ),
    (
        "Aggregate functions are not allowed in the WHERE clause",
        "an aggregate cannot stand in WHERE",
        Some("conditions on aggregates stand in HAVING"),
    ),
    (
        "Projections require unique expression names",
        "two columns of the query have the same name",
        Some("give one of them another name by AS"),
    ),
    (
        "HAVING clause references",
        "a condition in HAVING needs GROUP BY or an aggregate",
        Some("conditions on rows stand in WHERE"),
    ),
    (
        "Aggregate function calls cannot be nested",
        "aggregates cannot be nested",
        Some("compute the inner one in a subquery"),
    ),
];

/// What the library says most often, in our words. A message that it changes
/// comes through as it is.
fn reworded(message: &str, notes: &[&str]) -> Option<(String, Option<String>)> {
    if let Some(rest) = message.strip_prefix("column '") {
        let (name, rest) = rest.split_once("' not found")?;
        let nearest = notes
            .first()
            .and_then(|note| note.strip_prefix("possible column "));
        let within = rest
            .strip_prefix(" in '")
            .and_then(|rest| rest.strip_suffix('\''));
        if let (None, Some(message)) = (within, not_yet(name)) {
            return Some((message, None));
        }
        let within = within.map_or_else(String::new, |within| format!(" in {within}"));
        let hint = nearest.map(|nearest| format!("did you mean {nearest}?"));
        return Some((format!("there is no column {name}{within}"), hint));
    }
    if let Some(rest) = message.strip_prefix("Invalid function '") {
        let name = rest.strip_suffix('\'')?.to_uppercase();
        let known: Vec<String> = functions::names()
            .into_iter()
            .chain(aggregates::names())
            .collect();
        if let Some(message) = not_yet(&name) {
            return Some((message, None));
        }
        let hint = match name.as_str() {
            "LENGTH" | "LEN" => Some("did you mean CHAR_LENGTH?".to_owned()),
            _ => did_you_mean(&name, known.iter().map(String::as_str)),
        };
        return Some((format!("the function {name} is not supported"), hint));
    }
    if let Some(rest) = message.strip_prefix('\'') {
        let (name, _) = rest.split_once("' must appear in GROUP BY clause")?;
        return Some((
            format!("{name} is neither aggregated nor in GROUP BY"),
            None,
        ));
    }
    for (beginning, ours, hint) in REWORDED {
        if message.starts_with(beginning) {
            return Some(((*ours).to_owned(), hint.map(str::to_owned)));
        }
    }
    if let Some(rest) = message.strip_prefix("- cannot be used with ") {
        let arrow: DataType = rest.parse().ok()?;
        return Some((format!("- needs a number, not {}", type_name(&arrow)), None));
    }
    if let Some(rest) = message.strip_prefix("NOT cannot be used with ") {
        let arrow: DataType = rest.parse().ok()?;
        let message = format!("NOT needs BOOLEAN, not {}", type_name(&arrow));
        return Some((message, None));
    }
    if message == "expressions have incompatible types" {
        let types = notes.iter().filter_map(|note| {
            let arrow: DataType = note.strip_prefix("has type ")?.parse().ok()?;
            Some(type_name(&arrow))
        });
        let types = types.collect::<Vec<_>>().join(" and ");
        return Some((
            format!("the types do not fit: {types}: write CAST(…)"),
            None,
        ));
    }
    None
}

/// The first line of a message in our style: lower case, no full stop.
fn sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut line = line.trim().trim_end_matches('.');
    for prefix in [
        "Parser error: ",
        "Cast error: ",
        "Execution error: ",
        "Arrow error: ",
        "Invalid argument error: ",
    ] {
        line = line.strip_prefix(prefix).unwrap_or(line);
    }
    let line = in_sql_words(line);
    let mut characters = line.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_proposed() {
        for (wanted, expected) in [
            ("bids", Some("bid")),
            ("BID", Some("bid")),
            ("auctoin", Some("auction")),
            ("person", None),
            ("b", None),
            ("bib", Some("bid")),
        ] {
            let expected = expected.map(|name| format!("did you mean {name}?"));
            assert_eq!(
                did_you_mean(wanted, ["bid", "auction"]),
                expected,
                "{wanted}"
            );
        }
    }

    #[test]
    fn sentences_are_in_our_style() {
        for (message, expected) in [
            ("Cannot do it.\nMore", "cannot do it"),
            ("UNION is wrong", "UNION is wrong"),
            (
                "Cast error: Cannot cast string 'x' to value of Int32 type",
                "cannot cast 'x' to INT",
            ),
            (
                "no kernel.\nThis issue was likely caused by a bug in DataFusion's code",
                "no kernel",
            ),
            ("", ""),
            ("ü", "ü"),
        ] {
            assert_eq!(sentence(message), expected);
        }
    }
}
