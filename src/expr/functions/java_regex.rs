//! Regular expressions of Java and of SQL in the words of the crate `regex`.

/// A pattern of Java: its classes `\d`, `\w` and `\s` are of ASCII, and what stands
/// between `\Q` and `\E` is plain text.
pub(super) fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let Some(escaped) = escape[1..].chars().next() else {
            // The crate says what is wrong with it.
            out.push('\\');
            return out;
        };
        rest = &escape[1 + escaped.len_utf8()..];
        match escaped {
            'd' => out.push_str("[0-9]"),
            'D' => out.push_str("[^0-9]"),
            'w' => out.push_str("[a-zA-Z_0-9]"),
            'W' => out.push_str("[^a-zA-Z_0-9]"),
            's' => out.push_str("[ \\t\\n\\x0b\\f\\r]"),
            'S' => out.push_str("[^ \\t\\n\\x0b\\f\\r]"),
            'h' => out
                .push_str("[ \\t\u{a0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]"),
            'e' => out.push_str("\\x1b"),
            'Z' => out.push_str("\\n?\\z"),
            'Q' => {
                let (text, behind) = rest.split_once("\\E").unwrap_or((rest, ""));
                out.push_str(&regex::escape(text));
                rest = behind;
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    out.push_str(rest);
    out
}

/// A pattern of `SIMILAR TO`, which must match the whole text. As in Flink, what SQL
/// does not give a meaning to has that of Java: `.` is any character.
pub(super) fn of_similar(pattern: &str) -> String {
    let mut out = String::from("^(?:");
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '_' => out.push('.'),
            '%' => out.push_str("(?s:.*)"),
            '$' => out.push_str("\\$"),
            '\\' => match rest.chars().next() {
                // So `escaped_by_backslash` writes what was escaped.
                Some(escaped) => {
                    out.push_str(&regex::escape(&escaped.to_string()));
                    rest = &rest[escaped.len_utf8()..];
                }
                None => out.push_str("\\\\"),
            },
            '[' => {
                let (class, behind) = class(rest);
                out.push('[');
                out.push_str(&class);
                rest = behind;
            }
            other => out.push(other),
        }
    }
    out.push_str(")$");
    out
}

/// The names of classes of SQL inside of brackets, and the crate's.
const CLASSES: [(&str, &str); 6] = [
    ("[:ALPHA:]", "[:alpha:]"),
    ("[:UPPER:]", "[:upper:]"),
    ("[:LOWER:]", "[:lower:]"),
    ("[:DIGIT:]", "[:digit:]"),
    ("[:ALNUM:]", "[:alnum:]"),
    ("[:WHITESPACE:]", "[:space:]"),
];

/// What stands in a class to the bracket that ends it, and what is behind that.
fn class(text: &str) -> (String, &str) {
    let mut class = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let known = CLASSES.iter().find(|(name, _)| {
            rest.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        if let Some((name, own)) = known {
            class.push_str(own);
            rest = &rest[name.len()..];
            continue;
        }
        rest = &rest[letter.len_utf8()..];
        class.push(letter);
        if letter == ']' {
            break;
        }
    }
    (class, rest)
}
