//! The dataflow: a graph of relational nodes from sources to sinks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Table, table::Span};
use crate::expr::{AggregateCall, Expression};
use crate::stream::{ChangelogMode, OperatorId};

/// One program: what `run` runs, checked and planned.
#[derive(Clone, Debug)]
pub struct Program {
    /// `SET 'key' = 'value'`, later ones over earlier ones.
    pub settings: BTreeMap<String, (String, Span)>,
    /// The graph.
    pub dataflow: Dataflow,
    /// What `EXPLAIN` statements in the text ask for, in order.
    pub explains: Vec<Explained>,
}

/// What an `EXPLAIN` asks for.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The graph.
    pub dataflow: Dataflow,
    /// Whether it is shown as JSON, too.
    pub as_json: bool,
}

/// A graph of nodes in an order in which inputs come before what reads them.
/// A node's place is its [`OperatorId`].
#[derive(Clone, Debug, Default)]
pub struct Dataflow {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its place in the graph.
    pub id: OperatorId,
    /// The nodes that it reads.
    pub inputs: Vec<OperatorId>,
    /// What it does.
    pub kind: NodeKind,
    /// The rows that it makes; a sink makes none and has its table's columns.
    pub schema: SchemaRef,
    /// What its rows say of the table that they are.
    pub changes: ChangelogMode,
}

impl Node {
    /// Whether it aggregates rows that carry their windows, which are part of
    /// its key then.
    pub fn has_attached_windows(&self) -> bool {
        matches!(
            self.kind,
            NodeKind::WindowAggregate {
                input: WindowInput::Attached { .. },
                ..
            }
        )
    }
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Reads a table.
    Source {
        /// The table.
        table: Arc<Table>,
        /// The columns to make of a record, in the order of [`Table::record_schema`]; of
        /// a `ROW` only the fields that are read.
        decoded: SchemaRef,
        /// The node's columns, computed from the decoded ones.
        columns: Vec<Expression>,
        /// The watermark of each row, computed from the decoded columns, as `TIMESTAMP(3)`.
        watermark: Option<Expression>,
    },
    /// Keeps the last row of each key, and makes of what a key has come to what has become
    /// of rows.
    ChangelogNormalize {
        /// How many of the first columns are the key.
        keys: usize,
    },
    /// Lets rows pass for which `predicate` is true.
    Filter {
        /// The condition.
        predicate: Expression,
    },
    /// Repeats a row for each element of an array, which takes the array's place.
    Unnest {
        /// The column of the array.
        column: usize,
        /// Whether a row without elements passes, with a null.
        keeps_rows: bool,
    },
    /// Computes columns.
    Project {
        /// One expression a column.
        columns: Vec<Expression>,
    },
    /// Appends `window_start`, `window_end` and `window_time` to each row, once
    /// for each window that it belongs to.
    WindowAssign {
        /// The column of event time.
        time: usize,
        /// The windows.
        window: Window,
    },
    /// Aggregates rows by key and window, and emits a window's rows when the
    /// watermark closes it. Its columns are the keys, the results of the
    /// aggregates, and `window_start`, `window_end` and `window_time`.
    WindowAggregate {
        /// The key columns of the input.
        keys: Vec<usize>,
        /// The aggregates over the input.
        aggregates: Vec<AggregateCall>,
        /// Where a row's windows come from.
        input: WindowInput,
        /// The columns of the input that a [`NodeKind::LateRows`] gets of late rows; none if
        /// these are only counted.
        late_rows: Vec<usize>,
        /// Whether its time is that of the clock, which closes its windows.
        by_clock: bool,
        /// Whether the rows of the input may be taken back.
        retracts: bool,
    },
    /// Aggregates rows by key and session, and emits a session when the watermark closes it.
    /// Its columns are those of a [`NodeKind::WindowAggregate`].
    SessionAggregate {
        /// How many of the first columns of the input are the key.
        keys: usize,
        /// The aggregates over the input.
        aggregates: Vec<AggregateCall>,
        /// The column of event time.
        time: usize,
        /// A session ends when there is no row for so many milliseconds.
        gap_ms: i64,
        /// As of a [`NodeKind::WindowAggregate`].
        late_rows: Vec<usize>,
        /// As of a [`NodeKind::WindowAggregate`].
        by_clock: bool,
    },
    /// Aggregates rows by key and window, and says what becomes of each window's row before and
    /// after the watermark has closed it. Its columns are those of a
    /// [`NodeKind::WindowAggregate`].
    UpdatingWindowAggregate {
        /// How many of the first columns of the input are the key.
        keys: usize,
        /// The aggregates over the input.
        aggregates: Vec<AggregateCall>,
        /// Where a row's windows come from.
        input: WindowInput,
        /// For how many milliseconds of event time a closed window still takes rows.
        lateness_ms: i64,
        /// Whether those who come behind need the rows that others take the place of.
        emits_update_before: bool,
        /// As of a [`NodeKind::WindowAggregate`].
        late_rows: Vec<usize>,
    },
    /// Rows that came too late for the windows of its input, which is an aggregate over windows.
    LateRows,
    /// Aggregates rows by key, and says what becomes of each key's row. Its columns are the
    /// keys and the results of the aggregates.
    GroupAggregate {
        /// How many of the first columns of the input are the key.
        keys: usize,
        /// The aggregates over the input.
        aggregates: Vec<AggregateCall>,
        /// Whether the rows of the input may be taken back.
        retracts: bool,
        /// Whether those who come behind need the rows that others take the place of.
        emits_update_before: bool,
        /// For how many milliseconds a key is kept to which nothing happens, if the query
        /// says so.
        time_to_live_ms: Option<i64>,
    },
    /// Makes a row for each projection of each row.
    Expand {
        /// The columns of each projection.
        projections: Vec<Vec<Expression>>,
    },
    /// Passes the rows of all inputs on.
    Union,
    /// Writes a table.
    Sink {
        /// The table.
        table: Arc<Table>,
    },
    /// Prints rows to standard output: the bare last `SELECT`.
    Print,
}

/// Event-time windows, all in milliseconds. Those of a fixed length are aligned to the epoch and
/// moved by an offset, which is shorter than the time from one window to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// Windows that do not overlap.
    Tumble {
        /// Their length.
        size_ms: i64,
        /// How far they are moved.
        offset_ms: i64,
    },
    /// Windows of one length that start every `slide_ms`; the length is a
    /// multiple of the slide.
    Hop {
        /// Their length.
        size_ms: i64,
        /// From one start to the next.
        slide_ms: i64,
        /// How far they are moved.
        offset_ms: i64,
    },
    /// Windows that start together and grow by `step_ms`, until they have a length that is a
    /// multiple of the step, and the next ones start.
    Cumulate {
        /// The length of the longest.
        size_ms: i64,
        /// From one end to the next.
        step_ms: i64,
        /// How far they are moved.
        offset_ms: i64,
    },
    /// Windows of rows that follow each other; only a [`NodeKind::SessionAggregate`] makes them.
    Session {
        /// A session ends when there is no row for so long.
        gap_ms: i64,
    },
}

/// Where a window aggregate finds the windows of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowInput {
    /// It computes them from a column of event time.
    Time {
        /// The column, of type `TIMESTAMP`.
        time: usize,
        /// The windows.
        window: Window,
    },
    /// The rows carry one window each, in columns that a [`NodeKind::WindowAssign`]
    /// below made.
    Attached {
        /// The column of the window's start.
        start: usize,
        /// The column of the window's end.
        end: usize,
    },
}
