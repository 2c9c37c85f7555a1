//! Goldens too large or too many to write down: their rows are made here, what
//! comes out is computed row by row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thalweg::stream::{ChangeKind, EventTime};

use crate::golden::{Golden, Input, Item};

/// Numbers that look random and are the same in every run (Steele et al.,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound).cast_signed()
    }
}

const TABLES: &str = "CREATE TABLE n (k INT, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) \
     WITH ('connector' = 'script');\n\
     CREATE TABLE sink (k INT, s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT, total BIGINT, least BIGINT) \
     WITH ('connector' = 'script');\n";

/// Start and end.
type Window = (i64, i64);

/// Windows of a window function.
#[derive(Clone, Copy)]
struct Windows {
    size_ms: i64,
    /// From one to the next: the slide or the step.
    slide_ms: i64,
    offset_ms: i64,
    function: &'static str,
}

impl Windows {
    fn tumbling(size_ms: i64) -> Self {
        Self {
            size_ms,
            slide_ms: size_ms,
            offset_ms: 0,
            function: "HOP",
        }
    }

    /// Those that a time lies in.
    fn at(self, ts: i64) -> Vec<Window> {
        let Self {
            size_ms, slide_ms, ..
        } = self;
        let past = |period_ms| (ts - self.offset_ms).rem_euclid(period_ms);
        let steps = 1..=size_ms / slide_ms;
        let windows = steps.map(|step| {
            if self.function == "CUMULATE" {
                let start = ts - past(size_ms);
                (start, start + step * slide_ms)
            } else {
                let start = ts - past(slide_ms) - (step - 1) * slide_ms;
                (start, start + size_ms)
            }
        });
        windows.filter(|(_, end)| ts < *end).collect()
    }
}

#[derive(Clone, Copy)]
struct Row {
    key: i64,
    value: i64,
    ts: i64,
}

/// More keys in a window than a batch has rows.
pub fn many_keys() -> Golden {
    let windows = Windows::tumbling(10_000);
    let mut reference = Reference::new(windows);
    let mut items = Vec::new();
    for round in 0..2 {
        for key in 0..9_001 {
            let row = Row {
                key,
                value: key * (round + 1),
                ts: round * 5_000,
            };
            items.push(reference.take(row));
        }
    }
    golden("many keys", windows, items, reference)
}

/// Many windows that are all open at the same time.
pub fn many_windows() -> Golden {
    let windows = Windows::tumbling(1_000);
    let mut reference = Reference::new(windows);
    let mut numbers = Numbers(1);
    let mut items = Vec::new();
    for _ in 0..2_000 {
        let row = Row {
            key: 1,
            value: numbers.below(100),
            ts: numbers.below(1_500_000),
        };
        items.push(reference.take(row));
    }
    golden("many windows", windows, items, reference)
}

/// Rows out of order around watermarks that leave some of them behind.
pub fn random(seed: u64) -> Golden {
    let mut numbers = Numbers(seed);
    let slide_ms = [1_000, 2_500, 7_000][usize::try_from(numbers.below(3)).unwrap()];
    let windows = Windows {
        size_ms: slide_ms * (1 + numbers.below(4)),
        slide_ms,
        offset_ms: numbers.below(1_999) - 999,
        function: ["HOP", "CUMULATE"][usize::try_from(numbers.below(2)).unwrap()],
    };
    let mut reference = Reference::new(windows);
    let mut items = Vec::new();
    let mut now = -20_000;
    for _ in 0..120 {
        now += numbers.below(800);
        if numbers.below(12) == 0 {
            let at = now - numbers.below(6_000);
            items.extend(reference.watermark(at));
        }
        let row = Row {
            key: numbers.below(7),
            value: numbers.below(2_000) - 1_000,
            ts: now - numbers.below(12_000),
        };
        items.push(reference.take(row));
    }
    golden(&format!("random {seed}"), windows, items, reference)
}

