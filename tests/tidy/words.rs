//! Words that are not ours, words left for later, and paths of one machine.

use crate::source::code;

/// Words of other systems, and ours instead.
const FOREIGN: [(&str, &str); 6] = [
    ("slot", "node or task"),
    ("slots", "nodes or tasks"),
    ("pod", "node"),
    ("pods", "nodes"),
    ("shard", "key range"),
    ("shards", "key ranges"),
];

/// The API speaks Flink's words to Flink's clients.
const SPEAKS_FLINK: &str = "src/api/";

/// Where people's files are; a path below is true on one machine only.
const MACHINE_ROOTS: [&str; 7] = ["Users", "home", "mnt", "root", "srv", "work", "workspace"];

/// Public names in another system's words. Inside a function a slot may be the
/// slot of an array.
pub fn violations(path: &str, text: &str) -> Vec<String> {
    if path.starts_with(SPEAKS_FLINK) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in code(text).lines().enumerate() {
        let Some(public) = line.trim_start().strip_prefix("pub ") else {
            continue;
        };
        for word in name_words(public) {
            if let Some((_, ours)) = FOREIGN.iter().find(|(foreign, _)| *foreign == word) {
                found.push(format!("{path}:{}: '{word}' is {ours} here", number + 1));
            }
        }
    }
    found
}

/// The words of the names in a line, in small letters: `slot_count: PodName`
/// gives slot, count, pod and name.
fn name_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in line.chars() {
        if !character.is_alphabetic() || character.is_uppercase() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (character.is_alphabetic(), words.last_mut()) {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// Notes to oneself, and lints switched off without a reason that is checked.
pub fn leftovers(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for mark in [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("XX", "X"),
        ] {
            if line
                .split(|c: char| !c.is_alphabetic())
                .any(|word| word == mark)
            {
                found.push(format!("{path}:{}: {mark}", number + 1));
            }
        }
        if line.trim_start().starts_with("#[allow(") || line.trim_start().starts_with("#![allow(") {
            found.push(format!(
                "{path}:{}: write #[expect(..., reason = \"...\")] instead of #[allow]",
                number + 1
            ));
        }
    }
    found
}

/// The only files that may call C by themselves.
const UNSAFE: [&str; 2] = ["src/kafka/native_producer.rs", "src/kafka/queue.rs"];

/// Unsafe code elsewhere; the compiler refuses it only until somebody allows it.
pub fn unsafe_code(path: &str, text: &str) -> Vec<String> {
    if UNSAFE.contains(&path) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in code(text).lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| word == "unsafe" || word == "unsafe_code") {
            found.push(format!(
                "{path}:{}: unsafe code is in {} alone",
                number + 1,
                UNSAFE.join(" and ")
            ));
        }
    }
    found
}

/// Absolute paths below a folder that only one machine has.
pub fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices('/') {
            let before = line[..at].chars().next_back();
            let starts = before.is_none_or(|c| c.is_whitespace() || "\"'`(=:>".contains(c));
            let mut parts = line[at + 1..].split('/');
            let (root, below) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let below = below.starts_with(|c: char| c.is_alphanumeric() || c == '.');
            if starts && below && MACHINE_ROOTS.contains(&root) {
                found.push(format!("{path}:{}: a path below /{root}", number + 1));
            }
        }
    }
    found
}

/// Where documents and code may point; a mirror or a proxy of one network is
/// nobody else's business.
const HOSTS: [&str; 16] = [
    "127.0.0.1",
    "crates.io",
    "docs.rs",
    "example.com",
    "example.org",
    "github.com",
    "json-schema.org",
    "keepachangelog.com",
    "localhost",
    "maven.apache.org",
    "debezium.io",
    "nightlies.apache.org",
    "rustup.rs",
    "semver.org",
    "www.apache.org",
    "www.redb.org",
];

/// Addresses of hosts that are not in the list.
pub fn unknown_hosts(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (at, scheme) in line.match_indices("://") {
            if !line[..at].ends_with("http") && !line[..at].ends_with("https") {
                continue;
            }
            let rest = &line[at + scheme.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
            let host = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            if !host.is_empty() && !HOSTS.contains(&host) {
                found.push(format!(
                    "{path}:{}: {host} is not in tests/tidy/words.rs",
                    number + 1
                ));
            }
        }
    }
    found
}

#[test]
fn planted_hosts_are_found() {
    let planted = ["http", "://mirror.inside.net/x"].concat();
    assert_eq!(unknown_hosts("a.md", &planted).len(), 1);
    assert!(unknown_hosts("a.md", "https://github.com/x, http://localhost:1, ftp://y").is_empty());
    assert!(unknown_hosts("a.rs", "format!(\"http://{address}\")").is_empty());
}

#[test]
fn planted_words_are_found() {
    assert_eq!(
        violations("src/a.rs", "pub fn slot_count(of: PodName) {}").len(),
        2
    );
    assert!(violations("src/a.rs", "let slot = 1;\npub fn podium() {}").is_empty());
    assert!(violations("src/a.rs", "// a slot\nlet podium = \"pod\";").is_empty());
    assert!(violations("src/api/a.rs", "pub slots: u32,").is_empty());
}

#[test]
fn planted_leftovers_are_found() {
    let later = format!("// {}{}: write it", "TO", "DO");
    assert_eq!(leftovers("a.rs", &later).len(), 1);
    assert_eq!(
        leftovers("a.rs", &["#[al", "low(dead_code)]"].concat()).len(),
        1
    );
    assert!(leftovers("a.rs", "#[expect(dead_code, reason = \"x\")]").is_empty());
}

#[test]
fn planted_paths_are_found() {
    let below = |root: &str| format!("see /{root}/x/notes.md");
    assert_eq!(machine_paths("a.md", &below("work")).len(), 1);
    assert_eq!(machine_paths("a.md", &below("home")).len(), 1);
    assert!(machine_paths("a.md", &below("tmp")).is_empty());
    assert!(machine_paths("a.md", "https://example.org/work/x and a/work/x").is_empty());
}

#[test]
fn planted_unsafe_code_is_found() {
    for (path, text, violations) in [
        ("src/kafka/queue.rs", "unsafe { call() }", 0),
        ("src/kafka/consumer.rs", "unsafe { call() }", 1),
        ("src/b.rs", "#![expect(unsafe_code)]", 1),
        ("src/a.rs", "// unsafe\nlet unsafely = \"unsafe\";", 0),
    ] {
        assert_eq!(unsafe_code(path, text).len(), violations, "{path}: {text}");
    }
}
