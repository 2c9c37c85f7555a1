//! The calls of functions of JSON, whose arguments have clauses of their own.
//!
//! In the tree a clause is an argument: `JSON_ARRAY(a ABSENT ON NULL)` is `JSON_ARRAY(FALSE, a)`.

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Value,
};
use datafusion_sql::sqlparser::dialect::{Dialect as _, GenericDialect, Precedence};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::dialect::word_at;

/// The call of a function of JSON, if the next tokens are one.
pub(super) fn parse(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    if parser.peek_nth_token_ref(1).token != Token::LParen {
        return None;
    }
    let arguments = match word_at(parser, 0).as_str() {
        "JSON_ARRAY" => array,
        "JSON_ARRAYAGG" => array_aggregate,
        "JSON_EXISTS" => exists,
        "JSON_OBJECT" => object,
        "JSON_OBJECTAGG" => object_aggregate,
        "JSON_QUERY" => query,
        "JSON_VALUE" => value,
        _ => return None,
    };
    Some(parse_call(parser, arguments))
}

type Arguments = Result<Vec<Expr>, ParserError>;

fn parse_call(
    parser: &mut Parser,
    arguments: fn(&mut Parser) -> Arguments,
) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LParen)?;
    if ["DISTINCT", "ALL"].contains(&word_at(parser, 0).as_str()) {
        let wanted = format!("a value ({name} takes no DISTINCT)");
        return parser.expected(&wanted, parser.peek_token());
    }
    let arguments = arguments(parser)?;
    parser.expect_token(&Token::RParen)?;
    let filter = if parser.parse_keyword(Keyword::FILTER) {
        parser.expect_token(&Token::LParen)?;
        parser.expect_keyword(Keyword::WHERE)?;
        let condition = parser.parse_expr()?;
        parser.expect_token(&Token::RParen)?;
        Some(Box::new(condition))
    } else {
        None
    };
    Ok(called(name, arguments, filter))
}

fn called(name: Ident, arguments: Vec<Expr>, filter: Option<Box<Expr>>) -> Expr {
    let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(unnamed).collect(),
            clauses: Vec::new(),
        }),
        filter,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The words, one behind the other, if they come next.
fn words(parser: &mut Parser, words: &[&str]) -> bool {
    let all = words.iter().enumerate();
    let are_next = all.fold(true, |so_far, (place, word)| {
        so_far && word_at(parser, place) == *word
    });
    for _ in words.iter().filter(|_| are_next) {
        parser.advance_token();
    }
    are_next
}

fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}

/// `NULL ON NULL`, `ABSENT ON NULL`, or what holds without it.
fn nulls(parser: &mut Parser, by_default: bool) -> Expr {
    let nulls = if words(parser, &["NULL", "ON", "NULL"]) {
        true
    } else {
        !words(parser, &["ABSENT", "ON", "NULL"]) && by_default
    };
    Expr::value(Value::Boolean(nulls))
}

/// Whether the list of arguments ends here.
fn is_end(parser: &Parser) -> bool {
    let clause = [word_at(parser, 0), word_at(parser, 1), word_at(parser, 2)];
    let is_clause = ["NULL", "ABSENT"].contains(&clause[0].as_str())
        && clause[1] == "ON"
        && clause[2] == "NULL";
    is_clause || parser.peek_token_ref().token == Token::RParen
}

/// `[KEY] name VALUE value`, or with a colon.
fn pair(parser: &mut Parser) -> Result<[Expr; 2], ParserError> {
    let is_operand = matches!(
        parser.peek_nth_token_ref(1).token,
        Token::Word(_) | Token::SingleQuotedString(_)
    );
    if word_at(parser, 0) == "KEY" && is_operand && word_at(parser, 1) != "VALUE" {
        parser.advance_token();
    }
    // The parser takes a colon for an operator.
    let precedence = GenericDialect {}.prec_value(Precedence::Colon);
    let name = parser.parse_subexpr(precedence)?;
    if !words(parser, &["VALUE"]) && !parser.consume_token(&Token::Colon) {
        return parser.expected("VALUE", parser.peek_token());
    }
    Ok([name, parser.parse_expr()?])
}

