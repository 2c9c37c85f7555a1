//! Flink SQL text to a checked plan.
//!
//! Text → tokens, with the environment put in (`tokens`, `environment`) →
//! limits (`limits`) → statements (`parser`, `dialect`) → what cannot be planned
//! is refused (`refuse`, `relations`) → plan (`program`). Each step goes on
//! after an error, one statement at a time, so that one run reports all of them.
//!
//! Everything that recurses over a tree runs on one thread with a large stack,
//! on trees whose height the limits bound: input never ends the process.

mod access;
mod advice;
mod aggregate_calls;
mod aggregates;
mod arithmetic;
mod blame;
mod catalog;
mod conversion;
mod data_type;
mod declaration;
mod diagnose;
mod dialect;
mod environment;
mod functions;
mod group_windows;
mod grouping;
mod hints;
mod json;
mod json_calls;
mod late_rows;
mod like;
mod limits;
mod literals;
mod lower;
mod lower_aggregate;
mod lower_group_aggregate;
mod lower_session_aggregate;
mod lower_session_rows;
mod one_row;
mod overlaps;
mod parser;
mod program;
mod query;
mod refuse;
mod relation;
mod relations;
mod render;
mod rewrite;
mod rewrite_nested;
mod rewrite_times;
mod row_comparison;
mod row_pruning;
mod select_names;
mod selects;
mod set_operations;
mod statement;
mod time_zone;
mod tokens;
mod typing;
mod unnest;
mod untyped_call;
mod values;
mod window_arguments;
mod window_function;
mod window_removal;
mod written_forms;

#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod tests;

pub use render::render;
pub use time_zone::KEY as TIME_ZONE;

use self::parser::Script;
use self::statement::ParsedStatement;
use self::tokens::Piece;
use crate::plan::{Diagnostic, Program, Span};

/// One file of a program.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The name that messages give it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The program that the files hold together. `environment` looks up the
/// variables of `${NAME}`.
///
/// # Errors
/// All errors of all files, in the order of the text.
pub fn compile(
    files: &[SourceFile],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Program, Vec<Diagnostic>> {
    compile_in(None, files, environment)
}

/// [`compile`] with a time zone that goes over the one that the program sets.
///
/// # Errors
/// As [`compile`].
pub fn compile_in(
    time_zone: Option<&str>,
    files: &[SourceFile],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Program, Vec<Diagnostic>> {
    let (pieces, diagnostics) = read(files, environment);
    on_large_stack(|| {
        let (statements, mut diagnostics) = parse_pieces(pieces, diagnostics);
        match program::plan(statements, time_zone) {
            Ok(program) if diagnostics.is_empty() => Ok(program),
            Ok(_) => Err(sorted(diagnostics)),
            Err(more) => {
                diagnostics.extend(more);
                Err(sorted(diagnostics))
            }
        }
    })
    .unwrap_or_else(|diagnostic| Err(vec![diagnostic]))
}

/// The statements of the files: as many as are sound and use only sound names,
/// and all errors.
#[cfg(test)]
pub(crate) fn parse(
    files: &[SourceFile],
    environment: &dyn Fn(&str) -> Option<String>,
) -> (Vec<ParsedStatement>, Vec<Diagnostic>) {
    let (pieces, diagnostics) = read(files, environment);
    on_large_stack(|| parse_pieces(pieces, diagnostics))
        .unwrap_or_else(|diagnostic| (Vec::new(), vec![diagnostic]))
}

/// The tokens of each file; it does not recurse, and asks the environment on
/// the thread of the caller.
fn read(
    files: &[SourceFile],
    environment: &dyn Fn(&str) -> Option<String>,
) -> (Vec<Vec<Piece>>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut bytes = 0_usize;
    for (file, source) in files.iter().enumerate() {
        bytes = bytes.saturating_add(source.text.len());
        if bytes > limits::TEXT_BYTES_MAX {
            let start = Span {
                file,
                line: 1,
                column: 1,
            };
            let message = "the program is longer than 1 MiB";
            return (Vec::new(), vec![Diagnostic::new(start, message)]);
        }
    }
    let mut tokens_left = limits::TOKENS_MAX;
    let pieces = files.iter().enumerate().map(|(file, source)| {
        tokens::read(
            file,
            &source.text,
            &mut tokens_left,
            environment,
            &mut diagnostics,
        )
    });
    (pieces.collect(), diagnostics)
}

fn parse_pieces(
    pieces: Vec<Vec<Piece>>,
    diagnostics: Vec<Diagnostic>,
) -> (Vec<ParsedStatement>, Vec<Diagnostic>) {
    let mut script = Script {
        diagnostics,
        ..Script::default()
    };
    for pieces in pieces {
        parser::read_script(pieces, &mut script);
    }
    parser::finish(&mut script);
    relations::drop_dependents(&mut script);
    let statements = script.statements.into_iter().map(|(parsed, _)| parsed);
    (statements.collect(), sorted(script.diagnostics))
}

/// By place, so that they read like the text, and with advice; one place is reported once.
fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for diagnostic in &mut diagnostics {
        if diagnostic.hint.is_none() {
            diagnostic.hint = advice::of(&diagnostic.message);
        }
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup();
    diagnostics
}

/// Runs `work` where deep trees have room.
fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Diagnostic> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("sql".into())
            .stack_size(limits::STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| {
                let message = format!("cannot start the thread that plans: {error}");
                Diagnostic::new(Span::default(), message)
            })?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
