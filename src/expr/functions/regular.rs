//! Functions that search by regular expressions, which are Java's as far as can be.

use std::borrow::Cow;
use std::rc::Rc;

use regex::{NoExpand, Regex};

use super::java_regex;
use super::row_kernel::Compute::{Boolean, Int, Text, TextMap, Texts};
use super::row_kernel::{Answer, Row, RowKernel, TextEntries};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 9] = [
    RowKernel::strict("REGEXP", Boolean(regexp)),
    RowKernel::strict("REGEXP_COUNT", Int(count)),
    RowKernel::strict("REGEXP_EXTRACT", Text(extract)),
    RowKernel::strict("REGEXP_EXTRACT_ALL", Texts(extract_all)),
    RowKernel::strict("REGEXP_INSTR", Int(instr)),
    RowKernel::strict("REGEXP_REPLACE", Text(replace)),
    RowKernel::strict("REGEXP_SUBSTR", Text(substr)),
    RowKernel::strict("SIMILAR", Boolean(similar)),
    RowKernel::strict("STR_TO_MAP", TextMap(str_to_map)),
];

/// What is wrong with a regular expression, if anything is.
///
/// # Errors
/// A sentence.
pub fn check_regex(pattern: &str) -> Result<(), String> {
    compiled(pattern, java_regex::translated).map(|_| ())
}

/// What is wrong with a pattern of `SIMILAR TO`, if anything is.
///
/// # Errors
/// A sentence.
pub fn check_similar(pattern: &str) -> Result<(), String> {
    compiled(pattern, java_regex::of_similar).map(|_| ())
}

fn compiled(pattern: &str, translate: fn(&str) -> String) -> Result<Regex, String> {
    Regex::new(&translate(pattern)).map_err(|error| {
        // The library draws the place over several lines; the last says what it is.
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim();
        let detail = last.strip_prefix("error: ").unwrap_or(last);
        format!("the regular expression '{pattern}' is wrong: {detail}")
    })
}

/// The last patterns, compiled: they are nearly always the same in all rows.
#[derive(Debug, Default)]
pub(super) struct LastRegexes(Vec<(String, Rc<Regex>)>);

/// No function has more patterns than this.
const KEPT: usize = 2;

impl LastRegexes {
    /// The expression, or what is wrong with it.
    fn of(&mut self, pattern: &str, translate: fn(&str) -> String) -> Result<Rc<Regex>, String> {
        if let Some((_, regex)) = self.0.iter().find(|(known, _)| known == pattern) {
            return Ok(Rc::clone(regex));
        }
        let regex = Rc::new(compiled(pattern, translate)?);
        self.0.truncate(KEPT - 1);
        self.0.insert(0, (pattern.to_owned(), Rc::clone(&regex)));
        Ok(regex)
    }
}

impl Row<'_> {
    /// The regular expression that an argument is; what is wrong with it, else.
    fn regex(&self, place: usize) -> Result<Rc<Regex>, String> {
        self.regex_of(self.text(place))
    }

    fn regex_of(&self, pattern: &str) -> Result<Rc<Regex>, String> {
        self.regexes
            .borrow_mut()
            .of(pattern, java_regex::translated)
    }
}

fn regexp(row: &Row) -> Answer<bool> {
    let is_match = !row.text(1).is_empty() && row.regex(1)?.is_match(row.text(0));
    Ok(Some(is_match))
}

fn count(row: &Row) -> Answer<i32> {
    let count = row.regex(1)?.find_iter(row.text(0)).count();
    Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
}

/// Null without a match. Group 0 is the whole match.
fn extract<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let captures = row.regex(1)?.captures(row.text(0));
    let group = if row.len() > 2 { row.integer(2) } else { 0 };
    let found = captures
        .zip(usize::try_from(group).ok())
        .and_then(|(captures, group)| captures.get(group));
    Ok(found.map(|found| found.as_str().into()))
}

/// Null if there is no such group. The first one is meant if none is named.
fn extract_all(row: &Row) -> Answer<Vec<Option<String>>> {
    let regex = row.regex(1)?;
    let group = if row.len() > 2 { row.integer(2) } else { 1 };
    let group = usize::try_from(group)
        .ok()
        .filter(|group| *group < regex.captures_len());
    Ok(group.map(|group| {
        let all = regex.captures_iter(row.text(0));
        let found = all.map(|captures| captures.get(group).map(|found| found.as_str().to_owned()));
        found.collect()
    }))
}

/// Where the first match begins, in Java's units from 1; 0 without one.
fn instr(row: &Row) -> Answer<i32> {
    let text = row.text(0);
    let start = row.regex(1)?.find(text).map(|found| found.start());
    let place = start.map_or(0, |start| text[..start].encode_utf16().count() + 1);
    Ok(Some(i32::try_from(place).unwrap_or(i32::MAX)))
}

/// All matches are replaced. The replacement is a plain text: Flink quotes its `$1`
/// and `\`.
fn replace<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    Ok(Some(
        row.regex(1)?
            .replace_all(row.text(0), NoExpand(row.text(2))),
    ))
}

fn substr<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    Ok(row
        .regex(1)?
        .find(row.text(0))
        .map(|found| found.as_str().into()))
}

fn similar(row: &Row) -> Answer<bool> {
    let regex = row
        .regexes
        .borrow_mut()
        .of(row.text(1), java_regex::of_similar)?;
    Ok(Some(regex.is_match(row.text(0))))
}

/// A key without a value has null; the last value of a key counts.
fn str_to_map(row: &Row) -> Answer<TextEntries> {
    let (pairs, parts) = if row.len() > 1 {
        (row.text(1), row.text(2))
    } else {
        (",", "=")
    };
    let (pairs, parts) = (row.regex_of(pairs)?, row.regex_of(parts)?);
    let text = row.text(0);
    let mut entries = TextEntries::new();
    if text.is_empty() {
        return Ok(Some(entries));
    }
    let mut pairs: Vec<&str> = pairs.split(text).collect();
    // Java leaves empty parts out at the end.
    while pairs.last().is_some_and(|last| last.is_empty()) {
        pairs.pop();
    }
    for pair in pairs {
        let mut parts = parts.splitn(pair, 2);
        let key = parts.next().unwrap_or_default().to_owned();
        let value = parts.next().map(str::to_owned);
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
    Ok(Some(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message once ended where the library begins to draw the place.
    #[test]
    fn a_wrong_expression_is_explained() {
        for (pattern, expected) in [
            ("[a-z]+", "right"),
            ("(a", "the regular expression '(a' is wrong: unclosed group"),
            (
                "(?=a)",
                "the regular expression '(?=a)' is wrong: look-around, including look-ahead and \
                 look-behind, is not supported",
            ),
        ] {
            let found = check_regex(pattern).map_or_else(|message| message, |()| "right".into());
            assert_eq!(found, expected);
        }
    }
}
