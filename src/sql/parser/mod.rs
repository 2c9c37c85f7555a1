//! The statements of Flink SQL, around the parser's queries, expressions and types.

mod cursor;
mod data_type;
mod like;
mod script;
mod table;

use datafusion_sql::sqlparser::tokenizer::{Location, Token};

use self::cursor::{Cursor, Failure, Result};
use super::statement::{CreateView, Drop, Explain, Insert, ParsedStatement, Statement};
use super::tokens::{DEFAULT_CATALOG, DEFAULT_DATABASE, is_word};
use crate::plan::Span;

pub(super) use cursor::{NO_SUCH_DATABASE, ONE_DATABASE};
pub(super) use data_type::{is_instant, unsupported as unsupported_type};
pub(super) use script::{Script, finish, read_script};

/// Statements that Flink has and this program has not (yet), with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    (
        "ADD",
        "no code is loaded at run time: use the built-in functions",
    ),
    (
        "ALTER",
        "change the CREATE statement itself, or read the table with /*+ OPTIONS(…) */",
    ),
    ("ANALYZE", "leave it out: the planner needs no statistics"),
    ("CALL", "leave it out"),
    ("COMPILE", "the program's text is its plan"),
    (
        "DELETE",
        "INSERT INTO a table with a PRIMARY KEY: a row takes the place of the one before",
    ),
    ("DESC", "thalweg explain shows the schema of each step"),
    ("DESCRIBE", "thalweg explain shows the schema of each step"),
    (
        "LOAD",
        "no code is loaded at run time: use the built-in functions",
    ),
    (
        "MERGE",
        "INSERT INTO a table with a PRIMARY KEY: a row takes the place of the one before",
    ),
    ("REMOVE", "leave it out"),
    ("RESET", "leave out the SET that it takes back"),
    ("SHOW", "thalweg explain shows what a program does"),
    ("STOP", "stop a running job with SIGTERM"),
    ("TRUNCATE", "a stream is only appended to"),
    ("UNLOAD", "leave it out"),
    (
        "UPDATE",
        "INSERT INTO a table with a PRIMARY KEY: a row takes the place of the one before",
    ),
];

/// Reads one statement other than a statement set.
fn statement(cursor: &mut Cursor, start: Span) -> Result<Statement> {
    let word = cursor.word().unwrap_or_default();
    match word.as_str() {
        "CREATE" => create(cursor, start),
        "INSERT" => Ok(Statement::Insert(insert(cursor, start)?)),
        "EXECUTE" if cursor.eat(&["EXECUTE", "PLAN"]) => Err(not_supported(
            start,
            "EXECUTE PLAN",
            "the program's text is its plan",
        )),
        "EXECUTE" => {
            cursor.expect(&["EXECUTE"])?;
            if !cursor.is_at(&["INSERT"]) {
                return cursor.unexpected("STATEMENT SET BEGIN or INSERT");
            }
            Ok(Statement::Insert(insert(cursor, start)?))
        }
        "SET" => set(cursor),
        "DROP" => drop(cursor).map(Statement::Drop),
        "USE" => use_one(cursor).map(|()| Statement::Use),
        "EXPLAIN" => explain(cursor, start),
        "SELECT" | "WITH" | "VALUES" => Ok(Statement::Select(cursor.query()?)),
        "END" => Err(Failure::new(
            cursor.location(),
            "END without EXECUTE STATEMENT SET BEGIN",
        )),
        _ if cursor.is_symbol(&Token::LParen) => Ok(Statement::Select(cursor.query()?)),
        word => match REFUSED.iter().find(|(refused, _)| *refused == word) {
            Some((_, hint)) => Err(not_supported(start, word, hint)),
            None => cursor.unexpected("a statement"),
        },
    }
}

fn not_supported(start: Span, what: &str, hint: &str) -> Failure {
    let location = Location::new(start.line, start.column);
    Failure::new(location, format!("{what} is not supported")).with_hint(hint)
}

