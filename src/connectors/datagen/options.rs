//! The options of the generator, checked.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;

use super::field::FieldGenerator;
use crate::formats::{self, OptionError, Options};

/// What a table generates.
#[derive(Clone, Debug)]
pub(super) struct DatagenOptions {
    /// `None` makes rows as fast as they are taken.
    pub rows_per_second: Option<u64>,
    /// `None` never ends.
    pub rows: Option<u64>,
    pub splits: u64,
    /// When row 0 happens, in milliseconds since 1970; `None` is the first start.
    pub start_millis: Option<i64>,
    /// The generator of each column by its name.
    pub fields: HashMap<String, FieldGenerator>,
}

impl DatagenOptions {
    /// The options of a table with these columns.
    pub(super) fn new(mut options: Options, schema: &SchemaRef) -> Result<Self, Vec<OptionError>> {
        let rate = options
            .parsed::<i64>("rows-per-second", "a whole number")
            .unwrap_or(10_000);
        let rows_per_second = match rate {
            -1 => None,
            1.. => u64::try_from(rate).ok(),
            _ => {
                options.reject("rows-per-second", "must be 1 or more, or -1 for no limit");
                None
            }
        };
        let mut rows = options.parsed::<u64>("number-of-rows", "a whole number");
        let seed = options.parsed::<u64>("seed", "a whole number").unwrap_or(0);
        let splits = options
            .parsed::<u64>("splits", "a whole number")
            .unwrap_or(8);
        if !(1..=1_024).contains(&splits) {
            options.reject("splits", "must be between 1 and 1024");
        }
        let start_millis = start_time(&mut options);
        options.refuse("scan.parallelism", "use 'splits'");
        formats::check_types(&mut options, schema);
        let mut fields = HashMap::new();
        for (place, field) in schema.fields().iter().enumerate() {
            let salt = seed.wrapping_add(place as u64 + 1);
            let generator = FieldGenerator::new(field, salt, &mut options);
            // The shortest sequence ends the source, as in Flink.
            rows = rows.into_iter().chain(generator.rows()).min();
            fields.insert(field.name().clone(), generator);
        }
        options.finish()?;
        Ok(Self {
            rows_per_second,
            rows,
            splits,
            start_millis,
            fields,
        })
    }
}

fn start_time(options: &mut Options) -> Option<i64> {
    let text = options.text("start-time")?;
    let parsed = formats::parse_timestamp_millis(text);
    if parsed.is_none() {
        options.reject(
            "start-time",
            format!("'{text}' has not the form '2020-01-01 00:00:00'"),
        );
    }
    parsed
}