fn object(parser: &mut Parser) -> Arguments {
    let mut pairs = Vec::new();
    if !is_end(parser) {
        loop {
            pairs.extend(pair(parser)?);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let nulls = nulls(parser, true);
    Ok(std::iter::once(nulls).chain(pairs).collect())
}

fn array(parser: &mut Parser) -> Arguments {
    let mut values = Vec::new();
    if !is_end(parser) {
        loop {
            values.push(parser.parse_expr()?);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let nulls = nulls(parser, false);
    Ok(std::iter::once(nulls).chain(values).collect())
}

fn object_aggregate(parser: &mut Parser) -> Arguments {
    let [name, value] = pair(parser)?;
    Ok(vec![name, value, nulls(parser, true)])
}

fn array_aggregate(parser: &mut Parser) -> Arguments {
    let value = parser.parse_expr()?;
    Ok(vec![value, nulls(parser, false)])
}

/// The text and the path.
fn source(parser: &mut Parser) -> Arguments {
    let text = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    Ok(vec![text, parser.parse_expr()?])
}

/// `TRUE ON ERROR` and its like.
fn exists(parser: &mut Parser) -> Arguments {
    let mut arguments = source(parser)?;
    let kinds = ["TRUE", "FALSE", "UNKNOWN", "ERROR"];
    let kind = kinds
        .iter()
        .find(|kind| words(parser, &[**kind, "ON", "ERROR"]));
    arguments.extend(kind.map(|kind| text(kind)));
    Ok(arguments)
}

/// `RETURNING type`; without it a text.
fn returning(parser: &mut Parser) -> Result<Option<Expr>, ParserError> {
    if !words(parser, &["RETURNING"]) {
        return Ok(None);
    }
    let data_type = parser.parse_data_type()?;
    Ok(Some(text(&data_type.to_string())))
}

/// What comes out where nothing is found, or on an error: `NULL`, `ERROR` or `DEFAULT value`. With
/// its value: none is null.
fn behaviour(parser: &mut Parser, on: &str) -> Result<Option<[Expr; 2]>, ParserError> {
    let null = || Expr::value(Value::Null);
    for kind in ["NULL", "ERROR"] {
        if words(parser, &[kind, "ON", on]) {
            return Ok(Some([text(kind), null()]));
        }
    }
    let before = parser.index();
    if words(parser, &["DEFAULT"]) {
        let value = parser.parse_expr()?;
        if words(parser, &["ON", on]) {
            return Ok(Some([text("DEFAULT"), value]));
        }
        while parser.index() > before {
            parser.prev_token();
        }
    }
    Ok(None)
}

fn value(parser: &mut Parser) -> Arguments {
    let mut arguments = source(parser)?;
    let returning = returning(parser)?;
    let on_empty = behaviour(parser, "EMPTY")?;
    let on_error = behaviour(parser, "ERROR")?;
    if returning.is_none() && on_empty.is_none() && on_error.is_none() {
        return Ok(arguments);
    }
    let null = || [text("NULL"), Expr::value(Value::Null)];
    arguments.push(returning.unwrap_or_else(|| text("STRING")));
    arguments.extend(on_empty.unwrap_or_else(null));
    arguments.extend(on_error.unwrap_or_else(null));
    Ok(arguments)
}

/// `WITHOUT WRAPPER`, `WITH WRAPPER`, `WITH CONDITIONAL WRAPPER`, with or without the word `ARRAY`.
fn wrapper(parser: &mut Parser) -> Option<Expr> {
    let kinds: [(&[&str], &str); 4] = [
        (&["WITHOUT"], "WITHOUT"),
        (&["WITH", "CONDITIONAL"], "CONDITIONAL"),
        (&["WITH", "UNCONDITIONAL"], "UNCONDITIONAL"),
        (&["WITH"], "UNCONDITIONAL"),
    ];
    kinds.iter().find_map(|(beginning, kind)| {
        let is_next = [&["WRAPPER"][..], &["ARRAY", "WRAPPER"]]
            .iter()
            .any(|end| words(parser, &[beginning, *end].concat()));
        is_next.then(|| text(kind))
    })
}

/// `NULL`, `ERROR`, `EMPTY ARRAY` or `EMPTY OBJECT`.
fn query_behaviour(parser: &mut Parser, on: &str) -> Option<Expr> {
    let kinds: [&[&str]; 4] = [
        &["NULL"],
        &["ERROR"],
        &["EMPTY", "ARRAY"],
        &["EMPTY", "OBJECT"],
    ];
    let kind = kinds
        .into_iter()
        .find(|kind| words(parser, &[kind, &["ON", on][..]].concat()));
    kind.map(|kind| text(kind[kind.len() - 1]))
}

fn query(parser: &mut Parser) -> Arguments {
    let mut arguments = source(parser)?;
    let clauses = [
        returning(parser)?,
        wrapper(parser),
        query_behaviour(parser, "EMPTY"),
        query_behaviour(parser, "ERROR"),
    ];
    if clauses.iter().all(Option::is_none) {
        return Ok(arguments);
    }
    let defaults = ["STRING", "WITHOUT", "NULL", "NULL"];
    let clauses = clauses.into_iter().zip(defaults);
    arguments.extend(clauses.map(|(clause, default)| clause.unwrap_or_else(|| text(default))));
    Ok(arguments)
}
