//! Reads the options of a `WITH (…)` clause by name and type, and reports all
//! that is wrong with them at once.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use indexmap::IndexMap;

/// What is wrong with one option; the key lets the caller say where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OptionError {
    /// The option's key; `None` if the table as a whole is wrong.
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// What a person should know about one option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionDoc {
    /// The key.
    pub key: &'static str,
    /// What holds if it is not given.
    pub default: OptionDefault,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// What holds if an option is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionDefault {
    /// It must be given.
    Required,
    /// Nothing: the feature is off.
    Off,
    /// This value.
    Value(&'static str),
}

/// The options of one table while they are read.
///
/// A getter notes its key as known and returns a usable value even if the text
/// is wrong; the errors wait for [`Self::finish`], so that a person who wrote
/// five wrong options learns of all five.
#[derive(Debug)]
pub struct Options<'a> {
    values: &'a IndexMap<String, String>,
    known: BTreeSet<String>,
    errors: Vec<OptionError>,
}

impl<'a> Options<'a> {
    /// Nothing read yet but `connector`, which has led to whoever reads the rest.
    pub fn new(values: &'a IndexMap<String, String>) -> Self {
        Self {
            values,
            known: BTreeSet::from(["connector".to_owned()]),
            errors: Vec::new(),
        }
    }

    /// The text of an option, if it is given.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        self.known.insert(key.to_owned());
        self.values.get(key).map(String::as_str)
    }

    /// The text of an option that must be given; empty if it is not.
    pub fn require(&mut self, key: &str) -> &'a str {
        self.text(key).unwrap_or_else(|| {
            self.errors.push(OptionError {
                key: None,
                message: format!("option '{key}' is required"),
            });
            ""
        })
    }

    /// A number or anything else that is parsed from text; `what` names it for
    /// the message, as in `a whole number`.
    pub fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.trim().parse().ok();
        if parsed.is_none() {
            self.reject(key, format!("'{text}' is not {what}"));
        }
        parsed
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str, default: bool) -> bool {
        match self.text(key).map(str::to_ascii_lowercase).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                self.reject(key, format!("'{other}' is neither 'true' nor 'false'"));
                default
            }
        }
    }

    /// A duration such as `500 ms`, `10 s`, `1 min` or `1 h`.
    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        let text = self.text(key)?;
        let parsed = parse_duration(text);
        if parsed.is_none() {
            self.reject(
                key,
                format!("'{text}' is not a duration such as '500 ms', '10 s' or '1 min'"),
            );
        }
        parsed
    }

    /// A size in bytes such as `64kb` or `128MB`; the units are powers of 1,024 as in Flink.
    pub fn memory(&mut self, key: &str) -> Option<u64> {
        let text = self.text(key)?;
        let parsed = parse_memory(text);
        if parsed.is_none() {
            self.reject(
                key,
                format!("'{text}' is not a size such as '64kb' or '128MB'"),
            );
        }
        parsed
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(key) else {
            return default;
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<_> = choices
            .iter()
            .map(|(name, _)| format!("'{name}'"))
            .collect();
        self.reject(key, format!("'{text}' is none of {}", names.join(", ")));
        default
    }

    /// Notes an option that is known from Flink but cannot be had here; an error
    /// with `why` if it is given.
    pub fn refuse(&mut self, key: &str, why: &str) {
        if self.text(key).is_some() {
            self.reject(key, why);
        }
    }

    /// Notes that the value of an option is wrong.
    pub fn reject(&mut self, key: &str, why: impl Display) {
        self.errors.push(OptionError {
            key: Some(key.to_owned()),
            message: format!("option '{key}': {why}"),
        });
    }

    /// Notes that the table as a whole is wrong.
    pub fn reject_table(&mut self, why: impl Display) {
        self.errors.push(OptionError {
            key: None,
            message: why.to_string(),
        });
    }

    /// All keys of the table, read or not.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values.keys().map(String::as_str)
    }

    /// The keys that were asked for.
    pub fn known(&self) -> &BTreeSet<String> {
        &self.known
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Everything that was wrong, and every option that nobody asked for.
    pub fn finish(mut self) -> Result<(), Vec<OptionError>> {
        for key in self.keys() {
            if self.known.contains(key) {
                continue;
            }
            let hint = nearest(key, self.known.iter().map(String::as_str))
                .map(|near| format!("; did you mean '{near}'?"));
            self.errors.push(OptionError {
                key: Some(key.to_owned()),
                message: format!("unknown option '{key}'{}", hint.unwrap_or_default()),
            });
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self.errors)
        }
    }
}

