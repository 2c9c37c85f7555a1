//! Variables in a program's text.

use super::{Statement, check_errors, parse_sound};

/// The query in which `text` is the only column.
fn check_select(text: &str, expected: &str) {
    let statements = parse_sound(&format!("SELECT {text} FROM t"));
    let [Statement::Select(query)] = statements.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(query.to_string(), format!("SELECT {expected} FROM t"));
}

#[test]
fn values_in_quotes_and_outside() {
    for (text, expected) in [
        ("'${TOPIC}'", "'bids'"),
        ("'x-${TOPIC}-${LIMIT}'", "'x-bids-10'"),
        ("'${NONE:-a b:-c}'", "'a b:-c'"),
        ("'${NONE:-}'", "''"),
        ("'${EMPTY}'", "''"),
        ("'${QUOTE}'", "'it''s'"),
        ("'it''s ${TOPIC}'", "'it''s bids'"),
        ("'${DOLLAR}'", "'${TOPIC}'"),
        ("'${env:SECRET} ${file:/a}'", "'${env:SECRET} ${file:/a}'"),
        ("`${TOPIC}`", "`bids`"),
        ("${TOPIC}", "bids"),
        ("${LIMIT}", "10"),
        ("a > ${MINUS}", "a > -5"),
        ("${NONE:-7}", "7"),
        ("t_${TOPIC}_${LIMIT}x", "t_bids_10x"),
        ("${TOPIC}.a", "bids.a"),
        ("a -- ${NONE}\n", "a"),
    ] {
        check_select(text, expected);
    }
}

#[test]
fn values_that_are_not_there() {
    for (text, expected) in [
        ("'${NONE}'", "1:9: the environment variable NONE is not set"),
        (
            "'it''s ${NONE}'",
            "1:15: the environment variable NONE is not set",
        ),
        (
            "'ü\n  ${NONE}'",
            "2:3: the environment variable NONE is not set",
        ),
        ("${NONE}", "1:8: the environment variable NONE is not set"),
        ("'${1A}'", "1:9: ${1A} is not a variable"),
        ("'${}'", "1:9: ${} is not a variable"),
        ("'${A'", "1:9: ${ has no closing brace"),
        (
            "${env:SECRET}",
            "1:8: ${env:SECRET} is a secret and stands only inside quotes",
        ),
        (
            "${WORDS}",
            "1:8: outside of quotes a variable must be one name or number",
        ),
        (
            "${QUOTE}",
            "1:8: outside of quotes a variable must be one name or number",
        ),
        (
            "${EMPTY}",
            "1:8: outside of quotes a variable must be one name or number",
        ),
    ] {
        check_errors(&format!("SELECT {text} FROM t"), &[expected]);
    }
}

/// A value never begins a new statement or ends a string.
#[test]
fn a_value_does_not_change_the_structure() {
    let statements = parse_sound("SELECT a FROM t WHERE b = '${NONE:-x; DROP TABLE t}'");
    assert_eq!(statements.len(), 1);
}

/// Every missing variable is reported, and the rest of the program is read.
#[test]
fn all_missing_variables_at_once() {
    check_errors(
        "SET 'a' = '${A} ${B}';\nSELECT a FROM t LIMIT ${C};\nLOAD TABLE t",
        &[
            "1:12: the environment variable A is not set",
            "1:17: the environment variable B is not set",
            "2:23: the environment variable C is not set",
            "3:1: LOAD is not supported",
        ],
    );
}
