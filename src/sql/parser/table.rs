//! `CREATE TABLE`: columns, watermark, key and options.

use datafusion_sql::sqlparser::ast::Ident;
use datafusion_sql::sqlparser::tokenizer::{Location, Token};
use indexmap::IndexMap;
use indexmap::map::Entry;

use super::cursor::{Cursor, Failure, Result};
use super::data_type::data_type;
use super::like::like;
use crate::plan::{DistributionKind, TableOption};
use crate::sql::statement::{
    ColumnDefinition, ColumnDefinitionKind, CreateTable, DistributionDefinition,
    WatermarkDefinition,
};
use crate::sql::tokens::span;

/// Reads what stands behind `CREATE [TEMPORARY] TABLE`.
pub(super) fn create_table(cursor: &mut Cursor, file: usize) -> Result<CreateTable> {
    let if_not_exists = cursor.eat(&["IF", "NOT", "EXISTS"]);
    let name = cursor.table_name("the name of the table")?;
    let mut table = CreateTable {
        name,
        if_not_exists,
        columns: Vec::new(),
        watermark: None,
        primary_key: Vec::new(),
        distribution: None,
        partition_keys: Vec::new(),
        options: IndexMap::new(),
        like: None,
    };
    refuse_as_select(cursor)?;
    let has_columns = cursor.eat_symbol(&Token::LParen);
    if has_columns {
        elements(cursor, &mut table)?;
    }
    if cursor.eat(&["COMMENT"]) {
        cursor.string("the comment in single quotes")?;
    }
    table.distribution = distribution(cursor)?;
    if cursor.eat(&["PARTITIONED"]) {
        cursor.expect(&["BY"])?;
        table.partition_keys = cursor.names("a column that the table is partitioned by")?;
    }
    let has_options = cursor.eat(&["WITH"]);
    if has_options {
        table.options = options(cursor, file)?;
    }
    refuse_as_select(cursor)?;
    table.like = like(cursor)?;
    if table.like.is_some() {
        return Ok(table);
    }
    if !has_columns {
        let message = format!("expected ( or LIKE, found {}", cursor.text());
        return Err(Failure::new(cursor.location(), message)
            .with_hint("a table has columns, its own or those of the table behind LIKE"));
    }
    if !has_options {
        let message = format!("expected WITH (…), found {}", cursor.text());
        return Err(Failure::new(cursor.location(), message)
            .with_hint("a table says at least WITH ('connector' = '…')"));
    }
    Ok(table)
}

fn elements(cursor: &mut Cursor, table: &mut CreateTable) -> Result<()> {
    // A table LIKE another may add nothing.
    if cursor.eat_symbol(&Token::RParen) {
        return Ok(());
    }
    loop {
        element(cursor, table)?;
        if !cursor.eat_symbol(&Token::Comma) {
            break;
        }
    }
    if !cursor.eat_symbol(&Token::RParen) {
        return cursor.unexpected(", or )");
    }
    Ok(())
}

/// A column, a watermark or a key.
fn element(cursor: &mut Cursor, table: &mut CreateTable) -> Result<()> {
    if cursor.is_at(&["WATERMARK"]) {
        return watermark(cursor, table);
    }
    let at = cursor.location();
    let named = cursor.eat(&["CONSTRAINT"]);
    if named {
        cursor.name("the name of the constraint")?;
    }
    if cursor.is_at(&["PRIMARY", "KEY"]) {
        cursor.expect(&["PRIMARY", "KEY"])?;
        let key = cursor.names("a column of the primary key")?;
        not_enforced(cursor)?;
        return set_primary_key(table, key, at);
    }
    if cursor.is_at(&["UNIQUE"]) || cursor.is_at(&["CHECK"]) || cursor.is_at(&["FOREIGN"]) {
        return cursor.unexpected("PRIMARY KEY (…) NOT ENFORCED, the only constraint there is");
    }
    if named {
        return cursor.unexpected("PRIMARY KEY");
    }
    column(cursor, table)
}

fn watermark(cursor: &mut Cursor, table: &mut CreateTable) -> Result<()> {
    let at = cursor.location();
    cursor.expect(&["WATERMARK", "FOR"])?;
    let column = cursor.name("the column that is the event time")?;
    if cursor.is_symbol(&Token::Period) {
        let message = "a watermark on a field of a row is not supported yet";
        return Err(Failure::new(column.span.start, message)
            .with_hint("make a computed column of it and name that one"));
    }
    cursor.expect(&["AS"])?;
    let expression = cursor.expression()?;
    if table.watermark.is_some() {
        return Err(Failure::new(at, "a table has one WATERMARK"));
    }
    table.watermark = Some(WatermarkDefinition { column, expression });
    Ok(())
}

fn column(cursor: &mut Cursor, table: &mut CreateTable) -> Result<()> {
    let name = cursor.name("a column, WATERMARK or PRIMARY KEY")?;
    let twice = table
        .columns
        .iter()
        .any(|known| known.name.value == name.value);
    if twice {
        let message = format!("there is already a column {}", name.value);
        return Err(Failure::new(name.span.start, message));
    }
    let kind = if cursor.eat(&["AS"]) {
        ColumnDefinitionKind::Computed(cursor.expression()?)
    } else {
        of_record(cursor, &name, table)?
    };
    if cursor.eat(&["COMMENT"]) {
        cursor.string("the comment in single quotes")?;
    }
    table.columns.push(ColumnDefinition { name, kind });
    Ok(())
}

