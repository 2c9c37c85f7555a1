//! Programs that are nearly SQL: texts taken apart into words, changed, and put together again.
//!
//! Bytes that change (`mutants`) seldom get past the parser; words often reach the planner.

use crate::random::Random;

/// Changes that one program has at most.
const CHANGES_MAX: usize = 3;

/// More words than this a program does not get: most are as long as people write them.
const WORDS_MAX: usize = 6_000;

/// What stands at the edge of something, or means something to some part of the planner.
const EXTREMES: &[&str] = &[
    "0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "32768",
    "2147483647",
    "2147483648",
    "-2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
    "999999999999999999999999999999999999999",
    "0.00000000000000000000000000000000000001",
    "1E308",
    "1E309",
    "1E-400",
    "-0.0",
    "''",
    "'a'",
    "'%'",
    "'\\'",
    "'𝄞'",
    "'0'",
    "'-1'",
    "'NaN'",
    "'['",
    "'(?'",
    "'$.a'",
    "'$['",
    "'UTC'",
    "'+14:00'",
    "'yyyy-MM-dd'",
    "'q'",
    "X''",
    "X'FF'",
    "NULL",
    "TRUE",
    "CAST(NULL AS INT)",
    "DATE '0001-01-01'",
    "DATE '9999-12-31'",
    "DATE '-5877641-06-23'",
    "TIMESTAMP '9999-12-31 23:59:59.999999999'",
    "TIMESTAMP '1582-10-10 00:00:00'",
    "TIME '23:59:59.999'",
    "INTERVAL '0' SECOND",
    "INTERVAL '-1' DAY",
    "INTERVAL '1' MONTH",
    "INTERVAL '99' YEAR",
    "INTERVAL '9999999999' DAY(10)",
    "INTERVAL '1' MILLISECOND",
    "TIME(9)",
    "TIMESTAMP(9)",
    "TIMESTAMP_LTZ(0)",
    "DECIMAL(38, 38)",
    "DECIMAL(39, 0)",
    "CHAR(0)",
    "CHAR(2147483647)",
    "VARCHAR(1000000000)",
    "ARRAY<INT>",
    "MAP<STRING, INT>",
    "ROW<a INT>",
    "MULTISET<INT>",
    "ARRAY[]",
    "ARRAY[NULL]",
    "MAP[1, 2]",
    "ROW()",
    "(1, 2)",
    "*",
    "t.*",
    "DISTINCT",
    "NOT",
    "-",
    "FILTER (WHERE TRUE)",
    "OVER ()",
    "AS",
    "``",
    "`a b`",
    "${X}",
    "'${X}'",
    "/*+ OPTIONS('a' = 'b') */",
    "/*+ STATE_TTL('t' = '1 d') */",
    ";",
    "(",
    ")",
    "<",
    ">",
    ",",
    "IS NOT DISTINCT FROM",
    "BETWEEN SYMMETRIC 1 AND",
    "IN ()",
    "LIKE '%' ESCAPE ''",
    "IS JSON",
    "GROUP BY ROLLUP (1)",
    "UNION ALL SELECT 1",
    "CROSS JOIN UNNEST(ARRAY[1])",
    "CURRENT_TIMESTAMP",
    "PROCTIME()",
    "COUNT(*)",
    "COLLECT(1)",
    "window_start",
    "window_end",
    "window_time",
];

/// What is put around words, many times over.
const NESTS: &[(&str, &str)] = &[
    ("(", ")"),
    ("ARRAY [", "]"),
    ("ROW (", ")"),
    ("MAP [ 1 ,", "]"),
    ("CAST (", "AS STRING )"),
    ("TRY_CAST (", "AS ARRAY < INT > )"),
    ("CASE WHEN TRUE THEN", "END"),
    ("( SELECT", ")"),
    ("( SELECT * FROM", ") AS x"),
    ("ARRAY <", ">"),
    ("ROW < a", ">"),
    ("MAP < STRING ,", ">"),
    ("NOT", ""),
    ("-", ""),
    ("COALESCE (", ", 1 )"),
    ("UPPER (", ")"),
    ("", "[ 1 ]"),
    ("", ". a"),
    ("", "IS NULL"),
    ("", "+ 1"),
    ("", "|| 'x'"),
    (
        "TABLE ( TUMBLE ( TABLE",
        ", DESCRIPTOR ( ts ) , INTERVAL '1' SECOND ) )",
    ),
];

