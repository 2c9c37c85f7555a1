//! The settings of aggregates that are never done.

use std::time::Duration;

use super::firing;
use crate::formats::Options;
use crate::operators::{Firing, MiniBatch};

/// How they are kept, and how their changes go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdatingSettings {
    /// `table.exec.state.ttl`: for how many milliseconds a key is kept to which nothing
    /// happens; `None`: for ever.
    pub time_to_live_ms: Option<i64>,
    /// `table.exec.mini-batch.*`: how long changes wait for others of the same keys; `None`:
    /// for the rest of their batch.
    pub mini_batch: Option<MiniBatch>,
    /// `table.exec.emit.*`: when windows are told, if not only once.
    pub firing: Option<Firing>,
}

impl UpdatingSettings {
    /// Reads the settings.
    pub fn read(options: &mut Options) -> Self {
        let time_to_live = options.duration("table.exec.state.ttl").unwrap_or_default();
        let millis = i64::try_from(time_to_live.as_millis()).unwrap_or(i64::MAX);
        Self {
            time_to_live_ms: (millis > 0).then_some(millis),
            mini_batch: mini_batch(options),
            firing: firing::read(options, time_to_live),
        }
    }
}

fn mini_batch(options: &mut Options) -> Option<MiniBatch> {
    let prefix = "table.exec.mini-batch";
    let switch = [("true", true), ("false", false)];
    let enabled = options.choice(&format!("{prefix}.enabled"), &switch, false);
    let latency = format!("{prefix}.allow-latency");
    let waits = options.duration(&latency).unwrap_or(Duration::ZERO);
    let size = format!("{prefix}.size");
    let keys_max = options.parsed::<usize>(&size, "a number above zero");
    if !enabled {
        return None;
    }
    if waits.is_zero() {
        options.reject(
            &latency,
            "expected a time above zero, as mini-batches are enabled",
        );
    }
    match keys_max {
        Some(keys_max) if keys_max > 0 => Some(MiniBatch {
            latency: waits,
            keys_max,
        }),
        _ => {
            options.reject(
                &size,
                "expected a number above zero, as mini-batches are enabled",
            );
            None
        }
    }
}
