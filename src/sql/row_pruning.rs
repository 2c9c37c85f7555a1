//! What a plan reads of the rows in its tables' columns: a source makes only those
//! fields of a `ROW` that are read somewhere above it.
//!
//! It goes down a plan with what is wanted of each column of a node, and comes
//! back up with the columns of a table narrowed. A row that is passed on as a
//! whole is wanted as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::logical_plan::{TableScan, TableScanBuilder};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan};

use super::relation::{DeclaredTable, Relation, declared_expression};
use super::window_function::WindowAssign;
use crate::expr::functions;

/// The plan over tables of which only those fields of rows are made that it reads.
///
/// # Errors
/// If the library refuses to build it.
pub(super) fn without_unread_fields(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !reads_rows(&plan)? {
        return Ok(plan);
    }
    let wanted = vec![Wanted::All; plan.schema().fields().len()];
    narrowed(plan, &wanted)
}

fn reads_rows(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        let LogicalPlan::TableScan(scan) = node else {
            return Ok(false);
        };
        let Some(declared) = declared(scan) else {
            return Ok(false);
        };
        let mut fields = declared.record.fields().iter();
        Ok(fields.any(|field| matches!(field.data_type(), DataType::Struct(_))))
    })
}

fn declared(scan: &TableScan) -> Option<&DeclaredTable> {
    match scan.source.downcast_ref::<Relation>() {
        Some(Relation::Table(declared)) => Some(declared),
        _ => None,
    }
}

/// What is wanted of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// The whole value.
    All,
    /// These fields of a row; without any, nothing is known to be read.
    Fields(BTreeMap<String, Wanted>),
}

impl Default for Wanted {
    fn default() -> Self {
        Self::Fields(BTreeMap::new())
    }
}

impl Wanted {
    /// Adds what is wanted of the value at the end of `path`.
    fn add(&mut self, path: &[&str], what: &Self) {
        let Self::Fields(fields) = self else {
            return;
        };
        match (path, what) {
            ([first, rest @ ..], _) => {
                let field = fields.entry((*first).to_owned()).or_default();
                field.add(rest, what);
            }
            ([], Self::All) => *self = Self::All,
            ([], Self::Fields(more)) => {
                for (name, what) in more {
                    fields.entry(name.clone()).or_default().add(&[], what);
                }
            }
        }
    }

    /// The field with what is wanted of it; as it is if nothing is known to be
    /// read, since a column is there for some reason.
    fn of(&self, field: &FieldRef) -> FieldRef {
        match (self, field.data_type()) {
            (Self::Fields(wanted), DataType::Struct(fields)) if !wanted.is_empty() => {
                let kept = fields
                    .iter()
                    .filter_map(|inner| Some(wanted.get(inner.name())?.of(inner)));
                let kept = DataType::Struct(kept.collect::<Fields>());
                Arc::new(field.as_ref().clone().with_data_type(kept))
            }
            _ => Arc::clone(field),
        }
    }
}

