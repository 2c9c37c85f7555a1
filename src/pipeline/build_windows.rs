//! Turns the nodes of windows into operators, which go by the clock of their key range.

use std::sync::Arc;

use super::build::{Blueprint, node_of};
use super::stages::Step;
use crate::expr::AggregateLayout;
use crate::operators::{
    ByRange, ClockWindows, Input, LateRows, RetractingWindowAggregate,
    RetractingWindowAggregateSpec, SessionAggregate, SessionAggregateSpec, Slicing,
    UpdatingWindowAggregate, UpdatingWindowAggregateSpec, WindowAggregate, WindowAggregateSpec,
    WindowFold, WindowPreAggregate, WindowsOfRow,
};
use crate::plan::{Node, NodeKind, Window, WindowInput};
use crate::runtime::{Error, Operator, Result};
use crate::state::StateSchema;
use crate::stream::{KeyRange, OperatorId};

/// The operator of a [`NodeKind::WindowAggregate`], or of the half of it that `step` names.
pub(super) async fn window_aggregate(
    blueprint: &Blueprint<'_>,
    node: &Node,
    step: Step,
    index: usize,
) -> Result<Box<dyn Operator>> {
    let NodeKind::WindowAggregate {
        keys,
        aggregates,
        input,
        late_rows,
        by_clock: is_by_clock,
        ..
    } = &node.kind
    else {
        unreachable!("the caller looks at the kind");
    };
    let records = &node_of(blueprint.dataflow, node.inputs[0]).schema;
    let mut keys = keys.clone();
    let (slicing, rows) = match *input {
        WindowInput::Time { time, window } => {
            let keys = keys.clone();
            (slicing_of(window), Input::Rows { keys, time })
        }
        WindowInput::Attached { start, end } => {
            keys.push(start);
            let keys = keys.clone();
            (Slicing::tumbling(1), Input::Windowed { keys, end })
        }
    };
    let failed = |error: crate::expr::Error| Error::Fatal(error.to_string());
    if matches!(step, Step::PreAggregate(_)) {
        let calls = aggregates.clone();
        let near = WindowPreAggregate::new(records, calls, slicing, rows).map_err(failed)?;
        return Ok(Box::new(near));
    }
    let layout = AggregateLayout::new(records, &keys, aggregates.clone()).map_err(failed)?;
    let layout = Arc::new(layout);
    let fold = Arc::new(WindowFold(Arc::clone(&layout)));
    let state = StateSchema::new(node.id, Arc::clone(layout.states()), keys.len(), fold);
    let input = match step {
        Step::FinalAggregate(_) => Input::Partials,
        Step::Node(_) | Step::PreAggregate(_) => rows,
    };
    // Behind an exchange the keys come first.
    let key_columns = match &input {
        Input::Partials => (0..keys.len()).collect(),
        Input::Rows { .. } | Input::Windowed { .. } => keys,
    };
    let spec = |range| WindowAggregateSpec {
        operator: node.id,
        range,
        schema: Arc::clone(&node.schema),
        layout: Arc::clone(&layout),
        slicing,
        input: input.clone(),
        start_is_last_key: node.has_attached_windows(),
        late_rows: late_rows_of(blueprint, node.id, late_rows),
    };
    let groups = blueprint.key_groups;
    let range = groups.range_of_task(index, blueprint.parallelism);
    let aggregate = by_clock(blueprint, range, key_columns, |part| {
        let aggregate = WindowAggregate::new(spec(part));
        Ok((Box::new(aggregate) as Box<dyn Operator>, state.clone()))
    });
    let aggregate = aggregate.await?;
    Ok(match spec(range).input {
        Input::Rows { time, .. } if *is_by_clock => {
            Box::new(ClockWindows::new(aggregate, time, blueprint.ends.clock()))
        }
        _ => aggregate,
    })
}

