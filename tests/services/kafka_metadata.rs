//! Metadata columns of topics.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::broker;
use crate::process::Workspace;

/// A minute of time, in milliseconds since 1970.
const MINUTE: i64 = 60_000;

/// Runs a program to its end.
fn run(program: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("program.sql", program);
    let ended = workspace.run(&["run", "--listen", "127.0.0.1:0", "program.sql"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    workspace
}

/// Runs a program that writes into the folder `out`, and returns what is there, sorted.
fn rows(program: &str) -> Vec<String> {
    let mut lines = run(program).lines("out");
    lines.sort();
    lines
}

/// A table over a topic that is read once, from its start to its end.
fn table(topic: &str, columns: &str) -> String {
    let servers = &broker::one().addresses;
    format!(
        "CREATE TABLE topic ({columns}) WITH ('connector' = 'kafka', 'topic' = '{topic}',
           'format' = 'json', 'properties.bootstrap.servers' = '{servers}',
           'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');"
    )
}

/// A table of files in the folder `out`.
fn files(columns: &str) -> String {
    format!(
        "CREATE TABLE files ({columns})
           WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json');"
    )
}

/// Writes values into partition 0 at times in milliseconds since 1970.
fn write(topic: &str, records: &[(i64, &str, Option<OwnedHeaders>)]) {
    write_keyed(topic, None, records);
}

/// The same with a key, which all of them have.
fn write_keyed(topic: &str, key: Option<&str>, records: &[(i64, &str, Option<OwnedHeaders>)]) {
    let producer: ThreadedProducer<DefaultProducerContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &broker::one().addresses)
        .create()
        .expect("a producer");
    for (millis, value, headers) in records {
        let mut record = BaseRecord::<str, str>::to(topic)
            .partition(0)
            .timestamp(*millis)
            .payload(value);
        record.key = key;
        record.headers.clone_from(headers);
        producer
            .send(record)
            .unwrap_or_else(|(error, _)| panic!("{error}"));
    }
    producer
        .flush(Duration::from_secs(30))
        .expect("written records");
}

#[test]
fn metadata_stays_with_its_row() {
    let topic = broker::one().topic(1);
    let header = |key, value: Option<&'static str>| Header { key, value };
    let twice = OwnedHeaders::new()
        .insert(header("a", Some("first")))
        .insert(header("b", None))
        .insert(header("a", Some("last")));
    write(
        &topic,
        &[
            (MINUTE, "{\"n\":0}", Some(twice)),
            (MINUTE, "no row", None),
            (2 * MINUTE, "{\"n\":2}", None),
        ],
    );
    let columns = "`offset` BIGINT NOT NULL METADATA VIRTUAL, n BIGINT,
        t STRING METADATA FROM 'topic', p INT METADATA FROM 'partition',
        at TIMESTAMP(3) METADATA FROM 'timestamp', kind STRING METADATA FROM 'timestamp-type',
        epoch INT METADATA FROM 'leader-epoch', headers MAP<STRING, BYTES> METADATA,
        next AS `offset` + 1";
    let program = table(&topic, columns)
        + &files(
            "n BIGINT, o BIGINT, x BIGINT, t STRING, p INT, at TIMESTAMP(3), kind STRING,
             epoch INT, a STRING, headers INT",
        )
        + "INSERT INTO files SELECT n, `offset`, next, t, p, at, kind, epoch,
             CAST(headers['a'] AS STRING), CARDINALITY(headers) FROM topic;";
    let row = |n: u32, at: &str, a: &str, headers: u32| {
        format!(
            "{{\"n\":{n},\"o\":{n},\"x\":{},\"t\":\"{topic}\",\"p\":0,\"at\":\"{at}\",\
             \"kind\":\"CreateTime\",\"epoch\":0,\"a\":{a},\"headers\":{headers}}}",
            n + 1
        )
    };
    assert_eq!(
        rows(&program),
        [
            row(0, "1970-01-01 00:01:00", "\"last\"", 2),
            row(2, "1970-01-01 00:02:00", "null", 0),
        ]
    );
    let program = table(&topic, columns)
        + &files("o BIGINT")
        + "INSERT INTO files SELECT `offset` FROM topic;";
    assert_eq!(rows(&program), ["{\"o\":0}", "{\"o\":2}"]);
}

