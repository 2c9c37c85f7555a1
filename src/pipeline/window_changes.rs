//! Aggregates over windows whose input has rows that may be taken back: which can take them, and
//! what becomes of those in a dataflow.

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::changelog::{Origin, Rewriting, Stream, cannot_retract};
use crate::expr::{AggregateCall, Expression};
use crate::plan::{Diagnostic, LATE_ROWS, Node, NodeKind, Span, Table, WindowInput};
use crate::stream::{ChangelogMode, OperatorId};

impl Rewriting<'_> {
    /// An aggregate over windows of rows that change: its results are told once, so nothing
    /// behind it changes.
    pub(super) fn windows_of_changes(&mut self, node: &Node, input: &Stream) -> Stream {
        self.refuse_windows(node, input);
        let id = match &node.kind {
            NodeKind::WindowAggregate {
                keys,
                aggregates,
                input: windows,
                by_clock,
                ..
            } => {
                let (from, by) = if keys.iter().copied().eq(0..keys.len()) {
                    (input.id, 0)
                } else {
                    (self.keys_first(node, input.id, keys), keys.len())
                };
                let aggregate = Node {
                    kind: NodeKind::WindowAggregate {
                        keys: (0..keys.len()).collect(),
                        aggregates: moved_calls(aggregates, by),
                        input: moved_windows(*windows, by),
                        late_rows: Vec::new(),
                        by_clock: *by_clock,
                        retracts: true,
                    },
                    ..node.clone()
                };
                self.push(&aggregate, vec![from])
            }
            _ => self.push(node, vec![input.id]),
        };
        Stream {
            id,
            changes: ChangelogMode::InsertOnly,
            key: None,
            origin: None,
        }
    }

    fn refuse_windows(&mut self, node: &Node, input: &Stream) {
        let error = match &input.origin {
            // Behind an aggregate there is no event time, which the planner has refused.
            None | Some(Origin::Aggregate) => None,
            Some(origin @ Origin::Window) => Some(Diagnostic {
                span: Span::default(),
                message: format!(
                    "{origin} change ({}), and other windows can only take rows that are added (+I)",
                    input.changes
                ),
                hint: Some(
                    "let the outer windows read the rows, or leave the settings out".to_owned(),
                ),
            }),
            Some(Origin::Table(table)) => self.cannot_take_changes(node, table, input),
        };
        self.errors.extend(error);
    }

    /// Why an aggregate over windows cannot take the changes of a table.
    fn cannot_take_changes(
        &self,
        node: &Node,
        table: &Table,
        input: &Stream,
    ) -> Option<Diagnostic> {
        let refusal = |windows: &str, hint: String| {
            Some(Diagnostic {
                span: table.span,
                message: format!(
                    "rows of table {} change ({}), and {windows} can only take rows that are added (+I)",
                    table.name, input.changes
                ),
                hint: Some(hint),
            })
        };
        match &node.kind {
            NodeKind::SessionAggregate { .. } => refusal(
                "SESSION windows",
                "a row that is taken back may have held a session together; use TUMBLE, HOP or \
                 CUMULATE, which take changes"
                    .to_owned(),
            ),
            NodeKind::WindowAggregate { by_clock: true, .. } => refusal(
                "windows over processing time",
                "a row would be taken back from another window than that to which it was added; \
                 make windows over an event time, which take changes"
                    .to_owned(),
            ),
            NodeKind::WindowAggregate { .. } if self.firing.is_some() => refusal(
                "windows with 'table.exec.emit.*' settings",
                "leave the settings out: windows that are told once take changes".to_owned(),
            ),
            NodeKind::WindowAggregate { late_rows, .. } if !late_rows.is_empty() => refusal(
                &format!("windows with '{LATE_ROWS}'"),
                format!(
                    "what is late may be a row that is taken back; write FROM {} /*+ \
                     OPTIONS('{LATE_ROWS}' = '') */",
                    table.name
                ),
            ),
            NodeKind::WindowAggregate { aggregates, .. } => cannot_retract(aggregates, input),
            _ => None,
        }
    }

    /// A projection of a node's input that puts columns in front of all others, which move to
    /// the right by so many.
    pub(super) fn keys_first(
        &mut self,
        node: &Node,
        input: OperatorId,
        keys: &[usize],
    ) -> OperatorId {
        let read = self.schema_of(input);
        let columns = keys.iter().copied().chain(0..read.fields().len());
        let columns: Vec<_> = columns
            .map(|column| Expression::column(&read, column))
            .collect();
        let fields = columns.iter().map(|column| column.field().clone());
        let project = Node {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            kind: NodeKind::Project { columns },
            ..node.clone()
        };
        let changes = self.changes_of(input);
        let id = self.push(&project, vec![input]);
        self.set_changes(id, changes);
        id
    }
}

