//! Random rows and sequences, for trying things out and for measuring.

use std::sync::Arc;

use super::generated::{GeneratedSource, RowMaker, SPLITS};
use super::{Descriptor, JobContext, OptionDefault, OptionDoc, OptionError, TableOptions};
use crate::formats::Options;
use crate::runtime::SourceFactory;

mod columns;
mod field;
mod options;
#[cfg(test)]
mod tests;

/// The source of `table`.
pub(super) fn source(
    table: &TableOptions,
    _job: &JobContext,
) -> Result<Arc<dyn SourceFactory>, Vec<OptionError>> {
    let options = options::DatagenOptions::new(Options::new(&table.options), &table.schema)?;
    let fields = options.fields;
    let columns =
        move |schema: &_| -> Box<dyn RowMaker> { Box::new(columns::Columns::new(schema, &fields)) };
    Ok(GeneratedSource::new(options.schedule, columns))
}

/// An option and its default, as the descriptor lists them.
const fn option(key: &'static str, default: OptionDefault, doc: &'static str) -> OptionDoc {
    OptionDoc { key, default, doc }
}

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "datagen",
    purpose: "Makes rows of random values and sequences, without any input.",
    source: Some("Exactly once: row n depends on n alone, so a restart makes the same rows again."),
    sink: None,
    options: &[
        option(
            "rows-per-second",
            OptionDefault::Value("10000"),
            "How many rows are made in a second; -1 makes them as fast as they are taken.",
        ),
        option(
            "number-of-rows",
            OptionDefault::Off,
            "How many rows are made in all; without it and without a sequence the source never ends.",
        ),
        option(
            "seed",
            OptionDefault::Value("0"),
            "Another number makes other random values.",
        ),
        SPLITS,
        option(
            "start-time",
            OptionDefault::Off,
            "The time of row 0, as '2020-01-01 00:00:00'; else the time of the first start. Later rows follow at the rate of 'rows-per-second'.",
        ),
        option(
            "fields.#.kind",
            OptionDefault::Value("random"),
            "For column #: 'random' or 'sequence'.",
        ),
        option(
            "fields.#.start",
            OptionDefault::Off,
            "The first value of a sequence.",
        ),
        option(
            "fields.#.end",
            OptionDefault::Off,
            "The last value of a sequence, which ends the source.",
        ),
        option(
            "fields.#.min",
            OptionDefault::Off,
            "The least random value; else the least of the type.",
        ),
        option(
            "fields.#.max",
            OptionDefault::Off,
            "The greatest random value; else the greatest of the type.",
        ),
        option(
            "fields.#.length",
            OptionDefault::Value("100"),
            "The length of a random STRING or BYTES.",
        ),
        option(
            "fields.#.var-len",
            OptionDefault::Value("false"),
            "Whether random lengths lie between 1 and 'length'.",
        ),
        option(
            "fields.#.max-past",
            OptionDefault::Value("0"),
            "How far at most a DATE, TIME or TIMESTAMP lies before the row's time.",
        ),
        option(
            "fields.#.null-rate",
            OptionDefault::Value("0"),
            "The share of NULLs, from 0 to 1.",
        ),
    ],
    metadata: &[],
    formats: &[],
    example: "CREATE TABLE orders (id BIGINT, price INT, at TIMESTAMP(3),\n  \
              WATERMARK FOR at AS at - INTERVAL '1' SECOND)\n\
              WITH ('connector' = 'datagen', 'rows-per-second' = '1000',\n      \
              'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '100000',\n      \
              'fields.price.min' = '1', 'fields.price.max' = '500');",
};
