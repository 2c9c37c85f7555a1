//! The events of the Nexmark suite: people who open auctions and bid in them.

use std::sync::Arc;

use super::generated::{GeneratedSource, RowMaker, SPLITS};
use super::{Descriptor, JobContext, OptionDefault, OptionDoc, OptionError, TableOptions};
use crate::formats::Options;
use crate::runtime::SourceFactory;

mod columns;
mod events;
mod model;
mod options;
#[cfg(test)]
mod tests;
mod text;

/// The source of `table`.
pub(super) fn source(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    let options = options::NexmarkOptions::new(Options::new(&table.options), &table.schema)?;
    let (model, only) = (options.model, options.only);
    let columns = move |schema: &_| -> Box<dyn RowMaker> {
        Box::new(events::Events::new(&model, only, schema))
    };
    Ok(GeneratedSource::new(options.schedule, columns))
}

/// An option and its default, as the descriptor lists them.
const fn option(key: &'static str, default: &'static str, doc: &'static str) -> OptionDoc {
    OptionDoc {
        key,
        default: OptionDefault::Value(default),
        doc,
    }
}

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "nexmark",
    purpose: "Makes the events of the Nexmark suite: persons, auctions and bids.",
    source: Some(
        "Exactly once: event n depends on n alone, so a restart makes the same events again.",
    ),
    sink: None,
    options: &[
        option(
            "event",
            "all",
            "'all': columns event_type (0, 1, 2), person, auction and bid, of which one is not NULL. 'person', 'auction', 'bid': only those events, with their own columns.",
        ),
        option(
            "events.num",
            "0",
            "How many events are made, those of other kinds than 'event' included; 0 never ends.",
        ),
        option(
            "next-event.rate",
            "10000",
            "By how many events the time in the events goes on by a second.",
        ),
        OptionDoc {
            key: "first-event.rate",
            default: OptionDefault::Off,
            doc: "As in the suite; it must be that of 'next-event.rate'.",
        },
        option(
            "rate.limited",
            "false",
            "Whether events come at that rate; else as fast as they are taken.",
        ),
        OptionDoc {
            key: "start-time",
            default: OptionDefault::Off,
            doc: "The time of event 0, as '2020-01-01 00:00:00'; else the time of the first start.",
        },
        option(
            "person.proportion",
            "1",
            "How many of a round of events are persons.",
        ),
        option(
            "auction.proportion",
            "3",
            "How many of a round of events are auctions.",
        ),
        option(
            "bid.proportion",
            "46",
            "How many of a round of events are bids.",
        ),
        option(
            "bid.hot-ratio.auctions",
            "2",
            "One in so many bids is not for a hot auction.",
        ),
        option(
            "bid.hot-ratio.bidders",
            "4",
            "One in so many bids is not by a hot bidder.",
        ),
        option(
            "auction.hot-ratio.sellers",
            "4",
            "One in so many auctions is not by a hot seller.",
        ),
        option("person.avg-size", "200b", "The mean size of a person."),
        option("auction.avg-size", "500b", "The mean size of an auction."),
        option(
            "bid.avg-size",
            "100b",
            "The mean size of a bid, as the suite counts it.",
        ),
        option("seed", "0", "Another number makes other events."),
        SPLITS,
    ],
    metadata: &[],
    formats: &[],
    example: "CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3),\n  \
              WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND)\n\
              WITH ('connector' = 'nexmark', 'event' = 'bid', 'events.num' = '1000000');",
};
