//! Functions of dates and times.

use super::Form::{Expand, Rewrite, Row, Zoned};
use super::Function;
use crate::sql::{overlaps, rewrite_times};

/// `FLOOR(… TO unit)` and `CEIL(… TO unit)`, called with the unit first.
pub(in crate::sql) const FLOOR_TO: &str = "$FLOOR_TO";
pub(in crate::sql) const CEIL_TO: &str = "$CEIL_TO";
/// `(a, b) OVERLAPS (c, d)`, called with all four.
pub(in crate::sql) const OVERLAPS: &str = "$OVERLAPS";

pub(super) static TABLE: &[Function] = &[
    Function(OVERLAPS, &["xxxx"], Expand(overlaps::overlaps)),
    Function("EXTRACT", &["st"], Expand(rewrite_times::extract)),
    Function(
        "YEAR",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("YEAR", arguments)),
    ),
    Function(
        "QUARTER",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("QUARTER", arguments)),
    ),
    Function(
        "MONTH",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("MONTH", arguments)),
    ),
    Function(
        "WEEK",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("WEEK", arguments)),
    ),
    Function(
        "DAYOFYEAR",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("DOY", arguments)),
    ),
    Function(
        "DAYOFMONTH",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("DAY", arguments)),
    ),
    Function(
        "DAYOFWEEK",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("DOW", arguments)),
    ),
    Function(
        "HOUR",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("HOUR", arguments)),
    ),
    Function(
        "MINUTE",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("MINUTE", arguments)),
    ),
    Function(
        "SECOND",
        &["t"],
        Rewrite(|arguments| rewrite_times::part("SECOND", arguments)),
    ),
    Function("PROCTIME", &[""], Zoned(rewrite_times::proctime)),
    Function(
        "DATE_FORMAT",
        &["ts", "ss"],
        Expand(rewrite_times::date_format),
    ),
    Function(
        "TO_TIMESTAMP",
        &["s", "ss"],
        Expand(rewrite_times::to_timestamp),
    ),
    Function("TO_DATE", &["s", "ss"], Expand(rewrite_times::to_date)),
    Function(
        "TIMESTAMPADD",
        &["siT"],
        Expand(rewrite_times::timestamp_add),
    ),
    Function(
        "TIMESTAMPDIFF",
        &["stt"],
        Expand(rewrite_times::timestamp_diff),
    ),
    Function(FLOOR_TO, &["sT"], Expand(rewrite_times::floor)),
    Function(CEIL_TO, &["sT"], Expand(rewrite_times::ceil)),
    Function("CONVERT_TZ", &["sss"], Row),
    Function(
        "UNIX_TIMESTAMP",
        &["", "s", "ss"],
        Zoned(rewrite_times::unix_timestamp),
    ),
    Function(
        "FROM_UNIXTIME",
        &["i", "is"],
        Zoned(rewrite_times::from_unixtime),
    ),
    Function(
        "CURRENT_TIMESTAMP",
        &[""],
        Zoned(rewrite_times::current_timestamp),
    ),
    Function(
        "CURRENT_ROW_TIMESTAMP",
        &[""],
        Zoned(rewrite_times::current_timestamp),
    ),
    Function("NOW", &[""], Zoned(rewrite_times::current_timestamp)),
    Function(
        "LOCALTIMESTAMP",
        &[""],
        Zoned(rewrite_times::local_timestamp),
    ),
    Function("LOCALTIME", &[""], Zoned(rewrite_times::local_time)),
    Function("CURRENT_TIME", &[""], Zoned(rewrite_times::local_time)),
    Function("CURRENT_DATE", &[""], Zoned(rewrite_times::current_date)),
    Function(
        "TO_TIMESTAMP_LTZ",
        &["i", "ii", "d", "di", "s", "ss", "sss"],
        Zoned(rewrite_times::to_timestamp_ltz),
    ),
];
