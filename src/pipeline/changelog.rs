//! Which changes each edge of a dataflow carries, and whether those who read them can take
//! them.
//!
//! A source says what its records say of rows. Where these only tell what a key has come to,
//! a [`NodeKind::ChangelogNormalize`] is put behind it, so that everything further on sees
//! whole rows. Whatever cannot take changes is refused with the table from which they come.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};

use super::ends::{Ends, sink_of, source_of};
use super::row_key::{Keys, RowKey};
use crate::connectors::JobContext;
use crate::expr::{AggregateCall, Expression};
use crate::operators::{ChangelogNormalize, Firing};
use crate::plan::{Dataflow, Diagnostic, Node, NodeKind, Table};
use crate::stream::{ChangelogMode, OperatorId};

/// The dataflow with the changes of its edges, and with what they need; `firing` says when
/// windows are told, if not only once.
///
/// # Errors
/// Every node that cannot take the changes that come to it.
///
/// # Panics
/// If a connector is refused; they have to be checked before.
pub(super) fn with_changes(
    dataflow: &Dataflow,
    ends: &dyn Ends,
    job: &JobContext,
    firing: Option<Firing>,
) -> Result<Dataflow, Vec<Diagnostic>> {
    let mut rewriting = Rewriting {
        ends,
        job,
        firing,
        nodes: Vec::new(),
        streams: Vec::new(),
        needs_update_before: BTreeMap::new(),
        errors: Vec::new(),
    };
    for node in &dataflow.nodes {
        let stream = rewriting.node(node);
        rewriting.streams.push(stream);
    }
    if !rewriting.errors.is_empty() {
        return Err(rewriting.errors);
    }
    let mut nodes = rewriting.nodes;
    leave_out_updates_before(&mut nodes, &rewriting.needs_update_before);
    Ok(Dataflow { nodes })
}

/// Lets aggregates leave out the rows that others take the place of (`-U`) where nobody needs
/// them, and tells everyone behind.
fn leave_out_updates_before(nodes: &mut [Node], of_sinks: &BTreeMap<OperatorId, bool>) {
    let mut is_needed = vec![false; nodes.len()];
    for node in nodes.iter().rev() {
        let needs = match node.kind {
            NodeKind::Sink { .. } => of_sinks.get(&node.id).copied().unwrap_or(true),
            // A projection takes nothing away; whether the key is left is the sink's business.
            NodeKind::Project { .. } => is_needed[node.id.0 as usize],
            // Of a row that was let pass before and is not now, only the old one tells.
            _ => true,
        };
        for input in &node.inputs {
            is_needed[input.0 as usize] |= needs;
        }
    }
    for place in 0..nodes.len() {
        let changes = nodes[place]
            .inputs
            .iter()
            .map(|input| nodes[input.0 as usize].changes);
        let changes = changes.max();
        let node = &mut nodes[place];
        match &mut node.kind {
            NodeKind::GroupAggregate {
                emits_update_before,
                ..
            }
            | NodeKind::UpdatingWindowAggregate {
                emits_update_before,
                ..
            } if node.changes == ChangelogMode::Retract => {
                *emits_update_before = is_needed[place];
                if !is_needed[place] {
                    node.changes = ChangelogMode::Upsert;
                }
            }
            NodeKind::Project { .. } | NodeKind::Sink { .. } => {
                node.changes = changes.unwrap_or_default();
            }
            _ => (),
        }
    }
}

/// What comes out of a node of the old dataflow.
#[derive(Clone)]
pub(super) struct Stream {
    /// The node of the new one.
    pub id: OperatorId,
    pub changes: ChangelogMode,
    /// The columns by which its rows are known, if rows change.
    pub key: Option<RowKey>,
    /// Why rows change.
    pub origin: Option<Origin>,
}

