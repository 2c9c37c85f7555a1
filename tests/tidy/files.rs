//! What a file looks like from outside: its first line, its length, its name.

/// Longer than this nobody reads in one sitting.
const LINES_MAX: usize = 700;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 11] = [
    "base", "common", "helper", "helpers", "impl", "manager", "misc", "shared", "types", "util",
    "utils",
];

/// Whether a file says what it knows and is not too long.
pub fn violations(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//! ") {
        found.push(format!(
            "{path}:1: the first line is not '//! ' and a sentence"
        ));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{path}: {lines} lines are more than {LINES_MAX}"));
    }
    found
}

/// Whether a file or a folder above it has a name that says nothing.
pub fn bad_name(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let bad = stem.split('/').find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("{path}: '{bad}' says nothing of what is inside"))
}

#[test]
fn planted_files_are_found() {
    assert!(violations("a.rs", "//! Knows a thing.\n").is_empty());
    assert_eq!(violations("a.rs", "use a;\n").len(), 1);
    assert_eq!(violations("a.rs", "").len(), 1);
    let long = format!("//! Long.\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(violations("a.rs", &long).len(), 1);
}

#[test]
fn planted_names_are_found() {
    for bad in [
        "src/utils.rs",
        "src/common/mod.rs",
        "tests/a/helpers.rs",
        "src/sql/types.rs",
    ] {
        assert!(bad_name(bad).is_some(), "{bad}");
    }
    for good in ["src/state/log.rs", "src/expr/utilisation.rs"] {
        assert!(bad_name(good).is_none(), "{good}");
    }
}