/// The operator of a [`NodeKind::SessionAggregate`].
pub(super) async fn session_aggregate(
    blueprint: &Blueprint<'_>,
    node: &Node,
    index: usize,
) -> Result<Box<dyn Operator>> {
    let NodeKind::SessionAggregate {
        keys,
        aggregates,
        time,
        gap_ms,
        late_rows,
        by_clock: is_by_clock,
    } = &node.kind
    else {
        unreachable!("the caller looks at the kind");
    };
    let groups = blueprint.key_groups;
    let range = groups.range_of_task(index, blueprint.parallelism);
    let aggregate = by_clock(blueprint, range, (0..*keys).collect(), |range| {
        let aggregate = SessionAggregate::new(SessionAggregateSpec {
            operator: node.id,
            range,
            input: Arc::clone(&node_of(blueprint.dataflow, node.inputs[0]).schema),
            schema: Arc::clone(&node.schema),
            keys: *keys,
            time: *time,
            gap_ms: *gap_ms,
            calls: aggregates.clone(),
            late_rows: late_rows_of(blueprint, node.id, late_rows),
        })?;
        let state = aggregate.state();
        Ok((Box::new(aggregate) as Box<dyn Operator>, state))
    });
    let aggregate = aggregate.await?;
    if *is_by_clock {
        let windows = ClockWindows::new(aggregate, *time, blueprint.ends.clock());
        return Ok(Box::new(windows));
    }
    Ok(aggregate)
}

/// The operator of a [`NodeKind::UpdatingWindowAggregate`].
pub(super) async fn updating_window_aggregate(
    blueprint: &Blueprint<'_>,
    node: &Node,
    index: usize,
) -> Result<Box<dyn Operator>> {
    let NodeKind::UpdatingWindowAggregate {
        keys,
        aggregates,
        input,
        emits_update_before,
        late_rows,
        ..
    } = &node.kind
    else {
        unreachable!("the caller looks at the kind");
    };
    let firing = blueprint.updating.firing;
    let firing = firing.expect("the plan has the node because of the settings");
    let windows = windows_of(*input);
    let groups = blueprint.key_groups;
    let range = groups.range_of_task(index, blueprint.parallelism);
    by_clock(blueprint, range, (0..*keys).collect(), |range| {
        let aggregate = UpdatingWindowAggregate::new(UpdatingWindowAggregateSpec {
            operator: node.id,
            range,
            input: Arc::clone(&node_of(blueprint.dataflow, node.inputs[0]).schema),
            schema: Arc::clone(&node.schema),
            keys: *keys,
            windows,
            firing,
            emits_update_before: *emits_update_before,
            calls: aggregates.clone(),
            late_rows: late_rows_of(blueprint, node.id, late_rows),
        })?;
        let state = aggregate.state();
        Ok((Box::new(aggregate) as Box<dyn Operator>, state))
    })
    .await
}

/// The operator of a [`NodeKind::WindowAggregate`] over rows that may be taken back.
pub(super) async fn retracting_window_aggregate(
    blueprint: &Blueprint<'_>,
    node: &Node,
    index: usize,
) -> Result<Box<dyn Operator>> {
    let NodeKind::WindowAggregate {
        keys,
        aggregates,
        input,
        ..
    } = &node.kind
    else {
        unreachable!("the caller looks at the kind");
    };
    let groups = blueprint.key_groups;
    let range = groups.range_of_task(index, blueprint.parallelism);
    let mut parts: Vec<(KeyRange, Box<dyn Operator>)> = Vec::new();
    for part in clocks(blueprint, node.id.state(0), range).await? {
        let mut operator = RetractingWindowAggregate::new(RetractingWindowAggregateSpec {
            operator: node.id,
            range: part,
            input: Arc::clone(&node_of(blueprint.dataflow, node.inputs[0]).schema),
            schema: Arc::clone(&node.schema),
            keys: keys.len(),
            windows: windows_of(*input),
            calls: aggregates.clone(),
        })?;
        for (place, state) in operator.states().to_vec().into_iter().enumerate() {
            let restored = blueprint.store.call(move |store| store.load(&state, part));
            if let Some(restored) = restored.await? {
                operator.restore_state(place, &restored)?;
            }
        }
        parts.push((part, Box::new(operator)));
    }
    Ok(side_by_side(blueprint, (0..keys.len()).collect(), parts))
}

