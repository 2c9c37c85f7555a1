//! What must have come out, computed from the rows alone and without a line of the
//! engine's code, and how what did come out differs from it.

use std::collections::HashMap;
use std::fmt;

use anyhow::Context;
use serde_json::Value;

use crate::directory::{Planted, SENTINEL_ID_FIRST};
use crate::log::{Log, Row, short_timestamp};
use crate::node::SOURCES;

const TUMBLE_MS: i64 = 30_000;
const HOP_SLIDE_MS: i64 = 20_000;
const HOP_SIZE_MS: i64 = 60_000;

/// What an output must hold: what a row says by what names it.
pub type Expected = HashMap<String, String>;

/// The expected rows of the three outputs.
pub struct Oracle {
    pub copies: Expected,
    pub by_host: Expected,
    pub by_page: Expected,
}

#[derive(Clone, Copy)]
struct Totals {
    requests: u64,
    sum: u64,
    min: u64,
    max: u64,
}

impl Totals {
    fn add(totals: Option<Self>, bytes: u64) -> Self {
        totals.map_or(
            Self {
                requests: 1,
                sum: bytes,
                min: bytes,
                max: bytes,
            },
            |totals| Self {
                requests: totals.requests + 1,
                sum: totals.sum + bytes,
                min: totals.min.min(bytes),
                max: totals.max.max(bytes),
            },
        )
    }
}

impl Oracle {
    /// What the rows of `log` come to.
    pub fn new(log: Log) -> Self {
        let mut copies = Expected::new();
        let mut hosts: HashMap<(i64, String), Totals> = HashMap::new();
        let mut pages: HashMap<(i64, &str, u16), Totals> = HashMap::new();
        for row in log.filter_map(|line| line.row) {
            let start = row.time_ms.div_euclid(TUMBLE_MS) * TUMBLE_MS;
            let totals = hosts.get(&(start, row.host.clone())).copied();
            hosts.insert((start, row.host.clone()), Totals::add(totals, row.bytes));
            let last = row.time_ms.div_euclid(HOP_SLIDE_MS) * HOP_SLIDE_MS;
            for back in 0..HOP_SIZE_MS / HOP_SLIDE_MS {
                let key = (last - back * HOP_SLIDE_MS, row.path, row.status);
                let totals = pages.get(&key).copied();
                pages.insert(key, Totals::add(totals, row.bytes));
            }
            copies.insert(row.id.to_string(), row.copied());
        }
        let by_host = hosts.into_iter().map(|((start, host), totals)| {
            let average = totals.sum / totals.requests;
            (
                format!(
                    "{},{},{host}",
                    short_timestamp(start),
                    short_timestamp(start + TUMBLE_MS)
                ),
                format!("{},{},{average}", totals.requests, totals.sum),
            )
        });
        let by_page = pages.into_iter().map(|((start, path, status), totals)| {
            (
                format!(
                    "{},{},{path},{status}",
                    short_timestamp(start),
                    short_timestamp(start + HOP_SIZE_MS)
                ),
                format!("{},{},{}", totals.requests, totals.min, totals.max),
            )
        });
        Self {
            copies,
            by_host: by_host.collect(),
            by_page: by_page.collect(),
        }
    }

    /// Expects the copies of the rows that have closed the windows, too.
    pub fn add_sentinels(&mut self, sentinels: u64, time_ms: i64) {
        for number in 0..sentinels {
            let row = Row::sentinel(SENTINEL_ID_FIRST + number, time_ms);
            self.copies.insert(row.id.to_string(), row.copied());
        }
    }
}

/// Name and content of a line of the copies.
pub fn copied(line: &str) -> anyhow::Result<(String, String)> {
    let row: Value = serde_json::from_str(line)?;
    Ok((field(&row, "id")?, row.to_string()))
}

/// Name and content of a line of the windows by host.
pub fn counted_by_host(line: &str) -> anyhow::Result<(String, String)> {
    let third_comma = line.match_indices(',').nth(2).context("too few fields")?.0;
    let (name, content) = line.split_at(third_comma);
    Ok((name.replace('"', ""), content[1..].to_owned()))
}

/// Name and content of a line of the windows by page.
pub fn counted_by_page(line: &str) -> anyhow::Result<(String, String)> {
    let row: Value = serde_json::from_str(line)?;
    let join = |names: &[&str]| -> anyhow::Result<String> {
        let fields: anyhow::Result<Vec<_>> = names.iter().map(|name| field(&row, name)).collect();
        Ok(fields?.join(","))
    };
    Ok((
        join(&["window_start", "window_end", "path", "status"])?,
        join(&["requests", "bytes_min", "bytes_max"])?,
    ))
}

