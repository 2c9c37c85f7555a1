//! The lines of a web access log: a seed gives the same lines every time.

use crate::random::Random;

/// The log of how many web servers; each writes a file of its own.
pub const SERVERS: u64 = 6;
/// How far a row may lie behind the time that the log has reached.
pub const DISORDER_MS_MAX: i64 = 45_000;
/// From one line to the next, in event time.
const STEP_MS: i64 = 10;
/// The time of the first line, 2024-03-01: long past, so that the wall clock
/// never holds a row to be too far ahead.
const FIRST_MS: i64 = 1_709_251_200_000;
/// One line in so many cannot be decoded.
const BAD_ONCE_IN: u64 = 1_000;

const HOSTS: u64 = 24;
const PATHS: [&str; 12] = [
    "/",
    "/index.html",
    "/login",
    "/logout",
    "/cart",
    "/cart/checkout",
    "/search?q=r\u{e9}sum\u{e9}",
    "/static/app.js",
    "/static/app.css",
    "/api/v1/orders",
    "/api/v1/items?id=\"7\"",
    "/healthz",
];
const STATUSES: [u16; 5] = [200, 200, 304, 404, 500];

/// One line of the log.
pub struct Line {
    /// The server that writes it.
    pub server: u64,
    /// The line without its end.
    pub bytes: Vec<u8>,
    /// What it says; `None` if it cannot be decoded.
    pub row: Option<Row>,
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: u64,
    pub time_ms: i64,
    pub host: String,
    pub path: &'static str,
    pub status: u16,
    pub bytes: u64,
}

impl Row {
    /// A row behind all others, whose time closes the windows of the others.
    pub fn sentinel(id: u64, time_ms: i64) -> Self {
        Self {
            id,
            time_ms,
            host: "sentinel".to_owned(),
            path: "/sentinel",
            status: 204,
            bytes: 0,
        }
    }

    /// The row as the log has it.
    pub fn logged(&self) -> String {
        self.json(&timestamp(self.time_ms))
    }

    /// The row as a table of all columns has it.
    pub fn copied(&self) -> String {
        self.json(&short_timestamp(self.time_ms))
    }

    fn json(&self, timestamp: &str) -> String {
        let row = serde_json::json!({
            "id": self.id,
            "ts": timestamp,
            "host": self.host,
            "path": self.path,
            "status": self.status,
            "bytes": self.bytes,
        });
        row.to_string()
    }
}

/// The lines of a seed in the order in which they are written.
pub struct Log {
    random: Random,
    next: u64,
    lines: u64,
}

impl Log {
    /// The first `lines` lines of `seed`.
    pub fn new(seed: u64, lines: u64) -> Self {
        Self {
            random: Random::new(seed, 1),
            next: 0,
            lines,
        }
    }

    /// The time that the log has reached with its last line.
    pub fn last_ms(&self) -> i64 {
        base_ms(self.lines)
    }
}

impl Iterator for Log {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.next == self.lines {
            return None;
        }
        let (id, random) = (self.next, &mut self.random);
        self.next += 1;
        // Most rows come in order; one in eight is late, but not too late.
        let behind_ms = if random.once_in(8) {
            i64::try_from(random.below(DISORDER_MS_MAX.unsigned_abs())).unwrap_or(0)
        } else {
            0
        };
        // The lesser of two numbers: some hosts are busier than others.
        let host = random.below(HOSTS).min(random.below(HOSTS));
        let row = Row {
            id,
            time_ms: base_ms(id) - behind_ms,
            host: format!("web-{host}.example.com"),
            path: pick(&PATHS, random),
            status: pick(&STATUSES, random),
            bytes: random.below(1 << 20),
        };
        let server = host % SERVERS;
        if random.once_in(BAD_ONCE_IN) {
            let bytes = spoiled(&row, random);
            return Some(Line {
                server,
                bytes,
                row: None,
            });
        }
        Some(Line {
            server,
            bytes: row.logged().into_bytes(),
            row: Some(row),
        })
    }
}

fn base_ms(id: u64) -> i64 {
    FIRST_MS + i64::try_from(id).unwrap_or(i64::MAX / STEP_MS) * STEP_MS
}

fn pick<T: Copy>(choices: &[T], random: &mut Random) -> T {
    let index = random.below(choices.len() as u64);
    choices[usize::try_from(index).expect("an index")]
}

/// A time as it is written to a table: without zeros at its end.
pub fn short_timestamp(time_ms: i64) -> String {
    let text = timestamp(time_ms);
    text.strip_suffix(".000")
        .map_or_else(|| text.trim_end_matches('0'), |whole| whole)
        .to_owned()
}

/// A line that nobody can decode; its number makes it the only one of its kind.
fn spoiled(row: &Row, random: &mut Random) -> Vec<u8> {
    let good = row.logged();
    match random.below(4) {
        0 => good.as_bytes()[..good.len() - 2].to_vec(),
        1 => good
            // A column that every statement reads: what nobody reads is not decoded.
            .replace("\"bytes\":", "\"bytes\":\"many\",\"were\":")
            .into_bytes(),
        2 => format!("GET {} {} - not JSON at all", row.path, row.id).into_bytes(),
        _ => {
            let mut bytes = good.into_bytes();
            bytes.truncate(bytes.len() - 1);
            bytes.extend_from_slice(b",\"x\":\"\xff\xfe\"}");
            bytes
        }
    }
}

/// A time as SQL writes it with three digits of a second.
fn timestamp(time_ms: i64) -> String {
    let (days, of_day) = (
        time_ms.div_euclid(86_400_000),
        time_ms.rem_euclid(86_400_000),
    );
    // Years that begin in March end with the day that only some of them have.
    let from_era = days + 719_468;
    let (era, day_of_era) = (from_era.div_euclid(146_097), from_era.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (time_ms, expected) in [
            (0, "1970-01-01 00:00:00.000"),
            (FIRST_MS, "2024-03-01 00:00:00.000"),
            (FIRST_MS - 1, "2024-02-29 23:59:59.999"),
            (951_782_400_000, "2000-02-29 00:00:00.000"),
            (4_102_444_799_123, "2099-12-31 23:59:59.123"),
        ] {
            assert_eq!(timestamp(time_ms), expected);
        }
    }

    #[test]
    fn a_seed_repeats_its_lines_and_has_bad_ones_among_them() {
        let lines = |seed| Log::new(seed, 20_000).map(|line| line.bytes);
        assert!(lines(7).eq(lines(7)));
        assert!(!lines(7).eq(lines(8)));
        let bad: Vec<_> = Log::new(7, 20_000)
            .filter(|line| line.row.is_none())
            .map(|line| line.bytes)
            .collect();
        assert!((5..60).contains(&bad.len()), "{}", bad.len());
        let mut apart = bad.clone();
        apart.sort();
        apart.dedup();
        assert_eq!(apart.len(), bad.len());
    }

    #[test]
    fn no_row_lies_further_behind_than_the_bound() {
        let mut reached = i64::MIN;
        for row in Log::new(3, 20_000).filter_map(|line| line.row) {
            reached = reached.max(row.time_ms);
            assert!(row.time_ms > reached - DISORDER_MS_MAX - STEP_MS);
        }
    }
}
