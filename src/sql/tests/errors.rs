//! What is wrong or not supported, with its exact place and message.

use super::{check_errors, parse_text};

#[test]
fn statements_that_are_not_there() {
    for (text, expected) in [
        (
            "ALTER TABLE t SET ('a' = 'b')",
            "1:1: ALTER is not supported",
        ),
        ("DROP TABLE t", "1:1: DROP is not supported"),
        ("DESCRIBE t", "1:1: DESCRIBE is not supported"),
        ("SHOW TABLES", "1:1: SHOW is not supported"),
        ("USE db", "1:1: USE is not supported"),
        ("USE CATALOG c", "1:1: USE is not supported"),
        ("RESET 'a'", "1:1: RESET is not supported"),
        ("VALUES (1)", "1:1: VALUES is not supported"),
        ("UPDATE t SET a = 1", "1:1: UPDATE is not supported"),
        ("EXECUTE PLAN 'x'", "1:1: EXECUTE PLAN is not supported"),
        (
            "EXECUTE t",
            "1:9: expected STATEMENT SET BEGIN or INSERT, found t",
        ),
        (
            "CREATE FUNCTION f AS 'c'",
            "1:8: CREATE FUNCTION is not supported",
        ),
        (
            "CREATE TEMPORARY SYSTEM FUNCTION f AS 'c'",
            "1:25: CREATE FUNCTION is not supported",
        ),
        (
            "CREATE CATALOG c WITH ('type' = 'x')",
            "1:8: CREATE CATALOG is not supported",
        ),
        ("CREATE DATABASE d", "1:8: CREATE DATABASE is not supported"),
        (
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "1:8: OR REPLACE is not supported",
        ),
        ("CREATE INDEX i", "1:8: expected TABLE or VIEW, found INDEX"),
        ("SELCT 1", "1:1: expected a statement, found SELCT"),
        ("42", "1:1: expected a statement, found 42"),
        ("END;", "1:1: END without EXECUTE STATEMENT SET BEGIN"),
        ("SET", "1:4: expected a key, found the end of the statement"),
        ("SET 'a'", "1:8: expected =, found the end of the statement"),
        (
            "SET a.b = 1 h",
            "1:13: expected the end of the statement (put quotes around the value), found h",
        ),
        (
            "EXPLAIN CREATE TABLE t",
            "1:9: expected INSERT INTO, SELECT or STATEMENT SET BEGIN, found CREATE",
        ),
        (
            "INSERT OVERWRITE t SELECT a FROM s",
            "1:8: INSERT OVERWRITE is not supported",
        ),
        (
            "INSERT INTO t VALUES (1)",
            "1:15: INSERT INTO … VALUES is not supported yet",
        ),
        (
            "INSERT INTO t PARTITION (d = '1') SELECT a FROM s",
            "1:15: INSERT INTO … PARTITION is not supported yet",
        ),
        (
            "INSERT INTO c.d.t SELECT a FROM s",
            "1:13: names with a catalog or database are not supported yet",
        ),
        (
            "INSERT INTO t UPDATE x",
            "1:15: expected SELECT, found UPDATE",
        ),
        (
            "INSERT INTO t (a,) SELECT a FROM s",
            "1:18: expected a column of the table, found )",
        ),
        (
            "INSERT INTO t SELECT a FROM s ON CONFLICT DO NOTHING",
            "1:31: ON CONFLICT is not supported",
        ),
        ("INSERT t SELECT a FROM s", "1:8: expected INTO, found t"),
        (
            "CREATE VIEW v SELECT a FROM t",
            "1:15: expected AS, found SELECT",
        ),
        (
            "CREATE VIEW AS SELECT a FROM t",
            "1:13: expected the name of the view, found AS",
        ),
    ] {
        check_errors(text, &[expected]);
    }
}

