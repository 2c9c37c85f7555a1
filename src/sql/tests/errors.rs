//! How errors are reported: all at once, each once, at its place.

use super::{check_errors, parse_text};

#[test]
fn all_errors_of_a_text_at_once() {
    check_errors(
        "CREATE TABLE t (a INT) WITH ('connector' = 'x');\n\
         LOAD TABLE t;\n\
         SELECT DISTINCT ON (a) a FROM t ORDER BY a;\n\
         INSERT INTO u SELECT b::INT, c FROM t JOIN w ON a = b LIMIT 1;\n\
         SELECT )",
        &[
            "2:1: LOAD is not supported",
            "3:8: DISTINCT ON is not Flink SQL",
            "3:33: ORDER BY is not supported yet",
            "4:23: :: is not Flink SQL",
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
    let text = "CREATE TABLE t (a MULTISET<INT>) WITH ();\n\
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
        &["1:17: :: is not Flink SQL"],
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
