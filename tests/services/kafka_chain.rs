//! Two jobs in a row: what one writes in transactions the other reads and puts in windows.

use std::time::Duration;

use crate::broker;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Workspace, wait_for};

/// From one checkpoint of the first job to the next, and how long a partition of the second
/// may seem to be at its end before it is taken for idle: shorter, so that it matters that
/// records of an open transaction are not the end.
const INTERVAL: &str = if cfg!(feature = "campaign") {
    "15 s"
} else {
    "3 s"
};
const IDLE_TIMEOUT: &str = if cfg!(feature = "campaign") {
    "10 s"
} else {
    "2 s"
};

/// How many times rows are written, and how many at a time.
const ROUNDS: u32 = if cfg!(feature = "campaign") { 120 } else { 30 };
const ROWS_PER_ROUND: u32 = 500;
const ROWS: u32 = ROUNDS * ROWS_PER_ROUND;
const PAUSE: Duration = Duration::from_millis(500);

#[test]
fn nothing_is_late_behind_a_job_with_long_transactions() {
    let brokers = broker::one();
    let topics = Topics::new(brokers);
    let middle = Topics {
        input: topics.input.clone(),
        copies: brokers.topic(2),
        windows: topics.windows.clone(),
    };
    let [first, second] = [Workspace::new(), Workspace::new()];
    first.write("first.sql", &copy(&topics.input, &middle.copies));
    let program = topics.program(brokers, false);
    let program = program
        .replace(&topics.input, &middle.copies)
        .replace("'1 h'", &format!("'{IDLE_TIMEOUT}'"));
    second.write("second.sql", &program);
    // It first finds partitions without records, and then some of an open transaction. One task
    // reads both, one after the other.
    let second = second.start(&["--workers", "1", "second.sql"]);
    second.wait_until_ready();
    let running = [first.start(&["--workers", "1", "first.sql"]), second];
    for round in 0..ROUNDS {
        topics.write_in_order(
            brokers,
            round * ROWS_PER_ROUND..(round + 1) * ROWS_PER_ROUND,
        );
        std::thread::park_timeout(PAUSE);
    }
    topics.close_in_order(brokers);
    wait_for(Duration::from_mins(2), "all rows have come through", || {
        let written = |topic: &str| brokers.committed(topic).len();
        written(&topics.copies) >= ROWS as usize && written(&topics.windows) >= windows(ROWS).len()
    });
    for one in running {
        let late = one.get("/metrics").1;
        let late = late
            .lines()
            .filter(|line| line.starts_with("thalweg_task_late_records"));
        for line in late {
            assert!(line.ends_with(" 0"), "{line}");
        }
        assert_eq!(one.terminate().status, 0);
    }
    topics.check(brokers, ROWS).unwrap();
}

/// What copies a topic whole, in long transactions.
fn copy(from: &str, to: &str) -> String {
    let servers = &broker::one().addresses;
    let table = |name: &str, topic: &str, options: &str| {
        format!(
            "CREATE TABLE {name} (n BIGINT, host STRING, `at` TIMESTAMP(3))
               WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
                     'properties.bootstrap.servers' = '{servers}', {options});"
        )
    };
    format!(
        "SET 'execution.checkpointing.interval' = '{INTERVAL}'; {} {} INSERT INTO middle SELECT * FROM input;",
        table("input", from, "'scan.startup.mode' = 'earliest-offset'"),
        table("middle", to, "'sink.partitioner' = 'round-robin'"),
    )
}
