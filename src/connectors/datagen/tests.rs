//! The generator as the runtime uses it: rows by number, rates, restarts.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit};
use futures::FutureExt;
use serde_json::Value;

use crate::connectors::testing::{job, table};
use crate::connectors::{OptionError, source};
use crate::formats::RowText;
use crate::runtime::{SourceEvent, SourceFactory, Split};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("price", DataType::Int32, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("share", DataType::Float64, true),
        Field::new("amount", DataType::Decimal128(10, 2), true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("raw", DataType::Binary, true),
        Field::new("day", DataType::Date32, true),
    ]))
}

fn factory(options: &[(&str, &str)]) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    source("datagen", &table(&schema(), options), &job())
}

const COUNTED: [(&str, &str); 8] = [
    ("rows-per-second", "-1"),
    ("start-time", "2020-01-01 00:00:00"),
    ("fields.id.kind", "sequence"),
    ("fields.id.start", "1"),
    ("fields.id.end", "1000"),
    ("fields.price.min", "5"),
    ("fields.price.max", "9"),
    ("fields.name.length", "8"),
];

async fn splits(factory: &dyn SourceFactory) -> Vec<Split> {
    let discovery = factory.enumerator().discover(&[]).await.unwrap();
    assert!(discovery.complete);
    let again = factory
        .enumerator()
        .discover(&discovery.found)
        .await
        .unwrap();
    assert!(again.found.is_empty());
    discovery.found
}

fn lines(records: &RecordBatch) -> Vec<String> {
    let text = RowText::new(records);
    let line = |row| {
        let mut out = Vec::new();
        for column in 0..text.num_columns() {
            text.write(row, column, &mut out);
            out.push(b'|');
        }
        String::from_utf8(out).unwrap()
    };
    (0..records.num_rows()).map(line).collect()
}

/// All rows of these splits from these positions on, by their sequence number;
/// and the positions on the way.
async fn read(
    factory: &dyn SourceFactory,
    splits: &[(Split, Option<Value>)],
) -> (BTreeMap<i64, String>, Vec<(String, Value)>) {
    let mut reader = factory.reader(&schema()).unwrap();
    for (split, position) in splits {
        reader.add_split(split, position.as_ref()).await.unwrap();
    }
    let (mut rows, mut positions, mut finished) = (BTreeMap::new(), Vec::new(), 0);
    while finished < splits.len() {
        match reader.next().await.unwrap() {
            SourceEvent::Rows {
                split,
                records,
                position,
                ..
            } => {
                let ids = records
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec();
                for (id, line) in ids.into_iter().zip(lines(&records)) {
                    assert!(rows.insert(id, line).is_none(), "row {id} twice");
                }
                positions.push((split, position));
            }
            SourceEvent::Finished { .. } => finished += 1,
            SourceEvent::Watermark { .. }
            | SourceEvent::AtEnd { .. }
            | SourceEvent::NotAtEnd { .. }
            | SourceEvent::Held => {
                panic!("a generator has no end for now")
            }
        }
    }
    (rows, positions)
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

#[test]
fn a_row_depends_on_its_number_alone() {
    run(async {
        let mut all = Vec::new();
        for count in ["1", "3", "8"] {
            let options = [&COUNTED[..], &[("splits", count)]].concat();
            let factory = factory(&options).unwrap();
            assert!(factory.bounded() && factory.trusts_event_time());
            let found = splits(factory.as_ref()).await;
            let fresh: Vec<_> = found.into_iter().map(|split| (split, None)).collect();
            all.push(read(factory.as_ref(), &fresh).await.0);
        }
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
        assert_eq!(
            all[0].keys().copied().collect::<Vec<_>>(),
            (1..=1000).collect::<Vec<_>>()
        );
        let distinct: std::collections::BTreeSet<_> = all[0].values().collect();
        assert_eq!(distinct.len(), 1000);
    });
}

#[test]
fn a_restart_makes_the_same_rows() {
    run(async {
        let factory =
            factory(&[&COUNTED[..], &[("splits", "2"), ("fields.id.end", "40000")]].concat()[..])
                .unwrap();
        let found = splits(factory.as_ref()).await;
        let fresh: Vec<_> = found.iter().map(|split| (split.clone(), None)).collect();
        let (whole, positions) = read(factory.as_ref(), &fresh).await;
        assert!(positions.len() > 2);
        let (split, position) = &positions[1];
        let split = found.iter().find(|found| found.id == *split).unwrap();
        let (rest, _) = read(factory.as_ref(), &[(split.clone(), Some(position.clone()))]).await;
        let (own, _) = read(factory.as_ref(), &[(split.clone(), None)]).await;
        let made = position["next"].as_u64().unwrap();
        assert!(0 < made && made < own.len() as u64 && own.len() < whole.len());
        let left = own.into_iter().skip(made.try_into().unwrap());
        let expected: BTreeMap<_, _> = left.collect();
        assert_eq!(rest, expected);
    });
}

#[test]
fn values_stay_within_their_bounds() {
    run(async {
        let options = [
            &COUNTED[..],
            &[
                ("fields.price.null-rate", "0.5"),
                ("fields.name.var-len", "true"),
                ("fields.share.min", "-1"),
                ("fields.share.max", "1"),
                ("fields.amount.min", "0.50"),
                ("fields.amount.max", "2"),
                ("fields.raw.length", "3"),
                ("fields.at.max-past", "10 s"),
                ("splits", "1"),
            ],
        ]
        .concat();
        let factory = factory(&options).unwrap();
        let found = splits(factory.as_ref()).await;
        let mut reader = factory.reader(&schema()).unwrap();
        reader.add_split(&found[0], None).await.unwrap();
        let SourceEvent::Rows { records, .. } = reader.next().await.unwrap() else {
            panic!("rows come first");
        };
        assert_eq!(records.num_rows(), 1000);
        let prices = records.column(1).as_primitive::<Int32Type>();
        assert!(
            (300..700).contains(&prices.null_count()),
            "{} nulls",
            prices.null_count()
        );
        let mut seen: Vec<_> = prices.iter().flatten().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [5, 6, 7, 8, 9]);
        let lengths: Vec<_> = records
            .column(2)
            .as_string::<i32>()
            .iter()
            .map(|s| s.unwrap().len())
            .collect();
        assert_eq!(
            (lengths.iter().min(), lengths.iter().max()),
            (Some(&1), Some(&8))
        );
        for line in lines(&records) {
            let cells: Vec<_> = line.split('|').collect();
            assert!(
                ("2019-12-31 23:59:50"..="2020-01-01 00:00:00.1").contains(&cells[3]),
                "{line}"
            );
            assert!(
                (-1.0..=1.0).contains(&cells[4].parse::<f64>().unwrap()),
                "{line}"
            );
            assert!(
                (0.5..=2.0).contains(&cells[5].parse::<f64>().unwrap()),
                "{line}"
            );
            assert_eq!(cells[7].len(), 4, "three bytes as base64: {line}");
        }
    });
}

