//! What is wrong or not supported, one case after the other: a text on a line,
//! then all of its errors, each with its place.

use super::errors_of;

/// Checks all cases and shows each that is wrong as it should be written.
#[track_caller]
fn check_cases(cases: &str) {
    let mut expected = String::new();
    let mut found = String::new();
    for line in cases.trim().lines() {
        expected += line;
        expected.push('\n');
        if !line.starts_with("  ") {
            found += line;
            found.push('\n');
            for error in errors_of(line) {
                found += "  ";
                found += &error;
                found.push('\n');
            }
        }
    }
    assert!(expected == found, "found:\n{found}");
}

#[test]
fn statements() {
    check_cases(STATEMENTS);
}

#[test]
fn tables() {
    check_cases(TABLES);
}

#[test]
fn queries() {
    check_cases(QUERIES);
}

#[test]
fn expressions() {
    check_cases(EXPRESSIONS);
}

const STATEMENTS: &str = r"
ALTER TABLE t SET ('a' = 'b')
  1:1: ALTER is not supported
DROP TABLE t
  1:1: DROP is not supported
DESCRIBE t
  1:1: DESCRIBE is not supported
SHOW TABLES
  1:1: SHOW is not supported
USE db
  1:1: USE is not supported
USE CATALOG c
  1:1: USE is not supported
RESET 'a'
  1:1: RESET is not supported
VALUES (1)
  1:1: VALUES is not supported
UPDATE t SET a = 1
  1:1: UPDATE is not supported
EXECUTE PLAN 'x'
  1:1: EXECUTE PLAN is not supported
EXECUTE t
  1:9: expected STATEMENT SET BEGIN or INSERT, found t
CREATE FUNCTION f AS 'c'
  1:8: CREATE FUNCTION is not supported
CREATE TEMPORARY SYSTEM FUNCTION f AS 'c'
  1:25: CREATE FUNCTION is not supported
CREATE CATALOG c WITH ('type' = 'x')
  1:8: CREATE CATALOG is not supported
CREATE DATABASE d
  1:8: CREATE DATABASE is not supported
CREATE OR REPLACE VIEW v AS SELECT 1
  1:8: OR REPLACE is not supported
CREATE INDEX i
  1:8: expected TABLE or VIEW, found INDEX
SELCT 1
  1:1: expected a statement, found SELCT
42
  1:1: expected a statement, found 42
END;
  1:1: END without EXECUTE STATEMENT SET BEGIN
SET
  1:4: expected a key, found the end of the statement
SET 'a'
  1:8: expected =, found the end of the statement
SET a.b = 1 h
  1:13: expected the end of the statement (put quotes around the value), found h
EXPLAIN CREATE TABLE t
  1:9: expected INSERT INTO, SELECT or STATEMENT SET BEGIN, found CREATE
INSERT OVERWRITE t SELECT a FROM s
  1:8: INSERT OVERWRITE is not supported
INSERT INTO t VALUES (1)
  1:15: INSERT INTO … VALUES is not supported yet
INSERT INTO t PARTITION (d = '1') SELECT a FROM s
  1:15: INSERT INTO … PARTITION is not supported yet
INSERT INTO c.d.t SELECT a FROM s
  1:13: names with a catalog or database are not supported yet
INSERT INTO t UPDATE x
  1:15: expected SELECT, found UPDATE
INSERT INTO t (a,) SELECT a FROM s
  1:18: expected a column of the table, found )
INSERT INTO t SELECT a FROM s ON CONFLICT DO NOTHING
  1:31: ON CONFLICT is not supported
INSERT t SELECT a FROM s
  1:8: expected INTO, found t
CREATE VIEW v SELECT a FROM t
  1:15: expected AS, found SELECT
CREATE VIEW AS SELECT a FROM t
  1:13: expected the name of the view, found AS
EXPLAIN
  1:8: expected INSERT INTO, SELECT or STATEMENT SET BEGIN, found the end of the statement
EXPLAIN DROP TABLE t
  1:9: expected INSERT INTO, SELECT or STATEMENT SET BEGIN, found DROP
