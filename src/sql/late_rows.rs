//! Rows that are late for windows, and the table that the option of a source names for them.
//!
//! Only an aggregate over windows knows which rows are late, and only the source what they were.
//! So each row brings the columns of that table along, behind the others, from the source to the
//! first aggregate over windows, which sends those of late rows out by a way of their own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::Expr;

use super::conversion::{cast_to, is_assignable};
use super::diagnose::did_you_mean;
use super::lower::{Lowering, Role, Rows, source_node};
use super::relation::{DeclaredTable, declared_expression};
use crate::expr::Expression;
use crate::plan::{Diagnostic, LATE_ROWS, Node, NodeKind, Span, Table, type_name};
use crate::stream::OperatorId;

/// A source whose late rows go to a table.
#[derive(Clone, Debug)]
pub(super) struct LateSource {
    declared: DeclaredTable,
    /// The columns of the table that its node has.
    read: Vec<usize>,
    table: Arc<Table>,
    /// The columns of that table, of a record of the source.
    columns: Vec<Expr>,
    /// Where the source names it.
    span: Span,
}

/// The rows for a table that an aggregate over windows gets with its own.
pub(super) struct LateRows {
    table: Arc<Table>,
    /// Their columns.
    pub places: Vec<usize>,
    schema: SchemaRef,
}

impl Lowering {
    /// Notes the table for late rows that the source at node `id` names, if it names one.
    pub(super) fn note_late_rows(
        &mut self,
        id: OperatorId,
        declared: &DeclaredTable,
        read: &[usize],
    ) {
        self.late_sources.remove(&id);
        let Some(option) = declared.table.late_rows() else {
            return;
        };
        match late_columns(declared, &option.value, &self.tables) {
            Ok((table, columns)) => {
                let source = LateSource {
                    declared: declared.clone(),
                    read: read.to_vec(),
                    table,
                    columns,
                    span: option.span,
                };
                self.late_sources.insert(id, source);
            }
            Err((message, hint)) => {
                let message = format!("table {}: '{LATE_ROWS}': {message}", declared.table.name);
                self.refuse(option.span, message, hint);
            }
        }
    }

    /// The rows, with what they bring along for a table of late rows.
    ///
    /// # Errors
    /// If the library refuses to bind a column of it.
    pub(super) fn with_late_rows(&mut self, rows: Rows) -> Result<(Rows, Option<LateRows>)> {
        let Some(table) = self.late_table(rows.id) else {
            return Ok((rows, None));
        };
        let own = rows.schema.fields().len();
        self.carry(rows.id)?;
        let schema = Arc::clone(&self.nodes[rows.id.0 as usize].schema);
        let mut roles = rows.roles;
        roles.resize(schema.fields().len(), Role::Value);
        let names = table.written_schema();
        let carried = schema.fields()[own..].iter().zip(names.fields());
        let fields: Vec<Field> = carried
            .map(|(carried, named)| carried.as_ref().clone().with_name(named.name()))
            .collect();
        let late = LateRows {
            table,
            places: (own..schema.fields().len()).collect(),
            schema: Arc::new(Schema::new(fields)),
        };
        let id = rows.id;
        Ok((Rows { id, schema, roles }, Some(late)))
    }

    /// Refuses a query whose late rows cannot go to the table that their source names.
    pub(super) fn refuse_late_rows(&mut self, id: OperatorId, why: &str) {
        let sources: Vec<_> = self.late_sources_of(id).cloned().collect();
        for LateSource { declared, span, .. } in sources {
            let message = format!(
                "table {}: '{LATE_ROWS}': its late rows cannot be told here, because {why}",
                declared.table.name
            );
            let hint = format!(
                "only count them in this query: FROM {} /*+ OPTIONS('{LATE_ROWS}' = '') */",
                declared.table.name
            );
            self.refuse(span, message, Some(hint));
        }
    }

    /// Ends the late rows of the aggregate at node `id` in their table.
    pub(super) fn late_sink(&mut self, id: OperatorId, late: &LateRows) {
        let id = self.push(vec![id], NodeKind::LateRows, Arc::clone(&late.schema));
        let table = Arc::clone(&late.table);
        let schema = table.written_schema();
        self.push(vec![id], NodeKind::Sink { table }, schema);
    }

    fn refuse(&mut self, span: Span, message: String, hint: Option<String>) {
        let refused = Diagnostic {
            span,
            message,
            hint,
        };
        if !self.refused.contains(&refused) {
            self.refused.push(refused);
        }
    }

    fn node_at(&self, id: OperatorId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The sources with a table for late rows whose rows come to a node with no window between.
    fn late_sources_of(&self, id: OperatorId) -> Box<dyn Iterator<Item = &LateSource> + '_> {
        let node = self.node_at(id);
        match node.kind {
            NodeKind::WindowAggregate { .. } | NodeKind::SessionAggregate { .. } => {
                Box::new(std::iter::empty())
            }
            _ => {
                let below = node.inputs.iter();
                let below = below.flat_map(|input| self.late_sources_of(*input));
                Box::new(self.late_sources.get(&id).into_iter().chain(below))
            }
        }
    }