/// Aggregates over columns that have moved to the right.
pub(super) fn moved_calls(calls: &[AggregateCall], by: usize) -> Vec<AggregateCall> {
    let moved = |call: &AggregateCall| AggregateCall {
        argument: call.argument.map(|column| column + by),
        filter: call.filter.map(|column| column + by),
        ..call.clone()
    };
    calls.iter().map(moved).collect()
}

/// Windows over columns that have moved to the right.
pub(super) fn moved_windows(windows: WindowInput, by: usize) -> WindowInput {
    match windows {
        WindowInput::Time { time, window } => WindowInput::Time {
            time: time + by,
            window,
        },
        WindowInput::Attached { start, end } => WindowInput::Attached {
            start: start + by,
            end: end + by,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::pipeline::compile;
    use crate::sql::SourceFile;

    const TABLES: &str = "
        CREATE TABLE late (id BIGINT) WITH ('connector' = 'print');
        CREATE TABLE users (id BIGINT, age INT, at TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR at AS at,
            PRIMARY KEY (id) NOT ENFORCED)
          WITH ('connector' = 'upsert-kafka', 'topic' = 'users', 'key.format' = 'json',
            'value.format' = 'json', 'properties.bootstrap.servers' = 'localhost:9092');
        CREATE TABLE orders (id BIGINT, price INT, at TIMESTAMP(3), WATERMARK FOR at AS at)
          WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'debezium-json', 'late-rows.table' = 'late',
            'scan.startup.mode' = 'earliest-offset', 'properties.bootstrap.servers' = 'localhost:9092');
        ";

    fn plan(text: &str) -> Vec<String> {
        let file = SourceFile {
            name: "changes.sql".to_owned(),
            text: format!("{TABLES}{text} GROUP BY window_start, window_end;"),
        };
        match compile(&[file], &BTreeMap::new()) {
            Ok(program) => {
                let plan = program.dataflow.to_string();
                plan.lines().map(str::to_owned).collect()
            }
            Err(errors) => errors
                .into_iter()
                .map(|error| format!("{} ({})", error.message, error.hint.unwrap_or_default()))
                .collect(),
        }
    }

    #[test]
    fn windows_take_changes_and_tell_none() {
        let plan =
            plan("SELECT SUM(age) FROM TUMBLE(TABLE users, DESCRIPTOR(at), INTERVAL '1' HOUR)");
        for (line, expected) in [
            (
                4,
                "#4 WindowAggregate of #3: keys [], aggregates [SUM(#0)], TUMBLE(3600000 ms) over at@1, rows may be taken back, state: the aggregates by key and window -> ",
            ),
            (5, "#5 Project of #4: TO_INT($agg0@0) -> "),
        ] {
            assert!(plan[line].starts_with(expected), "{plan:#?}");
        }
    }

    #[test]
    fn windows_that_cannot_take_changes_say_why() {
        for (text, expected) in [
            (
                "SELECT COUNT(*) FROM SESSION(TABLE users, DESCRIPTOR(at), INTERVAL '1' HOUR)",
                "rows of table users change (+I, -U, +U, -D), and SESSION windows can only take rows that are added (+I) (a row that is taken back may have held a session together; use TUMBLE, HOP or CUMULATE, which take changes)",
            ),
            (
                "SELECT COUNT(*) FROM TUMBLE(TABLE users, DESCRIPTOR(p), INTERVAL '1' HOUR)",
                "rows of table users change (+I, -U, +U, -D), and windows over processing time can only take rows that are added (+I) (a row would be taken back from another window than that to which it was added; make windows over an event time, which take changes)",
            ),
            (
                "SET 'table.exec.emit.allow-lateness' = '1 h'; SELECT COUNT(*) FROM TUMBLE(TABLE users, DESCRIPTOR(at), INTERVAL '1' HOUR)",
                "rows of table users change (+I, -U, +U, -D), and windows with 'table.exec.emit.*' settings can only take rows that are added (+I) (leave the settings out: windows that are told once take changes)",
            ),
            (
                "SELECT COUNT(*) FROM TUMBLE(TABLE orders, DESCRIPTOR(at), INTERVAL '1' HOUR)",
                "rows of table orders change (+I, -U, +U, -D), and windows with 'late-rows.table' can only take rows that are added (+I) (what is late may be a row that is taken back; write FROM orders /*+ OPTIONS('late-rows.table' = '') */)",
            ),
            (
                "SELECT APPROX_COUNT_DISTINCT(id) FROM TUMBLE(TABLE users, DESCRIPTOR(at), INTERVAL '1' HOUR)",
                "rows of table users change (+I, -U, +U, -D), and APPROX_COUNT_DISTINCT cannot take rows back (use COUNT(DISTINCT …))",
            ),
        ] {
            assert_eq!(plan(text), [expected], "{text}");
        }
    }
}
