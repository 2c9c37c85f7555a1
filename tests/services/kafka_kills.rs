//! Kafka to Kafka under `kill -9`: nothing lost, nothing doubled, nothing wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::{self, Brokers};
use crate::process::{Running, Workspace, wait_until};

const KILLS: u32 = 10;
/// Rows that are written between two kills.
const ROWS_PER_LIFE: u32 = 30_000;
const ROWS: u32 = (KILLS + 1) * ROWS_PER_LIFE;
const HOSTS: u32 = 97;
const PARTITIONS: u32 = 3;
/// Milliseconds of event time between two rows.
const STEP_MS: u32 = 7;
const WINDOW_MS: u32 = 10_000;

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

/// What the program must have written: windows by start and host.
fn windows() -> BTreeMap<(u32, String), u32> {
    let mut windows = BTreeMap::new();
    for n in 0..ROWS {
        let start = n * STEP_MS / WINDOW_MS * WINDOW_MS;
        *windows.entry((start, format!("h{}", host(n)))).or_default() += 1;
    }
    windows
}

struct Topics {
    input: String,
    copies: String,
    windows: String,
}

impl Topics {
    fn new(brokers: &Brokers) -> Self {
        Self {
            input: brokers.topic(3),
            copies: brokers.topic(2),
            windows: brokers.topic(2),
        }
    }

    /// Writes rows, spread over the partitions.
    fn write(&self, brokers: &Brokers, rows: std::ops::Range<u32>) {
        for partition in 0..PARTITIONS {
            let rows = rows.clone().filter(|n| n % PARTITIONS == partition);
            let number = i32::try_from(partition).unwrap();
            brokers.write(&self.input, number, rows.map(record));
        }
    }

    /// Writes a row into each partition behind which every window is closed.
    fn close(&self, brokers: &Brokers) {
        for partition in 0..PARTITIONS {
            let number = i32::try_from(partition).unwrap();
            let row = r#"{"n":-1,"host":"last","at":"2026-01-01 23:59:59"}"#;
            brokers.write(&self.input, number, [row.to_owned()]);
        }
    }

    fn program(&self, brokers: &Brokers) -> String {
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
            ", 'scan.startup.mode' = 'earliest-offset'",
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

    /// Compares what readers of committed records see with the oracle.
    fn check(&self, brokers: &Brokers) {
        let mut copies: Vec<u32> = Vec::new();
        for one in brokers.committed(&self.copies) {
            let value: serde_json::Value = serde_json::from_str(&one.value).unwrap();
            copies.push(u32::try_from(value["n"].as_u64().unwrap()).unwrap());
        }
        copies.sort_unstable();
        let doubled = copies.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(doubled, 0, "rows were written twice, of {}", copies.len());
        assert_eq!(copies.len(), ROWS as usize, "rows were lost");

        let mut found = BTreeMap::new();
        for one in brokers.committed(&self.windows) {
            let value: serde_json::Value = serde_json::from_str(&one.value).unwrap();
            let at = value["start_at"].as_str().unwrap();
            let [hours, minutes, seconds] = [11..13, 14..16, 17..19].map(|range| {
                let part: u32 = at[range].parse().unwrap();
                part
            });
            let start = ((hours * 60 + minutes) * 60 + seconds) * 1_000;
            let host = value["host"].as_str().unwrap().to_owned();
            let hits = u32::try_from(value["hits"].as_u64().unwrap()).unwrap();
            let before = found.insert((start, host), hits);
            assert_eq!(before, None, "a window was emitted twice: {}", one.value);
        }
        let expected = windows();
        let wrong = found
            .iter()
            .filter(|(key, hits)| expected.get(*key) != Some(hits));
        let wrong: Vec<_> = wrong
            .map(|(key, hits)| (key, hits, expected.get(key)))
            .collect();
        let few = &wrong[..wrong.len().min(5)];
        assert!(
            wrong.is_empty(),
            "{} windows are wrong: {few:?}",
            wrong.len()
        );
        assert_eq!(found.len(), expected.len(), "windows were lost");
    }
}

/// The last checkpoint that a running job has decided; `None` if it has ended.
fn last_checkpoint(running: &Running) -> Option<u64> {
    let (_, metrics) = running.try_get("/metrics")?;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("thalweg_checkpoint_last_id"));
    let last = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    Some(last.unwrap_or(0))
}

/// The next random number (xorshift).
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn ten_random_kills_leave_every_row_once() {
    let brokers = broker::one();
    let topics = Topics::new(brokers);
    let workspace = Workspace::new();
    workspace.write("job.sql", &topics.program(brokers));
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let arguments = ["--workers", "2", "job.sql"];
    let mut decided = 0;
    for kill in 0..KILLS {
        topics.write(brokers, kill * ROWS_PER_LIFE..(kill + 1) * ROWS_PER_LIFE);
        let running = workspace.start(&arguments);
        // It must have got on since the last kill, and then be hit at any moment.
        let checkpoint = decided + 1 + random(&mut seed) % 2;
        wait_until("a checkpoint is decided", || {
            last_checkpoint(&running).is_none_or(|last| last >= checkpoint)
        });
        std::thread::park_timeout(Duration::from_millis(random(&mut seed) % 300));
        let last = last_checkpoint(&running);
        let ended = running.kill();
        decided = last.unwrap_or_else(|| panic!("it ended before kill {kill}: {}", ended.stderr));
    }
    topics.write(brokers, KILLS * ROWS_PER_LIFE..ROWS);
    topics.close(brokers);
    let running = workspace.start(&arguments);
    let is_written = |topic: &str, rows: usize| brokers.committed(topic).len() >= rows;
    wait_until("all rows are written", || {
        is_written(&topics.copies, ROWS as usize) && is_written(&topics.windows, windows().len())
    });
    assert_eq!(running.terminate().status, 0);
    topics.check(brokers);
}
