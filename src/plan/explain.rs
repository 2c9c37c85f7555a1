//! The text of a dataflow: what `EXPLAIN` shows, and what two plans are compared by.
//!
//! A line a node. The text is canonical: two dataflows with one text compute the
//! same from the same tables. It says nothing of parallelism or of settings.

use std::fmt;

use arrow::datatypes::{DataType, Schema};

use crate::stream::ChangelogMode;

use super::{Dataflow, Node, NodeKind, Table, Window, WindowInput, column_type_name};

impl Dataflow {
    /// The nodes that read tables.
    pub fn sources(&self) -> impl Iterator<Item = &Node> {
        let is_source = |node: &&Node| matches!(node.kind, NodeKind::Source { .. });
        self.nodes.iter().filter(is_source)
    }

    /// The nodes at which rows leave: sinks and the printed query.
    pub fn sinks(&self) -> impl Iterator<Item = &Node> {
        let is_sink = |node: &&Node| matches!(node.kind, NodeKind::Sink { .. } | NodeKind::Print);
        self.nodes.iter().filter(is_sink)
    }

    /// What a node does, in the words of the plan but for its inputs and its rows.
    pub fn contents(&self, node: &Node) -> String {
        Contents {
            node,
            input: self.schema_of_input(node),
        }
        .to_string()
    }

    fn schema_of_input(&self, node: &Node) -> Option<&Schema> {
        let input = node.inputs.first()?;
        let found = self.nodes.iter().find(|other| other.id == *input)?;
        Some(&found.schema)
    }
}

struct Contents<'a> {
    node: &'a Node,
    input: Option<&'a Schema>,
}

impl fmt::Display for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.node.kind.name())?;
        describe(&self.node.kind, self.input, f)
    }
}

impl fmt::Display for Dataflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.nodes {
            let inputs = node.inputs.iter().map(|input| format!("#{input}"));
            let inputs: Vec<_> = inputs.collect();
            write!(f, "#{} {}", node.id, node.kind.name())?;
            if !inputs.is_empty() {
                write!(f, " of {}", inputs.join(", "))?;
            }
            describe(&node.kind, self.schema_of_input(node), f)?;
            if node.changes != ChangelogMode::InsertOnly {
                write!(f, ", changes [{}]", node.changes)?;
            }
            writeln!(f, " -> ({})", columns(&node.schema))?;
        }
        Ok(())
    }
}

impl NodeKind {
    /// What it is called in plans.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Source { .. } => "Source",
            Self::ChangelogNormalize { .. } => "ChangelogNormalize",
            Self::Filter { .. } => "Filter",
            Self::Unnest { .. } => "Unnest",
            Self::Project { .. } => "Project",
            Self::WindowAssign { .. } => "WindowAssign",
            Self::WindowAggregate { .. } => "WindowAggregate",
            Self::SessionAggregate { .. } => "SessionAggregate",
            Self::UpdatingWindowAggregate { .. } => "UpdatingWindowAggregate",
            Self::LateRows => "LateRows",
            Self::GroupAggregate { .. } => "GroupAggregate",
            Self::Expand { .. } => "Expand",
            Self::Union => "Union",
            Self::Sink { .. } => "Sink",
            Self::Print => "Print",
        }
    }
}

