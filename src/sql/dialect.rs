//! How Flink SQL differs from the parser's other dialects inside a query.
//!
//! The parser backtracks, and on a text that is wrong in the right places its
//! attempts multiply. Two things bound it: words that begin a construct of their
//! own are never tried as names ([`Dialect::is_reserved_for_identifier`]), and
//! every parse has a number of steps after which it gives up.

use std::cell::Cell;

use super::access::written_call;
use super::functions::{ARRAY, BETWEEN_SYMMETRIC, IS_JSON, MAP};
use super::json_calls;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, UnaryOperator, Value,
};
use datafusion_sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion_sql::sqlparser::keywords::{Keyword, RESERVED_FOR_IDENTIFIER};
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Token;

/// The function as which a `TABLE name PARTITION BY …` argument appears in the tree; its
/// arguments are the name and the columns.
pub(crate) const TABLE_ARGUMENT: &str = "$TABLE";

/// What is said of other ways to make rows, arrays and maps than Flink's.
pub(super) const NO_COLLECTIONS: &str = "rows, arrays and maps are not made in this way";

/// Words with which an expression of a special form begins.
const EXPRESSION_WORDS: &[Keyword] = &[
    Keyword::ARRAY,
    Keyword::CASE,
    Keyword::CAST,
    Keyword::CEIL,
    Keyword::CONVERT,
    Keyword::EXISTS,
    Keyword::EXTRACT,
    Keyword::FLOOR,
    Keyword::INTERVAL,
    Keyword::NOT,
    Keyword::OVERLAY,
    Keyword::SAFE_CAST,
    Keyword::SUBSTR,
    Keyword::SUBSTRING,
    Keyword::TRIM,
    Keyword::TRY_CAST,
];

/// Words that are never a name, so that one in the place of an expression is
/// reported there and not where the parser loses the thread.
const CLAUSE_WORDS: &[Keyword] = &[
    Keyword::AND,
    Keyword::AS,
    Keyword::BY,
    Keyword::ELSE,
    Keyword::END,
    Keyword::FROM,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::INTO,
    Keyword::JOIN,
    Keyword::ON,
    Keyword::OR,
    Keyword::ORDER,
    Keyword::THEN,
    Keyword::UNION,
    Keyword::WHEN,
    Keyword::WHERE,
];

/// The dialect, with the steps that are left to one parse.
#[derive(Debug)]
pub(super) struct FlinkDialect {
    steps: Cell<usize>,
}

impl FlinkDialect {
    /// For the parse of one statement of so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        // A sound text needs a few steps for each token.
        Self {
            steps: Cell::new(tokens.saturating_mul(64).saturating_add(10_000)),
        }
    }
}

impl Dialect for FlinkDialect {
    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '`'
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphanumeric() || character == '_'
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        EXPRESSION_WORDS.contains(&keyword) || RESERVED_FOR_IDENTIFIER.contains(&keyword)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        value: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        parse_between(parser, value).or_else(|| parse_is_json(parser, value).map(Ok))
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let Some(left) = self.steps.get().checked_sub(1) else {
            return Some(Err(ParserError::RecursionLimitExceeded));
        };
        self.steps.set(left);
        let Token::Word(word) = &parser.peek_token_ref().token else {
            return None;
        };
        if word.quote_style.is_some() {
            return None;
        }
        if let Some(call) = json_calls::parse(parser) {
            return Some(call);
        }
        let Token::Word(word) = &parser.peek_token_ref().token else {
            return None;
        };
        match word.keyword {
            Keyword::INTERVAL => Some(parse_interval(parser)),
            Keyword::TABLE if matches!(parser.peek_nth_token_ref(1).token, Token::Word(_)) => {
                Some(parse_table_argument(parser))
            }
            Keyword::ARRAY | Keyword::MAP
                if parser.peek_nth_token_ref(1).token == Token::LBracket =>
            {
                Some(parse_elements(parser))
            }
            keyword if CLAUSE_WORDS.contains(&keyword) => {
                Some(parser.expected("an expression", parser.peek_token()))
            }
            _ => None,
        }
    }
}

/// `ARRAY[a, b]` and `MAP[key, value]`.
fn parse_elements(parser: &mut Parser) -> Result<Expr, ParserError> {
    let is_array = parser.parse_keyword(Keyword::ARRAY);
    if !is_array {
        parser.expect_keyword(Keyword::MAP)?;
    }
    parser.expect_token(&Token::LBracket)?;
    let elements = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RBracket)?;
    Ok(written_call(if is_array { ARRAY } else { MAP }, elements))
}

/// The word without quotes so many tokens ahead, in capitals.
pub(super) fn word_at(parser: &Parser, place: usize) -> String {
    match &parser.peek_nth_token_ref(place).token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _ => String::new(),
    }
}

