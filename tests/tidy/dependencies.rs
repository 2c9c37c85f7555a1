//! What may enter the build, and that what is declared is really used.

use toml::Table;

use crate::source::code;

/// Libraries on which the design rests: direct dependencies, in real use.
const STAPLES: [&str; 5] = [
    "metrics-exporter-prometheus",
    "redb",
    "serde",
    "tokio",
    "tokio-util",
];

/// The only place that crates come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Direct dependencies whose name no source mentions.
pub fn unused(manifest: &str, sources: &[&str]) -> Vec<String> {
    let code: Vec<String> = sources.iter().map(|text| code(text)).collect();
    let names = |word: &str| code.iter().any(|code| mentions(code, word));
    declared(manifest)
        .into_iter()
        .filter(|name| !names(&name.replace('-', "_")))
        .map(|name| format!("Cargo.toml: {name} is declared, but nothing in src/ uses it"))
        .collect()
}

/// Staples that are not declared.
pub fn undeclared_staples(manifest: &str) -> Vec<String> {
    let declared = declared(manifest);
    STAPLES
        .iter()
        .filter(|name| !declared.iter().any(|declared| declared == *name))
        .map(|name| format!("Cargo.toml: {name} must be a direct dependency"))
        .collect()
}

/// Packages of the lock file that come from elsewhere or that `deny.toml` bans.
pub fn forbidden(lock: &str, deny: &str) -> Vec<String> {
    let banned = banned(deny);
    let lock: Table = lock.parse().expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("a list of packages");
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or("");
        if banned.iter().any(|banned| banned == name) {
            found.push(format!("Cargo.lock: {name} is banned in deny.toml"));
        }
        if let Some(source) = package.get("source").and_then(toml::Value::as_str)
            && source != REGISTRY
        {
            found.push(format!("Cargo.lock: {name} comes from {source}"));
        }
    }
    found
}

fn declared(manifest: &str) -> Vec<String> {
    let manifest: Table = manifest.parse().expect("Cargo.toml is TOML");
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = dependencies.into_iter().flat_map(|table| table.keys());
    names.cloned().collect()
}

fn banned(deny: &str) -> Vec<String> {
    let deny: Table = deny.parse().expect("deny.toml is TOML");
    let list = deny["bans"]["deny"].as_array().expect("a list of bans");
    let names = list.iter().filter_map(|ban| ban["crate"].as_str());
    names.map(str::to_owned).collect()
}

/// Whether a path of `code` starts with `word`, or an attribute or derive names it.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let after = &code[at + word.len()..];
        !code[..at].ends_with(is_part) && (after.starts_with("::") || after.starts_with(';'))
    })
}

#[test]
fn planted_dependencies_are_found() {
    let manifest = "[dependencies]\nredb = '1'\ntokio-util.workspace = true\n";
    let count = |source| unused(manifest, &[source]).len();
    assert_eq!(count("use redb::Database; use tokio_util::sync;"), 0);
    assert_eq!(count("use redb::Database; // use tokio_util::sync;"), 1);
    assert_eq!(count("let my_redb = redbird::new();"), 2);
    assert_eq!(undeclared_staples(manifest).len(), 3);
}

#[test]
fn planted_packages_are_found() {
    let deny = "[bans]\ndeny = [{ crate = 'openssl' }]\n";
    let package = |name: &str, source: &str| {
        let lock = format!("[[package]]\nname = '{name}'\nversion = '1'\n{source}");
        forbidden(&lock, deny).len()
    };
    assert_eq!(package("arrow", &format!("source = '{REGISTRY}'")), 0);
    assert_eq!(package("thalweg", ""), 0);
    assert_eq!(package("openssl", &format!("source = '{REGISTRY}'")), 1);
    assert_eq!(
        package("arrow", "source = 'git+https://example.org/arrow'"),
        1
    );
}
