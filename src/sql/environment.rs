//! `${NAME}` and `${NAME:-default}`: values from the environment, put in token by token.
//!
//! A value takes the place of its placeholder inside one token and never changes
//! the structure of the text: quotes in it stay characters of the string, and
//! outside of quotes it must be one name or number. Since the tokens are there
//! already, every position still speaks of the text as it was written.

use std::borrow::Cow;

use datafusion_sql::sqlparser::tokenizer::{
    Location, Span as TokenSpan, Token, TokenWithSpan, Tokenizer, Word,
};

use super::dialect::FlinkDialect;
use super::limits::DIAGNOSTICS_MAX;
use crate::plan::{Diagnostic, Span};

/// Looks a variable up.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The tokens with every placeholder replaced; what cannot be replaced stays and is reported.
pub(super) fn substitute(
    file: usize,
    tokens: &[TokenWithSpan],
    environment: Environment,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<TokenWithSpan> {
    let mut substitution = Substitution {
        file,
        environment,
        diagnostics,
        output: Vec::with_capacity(tokens.len()),
    };
    let mut rest = tokens;
    while let Some((token, behind)) = rest.split_first() {
        if let Some(length) = placeholder_length(rest) {
            rest = substitution.bare(rest, length);
        } else {
            substitution.quoted(token);
            rest = behind;
        }
    }
    substitution.output
}

struct Substitution<'a> {
    file: usize,
    environment: Environment<'a>,
    diagnostics: &'a mut Vec<Diagnostic>,
    output: Vec<TokenWithSpan>,
}