fn windows_of(input: WindowInput) -> WindowsOfRow {
    match input {
        WindowInput::Time { time, window } => WindowsOfRow::Time {
            time,
            slicing: slicing_of(window),
        },
        WindowInput::Attached { start, end } => WindowsOfRow::Attached { start, end },
    }
}

/// What an aggregate over windows keeps of late rows, if another node reads them.
fn late_rows_of(
    blueprint: &Blueprint<'_>,
    aggregate: OperatorId,
    columns: &[usize],
) -> Option<LateRows> {
    let mut nodes = blueprint.dataflow.nodes.iter();
    let reader = nodes
        .find(|node| matches!(node.kind, NodeKind::LateRows) && node.inputs.contains(&aggregate))?;
    Some(LateRows {
        columns: columns.to_vec(),
        schema: Arc::clone(&reader.schema),
    })
}

/// An operator of event time for a key range, restored; or one for each part of the range that
/// has a clock of its own. `make` gives one of a part, with the shape of its state; `keys` are
/// the key columns of its input.
async fn by_clock(
    blueprint: &Blueprint<'_>,
    range: KeyRange,
    keys: Vec<usize>,
    make: impl Fn(KeyRange) -> Result<(Box<dyn Operator>, StateSchema)>,
) -> Result<Box<dyn Operator>> {
    let store = blueprint.store;
    let (_, StateSchema { operator, .. }) = make(range)?;
    let mut parts: Vec<(KeyRange, Box<dyn Operator>)> = Vec::new();
    for part in clocks(blueprint, operator, range).await? {
        let (mut operator, state) = make(part)?;
        let restored = store.call(move |store| store.load(&state, part)).await?;
        if let Some(restored) = restored {
            operator.restore(restored)?;
        }
        parts.push((part, operator));
    }
    Ok(side_by_side(blueprint, keys, parts))
}

/// The parts of a key range that have clocks of their own in the state of an operator.
async fn clocks(
    blueprint: &Blueprint<'_>,
    operator: OperatorId,
    range: KeyRange,
) -> Result<Vec<KeyRange>> {
    let clocks = blueprint
        .store
        .call(move |store| store.clocks(operator, range));
    let mut clocks = clocks.await?;
    if clocks.is_empty() {
        // A task without key groups.
        clocks.push(range);
    }
    Ok(clocks)
}

/// The operators of the parts of a key range as one; `keys` are the key columns of their input.
fn side_by_side(
    blueprint: &Blueprint<'_>,
    keys: Vec<usize>,
    mut parts: Vec<(KeyRange, Box<dyn Operator>)>,
) -> Box<dyn Operator> {
    if parts.len() == 1 {
        let (_, only) = parts.remove(0);
        return only;
    }
    Box::new(ByRange::new(keys, blueprint.key_groups, parts))
}

/// How the windows of a plan are cut.
pub(super) fn slicing_of(window: Window) -> Slicing {
    match window {
        Window::Tumble { size_ms, offset_ms } => Slicing::tumbling(size_ms).moved_by(offset_ms),
        Window::Hop {
            size_ms,
            slide_ms,
            offset_ms,
        } => Slicing::sliding(size_ms, slide_ms).moved_by(offset_ms),
        Window::Cumulate {
            size_ms,
            step_ms,
            offset_ms,
        } => Slicing::cumulating(size_ms, step_ms).moved_by(offset_ms),
        Window::Session { .. } => unreachable!("sessions are not made of slices"),
    }
}