#[test]
fn tables_that_cannot_be() {
    for (element, expected) in [
        ("a ROW<x INT>", "3: the type ROW is not supported yet"),
        ("a ARRAY<INT>", "3: the type ARRAY is not supported yet"),
        ("a MAP<STRING, INT>", "3: the type MAP is not supported yet"),
        (
            "a MULTISET<INT>",
            "3: the type MULTISET is not supported yet",
        ),
        (
            "a TIMESTAMP_LTZ(3)",
            "3: the type TIMESTAMP_LTZ is not supported yet",
        ),
        (
            "a TIMESTAMP(3) WITH LOCAL TIME ZONE",
            "3: the type TIMESTAMP WITH TIME ZONE is not supported yet",
        ),
        ("a INT[]", "3: the type INT[] is not supported yet"),
        ("a TEXT", "3: TEXT is not a type of Flink SQL"),
        ("a INT(3)", "3: an integer type has no length"),
        ("a", "2: expected a type, found )"),
        (
            "a BIGINT METADATA FROM 'offset'",
            "10: METADATA columns are not supported yet",
        ),
        (
            "a INT GENERATED ALWAYS AS (1)",
            "7: GENERATED is not Flink SQL",
        ),
        ("a INT DEFAULT 1", "7: DEFAULT is not Flink SQL"),
        ("a INT, a INT", "8: there is already a column a"),
        ("a INT PRIMARY KEY", "18: expected NOT ENFORCED, found )"),
        (
            "a INT, PRIMARY KEY (a)",
            "23: expected NOT ENFORCED, found )",
        ),
        (
            "a INT, PRIMARY KEY (a, a) NOT ENFORCED",
            "24: a is in the primary key twice",
        ),
        (
            "a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED",
            "33: a table has one PRIMARY KEY",
        ),
        (
            "a INT, UNIQUE (a)",
            "8: expected PRIMARY KEY (…) NOT ENFORCED, the only constraint there is, found UNIQUE",
        ),
        ("a INT, CONSTRAINT c", "20: expected PRIMARY KEY, found )"),
        (
            "WATERMARK FOR t AS t, WATERMARK FOR u AS u",
            "23: a table has one WATERMARK",
        ),
        (
            "WATERMARK FOR r.t AS r.t",
            "15: a watermark on a field of a row is not supported yet",
        ),
        ("WATERMARK t AS t", "11: expected FOR, found t"),
        (
            "WATERMARK FOR t AS t - INTERVAL 5 SECOND",
            "33: expected a quoted number and a unit after INTERVAL, found 5",
        ),
        (
            "a INT,",
            "7: expected a column, WATERMARK or PRIMARY KEY, found )",
        ),
        ("a AS PROCTIME()", "6: PROCTIME() is not supported yet"),
        ("a AS b::INT", "7: :: is not Flink SQL"),
        ("a INT b INT", "7: expected , or ), found b"),
        ("a AS (1", "8: expected ), found WITH"),
    ] {
        let text =
            format!("CREATE TABLE t (\n{element}) WITH ('connector' = 'x');\nSELECT b FROM s");
        let line = if element == "a AS (1" {
            "2:9: expected , or )"
        } else {
            ""
        };
        let expected = if line.is_empty() {
            format!("2:{expected}")
        } else {
            format!("{line}, found WITH")
        };
        check_errors(&text, &[&expected]);
    }
    for (behind, expected) in [
        (
            "",
            "1:23: expected WITH (…), found the end of the statement",
        ),
        (
            " PARTITIONED BY (a) WITH ()",
            "1:24: PARTITIONED BY is not supported yet",
        ),
        (
            " DISTRIBUTED BY HASH(a) WITH ()",
            "1:24: DISTRIBUTED BY is not supported yet",
        ),
        (" LIKE b", "1:24: LIKE is not supported yet"),
        (
            " WITH ('a' = 'b') LIKE b",
            "1:41: LIKE is not supported yet",
        ),
        (
            " WITH ('a' = 'b') AS SELECT a FROM b",
            "1:41: CREATE TABLE … AS SELECT is not supported yet",
        ),
        (
            " WITH ('a' = 'b', 'a' = 'c')",
            "1:41: the option 'a' is there twice",
        ),
        (
            " WITH (a = 'b')",
            "1:30: expected an option's key in single quotes, found a",
        ),
        (
            " WITH ('a' = b)",
            "1:36: expected the option's value in single quotes, found b",
        ),
        (" WITH ('a' 'b')", "1:34: expected =, found 'b'"),
        (
            " WITH ('a' = 'b'",
            "1:39: expected , or ), found the end of the statement",
        ),
        (
            " WITH ('a' = 'b') x",
            "1:41: expected the end of the statement, found x",
        ),
    ] {
        let text = format!("CREATE TABLE t (a INT){behind}");
        let expected = match expected.strip_prefix("1:39") {
            Some(rest) => format!("1:39{rest}"),
            None => expected.to_owned(),
        };
        check_errors(&text, &[&expected]);
    }
    check_errors(
        "CREATE TABLE t AS SELECT a FROM s",
        &["1:16: CREATE TABLE … AS SELECT is not supported yet"],
    );
    check_errors(
        "CREATE TABLE (a INT) WITH ()",
        &["1:14: expected the name of the table, found ("],
    );
}

