//! A statement's tokens with a place in them: the words, names and strings of DDL.

use datafusion_sql::sqlparser::ast::{Expr, Ident, Query};
use datafusion_sql::sqlparser::dialect::Dialect;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::plan::{Diagnostic, Span};
use crate::sql::limits;
use crate::sql::tokens::{is_word, lower_first, span};

/// Words that cannot be a name without quotes: where one stands for a name,
/// the name was forgotten.
const RESERVED: &[&str] = &[
    "AS",
    "AND",
    "BEGIN",
    "CASE",
    "CONSTRAINT",
    "CREATE",
    "END",
    "EXECUTE",
    "FROM",
    "GROUP",
    "INSERT",
    "INTO",
    "NOT",
    "NULL",
    "OR",
    "ORDER",
    "PRIMARY",
    "SELECT",
    "SET",
    "TABLE",
    "UNION",
    "VALUES",
    "VIEW",
    "WATERMARK",
    "WHERE",
    "WITH",
];

/// What to say of a name with a catalog or database before it that there is not.
pub(in crate::sql) const NO_SUCH_DATABASE: &str =
    "there is no other catalog or database than default_catalog.default_database";
/// See [`NO_SUCH_DATABASE`].
pub(in crate::sql) const ONE_DATABASE: &str = "write only the last part of the name";

/// Why a statement could not be read.
#[derive(Debug)]
pub(super) struct Failure {
    location: Option<Location>,
    message: String,
    hint: Option<String>,
}

/// The result of reading a part of a statement.
pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure at a place.
    pub(super) fn new(location: Location, message: impl Into<String>) -> Self {
        Self {
            location: Some(location),
            message: message.into(),
            hint: None,
        }
    }

    /// The same with advice.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to tell the user; `start` is where the statement begins.
    pub(super) fn into_diagnostic(self, start: Span) -> Diagnostic {
        Diagnostic {
            span: self
                .location
                .filter(|location| location.line > 0)
                .map_or(start, |location| span(start.file, location)),
            message: self.message,
            hint: self.hint,
        }
    }
}

impl From<ParserError> for Failure {
    fn from(error: ParserError) -> Self {
        let text = match error {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
            ParserError::RecursionLimitExceeded => "the statement is nested too deep".into(),
        };
        let (message, location) = split_location(&text);
        let message = message.replacen("Expected: ", "expected ", 1).replacen(
            "expected identifier",
            "expected a name",
            1,
        );
        let message = lower_first(&message.replacen(", found: ", ", found ", 1));
        let message = match message.strip_suffix("found EOF") {
            Some(before) => format!("{before}found the end of the statement"),
            None => message,
        };
        Self {
            location,
            message,
            hint: None,
        }
    }
}

/// The parser writes the place of an error at the end of its message.
fn split_location(text: &str) -> (&str, Option<Location>) {
    let parts = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let location = Location::new(line.parse().ok()?, column.parse().ok()?);
        Some((message, location))
    });
    match parts {
        Some((message, location)) => (message, Some(location)),
        None => (text, None),
    }
}

/// A place in the tokens of one statement.
pub(super) struct Cursor<'a> {
    parser: Parser<'a>,
}

impl<'a> Cursor<'a> {
    /// At the beginning of `tokens`.
    pub(super) fn new(dialect: &'a dyn Dialect, tokens: Vec<TokenWithSpan>) -> Self {
        let parser = Parser::new(dialect)
            .with_recursion_limit(limits::RECURSION_MAX)
            .with_tokens_with_locations(tokens);
        Self { parser }
    }

    /// Where the next token stands.
    pub(super) fn location(&self) -> Location {
        self.parser.peek_token_ref().span.start
    }

    /// Whether the next tokens are these words.
    pub(super) fn is_at(&self, words: &[&str]) -> bool {
        let mut words = words.iter().enumerate();
        words.all(|(index, word)| is_word(&self.parser.peek_nth_token_ref(index).token, word))
    }