INSERT INTO t SELECT a FROM s LIMIT 1; DROP VIEW v
  1:31: LIMIT and OFFSET are not supported yet
  1:40: DROP is not supported
SET 'a' = 'b' 'c'; SELECT a FROM t
  1:15: expected the end of the statement, found a text in quotes
SET a. = b
  1:8: expected a key, found =
WITH c AS (SELECT a FROM t)
  1:28: expected SELECT, VALUES, or a subquery in the query body, found the end of the statement
WITH c AS (SELECT a FROM t) INSERT INTO s SELECT a FROM c
  1:27: a query is a SELECT
BEGIN STATEMENT SET
  1:1: the statement set has no END
EXECUTE STATEMENT SET INSERT INTO t SELECT a FROM s; END
  1:9: expected STATEMENT SET BEGIN or INSERT, found STATEMENT
  1:54: END without EXECUTE STATEMENT SET BEGIN
INSERT INTO t SELECT a FROM s; END
  1:32: END without EXECUTE STATEMENT SET BEGIN
CREATE TABLE
  1:13: expected the name of the table, found the end of the statement
CREATE VIEW v (a, b AS SELECT a FROM t
  1:21: expected ), found AS
ADD JAR 'x.jar'
  1:1: ADD is not supported
STOP JOB 'x'
  1:1: STOP is not supported
🦀
  1:1: expected a statement, found 🦀
";

const TABLES: &str = r"
CREATE TABLE t (a ROW<x MULTISET<INT>>) WITH ('connector' = 'x'); SELECT b FROM s
  1:25: the type MULTISET is not supported yet
CREATE TABLE t (a ARRAY<INT MULTISET>) WITH ('connector' = 'x'); SELECT b FROM s
  1:29: the type MULTISET is not supported yet
CREATE TABLE t (a ROW<x TEXT>) WITH ('connector' = 'x'); SELECT b FROM s
  1:25: TEXT is not a type of Flink SQL
CREATE TABLE t (a MULTISET<INT>) WITH ('connector' = 'x'); SELECT b FROM s
  1:19: the type MULTISET is not supported yet
CREATE TABLE t (a TIMESTAMP_LTZ(3)) WITH ('connector' = 'x'); SELECT b FROM s
  1:19: the type TIMESTAMP_LTZ is not supported yet
CREATE TABLE t (a TIMESTAMP(3) WITH LOCAL TIME ZONE) WITH ('connector' = 'x'); SELECT b FROM s
  1:19: the type TIMESTAMP WITH TIME ZONE is not supported yet
CREATE TABLE t (a INT[]) WITH ('connector' = 'x'); SELECT b FROM s
  1:22: expected , or ), found [
CREATE TABLE t (a TEXT) WITH ('connector' = 'x'); SELECT b FROM s
  1:19: TEXT is not a type of Flink SQL
CREATE TABLE t (a INT(3)) WITH ('connector' = 'x'); SELECT b FROM s
  1:19: an integer type has no length
CREATE TABLE t (a) WITH ('connector' = 'x'); SELECT b FROM s
  1:18: expected a type, found )
CREATE TABLE t (a BIGINT METADATA FROM offset) WITH ('connector' = 'x'); SELECT b FROM s
  1:40: expected the metadata's key in single quotes, found offset
CREATE TABLE t (a BIGINT METADATA VIRTUAL FROM 'offset') WITH ('connector' = 'x'); SELECT b FROM s
  1:43: expected , or ), found FROM
CREATE TABLE t (a BIGINT VIRTUAL) WITH ('connector' = 'x'); SELECT b FROM s
  1:26: expected , or ), found VIRTUAL
CREATE TABLE t (a INT GENERATED ALWAYS AS (1)) WITH ('connector' = 'x'); SELECT b FROM s
  1:23: GENERATED is not Flink SQL
CREATE TABLE t (a INT DEFAULT 1) WITH ('connector' = 'x'); SELECT b FROM s
  1:23: DEFAULT is not Flink SQL
