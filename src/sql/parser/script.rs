//! The pieces between semicolons as statements; an error costs one statement, not the file.

use std::collections::BTreeSet;

use datafusion_sql::sqlparser::tokenizer::Token;

use super::cursor::{Cursor, Failure, Result};
use super::{EXPLAIN_DETAILS, JSON_EXECUTION_PLAN, insert, statement};
use crate::plan::{Diagnostic, Span};
use crate::sql::dialect::FlinkDialect;
use crate::sql::limits;
use crate::sql::refuse;
use crate::sql::statement::{Explain, Insert, ParsedStatement, Statement};
use crate::sql::tokens::{Piece, span};

/// What could be read of a program.
#[derive(Debug, Default)]
pub(in crate::sql) struct Script {
    /// The statements that are sound, in order, each with the height of its tree.
    pub statements: Vec<(ParsedStatement, usize)>,
    /// What is wrong with the others.
    pub diagnostics: Vec<Diagnostic>,
    /// Tables and views whose declaration is wrong: a statement that uses one
    /// must not be reported for that.
    pub poisoned: BTreeSet<String>,
    /// Whether any statement, sound or not, would have had rows go somewhere.
    pub has_output: bool,
}

/// Reads the statements of one file into `script`.
pub(in crate::sql) fn read_script(pieces: Vec<Piece>, script: &mut Script) {
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        if script.diagnostics.len() >= limits::DIAGNOSTICS_MAX {
            script.has_output = true;
            return;
        }
        match set_header(&piece) {
            Some(header) => {
                let mut rest = Vec::new();
                let mut closed = false;
                while let Some(next) = pieces.next_if(|next| !begins_another(next)) {
                    if next.is_word(0, "END") {
                        closed = true;
                        end_of_set(&next, script);
                        break;
                    }
                    rest.push(next);
                }
                statement_set(piece, &header, rest, closed, script);
            }
            None => single(piece, script),
        }
    }
}

/// A statement of its own.
fn single(mut piece: Piece, script: &mut Script) {
    let start = piece.start();
    let declared = declared_name(&piece);
    script.has_output |= !["CREATE", "SET", "DROP", "USE"]
        .iter()
        .any(|word| piece.is_word(0, word));
    match read_piece(&mut piece, |cursor| statement(cursor, start)) {
        Ok(Some((statement, height))) => {
            let parsed = ParsedStatement {
                statement,
                span: start,
            };
            let before = script.diagnostics.len();
            refuse::check(&parsed, &piece.tokens, &mut script.diagnostics);
            if script.diagnostics.len() == before {
                script.statements.push((parsed, height));
                return;
            }
        }
        Ok(None) => {}
        Err(failure) => script.diagnostics.push(failure.into_diagnostic(start)),
    }
    script.poisoned.extend(declared);
}

/// Reads a piece to its end and says how high its tree is; `None` if it was reported as broken before.
fn read_piece<T>(
    piece: &mut Piece,
    read: impl FnOnce(&mut Cursor) -> Result<T>,
) -> Result<Option<(T, usize)>> {
    if piece.broken {
        return Ok(None);
    }
    let height = limits::height(&piece.tokens)
        .map_err(|excess| Failure::new(excess.location, excess.message).with_hint(excess.hint))?;
    let dialect = FlinkDialect::new(piece.tokens.len());
    let mut cursor = Cursor::new(&dialect, piece.tokens.clone());
    let value = read(&mut cursor)?;
    cursor.expect_end()?;
    Ok(Some((value, height)))
}

/// The beginning of a statement set.
struct SetHeader {
    is_explain: bool,
    as_json: bool,
    /// How many tokens it has.
    length: usize,
}

/// Whether a piece begins a statement set.
fn set_header(piece: &Piece) -> Option<SetHeader> {
    let mut at = 0;
    let mut as_json = false;
    let is_explain = piece.is_word(0, "EXPLAIN");
    if is_explain {
        at = 1;
        if piece.is_word(1, "PLAN") && piece.is_word(2, "FOR") {
            at = 3;
        }
        let is_detail = |at: usize| EXPLAIN_DETAILS.iter().any(|word| piece.is_word(at, word));
        let is_comma = |at: usize| {
            piece
                .tokens
                .get(at)
                .is_some_and(|t| t.token == Token::Comma)
        };
        while is_detail(at) || is_comma(at) {
            as_json |= piece.is_word(at, JSON_EXECUTION_PLAN);
            at += 1;
        }
    }
    let forms: [&[&str]; 3] = [
        &["EXECUTE", "STATEMENT", "SET", "BEGIN"],
        &["STATEMENT", "SET", "BEGIN"],
        &["BEGIN", "STATEMENT", "SET"],
    ];
    let form = forms.iter().find(|form| {
        let mut words = form.iter().enumerate();
        words.all(|(index, word)| piece.is_word(at + index, word))
    })?;
    Some(SetHeader {
        is_explain,
        as_json,
        length: at + form.len(),
    })
}

