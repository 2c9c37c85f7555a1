//! Rows of the tables that queries read.

use std::fmt::Write as _;

use fastrand::Rng;
use serde_json::{Value, json};

/// The columns of both tables, as `expression::columns` has them.
pub const COLUMNS: &str =
    "k INT, s STRING, i INT, b BIGINT, d DECIMAL(10, 2), f DOUBLE, y BOOLEAN, ts TIMESTAMP(3)";

/// How far a row is behind the newest at most, in milliseconds.
const DISORDER_MS: u64 = 10_000;

const TEXTS: [&str; 8] = ["", "a", "ab", "Ärger", "xyz", "a b", "b%", "10"];

/// The rows of a table, shared out among splits, with watermarks that none of them is behind.
pub fn of_table(random: &mut Rng, splits: u8) -> String {
    let mut texts = vec![String::new(); usize::from(splits)];
    let mut now_ms = DISORDER_MS;
    for _ in 0..random.u32(15..70) {
        now_ms += if random.u8(..20) == 0 {
            random.u64(..90_000)
        } else {
            random.u64(..2_500)
        };
        let split = random.usize(..texts.len());
        let at_ms = now_ms - random.u64(..DISORDER_MS);
        let row = row(random, at_ms);
        let text = &mut texts[split];
        writeln!(text, "{row}").expect("a text takes more text");
        if random.u8(..12) == 0 {
            let passed = timestamp(now_ms - DISORDER_MS);
            writeln!(text, "@watermark {passed}").expect("a text takes more text");
        }
    }
    let texts = texts.iter().enumerate();
    let texts = texts.map(|(split, rows)| format!("@split {split}\n{rows}"));
    if splits == 1 {
        return texts.map(|text| text.replace("@split 0\n", "")).collect();
    }
    texts.collect()
}

fn row(random: &mut Rng, at_ms: u64) -> Value {
    let mut values = [
        ("k", json!(random.i32(0..5))),
        ("s", json!(TEXTS[random.usize(..TEXTS.len())])),
        ("i", json!(random.i32(-20..100))),
        ("b", json!(random.i64(-3_000_000_000..3_000_000_000))),
        (
            "d",
            json!(format!("{}.{:02}", random.i32(-99..100), random.u8(..100))),
        ),
        ("f", json!(f64::from(random.i32(-40..400)) / 4.0)),
        ("y", json!(random.bool())),
    ];
    for (_, value) in &mut values {
        if random.u8(..12) == 0 {
            *value = Value::Null;
        }
    }
    let mut row: serde_json::Map<_, _> = values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    row.insert("ts".to_owned(), json!(timestamp(at_ms)));
    Value::Object(row)
}

/// A time of the first day of 2024, as JSON has it.
fn timestamp(of_day_ms: u64) -> String {
    let seconds = of_day_ms / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "2024-01-01 {hour:02}:{minute:02}:{second:02}.{:03}",
        of_day_ms % 1_000
    )
}
