//! `VALUES (…), (…)` and `SELECT` without `FROM`: rows that stand in the text.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, Result};
use datafusion_expr::logical_plan::{EmptyRelation, Values};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use indexmap::IndexMap;

use super::conversion::{cast_to, type_of};
use super::diagnose::refusal;
use super::lower::{check_column, expression};
use super::typing::unified;
use crate::formats::row_to_json;
use crate::plan::{Column, ColumnKind, Span, Table, TableOption};

/// The rows with Flink's types: each column has the one that its values have in common.
///
/// # Errors
/// If they have none.
pub(super) fn typed(values: Values) -> Result<LogicalPlan> {
    let nothing = DFSchema::empty();
    let mut rows: Vec<Vec<Expr>> = values.values.iter().map(|_| Vec::new()).collect();
    let mut fields = Vec::new();
    for (place, of_library) in values.schema.fields().iter().enumerate() {
        let column = values.values.iter().map(|row| row[place].clone());
        let what = format!("the values of column {} of VALUES", place + 1);
        let column = unified(column.collect(), &nothing, &what)?;
        let data_type = column
            .first()
            .map_or(Ok(DataType::Null), |value| type_of(value, &nothing));
        let data_type = data_type?;
        let mut is_nullable = false;
        for (row, value) in rows.iter_mut().zip(column) {
            is_nullable |= value.nullable(&nothing)?;
            row.push(cast_to(value, &data_type, &nothing)?);
        }
        fields.push(Field::new(of_library.name(), data_type, is_nullable));
    }
    let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new())?;
    Ok(LogicalPlan::Values(Values {
        schema: Arc::new(schema),
        values: rows,
    }))
}

/// The plan with a row of `VALUES` for each `SELECT` that reads nothing.
///
/// # Errors
/// If the library cannot build it.
pub(super) fn with_rows_from_nothing(plan: LogicalPlan) -> Result<LogicalPlan> {
    let with_rows = plan.transform_up(|node| match node {
        LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: true,
            ..
        }) => {
            let row = LogicalPlanBuilder::values(vec![vec![lit(true)]])?.build()?;
            Ok(Transformed::yes(row))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(with_rows.data)
}

/// The rows as a table that a source reads.
///
/// # Errors
/// If a value is no constant, or of a type that no column can have.
pub(super) fn as_table(values: &Values) -> Result<Table> {
    let fields: Vec<_> = values.schema.fields().iter().cloned().collect();
    fields.iter().try_for_each(|field| check_column(field))?;
    let columns = (0..fields.len()).map(|place| {
        let column = values.values.iter().map(|row| constant(&row[place]));
        let column = column.collect::<Result<Vec<_>>>()?;
        let parts: Vec<&dyn arrow::array::Array> = column.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns)?;
    let rows = (0..batch.num_rows())
        .map(|row| String::from_utf8_lossy(&row_to_json(&batch, row)).into_owned());
    let option = |value: String| TableOption {
        value,
        span: Span::default(),
    };
    let column = |field| Column {
        field,
        kind: ColumnKind::Physical,
    };
    Ok(Table {
        name: "VALUES".to_owned(),
        columns: fields.into_iter().map(column).collect(),
        watermark: None,
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
        distribution: None,
        options: IndexMap::from([
            ("connector".to_owned(), option("values".to_owned())),
            (
                "rows".to_owned(),
                option(rows.collect::<Vec<_>>().join("\n")),
            ),
        ]),
        span: Span::default(),
    })
}

/// The one value of an expression that reads no column.
fn constant(value: &Expr) -> Result<ArrayRef> {
    if value.is_volatile() {
        return Err(refusal(
            "a row of VALUES holds constants",
            None,
            Some("write SELECT … without FROM for one row, and UNION ALL for several".to_owned()),
        ));
    }
    let nothing = Arc::new(Schema::empty());
    let bound = expression(value, &DFSchema::try_from(Arc::clone(&nothing))?)?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(nothing, Vec::new(), &options)?;
    bound
        .evaluate(&row)
        .map_err(|error| DataFusionError::Plan(error.to_string()))
}
