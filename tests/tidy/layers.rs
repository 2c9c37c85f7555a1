//! Who may import whom, and which library is named where.

use crate::source::code;

/// The layers from the ground up; each may import what its line lists, and itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("stream", &[]),
    ("clock", &["stream"]),
    ("metrics", &["stream", "clock"]),
    ("failpoint", &[]),
    ("secret", &[]),
    ("http", &["secret"]),
    ("schema_registry", &["secret", "http"]),
    (
        "formats",
        &[
            "stream",
            "clock",
            "metrics",
            "secret",
            "http",
            "schema_registry",
        ],
    ),
    (
        "kafka",
        &["stream", "clock", "metrics", "failpoint", "secret"],
    ),
    ("state", GROUND),
    ("expr", GROUND),
    (
        "checkpoint",
        &["stream", "clock", "metrics", "formats", "state"],
    ),
    ("plan", &["stream", "clock", "metrics", "formats", "expr"]),
    (
        "sql",
        &["stream", "clock", "metrics", "formats", "expr", "plan"],
    ),
    (
        "runtime",
        &[
            "stream",
            "clock",
            "metrics",
            "formats",
            "state",
            "checkpoint",
        ],
    ),
    (
        "operators",
        &[
            "stream", "clock", "metrics", "formats", "state", "expr", "runtime",
        ],
    ),
    (
        "connectors",
        &[
            "stream",
            "clock",
            "metrics",
            "failpoint",
            "formats",
            "kafka",
            "runtime",
        ],
    ),
    (
        "pipeline",
        &[
            "stream",
            "clock",
            "metrics",
            "failpoint",
            "formats",
            "state",
            "expr",
            "checkpoint",
            "plan",
            "sql",
            "runtime",
            "operators",
            "connectors",
        ],
    ),
    (
        "api",
        &["stream", "clock", "metrics", "formats", "pipeline"],
    ),
    (
        "config",
        &[
            "stream",
            "clock",
            "metrics",
            "formats",
            "state",
            "expr",
            "checkpoint",
            "plan",
            "sql",
            "runtime",
            "operators",
            "connectors",
            "pipeline",
            "api",
        ],
    ),
    (
        "cli",
        &[
            "stream",
            "clock",
            "metrics",
            "formats",
            "state",
            "expr",
            "kafka",
            "checkpoint",
            "plan",
            "sql",
            "runtime",
            "operators",
            "connectors",
            "pipeline",
            "api",
            "config",
        ],
    ),
];

/// The ground floor is open to all.
const GROUND: &[&str] = &["stream", "clock", "metrics", "formats"];

/// Libraries that only some layers may name, by the beginning of their names.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("redb", &["state"]),
    ("datafusion", &["sql", "plan", "expr"]),
    ("sqlparser", &["sql", "plan", "expr"]),
    ("rdkafka", &["kafka"]),
    ("reqwest", &["http"]),
    ("axum", &["api"]),
    ("clap", &["cli"]),
];

/// Imports of one file that point up.
pub fn violations(path: &str, text: &str) -> Vec<String> {
    let Some(layer) = layer_of(path) else {
        return Vec::new();
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!(
            "{path}: layer {layer} has no line in tests/tidy/layers.rs"
        )];
    };
    imports(path, &code(text))
        .into_iter()
        .filter(|(_, target)| target != layer && !allowed.contains(&target.as_str()))
        .map(|(line, target)| format!("{path}:{line}: {layer} must not know {target}"))
        .collect()
}

/// Libraries that one file names outside their layers.
pub fn foreign_libraries(path: &str, text: &str) -> Vec<String> {
    let layer = layer_of(path).unwrap_or("main");
    let code = code(text);
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for word in words(line) {
            let library = LIBRARIES.iter().find(|(name, _)| word.starts_with(name));
            if let Some((name, layers)) = library
                && !layers.contains(&layer)
                && (word == *name || word[name.len()..].starts_with('_'))
            {
                found.push(format!(
                    "{path}:{}: {word} is named only in {}",
                    number + 1,
                    layers.join(", ")
                ));
            }
        }
    }
    found
}

/// The layer of a source file: `src/state/log.rs` and `src/config.rs` belong to
/// `state` and `config`; `lib.rs` and `main.rs` belong to none.
fn layer_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    match path.split_once('/') {
        Some((layer, _)) => Some(layer),
        None => path
            .strip_suffix(".rs")
            .filter(|name| !["lib", "main"].contains(name)),
    }
}

