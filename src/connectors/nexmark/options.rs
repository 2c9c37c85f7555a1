//! The options of the table, and its columns, checked.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::columns::columns_of;
use super::events::{data_type_of, kind_of};
use super::model::{Kind, Model};
use crate::connectors::generated::{self, Schedule};
use crate::formats::{OptionError, Options, sql_name};

/// The columns of a table of all events.
const ALL_EVENTS: [&str; 4] = ["event_type", "person", "auction", "bid"];

/// What a table generates.
pub(super) struct NexmarkOptions {
    pub schedule: Schedule,
    pub model: Arc<Model>,
    /// The only kind of event; `None` is all of them.
    pub only: Option<Kind>,
}

impl NexmarkOptions {
    /// The options of a table with these columns.
    pub(super) fn new(mut options: Options, schema: &SchemaRef) -> Result<Self, Vec<OptionError>> {
        let rate = count(&mut options, "next-event.rate", 10_000, 1);
        if count(&mut options, "first-event.rate", rate, 1) != rate {
            options.reject("first-event.rate", "must be that of 'next-event.rate'");
        }
        let limited = options.boolean("rate.limited", false);
        let rows = options.parsed("events.num", "a whole number");
        let model = Model {
            persons: count(&mut options, "person.proportion", 1, 1),
            auctions: count(&mut options, "auction.proportion", 3, 1),
            bids: count(&mut options, "bid.proportion", 46, 0),
            hot_auctions: count(&mut options, "bid.hot-ratio.auctions", 2, 1),
            hot_bidders: count(&mut options, "bid.hot-ratio.bidders", 4, 1),
            hot_sellers: count(&mut options, "auction.hot-ratio.sellers", 4, 1),
            person_bytes: options.memory("person.avg-size").unwrap_or(200),
            auction_bytes: options.memory("auction.avg-size").unwrap_or(500),
            bid_bytes: options.memory("bid.avg-size").unwrap_or(100),
            events_per_second: rate,
            seed: options.parsed("seed", "a whole number").unwrap_or(0),
        };
        let kinds = [
            ("all", None),
            ("person", Some(Kind::Person)),
            ("auction", Some(Kind::Auction)),
            ("bid", Some(Kind::Bid)),
        ];
        let only = options.choice("event", &kinds, None);
        let schedule = Schedule {
            rows_per_second: limited.then_some(rate),
            rows_per_event_second: rate,
            // As in the suite, none is without end.
            rows: rows.filter(|&rows| rows > 0),
            splits: generated::splits(&mut options),
            start_millis: generated::start_time(&mut options),
        };
        for option in ["rate.shape", "rate.period"] {
            options.refuse(option, "the rate does not change");
        }
        options.refuse("max-emit-speed", "use 'rate.limited'");
        options.refuse("keep-alive", "leave 'events.num' out");
        options.refuse("stop-at", "use 'events.num'");
        check_columns(&mut options, only, schema);
        options.finish()?;
        Ok(Self {
            schedule,
            model: Arc::new(model),
            only,
        })
    }
}

/// A number that is `least` or more. It is below a thousand million, so that
/// products of a few fit into 64 bits.
fn count(options: &mut Options, key: &str, default: u64, least: u64) -> u64 {
    const GREATEST: u64 = 1_000_000_000;
    match options.parsed(key, "a whole number") {
        Some(number) if !(least..=GREATEST).contains(&number) => {
            options.reject(key, format!("must be between {least} and {GREATEST}"));
            default
        }
        given => given.unwrap_or(default),
    }
}

fn check_columns(options: &mut Options, only: Option<Kind>, schema: &SchemaRef) {
    for field in schema.fields() {
        let name = field.name().as_str();
        let wrong = match (only, kind_of(name), field.data_type()) {
            (Some(kind), ..) => check_column(kind, field, ""),
            (None, None, DataType::Int32) if name == "event_type" => None,
            (None, Some(kind), DataType::Struct(fields)) => {
                let prefix = format!("{name}.");
                fields
                    .iter()
                    .find_map(|field| check_column(kind, field, &prefix))
            }
            _ if ALL_EVENTS.contains(&name) => Some(format!(
                "column '{name}' is of type {}; 'event_type' is INT, 'person', 'auction' and \
                 'bid' are ROW",
                sql_name(field.data_type())
            )),
            _ => Some(format!(
                "there is no column '{name}' of all events; there are {}. With 'event' = \
                 'bid' the columns are those of a bid",
                ALL_EVENTS.join(", ")
            )),
        };
        if let Some(wrong) = wrong {
            options.reject_table(wrong);
        }
    }
}

/// What is wrong with a column of an event of this kind.
fn check_column(kind: Kind, field: &Field, prefix: &str) -> Option<String> {
    let name = field.name();
    let columns = columns_of(kind);
    let Some(column) = columns.iter().find(|column| column.name == name) else {
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        return Some(format!(
            "there is no column '{prefix}{name}'; there are {}",
            names.join(", ")
        ));
    };
    let made = data_type_of(column.make);
    (field.data_type() != &made).then(|| {
        format!(
            "column '{prefix}{name}' is of type {}, it is made as {}",
            sql_name(field.data_type()),
            sql_name(&made)
        )
    })
}
