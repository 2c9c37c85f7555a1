//! Functions that search by regular expressions.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_expr::ScalarUDF;
use regex::{NoExpand, Regex};

use super::kernel::Kernel;
use super::text::is_text;

/// What is wrong with a regular expression, if anything is.
///
/// # Errors
/// A sentence.
pub fn check_regex(pattern: &str) -> Result<(), String> {
    compiled(pattern).map(|_| ())
}

/// `REGEXP_EXTRACT(text, pattern[, group])`; null without a match. Group 0 is the
/// whole match.
pub fn regexp_extract() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "REGEXP_EXTRACT",
            accept: |arguments| match arguments {
                [text, pattern, _] if is_text(text) && is_text(pattern) => {
                    Ok(vec![DataType::Utf8, DataType::Utf8, DataType::Int32])
                }
                _ => Err("REGEXP_EXTRACT takes two STRINGs and an INT".to_owned()),
            },
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| extracted(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `REGEXP_REPLACE(text, pattern, replacement)`: all matches are replaced. The
/// replacement is a plain text: Flink quotes its `$1` and `\`.
pub fn regexp_replace() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "REGEXP_REPLACE",
            accept: |arguments| {
                if arguments.len() == 3 && arguments.iter().all(is_text) {
                    return Ok(vec![DataType::Utf8; 3]);
                }
                Err("REGEXP_REPLACE takes three STRINGs".to_owned())
            },
            result: |_| DataType::Utf8,
            evaluate: |arguments, _| replaced(arguments),
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        // The library draws the place over several lines; the last says what it is.
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim();
        let detail = last.strip_prefix("error: ").unwrap_or(last);
        format!("the regular expression '{pattern}' is wrong: {detail}")
    })
}

/// The last pattern, compiled: it is nearly always the same in all rows.
#[derive(Default)]
struct LastRegex<'a>(Option<(&'a str, Regex)>);

impl<'a> LastRegex<'a> {
    fn of(&mut self, pattern: &'a str) -> Result<&Regex> {
        let regex = match self.0.take() {
            Some((known, regex)) if known == pattern => regex,
            _ => compiled(pattern).map_err(DataFusionError::Execution)?,
        };
        Ok(&self.0.insert((pattern, regex)).1)
    }
}

fn extracted(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [texts, patterns, groups] = arguments else {
        return internal_err!("REGEXP_EXTRACT is planned with three arguments");
    };
    let texts = texts.as_string::<i32>();
    let patterns = patterns.as_string::<i32>();
    let groups = groups.as_primitive::<Int32Type>();
    let mut matches = StringBuilder::new();
    let mut last = LastRegex::default();
    for ((text, pattern), group) in texts.iter().zip(patterns).zip(groups) {
        let (Some(text), Some(pattern), Some(group)) = (text, pattern, group) else {
            matches.append_null();
            continue;
        };
        let captures = last.of(pattern)?.captures(text);
        let found = captures
            .zip(usize::try_from(group).ok())
            .and_then(|(captures, group)| captures.get(group));
        matches.append_option(found.map(|found| found.as_str()));
    }
    Ok(Arc::new(matches.finish()))
}

fn replaced(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [texts, patterns, replacements] = arguments else {
        return internal_err!("REGEXP_REPLACE is planned with three arguments");
    };
    let texts = texts.as_string::<i32>();
    let patterns = patterns.as_string::<i32>();
    let replacements = replacements.as_string::<i32>();
    let mut results = StringBuilder::new();
    let mut last = LastRegex::default();
    for ((text, pattern), replacement) in texts.iter().zip(patterns).zip(replacements) {
        let (Some(text), Some(pattern), Some(replacement)) = (text, pattern, replacement) else {
            results.append_null();
            continue;
        };
        results.append_value(last.of(pattern)?.replace_all(text, NoExpand(replacement)));
    }
    Ok(Arc::new(results.finish()))
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
