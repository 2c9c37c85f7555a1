//! The model as a whole: what events there are, and that they do not depend on
//! how they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
};

use super::columns::columns_of;
use super::events::data_type_of;
use super::model::Kind;
use crate::connectors::source;
use crate::connectors::testing::{job, table};
use crate::runtime::{SourceEvent, SourceFactory};

const START: (&str, &str) = ("start-time", "2020-10-10 00:00:00");

fn fields_of(kind: Kind) -> Fields {
    let columns = columns_of(kind).iter();
    let fields = columns.map(|column| Field::new(column.name, data_type_of(column.make), true));
    fields.collect()
}

fn all_events() -> SchemaRef {
    let record = |name, kind| Field::new(name, DataType::Struct(fields_of(kind)), true);
    Arc::new(Schema::new(vec![
        Field::new("event_type", DataType::Int32, true),
        record("person", Kind::Person),
        record("auction", Kind::Auction),
        record("bid", Kind::Bid),
    ]))
}

fn factory(
    schema: &SchemaRef,
    options: &[(&str, &str)],
) -> Result<Arc<dyn SourceFactory>, Vec<String>> {
    source("nexmark", &table(schema, options), &job())
        .map_err(|errors| errors.into_iter().map(|error| error.message).collect())
}

/// All rows, split by split, of the columns `read`.
fn rows(factory: &dyn SourceFactory, read: &SchemaRef) -> RecordBatch {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let splits = factory.enumerator().discover(&[]).await.unwrap().found;
        let mut batches = Vec::new();
        for split in &splits {
            let mut reader = factory.reader(read).unwrap();
            reader.add_split(split, None).await.unwrap();
            while let SourceEvent::Rows { records, .. } = reader.next().await.unwrap() {
                batches.push(records);
            }
        }
        arrow::compute::concat_batches(read, &batches).unwrap()
    })
}