/// Notes what `expression` reads of the columns of `schema` if `what` is wanted
/// of its value.
fn note(expression: &Expr, what: &Wanted, schema: &DFSchema, columns: &mut [Wanted]) -> Result<()> {
    let (root, path) = path_of(expression);
    if let Expr::Column(column) = root {
        let place = schema.index_of_column(column)?;
        if let Some(wanted) = columns.get_mut(place) {
            wanted.add(&path, what);
        }
        return Ok(());
    }
    root.apply_children(|part| {
        note(part, &Wanted::All, schema, columns)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// An expression as a value and the names of the fields that lead from it.
fn path_of(expression: &Expr) -> (&Expr, Vec<&str>) {
    match expression {
        Expr::Alias(alias) => path_of(&alias.expr),
        Expr::ScalarFunction(call) if call.func == functions::field() => {
            match call.args.as_slice() {
                [row, Expr::Literal(ScalarValue::Utf8(Some(name)), _)] => {
                    let (root, mut path) = path_of(row);
                    path.push(name);
                    (root, path)
                }
                _ => (expression, Vec::new()),
            }
        }
        _ => (expression, Vec::new()),
    }
}

/// The plan with what is wanted of each of its columns.
fn narrowed(plan: LogicalPlan, wanted: &[Wanted]) -> Result<LogicalPlan> {
    if let LogicalPlan::TableScan(scan) = plan {
        return narrowed_scan(scan, wanted);
    }
    let mut inputs = Vec::new();
    for input in plan.inputs() {
        let wanted = wanted_of_input(&plan, input.schema(), wanted)?;
        inputs.push(narrowed(input.clone(), &wanted)?);
    }
    let expressions = match plan {
        // It keeps its columns itself.
        LogicalPlan::Unnest(_) => Vec::new(),
        _ => plan.expressions(),
    };
    plan.with_new_exprs(expressions, inputs)
}

fn wanted_of_input(plan: &LogicalPlan, input: &DFSchema, wanted: &[Wanted]) -> Result<Vec<Wanted>> {
    let count = input.fields().len();
    let is_windows = |plan: &LogicalPlan| match plan {
        LogicalPlan::Extension(extension) => {
            let node: &dyn std::any::Any = extension.node.as_any();
            node.is::<WindowAssign>()
        }
        _ => false,
    };
    let mut columns = match plan {
        // Their own columns are those of the input, perhaps with more behind.
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => wanted.to_vec(),
        other if is_windows(other) => wanted.to_vec(),
        LogicalPlan::Projection(projection) => {
            let mut columns = vec![Wanted::default(); count];
            for (expression, what) in projection.expr.iter().zip(wanted) {
                note(expression, what, input, &mut columns)?;
            }
            return Ok(columns);
        }
        LogicalPlan::Aggregate(_) => vec![Wanted::default(); count],
        // The inputs of a union must keep one type.
        _ => vec![Wanted::All; count],
    };
    columns.truncate(count);
    for expression in plan.expressions() {
        note(&expression, &Wanted::All, input, &mut columns)?;
    }
    Ok(columns)
}

fn narrowed_scan(scan: TableScan, wanted: &[Wanted]) -> Result<LogicalPlan> {
    let Some(declared) = declared(&scan) else {
        return Ok(LogicalPlan::TableScan(scan));
    };
    if declared.table.late_rows().is_some() {
        // Rows that are late are written as a whole.
        return Ok(LogicalPlan::TableScan(scan));
    }
    let count = declared.columns.fields().len();
    let read = scan.projection.clone();
    let read = read.unwrap_or_else(|| (0..count).collect());
    let record = DFSchema::try_from(Arc::clone(&declared.record))?;
    let mut columns = vec![Wanted::default(); record.fields().len()];
    for (column, what) in read.iter().zip(wanted) {
        if let Some(expression) = declared_expression(declared, *column) {
            note(&expression, what, &record, &mut columns)?;
        }
    }
    if let Some(watermark) = &declared.watermark {
        note(watermark, &Wanted::All, &record, &mut columns)?;
    }
    let fields = record.fields().iter().zip(&columns);
    let fields: Fields = fields.map(|(field, wanted)| wanted.of(field)).collect();
    let table = reading(declared, Schema::new(fields), &read)?;
    let source = Arc::new(Relation::Table(table));
    let scan = TableScanBuilder::new(scan.table_name, source)
        .with_projection(scan.projection)
        .build()?;
    Ok(LogicalPlan::TableScan(scan))
}

/// The table with `record` as what is read of its records, for the columns at
/// the places `read`: what others are computed from may not be there.
fn reading(declared: &DeclaredTable, record: Schema, read: &[usize]) -> Result<DeclaredTable> {
    let record = Arc::new(record);
    let schema = DFSchema::try_from(Arc::clone(&record))?;
    let mut columns = Vec::new();
    for (place, field) in declared.columns.fields().iter().enumerate() {
        let expression = declared_expression(declared, place);
        columns.push(match expression {
            Some(expression) if read.contains(&place) && field.data_type().is_nested() => {
                let data_type = expression.get_type(&schema)?;
                Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
            }
            _ => Arc::clone(field),
        });
    }
    Ok(DeclaredTable {
        table: Arc::clone(&declared.table),
        columns: Arc::new(Schema::new(columns)),
        record,
        computed: declared.computed.clone(),
        watermark: declared.watermark.clone(),
    })
}