/// The type of a column that a record gives and what follows it, up to its comment.
fn of_record(
    cursor: &mut Cursor,
    name: &Ident,
    table: &mut CreateTable,
) -> Result<ColumnDefinitionKind> {
    let data_type = data_type(cursor)?;
    let mut not_null = false;
    loop {
        let at = cursor.location();
        if cursor.eat(&["NOT", "NULL"]) {
            not_null = true;
        } else if cursor.eat(&["PRIMARY", "KEY"]) {
            not_enforced(cursor)?;
            set_primary_key(table, vec![name.clone()], at)?;
        } else if cursor.eat(&["METADATA"]) {
            let key = if cursor.eat(&["FROM"]) {
                cursor.string("the metadata's key in single quotes")?
            } else {
                name.value.clone()
            };
            return Ok(ColumnDefinitionKind::Metadata {
                data_type,
                not_null,
                key,
                is_virtual: cursor.eat(&["VIRTUAL"]),
            });
        } else if cursor.is_at(&["GENERATED"]) || cursor.is_at(&["DEFAULT"]) {
            let message = format!("{} is not Flink SQL", cursor.text());
            return Err(Failure::new(at, message)
                .with_hint("a computed column is written: name AS expression"));
        } else if !cursor.eat(&["NULL"]) {
            return Ok(ColumnDefinitionKind::Physical {
                data_type,
                not_null,
            });
        }
    }
}

fn not_enforced(cursor: &mut Cursor) -> Result<()> {
    if cursor.eat(&["NOT", "ENFORCED"]) {
        return Ok(());
    }
    Err(Failure::new(
        cursor.location(),
        format!("expected NOT ENFORCED, found {}", cursor.text()),
    )
    .with_hint("a stream cannot enforce its key: write PRIMARY KEY (…) NOT ENFORCED"))
}

fn set_primary_key(table: &mut CreateTable, key: Vec<Ident>, at: Location) -> Result<()> {
    if !table.primary_key.is_empty() {
        return Err(Failure::new(at, "a table has one PRIMARY KEY"));
    }
    for (index, column) in key.iter().enumerate() {
        if key
            .iter()
            .take(index)
            .any(|known| known.value == column.value)
        {
            let message = format!("{} is in the primary key twice", column.value);
            return Err(Failure::new(column.span.start, message));
        }
    }
    table.primary_key = key;
    Ok(())
}

/// `('key' = 'value', …)`.
fn options(cursor: &mut Cursor, file: usize) -> Result<IndexMap<String, TableOption>> {
    cursor.expect_symbol(&Token::LParen)?;
    let mut options = IndexMap::new();
    if cursor.eat_symbol(&Token::RParen) {
        return Ok(options);
    }
    loop {
        let at = cursor.location();
        let key = cursor.string("an option's key in single quotes")?;
        cursor.expect_symbol(&Token::Eq)?;
        let value = cursor.string("the option's value in single quotes")?;
        match options.entry(key) {
            Entry::Occupied(known) => {
                let message = format!("the option '{}' is there twice", known.key());
                return Err(Failure::new(at, message));
            }
            Entry::Vacant(place) => {
                place.insert(TableOption {
                    value,
                    span: span(file, at),
                });
            }
        }
        if !cursor.eat_symbol(&Token::Comma) {
            break;
        }
    }
    if !cursor.eat_symbol(&Token::RParen) {
        return cursor.unexpected(", or )");
    }
    Ok(options)
}

/// `DISTRIBUTED BY [HASH | RANGE] (columns) [INTO n BUCKETS]` or `DISTRIBUTED INTO n BUCKETS`.
fn distribution(cursor: &mut Cursor) -> Result<Option<DistributionDefinition>> {
    if !cursor.eat(&["DISTRIBUTED"]) {
        return Ok(None);
    }
    let mut distribution = DistributionDefinition {
        kind: None,
        columns: Vec::new(),
        buckets: None,
    };
    let by_columns = cursor.eat(&["BY"]);
    if by_columns {
        if cursor.eat(&["HASH"]) {
            distribution.kind = Some(DistributionKind::Hash);
        } else if cursor.eat(&["RANGE"]) {
            distribution.kind = Some(DistributionKind::Range);
        }
        distribution.columns = cursor.names("a column that rows are distributed by")?;
    }
    if cursor.eat(&["INTO"]) {
        let at = cursor.location();
        let count = cursor.key_part()?;
        let buckets = count.parse().ok().filter(|buckets| *buckets > 0);
        if buckets.is_none() {
            let message = format!("a table has a whole number of buckets above 0, not {count}");
            return Err(Failure::new(at, message));
        }
        distribution.buckets = buckets;
        cursor.expect(&["BUCKETS"])?;
    } else if !by_columns {
        return cursor.unexpected("BY or INTO");
    }
    Ok(Some(distribution))
}

fn refuse_as_select(cursor: &Cursor) -> Result<()> {
    if !cursor.is_at(&["AS"]) {
        return Ok(());
    }
    let message = "CREATE TABLE … AS SELECT is not supported";
    Err(Failure::new(cursor.location(), message)
        .with_hint("declare the columns, then write INSERT INTO … SELECT"))
}