/// Why rows change.
#[derive(Clone)]
pub(super) enum Origin {
    /// Those of a table do.
    Table(Arc<Table>),
    /// A result becomes another one.
    Aggregate,
    /// A window is told before it is final.
    Window,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "the rows of {}", table.name),
            Self::Aggregate => f.write_str("the results of GROUP BY or DISTINCT without a window"),
            Self::Window => f.write_str("the results of windows with 'table.exec.emit.*' settings"),
        }
    }
}

pub(super) struct Rewriting<'a> {
    ends: &'a dyn Ends,
    job: &'a JobContext,
    pub(super) firing: Option<Firing>,
    nodes: Vec<Node>,
    /// By the place of the old node.
    streams: Vec<Stream>,
    /// Of each sink, whether it needs the rows that others take the place of.
    needs_update_before: BTreeMap<OperatorId, bool>,
    pub(super) errors: Vec<Diagnostic>,
}

impl Rewriting<'_> {
    fn node(&mut self, node: &Node) -> Stream {
        let inputs = node.inputs.iter();
        let inputs: Vec<_> = inputs
            .map(|input| self.streams[input.0 as usize].clone())
            .collect();
        match &node.kind {
            NodeKind::Source { table, .. } => return self.source(node, table),
            NodeKind::WindowAggregate { .. } | NodeKind::SessionAggregate { .. }
                if inputs[0].changes != ChangelogMode::InsertOnly =>
            {
                return self.windows_of_changes(node, &inputs[0]);
            }
            _ => (),
        }
        if let NodeKind::WindowAggregate {
            by_clock: false, ..
        } = node.kind
            && let Some(firing) = self.firing
        {
            return self.updating_windows(node, &inputs[0], firing);
        }
        match &node.kind {
            NodeKind::GroupAggregate { .. } => return self.group_aggregate(node, &inputs[0]),
            NodeKind::LateRows => {
                // Whatever becomes of the results, what was late was added.
                let id = self.push(node, vec![inputs[0].id]);
                let changes = ChangelogMode::InsertOnly;
                let (key, origin) = (None, None);
                return Stream {
                    id,
                    changes,
                    key,
                    origin,
                };
            }
            _ => (),
        }
        let id = self.push(node, inputs.iter().map(|input| input.id).collect());
        if let NodeKind::Sink { table } = &node.kind {
            self.check_sink(id, table, &inputs[0]);
        }
        let changing = inputs.iter().max_by_key(|input| input.changes);
        let changes = changing.map_or(ChangelogMode::InsertOnly, |input| input.changes);
        self.nodes[id.0 as usize].changes = changes;
        Stream {
            id,
            changes,
            key: inputs
                .first()
                .and_then(|input| input.key.as_ref()?.behind(&node.kind)),
            origin: changing.and_then(|input| input.origin.clone()),
        }
    }

    /// Its results change whatever comes in, but for one: a key that has nothing beside it
    /// never becomes another row.
    fn group_aggregate(&mut self, node: &Node, input: &Stream) -> Stream {
        let id = self.push(node, vec![input.id]);
        let node = &mut self.nodes[id.0 as usize];
        let NodeKind::GroupAggregate {
            keys,
            aggregates,
            retracts,
            ..
        } = &mut node.kind
        else {
            unreachable!("the caller looks at the kind");
        };
        *retracts = input.changes != ChangelogMode::InsertOnly;
        let stuck = cannot_retract(aggregates, input);
        let is_changing = *retracts || !aggregates.is_empty();
        let key = RowKey::of_first(*keys);
        if is_changing {
            node.changes = ChangelogMode::Retract;
        }
        let changes = node.changes;
        self.errors.extend(stuck);
        Stream {
            id,
            changes,
            key: is_changing.then_some(key),
            origin: is_changing.then_some(Origin::Aggregate),
        }
    }

    /// The rows of a node of the new dataflow.
    pub(super) fn schema_of(&self, id: OperatorId) -> SchemaRef {
        Arc::clone(&self.nodes[id.0 as usize].schema)
    }

    /// Which changes leave a node of the new dataflow.
    pub(super) fn changes_of(&self, id: OperatorId) -> ChangelogMode {
        self.nodes[id.0 as usize].changes
    }

    /// Notes which changes leave a node of the new dataflow.
    pub(super) fn set_changes(&mut self, id: OperatorId, changes: ChangelogMode) {
        self.nodes[id.0 as usize].changes = changes;
    }

    pub(super) fn push(&mut self, node: &Node, inputs: Vec<OperatorId>) -> OperatorId {
        let id = u32::try_from(self.nodes.len()).expect("a program's text is far shorter");
        let id = OperatorId(id);
        let node = node.clone();
        self.nodes.push(Node { id, inputs, ..node });
        id
    }

    fn source(&mut self, node: &Node, table: &Arc<Table>) -> Stream {
        let source = source_of(self.ends, table, self.job);
        let changes = source.map_or(ChangelogMode::InsertOnly, |source| {
            source.factory.changelog_mode()
        });
        if changes == ChangelogMode::Upsert {
            return self.normalized(node, table);
        }
        let id = self.push(node, Vec::new());
        self.nodes[id.0 as usize].changes = changes;
        let changing = changes != ChangelogMode::InsertOnly;
        Stream {
            id,
            changes,
            key: RowKey::of_table(table, &node.schema).filter(|_| changing),
            origin: changing.then(|| Origin::Table(Arc::clone(table))),
        }
    }

    /// A source whose records say what keys have come to: it reads the key in any case, which
    /// is in front of its columns, and the last row of each key is kept behind it.
    fn normalized(&mut self, node: &Node, table: &Arc<Table>) -> Stream {
        let (source, chosen) = keyed(node, table);
        if !ChangelogNormalize::supports(&source.schema) {
            self.errors.push(Diagnostic {
                span: table.span,
                message: format!(
                    "table {}: rows with a column of type MAP cannot be kept by key yet",
                    table.name
                ),
                hint: Some("read it as STRING".to_owned()),
            });
        }
        let read = Arc::clone(&source.schema);
        let id = self.push(&with_nulls(&source, table), Vec::new());
        self.nodes[id.0 as usize].changes = ChangelogMode::Upsert;
        let keys = table.primary_key.len();
        let normalize = Node {
            kind: NodeKind::ChangelogNormalize { keys },
            schema: Arc::clone(&read),
            ..node.clone()
        };
        let id = self.push(&normalize, vec![id]);
        self.nodes[id.0 as usize].changes = ChangelogMode::Retract;
        let columns: Vec<_> = chosen
            .iter()
            .map(|&place| Expression::column(&read, place))
            .collect();
        let project = Node {
            kind: NodeKind::Project { columns },
            ..node.clone()
        };
        let id = self.push(&project, vec![id]);
        self.nodes[id.0 as usize].changes = ChangelogMode::Retract;
        Stream {
            id,
            changes: ChangelogMode::Retract,
            key: RowKey::of_table(table, &node.schema),
            origin: Some(Origin::Table(Arc::clone(table))),
        }
    }

    fn check_sink(&mut self, id: OperatorId, table: &Table, input: &Stream) {
        let Ok(sink) = sink_of(self.ends, table, self.job) else {
            return;
        };
        let Some(origin) = &input.origin else {
            return;
        };
        let takes = sink.changelog_mode();
        let (message, hint) = match (takes, Keys::of(table, input.key.as_ref())) {
            (ChangelogMode::InsertOnly, _) => {
                let hint =
                    "write them to 'upsert-kafka' or 'print', or with the format 'debezium-json'";
                let message = format!("takes only rows that are added (+I), and {origin} change");
                (message, hint)
            }
            (ChangelogMode::Upsert, Keys::Others) => {
                let hint = "give it the same PRIMARY KEY, and pass its columns on as they are";
                let message = format!(
                    "goes by another key than {origin}, so that changes of one row may overtake each other",
                );
                (message, hint)
            }
            (ChangelogMode::Upsert, keys) => {
                let needs = keys == Keys::More;
                self.needs_update_before.insert(id, needs);
                return;
            }
            (ChangelogMode::Retract, _) => return,
        };
        self.errors.push(Diagnostic {
            span: table.span,
            message: format!("table {}: {message} ({})", table.name, input.changes),
            hint: Some(hint.to_owned()),
        });
    }
}

