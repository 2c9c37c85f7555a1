//! The options of the generator, checked.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;

use super::field::FieldGenerator;
use crate::connectors::generated::{self, Schedule};
use crate::formats::{self, OptionError, Options};

/// The rate by which the time of rows goes on if there is no limit.
const NOMINAL_ROWS_PER_SECOND: u64 = 10_000;

/// What a table generates.
#[derive(Clone, Debug)]
pub(super) struct DatagenOptions {
    pub schedule: Schedule,
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
        let splits = generated::splits(&mut options);
        let start_millis = generated::start_time(&mut options);
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
        let schedule = Schedule {
            rows_per_second,
            rows_per_event_second: rows_per_second.unwrap_or(NOMINAL_ROWS_PER_SECOND),
            rows,
            splits,
            start_millis,
        };
        Ok(Self { schedule, fields })
    }
}
