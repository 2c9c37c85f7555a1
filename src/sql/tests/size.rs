//! Programs that are too large, too deep or made to keep the parser busy.

use std::time::{Duration, Instant};

use super::{check_errors, errors_of, parse_sound, parse_text};

/// Far above what any text may take, far below what a hang would.
const PATIENCE: Duration = Duration::from_secs(30);

const TOO_HIGH: &str = "the expression has more than 500 operators, nested ones included";
const TOO_DEEP: &str = "parentheses, brackets and CASE are nested more than 64 deep";

#[track_caller]
fn check_one_error(text: &str, expected: &str) {
    let start = Instant::now();
    assert_eq!(errors_of(text), [expected], "{}", &text[..60]);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_text_of_ten_megabytes() {
    let text = format!("SELECT a FROM t -- {}", "x".repeat(10 << 20));
    check_one_error(&text, "1:1: the program is longer than 1 MiB");
}

#[test]
fn too_many_tokens() {
    let text = format!("SELECT {} a FROM t", "a,".repeat(130_000));
    check_one_error(
        &text,
        "1:250007: the program has more than 250000 words and symbols",
    );
}

#[test]
fn chains() {
    for (text, column) in [
        (
            format!("SELECT {}1 FROM t", "1+".repeat(100_000)),
            8 + 2 * 500 + 1,
        ),
        (
            format!("SELECT {}1 FROM t", "- ".repeat(100_000)),
            8 + 2 * 500,
        ),
        (
            format!("SELECT {}a FROM t", "NOT ".repeat(100_000)),
            8 + 4 * 500,
        ),
        (
            format!("SELECT a{} FROM t", "||b".repeat(60_000)),
            9 + 3 * 500,
        ),
        (
            format!("SELECT a{} FROM t", " IS NULL".repeat(60_000)),
            10 + 8 * 500,
        ),
        (
            format!("SELECT a{} FROM t", "::INT".repeat(60_000)),
            9 + 5 * 500,
        ),
        (
            format!("SELECT {}1 FROM t", "INTERVAL ".repeat(60_000)),
            8 + 9 * 500,
        ),
        (
            format!("SELECT {}1 FROM t", "from+".repeat(60_000)),
            12 + 5 * 500,
        ),
        (
            format!("SELECT a FROM t{}", " JOIN t".repeat(60_000)),
            17 + 7 * 500,
        ),
        (
            format!("SELECT a FROM t WHERE a{}", " OR a".repeat(60_000)),
            25 + 5 * 500,
        ),
    ] {
        check_one_error(&text, &format!("1:{column}: {TOO_HIGH}"));
    }
    let text = format!(
        "SELECT a FROM t{}",
        "\nUNION ALL SELECT a FROM t".repeat(9_000)
    );
    check_one_error(&text, &format!("502:1: {TOO_HIGH}"));
}

#[test]
fn nesting() {
    for text in [
        format!(
            "SELECT {}1{} FROM t",
            "(".repeat(100_000),
            ")".repeat(100_000)
        ),
        format!("SELECT {}1 FROM t", "(".repeat(100_000)),
        format!("SELECT {}a FROM t", "CASE WHEN ".repeat(50_000)),
        format!("SELECT a FROM {}t", "(SELECT a FROM ".repeat(40_000)),
        format!("SELECT {}1 FROM t", "f(".repeat(60_000)),
        format!("SELECT {}1 FROM t", "ARRAY[".repeat(60_000)),
        format!("SELECT {}1 FROM t", "{a:".repeat(60_000)),
    ] {
        let start = Instant::now();
        let errors = errors_of(&text);
        assert_eq!(errors.len(), 1, "{}", &text[..60]);
        assert!(errors[0].ends_with(TOO_DEEP), "{}", errors[0]);
        assert!(start.elapsed() < PATIENCE);
    }
}

/// Chains in the operands of chains: the heights add up.
#[test]
fn chains_inside_of_parentheses() {
    let mut expression = String::from("1");
    for _ in 0..50 {
        expression = format!("({expression}{})", "+1".repeat(50));
    }
    let errors = errors_of(&format!("SELECT {expression} FROM t"));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].ends_with(TOO_HIGH), "{}", errors[0]);
}

/// Types nest without parentheses.
#[test]
fn deep_types() {
    for text in [
        format!("CREATE TABLE t (a {}INT", "ARRAY<".repeat(60_000)),
        format!("CREATE TABLE t (a INT{}) WITH ()", "[]".repeat(60_000)),
        format!("SELECT CAST(a AS {}INT", "ARRAY<".repeat(60_000)),
        format!("SELECT CAST(a AS INT{}) FROM t", "[]".repeat(60_000)),
    ] {
        let start = Instant::now();
        assert_eq!(errors_of(&text).len(), 1, "{}", &text[..60]);
        assert!(start.elapsed() < PATIENCE);
    }
}

