//! The text of one file as tokens, cut into statements.

use datafusion_sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

use super::dialect::FlinkDialect;
use super::environment::{Environment, substitute};
use super::{hints, limits};
use crate::plan::{Diagnostic, Span};

/// The names of Flink's one catalog and database where nobody makes others.
pub(super) const DEFAULT_CATALOG: &str = "default_catalog";
/// See [`DEFAULT_CATALOG`].
pub(super) const DEFAULT_DATABASE: &str = "default_database";

/// The tokens between two semicolons, without white space. The last one is
/// [`Token::EOF`] and stands where the semicolon or the file's end is.
#[derive(Debug)]
pub(super) struct Piece {
    /// Which file it is from.
    pub file: usize,
    /// The tokens; never only the last one.
    pub tokens: Vec<TokenWithSpan>,
    /// Whether something in it was reported already.
    pub broken: bool,
}

impl Piece {
    /// Where it begins.
    pub(super) fn start(&self) -> Span {
        let start = self.tokens.first().map(|token| token.span.start);
        span(self.file, start.unwrap_or_else(Location::empty))
    }

    /// Whether token `index` is this word, in any case and without quotes.
    pub(super) fn is_word(&self, index: usize, word: &str) -> bool {
        self.tokens
            .get(index)
            .is_some_and(|token| is_word(&token.token, word))
    }

    /// Whether it begins with these words.
    pub(super) fn begins_with(&self, words: &[&str]) -> bool {
        let mut words = words.iter().enumerate();
        words.all(|(index, word)| self.is_word(index, word))
    }
}

/// Whether `token` is this word, in any case and without quotes.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    match token {
        Token::Word(found) => found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word),
        _ => false,
    }
}

/// A place in a file.
pub(super) fn span(file: usize, location: Location) -> Span {
    Span {
        file,
        line: location.line,
        column: location.column,
    }
}

/// Reads one file. `tokens_left` is what the program's other files leave of the
/// limit; zero behind a file that exceeded it.
pub(super) fn read(
    file: usize,
    text: &str,
    tokens_left: &mut usize,
    environment: Environment,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Piece> {
    let dialect = FlinkDialect::new(0);
    let mut tokens = Vec::new();
    let outcome = Tokenizer::new(&dialect, text).tokenize_with_location_into_buf(&mut tokens);
    let end = match &outcome {
        Ok(()) => tokens
            .last()
            .map_or(Location::new(1, 1), |last| last.span.end),
        Err(error) => error.location,
    };
    let before = diagnostics.len();
    let tokens: Vec<_> = tokens.into_iter().flat_map(without_blanks).collect();
    if tokens.len() > *tokens_left {
        let excess = tokens[*tokens_left].span.start;
        let message = format!(
            "the program has more than {} words and symbols",
            limits::TOKENS_MAX
        );
        diagnostics.push(Diagnostic::new(span(file, excess), message));
        *tokens_left = 0;
        return Vec::new();
    }
    *tokens_left -= tokens.len();
    let tokens = substitute(file, &tokens, environment, diagnostics);
    let tokens = with_short_type(without_default_names(tokens));
    let tokens = hints::attached(file, tokens, diagnostics);
    let reported: Vec<Span> = diagnostics[before..].iter().map(|d| d.span).collect();
    let mut pieces = cut(file, tokens, end);
    for piece in &mut pieces {
        let last = piece.tokens.last().map(|token| token.span.start);
        let end = span(file, last.unwrap_or(end));
        let start = piece.start();
        piece.broken = reported.iter().any(|at| (start..=end).contains(at));
    }
    if let Err(error) = outcome {
        let unfinished = pieces
            .last_mut()
            .filter(|piece| !ends_with_semicolon(piece, &error));
        if let Some(piece) = unfinished {
            piece.broken = true;
        }
        diagnostics.push(Diagnostic::new(
            span(file, error.location),
            lower_first(error.message.trim_end_matches('.')),
        ));
    }
    pieces
}

/// Nothing of white space and comments, except that a hint is taken apart.
fn without_blanks(token: TokenWithSpan) -> Vec<TokenWithSpan> {
    if let Some(hint) = hints::opened(&token) {
        return hint;
    }
    match token.token {
        Token::Whitespace(_) => Vec::new(),
        _ => vec![token],
    }
}

/// The tokens without `default_catalog.` and `default_database.` before a name: what is
/// behind them means the same alone.
fn without_default_names(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_name = |at: usize, name: &str| {
        let token = tokens.get(at).map(|token| &token.token);
        matches!(token, Some(Token::Word(word)) if word.value == name)
    };
    let is_period = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| token.token == Token::Period)
    };
    let is_word = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| matches!(token.token, Token::Word(_)))
    };
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let begins_name = !at.checked_sub(1).is_some_and(is_period);
        let skipped = if begins_name && is_name(at, DEFAULT_CATALOG) && is_period(at + 1) {
            let has_both = is_name(at + 2, DEFAULT_DATABASE) && is_period(at + 3);
            if has_both && is_word(at + 4) { 4 } else { 0 }
        } else if begins_name && is_name(at, DEFAULT_DATABASE) && is_period(at + 1) {
            if is_word(at + 2) { 2 } else { 0 }
        } else {
            0
        };
        if skipped == 0 {
            kept.push(token.clone());
            at += 1;
        }
        at += skipped;
    }
    kept
}

