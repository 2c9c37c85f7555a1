//! Programs to plans, to errors and to values: the cases are data.
//!
//! With `UPDATE_GOLDENS=1` the files are written anew; look at the difference.

mod errors;
mod expressions;
mod plans;

use std::fmt::Write as _;
use std::path::Path;

use super::{SourceFile, compile};
use crate::plan::{Diagnostic, Program};

/// The tables of all cases.
const TABLES: &str = include_str!("tables.sql");

fn compile_text(text: &str) -> Result<Program, Vec<Diagnostic>> {
    let file = |text: &str| SourceFile {
        name: "case.sql".to_owned(),
        text: text.to_owned(),
    };
    compile(&[file(TABLES), file(text)], &|_| None)
}

/// Checks a file of cases: a program, a line `----`, what `answer` says of the
/// program, and an empty line before the next one.
fn check_goldens(name: &str, text: &str, least: usize, answer: impl Fn(&str) -> String) {
    let cases: Vec<(&str, &str)> = text
        .split("\n\n")
        .filter(|case| !case.trim().is_empty())
        .map(|case| {
            case.trim()
                .split_once("\n----")
                .unwrap_or((case.trim(), ""))
        })
        .collect();
    assert!(
        cases.len() >= least,
        "{name} has only {} cases",
        cases.len()
    );
    let mut found = String::new();
    let mut wrong = Vec::new();
    for (program, expected) in cases {
        let is = answer(program);
        if is.trim() != expected.trim() {
            wrong.push(format!("{program}\n  expected\n{expected}\n  found\n{is}"));
        }
        writeln!(found, "{program}\n----\n{}\n", is.trim()).unwrap();
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql/plan_tests");
        std::fs::write(folder.join(name), found.trim_end().to_owned() + "\n").unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