CREATE TABLE t (a INT, a INT) WITH ('connector' = 'x'); SELECT b FROM s
  1:24: there is already a column a
CREATE TABLE t (a INT PRIMARY KEY) WITH ('connector' = 'x'); SELECT b FROM s
  1:34: expected NOT ENFORCED, found )
CREATE TABLE t (a INT, PRIMARY KEY (a)) WITH ('connector' = 'x'); SELECT b FROM s
  1:39: expected NOT ENFORCED, found )
CREATE TABLE t (a INT, PRIMARY KEY (a, a) NOT ENFORCED) WITH ('connector' = 'x'); SELECT b FROM s
  1:40: a is in the primary key twice
CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'x'); SELECT b FROM s
  1:49: a table has one PRIMARY KEY
CREATE TABLE t (a INT, UNIQUE (a)) WITH ('connector' = 'x'); SELECT b FROM s
  1:24: expected PRIMARY KEY (…) NOT ENFORCED, the only constraint there is, found UNIQUE
CREATE TABLE t (a INT, CONSTRAINT c) WITH ('connector' = 'x'); SELECT b FROM s
  1:36: expected PRIMARY KEY, found )
CREATE TABLE t (WATERMARK FOR t AS t, WATERMARK FOR u AS u) WITH ('connector' = 'x'); SELECT b FROM s
  1:39: a table has one WATERMARK
CREATE TABLE t (WATERMARK FOR r.t AS r.t) WITH ('connector' = 'x'); SELECT b FROM s
  1:31: a watermark on a field of a row is not supported yet
CREATE TABLE t (WATERMARK t AS t) WITH ('connector' = 'x'); SELECT b FROM s
  1:27: expected FOR, found t
CREATE TABLE t (WATERMARK FOR t AS t - INTERVAL 5 SECOND) WITH ('connector' = 'x'); SELECT b FROM s
  1:49: expected a quoted number and a unit after INTERVAL, found 5
CREATE TABLE t (a INT,) WITH ('connector' = 'x'); SELECT b FROM s
  1:23: expected a column, WATERMARK or PRIMARY KEY, found )
CREATE TABLE t (a AS PROCTIME()) WITH ('connector' = 'x'); SELECT b FROM s
  1:22: PROCTIME() is not supported yet
CREATE TABLE t (a AS b::INT) WITH ('connector' = 'x'); SELECT b FROM s
  1:23: :: is not Flink SQL
CREATE TABLE t (a INT b INT) WITH ('connector' = 'x'); SELECT b FROM s
  1:23: expected , or ), found b
CREATE TABLE t (a AS (1) WITH ('connector' = 'x'); SELECT b FROM s
  1:26: expected , or ), found WITH
CREATE TABLE t (a INT)
  1:23: expected WITH (…), found the end of the statement
CREATE TABLE t (a INT) PARTITIONED BY (a) WITH ()
  1:24: PARTITIONED BY is not supported yet
CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) WITH ()
  1:24: DISTRIBUTED BY is not supported yet
CREATE TABLE t (a INT) LIKE b
  1:24: LIKE is not supported yet
CREATE TABLE t (a INT) WITH ('a' = 'b') LIKE b
  1:41: LIKE is not supported yet
CREATE TABLE t (a INT) WITH ('a' = 'b') AS SELECT a FROM b
  1:41: CREATE TABLE … AS SELECT is not supported yet
CREATE TABLE t (a INT) WITH ('a' = 'b', 'a' = 'c')
  1:41: the option 'a' is there twice
CREATE TABLE t (a INT) WITH (a = 'b')
  1:30: expected an option's key in single quotes, found a
CREATE TABLE t (a INT) WITH ('a' = b)
  1:36: expected the option's value in single quotes, found b
CREATE TABLE t (a INT) WITH ('a' 'b')
  1:34: expected =, found a text in quotes
CREATE TABLE t (a INT) WITH ('a' = 'b'
  1:39: expected , or ), found the end of the statement
CREATE TABLE t (a INT) WITH ('a' = 'b') x
  1:41: expected the end of the statement, found x
