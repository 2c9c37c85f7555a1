//! What the clocks of a time zone show, and when they do.

use arrow::array::timezone::Tz;
use arrow::temporal_conversions::timestamp_s_to_datetime;

const SECONDS_PER_DAY: i64 = 86_400;

/// Whether there is a time zone of this name: one of the IANA's, or an offset such as `+02:00`.
pub fn is_time_zone(name: &str) -> bool {
    name.parse::<Tz>().is_ok()
}

/// The seconds since 1970 that a clock in `zone` shows at an instant.
pub fn local_seconds(instant: i64, zone: Tz) -> Option<i64> {
    let there = timestamp_s_to_datetime(instant)?
        .and_utc()
        .with_timezone(&zone);
    Some(there.naive_local().and_utc().timestamp())
}

/// The instant at which a clock in `zone` shows these seconds. Where it shows them twice the
/// first time counts; where it skips them, as much later as the clock was put forward. That
/// is what Java's `LocalDateTime.atZone` does.
pub fn instant_seconds(local: i64, zone: Tz) -> Option<i64> {
    let when = |local: i64| {
        let local = timestamp_s_to_datetime(local)?.and_local_timezone(zone);
        local.earliest().map(|there| there.timestamp())
    };
    // The day before a time that was skipped the old offset still held.
    when(local).or_else(|| Some(when(local - SECONDS_PER_DAY)? + SECONDS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_put_forward_and_back() {
        // 2024-03-31 02:00 CET became 03:00 CEST, 2024-10-27 03:00 CEST became 02:00 CET.
        for (zone, local, expected) in [
            (
                "Europe/Berlin",
                "2024-03-31 01:59:59",
                "2024-03-31 00:59:59",
            ),
            (
                "Europe/Berlin",
                "2024-03-31 02:30:00",
                "2024-03-31 01:30:00",
            ),
            (
                "Europe/Berlin",
                "2024-03-31 03:00:00",
                "2024-03-31 01:00:00",
            ),
            (
                "Europe/Berlin",
                "2024-10-27 02:30:00",
                "2024-10-27 00:30:00",
            ),
            (
                "Europe/Berlin",
                "2024-10-27 03:00:00",
                "2024-10-27 02:00:00",
            ),
            ("Asia/Kolkata", "1970-01-01 00:00:00", "1969-12-31 18:30:00"),
            ("+02:00", "2024-01-01 00:00:00", "2023-12-31 22:00:00"),
            // A day that the clocks of Samoa have skipped.
            ("Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 22:00:00"),
        ] {
            let seconds = |text: &str| {
                let millis = super::super::parse_timestamp_millis(text).unwrap();
                millis / 1_000
            };
            let zone_of: Tz = zone.parse().unwrap();
            let instant = instant_seconds(seconds(local), zone_of).unwrap();
            assert_eq!(instant, seconds(expected), "{local} in {zone}");
            let is_skipped = ["2024-03-31 02:30:00", "2011-12-30 12:00:00"].contains(&local);
            assert_eq!(
                local_seconds(instant, zone_of) == Some(seconds(local)),
                !is_skipped
            );
        }
    }
}