fn golden(name: &str, windows: Windows, items: Vec<Item>, reference: Reference) -> Golden {
    let seconds = |millis: i64| {
        let sign = if millis < 0 { "-" } else { "" };
        let (whole, rest) = (millis.abs() / 1_000, millis.abs() % 1_000);
        format!("INTERVAL '{sign}{whole}.{rest:03}' SECOND")
    };
    let mut statement = TABLES.to_owned();
    write!(
        statement,
        "INSERT INTO sink SELECT k, window_start, window_end, COUNT(*), SUM(v), MIN(v) \
         FROM TABLE({}(TABLE n, DESCRIPTOR(ts), {}, {}, {})) GROUP BY k, window_start, window_end",
        windows.function,
        seconds(windows.slide_ms),
        seconds(windows.size_ms),
        seconds(windows.offset_ms),
    )
    .unwrap();
    let splits = vec![("1".to_owned(), items)];
    let late = reference.late;
    Golden {
        name: name.to_owned(),
        statement,
        inputs: BTreeMap::from([("n".to_owned(), Input::of(splits))]),
        outputs: BTreeMap::from([("sink".to_owned(), reference.rows())]),
        late,
        ..Golden::default()
    }
}

/// Windows as one would count them by hand: each row in each of its windows that
/// is still open.
struct Reference {
    windows: Windows,
    watermark: i64,
    counts: BTreeMap<(i64, Window), (i64, i64, i64)>,
    late: u64,
}

impl Reference {
    fn new(windows: Windows) -> Self {
        Self {
            windows,
            watermark: i64::MIN,
            counts: BTreeMap::new(),
            late: 0,
        }
    }

    /// Takes a row, and gives it as an item of a script.
    fn take(&mut self, row: Row) -> Item {
        let Row { key, value, ts } = row;
        let mut open = false;
        for window in self.windows.at(ts) {
            if self.watermark < window.1 - 1 {
                open = true;
                let count = self.counts.entry((key, window));
                let (rows, total, least) = count.or_insert((0, 0, i64::MAX));
                *rows += 1;
                *total += value;
                *least = value.min(*least);
            }
        }
        self.late += u64::from(!open);
        let ts = timestamp(ts);
        Item::Row(
            ChangeKind::Insert,
            format!(r#"{{"k":{key},"v":{value},"ts":"{ts}"}}"#),
        )
    }

    /// Time goes on; what follows finds it so.
    fn watermark(&mut self, at: i64) -> [Item; 2] {
        self.watermark = self.watermark.max(at);
        [
            Item::Watermark(EventTime::from_millis(at)),
            Item::Await(EventTime::from_millis(at)),
        ]
    }

    fn rows(self) -> Vec<String> {
        let rows = self.counts.into_iter();
        let rows = rows.map(|((key, (start, end)), (count, total, least))| {
            let (s, e) = (timestamp(start), timestamp(end));
            format!(
                r#"{{"k":{key},"s":"{s}","e":"{e}","n":{count},"total":{total},"least":{least}}}"#
            )
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }
}

/// A time within some days of 1970, as JSON has it.
fn timestamp(millis: i64) -> String {
    let days = ["1969-12-31", "1970-01-01"];
    let (day, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let date = days[usize::try_from(day + 1).expect("a time near 1970")];
    let seconds = of_day / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{date} {hour:02}:{minute:02}:{second:02}");
    if of_day % 1_000 != 0 {
        let fraction = format!(".{:03}", of_day % 1_000);
        text.push_str(fraction.trim_end_matches('0'));
    }
    text
}

#[test]
fn the_reference_counts_as_by_hand() {
    let mut reference = Reference::new(Windows {
        slide_ms: 10,
        ..Windows::tumbling(20)
    });
    let row = |ts| Row {
        key: 1,
        value: ts,
        ts,
    };
    reference.take(row(5));
    reference.watermark(9);
    reference.take(row(6));
    reference.watermark(19);
    reference.take(row(7));
    assert_eq!(
        reference.rows(),
        [
            r#"{"k":1,"s":"1969-12-31 23:59:59.99","e":"1970-01-01 00:00:00.01","n":1,"total":5,"least":5}"#,
            r#"{"k":1,"s":"1970-01-01 00:00:00","e":"1970-01-01 00:00:00.02","n":2,"total":11,"least":5}"#,
        ]
    );
}

#[test]
fn the_reference_knows_all_windows() {
    let hop = Windows {
        slide_ms: 10,
        offset_ms: -3,
        ..Windows::tumbling(20)
    };
    assert_eq!(hop.at(7), [(7, 27), (-3, 17)]);
    let cumulate = Windows {
        function: "CUMULATE",
        ..hop
    };
    assert_eq!(cumulate.at(6), [(-3, 7), (-3, 17)]);
    assert_eq!(cumulate.at(7), [(-3, 17)]);
}
