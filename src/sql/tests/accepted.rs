//! What is accepted, and as what it reaches the planner.

use datafusion_sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, SetExpr, TableFactor};

use super::{Statement, parse_sound};
use crate::sql::statement::{ColumnDefinitionKind, ColumnType, CreateTable};

fn create_table(text: &str) -> CreateTable {
    let mut statements = parse_sound(&format!("{text}; SELECT a FROM s"));
    match statements.swap_remove(0) {
        Statement::CreateTable(table) => table,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_table() {
    let table = create_table(
        "CREATE TEMPORARY TABLE IF NOT EXISTS `a table` (\n\
           id BIGINT NOT NULL COMMENT 'the id',\n\
           price DECIMAL(10, 2) NULL,\n\
           doubled AS price * 2 COMMENT 'twice',\n\
           `offset` BIGINT NOT NULL METADATA VIRTUAL COMMENT 'the place',\n\
           at TIMESTAMP(3) METADATA FROM 'timestamp',\n\
           ts TIMESTAMP(3),\n\
           WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,\n\
           CONSTRAINT pk PRIMARY KEY (id, ts) NOT ENFORCED\n\
         ) COMMENT 'x' WITH (\n  'connector' = 'kafka',\n  'it''s' = 'b'\n)",
    );
    assert_eq!(table.name.value, "a table");
    assert!(table.if_not_exists);
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match &column.kind {
            ColumnDefinitionKind::Physical {
                data_type: ColumnType::Plain(data_type),
                not_null,
            } => format!("{} {data_type} {not_null}", column.name),
            ColumnDefinitionKind::Physical { data_type, .. } => panic!("{data_type:?}"),
            ColumnDefinitionKind::Computed(expression) => format!("{} = {expression}", column.name),
            ColumnDefinitionKind::Metadata {
                not_null,
                key,
                is_virtual,
                ..
            } => format!("{} '{key}' {not_null} {is_virtual}", column.name),
        })
        .collect();
    assert_eq!(
        columns,
        [
            "id BIGINT true",
            "price DECIMAL(10,2) false",
            "doubled = price * 2",
            "`offset` 'offset' true true",
            "at 'timestamp' false false",
            "ts TIMESTAMP(3) false",
        ]
    );
    let watermark = table.watermark.unwrap();
    assert_eq!(watermark.column.value, "ts");
    assert_eq!(watermark.expression.to_string(), "ts - INTERVAL '5' SECOND");
    let key: Vec<&str> = table.primary_key.iter().map(|c| c.value.as_str()).collect();
    assert_eq!(key, ["id", "ts"]);
    let options: Vec<String> = table
        .options
        .iter()
        .map(|(key, option)| format!("{key}={} {}", option.value, option.span))
        .collect();
    assert_eq!(options, ["connector=kafka 11:3", "it's=b 12:3"]);
}

#[test]
fn a_key_beside_its_column() {
    let table = create_table("CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED NOT NULL) WITH ()");
    assert_eq!(table.primary_key.len(), 1);
}

#[test]
fn every_type() {
    for data_type in [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INT",
        "INTEGER",
        "BIGINT",
        "FLOAT",
        "DOUBLE",
        "DOUBLE PRECISION",
        "DECIMAL",
        "DECIMAL(10)",
        "DECIMAL(10,2)",
        "DEC(3,1)",
        "NUMERIC(3,1)",
        "CHAR",
        "CHAR(3)",
        "VARCHAR",
        "VARCHAR(3)",
        "STRING",
        "BINARY",
        "BINARY(3)",
        "VARBINARY",
        "VARBINARY(3)",
        "BYTES",
        "DATE",
        "TIME",
        "TIME(3)",
        "TIMESTAMP",
        "TIMESTAMP(9)",
        "TIMESTAMP(3) WITHOUT TIME ZONE",
    ] {
        let table = create_table(&format!("CREATE TABLE t (a {data_type}) WITH ()"));
        let ColumnDefinitionKind::Physical {
            data_type: ColumnType::Plain(read),
            ..
        } = &table.columns[0].kind
        else {
            panic!("{data_type}");
        };
        assert_eq!(read.to_string(), data_type);
        parse_sound(&format!("SELECT CAST(a AS {data_type}) FROM t"));
    }
}

#[test]
fn settings() {
    for (text, key, value) in [
        ("SET 'a.b' = '1 h'", "a.b", "1 h"),
        ("SET a.b-c.d = true", "a.b-c.d", "true"),
        ("SET a.b = 10", "a.b", "10"),
        ("set 'x' = ''", "x", ""),
    ] {
        let statements = parse_sound(&format!("{text}; SELECT a FROM t;"));
        let Statement::Set { key: k, value: v } = &statements[0] else {
            panic!("{text}");
        };
        assert_eq!((k.as_str(), v.as_str()), (key, value), "{text}");
    }
}

#[test]
fn views_and_inserts() {
    let statements = parse_sound(
        "CREATE TEMPORARY VIEW IF NOT EXISTS v (x, y COMMENT 'z') COMMENT 'c' AS SELECT a, b FROM t;\n\
         INSERT INTO s (x) SELECT x FROM v;\n\
         INSERT INTO s WITH c AS (SELECT x FROM v) SELECT x FROM c;\n\
         INSERT INTO s (SELECT x FROM v);\n\
         EXECUTE INSERT INTO s SELECT x FROM v",
    );
    let Statement::CreateView(view) = &statements[0] else {
        panic!();
    };
    assert_eq!(view.columns.len(), 2);
    let columns: Vec<usize> = statements[1..]
        .iter()
        .map(|statement| match statement {
            Statement::Insert(insert) => insert.columns.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(columns, [1, 0, 0, 0]);
}

#[test]
fn statement_sets() {
    for text in [
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT x FROM t; INSERT INTO b SELECT x FROM t; END",
        "execute statement set\nbegin\ninsert into a select x from t;;\ninsert into b select x from t;\nend;",
        "BEGIN STATEMENT SET; INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM t; INSERT INTO b SELECT x FROM t; END;",
    ] {
        let statements = parse_sound(text);
        let [Statement::StatementSet(inserts)] = statements.as_slice() else {
            panic!("{text}");
        };
        assert_eq!(inserts.len(), 2, "{text}");
    }
}

#[test]
fn explain() {
    for (text, is_expected) in [
        (
            "EXPLAIN SELECT a FROM t",
            (|s| matches!(s, Statement::Select(_))) as fn(&Statement) -> bool,
        ),
        ("EXPLAIN PLAN FOR INSERT INTO s SELECT a FROM t", |s| {
            matches!(s, Statement::Insert(_))
        }),
        (
            "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE SELECT a FROM t",
            |s| matches!(s, Statement::Select(_)),
        ),
        (
            "EXPLAIN STATEMENT SET BEGIN INSERT INTO s SELECT a FROM t; END",
            |s| matches!(s, Statement::StatementSet(_)),
        ),
        (
            "EXPLAIN PLAN FOR STATEMENT SET BEGIN INSERT INTO s SELECT a FROM t; END",
            |s| matches!(s, Statement::StatementSet(_)),
        ),
    ] {
        let statements = parse_sound(text);
        let [Statement::Explain(explain)] = statements.as_slice() else {
            panic!("{text}");
        };
        assert!(is_expected(&explain.statement.statement), "{text}");
    }
}

#[test]
fn queries() {
    for text in [
        "SELECT * FROM t",
        "SELECT t.*, a AS b FROM t AS t (a, b)",
        "SELECT ALL a FROM t WHERE a > 1 AND NOT b OR c IS NOT NULL",
        "SELECT a + b - c * d / e % f, -a, +b, a || b FROM t",
        "SELECT CASE WHEN a = 1 THEN 'x' ELSE 'y' END, CASE a WHEN 1 THEN 2 END FROM t",
        "SELECT CAST(a AS INT), TRY_CAST(b AS DOUBLE) FROM t",
        "SELECT a FROM t WHERE a IN (1, 2) AND b BETWEEN 1 AND 2 AND c LIKE 'x%' ESCAPE '!'",
        "SELECT a IS DISTINCT FROM b, a IS TRUE, a IS NOT UNKNOWN FROM t",
        "SELECT SUBSTRING(a FROM 1 FOR 2), SUBSTRING(a, 1), TRIM(BOTH 'x' FROM a), TRIM(a) FROM t",
        "SELECT EXTRACT(HOUR FROM ts), CEIL(a), FLOOR(b), POSITION('x' IN a) FROM t",
        "SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', TIME '00:00:00' FROM t",
        "SELECT ts - INTERVAL '1' DAY, INTERVAL '1:30' HOUR TO MINUTE FROM t",
        "SELECT UPPER(a), COALESCE(b, 'x'), CURRENT_TIMESTAMP FROM t",
        "WITH x AS (SELECT a FROM t), y AS (SELECT a FROM x) SELECT a FROM y",
        "SELECT a FROM (SELECT a FROM t) AS x",
        "SELECT a FROM (SELECT a FROM t)",
        "SELECT a FROM t UNION ALL SELECT a FROM u UNION ALL (SELECT a FROM w)",
        "(SELECT a FROM t)",
        "SELECT window_start, COUNT(*), SUM(a) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end HAVING COUNT(*) > 1",
        "SELECT a FROM TABLE(HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' MINUTES, SIZE => INTERVAL '10' MINUTES)) AS w",
        "SELECT a FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
        "SELECT a -- a comment\n/* and one\nof two lines */ FROM t # nothing",
    ] {
        let text = text.replace(" # nothing", "");
        let statements = parse_sound(&text);
        assert!(
            matches!(statements.as_slice(), [Statement::Select(_)]),
            "{text}"
        );
    }
}

/// The form that the planner relies on: `TABLE t` is the call `$TABLE(t)`.
#[test]
fn a_table_argument_is_a_call() {
    let statements = parse_sound(
        "SELECT a FROM TABLE(TUMBLE(TABLE `My Table`, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
    );
    let [Statement::Select(query)] = statements.as_slice() else {
        panic!();
    };
    let SetExpr::Select(select) = &*query.body else {
        panic!();
    };
    let TableFactor::TableFunction {
        expr: Expr::Function(function),
        ..
    } = &select.from[0].relation
    else {
        panic!();
    };
    let arguments = function.args.to_string();
    assert_eq!(
        arguments,
        "($TABLE(`My Table`), DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
    );
    let datafusion_sql::sqlparser::ast::FunctionArguments::List(list) = &function.args else {
        panic!();
    };
    assert!(matches!(
        &list.args[0],
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(_)))
    ));
}

#[test]
fn several_files_are_one_program() {
    let file = |name: &str, text: &str| crate::sql::SourceFile {
        name: name.into(),
        text: text.into(),
    };
    let files = [
        file("a.sql", "CREATE TABLE t (a INT) WITH ()"),
        file("b.sql", "SELECT a FROM t;\nLOAD TABLE t"),
    ];
    let (statements, diagnostics) = crate::sql::parse(&files, &|_| None);
    assert_eq!(statements.len(), 2);
    let [diagnostic] = diagnostics.as_slice() else {
        panic!("{diagnostics:?}");
    };
    assert_eq!((diagnostic.span.file, diagnostic.span.line), (1, 2));
}
