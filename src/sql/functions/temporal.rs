//! Functions of dates and times.

use super::Form::{Expand, Rewrite, Zoned};
use super::Function;
use crate::sql::rewrite;

pub(super) static TABLE: &[Function] = &[
    Function("EXTRACT", &["st"], Expand(rewrite::extract)),
    Function(
        "YEAR",
        &["t"],
        Rewrite(|arguments| rewrite::part("YEAR", arguments)),
    ),
    Function(
        "QUARTER",
        &["t"],
        Rewrite(|arguments| rewrite::part("QUARTER", arguments)),
    ),
    Function(
        "MONTH",
        &["t"],
        Rewrite(|arguments| rewrite::part("MONTH", arguments)),
    ),
    Function(
        "WEEK",
        &["t"],
        Rewrite(|arguments| rewrite::part("WEEK", arguments)),
    ),
    Function(
        "DAYOFYEAR",
        &["t"],
        Rewrite(|arguments| rewrite::part("DOY", arguments)),
    ),
    Function(
        "DAYOFMONTH",
        &["t"],
        Rewrite(|arguments| rewrite::part("DAY", arguments)),
    ),
    Function(
        "DAYOFWEEK",
        &["t"],
        Rewrite(|arguments| rewrite::part("DOW", arguments)),
    ),
    Function(
        "HOUR",
        &["t"],
        Rewrite(|arguments| rewrite::part("HOUR", arguments)),
    ),
    Function(
        "MINUTE",
        &["t"],
        Rewrite(|arguments| rewrite::part("MINUTE", arguments)),
    ),
    Function(
        "SECOND",
        &["t"],
        Rewrite(|arguments| rewrite::part("SECOND", arguments)),
    ),
    Function("DATE_FORMAT", &["ts"], Expand(rewrite::date_format)),
    Function("TO_TIMESTAMP", &["s"], Expand(rewrite::to_timestamp)),
    Function("TO_DATE", &["s"], Expand(rewrite::to_date)),
    Function("PROCTIME", &[""], Zoned(rewrite::proctime)),
];
