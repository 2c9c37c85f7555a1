//! Whatever the text: statements or errors, never a panic, never a hang.

use proptest::prelude::*;

use super::parse_text;

/// What texts are made of.
const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "BETWEEN",
    "EXISTS",
    "UNION",
    "ALL",
    "DISTINCT",
    "JOIN",
    "ON",
    "WITH",
    "AS",
    "TABLE",
    "TUMBLE",
    "HOP",
    "DESCRIPTOR",
    "INTERVAL",
    "SECOND",
    "CAST",
    "INT",
    "ARRAY",
    "ROW",
    "MAP",
    "CREATE",
    "TEMPORARY",
    "VIEW",
    "INSERT",
    "INTO",
    "VALUES",
    "EXECUTE",
    "STATEMENT",
    "SET",
    "BEGIN",
    "EXPLAIN",
    "PLAN",
    "FOR",
    "WATERMARK",
    "PRIMARY",
    "KEY",
    "ENFORCED",
    "COMMENT",
    "OVER",
    "PARTITION",
    "ORDER",
    "LIMIT",
    "FILTER",
    "LATERAL",
    "UNNEST",
    "MATCH_RECOGNIZE",
    "PATTERN",
    "DEFINE",
    "PIVOT",
    "a",
    "b",
    "t",
    "`q`",
    "'s'",
    "'${X}'",
    "${TOPIC}",
    "$",
    "{",
    "}",
    "1",
    "1.5",
    "1e3",
    "(",
    "(",
    "(",
    ")",
    ")",
    ")",
    "[",
    "]",
    ",",
    ",",
    ";",
    ";",
    ".",
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "=",
    "<",
    ">",
    "<>",
    "::",
    "=>",
    "->",
    ":",
    "?",
    "@",
    "!",
    "~",
    "&",
    "|",
    "^",
    "#",
    "\"",
    "'",
    "`",
    "--",
    "/*",
    "*/",
    "/*+",
    "\n",
    "\r\n",
    "ü",
    "😀",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        parse_text(&words.join(" "));
    }

    #[test]
    fn any_words_behind_a_select(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        parse_text(&format!("SELECT a FROM t WHERE {}", words.join(" ")));
    }

    #[test]
    fn any_words_in_a_table(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        parse_text(&format!("CREATE TABLE t (a {}", words.join(" ")));
    }

    #[test]
    fn any_characters(text in any::<String>()) {
        parse_text(&text);
    }
}