/// `text IS JSON` and `text IS NOT JSON`, of any kind or of one.
fn parse_is_json(parser: &mut Parser, value: &Expr) -> Option<Expr> {
    let negated = word_at(parser, 1) == "NOT";
    let json = if negated { 2 } else { 1 };
    if word_at(parser, 0) != "IS" || word_at(parser, json) != "JSON" {
        return None;
    }
    for _ in 0..=json {
        parser.advance_token();
    }
    let kind = word_at(parser, 0);
    let kinds = ["VALUE", "SCALAR", "ARRAY", "OBJECT"];
    let kind = kinds.iter().find(|known| **known == kind);
    if kind.is_some() {
        parser.advance_token();
    }
    let kind = Expr::value(Value::SingleQuotedString(
        (*kind.unwrap_or(&"VALUE")).to_owned(),
    ));
    let call = written_call(IS_JSON, vec![value.clone(), kind]);
    Some(if negated {
        Expr::Nested(Box::new(Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(call),
        }))
    } else {
        call
    })
}

/// `BETWEEN SYMMETRIC low AND high`, whose bounds stand in any order, and `BETWEEN
/// ASYMMETRIC`, which is `BETWEEN` alone. The parser knows neither word.
fn parse_between(parser: &mut Parser, value: &Expr) -> Option<Result<Expr, ParserError>> {
    let is_negated = word_at(parser, 0) == "NOT";
    let first = usize::from(is_negated);
    let is_symmetric = match (
        word_at(parser, first).as_str(),
        word_at(parser, first + 1).as_str(),
    ) {
        ("BETWEEN", "SYMMETRIC") => true,
        ("BETWEEN", "ASYMMETRIC") => false,
        _ => return None,
    };
    for _ in 0..first + 2 {
        parser.advance_token();
    }
    Some(parse_bounds(parser, value, is_negated, is_symmetric))
}

fn parse_bounds(
    parser: &mut Parser,
    value: &Expr,
    negated: bool,
    is_symmetric: bool,
) -> Result<Expr, ParserError> {
    let precedence = GenericDialect {}.prec_value(Precedence::Between);
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword(Keyword::AND)?;
    let high = parser.parse_subexpr(precedence)?;
    if !is_symmetric {
        return Ok(Expr::Between {
            expr: Box::new(value.clone()),
            negated,
            low: Box::new(low),
            high: Box::new(high),
        });
    }
    let call = written_call(BETWEEN_SYMMETRIC, vec![value.clone(), low, high]);
    Ok(if negated {
        Expr::Nested(Box::new(Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(call),
        }))
    } else {
        call
    })
}

/// `INTERVAL` stands before a quoted number; anything else behind it would make
/// the parser try the word twice at each place.
fn parse_interval(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    let next = parser.peek_token();
    match next.token {
        Token::SingleQuotedString(_) => parser.parse_interval(),
        _ => parser.expected("a quoted number and a unit after INTERVAL", next),
    }
}

/// `TABLE name` or `TABLE name PARTITION BY columns` as an argument of a window function.
fn parse_table_argument(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    let name = parser.parse_object_name(false)?;
    let columns = parse_partition(parser)?;
    let parts: Vec<Ident> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().cloned())
        .collect();
    let span = parts.first().map(|part| part.span);
    let table = Expr::CompoundIdentifier(parts);
    let arguments = std::iter::once(table).chain(columns.into_iter().map(Expr::Identifier));
    let arguments = arguments.map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    let mut function = Ident::new(TABLE_ARGUMENT);
    function.span = span.unwrap_or(function.span);
    Ok(Expr::Function(Function {
        name: ObjectName::from(vec![function]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }))
}

/// The columns of `PARTITION BY`, in parentheses or not; none without it.
fn parse_partition(parser: &mut Parser) -> Result<Vec<Ident>, ParserError> {
    if !parser.parse_keyword(Keyword::PARTITION) {
        return Ok(Vec::new());
    }
    parser.expect_keyword(Keyword::BY)?;
    let parenthesised = parser.consume_token(&Token::LParen);
    let mut columns = vec![parser.parse_identifier()?];
    // Without parentheses the next argument of the function may follow.
    while parser.peek_token_ref().token == Token::Comma
        && matches!(parser.peek_nth_token_ref(1).token, Token::Word(_))
        && matches!(
            parser.peek_nth_token_ref(2).token,
            Token::Comma | Token::RParen
        )
    {
        parser.advance_token();
        columns.push(parser.parse_identifier()?);
    }
    if parenthesised {
        parser.expect_token(&Token::RParen)?;
    }
    Ok(columns)
}