CREATE TABLE t AS SELECT a FROM s
  1:16: CREATE TABLE … AS SELECT is not supported yet
CREATE TABLE (a INT) WITH ()
  1:14: expected the name of the table, found (
";

const QUERIES: &str = r#"
SELECT 1
  1:1: SELECT without FROM is not supported
SELECT DISTINCT a FROM t
  1:8: SELECT DISTINCT is not supported yet
SELECT a FROM t JOIN u ON t.a = u.a
  1:17: joins are not supported yet
SELECT a FROM t LEFT JOIN u ON t.a = u.a
  1:22: joins are not supported yet
SELECT a FROM t, u
  1:16: joins are not supported yet
SELECT a FROM t CROSS JOIN UNNEST(b) AS x(c)
  1:23: joins are not supported yet
  1:28: UNNEST is not supported yet
SELECT a FROM t ORDER BY a
  1:17: ORDER BY is not supported yet
SELECT a FROM t LIMIT 3
  1:17: LIMIT and OFFSET are not supported yet
SELECT a FROM t OFFSET 3
  1:17: LIMIT and OFFSET are not supported yet
SELECT a FROM t FETCH FIRST 3 ROWS ONLY
  1:17: FETCH FIRST is not supported yet
SELECT a FROM t UNION SELECT a FROM u
  1:17: UNION without ALL is not supported yet
SELECT a FROM t EXCEPT SELECT a FROM u
  1:17: EXCEPT is not supported yet
SELECT a FROM t INTERSECT SELECT a FROM u
  1:17: INTERSECT is not supported yet
WITH RECURSIVE c AS (SELECT a FROM t) SELECT a FROM c
  1:6: WITH RECURSIVE is not supported
SELECT a FROM (VALUES (1)) AS t(a)
  1:16: VALUES is not supported yet
SELECT a FROM c.d.t
  1:15: names with a catalog or database are not supported yet
SELECT a FROM t FOR SYSTEM_TIME AS OF b
  1:17: FOR SYSTEM_TIME AS OF is not supported yet
SELECT a FROM LATERAL TABLE(f(a)) AS x(b)
  1:15: LATERAL table functions are not supported yet
SELECT a FROM UNNEST(b) AS x(c)
  1:15: UNNEST is not supported yet
SELECT a FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR))
  1:21: SESSION windows are not supported yet
SELECT a FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '2' HOUR))
  1:21: CUMULATE windows are not supported yet
SELECT a FROM TABLE(F(TABLE t))
  1:21: there is no table function F
SELECT a FROM TABLE(TUMBLE((SELECT a FROM t), DESCRIPTOR(ts), INTERVAL '1' HOUR))
  1:29: a query as an argument of a window function is not supported yet
SELECT a FROM TABLE(SESSION(TABLE t PARTITION BY a, DESCRIPTOR(ts), INTERVAL '1' HOUR))
  1:37: PARTITION BY of a table argument is not supported yet
SELECT a FROM t MATCH_RECOGNIZE (ORDER BY ts MEASURES A.a AS x PATTERN (A B) DEFINE A AS A.a > 1) AS m
  1:17: MATCH_RECOGNIZE is not supported yet
SELECT a FROM t QUALIFY a = 1
  1:17: QUALIFY is not supported yet
SELECT a FROM t WINDOW w AS (ORDER BY a)
  1:17: named windows are not supported yet
SELECT a FROM t GROUP BY GROUPING SETS ((a), ())
  1:26: GROUPING SETS is not supported yet
SELECT a FROM t GROUP BY ROLLUP (a)
  1:26: ROLLUP is not supported yet
SELECT a FROM t GROUP BY CUBE (a)
  1:26: CUBE is not supported yet
SELECT a /*+ x */ FROM t /*+ OPTIONS('a' = 'b') */
  1:10: hints such as /*+ OPTIONS(…) */ are not supported yet
  1:26: hints such as /*+ OPTIONS(…) */ are not supported yet
SELECT a, FROM t
  1:11: expected an expression, found FROM
