//! Hints: `/*+ OPTIONS('key' = 'value') */` behind the name of a table, and
//! `/*+ STATE_TTL('name' = '1 d') */` behind `SELECT`.
//!
//! The parser knows neither, so they are taken out of the tokens. What they say is written
//! into the name of the table that they are for, where the catalog finds it.

use datafusion_expr::LogicalPlan;
use datafusion_sql::sqlparser::keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS};
use datafusion_sql::sqlparser::tokenizer::{
    Location, Span as TokenSpan, Token, TokenWithSpan, Tokenizer, Whitespace,
};
use serde::{Deserialize, Serialize};

use super::dialect::FlinkDialect;
use super::tokens::{is_word, span};
use crate::formats::parse_duration;
use crate::plan::{Diagnostic, Span, TableOption};

/// Stands between the name of a table and what hints say of it.
const MARK: &str = " /*+ ";

/// What hints say of a table where it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableHints {
    /// Options that go over those of the table, each with its file, line and column.
    options: Vec<(String, String, (usize, u64, u64))>,
    /// How long an aggregate over it keeps a key to which nothing happens, in milliseconds.
    state_ttl_ms: Option<i64>,
}

impl TableHints {
    /// The options.
    pub(super) fn options(self) -> impl Iterator<Item = (String, TableOption)> {
        let options = self.options.into_iter();
        options.map(|(key, value, (file, line, column))| {
            let span = Span { file, line, column };
            (key, TableOption { value, span })
        })
    }
}

/// The name of a table as it is declared, and what hints say of it.
pub(super) fn split(name: &str) -> (&str, TableHints) {
    match name.split_once(MARK) {
        Some((name, hints)) => (name, serde_json::from_str(hints).unwrap_or_default()),
        None => (name, TableHints::default()),
    }
}

/// How long the hints say that an aggregate over `input` keeps a key, in milliseconds.
pub(super) fn state_ttl(input: &LogicalPlan) -> Option<i64> {
    let name = match input {
        LogicalPlan::TableScan(scan) => scan.table_name.table(),
        LogicalPlan::SubqueryAlias(alias) => alias.alias.table(),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) => "",
        _ => return None,
    };
    let inputs = input.inputs();
    let below = || inputs.first().and_then(|input| state_ttl(input));
    split(name).1.state_ttl_ms.or_else(below)
}

/// The tokens of a hint between its ends, if the token is one.
pub(super) fn opened(token: &TokenWithSpan) -> Option<Vec<TokenWithSpan>> {
    let Token::Whitespace(Whitespace::MultiLineComment(comment)) = &token.token else {
        return None;
    };
    let text = comment.strip_prefix('+')?;
    let start = token.span.start;
    let mut inner = Vec::new();
    let dialect = FlinkDialect::new(0);
    // What is no token any more is missed by who reads the hint.
    let _ = Tokenizer::new(&dialect, text).tokenize_with_location_into_buf(&mut inner);
    inner.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let moved = |at: Location| match at.line {
        1 => Location::new(
            start.line,
            start.column + "/*+".len() as u64 + at.column - 1,
        ),
        line => Location::new(start.line + line - 1, at.column),
    };
    for token in &mut inner {
        token.span = TokenSpan::new(moved(token.span.start), moved(token.span.end));
    }
    let end = |text: &str| TokenWithSpan::new(Token::Placeholder(text.to_owned()), token.span);
    inner.insert(0, end(OPEN));
    inner.push(end(CLOSE));
    Some(inner)
}

/// What the ends of a hint become; no text of SQL is tokenized so.
const OPEN: &str = "/*+";
const CLOSE: &str = "*/";

fn is_end(token: &TokenWithSpan, end: &str) -> bool {
    matches!(&token.token, Token::Placeholder(text) if text == end)
}

/// The tokens without hints, and with what they say in the names of tables.
pub(super) fn attached(
    file: usize,
    tokens: Vec<TokenWithSpan>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_end(token, OPEN)) {
        return tokens;
    }
    let mut reader = Hints {
        file,
        diagnostics,
        kept: Vec::with_capacity(tokens.len()),
        of_select: Vec::new(),
    };
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        rest = behind;
        if is_end(token, OPEN) {
            let length = behind.iter().position(|token| is_end(token, CLOSE));
            let (inside, behind) = behind.split_at(length.unwrap_or(behind.len()));
            rest = behind.get(1..).unwrap_or_default();
            reader.hints(inside, token.span.start, rest.first());
        } else {
            reader.kept.push(token.clone());
        }
    }
    reader.finish()
}