/// What is wrong with aggregates over rows of a table that change.
pub(super) fn cannot_retract(aggregates: &[AggregateCall], input: &Stream) -> Option<Diagnostic> {
    let stuck = aggregates.iter().find(|call| !call.function.can_retract());
    let (Some(call), Some(Origin::Table(table))) = (stuck, &input.origin) else {
        return None;
    };
    Some(Diagnostic {
        span: table.span,
        message: format!(
            "rows of table {} change ({}), and {} cannot take rows back",
            table.name, input.changes, call.function
        ),
        hint: Some("use COUNT(DISTINCT …)".to_owned()),
    })
}

/// The source with the key's columns in front, and where its own columns are now.
fn keyed(node: &Node, table: &Table) -> (Node, Vec<usize>) {
    let NodeKind::Source {
        table: declared,
        decoded,
        columns,
        watermark,
    } = &node.kind
    else {
        unreachable!("the caller looks at the kind");
    };
    let record = table.record_schema();
    let is_needed = |field: &&FieldRef| {
        decoded.index_of(field.name()).is_ok() || table.primary_key.contains(field.name())
    };
    // A row may be read in part, so a field that is decoded is taken as it is.
    let as_decoded = |field: &FieldRef| match decoded.field_with_name(field.name()) {
        Ok(own) => Arc::new(own.clone()),
        Err(_) => Arc::clone(field),
    };
    let fields: Vec<_> = record
        .fields()
        .iter()
        .filter(is_needed)
        .map(as_decoded)
        .collect();
    let wider: SchemaRef = Arc::new(Schema::new(fields));
    let place_of = |name: &str| wider.index_of(name).expect("a column that is decoded");
    let moved: Vec<_> = decoded
        .fields()
        .iter()
        .map(|field| place_of(field.name()))
        .collect();
    let keys = table.primary_key.iter().map(|name| place_of(name));
    let mut all: Vec<_> = keys
        .map(|place| Expression::column(&wider, place))
        .collect();
    let mut names = table.primary_key.clone();
    let mut chosen = Vec::new();
    for (column, field) in columns.iter().zip(node.schema.fields()) {
        let column = column.rebased(&moved);
        let known = all[..table.primary_key.len()]
            .iter()
            .position(|key| column.as_column() == key.as_column() && column.as_column().is_some());
        chosen.push(known.unwrap_or(all.len()));
        if known.is_none() {
            all.push(column);
            names.push(field.name().clone());
        }
    }
    let fields = all.iter().zip(names).map(|(column, name)| {
        let of_column = column.field();
        Field::new(name, column.data_type().clone(), of_column.is_nullable())
    });
    let source = Node {
        schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        kind: NodeKind::Source {
            table: Arc::clone(declared),
            decoded: wider,
            columns: all,
            watermark: watermark
                .as_ref()
                .map(|watermark| watermark.rebased(&moved)),
        },
        ..node.clone()
    };
    (source, chosen)
}