#[test]
fn only_the_columns_that_are_read_are_made() {
    run(async {
        let factory = factory(&COUNTED).unwrap();
        let found = splits(factory.as_ref()).await;
        let price = Arc::new(schema().project(&[1]).unwrap());
        let nothing = Arc::new(Schema::empty());
        for schema in [price, nothing] {
            let mut reader = factory.reader(&schema).unwrap();
            reader.add_split(&found[0], None).await.unwrap();
            let SourceEvent::Rows { records, .. } = reader.next().await.unwrap() else {
                panic!("rows come first");
            };
            assert_eq!(
                (records.num_rows(), records.num_columns()),
                (1000, schema.fields().len())
            );
        }
    });
}

#[test]
fn the_rate_holds_rows_back() {
    run(async {
        let factory = factory(&[("rows-per-second", "1"), ("splits", "1")]).unwrap();
        assert!(!factory.bounded());
        let found = splits(factory.as_ref()).await;
        let mut reader = factory.reader(&schema()).unwrap();
        reader.add_split(&found[0], None).await.unwrap();
        assert!(
            reader.next().now_or_never().is_none(),
            "the first row is due in a second"
        );
        let fast = self::factory(&[("rows-per-second", "100000"), ("splits", "1")]).unwrap();
        let mut reader = fast.reader(&schema()).unwrap();
        reader
            .add_split(&splits(fast.as_ref()).await[0], None)
            .await
            .unwrap();
        let started = std::time::Instant::now();
        let mut rows = 0;
        while rows < 10_000 {
            if let SourceEvent::Rows { records, .. } = reader.next().await.unwrap() {
                rows += records.num_rows();
            }
        }
        assert!(
            started.elapsed().as_millis() >= 90,
            "10000 rows at 100000 a second take 100 ms"
        );
    });
}

/// With eight splits the first eight rows at one a second once came after eight seconds.
#[test]
fn splits_take_turns_at_a_rate() {
    run(async {
        let factory = factory(&[("rows-per-second", "4"), ("splits", "8")]).unwrap();
        let mut reader = factory.reader(&schema()).unwrap();
        for split in splits(factory.as_ref()).await {
            reader.add_split(&split, None).await.unwrap();
        }
        for place in ["0", "1"] {
            let event = reader.next().await.unwrap();
            let SourceEvent::Rows { split, records, .. } = event else {
                panic!("no rows: {event:?}");
            };
            assert_eq!((split.as_str(), records.num_rows()), (place, 1));
            assert!(
                reader.next().now_or_never().is_none(),
                "the next row is due a quarter of a second later"
            );
        }
    });
}

#[test]
fn wrong_options_are_named() {
    for (options, expected) in [
        (
            &[("rows-per-second", "0")][..],
            "option 'rows-per-second': must be 1 or more, or -1 for no limit",
        ),
        (
            &[("splits", "0")],
            "option 'splits': must be between 1 and 1024",
        ),
        (
            &[("start-time", "now")],
            "option 'start-time': 'now' has not the form '2020-01-01 00:00:00'",
        ),
        (
            &[("fields.price.min", "9"), ("fields.price.max", "5")],
            "option 'fields.price.max': 5 is less than the minimum 9",
        ),
        (
            &[("fields.price.min", "2147483648")],
            "option 'fields.price.min': '2147483648' is no INT",
        ),
        (
            &[("fields.prize.min", "1")],
            "unknown option 'fields.prize.min'; did you mean 'fields.price.min'?",
        ),
        (
            &[("fields.id.null-rate", "0.1")],
            "option 'fields.id.null-rate': the column is NOT NULL",
        ),
        (
            &[
                ("fields.flag.kind", "sequence"),
                ("fields.flag.start", "1"),
                ("fields.flag.end", "2"),
            ],
            "option 'fields.flag.kind': there are no sequences of BOOLEAN",
        ),
        (
            &[("fields.id.kind", "sequence"), ("fields.id.start", "1")],
            "option 'fields.id.end' is required for a sequence",
        ),
        (
            &[("fields.id.length", "5")],
            "unknown option 'fields.id.length'; did you mean 'fields.raw.length'?",
        ),
    ] {
        let errors = factory(options).err().unwrap();
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert!(messages.contains(&expected), "{messages:?}");
    }
}