impl Substitution<'_> {
    /// A token that is not a placeholder itself but may hold some.
    fn quoted(&mut self, token: &TokenWithSpan) {
        let replaced = match &token.token {
            Token::SingleQuotedString(text) if text.contains("${") => {
                let text = self.expand(text, '\'', token.span.start);
                Token::SingleQuotedString(text.into_owned())
            }
            Token::Word(word) if word.quote_style.is_some() && word.value.contains("${") => {
                let value = self.expand(&word.value, '`', token.span.start);
                Token::Word(Word {
                    value: value.into_owned(),
                    ..word.clone()
                })
            }
            other => other.clone(),
        };
        self.output.push(TokenWithSpan::new(replaced, token.span));
    }

    /// A placeholder of `length` tokens outside of quotes, with the words and
    /// placeholders that touch it; returns the tokens behind them.
    fn bare<'t>(&mut self, tokens: &'t [TokenWithSpan], length: usize) -> &'t [TokenWithSpan] {
        let mut start = tokens[0].span.start;
        let mut text = String::new();
        if let Some(before) = self.output.last()
            && before.span.end == start
            && is_plain(&before.token)
        {
            text = before.token.to_string();
            start = before.span.start;
            self.output.pop();
        }
        let (mut rest, mut end, mut length) = (tokens, start, length);
        loop {
            let (placeholder, behind) = rest.split_at(length);
            let name: String = placeholder
                .iter()
                .map(|token| token.token.to_string())
                .collect();
            match self.value_of(&name, placeholder[0].span.start) {
                Some(value) => text.push_str(&value),
                None => text.push('_'),
            }
            rest = behind;
            end = placeholder.last().map_or(end, |last| last.span.end);
            while let Some((next, behind)) = rest.split_first()
                && next.span.start == end
                && is_plain(&next.token)
            {
                text.push_str(&next.token.to_string());
                end = next.span.end;
                rest = behind;
            }
            match (placeholder_length(rest), rest.first()) {
                (Some(next), Some(first)) if first.span.start == end => length = next,
                _ => break,
            }
        }
        self.push_plain(&text, TokenSpan::new(start, end));
        rest
    }

    /// The value outside of quotes: `${env:…}` has no place there.
    fn value_of(&mut self, placeholder: &str, location: Location) -> Option<String> {
        if is_secret(placeholder) {
            let message = format!("{placeholder} is a secret and stands only inside quotes");
            self.report(location, message, None);
            return None;
        }
        let errors = self.diagnostics.len();
        let value = self.expand(placeholder, '`', location).into_owned();
        (self.diagnostics.len() == errors).then_some(value)
    }

    /// The tokens of a value that is one name or number.
    fn push_plain(&mut self, text: &str, span: TokenSpan) {
        let dialect = FlinkDialect::new(0);
        let tokens = Tokenizer::new(&dialect, text).tokenize();
        let tokens = tokens.unwrap_or_default();
        let signed = tokens.strip_prefix(&[Token::Minus]).unwrap_or(&tokens);
        let plain = signed.iter().enumerate().all(|(place, token)| {
            if place % 2 == 0 {
                is_plain(token)
            } else {
                *token == Token::Period
            }
        });
        if plain && signed.len() % 2 == 1 {
            let tokens = tokens.into_iter();
            self.output
                .extend(tokens.map(|token| TokenWithSpan::new(token, span)));
        } else {
            self.report(
                span.start,
                "outside of quotes a variable must be one name or number".into(),
                Some("put quotes around it: '${NAME}'".into()),
            );
        }
    }

    /// `text` with its placeholders replaced. `quote` is the quote around it,
    /// which the source writes twice for each one in `text`.
    fn expand<'t>(&mut self, text: &'t str, quote: char, start: Location) -> Cow<'t, str> {
        if self.diagnostics.len() >= DIAGNOSTICS_MAX {
            return Cow::Borrowed(text);
        }
        let mut output = String::new();
        let mut rest = text;
        let mut location = start;
        if quote == '\'' {
            location.column += 1;
        }
        while let Some(place) = rest.find("${") {
            let (before, placeholder) = rest.split_at(place);
            output.push_str(before);
            advance(&mut location, before, quote);
            let length = placeholder
                .find('}')
                .map_or(placeholder.len(), |end| end + 1);
            let (placeholder, behind) = placeholder.split_at(length);
            match self.lookup(placeholder) {
                Ok(value) => output.push_str(&value),
                Err((message, hint)) => self.report(location, message, hint),
            }
            advance(&mut location, placeholder, quote);
            rest = behind;
        }
        output.push_str(rest);
        Cow::Owned(output)
    }

    /// The value of one `${…}`, or what is wrong with it.
    fn lookup(&self, placeholder: &str) -> Result<String, (String, Option<String>)> {
        if is_secret(placeholder) {
            return Ok(placeholder.to_owned());
        }
        let forms = "the forms are ${NAME}, ${NAME:-default}, ${env:NAME} and ${file:PATH}";
        let malformed = || {
            let message = format!("{placeholder} is not a variable");
            (message, Some(forms.to_owned()))
        };
        let inner = placeholder
            .strip_prefix("${")
            .and_then(|inner| inner.strip_suffix('}'))
            .ok_or_else(|| ("${ has no closing brace".into(), Some(forms.to_owned())))?;
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let first = name.chars().next().ok_or_else(malformed)?;
        let is_name = !first.is_ascii_digit()
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_');
        if !is_name {
            return Err(malformed());
        }
        (self.environment)(name)
            .or_else(|| default.map(str::to_owned))
            .ok_or_else(|| {
                let message = format!("the environment variable {name} is not set");
                let hint = format!("set it, or give it a default: ${{{name}:-value}}");
                (message, Some(hint))
            })
    }

    fn report(&mut self, location: Location, message: String, hint: Option<String>) {
        let span = Span {
            file: self.file,
            line: location.line,
            column: location.column,
        };
        self.diagnostics.push(Diagnostic {
            span,
            message,
            hint,
        });
    }
}

/// How many tokens the placeholder at the beginning of `tokens` has.
fn placeholder_length(tokens: &[TokenWithSpan]) -> Option<usize> {
    let [dollar, brace, ..] = tokens else {
        return None;
    };
    let begins = matches!(&dollar.token, Token::Placeholder(text) if text == "$")
        && brace.token == Token::LBrace
        && dollar.span.end == brace.span.start;
    if !begins {
        return None;
    }
    let end = tokens
        .iter()
        .take_while(|token| token.token != Token::SemiColon)
        .position(|token| token.token == Token::RBrace);
    Some(end.map_or(2, |end| end + 1))
}

/// A name without quotes, or a number.
fn is_plain(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_none(),
        Token::Number(..) => true,
        _ => false,
    }
}

/// Whether a connector, not this program's text, resolves it.
fn is_secret(placeholder: &str) -> bool {
    let secret = placeholder.starts_with("${env:") || placeholder.starts_with("${file:");
    secret && placeholder.ends_with('}')
}

/// Moves `location` over `text` as the source writes it.
fn advance(location: &mut Location, text: &str, quote: char) {
    for character in text.chars() {
        if character == '\n' {
            location.line += 1;
            location.column = 1;
        } else {
            location.column += if character == quote { 2 } else { 1 };
        }
    }
}