fn create(cursor: &mut Cursor, start: Span) -> Result<Statement> {
    cursor.expect(&["CREATE"])?;
    let at = cursor.location();
    if cursor.eat(&["OR", "REPLACE"]) || cursor.eat(&["OR", "ALTER"]) {
        return Err(Failure::new(at, "OR REPLACE is not supported")
            .with_hint("a name is declared once in a program"));
    }
    cursor.eat(&["TEMPORARY"]);
    cursor.eat(&["SYSTEM"]);
    let at = cursor.location();
    let word = cursor.word().unwrap_or_default();
    match word.as_str() {
        "TABLE" => {
            cursor.expect(&["TABLE"])?;
            let table = table::create_table(cursor, start.file)?;
            Ok(Statement::CreateTable(table))
        }
        "VIEW" => {
            cursor.expect(&["VIEW"])?;
            create_view(cursor)
        }
        "FUNCTION" => Err(Failure::new(at, "CREATE FUNCTION is not supported")
            .with_hint("no code is loaded at run time: use the built-in functions")),
        "CATALOG" | "DATABASE" => Err(Failure::new(at, format!("CREATE {word} is not supported"))
            .with_hint("leave it out: a program has one catalog and one database")),
        "MATERIALIZED" | "MODEL" | "CONNECTION" => {
            Err(Failure::new(at, format!("CREATE {word} is not supported"))
                .with_hint("declare a TABLE or a VIEW, and write INSERT INTO"))
        }
        _ => cursor.unexpected("TABLE or VIEW"),
    }
}

fn create_view(cursor: &mut Cursor) -> Result<Statement> {
    let if_not_exists = cursor.eat(&["IF", "NOT", "EXISTS"]);
    let name = cursor.table_name("the name of the view")?;
    let mut columns = Vec::new();
    if cursor.eat_symbol(&Token::LParen) {
        loop {
            columns.push(cursor.name("a column of the view")?);
            if cursor.eat(&["COMMENT"]) {
                cursor.string("the comment in single quotes")?;
            }
            if !cursor.eat_symbol(&Token::Comma) {
                break;
            }
        }
        cursor.expect_symbol(&Token::RParen)?;
    }
    if cursor.eat(&["COMMENT"]) {
        cursor.string("the comment in single quotes")?;
    }
    cursor.expect(&["AS"])?;
    let query = cursor.query()?;
    Ok(Statement::CreateView(CreateView {
        name,
        if_not_exists,
        columns,
        query,
    }))
}

fn insert(cursor: &mut Cursor, span: Span) -> Result<Insert> {
    cursor.expect(&["INSERT"])?;
    let at = cursor.location();
    if cursor.eat(&["OVERWRITE"]) {
        return Err(Failure::new(at, "INSERT OVERWRITE is not supported")
            .with_hint("a stream is only appended to: write INSERT INTO"));
    }
    cursor.expect(&["INTO"])?;
    let table = cursor.table_name("the table to write to")?;
    let at = cursor.location();
    if cursor.is_at(&["PARTITION"]) {
        return Err(
            Failure::new(at, "INSERT INTO … PARTITION is not supported yet")
                .with_hint("select the partition's columns like the others"),
        );
    }
    let is_query = {
        let behind = &cursor.parser().peek_nth_token_ref(1).token;
        ["SELECT", "WITH", "VALUES"]
            .iter()
            .any(|word| is_word(behind, word))
            || *behind == Token::LParen
    };
    let columns = if cursor.is_symbol(&Token::LParen) && !is_query {
        cursor.names("a column of the table")?
    } else {
        Vec::new()
    };
    let begins = ["SELECT", "WITH", "VALUES"];
    let is_query = begins.iter().any(|word| cursor.is_at(&[word]));
    if !is_query && !cursor.is_symbol(&Token::LParen) {
        return cursor.unexpected("SELECT or VALUES");
    }
    let query = cursor.query()?;
    let at = cursor.location();
    if cursor.is_at(&["ON", "CONFLICT"]) {
        return Err(Failure::new(at, "ON CONFLICT is not supported"));
    }
    Ok(Insert {
        table,
        columns,
        query,
        span,
    })
}

