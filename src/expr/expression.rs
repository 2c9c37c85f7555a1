//! One scalar expression over the columns of a batch.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{Expr, Operator};
use datafusion_physical_expr::expressions::{BinaryExpr, CastExpr, Column, Literal};
use datafusion_physical_expr::utils::collect_columns;
use datafusion_physical_expr::{
    PhysicalExpr, ScalarFunctionExpr, create_physical_expr, split_conjunction,
};

use super::functions::{self, NarrowedRow, PROCTIME};
use super::{Error, Result};
use crate::formats::sql_name;

/// A typed expression over the columns of one schema.
///
/// Its [`fmt::Display`] is canonical: two expressions with one text compute the
/// same, so plans are compared by it.
#[derive(Clone, Debug)]
pub struct Expression {
    pub(super) physical: Arc<dyn PhysicalExpr>,
    pub(super) field: FieldRef,
}

impl Expression {
    /// The expression of the planner, bound to the columns of `schema`.
    ///
    /// # Errors
    /// If it names a column that `schema` lacks, or has no physical form.
    pub fn new(logical: &Expr, schema: &DFSchema) -> Result<Self> {
        let physical = create_physical_expr(
            logical,
            schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        let field = physical.return_field(schema.as_arrow())?;
        Ok(Self { physical, field })
    }

    /// Column `index` of `schema`.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn column(schema: &SchemaRef, index: usize) -> Self {
        let field = Arc::clone(&schema.fields()[index]);
        Self {
            physical: Arc::new(Column::new(field.name(), index)),
            field,
        }
    }

    /// The column that it is, if it is nothing but a column.
    pub fn as_column(&self) -> Option<usize> {
        self.physical.downcast_ref::<Column>().map(Column::index)
    }

    /// Whether it is the time of day at which rows pass, and nothing else.
    pub fn is_processing_time(&self) -> bool {
        let call = self.physical.downcast_ref::<ScalarFunctionExpr>();
        call.is_some_and(|call| call.name() == PROCTIME)
    }

    /// If it adds an interval to a time, or takes one away: the time alone. Of two
    /// times the later one never has the earlier result.
    pub fn time_before_shift(&self, schema: &SchemaRef) -> Option<Self> {
        let shift = self.physical.downcast_ref::<BinaryExpr>()?;
        let is_shift = matches!(shift.op(), Operator::Plus | Operator::Minus);
        let by = shift.right().downcast_ref::<Literal>()?.value().data_type();
        if !is_shift || !matches!(by, DataType::Interval(_) | DataType::Duration(_)) {
            return None;
        }
        let physical = Arc::clone(shift.left());
        let field = physical.return_field(schema).ok()?;
        matches!(field.data_type(), DataType::Timestamp(..)).then_some(Self { physical, field })
    }

    /// The same expression over rows from which columns were chosen: where it
    /// reads column `i`, it now reads column `chosen[i]`.
    ///
    /// # Panics
    /// If it reads a column that `chosen` lacks.
    #[must_use]
    pub fn rebased(&self, chosen: &[usize]) -> Self {
        let rebased = Arc::clone(&self.physical).transform_up(|part| {
            Ok(match part.downcast_ref::<Column>() {
                Some(column) => {
                    let moved = Column::new(column.name(), chosen[column.index()]);
                    Transformed::yes(Arc::new(moved) as Arc<dyn PhysicalExpr>)
                }
                None => Transformed::no(part),
            })
        });
        Self {
            physical: rebased.expect("moving a column cannot fail").data,
            field: Arc::clone(&self.field),
        }
    }

    /// The same expression over rows of which its columns are computed: where it reads
    /// column `i`, it now reads what `columns[i]` computes.
    ///
    /// # Panics
    /// If it reads a column that `columns` lacks.
    #[must_use]
    pub fn composed(&self, columns: &[Self]) -> Self {
        let composed = Arc::clone(&self.physical).transform_up(|part| {
            if let Some(column) = part.downcast_ref::<Column>() {
                let computed = &columns[column.index()];
                return Ok(Transformed::yes(Arc::clone(&computed.physical)));
            }
            Ok(match of_whole_row(&part) {
                Some(shorter) => Transformed::yes(shorter),
                None => Transformed::no(part),
            })
        });
        Self {
            physical: composed.expect("computing a column cannot fail").data,
            field: Arc::clone(&self.field),
        }
    }

    /// The rows that it computes, with those fields alone that the type `to` has.
    #[must_use]
    pub fn narrowed(&self, to: &DataType) -> Self {
        if self.data_type() == to {
            return self.clone();
        }
        let function = NarrowedRow::function(self.data_type(), to);
        let field = self.field.as_ref().clone().with_data_type(to.clone());
        let field = Arc::new(field);
        let physical = ScalarFunctionExpr::new(
            function.name(),
            Arc::clone(&function),
            vec![Arc::clone(&self.physical)],
            Arc::clone(&field),
            Arc::default(),
        );
        Self {
            physical: Arc::new(physical),
            field,
        }
    }

    /// Whether it computes the same as another one over the same columns.
    pub fn computes_as(&self, other: &Self) -> bool {
        self.data_type() == other.data_type() && self.physical.dyn_eq(&*other.physical)
    }

    /// Whether it only hands a column on, or of its rows some fields: it cannot fail.
    pub fn is_choice(&self) -> bool {
        let whole = narrowed_row(&self.physical).map_or(&self.physical, |(whole, _)| whole);
        whole.downcast_ref::<Column>().is_some()
    }