#[test]
fn the_key_is_metadata_as_it_is() {
    let topic = broker::one().topic(1);
    write(&topic, &[(MINUTE, "{\"n\":0}", None)]);
    for (key, value) in [("k", "{\"n\":1}"), ("", "{\"n\":2}")] {
        write_keyed(&topic, Some(key), &[(MINUTE, value, None)]);
    }
    let program = table(&topic, "n BIGINT, `key` BYTES METADATA VIRTUAL")
        + &files("n BIGINT, k STRING")
        + "INSERT INTO files SELECT n, CAST(`key` AS STRING) FROM topic;";
    let expected = [
        "{\"n\":0,\"k\":null}",
        "{\"n\":1,\"k\":\"k\"}",
        "{\"n\":2,\"k\":\"\"}",
    ];
    assert_eq!(rows(&program), expected);
}

#[test]
fn the_time_of_metadata_closes_windows() {
    let topic = broker::one().topic(1);
    let value = "{\"n\":1}";
    let times = [0, 10_000, 59_999, 60_000, 61_000, 180_000];
    write(
        &topic,
        &times.map(|time| (1_000 * MINUTE + time, value, None)),
    );
    let program = table(
        &topic,
        "n BIGINT, ts TIMESTAMP(3) METADATA FROM 'timestamp',
         WATERMARK FOR ts AS ts - INTERVAL '5' SECOND",
    ) + &files("at TIMESTAMP(3), n BIGINT")
        + "INSERT INTO files SELECT window_start, SUM(n)
             FROM TABLE(TUMBLE(TABLE topic, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
             GROUP BY window_start, window_end;";
    assert_eq!(
        rows(&program),
        [
            "{\"at\":\"1970-01-01 16:40:00\",\"n\":3}",
            "{\"at\":\"1970-01-01 16:41:00\",\"n\":2}",
            "{\"at\":\"1970-01-01 16:43:00\",\"n\":1}",
        ]
    );
}

#[test]
fn metadata_is_written_and_read_again() {
    let brokers = broker::one();
    let (from, to) = (brokers.topic(1), brokers.topic(1));
    let header = OwnedHeaders::new().insert(Header {
        key: "a",
        value: Some("of the record"),
    });
    write(
        &from,
        &[
            (5 * MINUTE, "{\"n\":0,\"x\":\"plain\"}", Some(header)),
            (7 * MINUTE, "{\"n\":1,\"x\":\"without headers\"}", None),
            // The time that is computed of it cannot be written.
            (8 * MINUTE, "{\"n\":2,\"x\":\"too old\"}", None),
        ],
    );
    let columns = "n BIGINT, at TIMESTAMP(3) METADATA FROM 'timestamp',
        `offset` BIGINT METADATA VIRTUAL, x STRING, headers MAP<STRING, BYTES> METADATA";
    let copies = table(&to, columns).replace("CREATE TABLE topic", "CREATE TABLE copies");
    let program = table(&from, columns)
        + &copies
        + "INSERT INTO copies
             SELECT n, CASE WHEN n < 2 THEN at ELSE TIMESTAMP '1969-12-31 00:00:00' END, x, headers
             FROM topic;";
    run(&program);
    let program = table(&to, columns)
        + &files("o BIGINT, n BIGINT, at TIMESTAMP(3), x STRING, a STRING")
        + "INSERT INTO files SELECT `offset`, n, at, x, CAST(headers['a'] AS STRING) FROM topic;";
    assert_eq!(
        rows(&program),
        [
            "{\"o\":0,\"n\":0,\"at\":\"1970-01-01 00:05:00\",\"x\":\"plain\",\"a\":\"of the record\"}",
            "{\"o\":1,\"n\":1,\"at\":\"1970-01-01 00:07:00\",\"x\":\"without headers\",\"a\":null}",
        ]
    );
}
