//! Tables whose records are changes, or what keys have come to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::broker::{self, Seen};
use crate::process::Workspace;

const CHANGES: u32 = 20_000;
const IDS: u32 = 700;

/// Changes in files.
const FILES: &str = "CREATE TABLE changes (id BIGINT, price BIGINT, name STRING)
    WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'debezium-json');";

/// Debezium's record of a change, for some rows of a table that it keeps.
fn change(n: u32, rows: &mut BTreeMap<u32, Value>) -> String {
    let id = n.wrapping_mul(2_654_435_761) % IDS;
    let row = json!({ "id": id, "price": n, "name": format!("n{n}") });
    let (op, before, after) = match rows.remove(&id) {
        None => ("c", Value::Null, row),
        Some(old) if n.is_multiple_of(5) => ("d", old, Value::Null),
        Some(old) => ("u", old, row),
    };
    if !after.is_null() {
        rows.insert(id, after.clone());
    }
    json!({ "before": before, "after": after, "op": op }).to_string()
}

fn table(columns: &str, topic: &str, options: &str) -> String {
    let servers = &broker::one().addresses;
    // Fetches are small, so that it takes several checkpoints on any machine.
    format!(
        "({columns}) WITH ('topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
         'scan.bounded.mode' = 'latest-offset', 'properties.queued.min.messages' = '1',
         'properties.max.partition.fetch.bytes' = '4096', {options});"
    )
}

fn view(topic: &str) -> String {
    table(
        "k_id BIGINT, price BIGINT NOT NULL, name STRING, PRIMARY KEY (k_id) NOT ENFORCED",
        topic,
        "'connector' = 'upsert-kafka', 'key.format' = 'json', 'key.fields-prefix' = 'k_',
         'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY'",
    )
}

/// Runs a program to its end; it is killed twice.
fn run(workspace: &Workspace) {
    let arguments = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "2",
        "job.sql",
    ];
    for (hit, expected) in [
        ("AfterDecided:kill:3", -1),
        ("BeforePrepare:kill:2", -1),
        ("", 0),
    ] {
        let variables: &[(&str, &str)] = match hit {
            "" => &[],
            hit => &[("THALWEG_FAILPOINT", hit)],
        };
        let ended = workspace.run_with_variables(&arguments, variables);
        assert_eq!(ended.status, expected, "{hit}: {}", ended.stderr);
    }
}

/// What a reader who keeps the last record of each key has in the end.
fn compacted(seen: &[Seen]) -> BTreeMap<u32, Value> {
    let mut rows = BTreeMap::new();
    let mut partitions = BTreeMap::new();
    for one in seen {
        let key: Value = serde_json::from_str(one.key.as_deref().expect("a key")).expect("JSON");
        let id = u32::try_from(key["id"].as_u64().expect("a number")).expect("a small number");
        assert_eq!(key, json!({ "id": id }));
        let partition = *partitions.entry(id).or_insert(one.partition);
        assert_eq!(partition, one.partition, "a key has one partition");
        if one.value.is_empty() {
            assert!(
                rows.remove(&id).is_some(),
                "{id} is deleted, and was not there"
            );
        } else {
            let mut row: Value = serde_json::from_str(&one.value).expect("JSON");
            row["id"] = json!(id);
            rows.insert(id, row);
        }
    }
    rows
}

/// The rows that are left of changes as Flink writes them for Debezium.
fn left(lines: &[String]) -> BTreeMap<u32, Value> {
    let mut balance = BTreeMap::<String, i64>::new();
    for line in lines {
        let change: Value = serde_json::from_str(line).expect("JSON");
        let (row, count) = match change["op"].as_str() {
            Some("c") => (&change["after"], 1),
            Some("d") => (&change["before"], -1),
            other => panic!("{other:?} in {line}"),
        };
        *balance.entry(row.to_string()).or_default() += count;
    }
    balance.retain(|_, count| *count != 0);
    let rows = balance.into_iter().map(|(row, count)| {
        assert_eq!(count, 1, "{row}");
        let row: Value = serde_json::from_str(&row).expect("JSON");
        let id = u32::try_from(row["id"].as_u64().expect("a number"));
        (id.expect("a small number"), row)
    });
    rows.collect()
}

/// Changes become a table by key, and that becomes changes again; both jobs are killed, and
/// nothing is lost, doubled or out of order.
#[test]
fn changes_become_a_table_and_changes_again() {
    let brokers = broker::one();
    let (orders, prices) = (brokers.topic(1), brokers.topic(3));
    let mut rows = BTreeMap::new();
    let records: Vec<_> = (0..CHANGES).map(|n| change(n, &mut rows)).collect();
    brokers.write(&orders, 0, records);

    let to_table = Workspace::new();
    let source = table(
        "id BIGINT, price BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED",
        &orders,
        "'connector' = 'kafka', 'scan.startup.mode' = 'earliest-offset', 'format' = 'debezium-json'",
    );
    let view = view(&prices);
    to_table.write(
        "job.sql",
        &format!(
            "SET 'execution.checkpointing.interval' = '50 ms';
             CREATE TABLE orders {source} CREATE TABLE prices {view}
             INSERT INTO prices SELECT id, price, name FROM orders;"
        ),
    );
    run(&to_table);
    let seen = brokers.committed(&prices);
    assert!(compacted(&seen) == rows, "the rows of the last changes");
    assert_eq!(seen.len(), CHANGES as usize, "a record for each change");

    let to_changes = Workspace::new();
    to_changes.write(
        "job.sql",
        &format!(
            "SET 'execution.checkpointing.interval' = '50 ms';
             CREATE TABLE prices {view} {FILES}
             INSERT INTO changes SELECT k_id, price, name FROM prices;"
        ),
    );
    run(&to_changes);
    assert!(
        left(&to_changes.lines("out")) == rows,
        "the rows that are left"
    );
}

/// A record that says nothing of a key is a dead letter; the others are read.
#[test]
fn a_record_without_a_key_is_a_dead_letter() {
    let brokers = broker::one();
    let topic = brokers.topic(1);
    brokers.write(&topic, 0, [r#"{"price":1,"name":"a"}"#.to_owned()]);
    let workspace = Workspace::new();
    let view = view(&topic);
    workspace.write(
        "job.sql",
        &format!(
            "CREATE TABLE prices {view} {FILES}
             INSERT INTO changes SELECT k_id, price, name FROM prices;"
        ),
    );
    let ended = workspace.run(&["run", "--listen", "127.0.0.1:0", "job.sql"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(workspace.lines("out"), [] as [&str; 0]);
    let letters = workspace.run(&["dead-letters", "list"]);
    let why = "the record has no key, so that nobody knows which row it is";
    assert!(letters.stdout.contains(why), "{letters:?}");
}
