//! The functions that `docs/sql.md` lists are those that there are.

use std::collections::BTreeMap;

use crate::sql::{aggregates, functions};

/// Functions that the parser knows by a form of their own, under the names in the document.
const FORMS: [&str; 7] = ["ARRAY", "CASE", "CAST", "CEIL", "FLOOR", "MAP", "ROW"];

/// The functions that the tables of the section name, and what is said of each.
fn documented(text: &str) -> BTreeMap<String, String> {
    let section = text.split("\n## Functions\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut found = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [codes, status, ..] = cells.as_slice() else {
            panic!("'{line}' has no status");
        };
        let is_name = |letter: char| letter.is_ascii_uppercase() || "_0123456789".contains(letter);
        let mut names = codes.split('`').skip(1).step_by(2).peekable();
        // A row of operators begins with an operand.
        if !names.peek().is_some_and(|name| name.chars().all(is_name)) {
            continue;
        }
        for name in names {
            let before = found.insert(name.to_owned(), (*status).to_owned());
            assert_eq!(before, None, "{name} is there twice");
        }
    }
    found
}

#[test]
fn the_functions_of_the_document_are_those_of_the_planner() {
    let documented = documented(include_str!("../../../docs/sql.md"));
    assert!(documented.len() > 200, "only {} are read", documented.len());
    let known: Vec<String> = functions::names()
        .into_iter()
        .chain(aggregates::names())
        .collect();
    for (name, status) in &documented {
        let is_there = match status.as_str() {
            "yes" | "differs" => true,
            "refused" => false,
            other => panic!("{name} is '{other}'"),
        };
        assert_eq!(
            known.contains(name),
            is_there,
            "{name} is '{status}' in docs/sql.md"
        );
    }
    let is_function = |name: &&String| !FORMS.contains(&name.as_str());
    for name in known.iter().filter(is_function) {
        assert!(
            documented.contains_key(name),
            "{name} is not in docs/sql.md"
        );
    }
}

#[test]
fn a_table_is_read() {
    let text = "# T\n## Functions\n| `UPPER`, `LOWER` | yes | |\n| `a = b`, `NOT` | yes | |\n| `LEAD` | refused | why |\n## Next\n| `X` | yes | |";
    let found = documented(text);
    let found: Vec<_> = found
        .iter()
        .map(|(name, status)| (name.as_str(), status.as_str()))
        .collect();
    assert_eq!(
        found,
        [("LEAD", "refused"), ("LOWER", "yes"), ("UPPER", "yes")]
    );
}
