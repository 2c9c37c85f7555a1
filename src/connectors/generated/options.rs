//! The options that all generated tables have.

use crate::connectors::{OptionDefault, OptionDoc};
use crate::formats::{self, Options};

/// `'splits'`, for a descriptor.
pub(in crate::connectors) const SPLITS: OptionDoc = OptionDoc {
    key: "splits",
    default: OptionDefault::Value("8"),
    doc: "Into how many splits the rows are dealt; at most so many tasks make them.",
};

/// How many splits a table has.
pub(in crate::connectors) fn splits(options: &mut Options) -> u64 {
    let splits = options.parsed::<u64>("splits", "a whole number");
    let splits = splits.unwrap_or(8);
    if !(1..=1_024).contains(&splits) {
        options.reject("splits", "must be between 1 and 1024");
    }
    splits
}

/// The time of row 0, in milliseconds since 1970, if it is given.
pub(in crate::connectors) fn start_time(options: &mut Options) -> Option<i64> {
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