    /// Takes these words if they are next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.is_at(words);
        if found {
            for _ in words {
                self.parser.advance_token();
            }
        }
        found
    }

    /// Takes these words.
    pub(super) fn expect(&mut self, words: &[&str]) -> Result<()> {
        for word in words {
            if !self.eat(&[word]) {
                return self.unexpected(word);
            }
        }
        Ok(())
    }

    /// Whether the next token is this one.
    pub(super) fn is_symbol(&self, symbol: &Token) -> bool {
        self.parser.peek_token_ref().token == *symbol
    }

    /// Takes the symbol if it is next.
    pub(super) fn eat_symbol(&mut self, symbol: &Token) -> bool {
        self.parser.consume_token(symbol)
    }

    /// Takes the symbol.
    pub(super) fn expect_symbol(&mut self, symbol: &Token) -> Result<()> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            self.unexpected(&symbol.to_string())
        }
    }

    /// Fails if anything is left.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is_symbol(&Token::EOF) {
            return Ok(());
        }
        let next = [
            "CREATE", "EXECUTE", "EXPLAIN", "INSERT", "SELECT", "SET", "WITH",
        ];
        let failure = self.unexpected("the end of the statement");
        if next.iter().any(|word| self.is_at(&[word])) {
            return failure.map_err(|failure: Failure| failure.with_hint("put a ; before it"));
        }
        failure
    }

    /// Whether the next token is a string in single quotes.
    pub(super) fn is_string(&self) -> bool {
        matches!(
            self.parser.peek_token_ref().token,
            Token::SingleQuotedString(_)
        )
    }

    /// A string in single quotes; `what` says which.
    pub(super) fn string(&mut self, what: &str) -> Result<String> {
        if let Token::SingleQuotedString(text) = &self.parser.peek_token_ref().token {
            let text = text.clone();
            self.parser.advance_token();
            return Ok(text);
        }
        self.unexpected(what)
    }

    /// A name; `what` says of what.
    pub(super) fn name(&mut self, what: &str) -> Result<Ident> {
        let next = self.parser.peek_token_ref();
        let Token::Word(word) = &next.token else {
            return self.unexpected(what);
        };
        let reserved = RESERVED
            .iter()
            .any(|reserved| is_word(&next.token, reserved));
        if reserved {
            let written = word.value.clone();
            let unexpected: Result<Ident> = self.unexpected(what);
            return unexpected.map_err(|diagnostic| {
                diagnostic.with_hint(format!("to use it as a name, write `{written}`"))
            });
        }
        let name = word.to_ident(next.span);
        self.parser.advance_token();
        Ok(name)
    }

    /// The name of a table or view, which has one part.
    pub(super) fn table_name(&mut self, what: &str) -> Result<Ident> {
        let name = self.name(what)?;
        if self.is_symbol(&Token::Period) {
            return Err(Failure::new(name.span.start, NO_SUCH_DATABASE).with_hint(ONE_DATABASE));
        }
        Ok(name)
    }

    /// Names in parentheses.
    pub(super) fn names(&mut self, what: &str) -> Result<Vec<Ident>> {
        self.expect_symbol(&Token::LParen)?;
        let mut names = vec![self.name(what)?];
        while self.eat_symbol(&Token::Comma) {
            names.push(self.name(what)?);
        }
        self.expect_symbol(&Token::RParen)?;
        Ok(names)
    }

    /// The text of the next token if it is a word or number, for dotted keys.
    pub(super) fn key_part(&mut self) -> Result<String> {
        let text = match &self.parser.peek_token_ref().token {
            Token::Word(word) => word.value.clone(),
            Token::Number(number, _) => number.clone(),
            _ => return self.unexpected("a key"),
        };
        self.parser.advance_token();
        Ok(text)
    }

    /// The next token as it was written; but what stands in quotes is not told, for it may
    /// have come from a variable, or be a secret.
    pub(super) fn text(&self) -> String {
        match &self.parser.peek_token_ref().token {
            Token::EOF => "the end of the statement".into(),
            Token::SingleQuotedString(_) => "a text in quotes".into(),
            token => token.to_string(),
        }
    }

    /// The next word in upper case, if it is one.
    pub(super) fn word(&self) -> Option<String> {
        match &self.parser.peek_token_ref().token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        }
    }

    /// An expression.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        let parsed = self.parser.parse_expr();
        parsed.map_err(|error| self.without_nested_casts(error.into()))
    }

    /// A query.
    pub(super) fn query(&mut self) -> Result<Box<Query>> {
        let parsed = self.parser.parse_query();
        parsed.map_err(|error| self.without_nested_casts(error.into()))
    }

    /// The parser below knows no `CAST(… AS ROW<…>)`, and stops at the `<`.
    fn without_nested_casts(&self, failure: Failure) -> Failure {
        let tokens = (0..).map(|index| self.parser.token_at(index));
        let tokens = tokens.take_while(|token| token.token != Token::EOF);
        let mut word: Option<&TokenWithSpan> = None;
        for token in tokens {
            if Some(token.span.start) == failure.location {
                let word = word.filter(|word| {
                    let is_nested = is_word(&word.token, "ROW") || is_word(&word.token, "MAP");
                    is_nested && token.token == Token::Lt
                });
                return word.map_or(failure, |word| {
                    let message = format!("a cast to {} is not supported yet", word.token);
                    Failure::new(word.span.start, message)
                });
            }
            word = Some(token);
        }
        failure
    }

    /// The parser below, for types.
    pub(super) fn parser(&mut self) -> &mut Parser<'a> {
        &mut self.parser
    }

    /// The failure that something else stands here.
    pub(super) fn unexpected<T>(&self, expected: &str) -> Result<T> {
        let message = format!("expected {expected}, found {}", self.text());
        Err(Failure::new(self.location(), message))
    }
}
