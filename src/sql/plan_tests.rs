//! Programs to plans and to errors.

use datafusion_sql::sqlparser::ast::{ColumnOption, Statement as SqlStatement};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::Parser;

use super::program::plan;
use super::statement::*;
use crate::plan::Span;

fn parse(text: &str) -> Vec<ParsedStatement> {
    let statements = Parser::parse_sql(&GenericDialect {}, text).unwrap();
    let parsed = statements.into_iter().map(|statement| {
        let statement = match statement {
            SqlStatement::CreateTable(create) => Statement::CreateTable(CreateTable {
                watermark: create.columns.iter().find(|column| column.name.value == "ts").map(|column| {
                    WatermarkDefinition {
                        column: column.name.clone(),
                        expression: Parser::new(&GenericDialect {})
                            .try_with_sql("ts - INTERVAL '5' SECOND")
                            .unwrap()
                            .parse_expr()
                            .unwrap(),
                    }
                }),
                name: create.name.0[0].as_ident().unwrap().clone(),
                if_not_exists: false,
                columns: create
                    .columns
                    .into_iter()
                    .map(|column| ColumnDefinition {
                        name: column.name,
                        kind: ColumnDefinitionKind::Physical {
                            data_type: column.data_type,
                            not_null: column
                                .options
                                .iter()
                                .any(|option| option.option == ColumnOption::NotNull),
                        },
                    })
                    .collect(),
                primary_key: Vec::new(),
                options: Default::default(),
            }),
            SqlStatement::Insert(insert) => Statement::Insert(Insert {
                table: insert.table.to_string().as_str().into(),
                columns: Vec::new(),
                query: insert.source.unwrap(),
                span: Span::default(),
            }),
            SqlStatement::Query(query) => Statement::Select(query),
            other => panic!("{other}"),
        };
        ParsedStatement {
            statement,
            span: Span::default(),
        }
    });
    parsed.collect()
}

#[test]
fn first() {
    let text = "
        CREATE TABLE bid (auction BIGINT, bidder BIGINT NOT NULL, price INT, ts TIMESTAMP(3));
        CREATE TABLE out (a BIGINT, p BIGINT);
        INSERT INTO out SELECT auction, price + 1 FROM bid WHERE bidder > 5;
        SELECT bidder, window_start, COUNT(*) AS n, AVG(price), SUM(price) s, MAX(auction % 7)
        FROM TABLE(TUMBLE(bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))
        WHERE auction > 3
        GROUP BY window_start, window_end, bidder";
    match plan(parse(text)) {
        Ok(program) => println!("{}", program.dataflow),
        Err(errors) => panic!("{errors:#?}"),
    }
}