/// Whether a piece cannot stand in a statement set, so that its `END` is missing.
fn begins_another(piece: &Piece) -> bool {
    let others = [
        "CREATE", "SET", "DROP", "USE", "EXPLAIN", "EXECUTE", "BEGIN",
    ];
    others
        .iter()
        .any(|word| piece.is_word(0, word) && !piece.begins_with(&["EXECUTE", "INSERT"]))
}

/// Nothing stands behind `END`.
fn end_of_set(piece: &Piece, script: &mut Script) {
    if let Some(behind) = piece.tokens.get(1)
        && behind.token != Token::EOF
    {
        let message = format!("expected ; behind END, found {}", behind.token);
        let at = span(piece.file, behind.span.start);
        script.diagnostics.push(Diagnostic::new(at, message));
    }
}

fn statement_set(
    mut first: Piece,
    header: &SetHeader,
    rest: Vec<Piece>,
    closed: bool,
    script: &mut Script,
) {
    let start = first.start();
    let before = script.diagnostics.len();
    script.has_output = true;
    first.tokens.drain(..header.length);
    let mut inserts = Vec::new();
    let mut highest = 0;
    let mut broken = false;
    let begins = (first.tokens.len() > 1).then_some(first);
    for piece in begins.into_iter().chain(rest) {
        match insert_of_set(piece, script) {
            Some((insert, height)) => {
                highest = highest.max(height);
                inserts.push(insert);
            }
            None => broken = true,
        }
    }
    if !closed {
        let message = "the statement set has no END";
        let diagnostic =
            Diagnostic::new(start, message).with_hint("write END; behind its last INSERT");
        script.diagnostics.push(diagnostic);
    } else if inserts.is_empty() && script.diagnostics.len() == before && !broken {
        let message = "the statement set holds no INSERT";
        script.diagnostics.push(Diagnostic::new(start, message));
    }
    // The sound ones are planned too, so that their errors come with the others.
    if inserts.is_empty() {
        return;
    }
    let set = ParsedStatement {
        statement: Statement::StatementSet(inserts),
        span: start,
    };
    let parsed = if header.is_explain {
        ParsedStatement {
            statement: Statement::Explain(Explain {
                statement: Box::new(set),
                as_json: header.as_json,
            }),
            span: start,
        }
    } else {
        set
    };
    script.statements.push((parsed, highest));
}

/// One `INSERT` of a statement set, if it is sound.
fn insert_of_set(mut piece: Piece, script: &mut Script) -> Option<(Insert, usize)> {
    let start = piece.start();
    let read = |cursor: &mut Cursor| {
        cursor.eat(&["EXECUTE"]);
        if cursor.is_at(&["INSERT"]) {
            insert(cursor, start)
        } else {
            cursor.unexpected("INSERT INTO or END")
        }
    };
    match read_piece(&mut piece, read) {
        Ok(Some((insert, height))) => {
            let before = script.diagnostics.len();
            refuse::check_query(
                start.file,
                &insert.query,
                &piece.tokens,
                &mut script.diagnostics,
            );
            (script.diagnostics.len() == before).then_some((insert, height))
        }
        Ok(None) => None,
        Err(failure) => {
            script.diagnostics.push(failure.into_diagnostic(start));
            None
        }
    }
}

/// The name that a piece declares, also if the rest of it is wrong.
fn declared_name(piece: &Piece) -> Option<String> {
    let words = piece.tokens.iter().map(|token| match &token.token {
        Token::Word(word) => Some(word),
        _ => None,
    });
    let noise = [
        "TEMPORARY",
        "TABLE",
        "VIEW",
        "IF",
        "NOT",
        "EXISTS",
        "OR",
        "REPLACE",
    ];
    let mut words = words.skip(1).skip_while(|word| {
        word.is_some_and(|word| {
            word.quote_style.is_none() && noise.iter().any(|n| word.value.eq_ignore_ascii_case(n))
        })
    });
    let declares = piece.is_word(0, "CREATE");
    let name = declares.then(|| words.next()).flatten()??;
    Some(name.value.clone())
}

/// Reports what only the whole program shows.
pub(in crate::sql) fn finish(script: &mut Script) {
    let last = script.statements.len().saturating_sub(1);
    for (index, (parsed, _)) in script.statements.iter().enumerate() {
        if matches!(parsed.statement, Statement::Select(_)) && index < last {
            let message = "a bare SELECT must be the last statement";
            let diagnostic = Diagnostic::new(parsed.span, message)
                .with_hint("its rows go to standard output; the others need INSERT INTO");
            script.diagnostics.push(diagnostic);
        }
    }
    if !script.has_output && script.diagnostics.is_empty() {
        let message = "the program has nothing to run: there is no INSERT, SELECT or EXPLAIN";
        let start = Span {
            file: 0,
            line: 1,
            column: 1,
        };
        script.diagnostics.push(Diagnostic::new(start, message));
    }
}