/// The source with nulls in all columns but the key's: a deletion has nothing else.
fn with_nulls(source: &Node, table: &Table) -> Node {
    let nullable = |schema: &SchemaRef| -> SchemaRef {
        let fields = schema.fields().iter().map(|field| {
            let in_key = table.primary_key.contains(field.name());
            Field::clone(field).with_nullable(field.is_nullable() || !in_key)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    let mut source = source.clone();
    source.schema = nullable(&source.schema);
    if let NodeKind::Source { decoded, .. } = &mut source.kind {
        *decoded = nullable(decoded);
    }
    source
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::pipeline::compile;
    use crate::sql::SourceFile;

    const TABLES: &str = "
        CREATE TABLE users (region STRING, id BIGINT, name STRING NOT NULL, age INT,
            at TIMESTAMP(3), shown AS UPPER(name), written TIMESTAMP(3) METADATA FROM 'timestamp',
            WATERMARK FOR at AS at, PRIMARY KEY (id) NOT ENFORCED)
          WITH ('connector' = 'upsert-kafka', 'topic' = 'users', 'key.format' = 'json',
            'value.format' = 'json', 'properties.bootstrap.servers' = 'localhost:9092');
        CREATE TABLE orders (id BIGINT, price INT, PRIMARY KEY (id) NOT ENFORCED)
          WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'debezium-json',
            'scan.startup.mode' = 'earliest-offset', 'properties.bootstrap.servers' = 'localhost:9092');
        CREATE TABLE names (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED)
          WITH ('connector' = 'upsert-kafka', 'topic' = 'names', 'key.format' = 'json',
            'value.format' = 'json', 'properties.bootstrap.servers' = 'localhost:9092');
        CREATE TABLE by_name (id BIGINT, name STRING, PRIMARY KEY (name) NOT ENFORCED)
          WITH ('connector' = 'upsert-kafka', 'topic' = 'by-name', 'key.format' = 'json',
            'value.format' = 'json', 'properties.bootstrap.servers' = 'localhost:9092');
        CREATE TABLE added (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '/out', 'format' = 'json');
        CREATE TABLE changed (id BIGINT)
          WITH ('connector' = 'filesystem', 'path' = '/out', 'format' = 'debezium-json');
        CREATE TABLE timed (k BIGINT, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'datagen');
        CREATE TABLE by_end (k BIGINT, e TIMESTAMP(3), n BIGINT, PRIMARY KEY (k, e) NOT ENFORCED)
          WITH ('connector' = 'upsert-kafka', 'topic' = 'by-end', 'key.format' = 'json',
            'value.format' = 'json', 'properties.bootstrap.servers' = 'localhost:9092');
        CREATE TABLE plain (id BIGINT, name STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '3');
    ";

    /// The plan, a line a node, or what is wrong.
    fn plan(text: &str) -> Vec<String> {
        let file = SourceFile {
            name: "changes.sql".to_owned(),
            text: format!("{TABLES}{text};"),
        };
        match compile(&[file], &BTreeMap::new()) {
            Ok(program) => {
                let plan = program.dataflow.to_string();
                plan.lines().map(str::to_owned).collect()
            }
            Err(errors) => errors.into_iter().map(|error| error.message).collect(),
        }
    }

    #[test]
    fn the_plan_says_which_changes_an_edge_carries() {
        for (text, expected) in [
            (
                "INSERT INTO added SELECT id FROM plain",
                &[
                    "#0 Source plain (datagen): decode [id@0], columns [id@0] -> (id BIGINT)",
                    "#1 Sink of #0 added (filesystem) -> (id BIGINT)",
                ][..],
            ),
            (
                "INSERT INTO changed SELECT id FROM orders WHERE price > 1",
                &[
                    "#0 Source orders (kafka): decode [id@0, price@1], columns [id@0, price@1], changes [+I, -U, +U, -D] -> (id BIGINT NOT NULL, price INT)",
                    "#1 Filter of #0: price@1 > 1, changes [+I, -U, +U, -D] -> (id BIGINT NOT NULL, price INT)",
                    "#2 Project of #1: id@0, changes [+I, -U, +U, -D] -> (id BIGINT)",
                    "#3 Sink of #2 changed (filesystem), changes [+I, -U, +U, -D] -> (id BIGINT)",
                ],
            ),
            // The key is read though nobody asks for it; what a deletion lacks may be null.
            (
                "SELECT name, shown, written FROM users",
                &[
                    "#0 Source users (upsert-kafka): decode [id@1, name@2, at@4], metadata [written 'timestamp'], columns [id@0, name@1, upper(name@1), written@3], watermark at@2, changes [+I, +U, -D] -> (id BIGINT NOT NULL, name STRING, shown STRING, written TIMESTAMP(3))",
                    "#1 ChangelogNormalize of #0: keys [id@0], state: the last row by key, changes [+I, -U, +U, -D] -> (id BIGINT NOT NULL, name STRING NOT NULL, shown STRING, written TIMESTAMP(3))",
                    "#2 Project of #1: name@1, shown@2, written@3, changes [+I, -U, +U, -D] -> (name STRING NOT NULL, shown STRING, written TIMESTAMP(3))",
                    "#3 Print of #2, changes [+I, -U, +U, -D] -> (name STRING NOT NULL, shown STRING, written TIMESTAMP(3))",
                ],
            ),
        ] {
            assert_eq!(plan(text), expected, "{text}");
        }
        let copied = plan("INSERT INTO names SELECT id, name FROM users WHERE age > 17");
        let sink = "changes [+I, -U, +U, -D] -> (id BIGINT NOT NULL, name STRING)";
        assert!(
            copied.last().is_some_and(|line| line.ends_with(sink)),
            "{copied:#?}"
        );
    }

    #[test]
    fn windows_that_are_told_early_change() {
        const EARLY: &str = "SET 'table.exec.emit.early-fire.enabled' = 'true'; \
                             SET 'table.exec.emit.early-fire.delay' = '5 s';";
        let insert = |into: &str, columns: &str| {
            format!(
                "{EARLY} INSERT INTO {into} SELECT {columns} FROM TABLE(TUMBLE(TABLE timed, \
                 DESCRIPTOR(at), INTERVAL '1' HOUR)) GROUP BY k, window_start, window_end"
            )
        };
        let kept = plan(&insert("by_end", "k, window_end, COUNT(*)"));
        let expected = [
            "#0 Source timed (datagen): decode [k@0, at@1], columns [k@0, at@1], watermark at@1 -> (k BIGINT, at TIMESTAMP(3))",
            "#1 Project of #0: k@0, k@0, at@1 -> (k BIGINT, k BIGINT, at TIMESTAMP(3))",
            "#2 UpdatingWindowAggregate of #1: keys [k@0], aggregates [COUNT(*)], TUMBLE(3600000 ms) over at@2, kept for 0 ms, state: results by key and window, changes [+I, +U, -D] -> (k BIGINT, $agg0 BIGINT NOT NULL, window_start TIMESTAMP(3) NOT NULL, window_end TIMESTAMP(3) NOT NULL, window_time TIMESTAMP(3) NOT NULL)",
        ];
        assert_eq!(kept[..3], expected, "{kept:#?}");
        for (into, columns, expected) in [
            (
                "added",
                "COUNT(*)",
                Some(
                    "table added: takes only rows that are added (+I), and the results of windows with 'table.exec.emit.*' settings change (+I, -U, +U, -D)",
                ),
            ),
            (
                "by_name",
                "COUNT(*), CAST(k AS STRING)",
                Some(
                    "table by_name: goes by another key than the results of windows with 'table.exec.emit.*' settings, so that changes of one row may overtake each other (+I, -U, +U, -D)",
                ),
            ),
            ("changed", "COUNT(*)", None),
            // The start of such a window says as much as its end.
            ("by_end", "k, window_start, COUNT(*)", None),
            (
                "by_end",
                "k, window_start + INTERVAL '1' DAY, COUNT(*)",
                Some(
                    "table by_end: goes by another key than the results of windows with 'table.exec.emit.*' settings, so that changes of one row may overtake each other (+I, -U, +U, -D)",
                ),
            ),
        ] {
            let found = plan(&insert(into, columns));
            match expected {
                Some(expected) => assert_eq!(found, [expected], "{into} {columns}"),
                None => assert!(found.len() > 3, "{into} {columns}: {found:#?}"),
            }
        }
    }

    #[test]
    fn settings_of_windows_that_do_not_fit_are_refused() {
        const SESSION: &str = "SELECT COUNT(*) FROM SESSION(TABLE timed, DESCRIPTOR(at), \
                               INTERVAL '1' HOUR) GROUP BY window_start, window_end";
        const CASCADE: &str = "CREATE VIEW minutes AS SELECT window_time AS at FROM TUMBLE(TABLE \
            timed, DESCRIPTOR(at), INTERVAL '1' MINUTE) GROUP BY window_start, window_end, \
            window_time; SELECT COUNT(*) FROM TUMBLE(TABLE minutes, DESCRIPTOR(at), \
            INTERVAL '1' HOUR) GROUP BY window_start, window_end";
        let early = "SET 'table.exec.emit.early-fire.enabled' = 'true';";
        let delay = "SET 'table.exec.emit.early-fire.delay' = '0 s';";
        let late = "SET 'table.exec.emit.late-fire.enabled' = 'true'; \
                    SET 'table.exec.emit.late-fire.delay' = '1 s';";
        let lateness = "SET 'table.exec.emit.allow-lateness' = '1 s';";
        for (text, expected) in [
            (
                format!("{early} SELECT k FROM timed"),
                Some(
                    "option 'table.exec.emit.early-fire.enabled': needs 'table.exec.emit.early-fire.delay', which may be '0 s'",
                ),
            ),
            (
                format!("{late} SELECT k FROM timed"),
                Some(
                    "option 'table.exec.emit.late-fire.enabled': needs 'table.exec.emit.allow-lateness', a time above zero",
                ),
            ),
            (
                format!("{early} {delay} {SESSION}"),
                Some(
                    "'table.exec.emit.early-fire.enabled': SESSION windows, and those over processing time, are told when they are final only",
                ),
            ),
            (
                format!("{late} {lateness} {SESSION}"),
                Some(
                    "'table.exec.emit.late-fire.enabled': SESSION windows, and those over processing time, are told when they are final only",
                ),
            ),
            (format!("{lateness} {SESSION}"), None),
            (
                format!("{lateness} {CASCADE}"),
                Some(
                    "the results of windows with 'table.exec.emit.*' settings change (+I, -U, +U, -D), and other windows can only take rows that are added (+I)",
                ),
            ),
        ] {
            let found = plan(&text);
            match expected {
                Some(expected) => assert_eq!(found, [expected], "{text}"),
                None => assert!(found.len() > 2, "{text}: {found:#?}"),
            }
        }
    }

    #[test]
    fn who_cannot_take_changes_refuses_them() {
        for (text, expected) in [
            (
                "INSERT INTO added SELECT id FROM orders",
                "table added: takes only rows that are added (+I), and the rows of orders change (+I, -U, +U, -D)",
            ),
            (
                "INSERT INTO by_name SELECT id, name FROM users",
                "table by_name: goes by another key than the rows of users, so that changes of one row may overtake each other (+I, -U, +U, -D)",
            ),
            (
                "INSERT INTO names SELECT id + 1, name FROM users",
                "table names: goes by another key than the rows of users, so that changes of one row may overtake each other (+I, -U, +U, -D)",
            ),
            (
                "SELECT APPROX_COUNT_DISTINCT(price) FROM orders",
                "rows of table orders change (+I, -U, +U, -D), and APPROX_COUNT_DISTINCT cannot take rows back",
            ),
        ] {
            assert_eq!(plan(text), [expected], "{text}");
        }
        assert_eq!(
            plan("INSERT INTO by_name SELECT id, name FROM plain").len(),
            2
        );
    }
}
