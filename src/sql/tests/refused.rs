//! What is wrong or not supported, one case after the other: a text on a line,
//! then all of its errors, each with its place and with what to do instead.
//!
//! With `UPDATE_GOLDENS=1` the files are written anew; look at the difference.

use std::fmt::Write as _;
use std::path::Path;

use super::parse_text;

/// Checks all cases of a file and shows each that is wrong as it should be written.
#[track_caller]
fn check_cases(name: &str, cases: &str) {
    let mut found = String::new();
    for line in cases.lines().filter(|line| !line.starts_with(' ')) {
        writeln!(found, "{line}").unwrap();
        for error in parse_text(line).1 {
            writeln!(found, "  {}: {}", error.span, error.message).unwrap();
            if let Some(hint) = error.hint {
                writeln!(found, "    {hint}").unwrap();
            }
        }
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql/tests/refused");
        std::fs::write(folder.join(name), found).unwrap();
        return;
    }
    assert!(cases == found, "found:\n{found}");
}

#[test]
fn statements() {
    check_cases("statements.txt", include_str!("refused/statements.txt"));
}

#[test]
fn tables() {
    check_cases("tables.txt", include_str!("refused/tables.txt"));
}

#[test]
fn queries() {
    check_cases("queries.txt", include_str!("refused/queries.txt"));
}

#[test]
fn expressions() {
    check_cases("expressions.txt", include_str!("refused/expressions.txt"));
}

#[test]
fn there_are_many() {
    let all = [
        include_str!("refused/statements.txt"),
        include_str!("refused/tables.txt"),
        include_str!("refused/queries.txt"),
        include_str!("refused/expressions.txt"),
    ];
    let lines = all.iter().flat_map(|cases| cases.lines());
    let cases = lines.filter(|line| !line.starts_with(' ')).count();
    assert!(cases >= 200, "only {cases} cases");
}
