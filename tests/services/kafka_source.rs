//! Reading topics.

use std::ops::Range;

use crate::broker;
use crate::process::{Workspace, wait_until};

/// A table of one column over a topic.
fn table(topic: &str, options: &str) -> String {
    let servers = &broker::one().addresses;
    format!(
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{topic}', \
         'format' = 'json', 'properties.bootstrap.servers' = '{servers}', {options});"
    )
}

const EARLIEST: &str = "'scan.startup.mode' = 'earliest-offset'";
const BOUNDED: &str =
    "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'";

/// What copies the table into the folder `out`.
const COPY: &str = "
CREATE TABLE copies (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json',
  'sink.rolling-policy.rollover-interval' = '100 ms');
INSERT INTO copies SELECT n FROM numbers;";

fn records(numbers: Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|n| format!("{{\"n\":{n}}}"))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn a_bounded_read_takes_every_record_of_every_partition_once() {
    let brokers = broker::one();
    let topic = brokers.topic(3);
    for partition in 0..3 {
        let from = 10_000 * u32::try_from(partition).unwrap();
        brokers.write(&topic, partition, records(from..from + 10_000));
    }
    for workers in ["1", "2"] {
        let workspace = Workspace::new();
        workspace.write("copy.sql", &(table(&topic, BOUNDED) + COPY));
        let ended = workspace.run(&[
            "run",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            workers,
            "copy.sql",
        ]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let expected = sorted(records(0..30_000).collect());
        assert!(
            sorted(workspace.lines("out")) == expected,
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_stopped_read_goes_on_where_it_was_and_finds_new_partitions() {
    let brokers = broker::one();
    let topic = brokers.topic(1);
    let discovery = "'scan.topic-partition-discovery.interval' = '100 ms'";
    let workspace = Workspace::new();
    let options = format!("{EARLIEST}, {discovery}");
    workspace.write("copy.sql", &(table(&topic, &options) + COPY));
    let arguments = [
        "--set",
        "execution.checkpointing.interval=100 ms",
        "copy.sql",
    ];
    let has = |rows: usize| {
        let out = workspace.path("out");
        out.exists() && workspace.lines("out").len() == rows
    };

    brokers.write(&topic, 0, records(0..1_000));
    let running = workspace.start(&arguments);
    wait_until("the first rows are there", || has(1_000));
    assert_eq!(running.terminate().status, 0);

    brokers.write(&topic, 0, records(1_000..2_000));
    let running = workspace.start(&arguments);
    wait_until("the rows that came meanwhile are there", || has(2_000));
    brokers.grow(&topic, 2);
    brokers.write(&topic, 1, records(2_000..3_000));
    wait_until("the rows of a new partition are there", || has(3_000));
    assert_eq!(running.terminate().status, 0);
    assert!(sorted(workspace.lines("out")) == sorted(records(0..3_000).collect()));
}

/// What a bounded read with these options takes.
fn read(topic: &str, options: &str) -> Vec<String> {
    let workspace = Workspace::new();
    workspace.write("copy.sql", &(table(topic, options) + COPY));
    let ended = workspace.run(&["run", "--listen", "127.0.0.1:0", "copy.sql"]);
    assert_eq!(ended.status, 0, "{options}: {}", ended.stderr);
    sorted(workspace.lines("out"))
}

/// Kafka's tools compare what a group has committed with the end of the log, where there
/// are marks of transactions, too.
#[test]
fn a_group_is_told_how_far_its_job_has_come() {
    let brokers = broker::one();
    let (topic, group) = (brokers.topic(1), "watched");
    let options = format!("{EARLIEST}, 'properties.group.id' = '{group}'");
    let workspace = Workspace::new();
    workspace.write("copy.sql", &(table(&topic, &options) + COPY));
    let is_told = || brokers.committed_offset(group, &topic) == Some(brokers.end(&topic));

    brokers.write_in_transaction(&topic, records(0..100), true);
    let running = workspace.start(&["copy.sql"]);
    wait_until("the group is at the end", is_told);
    brokers.write_in_transaction(&topic, records(100..200), false);
    wait_until("the group is behind what was aborted", is_told);
    brokers.write(&topic, 0, records(200..300));
    wait_until("the rows are there", || workspace.lines("out").len() == 200);
    assert_eq!(running.terminate().status, 0);
    assert!(is_told(), "the last checkpoint is told, too");

    // Another job may go on from there.
    brokers.write(&topic, 0, records(300..310));
    let options =
        format!("'properties.group.id' = '{group}', 'scan.bounded.mode' = 'latest-offset'");
    assert_eq!(read(&topic, &options), sorted(records(300..310).collect()));
}

#[test]
fn records_that_were_deleted_unread_end_the_job_unless_it_is_told_otherwise() {
    let brokers = broker::one();
    let topic = brokers.topic(1);
    let workspace = Workspace::new();
    let live = |options: &str| {
        workspace.write(
            "copy.sql",
            &(table(&topic, &format!("{EARLIEST}{options}")) + COPY),
        );
        workspace.start(&["copy.sql"])
    };
    let rows = |expected: Vec<String>| {
        let expected = sorted(expected);
        move |workspace: &Workspace| sorted(workspace.lines("out")) == expected
    };

    brokers.write(&topic, 0, records(0..100));
    let running = live("");
    let is_there = rows(records(0..100).collect());
    wait_until("the first rows are there", || is_there(&workspace));
    assert_eq!(running.terminate().status, 0);

    brokers.write(&topic, 0, records(100..200));
    brokers.delete_before(&topic, 150);
    let ended = live("").wait();
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let said = "they were deleted before they were read";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(
        is_there(&workspace),
        "nothing is written without being told"
    );

    let running = live(", 'scan.offset-out-of-range' = 'earliest'");
    let is_there = rows(records(0..100).chain(records(150..200)).collect());
    wait_until("the rest is there", || is_there(&workspace));
    let ended = running.terminate();
    assert_eq!(ended.status, 0);
    assert!(
        ended.stderr.contains("reading goes on with the oldest"),
        "{}",
        ended.stderr
    );

    brokers.write(&topic, 0, records(200..300));
    brokers.delete_before(&topic, 250);
    let mut running = live(", 'scan.offset-out-of-range' = 'latest'");
    running.wait_until_said("reading goes on with those that come");
    // Where "latest" is, is asked after that; rows come until some are in front of it.
    let next = std::cell::Cell::new(300);
    wait_until("rows that come are there", || {
        let row = next.replace(next.get() + 1);
        brokers.write(&topic, 0, records(row..row + 1));
        workspace.lines("out").len() > 150
    });
    assert_eq!(running.terminate().status, 0);
    let skipped = sorted(records(250..300).collect());
    assert!(
        workspace
            .lines("out")
            .iter()
            .all(|row| !skipped.contains(row))
    );
}

#[test]
fn a_read_begins_and_ends_where_it_is_told() {
    let brokers = broker::one();
    let topic = brokers.topic(1);
    brokers.write(&topic, 0, records(0..50));
    std::thread::park_timeout(std::time::Duration::from_millis(20));
    let middle = thalweg::clock::now().millis();
    std::thread::park_timeout(std::time::Duration::from_millis(20));
    brokers.write(&topic, 0, records(50..100));
    let end = "'scan.bounded.mode' = 'latest-offset'";
    let at = |what: &str| {
        format!("'scan.{what}.mode' = 'timestamp', 'scan.{what}.timestamp-millis' = '{middle}'")
    };
    let offset = |what: &str, offset: u32| {
        format!(
            "'scan.{what}.mode' = 'specific-offsets', \
             'scan.{what}.specific-offsets' = 'partition:0,offset:{offset}'"
        )
    };
    for (options, expected) in [
        (format!("{EARLIEST}, {end}"), 0..100),
        (
            format!("'scan.startup.mode' = 'latest-offset', {end}"),
            0..0,
        ),
        (format!("{}, {end}", at("startup")), 50..100),
        (format!("{EARLIEST}, {}", at("bounded")), 0..50),
        (format!("{}, {end}", offset("startup", 30)), 30..100),
        (
            format!("{}, {}", offset("startup", 30), offset("bounded", 60)),
            30..60,
        ),
        // A group that is not known yet.
        (
            format!(
                "'properties.group.id' = 'new', 'properties.auto.offset.reset' = 'earliest', {end}"
            ),
            0..100,
        ),
        (
            format!(
                "'properties.group.id' = 'new', 'properties.auto.offset.reset' = 'latest', {end}"
            ),
            0..0,
        ),
    ] {
        assert_eq!(
            read(&topic, &options),
            sorted(records(expected).collect()),
            "{options}"
        );
    }
}

/// A partition far ahead of another one waits for it, and then goes on where it was.
#[test]
fn partitions_are_kept_together_in_time() {
    let brokers = broker::one();
    let topic = brokers.topic(2);
    let servers = &brokers.addresses;
    let program = format!(
        "CREATE TABLE numbers (n BIGINT, at TIMESTAMP(3), WATERMARK FOR at AS at)
           WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
             'properties.bootstrap.servers' = '{servers}', {EARLIEST},
             'properties.max.partition.fetch.bytes' = '4096',
             'properties.queued.min.messages' = '1', 'scan.idle-timeout' = '1 h',
             'scan.watermark.alignment.max-drift' = '1000 s');{COPY}"
    );
    let workspace = Workspace::new();
    workspace.write("copy.sql", &program);
    // A second of time lies between two rows. The second partition begins as early as the
    // first, but has only the beginning of its rows.
    let write = |partition: i32, numbers: Range<u32>| {
        let from = 20_000 * u32::try_from(partition).expect("a small number");
        let rows = numbers.map(|n| format!("{{\"n\":{n},\"at\":\"{}\"}}", time_of(n - from)));
        brokers.write(&topic, partition, rows);
    };
    write(1, 20_000..21_000);
    let running = workspace.start(&["--workers", "1", "copy.sql"]);
    let metric = |name: &str| {
        let page = running.get("/metrics").1;
        let line = page.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        value.unwrap_or(0.0_f64)
    };
    let rows_read = || metric("thalweg_task_records_in_total{");
    wait_until("the slow one is read", || rows_read() >= 1_000.0);
    write(0, 0..20_000);
    wait_until("the other one waits", || {
        metric("thalweg_task_paused_splits{") > 0.0
    });
    // What was fetched ahead may still have come.
    assert!(rows_read() < 12_000.0, "{} rows were read", rows_read());
    write(1, 21_000..40_000);
    wait_until("all rows are there", || {
        workspace.lines("out").len() >= 40_000
    });
    assert_eq!(running.terminate().status, 0);
    let expected = sorted(records(0..40_000).collect());
    assert!(
        sorted(workspace.lines("out")) == expected,
        "rows are lost or doubled"
    );
}

/// So many seconds of the year as a time.
fn time_of(seconds: u32) -> String {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("2026-01-01 {hours:02}:{minutes:02}:{:02}.000", seconds % 60)
}