SELECT a FROM
  1:14: expected a name, found the end of the statement
SELECT (a FROM t
  1:11: expected ), found FROM
SELECT 'a FROM t
  1:8: unterminated string literal
SELECT `a FROM t
  1:8: expected close delimiter '`' before EOF
SELECT * EXCLUDE (a) FROM t
  1:10: expected the end of the statement, found EXCLUDE
SELECT a INTO b FROM t
  1:10: SELECT INTO is not Flink SQL
SELECT TOP 3 a FROM t
  1:1: this form of SELECT is not Flink SQL
FROM t
  1:1: expected a statement, found FROM
FROM t SELECT a
  1:1: expected a statement, found FROM
TABLE t
  1:1: expected a statement, found TABLE
SELECT a FROM (TABLE t)
  1:22: expected (, found t
SELECT a FROM t TABLESAMPLE (10)
  1:17: TABLESAMPLE is not supported
SELECT a FROM t AS u (a INT)
  1:23: a type in an alias is not Flink SQL
SELECT a FROM (t JOIN u ON a = b)
  1:18: joins are not supported yet
SELECT a FROM t GROUP BY ALL
  1:17: GROUP BY ALL is not Flink SQL
SELECT a FROM t GROUP BY 1
  1:26: GROUP BY names columns, not their places
SELECT a FROM t GROUP BY ()
  1:26: making a row, an array or a map is not supported yet
SELECT a FROM t NATURAL JOIN u
  1:25: joins are not supported yet
SELECT a FROM t PIVOT (SUM(a) FOR b IN (1))
  1:17: PIVOT is not Flink SQL
SELECT a FROM t FOR UPDATE
  1:17: FOR behind a query is not Flink SQL
SELECT a FROM t |> WHERE a
  1:17: expected the end of the statement, found |
SELECT a FROM TABLE(t)
  1:15: TABLE(…) holds a window function
SELECT a FROM TABLE(TUMBLE(t => *))
  1:28: * is no argument of a window function
SELECT a FROM t;; SELECT a FROM u LIMIT 1;
  1:35: LIMIT and OFFSET are not supported yet
SELECT a FROM t WHERE
  1:22: expected an expression, found the end of the statement
SELECT a FROM t GROUP a
  1:17: expected the end of the statement, found GROUP
SELECT FROM t
  1:8: expected an expression, found FROM
SELECT a FROM t SELECT b FROM u
  1:17: expected the end of the statement, found SELECT
SELECT a FROM t /* b
  1:21: unexpected EOF while in a multi-line comment
SELECT a FRM t
  1:14: expected the end of the statement, found t
SELECT a FROM t u v
  1:19: expected the end of the statement, found v
SELECT a FROM 't' AS 'x'
  1:15: a name is not written in quotes
  1:22: a name is not written in quotes
SELECT a AS "x" FROM t
  1:13: a name is not written in quotes
WITH 'c' AS (SELECT a FROM t) SELECT a FROM c
  1:6: a name is not written in quotes
"#;

const EXPRESSIONS: &str = r#"
SELECT SUM(a) OVER (ORDER BY b) FROM t
  1:15: OVER is not supported yet
SELECT COUNT(DISTINCT a) FROM t
  1:14: COUNT(DISTINCT …) is not supported yet
SELECT COUNT(*) FILTER (WHERE a > 1) FROM t
  1:17: FILTER is not supported yet
SELECT F(a ORDER BY b) FROM t
  1:12: ORDER BY in an aggregate is not supported yet
SELECT LISTAGG(a) WITHIN GROUP (ORDER BY b) FROM t
  1:19: WITHIN GROUP is not supported yet
SELECT a FROM t WHERE EXISTS (SELECT b FROM u)
  1:23: a query inside an expression is not supported yet
SELECT a FROM t WHERE a IN (SELECT b FROM u)
  1:29: a query inside an expression is not supported yet
SELECT (SELECT b FROM u) FROM t
  1:9: a query inside an expression is not supported yet
SELECT a[1:2] FROM t
  1:9: a part of an array is not Flink SQL
SELECT ARRAY[1] FROM t
  1:8: making a row, an array or a map is not supported yet
SELECT ROW(1, 2) FROM t
  1:8: making a row, an array or a map is not supported yet
SELECT a::INT FROM t
  1:9: :: is not Flink SQL
SELECT CAST(a AS ARRAY<INT>) FROM t
  1:13: the type ARRAY<INT> is not supported yet
SELECT CAST(a AS JSON) FROM t
  1:13: JSON is not a type of Flink SQL
SELECT a & b FROM t
  1:10: the operator & is not Flink SQL
SELECT a ILIKE 'x' FROM t
  1:10: ILIKE is not Flink SQL
SELECT a SIMILAR TO 'x' FROM t
  1:10: SIMILAR TO is not supported yet
SELECT "a" FROM t
  1:8: double quotes are not Flink SQL
SELECT a AT TIME ZONE 'UTC' FROM t
  1:10: AT TIME ZONE is not supported
SELECT a FROM t GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)
  1:26: TUMBLE in an expression is Flink's old group window
SELECT TUMBLE_START(ts, INTERVAL '1' HOUR) FROM t
  1:8: TUMBLE_START in an expression is Flink's old group window
SELECT INTERVAL 5 SECOND FROM t
  1:17: expected a quoted number and a unit after INTERVAL, found 5
SELECT CAST(a AS INT(3)), SAFE_CAST(a AS INT) FROM t
  1:13: an integer type has no length
  1:37: SAFE_CAST is not Flink SQL
SELECT a FROM t WHERE a = ANY (SELECT b FROM u)
  1:23: ANY and ALL are not supported yet
SELECT f(a => 1), g.f(a) FROM t
  1:10: named arguments are not supported here
  1:19: there is no function g.f
SELECT MAP['k', 1] FROM t
  1:8: making a row, an array or a map is not supported yet
SELECT MAP('k', 1) FROM t
  1:8: making a row, an array or a map is not supported yet
SELECT a AS
  1:12: expected an identifier after AS, found the end of the statement
SELECT f(a, FROM t
  1:13: expected an expression, found FROM
SELECT a FROM t WHERE AND b
  1:23: expected an expression, found AND
SELECT a b c FROM t
  1:12: expected the end of the statement, found c
SELECT CASE a END FROM t
  1:15: expected WHEN, found END
SELECT X'00', N'a', E'b' FROM t
  1:8: this form of a literal is not supported
  1:15: this form of a literal is not supported
  1:22: a name is not written in quotes
SELECT INTERVAL '1' FROM t
  1:17: an INTERVAL has a unit
SELECT BIGINT '1', TIMESTAMP WITH TIME ZONE 'x', 10L FROM t
  1:15: there are no literals of the type BIGINT
  1:45: there are no literals of the type TIMESTAMP WITH TIME ZONE
  1:50: a number has no suffix
SELECT ?, $1, :a FROM t
  1:8: this form of a literal is not supported
  1:11: this form of a literal is not supported
  1:15: this form of a literal is not supported
SELECT (a, b) FROM t
  1:8: making a row, an array or a map is not supported yet
SELECT CEIL(a, 2), CONVERT(a, INT) FROM t
  1:16: CEIL and FLOOR take no scale
  1:20: CONVERT is not Flink SQL
SELECT COUNT(t.*) FROM t
  1:14: a table's * is no argument
SELECT LAST_VALUE(a) IGNORE NULLS FROM t
  1:29: IGNORE NULLS and RESPECT NULLS are not supported yet
SELECT a -> 'b', a ->> 'c' FROM t
  1:10: the operator -> is not Flink SQL
  1:20: the operator ->> is not Flink SQL
SELECT a == b, a ^ b, ~a FROM t WHERE a = b AND b == c
  1:10: the operator == is not Flink SQL
  1:18: the operator ^ is not Flink SQL
  1:20: the operator ~ is not Flink SQL
  1:51: the operator == is not Flink SQL
"#;
