//! All SQL that stands in the project: what the tests plan, play and refuse, what the documents
//! show. Programs by chance are made of it.

use std::fs;
use std::path::{Path, PathBuf};

/// The tables that the cases of the planner read.
const TABLES: &str = "src/sql/plan_tests/tables.sql";

/// The table that cases read which are refused before anybody asks what it holds.
const REFUSED_TABLES: &str =
    "CREATE TABLE t (a INT, b BIGINT, c STRING, d TIMESTAMP(3)) WITH ('connector' = 'x');\n";

/// Every text as a program of its own, in an order that is the same everywhere.
pub fn programs() -> Vec<String> {
    let mut programs = Vec::new();
    let tables = read(&root().join(TABLES));
    for name in ["plans.txt", "errors.txt", "expressions.txt"] {
        let text = read(&root().join("src/sql/plan_tests").join(name));
        let cases = text
            .split("\n\n")
            .filter_map(|case| case.split("\n----").next());
        programs.extend(cases.map(|case| format!("{tables}{}", in_query(name, case))));
    }
    for path in files("src/sql/tests/refused") {
        let text = read(&path);
        let cases = text.lines().filter(|line| !line.starts_with(' '));
        programs.extend(cases.map(|case| format!("{REFUSED_TABLES}{case}")));
    }
    for path in files("tests/sql") {
        let text = read(&path);
        if path
            .parent()
            .is_some_and(|folder| folder.ends_with("functions"))
        {
            programs.extend(expressions(&text));
        } else if path.extension().is_some_and(|kind| kind == "test") {
            programs.extend(statement(&text));
        }
    }
    for path in files("docs").into_iter().chain([root().join("README.md")]) {
        let text = read(&path);
        let parts = text.split("```");
        let blocks = parts
            .skip(1)
            .step_by(2)
            .filter_map(|block| block.strip_prefix("sql\n"));
        programs.extend(blocks.map(str::to_owned));
        // In the lines stand single words as well, which make no program.
        let codes = text.split('`').skip(1).step_by(2);
        let queries = codes.filter(|code| code.contains("SELECT") || code.contains("INSERT"));
        programs.extend(queries.map(|code| format!("{tables}{code}")));
    }
    programs
}

/// A case of a file of plan tests: those of expressions are no statements yet.
fn in_query(name: &str, case: &str) -> String {
    match name {
        "expressions.txt" => format!("SELECT {case} FROM bid"),
        _ => case.to_owned(),
    }
}

/// The program of a golden.
fn statement(golden: &str) -> Option<String> {
    let (_, text) = golden.split_once("statement\n")?;
    let ends = ["\ninput ", "\noutput ", "\nexplain"].map(|header| text.find(header));
    let end = ends.into_iter().flatten().min().unwrap_or(text.len());
    Some(text[..end].to_owned())
}

/// A query for each expression that Flink has answered, of the table that it reads.
fn expressions(answers: &str) -> Vec<String> {
    let mut columns = "n INT";
    let mut programs = Vec::new();
    for line in answers
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '{']))
    {
        if let Some(table) = line.strip_prefix("table ") {
            columns = table;
        } else if let Some((expression, _)) = line.split_once(" => ") {
            programs.push(format!(
                "CREATE TABLE t ({columns}) WITH ('connector' = 'x');\nSELECT {expression} FROM t;"
            ));
        }
    }
    programs
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts below a folder, by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            match kind {
                _ if path.is_dir() => folders.push(path),
                Some("test" | "txt" | "sql" | "md") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
