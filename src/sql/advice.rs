//! What to write instead of what is refused, where who refuses it does not say so.

/// Beginnings of messages, and the nearest that there is.
const ADVICE: &[(&str, &str)] = &[
    (
        "joins are not supported",
        "read both inputs by UNION ALL and GROUP BY their key, or join before the rows come here",
    ),
    (
        "FOR SYSTEM_TIME AS OF",
        "write what is looked up into the rows before they come here",
    ),
    ("LATERAL", "call functions of one row in SELECT"),
    (
        "LIMIT and OFFSET",
        "leave it out; a bare SELECT can be cut off: thalweg run FILE | head",
    ),
    (
        "FETCH FIRST",
        "leave it out; a bare SELECT can be cut off: thalweg run FILE | head",
    ),
    (
        "a query inside an expression",
        "write constants into IN (…), or aggregate both inputs together by UNION ALL and GROUP BY",
    ),
    (
        "OVER is not",
        "aggregate in windows: GROUP BY window_start, window_end of TABLE(TUMBLE(…))",
    ),
    (
        "named windows",
        "aggregate in windows: GROUP BY window_start, window_end of TABLE(TUMBLE(…))",
    ),
    (
        "MATCH_RECOGNIZE",
        "aggregate in windows, and filter the results by HAVING",
    ),
    (
        "QUALIFY",
        "give the SELECT a name in FROM (SELECT …) AS x, and filter in WHERE",
    ),
    ("WITH RECURSIVE", "write the steps out, one query each"),
    ("MATERIALIZED", "leave it out"),
    (
        "ORDER BY in an aggregate",
        "leave it out: values come in the order in which their rows do",
    ),
    (
        "WITHIN GROUP",
        "leave it out: values come in the order in which their rows do",
    ),
    (
        "IGNORE NULLS and RESPECT NULLS",
        "write FILTER (WHERE value IS NOT NULL) behind the aggregate",
    ),
    (
        "AT TIME ZONE",
        "CAST between TIMESTAMP and TIMESTAMP_LTZ goes by SET 'table.local-time-zone'",
    ),
    (
        "TABLESAMPLE",
        "filter by a condition, as in WHERE MOD(id, 100) = 0",
    ),
    (
        "PIVOT",
        "write SUM(value) FILTER (WHERE name = 'x') for each column",
    ),
    (
        "UNPIVOT",
        "write a SELECT for each column, and UNION ALL between them",
    ),
    ("LATERAL VIEW", "call functions of one row in SELECT"),
    ("FOR behind a query", "leave it out: nothing is locked"),
    ("LIKE ANY", "write x LIKE 'a' OR x LIKE 'b'"),
    (
        "COLLATE",
        "leave it out: texts are compared by their characters' numbers",
    ),
    (
        "ON CONFLICT",
        "leave it out: with a PRIMARY KEY a row takes the place of the one before",
    ),
    (
        "END without",
        "write EXECUTE STATEMENT SET BEGIN before the first INSERT",
    ),
    (
        "an integer type has no length",
        "write INT, or DECIMAL(p, 0) for p digits",
    ),
    (
        "FLOAT and DOUBLE have no precision",
        "write DOUBLE, or DECIMAL(p, s)",
    ),
    ("the type VARIANT", "write STRING"),
    ("the type RAW", "write BYTES"),
    ("the type INTERVAL", "write BIGINT, and say of what"),
    ("the type NULL", "write the type that values have"),
    ("the keys of a MAP", "write ARRAY<ROW<k …, v …>>"),
    ("expected a statement", STATEMENTS),
    (
        "the statement set holds no INSERT",
        "write INSERT INTO … between BEGIN and END",
    ),
    (
        "the program has nothing to run",
        "write INSERT INTO … SELECT, or a SELECT as the last statement",
    ),
];

const STATEMENTS: &str = "statements begin with CREATE, DROP, INSERT, EXECUTE, SET, EXPLAIN, SELECT, \
                          WITH, VALUES or USE";

/// Types of other systems, and Flink's.
const TYPES: &[(&str, &str)] = &[
    ("TEXT", "STRING"),
    ("CLOB", "STRING"),
    ("JSON", "STRING"),
    ("JSONB", "STRING"),
    ("UUID", "STRING"),
    ("NVARCHAR", "STRING"),
    ("BLOB", "BYTES"),
    ("BYTEA", "BYTES"),
    ("DATETIME", "TIMESTAMP(3)"),
    ("TIMESTAMPTZ", "TIMESTAMP_LTZ(3)"),
    ("REAL", "FLOAT"),
    ("FLOAT4", "FLOAT"),
    ("FLOAT8", "DOUBLE"),
    ("FLOAT64", "DOUBLE"),
    ("INT2", "SMALLINT"),
    ("INT4", "INT"),
    ("INT8", "BIGINT"),
    ("INT64", "BIGINT"),
    ("LONG", "BIGINT"),
    ("BOOL", "BOOLEAN"),
    ("NUMBER", "DECIMAL(p, s)"),
    ("BIGNUMERIC", "DECIMAL(38, s)"),
];

const OTHER_TYPE: &str = " is not a type of Flink SQL";

/// What to do about a message, if that can be said.
pub(super) fn of(message: &str) -> Option<String> {
    if let Some(name) = message.strip_suffix(OTHER_TYPE) {
        let bare = name.split('(').next().unwrap_or(name).to_uppercase();
        let known = TYPES.iter().find(|(other, _)| *other == bare);
        return Some(match known {
            Some((_, flinks)) => format!("write {flinks}"),
            None => "docs/sql.md lists the types".to_owned(),
        });
    }
    let known = ADVICE
        .iter()
        .find(|(beginning, _)| message.starts_with(beginning));
    known.map(|(_, advice)| (*advice).to_owned())
}
