//! Refuses, with its position, what the parser reads and the planner cannot plan (yet).
//!
//! The walk goes through a tree in the order of the text and names every kind of
//! node, so that a node that a newer parser adds is an error of the compiler and
//! not a clause that is passed over in silence. Few nodes know their position:
//! the walk remembers the last one that did and looks for the construct's own
//! word behind it.

mod expression;
mod query;
mod relation;

use datafusion_sql::sqlparser::ast::{Ident, Query};
use datafusion_sql::sqlparser::tokenizer::{Location, Span as TokenSpan, Token, TokenWithSpan};

use super::limits::{DIAGNOSTICS_MAX, HEIGHT_MAX};
use super::statement::{ColumnDefinitionKind, ParsedStatement, Statement};
use super::tokens::{is_word, span};
use crate::plan::Diagnostic;

/// Reports everything in a statement that cannot be planned. `tokens` are the
/// tokens of its text.
pub(super) fn check(
    parsed: &ParsedStatement,
    tokens: &[TokenWithSpan],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let file = parsed.span.file;
    match &parsed.statement {
        Statement::CreateTable(table) => {
            let mut walk = Walk::new(file, tokens, diagnostics);
            for column in &table.columns {
                walk.place(&column.name);
                if let ColumnDefinitionKind::Computed(expression) = &column.kind {
                    walk.expression(expression);
                }
            }
            // The watermark may stand before some columns.
            let mut walk = Walk::new(file, tokens, diagnostics);
            if let Some(watermark) = &table.watermark {
                walk.place(&watermark.column);
                walk.expression(&watermark.expression);
            }
        }
        Statement::CreateView(view) => check_query(file, &view.query, tokens, diagnostics),
        Statement::Insert(insert) => check_query(file, &insert.query, tokens, diagnostics),
        Statement::StatementSet(inserts) => {
            for insert in inserts {
                check_query(file, &insert.query, tokens, diagnostics);
            }
        }
        Statement::Explain(explain) => check(&explain.statement, tokens, diagnostics),
        Statement::Select(query) => check_query(file, query, tokens, diagnostics),
        Statement::Set { .. } | Statement::Drop(_) | Statement::Use => {}
    }
}

/// Reports everything in a query that cannot be planned.
pub(super) fn check_query(
    file: usize,
    query: &Query,
    tokens: &[TokenWithSpan],
    diagnostics: &mut Vec<Diagnostic>,
) {
    Walk::new(file, tokens, diagnostics).query(query);
}

/// The walk through one tree.
struct Walk<'a> {
    file: usize,
    tokens: &'a [TokenWithSpan],
    diagnostics: &'a mut Vec<Diagnostic>,
    /// The last position that a node knew; empty before the first.
    at: Location,
    /// How deep the walk is.
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(file: usize, tokens: &'a [TokenWithSpan], diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            file,
            tokens,
            diagnostics,
            at: Location::empty(),
            depth: 0,
        }
    }

    /// Notes the position of a name.
    fn place(&mut self, name: &Ident) {
        self.pass(name.span);
        if let Some('\'' | '"') = name.quote_style {
            // The parser takes a string for a name and forgets where it stood.
            let location = self.find(|token| match token {
                Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
                    *text == name.value
                }
                _ => false,
            });
            self.report(
                location,
                "a name is not written in quotes",
                Some("write it in `backticks`, or without anything"),
            );
        }
    }

    /// Notes a position; a node that does not know its own has an empty one.
    fn pass(&mut self, span: TokenSpan) {
        if span.start.line > 0 && span.start > self.at {
            self.at = span.start;
        }
    }

    /// Goes one level down unless the tree is higher than anything that passes
    /// the limits: then they have a hole, which must not cost the process.
    fn descend(&mut self, visit: impl FnOnce(&mut Self)) {
        if self.depth > 4 * HEIGHT_MAX {
            self.report(self.at, "the statement is nested too deep", None);
            return;
        }
        self.depth += 1;
        visit(self);
        self.depth -= 1;
    }

    /// Refuses what begins with this word, the next one of its kind.
    fn refuse(&mut self, word: &str, message: &str) {
        let location = self.find(|token| is_word(token, word));
        self.report(location, message, None);
    }

    /// The same with advice.
    fn refuse_with(&mut self, word: &str, message: &str, hint: &str) {
        let location = self.find(|token| is_word(token, word));
        self.report(location, message, Some(hint));
    }

    /// Refuses what stands at the last known position.
    fn refuse_here(&mut self, message: &str, hint: &str) {
        self.report(self.at, message, Some(hint));
    }

    /// Where the next such token behind the last known position stands;
    /// that position itself if there is none.
    fn find(&self, is_it: impl Fn(&Token) -> bool) -> Location {
        self.next_token_of(is_it)
            .map_or(self.at, |token| token.span.start)
    }

    /// The next such token behind the last known position.
    fn next_token_of(&self, is_it: impl Fn(&Token) -> bool) -> Option<&TokenWithSpan> {
        let from = self
            .tokens
            .partition_point(|token| token.span.start <= self.at);
        self.tokens[from..].iter().find(|token| is_it(&token.token))
    }

    fn report(&mut self, location: Location, message: &str, hint: Option<&str>) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            let start = self.tokens.first().map(|token| token.span.start);
            let location = start.map_or(location, |start| location.max(start));
            self.diagnostics.push(Diagnostic {
                span: span(self.file, location),
                message: message.to_owned(),
                hint: hint.map(str::to_owned),
            });
        }
    }
}