/// A program of the words of one text, with some changed and some of the others' among them.
pub fn program(texts: &[Vec<String>], random: &mut Random) -> String {
    let mut words = texts[random.below(texts.len())].clone();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(&mut words, &texts[random.below(texts.len())], random);
    }
    words.truncate(WORDS_MAX);
    join(&words)
}

/// One per line break, as errors tell places by line and column.
pub fn join(words: &[String]) -> String {
    let mut text = String::new();
    for word in words {
        text.push_str(word);
        text.push(if word == ";" || word == "," {
            '\n'
        } else {
            ' '
        });
    }
    text
}

fn change(words: &mut Vec<String>, other: &[String], random: &mut Random) {
    // A part for another one of its kind: what comes out is often sound.
    match random.below(10) {
        0..=1 => {
            let own = words.clone();
            return replace_like(words, &own, random);
        }
        2 => return replace_like(words, other, random),
        3..=4 => {
            let own = words.clone();
            return replace_call(words, &own, random);
        }
        5..=6 => return replace_call(words, other, random),
        _ => {}
    }
    let at = place(words, random);
    let end = at + random.below((words.len() - at).min(12) + 1);
    match random.below(8) {
        0 => {
            words.drain(at..end);
        }
        1 => {
            let copy = words[at..end].to_vec();
            words.splice(at..at, copy);
        }
        2 => {
            let with = place(words, random);
            if at < words.len() && with < words.len() {
                words.swap(at, with);
            }
        }
        3 => {
            let from = place(other, random);
            let to = from + random.below((other.len() - from).min(24) + 1);
            words.splice(at..end, other[from..to].iter().cloned());
        }
        4 | 5 => {
            let extreme = EXTREMES[random.below(EXTREMES.len())].to_owned();
            let replaced = random.below(4).min(1).min(words.len() - at);
            words.splice(at..at + replaced, [extreme]);
        }
        6 => nest(words, at, end, random),
        _ => {
            let times = 1 << random.below(10);
            let few = words[at..at + (end - at).min(4)].to_vec();
            let copies = few.iter().cycle().take(few.len() * times);
            words.splice(at..at, copies.cloned());
        }
    }
}

/// Most changes go behind the declarations.
fn place(words: &[String], random: &mut Random) -> usize {
    let from = if random.below(8) == 0 { 0 } else { body(words) };
    from + random.below(words.len() - from + 1)
}

/// Where the declarations end, and what is computed begins.
fn body(words: &[String]) -> usize {
    let last = words.iter().rposition(|word| word == "CREATE").unwrap_or(0);
    let end = words[last..].iter().position(|word| word == ";");
    end.map_or(0, |end| last + end + 1)
}

/// A name, a number or a text for another.
fn replace_like(words: &mut [String], other: &[String], random: &mut Random) {
    let at = place(words, random);
    let is_operand =
        |at: &usize| matches!(kind(words, *at), Kind::Name | Kind::Number | Kind::Text);
    let operands: Vec<usize> = (at..words.len()).filter(is_operand).take(4).collect();
    let Some(at) = one_of(&operands, random) else {
        return;
    };
    let own = kind(words, at);
    let like: Vec<usize> = (body(other)..other.len())
        .filter(|at| kind(other, *at) == own)
        .collect();
    if let Some(from) = one_of(&like, random) {
        words[at].clone_from(&other[from]);
    }
}

/// A value for a call, with all of its arguments.
fn replace_call(words: &mut Vec<String>, other: &[String], random: &mut Random) {
    let at = place(words, random);
    let is_value = |at: &usize| matches!(kind(words, *at), Kind::Number | Kind::Text | Kind::Call);
    let values: Vec<usize> = (at..words.len()).filter(is_value).take(4).collect();
    let is_call = |at: &usize| kind(other, *at) == Kind::Call;
    let calls: Vec<usize> = (body(other)..other.len()).filter(is_call).collect();
    if let (Some(at), Some(from)) = (one_of(&values, random), one_of(&calls, random)) {
        let call = other[from..call_end(other, from)].to_vec();
        words.splice(at..call_end(words, at), call);
    }
}

fn one_of(places: &[usize], random: &mut Random) -> Option<usize> {
    (!places.is_empty()).then(|| places[random.below(places.len())])
}