#[test]
fn queries_that_cannot_be_planned() {
    for (text, expected) in [
        ("SELECT 1", "1:1: SELECT without FROM is not supported"),
        (
            "SELECT DISTINCT a FROM t",
            "1:8: SELECT DISTINCT is not supported yet",
        ),
        (
            "SELECT a FROM t JOIN u ON t.a = u.a",
            "1:17: joins are not supported yet",
        ),
        (
            "SELECT a FROM t LEFT JOIN u ON t.a = u.a",
            "1:22: joins are not supported yet",
        ),
        ("SELECT a FROM t, u", "1:16: joins are not supported yet"),
        (
            "SELECT a FROM t CROSS JOIN UNNEST(b) AS x(c)",
            "1:23: joins are not supported yet",
        ),
        (
            "SELECT a FROM t ORDER BY a",
            "1:17: ORDER BY is not supported yet",
        ),
        (
            "SELECT a FROM t LIMIT 3",
            "1:17: LIMIT and OFFSET are not supported yet",
        ),
        (
            "SELECT a FROM t OFFSET 3",
            "1:17: LIMIT and OFFSET are not supported yet",
        ),
        (
            "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
            "1:17: FETCH FIRST is not supported yet",
        ),
        (
            "SELECT a FROM t UNION SELECT a FROM u",
            "1:17: UNION without ALL is not supported yet",
        ),
        (
            "SELECT a FROM t EXCEPT SELECT a FROM u",
            "1:17: EXCEPT is not supported yet",
        ),
        (
            "SELECT a FROM t INTERSECT SELECT a FROM u",
            "1:17: INTERSECT is not supported yet",
        ),
        (
            "WITH RECURSIVE c AS (SELECT a FROM t) SELECT a FROM c",
            "1:6: WITH RECURSIVE is not supported",
        ),
        (
            "SELECT a FROM (VALUES (1)) AS t(a)",
            "1:16: VALUES is not supported yet",
        ),
        (
            "SELECT a FROM c.d.t",
            "1:15: names with a catalog or database are not supported yet",
        ),
        (
            "SELECT a FROM t FOR SYSTEM_TIME AS OF b",
            "1:17: FOR SYSTEM_TIME AS OF is not supported yet",
        ),
        (
            "SELECT a FROM LATERAL TABLE(f(a)) AS x(b)",
            "1:23: expected (, found TABLE",
        ),
        (
            "SELECT a FROM UNNEST(b) AS x(c)",
            "1:15: UNNEST is not supported yet",
        ),
        (
            "SELECT a FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR))",
            "1:21: SESSION windows are not supported yet",
        ),
        (
            "SELECT a FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '2' HOUR))",
            "1:21: CUMULATE windows are not supported yet",
        ),
        (
            "SELECT a FROM TABLE(F(TABLE t))",
            "1:21: there is no table function F",
        ),
        (
            "SELECT a FROM TABLE(TUMBLE((SELECT a FROM t), DESCRIPTOR(ts), INTERVAL '1' HOUR))",
            "1:29: a query as an argument of a window function is not supported yet",
        ),
        (
            "SELECT a FROM TABLE(SESSION(TABLE t PARTITION BY a, DESCRIPTOR(ts), INTERVAL '1' HOUR))",
            "1:37: PARTITION BY of a table argument is not supported yet",
        ),
        (
            "SELECT a FROM t MATCH_RECOGNIZE (ORDER BY ts MEASURES A.a AS x PATTERN (A B) DEFINE A AS A.a > 1) AS m",
            "1:17: MATCH_RECOGNIZE is not supported yet",
        ),
        (
            "SELECT a FROM t QUALIFY a = 1",
            "1:17: QUALIFY is not supported yet",
        ),
        (
            "SELECT a FROM t WINDOW w AS (ORDER BY a)",
            "1:17: named windows are not supported yet",
        ),
        (
            "SELECT a FROM t GROUP BY GROUPING SETS ((a), ())",
            "1:26: GROUPING SETS is not supported yet",
        ),
        (
            "SELECT a FROM t GROUP BY ROLLUP (a)",
            "1:26: ROLLUP is not supported yet",
        ),
        (
            "SELECT a FROM t GROUP BY CUBE (a)",
            "1:26: CUBE is not supported yet",
        ),
        (
            "SELECT SUM(a) OVER (ORDER BY b) FROM t",
            "1:15: OVER is not supported yet",
        ),
        (
            "SELECT COUNT(DISTINCT a) FROM t",
            "1:14: COUNT(DISTINCT …) is not supported yet",
        ),
        (
            "SELECT COUNT(*) FILTER (WHERE a > 1) FROM t",
            "1:17: FILTER is not supported yet",
        ),
        (
            "SELECT F(a ORDER BY b) FROM t",
            "1:12: ORDER BY in an aggregate is not supported yet",
        ),
        (
            "SELECT LISTAGG(a) WITHIN GROUP (ORDER BY b) FROM t",
            "1:19: WITHIN GROUP is not supported yet",
        ),
        (
            "SELECT a FROM t WHERE EXISTS (SELECT b FROM u)",
            "1:23: a query inside an expression is not supported yet",
        ),
        (
            "SELECT a FROM t WHERE a IN (SELECT b FROM u)",
            "1:29: a query inside an expression is not supported yet",
        ),
        (
            "SELECT (SELECT b FROM u) FROM t",
            "1:9: a query inside an expression is not supported yet",
        ),
        (
            "SELECT a[1] FROM t",
            "1:9: rows, arrays and maps are not supported yet",
        ),
        (
            "SELECT ARRAY[1] FROM t",
            "1:13: rows, arrays and maps are not supported yet",
        ),
        (
            "SELECT ROW(1, 2) FROM t",
            "1:8: rows, arrays and maps are not supported yet",
        ),
        ("SELECT a::INT FROM t", "1:9: :: is not Flink SQL"),
        (
            "SELECT CAST(a AS ARRAY<INT>) FROM t",
            "1:13: the type ARRAY<INT> is not supported yet",
        ),
        (
            "SELECT CAST(a AS JSON) FROM t",
            "1:13: JSON is not a type of Flink SQL",
        ),
        (
            "SELECT a & b FROM t",
            "1:10: the operator & is not Flink SQL",
        ),
        ("SELECT a ILIKE 'x' FROM t", "1:10: ILIKE is not Flink SQL"),
        (
            "SELECT a SIMILAR TO 'x' FROM t",
            "1:10: SIMILAR TO is not supported yet",
        ),
        (
            "SELECT \"a\" FROM t",
            "1:8: double quotes are not Flink SQL",
        ),
        (
            "SELECT a AT TIME ZONE 'UTC' FROM t",
            "1:10: AT TIME ZONE is not supported",
        ),
        (
            "SELECT a FROM t GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)",
            "1:26: TUMBLE in an expression is Flink's old group window",
        ),
        (
            "SELECT TUMBLE_START(ts, INTERVAL '1' HOUR) FROM t",
            "1:8: TUMBLE_START in an expression is Flink's old group window",
        ),
        (
            "SELECT INTERVAL 5 SECOND FROM t",
            "1:17: expected a quoted number and a unit after INTERVAL, found 5",
        ),
        (
            "SELECT a /*+ x */ FROM t /*+ OPTIONS('a' = 'b') */",
            "1:10: hints such as /*+ OPTIONS(…) */ are not supported yet",
        ),
        (
            "SELECT a, FROM t",
            "1:16: expected the end of the statement, found t",
        ),
        (
            "SELECT a FROM",
            "1:14: expected identifier, found the end of the statement",
        ),
        ("SELECT (a FROM t", "1:11: expected ), found FROM"),
        ("SELECT 'a FROM t", "1:8: unterminated string literal"),
        (
            "SELECT `a FROM t",
            "1:8: expected close delimiter '`' before EOF.",
        ),
    ] {
        let (_, diagnostics) = parse_text(text);
        let first = diagnostics
            .first()
            .map(|diagnostic| format!("{}: {}", diagnostic.span, diagnostic.message));
        assert_eq!(first.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn all_errors_of_a_text_at_once() {
    check_errors(
        "CREATE TABLE t (a INT) WITH ('connector' = 'x');\n\
         DROP TABLE t;\n\
         SELECT DISTINCT a FROM t ORDER BY a;\n\
         INSERT INTO u SELECT b::INT, c FROM t JOIN w ON a = b LIMIT 1;\n\
         SELECT )",
        &[
            "2:1: DROP is not supported",
            "3:8: SELECT DISTINCT is not supported yet",
            "3:26: ORDER BY is not supported yet",
            "4:24: :: is not Flink SQL",
            "4:39: joins are not supported yet",
            "4:55: LIMIT and OFFSET are not supported yet",
            "5:8: expected an expression, found )",
        ],
    );
}

#[test]
fn statement_sets_that_are_wrong() {
    for (text, expected) in [
        (
            "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT a FROM s;",
            vec!["1:1: the statement set has no END"],
        ),
        (
            "EXECUTE STATEMENT SET BEGIN\nINSERT INTO t SELECT a FROM s;\nCREATE TABLE u (a INT) WITH ();\nSELECT a FROM u",
            vec!["1:1: the statement set has no END"],
        ),
        (
            "EXECUTE STATEMENT SET BEGIN\nSELECT a FROM s;\nINSERT INTO t SELECT a FROM s LIMIT 1;\nEND;",
            vec![
                "2:1: expected INSERT INTO or END, found SELECT",
                "3:31: LIMIT and OFFSET are not supported yet",
            ],
        ),
        (
            "BEGIN STATEMENT SET; END;",
            vec!["1:1: the statement set holds no INSERT"],
        ),
        (
            "BEGIN STATEMENT SET; INSERT INTO t SELECT a FROM s; END SELECT 1",
            vec!["1:57: expected ; behind END, found SELECT"],
        ),
        (
            "BEGIN; INSERT INTO t SELECT a FROM s",
            vec!["1:1: expected a statement, found BEGIN"],
        ),
    ] {
        check_errors(text, &expected);
    }
}

/// A table whose declaration is wrong is reported once, not again for each use.
#[test]
fn what_uses_a_broken_table_is_not_reported() {
    let text = "CREATE TABLE t (a ROW<x INT>) WITH ();\n\
                CREATE VIEW v AS SELECT a FROM t;\n\
                INSERT INTO s SELECT a FROM v;\n\
                INSERT INTO t SELECT a FROM s;\n\
                EXECUTE STATEMENT SET BEGIN\n\
                INSERT INTO s SELECT a FROM TABLE(TUMBLE(TABLE v, DESCRIPTOR(ts), INTERVAL '1' HOUR));\n\
                INSERT INTO s SELECT a FROM w;\n\
                END;\n\
                WITH t AS (SELECT a FROM w) SELECT a FROM t";
    let (statements, diagnostics) = parse_text(text);
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    let kept: Vec<u64> = statements.iter().map(|parsed| parsed.span.line).collect();
    assert_eq!(kept, [5, 9]);
}

#[test]
fn a_program_does_something() {
    let expected = "1:1: the program has nothing to run: there is no INSERT, SELECT or EXPLAIN";
    for text in [
        "",
        ";;",
        "-- nothing",
        "SET 'a' = 'b'",
        "CREATE VIEW v AS SELECT a FROM t",
    ] {
        check_errors(text, &[expected]);
    }
}

#[test]
fn a_bare_select_is_the_last_statement() {
    check_errors(
        "SELECT a FROM t;\nINSERT INTO s SELECT a FROM t",
        &["1:1: a bare SELECT must be the last statement"],
    );
}

/// Columns count characters, lines end at the line feed.
#[test]
fn positions_count_characters() {
    check_errors(
        "SELECT 'äöü😀', a::INT FROM t",
        &["1:18: :: is not Flink SQL"],
    );
    check_errors(
        "SELECT a,\r\n  'ß' AS größe,\r\n  b::INT\r\nFROM t",
        &["3:4: :: is not Flink SQL"],
    );
    check_errors(
        "SELECT 'a\nb', c::INT FROM t",
        &["2:6: :: is not Flink SQL"],
    );
}
