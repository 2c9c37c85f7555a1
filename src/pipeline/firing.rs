//! Windows whose results are told before they are final, or corrected afterwards: the settings
//! `table.exec.emit.*`, and what becomes of the aggregates over windows of a dataflow.

use std::time::Duration;

use super::changelog::{Origin, Rewriting, Stream};
use super::row_key::RowKey;
use super::window_changes::{moved_calls, moved_windows};
use crate::formats::{OptionError, Options};
use crate::operators::Firing;
use crate::plan::{Node, NodeKind};
use crate::stream::ChangelogMode;

/// The setting that is blamed for what early results bring about.
pub(super) const EARLY: &str = "table.exec.emit.early-fire.enabled";
/// The setting that is blamed for what late results bring about.
pub(super) const LATE: &str = "table.exec.emit.late-fire.enabled";
const LATENESS: &str = "table.exec.emit.allow-lateness";

/// Reads the settings; `time_to_live` is how long other state is kept, zero for ever.
pub(super) fn read(options: &mut Options, time_to_live: Duration) -> Option<Firing> {
    let early = delay(options, EARLY, "table.exec.emit.early-fire.delay");
    let late = delay(options, LATE, "table.exec.emit.late-fire.delay");
    let lateness = options.duration(LATENESS);
    // As in Flink, late results go by the time to live if nothing else is said.
    let lateness = lateness.unwrap_or(match late {
        Some(_) => time_to_live,
        None => Duration::ZERO,
    });
    if late.is_some() && lateness.is_zero() {
        options.reject(LATE, format!("needs '{LATENESS}', a time above zero"));
    }
    (early.is_some() || !lateness.is_zero()).then(|| Firing {
        early,
        late: late.unwrap_or_default(),
        lateness_ms: i64::try_from(lateness.as_millis()).unwrap_or(i64::MAX),
    })
}

fn delay(options: &mut Options, switch: &str, delay: &str) -> Option<Duration> {
    let states = [("true", true), ("false", false)];
    let is_on = options.choice(switch, &states, false);
    let waits = options.duration(delay);
    if is_on && waits.is_none() {
        options.reject(switch, format!("needs '{delay}', which may be '0 s'"));
    }
    waits.filter(|_| is_on)
}

/// What is wrong with a dataflow whose windows fire so.
pub(super) fn check(firing: Firing, nodes: &[Node]) -> Option<OptionError> {
    let mut nodes = nodes.iter();
    nodes.find(|node| {
        matches!(
            node.kind,
            NodeKind::SessionAggregate { .. } | NodeKind::WindowAggregate { by_clock: true, .. }
        )
    })?;
    // Without a delay of its own nothing of a session would be told early or late.
    let key = if firing.early.is_some() { EARLY } else { LATE };
    (firing.early.is_some() || !firing.late.is_zero()).then(|| OptionError {
        key: Some(key.to_owned()),
        message: format!("'{key}': SESSION windows, and those over processing time, are told when they are final only"),
    })
}

impl Rewriting<'_> {
    /// An aggregate over windows whose results change: its keys come first.
    pub(super) fn updating_windows(
        &mut self,
        node: &Node,
        input: &Stream,
        firing: Firing,
    ) -> Stream {
        let NodeKind::WindowAggregate {
            keys,
            aggregates,
            input: windows,
            late_rows,
            ..
        } = &node.kind
        else {
            unreachable!("the caller looks at the kind");
        };
        let id = self.keys_first(node, input.id, keys);
        let moved = |column: usize| column + keys.len();
        let aggregate = Node {
            kind: NodeKind::UpdatingWindowAggregate {
                keys: keys.len(),
                aggregates: moved_calls(aggregates, keys.len()),
                input: moved_windows(*windows, keys.len()),
                lateness_ms: firing.lateness_ms,
                emits_update_before: true,
                late_rows: late_rows.iter().copied().map(moved).collect(),
            },
            ..node.clone()
        };
        let id = self.push(&aggregate, vec![id]);
        self.set_changes(id, ChangelogMode::Retract);
        let place = keys.len() + aggregates.len();
        Stream {
            id,
            changes: ChangelogMode::Retract,
            key: Some(RowKey::of_windows(keys.len(), place, *windows)),
            origin: Some(Origin::Window),
        }
    }
}
