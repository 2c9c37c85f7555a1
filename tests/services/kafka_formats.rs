//! Topics of Avro, Protobuf and JSON whose schemas are in a real registry.
//!
//! What is read here was written by other implementations (`scripts/format-goldens`), and
//! what is written is compared with theirs byte by byte.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::json;

use crate::broker;
use crate::process::{Ended, Workspace};
use crate::registry::{self, Registry};

const AVRO: &str = include_str!("../../src/formats/golden/avro.tsv");
const PROTOBUF: &str = include_str!("../../src/formats/golden/protobuf.tsv");
const PROTO3: &str = include_str!("../../src/formats/golden/proto3.proto");

/// Schema and record of a golden line.
fn golden<'a>(lines: &'a str, name: &str) -> (&'a str, Vec<u8>) {
    let mut lines = lines.lines().map(|line| line.split('\t'));
    let mut found = lines
        .find(|line| line.clone().next() == Some(name))
        .expect("a golden line");
    let (schema, digits) = (
        found.nth(1).expect("a schema"),
        found.next().expect("a record"),
    );
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("a byte");
    (schema, (0..digits.len()).step_by(2).map(byte).collect())
}

/// A record in Confluent's wire format.
fn with_id(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), body].concat()
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &broker::one().addresses);
    config
}

/// Writes records without keys into partition 0; `None` is a tombstone.
fn write(topic: &str, values: &[Option<Vec<u8>>]) {
    let producer: ThreadedProducer<DefaultProducerContext> = config().create().expect("a producer");
    for value in values {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(0);
        record.payload = value.as_deref();
        let sent = producer.send(record);
        sent.unwrap_or_else(|(error, _)| panic!("{error}"));
    }
    producer
        .flush(Duration::from_secs(30))
        .expect("written records");
}

type Bytes = Option<Vec<u8>>;

/// Keys and values of the first `count` committed records of partition 0.
fn read(topic: &str, count: usize) -> Vec<(Bytes, Bytes)> {
    let mut config = config();
    config
        .set("group.id", "verifier")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)
        .expect("an offset");
    consumer.assign(&list).expect("an assignment");
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut seen = Vec::new();
    while seen.len() < count {
        assert!(Instant::now() < deadline, "{topic} has only {seen:02x?}");
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.expect("a record");
            seen.push((
                message.key().map(<[u8]>::to_vec),
                message.payload().map(<[u8]>::to_vec),
            ));
        }
    }
    seen
}

/// A table over a topic that is read once, from its start to its end.
fn table(name: &str, topic: &str, columns: &str, registry: &Registry, options: &str) -> String {
    let servers = &broker::one().addresses;
    let options = options.replace("REGISTRY", &registry.address);
    format!(
        "CREATE TABLE {name} ({columns}) WITH ('connector' = 'kafka', 'topic' = '{topic}',
           'properties.bootstrap.servers' = '{servers}', 'scan.startup.mode' = 'earliest-offset',
           'scan.bounded.mode' = 'latest-offset', {options});\n"
    )
}

const AVRO_CONFLUENT: &str = "'format' = 'avro-confluent', 'avro-confluent.url' = 'REGISTRY'";

/// A table of files in the folder `out`.
fn files(columns: &str) -> String {
    format!(
        "CREATE TABLE files ({columns})
           WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json');\n"
    )
}

fn run(workspace: &Workspace, program: &str) -> Ended {
    workspace.write("program.sql", program);
    let set = "execution.checkpointing.interval=100 ms";
    workspace.run(&[
        "run",
        "--listen",
        "127.0.0.1:0",
        "--set",
        set,
        "program.sql",
    ])
}

fn succeed(program: &str) -> Workspace {
    let workspace = Workspace::new();
    let ended = run(&workspace, program);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    workspace
}