/// Texts at which a parser that tries everything twice at each level would not
/// come to an end.
#[test]
fn backtracking_is_bounded() {
    for text in [
        format!("SELECT {} FROM t", "CAST(".repeat(60)),
        format!(
            "SELECT {}a AS !{} FROM t",
            "CAST(".repeat(60),
            ")".repeat(60)
        ),
        format!(
            "SELECT {}a !{} FROM t",
            "SUBSTRING(".repeat(60),
            ")".repeat(60)
        ),
        format!("SELECT {}!{} FROM t", "f(a => ".repeat(60), ")".repeat(60)),
        format!("SELECT a FROM {}!", "((SELECT a FROM ".repeat(30)),
        format!("SELECT * FROM {}!", "(((SELECT * FROM ".repeat(20)),
        format!("SELECT {}!", "CASE WHEN ".repeat(60)),
        format!("SELECT {}!", "CASE ".repeat(60)),
        format!("SELECT {}!", "EXISTS (".repeat(60)),
        format!("SELECT {}!", "EXISTS (SELECT ".repeat(60)),
        format!("SELECT {}!", "TRIM(BOTH ".repeat(60)),
        format!("SELECT {}!", "EXTRACT(DAY FROM ".repeat(60)),
        format!("SELECT {}!", "POSITION(a IN ".repeat(60)),
        format!("SELECT {}!", "MAP{a: ".repeat(60)),
        format!("SELECT {}!", "ARRAY(SELECT ".repeat(60)),
        format!("SELECT {}!", "a IN (".repeat(60)),
        format!("SELECT {}!", "x[".repeat(60)),
        format!("SELECT {}!", "CONVERT(".repeat(60)),
        format!("SELECT {}!", "OVERLAY(a PLACING ".repeat(60)),
        format!("SELECT {}!", "CEIL(".repeat(60)),
        format!("SELECT {}!", "f(DISTINCT ".repeat(60)),
        format!("SELECT {}!", "DATE (".repeat(60)),
        format!("SELECT a FROM {}!", "TABLE(f(".repeat(30)),
        format!("SELECT a FROM {}!", "f(a => ".repeat(60)),
        format!("SELECT a FROM {}!", "LATERAL (SELECT a FROM ".repeat(60)),
    ] {
        let start = Instant::now();
        assert!(!errors_of(&text).is_empty(), "{text}");
        assert!(start.elapsed() < PATIENCE, "{text}: {:?}", start.elapsed());
    }
}

#[test]
fn what_is_large_but_sound() {
    let list = vec!["12345"; 5_000].join(", ");
    parse_sound(&format!("SELECT a FROM t WHERE a IN ({list})"));
    let branches: Vec<String> = (0..300)
        .map(|branch| format!("WHEN a = {branch} AND b > {branch} THEN 'x' || c "))
        .collect();
    let branches = branches.concat();
    parse_sound(&format!("SELECT CASE {branches}ELSE 'y' END FROM t"));
    parse_sound(&format!("SELECT {}a FROM t", "a + b * 2, ".repeat(3_000)));
    parse_sound(&format!(
        "SELECT a FROM t{}",
        " UNION ALL SELECT a + 1 FROM t".repeat(300)
    ));
    parse_sound(&format!("SELECT a{} FROM t", " + a".repeat(490)));
    parse_sound(&format!(
        "SELECT {}1{} FROM t",
        "(".repeat(60),
        ")".repeat(60)
    ));
    parse_sound(&format!(
        "SELECT a FROM {}t{}",
        "(SELECT a + 1 AS a FROM ".repeat(40),
        ")".repeat(40)
    ));
}

/// Each view reads the one before it twice.
#[test]
fn views_that_expand_without_bound() {
    let doubling: Vec<String> = (1..=40)
        .map(|view| {
            let before = view - 1;
            format!("CREATE VIEW v{view} AS SELECT a FROM v{before} UNION ALL SELECT a FROM v{before};\n")
        })
        .collect();
    check_errors(
        &format!("{}SELECT a FROM v40", doubling.concat()),
        &["10:1: with its views put in, the query reads more than 1,000 tables"],
    );
    let chain: Vec<String> = (1..=2_000)
        .map(|view| {
            format!(
                "CREATE VIEW v{view} AS SELECT a + 1 AS a FROM v{};\n",
                view - 1
            )
        })
        .collect();
    let (_, diagnostics) = parse_text(&format!("{}SELECT a FROM v2000", chain.concat()));
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.ends_with("1,000 operators in a row"));
    let common: Vec<String> = (1..=20)
        .map(|query| {
            let before = query - 1;
            format!(", c{query} AS (SELECT a FROM c{before} UNION ALL SELECT a FROM c{before})")
        })
        .collect();
    check_errors(
        &format!(
            "WITH c0 AS (SELECT a FROM t){} SELECT a FROM c20",
            common.concat()
        ),
        &["1:1: with its views put in, the query reads more than 1,000 tables"],
    );
}

#[test]
fn errors_without_number_are_cut() {
    let (_, diagnostics) = parse_text(&"LOAD TABLE t;\n".repeat(10_000));
    assert_eq!(diagnostics.len(), 100);
    let (_, diagnostics) = parse_text(&format!("SELECT {}a FROM t", "a::INT, ".repeat(10_000)));
    assert_eq!(diagnostics.len(), 100);
}