    /// The one table for the late rows of a node.
    fn late_table(&mut self, id: OperatorId) -> Option<Arc<Table>> {
        let mut sources = self.late_sources_of(id);
        let table = Arc::clone(&sources.next()?.table);
        let is_one = sources.all(|source| source.table.name == table.name);
        drop(sources);
        if let Some(why) = self.obstacle(id) {
            self.refuse_late_rows(id, why);
            return None;
        }
        if !is_one {
            let why = "they are united with rows whose table for late rows is another one";
            self.refuse_late_rows(id, why);
            return None;
        }
        Some(table)
    }

    /// Why the rows of a node are not those of its sources.
    fn obstacle(&self, id: OperatorId) -> Option<&'static str> {
        let node = self.node_at(id);
        match node.kind {
            NodeKind::Source { .. } => (!self.late_sources.contains_key(&id))
                .then_some("they are united with rows that have no table for late rows"),
            NodeKind::Filter { .. } | NodeKind::Project { .. } | NodeKind::Union => {
                let mut below = node.inputs.iter();
                below.find_map(|input| self.obstacle(*input))
            }
            NodeKind::Unnest { .. } => Some("UNNEST makes several rows of one before the window"),
            NodeKind::WindowAssign { .. } => {
                Some("the query does more with the columns of the window than group by them")
            }
            _ => Some("other rows are made of them before the window"),
        }
    }

    /// Appends the columns for late rows to a node and those below it.
    fn carry(&mut self, id: OperatorId) -> Result<()> {
        if let Some(source) = self.late_sources.get(&id) {
            let (kind, schema) = source_node(&source.declared, &source.read, &source.columns)?;
            let node = &mut self.nodes[id.0 as usize];
            (node.kind, node.schema) = (kind, schema);
            return Ok(());
        }
        let inputs = self.node_at(id).inputs.clone();
        let own = self.node_at(id).schema.fields().len();
        let mut more: Vec<FieldRef> = Vec::new();
        for input in inputs {
            let before = self.node_at(input).schema.fields().len();
            self.carry(input)?;
            let schema = Arc::clone(&self.node_at(input).schema);
            let carried = schema.fields()[before..].iter().cloned();
            more = if more.is_empty() {
                carried.collect()
            } else {
                more.iter().zip(carried).map(either).collect()
            };
            if let NodeKind::Project { columns } = &mut self.nodes[id.0 as usize].kind {
                let places = before..schema.fields().len();
                columns.extend(places.map(|place| Expression::column(&schema, place)));
            }
        }
        let node = &mut self.nodes[id.0 as usize];
        let fields = node.schema.fields()[..own].iter().cloned().chain(more);
        node.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(())
    }
}

/// A field with nulls if one of the two has them.
fn either((left, right): (&FieldRef, FieldRef)) -> FieldRef {
    let nullable = left.is_nullable() || right.is_nullable();
    Arc::new(left.as_ref().clone().with_nullable(nullable))
}

/// What is wrong with a table for late rows, and what to do about it.
type Misfit = (String, Option<String>);

/// The table with this name, and its columns of a record of the source.
///
/// # Errors
/// If they do not fit.
fn late_columns(
    source: &DeclaredTable,
    name: &str,
    tables: &HashMap<String, Arc<Table>>,
) -> Result<(Arc<Table>, Vec<Expr>), Misfit> {
    let Some(table) = tables.get(name) else {
        let hint = did_you_mean(name, tables.keys().map(String::as_str));
        let hint = hint.unwrap_or_else(|| "declare it before the query".to_owned());
        return Err((format!("there is no table {name}"), Some(hint)));
    };
    let record = DFSchema::try_from(Arc::clone(&source.record));
    let record = record.map_err(|error| (error.to_string(), None))?;
    let mut columns = Vec::new();
    for field in table.written_schema().fields() {
        let column = field.name();
        let own = source.columns.column_with_name(column);
        let expression = own
            .and_then(|(place, own)| Some((own.data_type(), declared_expression(source, place)?)));
        let Some((own, expression)) = expression else {
            let hint = "it has columns of the source, with their names and types";
            let message = format!("{name} has a column {column}, and its source has none");
            return Err((message, Some(hint.to_owned())));
        };
        if !is_assignable(own, field.data_type()) {
            return Err(misfit(name, column, own, field.data_type()));
        }
        let expression = cast_to(expression, field.data_type(), &record);
        columns.push(expression.map_err(|error| (error.to_string(), None))?);
    }
    Ok((Arc::clone(table), columns))
}

fn misfit(table: &str, column: &str, own: &DataType, wanted: &DataType) -> Misfit {
    let (own, wanted) = (type_name(own), type_name(wanted));
    let message =
        format!("column {column} of {table} is {wanted}, and that of the source is {own}");
    (message, Some(format!("make it {own}")))
}