/// The tokens with `TIMESTAMP_LTZ(p)` for `TIMESTAMP(p) WITH LOCAL TIME ZONE`, which the
/// parser does not know.
fn with_short_type(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const LONG: [&str; 4] = ["WITH", "LOCAL", "TIME", "ZONE"];
    let is_at = |at: usize, words: &[&str]| {
        let rest = tokens.get(at..).unwrap_or_default();
        let mut pairs = rest.iter().zip(words);
        rest.len() >= words.len() && pairs.all(|(token, word)| is_word(&token.token, word))
    };
    let is_symbol = |at: usize, symbol: &Token| {
        let token = tokens.get(at).map(|token| &token.token);
        token == Some(symbol)
    };
    let mut kept = Vec::with_capacity(tokens.len());
    // Where the words begin that are left out.
    let mut left_out = None;
    for (at, token) in tokens.iter().enumerate() {
        let mut token = token.clone();
        if is_at(at, &["TIMESTAMP"]) {
            let has_precision =
                is_symbol(at + 1, &Token::LParen) && is_symbol(at + 3, &Token::RParen);
            let behind = at + if has_precision { 4 } else { 1 };
            if is_at(behind, &LONG) {
                token.token = Token::make_word("TIMESTAMP_LTZ", None);
                left_out = Some(behind);
            }
        }
        let is_left_out = left_out.is_some_and(|from| (from..from + LONG.len()).contains(&at));
        if !is_left_out {
            kept.push(token);
        }
    }
    kept
}

/// Cuts at each semicolon.
fn cut(file: usize, tokens: Vec<TokenWithSpan>, end: Location) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut current = Vec::new();
    let mut close = |current: &mut Vec<TokenWithSpan>, at: Location| {
        if !current.is_empty() {
            let mut tokens = std::mem::take(current);
            tokens.push(TokenWithSpan::at(Token::EOF, at, at));
            pieces.push(Piece {
                file,
                tokens,
                broken: false,
            });
        }
    };
    for token in tokens {
        if token.token == Token::SemiColon {
            close(&mut current, token.span.start);
        } else {
            current.push(token);
        }
    }
    close(&mut current, end);
    pieces
}

/// Whether a piece was complete when the tokenizer gave up behind it.
fn ends_with_semicolon(piece: &Piece, error: &TokenizerError) -> bool {
    let end = piece.tokens.last().map(|token| token.span.start);
    end.is_some_and(|end| end < error.location)
}

/// A message of the parser in our style: it begins in lower case unless with a
/// key word or a symbol.
pub(super) fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first
            .to_lowercase()
            .chain(message.chars().skip(1))
            .collect(),
        _ => message.to_owned(),
    }
}
