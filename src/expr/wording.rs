//! Messages of the libraries in the words of SQL.

use arrow::datatypes::DataType;

use crate::formats::sql_name;

/// What the query library appends to the description of an error of its own.
const REPORT_IT: &str = "\nThis issue was likely caused by a bug in DataFusion's code";

/// A library's message with SQL's names of types in the place of Arrow's, and
/// without the request to report it. What stands in quotes is a value of the user
/// and stays.
pub fn in_sql_words(message: &str) -> String {
    let message = match message.split_once(REPORT_IT) {
        Some((description, _)) => description.trim_end_matches('.'),
        None => message,
    };
    if let Some(message) = uncastable_text(message) {
        return message;
    }
    let mut words = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let begins = !words.ends_with(char::is_alphanumeric);
        let quoted = quoted_length(rest).filter(|_| begins);
        let named = type_at_start(rest).filter(|_| begins);
        let length = match (quoted, named) {
            (Some(length), _) => {
                words.push_str(&rest[..length]);
                length
            }
            (None, Some((name, length))) => {
                words.push_str(&name);
                length
            }
            (None, None) => {
                words.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    words
}

/// The commonest message of all: a text that is no value of the type that it is
/// cast to. It is taken apart from its ends, since the text may hold quotes.
fn uncastable_text(message: &str) -> Option<String> {
    let rest = ["Cannot cast string ", "Cannot cast value "]
        .iter()
        .find_map(|beginning| message.strip_prefix(beginning))?;
    let (text, name) = rest.strip_suffix(" type")?.rsplit_once(" to value of ")?;
    let name = match name.parse().ok()? {
        // It names the widest decimal, whichever was meant.
        DataType::Decimal128(_, _) => "DECIMAL".to_owned(),
        data_type => sql_name(&data_type),
    };
    Some(format!("cannot cast {text} to {name}"))
}

/// How long the quoted text is with which `text` begins.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let ends = text.match_indices(quote).skip(1);
    // An apostrophe inside of a word does not end it.
    ends.map(|(place, _)| place + 1)
        .find(|&end| !text[end..].starts_with(char::is_alphanumeric))
}

/// The type with whose name in Arrow `text` begins: its name in SQL, and how long
/// Arrow's is.
fn type_at_start(text: &str) -> Option<(String, usize)> {
    if !text.starts_with(|first: char| first.is_ascii_uppercase()) {
        return None;
    }
    let word = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    let arguments = text[word..]
        .strip_prefix('(')
        .and_then(|arguments| arguments.find(')'));
    let whole = arguments.map_or(word, |end| word + end + 2);
    let named = |name: &str| name.parse::<DataType>().ok();
    if let Some(data_type) = named(&text[..whole]) {
        return Some((sql_name(&data_type), whole));
    }
    let name = text[..word].trim_end_matches("Array");
    let name = match name {
        "Decimal128" => "DECIMAL".to_owned(),
        "Timestamp" => "TIMESTAMP".to_owned(),
        "Time32" | "Time64" => "TIME".to_owned(),
        _ => sql_name(&named(name)?),
    };
    Some((name, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_sql() {
        for (message, expected) in [
            (
                "Cannot cast string 'x' to value of Int32 type",
                "cannot cast 'x' to INT",
            ),
            (
                "Cannot cast string 'it's ' to value of Int8 type' to value of Int64 type",
                "cannot cast 'it's ' to value of Int8 type' to BIGINT",
            ),
            (
                "Cannot cast value 'Int32' to value of Boolean type",
                "cannot cast 'Int32' to BOOLEAN",
            ),
            (
                "Can't cast value 300 to type Int8",
                "Can't cast value 300 to type TINYINT",
            ),
            (
                "Casting from Utf8 to Timestamp(ms) not supported",
                "Casting from STRING to TIMESTAMP(3) not supported",
            ),
            (
                "Cannot cast to Decimal128(5, 2). Overflowing on 1234567",
                "Cannot cast to DECIMAL(5, 2). Overflowing on 1234567",
            ),
            (
                "1000 is too large to store in a Decimal128 of precision 3. Max is 999",
                "1000 is too large to store in a DECIMAL of precision 3. Max is 999",
            ),
            (
                "Cannot cast string 'x' to value of Decimal128(38, 10) type",
                "cannot cast 'x' to DECIMAL",
            ),
            (
                "Int64Array overflow on abs(-9223372036854775808)",
                "BIGINT overflow on abs(-9223372036854775808)",
            ),
            (
                "'Int32' is no \"Utf8\" MyInt32",
                "'Int32' is no \"Utf8\" MyInt32",
            ),
            ("an open 'Int32", "an open 'INT"),
            ("Überlauf (Date32, Binary)", "Überlauf (DATE, BYTES)"),
            ("", ""),
        ] {
            assert_eq!(in_sql_words(message), expected, "{message}");
        }
    }
}