struct Hints<'a> {
    file: usize,
    diagnostics: &'a mut Vec<Diagnostic>,
    kept: Vec<TokenWithSpan>,
    /// Where a `SELECT` stands among the tokens that are kept, and a name and a time that
    /// are said behind it.
    of_select: Vec<(usize, Pair)>,
}

/// `'key' = 'value'` and where it stands.
struct Pair {
    key: String,
    value: String,
    at: Location,
}

impl Hints<'_> {
    fn refuse(&mut self, at: Location, message: String, hint: &str) {
        let diagnostic = Diagnostic::new(span(self.file, at), message);
        self.diagnostics.push(diagnostic.with_hint(hint));
    }

    /// The hints of one comment; `next` is the token behind it.
    fn hints(&mut self, inside: &[TokenWithSpan], start: Location, next: Option<&TokenWithSpan>) {
        let mut rest = inside;
        if rest.is_empty() {
            self.refuse(start, "the hint is empty".to_owned(), KNOWN);
        }
        while let Some((name, behind)) = rest.split_first() {
            let is_known = ["OPTIONS", "STATE_TTL"]
                .iter()
                .any(|known| is_word(&name.token, known));
            if !is_known {
                let message = format!("the hint {} is not supported", name.token);
                self.refuse(name.span.start, message, KNOWN);
                return;
            }
            let Some((pairs, behind)) = pairs(behind) else {
                let message = format!("expected {} ('key' = 'value', …)", name.token);
                self.refuse(name.span.start, message, KNOWN);
                return;
            };
            if is_word(&name.token, "OPTIONS") {
                self.options(pairs, name.span.start, next);
            } else {
                self.state_ttl(pairs, name.span.start);
            }
            rest = match behind.split_first() {
                Some((comma, behind)) if comma.token == Token::Comma => behind,
                _ => behind,
            };
        }
    }

    /// Options of the table whose name stands before the hint.
    fn options(&mut self, pairs: Vec<Pair>, at: Location, next: Option<&TokenWithSpan>) {
        let place = self.kept.len().wrapping_sub(1);
        let before = self.kept.len().checked_sub(2);
        let before = before.and_then(|before| self.kept.get(before));
        let is_read = before.is_some_and(begins_relation);
        let is_written = before.is_some_and(|token| is_word(&token.token, "INTO"));
        let is_argument = before.is_some_and(|token| is_word(&token.token, "TABLE"));
        if !is_read && !is_written && !is_argument {
            let message = "OPTIONS stands behind the name of a table".to_owned();
            self.refuse(
                at,
                message,
                "write FROM t /*+ OPTIONS('key' = 'value') */ AS x",
            );
            return;
        }
        let options = pairs.into_iter();
        let file = self.file;
        let options = options.map(|pair| {
            let at = (file, pair.at.line, pair.at.column);
            (pair.key, pair.value, at)
        });
        let hints = TableHints {
            options: options.collect(),
            state_ttl_ms: None,
        };
        let name = self.mark(place, hints);
        if is_read && !next.is_some_and(is_alias) {
            self.name_it(place, &name);
        }
    }

    fn state_ttl(&mut self, pairs: Vec<Pair>, at: Location) {
        let place = self.kept.len().wrapping_sub(1);
        let select = self.kept.last();
        if !select.is_some_and(|token| is_word(&token.token, "SELECT")) {
            let message = "STATE_TTL stands behind SELECT".to_owned();
            self.refuse(
                at,
                message,
                "write SELECT /*+ STATE_TTL('t' = '1 d') */ … FROM t",
            );
            return;
        }
        let of_select = pairs.into_iter().map(|pair| (place, pair));
        self.of_select.extend(of_select);
    }

    /// Writes what hints say into the name at a place, and says the bare name.
    fn mark(&mut self, place: usize, added: TableHints) -> String {
        let Some(Token::Word(word)) = self.kept.get_mut(place).map(|token| &mut token.token) else {
            return String::new();
        };
        let (name, mut hints) = split(&word.value);
        let name = name.to_owned();
        hints.options.extend(added.options);
        hints.state_ttl_ms = added.state_ttl_ms.or(hints.state_ttl_ms);
        let said = serde_json::to_string(&hints).expect("hints are plain data");
        word.value = format!("{name}{MARK}{said}");
        word.quote_style = Some('`');
        word.keyword = Keyword::NoKeyword;
        name
    }

    /// Puts `AS name` behind a place, so that columns can still be said to be the name's.
    fn name_it(&mut self, place: usize, name: &str) {
        let Some(at) = self.kept.get(place).map(|token| token.span) else {
            return;
        };
        let alias = [Token::make_keyword("AS"), Token::make_word(name, Some('`'))];
        let alias = alias.map(|token| TokenWithSpan::new(token, at));
        let behind = place + 1;
        self.kept.splice(behind..behind, alias);
    }

    /// Gives each `SELECT`'s times to its relations.
    fn finish(mut self) -> Vec<TokenWithSpan> {
        // From behind, so that what is put in moves no place that is still to come.
        for (select, pair) in std::mem::take(&mut self.of_select).into_iter().rev() {
            let millis = parse_duration(&pair.value)
                .and_then(|time| i64::try_from(time.as_millis()).ok())
                .filter(|millis| *millis > 0);
            if millis.is_none() {
                let message = format!("'{}' is no time above zero", pair.value);
                self.refuse(pair.at, message, "write it as '1 d', '12 h' or '30 min'");
                continue;
            }
            let Some((place, is_named)) = self.relation(select, &pair.key) else {
                let message = format!("the SELECT reads no table or view {}", pair.key);
                self.refuse(
                    pair.at,
                    message,
                    "write the alias of a relation of its FROM",
                );
                continue;
            };
            let hints = TableHints {
                options: Vec::new(),
                state_ttl_ms: millis,
            };
            self.mark(place, hints);
            if !is_named {
                self.name_it(place, &pair.key);
            }
        }
        self.kept
    }

    /// Where the name of the relation stands that a `SELECT` calls `name`, and whether it
    /// has an alias.
    fn relation(&self, select: usize, name: &str) -> Option<(usize, bool)> {
        let mut depth = 0_usize;
        let mut is_behind_from = false;
        for place in select + 1..self.kept.len() {
            let token = &self.kept[place].token;
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.checked_sub(1)?,
                Token::SemiColon => return None,
                Token::Word(_) if depth == 0 && is_word(token, "FROM") => is_behind_from = true,
                Token::Word(word)
                    if is_behind_from && depth == 0 && begins_relation(&self.kept[place - 1]) =>
                {
                    let behind = self.kept.get(place + 1);
                    let is_as = behind.is_some_and(|token| is_word(&token.token, "AS"));
                    let is_named = behind.is_some_and(is_alias);
                    let alias = match (is_as, is_named) {
                        (true, _) => self.kept.get(place + 2),
                        (false, true) => behind,
                        (false, false) => None,
                    };
                    let called = match alias.map(|token| &token.token) {
                        Some(Token::Word(alias)) => alias.value.as_str(),
                        _ => split(&word.value).0,
                    };
                    if called == name {
                        return Some((place, is_named));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Whether the name of a relation may stand behind a token.
fn begins_relation(token: &TokenWithSpan) -> bool {
    token.token == Token::Comma
        || ["FROM", "JOIN"]
            .iter()
            .any(|word| is_word(&token.token, word))
}

/// Whether a token behind the name of a relation gives it another one.
fn is_alias(token: &TokenWithSpan) -> bool {
    match &token.token {
        Token::Word(word) => {
            word.quote_style.is_some()
                || word.keyword == Keyword::AS
                || !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword)
        }
        _ => false,
    }
}

/// `('key' = 'value', …)` and what stands behind it.
fn pairs(tokens: &[TokenWithSpan]) -> Option<(Vec<Pair>, &[TokenWithSpan])> {
    let (open, mut rest) = tokens.split_first()?;
    if open.token != Token::LParen {
        return None;
    }
    let mut pairs = Vec::new();
    loop {
        let [key, equals, value, end, behind @ ..] = rest else {
            return None;
        };
        let (Token::SingleQuotedString(text), Token::Eq) = (&key.token, &equals.token) else {
            return None;
        };
        let Token::SingleQuotedString(value) = &value.token else {
            return None;
        };
        pairs.push(Pair {
            key: text.clone(),
            value: value.clone(),
            at: key.span.start,
        });
        match end.token {
            Token::Comma => rest = behind,
            Token::RParen => return Some((pairs, behind)),
            _ => return None,
        }
    }
}

const KNOWN: &str = "there are OPTIONS('key' = 'value') behind a table and STATE_TTL('alias' = '1 d') \
                     behind SELECT";