/// Name and content of a dead letter.
pub fn put_aside(line: &str) -> anyhow::Result<(String, String)> {
    let letter: Value = serde_json::from_str(line)?;
    let position = letter.get("position").context("no position")?;
    let name = format!("{} {}", field(&letter, "origin")?, field(&letter, "bytes")?);
    Ok((name, field(position, "offset")?))
}

/// The dead letters that the planted lines must have left.
pub fn expected_letters(planted: &[Planted], encode: impl Fn(&[u8]) -> String) -> Expected {
    let letters = planted.iter().flat_map(|line| {
        let bytes = encode(&line.bytes);
        SOURCES.map(|source| (format!("{source} {bytes}"), line.offset.to_string()))
    });
    letters.collect()
}

fn field(row: &Value, name: &str) -> anyhow::Result<String> {
    match row.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
        None => anyhow::bail!("there is no {name} in {row}"),
    }
}

/// How an output differs from what it must hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows that are there.
    pub rows: usize,
    /// Rows that are missing.
    pub lost: usize,
    /// Rows that are there once too often.
    pub doubled: usize,
    /// Rows that say something else, or that should not be there.
    pub wrong: usize,
    /// The first few of them.
    pub examples: Vec<String>,
}

impl Difference {
    /// Compares what `lines` say, as `read` understands them, with `expected`.
    pub fn between<'a>(
        expected: &Expected,
        lines: impl Iterator<Item = &'a str>,
        read: impl Fn(&str) -> anyhow::Result<(String, String)>,
    ) -> Self {
        let mut difference = Self::default();
        let mut seen: HashMap<String, u32> = HashMap::new();
        for line in lines {
            difference.rows += 1;
            let Ok((name, content)) = read(line) else {
                difference.wrong += 1;
                difference.note("unreadable", line);
                continue;
            };
            match expected.get(&name) {
                Some(wanted) if *wanted == content => {}
                Some(wanted) => {
                    difference.wrong += 1;
                    difference.note("wrong", &format!("{name}: {content}, not {wanted}"));
                }
                None => {
                    difference.wrong += 1;
                    difference.note("unexpected", line);
                }
            }
            let times = seen.entry(name).or_insert(0);
            *times += 1;
            if *times > 1 {
                difference.doubled += 1;
                difference.note("doubled", line);
            }
        }
        for name in expected.keys().filter(|name| !seen.contains_key(*name)) {
            difference.lost += 1;
            difference.note("lost", name);
        }
        difference
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.lost + self.doubled + self.wrong == 0
    }

    fn note(&mut self, what: &str, line: &str) {
        if self.examples.len() < 5 {
            self.examples.push(format!("{what}: {line}"));
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rows,
            lost,
            doubled,
            wrong,
            ..
        } = self;
        write!(
            f,
            "{rows} rows, lost {lost}, doubled {doubled}, wrong {wrong}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_counted_by_kind() {
        let expected = Expected::from(["a", "b"].map(|name| (name.to_owned(), "1".to_owned())));
        let check = |lines: &[&str], (lost, doubled, wrong): (usize, usize, usize)| {
            let found = Difference::between(&expected, lines.iter().copied(), |line| {
                let (name, content) = line.split_once('=').context("no =")?;
                Ok((name.to_owned(), content.to_owned()))
            });
            assert_eq!(
                (found.lost, found.doubled, found.wrong),
                (lost, doubled, wrong),
                "{lines:?}"
            );
        };
        check(&["a=1", "b=1"], (0, 0, 0));
        check(&["a=1"], (1, 0, 0));
        check(&["a=1", "b=1", "a=1"], (0, 1, 0));
        check(&["a=1", "b=2"], (0, 0, 1));
        check(&["a=1", "b=1", "c=1", "torn"], (0, 0, 2));
    }

    #[test]
    fn totals_of_a_short_log_add_up() {
        let oracle = Oracle::new(Log::new(1, 2_000));
        let requests = |windows: &Expected| -> usize {
            let counts = windows.values().map(|content| content.split(',').next());
            counts
                .map(|count| count.unwrap().parse::<usize>().unwrap())
                .sum()
        };
        assert_eq!(requests(&oracle.by_host), oracle.copies.len());
        assert_eq!(requests(&oracle.by_page), oracle.copies.len() * 3);
    }
}