/// `DROP [TEMPORARY] TABLE | VIEW [IF EXISTS] name`.
fn drop(cursor: &mut Cursor) -> Result<Drop> {
    cursor.expect(&["DROP"])?;
    cursor.eat(&["TEMPORARY"]);
    let at = cursor.location();
    let is_view = cursor.eat(&["VIEW"]);
    if !is_view && !cursor.eat(&["TABLE"]) {
        let message = format!("DROP {} is not supported", cursor.text());
        return Err(Failure::new(at, message)
            .with_hint("a program declares tables and views: DROP TABLE, DROP VIEW"));
    }
    let if_exists = cursor.eat(&["IF", "EXISTS"]);
    let name = cursor.table_name("the name that goes")?;
    Ok(Drop {
        name,
        if_exists,
        is_view,
    })
}

/// `USE [CATALOG] name` of the one catalog or database.
fn use_one(cursor: &mut Cursor) -> Result<()> {
    cursor.expect(&["USE"])?;
    let (what, only) = if cursor.eat(&["CATALOG"]) {
        ("catalog", DEFAULT_CATALOG)
    } else {
        ("database", DEFAULT_DATABASE)
    };
    let mut name = cursor.name("the name of a catalog or database")?;
    if what == "database" && name.value == DEFAULT_CATALOG && cursor.eat_symbol(&Token::Period) {
        name = cursor.name("the name of a database")?;
    }
    if name.value == only {
        return Ok(());
    }
    let message = format!("there is no {what} {}", name.value);
    Err(Failure::new(name.span.start, message)
        .with_hint(format!("leave it out: a program has one {what}, {only}")))
}

/// `SET 'key' = 'value'`, or both without quotes if they are words.
fn set(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect(&["SET"])?;
    let key = if let Ok(key) = cursor.string("a key") {
        key
    } else {
        let mut key = cursor.key_part()?;
        loop {
            if cursor.eat_symbol(&Token::Period) {
                key.push('.');
            } else if cursor.eat_symbol(&Token::Minus) {
                key.push('-');
            } else {
                break key;
            }
            key.push_str(&cursor.key_part()?);
        }
    };
    cursor.expect_symbol(&Token::Eq)?;
    let value = if let Ok(value) = cursor.string("a value") {
        value
    } else {
        let value = cursor.key_part()?;
        if !cursor.is_symbol(&Token::EOF) {
            return cursor.unexpected("the end of the statement (put quotes around the value)");
        }
        value
    };
    Ok(Statement::Set { key, value })
}

fn explain(cursor: &mut Cursor, start: Span) -> Result<Statement> {
    cursor.expect(&["EXPLAIN"])?;
    let as_json = explain_details(cursor);
    let location = cursor.location();
    let span = super::tokens::span(start.file, location);
    let statement = match cursor.word().unwrap_or_default().as_str() {
        "INSERT" => Statement::Insert(insert(cursor, span)?),
        "SELECT" | "WITH" | "VALUES" => Statement::Select(cursor.query()?),
        _ if cursor.is_symbol(&Token::LParen) => Statement::Select(cursor.query()?),
        _ => return cursor.unexpected("INSERT INTO, SELECT or STATEMENT SET BEGIN"),
    };
    Ok(Statement::Explain(Explain {
        statement: Box::new(ParsedStatement { statement, span }),
        as_json,
    }))
}

/// What stands between `EXPLAIN` and what is explained; whether JSON is asked for.
fn explain_details(cursor: &mut Cursor) -> bool {
    let mut as_json = false;
    if cursor.eat(&["PLAN", "FOR"]) {
        return as_json;
    }
    while let Some(detail) = EXPLAIN_DETAILS.iter().find(|detail| cursor.eat(&[detail])) {
        as_json |= *detail == JSON_EXECUTION_PLAN;
        if !cursor.eat_symbol(&Token::Comma) {
            break;
        }
    }
    as_json
}

/// The detail that adds to the answer.
const JSON_EXECUTION_PLAN: &str = "JSON_EXECUTION_PLAN";

/// What `EXPLAIN` can be asked for; the answer holds all the others anyway.
const EXPLAIN_DETAILS: &[&str] = &[
    "ESTIMATED_COST",
    "CHANGELOG_MODE",
    JSON_EXECUTION_PLAN,
    "PLAN_ADVICE",
];
