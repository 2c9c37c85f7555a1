//! A job between Kafka topics, and what it must have written.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::broker::Brokers;

const HOSTS: u32 = 97;
const PARTITIONS: u32 = 3;
/// Milliseconds of event time between two rows.
const STEP_MS: u32 = 7;
const WINDOW_MS: u32 = 10_000;
/// A row that is no row of the job and later than all of them.
const CLOSING: &str = r#"{"n":-1,"host":"last","at":"2026-01-01 23:59:59"}"#;

/// The row with this number.
fn record(n: u32) -> String {
    let at = n * STEP_MS;
    let (seconds, millis) = (at / 1_000, at % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{{\"n\":{n},\"host\":\"h{}\",\"at\":\"2026-01-01 {hours:02}:{minutes:02}:{seconds:02}.{millis:03}\"}}",
        host(n)
    )
}

fn host(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761) % HOSTS
}

/// What the program must have written of so many rows: windows by start and host.
pub fn windows(rows: u32) -> BTreeMap<(u32, String), u32> {
    let mut windows = BTreeMap::new();
    for n in 0..rows {
        let start = n * STEP_MS / WINDOW_MS * WINDOW_MS;
        *windows.entry((start, format!("h{}", host(n)))).or_default() += 1;
    }
    windows
}

/// The topics of one job.
pub struct Topics {
    pub input: String,
    pub copies: String,
    pub windows: String,
}

impl Topics {
    /// Topics that no other job has.
    pub fn new(brokers: &Brokers) -> Self {
        Self {
            input: brokers.topic(3),
            copies: brokers.topic(2),
            windows: brokers.topic(2),
        }
    }

    /// Writes rows, spread over the partitions.
    pub fn write(&self, brokers: &Brokers, rows: Range<u32>) {
        for partition in 0..PARTITIONS {
            let rows = rows.clone().filter(|n| n % PARTITIONS == partition);
            let number = i32::try_from(partition).expect("few partitions");
            brokers.write(&self.input, number, rows.map(record));
        }
    }

    /// Writes rows into the first partition, so that all of them are in order.
    pub fn write_in_order(&self, brokers: &Brokers, rows: Range<u32>) {
        brokers.write(&self.input, 0, rows.map(record));
    }

    /// Writes rows behind which every window is closed, enough for two partitions.
    pub fn close_in_order(&self, brokers: &Brokers) {
        brokers.write(&self.input, 0, [CLOSING.to_owned(), CLOSING.to_owned()]);
    }

    /// Writes a row into each partition behind which every window is closed.
    pub fn close(&self, brokers: &Brokers) {
        for partition in 0..PARTITIONS {
            let number = i32::try_from(partition).expect("few partitions");
            brokers.write(&self.input, number, [CLOSING.to_owned()]);
        }
    }

    /// The job. It reads on for ever, or what is there now.
    pub fn program(&self, brokers: &Brokers, bounded: bool) -> String {
        let table = |columns: &str, topic: &str, options: &str| {
            format!(
                "({columns}) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json', \
                 'properties.bootstrap.servers' = '{}' {options});",
                brokers.addresses
            )
        };
        let input = table(
            "n BIGINT, host STRING, `at` TIMESTAMP(3), \
             WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND",
            &self.input,
            if bounded {
                // Fetches are small, so that it takes several checkpoints on any machine.
                ", 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', \
                 'properties.max.partition.fetch.bytes' = '4096', \
                 'properties.queued.min.messages' = '1'"
            } else {
                // A partition that was idle for long would be overtaken by the others.
                ", 'scan.startup.mode' = 'earliest-offset', 'scan.idle-timeout' = '1 h'"
            },
        );
        let copies = table("n BIGINT", &self.copies, "");
        let windows = table(
            "start_at TIMESTAMP(3), host STRING, hits BIGINT",
            &self.windows,
            "",
        );
        format!(
            "SET 'execution.checkpointing.interval' = '100 ms';
             SET 'restart-strategy.type' = 'none';
             CREATE TABLE input {input}
             CREATE TABLE copies {copies}
             CREATE TABLE windows {windows}
             EXECUTE STATEMENT SET BEGIN
               INSERT INTO copies SELECT n FROM input WHERE n >= 0;
               INSERT INTO windows
                 SELECT window_start, host, COUNT(*)
                 FROM TABLE(TUMBLE(TABLE input, DESCRIPTOR(`at`), INTERVAL '10' SECOND))
                 GROUP BY window_start, window_end, host;
             END;"
        )
    }

    /// Compares what readers of committed records see with what `rows` rows must give.
    ///
    /// # Errors
    /// What is lost, doubled or wrong.
    pub fn check(&self, brokers: &Brokers, rows: u32) -> Result<(), String> {
        let mut copies: Vec<u32> = Vec::new();
        for one in brokers.committed(&self.copies) {
            copies.push(u32::try_from(number(&one.value, "n")).expect("a small number"));
        }
        copies.sort_unstable();
        let doubled = copies.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let mut distinct = copies.clone();
        distinct.dedup();
        if doubled > 0 || distinct.len() != rows as usize {
            let lost = rows as usize - distinct.len();
            return Err(format!("rows: {lost} lost, {doubled} doubled of {rows}"));
        }
        self.check_windows(brokers, rows)
    }

    fn check_windows(&self, brokers: &Brokers, rows: u32) -> Result<(), String> {
        let mut found = BTreeMap::new();
        for one in brokers.committed(&self.windows) {
            let value: serde_json::Value = serde_json::from_str(&one.value).expect("JSON");
            let start = millis(value["start_at"].as_str().expect("a time"));
            let host = value["host"].as_str().expect("a host").to_owned();
            let hits = u32::try_from(number(&one.value, "hits")).expect("a small number");
            if found.insert((start, host), hits).is_some() {
                return Err(format!("a window was emitted twice: {}", one.value));
            }
        }
        let expected = windows(rows);
        let wrong = found
            .iter()
            .filter(|(key, hits)| expected.get(*key) != Some(hits));
        let wrong: Vec<_> = wrong
            .map(|(key, hits)| (key, hits, expected.get(key)))
            .collect();
        if !wrong.is_empty() {
            let few = &wrong[..wrong.len().min(5)];
            return Err(format!("{} windows are wrong: {few:?}", wrong.len()));
        }
        match expected.len() - found.len() {
            0 => Ok(()),
            lost => Err(format!("{lost} windows were lost")),
        }
    }
}

fn number(record: &str, field: &str) -> u64 {
    let value: serde_json::Value = serde_json::from_str(record).expect("JSON");
    value[field].as_u64().expect("a number")
}

/// Milliseconds since midnight of a time such as `2026-01-01 00:12:30.000`.
fn millis(at: &str) -> u32 {
    let [hours, minutes, seconds] = [11..13, 14..16, 17..19].map(|range| {
        let part: u32 = at[range].parse().expect("digits");
        part
    });
    ((hours * 60 + minutes) * 60 + seconds) * 1_000
}