fn describe(kind: &NodeKind, input: Option<&Schema>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match kind {
        NodeKind::Source {
            table,
            decoded,
            columns,
            watermark,
        } => {
            describe_decoded(table, decoded, f)?;
            write!(f, ", columns [{}]", list(columns))?;
            let watermark = watermark.as_ref();
            let watermark = watermark.map(|watermark| format!(", watermark {watermark}"));
            f.write_str(&watermark.unwrap_or_default())
        }
        NodeKind::ChangelogNormalize { keys } => {
            let keys = first_names(input, *keys);
            write!(f, ": keys [{keys}], state: the last row by key")
        }
        NodeKind::Filter { predicate } => write!(f, ": {predicate}"),
        NodeKind::Unnest { column, keeps_rows } => {
            write!(f, ": {}", column_name(input, *column))?;
            let too = if *keeps_rows {
                ", rows without elements too"
            } else {
                ""
            };
            f.write_str(too)
        }
        NodeKind::Project { columns } => write!(f, ": {}", list(columns)),
        NodeKind::WindowAssign { time, window } => {
            write!(f, ": {window} over {}", column_name(input, *time))
        }
        NodeKind::WindowAggregate {
            keys,
            aggregates,
            input: windows,
            late_rows,
            by_clock,
            retracts,
        } => {
            let keys = input.map(|schema| names(schema, keys)).unwrap_or_default();
            write!(f, ": keys [{keys}], aggregates [{}], ", list(aggregates))?;
            describe_windows(*windows, input, f)?;
            f.write_str(by_the_clock(*by_clock))?;
            f.write_str(state_of_windows(*retracts))?;
            describe_late_rows(late_rows, input, f)
        }
        NodeKind::UpdatingWindowAggregate {
            keys,
            aggregates,
            input: windows,
            lateness_ms,
            late_rows,
            ..
        } => {
            let keys = first_names(input, *keys);
            write!(f, ": keys [{keys}], aggregates [{}], ", list(aggregates))?;
            describe_windows(*windows, input, f)?;
            write!(
                f,
                ", kept for {lateness_ms} ms, state: results by key and window"
            )?;
            describe_late_rows(late_rows, input, f)
        }
        NodeKind::SessionAggregate {
            keys,
            aggregates,
            time,
            gap_ms,
            late_rows,
            by_clock,
        } => {
            let keys = first_names(input, *keys);
            write!(f, ": keys [{keys}], aggregates [{}], ", list(aggregates))?;
            let window = Window::Session { gap_ms: *gap_ms };
            write!(f, "{window} over {}", column_name(input, *time))?;
            f.write_str(by_the_clock(*by_clock))?;
            f.write_str(", state: open sessions by key")?;
            describe_late_rows(late_rows, input, f)
        }
        NodeKind::GroupAggregate {
            keys,
            aggregates,
            time_to_live_ms,
            ..
        } => {
            let keys = first_names(input, *keys);
            write!(f, ": keys [{keys}], aggregates [{}]", list(aggregates))?;
            f.write_str(", state: the aggregates by key")?;
            let kept = time_to_live_ms.map(|ms| format!(", kept for {ms} ms"));
            f.write_str(&kept.unwrap_or_default())
        }
        NodeKind::Expand { projections } => {
            let projections = projections.iter();
            let texts = projections.map(|columns| format!("[{}]", list(columns)));
            write!(f, ": {}", texts.collect::<Vec<_>>().join(", "))
        }
        NodeKind::Union | NodeKind::LateRows | NodeKind::Print => Ok(()),
        NodeKind::Sink { table } => describe_written(table, f),
    }
}

fn describe_decoded(table: &Table, decoded: &Schema, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let physical = decoded_names(&table.physical_schema(), decoded);
    write!(f, " {}: decode [{physical}]", title(table))?;
    describe_partitions(table, f)?;
    describe_metadata(table, decoded, f)
}

fn describe_written(table: &Table, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, " {}", title(table))?;
    describe_partitions(table, f)?;
    describe_metadata(table, &table.written_schema(), f)
}

fn describe_windows(
    windows: WindowInput,
    input: Option<&Schema>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match windows {
        WindowInput::Time { time, window } => {
            write!(f, "{window} over {}", column_name(input, time))
        }
        WindowInput::Attached { start, end } => {
            let start = column_name(input, start);
            write!(f, "windows of {start} to {}", column_name(input, end))
        }
    }
}

fn by_the_clock(by_clock: bool) -> &'static str {
    if by_clock {
        ", closed by the clock"
    } else {
        ""
    }
}