/// Where the call, or else the word, at a place ends.
fn call_end(words: &[String], at: usize) -> usize {
    if kind(words, at) != Kind::Call {
        return at + 1;
    }
    let mut depth = 0_usize;
    for (place, word) in words.iter().enumerate().skip(at + 1) {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return place + 1;
        }
    }
    words.len()
}

/// Puts something around words, up to a hundred times: deeper than the limits.
fn nest(words: &mut Vec<String>, at: usize, end: usize, random: &mut Random) {
    let (before, behind) = NESTS[random.below(NESTS.len())];
    let times = [1, 2, 5, 30, 100][random.below(5)];
    let some = |text: &str| {
        if text.is_empty() {
            Vec::new()
        } else {
            vec![text.to_owned(); times]
        }
    };
    words.splice(end..end, some(behind));
    words.splice(at..at, some(before));
}

#[derive(PartialEq, Eq)]
enum Kind {
    /// In capitals, as everywhere in the texts.
    Keyword,
    /// A function in front of its arguments.
    Call,
    Name,
    Number,
    Text,
    Symbol,
}

/// What stands in front of a parenthesis and is no function.
const NO_CALLS: &[&str] = &[
    "WITH",
    "TABLE",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TIME",
    "DECIMAL",
    "CHAR",
    "VARCHAR",
    "BINARY",
    "VARBINARY",
    "VALUES",
    "KEY",
    "IN",
    "FROM",
    "AS",
    "AND",
    "OR",
    "NOT",
    "WHERE",
    "SELECT",
    "BY",
    "ON",
];

fn kind(words: &[String], at: usize) -> Kind {
    let word = &words[at];
    match word.as_bytes().first() {
        Some(b'0'..=b'9') => Kind::Number,
        Some(b'\'') => Kind::Text,
        Some(b'`') => Kind::Name,
        Some(byte) if is_word(*byte) => {
            let is_called = words.get(at + 1).is_some_and(|next| next == "(");
            let is_keyword = !word.bytes().any(|byte| byte.is_ascii_lowercase());
            match (is_called, is_keyword) {
                (true, true) if !NO_CALLS.contains(&word.as_str()) => Kind::Call,
                (_, true) => Kind::Keyword,
                _ => Kind::Name,
            }
        }
        _ => Kind::Symbol,
    }
}

/// The words of a text, without white space and comments.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let length = word_length(rest);
        let word = &rest[..length];
        if !word.starts_with("--") {
            words.push(word.to_owned());
        }
        rest = rest[length..].trim_start();
    }
    words
}

fn word_length(text: &str) -> usize {
    const LONG: [&str; 9] = ["/*+", "*/", "<>", "<=", ">=", "||", "=>", "::", "${"];
    let bytes = text.as_bytes();
    match bytes[0] {
        b'\'' | b'`' => quoted_length(text),
        b'X' | b'x' if bytes.get(1) == Some(&b'\'') => 1 + quoted_length(&text[1..]),
        b'-' if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
        byte if is_word(byte) => {
            let is_decimal = byte.is_ascii_digit();
            let ends = |byte: &u8| !(is_word(*byte) || is_decimal && *byte == b'.');
            bytes.iter().position(ends).unwrap_or(bytes.len())
        }
        _ => LONG
            .iter()
            .find(|long| text.starts_with(**long))
            .map_or_else(
                || text.chars().next().map_or(1, char::len_utf8),
                |long| long.len(),
            ),
    }
}

/// The length of a text in quotes; two of them stand for one.
fn quoted_length(text: &str) -> usize {
    let quote = text.as_bytes()[0];
    let mut quotes = text
        .bytes()
        .enumerate()
        .skip(1)
        .filter(|(_, byte)| *byte == quote);
    while let Some((at, _)) = quotes.next() {
        if text.as_bytes().get(at + 1) != Some(&quote) {
            return at + 1;
        }
        quotes.next();
    }
    text.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

#[test]
fn a_text_comes_apart_into_words() {
    let text = "SELECT a.b, 'it''s', 1.5 -- why\nFROM `t` /*+ OPTIONS('ü') */ <> ü;";
    let found = join(&split(text));
    let expected = "SELECT a . b ,\n'it''s' ,\n1.5 FROM `t` /*+ OPTIONS ( 'ü' ) */ <> ü ;\n";
    assert_eq!(found, expected);
}