    /// Whether it fails for no row of `input`: it hands a column on, or makes its numbers wider.
    pub fn is_certain(&self, input: &Schema) -> bool {
        let cast = self.physical.downcast_ref::<CastExpr>();
        let number = cast.map(CastExpr::expr).filter(|from| from.is::<Column>());
        let number = number.and_then(|from| from.data_type(input).ok());
        let is_widened = number.is_some_and(|from| match self.data_type() {
            DataType::Int64 => from.is_integer(),
            DataType::Float64 => from == DataType::Float32,
            _ => false,
        });
        self.is_choice() || is_widened
    }

    /// Whether it may have another value for the same row: the time of day, a random number.
    pub fn is_volatile(&self) -> bool {
        let found = self.physical.exists(|part| Ok(part.is_volatile_node()));
        found.expect("looking cannot fail")
    }

    /// The conditions all of which hold where it does.
    pub fn conjunction(&self) -> Vec<Self> {
        let parts = split_conjunction(&self.physical).into_iter();
        let part = |part: &Arc<dyn PhysicalExpr>| Self {
            physical: Arc::clone(part),
            field: Arc::clone(&self.field),
        };
        parts.map(part).collect()
    }

    /// The condition that holds where all of these do, if there are any.
    pub fn all_of(conditions: impl IntoIterator<Item = Self>) -> Option<Self> {
        joined(conditions, Operator::And)
    }

    /// The condition that holds where one of these does, if there are any.
    pub fn any_of(conditions: impl IntoIterator<Item = Self>) -> Option<Self> {
        joined(conditions, Operator::Or)
    }

    /// The columns that it reads.
    pub fn columns(&self) -> BTreeSet<usize> {
        let columns = collect_columns(&self.physical);
        columns.iter().map(Column::index).collect()
    }

    /// The type of its values.
    pub fn data_type(&self) -> &DataType {
        self.field.data_type()
    }

    /// Name, type and nullability of its values.
    pub fn field(&self) -> &FieldRef {
        &self.field
    }

    /// Its value for each row.
    ///
    /// # Errors
    /// If it fails for some row: a division by zero, a text that is no number.
    pub fn evaluate(&self, records: &RecordBatch) -> Result<ArrayRef> {
        let value = self.physical.evaluate(records)?;
        Ok(value.into_array(records.num_rows())?)
    }

    /// Its value for each row, of a condition.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_condition(&self, records: &RecordBatch) -> Result<BooleanArray> {
        let value = self.evaluate(records)?;
        value.as_boolean_opt().cloned().ok_or_else(|| {
            Error(format!(
                "{self} is of type {}, not a condition",
                sql_name(value.data_type())
            ))
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Arc::clone(&self.physical).transform_up(|part| {
            let literal = part.downcast_ref::<Literal>().map(Literal::value);
            Ok(match literal.and_then(literal_text) {
                Some(text) => {
                    let text = ScalarValue::Utf8(Some(text));
                    Transformed::yes(Arc::new(Literal::new(text)) as Arc<dyn PhysicalExpr>)
                }
                None => Transformed::no(part),
            })
        });
        shown.map_err(|_| fmt::Error)?.data.fmt(f)
    }
}

fn joined(
    conditions: impl IntoIterator<Item = Expression>,
    operator: Operator,
) -> Option<Expression> {
    let conditions = conditions.into_iter();
    conditions.reduce(|left, right| Expression {
        field: Arc::new(Field::new("condition", DataType::Boolean, true)),
        physical: Arc::new(BinaryExpr::new(left.physical, operator, right.physical)),
    })
}

/// The row that is narrowed, and how, if this is what the expression does.
fn narrowed_row(part: &Arc<dyn PhysicalExpr>) -> Option<(&Arc<dyn PhysicalExpr>, &NarrowedRow)> {
    let call = part.downcast_ref::<ScalarFunctionExpr>()?;
    Some((call.args().first()?, NarrowedRow::of(call.fun())?))
}

/// A field of a narrowed row as one of the whole row, if it is the same there.
fn of_whole_row(part: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let call = part.downcast_ref::<ScalarFunctionExpr>()?;
    let [row, name] = call.args() else {
        return None;
    };
    let (whole, narrowed) = narrowed_row(row)?;
    let field = name.downcast_ref::<Literal>()?.value().try_as_str()??;
    if *call.fun() != *functions::field() || !narrowed.keeps(field) {
        return None;
    }
    let arguments = vec![Arc::clone(whole), Arc::clone(name)];
    let part = Arc::clone(part);
    part.with_new_children(arguments).ok()
}

/// How a literal is written if the library's form is not clear: it writes a text
/// without quotes, so that `'a, b'` looks like two arguments.
fn literal_text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(Some(text)) => Some(format!("'{}'", text.replace('\'', "''"))),
        ScalarValue::IntervalMonthDayNano(Some(length)) => {
            let parts = [
                (i64::from(length.months), "months"),
                (i64::from(length.days), "days"),
                (length.nanoseconds / 1_000_000, "ms"),
                (length.nanoseconds % 1_000_000, "ns"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count != 0);
            let parts: Vec<_> = parts
                .map(|(count, unit)| format!("{count} {unit}"))
                .collect();
            Some(format!("INTERVAL '{}'", parts.join(" ")))
        }
        // Of an instant the library does not show the zone.
        ScalarValue::TimestampSecond(_, Some(zone))
        | ScalarValue::TimestampMillisecond(_, Some(zone))
        | ScalarValue::TimestampMicrosecond(_, Some(zone))
        | ScalarValue::TimestampNanosecond(_, Some(zone)) => Some(format!("{value} {zone}")),
        _ => None,
    }
}
