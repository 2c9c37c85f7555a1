//! The files of the checkout, and Rust text without its comments and literals.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Every text file of the checkout by its path from the root.
pub struct Checkout {
    files: BTreeMap<String, String>,
}

/// What a build or a run leaves behind, and what is not ours.
const SKIPPED: [&str; 3] = [".git", "target", "thalweg-data"];

impl Checkout {
    /// Reads the checkout.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder that was just seen") {
                let path = entry.expect("an entry of a folder").path();
                let name = path
                    .file_name()
                    .and_then(OsStr::to_str)
                    .expect("a name in UTF-8");
                if SKIPPED.contains(&name) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = fs::read_to_string(&path) {
                    let relative = path.strip_prefix(root).expect("a path below the root");
                    files.insert(relative.display().to_string(), text);
                }
            }
        }
        assert!(files.contains_key("src/lib.rs"), "this is not the checkout");
        Self { files }
    }

    /// The text of one file that must be there.
    pub fn text(&self, path: &str) -> &str {
        &self.files[path]
    }

    /// Whether there is a file or a folder of that path.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// All Rust files.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(".rs")
    }

    /// The Rust files of the product: the library and its binary.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rust().filter(|(path, _)| path.starts_with("src/"))
    }

    /// What `rule` says of each source of the product.
    pub fn each_source(&self, rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        self.sources()
            .flat_map(|(path, text)| rule(path, text))
            .collect()
    }

    /// What `rule` says of each Rust file.
    pub fn each_rust(&self, rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        self.rust()
            .flat_map(|(path, text)| rule(path, text))
            .collect()
    }

    /// What `rule` says of each document.
    pub fn each_document(&self, rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        self.ending(".md")
            .flat_map(|(path, text)| rule(path, text))
            .collect()
    }

    /// What `rule` says of each text file.
    pub fn each_text(&self, rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        self.ending("")
            .flat_map(|(path, text)| rule(path, text))
            .collect()
    }

    fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// The code of a Rust file: comments and the insides of literals are blanks,
/// lines stay where they are.
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, keep) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => {
                (rest.find("*/").map_or(rest.len(), |at| at + 2), false)
            }
            '"' => (quoted(rest, 1), false),
            'r' if raw_hashes(rest).is_some() && !ends_in_word(&out) => (raw(rest), false),
            '\'' => character(rest).map_or((1, true), |length| (length, false)),
            other => (other.len_utf8(), true),
        };
        let (taken, after) = rest.split_at(length);
        if keep {
            out.push_str(taken);
        } else {
            out.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    out
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The length of a string literal whose opening quote has `opening` bytes.
fn quoted(text: &str, opening: usize) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(opening) {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// How many `#` a raw string literal at the start of `text` has.
fn raw_hashes(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn raw(text: &str) -> usize {
    let hashes = raw_hashes(text).expect("the caller has seen a raw literal");
    let close = format!("\"{}", "#".repeat(hashes));
    let inside = 2 + hashes;
    text[inside..]
        .find(&close)
        .map_or(text.len(), |at| inside + at + close.len())
}

/// The length of a character literal; `None` if the quote begins a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut inside = text[1..].char_indices();
    let (_, first) = inside.next()?;
    if first == '\\' {
        inside.next()?;
        return inside.find(|(_, c)| *c == '\'').map(|(at, _)| at + 2);
    }
    let (at, second) = inside.next()?;
    (second == '\'').then_some(at + 2)
}

#[test]
fn comments_and_literals_are_no_code() {
    let check = |text: &str, expected: &str| {
        let squeezed: Vec<_> = code(text).split_whitespace().map(str::to_owned).collect();
        assert_eq!(squeezed.join(" "), expected, "{text}");
    };
    check("a // crate::cli\nb", "a b");
    check("a /* crate::cli */ b", "a b");
    check(r#"a "crate::cli" b"#, "a b");
    check(r#"a "\"crate::cli" b"#, "a b");
    check(r##"a r#"crate::"cli"# b"##, "a b");
    check("a 'x' b '\\'' c '\\u{1}' d", "a b c d");
    check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    check("var\"x\"", "var");
    assert_eq!(code("a\n/* \n */\nb").lines().count(), 4);
}