fn numbers(records: &RecordBatch, column: &str) -> Vec<i64> {
    let column = records.column_by_name(column).unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn events_come_in_their_proportions_and_name_each_other() {
    let factory = factory(&all_events(), &[START, ("events.num", "50000")]).unwrap();
    let records = rows(factory.as_ref(), &all_events());
    assert_eq!(records.num_rows(), 50_000);
    let types = records.column(0).as_primitive::<Int32Type>();
    for (event_type, column, expected) in [(0, 1, 1_000), (1, 2, 3_000), (2, 3, 46_000)] {
        let of_type = types.values().iter().filter(|&&is| is == event_type);
        assert_eq!(of_type.count(), expected);
        assert_eq!(records.column(column).null_count(), 50_000 - expected);
    }
    let kind = |column: &str| events_of(&records, column);
    let (persons, auctions, bids) = (kind("person"), kind("auction"), kind("bid"));
    assert_eq!(numbers(&persons, "id"), (1_000..2_000).collect::<Vec<_>>());
    assert_eq!(numbers(&auctions, "id"), (1_000..4_000).collect::<Vec<_>>());
    // Ids may run ahead of their events by a few.
    assert!(
        numbers(&bids, "auction")
            .iter()
            .all(|id| (1_000..4_010).contains(id))
    );
    assert!(
        numbers(&bids, "bidder")
            .iter()
            .all(|id| (1_000..2_010).contains(id))
    );
    assert!(
        numbers(&auctions, "seller")
            .iter()
            .all(|id| (1_000..2_010).contains(id))
    );

    let hot = |ids: Vec<i64>, rest: i64| {
        let hot = ids.iter().filter(|&id| id % 100 == rest).count();
        hot * 100 / ids.len()
    };
    let is_near = |percent: usize, expected: usize| percent.abs_diff(expected) < 3;
    assert!(is_near(hot(numbers(&bids, "auction"), 0), 50));
    assert!(is_near(hot(numbers(&bids, "bidder"), 1), 75));
    assert!(is_near(hot(numbers(&auctions, "seller"), 0), 75));

    let texts = |records: &RecordBatch, column: &str| -> Vec<String> {
        let column = records.column_by_name(column).unwrap().as_string::<i32>();
        column.iter().map(|text| text.unwrap().to_owned()).collect()
    };
    let cities: BTreeMap<_, _> = texts(&persons, "city")
        .into_iter()
        .zip(texts(&persons, "state"))
        .collect();
    assert_eq!((cities.len(), &*cities["Seattle"]), (10, "WA"));
    let channels = texts(&bids, "channel");
    let urls: BTreeMap<_, _> = channels.iter().zip(texts(&bids, "url")).collect();
    let distinct: BTreeSet<_> = urls.values().collect();
    assert_eq!(distinct.len(), urls.len(), "every channel has its address");
    let hot_channels = channels.iter().filter(|name| !name.starts_with("channel-"));
    assert!(is_near(hot_channels.count() / 460, 50));
}

#[test]
fn an_event_depends_on_its_number_alone() {
    let all = all_events();
    let bids: SchemaRef = Arc::new(Schema::new(fields_of(Kind::Bid)));
    let options = [START, ("events.num", "40000"), ("splits", "1")];
    let expected = rows(factory(&all, &options).unwrap().as_ref(), &all);
    for splits in ["3", "8"] {
        let options = [START, ("events.num", "40000"), ("splits", splits)];
        let found = rows(factory(&all, &options).unwrap().as_ref(), &all);
        assert_eq!(
            sorted_bids(&found),
            sorted_bids(&expected),
            "{splits} splits"
        );
    }
    // Alone, bids are the bids among all events.
    let options = [&options[..], &[("event", "bid")]].concat();
    let only_bids = rows(factory(&bids, &options).unwrap().as_ref(), &bids);
    assert_eq!(sorted(&only_bids), sorted_bids(&expected));
    // And a column does not depend on which others are read.
    let two = Arc::new(bids.project(&[5, 0]).unwrap());
    let some = rows(factory(&bids, &options).unwrap().as_ref(), &two);
    assert_eq!(some, only_bids.project(&[5, 0]).unwrap());
}

fn sorted_bids(all: &RecordBatch) -> Vec<String> {
    sorted(&events_of(all, "bid"))
}

/// The events that this column holds.
fn events_of(all: &RecordBatch, column: &str) -> RecordBatch {
    let events = all.column_by_name(column).unwrap();
    let is_there = arrow::compute::is_not_null(events).unwrap();
    let events = arrow::compute::filter(events, &is_there).unwrap();
    events.as_struct().clone().into()
}

fn sorted(records: &RecordBatch) -> Vec<String> {
    let row = |row| format!("{:?}", records.slice(row, 1).columns());
    let mut rows: Vec<_> = (0..records.num_rows()).map(row).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn time_goes_on_by_the_rate() {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    let schema = Arc::new(Schema::new(vec![Field::new("dateTime", time, true)]));
    let options = [
        START,
        ("events.num", "100"),
        ("event", "bid"),
        ("next-event.rate", "50"),
    ];
    let records = rows(factory(&schema, &options).unwrap().as_ref(), &schema);
    let times = records
        .column(0)
        .as_primitive::<arrow::datatypes::TimestampMillisecondType>();
    let start = 1_602_288_000_000;
    assert_eq!(
        times.value(0),
        start + 80,
        "the fifth event is the first bid"
    );
    assert_eq!(times.value(91), start + 99 * 20);
}

#[test]
fn wrong_columns_and_options_are_named() {
    let all = all_events();
    let bids: SchemaRef = Arc::new(Schema::new(fields_of(Kind::Bid)));
    let wrong: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("price", DataType::Utf8, true),
        Field::new("prize", DataType::Int64, true),
    ]));
    for (schema, options, expected) in [
        (
            &bids,
            &[][..],
            "there is no column 'bidder' of all events; there are event_type, person, auction, \
             bid. With 'event' = 'bid' the columns are those of a bid",
        ),
        (
            &wrong,
            &[("event", "bid")],
            "column 'price' is of type STRING, it is made as BIGINT",
        ),
        (
            &wrong,
            &[("event", "bid")],
            "there is no column 'prize'; there are auction, bidder, price, channel, url, \
             dateTime, extra",
        ),
        (
            &all,
            &[("next-event.rate", "0")],
            "option 'next-event.rate': must be between 1 and 1000000000",
        ),
        (
            &all,
            &[("first-event.rate", "5")],
            "option 'first-event.rate': must be that of 'next-event.rate'",
        ),
        (
            &all,
            &[("rate.shape", "SINE")],
            "option 'rate.shape': the rate does not change",
        ),
    ] {
        let errors = factory(schema, options).err().unwrap();
        assert!(errors.iter().any(|error| error == expected), "{errors:?}");
    }
}