/// The candidate that `word` was probably meant to be.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).max(2);
    candidates
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, in characters.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut beside = row + 1;
        for (to, diagonal) in right.iter().zip(previous.windows(2)) {
            if let &[replaced, above] = diagonal {
                beside = (replaced + usize::from(from != *to))
                    .min(above + 1)
                    .min(beside + 1);
                current.push(beside);
            }
        }
        previous = current;
    }
    previous.last().copied().unwrap_or(0)
}

/// A number and the unit behind it, as in `10 s`.
fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim().to_ascii_lowercase()))
}

/// A duration such as `500 ms`, `10 s` or `1 min`; a bare number is milliseconds, as in Flink.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match unit.as_str() {
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => {
            Some(Duration::from_nanos(number))
        }
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => {
            Some(Duration::from_micros(number))
        }
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => {
            Some(Duration::from_millis(number))
        }
        "s" | "sec" | "secs" | "second" | "seconds" => seconds(1),
        "m" | "min" | "mins" | "minute" | "minutes" => seconds(60),
        "h" | "hour" | "hours" => seconds(3_600),
        "d" | "day" | "days" => seconds(86_400),
        _ => None,
    }
}

/// A size in bytes such as `64kb` or `128MB`; the units are powers of 1,024 as in Flink.
pub fn parse_memory(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let shift = match unit.as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("10 s", Some(Duration::from_secs(10))),
            ("10s", Some(Duration::from_secs(10))),
            ("1 min", Some(Duration::from_mins(1))),
            ("500ms", Some(Duration::from_millis(500))),
            ("7", Some(Duration::from_millis(7))),
            ("2 h", Some(Duration::from_hours(2))),
            ("1 day", Some(Duration::from_hours(24))),
            ("3 fortnights", None),
            ("-1 s", None),
            ("s", None),
            ("", None),
            ("99999999999999999999 s", None),
            ("18446744073709551615 d", None),
        ] {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("128MB", Some(128 << 20)),
            ("64 kb", Some(64 << 10)),
            ("1g", Some(1 << 30)),
            ("17", Some(17)),
            ("1.5MB", None),
            ("18446744073709551615tb", None),
            ("MB", None),
        ] {
            assert_eq!(parse_memory(text), expected, "{text}");
        }
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let values = IndexMap::from(
            [
                ("format", "json"),
                ("json.fail-on-mising-field", "true"),
                ("interval", "soon"),
                ("deep", "maybe"),
                ("mode", "fast"),
                ("xyzzy", "1"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let mut options = Options::new(&values);
        options.text("format");
        options.boolean("json.fail-on-missing-field", false);
        assert_eq!(options.duration("interval"), None);
        assert!(options.boolean("deep", true));
        assert_eq!(options.choice("mode", &[("slow", 1), ("slower", 2)], 1), 1);
        options.require("path");
        let errors = options.finish().unwrap_err();
        let found: Vec<_> = errors
            .iter()
            .map(|error| (error.key.as_deref(), error.message.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (
                    Some("interval"),
                    "option 'interval': 'soon' is not a duration such as '500 ms', '10 s' or '1 min'"
                ),
                (
                    Some("deep"),
                    "option 'deep': 'maybe' is neither 'true' nor 'false'"
                ),
                (
                    Some("mode"),
                    "option 'mode': 'fast' is none of 'slow', 'slower'"
                ),
                (None, "option 'path' is required"),
                (
                    Some("json.fail-on-mising-field"),
                    "unknown option 'json.fail-on-mising-field'; did you mean 'json.fail-on-missing-field'?"
                ),
                (Some("xyzzy"), "unknown option 'xyzzy'"),
            ]
        );
    }

    #[test]
    fn the_nearest_word() {
        let words = ["path", "format", "source.monitor-interval"];
        for (word, expected) in [
            ("pat", Some("path")),
            ("formt", Some("format")),
            ("source.monitor.interval", Some("source.monitor-interval")),
            ("something.else", None),
        ] {
            assert_eq!(nearest(word, words.into_iter()), expected, "{word}");
        }
    }
}