fn dead_letters(workspace: &Workspace) -> Vec<String> {
    let listed = workspace.run(&["dead-letters", "list"]);
    assert_eq!(listed.status, 0, "{}", listed.stderr);
    listed.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn records_are_read_by_the_schema_that_each_was_written_with() {
    let (registry, topic) = (registry::one(), broker::one().topic(1));
    let subject = format!("{topic}-value");
    let register = |fields: &str| {
        let schema = format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#);
        registry.register(&subject, "AVRO", &schema, &json!([]))
    };
    let old = register(r#"{"name":"n","type":"int"},{"name":"gone","type":"string"}"#);
    let new = register(
        r#"{"name":"more","type":{"type":"array","items":"long"}},{"name":"n","type":"long"},
           {"name":"s","type":["null","string"]}"#,
    );
    let wrong = register(r#"{"name":"n","type":"string"}"#);
    let other = registry.register(
        &topic,
        "PROTOBUF",
        "syntax = \"proto3\"; message A {}",
        &json!([]),
    );
    write(
        &topic,
        &[
            Some(with_id(old, &[2, 2, b'x'])),
            Some(with_id(new, &[4, 1, 1, 0, 4, 2, 4, b'h', b'i'])),
            Some(with_id(4_711, &[2])),
            Some(b"{\"n\":1}".to_vec()),
            None,
            Some(with_id(wrong, &[2, b'7'])),
            Some(with_id(other, &[0])),
            Some(with_id(old, &[6, 2])),
            Some(with_id(old, &[6, 0])),
        ],
    );
    let program = table(
        "topic",
        &topic,
        "n BIGINT, s STRING",
        registry,
        AVRO_CONFLUENT,
    ) + &files("n BIGINT, s STRING")
        + "INSERT INTO files SELECT n, s FROM topic;";
    let workspace = succeed(&program);
    assert_eq!(
        workspace.lines("out"),
        [
            r#"{"n":1,"s":null}"#,
            r#"{"n":2,"s":"hi"}"#,
            r#"{"n":3,"s":null}"#,
        ]
    );
    let letters = dead_letters(&workspace);
    let expected = [
        ("2", "the registry has no schema with id 4711".to_owned()),
        (
            "3",
            "has no schema id: it begins with [7b, 22, 6e, 22, 3a] instead of a zero byte and four of an id"
                .to_owned(),
        ),
        (
            "5",
            format!("the schema with id {wrong} cannot be read by: column 'n': the writer has string for BIGINT"),
        ),
        ("6", format!("the schema with id {other} is PROTOBUF, not AVRO")),
        (
            "7",
            "does not fit the schema it was written with: it ends in the middle of a value".to_owned(),
        ),
    ];
    assert_eq!(letters.len(), expected.len(), "{letters:#?}");
    for (letter, (offset, reason)) in letters.iter().zip(expected) {
        let is_it = letter.contains(&format!(":{offset} ")) && letter.ends_with(&reason);
        assert!(is_it, "{letter} is not {offset}: {reason}");
    }
}

/// From format to format and back, with keys; at the end stand the bytes of the beginning.
#[test]
fn rows_go_through_every_format_and_come_back_unchanged() {
    const COLUMNS: &str = "flag BOOLEAN, i INT, l BIGINT, f FLOAT, d DOUBLE, b BYTES, s STRING,
        e STRING, ms TIMESTAMP(3), us TIMESTAMP(6), `row` ROW<n INT, s STRING>, list ARRAY<BIGINT>,
        map MAP<STRING, ROW<n INT, s STRING>>, `any` BIGINT";
    let (registry, brokers) = (registry::one(), broker::one());
    let topics = [(); 4].map(|()| brokers.topic(1));
    let [first, second, third, last] = topics.each_ref().map(String::as_str);
    // Protobuf has no nulls in arrays, so the golden record gets another array.
    let (schema, record) = golden(AVRO, "every type");
    let (array, others) = (&[6, 2, 2, 0, 2, 1, 0][..], &[2, 2, 2, 0][..]);
    let at = record
        .windows(array.len())
        .position(|part| part == array)
        .expect("the array");
    let record = [&record[..at], others, &record[at + array.len()..]].concat();
    let schema: serde_json::Value = serde_json::from_str(schema).expect("a schema");
    let is_read = |name: &str| {
        COLUMNS
            .replace('`', "")
            .split_whitespace()
            .any(|word| word == name)
    };
    // What no column is made of has to be written too at the end: by default values.
    let mut written = schema.clone();
    let mut rest = json!({"x": "\u{1}\u{2}\u{3}\u{4}", "day": -1, "tms": 45_296_789, "tus": 86_399_999_999_i64,
        "lms": 1_580_472_000_123_i64, "lus": 1_580_472_000_123_456_i64, "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "dec": "\u{f8}\u{a4}\u{32}\u{eb}", "fdec": "\u{0}\u{d}\u{b4}\u{da}\u{5f}\u{49}\u{f8}\u{b4}\u{78}"});
    for field in written["fields"].as_array_mut().expect("fields") {
        let name = field["name"].as_str().expect("a name").to_owned();
        if !is_read(&name) {
            field["default"] = rest[&name].take();
        }
    }
    let id = registry.register(
        &format!("{first}-value"),
        "AVRO",
        &schema.to_string(),
        &json!([]),
    );
    write(first, &[Some(with_id(id, &record))]);

    let copy = |from: (&str, &str), to: (&str, &str)| {
        let program = table("a", from.0, COLUMNS, registry, from.1)
            + &table("b", to.0, COLUMNS, registry, to.1)
            + "INSERT INTO b SELECT * FROM a;";
        succeed(&program);
    };
    let with_key =
        "'value.format' = 'protobuf-confluent', 'value.protobuf-confluent.url' = 'REGISTRY',
         'value.protobuf-confluent.message-name' = 'shop.Order',
         'key.format' = 'avro-confluent', 'key.avro-confluent.url' = 'REGISTRY', 'key.fields' = 'l;s'";
    copy((first, AVRO_CONFLUENT), (second, with_key));
    let as_json = "'format' = 'json-registry', 'json-registry.url' = 'REGISTRY'";
    copy((second, with_key), (third, as_json));
    let as_it_was = format!("{AVRO_CONFLUENT}, 'avro-confluent.schema' = '{written}'");
    copy((third, as_json), (last, &as_it_was));

    // The key is a record of its own.
    let key = registry.latest(&format!("{second}-key"));
    let key_id = u32::try_from(key["id"].as_u64().expect("an id")).expect("a small id");
    let [(Some(key), Some(value))] = &read(second, 1)[..] else {
        panic!("a record with a key");
    };
    let expected = [
        &[
            2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 8,
        ][..],
        "näh".as_bytes(),
    ];
    assert_eq!(*key, with_id(key_id, &expected.concat()));
    let protobuf = registry.latest(&format!("{second}-value"));
    assert_eq!(protobuf["schemaType"], "PROTOBUF");
    let proto = protobuf["schema"].as_str().expect("a schema");
    assert!(
        proto.contains("package shop;") && proto.contains("message Order {"),
        "{proto}"
    );
    let protobuf_id = u32::try_from(protobuf["id"].as_u64().expect("an id")).expect("a small id");
    // The first message of its file, and the first field: flag.
    assert!(
        value.starts_with(&with_id(protobuf_id, &[0, 0x08, 1])),
        "{value:02x?}"
    );

    let json_schema = registry.latest(&format!("{third}-value"));
    assert_eq!(json_schema["schemaType"], "JSON");
    let [(None, Some(text))] = &read(third, 1)[..] else {
        panic!("a record without a key");
    };
    let text: serde_json::Value = serde_json::from_slice(&text[5..]).expect("JSON");
    assert_eq!((&text["s"], &text["list"]), (&json!("näh"), &json!([1])));

    let last_id = registry.latest(&format!("{last}-value"))["id"]
        .as_u64()
        .expect("an id");
    let last_id = u32::try_from(last_id).expect("a small id");
    assert_eq!(read(last, 1), [(None, Some(with_id(last_id, &record)))]);
}

#[test]
fn protobuf_of_another_implementation_is_read_with_its_imports() {
    let (registry, topic) = (registry::one(), broker::one().topic(1));
    let (_, record) = golden(PROTOBUF, "proto3 every type");
    let golden_subject = format!("{topic}-golden");
    registry.register(&golden_subject, "PROTOBUF", PROTO3, &json!([]));
    let importing = "syntax = \"proto3\"; package o; import \"golden/every.proto\";
        message Other {} message Outer { message In { golden.Every every = 3; } }";
    let references =
        json!([{"name": "golden/every.proto", "subject": golden_subject, "version": 1}]);
    let id = registry.register(
        &format!("{topic}-value"),
        "PROTOBUF",
        importing,
        &references,
    );
    let length = u8::try_from(record.len() - 128).expect("two digits") | 0x80;
    let body = [
        &[4, 2, 0, 0x1a, length, 1 + u8::from(record.len() >= 256)][..],
        &record,
    ]
    .concat();
    write(
        &topic,
        &[Some(with_id(id, &body)), Some(with_id(id, &[2, 4]))],
    );
    let program = table(
        "topic",
        &topic,
        "every ROW<i64 BIGINT, s STRING, color STRING, numbers MAP<STRING, INT>, at TIMESTAMP(3)>",
        registry,
        "'format' = 'protobuf-confluent', 'protobuf-confluent.url' = 'REGISTRY'",
    ) + &files("i64 BIGINT, s STRING, color STRING, one INT, at TIMESTAMP(3)")
        + "INSERT INTO files SELECT every.i64, every.s, every.color, every.numbers['one'], every.at
             FROM topic;";
    let workspace = succeed(&program);
    assert_eq!(
        workspace.lines("out"),
        [
            r#"{"i64":-9223372036854775808,"s":"näh","color":"GREEN","one":1,"at":"2020-01-31 12:00:00.123"}"#
        ]
    );
    let letters = dead_letters(&workspace);
    assert!(
        letters.len() == 1 && letters[0].ends_with("its schema has no such message"),
        "{letters:?}"
    );
}

/// A registry that is away holds the source: nothing is lost, nothing is put aside, and
/// the job goes on when it is back.
#[test]
fn a_registry_that_cannot_be_reached_is_waited_for() {
    let (registry, topic) = (registry::one(), broker::one().topic(1));
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"n","type":"int"}]}"#;
    let id = registry.register(&format!("{topic}-value"), "AVRO", schema, &json!([]));
    write(&topic, &[Some(with_id(id, &[2])), Some(with_id(id, &[4]))]);
    let gate = registry.gate();
    let workspace = Workspace::new();
    let options = AVRO_CONFLUENT.replace("REGISTRY", &gate.address);
    let program = table("topic", &topic, "n BIGINT", registry, &options)
        + &files("n BIGINT")
        + "INSERT INTO files SELECT n FROM topic;";
    workspace.write("program.sql", &program);
    let start = || {
        workspace.start(&[
            "--set",
            "execution.checkpointing.interval=100 ms",
            "program.sql",
        ])
    };
    let running = start();
    // Who asks a second time has told that the first was in vain.
    gate.wait_for_a_refusal();
    gate.wait_for_a_refusal();
    // It can be stopped while it waits.
    let stopped = running.terminate();
    assert_eq!(stopped.status, 0, "{}", stopped.stderr);
    let waits = format!("cannot fetch the schema with id {id}");
    assert!(stopped.stderr.contains(&waits), "{}", stopped.stderr);
    assert!(!workspace.path("out").exists() || workspace.lines("out").is_empty());

    let running = start();
    gate.wait_for_a_refusal();
    gate.open();
    let ended = running.wait();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(workspace.lines("out"), [r#"{"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(dead_letters(&workspace), ["no dead letters"; 0]);
}

#[test]
fn a_schema_that_is_not_compatible_ends_the_job_with_the_reason() {
    let (registry, topic) = (registry::one(), broker::one().topic(1));
    let subject = format!("{topic}-value");
    let schema = r#"{"type":"record","name":"record","namespace":"org.apache.flink.avro.generated",
        "fields":[{"name":"n","type":"long"}]}"#;
    registry.register(&subject, "AVRO", schema, &json!([]));
    let rule = json!({"compatibility": "BACKWARD"});
    assert_eq!(
        registry
            .ask("PUT", &format!("/config/{subject}"), Some(&rule))
            .0,
        200
    );
    let program = |columns: &str, more: &str| {
        "CREATE TABLE one (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');\n"
            .to_owned()
            + &table(
                "topic",
                &topic,
                columns,
                registry,
                &format!("{AVRO_CONFLUENT}{more}"),
            )
            + "INSERT INTO topic SELECT n, 'x' FROM one;"
    };
    for (columns, more, expected) in [
        (
            "n BIGINT NOT NULL, s STRING NOT NULL",
            "",
            &[
                "answers with status 409: ",
                "declare the columns so that the schemas are compatible",
            ][..],
        ),
        (
            "n BIGINT NOT NULL, s STRING",
            ", 'avro-confluent.auto.register.schemas' = 'false'",
            &["has no such schema, and 'auto.register.schemas' is 'false'"],
        ),
    ] {
        let ended = run(&Workspace::new(), &program(columns, more));
        assert_eq!(ended.status, 1, "{}", ended.stderr);
        for text in expected {
            assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
        }
    }
    // What is compatible is registered, and found again.
    for more in ["", ", 'avro-confluent.auto.register.schemas' = 'false'"] {
        succeed(&program("n BIGINT NOT NULL, s STRING", more));
    }
    assert_eq!(registry.latest(&subject)["version"], 2);
    assert_eq!(read(&topic, 2).len(), 2);
}