fn state_of_windows(retracts: bool) -> &'static str {
    if retracts {
        ", rows may be taken back, state: the aggregates by key and window"
    } else {
        ", state: panes by key and window"
    }
}

fn describe_late_rows(
    columns: &[usize],
    input: Option<&Schema>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match input {
        Some(schema) if !columns.is_empty() => {
            write!(f, ", late rows [{}]", names(schema, columns))
        }
        _ => Ok(()),
    }
}

fn describe_partitions(table: &Table, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if table.partition_keys.is_empty() {
        return Ok(());
    }
    write!(f, ", partitions [{}]", table.partition_keys.join(", "))
}

/// The metadata among `columns`, with the keys that say what it is.
fn describe_metadata(table: &Table, columns: &Schema, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let among = table
        .metadata()
        .filter(|(field, _)| columns.field_with_name(field.name()).is_ok());
    let names = among.map(|(field, metadata)| format!("{} '{}'", field.name(), metadata.key));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    write!(f, ", metadata [{}]", names.join(", "))
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tumble { size_ms, offset_ms } => {
                write!(f, "TUMBLE({size_ms} ms{})", Offset(*offset_ms))
            }
            Self::Hop {
                size_ms,
                slide_ms,
                offset_ms,
            } => write!(
                f,
                "HOP({size_ms} ms every {slide_ms} ms{})",
                Offset(*offset_ms)
            ),
            Self::Cumulate {
                size_ms,
                step_ms,
                offset_ms,
            } => write!(
                f,
                "CUMULATE({size_ms} ms in steps of {step_ms} ms{})",
                Offset(*offset_ms)
            ),
            Self::Session { gap_ms } => write!(f, "SESSION({gap_ms} ms apart)"),
        }
    }
}

/// How far windows are moved, if they are.
struct Offset(i64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            offset => write!(f, ", moved by {offset} ms"),
        }
    }
}

fn title(table: &Table) -> String {
    match table.option("connector") {
        Some(connector) => format!("{} ({connector})", table.name),
        None => table.name.clone(),
    }
}

fn list(items: &[impl fmt::Display]) -> String {
    let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn names(schema: &Schema, columns: &[usize]) -> String {
    let names = columns
        .iter()
        .map(|column| column_name(Some(schema), *column));
    names.collect::<Vec<_>>().join(", ")
}

fn first_names(schema: Option<&Schema>, count: usize) -> String {
    let columns: Vec<_> = (0..count).collect();
    schema.map_or_else(String::new, |schema| names(schema, &columns))
}

/// The physical columns by name and place in the table, with the fields that are decoded
/// where these are not all.
fn decoded_names(table: &Schema, decoded: &Schema) -> String {
    let names = decoded.fields().iter().filter_map(|field| {
        let (place, whole) = table.column_with_name(field.name())?;
        let fields = if whole.data_type() == field.data_type() {
            String::new()
        } else {
            field_names(field.data_type())
        };
        Some(format!("{}@{place}{fields}", field.name()))
    });
    names.collect::<Vec<_>>().join(", ")
}

/// The fields of a row between `<` and `>`, and theirs.
fn field_names(data_type: &DataType) -> String {
    let DataType::Struct(fields) = data_type else {
        return String::new();
    };
    let names = fields
        .iter()
        .map(|field| format!("{}{}", field.name(), field_names(field.data_type())));
    format!("<{}>", names.collect::<Vec<_>>().join(", "))
}

fn column_name(schema: Option<&Schema>, column: usize) -> String {
    let field = schema.and_then(|schema| schema.fields().get(column));
    field.map_or_else(
        || format!("@{column}"),
        |field| format!("{}@{column}", field.name()),
    )
}

fn columns(schema: &Schema) -> String {
    let columns = schema.fields().iter();
    let texts = columns.map(|field| format!("{} {}", field.name(), column_type_name(field)));
    texts.collect::<Vec<_>>().join(", ")
}