/// Line and layer of each path that starts at the crate's root.
fn imports(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut add = |at: usize, target: &str| {
        let line = 1 + code[..at].matches('\n').count();
        found.push((line, target.to_owned()));
    };
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` counts, `my_crate::` does not.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        for target in first_segments(&code[at + "crate::".len()..]) {
            add(at, target);
        }
    }
    for (at, target) in through_super(path, code) {
        add(at, target);
    }
    found
}

/// The first segments of a path or of a group of paths: `a::b` gives `a`,
/// `{a::{b, c}, d}` gives `a` and `d`.
fn first_segments(path: &str) -> Vec<&str> {
    let Some(group) = path.trim_start().strip_prefix('{') else {
        return words(path).next().into_iter().collect();
    };
    let (mut depth, mut expecting, mut found) = (0, true, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expecting = true,
            other if expecting && depth == 0 && !other.is_whitespace() => {
                found.extend(words(&group[at..]).next());
                expecting = false;
            }
            _ => {}
        }
    }
    found
}

/// Layers that are reached by `super::` up to the crate's root.
fn through_super<'a>(path: &str, code: &'a str) -> Vec<(usize, &'a str)> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let depth = inside.trim_end_matches("/mod").split('/').count();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("super::").map(|at| from + at) {
        let mut rest = &code[at..];
        let mut steps = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            (rest, steps) = (next, steps + 1);
        }
        if steps >= depth {
            let layers = first_segments(rest).into_iter();
            let layers = layers.filter(|name| LAYERS.iter().any(|(layer, _)| layer == name));
            found.extend(layers.map(|layer| (at, layer)));
        }
        from = code.len() - rest.len();
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[test]
fn planted_imports_are_found() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(violations(path, text), expected, "{path}: {text}");
    };
    check("src/state/log.rs", "use crate::stream::KeyGroup;", &[]);
    check("src/state/log.rs", "use crate::state::Error;", &[]);
    check(
        "src/state/log.rs",
        "// use crate::cli;\nlet a = \"crate::cli\";",
        &[],
    );
    check("src/main.rs", "use thalweg::cli;", &[]);
    check(
        "src/state/log.rs",
        "\nuse crate::runtime::Error;",
        &["src/state/log.rs:2: state must not know runtime"],
    );
    check(
        "src/runtime/a.rs",
        "fn f(_: crate::sql::Program) {}",
        &["src/runtime/a.rs:1: runtime must not know sql"],
    );
    check(
        "src/api/a.rs",
        "use crate::{clock, state::{Error, Store}, runtime};",
        &[
            "src/api/a.rs:1: api must not know state",
            "src/api/a.rs:1: api must not know runtime",
        ],
    );
    check(
        "src/config.rs",
        "use crate::cli::Error;",
        &["src/config.rs:1: config must not know cli"],
    );
    check(
        "src/api/mod.rs",
        "use super::config;",
        &["src/api/mod.rs:1: api must not know config"],
    );
    check(
        "src/api/a.rs",
        "use super::super::cli;",
        &["src/api/a.rs:1: api must not know cli"],
    );
    check(
        "src/api/a.rs",
        "use super::health;\nmod tests { use super::*; }",
        &[],
    );
    check("src/plan/a/b.rs", "use super::super::cli;", &[]);
    check(
        "src/odd/mod.rs",
        "",
        &["src/odd/mod.rs: layer odd has no line in tests/tidy/layers.rs"],
    );
}

#[test]
fn planted_libraries_are_found() {
    let check = |path: &str, text: &str, violations: usize| {
        assert_eq!(
            foreign_libraries(path, text).len(),
            violations,
            "{path}: {text}"
        );
    };
    check("src/state/store.rs", "use redb::Database;", 0);
    check("src/pipeline/mod.rs", "use redb::Database;", 1);
    check("src/operators/filter.rs", "use datafusion_expr::Expr;", 1);
    check("src/plan/lower.rs", "use datafusion_expr::Expr;", 0);
    check("src/main.rs", "fn main() { axum::serve() }", 1);
    check("src/state/store.rs", "// clap\nlet clapper = \"axum\";", 0);
}

#[test]
fn the_table_goes_up_from_the_ground() {
    for (at, (layer, allowed)) in LAYERS.iter().enumerate() {
        for target in *allowed {
            let below = LAYERS[..at].iter().any(|(name, _)| name == target);
            assert!(below, "{layer} imports {target}, which is not below it");
        }
    }
}
